/* one_window.c - log-Mel spectrograms as values of their own, for whisp.h: made of samples, and a single window of one
 * decoded. A session whose window was given log-Mel hears it like any other (window.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output/result.h"
#include "transcribe/collect.h"

/* ---- samples to Mel ---- */

/* All frames of `mel`, which holds them all, band by band. */
static int copy_bands(wh_mel *mel, size_t n_mels, size_t frames, float *out)
{
    float *window = wh_calloc((size_t)WH_WINDOW_FRAMES * n_mels, sizeof *window);
    if (!window)
        return wh_fail_memory();
    for (size_t seek = 0; seek < frames; seek += WH_WINDOW_FRAMES) {
        wh_mel_window(mel, (int64_t)seek, WH_WINDOW_FRAMES, WH_PAD_MEL, window);
        for (size_t t = seek; t < WH_MIN(frames, seek + WH_WINDOW_FRAMES); t++)
            for (size_t m = 0; m < n_mels; m++)
                out[m * frames + t] = window[(t - seek) * n_mels + m];
    }
    free(window);
    return WHISP_OK;
}

int64_t whisp_log_mel(const whisp_model *model, const float *samples, size_t n, float *out, size_t capacity)
{
    if (!model || (!samples && n) || (!out && capacity))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_log_mel: an argument is NULL");
    size_t n_mels = (size_t)model->n_mels, frames = n / WH_HOP;
    if (frames > (size_t)INT64_MAX / n_mels / sizeof *out)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_log_mel: that many samples cannot be");
    if (frames * n_mels > capacity || frames == 0)
        return (int64_t)(frames * n_mels);
    wh_mel *mel;
    int rc = wh_mel_new(model->n_mels, model->mel_filters, frames + 8, &mel);
    if (rc)
        return rc;
    wh_mel_push(mel, samples, n);
    wh_mel_finish(mel);
    wh_mel_set_loudest(mel, wh_mel_loudest(mel, (int64_t)frames));
    rc = copy_bands(mel, n_mels, frames, out);
    wh_mel_free(mel);
    return rc ? rc : (int64_t)(frames * n_mels);
}

/* ---- Mel to text ---- */

static int check(const whisp_session *s, const float *mel, size_t frames, const float *probabilities, size_t n,
                 whisp_result *const *result)
{
    if (!s || (!mel && frames) || (!probabilities && !result))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_decode_mel: an argument is NULL");
    if (probabilities && n < (size_t)s->specials->n_languages)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_decode_mel: room for %zu probabilities, %d are needed", n,
                       s->specials->n_languages);
    if (probabilities && !s->specials->multilingual)
        return wh_fail(WHISP_ERR_ARGUMENT, "the model %s knows English only; it has no probabilities of languages",
                       s->model->name);
    size_t used = WH_MIN(frames, (size_t)WH_WINDOW_FRAMES);
    for (int m = 0; m < s->model->n_mels; m++)
        for (size_t t = 0; t < used; t++)
            if (!isfinite(mel[(size_t)m * frames + t]))
                return wh_fail(WHISP_ERR_ARGUMENT, "the Mel spectrogram has a value that is not finite in frame %zu",
                               t);
    return WHISP_OK;
}

/* Which language the window is in. */
static int ask_language(whisp_session *s, float *probabilities, size_t n)
{
    int best = wh_window_open(s->window);
    if (!best)
        best = wh_window_ask_language(s->window, NULL);
    if (best < 0)
        return best;
    for (size_t i = 0; i < n; i++)
        probabilities[i] = i < (size_t)s->specials->n_languages ? wh_window_asked(s->window)[i] : 0;
    return WHISP_OK;
}

/* The segments of the first window. */
static int decode(whisp_session *s, whisp_result **result)
{
    wh_collected out;
    int cleared, rc = wh_collect_begin(&out);
    while (!rc && (rc = wh_session_next(s, &cleared)) == 1) {
        rc = wh_collect_add(&out, &s->segment, cleared);
        if (!wh_window_has_more(s->window))
            break;
    }
    if (rc == WHISP_END)
        rc = WHISP_OK;
    if (!rc)
        rc = wh_collect_end(&out, s->model, wh_session_spoken(s), (double)wh_window_content(s->window) / 100, result);
    wh_collect_free(&out);
    return rc;
}

int whisp_session_decode_mel(whisp_session *s, const float *mel, size_t frames, float *probabilities, size_t n,
                             whisp_result **result)
{
    if (result)
        *result = NULL;
    int rc = check(s, mel, frames, probabilities, n, (whisp_result *const *)result);
    if (!rc)
        rc = whisp_session_reset(s);
    if (rc)
        return rc;
    wh_window_give_mel(s->window, mel, frames);
    s->total = (double)wh_window_content(s->window) / 100;
    if (probabilities)
        rc = ask_language(s, probabilities, n);
    if (!rc && result)
        rc = decode(s, result);
    return rc;
}
