/* kept.h - which of a window's positions the encoder computes: all that hold sound, and of the padding behind it ever
 * fewer, each of which counts for those it stands for (docs/short-sound.md). Between cpu.c, which keeps what was kept with a
 * window's K/V, and encode.c and decode.c, which compute with it. */
#ifndef WH_CPU_KEPT_H
#define WH_CPU_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"

typedef struct wh_kept {
    int n;             /* positions that are kept */
    int32_t *position; /* [n], ascending */
    int32_t *kept_by;  /* [ctx]: which of the n stands for this one */
    float *log_counts; /* [n]: log2 of how many each stands for; rows of padding begin at n_plain */
    int n_plain;       /* the first ones stand for themselves only */
} wh_kept;

/* Frames of a window, [2 * ctx][bands], up to the last that is not all zeros, as padding is. */
int wh_kept_frames(const float *mel, int ctx, int bands);

/* Whether there is anything to leave out of such a window. */
int wh_kept_leaves_out(int frames, int ctx);

/* Of a window with so many frames of sound; as `how` says. The arrays have room for ctx. */
void wh_kept_choose(wh_kept *kept, int frames, int ctx, enum wh_hearing how);

#endif
