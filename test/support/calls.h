/* calls.h - the public calls as tests make them: a recording from a path or from samples in one call, and what is told
 * about an object as a value. */
#ifndef TEST_CALLS_H
#define TEST_CALLS_H

#include "whisp_live.h"
#include "whisp_vad.h"

/* Each opens a recording, calls, and frees it. */
int transcribe_file(whisp_session *session, const char *path, whisp_result **result);
int transcribe_samples(whisp_session *session, const float *samples, size_t n, whisp_result **result);
int align_file(whisp_session *session, const char *path, const char *text, whisp_result **result);
int align_samples(whisp_session *session, const float *samples, size_t n, const char *text, whisp_result **result);
int detect_in_samples(whisp_session *session, const float *samples, size_t n, float *probabilities, size_t room);
int speech_in_file(const whisp_vad *vad, const char *path, const whisp_options *options, whisp_speech **speech);
int speech_in_samples(const whisp_vad *vad, const float *samples, size_t n, const whisp_options *options,
                      whisp_speech **speech);

/* All zeros for NULL. */
whisp_result_info result_info(const whisp_result *result);
whisp_session_info session_info(const whisp_session *session);
whisp_stream_info stream_info(const whisp_stream *stream);
whisp_speech_info speech_info(const whisp_speech *speech);

/* whisp_options_on() with `user` and the functions that are not NULL. */
void set_callbacks(whisp_options *options, whisp_log_fn log, whisp_progress_fn progress, whisp_segment_fn segment,
                   whisp_cancel_fn cancel, void *user);

#endif
