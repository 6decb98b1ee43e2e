/* engine.cu - a model on a device: its weights, its slots, and the order in which the layers run. What engine.h says.
 *
 * Two streams: `copy` brings windows of log-Mel, `main` computes. Each has two buffers, so that a window is copied
 * while the one before is encoded; events say when a buffer is there and when it has been read. All memory but the
 * keys and values of slots and windows, taken when they are first used, is taken when the engine is opened. */
#include "engine.h"

#include "blas.h"
#include "layers.h"

#include <stdio.h>
#include <mutex>
#include <new>
#include <stdlib.h>

#define BUFFERS 2
#define MASKS 64
#define MEL_FRAMES 512
#define CLASSES 7 /* of steps: 1, 2, 4, ... 64 rows */

/* Log-Mel on the device: a stream, memory and a lock of its own, since the thread that reads a recording is another
 * than the one that transcribes it. */
struct Mel {
    std::mutex lock;
    cudaStream_t stream;
    float *tables, *filters;            /* device */
    int32_t *ranges;
    float *samples_host, *out_host;     /* pinned: MEL_FRAMES of them */
    float *samples, *out;
};

struct wh_cuda_engine {
    wh_cuda_sizes sizes;
    int sm, device;
    char name[160], message[WH_CUDA_MESSAGE];
    bool lost;              /* after a failure nothing more is tried */
    cudaStream_t main, copy;
    cudaEvent_t arrived[BUFFERS], consumed[BUFFERS];
    wh_cuda_blas *blas;
    unsigned turn;          /* windows encoded so far: which buffer is next */

    void *single[WH_CUDA_N_SINGLE];
    void *(*layers)[WH_CUDA_N_LAYER];   /* [audio_layers + text_layers] */

    /* encoder */
    float *mel_host[BUFFERS];   /* pinned, [2 ctx][n_mels] */
    float *mel[BUFFERS];        /* the same on the device */
    half *mel_half;             /* [2 ctx + 2][n_mels] */
    float *conv;                /* [2 ctx][d] */
    half *conv_half;            /* [1 + 2 ctx][d], a row of zeros first */
    float *audio_x;             /* [ctx][d]: the residual stream */
    half *audio_h;              /* [ctx][d]: normalized; attention's output */
    half *audio_wide;           /* [ctx][4d] */
    half *audio_heads;          /* [3][heads][ctx][dp] */

    /* decoder: MOST_ROWS rows */
    wh_cuda_row *rows_host, *rows;  /* pinned; device */
    int32_t *which_host, *which;    /* rows whose logits are wanted */
    int32_t *alignment;             /* [text_layers][heads]: number of an alignment head, or -1 */
    float *x;                   /* [rows][d] */
    half *h, *wide, *q;         /* [rows][d], [rows][4d], [heads][rows][dp] */
    float *partial, *logits;    /* decode attention's workspace; [FEW_ROWS][stride of n_vocab] */
    float *scores;              /* [rows][n_alignment][audio_ctx], once somebody wants them */
    wh_cuda_choice *choices_host, *choices; /* FEW_ROWS of each */
    wh_cuda_chosen *chosen_host, *chosen;
    int32_t *listed_host, *listed, *best;   /* [FEW_ROWS][list_size]; choose.cu's workspace, and */
    float *stats;
    uint32_t *masks;            /* [MASKS][words], once there is one */
    Mel *mel_maker;             /* NULL: it is not there */
    cudaGraphExec_t steps[CLASSES]; /* a decoding step of so many rows, once there was one */
    bool no_graphs;             /* they could not be made: steps are queued kernel by kernel */
    half **self;                /* [n_slots]: [text_layers][2][heads][positions][dp] */
    char **windows;             /* [n_slots]: the same, or int8 (layers.h) */
};

/* ---- errors and memory ---- */

static int check(wh_cuda_engine *e, cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return WH_CUDA_OK;
    snprintf(e->message, sizeof e->message, "%s: %s", what, cudaGetErrorString(error));
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError(); /* it is not sticky: forget it */
        return WH_CUDA_MEMORY;
    }
    e->lost = true;
    return WH_CUDA_FAILED;
}

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int tried = (call);                                                                                            \
        if (tried)                                                                                                     \
            return tried;                                                                                              \
    } while (0)

template <class T> static int device_array(wh_cuda_engine *e, T **array, size_t n)
{
    void *p = NULL;
    cudaError_t error = cudaMalloc(&p, n * sizeof(T));
    *array = (T *)p;
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        snprintf(e->message, sizeof e->message, "device memory: %.1f MiB more cannot be had on %s",
                 (double)(n * sizeof(T)) / 1048576, e->name);
        return WH_CUDA_MEMORY;
    }
    return check(e, error, "device memory");
}

template <class T> static int pinned_array(wh_cuda_engine *e, T **array, size_t n)
{
    void *p = NULL;
    cudaError_t error = cudaMallocHost(&p, n * sizeof(T));
    *array = (T *)p;
    return check(e, error, "pinned host memory");
}

static size_t cache_size(const wh_cuda_engine *e, int positions)
{
    const wh_cuda_sizes *s = &e->sizes;
    return (size_t)s->text_layers * 2 * s->text_heads * positions * wh_cuda_padded_head(s->d / s->text_heads);
}

/* Words of a mask; tokens that a choice may name. */
static int words(const wh_cuda_engine *e)
{
    return (e->sizes.n_vocab + 31) / 32;
}

static int list_size(const wh_cuda_engine *e)
{
    return 2 * e->sizes.text_ctx + 64;
}

