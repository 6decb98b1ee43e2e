/* guard.c - text that nobody said: found and left out (option hallucination_guard).
 *
 * Whisper writes "you" or "Thank you." for silence, and worse for noise. window.c asks here, once a window is decoded and
 * cut into segments, which of them to take out. Speech must never be touched, so two witnesses are needed:
 *
 *   the sound     blocks of 0.1 s whose spectrum has another shape than the window's usual one. Silence, hum, hiss, noise
 *                 that swells have none; speech has them even where noise is 5 dB stronger (docs/hallucination.md).
 *                 Where a voice activity model is found, it is asked too, about doubtful windows only
 *   the answer    is the decoding doubtful: few words for so long a window, improbable, repeating, sampled, or does the
 *                 model itself think that nobody speaks
 *
 * Text that is taken out does not come into the next window's prompt. */
#include "transcribe/guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECONDS(frames) ((double)(frames) * WH_HOP / WH_SAMPLE_RATE)

#define BANDS 10            /* that a block's spectrum is summed to */
#define SHAPE 0.45          /* log10: how far a band may be from the usual shape in noise; 4.5 dB */
#define FLOOR (-7.8)        /* log10 of a band's mean power: what a recorder's last bit makes; not a sound */

#define RING (1 << 20)      /* samples kept: more than a session holds, and LEAD before */
#define LEAD (5 * WH_SAMPLE_RATE)   /* samples that the voice activity network hears before the window */
#define VOICED 0.3f         /* mean probability over VOICED_CHUNKS from which somebody may speak */
#define VOICED_CHUNKS 3     /* of 32 ms */
#define EVIDENCE 6.0        /* seconds without a voice, at least, for the absence to count */
#define PAD 1.0             /* seconds by which a segment's times may be wrong */

#define LOOP_TIMES 6        /* that a phrase is said, */
#define LOOP_TOKENS 24      /* its tokens all together, at least, */
#define LOOP_PHRASE 32      /* and one time's at most */

#define LOTTERY (-2.0)      /* mean log-probability of words that were drawn by lot */

/* A window with little speech: */
#define LONG 15.0           /* seconds that it lasts, at least */
#define RARE 4              /* a voice in at most one block of so many */
#define GAP 3.0             /* seconds without a voice that part stretches of speech */
#define TAIL 2.0            /* seconds: a voice that ends so soon belongs to the last window's words */
#define BEFORE 5            /* blocks before a voice from which on it is heard */
#define ECHO_LEAST 4        /* text tokens of a segment that repeats the history */
#define ECHO_MOST 64
#define ECHO_REACH 224      /* of the history's last tokens */

struct wh_guard {
    char *path;             /* of the voice activity model, or NULL */
    whisp_vad *vad;         /* once it was needed */
    wh_vad_net net;
    int16_t *ring;          /* [ring_size] sample t, to 16 bits, in slot t % ring_size; NULL without a model */
    int64_t ring_size;
    int64_t pushed;

    /* of the current window */
    unsigned char active[WH_GUARD_BLOCKS];
    unsigned char voiced[WH_GUARD_BLOCKS];
    int blocks, n_active;
    int has_voice;          /* voiced[] is known */
    int n_voiced;           /* blocks */
    double evidence;        /* seconds up to the window's end that were searched for a voice without finding one */
};

/* ---- making ---- */

int wh_guard_new(whisp_session *s)
{
    char path[4096];
    if (!s->options->values.hallucination_guard)
        return WHISP_OK;
    s->guard = wh_calloc(1, sizeof *s->guard);
    if (!s->guard)
        return wh_fail_memory();
    if (wh_filter_model(s, path, sizeof path) || access(path, R_OK))
        return WHISP_OK;
    s->guard->path = strdup(path);
    /* a part of a recording is there as a whole before its first window */
    s->guard->ring_size = WH_MAX(RING, (int64_t)s->part_frames * WH_HOP);
    s->guard->ring = wh_calloc((size_t)s->guard->ring_size, sizeof *s->guard->ring);
    if (!s->guard->path || !s->guard->ring)
        return wh_fail_memory();
    return WHISP_OK;
}

