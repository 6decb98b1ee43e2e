/* heard.h - what the diarizer keeps of a recording, and what is made of it at the end. Inside lib/speakers only.
 *
 * A frame takes a byte, a stretch of voice some 200 bytes: ten hours take 10 MB. */
#ifndef WH_HEARD_H
#define WH_HEARD_H

#include "speakers/speakers.h"

/* ---- frames: who of up to three speaks, from overlapping windows of 10 s ---- */

/* From window to window, in frames: two windows hear each frame but 5, and all of them begin where a frame does. It is a
 * multiple of what segmentation shares between windows, too. */
#define WH_WINDOW_STEP 297
#define WH_WINDOW_OVERLAP (WH_SEGMENT_FRAMES - WH_WINDOW_STEP)
#define WH_SLOTS 3

/* The middle of frame i is at sample 270 i + 495; it stands for the 270 samples around it. */
#define WH_FRAME_START(frame) (WH_SEGMENT_STEP * (int64_t)(frame) + 360)

/* A stretch of the recording that was embedded. */
#define WH_STRETCH_SAMPLES 24000 /* 1.5 s */
#define WH_STRETCH_STEP 8000     /* places where a stretch may begin lie so far apart */
typedef struct wh_stretch {
    uint32_t at;                 /* it begins at sample at * WH_STRETCH_STEP */
    float seconds;               /* from this stretch to the next one: what it stands for */
    float inverse;               /* 1 / length of voice */
    float slots[WH_SLOTS];       /* share of its frames in which each slot speaks alone */
    int8_t voice[WH_VOICE_SIZE]; /* its embedding, scaled */
} wh_stretch;

typedef struct wh_heard {
    /* [n_frames] bit s: somebody speaks whom the segmentation calls s. Slots are those of the window whose middle is
     * nearest; a slot goes on as the same voice from one window to the next where both hear it */
    uint8_t *frames;
    size_t n_frames, frames_capacity;
    wh_stretch *stretches; /* [n] by their places */
    size_t n, capacity;
    /* The window before. */
    float (*active)[WH_SLOTS]; /* [589][3] the chance that each slot speaks */
    float *somebody, *both;    /* [589] that anybody does; that two do */
    size_t windows;
} wh_heard;

int wh_heard_init(wh_heard *heard);
void wh_heard_free(wh_heard *heard);

/* What Silero VAD says of the recording. */
typedef struct wh_heard_speech {
    const float *probabilities; /* [n] from the recording's start, 512 samples each; NULL: not asked */
    size_t n;
} wh_heard_speech;

/* The next window's log-probabilities [589][7]; WH_WINDOW_STEP more frames are known afterwards. */
int wh_heard_window(wh_heard *heard, const float *log_probabilities, wh_heard_speech speech);
/* The last window has been given: the frames at its end, `total` frames in all. */
int wh_heard_finish(wh_heard *heard, size_t total, wh_heard_speech speech);

/* The frames of samples start .. start + n - 1: *first and the one behind the last, as far as they are known. */
void wh_heard_range(const wh_heard *heard, int64_t start, int64_t n, size_t *first, size_t *end);
/* Share of those frames in which each slot speaks alone. */
void wh_heard_slots(const wh_heard *heard, int64_t start, int64_t n, float *slots);
/* The window whose slots a frame's are. */
size_t wh_heard_ruler(const wh_heard *heard, size_t frame);

/* ---- cluster.c: stretches to people ---- */

#define WH_PEOPLE_MOST 100

typedef struct wh_people {
    float *centroids; /* [n][192] of unit length */
    int n;
} wh_people;

/* How many people speak in the stretches, and the middle of each one's voice; least and most as in wh_diarizer_config.
 * None for n = 0. options: whose cancel callback is asked, or NULL. Free people->centroids. */
int wh_cluster(const wh_stretch *stretches, size_t n, int least, int most, const whisp_options *options,
               wh_people *people);

/* ---- stretch.c ---- */

/* Fill in voice and inverse. */
void wh_stretch_store(wh_stretch *stretch, const float *voice);
/* The cosine between a stretch and a centroid. */
float wh_stretch_score(const wh_stretch *stretch, const float *centroid);
/* The cosine between two stretches. */
float wh_stretch_cosine(const wh_stretch *a, const wh_stretch *b);
/* How clear the voices of a recording are, by its first two minutes: how alike a stretch and the one behind it are, mostly
 * one person's. 0.6 in clean sound, less in noise and far from the microphone; 0: there are too few to say. */
float wh_stretches_clear(const wh_stretch *stretches, size_t n);

/* ---- turns.c: frames and people to turns ---- */

/* out is zeroed; duration in seconds, which no turn exceeds. */
int wh_turns(const wh_heard *heard, const wh_people *people, double duration, wh_diarization *out);

#endif
