/* online.c - see online.h.
 *
 * A new person is one whom two stretches after one another that share no sound are like, and like nobody in the table: a
 * single one may be two people's, where they take turns. Who is sure to be somebody makes his voice in the table better. */
#include "speakers/online.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/heard.h"

/* Chosen on recordings with truth (docs/live.md). */
#define ALIKE 0.4f     /* cosine with a voice of the table: less is a stranger's */
#define SURE 0.5f      /* so much, and the stretch is added to that voice */
#define MARGIN 0.1f    /* ... if it is so much more than with any other */
#define SPEECH 0.5f    /* Silero's probability from which a chunk is speech */
#define MOSTLY 0.55f   /* of a stretch's chunks that are: less and it is not embedded */
#define QUIET 1e-4f    /* root mean square below which nobody speaks, where Silero is not asked */
#define NEAR 1.0       /* seconds from where nobody is heard to a turn that may go on there */
#define ENROLLED 10.0f /* stretches that a known voice counts for */

#define APART (WH_STRETCH_SAMPLES / WH_STRETCH_STEP) /* places between two stretches that share no sound */
#define KEPT (WH_ONLINE_REACH / WH_STRETCH_STEP)     /* places whose stretches are known */
#define CHUNKS (WH_STRETCH_SAMPLES / WH_VAD_CHUNK + 2)

/* Somebody in the table. */
typedef struct person {
    float sum[WH_VOICE_SIZE], voice[WH_VOICE_SIZE]; /* of unit voices; of unit length */
    int number;                                     /* from 1 on; 0: has not spoken yet */
    const char *name;                               /* of a known voice, or NULL */
} person;

/* Whose the stretch at a place is. */
typedef struct guess {
    int64_t place; /* -1: none */
    int person;    /* in the table */
    float score;
} guess;

struct wh_online {
    const wh_who *who;
    wh_embedder *embedder;
    wh_vad_net net;
    float samples[WH_STRETCH_SAMPLES]; /* [n], from the place on that is looked at next */
    size_t n;
    int64_t next;
    float speech[CHUNKS];               /* Silero's probabilities, chunk i's at i % CHUNKS */
    int64_t chunks;                     /* that Silero has heard */
    float before[APART][WH_VOICE_SIZE]; /* the last stretches' voices, place p's at p % APART */
    guess guesses[KEPT];                /* place p's at p % KEPT */
    person *people;                     /* [n_people] */
    size_t n_people, capacity;
    char **names; /* [n_numbered] */
    size_t n_numbered, names_capacity;
    whisp_turn *turns;
    size_t turns_capacity;
};

static float cosine(const float *a, const float *b)
{
    float sum = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        sum += a[i] * b[i];
    return sum;
}

/* ---- the table ---- */

static void learn(person *p, const float *voice, float weight)
{
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        p->sum[i] += voice[i] * weight;
    const float length = sqrtf(cosine(p->sum, p->sum));
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        p->voice[i] = length > 0 ? p->sum[i] / length : 0;
}

static int add_person(wh_online *o, const float *voice, float weight, const char *name)
{
    int rc = wh_grow(&o->people, &o->capacity, o->n_people + 1, sizeof *o->people);
    if (rc)
        return rc;
    person *p = &o->people[o->n_people++];
    *p = (person){.name = name};
    learn(p, voice, weight);
    return WHISP_OK;
}

/* Who speaks for the first time gets the next number and a name. */
static int number(wh_online *o, person *p)
{
    char name[32];
    if (p->number)
        return WHISP_OK;
    int rc = wh_grow(&o->names, &o->names_capacity, o->n_numbered + 1, sizeof *o->names);
    if (rc)
        return rc;
    snprintf(name, sizeof name, "SPEAKER_%02zu", o->n_numbered);
    char *copy = strdup(p->name ? p->name : name);
    if (!copy)
        return wh_fail_memory();
    o->names[o->n_numbered++] = copy;
    p->number = (int)o->n_numbered;
    return WHISP_OK;
}

static int may_grow(const wh_online *o)
{
    const int most = o->who->config.most;
    return o->n_numbered < (size_t)(most ? WH_MIN(most, WH_PEOPLE_MOST) : WH_PEOPLE_MOST);
}

/* Who in the table the voice is most like, and by how much he is ahead of the next; those who have not spoken yet only if
 * it is alike enough. -1: nobody is there. */
static int most_alike(const wh_online *o, const float *voice, float *score, float *margin)
{
    int best = -1;
    float second = -1;
    *score = -1;
    for (size_t i = 0; i < o->n_people; i++) {
        const person *p = &o->people[i];
        const float s = cosine(p->voice, voice);
        if (!p->number && (s < WH_VOICES_ALIKE || !may_grow(o)))
            continue;
        if (best < 0 || s > *score) {
            second = *score;
            *score = s;
            best = (int)i;
        } else if (s > second) {
            second = s;
        }
    }
    *margin = *score - second;
    return best;
}

