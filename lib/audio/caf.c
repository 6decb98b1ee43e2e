/* caf.c - Apple's Core Audio Format: desc, data, and what ALAC needs: kuki and pakt (see stretch.h). "Apple Core
 * Audio Format Specification 1.0", 2011. */
#include <stdio.h>
#include <string.h>

#include "audio/joined.h"

#define HEADER 12
#define DESC 32
#define MOST_COOKIE 512
#define MOST_LAYOUT 1024

static int is_caf(const unsigned char *bytes)
{
    return memcmp(bytes, "caff\0\1", 6) == 0;
}

static int read_description(wh_walk *walk, const unsigned char *desc, size_t n)
{
    wh_stretch *s = &walk->format;
    uint64_t rate_bits = wh_big64(desc);
    double rate;
    memset(s, 0, sizeof *s);
    memcpy(&rate, &rate_bits, sizeof rate);
    uint32_t flags = wh_big32(desc + 12), packet = wh_big32(desc + 16), channels = wh_big32(desc + 24),
             bits = wh_big32(desc + 28);
    if (n < DESC || !(rate >= 1 && rate < INT32_MAX) || channels < 1 || channels > WH_MOST_CHANNELS || bits > 64)
        return 0;
    s->sound.rate = (int)(rate + 0.5);
    s->sound.channels = (int)channels;
    s->by = WH_BY_NOBODY;
    snprintf(s->coding, sizeof s->coding, "coding '%.4s'",
             wh_is_chunk_name(desc + 8) ? (const char *)desc + 8 : "????");
    int bytes = packet % channels == 0 && packet / channels <= 8 ? (int)(packet / channels) : 0, is_float = flags & 1;
    if (bytes < (int)(bits + 7) / 8 || bytes == 0)
        bytes = (int)(bits + 7) / 8;
    s->pcm = (wh_pcm){.kind = is_float ? WH_PCM_FLOAT : WH_PCM_INTEGER, .bytes = bytes, .is_big = !(flags & 2)};
    if (memcmp(desc + 8, "lpcm", 4) == 0 && bytes >= 1 && (!is_float || bytes == 4 || bytes == 8))
        s->by = WH_BY_PCM;
    if (memcmp(desc + 8, "alaw", 4) == 0 || memcmp(desc + 8, "ulaw", 4) == 0) {
        s->by = WH_BY_PCM;
        s->pcm = (wh_pcm){.kind = desc[8] == 'a' ? WH_PCM_A_LAW : WH_PCM_MU_LAW, .bytes = 1};
    }
    if (memcmp(desc + 8, "alac", 4) == 0) {
        s->by = WH_BY_SNDFILE;
        snprintf(s->coding, sizeof s->coding, "ALAC");
        memcpy(s->head, "caff\0\1\0\0desc\0\0\0\0\0\0\0\40", 20);
        memcpy(s->head + 20, desc, DESC);
        s->n_head = 20 + DESC;
    } else if (s->by == WH_BY_PCM) {
        wh_pcm_describe(&s->pcm, s->coding, sizeof s->coding);
        s->sound.is_16_bit = s->pcm.kind != WH_PCM_FLOAT && s->pcm.bytes <= 2;
        s->sound.floats = s->pcm.kind == WH_PCM_FLOAT;
    }
    return 1;
}

/* ALAC's cookie goes into the header that is made for libsndfile. */
static void read_cookie(wh_walk *walk, const unsigned char *header, int64_t size)
{
    wh_stretch *s = &walk->format;
    if (s->by != WH_BY_SNDFILE || size > MOST_COOKIE || s->n_head != 20 + DESC)
        return;
    memcpy(s->head + s->n_head, header, HEADER);
    wh_source_peek(walk->source, walk->at + HEADER, s->head + s->n_head + HEADER, (size_t)size);
    s->n_head += HEADER + (size_t)size;
}

/* Is the table of packets whole: 24 bytes, then numbers of at most 4 bytes of 7 bits, all of which but a number's
 * last have their upper bit set? libsndfile writes to standard output about others. */
