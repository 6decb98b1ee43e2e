/* cuda.c - the CUDA backend's host side: finds the CUDA library, brings a model's weights to the device, keeps account
 * of slots. What runs on the device is kernels/cuda, behind engine.h.
 *
 * The library is a file of its own, libwhisp-cuda.so (make CUDA=1), opened when a backend is made: one build of whisp
 * runs with and without it, and with and without a driver. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/engine.h"
#include "backend/slots.h"
#include "tokenizer/tokenizer.h"

#define LIBRARY "libwhisp-cuda.so"
#define MAX_HEAD 64    /* channels of a head */
#define MAX_STATE 1280 /* a row that the norm kernel holds in registers */

/* What a wh_backend * of this implementation points to. */
typedef struct cuda_backend {
    wh_slots ledger;        /* first: see slots.h */
    const whisp_model *model;
    wh_backend_config config;
    const wh_cuda_api *api;
    wh_cuda_engine *engine;
    char description[256];
    uint32_t **masks;       /* [n_masks] of what may never follow, each [(n_vocab + 31) / 32] */
    int n_masks;
} cuda_backend;

static cuda_backend *inside(wh_backend *backend)
{
    return (cuda_backend *)(void *)backend;
}

static int failed(const cuda_backend *b, int rc)
{
    return rc == WH_CUDA_OK       ? WHISP_OK
           : rc == WH_CUDA_MEMORY ? wh_fail(WHISP_ERR_MEMORY, "backend cuda: %s", b->api->error(b->engine))
                                  : wh_fail(WHISP_ERR_BACKEND, "backend cuda: %s", b->api->error(b->engine));
}

/* ---- the library ---- */

/* The folder of the file that this code is in (libwhisp.so, or the program), with its last slash. */
static void own_folder(char *folder, size_t size)
{
    Dl_info info;
    static const int here = 0;
    folder[0] = '\0';
    if (!dladdr(&here, &info) || !info.dli_fname)
        return;
    const char *slash = strrchr(info.dli_fname, '/');
    if (slash && (size_t)(slash - info.dli_fname) + 2 <= size)
        snprintf(folder, size, "%.*s", (int)(slash - info.dli_fname) + 1, info.dli_fname);
}

/* WHISP_CUDA_LIBRARY, else beside us, in ../lib/ from there, or where the loader looks. */
static void *open_library(char *problem, size_t size)
{
    char folder[3072], path[4096];
    const char *named = getenv("WHISP_CUDA_LIBRARY");
    void *library = NULL;
    if (named && *named) {
        library = dlopen(named, RTLD_NOW | RTLD_LOCAL);
    } else {
        static const char *const places[] = {"", "../lib/"};
        own_folder(folder, sizeof folder);
        for (size_t i = 0; i < WH_COUNT(places) && !library && folder[0]; i++) {
            snprintf(path, sizeof path, "%s%s%s", folder, places[i], LIBRARY);
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        }
        if (!library)
            library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    }
    if (!library) {
        const char *reason = dlerror();
        snprintf(problem, size, "its library cannot be opened (%s); `make CUDA=1` builds it", reason ? reason : LIBRARY);
    }
    return library;
}

static const wh_cuda_api *find_api(void *library, char *problem, size_t size)
{
    const wh_cuda_api *(*entry)(void) = NULL;
    void *symbol = dlsym(library, "wh_cuda_entry");
    memcpy(&entry, &symbol, sizeof entry);
    const wh_cuda_api *api = entry ? entry() : NULL;
    if (api && api->abi == WH_CUDA_ABI && api->row_bytes == sizeof(wh_row) && api->choice_bytes == sizeof(wh_choice))
        return api;
    snprintf(problem, size, "its library is of another version");
    return NULL;
}

/* ---- weights ---- */

static int load(const cuda_backend *b, int layer, wh_cuda_tensor which, const void *data, size_t bytes)
{
    return failed(b, b->api->load(b->engine, layer, which, data, bytes));
}

static int load_floats(const cuda_backend *b, int layer, wh_cuda_tensor which, const float *data, size_t n)
{
    return load(b, layer, which, data, n * sizeof *data);
}

