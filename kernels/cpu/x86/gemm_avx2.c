/* gemm_avx2.c - float32 products with AVX2 and FMA, integer tiles with vpmaddubsw.
 *
 * vpmaddubsw adds two products of an unsigned and a signed byte in 16 bits and saturates: 2 * 255 * 127 is too much,
 * but with the magnitude of a weight (at most 127) as the unsigned one and x with the weight's sign as the other, 2 *
 * 127 * 127 fits, so that the sum is exact. */
#include "cpu/x86/x86.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#include <string.h>

/* ---- float32: blocks of 4 x 3 outputs, each with eight of its sixteen partial sums at a time ---- */

#define BLOCK_X 4
#define BLOCK_W 3
#define LANES 8
typedef __m256 lanes;

WH_INLINE lanes load_lanes(const float *x)
{
    return _mm256_loadu_ps(x);
}

WH_INLINE void store_lanes(float *x, lanes v)
{
    _mm256_storeu_ps(x, v);
}

/* The n < 8 first floats, zeros behind them; none for n <= 0. */
WH_INLINE lanes load_some(const float *x, int n)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(x, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), index));
}

WH_INLINE lanes fma_lanes(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* The sixteen lanes of n sums added up, each in the order of kernels->rows. */
WH_INLINE void add_up(const float *sum, size_t n, float *out)
{
    for (size_t j = 0; j < n; j++, sum += 16) {
        __m256 a = _mm256_add_ps(_mm256_loadu_ps(sum), _mm256_loadu_ps(sum + 8));
        __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        b = _mm_add_ps(b, _mm_movehl_ps(b, b));
        out[j] = _mm_cvtss_f32(b) + _mm_cvtss_f32(_mm_shuffle_ps(b, b, 1));
    }
}

#include "cpu/gemm_f32.h"

void wh_f32_avx2(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                 size_t ldy, int add)
{
    f32(x, ldx, m, w, ldw, n, k, y, ldy, add);
}

/* ---- int8 ---- */

/* The low bytes of the n first of eight integers. */
WH_INLINE void store_bytes(int8_t *q, __m256i v, size_t n)
{
    const __m256i low = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1,
                                         -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    __m256i b = _mm256_shuffle_epi8(v, low);
    uint32_t bytes[2] = {(uint32_t)_mm256_extract_epi32(b, 0), (uint32_t)_mm256_extract_epi32(b, 4)};
    if (n == 8)
        memcpy(q, bytes, 8);
    else
        memcpy(q, bytes, n);
}

void wh_i8_quantize_avx2(const float *x, size_t k, int8_t *q, int8_t *rest, float *scale)
{
    const __m256i positive = _mm256_set1_epi32(0x7fffffff);
    __m256i most = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= k; i += 8)
        most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + i)), positive));
    if (i < k)
        most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(load_some(x + i, (int)(k - i))), positive));
    int32_t part[8], bits = 0;
    _mm256_storeu_si256((__m256i *)part, most);
    for (int j = 0; j < 8; j++)
        bits = part[j] > bits ? part[j] : bits;
    float largest, inverse;
    memcpy(&largest, &bits, sizeof largest);
    if (!wh_i8_scale((uint32_t)bits, largest, scale, &inverse)) {
        memset(q, 0, k);
        if (rest)
            memset(rest, 0, k);
        return;
    }
    const __m256 factor = _mm256_set1_ps(inverse);
    for (i = 0; i < k; i += 8) {
        int n = k - i < 8 ? (int)(k - i) : 8;
        __m256 exact = _mm256_mul_ps(n == 8 ? _mm256_loadu_ps(x + i) : load_some(x + i, n), factor);
        __m256i v = _mm256_cvtps_epi32(exact);
        store_bytes(q + i, v, (size_t)n);
        if (rest) {
            __m256 lost = _mm256_mul_ps(_mm256_sub_ps(exact, _mm256_cvtepi32_ps(v)), _mm256_set1_ps(254.0f));
            store_bytes(rest + i, _mm256_cvtps_epi32(lost), (size_t)n);
        }
    }
}

