/* pcm.c - see pcm.h. */
#include "audio/pcm.h"

#include <stdio.h>
#include <string.h>

/* ITU-T G.711: sign, three bits of exponent, four of mantissa; in 16-bit steps. */
static int a_law(unsigned char code)
{
    int bits = code ^ 0x55, exponent = bits >> 4 & 7, mantissa = (bits & 15) << 4;
    int level = exponent ? (mantissa + 0x108) << (exponent - 1) : mantissa + 8;
    return bits & 0x80 ? level : -level;
}

static int mu_law(unsigned char code)
{
    int bits = ~code & 0xff, exponent = bits >> 4 & 7, mantissa = bits & 15;
    int level = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    return bits & 0x80 ? -level : level;
}

static void read_laws(const wh_pcm *pcm, const unsigned char *bytes, size_t n, float *samples)
{
    float table[256];
    for (int i = 0; i < 256; i++)
        table[i] = (float)(pcm->kind == WH_PCM_A_LAW ? a_law((unsigned char)i) : mu_law((unsigned char)i)) / 32768.0f;
    for (size_t i = 0; i < n; i++)
        samples[i] = table[bytes[i]];
}

/* The bytes of a sample as a number of 64 bits, at its upper end. */
static inline uint64_t gather(const unsigned char *p, int n, int is_big)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++)
        value |= (uint64_t)p[i] << (is_big ? 56 - 8 * i : 64 - 8 * (n - i));
    return value;
}

static void read_floats(const wh_pcm *pcm, const unsigned char *bytes, size_t n, float *samples)
{
    for (size_t i = 0; i < n; i++, bytes += pcm->bytes) {
        uint64_t bits = gather(bytes, pcm->bytes, pcm->is_big);
        if (pcm->bytes == 4) {
            uint32_t single = (uint32_t)(bits >> 32);
            memcpy(&samples[i], &single, 4);
        } else {
            double x;
            memcpy(&x, &bits, 8);
            samples[i] = (float)x;
        }
    }
}

/* Inlined with constants for the usual kinds, so that each has a loop of its own. */
static inline void read_integers(int n_bytes, int is_big, uint64_t flip, const unsigned char *bytes, size_t n,
                                 float *samples)
{
    for (size_t i = 0; i < n; i++, bytes += n_bytes) {
        uint64_t bits = gather(bytes, n_bytes, is_big) ^ flip;
        if (n_bytes <= 4) { /* as libsndfile has it, to the last bit: 32 bits are rounded once */
            int32_t x = (int32_t)(uint32_t)(bits >> 32);
            samples[i] = (float)x * (1.0f / 2147483648.0f);
        } else {
            samples[i] = (float)((double)(int64_t)bits / 9223372036854775808.0);
        }
    }
}

void wh_pcm_floats(const wh_pcm *pcm, const unsigned char *bytes, size_t n, float *samples)
{
    uint64_t flip = pcm->is_unsigned ? UINT64_C(1) << 63 : 0;
    if (pcm->kind == WH_PCM_FLOAT)
        read_floats(pcm, bytes, n, samples);
    else if (pcm->kind != WH_PCM_INTEGER)
        read_laws(pcm, bytes, n, samples);
    else if (pcm->bytes == 2 && !pcm->is_big && !flip)
        read_integers(2, 0, 0, bytes, n, samples);
    else if (pcm->bytes == 2 && !flip)
        read_integers(2, 1, 0, bytes, n, samples);
    else if (pcm->bytes == 3 && !pcm->is_big && !flip)
        read_integers(3, 0, 0, bytes, n, samples);
    else
        read_integers(pcm->bytes, pcm->is_big, flip, bytes, n, samples);
}

void wh_pcm_describe(const wh_pcm *pcm, char *text, size_t room)
{
    static const char *const laws[] = {[WH_PCM_A_LAW] = "A-law", [WH_PCM_MU_LAW] = "mu-law"};
    if (pcm->kind == WH_PCM_A_LAW || pcm->kind == WH_PCM_MU_LAW)
        snprintf(text, room, "%s", laws[pcm->kind]);
    else
        snprintf(text, room, "%d-bit %s", 8 * pcm->bytes, pcm->kind == WH_PCM_FLOAT ? "float" : "PCM");
}
