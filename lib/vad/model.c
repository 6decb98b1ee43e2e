/* model.c - loads Silero VAD's weights from a GGUF file that whisp-convert made; see vad.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vad/vad.h"
#include "cpu/registry.h"

#define FORMAT_VERSION 1

/* A tensor of float32 of exactly this shape, all of it finite; trailing dimensions of 1 need not be given. */
static int find(const whisp_vad *v, const char *name, int64_t d0, int64_t d1, int64_t d2, const float **data)
{
    const char *path = wh_gguf_path(v->file);
    const wh_tensor *t = wh_gguf_tensor(v->file, name);
    if (!t)
        return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s is missing; convert the model again with whisp-convert", path,
                       name);
    if (t->type != WH_F32 || t->shape[0] != d0 || t->shape[1] != d1 || t->shape[2] != d2 || t->shape[3] != 1)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: tensor %s has not the type or shape that it has in Silero VAD for 16 kHz; "
                       "convert the model again with whisp-convert",
                       path, name);
    *data = t->data;
    for (int64_t i = 0; i < d0 * d1 * d2; i++)
        if (!isfinite((*data)[i]))
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: damaged: tensor %s holds values that are not numbers; get the file "
                           "again",
                           path, name);
    return WHISP_OK;
}

/* [out][in][3] as the file has it to rows of a matrix product over frames that stand one after the other. */
static int find_conv(whisp_vad *v, int i, int in, int out, int stride)
{
    char name[32];
    const float *w, *b;
    wh_vad_conv *c = &v->conv[i];
    snprintf(name, sizeof name, "conv%d.weight", i + 1);
    int rc = find(v, name, out, in, 3, &w);
    if (rc)
        return rc;
    snprintf(name, sizeof name, "conv%d.bias", i + 1);
    if ((rc = find(v, name, out, 1, 1, &b)))
        return rc;
    *c = (wh_vad_conv){.in = in, .out = out, .stride = stride, .k = WH_VAD_COLUMNS(in), .b = b};
    c->w = wh_alloc_aligned((size_t)out * (size_t)c->k, sizeof *c->w);
    if (!c->w)
        return wh_fail_memory();
    memset(c->w, 0, (size_t)out * (size_t)c->k * sizeof *c->w);
    for (int o = 0; o < out; o++)
        for (int tap = 0; tap < 3; tap++)
            for (int k = 0; k < in; k++)
                c->w[o * c->k + tap * in + k] = w[(o * in + k) * 3 + tap];
    return WHISP_OK;
}

static int find_tensors(whisp_vad *v)
{
    const int gates = 4 * WH_VAD_STATE;
    const float *bias_input = NULL, *bias_state = NULL, *b_out = NULL;
    int rc;
    if ((rc = find(v, "stft_conv.weight", 2 * WH_VAD_BINS, 1, WH_VAD_FFT, &v->stft)) ||
        (rc = find_conv(v, 0, WH_VAD_BINS, 128, 1)) || (rc = find_conv(v, 1, 128, 64, 2)) ||
        (rc = find_conv(v, 2, 64, 64, 2)) || (rc = find_conv(v, 3, 64, WH_VAD_STATE, 1)) ||
        (rc = find(v, "lstm_cell.weight_ih", gates, WH_VAD_STATE, 1, &v->w_input)) ||
        (rc = find(v, "lstm_cell.weight_hh", gates, WH_VAD_STATE, 1, &v->w_state)) ||
        (rc = find(v, "lstm_cell.bias_ih", gates, 1, 1, &bias_input)) ||
        (rc = find(v, "lstm_cell.bias_hh", gates, 1, 1, &bias_state)) ||
        (rc = find(v, "final_conv.weight", 1, WH_VAD_STATE, 1, &v->w_out)) ||
        (rc = find(v, "final_conv.bias", 1, 1, 1, &b_out)))
        return rc;
    v->gate_bias = wh_alloc_aligned((size_t)gates, sizeof *v->gate_bias);
    if (!v->gate_bias)
        return wh_fail_memory();
    for (int i = 0; i < gates; i++)
        v->gate_bias[i] = bias_input[i] + bias_state[i];
    v->b_out = b_out[0];
    return WHISP_OK;
}

static int read_head(const whisp_vad *v)
{
    const char *path = wh_gguf_path(v->file), *text;
    size_t length;
    int64_t version = 0;
    if (!wh_gguf_string(v->file, "general.architecture", &text, &length))
        text = "", length = 0;
    if (length == 7 && memcmp(text, "whisper", 7) == 0)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: a Whisper speech model, not one of voice activity; give it as the model, "
                       "and silero-vad here",
                       path);
    if (length != 10 || memcmp(text, "silero-vad", 10) != 0)
        return wh_fail(WHISP_ERR_MODEL, "%s: a GGUF file, but not of Silero VAD; `whisp-get silero-vad` fetches that",
                       path);
    if (!wh_gguf_int(v->file, "silero-vad.format_version", &version) || version < 1 || version > FORMAT_VERSION)
        return wh_fail(WHISP_ERR_MODEL, "%s: model format version %lld; this library (%s) reads version %d: %s", path,
                       (long long)version, whisp_version(), FORMAT_VERSION,
                       version > FORMAT_VERSION ? "update the library" : "convert the model again with whisp-convert");
    return WHISP_OK;
}

int whisp_vad_load(const char *path, whisp_vad **vad)
{
    if (!vad)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_load: vad is NULL");
    *vad = NULL;
    if (!path)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_load: path is NULL");
    whisp_vad *v = wh_calloc(1, sizeof *v);
    if (!v)
        return wh_fail_memory();
    v->kernels = wh_cpu_best().kernels;
    int rc;
    if ((rc = wh_gguf_open(path, &v->file)) || (rc = read_head(v)) || (rc = find_tensors(v))) {
        whisp_vad_free(v);
        return rc;
    }
    *vad = v;
    return WHISP_OK;
}

void whisp_vad_free(whisp_vad *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < WH_COUNT(v->conv); i++)
        free(v->conv[i].w);
    free(v->gate_bias);
    wh_gguf_close(v->file);
    free(v);
}
