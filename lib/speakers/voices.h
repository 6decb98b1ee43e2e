/* voices.h - voices with names: enrolled from recordings, kept in a file from one recording to the next, and found again
 * among those who speak. Between the diarizer and the names of a result's speakers. */
#ifndef WH_VOICES_H
#define WH_VOICES_H

#include "speakers/speakers.h"

typedef struct wh_voice {
    char *name;
    float voice[WH_VOICE_SIZE]; /* of unit length */
    double seconds;             /* of speech that it was made of */
} wh_voice;

/* A list that grows. Zero it first. */
typedef struct wh_voices {
    wh_voice *list; /* [n] */
    size_t n, capacity;
} wh_voices;
void wh_voices_free(wh_voices *voices);

/* Voices are taken for one person's from this cosine on: on recordings of 13 people enrolled from 3 to 17 s, of 25 others of
 * theirs (the least alike 0.49) and 10 strangers (the most alike 0.41, like another's voice 0.42). docs/speakers.md */
#define WH_VOICES_ALIKE 0.45f
float wh_voices_compare(const float *a, const float *b);

/* Append those that the options speakers_in and speaker name. What is heard of the latter's recordings goes to
 * config's nets; its bounds are not used. A recording without speech is WHISP_ERR_ARGUMENT, one with two people and two
 * names for one voice are warned of. */
int wh_voices_load(const wh_diarizer_config *config, wh_voices *voices);
int wh_voices_read(const char *path, wh_voices *voices);

/* What those who speak are called, [who->n_speakers], each and the list to be freed with wh_voices_free_names(): the
 * known voice that is most like his, if it is alike, each for one speaker; else "SPEAKER_00" by the speaker's number. */
int wh_voices_name(const wh_voices *known, const wh_diarization *who, char ***names);
void wh_voices_free_names(char **names, int n);

/* Could a file of voices be written there? Asked before the work that it is to keep. WHISP_ERR_IO where it could not;
 * WHISP_ERR_ARGUMENT where a file is there that is something else: a recording, a transcript, a model. */
int wh_voices_may_write(const char *path);
/* Write a file of all voices that are known now: those before, brought up to date by who spoke, and who is new. */
int wh_voices_write(const wh_voices *known, const wh_diarization *who, char *const *names, const char *path);

#endif
