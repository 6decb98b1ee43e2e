/* ogg.c - the decoder for Ogg: Vorbis, Opus and FLAC, also chained and among other streams (see decoder.h, ogg_pages.h,
 * ogg_codec.h).
 *
 * Of each link of a chain the first stream of sound that can be decoded is heard. A page is taken whole: from how long
 * its packets are and where its last one ends (the granule position) follows where the first one begins. Where pages
 * are missing this says how much, and silence takes its place. Otherwise the positions are not looked at, as live
 * streams begin with any. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/damage.h"
#include "audio/decoder.h"
#include "audio/ogg_codec.h"
#include "audio/ogg_pages.h"

#define MOST_STREAMS 32  /* of a link, that are remembered */
#define MOST_PACKETS 256 /* that end in a page: 255 */
#define FAR (INT64_MAX / 4)

typedef struct ogg_decoder {
    wh_decoder decoder;
    wh_source *source;
    wh_progress progress;
    wh_ogg_pages pages;
    int at_end;
    int is_broken; /* headers of a link are damaged */
    /* the link */
    int serials[MOST_STREAMS], n_serials;
    int has_data;       /* a page came that begins no stream */
    int others;         /* streams of sound beside the one that is heard */
    char undecoded[16]; /* the coding of one that cannot be */
    int64_t foreign;    /* bytes of streams that did not begin in it */
    /* the stream that is heard */
    wh_ogg_codec *codec;
    ogg_stream_state stream;
    int serial;
    int is_sound;  /* the headers are over */
    int is_placed; /* a page with sound was seen */
    int is_live;   /* it began in the middle */
    int has_ended; /* its last page says so */
    /* since its last page that has a position: */
    enum { NONE, BEFORE_NEXT, CLOSED } hole; /* packets are missing; so before the next one, or further back */
    int undecodable;                         /* packets of which nobody knows how long they are */
    int64_t damaged;                         /* bytes that are not understood */
    int64_t page_bytes;                      /* of its pages since the last time these were counted */
    int64_t position;                        /* granule position of the next sample */
    int64_t limit;                           /* where the stream ends */
    int64_t skip;                            /* samples to be left out */
    ogg_packet packets[MOST_PACKETS];
    int durations[MOST_PACKETS];
    int n_packets, packet;
    /* to be given out */
    int64_t silence;
    const float *samples; /* NULL: silence instead, where a packet could not be decoded */
    int n, given;
    int64_t out; /* frames that were given out */
    /* for jumps */
    int links;     /* that have ended */
    int jumps_not; /* a jump was tried in vain */
} ogg_decoder;

/* ---- links of a chain ---- */

static const char *audio_kind(const unsigned char *p, size_t n)
{
    static const struct {
        const char *bytes, *name;
        size_t length;
    } kinds[] = {{"\1vorbis", "Vorbis", 7},  {"OpusHead", "Opus", 8}, {"\177FLAC", "FLAC", 5},
                 {"Speex   ", "Speex", 8},   {"CELT    ", "CELT", 8}, {"PCM     ", "PCM", 8},
                 {"\1audio", "OGM audio", 6}};
    for (size_t i = 0; i < WH_COUNT(kinds); i++)
        if (n >= kinds[i].length && memcmp(p, kinds[i].bytes, kinds[i].length) == 0)
            return kinds[i].name;
    return NULL;
}

/* What the bytes that no page explains mean for the link that has ended, or is the last one. */
static void judge_rest(ogg_decoder *d, int is_last)
{
    wh_notes *notes = d->progress.notes;
    char at[24];
    wh_clock(d->progress.seconds, at);
    if (d->damaged > 0 && d->has_ended && is_last)
        wh_note(notes, 1, "ends at %s with %lld bytes that are not understood", at, (long long)d->damaged);
    else if (d->damaged > 0 && is_last && !d->is_live && !d->undecodable)
        wh_note(notes, 1, "stopped at %s: the rest is missing or damaged", at);
    else if (d->hole || d->undecodable || (d->damaged > 0 && !is_last))
        wh_progress_missing(&d->progress, 0.0, d->damaged, "pages of the Ogg stream are damaged");
    else if (is_last && !d->has_ended && !d->is_live)
        wh_note(notes, 0, "ends at %s without the mark of its end; it may have been cut off", at);
}

static void drop_stream(ogg_decoder *d)
{
    if (d->codec) {
        d->codec->free(d->codec);
        ogg_stream_clear(&d->stream);
    }
    d->codec = NULL;
    d->n_packets = d->packet = 0;
}

