/* audio.h - what the rest of the library may ask a whisp_audio beyond the public header. */
#ifndef WH_AUDIO_H
#define WH_AUDIO_H

#include "audio/notes.h"

/* How messages call it: the file's name, "standard input", ... Lives as long as the handle. */
const char *wh_audio_name(const whisp_audio *audio);

/* Before the first read: damage is told only where somebody wants to hear what was there (notes.h). */
void wh_audio_ask(whisp_audio *audio, wh_is_wanted is_wanted, const void *user);

/* Can its decoder jump? */
int wh_audio_seeks(const whisp_audio *audio);
/* Does it end where whisp_audio_describe() says? Else that may be an estimate, or more recordings be joined behind. */
int wh_audio_knows_end(const whisp_audio *audio);
/* Let the next read begin with sample `at` (of 16,000 a second), and give what it would give if all before had been
 * read. 1; 0: this recording cannot jump there, and nothing has changed; or the code of an error. */
int wh_audio_seek(whisp_audio *audio, int64_t at);

#endif
