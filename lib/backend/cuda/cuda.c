/* cuda.c - the CUDA backend's host side: made from a model, and what it gives to the ledger of slots and to ops.h. What
 * runs on the device is the engine, behind engine.h, and its kernels (kernels/cuda). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/host.h"
#include "tokenizer/tokenizer.h"

#define MAX_HEAD 64    /* channels of a head */
#define MAX_STATE 1280 /* a row that the norm kernel holds in registers */

static cuda_backend *inside(wh_backend *backend)
{
    return (cuda_backend *)(void *)backend;
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
    if (d > MAX_STATE || d / m->n_audio_head > MAX_HEAD || d / m->n_text_head > MAX_HEAD || d / m->n_audio_head % 8 ||
        d / m->n_text_head % 8)
        return wh_fail(WHISP_ERR_BACKEND,
                       "backend cuda: model %s has %d channels in heads of %d and %d; there can be at "
                       "most %d in heads of at most %d, multiples of 8",
                       name, d, d / m->n_audio_head, d / m->n_text_head, MAX_STATE, MAX_HEAD);
    return WHISP_OK;
}

static void describe_engine(cuda_backend *b)
{
    snprintf(b->description, sizeof b->description, "cuda: %s%s", b->api->describe(b->engine),
             b->config.compute == WH_COMPUTE_INT8 ? ", int8 keys and values" : "");
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
    const wh_cuda_sizes sizes = {.n_vocab = m->n_vocab,
                                 .n_mels = m->n_mels,
                                 .d = m->n_text_state,
                                 .n_slots = b->ledger.n,
                                 .audio_ctx = m->n_audio_ctx,
                                 .audio_heads = m->n_audio_head,
                                 .audio_layers = m->n_audio_layer,
                                 .text_ctx = m->n_text_ctx,
                                 .text_heads = m->n_text_head,
                                 .text_layers = m->n_text_layer,
                                 .int8_windows = b->config.compute == WH_COMPUTE_INT8,
                                 .n_alignment = m->n_alignment_heads,
                                 .alignment = heads};
    int rc = b->api->open(&sizes, b->config.device, &b->engine, message);
    free(heads);
    if (rc == WH_CUDA_OK)
        return WHISP_OK;
    return wh_fail(rc == WH_CUDA_MEMORY ? WHISP_ERR_MEMORY : WHISP_ERR_BACKEND, "backend cuda: %s", message);
}

/* Room for n_slots, or as many as the device's memory holds. Where they are more than half of what is free, their memory is
 * taken at once, so that nobody else can; otherwise when they are first used. */
static int fit_slots(cuda_backend *b)
{
    size_t left, each, own = 64u << 20; /* the last for what the driver takes meanwhile */
    int rc = wh_cuda_failed(b, b->api->room(b->engine, &left, &each));
    if (rc)
        return rc;
    size_t fit = left > own ? (left - own) / each : 0, least = (size_t)WH_MAX(b->config.least_slots, 1);
    int want = b->ledger.n, n = (int)WH_MIN(fit, (size_t)want);
    if ((size_t)n >= least && (size_t)n * each > left / 2 && (rc = wh_cuda_failed(b, b->api->take(b->engine, n, &n))))
        return rc;
    if ((size_t)n < least)
        return wh_fail(WHISP_ERR_MEMORY,
                       "backend cuda: device memory: beside the model %s has room for %d sequences of "
                       "%.1f MiB; %zu are needed",
                       b->api->describe(b->engine), n, (double)each / 1048576, least);
    b->ledger.n = n;
    describe_engine(b);
    size_t length = strlen(b->description);
    if (n < want)
        snprintf(b->description + length, sizeof b->description - length, ", room for %d sequences", n);
    return WHISP_OK;
}

static const wh_backend_ops ops;
static const wh_computer computer;

int wh_cuda_backend_new(const whisp_model *model, const wh_backend_config *config, wh_backend **backend)
{
    char problem[512];
    *backend = NULL;
    if (config->compute != WH_COMPUTE_AUTO && config->compute != WH_COMPUTE_INT8)
        return wh_fail(WHISP_ERR_BACKEND,
                       "backend cuda: it computes in float16 with float32 sums (compute_type auto; int8: "
                       "windows' keys and values in 8 bits); f32 and bf16 need the backend cpu");
    if (config->padding == WH_PADDING_FEW)
        return wh_fail(WHISP_ERR_BACKEND, "backend cuda: encoder_padding few needs the backend cpu");
    int rc = check_model(model);
    if (rc)
        return rc;
    const wh_cuda_api *api = wh_cuda_library(problem, sizeof problem);
    if (!api)
        return wh_fail(WHISP_ERR_BACKEND, "backend cuda: %s", problem);
    cuda_backend *b = wh_calloc(1, sizeof *b);
    if (!b)
        return wh_fail_memory();
    b->ledger = (wh_slots){.ops = &ops,
                           .computer = &computer,
                           .model = model,
                           .n = config->n_slots,
                           .most_windows = config->tap ? 1 : WH_MOST_WINDOWS, /* so that all are seen */
                           .few_rows = api->few_rows,
                           .most_rows = api->most_rows};
    b->model = model;
    b->config = *config;
    b->api = api;
    b->masks = wh_calloc((size_t)api->most_masks, sizeof *b->masks);
    rc = wh_slots_init(&b->ledger);
    if (!rc)
        rc = b->masks ? open_engine(b) : wh_fail_memory();
    if (!rc)
        rc = wh_cuda_load(b);
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

int wh_cuda_ceilings(wh_backend *backend, double *operations, double *bytes)
{
    cuda_backend *b = inside(backend);
    return wh_cuda_failed(b, b->api->ceilings(b->engine, operations, bytes));
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
                 ? wh_cuda_failed(b, b->api->forbid(b->engine, b->n_masks, bits))
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

static int encode_windows(wh_backend *backend, int n, const float *const *mel, const int *windows, enum wh_hearing how)
{
    (void)how; /* they always are */
    cuda_backend *b = inside(backend);
    const whisp_model *m = b->model;
    size_t size = (size_t)m->n_audio_ctx * (size_t)m->n_audio_state;
    if (!b->config.tap)
        return wh_cuda_failed(b, b->api->encode(b->engine, n, mel, windows, NULL, NULL));
    float *taps = wh_calloc(2 * size, sizeof *taps);
    if (!taps)
        return wh_fail_memory();
    int rc = wh_cuda_failed(b, b->api->encode(b->engine, n, mel, windows, taps, taps + size));
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
    int rc = wh_cuda_failed(b, b->api->decode(b->engine, n, rows));
    for (int i = 0; !rc && i < n; i++)
        copy_double_heads(b->model, &rows[i]);
    return rc;
}

static int copy_kv(wh_backend *backend, int dst, int src, int first, int end)
{
    cuda_backend *b = inside(backend);
    return wh_cuda_failed(b, b->api->copy(b->engine, dst, src, first, end - first));
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
    .rest = wh_slots_rest,
    .room = wh_slots_room,
    .slots = wh_slots_count,
    .windows = wh_slots_windows,
    .chooses = cuda_chooses,
    .forbid = cuda_forbid,
    .mel_frames = cuda_mel_frames,
    .log_mel = cuda_log_mel,
};