static int is_whole_table(wh_walk *walk)
{
    unsigned char piece[4096];
    int64_t end = walk->kept_at + walk->kept;
    int bytes = 0;
    for (int64_t at = walk->kept_at + HEADER + 24; at < end;) {
        size_t n = wh_source_peek(walk->source, at, piece, (size_t)WH_MIN(end - at, (int64_t)sizeof piece));
        for (size_t i = 0; i < n; i++) {
            bytes = piece[i] & 0x80 ? bytes + 1 : 0;
            if (bytes > 3)
                return 0;
        }
        if (n == 0)
            return 0;
        at += (int64_t)n;
    }
    return bytes == 0;
}

/* ALAC cannot be decoded without the table of packets, which mostly stands at the end. */
static int take_data(wh_walk *walk, wh_stretch *stretch)
{
    *stretch = walk->format;
    if (stretch->by == WH_BY_SNDFILE) {
        unsigned char *p = stretch->head + stretch->n_head;
        uint64_t size = (uint64_t)stretch->length + 4;
        memcpy(p, "data", 4);
        for (int i = 0; i < 8; i++)
            p[4 + i] = (unsigned char)(size >> (56 - 8 * i));
        memset(p + 12, 0, 4);
        stretch->n_second = HEADER + 4;
        stretch->tail_at = walk->kept_at;
        stretch->n_tail = walk->kept;
        if (!walk->source->is_file || !walk->kept || !is_whole_table(walk))
            stretch->by = WH_BY_NOBODY;
    }
    if (__builtin_popcount(stretch->sound.speakers) != stretch->sound.channels)
        stretch->sound.speakers = 0, stretch->is_mapped = 0;
    return 1;
}

/* The data chunk: an edit count, then the sound. A length of -1 is "until the end", 0 a header that was never
 * finished. */
static void read_data(wh_walk *walk, int64_t size)
{
    walk->format.at = walk->at + HEADER + 4;
    walk->format.length = size <= 4 ? -1 : size - 4;
    if (size == 4 && !wh_source_reaches(walk->source, walk->format.at + 1))
        walk->format.length = 0;
    walk->has_data = 1;
}

/* Sound, if its description came before. There may be more of it, but ALAC's would need another table of packets. */
static int may_take(const wh_walk *walk)
{
    return walk->has_format && (!walk->has_data || walk->format.by == WH_BY_PCM);
}

static int next_in_caf(wh_walk *walk, wh_stretch *stretch)
{
    unsigned char chunk[HEADER], content[MOST_LAYOUT];
    if (walk->at == walk->start)
        walk->at += 8;
    int had_data = walk->has_data;
    while (wh_source_peek(walk->source, walk->at, chunk, HEADER) == HEADER) {
        int64_t size = (int64_t)wh_big64(chunk + 4);
        int is_data = memcmp(chunk, "data", 4) == 0;
        if (!wh_is_chunk_name(chunk) || is_caf(chunk) || (size < 0 && (!is_data || size != -1)) || size > INT64_MAX / 2)
            break;
        if (is_data && !may_take(walk))
            break;
        if (is_data) {
            read_data(walk, size);
            if (walk->format.by != WH_BY_SNDFILE || !walk->source->is_file || walk->kept || size <= 4)
                return take_data(walk, stretch);
        }
        if (!wh_walk_passes(walk, walk->at + HEADER + size, 0))
            break;
        size_t n = (size_t)WH_MIN(size, MOST_LAYOUT);
        n = is_data ? 0 : wh_source_peek(walk->source, walk->at + HEADER, content, n);
        if (memcmp(chunk, "desc", 4) == 0 && !walk->has_format)
            walk->has_format = read_description(walk, content, n);
        else if (memcmp(chunk, "chan", 4) == 0)
            wh_read_layout(content, n, &walk->format);
        else if (memcmp(chunk, "kuki", 4) == 0)
            read_cookie(walk, chunk, size);
        else if (memcmp(chunk, "pakt", 4) == 0) {
            walk->kept_at = walk->at;
            walk->kept = HEADER + size;
        }
        walk->at += HEADER + size;
    }
    if (!walk->has_data || had_data)
        return 0;
    walk->lost = 0; /* what stands behind the sound is walked through once more */
    return take_data(walk, stretch);
}

static int64_t behind(wh_walk *walk, const wh_stretch *stretch)
{
    (void)walk;
    return stretch->at + stretch->length;
}

const wh_container wh_caf = {"CAF", 8, is_caf, next_in_caf, behind};
