/* result.h - the inside of whisp_result: what a finished transcription leaves.
 *
 * Filled by lib/transcribe segment by segment, read by the writers (lib/output) and through the public accessors. */
#ifndef WH_RESULT_H
#define WH_RESULT_H

#include "util/util.h"

int wh_result_new(whisp_result **result);
/* What belongs to the whole of it, as whisp_result_describe() tells; nothing of NULL. */
whisp_result_info wh_result_about(const whisp_result *result);
/* The segment that was added last. Lives until another is added. */
const whisp_segment *wh_result_last(const whisp_result *result);
/* Was segment i emptied as openai-whisper does (see wh_result_add())? */
int wh_result_is_cleared(const whisp_result *result, size_t i);
/* Append a deep copy of the segment (its id becomes its index). `cleared` marks a segment that openai-whisper emptied
 * (start == end, or no text): its JSON then has "words": []. Words without a speaker get the segment's. */
int wh_result_add(whisp_result *result, const whisp_segment *segment, int cleared);
/* Set what belongs to the whole: text (copied), language code (copied, or NULL), duration in seconds. */
int wh_result_finish(whisp_result *result, const char *text, const char *language, double duration);
/* Who speaks, and when: n names and n_turns turns (copied); turns NULL: nobody asked when. A speaker's number, from 1 on, is his name's place; segments
 * that have one get its name. */
int wh_result_set_speakers(whisp_result *result, const char *const *names, size_t n, const whisp_turn *turns,
                           size_t n_turns);
/* Why it is not of the whole recording (copied); NULL: it is. */
int wh_result_set_incomplete(whisp_result *result, const char *why);

#endif
