/* types.c - how numbers are stored in a model file: float32, float16, bfloat16, int8 and Q8_0 blocks, to floats and
 * back.
 *
 * These are the definitions; kernels/cpu has faster ones for the running model. Rows may stand anywhere in memory
 * (other formats' files do not align them), so every number is loaded and stored through memcpy. */
#include <math.h>
#include <string.h>

#include "gguf/gguf.h"

#define Q8_BLOCK 32             /* elements */
#define Q8_BYTES (2 + Q8_BLOCK) /* an f16 scale, then the int8 values */

size_t wh_type_row_size(wh_type type, int64_t n)
{
    if (n <= 0 || (uint64_t)n > SIZE_MAX / 8)
        return 0;
    switch (type) {
    case WH_F32: return (size_t)n * 4;
    case WH_F16:
    case WH_BF16: return (size_t)n * 2;
    case WH_I8: return (size_t)n;
    case WH_Q8_0: return n % Q8_BLOCK ? 0 : (size_t)n / Q8_BLOCK * Q8_BYTES;
    }
    return 0;
}

const char *wh_type_name(wh_type type)
{
    switch (type) {
    case WH_F32: return "f32";
    case WH_F16: return "f16";
    case WH_Q8_0: return "q8_0";
    case WH_I8: return "int8";
    case WH_BF16: return "bf16";
    }
    return NULL;
}

static uint32_t float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float bits_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

uint16_t wh_f32_to_f16(float x)
{
    uint32_t bits = float_bits(x);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) /* a quiet NaN keeps the upper payload */
        return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x3ff));
    if (bits >= 0x477ff000) /* 65520 and above round to infinity */
        return sign | 0x7c00;
    if (bits < 0x38800000) { /* below 2^-14: subnormal; the float adder rounds at the right place */
        float rounded = bits_float(bits) + 0.5f;
        return (uint16_t)(sign | (float_bits(rounded) - float_bits(0.5f)));
    }
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | ((bits - 0x38000000) >> 13));
}

float wh_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t magnitude = h & 0x7fff;
    if (magnitude >= 0x7c00) /* infinity, NaN */
        return bits_float(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    if (magnitude < 0x400) { /* zero, subnormal: a multiple of 2^-24 */
        float x = (float)magnitude * 5.9604644775390625e-8f;
        return bits_float(sign | float_bits(x));
    }
    return bits_float(sign | ((magnitude << 13) + 0x38000000));
}

uint16_t wh_f32_to_bf16(float x)
{
    uint32_t bits = float_bits(x);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float wh_bf16_to_f32(uint16_t h)
{
    return bits_float((uint32_t)h << 16);
}

/* One block as ggml defines it: scale = largest magnitude / 127, values rounded half away from zero. */
static void encode_q8_0(const float *in, unsigned char *out)
{
    float largest = 0;
    for (int i = 0; i < Q8_BLOCK; i++)
        if (fabsf(in[i]) > largest)
            largest = fabsf(in[i]);
    float scale = largest / 127, inverse = scale > 0 ? 1 / scale : 0;
    uint16_t stored = wh_f32_to_f16(scale);
    memcpy(out, &stored, 2);
    for (int i = 0; i < Q8_BLOCK; i++) {
        float q = roundf(in[i] * inverse);
        /* not a number and infinities have no place in a block; they must not reach the integer conversion */
        out[2 + i] = (unsigned char)(int8_t)(q >= -127 && q <= 127 ? q : 0);
    }
}

static void decode_q8_0(const unsigned char *in, float *out)
{
    uint16_t stored;
    memcpy(&stored, in, 2);
    float scale = wh_f16_to_f32(stored);
    for (int i = 0; i < Q8_BLOCK; i++)
        out[i] = scale * (float)(int8_t)in[2 + i];
}

void wh_decode_row(wh_type type, const void *row, float *out, int64_t n)
{
    const unsigned char *bytes = row;
    uint16_t h;
    switch (type) {
    case WH_F32: memcpy(out, row, (size_t)n * sizeof *out); break;
    case WH_F16:
        for (int64_t i = 0; i < n; i++) {
            memcpy(&h, bytes + 2 * i, 2);
            out[i] = wh_f16_to_f32(h);
        }
        break;
    case WH_BF16:
        for (int64_t i = 0; i < n; i++) {
            memcpy(&h, bytes + 2 * i, 2);
            out[i] = wh_bf16_to_f32(h);
        }
        break;
    case WH_Q8_0:
        for (int64_t i = 0; i + Q8_BLOCK <= n; i += Q8_BLOCK, bytes += Q8_BYTES)
            decode_q8_0(bytes, out + i);
        break;
    case WH_I8:
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)(int8_t)bytes[i];
        break;
    }
}

void wh_encode_row(wh_type type, const float *in, void *row, int64_t n)
{
    unsigned char *bytes = row;
    uint16_t h;
    switch (type) {
    case WH_F32: memcpy(row, in, (size_t)n * sizeof *in); break;
    case WH_F16:
        for (int64_t i = 0; i < n; i++) {
            h = wh_f32_to_f16(in[i]);
            memcpy(bytes + 2 * i, &h, 2);
        }
        break;
    case WH_BF16:
        for (int64_t i = 0; i < n; i++) {
            h = wh_f32_to_bf16(in[i]);
            memcpy(bytes + 2 * i, &h, 2);
        }
        break;
    case WH_Q8_0:
        for (int64_t i = 0; i + Q8_BLOCK <= n; i += Q8_BLOCK, bytes += Q8_BYTES)
            encode_q8_0(in + i, bytes);
        break;
    case WH_I8:
        for (int64_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)(int8_t)(in[i] >= -127 && in[i] <= 127 ? rintf(in[i]) : 0);
        break;
    }
}
