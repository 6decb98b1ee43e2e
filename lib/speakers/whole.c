/* whole.c - whole recordings and single voices, for whisp_speakers.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audio.h"
#include "model/model.h"
#include "output/result.h"
#include "speakers/heard.h"
#include "speakers/who.h"
#include "util/pool.h"

#define BLOCK 16384 /* samples read at a time */

/* ---- who speaks when ---- */

/* What is read, and who wants to know how far. */
typedef struct reading {
    whisp_audio *audio;
    const whisp_options *options;
    double total; /* seconds; negative: not known */
    int64_t done; /* samples */
    float block[BLOCK];
} reading;

static int64_t read_block(void *user, const float **samples)
{
    reading *r = user;
    const whisp_options *o = r->options;
    int64_t n = whisp_audio_read(r->audio, r->block, BLOCK);
    r->done += n > 0 ? n : 0;
    *samples = r->block;
    if (n > 0 && o->progress) {
        double seconds = (double)r->done / WH_SPEAKERS_RATE;
        o->progress(o->progress_user, seconds, r->total < 0 ? r->total : fmax(r->total, seconds));
    }
    return n;
}

/* The model of voice activity: the options' one, which must be there; else silero-vad beside the nets or where models
 * are, or, path being empty, none. */
static int find_vad(const whisp_speakers *nets, const whisp_options *options, char *path, size_t capacity)
{
    const char *name = options->values.vad_model;
    if (name)
        return whisp_model_find(name, NULL, path, capacity);
    int rc = wh_model_find_beside(nets->file, "silero-vad", path, capacity);
    if (rc || access(path, R_OK) != 0)
        path[0] = 0;
    return rc == WHISP_ERR_MEMORY ? rc : WHISP_OK;
}

static int hear_warnings(const whisp_options *options, whisp_audio *audio, whisp_result *result)
{
    const char *text;
    int incomplete, rc = WHISP_OK;
    for (size_t i = 0; !rc && (text = whisp_audio_warning(audio, i, &incomplete)); i++) {
        wh_log(options, WHISP_LOG_WARNING, "%s: %s", wh_audio_name(audio), text);
        if (incomplete)
            rc = whisp_result_set_incomplete(result, text);
    }
    return rc;
}

static int diarize(const wh_who *who, whisp_audio *audio, whisp_result *result)
{
    wh_found found;
    const whisp_turn none = {0};
    whisp_audio_info info = {.size = sizeof info};
    reading *r = wh_calloc(1, sizeof *r);
    if (!r)
        return wh_fail_memory();
    r->audio = audio;
    r->options = who->config.options;
    int rc = whisp_audio_describe(audio, &info);
    r->total = info.duration;
    if (!rc) {
        rc = wh_who_find(who, read_block, r, &found);
        if (!rc)
            rc = wh_result_finish(result, "", NULL, (double)r->done / WH_SPEAKERS_RATE);
        if (!rc)
            rc = wh_result_set_speakers(result, (const char *const *)found.names, (size_t)found.who.n_speakers,
                                        found.who.n ? found.who.turns : &none, found.who.n);
        if (!rc)
            rc = hear_warnings(r->options, audio, result);
        if (!rc)
            rc = wh_who_keep(who, &found);
        wh_found_free(&found);
    }
    free(r);
    return rc;
}

