/* engine.cu - a model on a device: opening and closing, and the table that the host sees (engine.h). state.h says what
 * else there is. */
#include "backend/cuda/state.h"

/* The driver that CUDA's runtime in this library needs: any of its major version's, but for what PTX is compiled from. */
static const char *driver_needed()
{
    return CUDART_VERSION >= 13000 ? "580" : CUDART_VERSION >= 12000 ? "525" : "450";
}

static int no_device(wh_cuda_engine *e, cudaError_t error)
{
    int driver = 0;
    cudaDriverGetVersion(&driver);
    cudaGetLastError();
    if (driver && driver < CUDART_VERSION / 1000 * 1000)
        snprintf(
            e->message, sizeof e->message,
            "NVIDIA's driver here is for CUDA %d.%d; this library was built with CUDA %d.%d, which needs driver %s or later",
            driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10, driver_needed());
    else
        snprintf(e->message, sizeof e->message, "no CUDA device: %s%s%s%s",
                 error ? cudaGetErrorString(error) : "none found", driver ? "" : "; NVIDIA's driver (",
                 driver ? "" : driver_needed(), driver ? "" : " or later) is not there");
    return WH_CUDA_ABSENT;
}

static int start(wh_cuda_engine *e)
{
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error || count < 1)
        return no_device(e, error);
    if (e->device < 0 || e->device >= count) {
        snprintf(e->message, sizeof e->message, "there is no CUDA device %d; there %s %d", e->device,
                 count == 1 ? "is" : "are", count);
        return WH_CUDA_ABSENT;
    }
    cudaDeviceProp prop;
    ENTER(e);
    TRY(engine_check(e, cudaGetDeviceProperties(&prop, e->device), "device"));
    e->sm = prop.major * 10 + prop.minor;
    snprintf(e->name, sizeof e->name, "%.140s, sm_%d", prop.name, e->sm);
    if (e->sm < 75) {
        snprintf(e->message, sizeof e->message, "%s is too old: compute capability 7.5 is the least", e->name);
        return WH_CUDA_ABSENT;
    }
    TRY(engine_check(e, cudaStreamCreateWithFlags(&e->main, cudaStreamNonBlocking), "stream"));
    TRY(engine_check(e, cudaStreamCreateWithFlags(&e->copy, cudaStreamNonBlocking), "stream"));
    e->blas = wh_cuda_blas_open(e->main, e->message);
    if (!e->blas)
        return WH_CUDA_ABSENT;
    TRY(engine_plan(e));
    return engine_load_alignment(e);
}

static void engine_close(wh_cuda_engine *e)
{
    if (!e)
        return;
    engine_visit visit(e);
    engine_free_stage(e);
    engine_free_mel(e->mel_maker);
    for (int i = 0; i < CLASSES; i++)
        if (e->steps[i])
            cudaGraphExecDestroy(e->steps[i]);
    wh_cuda_blas_close(e->blas);
    int layers = e->sizes.audio_layers + e->sizes.text_layers;
    for (int i = 0; i < WH_CUDA_N_SINGLE; i++)
        cudaFree(e->single[i]);
    for (int i = 0; e->layers && i < layers; i++)
        for (int j = 0; j < WH_CUDA_N_LAYER; j++)
            cudaFree(e->layers[i][j]);
    for (int i = 0; e->self && e->windows && i < e->sizes.n_slots; i++) {
        cudaFree(e->self[i]);
        cudaFree(e->windows[i]);
    }
    for (int i = 0; i < BUFFERS; i++) {
        cudaFreeHost(e->mel_host[i]);
        cudaFree(e->mel[i]);
        if (e->arrived[i])
            cudaEventDestroy(e->arrived[i]);
        if (e->consumed[i])
            cudaEventDestroy(e->consumed[i]);
    }
    cudaFreeHost(e->rows_host);
    cudaFreeHost(e->which_host);
    cudaFreeHost(e->choices_host);
    cudaFreeHost(e->chosen_host);
    cudaFreeHost(e->listed_host);
    void *const arrays[] = {e->mel_half,    e->conv, e->conv_half, e->audio_x,   e->audio_h, e->audio_wide,
                            e->audio_heads, e->rows, e->which,     e->alignment, e->x,       e->h,
                            e->wide,        e->q,    e->partial,   e->logits,    e->scores,  e->choices,
                            e->listed,      e->best, e->stats,     e->masks};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        cudaFree(arrays[i]);
    if (e->main)
        cudaStreamDestroy(e->main);
    if (e->copy)
        cudaStreamDestroy(e->copy);
    free(e->layers);
    free(e->self);
    free(e->windows);
    free(e);
}

static int engine_open(const wh_cuda_sizes *sizes, int device, wh_cuda_engine **engine, char *message)
{
    *engine = NULL;
    wh_cuda_engine *e = (wh_cuda_engine *)calloc(1, sizeof *e);
    if (e) {
        e->sizes = *sizes;
        e->device = device;
        e->layers = (void *(*)[WH_CUDA_N_LAYER])calloc(sizes->audio_layers + sizes->text_layers, sizeof *e->layers);
        e->self = (half **)calloc(sizes->n_slots, sizeof *e->self);
        e->windows = (char **)calloc(sizes->n_slots, sizeof *e->windows);
    }
    if (!e || !e->layers || !e->self || !e->windows) {
        snprintf(message, WH_CUDA_MESSAGE, "out of memory");
        engine_close(e);
        return WH_CUDA_MEMORY;
    }
    int rc = start(e);
    e->sizes.alignment = NULL; /* the caller's */
    if (rc) {
        snprintf(message, WH_CUDA_MESSAGE, "%s", e->message);
        engine_close(e);
        return rc;
    }
    *engine = e;
    return WH_CUDA_OK;
}

static const char *engine_describe(const wh_cuda_engine *e)
{
    return e->name;
}

static const char *engine_error(const wh_cuda_engine *e)
{
    return e->message;
}

extern "C" __attribute__((visibility("default"))) const wh_cuda_api *wh_cuda_entry(void)
{
    static const wh_cuda_api api = {
        WH_CUDA_ABI,   sizeof(wh_row), sizeof(wh_choice),  WH_CUDA_MOST_ROWS, WH_CUDA_FEW_ROWS,    MASKS,
        MEL_FRAMES,    engine_open,    engine_close,       engine_describe,   engine_error,        engine_load,
        engine_room,   engine_take,    wh_cuda_can_choose, engine_forbid,     engine_load_filters, engine_log_mel,
        engine_encode, engine_decode,  engine_copy,        engine_ceilings,
    };
    return &api;
}
