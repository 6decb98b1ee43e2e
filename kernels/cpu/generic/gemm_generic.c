/* gemm_generic.c - the matrix products in plain C for any CPU: the definition of the others (see gemm.h). */
#include <string.h>

#include "cpu/gemm_parts.h"
#include "cpu/generic/generic.h"

/* Blocks of x that stay in the cache while w passes. */
static void f32(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                size_t ldy, int add)
{
    const size_t block = 32;
    for (size_t r = 0; r < m; r += block)
        wh_kernels_generic()->rows[WH_ROWS_F32](x + r * ldx, ldx, (int)(m - r < block ? m - r : block), w,
                                                ldw * sizeof *w, n, k, y + r * ldy, ldy, add);
}

static uint32_t magnitude(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffff;
}

/* Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
static int8_t round_to_byte(float x, float *rounded)
{
    float shifted = x + 0x1.8p23f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    *rounded = shifted - 0x1.8p23f;
    return (int8_t)(bits & 0xff);
}

static void quantize(const float *x, size_t k, int8_t *q, int8_t *rest, float *scale)
{
    uint32_t most = 0;
    for (size_t i = 0; i < k; i++) {
        uint32_t m = magnitude(x[i]);
        most = m > most ? m : most;
    }
    float largest, inverse;
    memcpy(&largest, &most, sizeof largest);
    if (!wh_i8_scale(most, largest, scale, &inverse)) {
        memset(q, 0, k);
        if (rest)
            memset(rest, 0, k);
        return;
    }
    for (size_t i = 0; i < k; i++) {
        float exact = x[i] * inverse, rounded;
        q[i] = round_to_byte(exact, &rounded);
        if (rest)
            rest[i] = round_to_byte((exact - rounded) * 254.0f, &rounded);
    }
}

static void tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum, const float *x_scale,
                 const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    (void)w_sum;
    (void)ahead;
    (void)lines;
    for (int r = 0; r < rows; r++) {
        int32_t sum[WH_PANEL] = {0};
        for (size_t i = 0; i < steps; i++) {
            const int8_t *a = x + (i * (size_t)rows + (size_t)r) * 4, *b = w + i * WH_PANEL * 4;
            for (int j = 0; j < WH_PANEL; j++)
                sum[j] += a[0] * b[4 * j] + a[1] * b[4 * j + 1] + a[2] * b[4 * j + 2] + a[3] * b[4 * j + 3];
        }
        for (int j = 0; j < WH_PANEL; j++)
            out[r * WH_PANEL + j] = (float)sum[j] * (x_scale[r] * w_scale[j]);
    }
}

/* Even k, then odd k, of each step. */
static void tile_bf16(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                      float *out)
{
    (void)ahead;
    (void)lines;
    for (int r = 0; r < rows; r++) {
        float sum[WH_PANEL] = {0};
        for (size_t i = 0; i < steps; i++) {
            uint16_t a[2], b[2 * WH_PANEL];
            memcpy(a, x + (i * (size_t)rows + (size_t)r) * 4, sizeof a);
            memcpy(b, w + i * WH_PANEL * 4, sizeof b);
            float even = wh_bf16_float(a[0]), odd = wh_bf16_float(a[1]);
            for (int j = 0; j < WH_PANEL; j++) {
                sum[j] += even * wh_bf16_float(b[2 * j]);
                sum[j] += odd * wh_bf16_float(b[2 * j + 1]);
            }
        }
        memcpy(out + r * WH_PANEL, sum, sizeof sum);
    }
}

#define STORE_LANES 4
#include "cpu/gemm_store.h"

const wh_gemm *wh_gemm_generic(void)
{
    static const wh_gemm table = {.rows = WH_GROUP,
                                  .f32 = f32,
                                  .quantize = quantize,
                                  .group = wh_group_steps,
                                  .group_bf16 = wh_group_steps,
                                  .tile = tile,
                                  .tile_bf16 = tile_bf16,
                                  .store = store};
    return &table;
}
