/* block.h - blocks of the encoder's rows, each through all products that need no other rows. Under encode.c, where
 * wh_cpu_in_blocks() (packed.h). */
#ifndef WH_CPU_BLOCK_H
#define WH_CPU_BLOCK_H

#include "backend/cpu/state.h"

/* Between two attentions: the end of one layer, and the begin of the next. */
typedef struct wh_between {
    const wh_block *before; /* whose attention has been: its projection and MLP; NULL: none has */
    const wh_block *next;   /* whose Q, K and V follow; NULL: the last layer norm, into audio_h */
    const float *heads;     /* [n][d]: the attention's output; may be where k will be */
    float *q, *k, *v;       /* a head's rows ld apart, heads head_stride: [n][d], or [head][n][d_head] */
    size_t ld, head_stride;
    int n;
} wh_between;

void wh_cpu_between(wh_backend *backend, const wh_between *between);

/* Each decoder layer's K and V of audio_h, into a window's store. */
void wh_cpu_block_cross(wh_backend *backend, const wh_kv_store *cross);

/* Floats that a task needs. */
size_t wh_cpu_block_scratch(const wh_backend *backend);

#endif
