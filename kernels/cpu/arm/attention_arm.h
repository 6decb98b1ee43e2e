/* attention_arm.h - what attention in integers has alike at every level for ARM, for attention_int_body.h: the ends of a tile's
 * products, and probabilities. Under attention_dot.h and attention_mm.h, which have the products.
 *
 * Loops over a tile are written out with literal numbers for the reason that each.h gives: also where sums are only read, or
 * they are in memory from the beginning. */
#define INT_OFFSET 0 /* sdot and smmla take both signed */
#define INT_OWN_PROBABILITIES

_Static_assert(INT_TILE == 8 && INT_VECS == 3, "what is written out");

#define EACH_OF_TILE(DO, v) DO(0, v) DO(1, v) DO(2, v) DO(3, v) DO(4, v) DO(5, v) DO(6, v) DO(7, v)
#define EACH_OF_VECTORS(DO) EACH_OF_TILE(DO, 0) EACH_OF_TILE(DO, 1) EACH_OF_TILE(DO, 2)

INLINE void int_begin(void)
{
}

INLINE void int_end(void)
{
}

/* As max_vec, where b is a number. */
INLINE vec more_vec(vec a, vec b)
{
    return (vec)vmaxnmq_f32((float32x4_t)a, (float32x4_t)b);
}

/* The sum of key or channel t and vector v of queries; attention_mm.h has another. */
#ifndef INT_SUM
#define INT_SUM(sum, t, v) (sum)[t][v]
#endif

/* Scores from a tile's sums, of which the first `valid` keys exist; and their peaks. */
#define INT_PUT_SCORE(t, v)                                                                                            \
    if ((v) < V) {                                                                                                     \
        vec s = __builtin_convertvector(INT_SUM(sum, t, v), vec) * scale[t];                                           \
        store(scores + ((t)*V + (v)) * LANES, s);                                                                      \
        if ((t) < valid)                                                                                               \
            peak[v] = more_vec(s, peak[v]);                                                                            \
    }

/* Of T channels: out * shrink + sum. */
#define INT_ADD_VALUE(t, v)                                                                                            \
    if ((v) < V && (t) < T) {                                                                                          \
        float *at = out + ((t)*V + (v)) * LANES;                                                                       \
        store(at, fma_vec(load(at), shrink[v], __builtin_convertvector(INT_SUM(sum, t, v), vec)));                     \
    }

/* ---- probabilities (vec_probability.h) ---- */

/* Its numbers, in registers: what the compiler knows it loads anew each time, by two instructions. */
typedef struct int_numbers {
    vec least, magic, p0, p1, p2, p3;
} int_numbers;

INLINE int_numbers int_take_numbers(void)
{
    int_numbers c = {spread(-40.0f),      spread(0x1.8p23f),   spread(0.05517167f),
                     spread(0.24261114f), spread(0.69326097f), spread(0.99992806f)};
    __asm__("" : "+w"(c.least), "+w"(c.magic), "+w"(c.p0), "+w"(c.p1), "+w"(c.p2), "+w"(c.p3));
    return c;
}

INLINE vec int_probability(const int_numbers *c, vec x)
{
    vec low = more_vec(x, c->least), shifted = low + c->magic, r = low - (shifted - c->magic);
    vec p = fma_vec(fma_vec(fma_vec(c->p0, r, c->p1), r, c->p2), r, c->p3);
    return (vec)((uvec)p + ((uvec)shifted << 23));
}

/* Key i of four: its probabilities into the bytes, and onto the sum. */
#define INT_KEY(i)                                                                                                     \
    if ((i) < keys) {                                                                                                  \
        vec p = int_probability(c, fma_vec(load(at + (i)*V * LANES), scale, offset));                                  \
        *sum += p;                                                                                                     \
        bytes = (i) ? vsliq_n_s32(bytes, (int32x4_t)round_vec(p), 8 * (i)) : (int32x4_t)round_vec(p);                  \
    }
INLINE ivec int_four_keys(const int V, const int keys, const int_numbers *c, const float *at, vec scale, vec offset,
                          vec *sum)
{
    int32x4_t bytes = {0};
    INT_KEY(0)
    INT_KEY(1)
    INT_KEY(2)
    INT_KEY(3)
    return (ivec)bytes;
}
#undef INT_KEY

/* Where four queries' bytes of keys j to j + 3 go; attention_mm.h has another. */
#ifndef INT_OWN_PLACES
INLINE void int_put_bytes(const int V, int32_t *p, int j, int v, ivec bytes)
{
    store_int(p + (j / 4 * V + v) * LANES, bytes);
}
#endif

INLINE void int_probabilities(const int V, const int_state *s, int n, const vec *peak, const vec *shrink)
{
    const int_numbers c = int_take_numbers();
    vec sum[INT_VECS], scale[INT_VECS], offset[INT_VECS];
    for (int v = 0; v < V; v++) {
        scale[v] = load(s->scale + v * LANES);
        offset[v] = fma_vec(peak[v], -scale[v], spread(WH_P_BITS));
        sum[v] = load(s->sum + v * LANES) * shrink[v];
    }
    int j = 0;
    for (; j + 4 <= n; j += 4)
        for (int v = 0; v < V; v++)
            int_put_bytes(V, s->p, j, v,
                          int_four_keys(V, 4, &c, s->scores + (j * V + v) * LANES, scale[v], offset[v], &sum[v]));
    for (int v = 0; j < n && v < V; v++)
        int_put_bytes(V, s->p, j, v,
                      int_four_keys(V, n - j, &c, s->scores + (j * V + v) * LANES, scale[v], offset[v], &sum[v]));
    for (int v = 0; v < V; v++)
        store(s->sum + v * LANES, sum[v]);
}