void wh_guard_free(struct wh_guard *g)
{
    if (!g)
        return;
    if (g->vad)
        wh_vad_net_free(&g->net);
    whisp_vad_free(g->vad);
    free(g->path);
    free(g->ring);
    free(g);
}

void wh_guard_reset(struct wh_guard *g)
{
    if (g)
        g->pushed = 0;
}

void wh_guard_push(struct wh_guard *g, const float *samples, size_t n)
{
    if (!g || !g->ring)
        return;
    for (size_t i = 0; i < n; i++)
        g->ring[(size_t)(g->pushed + (int64_t)i) % (size_t)g->ring_size] =
            isfinite(samples[i]) ? (int16_t)lrintf(fminf(fmaxf(samples[i] * 32768.0f, -32768), 32767)) : 0;
    g->pushed += (int64_t)n;
}

void wh_guard_jump(struct wh_guard *g, int64_t sample)
{
    if (g)
        g->pushed = sample;
}

/* ---- the sound ---- */

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* A block's bands: log10 of their mean power, less their mean over the bands. Returns the loudest band. */
static double block_shape(const float *frames, int n_mels, float *shape)
{
    int first = n_mels / 20, used = n_mels - first; /* the lowest bins are few and restless */
    double mean = 0, loudest = -10;
    for (int b = 0; b < BANDS; b++) {
        int from = first + used * b / BANDS, to = first + used * (b + 1) / BANDS;
        double sum = 0;
        for (int t = 0; t < WH_GUARD_BLOCK; t++)
            for (int m = from; m < to; m++)
                sum += pow(10, (double)frames[t * n_mels + m] * 4 - 4);
        double level = log10(sum / (WH_GUARD_BLOCK * WH_MAX(to - from, 1)) + 1e-12);
        loudest = fmax(loudest, level);
        mean += level / BANDS;
        shape[b] = (float)level;
    }
    for (int b = 0; b < BANDS; b++)
        shape[b] -= (float)mean;
    return loudest;
}

int wh_guard_activity(const float *window, int64_t frames, int n_mels, unsigned char *active)
{
    float shape[WH_GUARD_BLOCKS][BANDS], sorted[WH_GUARD_BLOCKS], usual[BANDS];
    unsigned char sounds[WH_GUARD_BLOCKS];
    int n = (int)(frames / WH_GUARD_BLOCK), found = 0, n_sounds = 0;
    for (int i = 0; i < n; i++)
        n_sounds += sounds[i] =
            block_shape(window + (size_t)i * WH_GUARD_BLOCK * (size_t)n_mels, n_mels, shape[i]) > FLOOR;
    for (int b = 0; b < BANDS; b++) {
        int k = 0;
        for (int i = 0; i < n; i++)
            if (sounds[i])
                sorted[k++] = shape[i][b];
        qsort(sorted, (size_t)k, sizeof *sorted, ascending);
        usual[b] = k ? sorted[k / 2] : 0;
    }
    for (int i = 0; i < n; i++) {
        int differs = n_sounds * 2 < n; /* any sound in silence does */
        for (int b = 0; b < BANDS; b++)
            differs |= fabs((double)shape[i][b] - usual[b]) > SHAPE;
        active[i] = sounds[i] && differs && i > 0 && i < n - 1; /* a recording's ends make a click of their own */
        found += active[i];
    }
    return found;
}

/* The model is loaded when the first window needs it: most recordings have none. 0 without one. */
static int load(whisp_session *s)
{
    struct wh_guard *g = s->guard;
    if (!g->path || g->vad)
        return g->vad != NULL;
    if (whisp_vad_load(g->path, &g->vad)) {
        wh_log(s->options, WHISP_LOG_WARNING, "hallucination_guard does without %s: %s", g->path, whisp_last_error());
        free(g->path);
        g->path = NULL;
        return 0;
    }
    if (wh_vad_net_init(&g->net)) {
        whisp_vad_free(g->vad);
        g->vad = NULL;
        return wh_fail_memory();
    }
    return 1;
}

/* Samples from `at` on, silence where there are none. */
static void copy_samples(const struct wh_guard *g, int64_t at, float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++, at++)
        samples[i] = at < 0 || at >= g->pushed || at < g->pushed - g->ring_size ? 0 :
                     (float)g->ring[at % g->ring_size] / 32768.0f;
}

