/* kquants.c - ggml's blocks of 256: q2_K, q3_K, q4_K, q5_K and q6_K.
 *
 * A block is cut into sub-blocks of 16 or 32 numbers, each with a scale (and, but for q3_K and q6_K, a minimum) of few
 * bits; float16 numbers scale those in turn. The bits of the numbers lie in planes: low ones in bytes that hold 2 or 4
 * numbers, further ones in another array. */
#include "source.h"

#define BLOCK 256

static float half_at(const unsigned char *p)
{
    return wh_f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

/* Numbers i of a block by twos of bits: 128 at a time, the byte i % 32 of each 32 holds numbers i, i + 32, i + 64 and
 * i + 96. */
static int two_bits(const unsigned char *plane, int i)
{
    return plane[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

/* By fours: 64 at a time, the byte i % 32 of each 32 holds numbers i and i + 32. */
static int four_bits(const unsigned char *plane, int i)
{
    return plane[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
}

/* scales [16] (scale low, minimum high), numbers [64], scale of scales, scale of minima. */
static void decode_q2(const unsigned char *p, float *out)
{
    float d = half_at(p + 80), least = half_at(p + 82);
    for (int i = 0; i < BLOCK; i++) {
        int scale = p[i / 16];
        out[i] = d * (float)(scale & 15) * (float)two_bits(p + 16, i) - least * (float)(scale >> 4);
    }
}

/* third bits [32], numbers [64], scales [12], scale of scales. The scales' low four bits are in the first eight bytes,
 * their high two in the last four. A number without its third bit is 4 less. */
static void decode_q3(const unsigned char *p, float *out)
{
    const unsigned char *packed = p + 96;
    float d = half_at(p + 108);
    for (int i = 0; i < BLOCK; i++) {
        int k = i / 16, low = packed[k % 8] >> k / 8 * 4 & 15, high = packed[8 + k % 4] >> k / 4 * 2 & 3;
        int third = p[i % 32] >> i / 32 & 1;
        out[i] = d * (float)((low | high << 4) - 32) * (float)(two_bits(p + 32, i) - (third ? 0 : 4));
    }
}

/* Scale and minimum of sub-block k (of eight), six bits each, in twelve bytes. */
static void six_bits(const unsigned char *packed, int k, int *scale, int *least)
{
    if (k < 4) {
        *scale = packed[k] & 63;
        *least = packed[k + 4] & 63;
    } else {
        *scale = (packed[k + 4] & 15) | packed[k - 4] >> 6 << 4;
        *least = packed[k + 4] >> 4 | packed[k] >> 6 << 4;
    }
}

/* scale of scales, scale of minima, scales [12], with fifths: fifth bits [32], numbers [128]. */
static void decode_q4_q5(const unsigned char *p, int has_fifth, float *out)
{
    const unsigned char *fifths = p + 16, *numbers = has_fifth ? p + 48 : p + 16;
    float d = half_at(p), least = half_at(p + 2);
    for (int i = 0; i < BLOCK; i++) {
        int scale, minimum, fifth = has_fifth ? fifths[i % 32] >> i / 32 & 1 : 0;
        six_bits(p + 4, i / 32, &scale, &minimum);
        out[i] = d * (float)scale * (float)(four_bits(numbers, i) | fifth << 4) - least * (float)minimum;
    }
}

/* low fours of bits [128], high twos [64], scales [16] signed, scale of scales. The fours lie 128 at a time: byte
 * i % 64 of each 64 holds numbers i and i + 64. */
static void decode_q6(const unsigned char *p, float *out)
{
    float d = half_at(p + 208);
    for (int i = 0; i < BLOCK; i++) {
        int low = p[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
        int scale = (int8_t)p[192 + i / 16];
        out[i] = d * (float)scale * (float)((low | two_bits(p + 128, i) << 4) - 32);
    }
}

void decode_k_block(enum stored type, const unsigned char *p, float *out)
{
    switch (type) {
    case ST_Q2_K: decode_q2(p, out); break;
    case ST_Q3_K: decode_q3(p, out); break;
    case ST_Q6_K: decode_q6(p, out); break;
    default: decode_q4_q5(p, type == ST_Q5_K, out);
    }
}
