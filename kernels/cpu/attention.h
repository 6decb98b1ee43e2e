/* attention.h - attention of many queries in small integers, for the fast compute types. Knows nothing of Whisper.
 *
 * The way of wh_kernels.attend (attention_body.h) with both products in integers: queries and keys as int8 with a scale
 * for each, probabilities as bytes and values as int8 with a scale for each channel. A query's sum of probabilities is
 * that before rounding: what is rounded away counts as the mean of all values. What the softmax does
 * not see is taken away before rounding: the mean of all keys changes every score of a query alike, and the mean of all
 * values passes through a weighted mean unchanged (as SageAttention does with keys: Zhang et al., 2024). */
#ifndef WH_ATTENTION_H
#define WH_ATTENTION_H

#include "cpu/kernels.h"

typedef struct wh_attention_int {
    /* Keys and values of one head, [n][d_head], rows ld floats apart, as attend wants them; out:
     * wh_attend_int_size(n, d_head) bytes at a multiple of 64. */
    void (*pack)(const float *k, const float *v, size_t ld, int n, int d_head, void *out);
    /* As wh_kernels.attend; scratch: wh_attend_int_scratch(d_head) floats. */
    void (*attend)(const float *q, size_t ldq, int rows, const void *packed, int n, int d_head, const float *log_counts,
                   float *out, size_t ldo, float *scratch);
} wh_attention_int;

size_t wh_attend_int_size(size_t n, size_t d_head);
size_t wh_attend_int_scratch(size_t d_head);

#endif