static guess *guess_at(wh_online *o, int64_t place)
{
    guess *g = place >= 0 ? &o->guesses[place % KEPT] : NULL;
    return g && g->place == place ? g : NULL;
}

/* Was the stretch that ended where this one begins a stranger's, too, and the same one's? */
static int goes_on(wh_online *o, int64_t place, const float *voice)
{
    const guess *before = guess_at(o, place - APART);
    return before && before->score < ALIKE && cosine(o->before[place % APART], voice) >= ALIKE;
}

/* Somebody new has spoken since the stretch before this one. */
static int welcome(wh_online *o, int64_t place, const float *voice)
{
    int rc = add_person(o, voice, 1, NULL);
    if (rc)
        return rc;
    const int index = (int)o->n_people - 1;
    learn(&o->people[index], o->before[place % APART], 1);
    for (int64_t p = place - APART; p < place; p++) {
        guess *g = guess_at(o, p);
        if (g && g->score < ALIKE)
            *g = (guess){p, index, cosine(o->people[index].voice, o->before[p % APART])};
    }
    return number(o, &o->people[index]);
}

/* Whose is the stretch at a place, of this voice? */
static int place_voice(wh_online *o, int64_t place, const float *voice)
{
    float score, margin;
    int best = most_alike(o, voice, &score, &margin), rc = WHISP_OK;
    if (best < 0) { /* the first one who is heard */
        rc = add_person(o, voice, 1, NULL);
        best = (int)o->n_people - 1;
        score = 1;
    } else if (score < ALIKE && may_grow(o) && goes_on(o, place, voice)) {
        rc = welcome(o, place, voice);
        best = (int)o->n_people - 1;
        score = 1;
    } else if (score >= SURE && margin >= MARGIN) {
        learn(&o->people[best], voice, 1);
    }
    if (!rc)
        rc = number(o, &o->people[best]);
    o->guesses[place % KEPT] = (guess){place, best, score};
    memcpy(o->before[place % APART], voice, sizeof o->before[0]);
    return rc;
}

/* ---- stretches ---- */

/* Silero hears the chunks that are complete with the stretch at sample `start`. */
static void hear_speech(wh_online *o, int64_t start)
{
    const int64_t end = (start + WH_STRETCH_SAMPLES) / WH_VAD_CHUNK;
    while (o->who->vad && o->chunks < end) {
        float probabilities[WH_VAD_BATCH];
        const int n = (int)WH_MIN(end - o->chunks, WH_VAD_BATCH);
        wh_vad_net_run(o->who->vad, &o->net, o->samples + (o->chunks * WH_VAD_CHUNK - start), n, probabilities);
        for (int i = 0; i < n; i++)
            o->speech[o->chunks++ % CHUNKS] = probabilities[i];
    }
}

/* Does somebody speak in most of the stretch at sample `start`? Its last chunk may not be complete. */
static int is_speech(const wh_online *o, int64_t start)
{
    if (!o->who->vad) {
        double sum = 0;
        for (size_t i = 0; i < WH_STRETCH_SAMPLES; i++)
            sum += o->samples[i] * o->samples[i];
        return sum > QUIET * QUIET * WH_STRETCH_SAMPLES;
    }
    const int64_t begin = (start + WH_VAD_CHUNK - 1) / WH_VAD_CHUNK, end = (start + WH_STRETCH_SAMPLES) / WH_VAD_CHUNK;
    int64_t spoken = 0;
    for (int64_t i = begin; i < end; i++)
        spoken += o->speech[i % CHUNKS] >= SPEECH;
    return (float)spoken >= MOSTLY * (float)(end - begin);
}

/* o->samples are the stretch at the next place. */
static int hear_stretch(wh_online *o)
{
    const int64_t start = o->next * WH_STRETCH_STEP;
    const size_t at = 0;
    float voice[WH_VOICE_SIZE];
    int rc = WHISP_OK;
    hear_speech(o, start);
    if (is_speech(o, start)) {
        wh_embed(o->embedder, o->samples, &at, 1, WH_STRETCH_SAMPLES, voice);
        rc = place_voice(o, o->next, voice);
    }
    o->next++;
    o->n -= WH_STRETCH_STEP;
    memmove(o->samples, o->samples + WH_STRETCH_STEP, o->n * sizeof *o->samples);
    return rc;
}