static void end_link(ogg_decoder *d, int is_last)
{
    char at[24];
    wh_clock(d->progress.seconds, at);
    if (d->codec && d->is_sound > 0)
        judge_rest(d, is_last);
    else if (d->codec)
        wh_note(d->progress.notes, 1,
                "at %s: the beginning of a stream (%s) is missing or damaged, which cannot be "
                "decoded without",
                at, d->codec->name);
    else if (d->undecoded[0])
        wh_note(d->progress.notes, 1, "goes on at %s with %s, which is not decoded here", at, d->undecoded);
    if (d->codec && d->others)
        wh_note(d->progress.notes, 0, "has %d streams of sound at once; the first is heard", d->others + 1);
    d->is_broken |= (d->codec && !(d->is_sound > 0)) || d->foreign;
    if (d->foreign)
        wh_note(d->progress.notes, 1, "%lld bytes belong to streams whose beginning is missing; they were not heard",
                (long long)d->foreign);
    drop_stream(d);
    d->n_serials = d->has_data = d->others = d->is_sound = d->is_placed = d->is_live = d->has_ended = 0;
    d->hole = NONE;
    d->undecodable = 0;
    d->undecoded[0] = 0;
    d->damaged = d->foreign = 0;
    d->links++;
    d->decoder.is_odd = 1;
}

static int knows(const ogg_decoder *d, int serial)
{
    for (int i = 0; i < d->n_serials; i++)
        if (d->serials[i] == serial)
            return 1;
    return d->n_serials == MOST_STREAMS;
}

/* A page that begins a stream, and perhaps another link. */
static int begin_stream(ogg_decoder *d, ogg_page *page, int serial)
{
    static int (*const kinds[])(const unsigned char *, size_t, wh_ogg_codec **) = {
        wh_ogg_vorbis,
        wh_ogg_opus,
        wh_ogg_flac,
    };
    size_t n = (size_t)page->body_len;
    const char *name = audio_kind(page->body, n);
    if (d->has_data || knows(d, serial))
        end_link(d, 0);
    d->serials[d->n_serials++] = serial;
    if (d->codec) {
        d->others += name != NULL;
        return WHISP_OK;
    }
    int rc = WHISP_OK;
    for (size_t i = 0; i < WH_COUNT(kinds) && !rc && !d->codec; i++)
        rc = kinds[i](page->body, n, &d->codec);
    if (d->codec && ogg_stream_init(&d->stream, serial)) {
        d->codec->free(d->codec);
        d->codec = NULL;
        rc = wh_fail_memory();
    }
    if (!d->codec && name)
        snprintf(d->undecoded, sizeof d->undecoded, "%s", name);
    if (d->codec) {
        d->serial = serial;
        d->skip = d->codec->skip;
        d->position = 0;
    }
    return rc;
}

/* ---- where a page's packets are heard ---- */

/* Silence for what the stream says is missing before `start`. */
static void fill_gap(ogg_decoder *d, int64_t start, int64_t from)
{
    double seconds = start > from ? (double)(start - from) / d->codec->rate : 0.0;
    const char *why = d->undecodable ? "packets are damaged" : "pages of the Ogg stream are damaged or missing";
    if (wh_progress_missing(&d->progress, seconds, d->damaged, why))
        d->silence = WH_MAX(start - from, 0);
    d->position = start;
}

/* The first page with sound: it begins at 0, or, cut out of a longer stream, anywhere, also before 0; then all of it is
 * heard, as with ffmpeg. */
static void place_first(ogg_decoder *d, int64_t start, int is_end)
{
    if (start > 0 && d->damaged > 0) {
        fill_gap(d, start, 0);
        return;
    }
    d->position = start < 0 && is_end ? 0 : start; /* one page: its position says where it ends */
    d->is_live = d->position != 0;
    if (d->undecodable)
        fill_gap(d, d->position, d->position);
}

/* How long the packets are, each and together. */
static int64_t measure(ogg_decoder *d)
{
    int64_t sum = 0;
    for (int i = 0; i < d->n_packets; i++) {
        int n = d->durations[i] = d->codec->duration(d->codec, &d->packets[i]);
        sum += WH_MAX(n, 0);
        d->undecodable += n < 0;
        d->damaged += n < 0 ? d->packets[i].bytes : 0;
    }
    return sum;
}

static void place_page(ogg_decoder *d, ogg_page *page)
{
    int64_t end = ogg_page_granulepos(page);
    if (d->hole == BEFORE_NEXT)
        d->codec->reset(d->codec);
    d->hole = d->hole ? CLOSED : NONE;
    int64_t sum = measure(d);
    int is_end = ogg_page_eos(page), is_known = end >= 0 && end < FAR;
    if (!d->is_placed && is_known)
        place_first(d, end - sum, is_end);
    else if ((d->hole || d->undecodable) && is_known)
        fill_gap(d, end - sum, d->position);
    else if (d->damaged > 0 && d->n_serials == 1 && is_known)
        wh_note(d->progress.notes, 0, "there are bytes between its pages that are not understood");
    d->is_placed = 1;
    if (is_known) {
        d->hole = NONE;
        d->undecodable = 0;
        d->damaged = 0;
    }
    d->limit = is_end && is_known && end >= d->position ? end : FAR;
}

