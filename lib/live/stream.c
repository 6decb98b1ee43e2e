/* stream.c - a live transcription: samples in, words out as they settle.
 *
 * Every `stream_step` seconds a pass hears everything since the last trim; words on which two passes agree settle, and
 * what is before a settled sentence's end is dropped when the buffer grows. All of it depends on the samples alone,
 * unless the caller asks to catch up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/stream.h"
#include "util/text.h"

#define SECONDS(n) ((double)(n) / WH_SAMPLE_RATE)
#define LONG_BUFFER 8.0     /* seconds from which a settled sentence's end is a place to cut */
#define LONGER_BUFFER 12.0  /* ... any settled word's end */
#define LONGEST_BUFFER 25.0 /* ... any place that leaves RECENT seconds */
#define RECENT 15.0         /* ... and words settle that are older, agreed on or not */
#define LEAST_CUT 2.0       /* a sentence that ends earlier in the buffer is no place to cut */
#define KEPT_SILENCE 0.5    /* seconds of silence that stay in the buffer */
#define LONG_PAUSE 1.0      /* silence after which settled words are dropped */
#define EDGE 0.2            /* activity this close before the last pass's end may be new to the next one */
#define PAST_KEPT 448       /* tokens */
#define GUARD 0.2           /* seconds of sound after a word before a pass counts as having heard it */
#define DOUBTFUL_GUARD 0.6  /* ... one that is less probable than DOUBTFUL */
#define DOUBTFUL 0.4
#define LATE 1.5      /* seconds after which a word on which passes do not agree settles, */
#define MOST_PARTED 4 /* ... as one of so many words at most, */
#define LEAST_MET 2   /* ... if they agree on so many behind it */
#define LEAST_SOUND                                                                                                    \
    0.8 /* seconds from which a pass is made where nothing is left to settle: the model makes up the rest */
#define OPEN_WORDS 2 /* settled words that the next pass decodes again, for what follows them may change their form */

/* The model of voice activity, if there is one: with it silence costs nothing and cannot be misheard. */
static int load_activity(whisp_stream *st)
{
    const whisp_session *s = st->session;
    int rc = wh_speech_only_load_model(s, &st->vad);
    if (rc == WHISP_ERR_MEMORY || (rc && s->options->values.vad_model))
        return rc;
    double threshold = s->options->values.vad_threshold, lower = s->options->values.vad_neg_threshold;
    st->threshold = (float)(isnan(lower) ? fmax(threshold - 0.15, 0.01) : lower);
    return st->vad ? whisp_vad_stream_new(st->vad, s->options, &st->activity) : WHISP_OK;
}

static int check_options(const whisp_options *options)
{
    const wh_values *v = &options->values;
    const char *name = v->vad_filter                                                     ? "vad_filter"
                       : v->split_stereo                                                 ? "split_stereo"
                       : strcmp(whisp_options_get(options, "clip_timestamps"), "0") != 0 ? "clip_timestamps"
                                                                                         : NULL;
    if (name)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "option %s: it needs the whole recording, which a live transcription does "
                       "not have",
                       name);
    return WHISP_OK;
}

/* A pass that fails is decoded again once, by one sample: there is another pass in no time. */
static void try_once(wh_values *v)
{
    double temperatures[WH_MAX_TEMPERATURES];
    int n = WH_MIN(wh_options_temperatures(v, temperatures), 2);
    memcpy(v->temperatures, temperatures, (size_t)n * sizeof *temperatures);
    v->n_temperatures = n;
    v->temperature_given = 1;
    v->temperature_increment = NAN;
    v->best_of = 1;
}

/* The passes hear by the session's options, but for the fallback, and for the vocabulary, which mends the final text. What
 * is to be said about options was said when the session was made. */
static int make_window(whisp_stream *st)
{
    const whisp_session *s = st->session;
    if (!(st->options = wh_options_copy(s->options)))
        return WHISP_ERR_MEMORY;
    st->options->values.vocabulary = NULL;
    try_once(&st->options->values);
    const wh_window_config config = {.model = &s->computed,
                                     .options = st->options,
                                     .backend = s->backend,
                                     .timings = &st->session->timings};
    return wh_window_new(&config, &st->window);
}

