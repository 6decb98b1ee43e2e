/* gemm_store.h - a finished tile to where it belongs: the text of wh_gemm.store, compiled once a level by gemm_....c with
 * the compiler's vectors of STORE_LANES floats. */
typedef float store_vec __attribute__((vector_size(4 * STORE_LANES)));
typedef int32_t store_ints __attribute__((vector_size(4 * STORE_LANES)));

WH_INLINE store_vec store_load(const float *x)
{
    store_vec v;
    __builtin_memcpy(&v, x, sizeof v);
    return v;
}

/* Floats, or what bare sums stand for in a row of the scale x. */
WH_INLINE store_vec store_scaled(const float *tile, int is_sums, float x, const float *w)
{
    store_ints sum;
    if (!is_sums)
        return store_load(tile);
    __builtin_memcpy(&sum, tile, sizeof sum);
    return __builtin_convertvector(sum, store_vec) * (x * store_load(w));
}

/* One row of a whole panel. */
WH_INLINE void store_row(const float *tile, int is_sums, float x, const float *w, const float *bias, int add, float *y)
{
    for (int j = 0; j < WH_PANEL; j += STORE_LANES) {
        store_vec v = store_scaled(tile + j, is_sums, x, w + (is_sums ? j : 0));
        if (bias)
            v += store_load(bias + j);
        if (add)
            v = store_load(y + j) + v;
        __builtin_memcpy(y + j, &v, sizeof v);
    }
}

/* One row of the first columns. */
WH_INLINE void store_some(const float *tile, int columns, const float *bias, int add, float *y)
{
    for (int j = 0; j < columns; j++) {
        float v = bias ? tile[j] + bias[j] : tile[j];
        y[j] = add ? y[j] + v : v;
    }
}

static void store(const float *tile, int rows, int columns, const wh_scales *scales, const float *bias, wh_store how,
                  float *y, size_t ldy)
{
    const int add = how == WH_STORE_ADD;
    float scaled[WH_PANEL];
    for (int r = 0; r < rows; r++, tile += WH_PANEL, y += ldy) {
        if (columns == WH_PANEL && scales)
            store_row(tile, 1, scales->x[r], scales->w, bias, add, y);
        else if (columns == WH_PANEL)
            store_row(tile, 0, 0, tile, bias, add, y);
        else if (scales) {
            store_row(tile, 1, scales->x[r], scales->w, NULL, 0, scaled);
            store_some(scaled, columns, bias, add, y);
        } else
            store_some(tile, columns, bias, add, y);
    }
}