/* n matrices one below the other, each [rows][columns] of any stored type, as one of halfs. */
static int load_matrix(const cuda_backend *b, int layer, wh_cuda_tensor which, const wh_tensor *const *parts, int n)
{
    size_t columns = (size_t)parts[0]->shape[1], rows = 0, at = 0;
    for (int i = 0; i < n; i++)
        rows += (size_t)parts[i]->shape[0];
    float *row = wh_calloc(columns, sizeof *row);
    uint16_t *halfs = wh_calloc(rows * columns, sizeof *halfs);
    int rc = row && halfs ? WHISP_OK : wh_fail_memory();
    for (int i = 0; !rc && i < n; i++) {
        size_t stored = wh_type_row_size(parts[i]->type, parts[i]->shape[1]);
        for (int64_t j = 0; j < parts[i]->shape[0]; j++) {
            wh_decode_row(parts[i]->type, (const char *)parts[i]->data + (size_t)j * stored, row, (int64_t)columns);
            for (size_t c = 0; c < columns; c++)
                halfs[at++] = wh_f32_to_f16(row[c]);
        }
    }
    if (!rc)
        rc = load(b, layer, which, halfs, rows * columns * sizeof *halfs);
    free(row);
    free(halfs);
    return rc;
}

/* A convolution's [d][in][3] as a matrix for each tap, [3][d][in]. */
static int load_taps(const cuda_backend *b, wh_cuda_tensor which, const wh_tensor *w)
{
    size_t d = (size_t)w->shape[0], in = (size_t)w->shape[1], stored = wh_type_row_size(w->type, 3 * w->shape[1]);
    if (!stored)
        return wh_fail(WHISP_ERR_MODEL, "tensor %s: a convolution's weights cannot be stored as %s", w->name,
                       wh_type_name(w->type));
    float *row = wh_calloc(3 * in, sizeof *row);
    uint16_t *halfs = wh_calloc(3 * d * in, sizeof *halfs);
    int rc = row && halfs ? WHISP_OK : wh_fail_memory();
    for (size_t j = 0; !rc && j < d; j++) {
        wh_decode_row(w->type, (const char *)w->data + j * stored, row, (int64_t)(3 * in));
        for (size_t i = 0; i < 3 * in; i++)
            halfs[(i % 3 * d + j) * in + i / 3] = wh_f32_to_f16(row[i]);
    }
    if (!rc)
        rc = load(b, -1, which, halfs, 3 * d * in * sizeof *halfs);
    free(row);
    free(halfs);
    return rc;
}

static int load_linear(const cuda_backend *b, int layer, wh_cuda_tensor weights, wh_linear linear)
{
    int rc = load_matrix(b, layer, weights, &linear.w, 1); /* the bias follows its matrix in the list of tensors */
    return rc ? rc : load_floats(b, layer, weights + 1, linear.b, (size_t)linear.w->shape[0]);
}

static int load_norm(const cuda_backend *b, int layer, wh_cuda_tensor gain, wh_norm norm)
{
    size_t d = (size_t)b->model->n_text_state;
    int rc = load_floats(b, layer, gain, norm.gain, d);
    return rc ? rc : load_floats(b, layer, gain + 1, norm.bias, d);
}

/* q, k, v, or k, v alone, as one product; absent biases are zeros. */
static int load_fused(const cuda_backend *b, int layer, wh_cuda_tensor weights, const wh_linear *linears, int n)
{
    size_t d = (size_t)b->model->n_text_state;
    const wh_tensor *parts[3];
    float *bias = wh_calloc((size_t)n * d, sizeof *bias);
    if (!bias)
        return wh_fail_memory();
    for (int i = 0; i < n; i++) {
        parts[i] = linears[i].w;
        if (linears[i].b)
            memcpy(bias + (size_t)i * d, linears[i].b, d * sizeof *bias);
    }
    int rc = load_matrix(b, layer, weights, parts, n);
    if (!rc)
        rc = load_floats(b, layer, weights + 1, bias, (size_t)n * d);
    free(bias);
    return rc;
}

