/* weights.cu - a model's tensors to the device, as the host hands them over: through two pieces of pinned memory, so that
 * one is filled while the other travels, and without waiting for the last one. */
#include "backend/cuda/state.h"

#include <new>

#define PIECE ((size_t)WH_CUDA_Q8_0_BYTES * 122880) /* bytes, 4 MB: whole blocks of q8_0 */

struct Stage {
    char *host[2];       /* pinned, [PIECE] */
    void *device;        /* [PIECE]: blocks of q8_0 before they are halfs */
    cudaEvent_t gone[2]; /* host[i] has been copied */
    unsigned turn;
};

void engine_free_stage(wh_cuda_engine *e)
{
    for (int i = 0; e->stage && i < 2; i++) {
        cudaFreeHost(e->stage->host[i]);
        if (e->stage->gone[i])
            cudaEventDestroy(e->stage->gone[i]);
    }
    if (e->stage)
        cudaFree(e->stage->device);
    delete e->stage;
    e->stage = NULL;
}

static int plan_stage(wh_cuda_engine *e)
{
    if (e->stage)
        return WH_CUDA_OK;
    e->stage = new (std::nothrow) Stage();
    if (!e->stage)
        return engine_check(e, cudaErrorMemoryAllocation, "host memory");
    for (int i = 0; i < 2; i++) {
        TRY(pinned_array(e, &e->stage->host[i], PIECE));
        TRY(engine_check(e, cudaEventCreateWithFlags(&e->stage->gone[i], cudaEventDisableTiming), "event"));
    }
    return engine_device_memory(e, &e->stage->device, PIECE);
}

/* At most PIECE bytes of the host's to the device. */
static int copy_piece(wh_cuda_engine *e, void *to, const char *from, size_t bytes)
{
    int i = (int)(e->stage->turn++ % 2);
    WH_UNLESS_MUTANT(22, TRY(engine_check(e, cudaEventSynchronize(e->stage->gone[i]), "copy to the device")));
    memcpy(e->stage->host[i], from, bytes);
    TRY(to_device(e, (char *)to, (const char *)e->stage->host[i], bytes));
    return engine_check(e, cudaEventRecord(e->stage->gone[i], e->main), "event");
}

int engine_load(wh_cuda_engine *e, int layer, wh_cuda_tensor which, const wh_cuda_part *part)
{
    void **tensor = layer < 0 ? &e->single[which] : &e->layers[layer][which];
    size_t size = part->stored == WH_CUDA_FLOATS ? sizeof(float) : sizeof(half), blocks = part->n / WH_CUDA_Q8_0_BLOCK;
    bool turns = part->stored == WH_CUDA_Q8_0;
    size_t bytes = turns ? blocks * WH_CUDA_Q8_0_BYTES : part->n * size;
    ENTER(e);
    TRY(plan_stage(e));
    if (!*tensor)
        TRY(engine_device_memory(e, tensor, part->total * size));
    char *to = (char *)*tensor + part->first * size;
    for (size_t at = 0, some; at < bytes; at += some) {
        some = bytes - at < PIECE ? bytes - at : PIECE;
        TRY(copy_piece(e, turns ? e->stage->device : to + at, (const char *)part->data + at, some));
        if (turns)
            wh_cuda_from_q8_0(e->stage->device, (half *)to + at / WH_CUDA_Q8_0_BYTES * WH_CUDA_Q8_0_BLOCK,
                              some / WH_CUDA_Q8_0_BYTES, e->main);
    }
    return engine_check(e, cudaGetLastError(), "weights");
}

int engine_end_load(wh_cuda_engine *e)
{
    TRY(engine_check(e, cudaStreamSynchronize(e->main), "weights"));
    engine_free_stage(e);
    return WH_CUDA_OK;
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
