/* asked.c - what the flow of a recording (parts, clips, detection of the language) asks of a session's window, and tells it;
 * so that it need not know that there is one. */
#include <string.h>

#include "transcribe/session.h"

int wh_session_language(const whisp_session *s)
{
    return wh_window_language(s->window);
}

int wh_session_spoken(const whisp_session *s)
{
    return wh_window_spoken(s->window);
}

void wh_session_set_language(whisp_session *s, int language)
{
    wh_window_set_language(s->window, language);
}

void wh_session_set_guess(whisp_session *s, int language)
{
    wh_window_set_guess(s->window, language);
}

void wh_session_language_probabilities(const whisp_session *s, float *probabilities)
{
    memcpy(probabilities, wh_window_probabilities(s->window), (size_t)s->specials->n_languages * sizeof *probabilities);
}

int wh_session_detect(whisp_session *s)
{
    return wh_window_detect(s->window);
}

int wh_session_may_detect(const whisp_session *s)
{
    return wh_window_may_detect(s->window);
}

int wh_session_detect_next(whisp_session *s)
{
    return wh_window_detect_next(s->window);
}

void wh_session_settle_language(whisp_session *s)
{
    wh_window_settle_language(s->window);
}

int wh_session_is_sound(const whisp_session *s)
{
    return wh_window_is_sound(s->window);
}

int64_t wh_session_samples(const whisp_session *s)
{
    return wh_window_samples(s->window);
}

int64_t wh_session_seek(const whisp_session *s)
{
    return wh_window_seek(s->window);
}

int wh_session_knows_where(const whisp_session *s)
{
    return wh_window_knows_where(s->window);
}

int wh_session_is_past(const whisp_session *s, int knows_end)
{
    return wh_window_is_past(s->window, knows_end);
}

int wh_session_has_clips(const whisp_session *s)
{
    return wh_window_has_clips(s->window);
}

int wh_session_clip(const whisp_session *s, size_t i, int64_t *start, int64_t *end)
{
    return wh_window_clip(s->window, i, start, end);
}

int wh_session_wants(const void *session, double from, double to)
{
    return wh_window_wants(((const whisp_session *)session)->window, from, to);
}
