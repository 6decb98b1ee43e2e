/* gemm.c - what is the same at every level: the layouts of quantized rows (see gemm.h). */
#include "cpu/gemm_levels.h"

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

const wh_gemm *wh_gemm_get(wh_cpu_level level)
{
    if (!wh_kernels_get(level))
        return NULL;
    switch (level) {
    case WH_CPU_GENERIC: return wh_gemm_generic();
    case WH_CPU_AVX2: return wh_gemm_avx2();
    case WH_CPU_AVXVNNI: return wh_gemm_avxvnni();
    case WH_CPU_AVX512: return wh_gemm_avx512();
    case WH_CPU_AVX512VNNI:
        return wh_cpu_has_bf16() && wh_gemm_avx512bf16() ? wh_gemm_avx512bf16() : wh_gemm_avx512vnni();
    case WH_CPU_AMX: return wh_gemm_amx();
    default: return NULL;
    }
}

int wh_gemm_works(const wh_gemm *gemm)
{
    enum { ROWS = 7, BYTES = 200 }; /* three pieces of 64 and some: two and one, and zeros behind */
    const wh_gemm *define = wh_gemm_generic();
    uint16_t halves[WH_PANEL * BYTES / 2];
    int8_t *q = (int8_t *)halves, x[2][ROWS * 256], w[WH_PANEL * 256];
    int32_t w_sum[WH_PANEL];
    float scale[WH_PANEL], tile[2][ROWS * WH_PANEL], y[WH_PANEL * BYTES / 2];
    uint32_t state = 1;
    for (int j = 0; j < WH_PANEL; j++)
        scale[j] = 0.5f + (float)j;
    for (size_t i = 0; i < sizeof halves; i++)
        q[i] = (int8_t)((int)((state = state * 1664525 + 1013904223) >> 24) % 255 - 127);
    wh_panel(q, WH_PANEL, BYTES, w, w_sum);
    gemm->group(q, ROWS, BYTES, x[0]);
    define->group(q, ROWS, BYTES, x[1]);
    gemm->tile(x[0], ROWS, w, wh_steps(BYTES), w_sum, scale, scale, NULL, 0, tile[0]);
    define->tile(x[1], ROWS, w, wh_steps(BYTES), w_sum, scale, scale, NULL, 0, tile[1]);
    if (memcmp(tile[0], tile[1], sizeof tile[0]))
        return 0;
    for (size_t i = 0; i < WH_PANEL * BYTES / 2; i++)
        y[i] = (float)q[i] * 0.01f;
    wh_bf16_round(y, WH_PANEL * BYTES / 2, halves);
    wh_panel(q, WH_PANEL, BYTES, w, NULL);
    gemm->group_bf16(q, ROWS, BYTES, x[0]);
    define->group_bf16(q, ROWS, BYTES, x[1]);
    gemm->tile_bf16(x[0], ROWS, w, wh_steps(BYTES), NULL, 0, tile[0]);
    define->tile_bf16(x[1], ROWS, w, wh_steps(BYTES), NULL, 0, tile[1]);
    for (int i = 0; i < ROWS * WH_PANEL; i++)
        if (!(tile[0][i] - tile[1][i] < 1e-3f && tile[1][i] - tile[0][i] < 1e-3f))
            return 0;
    return 1;
}
