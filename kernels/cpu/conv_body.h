/* conv_body.h - convolutions' text, compiled once a level by conv_....c, which has defined LANES, CONV_BLOCK (the rows
 * whose sums stay in registers), fma_vec, max_vec and dot_bytes for its instructions. Ends with `table`, unless CONV_HAS_TABLE is
 * defined, where the level makes its own. */
#include "cpu/conv.h"

#define VECS (WH_CONV_PANEL / LANES)
typedef uint8_t conv_bytes __attribute__((vector_size(LANES)));

/* Row r of a block, in an address that needs few registers. */
#define ROW(x, r, ldx) ((x)[(r) / 3] + (size_t)((r) % 3) * (ldx))
#define THIRDS ((CONV_BLOCK + 2) / 3)

INLINE ivec spread_four(const uint8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    return four - (ivec){0};
}

/* ---- tiles ---- */

/* R rows from row `first` on; the sums are in s. */
INLINE vec conv_finish(const int R, vec (*s)[VECS], int first, const wh_conv_out *out, vec most)
{
    const vec zero = {0};
    for (int r = 0; r < R; r++) {
        size_t at = (size_t)(first + r) * out->ldy;
        for (int v = 0; v < VECS; v++) {
            vec y = s[r][v] + load(out->bias + v * LANES);
            if (out->more)
                y += load(out->more + at + (size_t)v * LANES);
            if (out->is_rectified)
                y = max_vec(y, zero);
            most = max_vec(most, y);
            store(out->y + at + (size_t)v * LANES, y);
        }
    }
    return most;
}

