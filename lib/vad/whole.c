/* whole.c - the speech in whole recordings, for whisp_vad.h: from a whisp_audio to spans and probabilities. */
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

int whisp_vad_speech(const whisp_vad *vad, whisp_audio *audio, const whisp_options *options, whisp_speech **speech)
{
    if (!vad || !audio || !speech)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_speech: an argument is NULL");
    *speech = NULL;
    int rc = wh_audio_rewind(audio);
    if (!rc)
        rc = find(vad, options, read_audio, audio, speech);
    const char *text;
    for (size_t i = 0; !rc && options && (text = whisp_audio_warning(audio, i, NULL)); i++)
        wh_log(options, WHISP_LOG_WARNING, "%s: %s", wh_audio_name(audio), text);
    wh_audio_end(audio);
    return rc;
}

int whisp_speech_describe(const whisp_speech *speech, whisp_speech_info *info)
{
    if (!speech || !info || info->size < sizeof info->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_speech_describe: an argument is NULL, or info->size is not set");
    const whisp_speech_info all = {.size = info->size,
                                   .spans = speech->spans,
                                   .n_spans = speech->timeline.speech.n,
                                   .probabilities = speech->probabilities,
                                   .n_probabilities = speech->n_probabilities,
                                   .duration = (double)speech->total / WH_VAD_RATE};
    memcpy(info, &all, WH_MIN(info->size, sizeof all));
    return WHISP_OK;
}

double whisp_speech_original_time(const whisp_speech *speech, double time, int is_end)
{
    return speech ? wh_timeline_original(&speech->timeline, time, is_end) : time;
}
