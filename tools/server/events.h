/* events.h - a transcription as server-sent events, in the shape of OpenAI's. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "answer.h"
#include "http.h"

/* A final segment: transcript.text.delta, and transcript.text.segment in diarized_json. `is_first`: its text begins the
 * whole. Begins the stream. */
void events_segment(struct exchange *exchange, const struct answer_wish *wish, const whisp_model *model,
                    const whisp_segment *segment, int is_first);
/* The end: transcript.text.done, or the error. */
void events_end(struct exchange *exchange, const struct answer_wish *wish, const struct task_end *end);

#endif
