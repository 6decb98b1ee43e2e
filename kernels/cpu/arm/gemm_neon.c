/* gemm_neon.c - float32 products with NEON, integer tiles with smull and smlal, which any 64-bit ARM has.
 *
 * smull multiplies eight pairs of bytes to 16 bits, smlal adds eight more products: 2 * 127 * 127 fits. sadalp then adds
 * neighbours to four sums of 32 bits: three instructions for sixteen products. A step's sixteen bytes are four columns of four
 * k, so that the two products that meet in 16 bits are one column's of two steps, and a register holds two sums of two
 * columns, which are added at the end. */
#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON)
#include <arm_neon.h>
#include <string.h>

/* ---- float32: blocks of 6 x 4 outputs, each with four of its sixteen partial sums at a time ---- */

#define BLOCK_X 6
#define BLOCK_W 4
#define LANES 4
typedef float32x4_t lanes;

WH_INLINE lanes load_lanes(const float *x)
{
    return vld1q_f32(x);
}

WH_INLINE void store_lanes(float *x, lanes v)
{
    vst1q_f32(x, v);
}

/* The n < 16 first floats, at most four, zeros behind them; none for n <= 0. */
WH_INLINE lanes load_some(const float *x, int n)
{
    float four[LANES] = {0};
    for (int i = 0; i < LANES && i < n; i++)
        four[i] = x[i];
    return vld1q_f32(four);
}

WH_INLINE lanes fma_lanes(lanes a, lanes b, lanes c)
{
    return vfmaq_f32(c, a, b);
}

/* The sixteen lanes of n sums added up, each in the order of kernels->rows. */
WH_INLINE void add_up(const float *sum, size_t n, float *out)
{
    for (size_t j = 0; j < n; j++, sum += 16) {
        lanes a = vaddq_f32(vaddq_f32(vld1q_f32(sum), vld1q_f32(sum + 8)),
                            vaddq_f32(vld1q_f32(sum + 4), vld1q_f32(sum + 12)));
        float32x2_t two = vadd_f32(vget_low_f32(a), vget_high_f32(a));
        out[j] = vget_lane_f32(vpadd_f32(two, two), 0);
    }
}

#include "cpu/gemm_f32.h"

void wh_f32_neon(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                 size_t ldy, int add)
{
    f32(x, ldx, m, w, ldw, n, k, y, ldy, add);
}

/* ---- int8 ---- */

static uint32_t largest_bits(const float *x, size_t k)
{
    const uint32x4_t positive = vdupq_n_u32(0x7fffffff);
    uint32x4_t most[2] = {vdupq_n_u32(0), vdupq_n_u32(0)};
    size_t i = 0;
    for (; i + 8 <= k; i += 8)
        for (int j = 0; j < 2; j++)
            most[j] = vmaxq_u32(most[j], vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i + 4 * j)), positive));
    for (; i < k; i += 4)
        most[0] = vmaxq_u32(most[0],
                            vandq_u32(vreinterpretq_u32_f32(load_some(x + i, (int)(k - i < 4 ? k - i : 4))), positive));
    return vmaxvq_u32(vmaxq_u32(most[0], most[1]));
}

/* Eight floats to bytes; `lost`: what rounding took, times 254. */
WH_INLINE int8x8_t round_eight(const float *x, float32x4_t factor, int8x8_t *lost)
{
    int16x4_t half[2], rest[2];
    for (int j = 0; j < 2; j++) {
        float32x4_t exact = vmulq_f32(vld1q_f32(x + 4 * j), factor);
        int32x4_t whole = vcvtnq_s32_f32(exact);
        half[j] = vmovn_s32(whole);
        if (lost)
            rest[j] = vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vsubq_f32(exact, vcvtq_f32_s32(whole)), 254.0f)));
    }
    if (lost)
        *lost = vmovn_s16(vcombine_s16(rest[0], rest[1]));
    return vmovn_s16(vcombine_s16(half[0], half[1]));
}