/* Where in the window somebody may speak, by the voice activity network, which begins anew LEAD samples before it. The
 * same for the same samples, whenever they were pushed. Negative on error; has_voice stays 0 without a model. */
static int find_voice(whisp_session *s, int64_t segment_size)
{
    struct wh_guard *g = s->guard;
    float chunks[WH_VAD_BATCH * WH_VAD_CHUNK], p[WH_VAD_BATCH], last[VOICED_CHUNKS] = {0};
    int rc = load(s);
    if (rc <= 0)
        return rc;
    int64_t seek = s->window_seek * WH_HOP, end = seek + segment_size * WH_HOP, at = WH_MAX(seek - LEAD, 0);
    int64_t searched = at, count = 0;
    wh_vad_net_reset(&g->net);
    memset(g->voiced, 0, sizeof g->voiced);
    while (at < end) {
        int n = (int)WH_MIN((end - at + WH_VAD_CHUNK - 1) / WH_VAD_CHUNK, WH_VAD_BATCH);
        copy_samples(g, at, chunks, (size_t)n * WH_VAD_CHUNK);
        wh_vad_net_run(g->vad, &g->net, chunks, n, p);
        for (int i = 0; i < n; i++, at += WH_VAD_CHUNK) {
            float sum = 0;
            last[count++ % VOICED_CHUNKS] = p[i];
            for (int k = 0; k < VOICED_CHUNKS; k++)
                sum += last[k];
            if (sum < VOICED * VOICED_CHUNKS)
                continue;
            searched = at + WH_VAD_CHUNK;
            int64_t from = at - (VOICED_CHUNKS - 1) * WH_VAD_CHUNK - seek, to = at + WH_VAD_CHUNK - 1 - seek;
            for (int64_t b = WH_MAX(from, 0) / (WH_GUARD_BLOCK * WH_HOP); to >= 0 && b <= to / (WH_GUARD_BLOCK * WH_HOP) &&
                 b < g->blocks; b++)
                g->voiced[b] = 1;
        }
    }
    g->n_voiced = 0;
    for (int i = 0; i < g->blocks; i++)
        g->n_voiced += g->voiced[i];
    g->evidence = (double)(end - searched) / WH_SAMPLE_RATE;
    g->has_voice = 1;
    return WHISP_OK;
}

static void listen(whisp_session *s, int64_t segment_size)
{
    struct wh_guard *g = s->guard;
    g->blocks = (int)(segment_size / WH_GUARD_BLOCK);
    g->has_voice = g->n_voiced = 0;
    g->n_active = wh_guard_activity(s->window, segment_size, s->model->n_mels, g->active);
}

/* ---- the answer ---- */

static int is_doubtful(const whisp_session *s, int64_t segment_size)
{
    const wh_decoding *d = &s->decoding;
    size_t n_text = 0;
    for (size_t i = 0; i < d->n; i++)
        n_text += s->tokens[i].id < s->specials->eot;
    return (double)n_text < SECONDS(segment_size) || d->no_speech_prob > 0.2 || d->avg_logprob < -0.7 ||
           d->compression_ratio > 2.4 || d->temperature > 0;
}

int wh_guard_is_loop(const int32_t *text, size_t n)
{
    for (size_t period = 1; period <= LOOP_PHRASE; period++)
        for (size_t i = period, same = period; i < n; i++) {
            same = text[i] == text[i - period] ? same + 1 : period;
            if (same >= LOOP_TOKENS && same >= period * LOOP_TIMES)
                return 1;
        }
    return 0;
}

/* The compression ratio finds most loops, but some pass below its threshold. */
int wh_guard_loops(const whisp_session *s)
{
    const wh_decoding *d = &s->decoding;
    int32_t text[512];
    size_t n = 0;
    for (size_t i = 0; s->guard && i < d->n && n < WH_COUNT(text); i++)
        if (d->tokens[i].id < s->specials->eot)
            text[n++] = d->tokens[i].id;
    return wh_guard_is_loop(text, n);
}

/* A word or two for a whole window, after every lower temperature failed too, each with a chance of one in seven: drawn
 * by lot, from what the model itself half takes for silence. Music without a voice ends so. */