/* ---- pages ---- */

/* The packets that end in a page of the stream that is heard. */
static int take_packets(ogg_decoder *d, ogg_page *page)
{
    ogg_packet packet;
    int got;
    d->n_packets = d->packet = 0;
    if (ogg_stream_pagein(&d->stream, page))
        return WHISP_OK;
    d->has_ended |= ogg_page_eos(page) != 0;
    while ((got = ogg_stream_packetout(&d->stream, &packet)) != 0) {
        int rc = got < 0 ? 1 : d->is_sound ? 0 : d->codec->header(d->codec, &packet);
        d->hole = got < 0 ? BEFORE_NEXT : d->hole;
        if (rc == WHISP_ERR_MEMORY)
            return rc;
        if (rc < 0) { /* end_link() will say so */
            d->is_sound = -1;
            return WHISP_OK;
        }
        if (rc > 0)
            continue;
        d->is_sound = 1;
        if (d->n_packets < MOST_PACKETS)
            d->packets[d->n_packets++] = packet;
    }
    if (d->n_packets > 0)
        place_page(d, page);
    return WHISP_OK;
}

/* One page further. 1; 0 at the end; an error's code. */
static int next_page(ogg_decoder *d)
{
    ogg_page page;
    int rc = wh_ogg_next_page(&d->pages, &page);
    if (rc < 0)
        return rc;
    d->damaged += d->pages.not_understood;
    if (rc == 0) {
        end_link(d, 1);
        d->at_end = 1;
        return 0;
    }
    int serial = ogg_page_serialno(&page);
    if (ogg_page_bos(&page) && (rc = begin_stream(d, &page, serial)) != 0)
        return rc;
    d->has_data |= !ogg_page_bos(&page);
    if (!knows(d, serial))
        d->foreign += page.header_len + page.body_len;
    if (!d->codec || serial != d->serial || d->is_sound < 0)
        return 1;
    d->page_bytes += page.header_len + page.body_len;
    rc = take_packets(d, &page);
    return rc ? rc : 1;
}

/* ---- the decoder ---- */

/* A packet gives n samples: which of them are heard? */
static void place_packet(ogg_decoder *d, int n)
{
    d->given = (int)WH_MIN(d->skip, n);
    d->skip -= d->given;
    d->n = (int)WH_MAX(d->given, WH_MIN(n, d->limit - d->position));
    d->position += n;
    wh_progress_heard(&d->progress, (double)(d->n - d->given) / d->codec->rate, d->page_bytes);
    d->page_bytes = 0;
}

/* Decode the next packet into samples[n]. */
static void next_packet(ogg_decoder *d)
{
    int i = d->packet++, n = d->codec->decode(d->codec, &d->packets[i], &d->samples);
    if (n < 0) {
        int is_told = d->durations[i] < 0 || d->packets[i].bytes == 0;
        n = WH_MAX(d->durations[i], 0);
        d->samples = NULL;
        if (!is_told)
            wh_note_missing(d->progress.notes, d->progress.seconds, (double)n / d->codec->rate, n > 0,
                            "packets are damaged");
    }
    place_packet(d, n);
}

/* n of the frames that are there were given out. */
static void count_out(ogg_decoder *d, int64_t n)
{
    int64_t silence = WH_MIN(n, d->silence);
    d->silence -= silence;
    d->given += (int)(n - silence);
    d->out += n;
}

static int64_t read_ogg(wh_decoder *decoder, float *samples, int64_t room, int64_t max_frames, wh_sound *sound)
{
    ogg_decoder *d = (ogg_decoder *)decoder;
    int rc = 1;
    while (rc > 0 && d->silence == 0 && d->given == d->n) {
        if (d->packet < d->n_packets)
            next_packet(d);
        else
            rc = d->at_end ? 0 : next_page(d);
    }
    if (rc <= 0)
        return rc;
    int channels = d->codec->channels;
    int64_t n = WH_MAX(1, WH_MIN(max_frames, room / channels));
    n = WH_MIN(n, d->silence > 0 ? d->silence : d->n - d->given);
    *sound = (wh_sound){.rate = d->codec->rate, .channels = channels, .speakers = d->codec->speakers};
    size_t bytes = (size_t)(n * channels) * sizeof *samples;
    if (d->silence > 0 || !d->samples)
        memset(samples, 0, bytes);
    else
        memcpy(samples, d->samples + (size_t)d->given * (size_t)channels, bytes);
    count_out(d, n);
    return n;
}

static void close_ogg(wh_decoder *decoder)
{
    ogg_decoder *d = (ogg_decoder *)decoder;
    drop_stream(d);
    wh_ogg_pages_free(&d->pages);
    free(d);
}

