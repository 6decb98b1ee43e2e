/* gemm_layout.c - what is the same at every level: the layouts of quantized rows (see gemm.h). */
#include "cpu/gemm_parts.h"

#include <string.h>

/* rows (of `room`) of `bytes` bytes to [bytes / 4][room][4]; what is missing at the ends is zero. */
static inline void interleave(const int8_t *q, size_t rows, size_t room, size_t bytes, uint8_t flip, int8_t *out)
{
    const uint32_t flips = flip * 0x01010101u;
    size_t whole = bytes / 4, rest = bytes % 4, steps = wh_steps(bytes);
    if (rows < room)
        memset(out, 0, steps * room * 4);
    else
        memset(out + whole * room * 4, 0, (steps - whole) * room * 4);
    for (size_t r = 0; r < rows; r++, q += bytes) {
        uint32_t four;
        for (size_t i = 0; i < whole; i++) {
            memcpy(&four, q + 4 * i, 4);
            four ^= flips;
            memcpy(out + (i * room + r) * 4, &four, 4);
        }
        if (rest) {
            four = 0;
            memcpy(&four, q + 4 * whole, rest);
            four ^= flips;
            memcpy(out + (whole * room + r) * 4, &four, 4);
        }
    }
}

void wh_group_steps(const int8_t *q, int rows, size_t bytes, int8_t *group)
{
    interleave(q, (size_t)rows, (size_t)rows, bytes, 0, group);
}

void wh_group_unsigned(const int8_t *q, int rows, size_t bytes, int8_t *group)
{
    interleave(q, (size_t)rows, (size_t)rows, bytes, 0x80, group);
}

void wh_group_rows(const int8_t *q, int rows, size_t bytes, int8_t *group)
{
    for (size_t i = 0; i < bytes; i += 64)
        for (int r = 0; r < rows; r++, group += 64) {
            size_t n = bytes - i < 64 ? bytes - i : 64;
            memcpy(group, q + (size_t)r * bytes + i, n);
            memset(group + n, 0, 64 - n);
        }
}

void wh_panel(const int8_t *q, int rows, size_t bytes, int8_t *panel, int32_t *w_sum)
{
    interleave(q, (size_t)rows, WH_PANEL, bytes, 0, panel);
    for (int j = 0; w_sum && j < WH_PANEL; j++) {
        int32_t sum = 0;
        for (size_t i = 0; j < rows && i < bytes; i++)
            sum += q[(size_t)j * bytes + i];
        w_sum[j] = sum;
    }
}

void wh_bf16_round(const float *x, size_t k, uint16_t *q)
{
    for (size_t i = 0; i < k; i++) {
        uint32_t bits, is_nan;
        memcpy(&bits, x + i, sizeof bits);
        is_nan = (bits & 0x7fffffff) > 0x7f800000;
        q[i] = (uint16_t)(is_nan ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
}
