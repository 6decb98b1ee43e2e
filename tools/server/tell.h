/* tell.h - the messages of a live transcription, as docs/server.md has them. NULL: no memory. */
#ifndef SERVER_TELL_H
#define SERVER_TELL_H

#include <jansson.h>

#include "talk.h"
#include "whisp_live.h"

json_t *tell_ready(const whisp_model *model, const struct talk_request *request);
/* What settled, and what may still change. */
json_t *tell_words(const whisp_word *const *words, size_t n, const whisp_stream_info *info);
/* Of the final text. */
json_t *tell_segment(const whisp_segment *segment);
/* All was heard; `audio` may be NULL: nothing came. With option diarize, the segments with their last speakers. */
json_t *tell_done(whisp_stream *stream, whisp_audio *audio, double seconds);
json_t *tell_error(int code, const char *text);
/* By which code the connection is closed after a problem, or after none. */
int tell_close_code(int problem);

#endif
