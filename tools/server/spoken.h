/* spoken.h - words and segments as JSON, for messages and events. Objects are new references; NULL: no memory. */
#ifndef SERVER_SPOKEN_H
#define SERVER_SPOKEN_H

#include <jansson.h>

#include "whisp_live.h"

json_t *spoken_seconds(double t);
/* [{word, start, end, probability, confidence, speaker}]; speakers' names are those of `info`, which may be NULL. */
json_t *spoken_words(const whisp_word *const *words, size_t n, const whisp_stream_info *info);
/* id, start, end, text, speaker and words, as far as they are known, into an object that is taken. */
json_t *spoken_segment(json_t *object, const whisp_segment *segment);

#endif