static int load_block(const cuda_backend *b, int layer, const wh_block *block, int decoder)
{
    const wh_linear qkv[] = {block->attn.q, block->attn.k, block->attn.v};
    int rc;
    if ((rc = load_norm(b, layer, WH_CUDA_ATTN_GAIN, block->attn_ln)) ||
        (rc = load_fused(b, layer, WH_CUDA_QKV_W, qkv, 3)) ||
        (rc = load_linear(b, layer, WH_CUDA_OUT_W, block->attn.out)))
        return rc;
    if (decoder) {
        const wh_linear kv[] = {block->cross.k, block->cross.v};
        if ((rc = load_norm(b, layer, WH_CUDA_CROSS_GAIN, block->cross_ln)) ||
            (rc = load_linear(b, layer, WH_CUDA_CROSS_Q_W, block->cross.q)) ||
            (rc = load_fused(b, layer, WH_CUDA_CROSS_KV_W, kv, 2)) ||
            (rc = load_linear(b, layer, WH_CUDA_CROSS_OUT_W, block->cross.out)))
            return rc;
    }
    if ((rc = load_norm(b, layer, WH_CUDA_MLP_GAIN, block->mlp_ln)) ||
        (rc = load_linear(b, layer, WH_CUDA_UP_W, block->mlp_up)))
        return rc;
    return load_linear(b, layer, WH_CUDA_DOWN_W, block->mlp_down);
}

static int load_model(const cuda_backend *b)
{
    const whisp_model *m = b->model;
    size_t d = (size_t)m->n_text_state;
    int rc;
    if ((rc = load_taps(b, WH_CUDA_CONV1_W, m->conv1_w)) || (rc = load_floats(b, -1, WH_CUDA_CONV1_B, m->conv1_b, d)) ||
        (rc = load_taps(b, WH_CUDA_CONV2_W, m->conv2_w)) || (rc = load_floats(b, -1, WH_CUDA_CONV2_B, m->conv2_b, d)) ||
        (rc = load_floats(b, -1, WH_CUDA_AUDIO_POSITIONS, m->audio_positions, (size_t)m->n_audio_ctx * d)) ||
        (rc = load_norm(b, -1, WH_CUDA_AUDIO_GAIN, m->audio_ln)) ||
        (rc = load_matrix(b, -1, WH_CUDA_EMBEDDING_W, &m->token_embedding, 1)) ||
        (rc = load_floats(b, -1, WH_CUDA_TEXT_POSITIONS, m->text_positions, (size_t)m->n_text_ctx * d)) ||
        (rc = load_norm(b, -1, WH_CUDA_TEXT_GAIN, m->text_ln)) ||
        (m->mel_filters && (rc = failed(b, b->api->load_filters(b->engine, m->mel_filters)))))
        return rc;
    for (int i = 0; !rc && i < m->n_audio_layer; i++)
        rc = load_block(b, i, &m->audio_blocks[i], 0);
    for (int i = 0; !rc && i < m->n_text_layer; i++)
        rc = load_block(b, m->n_audio_layer + i, &m->text_blocks[i], 1);
    return rc;
}

/* ---- creation ---- */

static void cuda_free(wh_backend *backend)
{
    cuda_backend *b = inside(backend);
    if (b->engine)
        b->api->close(b->engine);
    /* The library stays open: CUDA's runtime does not bear being unloaded. */
    wh_slots_free(&b->ledger);
    for (int i = 0; i < b->n_masks; i++)
        free(b->masks[i]);
    free(b->masks);
    free(b);
}

static int check_model(const whisp_model *m)
{
    const char *name = m->name ? m->name : "without a name";
    int d = m->n_text_state;
    if (d > MAX_STATE || d / m->n_audio_head > MAX_HEAD || d / m->n_text_head > MAX_HEAD ||
        d / m->n_audio_head % 8 || d / m->n_text_head % 8)
        return wh_fail(WHISP_ERR_BACKEND, "backend cuda: model %s has %d channels in heads of %d and %d; there can be at "
                       "most %d in heads of at most %d, multiples of 8", name, d, d / m->n_audio_head,
                       d / m->n_text_head, MAX_STATE, MAX_HEAD);
    return WHISP_OK;
}

