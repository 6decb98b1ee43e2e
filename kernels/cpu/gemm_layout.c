/* gemm_layout.c - what is the same at every level: the layouts of quantized rows (see gemm.h). */
#include "cpu/gemm_parts.h"

#include <string.h>

/* rows (of `room`) of `bytes` bytes, `stride` apart, to [bytes / 4][room][4]; what is missing at the ends is zero. */
static inline void interleave(const int8_t *q, size_t stride, size_t rows, size_t room, size_t bytes, uint8_t flip,
                              int8_t *out)
{
    const uint32_t flips = flip * 0x01010101u;
    size_t whole = bytes / 4, rest = bytes % 4, steps = wh_steps(bytes);
    if (rows < room)
        memset(out, 0, steps * room * 4);
    else
        memset(out + whole * room * 4, 0, (steps - whole) * room * 4);
    for (size_t r = 0; r < rows; r++, q += stride) {
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
    interleave(q, bytes, (size_t)rows, (size_t)rows, bytes, 0, group);
}

void wh_group_unsigned(const int8_t *q, int rows, size_t bytes, int8_t *group)
{
    interleave(q, bytes, (size_t)rows, (size_t)rows, bytes, 0x80, group);
}

void wh_group_tiles(const int8_t *q, int rows, size_t bytes, int8_t *group)
{
    const int room = rows > 16 ? 32 : 16;
    for (size_t i = 0; i < bytes; i += 64)
        for (int r = 0; r < room; r++, group += 64) {
            size_t n = r >= rows ? 0 : bytes - i < 64 ? bytes - i : 64;
            if (n == 64) {
                memcpy(group, q + (size_t)r * bytes + i, 64);
                continue;
            }
            memset(group, 0, 64);
            if (n)
                memcpy(group, q + (size_t)r * bytes + i, n);
        }
}

/* ---- panels: all of a model's weights pass here while it is opened ---- */

typedef uint32_t four __attribute__((vector_size(16)));

/* 64 bytes of each of four rows to 16 steps of theirs, and to `sum` each row's bytes with their signs flipped, x + 128. */
static inline void turn_four(const int8_t *q, size_t stride, int8_t *panel, four *sum)
{
    four halves = {0}; /* two sums of 16 bits: 32 bytes have at most 8,160 */
    for (size_t i = 0; i < 64; i += 16, panel += 4 * WH_PANEL * 4) {
        four a, b, c, d;
        memcpy(&a, q + i, 16);
        memcpy(&b, q + stride + i, 16);
        memcpy(&c, q + 2 * stride + i, 16);
        memcpy(&d, q + 3 * stride + i, 16);
        four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
        four ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7), cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
        const four steps[4] = {__builtin_shufflevector(ab, cd, 0, 1, 4, 5), __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
                               __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5),
                               __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7)};
        for (size_t s = 0; s < 4; s++) {
            four flipped = steps[s] ^ 0x80808080;
            memcpy(panel + s * WH_PANEL * 4, &steps[s], 16);
            halves += (flipped & 0x00ff00ff) + (flipped >> 8 & 0x00ff00ff);
        }
    }
    *sum += (halves & 0xffff) + (halves >> 16);
}

/* The first `bytes` bytes, a multiple of 64, of a whole panel's rows. */
static void turn(const int8_t *q, size_t stride, size_t bytes, int8_t *panel, int32_t *w_sum)
{
    four sums[WH_PANEL / 4] = {{0}};
    for (size_t i = 0; i < bytes; i += 64)
        for (size_t r = 0; r < WH_PANEL; r += 4)
            turn_four(q + r * stride + i, stride, panel + i * WH_PANEL + r * 4, &sums[r / 4]);
    for (size_t r = 0; w_sum && r < WH_PANEL; r++)
        w_sum[r] = (int32_t)(sums[r / 4][r % 4] - 128 * (uint32_t)bytes);
}

void wh_panel(const int8_t *q, int rows, size_t bytes, int8_t *panel, int32_t *w_sum)
{
    size_t whole = rows == WH_PANEL ? bytes / 64 * 64 : 0;
    turn(q, bytes, whole, panel, w_sum);
    if (whole == bytes)
        return;
    interleave(q + whole, bytes, (size_t)rows, WH_PANEL, bytes - whole, 0, panel + whole * WH_PANEL);
    for (int j = 0; w_sum && j < rows; j++)
        for (size_t i = whole; i < bytes; i++)
            w_sum[j] += q[(size_t)j * bytes + i];
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
