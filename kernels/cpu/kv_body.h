/* kv_body.h - attention of a few queries over stored keys and values: the decoder's. Part of vec_body.h, so compiled
 * once a level; vec_....c defines KV_ROWS, the queries of a register tile, and KV_VECS, vectors of keys or channels.
 *
 * Keys and values lie in tiles of 64 keys (kernels.h, wh_kv), so that a lane is a key when scores are made and a
 * channel when values are summed: neither needs a sum across lanes. They are converted in registers, once for all
 * queries of a tile. A score sums over channels and an output over keys, each in ascending order, whatever else is in
 * the call and however wide a vector is. */

INLINE size_t kv_width(int d_head)
{
    return ((size_t)d_head + 15) / 16 * 16;
}

/* ---- stored types: LANES elements from element i of a tile on ---- */

INLINE vec load_kv_f32(const void *tile, size_t i)
{
    return load((const float *)tile + i);
}

INLINE vec load_kv_f16(const void *tile, size_t i)
{
    return load_half((const uint16_t *)tile + i);
}

INLINE vec load_kv_i8(const void *tile, size_t i)
{
    return load_bytes((const int8_t *)tile + i);
}

/* An int8 tile ends with a scale for each of its keys. */
INLINE const float *kv_scales(const void *tile, size_t width)
{
    return (const float *)((const char *)tile + WH_KV_KEYS * width);
}

/* n values of a key or value, times a factor, as they are stored; the last LANES may be written in full. */
static void row_kv_f32(const float *x, int n, float factor, float *out)
{
    (void)factor;
    memcpy(out, x, (size_t)n * sizeof *x);
}

static void row_kv_f16(const float *x, int n, float factor, uint16_t *out)
{
    (void)factor;
    for (int c = 0; c < n; c += LANES)
        store_half(out + c, load_part(x + c, (size_t)(n - c)));
}

static void row_kv_i8(const float *x, int n, float factor, int8_t *out)
{
    for (int c = 0; c < n; c += LANES) {
        bvec bytes = __builtin_convertvector(round_vec(load_part(x + c, (size_t)(n - c)) * factor), bvec);
        memcpy(out + c, &bytes, sizeof bytes);
    }
}

/* For int8, where the largest value becomes 127: note the scale of a key and return its inverse. */
static float set_kv_scale(const float *x, int n, void *tile, size_t width, int key)
{
    float *scale = (float *)((char *)tile + WH_KV_KEYS * width) + key, most = largest_magnitude(x, (size_t)n);
    *scale = most / 127.0f;
    return most > 1e-30f ? 127.0f / most : 0;
}

/* Rows of a window are too far apart for the CPU to see what comes next; there is nothing to see behind the last. */
#define KV_AHEAD 6

INLINE void fetch_rows(const float *k, const float *v, int d_head)
{
    for (int c = 0; c < d_head; c += 16) {
        __builtin_prefetch(k + c);
        __builtin_prefetch(v + c);
    }
}