#define HALF 4 /* rows: 8 sums, 2 weights, 2 magnitudes, x, ones */

WH_INLINE void half_tile(const int R, const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                         const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum[HALF][2];
    (void)w_sum;
    for (int r = 0; r < R; r++)
        sum[r][0] = sum[r][1] = _mm256_setzero_si256();
    for (size_t i = 0; i < steps; i++, x += 4 * rows, w += 4 * WH_PANEL) {
        __m256i w0 = _mm256_loadu_si256((const __m256i *)w), w1 = _mm256_loadu_si256((const __m256i *)(w + 32));
        __m256i u0 = _mm256_abs_epi8(w0), u1 = _mm256_abs_epi8(w1);
        fetch_ahead(&ahead, lines);
        for (int r = 0; r < R; r++) {
            int32_t four;
            memcpy(&four, x + 4 * r, sizeof four);
            __m256i a = _mm256_set1_epi32(four);
            __m256i p0 = _mm256_maddubs_epi16(u0, _mm256_sign_epi8(a, w0));
            __m256i p1 = _mm256_maddubs_epi16(u1, _mm256_sign_epi8(a, w1));
            sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(p0, ones));
            sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(p1, ones));
        }
    }
    for (int r = 0; r < R; r++)
        for (int c = 0; c < 2; c++) {
            __m256 scale = _mm256_mul_ps(_mm256_set1_ps(x_scale[r]), _mm256_loadu_ps(w_scale + 8 * c));
            _mm256_storeu_ps(out + r * WH_PANEL + 8 * c, _mm256_mul_ps(_mm256_cvtepi32_ps(sum[r][c]), scale));
        }
}

#include "cpu/x86/gemm_halves.h"

void wh_i8_tile_avx2(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                     const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    tile(x, rows, w, steps, w_sum, x_scale, w_scale, ahead, lines, out);
}

/* ---- bfloat16: its floats are its bits and sixteen zeros ---- */

typedef __m256i pairs;

WH_INLINE pairs load_pairs(const int8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

WH_INLINE pairs spread_pair(const int8_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}

WH_INLINE lanes even_floats(pairs two)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(two, 16));
}

WH_INLINE lanes odd_floats(pairs two)
{
    return _mm256_castsi256_ps(_mm256_and_si256(two, _mm256_set1_epi32((int)0xffff0000)));
}

#include "cpu/gemm_bf16.h"

void wh_bf16_tile_avx2(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                       float *out)
{
    for (int first = 0; first < rows; first += HALF)
        for (int c = 0; c < WH_PANEL; c += 16) {
            const int8_t *xr = x + 4 * first, *wc = w + 4 * c;
            float *to = out + first * WH_PANEL + c;
            if (first || c) /* once is enough */
                lines = 0;
            switch (rows - first) {
            case 1: bf16_block(1, xr, rows, wc, steps, ahead, lines, to); break;
            case 2: bf16_block(2, xr, rows, wc, steps, ahead, lines, to); break;
            case 3: bf16_block(3, xr, rows, wc, steps, ahead, lines, to); break;
            default: bf16_block(4, xr, rows, wc, steps, ahead, lines, to); break;
            }
        }
}

#define STORE_LANES 8
#include "cpu/gemm_store.h"

static const wh_gemm table = {.rows = WH_GROUP,
                              .f32 = wh_f32_avx2,
                              .quantize = wh_i8_quantize_avx2,
                              .group = wh_group_steps,
                              .group_bf16 = wh_group_steps,
                              .tile = tile,
                              .tile_bf16 = wh_bf16_tile_avx2,
                              .store = store};

const wh_gemm *wh_gemm_avx2(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_avx2(void)
{
    return NULL;
}
#endif
