/* attention_mm.h - the products of attention in integers with smmla and usmmla, for attention_int_body.h: two rows by two columns
 * of eight bytes, thirty-two products an instruction. The text of attention_i8mm.c.
 *
 * Everything lies in pairs: queries [channel / 8][query / 2][2][8], keys [key / 8][channel / 8][4][2][8], probabilities
 * [key / 8][query / 2][2][8], values [key / 8][channel / 2][2][8]. 8 keys or channels by 12 queries take 24 registers of sums,
 * 4 of keys or channels and 1 of queries. Half an eight that is not there is zeros in keys and in probabilities. */
#define INT_OWN_PLACES

/* sum[pair of keys or channels][pair of queries]: of keys [key][query], so that two pairs of queries are joined by
 * halves; of channels [query][channel], since only the first may be unsigned: joined by every second one. */
#define INT_SUM(sum, t, v) mm_four(IS_CHANNELS, (t) % 2, (sum)[(t) / 2][2 * (v)], (sum)[(t) / 2][2 * (v) + 1])
INLINE ivec mm_four(const int is_channels, const int odd, ivec low, ivec high)
{
    int32x4_t a = (int32x4_t)low, b = (int32x4_t)high;
    int64x2_t c = vreinterpretq_s64_s32(a), d = vreinterpretq_s64_s32(b);
    if (is_channels)
        return (ivec)(odd ? vuzp2q_s32(a, b) : vuzp1q_s32(a, b));
    return (ivec)vreinterpretq_s32_s64(odd ? vzip2q_s64(c, d) : vzip1q_s64(c, d));
}

INLINE void int_put_bytes(const int V, int32_t *p, int j, int v, ivec bytes)
{
    int32_t *at = p + (j / 8 * V + v) * 2 * LANES;
    int32x4x2_t both = {{(int32x4_t)bytes, {0}}};
    if (j / 4 % 2) {
        both.val[0] = vld2q_s32(at).val[0];
        both.val[1] = (int32x4_t)bytes;
    }
    vst2q_s32(at, both);
}

INLINE size_t int_query_place(const int V, size_t i, size_t r)
{
    return i / 2 * (size_t)(V * 2 * LANES) + 2 * r + i % 2;
}

#include "cpu/arm/attention_arm.h"

#define MM_SIGNED(sum, keys, queries) __asm__("smmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(keys), "w"(queries))
#define MM_MIXED(sum, values, bytes) __asm__("usmmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(bytes), "w"(values))

#define MM_QUERIES(MM, P, V, q)                                                                                        \
    if ((q) < 2 * (V)) {                                                                                               \
        ivec x = load_int(from + (q)*LANES);                                                                           \
        MM(sum[0][q], four[0], x);                                                                                     \
        if ((P) > 1) {                                                                                                 \
            MM(sum[1][q], four[1], x);                                                                                 \
            MM(sum[2][q], four[2], x);                                                                                 \
            MM(sum[3][q], four[3], x);                                                                                 \
        }                                                                                                              \
    }
#define MM_STEP(MM, P, V)                                                                                              \
    MM_QUERIES(MM, P, V, 0)                                                                                            \
    MM_QUERIES(MM, P, V, 1)                                                                                            \
    MM_QUERIES(MM, P, V, 2)                                                                                            \
    MM_QUERIES(MM, P, V, 3)                                                                                            \
    MM_QUERIES(MM, P, V, 4)                                                                                            \
    MM_QUERIES(MM, P, V, 5)

INLINE void mm_begin(ivec (*sum)[2 * INT_VECS])
{
    const ivec zeros = {0};
    sum[0][0] = sum[0][1] = sum[0][2] = sum[0][3] = sum[0][4] = sum[0][5] = zeros;
    sum[1][0] = sum[1][1] = sum[1][2] = sum[1][3] = sum[1][4] = sum[1][5] = zeros;
    sum[2][0] = sum[2][1] = sum[2][2] = sum[2][3] = sum[2][4] = sum[2][5] = zeros;
    sum[3][0] = sum[3][1] = sum[3][2] = sum[3][3] = sum[3][4] = sum[3][5] = zeros;
}