int whisp_stream_new(const whisp_model *model, const whisp_options *options, whisp_stream **stream)
{
    int rc;
    if (!stream)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_stream_new: stream is NULL");
    *stream = NULL;
    if (options && (rc = check_options(options)))
        return rc;
    whisp_stream *st = wh_calloc(1, sizeof *st);
    if (!st)
        return wh_fail_memory();
    if (!(rc = whisp_session_new(model, options, &st->session)) && !(rc = load_activity(st)) &&
        !(rc = make_window(st)) && !(rc = wh_live_speakers_new(st)) &&
        !(st->samples = wh_calloc(WH_STREAM_CAPACITY, sizeof *st->samples)))
        rc = wh_fail_memory();
    if (rc) {
        whisp_stream_free(st);
        return rc;
    }
    st->step = (size_t)(st->session->options->values.stream_step * WH_SAMPLE_RATE);
    st->speech_end = st->language = st->last_language = -1;
    st->density = 1.5;
    st->session->options->progress = NULL;
    *stream = st;
    return WHISP_OK;
}

void whisp_stream_free(whisp_stream *st)
{
    if (!st)
        return;
    wh_live_speakers_free(st->speakers); /* before the session, whose nets it hears with */
    whisp_vad_stream_free(st->activity);
    whisp_vad_free(st->vad);
    wh_window_free(st->window);
    whisp_options_free(st->options);
    whisp_session_free(st->session);
    wh_hypothesis *lists[] = {&st->settled, &st->tail, &st->hypothesis, &st->scratch, &st->fresh};
    for (size_t i = 0; i < WH_COUNT(lists); i++)
        wh_hypothesis_free(lists[i]);
    wh_buf_free(&st->tail_text);
    free(st->samples);
    free(st->past);
    free(st->last);
    free(st->out);
    free(st->handed);
    free(st);
}

int64_t whisp_stream_push(whisp_stream *st, const float *samples, size_t n)
{
    if (!st || (!samples && n))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_stream_push: an argument is NULL");
    if (st->finished)
        return wh_fail(WHISP_ERR_STATE, "whisp_stream_push: the stream is finished");
    n = WH_MIN(n, WH_STREAM_CAPACITY - st->n);
    for (size_t i = 0; i < n; i++)
        st->samples[st->n + i] = isfinite(samples[i]) ? samples[i] : 0;
    st->n += n;
    return (int64_t)n;
}

int whisp_stream_finish(whisp_stream *st)
{
    if (!st)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_stream_finish: stream is NULL");
    if (st->finished)
        return wh_fail(WHISP_ERR_STATE, "whisp_stream_finish: the stream is finished already");
    st->finished = 1;
    return WHISP_OK;
}

void whisp_stream_catch_up(whisp_stream *st)
{
    if (st)
        st->catch_up = 1;
}

/* ---- what is held ---- */

/* Look for speech in the samples from `first` on that a pass is about to hear. */
static int find_activity(whisp_stream *st, size_t first)
{
    float probabilities[64];
    for (size_t at = first; at < st->heard && st->activity;) {
        size_t n = WH_MIN(st->heard - at, WH_COUNT(probabilities) / 2 * WH_VAD_CHUNK);
        int64_t got = whisp_vad_push(st->activity, st->samples + at, n, probabilities, WH_COUNT(probabilities));
        if (got < 0)
            return (int)got;
        whisp_span span;
        while (whisp_vad_pull(st->activity, &span) == 1) /* not needed here; they would pile up */
            ;
        for (int64_t i = 0; i < got; i++) {
            st->chunks++;
            if (probabilities[i] >= st->threshold)
                st->speech_end = st->chunks * WH_VAD_CHUNK;
        }
        at += n;
    }
    return WHISP_OK;
}

/* Remember the tokens of the first n_words settled words for the prompt, in the form in which the last pass heard them
 * with all that follows: what settled in haste (half words, small letters after a wrong full stop) must not spread. */
static int remember(whisp_stream *st, size_t n_words)
{
    const wh_hypothesis *from = &st->settled;
    size_t n = n_words, all = st->settled.n, skip;
    st->settled.n = n_words;
    int rc = wh_hypothesis_skip(&st->settled, &st->hypothesis, &skip);
    st->settled.n = all;
    if (!rc && 4 * skip >= 3 * n_words && 3 * skip <= 4 * n_words) { /* a pass that went astray says little */
        from = &st->hypothesis;
        n = skip;
    }
    for (size_t i = 0; i < n && !rc; i++) {
        const wh_said *w = &from->list[i];
        rc = wh_grow(&st->past, &st->past_capacity, st->n_past + w->n_tokens, sizeof *st->past);
        for (size_t k = 0; k < w->n_tokens && !rc; k++)
            st->past[st->n_past++] = from->tokens[w->first_token + k];
    }
    if (st->n_past > 2 * PAST_KEPT) {
        memmove(st->past, st->past + st->n_past - PAST_KEPT, PAST_KEPT * sizeof *st->past);
        st->n_past = PAST_KEPT;
    }
    return rc;
}

