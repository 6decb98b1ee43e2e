/* gemm_parts.h - what the gemm_....c of all levels share. */
#ifndef WH_GEMM_PARTS_H
#define WH_GEMM_PARTS_H

#include "cpu/gemm.h"

/* Groups of x: [steps][rows][4], the same with each byte's sign flipped, x + 128, and [bytes / 64][16 or 32][64]. */
void wh_group_steps(const int8_t *q, int rows, size_t bytes, int8_t *group);
void wh_group_unsigned(const int8_t *q, int rows, size_t bytes, int8_t *group);
void wh_group_tiles(const int8_t *q, int rows, size_t bytes, int8_t *group);

#define WH_INLINE static inline __attribute__((always_inline))

/* A step's share of what will be wanted soon. */
WH_INLINE void fetch_ahead(const int8_t **ahead, int lines)
{
    if (!lines)
        return;
    __builtin_prefetch(*ahead, 0, 2);
    if (lines > 1)
        __builtin_prefetch(*ahead + 64, 0, 2);
    *ahead += 64 * lines;
}

/* A row's scale and the factor to its integers, from its largest magnitude and that one's bits; 0: all are zeros. */
static inline int wh_i8_scale(uint32_t bits, float largest, float *scale, float *inverse)
{
    *scale = 0;
    if (bits >= 0x7f800000) {
        const uint32_t nan = 0x7fc00000;
        __builtin_memcpy(scale, &nan, sizeof nan);
        return 0;
    }
    if (largest < 1e-30f)
        return 0;
    *scale = largest / 127.0f;
    *inverse = 127.0f / largest;
    return 1;
}

/* Calls FN(R, ...) with the number of rows as a constant, so that the compiler keeps each sum in a register. */
#define WH_EACH_ROWS(rows, FN, ...)                                                                                    \
    switch (rows) {                                                                                                    \
    case 1: FN(1, __VA_ARGS__); break;                                                                                 \
    case 2: FN(2, __VA_ARGS__); break;                                                                                 \
    case 3: FN(3, __VA_ARGS__); break;                                                                                 \
    case 4: FN(4, __VA_ARGS__); break;                                                                                 \
    case 5: FN(5, __VA_ARGS__); break;                                                                                 \
    case 6: FN(6, __VA_ARGS__); break;                                                                                 \
    case 7: FN(7, __VA_ARGS__); break;                                                                                 \
    case 8: FN(8, __VA_ARGS__); break;                                                                                 \
    case 9: FN(9, __VA_ARGS__); break;                                                                                 \
    case 10: FN(10, __VA_ARGS__); break;                                                                               \
    case 11: FN(11, __VA_ARGS__); break;                                                                               \
    default: FN(12, __VA_ARGS__); break;                                                                               \
    }

#endif
