/* attention_amx.h - the products of attention in integers on AMX's tiles, for attention_int_body.h: the text of
 * attention_amx.c and of the tests that run it with instructions in plain C.
 *
 * A tile's rows are keys (of a score) or channels (of an output), its columns sixteen queries: the queries' bytes and
 * the probabilities stand in memory as the vectors' code has them, and sums come out as its vectors. They are the same
 * integers and all that follows is the same text, so with AVX-512's vectors the outputs are avx512vnni's bit for bit. */
#include "cpu/x86/amx.h"

#define INT_OFFSET 0

_Static_assert(LANES == 16 && WH_INT_KEYS % 64 == 0, "vectors are as wide as tiles, blocks whole tiles");

#define int_begin amx_begin
#define int_end amx_end

/* Tiles 0 .. V-1 += tile 3 times sixteen steps of V vectors of queries. */
#define AMX_QUERIES(dot, V, at)                                                                                        \
    do {                                                                                                               \
        amx_load(4, at, V * 64);                                                                                       \
        dot(0, 3, 4);                                                                                                  \
        if (V > 1) {                                                                                                   \
            amx_load(5, (at) + LANES, V * 64);                                                                         \
            dot(1, 3, 5);                                                                                              \
        }                                                                                                              \
        if (V > 2) {                                                                                                   \
            amx_load(6, (at) + 2 * LANES, V * 64);                                                                     \
            dot(2, 3, 6);                                                                                              \
        }                                                                                                              \
    } while (0)

INLINE void amx_zeros(const int V)
{
    amx_zero(0);
    if (V > 1)
        amx_zero(1);
    if (V > 2)
        amx_zero(2);
}

/* To [16][V vectors]. */
INLINE void amx_sums(const int V, void *to)
{
    char *at = to;
    amx_store(0, at, V * 64);
    if (V > 1)
        amx_store(1, at + 64, V * 64);
    if (V > 2)
        amx_store(2, at + 128, V * 64);
}

INLINE void int_block_scores(const int V, const int_state *s, const int_packed *at, int first, int n, int d_head,
                             vec *peak)
{
    const size_t pieces = int_room_steps((size_t)d_head) / 16;
    for (int j = 0; j < n; j += 16) {
        const int8_t *k = at->k + (size_t)(first + j) * pieces * 64;
        amx_zeros(V);
        for (size_t i = 0; i < pieces; i++) {
            amx_load(3, k + i * 1024, 64);
            AMX_QUERIES(amx_dot_i8, V, s->q + i * 16 * (size_t)(V * LANES));
        }
        amx_sums(V, s->scores + j * V * LANES);
    }
    for (int j = 0; j < n; j++)
        for (int v = 0; v < V; v++) {
            float *score = s->scores + (j * V + v) * LANES;
            ivec sum;
            memcpy(&sum, score, sizeof sum);
            vec x = __builtin_convertvector(sum, vec) * at->k_scale[first + j];
            store(score, x);
            peak[v] = max_vec(x, peak[v]);
        }
}

/* A channel's sums of a block onto what came before. */
INLINE void amx_channels(const int V, const int32_t *sums, int n, const vec *shrink, float *out)
{
    for (int i = 0; i < n * V; i += V)
        for (int v = 0; v < V; v++) {
            float *at = out + (i + v) * LANES;
            store(at, fma_vec(load(at), shrink[v], __builtin_convertvector(load_int(sums + (i + v) * LANES), vec)));
        }
}

INLINE void int_block_values(const int V, const int_state *s, const int_packed *at, int first, int n, int d_head,
                             const vec *shrink)
{
    int32_t sums[2][16 * 3 * LANES] __attribute__((aligned(64)));
    const size_t n_tiles = int_room_channels((size_t)d_head) / 16, pieces = ((size_t)n + 63) / 64;
    const int8_t *values = at->v + (size_t)first * n_tiles * 16;
    const size_t steps = ((size_t)n + 3) / 4, row = (size_t)(V * LANES);
    memset(s->p + steps * row, 0, (pieces * 16 - steps) * row * sizeof *s->p);
    for (size_t c = 0; c <= n_tiles; c++) { /* the sums of one tile are read while the next one's are made */
        if (c < n_tiles) {
            amx_zeros(V);
            for (size_t i = 0; i < pieces; i++) {
                amx_load(3, values + (i * n_tiles + c) * 1024, 64);
                AMX_QUERIES(amx_dot_su, V, s->p + i * 16 * row);
            }
            amx_sums(V, sums[c % 2]);
        }
        if (c > 0) {
            int before = ((int)c - 1) * 16;
            amx_channels(V, sums[(c - 1) % 2], d_head - before < 16 ? d_head - before : 16, shrink,
                         s->out + before * V * LANES);
        }
    }
}

INLINE void int_clear(const int_packed *at, size_t n, size_t d)
{
    memset(at->k, 0, (size_t)((int8_t *)at->start - at->k)); /* values behind it */
    (void)n, (void)d;
}

INLINE void int_put_key(const int_packed *at, size_t d, size_t key, size_t i, const int8_t *four)
{
    size_t tile = key / 16 * 16 * int_room_steps(d) + i / 16 * 256;
    memcpy(at->k + (tile + key % 16 * 16 + i % 16) * 4, four, 4);
}

/* Sixteen channels are rows of one tile. */
INLINE void int_put_values(const int_packed *at, size_t d, size_t key, size_t c, ivec bytes)
{
    int32_t four[LANES];
    int8_t *tile = at->v + (key / 64 * (int_room_channels(d) / 16) + c / 16) * 1024 + key % 64;
    memcpy(four, &bytes, sizeof four);
    for (size_t i = 0; i < LANES; i++)
        memcpy(tile + i * 64, &four[i], 4);
}
