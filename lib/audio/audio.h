/* audio.h - what the rest of the library may ask a whisp_audio beyond the public header. */
#ifndef WH_AUDIO_H
#define WH_AUDIO_H

#include "audio/notes.h"

#define WH_AUDIO_RATE 16000 /* samples a second that are given out */

/* How messages call it: the file's name, "standard input", ... Lives as long as the handle. */
const char *wh_audio_name(const whisp_audio *audio);

/* Can it be read again from its beginning: a regular file, memory, samples, a reader that seeks, a pipe that was kept? */
int wh_audio_rewinds(const whisp_audio *audio);
/* Is there nothing to be decoded? */
int wh_audio_is_samples(const whisp_audio *audio);
/* The next read begins at the beginning. WHISP_ERR_STATE for a pipe of which something was read; an error of opening. */
int wh_audio_rewind(whisp_audio *audio);
/* Keep the bytes of a pipe, of which nothing was read, in a temporary file, because of `what`, and rewind. The options'
 * cancel callback is asked. */
int wh_audio_keep(whisp_audio *audio, const char *what, const whisp_options *options);
/* The channel that is heard alone, or -1; and, before anything is read, set it. */
int wh_audio_channel(const whisp_audio *audio);
void wh_audio_hear(whisp_audio *audio, int channel);
/* A call has read what it wanted: who comes next begins anew, and nobody is asked what is wanted. */
void wh_audio_end(whisp_audio *audio);

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
