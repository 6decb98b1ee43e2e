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

#include "backend/ops.h"
#include "cuda/engine.h"
#include "tokenizer/tokenizer.h"

_Static_assert(WH_MOST_CHOICES == WH_CUDA_CHOICES, "choices fit");

#define LIBRARY "libwhisp-cuda.so"
#define MAX_SLOTS 4096
#define WINDOWS 16     /* of an encode call of the engine */
#define MAX_HEAD 64    /* channels of a head */
#define MAX_STATE 1280 /* a row that the norm kernel holds in registers */

typedef struct cuda_slot {
    int n_tokens;
    int window;     /* index of the device's window, -1 before the first */
    int in_call;    /* set while a decode call is checked */
} cuda_slot;

/* What a wh_backend * of this implementation points to. */
typedef struct cuda_backend {
    const wh_backend_ops *ops; /* first: see ops.h */
    const whisp_model *model;
    wh_backend_config config;
    const wh_cuda_api *api;
    wh_cuda_engine *engine;
    char description[256];
    cuda_slot *slots;       /* [n_slots] */
    int *users;             /* [n_slots]: of each window */
    wh_cuda_token *tokens;  /* [api->most_rows]: a pass */
    wh_cuda_choice *choices; /* [api->most_rows] of its tokens, what comes back, and where it is wanted */
    wh_cuda_chosen *chosen;
    wh_choice **wanted;
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
    if (api && api->abi == WH_CUDA_ABI)
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
        (m->output != m->token_embedding && (rc = load_matrix(b, -1, WH_CUDA_OUTPUT_W, &m->output, 1))) ||
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
    free(b->slots);
    free(b->users);
    free(b->tokens);
    free(b->choices);
    free(b->chosen);
    free(b->wanted);
    for (int i = 0; i < b->n_masks; i++)
        free(b->masks[i]);
    free(b->masks);
    free(b);
}

static int check_model(const whisp_model *m)
{
    const char *name = m->name ? m->name : "without a name";
    int d = m->n_text_state;
    if (m->n_audio_state != d || d % m->n_audio_head || d % m->n_text_head)
        return wh_fail(WHISP_ERR_MODEL, "model %s: %d and %d channels do not fit %d and %d heads", name,
                       m->n_audio_state, d, m->n_audio_head, m->n_text_head);
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
        .n_vocab = m->n_vocab, .n_mels = m->n_mels, .d = m->n_text_state, .n_slots = b->config.n_slots,
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
    if (fit >= (size_t)b->config.n_slots)
        return WHISP_OK;
    if (fit < least)
        return wh_fail(WHISP_ERR_MEMORY, "backend cuda: device memory: beside the model %s has room for %zu sequences of "
                       "%.1f MiB; %zu are needed", b->api->describe(b->engine), fit, (double)each / 1048576, least);
    b->config.n_slots = (int)fit;
    size_t n = strlen(b->description);
    snprintf(b->description + n, sizeof b->description - n, ", room for %zu sequences", fit);
    return WHISP_OK;
}

static const wh_backend_ops ops;

int wh_cuda_backend_new(const whisp_model *model, const wh_backend_config *config, wh_backend **backend)
{
    char problem[512];
    *backend = NULL;
    if (config->n_slots < 1 || config->n_slots > MAX_SLOTS)
        return wh_fail(WHISP_ERR_ARGUMENT, "%d sequences at once: the CUDA backend takes 1 to %d", config->n_slots,
                       MAX_SLOTS);
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
    b->ops = &ops;
    b->model = model;
    b->config = *config;
    b->api = api;
    b->slots = wh_calloc((size_t)config->n_slots, sizeof *b->slots);
    b->users = wh_calloc((size_t)config->n_slots, sizeof *b->users);
    b->tokens = wh_calloc((size_t)api->most_rows, sizeof *b->tokens);
    b->choices = wh_calloc((size_t)api->most_rows, sizeof *b->choices);
    b->chosen = wh_calloc((size_t)api->most_rows, sizeof *b->chosen);
    b->wanted = wh_calloc((size_t)api->most_rows, sizeof *b->wanted);
    b->masks = wh_calloc((size_t)api->most_masks, sizeof *b->masks);
    int has_all = b->slots && b->users && b->tokens && b->choices && b->chosen && b->wanted && b->masks;
    rc = has_all ? open_engine(b) : wh_fail_memory();
    if (!rc)
        rc = load_model(b);
    if (!rc)
        rc = fit_slots(b);
    if (rc) {
        cuda_free((wh_backend *)(void *)b);
        return rc;
    }
    for (int i = 0; i < config->n_slots; i++)
        b->slots[i].window = -1;
    *backend = (wh_backend *)(void *)b;
    return WHISP_OK;
}