static int open_engine(cuda_backend *b)
{
    const whisp_model *m = b->model;
    char message[WH_CUDA_MESSAGE];
    int32_t *heads = wh_calloc(2 * (size_t)m->n_alignment_heads, sizeof *heads);
    if (!heads)
        return wh_fail_memory();
    for (int i = 0; i < m->n_alignment_heads; i++)
        heads[2 * i] = m->alignment_heads[i].layer, heads[2 * i + 1] = m->alignment_heads[i].head;
    const wh_cuda_sizes sizes = {
        .n_vocab = m->n_vocab, .n_mels = m->n_mels, .d = m->n_text_state, .n_slots = b->ledger.n,
        .audio_ctx = m->n_audio_ctx, .audio_heads = m->n_audio_head, .audio_layers = m->n_audio_layer,
        .text_ctx = m->n_text_ctx, .text_heads = m->n_text_head, .text_layers = m->n_text_layer,
        .int8_windows = b->config.compute == WH_COMPUTE_INT8,
        .n_alignment = m->n_alignment_heads, .alignment = heads};
    int rc = b->api->open(&sizes, b->config.device, &b->engine, message);
    free(heads);
    if (rc == WH_CUDA_OK) {
        snprintf(b->description, sizeof b->description, "cuda: %s%s", b->api->describe(b->engine),
                 sizes.int8_windows ? ", int8 keys and values" : "");
        return WHISP_OK;
    }
    return wh_fail(rc == WH_CUDA_MEMORY ? WHISP_ERR_MEMORY : WHISP_ERR_BACKEND, "backend cuda: %s", message);
}

/* Room for n_slots, or as many as the device's memory holds: their memory is taken when they are first used. */
static int fit_slots(cuda_backend *b)
{
    size_t left, each, own = 64u << 20; /* the last for what cuBLAS and the driver take */
    int rc = failed(b, b->api->room(b->engine, &left, &each));
    if (rc)
        return rc;
    size_t fit = left > own ? (left - own) / each : 0, least = (size_t)WH_MAX(b->config.least_slots, 1);
    if (fit >= (size_t)b->ledger.n)
        return WHISP_OK;
    if (fit < least)
        return wh_fail(WHISP_ERR_MEMORY, "backend cuda: device memory: beside the model %s has room for %zu sequences of "
                       "%.1f MiB; %zu are needed", b->api->describe(b->engine), fit, (double)each / 1048576, least);
    b->ledger.n = (int)fit;
    size_t n = strlen(b->description);
    snprintf(b->description + n, sizeof b->description - n, ", room for %zu sequences", fit);
    return WHISP_OK;
}

static const wh_backend_ops ops;
static const wh_computer computer;

int wh_cuda_backend_new(const whisp_model *model, const wh_backend_config *config, wh_backend **backend)
{
    char problem[512];
    *backend = NULL;
    if (config->compute != WH_COMPUTE_AUTO && config->compute != WH_COMPUTE_INT8)
        return wh_fail(WHISP_ERR_BACKEND, "backend cuda: it computes in float16 with float32 sums (compute_type auto; int8: "
                       "windows' keys and values in 8 bits); f32 and bf16 need the backend cpu");
    int rc = check_model(model);
    if (rc)
        return rc;
    void *library = open_library(problem, sizeof problem);
    const wh_cuda_api *api = library ? find_api(library, problem, sizeof problem) : NULL;
    if (!api)
        return wh_fail(WHISP_ERR_BACKEND, "backend cuda: %s", problem);
    cuda_backend *b = wh_calloc(1, sizeof *b);
    if (!b)
        return wh_fail_memory();
    b->ledger = (wh_slots){.ops = &ops, .computer = &computer, .model = model, .n = config->n_slots,
                           .most_windows = config->tap ? 1 : WH_MOST_WINDOWS, /* so that all are seen */
                           .few_rows = api->few_rows, .most_rows = api->most_rows};
    b->model = model;
    b->config = *config;
    b->api = api;
    b->masks = wh_calloc((size_t)api->most_masks, sizeof *b->masks);
    rc = wh_slots_init(&b->ledger);
    if (!rc)
        rc = b->masks ? open_engine(b) : wh_fail_memory();
    if (!rc)
        rc = load_model(b);
    if (!rc)
        rc = fit_slots(b);
    if (rc) {
        cuda_free((wh_backend *)(void *)b);
        return rc;
    }
    *backend = (wh_backend *)(void *)b;
    return WHISP_OK;
}

static const char *cuda_describe(const wh_backend *backend)
{
    return ((const cuda_backend *)(const void *)backend)->description;
}

/* ---- choices ---- */

static int cuda_chooses(const wh_backend *backend)
{
    const cuda_backend *b = (const cuda_backend *)(const void *)backend;
    const whisp_model *m = b->model;
    int times = m->n_vocab - wh_tokenizer_specials(m->tokenizer)->timestamp_begin;
    return b->api->can_choose(m->n_vocab, times) ? WH_MOST_CHOICES : 0;
}

