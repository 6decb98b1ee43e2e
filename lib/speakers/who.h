/* who.h - who speaks in a recording, and what they are called: the nets, voice activity, the diarizer and known voices
 * together, as options ask for it. Used by whole.c and by lib/transcribe. */
#ifndef WH_WHO_H
#define WH_WHO_H

#include "speakers/voices.h"

typedef struct wh_who {
    wh_diarizer_config config;
    whisp_vad *vad;  /* or NULL */
    wh_voices known; /* by options speaker and speakers_in */
    int is_lent;     /* both belong to another one */
} wh_who;

/* `nets` and `options` must outlive it; the options' callbacks may change. vad_path: the model of voice activity; NULL:
 * without. Zero it first, and free it also after an error. */
int wh_who_init(wh_who *who, const whisp_speakers *nets, const char *vad_path, const whisp_options *options,
                int threads);
/* Can what the options ask to be kept be kept? To be asked before anything is loaded. */
int wh_who_check(const whisp_options *options);
/* The same nets, model and voices as `from`, which must outlive it and was made for the same model of voice activity and
 * named voices. */
void wh_who_borrow(wh_who *who, const wh_who *from, const whisp_options *options, int threads);
void wh_who_free(wh_who *who);

/* How many people speak, by the options: at least, and at most or 0. */
void wh_who_bounds(const wh_values *values, int *least, int *most);

/* Free it with wh_found_free(), also after an error. */
typedef struct wh_found {
    wh_diarization who;
    char **names; /* [who.n_speakers] */
} wh_found;

/* What found->who's people are called, and a line about them for the log. */
int wh_who_name(const wh_who *who, wh_found *found);
/* The next samples: how many, 0 at the end, or a code. */
typedef int64_t (*wh_who_read_fn)(void *user, const float **samples);
/* Who speaks in all that `read` gives. */
int wh_who_find(const wh_who *who, wh_who_read_fn read, void *user, wh_found *found);
/* Their voices are written where option speakers_out says, if it does; where nobody spoke enough that is warned of. */
int wh_who_keep(const wh_who *who, const wh_found *found);
void wh_found_free(wh_found *found);

#endif