/* Read pages up to the first one with sound. 1; 0: there is none; an error's code. */
static int begin(ogg_decoder *d)
{
    int rc = 1;
    wh_ogg_pages_init(&d->pages, d->source);
    while (rc > 0 && !(d->codec && d->is_sound > 0 && d->is_placed))
        rc = next_page(d);
    return rc;
}

/* ---- jumping ---- */

/* The next packet on the way to `frame`: far before it, it is only counted. *is_stale: some were. */
static void pass_packet(ogg_decoder *d, int64_t frame, int *is_stale)
{
    int i = d->packet, n = d->durations[i], is_far = d->out + n + d->codec->lead <= frame;
    if (!is_far && !*is_stale) {
        next_packet(d);
        return;
    }
    if (!is_far) { /* it gives less than it should, as the one before it is missing */
        d->codec->restart(d->codec);
        d->codec->decode(d->codec, &d->packets[i], &d->samples);
    }
    *is_stale = is_far;
    d->packet++;
    place_packet(d, n);
}

/* Pages are read and packets counted: what is missing is found as in reading. 0: the link ends before `frame`. */
static int pass_to(ogg_decoder *d, int64_t frame)
{
    int is_stale = 0;
    for (;;) {
        count_out(d, WH_MIN(frame - d->out, d->silence + d->n - d->given));
        if (d->out == frame && !is_stale)
            return 1;
        if (d->packet < d->n_packets)
            pass_packet(d, frame, &is_stale);
        else if (next_page(d) <= 0 || d->links > 0)
            return 0;
    }
}

/* Back to the beginning. */
static int begin_again(ogg_decoder *d)
{
    ogg_decoder fresh = {.decoder = d->decoder, .source = d->source, .jumps_not = d->jumps_not};
    fresh.progress.notes = d->progress.notes;
    drop_stream(d);
    wh_ogg_pages_free(&d->pages);
    *d = fresh;
    return begin(d) > 0;
}

/* Only in the first link, in which the codec stays the same. */
static int find_ogg(wh_decoder *decoder, int64_t frame, int in_pieces, wh_place *place)
{
    ogg_decoder *d = (ogg_decoder *)decoder;
    (void)in_pieces; /* go_ogg() counts packets */
    place->frame = frame;
    return !d->jumps_not && d->links == 0 && frame >= 0 && (double)frame < decoder->duration * decoder->sound.rate;
}

static int go_ogg(wh_decoder *decoder, const wh_place *place)
{
    ogg_decoder *d = (ogg_decoder *)decoder;
    int64_t before = d->out, frame = place->frame;
    if (!find_ogg(decoder, frame, 0, &(wh_place){0}))
        return 0;
    wh_notes notes = *d->progress.notes;
    if ((frame >= before || begin_again(d)) && pass_to(d, frame))
        return 1;
    d->jumps_not = 1; /* and go back to where it stood */
    if (begin_again(d))
        pass_to(d, before);
    *d->progress.notes = notes;
    return 0;
}

/* ---- opening ---- */

static void describe(ogg_decoder *d)
{
    int64_t last = wh_ogg_last_position(d->source, d->serial);
    const wh_ogg_codec *codec = d->codec;
    d->decoder.sound = (wh_sound){.rate = codec->rate, .channels = codec->channels, .speakers = codec->speakers};
    d->decoder.duration = ((double)last - (double)d->position - (double)d->skip) / codec->rate;
    if (last < d->position || d->decoder.duration > 1e7)
        d->decoder.duration = -1;
    snprintf(d->decoder.format, sizeof d->decoder.format, "OGG (OGG Container format), %s", d->codec->name);
}

int wh_ogg_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder)
{
    char magic[4] = {0};
    *decoder = NULL;
    wh_source_peek(source, 0, magic, 4);
    if (memcmp(magic, "OggS", 4) != 0)
        return WHISP_OK;
    ogg_decoder *d = wh_calloc(1, sizeof *d);
    if (!d)
        return wh_fail_memory();
    d->decoder = (wh_decoder){.read = read_ogg, .close = close_ogg, .frames = -1, .duration = -1};
    d->source = source;
    d->progress.notes = notes;
    int rc = begin(d);
    if (rc <= 0) {
        if (d->is_broken)
            rc = wh_fail(WHISP_ERR_AUDIO,
                         "%s: the beginning of what it holds is missing or damaged, and nothing can "
                         "be decoded without",
                         name);
        close_ogg(&d->decoder);
        return rc;
    }
    describe(d);
    d->decoder.find = source->is_file && d->codec->lead ? find_ogg : NULL;
    d->decoder.go = go_ogg;
    *decoder = &d->decoder;
    return WHISP_OK;
}