static int plan_choices(wh_cuda_engine *e)
{
    size_t rows = WH_CUDA_FEW_ROWS, listed = rows * list_size(e);
    TRY(device_array(e, &e->logits, rows * wh_cuda_stride(e->sizes.n_vocab)));
    TRY(pinned_array(e, &e->choices_host, rows));
    TRY(device_array(e, &e->choices, rows));
    TRY(pinned_array(e, &e->chosen_host, rows));
    TRY(device_array(e, &e->chosen, rows));
    TRY(pinned_array(e, &e->listed_host, listed));
    TRY(device_array(e, &e->listed, listed));
    TRY(device_array(e, &e->stats, wh_cuda_choose_stats((int)rows)));
    return device_array(e, &e->best, wh_cuda_choose_ids((int)rows));
}

/* Bytes of a layer of a window's keys and values. */
static size_t window_layer(const wh_cuda_engine *e)
{
    const wh_cuda_sizes *s = &e->sizes;
    return s->int8_windows ? wh_cuda_int8_layer(s->audio_ctx, s->d, s->text_heads)
                           : cache_size(e, s->audio_ctx) / s->text_layers * sizeof(half);
}

static int plan(wh_cuda_engine *e)
{
    const wh_cuda_sizes *s = &e->sizes;
    size_t ctx = s->audio_ctx, d = s->d, rows = WH_CUDA_MOST_ROWS, mel = 2 * ctx * s->n_mels;
    size_t wide = 3 * (size_t)s->audio_heads * wh_cuda_padded_head(s->d / s->audio_heads);
    size_t window = 2 * (size_t)s->text_heads * wh_cuda_padded_head(s->d / s->text_heads); /* of int8, as halfs */
    for (int i = 0; i < BUFFERS; i++) {
        TRY(pinned_array(e, &e->mel_host[i], mel));
        TRY(device_array(e, &e->mel[i], mel));
        TRY(check(e, cudaEventCreateWithFlags(&e->arrived[i], cudaEventDisableTiming), "event"));
        TRY(check(e, cudaEventCreateWithFlags(&e->consumed[i], cudaEventDisableTiming), "event"));
    }
    TRY(device_array(e, &e->mel_half, (2 * ctx + 2) * s->n_mels));
    TRY(device_array(e, &e->conv, 2 * ctx * d));
    TRY(device_array(e, &e->conv_half, (2 * ctx + 1) * d));
    TRY(device_array(e, &e->audio_x, ctx * d));
    TRY(device_array(e, &e->audio_h, ctx * d));
    TRY(device_array(e, &e->audio_wide, ctx * 4 * d));
    TRY(device_array(e, &e->audio_heads, ctx * (wide > window ? wide : window)));
    TRY(pinned_array(e, &e->rows_host, rows));
    TRY(device_array(e, &e->rows, rows));
    TRY(pinned_array(e, &e->which_host, rows));
    TRY(device_array(e, &e->which, rows));
    TRY(device_array(e, &e->x, rows * d));
    TRY(device_array(e, &e->h, rows * d));
    TRY(device_array(e, &e->wide, rows * 4 * d));
    TRY(device_array(e, &e->q, rows * s->text_heads * wh_cuda_padded_head(s->d / s->text_heads)));
    size_t positions = s->audio_ctx > s->text_ctx ? s->audio_ctx : s->text_ctx;
    TRY(device_array(e, &e->partial, wh_cuda_partial_floats((int)rows, s->text_heads, s->d / s->text_heads,
                                                            (int)positions)));
    TRY(plan_choices(e));
    return check(e, cudaMemsetAsync(e->conv_half, 0, d * sizeof(half), e->main), "memset");
}

static int upload_alignment(wh_cuda_engine *e)
{
    const wh_cuda_sizes *s = &e->sizes;
    size_t n = (size_t)s->text_layers * s->text_heads;
    TRY(device_array(e, &e->alignment, n));
    int32_t *numbers = (int32_t *)malloc(n * sizeof *numbers);
    if (!numbers)
        return check(e, cudaErrorMemoryAllocation, "host memory");
    for (size_t i = 0; i < n; i++)
        numbers[i] = -1;
    for (int a = s->n_alignment; a-- > 0;) /* of a head that is named twice, the first; cuda.c copies its scores */
        numbers[s->alignment[2 * a] * s->text_heads + s->alignment[2 * a + 1]] = a;
    cudaError_t error = cudaMemcpyAsync(e->alignment, numbers, n * sizeof *numbers, cudaMemcpyHostToDevice, e->main);
    if (!error)
        error = cudaStreamSynchronize(e->main);
    free(numbers);
    return check(e, error, "copy to the device");
}

static int start(wh_cuda_engine *e)
{
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error || count < 1) {
        snprintf(e->message, sizeof e->message, "no CUDA device: %s", error ? cudaGetErrorString(error) : "none found");
        return WH_CUDA_ABSENT;
    }
    if (e->device < 0 || e->device >= count) {
        snprintf(e->message, sizeof e->message, "there is no CUDA device %d; there %s %d", e->device,
                 count == 1 ? "is" : "are", count);
        return WH_CUDA_ABSENT;
    }
    cudaDeviceProp prop;
    TRY(check(e, cudaSetDevice(e->device), "device"));
    TRY(check(e, cudaGetDeviceProperties(&prop, e->device), "device"));
    e->sm = prop.major * 10 + prop.minor;
    snprintf(e->name, sizeof e->name, "%.140s, sm_%d", prop.name, e->sm);
    if (e->sm < 75) {
        snprintf(e->message, sizeof e->message, "%s is too old: compute capability 7.5 is the least", e->name);
        return WH_CUDA_ABSENT;
    }
    TRY(check(e, cudaStreamCreateWithFlags(&e->main, cudaStreamNonBlocking), "stream"));
    TRY(check(e, cudaStreamCreateWithFlags(&e->copy, cudaStreamNonBlocking), "stream"));
    e->blas = wh_cuda_blas_open(e->main, e->message);
    if (!e->blas)
        return WH_CUDA_ABSENT;
    TRY(plan(e));
    return upload_alignment(e);
}