#define DEFINE_KV(TYPE, STORED, INDEX, HAS_SCALES)                                                                     \
    static void kv_store_##TYPE(const float *k, const float *v, size_t ld, int first, int n, int d_head, void *keys,   \
                                void *values)                                                                          \
    {                                                                                                                  \
        const size_t width = kv_width(d_head), bytes = wh_kv_tile(INDEX, (size_t)d_head);                              \
        for (int j = first; j < first + n; j++, k += ld, v += ld) {                                                    \
            const int key = j % WH_KV_KEYS;                                                                            \
            fetch_rows(k + KV_AHEAD * ld, v + KV_AHEAD * ld, d_head);                                                  \
            char *key_tile = (char *)keys + (size_t)(j / WH_KV_KEYS) * bytes;                                          \
            char *value_tile = (char *)values + (size_t)(j / WH_KV_KEYS) * bytes;                                      \
            STORED *row = (STORED *)value_tile + (size_t)key * width; /* the key passes through the value's place */   \
            row_kv_##TYPE(k, d_head, HAS_SCALES ? set_kv_scale(k, d_head, key_tile, width, key) : 1, row);             \
            for (int c = 0; c < d_head; c++)                                                                           \
                ((STORED *)key_tile)[c * WH_KV_KEYS + key] = row[c];                                                   \
            row_kv_##TYPE(v, d_head, HAS_SCALES ? set_kv_scale(v, d_head, value_tile, width, key) : 1, row);           \
            for (size_t c = (size_t)d_head; c < width; c++)                                                            \
                row[c] = 0;                                                                                            \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    /* R queries, C vectors of consecutive keys of a tile, from key `first` on. */                                     \
    INLINE void kv_some_scores_##TYPE(const int R, const int C, const float *q, size_t ldq, const void *tile,          \
                                      int first, int d_head, float *scores, size_t lds)                                \
    {                                                                                                                  \
        vec sum[KV_ROWS][KV_VECS];                                                                                     \
        for (int r = 0; r < R; r++)                                                                                    \
            for (int i = 0; i < C; i++)                                                                                \
                sum[r][i] = (vec){0};                                                                                  \
        for (int c = 0; c < d_head; c++) {                                                                             \
            vec k[KV_VECS];                                                                                            \
            for (int i = 0; i < C; i++)                                                                                \
                k[i] = load_kv_##TYPE(tile, (size_t)(c * WH_KV_KEYS + first + i * LANES));                             \
            for (int r = 0; r < R; r++)                                                                                \
                for (int i = 0; i < C; i++)                                                                            \
                    sum[r][i] = fma_vec(k[i], spread(q[(size_t)r * ldq + (size_t)c]), sum[r][i]);                      \
        }                                                                                                              \
        for (int r = 0; r < R; r++)                                                                                    \
            for (int i = 0; i < C; i++) {                                                                              \
                if (HAS_SCALES)                                                                                        \
                    sum[r][i] *= load(kv_scales(tile, kv_width(d_head)) + first + i * LANES);                          \
                store(scores + (size_t)r * lds + i * LANES, sum[r][i]);                                                \
            }                                                                                                          \
    }                                                                                                                  \
                                                                                                                       \
    INLINE void kv_next_scores_##TYPE(const int C, const float *q, size_t ldq, int rows, const void *tile, int first,  \
                                      int d_head, float *scores, size_t lds)                                           \
    {                                                                                                                  \
        for (; rows >= KV_ROWS; rows -= KV_ROWS, q += KV_ROWS * ldq, scores += KV_ROWS * lds)                          \
            kv_some_scores_##TYPE(KV_ROWS, C, q, ldq, tile, first, d_head, scores, lds);                               \
        for (; rows > 0; rows--, q += ldq, scores += lds)                                                              \
            kv_some_scores_##TYPE(1, C, q, ldq, tile, first, d_head, scores, lds);                                     \
    }                                                                                                                  \
                                                                                                                       \
    static void kv_scores_##TYPE(const float *q, size_t ldq, int rows, const void *keys, int n, int d_head,            \
                                 float *scores, size_t lds)                                                            \
    {                                                                                                                  \
        const char *tile = keys;                                                                                       \
        for (; n > 0; n -= WH_KV_KEYS, tile += wh_kv_tile(INDEX, (size_t)d_head), scores += WH_KV_KEYS) {              \
            int first = 0;                                                                                             \
            for (; first < WH_KV_KEYS && first + (KV_VECS - 1) * LANES < n; first += KV_VECS * LANES)                  \
                kv_next_scores_##TYPE(KV_VECS, q, ldq, rows, tile, first, d_head, scores + first, lds);                \
            for (; first < WH_KV_KEYS && first < n; first += LANES)                                                    \
                kv_next_scores_##TYPE(1, q, ldq, rows, tile, first, d_head, scores + first, lds);                      \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    /* R queries, C vectors of channels from `channel` on, n <= 64 keys: added to out[R][width]. */                    \
    INLINE void kv_some_values_##TYPE(const int R, const int C, const float *p, size_t ldp, const char *tile, int n,   \
                                      int d_head, size_t channel, float *out, size_t ldo)                              \
    {                                                                                                                  \
        const size_t width = kv_width(d_head);                                                                         \
        vec sum[KV_ROWS][KV_VECS];                                                                                     \
        for (int r = 0; r < R; r++)                                                                                    \
            for (int i = 0; i < C; i++)                                                                                \
                sum[r][i] = load_part(out + (size_t)r * ldo + i * LANES,                                               \
                                      (size_t)d_head - channel - (size_t)(i * LANES));                                 \
        const float *weights[KV_ROWS];                                                                                 \
        float scaled[HAS_SCALES ? KV_ROWS : 1][WH_KV_KEYS];                                                            \
        for (int r = 0; r < R; r++) {                                                                                  \
            weights[r] = HAS_SCALES ? scaled[r] : p + (size_t)r * ldp;                                                 \
            for (int j = 0; HAS_SCALES && j < n; j++)                                                                  \
                scaled[r][j] = p[(size_t)r * ldp + (size_t)j] * kv_scales(tile, width)[j];                             \
        }                                                                                                              \
        for (int j = 0; j < n; j++) {                                                                                  \
            vec v[KV_VECS];                                                                                            \
            for (int i = 0; i < C; i++)                                                                                \
                v[i] = load_kv_##TYPE(tile, (size_t)j * width + channel + (size_t)(i * LANES));                        \
            for (int r = 0; r < R; r++)                                                                                \
                for (int i = 0; i < C; i++)                                                                            \
                    sum[r][i] = fma_vec(v[i], spread(weights[r][j]), sum[r][i]);                                       \
        }                                                                                                              \
        for (int r = 0; r < R; r++)                                                                                    \
            for (int i = 0; i < C; i++)                                                                                \
                store_part(out + (size_t)r * ldo + i * LANES, sum[r][i],                                               \
                           (size_t)d_head - channel - (size_t)(i * LANES));                                            \
    }                                                                                                                  \
                                                                                                                       \
    INLINE void kv_next_values_##TYPE(const int C, const float *p, size_t ldp, int rows, const char *tile, int n,      \
                                      int d_head, size_t channel, float *out, size_t ldo)                              \
    {                                                                                                                  \
        for (out += channel; rows >= KV_ROWS; rows -= KV_ROWS, p += KV_ROWS * ldp, out += KV_ROWS * ldo)               \
            kv_some_values_##TYPE(KV_ROWS, C, p, ldp, tile, n, d_head, channel, out, ldo);                             \
        for (; rows > 0; rows--, p += ldp, out += ldo)                                                                 \
            kv_some_values_##TYPE(1, C, p, ldp, tile, n, d_head, channel, out, ldo);                                   \
    }                                                                                                                  \
                                                                                                                       \
    static void kv_values_##TYPE(const float *p, size_t ldp, int rows, const void *values, int n, int d_head,          \
                                 float *out, size_t ldo)                                                               \
    {                                                                                                                  \
        const size_t bytes = wh_kv_tile(INDEX, (size_t)d_head);                                                        \
        for (int r = 0; r < rows; r++)                                                                                 \
            for (int c = 0; c < d_head; c++)                                                                           \
                out[(size_t)r * ldo + (size_t)c] = 0;                                                                  \
        for (int j = 0; j < n; j += WH_KV_KEYS) {                                                                      \
            const char *tile = (const char *)values + (size_t)(j / WH_KV_KEYS) * bytes;                                \
            int left = n - j < WH_KV_KEYS ? n - j : WH_KV_KEYS;                                                        \
            size_t channel = 0;                                                                                        \
            for (; channel + KV_VECS * LANES <= (size_t)d_head; channel += KV_VECS * LANES)                            \
                kv_next_values_##TYPE(KV_VECS, p + j, ldp, rows, tile, left, d_head, channel, out, ldo);               \
            for (; channel < (size_t)d_head; channel += LANES)                                                         \
                kv_next_values_##TYPE(1, p + j, ldp, rows, tile, left, d_head, channel, out, ldo);                     \
        }                                                                                                              \
    }

DEFINE_KV(f32, float, WH_KV_F32, 0)
DEFINE_KV(f16, uint16_t, WH_KV_F16, 0)
DEFINE_KV(i8, int8_t, WH_KV_I8, 1)
