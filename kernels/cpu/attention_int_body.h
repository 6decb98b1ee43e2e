/* attention_int_body.h - attention.h's text, compiled once a level by attention_LEVEL.c, which has defined vectors
 * and tile (vec_types.h, INT_TILE keys or channels) and fma_vec, max_vec, round_vec, dot_bytes and probability for
 * its instructions. A level whose products are not made with dot_bytes names a file in INT_PRODUCTS that has them and the
 * layouts that they read (x86/attention_amx.h; arm/attention_mm.h, whose queries and probabilities lie otherwise, too:
 * INT_OWN_PLACES), and may have probabilities of its own (arm/attention_arm.h).
 *
 * A lane is a query, as in attention_body.h. Four channels of a query lie in the lane's four bytes (q + 128, because
 * the instruction multiplies unsigned with signed bytes), or four neighbouring keys' probabilities. Integer sums are
 * exact. */
#include "cpu/attention_int.h"

#define INT_VECS 3
#define INT_ROWS (INT_VECS * LANES)

_Static_assert(INT_ROWS <= WH_ATTEND_ROWS && INT_TILE <= WH_ATTEND_TILE && WH_INT_KEYS % INT_TILE == 0,
               "a level's tiles fit what callers set aside");

typedef struct int_state {
    float *peak, *sum; /* of the scores so far, in the query's units; of the probabilities */
    float *scale;      /* from the query's units to powers of two */
    float *scores;     /* [key][query] of a block */
    int32_t *p;        /* [key / 4][query][4] of a block, bytes */
    int32_t *q;        /* [channel / 4][query][4] */
    float *out;        /* [channel][query] */
} int_state;

#ifdef INT_PRODUCTS
#include INT_PRODUCTS
#else
#define INT_OFFSET 128 /* of a query's bytes */

INLINE void int_begin(void)
{
}

INLINE void int_end(void)
{
}

/* Scores of a tile of keys, of which the first `valid` exist, in units of the query's own scale. */
INLINE void int_scores(const int V, const int32_t *q, const int8_t *k, size_t steps, const int32_t *start,
                       const float *scale, int valid, float *scores, vec *peak)
{
    ivec sum[INT_TILE][INT_VECS];
    for (int t = 0; t < INT_TILE; t++)
        for (int v = 0; v < V; v++)
            sum[t][v] = start[t] - (ivec){0};
    for (size_t i = 0; i < steps; i++, q += V * LANES, k += 4 * INT_TILE) {
        ivec x[INT_VECS];
        for (int v = 0; v < V; v++)
            x[v] = load_int(q + v * LANES);
        for (int t = 0; t < INT_TILE; t++)
            for (int v = 0; v < V; v++)
                sum[t][v] = dot_bytes(sum[t][v], x[v], k + 4 * t);
    }
    for (int t = 0; t < INT_TILE; t++)
        for (int v = 0; v < V; v++) {
            vec s = __builtin_convertvector(sum[t][v], vec) * scale[t];
            store(scores + (t * V + v) * LANES, s);
            if (t < valid)
                peak[v] = max_vec(s, peak[v]);
        }
}

/* out[T channels][query] = out * shrink + sum over n times four keys of p v */
INLINE void int_values(const int T, const int V, const int32_t *p, const int8_t *values, int d_head, int n,
                       const vec *shrink, float *out)
{
    ivec sum[INT_TILE][INT_VECS];
    for (int t = 0; t < T; t++)
        for (int v = 0; v < V; v++)
            sum[t][v] = (ivec){0};
    for (int j = 0; j < n; j++, p += V * LANES, values += 4 * d_head) {
        ivec x[INT_VECS];
        for (int v = 0; v < V; v++)
            x[v] = load_int(p + v * LANES);
        for (int t = 0; t < T; t++)
            for (int v = 0; v < V; v++)
                sum[t][v] = dot_bytes(sum[t][v], x[v], values + 4 * t);
    }
    for (int t = 0; t < T; t++)
        for (int v = 0; v < V; v++) {
            float *at = out + (t * V + v) * LANES;
            store(at, fma_vec(load(at), shrink[v], __builtin_convertvector(sum[t][v], vec)));
        }
}

