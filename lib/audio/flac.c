/* flac.c - the decoder for FLAC files, also several joined end to end (see decoder.h, flac_core.h).
 *
 * libsndfile stops at the first damaged frame and at the promised length; this goes on at the next frame that is
 * whole, as libFLAC does, and at the next file's "fLaC". Every frame says where its first sample belongs, so what is
 * missing becomes silence of the same length. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/damage.h"
#include "audio/decoder.h"
#include "audio/flac_core.h"
#include "audio/flac_walk.h"
#include "audio/junk.h"
#include "audio/tags.h"

#define BACK (WH_SOURCE_WINDOW / 2) /* bytes that a pipe can go back, so files do not either */
#define MOST_COMMENT 8192           /* bytes of a comment that are looked through */
#define WAVE_MASK "WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x"

typedef struct flac_decoder {
    wh_decoder decoder;
    wh_source *source;
    const char *name;
    wh_flac flac;
    wh_progress progress;
    /* the file that is read, of those joined */
    wh_flac_info info;
    int is_open;
    int64_t head;        /* its offset: 0 for the first one */
    int64_t audio;       /* offset of its first frame, or of what stands in its place */
    int64_t position;    /* of the next byte for libFLAC */
    int64_t end;         /* of its last byte, once known; else INT64_MAX */
    int64_t scanned;     /* up to here no other file begins */
    int64_t good_end;    /* of the last whole frame */
    int64_t nonzero_end; /* behind this byte only zeros were read */
    int64_t reread;      /* bytes that libFLAC went back, in all */
    uint32_t speakers;
    int has_frames;
    int64_t number;       /* of the sample that comes next */
    int64_t first_number; /* of its first one */
    double began;         /* seconds, in the recording */
    wh_flac_walk walk;    /* the frame that was found last, of the first file; position 0: none was */
    /* to be given out */
    int64_t silence; /* frames, then */
    int given;       /* of flac's last frame, this many are given; n: all */
} flac_decoder;

/* ---- where a file begins and ends ---- */

static int is_head(wh_source *source, int64_t at, unsigned char head[WH_FLAC_HEAD], wh_flac_info *info)
{
    return wh_source_peek(source, at, head, WH_FLAC_HEAD) == WH_FLAC_HEAD && wh_flac_parse(head, info);
}

/* Where does the next of the joined files begin, within these n bytes? -1: nowhere. */
static int64_t find_head(flac_decoder *d, const unsigned char *bytes, size_t n, int64_t at)
{
    unsigned char head[WH_FLAC_HEAD];
    wh_flac_info info;
    const unsigned char *p = bytes, *end = bytes + n;
    while (p < end && (p = memchr(p, 'f', (size_t)(end - p)))) {
        int64_t here = at + (p - bytes);
        int is_magic = memcmp(p, "fLaC", (size_t)WH_MIN(end - p, 4)) == 0; /* as far as it is seen */
        if (is_magic && here >= d->audio && is_head(d->source, here, head, &info))
            return here;
        p++;
    }
    return -1;
}

static size_t read_bytes(void *user, unsigned char *bytes, size_t n)
{
    flac_decoder *d = user;
    n = (size_t)WH_MIN((int64_t)n, d->end - d->position);
    n = wh_source_peek(d->source, d->position, bytes, n);
    int64_t after = d->position + (int64_t)n;
    if (after > d->scanned) {
        int64_t next = find_head(d, bytes, n, d->position);
        d->scanned = after;
        if (next >= 0) {
            d->end = next;
            n = (size_t)(next - d->position);
        }
    }
    for (size_t i = n; i > 0 && d->position + (int64_t)i > d->nonzero_end; i--)
        if (bytes[i - 1])
            d->nonzero_end = d->position + (int64_t)i;
    d->position += (int64_t)n;
    return n;
}

static int64_t tell(void *user)
{
    return ((flac_decoder *)user)->position;
}