void wh_i8_quantize_neon(const float *x, size_t k, int8_t *q, int8_t *rest, float *scale)
{
    uint32_t bits = largest_bits(x, k);
    float largest, inverse;
    memcpy(&largest, &bits, sizeof largest);
    if (!wh_i8_scale(bits, largest, scale, &inverse)) {
        memset(q, 0, k);
        if (rest)
            memset(rest, 0, k);
        return;
    }
    const float32x4_t factor = vdupq_n_f32(inverse);
    size_t i = 0;
    for (; i + 8 <= k; i += 8) {
        int8x8_t lost, whole = round_eight(x + i, factor, rest ? &lost : NULL);
        vst1_s8(q + i, whole);
        if (rest)
            vst1_s8(rest + i, lost);
    }
    if (i < k) {
        float last[8] = {0};
        int8_t bytes[2][8];
        int8x8_t lost;
        memcpy(last, x + i, (k - i) * sizeof *x);
        vst1_s8(bytes[0], round_eight(last, factor, &lost));
        vst1_s8(bytes[1], lost);
        memcpy(q + i, bytes[0], k - i);
        if (rest)
            memcpy(rest + i, bytes[1], k - i);
    }
}

#include "cpu/arm/store_neon.h"

WH_INLINE int8x16_t spread_four(const int8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

#include "cpu/arm/each.h"

/* Four columns of two steps times a row of both. */
WH_INLINE void add_products(int32x4_t *left, int32x4_t *right, int8x16_t x0, int8x16_t x1, int8x16_t w0, int8x16_t w1)
{
    int16x8_t low = vmull_s8(vget_low_s8(x0), vget_low_s8(w0)), high = vmull_high_s8(x0, w0);
    low = vmlal_s8(low, vget_low_s8(x1), vget_low_s8(w1));
    high = vmlal_high_s8(high, x1, w1);
    *left = vpadalq_s16(*left, low);
    *right = vpadalq_s16(*right, high);
}

/* R rows from the first of x, in a group of `rows`, C times four columns. */
WH_INLINE void block(const int R, const int C, const int8_t *x, int rows, const int8_t *w, size_t steps,
                     const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    int32x4_t left[8][4], right[8][4]; /* [four columns][row], of which C R are used: the first two columns, the last */
#define DO_ROW(r) left[c][r] = right[c][r] = vdupq_n_s32(0);
#define DO_COLUMN(n)                                                                                                   \
    {                                                                                                                  \
        enum { c = n };                                                                                                \
        EACH_OF_FOUR(DO_ROW)                                                                                           \
    }
    EACH_COLUMN(DO_COLUMN)
#undef DO_ROW
#undef DO_COLUMN
    for (size_t i = 0; i < steps; i += 2, x += 8 * rows, w += 8 * WH_PANEL) {
        fetch_ahead(&ahead, lines);
        fetch_ahead(&ahead, lines);
        if (R == 1) {
            int8x16_t x0 = spread_four(x), x1 = spread_four(x + 4 * rows);
#define DO_COLUMN(n)                                                                                                   \
    if ((n) < C)                                                                                                       \
        add_products(&left[n][0], &right[n][0], x0, x1, vld1q_s8(w + 16 * (n)), vld1q_s8(w + 4 * WH_PANEL + 16 * (n)));
            EACH_COLUMN(DO_COLUMN)
#undef DO_COLUMN
        } else {
#define DO_COLUMN(n)                                                                                                   \
    if ((n) < C)                                                                                                       \
        add_products(&left[n][r], &right[n][r], x0, x1, vld1q_s8(w + 16 * (n)), vld1q_s8(w + 4 * WH_PANEL + 16 * (n)));
#define DO_ROW(n)                                                                                                      \
    if ((n) < R) {                                                                                                     \
        enum { r = n };                                                                                                \
        int8x16_t x0 = spread_four(x + 4 * r), x1 = spread_four(x + 4 * rows + 4 * r);                                 \
        EACH_COLUMN(DO_COLUMN)                                                                                         \
    }
            EACH_OF_FOUR(DO_ROW)
#undef DO_ROW
#undef DO_COLUMN
        }
    }
#define DO_ROW(r)                                                                                                      \
    if ((r) < R)                                                                                                       \
        store_four(vpaddq_s32(left[c][r], right[c][r]), x_scale[r], w_scale + 4 * c, out + (r)*WH_PANEL + 4 * c);
#define DO_COLUMN(n)                                                                                                   \
    if ((n) < C) {                                                                                                     \
        enum { c = n };                                                                                                \
        EACH_OF_FOUR(DO_ROW)                                                                                           \
    }
    EACH_COLUMN(DO_COLUMN)
#undef DO_ROW
#undef DO_COLUMN
}

/* R rows, all columns, C times four at a time. */
#define NEON_ROWS(R, C)                                                                                                \
    for (int c = 0; c < WH_PANEL; c += 4 * (C), lines = 0)                                                             \
        block(R, C, xr, rows, w + 4 * c, steps, scale, w_scale + c, ahead, lines, to + c);

static void tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum, const float *x_scale,
                 const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    (void)w_sum;
    for (int first = 0; first < rows; first += 4) {
        const int8_t *xr = x + 4 * first;
        const float *scale = x_scale + first;
        float *to = out + first * WH_PANEL;
        switch (rows - first) {
        case 1: NEON_ROWS(1, 8) break;
        case 2: NEON_ROWS(2, 4) break;
        case 3: NEON_ROWS(3, 2) break;
        default: NEON_ROWS(4, 2) break;
        }
    }
}