/* Scores of keys first .. first + n - 1, a block, and their peaks. */
INLINE void int_block_scores(const int V, const int_state *s, const int_packed *at, int first, int n, int d_head,
                             vec *peak)
{
    size_t steps = int_steps((size_t)d_head);
    for (int j = 0; j < n; j += INT_TILE) {
        const int8_t *k = at->k + (size_t)(first + j) * steps * 4;
        if (n - j >= INT_TILE)
            int_scores(V, s->q, k, steps, at->start + first + j, at->k_scale + first + j, INT_TILE,
                       s->scores + j * V * LANES, peak);
        else
            int_scores(V, s->q, k, steps, at->start + first + j, at->k_scale + first + j, n - j,
                       s->scores + j * V * LANES, peak);
    }
}

/* The block's probabilities times its values, onto what came before. */
INLINE void int_block_values(const int V, const int_state *s, const int_packed *at, int first, int n, int d_head,
                             const vec *shrink)
{
    const int8_t *values = at->v + (size_t)first * (size_t)d_head;
    int c = 0;
    for (; c + INT_TILE <= d_head; c += INT_TILE)
        int_values(INT_TILE, V, s->p, values + 4 * c, d_head, (n + 3) / 4, shrink, s->out + c * V * LANES);
    for (; c < d_head; c++)
        int_values(1, V, s->p, values + 4 * c, d_head, (n + 3) / 4, shrink, s->out + c * V * LANES);
}

/* Zeros where int_put_key and int_put_values do not write. */
INLINE void int_clear(const int_packed *at, size_t n, size_t d)
{
    size_t whole = n / INT_TILE * INT_TILE;
    memset(at->k + whole * int_steps(d) * 4, 0, (int_keys(n) - whole) * int_steps(d) * 4);
}

/* Four channels of a key, step i. */
INLINE void int_put_key(const int_packed *at, size_t d, size_t key, size_t i, const int8_t *four)
{
    size_t tile = key / INT_TILE * INT_TILE * int_steps(d);
    memcpy(at->k + (tile + i * INT_TILE + key % INT_TILE) * 4, four, 4);
}

/* LANES channels (or the last ones) from c of four keys, the first of them `key`. */
INLINE void int_put_values(const int_packed *at, size_t d, size_t key, size_t c, ivec bytes)
{
    store_part((float *)(at->v + (key / 4 * d + c) * 4), (vec)bytes, d - c);
}
#endif

#ifndef INT_OWN_PROBABILITIES
/* Scores of a block to probabilities, four keys together (zeros where there is none), and their sum before rounding. */
INLINE void int_probabilities(const int V, const int_state *s, int n, const vec *peak, const vec *shrink)
{
    vec sum[INT_VECS], scale[INT_VECS], offset[INT_VECS];
    for (int v = 0; v < V; v++) {
        scale[v] = load(s->scale + v * LANES);
        offset[v] = fma_vec(peak[v], -scale[v], spread(WH_P_BITS));
        sum[v] = load(s->sum + v * LANES) * shrink[v];
    }
    for (int j = 0; j < n; j += 4)
        for (int v = 0; v < V; v++) {
            const float *at = s->scores + (j * V + v) * LANES;
            ivec bytes = {0};
            for (int i = 0; i < 4 && j + i < n; i++, at += V * LANES) {
                vec p = probability(fma_vec(load(at), scale[v], offset[v]));
                sum[v] += p;
                bytes |= round_vec(p) << 8 * i;
            }
            store_int(s->p + (j / 4 * V + v) * LANES, bytes);
        }
    for (int v = 0; v < V; v++)
        store(s->sum + v * LANES, sum[v]);
}
#endif

/* As count_keys() in attention_body.h. Scores are in a query's own units: `unit` of them is a power of two. */
INLINE void int_count_keys(const int V, const int_state *s, const float *log_counts, int n, vec *peak)
{
    vec unit[INT_VECS];
    for (int v = 0; v < V; v++) {
        vec scale = load(s->scale + v * LANES);
        unit[v] = 1.0f / max_vec(scale, spread(1e-30f));
    }
    for (int j = 0; j < n; j++)
        for (int v = 0; log_counts[j] > 0 && v < V; v++) {
            float *at = s->scores + (j * V + v) * LANES;
            vec x = fma_vec(unit[v], spread(log_counts[j]), load(at));
            store(at, x);
            peak[v] = max_vec(x, peak[v]);
        }
}