/* Not farther than a pipe can, and not so often that a file made for it takes for ever. */
static int seek(void *user, int64_t offset)
{
    flac_decoder *d = user;
    int64_t back = d->position - offset;
    if (back < 0 || back > BACK || d->reread + back > 4 * d->position + (8 << 20))
        return -1;
    d->reread += back;
    d->position = offset;
    return 0;
}

/* A comment may say which speakers the channels are for. */
static uint32_t read_speakers(wh_source *source, int64_t at, int64_t length)
{
    char text[MOST_COMMENT + 1];
    size_t n = wh_source_peek(source, at, text, (size_t)WH_MIN(length, MOST_COMMENT));
    text[n] = 0;
    char *found = memmem(text, n, WAVE_MASK, strlen(WAVE_MASK));
    return found ? (uint32_t)strtoul(found + strlen(WAVE_MASK), NULL, 16) : 0;
}

/* Skip the blocks of metadata behind STREAMINFO. Where their lengths are damaged, libFLAC looks for the first frame. */
static int64_t find_audio(flac_decoder *d, int64_t head, int is_last)
{
    unsigned char block[4];
    int64_t at = head + WH_FLAC_HEAD;
    while (!is_last) {
        if (wh_source_peek(d->source, at, block, 4) < 4 || (block[0] & 0x7f) == 0x7f)
            return head + WH_FLAC_HEAD;
        int64_t length = block[1] << 16 | block[2] << 8 | block[3];
        if ((block[0] & 0x7f) == 4 && !d->speakers)
            d->speakers = read_speakers(d->source, at + 4, length);
        is_last = block[0] >> 7;
        at += 4 + length;
    }
    if (wh_source_peek(d->source, at, block, 2) == 2 && (block[0] != 0xff || (block[1] & 0xfc) != 0xf8))
        return head + WH_FLAC_HEAD;
    return at;
}

/* Let libFLAC begin with what is at d->position. */
static int begin_flac(flac_decoder *d, const unsigned char head[WH_FLAC_HEAD])
{
    wh_flac_input input = {.read = read_bytes, .tell = tell, .seek = seek, .user = d};
    return wh_flac_begin(&d->flac, &input, head);
}

static int begin_file(flac_decoder *d, int64_t at)
{
    unsigned char head[WH_FLAC_HEAD];
    is_head(d->source, at, head, &d->info);
    d->speakers = 0;
    d->head = at;
    d->audio = d->position = d->good_end = d->nonzero_end = d->scanned = find_audio(d, at, head[4] >> 7);
    d->end = INT64_MAX;
    d->has_frames = 0;
    d->number = d->first_number = 0;
    d->began = d->progress.seconds;
    d->is_open = 1;
    return begin_flac(d, head);
}

/* ---- what is missing ---- */

static void say_damage(flac_decoder *d, double seconds, int64_t bytes)
{
    const char *why = bytes > 0 ? "FLAC frames are damaged" : "FLAC frames are missing";
    if (wh_progress_missing(&d->progress, seconds, bytes, why))
        d->silence = (int64_t)(seconds * d->flac.rate + 0.5);
}

/* The frame that was just decoded: does it follow on the one before? */
static void place_frame(flac_decoder *d)
{
    wh_flac *flac = &d->flac;
    int64_t gap = flac->number - d->number, damaged = flac->damaged ? flac->end - d->good_end : 0;
    if (!d->has_frames && !flac->damaged) { /* it begins here, perhaps cut out of a longer recording */
        d->first_number = flac->number;
        gap = 0;
    }
    d->decoder.is_odd |= gap != 0 || flac->damaged || d->head > 0;
    if (gap > 0)
        say_damage(d, (double)gap / flac->rate, damaged);
    else if (flac->damaged && (gap < 0 || !d->has_frames))
        say_damage(d, 0.0, damaged);
    else if (flac->damaged)
        wh_note(d->progress.notes, 0, "there are bytes between its frames that are not understood");
    wh_progress_heard(&d->progress, (double)flac->n / flac->rate, flac->end - d->good_end);
    d->has_frames = 1;
    d->number = flac->number + flac->n;
    d->good_end = flac->end;
    d->given = 0;
}

