/* whole.c - the speech in whole recordings, for whisp.h: from a file or an array to spans and probabilities. */
#include <stdlib.h>
#include <string.h>

#include "options/options.h"
#include "audio/audio.h"
#include "vad/vad.h"

struct whisp_speech {
    wh_timeline timeline;
    whisp_span *spans;    /* [timeline.speech.n] in seconds */
    float *probabilities; /* [n_probabilities] */
    size_t n_probabilities;
    int64_t total; /* samples */
};

void whisp_speech_free(whisp_speech *speech)
{
    if (!speech)
        return;
    wh_timeline_free(&speech->timeline);
    free(speech->spans);
    free(speech->probabilities);
    free(speech);
}

static int find(const whisp_vad *vad, const whisp_options *options, wh_vad_read_fn read, void *user, whisp_speech **out)
{
    wh_spans spans = {0};
    whisp_speech *speech = wh_calloc(1, sizeof *speech);
    if (!speech)
        return wh_fail_memory();
    int rc = wh_vad_find(vad, options, read, user, &spans, &speech->total, &speech->probabilities,
                         &speech->n_probabilities);
    if (!rc)
        rc = wh_timeline_init(&speech->timeline, &spans);
    if (!rc && !(speech->spans = wh_calloc(speech->timeline.speech.n, sizeof *speech->spans)))
        rc = wh_fail_memory();
    if (rc) {
        whisp_speech_free(speech);
        return rc;
    }
    for (size_t i = 0; i < speech->timeline.speech.n; i++) {
        const wh_span *s = &speech->timeline.speech.spans[i];
        speech->spans[i] = (whisp_span){(double)s->start / WH_VAD_RATE, (double)s->end / WH_VAD_RATE};
    }
    *out = speech;
    return WHISP_OK;
}

static int64_t read_audio(void *user, float *samples, size_t n)
{
    return whisp_audio_read(user, samples, n);
}

int whisp_vad_speech_file(const whisp_vad *vad, const char *path, const whisp_options *options, whisp_speech **speech)
{
    if (!vad || !path || !speech)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_speech_file: an argument is NULL");
    *speech = NULL;
    whisp_audio *audio;
    int rc = whisp_audio_open(path, &audio);
    if (rc)
        return rc;
    rc = find(vad, options, read_audio, audio, speech);
    const char *text;
    for (size_t i = 0; !rc && options && (text = whisp_audio_warning(audio, i, NULL)); i++)
        wh_log(options, WHISP_LOG_WARNING, "%s: %s", wh_audio_name(audio), text);
    whisp_audio_close(audio);
    return rc;
}

struct array {
    const float *samples;
    size_t left;
};

static int64_t read_array(void *user, float *samples, size_t n)
{
    struct array *array = user;
    n = WH_MIN(n, array->left);
    if (n)
        memcpy(samples, array->samples, n * sizeof *samples);
    array->samples += n;
    array->left -= n;
    return (int64_t)n;
}

int whisp_vad_speech_samples(const whisp_vad *vad, const float *samples, size_t n, const whisp_options *options,
                             whisp_speech **speech)
{
    if (!vad || (!samples && n) || !speech)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_speech_samples: an argument is NULL");
    *speech = NULL;
    static const float none[1];
    struct array array = {n ? samples : none, n};
    return find(vad, options, read_array, &array, speech);
}

const whisp_span *whisp_speech_spans(const whisp_speech *speech, size_t *n)
{
    if (n)
        *n = speech ? speech->timeline.speech.n : 0;
    return speech ? speech->spans : NULL;
}

const float *whisp_speech_probabilities(const whisp_speech *speech, size_t *n)
{
    if (n)
        *n = speech ? speech->n_probabilities : 0;
    return speech ? speech->probabilities : NULL;
}

double whisp_speech_duration(const whisp_speech *speech)
{
    return speech ? (double)speech->total / WH_VAD_RATE : 0;
}

double whisp_speech_original_time(const whisp_speech *speech, double time, int is_end)
{
    return speech ? wh_timeline_original(&speech->timeline, time, is_end) : time;
}
