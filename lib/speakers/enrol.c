/* enrol.c - option speaker: the voice in a recording of somebody, found as the voices of any recording are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "speakers/voices.h"

#define BLOCK 16384 /* samples read at a time */
#define DOUBLE 0.6f /* cosine of two named voices that are told of */
#define SECOND 2.0  /* seconds that a second person must speak to be told of */

static int push_all(whisp_audio *audio, wh_diarizer *diarizer, float *block)
{
    int64_t n;
    while ((n = whisp_audio_read(audio, block, BLOCK)) > 0) {
        int rc = wh_diarizer_push(diarizer, block, (size_t)n);
        if (rc)
            return rc;
    }
    return n < 0 ? (int)n : WHISP_OK;
}

/* What is damaged in it is said, as of any recording. */
static void tell_warnings(const whisp_options *options, whisp_audio *audio, const char *path)
{
    const char *text;
    for (size_t i = 0; (text = whisp_audio_warning(audio, i, NULL)); i++)
        wh_log(options, WHISP_LOG_WARNING, "option speaker: %s: %s", path, text);
}

static int hear(const wh_diarizer_config *config, const char *path, wh_diarization *who)
{
    wh_diarizer_config own = *config;
    whisp_audio *audio = NULL;
    wh_diarizer *diarizer = NULL;
    float *block = wh_calloc(BLOCK, sizeof *block);
    own.least = 1;
    own.most = 0;
    int rc = block ? whisp_audio_open(path, &audio) : wh_fail_memory();
    if (!rc)
        rc = wh_diarizer_new(&own, &diarizer);
    if (!rc)
        rc = push_all(audio, diarizer, block);
    if (audio)
        tell_warnings(config->options, audio, path);
    if (!rc)
        rc = wh_diarizer_finish(diarizer, who);
    wh_diarizer_free(diarizer);
    whisp_audio_free(audio);
    free(block);
    return rc;
}

static const float *voice_of(const wh_diarization *who, int speaker)
{
    return who->centroids + (size_t)speaker * WH_VOICE_SIZE;
}

/* Who speaks most is the one who is meant; what is like him is taken for his, too. */
static void take(const wh_diarizer_config *config, const char *path, const wh_diarization *who, wh_voice *v)
{
    int first = 0;
    double length = 0;
    for (int i = 1; i < who->n_speakers; i++)
        first = who->seconds[i] > who->seconds[first] ? i : first;
    for (int i = 0; i < who->n_speakers; i++) {
        const float *voice = voice_of(who, i);
        float alike = wh_voices_compare(voice, voice_of(who, first));
        if (i != first && alike < WH_VOICES_ALIKE) {
            if (who->seconds[i] >= SECOND)
                wh_log(config->options, WHISP_LOG_WARNING,
                       "option speaker: %s: more than one person seems to speak in %s; who speaks most is taken",
                       v->name, path);
            continue;
        }
        for (int k = 0; k < WH_VOICE_SIZE; k++)
            v->voice[k] += voice[k] * (float)who->seconds[i];
        v->seconds += who->seconds[i];
    }
    for (int k = 0; k < WH_VOICE_SIZE; k++)
        length += (double)v->voice[k] * (double)v->voice[k];
    for (int k = 0; k < WH_VOICE_SIZE && length > 0; k++)
        v->voice[k] = (float)((double)v->voice[k] / sqrt(length));
}

/* The last error, with what it is about before it. */
static int about(int rc, const char *option, const char *name)
{
    char problem[1024];
    if (rc == WHISP_ERR_MEMORY || rc == WHISP_ERR_CANCELLED)
        return rc;
    snprintf(problem, sizeof problem, "%s", whisp_last_error());
    return wh_fail(rc, "option %s: %s%s%s", option, name, *name ? ": " : "", problem);
}

static int enrol(const wh_diarizer_config *config, const char *path, wh_voice *v)
{
    wh_diarization who = {0};
    int rc = hear(config, path, &who);
    if (rc)
        rc = about(rc, "speaker", v->name);
    if (!rc && who.n_speakers == 0)
        rc = wh_fail(WHISP_ERR_ARGUMENT, "option speaker: %s: nobody is heard speaking in %s", v->name, path);
    if (!rc)
        take(config, path, &who, v);
    wh_diarization_free(&who);
    return rc;
}

/* The voices that option speaker names follow those that are in `voices`. */
static int enrol_all(const wh_diarizer_config *config, wh_voices *voices)
{
    wh_named_voice named;
    int rc = WHISP_OK;
    for (size_t i = 0; !rc && wh_options_voice(&config->options->values, i, &named); i++) {
        char *path = strndup(named.path, named.path_length);
        if (!path || wh_grow(&voices->list, &voices->capacity, voices->n + 1, sizeof *voices->list)) {
            free(path);
            return wh_fail_memory();
        }
        wh_voice *v = &voices->list[voices->n];
        memset(v, 0, sizeof *v);
        v->name = strndup(named.name, named.name_length);
        voices->n++;
        rc = v->name ? enrol(config, path, v) : wh_fail_memory();
        free(path);
    }
    return rc;
}

static int is_number(const char *name)
{
    const char *prefix = "SPEAKER_";
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && name[n] && strspn(name + n, "0123456789") == strlen(name + n);
}

/* Who had only a number so far, among the first n, and is the voice that has a name now, `named`, is called so. */
static int give_name(const wh_diarizer_config *config, wh_voices *voices, size_t n, const wh_voice *named)
{
    wh_voice *best = NULL;
    float most = WH_VOICES_ALIKE;
    for (size_t i = 0; i < n; i++) {
        wh_voice *v = &voices->list[i];
        float alike = is_number(v->name) ? wh_voices_compare(v->voice, named->voice) : 0;
        if (alike >= most) {
            most = alike;
            best = v;
        }
    }
    char *name = best ? strdup(named->name) : NULL;
    if (!best)
        return WHISP_OK;
    if (!name)
        return wh_fail_memory();
    wh_log(config->options, WHISP_LOG_INFO, "%s is %s", best->name, name);
    free(best->name);
    best->name = name;
    return WHISP_OK;
}

/* Two names for one voice: which of them speakers get is chance. */
static void warn_of_doubles(const wh_diarizer_config *config, const wh_voices *voices)
{
    for (size_t i = 0; i < voices->n; i++)
        for (size_t k = 0; k < i; k++) {
            float alike = wh_voices_compare(voices->list[i].voice, voices->list[k].voice);
            if (alike >= DOUBLE && strcmp(voices->list[i].name, voices->list[k].name) != 0)
                wh_log(config->options, WHISP_LOG_WARNING,
                       "the voices of %s and %s are alike (%.2f): they may be taken for each other",
                       voices->list[k].name, voices->list[i].name, (double)alike);
        }
}

int wh_voices_load(const wh_diarizer_config *config, wh_voices *voices)
{
    const wh_values *v = &config->options->values;
    int rc = v->speakers_in ? wh_voices_read(v->speakers_in, voices) : WHISP_OK;
    if (rc)
        return about(rc, "speakers_in", "");
    const size_t before = voices->n;
    rc = enrol_all(config, voices);
    for (size_t i = before; i < voices->n && !rc; i++)
        rc = give_name(config, voices, before, &voices->list[i]);
    if (!rc)
        warn_of_doubles(config, voices);
    return rc;
}