/* Drop what is before `seconds` of the recording, and the first n_words settled words with it. */
static int cut(whisp_stream *st, double seconds, size_t n_words)
{
    int64_t at = (int64_t)(seconds * WH_SAMPLE_RATE) - st->offset;
    size_t drop = (size_t)WH_MAX(0, WH_MIN(at, (int64_t)st->heard));
    int rc = n_words ? remember(st, n_words) : WHISP_OK;
    wh_hypothesis_clear(&st->scratch);
    for (size_t i = n_words; i < st->settled.n && !rc; i++)
        rc = wh_hypothesis_copy(&st->scratch, &st->settled, i);
    wh_hypothesis_clear(&st->hypothesis); /* it begins with what is dropped */
    st->n_sure = 0;
    wh_hypothesis kept = st->scratch;
    st->scratch = st->settled;
    st->settled = kept;
    memmove(st->samples, st->samples + drop, (st->n - drop) * sizeof *st->samples);
    st->n -= drop;
    st->heard -= drop;
    st->offset += (int64_t)drop;
    return rc;
}

static double middle(const wh_said *word)
{
    return (word->start + word->end) / 2;
}

/* The middle of the pause after settled word i. */
static double after(const whisp_stream *st, size_t i)
{
    double end = st->settled.list[i].end, next = end;
    if (i + 1 < st->settled.n)
        next = st->settled.list[i + 1].start;
    else if (st->tail.n)
        next = st->tail.list[0].start;
    else
        next = fmin(end + KEPT_SILENCE, SECONDS(st->offset + (int64_t)st->heard));
    return next > end ? (end + next) / 2 : end;
}

int wh_stream_follow_final(whisp_stream *st)
{
    const wh_window *w = st->session->window;
    int64_t at = wh_window_seek(w) * WH_HOP;
    double seek = (double)at / WH_SAMPLE_RATE;
    size_t n_words = 0, n;
    if (at <= st->offset || (st->tail.n && middle(&st->tail.list[0]) < seek))
        return WHISP_OK;
    while (n_words < st->settled.n && middle(&st->settled.list[n_words]) < seek)
        n_words++;
    int rc = cut(st, seek, n_words);
    const int32_t *written = wh_window_history(w, &n);
    size_t skip = n - WH_MIN(n, PAST_KEPT);
    n -= skip;
    if (rc || (rc = wh_grow(&st->past, &st->past_capacity, n + 1, sizeof *st->past)))
        return rc;
    if (n)
        memcpy(st->past, written + skip, n * sizeof *st->past);
    st->n_past = n;
    return WHISP_OK;
}

/* Bound the buffer: cut after settled words where it has grown long. */
static int trim(whisp_stream *st)
{
    int rc = wh_stream_follow_final(st);
    if (rc)
        return rc;
    double begin = SECONDS(st->offset), end = SECONDS(st->offset + (int64_t)st->heard), length = end - begin;
    if (st->activity && st->tail.n == 0 && SECONDS(st->speech_end) + LONG_PAUSE <= end)
        return cut(st, fmax(begin, fmax(end - LONG_PAUSE, SECONDS(st->speech_end) + KEPT_SILENCE)), st->settled.n);
    if (length <= LONG_BUFFER)
        return WHISP_OK;
    for (size_t i = st->settled.n; i-- > 0;)
        if (wh_is_sentence_end(st->settled.text.data + st->settled.list[i].text, st->settled.list[i].length) &&
            after(st, i) > begin + LEAST_CUT)
            return cut(st, after(st, i), i + 1);
    if (length > LONGER_BUFFER && st->settled.n && after(st, st->settled.n - 1) > begin + LEAST_CUT)
        return cut(st, after(st, st->settled.n - 1), st->settled.n);
    if (length > LONGEST_BUFFER)
        return cut(st, end - RECENT, st->settled.n);
    return WHISP_OK;
}

/* ---- what settles ---- */

static int settle_word(whisp_stream *st, const wh_hypothesis *from, size_t i)
{
    int rc = wh_hypothesis_copy(&st->fresh, from, i);
    if (rc)
        return rc;
    wh_said *w = &st->fresh.list[st->fresh.n - 1];
    w->start = fmax(w->start, st->last_end);
    w->end = fmax(w->end, w->start);
    st->last_end = w->end;
    return wh_hypothesis_copy(&st->settled, &st->fresh, st->fresh.n - 1);
}