/* One of the joined files has ended: was it all, and what stands behind it? */
static void end_file(flac_decoder *d)
{
    int64_t from = d->has_frames ? d->good_end : d->audio, end = WH_MAX(d->nonzero_end, from);
    int64_t rest = end - from - wh_padding(d->source, from, end);
    double heard = d->progress.seconds - d->began;
    char at[24], of[24];
    d->is_open = 0;
    if (d->info.frames > 0 && d->number < d->info.frames) {
        double all = heard + (double)(d->info.frames - d->number) / d->info.rate;
        int is_excerpt = d->first_number > 0 && rest == 0; /* the promise is that of the longer recording */
        wh_note(d->progress.notes, !is_excerpt, "stopped at %s of %s%s: the rest is missing or damaged",
                wh_clock(heard, at), wh_clock(all, of), d->began > 0 ? ", in a file that was joined to another," : "");
    } else if (rest > 0) {
        int all_heard = d->info.frames > 0 && d->number == d->info.frames;
        all_heard &= !wh_is_lost(d->source, end - rest, rest);
        wh_note(d->progress.notes, !all_heard, "ends at %s with %lld bytes that are not understood",
                wh_clock(d->progress.seconds, at), (long long)rest);
    }
}

/* ---- the decoder ---- */

static void close_flac(wh_decoder *decoder)
{
    flac_decoder *d = (flac_decoder *)decoder;
    wh_flac_free(&d->flac);
    free(d);
}

/* The next frame of this or the next file. 1; 0 at the end; an error's code. */
static int next_frame(flac_decoder *d)
{
    unsigned char head[WH_FLAC_HEAD];
    wh_flac_info info;
    for (;;) {
        int rc = wh_flac_next(&d->flac);
        if (rc > 0)
            place_frame(d);
        if (rc != 0)
            return rc;
        end_file(d);
        if (d->end == INT64_MAX || !is_head(d->source, d->end, head, &info))
            return 0;
        if ((rc = begin_file(d, d->end)) != 0)
            return rc;
    }
}

static int64_t give_silence(flac_decoder *d, float *samples, int64_t n)
{
    n = WH_MIN(n, d->silence);
    memset(samples, 0, (size_t)(n * d->flac.channels) * sizeof *samples);
    d->silence -= n;
    return n;
}

static int64_t read_flac(wh_decoder *decoder, float *samples, int64_t room, int64_t max_frames, wh_sound *sound)
{
    flac_decoder *d = (flac_decoder *)decoder;
    wh_flac *flac = &d->flac;
    int rc = 1;
    if (!d->is_open && d->began < 0)
        rc = begin_file(d, 0) ? WHISP_ERR_MEMORY : 1;
    else if (!d->is_open)
        return 0;
    while (rc > 0 && d->silence == 0 && d->given == flac->n)
        rc = next_frame(d);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return d->progress.heard > 0 || d->position == d->audio || d->source->error
                   ? 0
                   : wh_fail(WHISP_ERR_AUDIO, "%s: damaged or cut off: nothing in it can be decoded", d->name);
    int is_told = d->speakers && __builtin_popcount(d->speakers) == flac->channels;
    uint32_t speakers = is_told ? d->speakers : wh_flac_speakers(flac->channels);
    *sound = (wh_sound){.rate = flac->rate, .channels = flac->channels, .speakers = speakers};
    int64_t n = WH_MAX(1, WH_MIN(max_frames, room / flac->channels));
    if (d->silence > 0)
        return give_silence(d, samples, n);
    n = WH_MIN(n, flac->n - d->given);
    memcpy(samples, flac->samples + (size_t)d->given * (size_t)flac->channels,
           (size_t)(n * flac->channels) * sizeof *samples);
    d->given += (int)n;
    return n;
}

/* ---- jumping ---- */

