/* label.h - turns and a transcript become one: a speaker for each word and segment. Between lib/output's results and what
 * the diarizer found; called by lib/transcribe/speakers.c. */
#ifndef WH_LABEL_H
#define WH_LABEL_H

#include "output/result.h"

/* Who speaks when, and what they are called. */
typedef struct wh_label_turns {
    const whisp_turn *turns; /* [n] by their starts */
    size_t n;
    const char *const *names; /* [n_speakers] */
    int n_speakers;
} wh_label_turns;

/* `from`, the words of whose segments have times, as a new result with names and turns. Each word is the one's who speaks
 * most of it; where two speak at once, or the words' times are not sure, what stands around it decides, so that a
 * sentence is not torn for a word's edge. A segment is parted where the speaker changes; the parts' texts joined are its
 * text. Without `keeps_words` the words are left out. */
int wh_label(const whisp_result *from, const wh_label_turns *who, int keeps_words, whisp_result **to);

#endif