int wh_online_push(wh_online *o, const float *samples, size_t n)
{
    int rc = WHISP_OK;
    while (n > 0 && !rc) {
        const size_t part = WH_MIN(n, WH_STRETCH_SAMPLES - o->n);
        for (size_t i = 0; i < part; i++)
            o->samples[o->n + i] = fminf(fmaxf(samples[i], -1), 1);
        o->n += part;
        samples += part;
        n -= part;
        if (o->n == WH_STRETCH_SAMPLES)
            rc = hear_stretch(o);
    }
    return rc;
}

/* ---- turns ---- */

static double seconds(int64_t samples)
{
    return (double)samples / WH_SPEAKERS_RATE;
}

/* A stretch stands for the half second in its middle; for its beginning, too, where none is before it; and for its end
 * where none follows. */
static whisp_turn turn_of(const wh_online *o, int64_t place)
{
    const guess *g = &o->guesses[place % KEPT];
    const int64_t start = place * WH_STRETCH_STEP;
    const int begins = place == 0 || o->guesses[(place - 1) % KEPT].place != place - 1;
    const int ends = o->guesses[(place + 1) % KEPT].place != place + 1;
    return (whisp_turn){.start = seconds(start + (begins ? 0 : WH_STRETCH_STEP)),
                        .end = seconds(start + (ends ? 3 : 2) * WH_STRETCH_STEP),
                        .speaker = o->people[g->person].number};
}

/* The place from which on stretches may reach into what is after `time`. */
static int64_t place_before(const wh_online *o, double time)
{
    const int64_t oldest = WH_MAX(0, o->next - KEPT + 1), at = (int64_t)(time * WH_SPEAKERS_RATE) / WH_STRETCH_STEP;
    return WH_MAX(oldest, at - APART);
}

int wh_online_turns(wh_online *o, double start, double end, const whisp_turn **turns, size_t *n)
{
    *n = 0;
    for (int64_t p = place_before(o, start); p < o->next && seconds(p * WH_STRETCH_STEP) < end; p++) {
        if (o->guesses[p % KEPT].place != p)
            continue;
        whisp_turn turn = turn_of(o, p);
        if (*n > 0 && turn.start < o->turns[*n - 1].end) /* one that ended, and the next began before its end */
            turn.start = o->turns[*n - 1].end;
        if (*n > 0 && turn.speaker == o->turns[*n - 1].speaker && turn.start == o->turns[*n - 1].end) {
            o->turns[*n - 1].end = turn.end;
            continue;
        }
        if (turn.end <= turn.start || turn.end <= start)
            continue;
        int rc = wh_grow(&o->turns, &o->turns_capacity, *n + 1, sizeof *o->turns);
        if (rc)
            return rc;
        o->turns[(*n)++] = turn;
    }
    *turns = o->turns;
    return WHISP_OK;
}

int wh_online_speaker(const wh_online *o, double start, double end)
{
    int best = 0, last = 0;
    double most = -NEAR, share = 0; /* seconds; negative: so far away */
    for (int64_t p = place_before(o, start - NEAR); p < o->next && seconds(p * WH_STRETCH_STEP) < end + NEAR; p++) {
        if (o->guesses[p % KEPT].place != p)
            continue;
        const whisp_turn turn = turn_of(o, p);
        const double common = fmin(end, turn.end) - fmax(start, turn.start);
        share = common > 0 && share > 0 && turn.speaker == last ? share + common : common;
        last = turn.speaker;
        if (share > most) {
            best = last;
            most = share;
        }
    }
    return best;
}

const char *const *wh_online_names(const wh_online *o, size_t *n)
{
    *n = o->n_numbered;
    return (const char *const *)o->names;
}

/* ---- making ---- */

static int prepare(wh_online *o)
{
    const wh_voices *known = &o->who->known;
    int rc = wh_embedder_new(o->who->config.speakers, &o->embedder);
    if (!rc && o->who->vad && !(rc = wh_vad_net_init(&o->net)))
        wh_vad_net_reset(&o->net);
    for (size_t i = 0; i < known->n && !rc; i++)
        rc = add_person(o, known->list[i].voice, ENROLLED, known->list[i].name);
    for (size_t i = 0; i < KEPT; i++)
        o->guesses[i].place = -1;
    return rc;
}

int wh_online_new(const wh_who *who, wh_online **online)
{
    wh_online *o = *online = wh_calloc(1, sizeof *o);
    if (!o)
        return wh_fail_memory();
    o->who = who;
    int rc = prepare(o);
    if (rc) {
        wh_online_free(o);
        *online = NULL;
    }
    return rc;
}

void wh_online_free(wh_online *o)
{
    if (!o)
        return;
    wh_embedder_free(o->embedder);
    wh_vad_net_free(&o->net);
    for (size_t i = 0; i < o->n_numbered; i++)
        free(o->names[i]);
    free(o->names);
    free(o->people);
    free(o->turns);
    free(o);
}
