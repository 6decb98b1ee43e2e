/* elements.c - a source's stored elements to floats: GGUF's types, ggml's other blocks, CTranslate2's int8, strides. */
#include <math.h>
#include <string.h>

#include "source.h"

#define BLOCK 32

static const struct {
    int elements, bytes; /* of a block */
} types[] = {
    [ST_F32] = {1, 4},       [ST_F16] = {1, 2},         [ST_BF16] = {1, 2},      [ST_Q8_0] = {BLOCK, 34},
    [ST_Q4_0] = {BLOCK, 18}, [ST_Q4_1] = {BLOCK, 20},   [ST_Q5_0] = {BLOCK, 22}, [ST_Q5_1] = {BLOCK, 24},
    [ST_I8] = {1, 1},        [ST_IQ4_NL] = {BLOCK, 18}, [ST_Q2_K] = {256, 84},   [ST_Q3_K] = {256, 110},
    [ST_Q4_K] = {256, 144},  [ST_Q5_K] = {256, 176},    [ST_Q6_K] = {256, 210},  [ST_I8_ROWS] = {1, 1},
    [ST_COMPUTED] = {1, 4},
};

int64_t tensor_elements(const struct tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->n_dims; i++) {
        if (t->shape[i] < 1 || t->shape[i] > INT64_MAX / 64 / n)
            return 0;
        n *= t->shape[i];
    }
    return n;
}

size_t stored_bytes(enum stored type, int64_t n)
{
    if (n < 1 || (uint64_t)n > SIZE_MAX / 8 || n % types[type].elements)
        return 0;
    return (size_t)(n / types[type].elements) * (size_t)types[type].bytes;
}

int tensor_fits(const struct tensor *t, size_t bytes)
{
    size_t need = stored_bytes(t->type, tensor_elements(t));
    return need > 0 && need <= bytes && t->shape[t->n_dims - 1] % types[t->type].elements == 0;
}

static float load_f16(const unsigned char *p)
{
    return wh_f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

static float load_f32(const unsigned char *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* One block of ggml's 4 and 5 bit types: scale, minimum (the _1 types), fifth bits (the 5 bit types), then 16 bytes
 * with element i in the low and element i + 16 in the high half of byte i. The _0 types are centred on zero. */
static void decode_block(enum stored type, const unsigned char *p, float *out)
{
    int has_minimum = type == ST_Q4_1 || type == ST_Q5_1, has_fifth = type == ST_Q5_0 || type == ST_Q5_1;
    float scale = load_f16(p), minimum = 0;
    uint32_t fifth = 0;
    p += 2;
    if (has_minimum) {
        minimum = load_f16(p);
        p += 2;
    }
    if (has_fifth) {
        fifth = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        p += 4;
    }
    int center = has_minimum ? 0 : has_fifth ? 16 : 8;
    for (int i = 0; i < BLOCK; i++) {
        int q = i < 16 ? p[i] & 15 : p[i - 16] >> 4;
        if (has_fifth)
            q |= (int)(fifth >> i & 1) << 4;
        out[i] = (float)(q - center) * scale + minimum;
    }
}

/* iq4_nl: a scale, then fours of bits that number these levels, laid out as above. */
static void decode_levels(const unsigned char *p, float *out)
{
    static const int8_t levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    float scale = load_f16(p);
    p += 2;
    for (int i = 0; i < BLOCK; i++)
        out[i] = scale * (float)levels[i < 16 ? p[i] & 15 : p[i - 16] >> 4];
}

/* openai/whisper's encoder positions: row p of [length][d] is sin(p w_k) for k < d/2, then cos(p w_k), with
 * w_k = 10000^(-k / (d/2 - 1)). */
static float sinusoid(const struct tensor *t, int64_t i)
{
    int64_t d = t->shape[1], half = d / 2, position = i / d, k = i % d;
    double step = half > 1 ? log(10000.0) / (double)(half - 1) : 0;
    float frequency = expf((float)(-step * (double)(k % half)));
    float angle = (float)position * frequency;
    return k < half ? sinf(angle) : cosf(angle);
}

/* Where element `i` of the row-major order is, counted in elements from the tensor's start. */
static int64_t strided_index(const struct tensor *t, int64_t i)
{
    int64_t at = 0;
    for (int k = t->n_dims - 1; k >= 0; k--) {
        at += i % t->shape[k] * t->stride[k];
        i /= t->shape[k];
    }
    return at;
}

void tensor_bytes(const struct tensor *t, int64_t first, int64_t n, unsigned char *out)
{
    size_t size = (size_t)types[t->type].bytes;
    if (!t->is_strided) {
        memcpy(out, t->data + stored_bytes(t->type, first), stored_bytes(t->type, n));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        memcpy(out + (size_t)i * size, t->data + (size_t)strided_index(t, first + i) * size, size);
}

void tensor_floats(const struct tensor *t, int64_t first, int64_t n, float *out)
{
    if (t->type == ST_COMPUTED) {
        for (int64_t i = 0; i < n; i++)
            out[i] = sinusoid(t, first + i);
        return;
    }
    if (t->is_strided) { /* only one-element types have strides */
        struct tensor one = *t;
        one.is_strided = 0;
        for (int64_t i = 0; i < n; i++) {
            one.data = t->data + (size_t)strided_index(t, first + i) * (size_t)types[t->type].bytes;
            tensor_floats(&one, 0, 1, out + i);
        }
        return;
    }
    const unsigned char *p = t->data + stored_bytes(t->type, first);
    switch (t->type) {
    case ST_F32: wh_decode_row(WH_F32, p, out, n); break;
    case ST_F16: wh_decode_row(WH_F16, p, out, n); break;
    case ST_BF16: wh_decode_row(WH_BF16, p, out, n); break;
    case ST_Q8_0: wh_decode_row(WH_Q8_0, p, out, n); break;
    case ST_I8:
    case ST_I8_ROWS: {
        int64_t row = tensor_elements(t) / t->shape[0];
        for (int64_t i = 0; i < n; i++) {
            float scale = load_f32(t->scale + 4 * ((first + i) / row)), q = (float)(int8_t)p[i];
            out[i] = t->type == ST_I8 ? q / scale : q * scale;
        }
        break;
    }
    default: {
        int64_t block = types[t->type].elements;
        for (int64_t i = 0; i + block <= n; i += block, p += types[t->type].bytes) {
            if (block > BLOCK)
                decode_k_block(t->type, p, out + i);
            else if (t->type == ST_IQ4_NL)
                decode_levels(p, out + i);
            else
                decode_block(t->type, p, out + i);
        }
    }
    }
}
