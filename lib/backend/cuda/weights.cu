/* weights.cu - a model's tensors to the device, as the host hands them over. */
#include "backend/cuda/state.h"

int engine_load(wh_cuda_engine *e, int layer, wh_cuda_tensor which, const void *data, size_t bytes)
{
    void **to = layer < 0 ? &e->single[which] : &e->layers[layer][which];
    ENTER(e);
    char *p;
    TRY(device_array(e, &p, bytes));
    *to = p;
    TRY(to_device(e, p, (const char *)data, bytes));
    return engine_check(e, cudaStreamSynchronize(e->main), "copy to the device");
}

int engine_load_alignment(wh_cuda_engine *e)
{
    const wh_cuda_sizes *s = &e->sizes;
    size_t n = (size_t)s->text_layers * s->text_heads;
    TRY(device_array(e, &e->alignment, n));
    int32_t *numbers = (int32_t *)malloc(n * sizeof *numbers);
    if (!numbers)
        return engine_check(e, cudaErrorMemoryAllocation, "host memory");
    for (size_t i = 0; i < n; i++)
        numbers[i] = -1;
    for (int a = s->n_alignment; a-- > 0;) /* of a head that is named twice, the first; cuda.c copies its scores */
        numbers[s->alignment[2 * a] * s->text_heads + s->alignment[2 * a + 1]] = a;
    cudaError_t error = cudaMemcpyAsync(e->alignment, numbers, n * sizeof *numbers, cudaMemcpyHostToDevice, e->main);
    if (!error)
        error = cudaStreamSynchronize(e->main);
    free(numbers);
    return engine_check(e, error, "copy to the device");
}
