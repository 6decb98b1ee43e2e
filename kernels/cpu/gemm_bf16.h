/* gemm_bf16.h - tiles of bfloat16 by fused multiply-add, the text of gemm_avx2.c and gemm_avx512.c, which define their
 * vectors (lanes, LANES, store_lanes, fma_lanes) and, for those of bits, load_pairs, spread_pair, even_floats and
 * odd_floats: a bfloat16's float is its bits and sixteen zeros. Two of them are a step's four bytes; the even one is
 * added first, then the odd one. */

/* R rows of a group of `rows`, 2 * LANES columns. */
WH_INLINE void bf16_block(const int R, const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead,
                          int lines, float *out)
{
    lanes sum[WH_GROUP][2];
    for (int r = 0; r < R; r++)
        sum[r][0] = sum[r][1] = (lanes){0};
    for (size_t i = 0; i < steps; i++, x += 4 * rows, w += 4 * WH_PANEL) {
        pairs w0 = load_pairs(w), w1 = load_pairs(w + 4 * LANES);
        lanes even0 = even_floats(w0), even1 = even_floats(w1), odd0 = odd_floats(w0), odd1 = odd_floats(w1);
        fetch_ahead(&ahead, lines);
        for (int r = 0; r < R; r++) {
            pairs both = spread_pair(x + 4 * r);
            lanes even = even_floats(both), odd = odd_floats(both);
            sum[r][0] = fma_lanes(odd, odd0, fma_lanes(even, even0, sum[r][0]));
            sum[r][1] = fma_lanes(odd, odd1, fma_lanes(even, even1, sum[r][1]));
        }
    }
    for (int r = 0; r < R; r++)
        for (int c = 0; c < 2; c++)
            store_lanes(out + r * WH_PANEL + LANES * c, sum[r][c]);
}