/* Decode the frame at which *walk stands, and leave out what comes before `frame`. 0: it is not as its header says. */
static int go_to(flac_decoder *d, const wh_flac_walk *walk, int64_t frame)
{
    unsigned char head[WH_FLAC_HEAD];
    wh_flac_info info;
    int rate = d->flac.rate, channels = d->flac.channels;
    memset(&d->flac, 0, sizeof d->flac);
    d->position = d->good_end = d->nonzero_end = d->scanned = walk->position;
    d->number = walk->number;
    d->silence = 0;
    d->progress.seconds = d->progress.heard = (double)walk->number / rate;
    d->progress.bytes = walk->position - d->audio;
    if (!is_head(d->source, 0, head, &info) || begin_flac(d, head) || wh_flac_next(&d->flac) <= 0)
        return 0;
    const wh_flac *flac = &d->flac;
    if (flac->damaged || flac->number != walk->number || flac->number + flac->n <= frame || flac->rate != rate ||
        flac->channels != channels)
        return 0;
    place_frame(d);
    d->given = (int)(frame - walk->number);
    return 1;
}

/* Only in the first of the files that are joined, and only if it begins with sample 0. */
static int is_in_first(flac_decoder *d, int64_t frame)
{
    if ((!d->is_open && d->began >= 0) || d->head > 0 || frame < 0 || frame >= d->decoder.frames)
        return 0;
    if (!d->is_open && begin_file(d, 0)) {
        d->is_open = 0; /* as if nothing had been asked: whoever reads tries again */
        d->began = -1;
        return 0;
    }
    if (!d->has_frames && next_frame(d) <= 0)
        return 0;
    return d->head == 0 && d->first_number == 0 && d->flac.rate == d->info.rate;
}

static int find_flac(wh_decoder *decoder, int64_t frame, int in_pieces, wh_place *place)
{
    flac_decoder *d = (flac_decoder *)decoder;
    (void)in_pieces; /* a frame is found from the one before it */
    if (!is_in_first(d, frame))
        return 0;
    wh_flac_walk walk = {d->audio, 0};
    if (d->walk.position && d->walk.number <= frame)
        walk = d->walk;
    if (frame >= d->number && d->number > walk.number)
        walk = (wh_flac_walk){d->good_end, d->number};
    if (!wh_flac_walk_to(d->source, d->info.block, frame, &walk))
        return 0;
    d->walk = walk;
    place->frame = frame;
    place->at = walk.position;
    place->number = walk.number;
    return 1;
}

static int go_flac(wh_decoder *decoder, const wh_place *place)
{
    flac_decoder *d = (flac_decoder *)decoder;
    if (!is_in_first(d, place->frame))
        return 0;
    flac_decoder before = *d;
    const wh_flac_walk walk = {place->at, place->number};
    if (!go_to(d, &walk, place->frame)) {
        wh_flac_free(&d->flac);
        *d = before;
        return 0;
    }
    wh_flac_free(&before.flac);
    return 1;
}

int wh_flac_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder)
{
    unsigned char head[WH_FLAC_HEAD];
    wh_flac_info info;
    *decoder = NULL;
    if (!is_head(source, 0, head, &info))
        return WHISP_OK;
    flac_decoder *d = wh_calloc(1, sizeof *d);
    if (!d)
        return wh_fail_memory();
    d->decoder = (wh_decoder){.read = read_flac,
                              .close = close_flac,
                              .frames = info.frames > 0 ? info.frames : -1,
                              .sound = {.rate = info.rate, .channels = info.channels},
                              .duration = -1};
    if (source->is_file && info.frames > 0) {
        d->decoder.duration = (double)info.frames / info.rate;
        d->decoder.find = find_flac;
        d->decoder.go = go_flac;
    }
    snprintf(d->decoder.format, sizeof d->decoder.format, "FLAC (Free Lossless Audio Codec), Signed %d bit PCM",
             info.bits);
    d->source = source;
    d->name = name;
    d->progress.notes = notes;
    d->began = -1;
    *decoder = &d->decoder;
    return WHISP_OK;
}