/* Is word i of the tail spelled as word k of the hypothesis, punctuation included? */
static int same_form(const whisp_stream *st, size_t i, size_t k)
{
    return strcmp(st->tail.text.data + st->tail.list[i].text, st->hypothesis.text.data + st->hypothesis.list[k].text) ==
           0;
}

/* How many words of the last pass's tail it has heard to their ends. The last word before the sound breaks off is often
 * half a word, or another one; and what a pass doubts, it changes when it hears on. */
static size_t heard_out(const whisp_stream *st)
{
    size_t n = 0;
    while (n < st->tail.n) {
        const wh_said *w = &st->tail.list[n];
        if (w->end > st->tail_end - (w->probability < DOUBTFUL ? DOUBTFUL_GUARD : GUARD))
            break;
        n++;
    }
    return n;
}

/* Words on which the last two passes agree: so many of the tail, and of the hypothesis behind the settled ones. */
typedef struct agreed {
    size_t tail, heard;
} agreed;

/* Where they part at a word that was said long ago, hearing on will not help (names are heard in two ways by turns): it
 * settles as it is heard now, if they meet again behind it. 1: they do. */
static int pass_over(const whisp_stream *st, size_t skip, size_t out, agreed *a)
{
    double long_ago = SECONDS(st->offset + (int64_t)st->heard) - LATE;
    const wh_hypothesis *h = &st->hypothesis;
    for (size_t k = 0; k <= MOST_PARTED; k++) {
        size_t next = skip + a->heard + k;
        if (next >= h->n || (k && h->list[next - 1].end > long_ago))
            return 0;
        for (size_t i = 0; i <= MOST_PARTED && a->tail + i < out; i++) {
            if (i &&
                st->tail.list[a->tail + i - 1].end > long_ago) /* what this pass left out, the next may hear again */
                break;
            size_t n = WH_MIN(wh_hypothesis_common(&st->tail, a->tail + i, h, next), out - a->tail - i);
            if (n < LEAST_MET)
                continue;
            *a = (agreed){a->tail + i + n, a->heard + k + n};
            return 1;
        }
    }
    return 0;
}

static agreed agree(const whisp_stream *st, size_t skip)
{
    size_t out = heard_out(st), n = WH_MIN(wh_hypothesis_common(&st->tail, 0, &st->hypothesis, skip), out);
    agreed a = {n, n};
    while (a.tail < out && pass_over(st, skip, out, &a))
        ;
    if (a.heard && a.heard == st->hypothesis.n - skip && !same_form(st, a.tail - 1, skip + a.heard - 1))
        a.heard--; /* the last word's punctuation is not sure yet */
    return a;
}

/* Compare the new hypothesis with the last one's tail; all of it settles in the end. */
static int settle(whisp_stream *st, int final)
{
    size_t skip;
    int rc = wh_hypothesis_skip(&st->settled, &st->hypothesis, &skip);
    if (rc)
        return rc;
    size_t n_agreed = final ? st->hypothesis.n - skip : agree(st, skip).heard;
    st->tail_end = SECONDS(st->offset + (int64_t)st->heard);
    for (size_t i = 0; i < n_agreed; i++)
        if ((rc = settle_word(st, &st->hypothesis, skip + i)))
            return rc;
    st->n_sure = skip + n_agreed > OPEN_WORDS ? st->hypothesis.list[skip + n_agreed - OPEN_WORDS].place : 0;
    wh_hypothesis_clear(&st->tail);
    for (size_t i = skip + n_agreed; i < st->hypothesis.n; i++)
        if ((rc = wh_hypothesis_copy(&st->tail, &st->hypothesis, i)))
            return rc;
    /* Passes that never agree must not make the buffer grow: what is old settles as it is. */
    double limit = SECONDS(st->offset + (int64_t)st->heard) - RECENT;
    size_t forced = 0;
    if (SECONDS(st->heard) > LONGEST_BUFFER)
        while (forced < st->tail.n && st->tail.list[forced].end <= limit)
            if ((rc = settle_word(st, &st->tail, forced++)))
                return rc;
    wh_hypothesis_clear(&st->scratch);
    for (size_t i = forced; i < st->tail.n; i++)
        if ((rc = wh_hypothesis_copy(&st->scratch, &st->tail, i)))
            return rc;
    wh_hypothesis rest = st->scratch;
    st->scratch = st->tail;
    st->tail = rest;
    return WHISP_OK;
}

