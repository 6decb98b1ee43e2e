/* detect.c - which language a whole recording is in, for whisp.h: window after window until somebody speaks (language.c). */
#include <stdlib.h>
#include <string.h>

#include "transcribe/passes.h"

/* Push until the window is there that is asked for its language next; or to the end. */
static int push_window(whisp_session *s, wh_recording *in)
{
    const float *samples;
    int64_t got = 0, taken = 0;
    while (!wh_session_may_detect(s) && (got = wh_recording_read(in, &samples)) > 0)
        if ((taken = whisp_session_push(s, samples, (size_t)got)) < 0)
            return (int)taken;
    if (got < 0)
        return (int)got;
    return got == 0 && !wh_session_may_detect(s) ? whisp_session_finish(s) : WHISP_OK;
}

/* Of what is measured, ask 30 s after the other until somebody speaks. */
static int detect(whisp_session *s, wh_recording *in, float *probabilities, size_t n)
{
    int asked = wh_session_language(s), rc, over = 0;
    wh_session_set_language(s, -1);
    while (!over && wh_session_language(s) < 0) {
        if ((rc = push_window(s, in)) || (rc = wh_session_detect(s)))
            return rc;
        if (!wh_session_is_sound(s))
            return wh_fail(WHISP_ERR_MODEL,
                           "model %s: it computes numbers that are not finite, so no language can be "
                           "told; convert it anew",
                           s->model->name);
        over = wh_session_language(s) < 0 && wh_session_detect_next(s);
    }
    wh_session_settle_language(s);
    int best = wh_session_language(s);
    wh_session_set_language(s, asked);
    wh_session_language_probabilities(s, probabilities);
    for (size_t i = (size_t)s->specials->n_languages; i < n; i++)
        probabilities[i] = 0;
    return best;
}

static int check_detection(whisp_session *s, float *probabilities, size_t n)
{
    if (!s || !probabilities)
        return wh_fail(WHISP_ERR_ARGUMENT, "language detection: an argument is NULL");
    if (!s->specials->multilingual)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "the model %s knows English only; detecting a language needs a multilingual "
                       "model",
                       s->model->name);
    if (n < (size_t)s->specials->n_languages)
        return wh_fail(WHISP_ERR_ARGUMENT, "language detection: room for %zu probabilities, %d are needed", n,
                       s->specials->n_languages);
    return whisp_session_reset(s);
}

int whisp_session_detect_language(whisp_session *s, whisp_audio *audio, float *probabilities, size_t n)
{
    if (!audio)
        return wh_fail(WHISP_ERR_ARGUMENT, "language detection: an argument is NULL");
    wh_recording *in = NULL;
    int in_parts = 0, rc = check_detection(s, probabilities, n);
    if (!rc)
        rc = wh_recording_new(s, audio, &in);
    if (!rc)
        in->reads_ahead = 0; /* it ends early: what is damaged behind that is not its to tell */
    if (!rc && !(rc = wh_passes_before(in, &in_parts)))
        rc = detect(s, in, probabilities, n);
    if (rc >= 0)
        wh_recording_hear_warnings(in);
    wh_recording_free(in);
    return rc;
}