INLINE vec block_f32(const int R, const wh_conv_in *in, int first, const float *w, const wh_conv_out *out, vec most)
{
    vec s[CONV_BLOCK][VECS];
    for (int r = 0; r < R; r++)
        for (int v = 0; v < VECS; v++)
            s[r][v] = (vec){0};
    for (size_t p = 0; p < in->n_pieces; p++) {
        const float *x[THIRDS];
        for (int t = 0; t < (R + 2) / 3; t++)
            x[t] = (const float *)in->x + ((size_t)first + 3 * (size_t)t) * in->ldx + in->pieces[p];
        for (size_t i = 0; i < in->length; i++, w += WH_CONV_PANEL) {
            for (int r = 0; r < R; r++)
                for (int v = 0; v < VECS; v++)
                    s[r][v] = fma_vec(spread(ROW(x, r, in->ldx)[i]), load(w + v * LANES), s[r][v]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < VECS; v++)
            s[r][v] *= load(out->scale + v * LANES);
    return conv_finish(R, s, first, out, most);
}

INLINE vec block_int8(const int R, const wh_conv_in *in, int first, const int8_t *w, const wh_conv_out *out, vec most)
{
    const size_t ldx = in->ldx;
    ivec sum[CONV_BLOCK][VECS];
    vec s[CONV_BLOCK][VECS];
    for (int r = 0; r < R; r++)
        for (int v = 0; v < VECS; v++)
            sum[r][v] = (ivec){0};
    for (size_t p = 0; p < in->n_pieces; p++) {
        const uint8_t *x[THIRDS], *last;
        for (int t = 0; t < (R + 2) / 3; t++)
            x[t] = (const uint8_t *)in->x + ((size_t)first + 3 * (size_t)t) * ldx + in->pieces[p];
        for (last = x[0] + in->length; x[0] < last; w += 4 * WH_CONV_PANEL) {
            ivec b[VECS];
            for (int v = 0; v < VECS; v++)
                b[v] = load_int((const int32_t *)(const void *)(w + 4 * v * LANES));
            for (int r = 0; r < R; r++) {
                ivec a = spread_four(ROW(x, r, ldx));
                for (int v = 0; v < VECS; v++)
                    sum[r][v] = dot_bytes(sum[r][v], a, b[v]);
            }
            for (int t = 0; t < (R + 2) / 3; t++) {
                x[t] += 4;
                __asm__("" : "+r"(x[t])); /* else GCC keeps more addresses than there are registers */
            }
        }
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < VECS; v++)
            s[r][v] = __builtin_convertvector(sum[r][v], vec) *
                      (spread(in->scale[first + r]) * load(out->scale + v * LANES));
    return conv_finish(R, s, first, out, most);
}

INLINE float largest_lane(vec most)
{
    float lane[LANES], largest = 0;
    store(lane, most);
    for (int l = 0; l < LANES; l++)
        largest = lane[l] > largest ? lane[l] : largest;
    return largest;
}

/* Blocks of as many rows as registers hold, then what is left, with the number of rows as a constant. */
#if CONV_BLOCK == 12
#define CONV_REST(BLOCK)                                                                                               \
    switch (rows - r) {                                                                                                \
    case 1: most = BLOCK(1, in, r, w, out, most); break;                                                               \
    case 2: most = BLOCK(2, in, r, w, out, most); break;                                                               \
    case 3: most = BLOCK(3, in, r, w, out, most); break;                                                               \
    case 4: most = BLOCK(4, in, r, w, out, most); break;                                                               \
    case 5: most = BLOCK(5, in, r, w, out, most); break;                                                               \
    case 6: most = BLOCK(6, in, r, w, out, most); break;                                                               \
    case 7: most = BLOCK(7, in, r, w, out, most); break;                                                               \
    case 8: most = BLOCK(8, in, r, w, out, most); break;                                                               \
    case 9: most = BLOCK(9, in, r, w, out, most); break;                                                               \
    case 10: most = BLOCK(10, in, r, w, out, most); break;                                                             \
    case 11: most = BLOCK(11, in, r, w, out, most); break;                                                             \
    default: break;                                                                                                    \
    }
#else
#define CONV_REST(BLOCK)                                                                                               \
    for (; r < rows; r++)                                                                                              \
        most = BLOCK(1, in, r, w, out, most);
#endif

static float tile_f32(const wh_conv_in *in, int rows, const float *w, const wh_conv_out *out)
{
    vec most = {0};
    int r = 0;
    for (; r + CONV_BLOCK <= rows; r += CONV_BLOCK)
        most = block_f32(CONV_BLOCK, in, r, w, out, most);
    CONV_REST(block_f32)
    return largest_lane(most);
}

static float tile_int8(const wh_conv_in *in, int rows, const int8_t *w, const wh_conv_out *out)
{
    vec most = {0};
    int r = 0;
    for (; r + CONV_BLOCK <= rows; r += CONV_BLOCK)
        most = block_int8(CONV_BLOCK, in, r, w, out, most);
    CONV_REST(block_int8)
    return largest_lane(most);
}

/* ---- what stands between products ---- */

static float first(const float *const x[3], size_t n, const float *w, const float *bias, float *out)
{
    const vec zero = {0};
    vec most = {0};
    for (int v = 0; v < VECS; v++) {
        vec tap[9], b = load(bias + v * LANES);
        for (int t = 0; t < 9; t++)
            tap[t] = load(w + t * WH_CONV_PANEL + v * LANES);
        for (size_t i = 0; i < n; i++) {
            vec y = b;
            for (int t = 0; t < 9; t++) /* multiplied, then added: one rounding less would not be the same everywhere */
                y += spread(x[t / 3][i + (size_t)(t % 3)]) * tap[t];
            y = max_vec(y, zero);
            most = max_vec(most, y);
            store(out + i * WH_CONV_PANEL + v * LANES, y);
        }
    }
    return largest_lane(most);
}

static float rectify(const float *x, const float *gain, const float *bias, size_t n, float *out)
{
    const vec zero = {0};
    vec most = {0};
    for (size_t i = 0; i < n; i += LANES) {
        vec y = max_vec(load(x + i) * load(gain + i) + load(bias + i), zero);
        most = max_vec(most, y);
        store(out + i, y);
    }
    return largest_lane(most);
}

/* Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
static void round_bytes(const float *x, float inverse, size_t n, uint8_t *q)
{
    for (size_t i = 0; i < n; i += LANES) {
        ivec bits = (ivec)(load(x + i) * spread(inverse) + spread(0x1.8p23f)) & 127;
        conv_bytes b = __builtin_convertvector(bits, conv_bytes);
        memcpy(q + i, &b, sizeof b);
    }
}

#ifndef CONV_HAS_TABLE
static const wh_conv table = {
    .rows = 12, .tile_f32 = tile_f32, .tile_int8 = tile_int8, .first = first, .rectify = rectify, .round = round_bytes};
#endif