/* The same tokens get the same number: sessions that share a backend mostly have the same. */
static int cuda_forbid(wh_backend *backend, const int32_t *tokens, size_t n, int *forbidden)
{
    cuda_backend *b = inside(backend);
    size_t words = ((size_t)b->model->n_vocab + 31) / 32;
    if (!cuda_chooses(backend))
        return WHISP_OK;
    uint32_t *bits = wh_calloc(words, sizeof *bits);
    if (!bits)
        return wh_fail_memory();
    for (size_t i = 0; i < n; i++)
        bits[tokens[i] / 32] |= 1u << tokens[i] % 32;
    for (int i = 0; i < b->n_masks; i++)
        if (!memcmp(bits, b->masks[i], words * sizeof *bits)) {
            free(bits);
            *forbidden = i;
            return WHISP_OK;
        }
    int rc = b->n_masks < b->api->most_masks
                 ? failed(b, b->api->forbid(b->engine, b->n_masks, bits))
                 : wh_fail(WHISP_ERR_STATE, "backend cuda: more than %d different suppress_tokens", b->api->most_masks);
    if (rc) {
        free(bits);
        return rc;
    }
    b->masks[b->n_masks] = bits;
    *forbidden = b->n_masks++;
    return WHISP_OK;
}

/* ---- log-Mel ---- */

static int cuda_mel_frames(const wh_backend *backend)
{
    const cuda_backend *b = (const cuda_backend *)(const void *)backend;
    return b->model->mel_filters ? b->api->most_frames : 0;
}

static int cuda_log_mel(wh_backend *backend, const float *samples, int n, float *out)
{
    const cuda_backend *b = inside(backend);
    return b->api->log_mel(b->engine, samples, n, out) ? WHISP_ERR_BACKEND : WHISP_OK;
}

/* ---- what the ledger of slots asks for ---- */

static int encode_windows(wh_backend *backend, int n, const float *const *mel, const int *windows)
{
    cuda_backend *b = inside(backend);
    const whisp_model *m = b->model;
    size_t size = (size_t)m->n_audio_ctx * (size_t)m->n_audio_state;
    if (!b->config.tap)
        return failed(b, b->api->encode(b->engine, n, mel, windows, NULL, NULL));
    float *taps = wh_calloc(2 * size, sizeof *taps);
    if (!taps)
        return wh_fail_memory();
    int rc = failed(b, b->api->encode(b->engine, n, mel, windows, taps, taps + size));
    if (!rc) {
        b->config.tap(b->config.tap_user, "encoder.block0", taps, m->n_audio_ctx, m->n_audio_state);
        b->config.tap(b->config.tap_user, "encoder", taps + size, m->n_audio_ctx, m->n_audio_state);
    }
    free(taps);
    return rc;
}

/* A head that the model names twice is computed once. */
static void copy_double_heads(const whisp_model *m, const wh_row *row)
{
    for (int i = 0; row->cross_scores && i < m->n_alignment_heads; i++)
        for (int j = 0; j < i; j++)
            if (m->alignment_heads[i].layer == m->alignment_heads[j].layer &&
                m->alignment_heads[i].head == m->alignment_heads[j].head) {
                memcpy(row->cross_scores + (size_t)i * row->cross_stride,
                       row->cross_scores + (size_t)j * row->cross_stride, (size_t)m->n_audio_ctx * sizeof(float));
                break;
            }
}

static int run_pass(wh_backend *backend, int n, const wh_row *rows)
{
    cuda_backend *b = inside(backend);
    int rc = failed(b, b->api->decode(b->engine, n, rows));
    for (int i = 0; !rc && i < n; i++)
        copy_double_heads(b->model, &rows[i]);
    return rc;
}

static int copy_kv(wh_backend *backend, int dst, int src, int first, int end)
{
    cuda_backend *b = inside(backend);
    return failed(b, b->api->copy(b->engine, dst, src, first, end - first));
}

static const wh_computer computer = {
    .encode_windows = encode_windows,
    .run_pass = run_pass,
    .copy_kv = copy_kv,
};

static const wh_backend_ops ops = {
    .free = cuda_free,
    .describe = cuda_describe,
    .encode = wh_slots_encode,
    .decode = wh_slots_decode,
    .fork_tail = wh_slots_fork_tail,
    .truncate = wh_slots_truncate,
    .slots = wh_slots_count,
    .chooses = cuda_chooses,
    .forbid = cuda_forbid,
    .mel_frames = cuda_mel_frames,
    .log_mel = cuda_log_mel,
};
