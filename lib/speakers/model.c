/* model.c - loads the nets that tell speakers apart from a GGUF file that whisp-convert made; see speakers.h. */
#include "speakers/model.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT_VERSION 1

static int is_text(const char *text, size_t length, const char *want)
{
    return length == strlen(want) && memcmp(text, want, length) == 0;
}

static int read_head(const whisp_speakers *s)
{
    const char *path = wh_gguf_path(s->file), *text;
    size_t length;
    int64_t version = 0;
    if (!wh_gguf_string(s->file, "general.architecture", &text, &length))
        text = "", length = 0;
    if (is_text(text, length, "whisper") || is_text(text, length, "silero-vad"))
        return wh_fail(WHISP_ERR_MODEL, "%s: a model of %s, not of speakers' voices; `whisp-get speakers` fetches that",
                       path, length == 7 ? "Whisper" : "voice activity");
    if (!is_text(text, length, "speakers"))
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: a GGUF file, but not of speakers' voices; `whisp-get speakers` fetches that", path);
    if (!wh_gguf_int(s->file, "speakers.format_version", &version) || version < 1 || version > FORMAT_VERSION)
        return wh_fail(WHISP_ERR_MODEL, "%s: model format version %lld; this library (%s) reads version %d: %s", path,
                       (long long)version, whisp_version(), FORMAT_VERSION,
                       version > FORMAT_VERSION ? "update the library" : "convert the model again with whisp-convert");
    return WHISP_OK;
}

int wh_speakers_load(const char *path, wh_speakers_arithmetic arithmetic, const wh_cpu *cpu, whisp_speakers **speakers)
{
    wh_cpu best = cpu ? *cpu : wh_cpu_best();
    whisp_speakers *s = wh_calloc(1, sizeof *s);
    if (!s)
        return wh_fail_memory();
    s->kernels = best.kernels;
    s->gemm = best.gemm;
    s->conv = best.conv;
    s->is_int8 = arithmetic == WH_SPEAKERS_INT8 || (arithmetic == WH_SPEAKERS_AUTO && best.integers_pay);
    int rc;
    if ((rc = wh_gguf_open(path, &s->file)) || (rc = read_head(s)) || (rc = wh_campplus_load(s, &s->campplus)) ||
        (rc = wh_segmenter_load(s, &s->segmenter))) {
        whisp_speakers_free(s);
        return rc;
    }
    wh_gguf_rest(s->file);
    *speakers = s;
    return WHISP_OK;
}

int whisp_speakers_load(const char *path, const whisp_options *options, whisp_speakers **speakers)
{
    if (!speakers)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_speakers_load: speakers is NULL");
    *speakers = NULL;
    if (!path)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_speakers_load: path is NULL");
    const char *type = options ? options->values.compute_type : "auto";
    wh_speakers_arithmetic arithmetic = !strcmp(type, "f32")    ? WH_SPEAKERS_F32
                                        : !strcmp(type, "int8") ? WH_SPEAKERS_INT8
                                                                : WH_SPEAKERS_AUTO;
    return wh_speakers_load(path, arithmetic, NULL, speakers);
}

void whisp_speakers_free(whisp_speakers *s)
{
    if (!s)
        return;
    wh_campplus_free(s->campplus);
    wh_segmenter_free(s->segmenter);
    wh_gguf_close(s->file);
    free(s);
}