static int is_lottery(const whisp_session *s, int64_t segment_size)
{
    const wh_decoding *d = &s->decoding;
    size_t n_text = 0;
    for (size_t i = 0; i < d->n; i++)
        n_text += s->tokens[i].id < s->specials->eot;
    return d->temperature > 0 && d->avg_logprob < LOTTERY && d->no_speech_prob > 0.2 &&
           (double)n_text < SECONDS(segment_size);
}

/* A window in which somebody speaks is only mended where decoding may try again at all: one single temperature asks for
 * the model's plain answer, loops and all (the reference's answers in ../shared are made so). */
static int may_decode_again(const whisp_session *s)
{
    double temperatures[WH_MAX_TEMPERATURES];
    return wh_options_temperatures(&s->options->values, temperatures) > 1;
}

/* Does any of the blocks from `start` to `end` (seconds of the recording), and PAD around, have a mark? */
static int marked(const whisp_session *s, const unsigned char *marks, double start, double end)
{
    double offset = SECONDS(s->window_seek), block = SECONDS(WH_GUARD_BLOCK);
    start = fmin(start, offset + s->guard->blocks * block); /* times may lie behind the recording's end */
    int from = (int)floor((start - offset - PAD) / block), to = (int)ceil((end - offset + PAD) / block);
    for (int i = WH_MAX(from, 0); i < to && i < s->guard->blocks; i++)
        if (marks[i])
            return 1;
    return 0;
}

/* Segment by segment, where the window has sound. A segment goes when there is none where it stands; but all stay when
 * something that sounds would be left without words, because then the times are wrong. */
static void take_out_some(whisp_session *s)
{
    struct wh_guard *g = s->guard;
    const unsigned char *marks = g->has_voice ? g->voiced : g->active;
    unsigned char claimed[WH_GUARD_BLOCKS] = {0};
    double offset = SECONDS(s->window_seek), block = SECONDS(WH_GUARD_BLOCK);
    size_t n_dead = 0, kept = 0;
    for (size_t c = 0; c < s->n_cuts; c++) {
        const wh_cut *cut = &s->cuts[c];
        if (!marked(s, g->active, cut->start, cut->end) && (!g->has_voice || !marked(s, g->voiced, cut->start, cut->end))) {
            n_dead++;
            continue;
        }
        for (int i = 0; i < g->blocks; i++)
            claimed[i] |= i * block >= cut->start - offset - PAD && i * block <= cut->end - offset + PAD;
    }
    if (n_dead == 0)
        return;
    for (int i = 0; i < g->blocks; i++)
        if (marks[i] && !claimed[i])
            return;
    for (size_t c = 0; c < s->n_cuts; c++) {
        const wh_cut *cut = &s->cuts[c];
        if (marked(s, g->active, cut->start, cut->end) || (g->has_voice && marked(s, g->voiced, cut->start, cut->end)))
            s->cuts[kept++] = *cut;
    }
    s->n_cuts = kept;
}

/* ---- rare speech ---- */

/* Do all of a cut's words stand in the history already? So a model answers that hears next to nothing. */
static int is_echo(const whisp_session *s, const wh_cut *cut)
{
    int32_t text[ECHO_MOST];
    size_t n = 0;
    for (size_t i = cut->first_token; i < cut->first_token + cut->n_tokens && n < ECHO_MOST; i++)
        if (s->tokens[i].id < s->specials->eot)
            text[n++] = s->tokens[i].id;
    if (n < ECHO_LEAST)
        return 0;
    size_t from = s->n_history > ECHO_REACH ? s->n_history - ECHO_REACH : 0;
    for (size_t h = from; h + n <= s->n_history; h++)
        if (memcmp(s->history + h, text, n * sizeof *text) == 0)
            return 1;
    return 0;
}

/* How many times somebody begins to speak after at least GAP without a voice, the last window's end not counted; *lost
 * becomes the first block of a stretch that no cut covers, or -1. */
