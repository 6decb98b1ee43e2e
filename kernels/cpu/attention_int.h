/* attention_int.h - the parts of a packed head and what its integers range over; shared by attention_....c. */
#ifndef WH_ATTENTION_INT_H
#define WH_ATTENTION_INT_H

#include "cpu/attention.h"

#define WH_INT_KEYS 128       /* keys of a block, a multiple of every tile */
#define WH_P_BITS 7.99435344f /* a probability of 1 is 255 = 2^this */
#define WH_V_MOST 127         /* a channel's largest value */

typedef struct int_packed {
    int8_t *k;               /* [n / tile][steps][tile][4], zeros where there is no key or channel; */
                             /* AMX: [n / 16][d_head / 64][16][64] */
    int8_t *v;               /* [n / 4][d_head][4], zeros likewise; AMX: [n / 64][d_head / 16][16][64] */
    int32_t *start;          /* [n rounded up]: -128 times the sum of a key's integers */
    float *k_scale;          /* [n rounded up] */
    float *v_scale, *v_mean; /* [d_head] */
    float *work;             /* [2 d_head] while packing */
} int_packed;

static inline size_t int_steps(size_t d_head)
{
    return (d_head + 3) / 4;
}

/* What a level sets aside at most: keys and channels of whole tiles. */
static inline size_t int_room_steps(size_t d_head)
{
    return (d_head + 63) / 64 * 16;
}

static inline size_t int_room_channels(size_t d_head)
{
    return (d_head + 15) / 16 * 16;
}

static inline size_t int_keys(size_t n)
{
    return (n + 63) / 64 * 64;
}

static inline int_packed int_parts(void *packed, size_t n, size_t d_head)
{
    size_t keys = int_keys(n);
    int_packed p = {.k = packed};
    p.v = p.k + keys * int_room_steps(d_head) * 4;
    p.start = (int32_t *)(p.v + keys * int_room_channels(d_head));
    p.k_scale = (float *)(p.start + keys);
    p.v_scale = p.k_scale + keys;
    p.v_mean = p.v_scale + d_head;
    p.work = p.v_mean + d_head;
    return p;
}

#endif