static const char *cuda_describe(const wh_backend *backend)
{
    return ((const cuda_backend *)(const void *)backend)->description;
}

/* ---- slots ---- */

static int cuda_slots(const wh_backend *backend)
{
    return ((const cuda_backend *)(const void *)backend)->config.n_slots;
}

static int check_slot(const cuda_backend *b, int slot)
{
    if (slot < 0 || slot >= b->config.n_slots)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d: the backend has %d", slot, b->config.n_slots);
    return WHISP_OK;
}

static void release_window(cuda_backend *b, cuda_slot *slot)
{
    if (slot->window >= 0)
        b->users[slot->window]--;
    slot->window = -1;
    slot->n_tokens = 0;
}

/* A window that no other slot uses; there are as many as slots. */
static void take_window(cuda_backend *b, cuda_slot *slot)
{
    release_window(b, slot);
    int found = 0;
    while (b->users[found])
        found++;
    b->users[found] = 1;
    slot->window = found;
}

static int cuda_encode(wh_backend *backend, int n, const float *const *mel, const int *slots)
{
    cuda_backend *b = inside(backend);
    const whisp_model *m = b->model;
    size_t size = (size_t)m->n_audio_ctx * (size_t)m->n_audio_state;
    for (int i = 0; i < n; i++)
        if (check_slot(b, slots[i]))
            return WHISP_ERR_ARGUMENT;
    float *taps = b->config.tap ? wh_calloc(2 * size, sizeof *taps) : NULL;
    if (b->config.tap && !taps)
        return wh_fail_memory();
    int rc = WHISP_OK;
    if (taps) { /* one at a time, so that all are seen */
        for (int i = 0; !rc && i < n; i++) {
            take_window(b, &b->slots[slots[i]]);
            rc = failed(b, b->api->encode(b->engine, 1, &mel[i], &b->slots[slots[i]].window, taps, taps + size));
            if (!rc) {
                b->config.tap(b->config.tap_user, "encoder.block0", taps, m->n_audio_ctx, m->n_audio_state);
                b->config.tap(b->config.tap_user, "encoder", taps + size, m->n_audio_ctx, m->n_audio_state);
            }
        }
        free(taps);
        return rc;
    }
    for (int first = 0; !rc && first < n; first += WINDOWS) {
        int windows[WINDOWS], count = WH_MIN(n - first, WINDOWS);
        for (int i = 0; i < count; i++) {
            take_window(b, &b->slots[slots[first + i]]);
            windows[i] = b->slots[slots[first + i]].window;
        }
        rc = failed(b, b->api->encode(b->engine, count, mel + first, windows, NULL, NULL));
    }
    return rc;
}

static int cuda_fork_tail(wh_backend *backend, int dst, int src, int n_same)
{
    cuda_backend *b = inside(backend);
    if (check_slot(b, dst) || check_slot(b, src))
        return WHISP_ERR_ARGUMENT;
    cuda_slot *to = &b->slots[dst];
    const cuda_slot *from = &b->slots[src];
    if (n_same < 0 || n_same > to->n_tokens || n_same > from->n_tokens || (n_same && to->window != from->window))
        return wh_fail(WHISP_ERR_ARGUMENT, "slots %d and %d do not share %d tokens", dst, src, n_same);
    if (to == from)
        return WHISP_OK;
    release_window(b, to);
    to->window = from->window;
    to->n_tokens = from->n_tokens;
    if (to->window >= 0)
        b->users[to->window]++;
    if (from->n_tokens == n_same)
        return WHISP_OK;
    return failed(b, b->api->copy(b->engine, dst, src, n_same, from->n_tokens - n_same));
}

