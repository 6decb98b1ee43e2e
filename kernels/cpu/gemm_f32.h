/* gemm_f32.h - float32 products of many rows, the text of gemm_avx2.c and gemm_avx512.c, which define the vectors
 * (LANES, lanes, load_lanes, load_some, fma_lanes), the block that fits their registers (BLOCK_X x BLOCK_W outputs) and
 * add_up, the end of a sum.
 *
 * An output's sum runs in sixteen lanes, k modulo 16, as kernels->rows has it. Both operands are read as they stand,
 * row by row: nothing is packed. k is cut into pieces short enough for the first-level cache to hold BLOCK_X rows of x
 * while the rows of w pass; between pieces the partial sums wait in memory, which changes no bit. */

#define PIECE 512 /* of k */
#define STRIP 32  /* weight rows that pass while the partial sums are kept */
#define PARTS (16 / LANES)

/* R rows of x, C rows of w, a piece of k; sum is [R][STRIP][16]. */
WH_INLINE void f32_block(const int R, const int C, const float *x, size_t ldx, const float *w, size_t ldw, size_t k,
                         float *sum, int first)
{
    for (int p = 0; p < PARTS; p++, x += LANES, w += LANES, sum += LANES) {
        lanes s[BLOCK_X][BLOCK_W];
        for (int r = 0; r < R; r++)
            for (int c = 0; c < C; c++)
                s[r][c] = first ? (lanes){0} : load_lanes(sum + (r * STRIP + c) * 16);
        size_t i = 0;
        for (; i + 16 <= k; i += 16) {
            lanes b[BLOCK_W];
            for (int c = 0; c < C; c++)
                b[c] = load_lanes(w + (size_t)c * ldw + i);
            for (int r = 0; r < R; r++) {
                lanes a = load_lanes(x + (size_t)r * ldx + i);
                for (int c = 0; c < C; c++)
                    s[r][c] = fma_lanes(a, b[c], s[r][c]);
            }
        }
        if (i < k) {
            int rest = (int)(k - i) - p * LANES;
            for (int r = 0; r < R; r++) {
                lanes a = load_some(x + (size_t)r * ldx + i, rest);
                for (int c = 0; c < C; c++)
                    s[r][c] = fma_lanes(a, load_some(w + (size_t)c * ldw + i, rest), s[r][c]);
            }
        }
        for (int r = 0; r < R; r++)
            for (int c = 0; c < C; c++)
                store_lanes(sum + (r * STRIP + c) * 16, s[r][c]);
    }
}

/* R rows against a strip of n weight rows and all of k, sums into y. */
WH_INLINE void f32_strip(const int R, const float *x, size_t ldx, const float *w, size_t ldw, size_t n, size_t k,
                         float *y, size_t ldy, int add)
{
    float sum[BLOCK_X * STRIP * 16] __attribute__((aligned(64)));
    float done[STRIP];
    size_t at = 0;
    do {
        size_t length = k - at < PIECE ? k - at : PIECE, j = 0;
        for (; j + BLOCK_W <= n; j += BLOCK_W)
            f32_block(R, BLOCK_W, x + at, ldx, w + j * ldw + at, ldw, length, sum + j * 16, at == 0);
        for (; j < n; j++)
            f32_block(R, 1, x + at, ldx, w + j * ldw + at, ldw, length, sum + j * 16, at == 0);
        at += length;
    } while (at < k);
    for (int r = 0; r < R; r++, y += ldy) {
        add_up(sum + r * STRIP * 16, n, done);
        for (size_t j = 0; j < n; j++)
            y[j] = add ? y[j] + done[j] : done[j];
    }
}

static void f32(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                size_t ldy, int add)
{
    for (size_t j = 0; j < n; j += STRIP) {
        size_t columns = n - j < STRIP ? n - j : STRIP, r = 0;
        const float *wj = w + j * ldw;
        for (; r + BLOCK_X <= m; r += BLOCK_X)
            f32_strip(BLOCK_X, x + r * ldx, ldx, wj, ldw, columns, k, y + r * ldy + j, ldy, add);
        for (; r < m; r++)
            f32_strip(1, x + r * ldx, ldx, wj, ldw, columns, k, y + r * ldy + j, ldy, add);
    }
}