/* Let the next samples be heard. 1: a pass was made (or, at the end, nothing is left to hear); 0: it was silence. */
static int advance(whisp_stream *st)
{
    size_t pending = st->n - st->heard, longest = (size_t)WH_WINDOW_FRAMES * WH_HOP - st->heard, first = st->heard;
    /* A last step that is whole is heard in passing first, as it is by who pulls before he finishes. */
    int final = st->finished && pending < st->step && pending <= longest;
    st->heard += WH_MIN(st->catch_up || final ? pending : st->step, longest);
    st->catch_up = 0;
    int rc = find_activity(st, first);
    if (rc || (rc = wh_stream_push_final(st, first)))
        return rc;
    int quiet = st->activity && st->tail.n == 0 && SECONDS(st->speech_end) < SECONDS(st->pass_end) - EDGE;
    quiet |= st->activity && st->speech_end < st->offset;
    if (quiet && !(final && st->tail.n)) {
        wh_hypothesis_clear(&st->tail);
        st->ended = final;
        rc = trim(st);
        return rc ? rc : final;
    }
    if (!final && st->tail.n == 0 && SECONDS(st->heard) < LEAST_SOUND)
        return 0;
    st->pass_end = st->offset + (int64_t)st->heard;
    if ((rc = wh_stream_pass(st, final)) || (rc = settle(st, final)) || (rc = trim(st)))
        return rc;
    st->ended = final;
    return 1;
}

/* What settled becomes the caller's list. */
static int give(whisp_stream *st)
{
    int rc = wh_grow(&st->out, &st->out_capacity, st->fresh.n + 1, sizeof *st->out);
    for (size_t i = 0; i < st->fresh.n && !rc; i++) {
        const wh_said *w = &st->fresh.list[i];
        st->out[i] = (whisp_word){.text = st->fresh.text.data + w->text,
                                  .start = w->start,
                                  .end = w->end,
                                  .probability = w->probability,
                                  .speaker = wh_live_speakers_of(st->speakers, w->start, w->end)};
    }
    if (!rc)
        rc = wh_hand_words(&st->handed, &st->handed_capacity, st->out, st->fresh.n);
    wh_buf_clear(&st->tail_text);
    wh_buf_puts(&st->tail_text, "");
    for (size_t i = 0; i < st->tail.n; i++)
        wh_buf_append(&st->tail_text, st->tail.text.data + st->tail.list[i].text, st->tail.list[i].length);
    if (!rc && st->tail_text.failed)
        rc = wh_fail_memory();
    return rc;
}

int whisp_stream_pull(whisp_stream *st, const whisp_word *const **words, size_t *n)
{
    if (!st || !words || !n)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_stream_pull: an argument is NULL");
    if (st->failed)
        return wh_fail(WHISP_ERR_STATE, "the stream failed before; make a new one");
    *n = 0;
    wh_hypothesis_clear(&st->fresh);
    for (;;) {
        int rc = wh_stream_final(st); /* after the words that settled were given, which do not wait for it */
        if (!rc && st->ended && !(rc = wh_live_speakers_finish(st)))
            return WHISP_END;
        if (!rc && !st->finished && st->n - st->heard < st->step)
            return 0;
        rc = rc ? rc : advance(st);
        if (rc > 0)
            rc = give(st) ? WHISP_ERR_MEMORY : 1;
        if (rc < 0) {
            st->failed = 1;
            return rc;
        }
        if (rc == 0)
            continue;
        *words = st->handed;
        *n = st->fresh.n;
        return 1;
    }
}

int whisp_stream_describe(const whisp_stream *st, whisp_stream_info *info)
{
    if (!st || !info || info->size < sizeof info->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_stream_describe: an argument is NULL, or info->size is not set");
    int known = wh_session_language(st->session), language = known >= 0 ? known : st->language;
    size_t n_names;
    const char *const *names = wh_live_speakers_names(st->speakers, &n_names);
    const whisp_stream_info all = {.size = info->size,
                                   .tail = st->tail_text.data ? st->tail_text.data : "",
                                   .language = wh_language_code(language),
                                   .incomplete = wh_session_why_incomplete(st->session),
                                   .backend = wh_backend_describe(st->session->backend),
                                   .speakers = names,
                                   .n_speakers = n_names};
    memcpy(info, &all, WH_MIN(info->size, sizeof all));
    return WHISP_OK;
}