int whisp_speakers_diarize(const whisp_speakers *speakers, whisp_audio *audio, const whisp_options *options,
                           whisp_result **result)
{
    if (!speakers || !audio || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_speakers_diarize: an argument is NULL");
    char vad[4096];
    wh_who who = {0};
    *result = NULL;
    whisp_options *own = wh_options_copy(options);
    int rc = own ? wh_options_check(&own->values) : WHISP_ERR_MEMORY;
    if (!rc)
        rc = wh_who_check(own);
    if (!rc)
        rc = find_vad(speakers, own, vad, sizeof vad);
    if (!rc)
        rc = wh_who_init(&who, speakers, *vad ? vad : NULL, own,
                         own->values.threads ? own->values.threads : wh_usable_cores());
    if (!rc)
        rc = wh_audio_rewind(audio);
    if (!rc)
        rc = wh_result_new(result);
    if (!rc) {
        rc = diarize(&who, audio, *result);
        wh_audio_end(audio);
    }
    if (rc && rc != WHISP_ERR_OUTPUT) { /* else it is there, where it was heard at all */
        whisp_result_free(*result);
        *result = NULL;
    }
    wh_who_free(&who);
    whisp_options_free(own);
    return rc;
}

/* ---- voices ---- */

static void add_stretch(wh_embedder *embedder, const float *samples, size_t n, float *clean, double *sum)
{
    float voice[WH_VOICE_SIZE];
    const size_t start = 0;
    for (size_t i = 0; i < n; i++)
        clean[i] = isfinite(samples[i]) ? fminf(fmaxf(samples[i], -1), 1) : 0;
    wh_embed(embedder, clean, &start, 1, n, voice);
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        sum[i] += (double)voice[i];
}

/* A longer sound is heard in stretches of the same length, whose voices are added. */
int whisp_speakers_embed(const whisp_speakers *speakers, const float *samples, size_t n, float *voice)
{
    if (!speakers || (!samples && n) || !voice)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_speakers_embed: an argument is NULL");
    if (n < WH_EMBED_LEAST)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_speakers_embed: %zu samples; a quarter of a second is the least", n);
    double sum[WH_VOICE_SIZE] = {0}, length = 0;
    size_t stretches = (n + WH_EMBED_MOST - 1) / WH_EMBED_MOST, each = n / stretches;
    wh_embedder *embedder = NULL;
    float *clean = wh_calloc(each, sizeof *clean);
    int rc = clean ? wh_embedder_new(speakers, &embedder) : wh_fail_memory();
    for (size_t i = 0; i < stretches && !rc; i++)
        add_stretch(embedder, samples + i * each, each, clean, sum);
    for (int i = 0; i < WH_VOICE_SIZE && !rc; i++) {
        length += sum[i] * sum[i];
    }
    for (int i = 0; i < WH_VOICE_SIZE && !rc; i++)
        voice[i] = (float)(length > 0 ? sum[i] / sqrt(length) : 0);
    wh_embedder_free(embedder);
    free(clean);
    return rc;
}

float whisp_speakers_compare(const float *a, const float *b)
{
    return a && b ? wh_voices_compare(a, b) : 0;
}

/* Each voice as a stretch of a recording, so far from the others that nothing else speaks for one person or two. */
#define APART 1000
#define SECONDS 10 /* that each stands for: nobody is too short to be somebody */

/* people[i]: the one whose middle is nearest, numbered by first appearance. How many there are. */
static int number(const wh_stretch *stretches, size_t n, const wh_people *found, int *people)
{
    int numbers[WH_PEOPLE_MOST] = {0}, count = 0;
    for (size_t i = 0; i < n; i++) {
        int best = 0;
        for (int k = 1; k < found->n; k++)
            if (wh_stretch_score(&stretches[i], found->centroids + (size_t)k * WH_VOICE_SIZE) >
                wh_stretch_score(&stretches[i], found->centroids + (size_t)best * WH_VOICE_SIZE))
                best = k;
        if (!numbers[best])
            numbers[best] = ++count;
        people[i] = numbers[best];
    }
    return count;
}

static int is_finite(const float *voice)
{
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        if (!isfinite(voice[i]))
            return 0;
    return 1;
}

int whisp_speakers_cluster(const float *voices, size_t n, const whisp_options *options, int *people)
{
    wh_people found = {0};
    if ((!voices || !people) && n)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_speakers_cluster: an argument is NULL");
    if (n > INT32_MAX / APART)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_speakers_cluster: %zu voices; %d are the most", n, INT32_MAX / APART);
    whisp_options *own = wh_options_copy(options);
    wh_stretch *stretches = wh_calloc(n, sizeof *stretches);
    int rc = own && stretches ? wh_options_check(&own->values) : wh_fail_memory(), least = 1, most = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        if (!is_finite(voices + i * WH_VOICE_SIZE))
            rc = wh_fail(WHISP_ERR_ARGUMENT, "whisp_speakers_cluster: voice %zu holds values that are not numbers", i);
        stretches[i] = (wh_stretch){.at = (uint32_t)(i * APART), .seconds = SECONDS};
        wh_stretch_store(&stretches[i], voices + i * WH_VOICE_SIZE);
    }
    if (!rc) {
        wh_who_bounds(&own->values, &least, &most);
        rc = wh_cluster(stretches, n, least, most, own, &found);
    }
    if (!rc && found.n)
        rc = number(stretches, n, &found, people);
    free(found.centroids);
    free(stretches);
    whisp_options_free(own);
    return rc;
}