INLINE void int_block(const int V, const int_state *s, const int_packed *at, int first, int n, int d_head,
                      const float *log_counts)
{
    vec peak[INT_VECS], shrink[INT_VECS];
    for (int v = 0; v < V; v++)
        peak[v] = load(s->peak + v * LANES);
    int_block_scores(V, s, at, first, n, d_head, peak);
    if (log_counts)
        int_count_keys(V, s, log_counts + first, n, peak);
    for (int v = 0; v < V; v++) {
        vec change = (load(s->peak + v * LANES) - peak[v]) * load(s->scale + v * LANES);
        shrink[v] = exp2_vec(change);
        store(s->peak + v * LANES, peak[v]);
    }
    int_probabilities(V, s, n, peak, shrink);
    int_block_values(V, s, at, first, n, d_head, shrink);
}

/* The largest of d magnitudes over `most`, and the inverse of that; 0 and 0 where all are zeros. */
INLINE float int_scale(const float *x, size_t d, float most, float *inverse)
{
    float largest = largest_magnitude(x, d);
    *inverse = largest > 1e-30f ? most / largest : 0;
    return largest / most;
}

#ifndef INT_OWN_PLACES
/* Where in the state's q four channels of query r lie, step i. */
INLINE size_t int_query_place(const int V, size_t i, size_t r)
{
    return i * (size_t)(V * LANES) + r;
}
#endif

/* Query r of the state: quantized, with INT_OFFSET added. */
INLINE void int_query(const int V, const int_state *s, int r, const float *q, int d_head)
{
    size_t steps = int_steps((size_t)d_head);
    float inverse, scale = int_scale(q, (size_t)d_head, 127, &inverse);
    s->scale[r] = scale * 1.44269504f / __builtin_sqrtf((float)d_head);
    for (size_t c = 0; c < 4 * steps; c += LANES) {
        bvec bytes = __builtin_convertvector(round_vec(load_part(q + c, (size_t)d_head - c) * inverse) + INT_OFFSET,
                                             bvec);
        int32_t four[LANES / 4];
        memcpy(four, &bytes, sizeof four);
        for (size_t i = 0; i < LANES / 4 && c / 4 + i < steps; i++)
            s->q[int_query_place(V, c / 4 + i, (size_t)r)] = four[i];
    }
}

INLINE void int_rows(const int V, const int_state *s, const float *q, size_t ldq, int rows, const int_packed *at, int n,
                     int d_head, const float *log_counts, float *out, size_t ldo)
{
    for (int r = 0; r < V * LANES; r++) {
        s->peak[r] = -1e30f, s->sum[r] = 0;
        int_query(V, s, r, q + (size_t)(r < rows ? r : 0) * ldq, d_head);
    }
    memset(s->out, 0, (size_t)(d_head * V * LANES) * sizeof *s->out);
    for (int j = 0; j < n; j += WH_INT_KEYS)
        int_block(V, s, at, j, n - j < WH_INT_KEYS ? n - j : WH_INT_KEYS, d_head, log_counts);
    for (int r = 0; r < rows; r++) {
        float inverse = 1.0f / s->sum[r];
        for (int c = 0; c < d_head; c++)
            out[(size_t)r * ldo + (size_t)c] = s->out[c * V * LANES + r] * inverse * at->v_scale[c] + at->v_mean[c];
    }
}

static void int_attend(const float *q, size_t ldq, int rows, const void *packed, int n, int d_head,
                       const float *log_counts, float *out, size_t ldo, float *scratch)
{
    const size_t size = WH_ATTEND_ROWS;
    const int_packed at = int_parts((void *)packed, (size_t)n, (size_t)d_head);
    int_state state = {.peak = scratch, .sum = scratch + size, .scale = scratch + 2 * size};
    state.scores = state.scale + size;
    state.out = state.scores + WH_INT_KEYS * size;
    state.p = (int32_t *)(state.out + (size_t)d_head * size);
    state.q = state.p + WH_INT_KEYS / 4 * size;
    memset(state.q, 0, int_room_steps((size_t)d_head) * size * sizeof *state.q); /* behind the last channels */
    int_begin();
    for (int r = 0; r < rows; r += INT_ROWS, q += INT_ROWS * ldq, out += INT_ROWS * ldo) {
        int left = rows - r;
        if (left > 2 * LANES)
            int_rows(3, &state, q, ldq, left < INT_ROWS ? left : INT_ROWS, &at, n, d_head, log_counts, out, ldo);
        else if (left > LANES)
            int_rows(2, &state, q, ldq, left, &at, n, d_head, log_counts, out, ldo);
        else
            int_rows(1, &state, q, ldq, left, &at, n, d_head, log_counts, out, ldo);
    }
    int_end();
}

