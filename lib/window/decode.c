/* decode.c - one window decoded: encoder, prompt, the search with its fallback. What the loop does (window.c), and each
 * pass of a live transcription (lib/live), so that both hear by the same rules. */
#include <math.h>

#include "window/state.h"

#define SURE (-0.7) /* mean log-probability from which on few rows of padding will do (docs/short-sound.md) */

int wh_decode_encode(wh_window *w)
{
    const float *mel = w->input;
    static const int slot = 0;
    if (w->recall.is_encoded)
        return WHISP_OK;
    int rc = wh_check_cancel(w->config.options);
    if (rc)
        return rc;
    double t0 = wh_now();
    enum wh_hearing how = w->recall.is_full ? WH_HEAR_FULL : WH_HEAR;
    rc = wh_backend_encode_as(w->config.backend, 1, &mel, &slot, how);
    w->config.timings->encode += wh_now() - t0;
    w->config.timings->n_encode++;
    w->recall.is_encoded = !rc;
    return rc;
}

int wh_decode_begin(wh_window *w)
{
    wh_recall *r = &w->recall;
    int rc = r->is_begun ? WHISP_OK : wh_decode_encode(w);
    if (!rc && !r->is_begun)
        rc = wh_search_begin(w->search, r->prompt, r->n_prompt, w->language.window);
    r->is_begun = !rc;
    return rc;
}

/* A decoding failed when it repeats itself or is too improbable, unless the window is silent. */
static int needs_fallback(const wh_values *v, const wh_decoding *d)
{
    int improbable = !isnan(v->logprob_threshold) && d->avg_logprob < v->logprob_threshold;
    int repeats = !isnan(v->compression_ratio_threshold) && d->compression_ratio > v->compression_ratio_threshold;
    if (!isnan(v->no_speech_threshold) && d->no_speech_prob > v->no_speech_threshold && improbable)
        return 0;
    return improbable || repeats;
}

static int decode_at(wh_window *w, double temperature)
{
    const wh_decoding *d = &w->decoding;
    int rc = wh_search_decode(w->search, temperature, w->origin + w->begin, &w->decoding);
    if (!rc)
        wh_log(w->config.options, WHISP_LOG_DEBUG,
               "window at %.2f s: temperature %g, %zu tokens, mean log-probability %.3f, compression ratio %.2f, "
               "no speech %.3f%s",
               (double)(w->origin + w->begin) * WH_HOP / WH_SAMPLE_RATE, d->temperature, d->n, d->avg_logprob,
               d->compression_ratio, d->no_speech_prob, w->recall.is_full ? ", all of its padding" : "");
    return rc;
}

static int has_text(const wh_window *w)
{
    size_t i = 0;
    while (i < w->decoding.n && w->decoding.tokens[i].id >= w->specials->eot)
        i++;
    return i < w->decoding.n;
}

/* Beyond doubt; in passing, where another pass follows soon, no failure is enough. */
static int is_sure(const wh_window *w)
{
    if (needs_fallback(w->values, &w->decoding) || wh_answer_loops(w))
        return 0;
    return w->in_passing || (w->decoding.avg_logprob >= SURE && has_text(w));
}

/* It failed behind what was given, which may be at fault: all is decoded. */
static int decode_all(wh_window *w)
{
    if (is_sure(w) || !wh_search_is_sound(w->search) || !wh_search_give_nothing(w->search))
        return WHISP_OK;
    w->recall.is_begun = 0;
    int rc = wh_decode_begin(w);
    return rc ? rc : decode_at(w, w->decoding.temperature);
}

/* Words of a window whose padding is thin that are not beyond doubt: it is heard again with all of it, so that no window
 * repeats itself, fails or falls silent that would not otherwise. */
static int hear_in_full(wh_window *w)
{
    if (is_sure(w) || w->recall.is_full || !wh_search_is_sound(w->search) ||
        !wh_backend_leaves_out(w->config.backend, w->input))
        return WHISP_OK;
    double temperature = w->decoding.temperature;
    w->recall.is_full = 1;
    w->recall.is_encoded = w->recall.is_begun = 0;
    int rc = wh_decode_begin(w);
    return rc ? rc : decode_at(w, temperature);
}

static int decode_with_fallback(wh_window *w)
{
    double temperatures[WH_MAX_TEMPERATURES];
    int n = wh_options_temperatures(w->values, temperatures);
    for (int i = 0; i < n; i++) {
        int rc = decode_at(w, temperatures[i]);
        if (rc || (rc = decode_all(w)) || (rc = hear_in_full(w)))
            return rc;
        if (!wh_search_is_sound(w->search))
            break; /* no temperature mends that */
        if (!needs_fallback(w->values, &w->decoding) && (i + 1 == n || !wh_answer_loops(w)))
            break;
        if (i + 1 < n)
            w->config.timings->n_fallbacks++;
    }
    return WHISP_OK;
}

int wh_window_decode(wh_window *w)
{
    const int32_t *prompt;
    size_t n;
    int rc;
    wh_search_first_window(w->search, w->origin + w->begin == 0);
    if ((rc = wh_history_prompt(&w->history, w->values, (size_t)w->model->n_text_ctx / 2 - 1, &prompt, &n)) ||
        (rc = wh_recall_decoding(w, prompt, n)))
        return WH_MIN(rc, 0);
    if ((rc = wh_decode_begin(w)) || (rc = decode_with_fallback(w)) ||
        (rc = wh_search_correct(w->search, w->begin, &w->decoding)))
        return rc;
    return wh_recall_keep_decoding(w);
}

int wh_window_expect(wh_window *w, const wh_expected *expected)
{
    w->in_passing = expected != NULL;
    return wh_search_expect(w->search, expected);
}

const wh_decoding *wh_window_decoding(const wh_window *w)
{
    return &w->decoding;
}

int wh_window_is_silent(const wh_window *w)
{
    const wh_values *v = w->values;
    const wh_decoding *d = &w->decoding;
    if (isnan(v->no_speech_threshold) || !(d->no_speech_prob > v->no_speech_threshold))
        return 0;
    return isnan(v->logprob_threshold) || !(d->avg_logprob > v->logprob_threshold);
}

int wh_window_is_sound(const wh_window *w)
{
    return wh_search_is_sound(w->search);
}
