/* voice.h - where in a window there is sound, and where somebody may speak. Private to lib/window.
 *
 * What hallucination_guard (guard.c), the detection of the language (language.c) and the parting at pauses (joins.c) go by:
 * the shape of the window's spectrum, and a voice activity model where one is found. */
#ifndef WH_VOICE_H
#define WH_VOICE_H

#include <pthread.h>

#include "backend/backend.h"
#include "vad/vad.h"

#define WH_VOICE_BLOCK 10 /* frames in a block: 0.1 s */
#define WH_VOICE_BLOCKS (WH_WINDOW_FRAMES / WH_VOICE_BLOCK)

typedef struct wh_voice {
    const whisp_options *options; /* for the log */
    char *path;                   /* of the voice activity model, or NULL */
    struct wh_voice *owner;       /* who loads the model: another one, for all parts of a recording, or itself */
    whisp_vad *vad;               /* the owner's, once it was needed */
    pthread_mutex_t mutex;        /* an owner's, and what it guards: */
    whisp_vad *loaded;
    wh_vad_net net;
    int16_t *ring; /* [ring_size] sample t, to 16 bits, in slot t % ring_size; NULL without a model */
    int64_t ring_size;
    int64_t pushed, forgotten; /* samples; those before `forgotten` take no memory any more */

    /* of the window that was listened to last; blocks after each other, 0 or 1 */
    unsigned char sounds[WH_VOICE_BLOCKS]; /* is more than digital silence */
    unsigned char active[WH_VOICE_BLOCKS]; /* has another spectrum than is usual in the window */
    unsigned char voiced[WH_VOICE_BLOCKS]; /* has a voice in it, by the model */
    int blocks, n_sounds, n_active;
    int has_voice; /* voiced[] is known */
    int n_voiced;
    double evidence; /* seconds up to the window's end that were searched for a voice without finding one */
} wh_voice;

/* `path`: the voice activity model's, which is loaded when it is first needed, or NULL. `samples`: how many are kept, at
 * least. owner: NULL, or who has that model for others in other threads, too. `options` and the owner must outlive it. */
int wh_voice_new(const whisp_options *options, const char *path, size_t samples, wh_voice *owner, wh_voice **voice);
void wh_voice_free(wh_voice *voice);
void wh_voice_reset(wh_voice *voice);

/* The samples that wh_mel_push() took. `voice` may be NULL. */
void wh_voice_push(wh_voice *voice, const float *samples, size_t n);
/* Whether they are kept; and n of those kept from `at` on, to 16 bits, silence where there are none. */
int wh_voice_has_samples(const wh_voice *voice);
void wh_voice_samples(const void *voice, int64_t at, float *samples, size_t n);
/* Frames before `frame` and a few seconds are not asked for any more: their memory goes back to the system. */
void wh_voice_forget(wh_voice *voice, int64_t frame);
/* wh_mel_jump(): the next sample pushed is this one of the recording. */
void wh_voice_jump(wh_voice *voice, int64_t sample);

/* Listen to a window [frames][n_mels], scaled as the encoder gets it: sounds and active. */
void wh_voice_listen(wh_voice *voice, const float *window, int64_t frames, int n_mels);
/* Then ask the model about the same window, which begins at frame `seek` of the samples pushed: voiced. has_voice stays
 * 0 without a model. */
int wh_voice_find(wh_voice *voice, int64_t seek, int64_t frames);

/* Surely nobody speaks in block i: digital silence, or neither voice nor activity. */
int wh_voice_is_dead(const wh_voice *voice, int i);
/* Blocks from .. to - 1 in which somebody may speak: with a voice where the model was asked, else with activity. */
int wh_voice_count(const wh_voice *voice, int from, int to);

/* For tests: which blocks of a window differ in their spectrum's shape from the window's usual one, and which are more
 * than digital silence: [frames / WH_VOICE_BLOCK], 0 or 1. Returns how many differ: none in silence, hum, hiss and noise,
 * however it swells. */
int wh_voice_activity(const float *window, int64_t frames, int n_mels, unsigned char *active, unsigned char *sounds);

#endif
