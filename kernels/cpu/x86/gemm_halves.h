/* gemm_halves.h - a tile from quarters of at most HALF rows and sixteen columns, for levels with sixteen registers.
 * Included by gemm_avx2.c and gemm_avxvnni.c after half_tile. */
#define AT_MOST(n) ((n) < HALF ? (n) : HALF)

static void tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum, const float *x_scale,
                 const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    for (int first = 0; first < rows; first += HALF) {
        const int8_t *xr = x + 4 * first;
        const float *scale = x_scale + first;
        for (int c = 0; c < WH_PANEL; c += 16) {
            const int8_t *wc = w + 4 * c;
            float *to = out + first * WH_PANEL + c;
            if (first || c) /* once is enough */
                lines = 0;
            switch (rows - first) {
            case 1: half_tile(AT_MOST(1), xr, rows, wc, steps, w_sum + c, scale, w_scale + c, ahead, lines, to); break;
            case 2: half_tile(AT_MOST(2), xr, rows, wc, steps, w_sum + c, scale, w_scale + c, ahead, lines, to); break;
            case 3: half_tile(AT_MOST(3), xr, rows, wc, steps, w_sum + c, scale, w_scale + c, ahead, lines, to); break;
            case 4: half_tile(AT_MOST(4), xr, rows, wc, steps, w_sum + c, scale, w_scale + c, ahead, lines, to); break;
            case 5: half_tile(AT_MOST(5), xr, rows, wc, steps, w_sum + c, scale, w_scale + c, ahead, lines, to); break;
            default: half_tile(HALF, xr, rows, wc, steps, w_sum + c, scale, w_scale + c, ahead, lines, to); break;
            }
        }
    }
}