static int count_stretches(const whisp_session *s, int *lost)
{
    const struct wh_guard *g = s->guard;
    double offset = SECONDS(s->window_seek), block = SECONDS(WH_GUARD_BLOCK);
    int n = 0, last = -1000;
    *lost = -1;
    for (int i = 0; i < g->blocks; i++) {
        if (!g->voiced[i])
            continue;
        if ((i - last) * block > GAP) {
            if (n == 1 && last * block < TAIL && s->window_seek > 0)
                n = 0;
            int covered = 0;
            for (size_t c = 0; c < s->n_cuts; c++)
                covered |= i * block >= s->cuts[c].start - offset - PAD && i * block <= s->cuts[c].end - offset + PAD;
            if (!covered && *lost < 0)
                *lost = i;
            n++;
        }
        last = i;
    }
    return n;
}

/* In a long window with little speech, which the model's answer does not fit: the window is to be heard again, from
 * where somebody begins to speak and without the text before it. 1 if so; then *advance says from where. */
static int hear_again(whisp_session *s, int64_t segment_size, int64_t *advance)
{
    struct wh_guard *g = s->guard;
    int lost, first = 0, echo = 0;
    if (!may_decode_again(s) || !g->has_voice || g->n_voiced == 0 || g->n_voiced * RARE > g->blocks || SECONDS(segment_size) < LONG)
        return 0;
    int n = count_stretches(s, &lost);
    for (size_t c = 0; c < s->n_cuts; c++)
        echo |= is_echo(s, &s->cuts[c]);
    while (!g->voiced[first])
        first++;
    int64_t start = (int64_t)WH_MAX(first - BEFORE, 0) * WH_GUARD_BLOCK;
    if (echo) { /* ends: without history there is no echo */
        s->n_history = 0;
        s->was_reset = 1;
        *advance = start;
        s->n_cuts = 0;
        return 1;
    }
    if (lost < 0 || (size_t)n <= s->n_cuts)
        return 0;
    /* what was written before the lost words stays */
    start = (int64_t)(lost - BEFORE) * WH_GUARD_BLOCK;
    if (start < WH_GUARD_BLOCK * BEFORE * 2)
        return 0;
    size_t kept = 0;
    while (kept < s->n_cuts && s->cuts[kept].end - SECONDS(s->window_seek) <= lost * SECONDS(WH_GUARD_BLOCK) + PAD)
        kept++;
    s->n_cuts = kept;
    *advance = start;
    return 1;
}

int wh_guard_window(whisp_session *s, int64_t segment_size, int64_t *advance)
{
    struct wh_guard *g = s->guard;
    size_t before = s->n_cuts;
    int rc = WHISP_OK, again = 0;
    if (!g || s->n_cuts == 0)
        return WHISP_OK;
    listen(s, segment_size);
    int doubtful = is_doubtful(s, segment_size);
    if (doubtful && (rc = find_voice(s, segment_size)) < 0)
        return rc;
    int silent = g->n_active == 0 && doubtful && g->n_voiced == 0;
    int voiceless = g->has_voice && g->n_voiced == 0 && g->evidence >= EVIDENCE;
    if (silent || voiceless || is_lottery(s, segment_size))
        s->n_cuts = 0;
    if (!silent && !voiceless && doubtful && hear_again(s, segment_size, advance))
        again = 1;
    else if (s->n_cuts && g->n_active > 0 && may_decode_again(s))
        take_out_some(s);
    if (s->n_cuts == 0 && !again)
        *advance = segment_size;
    if (s->n_cuts < before)
        wh_log(s->options, WHISP_LOG_DEBUG, "hallucination_guard: %zu of %zu segments at %.2f s taken out",
               before - s->n_cuts, before, SECONDS(s->window_seek));
    return again;
}

int wh_guard_silent(whisp_session *s, int64_t segment_size, int64_t *advance)
{
    struct wh_guard *g = s->guard;
    if (!g)
        return WHISP_OK;
    listen(s, segment_size);
    int rc = g->n_active ? find_voice(s, segment_size) : WHISP_OK;
    if (rc < 0)
        return rc;
    for (int i = 0; i < g->blocks; i++) {
        if (!g->voiced[i] || !g->has_voice)
            continue;
        int64_t at = (int64_t)(i - BEFORE) * WH_GUARD_BLOCK;
        if (at >= BEFORE * 2 * WH_GUARD_BLOCK)
            *advance = at;
        break;
    }
    return WHISP_OK;
}
