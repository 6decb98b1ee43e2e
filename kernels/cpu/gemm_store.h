/* gemm_store.h - a finished tile to where it belongs: the text of wh_gemm.store, compiled once a level by gemm_....c with
 * the compiler's vectors of STORE_LANES floats. */
typedef float store_vec __attribute__((vector_size(4 * STORE_LANES)));

WH_INLINE store_vec store_load(const float *x)
{
    store_vec v;
    __builtin_memcpy(&v, x, sizeof v);
    return v;
}

/* One row of a whole panel. */
WH_INLINE void store_row(const float *tile, const float *bias, int add, float *y)
{
    for (int j = 0; j < WH_PANEL; j += STORE_LANES) {
        store_vec v = store_load(tile + j);
        if (bias)
            v += store_load(bias + j);
        if (add)
            v = store_load(y + j) + v;
        __builtin_memcpy(y + j, &v, sizeof v);
    }
}

static void store(const float *tile, int rows, int columns, const float *bias, wh_store how, float *y, size_t ldy)
{
    for (int r = 0; r < rows; r++, tile += WH_PANEL, y += ldy) {
        if (columns == WH_PANEL) {
            store_row(tile, bias, how == WH_STORE_ADD, y);
            continue;
        }
        for (int j = 0; j < columns; j++) {
            float v = bias ? tile[j] + bias[j] : tile[j];
            y[j] = how == WH_STORE_ADD ? y[j] + v : v;
        }
    }
}
