/* features.c - a word's evidence and its neighbours' as a row of numbers, the input of the score. */
#include <math.h>

#include "confidence/confidence.h"

const char *const wh_feature_names[WH_FEATURES] = {
    "told_mean",
    "told_least",
    "told_margin",
    "told_entropy",
    "bare_mean",
    "bare_least",
    "bare_margin",
    "bare_entropy",
    "probability",
    "difference",
    "peak",
    "spread",
    "tokens",
    "letters",
    "duration",
    "slowness",
    "gap_before",
    "gap_after",
    "rarity",
    "agreement",
    "capital",
    "window_logprob",
    "temperature",
    "window_bare",
    "before_told_margin",
    "before_bare_margin",
    "before_agreement",
    "after_told_margin",
    "after_bare_margin",
    "after_agreement",
    "around_bare",
    "around_agreement",
    "around_least",
    "since_begin",
    "until_end",
    "repeated",
    "elsewhere",
    "before_rarity",
    "after_rarity",
    "before_told",
    "after_told",
    "before_duration",
    "after_duration",
    "pace",
};

void wh_word_take(wh_word_evidence *w, int32_t id, const wh_evidence *told, const wh_evidence *bare, float agreement)
{
    int first = w->n_tokens++ == 0;
    float share = 1 / (float)w->n_tokens; /* running means */
    w->told_mean += (told->logprob - w->told_mean) * share;
    w->bare_mean += (bare->logprob - w->bare_mean) * share;
    w->told_least = first ? told->logprob : fminf(w->told_least, told->logprob);
    w->bare_least = first ? bare->logprob : fminf(w->bare_least, bare->logprob);
    w->told_margin = first ? told->margin : fminf(w->told_margin, told->margin);
    w->bare_margin = first ? bare->margin : fminf(w->bare_margin, bare->margin);
    w->told_entropy = first ? told->entropy : fmaxf(w->told_entropy, told->entropy);
    w->bare_entropy = first ? bare->entropy : fmaxf(w->bare_entropy, bare->entropy);
    w->peak = first ? bare->peak : fminf(w->peak, bare->peak);
    w->spread = first ? bare->spread : fmaxf(w->spread, bare->spread);
    w->agreement = first ? agreement : fminf(w->agreement, agreement);
    w->rarest = WH_MAX(w->rarest, id);
}

/* The nearest word with tokens, `step` away and on in that direction; NULL past the window. */
static const wh_word_evidence *neighbour(const wh_word_evidence *words, size_t n, size_t i, int step)
{
    for (int64_t at = (int64_t)i + step; at >= 0 && at < (int64_t)n; at += step)
        if (words[at].n_tokens)
            return &words[at];
    return NULL;
}

/* Means over the words up to three away on both sides, the word itself left out. */
static void look_around(const wh_word_evidence *words, size_t n, size_t i, float *bare, float *agreement)
{
    float count = 0;
    *bare = *agreement = 0;
    for (size_t at = i > 3 ? i - 3 : 0; at < n && at <= i + 3; at++) {
        if (at == i || !words[at].n_tokens)
            continue;
        *bare += words[at].bare_mean;
        *agreement += words[at].agreement;
        count++;
    }
    *bare = count > 0 ? *bare / count : 0;
    *agreement = count > 0 ? *agreement / count : 1;
}

/* The least of the words up to two away. */
static float least_around(const wh_word_evidence *words, size_t n, size_t i)
{
    float least = 0;
    for (size_t at = i > 2 ? i - 2 : 0; at < n && at <= i + 2; at++)
        if (at != i && words[at].n_tokens)
            least = fminf(least, fminf(words[at].told_least, words[at].bare_least));
    return least;
}

/* How many of the window's other words are the same; *near: one of the four before it is. */
static float count_same(const wh_word_evidence *words, size_t n, size_t i, float *near)
{
    float count = 0;
    *near = 0;
    for (size_t at = 0; at < n; at++)
        if (at != i && words[at].n_tokens && words[at].sound == words[i].sound) {
            count++;
            *near = at < i && at + 4 >= i ? 1 : *near;
        }
    return count;
}

/* Seconds a letter in the words up to five away, and in the word itself: how it differs from how they are spoken. */
static double relative_pace(const wh_word_evidence *words, size_t n, size_t i)
{
    double seconds = 0.02, letters = 1, own = fmax(0, words[i].end - words[i].start);
    for (size_t at = i > 5 ? i - 5 : 0; at < n && at <= i + 5; at++)
        if (at != i && words[at].n_tokens) {
            seconds += fmax(0, words[at].end - words[at].start);
            letters += words[at].n_letters;
        }
    return log((own + 0.02) / WH_MAX(words[i].n_letters, 1)) - log(seconds / letters);
}

static float duration_of(const wh_word_evidence *w)
{
    return w ? (float)fmin(fmax(0, w->end - w->start), 2) : 0;
}

static float window_mean(const wh_word_evidence *words, size_t n)
{
    double sum = 0, count = 0;
    for (size_t i = 0; i < n; i++)
        if (words[i].n_tokens) {
            sum += (double)words[i].bare_mean;
            count++;
        }
    return count > 0 ? (float)(sum / count) : 0;
}

void wh_word_features(const wh_word_evidence *words, size_t n, size_t i, const wh_window_evidence *window,
                      float *features)
{
    static const float edge_margin = 3; /* what stands for a neighbour that is not there */
    const wh_word_evidence *w = &words[i], *before = neighbour(words, n, i, -1), *after = neighbour(words, n, i, 1);
    double duration = fmax(0, w->end - w->start);
    double gap_before = i > 0 ? w->start - words[i - 1].end : 0;
    double gap_after = i + 1 < n ? words[i + 1].start - w->end : 0;
    float around_bare, around_agreement, near, same = count_same(words, n, i, &near);
    look_around(words, n, i, &around_bare, &around_agreement);
    const float row[WH_FEATURES] = {
        w->told_mean,
        w->told_least,
        w->told_margin,
        w->told_entropy,
        w->bare_mean,
        w->bare_least,
        w->bare_margin,
        w->bare_entropy,
        (float)w->probability,
        fabsf(w->told_mean - w->bare_mean),
        w->peak,
        w->spread,
        fminf((float)w->n_tokens, 8),
        fminf((float)w->n_letters, 20),
        (float)fmin(duration, 2),
        (float)log((duration + 0.02) / WH_MAX(w->n_letters, 1)),
        (float)fmin(fmax(0, gap_before), 2),
        (float)fmin(fmax(0, gap_after), 2),
        logf(1 + (float)w->rarest),
        w->agreement,
        (float)w->capital,
        (float)fmax(window->logprob, -3),
        (float)window->temperature,
        window_mean(words, n),
        before ? before->told_margin : edge_margin,
        before ? before->bare_margin : edge_margin,
        before ? before->agreement : 1,
        after ? after->told_margin : edge_margin,
        after ? after->bare_margin : edge_margin,
        after ? after->agreement : 1,
        around_bare,
        around_agreement,
        fmaxf(least_around(words, n, i), -8),
        (float)fmin(fmax(0, w->start - window->begin), 3),
        (float)fmin(fmax(0, window->end - w->end), 3),
        near,
        fminf(same, 4),
        before ? logf(1 + (float)before->rarest) : 6,
        after ? logf(1 + (float)after->rarest) : 6,
        before ? before->told_least : 0,
        after ? after->told_least : 0,
        duration_of(before),
        duration_of(after),
        (float)relative_pace(words, n, i),
    };
    for (int k = 0; k < WH_FEATURES; k++)
        features[k] = isfinite(row[k]) ? row[k] : 0;
}
