/* gemm.c - what is the same at every level: the layouts of quantized rows (see gemm.h). */
#include "cpu/gemm_levels.h"

#include <string.h>

/* rows (of `room`) of k bytes to [k / 4][room][4]; what is missing at the ends is zero. */
static inline void interleave(const int8_t *q, size_t rows, size_t room, size_t k, uint8_t flip, int8_t *out)
{
    const uint32_t flips = flip * 0x01010101u;
    size_t whole = k / 4, rest = k % 4;
    if (rows < room)
        memset(out, 0, wh_i8_steps(k) * room * 4);
    for (size_t r = 0; r < rows; r++, q += k) {
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

void wh_i8_group(const int8_t *q, int rows, size_t k, uint8_t flip, int8_t *group)
{
    interleave(q, (size_t)rows, (size_t)rows, k, flip, group);
}

void wh_i8_panel(const int8_t *q, int rows, size_t k, int8_t *panel, int32_t *w_sum)
{
    interleave(q, (size_t)rows, WH_PANEL, k, 0, panel);
    for (int j = 0; j < WH_PANEL; j++) {
        int32_t sum = 0;
        for (size_t i = 0; j < rows && i < k; i++)
            sum += q[(size_t)j * k + i];
        w_sum[j] = sum;
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
    case WH_CPU_AVX512VNNI: return wh_gemm_avx512vnni();
    default: return NULL;
    }
}