/* ---- packing ---- */

/* Means of d columns of x [n][d], rows ld apart. */
static void int_means(const float *x, size_t ld, int n, size_t d, float *mean)
{
    for (size_t c = 0; c < d; c++)
        mean[c] = 0;
    for (int j = 0; j < n; j++, x += ld)
        for (size_t c = 0; c < d; c += LANES)
            store_part(mean + c, load_part(mean + c, d - c) + load_part(x + c, d - c), d - c);
    for (size_t c = 0; c < d; c++)
        mean[c] /= (float)n;
}

static void int_pack_keys(const float *k, size_t ld, int n, size_t d, const int_packed *at)
{
    size_t steps = int_steps(d), room = int_keys((size_t)n);
    float *mean = at->work, *row = mean + d;
    int_means(k, ld, n, d, mean);
    for (size_t j = (size_t)n; j < room; j++)
        at->start[j] = 0, at->k_scale[j] = 0;
    for (int j = 0; j < n; j++, k += ld) {
        int8_t q[LANES];
        float inverse;
        ivec sum = {0};
        for (size_t c = 0; c < d; c += LANES)
            store_part(row + c, load_part(k + c, d - c) - load_part(mean + c, d - c), d - c);
        at->k_scale[j] = int_scale(row, d, 127, &inverse);
        for (size_t c = 0; c < d; c += LANES) {
            ivec whole = round_vec(load_part(row + c, d - c) * inverse);
            bvec bytes = __builtin_convertvector(whole, bvec);
            sum += (ivec)((uvec)whole << 24) >> 24; /* the bytes: small also where the key is not a number */
            memcpy(q, &bytes, sizeof q);
            for (size_t i = 0; i < LANES / 4 && c / 4 + i < steps; i++)
                int_put_key(at, d, (size_t)j, c / 4 + i, q + 4 * i);
        }
        at->start[j] = (int32_t)(0 - 128 * (uint32_t)sum_lanes(sum)); /* unsigned: NaNs become the least int */
    }
}

static void int_pack_values(const float *v, size_t ld, int n, size_t d, const int_packed *at)
{
    float *inverse = at->work, *most = at->v_scale;
    int_means(v, ld, n, d, at->v_mean);
    for (size_t c = 0; c < d; c++)
        most[c] = 0;
    for (int j = 0; j < n; j++)
        for (size_t c = 0; c < d; c += LANES) {
            vec x = load_part(v + (size_t)j * ld + c, d - c) - load_part(at->v_mean + c, d - c);
            vec far = (vec)((ivec)x & 0x7fffffff), before = load_part(most + c, d - c);
            store_part(most + c, select_vec(far > before, far, before), d - c);
        }
    for (size_t c = 0; c < d; c++) {
        inverse[c] = most[c] > 1e-30f ? WH_V_MOST / most[c] : 0;
        at->v_scale[c] = most[c] / WH_V_MOST;
    }
    for (int j = 0; j < n; j += 4)
        for (size_t c = 0; c < d; c += LANES) {
            const float *x = v + (size_t)j * ld + c;
            vec mean = load_part(at->v_mean + c, d - c), scale = load_part(inverse + c, d - c);
            ivec bytes = {0};
            for (int i = 0; i < 4 && j + i < n; i++, x += ld)
                bytes |= (round_vec((load_part(x, d - c) - mean) * scale) & 255) << 8 * i;
            int_put_values(at, d, (size_t)j, c, bytes);
        }
}

static void int_pack(const float *k, const float *v, size_t ld, int n, int d_head, void *out)
{
    const int_packed at = int_parts(out, (size_t)n, (size_t)d_head);
    int_clear(&at, (size_t)n, (size_t)d_head);
    int_pack_keys(k, ld, n, (size_t)d_head, &at);
    int_pack_values(v, ld, n, (size_t)d_head, &at);
}

static const wh_attention_int table = {int_pack, int_attend};