static void free_mel(Mel *m);

static void engine_close(wh_cuda_engine *e)
{
    if (!e)
        return;
    cudaSetDevice(e->device);
    free_mel(e->mel_maker);
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
    void *const arrays[] = {e->mel_half, e->conv,  e->conv_half, e->audio_x, e->audio_h,   e->audio_wide,
                            e->audio_heads, e->rows, e->which,   e->alignment, e->x,       e->h,
                            e->wide,     e->q,     e->partial,   e->logits,  e->scores,
                            e->choices,  e->chosen, e->listed,   e->best,    e->stats,   e->masks};
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

/* Every call from the host begins here: any host thread may make it. */
static int enter(wh_cuda_engine *e)
{
    if (e->lost)
        return WH_CUDA_FAILED;
    return check(e, cudaSetDevice(e->device), "device");
}

static int engine_load(wh_cuda_engine *e, int layer, wh_cuda_tensor which, const void *data, size_t bytes)
{
    void **to = layer < 0 ? &e->single[which] : &e->layers[layer][which];
    TRY(enter(e));
    char *p;
    TRY(device_array(e, &p, bytes));
    *to = p;
    TRY(check(e, cudaMemcpyAsync(p, data, bytes, cudaMemcpyHostToDevice, e->main), "copy to the device"));
    return check(e, cudaStreamSynchronize(e->main), "copy to the device");
}

static int engine_room(wh_cuda_engine *e, size_t *left, size_t *slot)
{
    size_t total;
    TRY(enter(e));
    *slot = cache_size(e, e->sizes.text_ctx) * sizeof(half) + e->sizes.text_layers * window_layer(e);
    return check(e, cudaMemGetInfo(left, &total), "device memory");
}

static int engine_forbid(wh_cuda_engine *e, int mask, const uint32_t *bits)
{
    TRY(enter(e));
    if (!e->masks)
        TRY(device_array(e, &e->masks, (size_t)MASKS * words(e)));
    TRY(check(e, cudaMemcpyAsync(e->masks + (size_t)mask * words(e), bits, (size_t)words(e) * sizeof *bits,
                                 cudaMemcpyHostToDevice, e->main), "copy to the device"));
    return check(e, cudaStreamSynchronize(e->main), "copy to the device");
}

/* ---- log-Mel ---- */

static void free_mel(Mel *m)
{
    if (!m)
        return;
    cudaFree(m->tables);
    cudaFree(m->filters);
    cudaFree(m->ranges);
    cudaFree(m->samples);
    cudaFree(m->out);
    cudaFreeHost(m->samples_host);
    cudaFreeHost(m->out_host);
    if (m->stream)
        cudaStreamDestroy(m->stream);
    delete m;
}

static const size_t mel_samples = 400 + 160 * (MEL_FRAMES - 1);

static int plan_mel(wh_cuda_engine *e, Mel *m, const float *filters)
{
    int bands = e->sizes.n_mels, bins = 201;
    size_t n_tables = wh_cuda_log_mel_tables(NULL), n_filters = (size_t)bands * bins;
    TRY(check(e, cudaStreamCreateWithFlags(&m->stream, cudaStreamNonBlocking), "stream"));
    TRY(device_array(e, &m->tables, n_tables));
    TRY(device_array(e, &m->filters, n_filters));
    TRY(device_array(e, &m->ranges, 2 * (size_t)bands));
    TRY(device_array(e, &m->samples, mel_samples));
    TRY(device_array(e, &m->out, (size_t)MEL_FRAMES * bands));
    TRY(pinned_array(e, &m->samples_host, mel_samples));
    TRY(pinned_array(e, &m->out_host, (size_t)MEL_FRAMES * bands));
    float *tables = (float *)malloc(n_tables * sizeof *tables);
    int32_t *ranges = (int32_t *)malloc(2 * (size_t)bands * sizeof *ranges);
    cudaError_t error = cudaErrorMemoryAllocation;
    if (tables && ranges) {
        wh_cuda_log_mel_tables(tables);
        for (int b = 0; b < bands; b++) {
            int first = 0, end = bins;
            while (first < end && filters[b * bins + first] == 0)
                first++;
            while (end > first && filters[b * bins + end - 1] == 0)
                end--;
            ranges[2 * b] = first, ranges[2 * b + 1] = end;
        }
        error = cudaMemcpyAsync(m->tables, tables, n_tables * sizeof *tables, cudaMemcpyHostToDevice, m->stream);
        if (!error)
            error = cudaMemcpyAsync(m->ranges, ranges, 2 * (size_t)bands * sizeof *ranges, cudaMemcpyHostToDevice,
                                    m->stream);
        if (!error)
            error = cudaMemcpyAsync(m->filters, filters, n_filters * sizeof *filters, cudaMemcpyHostToDevice, m->stream);
        if (!error)
            error = cudaStreamSynchronize(m->stream);
    }
    free(tables);
    free(ranges);
    return check(e, error, "log-Mel's tables");
}

static int engine_load_filters(wh_cuda_engine *e, const float *filters)
{
    TRY(enter(e));
    Mel *m = new (std::nothrow) Mel();
    int rc = m ? plan_mel(e, m, filters) : check(e, cudaErrorMemoryAllocation, "host memory");
    if (rc)
        free_mel(m);
    else
        e->mel_maker = m;
    return rc;
}

static int engine_log_mel(wh_cuda_engine *e, const float *samples, int frames, float *out)
{
    Mel *m = e->mel_maker;
    if (!m || frames < 1 || frames > MEL_FRAMES)
        return WH_CUDA_FAILED;
    std::lock_guard<std::mutex> hold(m->lock);
    size_t n = 400 + 160 * (size_t)(frames - 1), n_out = (size_t)frames * e->sizes.n_mels;
    wh_cuda_log_mel_call call = {m->samples, m->tables, m->filters, m->ranges, frames, e->sizes.n_mels, m->out};
    if (cudaSetDevice(e->device))
        return WH_CUDA_FAILED;
    memcpy(m->samples_host, samples, n * sizeof *samples);
    if (cudaMemcpyAsync(m->samples, m->samples_host, n * sizeof *samples, cudaMemcpyHostToDevice, m->stream))
        return WH_CUDA_FAILED;
    wh_cuda_log_mel(&call, m->stream);
    if (cudaMemcpyAsync(m->out_host, m->out, n_out * sizeof *out, cudaMemcpyDeviceToHost, m->stream) ||
        cudaStreamSynchronize(m->stream))
        return WH_CUDA_FAILED;
    memcpy(out, m->out_host, n_out * sizeof *out);
    return WH_CUDA_OK;
}

/* ---- products ---- */

static int gemm(wh_cuda_engine *e, const half *x, int ldx, const void *w, void *y, int n, int m, int k, bool floats,
                bool add)
{
    int status = wh_cuda_blas_gemm(e->blas, x, ldx, (const half *)w, y, n, m, k, floats, add);
    if (!status)
        return WH_CUDA_OK;
    snprintf(e->message, sizeof e->message, "cuBLAS: status %d in a product of %d x %d x %d", status, n, m, k);
    e->lost = true;
    return WH_CUDA_FAILED;
}

/* ---- encoder ---- */

static int attention_layer(wh_cuda_engine *e, void *const *w)
{
    const wh_cuda_sizes *s = &e->sizes;
    int n = s->audio_ctx, d = s->d, heads = s->audio_heads;
    size_t part = (size_t)heads * n * wh_cuda_padded_head(d / heads);
    TRY(gemm(e, e->audio_h, d, w[WH_CUDA_QKV_W], e->audio_wide, n, 3 * d, d, false, false));
    wh_cuda_split_heads(e->audio_wide, (const float *)w[WH_CUDA_QKV_B], e->audio_heads, n, 3, d, heads, e->main);
    wh_cuda_attention(e->audio_heads, e->audio_heads + part, e->audio_heads + 2 * part, e->audio_h, n, n, d, heads, e->sm,
                      e->main);
    return gemm(e, e->audio_h, d, w[WH_CUDA_OUT_W], e->audio_x, n, d, d, true, true);
}

static int mlp_layer(wh_cuda_engine *e, void *const *w)
{
    int n = e->sizes.audio_ctx, d = e->sizes.d;
    TRY(gemm(e, e->audio_h, d, w[WH_CUDA_UP_W], e->audio_wide, n, 4 * d, d, false, false));
    wh_cuda_bias_gelu(e->audio_wide, (const float *)w[WH_CUDA_UP_B], n, 4 * d, e->main);
    return gemm(e, e->audio_wide, 4 * d, w[WH_CUDA_DOWN_W], e->audio_x, n, d, 4 * d, true, true);
}

static void audio_norm(wh_cuda_engine *e, const void *bias, const void *gain, const void *shift)
{
    wh_cuda_residual_norm(e->audio_x, (const float *)bias, (const float *)gain, (const float *)shift, NULL, e->audio_h,
                          e->sizes.audio_ctx, e->sizes.d, e->main);
}

static int convolutions(wh_cuda_engine *e, const float *mel)
{
    const wh_cuda_sizes *s = &e->sizes;
    int n = s->audio_ctx, d = s->d, bands = s->n_mels;
    wh_cuda_pad_mel(mel, e->mel_half, 2 * n, bands, e->main);
    for (int tap = 0; tap < 3; tap++)
        TRY(gemm(e, e->mel_half + (size_t)tap * bands, bands,
                 (const half *)e->single[WH_CUDA_CONV1_W] + (size_t)tap * d * bands, e->conv, 2 * n, d, bands, true,
                 tap > 0));
    wh_cuda_conv_gelu(e->conv, (const float *)e->single[WH_CUDA_CONV1_B], e->conv_half + d, 2 * n, d, e->main);
    for (int tap = 0; tap < 3; tap++)
        TRY(gemm(e, e->conv_half + (size_t)tap * d, 2 * d,
                 (const half *)e->single[WH_CUDA_CONV2_W] + (size_t)tap * d * d, e->conv, n, d, d, true, tap > 0));
    wh_cuda_conv_gelu_positions(e->conv, (const float *)e->single[WH_CUDA_CONV2_B],
                                (const float *)e->single[WH_CUDA_AUDIO_POSITIONS], e->audio_x, n, d, e->main);
    return WH_CUDA_OK;
}

/* The bias of a layer's last product is added by the norm that follows; block0 is copied after that. */
static int encode_window(wh_cuda_engine *e, const float *mel, char *window, float *block0, float *out)
{
    const wh_cuda_sizes *s = &e->sizes;
    int n = s->audio_ctx, d = s->d;
    size_t size = (size_t)n * d;
    const void *bias = NULL;
    TRY(convolutions(e, mel));
    for (int i = 0; i < s->audio_layers; i++) {
        void *const *w = e->layers[i];
        audio_norm(e, bias, w[WH_CUDA_ATTN_GAIN], w[WH_CUDA_ATTN_SHIFT]);
        if (i == 1 && block0)
            TRY(check(e, cudaMemcpyAsync(block0, e->audio_x, size * 4, cudaMemcpyDeviceToHost, e->main), "copy"));
        TRY(attention_layer(e, w));
        audio_norm(e, w[WH_CUDA_OUT_B], w[WH_CUDA_MLP_GAIN], w[WH_CUDA_MLP_SHIFT]);
        TRY(mlp_layer(e, w));
        bias = w[WH_CUDA_DOWN_B];
    }
    audio_norm(e, bias, e->single[WH_CUDA_AUDIO_GAIN], e->single[WH_CUDA_AUDIO_SHIFT]);
    if (s->audio_layers == 1 && block0)
        TRY(check(e, cudaMemcpyAsync(block0, e->audio_x, size * 4, cudaMemcpyDeviceToHost, e->main), "copy"));
    if (out) {
        wh_cuda_to_float(e->audio_h, e->conv, size, e->main);
        TRY(check(e, cudaMemcpyAsync(out, e->conv, size * 4, cudaMemcpyDeviceToHost, e->main), "copy"));
    }
    for (int i = 0; i < s->text_layers; i++) {
        void *const *w = e->layers[s->audio_layers + i];
        char *to = window + i * window_layer(e);
        const float *kv_bias = (const float *)w[WH_CUDA_CROSS_KV_B];
        TRY(gemm(e, e->audio_h, d, w[WH_CUDA_CROSS_KV_W], e->audio_wide, n, 2 * d, d, false, false));
        if (s->int8_windows)
            wh_cuda_quantize_heads(e->audio_wide, kv_bias, (int8_t *)to, n, d, s->text_heads, e->main);
        else
            wh_cuda_split_heads(e->audio_wide, kv_bias, (half *)to, n, 2, d, s->text_heads, e->main);
    }
    return WH_CUDA_OK;
}

static int engine_encode(wh_cuda_engine *e, int n, const float *const *mel, const int *windows, float *block0,
                         float *out)
{
    TRY(enter(e));
    size_t floats = 2 * (size_t)e->sizes.audio_ctx * e->sizes.n_mels;
    for (int i = 0; i < n; i++)
        if (!e->windows[windows[i]])
            TRY(device_array(e, &e->windows[windows[i]], e->sizes.text_layers * window_layer(e)));
    for (int i = 0; i < n; i++) {
        int b = (int)(e->turn++ % BUFFERS);
        TRY(check(e, cudaEventSynchronize(e->arrived[b]), "copy to the device")); /* mel_host[b] is free again */
        memcpy(e->mel_host[b], mel[i], floats * sizeof(float));
        TRY(check(e, cudaStreamWaitEvent(e->copy, e->consumed[b], 0), "event"));
        TRY(check(e, cudaMemcpyAsync(e->mel[b], e->mel_host[b], floats * sizeof(float), cudaMemcpyHostToDevice,
                                     e->copy), "copy to the device"));
        TRY(check(e, cudaEventRecord(e->arrived[b], e->copy), "event"));
        WH_UNLESS_MUTANT(3, TRY(check(e, cudaStreamWaitEvent(e->main, e->arrived[b], 0), "event")));
        TRY(encode_window(e, e->mel[b], e->windows[windows[i]], i == n - 1 ? block0 : NULL, i == n - 1 ? out : NULL));
        TRY(check(e, cudaEventRecord(e->consumed[b], e->main), "event"));
    }
    TRY(check(e, cudaGetLastError(), "encoder"));
    return check(e, cudaStreamSynchronize(e->main), "encoder");
}

/* ---- decoder ---- */

static int slot_memory(wh_cuda_engine *e, int slot)
{
    return e->self[slot] ? WH_CUDA_OK : device_array(e, &e->self[slot], cache_size(e, e->sizes.text_ctx));
}

typedef struct pass {
    int n, most;        /* rows; positions of the one that is furthest */
    bool scores;        /* somebody wants alignment scores */
    bool together;      /* several tokens of one slot: a prompt */
    const float *bias;  /* of the product before, if the next norm is to add it */
} pass;

/* x += h w^T + bias, or the bias is left to the next norm. */
static int add_product(wh_cuda_engine *e, pass *p, const half *h, const void *w, const void *bias, int k)
{
    int d = e->sizes.d;
    p->bias = NULL;
    if (p->n <= WH_CUDA_FEW_ROWS) {
        wh_cuda_few_rows(h, (const half *)w, (const float *)bias, e->x, p->n, d, k, WH_CUDA_ADD, e->sm, e->main);
        return WH_CUDA_OK;
    }
    p->bias = (const float *)bias;
    return gemm(e, h, k, w, e->x, p->n, d, k, true, true);
}

static int half_product(wh_cuda_engine *e, const pass *p, const void *w, int m)
{
    int d = e->sizes.d;
    if (p->n > WH_CUDA_FEW_ROWS)
        return gemm(e, e->h, d, w, e->wide, p->n, m, d, false, false);
    wh_cuda_few_rows(e->h, (const half *)w, NULL, e->wide, p->n, m, d, WH_CUDA_HALF, e->sm, e->main);
    return WH_CUDA_OK;
}

static int up_product(wh_cuda_engine *e, const pass *p, const void *w, const void *bias)
{
    int d = e->sizes.d;
    if (p->n > WH_CUDA_FEW_ROWS) {
        TRY(gemm(e, e->h, d, w, e->wide, p->n, 4 * d, d, false, false));
        wh_cuda_bias_gelu(e->wide, (const float *)bias, p->n, 4 * d, e->main);
        return WH_CUDA_OK;
    }
    wh_cuda_few_rows(e->h, (const half *)w, (const float *)bias, e->wide, p->n, 4 * d, d, WH_CUDA_GELU, e->sm, e->main);
    return WH_CUDA_OK;
}

static void text_norm(wh_cuda_engine *e, const pass *p, const void *gain, const void *shift)
{
    wh_cuda_residual_norm(e->x, p->bias, (const float *)gain, (const float *)shift, NULL, e->h, p->n, e->sizes.d,
                          e->main);
}

static void attend(wh_cuda_engine *e, const pass *p, int layer, bool cross)
{
    const wh_cuda_sizes *s = &e->sizes;
    wh_cuda_decode_attention_call call = {};
    if (cross && p->together && !p->scores) { /* all rows have the same keys: they are read once */
        size_t size = (size_t)s->text_heads * s->audio_ctx * wh_cuda_padded_head(s->d / s->text_heads);
        const half *k = (const half *)((const char *)e->rows_host[0].cross + layer * window_layer(e));
        if (s->int8_windows) { /* the encoder's buffer is free meanwhile */
            wh_cuda_dequantize_heads((const int8_t *)k, e->audio_heads, s->audio_ctx, s->d, s->text_heads, e->main);
            k = e->audio_heads;
        }
        wh_cuda_attention(e->q, k, k + size, e->h, p->n, s->audio_ctx, s->d, s->text_heads, e->sm, e->main);
        return;
    }
    call.rows = e->rows, call.q = e->q, call.out = e->h, call.partial = e->partial;
    call.n = p->n, call.d = s->d, call.heads = s->text_heads, call.layer = layer;
    call.positions = cross ? s->audio_ctx : s->text_ctx, call.cross = cross;
    call.most = cross ? s->audio_ctx : p->most;
    call.int8 = cross && s->int8_windows;
    if (cross && p->scores) {
        call.scores = e->scores, call.n_alignment = s->n_alignment;
        call.alignment = e->alignment + (size_t)layer * s->text_heads;
    }
    wh_cuda_decode_attention(&call, e->main);
}

static int decoder_layer(wh_cuda_engine *e, pass *p, int layer)
{
    const wh_cuda_sizes *s = &e->sizes;
    void *const *w = e->layers[s->audio_layers + layer];
    int d = s->d;
    text_norm(e, p, w[WH_CUDA_ATTN_GAIN], w[WH_CUDA_ATTN_SHIFT]);
    TRY(half_product(e, p, w[WH_CUDA_QKV_W], 3 * d));
    wh_cuda_append_heads(e->wide, (const float *)w[WH_CUDA_QKV_B], e->rows, e->q, p->n, d, s->text_heads, layer,
                         s->text_ctx, e->main);
    attend(e, p, layer, false);
    TRY(add_product(e, p, e->h, w[WH_CUDA_OUT_W], w[WH_CUDA_OUT_B], d));

    text_norm(e, p, w[WH_CUDA_CROSS_GAIN], w[WH_CUDA_CROSS_SHIFT]);
    TRY(half_product(e, p, w[WH_CUDA_CROSS_Q_W], d));
    wh_cuda_split_heads(e->wide, (const float *)w[WH_CUDA_CROSS_Q_B], e->q, p->n, 1, d, s->text_heads, e->main);
    attend(e, p, layer, true);
    TRY(add_product(e, p, e->h, w[WH_CUDA_CROSS_OUT_W], w[WH_CUDA_CROSS_OUT_B], d));

    text_norm(e, p, w[WH_CUDA_MLP_GAIN], w[WH_CUDA_MLP_SHIFT]);
    TRY(up_product(e, p, w[WH_CUDA_UP_W], w[WH_CUDA_UP_B]));
    return add_product(e, p, e->wide, w[WH_CUDA_DOWN_W], w[WH_CUDA_DOWN_B], 4 * d);
}

/* Row i's choice for the device; its tokens are listed behind the `*listed` that are there already. */
static int put_choice(wh_cuda_engine *e, int i, const wh_cuda_token *t, int *listed)
{
    e->choices_host[i] = *t->choice;
    e->choices_host[i].first = *listed;
    if (t->choice->n_penalized + t->choice->n_also > list_size(e)) {
        snprintf(e->message, sizeof e->message, "a choice names more than %d tokens", list_size(e));
        e->lost = true;
        return WH_CUDA_FAILED;
    }
    for (int j = 0; j < t->choice->n_penalized; j++)
        e->listed_host[(*listed)++] = t->penalized[j];
    for (int j = 0; j < t->choice->n_also; j++)
        e->listed_host[(*listed)++] = t->also[j];
    return WH_CUDA_OK;
}

static int copy_listed(wh_cuda_engine *e, int listed)
{
    if (!listed)
        return WH_CUDA_OK;
    return check(e, cudaMemcpyAsync(e->listed, e->listed_host, (size_t)listed * sizeof *e->listed, cudaMemcpyHostToDevice,
                                    e->main), "copy to the device");
}

/* What follows the n first rows of logits by choices_host, to chosen_host. */
static int queue_choices(wh_cuda_engine *e, int n, bool has_lists)
{
    wh_cuda_choose_call call = {};
    TRY(check(e, cudaMemcpyAsync(e->choices, e->choices_host, (size_t)n * sizeof *e->choices, cudaMemcpyHostToDevice,
                                 e->main), "copy to the device"));
    call.logits = e->logits, call.n = n, call.n_vocab = e->sizes.n_vocab, call.stride = wh_cuda_stride(e->sizes.n_vocab);
    call.words = words(e), call.has_lists = has_lists;
    call.choices = e->choices, call.masks = e->masks, call.listed = e->listed;
    call.stats = e->stats, call.ids = e->best, call.chosen = e->chosen;
    wh_cuda_choose(&call, e->main);
    return check(e, cudaMemcpyAsync(e->chosen_host, e->chosen, (size_t)n * sizeof *e->chosen, cudaMemcpyDeviceToHost,
                                    e->main), "copy from the device");
}

static int choose(wh_cuda_engine *e, int n, const wh_cuda_token *tokens)
{
    int listed = 0;
    for (int i = 0; i < n; i++)
        TRY(put_choice(e, i, &tokens[e->which_host[i]], &listed));
    TRY(copy_listed(e, listed));
    return queue_choices(e, n, listed > 0);
}

static const half *output_matrix(const wh_cuda_engine *e)
{
    return (const half *)(e->single[WH_CUDA_OUTPUT_W] ? e->single[WH_CUDA_OUTPUT_W] : e->single[WH_CUDA_EMBEDDING_W]);
}

/* The rows that are asked for, FEW_ROWS at a time: as they are, or what follows them. *chosen: how many of the
 * latter. */
static int write_logits(wh_cuda_engine *e, pass *p, const wh_cuda_token *tokens, int *chosen)
{
    const wh_cuda_sizes *s = &e->sizes;
    int wanted = 0, stride = wh_cuda_stride(s->n_vocab);
    *chosen = 0;
    for (int i = 0; i < p->n; i++)
        if (tokens[i].choice)
            e->which_host[wanted++] = i;
    *chosen = wanted;
    for (int i = 0; i < p->n; i++)
        if (tokens[i].logits)
            e->which_host[wanted++] = i;
    if (!wanted)
        return WH_CUDA_OK;
    if (p->bias) /* a last bias waits, and `which` skips rows: add it to all of them */
        text_norm(e, p, e->single[WH_CUDA_TEXT_GAIN], e->single[WH_CUDA_TEXT_SHIFT]);
    TRY(check(e, cudaMemcpyAsync(e->which, e->which_host, (size_t)wanted * sizeof *e->which, cudaMemcpyHostToDevice,
                                 e->main), "copy to the device"));
    for (int first = 0; first < wanted; first += WH_CUDA_FEW_ROWS) {
        int n = wanted - first < WH_CUDA_FEW_ROWS ? wanted - first : WH_CUDA_FEW_ROWS;
        wh_cuda_residual_norm(e->x, NULL, (const float *)e->single[WH_CUDA_TEXT_GAIN],
                              (const float *)e->single[WH_CUDA_TEXT_SHIFT], e->which + first, e->h, n, s->d, e->main);
        wh_cuda_few_rows(e->h, output_matrix(e), NULL, e->logits, n, s->n_vocab, s->d,
                         WH_CUDA_FLOAT, e->sm, e->main);
        if (first == 0 && *chosen)
            TRY(choose(e, *chosen, tokens));
        for (int i = first ? 0 : *chosen; i < n; i++)
            TRY(check(e, cudaMemcpyAsync(tokens[e->which_host[first + i]].logits, e->logits + (size_t)i * stride,
                                         (size_t)s->n_vocab * sizeof(float), cudaMemcpyDeviceToHost, e->main),
                      "copy from the device"));
    }
    return WH_CUDA_OK;
}

static int read_scores(wh_cuda_engine *e, const pass *p, const wh_cuda_token *tokens)
{
    size_t ctx = (size_t)e->sizes.audio_ctx, heads = (size_t)e->sizes.n_alignment, bytes = ctx * sizeof(float);
    for (int i = 0; p->scores && heads && i < p->n; i++)
        if (tokens[i].cross_scores)
            TRY(check(e, cudaMemcpy2DAsync(tokens[i].cross_scores, tokens[i].cross_stride * sizeof(float),
                                           e->scores + (size_t)i * heads * ctx, bytes, bytes, heads,
                                           cudaMemcpyDeviceToHost, e->main), "copy from the device"));
    return WH_CUDA_OK;
}

/* The part of a pass that its rows alone determine. */
static int queue_layers(wh_cuda_engine *e, pass *p)
{
    const wh_cuda_sizes *s = &e->sizes;
    TRY(check(e, cudaMemcpyAsync(e->rows, e->rows_host, (size_t)p->n * sizeof *e->rows, cudaMemcpyHostToDevice, e->main),
              "copy to the device"));
    wh_cuda_embed(e->rows, (const half *)e->single[WH_CUDA_EMBEDDING_W],
                  (const float *)e->single[WH_CUDA_TEXT_POSITIONS], e->x, p->n, s->d, e->main);
    for (int layer = 0; layer < s->text_layers; layer++)
        TRY(decoder_layer(e, p, layer));
    return WH_CUDA_OK;
}

/* ---- a decoding step as a graph ----
 *
 * Most passes are a token of each of some sequences and what follows it. Launching their kernels one by one would
 * cost more than running them, so the queue of such a step is captured once for each class of rows and launched as a
 * whole. All that changes from step to step lies in memory that the graph copies from the host when it runs:
 * rows_host and choices_host; nothing of a step may be an argument of its kernels. Rows that fill up a class have
 * position -1. */

static int queue_step(wh_cuda_engine *e, int n)
{
    const wh_cuda_sizes *s = &e->sizes;
    /* splits for the longest sequence that there may be, not for those that are there */
    pass p = {n, WH_MUTATE(16, s->text_ctx, e->rows_host[0].position + 1), false, false, NULL};
    TRY(queue_layers(e, &p));
    wh_cuda_residual_norm(e->x, NULL, (const float *)e->single[WH_CUDA_TEXT_GAIN],
                          (const float *)e->single[WH_CUDA_TEXT_SHIFT], NULL, e->h, n, s->d, e->main);
    wh_cuda_few_rows(e->h, output_matrix(e), NULL, e->logits, n, s->n_vocab, s->d,
                     WH_CUDA_FLOAT, e->sm, e->main);
    return queue_choices(e, n, true);
}

/* The graph of a class; it stays NULL where graphs cannot be had. */
static int make_step(wh_cuda_engine *e, int rows, cudaGraphExec_t *exec)
{
    cudaGraph_t graph = NULL;
    if (e->no_graphs || cudaStreamBeginCapture(e->main, cudaStreamCaptureModeThreadLocal)) {
        e->no_graphs = true;
        return WH_CUDA_OK;
    }
    int rc = queue_step(e, rows);
    cudaError_t error = cudaStreamEndCapture(e->main, &graph);
    if (!rc && !error)
        error = cudaGraphInstantiate(exec, graph, 0);
    if (graph)
        cudaGraphDestroy(graph);
    if (error) {
        cudaGetLastError();
        *exec = NULL;
        e->no_graphs = true;
    }
    return rc;
}

/* Whether a pass is such a step: single tokens that all want their choice and nothing else. */
static bool is_step(const wh_cuda_engine *e, int n, const wh_cuda_token *tokens)
{
    for (int i = 0; i < n; i++)
        if (!tokens[i].choice || tokens[i].cross_scores || (i && tokens[i].slot == tokens[0].slot))
            return false;
    return n <= WH_CUDA_FEW_ROWS && e->masks;
}

static int run_step(wh_cuda_engine *e, int n, const wh_cuda_token *tokens)
{
    int k = 0, listed = 0;
    while (1 << k < n)
        k++;
    for (int i = n; i < 1 << k; i++) {
        e->rows_host[i] = wh_cuda_row{0, -1, NULL, NULL, -1, 0};
        e->choices_host[i] = wh_cuda_choice();
    }
    for (int i = 0; i < n; i++)
        TRY(put_choice(e, i, &tokens[i], &listed));
    TRY(copy_listed(e, listed));
    if (!e->steps[k])
        TRY(make_step(e, 1 << k, &e->steps[k]));
    if (e->steps[k])
        TRY(check(e, cudaGraphLaunch(e->steps[k], e->main), "decoder"));
    else
        TRY(queue_step(e, 1 << k));
    TRY(check(e, cudaGetLastError(), "decoder"));
    TRY(check(e, cudaStreamSynchronize(e->main), "decoder"));
    for (int i = 0; i < n; i++)
        *tokens[i].chosen = e->chosen_host[i];
    return WH_CUDA_OK;
}

static int engine_decode(wh_cuda_engine *e, int n, const wh_cuda_token *tokens)
{
    TRY(enter(e));
    const wh_cuda_sizes *s = &e->sizes;
    pass p = {n, 0, false, n > 1, NULL};
    int chosen = 0;
    for (int i = 0; i < n; i++) {
        const wh_cuda_token *t = &tokens[i];
        TRY(slot_memory(e, t->slot));
        e->rows_host[i] = wh_cuda_row{t->token, t->position, e->self[t->slot], e->windows[t->window],
                                      t->cross_scores ? i : -1, 0};
        p.scores = p.scores || t->cross_scores;
        p.together = p.together && t->slot == tokens[0].slot;
        p.most = t->position + 1 > p.most ? t->position + 1 : p.most;
    }
    if (is_step(e, n, tokens))
        return run_step(e, n, tokens);
    if (p.scores && !e->scores && s->n_alignment)
        TRY(device_array(e, &e->scores, (size_t)WH_CUDA_MOST_ROWS * s->n_alignment * s->audio_ctx));
    TRY(queue_layers(e, &p));
    TRY(write_logits(e, &p, tokens, &chosen));
    TRY(read_scores(e, &p, tokens));
    TRY(check(e, cudaGetLastError(), "decoder"));
    TRY(check(e, cudaStreamSynchronize(e->main), "decoder"));
    for (int i = 0; i < chosen; i++)
        *tokens[e->which_host[i]].chosen = e->chosen_host[i];
    return WH_CUDA_OK;
}

static int engine_copy(wh_cuda_engine *e, int to, int from, int first, int n)
{
    TRY(enter(e));
    TRY(slot_memory(e, to));
    TRY(slot_memory(e, from));
    const wh_cuda_sizes *s = &e->sizes;
    size_t position = wh_cuda_padded_head(s->d / s->text_heads), pitch = position * s->text_ctx * sizeof(half);
    return check(e, cudaMemcpy2DAsync(e->self[to] + first * position, pitch, e->self[from] + first * position, pitch,
                                      n * position * sizeof(half), (size_t)s->text_layers * 2 * s->text_heads,
                                      cudaMemcpyDeviceToDevice, e->main), "copy on the device");
}

extern "C" __attribute__((visibility("default"))) const wh_cuda_api *wh_cuda_entry(void)
{
    static const wh_cuda_api api = {
        WH_CUDA_ABI,   WH_CUDA_MOST_ROWS, WH_CUDA_FEW_ROWS,   MASKS,         MEL_FRAMES,
        engine_open,   engine_close,      engine_describe,    engine_error,  engine_load,
        engine_room,   wh_cuda_can_choose, engine_forbid,     engine_load_filters, engine_log_mel,
        engine_encode, engine_decode,     engine_copy,
    };
    return &api;
}
