/* promise.c - how many frames the heads of the rarer formats promise, which libsndfile reads and does not tell when they
 * are cut off. See promise.h; used by sndfile.c. */
#include "audio/promise.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD = 1024 };

struct head {
    unsigned char bytes[HEAD + 1]; /* a 0 behind them */
    size_t n;
};

static int64_t big(const unsigned char *p)
{
    return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static int64_t little(const unsigned char *p)
{
    return (int64_t)p[3] << 24 | p[2] << 16 | p[1] << 8 | p[0];
}

/* NIST Sphere: text of 1,024 bytes. */
static int64_t nist(const struct head *h, int channels)
{
    static const char key[] = "sample_count -i ";
    const char *at = h->n == HEAD ? strstr((const char *)h->bytes, key) : NULL;
    (void)channels; /* the count is each channel's */
    return at ? strtoll(at + sizeof key - 1, NULL, 10) : -1;
}

/* AVR: some programs count the samples of all channels. */
static int64_t avr(const struct head *h, int channels)
{
    return h->n >= 128 ? big(h->bytes + 26) / channels : -1;
}

/* A-law of a Psion: bytes, of which one is a frame. */
static int64_t psion(const struct head *h, int channels)
{
    (void)channels;
    return h->n >= 32 ? big(h->bytes + 18) : -1;
}

/* VOC: the first block of sound (1: its rate's divisor and coding, 9: twelve bytes). What continues it is more. */
static int64_t creative(const struct head *h, int channels)
{
    size_t at = h->bytes[20] | h->bytes[21] << 8;
    while (at + 16 <= h->n && h->bytes[at] != 0) {
        const unsigned char *block = h->bytes + at;
        int64_t length = little(block) >> 8;
        if (block[0] == 1)
            return block[5] == 0 ? (length - 2) / channels : -1;
        if (block[0] == 9)
            return block[8] >= 8 ? (length - 12) / (block[8] / 8 * channels) : -1;
        at += 4 + (size_t)length;
    }
    return -1;
}

/* MAT4: matrices one after the other, each with type, rows, columns, a flag and its name's length. The first one is the
 * rate. Rows are channels. */
static int64_t mat4(const struct head *h, int channels)
{
    int64_t (*number)(const unsigned char *) = h->bytes[2] == 3 ? big : little; /* its type, 1000 or 0 */
    size_t at = 20 + (size_t)number(h->bytes + 16) + 8;
    if (at + 20 > h->n)
        return -1;
    return number(h->bytes + at + 4) == channels ? number(h->bytes + at + 8) : -1;
}

/* MAT5: behind 128 bytes the same two as elements, each with its flags (16 bytes), dimensions and so on. */
static int64_t mat5(const struct head *h, int channels)
{
    int64_t (*number)(const unsigned char *) = h->bytes[126] == 'I' ? little : big;
    size_t at = h->n > 136 ? 136 + (size_t)number(h->bytes + 132) : h->n;
    if (at + 40 > h->n || number(h->bytes + at) != 14)
        return -1;
    return number(h->bytes + at + 32) == channels ? number(h->bytes + at + 36) : -1;
}

int64_t wh_promised_frames(wh_source *source, int channels)
{
    static const struct {
        size_t length;
        const char *magic;
        int64_t (*frames)(const struct head *h, int channels);
    } known[] = {
        {7, "NIST_1A", nist},
        {4, "2BIT", avr},
        {13, "ALawSoundFile", psion},
        {19, "Creative Voice File", creative},
        {10, "MATLAB 5.0", mat5},
        {12, "\0\0\3\350\0\0\0\1\0\0\0\1", mat4},
        {12, "\0\0\0\0\1\0\0\0\1\0\0\0", mat4},
    };
    struct head h = {.n = 0};
    h.n = wh_source_peek(source, 0, h.bytes, HEAD);
    for (size_t i = 0; i < WH_COUNT(known) && channels > 0; i++)
        if (memcmp(h.bytes, known[i].magic, known[i].length) == 0)
            return known[i].frames(&h, channels);
    return -1;
}