/* ---- bfloat16: its floats are its bits and sixteen zeros ---- */

typedef uint32x4_t pairs;

WH_INLINE pairs load_pairs(const int8_t *p)
{
    return vreinterpretq_u32_s8(vld1q_s8(p));
}

WH_INLINE pairs spread_pair(const int8_t *p)
{
    uint32_t pair;
    memcpy(&pair, p, sizeof pair);
    return vdupq_n_u32(pair);
}

WH_INLINE lanes even_floats(pairs two)
{
    return vreinterpretq_f32_u32(vshlq_n_u32(two, 16));
}

WH_INLINE lanes odd_floats(pairs two)
{
    return vreinterpretq_f32_u32(vandq_u32(two, vdupq_n_u32(0xffff0000)));
}

#include "cpu/gemm_bf16.h"

#define BF16_ROWS 6

void wh_bf16_tile_neon(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                       float *out)
{
    for (int first = 0; first < rows; first += BF16_ROWS)
        for (int c = 0; c < WH_PANEL; c += 2 * LANES) {
            const int8_t *xr = x + 4 * first, *wc = w + 4 * c;
            float *to = out + first * WH_PANEL + c;
            if (first || c) /* once is enough */
                lines = 0;
            switch (rows - first) {
            case 1: bf16_block(1, xr, rows, wc, steps, ahead, lines, to); break;
            case 2: bf16_block(2, xr, rows, wc, steps, ahead, lines, to); break;
            case 3: bf16_block(3, xr, rows, wc, steps, ahead, lines, to); break;
            case 4: bf16_block(4, xr, rows, wc, steps, ahead, lines, to); break;
            case 5: bf16_block(5, xr, rows, wc, steps, ahead, lines, to); break;
            default: bf16_block(BF16_ROWS, xr, rows, wc, steps, ahead, lines, to); break;
            }
        }
}

#define STORE_LANES 4
#include "cpu/gemm_store.h"

static const wh_gemm table = {.rows = WH_GROUP,
                              .f32 = wh_f32_neon,
                              .quantize = wh_i8_quantize_neon,
                              .group = wh_group_steps,
                              .group_bf16 = wh_group_steps,
                              .tile = tile,
                              .tile_bf16 = wh_bf16_tile_neon,
                              .store = store};

const wh_gemm *wh_gemm_neon(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_neon(void)
{
    return NULL;
}
#endif