static int cuda_truncate(wh_backend *backend, int slot, int n_tokens)
{
    cuda_backend *b = inside(backend);
    if (check_slot(b, slot))
        return WHISP_ERR_ARGUMENT;
    if (n_tokens < 0 || n_tokens > b->slots[slot].n_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d has %d tokens; it cannot be cut to %d", slot,
                       b->slots[slot].n_tokens, n_tokens);
    b->slots[slot].n_tokens = n_tokens;
    return WHISP_OK;
}

/* ---- choices ---- */

static int cuda_chooses(const wh_backend *backend)
{
    const cuda_backend *b = (const cuda_backend *)(const void *)backend;
    const whisp_model *m = b->model;
    int times = m->n_vocab - wh_tokenizer_specials(m->tokenizer)->timestamp_begin;
    return b->api->can_choose(m->n_vocab, times) ? WH_CUDA_CHOICES : 0;
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

/* A choice in the engine's words. */
static wh_cuda_choice translate(const wh_choice *c)
{
    return (wh_cuda_choice){
        .mask = c->forbidden, .text_from = c->text_from, .time_begin = c->time_begin, .time_from = c->time_from,
        .time_to = c->time_to, .compare_times = c->compare_times, .most = WH_MIN(c->most, WH_CUDA_CHOICES),
        .n_penalized = c->n_penalized, .n_also = c->n_also, .penalty = c->penalty,
        .inverse_temperature = c->temperature > 0 ? (float)(1 / c->temperature) : 0, .u = c->u};
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

/* ---- decoding ---- */

static int check_step(const cuda_backend *b, const wh_step *step)
{
    if (check_slot(b, step->slot))
        return WHISP_ERR_ARGUMENT;
    const cuda_slot *slot = &b->slots[step->slot];
    if (slot->window < 0)
        return wh_fail(WHISP_ERR_STATE, "slot %d: decode before encode", step->slot);
    if (slot->in_call)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d twice in a decode call", step->slot);
    if (step->n_tokens < 1 || step->n_tokens > b->model->n_text_ctx - slot->n_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d: %d tokens after %d; the decoder has %d positions", step->slot,
                       step->n_tokens, slot->n_tokens, b->model->n_text_ctx);
    for (int i = 0; i < step->n_tokens; i++)
        if (step->tokens[i] < 0 || step->tokens[i] >= b->model->n_vocab)
            return wh_fail(WHISP_ERR_ARGUMENT, "token %d is outside the vocabulary of %d", (int)step->tokens[i],
                           b->model->n_vocab);
    for (int i = 0; i < step->n_rows; i++)
        if (step->rows[i] < (i ? step->rows[i - 1] + 1 : 0) || step->rows[i] >= step->n_tokens)
            return wh_fail(WHISP_ERR_ARGUMENT, "logits of row %d: rows ascend below %d", step->rows[i], step->n_tokens);
    return WHISP_OK;
}

/* All steps are checked before any is run: a refused call changes nothing. */
static int check_steps(cuda_backend *b, int n, const wh_step *steps)
{
    int rc = WHISP_OK, marked = 0;
    for (; marked < n; marked++) {
        rc = check_step(b, &steps[marked]);
        if (rc)
            break;
        b->slots[steps[marked].slot].in_call = 1;
    }
    for (int i = 0; i < marked; i++)
        b->slots[steps[i].slot].in_call = 0;
    return rc;
}

/* Token i of a step as a row of a pass, counted into its slot. */
static wh_cuda_token make_token(cuda_backend *b, const wh_step *step, int i)
{
    cuda_slot *slot = &b->slots[step->slot];
    size_t ctx = (size_t)b->model->n_audio_ctx;
    wh_cuda_token t = {.slot = step->slot, .window = slot->window, .position = slot->n_tokens++,
                       .token = step->tokens[i]};
    if (step->cross_scores) {
        t.cross_scores = step->cross_scores + (size_t)i * ctx;
        t.cross_stride = (size_t)step->n_tokens * ctx;
    }
    for (int r = 0; r < step->n_rows && step->logits; r++)
        if (step->rows[r] == i)
            t.logits = step->logits + (size_t)r * (size_t)b->model->n_vocab;
    return t;
}

/* Add token i of a step to the pass; the first `*waiting` are there already. */
static void add_token(cuda_backend *b, const wh_step *step, int i, int *waiting)
{
    int at = (*waiting)++;
    wh_cuda_token *t = &b->tokens[at];
    *t = make_token(b, step, i);
    b->wanted[at] = step->choice && step->rows[0] == i ? step->choice : NULL;
    if (b->wanted[at]) {
        b->choices[at] = translate(step->choice);
        t->choice = &b->choices[at];
        t->chosen = &b->chosen[at];
        t->penalized = step->choice->penalized;
        t->also = step->choice->also;
    }
}

/* A head that the model names twice is computed once. */
static void copy_double_heads(const whisp_model *m, const wh_step *step)
{
    size_t size = (size_t)step->n_tokens * (size_t)m->n_audio_ctx;
    for (int i = 0; step->cross_scores && i < m->n_alignment_heads; i++)
        for (int j = 0; j < i; j++)
            if (m->alignment_heads[i].layer == m->alignment_heads[j].layer &&
                m->alignment_heads[i].head == m->alignment_heads[j].head) {
                memcpy(step->cross_scores + (size_t)i * size, step->cross_scores + (size_t)j * size,
                       size * sizeof(float));
                break;
            }
}

static int run_pass(cuda_backend *b, int *n)
{
    int rc = *n ? failed(b, b->api->decode(b->engine, *n, b->tokens)) : WHISP_OK;
    for (int i = 0; i < *n && !rc; i++) {
        wh_choice *c = b->wanted[i];
        if (!c)
            continue;
        c->n = b->chosen[i].n;
        memcpy(c->ids, b->chosen[i].ids, sizeof c->ids);
        memcpy(c->logprobs, b->chosen[i].logprobs, sizeof c->logprobs);
    }
    *n = 0;
    return rc;
}

static int cuda_decode(wh_backend *backend, int n, const wh_step *steps)
{
    cuda_backend *b = inside(backend);
    int rc = check_steps(b, n, steps), waiting = 0;
    for (int i = 0; !rc && i < n; i++) { /* several tokens: passes of their own */
        for (int j = 0; !rc && steps[i].n_tokens > 1 && j < steps[i].n_tokens; j++) {
            add_token(b, &steps[i], j, &waiting);
            if (waiting == b->api->most_rows || j + 1 == steps[i].n_tokens)
                rc = run_pass(b, &waiting);
        }
    }
    for (int i = 0; !rc && i < n; i++) { /* single tokens share passes */
        if (steps[i].n_tokens != 1)
            continue;
        add_token(b, &steps[i], 0, &waiting);
        if (waiting == b->api->few_rows)
            rc = run_pass(b, &waiting);
    }
    if (!rc)
        rc = run_pass(b, &waiting);
    for (int i = 0; !rc && i < n; i++)
        copy_double_heads(b->model, &steps[i]);
    return rc;
}

static const wh_backend_ops ops = {
    .free = cuda_free,
    .describe = cuda_describe,
    .encode = cuda_encode,
    .decode = cuda_decode,
    .fork_tail = cuda_fork_tail,
    .truncate = cuda_truncate,
    .slots = cuda_slots,
    .chooses = cuda_chooses,
    .forbid = cuda_forbid,
    .mel_frames = cuda_mel_frames,
    .log_mel = cuda_log_mel,
};
