/* attention_dot.h - the products of attention in integers with dot products by a lane, for attention_int_body.h: the text
 * of attention_dotprod.c, which defines DOT_SIGNED(sum, x, four, lane) of signed bytes and DOT_MIXED of unsigned bytes of x
 * with the values'. A register of x is four queries, one of keys or values four keys or channels. */
#include "cpu/arm/attention_arm.h"

/* T (1 or 8) keys or channels by V vectors of queries, with literal numbers for the reason that each.h gives. */
#define DOT_QUERIES(DOT, T, v, sum, x, four)                                                                           \
    do {                                                                                                               \
        DOT((sum)[0][v], (x)[v], (four)[0], "0");                                                                      \
        if ((T) == 1)                                                                                                  \
            break;                                                                                                     \
        DOT((sum)[1][v], (x)[v], (four)[0], "1");                                                                      \
        DOT((sum)[2][v], (x)[v], (four)[0], "2");                                                                      \
        DOT((sum)[3][v], (x)[v], (four)[0], "3");                                                                      \
        DOT((sum)[4][v], (x)[v], (four)[1], "0");                                                                      \
        DOT((sum)[5][v], (x)[v], (four)[1], "1");                                                                      \
        DOT((sum)[6][v], (x)[v], (four)[1], "2");                                                                      \
        DOT((sum)[7][v], (x)[v], (four)[1], "3");                                                                      \
    } while (0)
#define DOT_TILE(DOT, T, V, sum, x, four)                                                                              \
    do {                                                                                                               \
        DOT_QUERIES(DOT, T, 0, sum, x, four);                                                                          \
        if ((V) > 1)                                                                                                   \
            DOT_QUERIES(DOT, T, 1, sum, x, four);                                                                      \
        if ((V) > 2)                                                                                                   \
            DOT_QUERIES(DOT, T, 2, sum, x, four);                                                                      \
    } while (0)

/* LANES queries, four bytes of each. */
INLINE void dot_load(const int V, const int32_t *from, ivec *x)
{
    x[0] = load_int(from);
    x[1] = V > 1 ? load_int(from + LANES) : x[0];
    x[2] = V > 2 ? load_int(from + 2 * LANES) : x[0];
}

/* All sums begin with those of `start`. */
INLINE void dot_begin(ivec (*sum)[INT_VECS], const ivec *start)
{
    sum[0][0] = sum[1][0] = sum[2][0] = sum[3][0] = sum[4][0] = sum[5][0] = sum[6][0] = sum[7][0] = start[0];
    sum[0][1] = sum[1][1] = sum[2][1] = sum[3][1] = sum[4][1] = sum[5][1] = sum[6][1] = sum[7][1] = start[1];
    sum[0][2] = sum[1][2] = sum[2][2] = sum[3][2] = sum[4][2] = sum[5][2] = sum[6][2] = sum[7][2] = start[2];
}

INLINE void int_scores(const int V, const int32_t *q, const int8_t *k, size_t steps, const float *scale, int valid,
                       float *scores, vec *peak)
{
    const ivec zeros[INT_VECS] = {{0}};
    ivec sum[INT_TILE][INT_VECS];
    dot_begin(sum, zeros);
    for (size_t i = 0; i < steps; i++, q += V * LANES, k += 4 * INT_TILE) {
        ivec x[INT_VECS], four[2];
        dot_load(V, q, x);
        memcpy(four, k, sizeof four);
        DOT_TILE(DOT_SIGNED, INT_TILE, V, sum, x, four);
    }
    EACH_OF_VECTORS(INT_PUT_SCORE)
}

INLINE void int_block_scores(const int V, const int_state *s, const int_packed *at, int first, int n, int d_head,
                             vec *peak)
{
    size_t steps = int_steps((size_t)d_head);
    for (int j = 0; j < n; j += INT_TILE) {
        const int8_t *k = at->k + (size_t)(first + j) * steps * 4;
        if (n - j >= INT_TILE)
            int_scores(V, s->q, k, steps, at->k_scale + first + j, INT_TILE, s->scores + j * V * LANES, peak);
        else
            int_scores(V, s->q, k, steps, at->k_scale + first + j, n - j, s->scores + j * V * LANES, peak);
    }
}

/* out[T channels][query] = out * shrink + start + sum over n times four keys of p v */
INLINE void int_values(const int T, const int V, const int32_t *p, const int8_t *values, int d_head, int n,
                       const ivec *start, const vec *shrink, float *out)
{
    ivec sum[INT_TILE][INT_VECS];
    dot_begin(sum, start);
    for (int j = 0; j < n; j++, p += V * LANES, values += 4 * d_head) {
        ivec x[INT_VECS], four[2];
        dot_load(V, p, x);
        memcpy(four, values, T == 1 ? 4 : 32);
        DOT_TILE(DOT_MIXED, T, V, sum, x, four);
    }
    EACH_OF_VECTORS(INT_ADD_VALUE)
}

INLINE void int_block_values(const int V, const int_state *s, const int_packed *at, int first, int n, int d_head,
                             const vec *shrink)
{
    const int8_t *values = at->v + (size_t)first * (size_t)d_head;
    const int steps = (n + 3) / 4;
    ivec start[INT_VECS];
    int c = 0;
    for (int v = 0; v < V; v++)
        start[v] = (ivec){0};
    /* values have 128 more: 128 times the sum of the probabilities is taken off first */
    const ivec ones = (ivec){0} + 0x01010101;
    for (int j = 0; j < steps; j++)
        for (int v = 0; v < V; v++)
            DOT_MIXED(start[v], load_int(s->p + (j * V + v) * LANES), ones, "0");
    for (int v = 0; v < V; v++)
        start[v] = start[v] * -128;
    for (; c + INT_TILE <= d_head; c += INT_TILE)
        int_values(INT_TILE, V, s->p, values + 4 * c, d_head, steps, start, shrink, s->out + c * V * LANES);
    for (; c < d_head; c++)
        int_values(1, V, s->p, values + 4 * c, d_head, steps, start, shrink, s->out + c * V * LANES);
}

INLINE void int_clear(const int_packed *at, size_t n, size_t d)
{
    size_t whole = n / INT_TILE * INT_TILE;
    memset(at->k + whole * int_steps(d) * 4, 0, (int_keys(n) - whole) * int_steps(d) * 4);
}

INLINE void int_put_key(const int_packed *at, size_t d, size_t key, size_t i, const int8_t *four)
{
    size_t tile = key / INT_TILE * INT_TILE * int_steps(d);
    memcpy(at->k + (tile + i * INT_TILE + key % INT_TILE) * 4, four, 4);
}

INLINE void int_put_values(const int_packed *at, size_t d, size_t key, size_t c, ivec bytes)
{
    bytes ^= (int32_t)0x80808080;
    store_part((float *)(at->v + (key / 4 * d + c) * 4), (vec)bytes, d - c);
}