/* Bytes of a key, in whole eights. */
INLINE size_t mm_key_bytes(size_t d)
{
    return (d + 7) / 8 * 8;
}

#define IS_CHANNELS 0
INLINE void int_scores(const int V, const int32_t *from, const int8_t *k, size_t eights, const float *scale, int valid,
                       float *scores, vec *peak)
{
    ivec sum[4][2 * INT_VECS];
    mm_begin(sum);
    for (size_t i = 0; i < eights; i++, from += V * 2 * LANES, k += 8 * INT_TILE) {
        ivec four[4];
        memcpy(four, k, sizeof four);
        MM_STEP(MM_SIGNED, 4, V)
    }
    EACH_OF_VECTORS(INT_PUT_SCORE)
}
#undef IS_CHANNELS

INLINE void int_block_scores(const int V, const int_state *s, const int_packed *at, int first, int n, int d_head,
                             vec *peak)
{
    const size_t bytes = mm_key_bytes((size_t)d_head);
    for (int j = 0; j < n; j += INT_TILE) {
        const int8_t *k = at->k + (size_t)(first + j) * bytes;
        if (n - j >= INT_TILE)
            int_scores(V, s->q, k, bytes / 8, at->k_scale + first + j, INT_TILE, s->scores + j * V * LANES, peak);
        else
            int_scores(V, s->q, k, bytes / 8, at->k_scale + first + j, n - j, s->scores + j * V * LANES, peak);
    }
}

/* P (1 or 4) pairs of channels, the first T of which exist: out = out * shrink + sum over n times eight keys of p v */
#define IS_CHANNELS 1
INLINE void int_values(const int P, const int T, const int V, const int32_t *from, const int8_t *values, size_t ld,
                       int n, const vec *shrink, float *out)
{
    ivec sum[4][2 * INT_VECS];
    mm_begin(sum);
    for (int j = 0; j < n; j++, from += V * 2 * LANES, values += ld) {
        ivec four[4];
        memcpy(four, values, (size_t)P * 16);
        MM_STEP(MM_MIXED, P, V)
    }
    EACH_OF_VECTORS(INT_ADD_VALUE)
}
#undef IS_CHANNELS

/* Bytes of eight keys' values. */
INLINE size_t mm_values_bytes(size_t d)
{
    return (d + 1) / 2 * 16;
}

INLINE void int_block_values(const int V, const int_state *s, const int_packed *at, int first, int n, int d_head,
                             const vec *shrink)
{
    const size_t ld = mm_values_bytes((size_t)d_head);
    const int8_t *values = at->v + (size_t)first / 8 * ld;
    const int steps = (n + 7) / 8;
    int c = 0;
    for (; c + INT_TILE <= d_head; c += INT_TILE)
        int_values(4, INT_TILE, V, s->p, values + 8 * c, ld, steps, shrink, s->out + c * V * LANES);
    for (; c + 2 <= d_head; c += 2)
        int_values(1, 2, V, s->p, values + 8 * c, ld, steps, shrink, s->out + c * V * LANES);
    if (c < d_head)
        int_values(1, 1, V, s->p, values + 8 * c, ld, steps, shrink, s->out + c * V * LANES);
}

INLINE void int_clear(const int_packed *at, size_t n, size_t d)
{
    size_t whole = int_steps(d) % 2 ? 0 : n / INT_TILE * INT_TILE;
    memset(at->k + whole * mm_key_bytes(d), 0, (int_keys(n) - whole) * mm_key_bytes(d));
}

INLINE void int_put_key(const int_packed *at, size_t d, size_t key, size_t i, const int8_t *four)
{
    size_t tile = key / INT_TILE * INT_TILE * mm_key_bytes(d);
    memcpy(at->k + tile + (i / 2 * INT_TILE + key % INT_TILE) * 8 + i % 2 * 4, four, 4);
}

INLINE void int_put_values(const int_packed *at, size_t d, size_t key, size_t c, ivec bytes)
{
    int8_t *to = at->v + key / 8 * mm_values_bytes(d) + c * 8 + key / 4 % 2 * 4;
    int32_t four[LANES];
    memcpy(four, &bytes, sizeof four);
    for (size_t i = 0; i < LANES && c + i < d; i++)
        memcpy(to + 8 * i, &four[i], 4);
}
