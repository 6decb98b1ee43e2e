/* mpeg.c - the decoder for MPEG audio (MP3 and its older sisters), with libmpg123 (see decoder.h, mpeg_frames.h).
 *
 * libmpg123 is shown nothing but frames, one recording's after another's: so it never looks for them itself, has
 * nothing to print about what it finds, and does not stop where the first header of a joined file says that it ends.
 * The silence that the encoder put before and behind the first recording is cut off; a joined one keeps it, as with
 * ffmpeg. */
#define MPG123_NO_LARGENAME
#include <mpg123.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "audio/damage.h"
#include "audio/decoder.h"
#include "audio/mpeg_frames.h"
#include "audio/mpeg_walk.h"
#include "audio/junk.h"
#include "audio/tags.h"

#define STRIDE 64         /* of samples that are looked at: WH_MPEG_GRANULE is a multiple of it */
#define REMEMBERED 64     /* granules that libmpg123 may be behind what it was shown */
#define MAX_EMPTY 1000    /* calls in a row that bring no sample */
#define DECODER_DELAY 529 /* samples that every decoder adds before the encoder's own delay */

typedef struct wh_mpeg {
    wh_decoder decoder;
    wh_source *source;
    wh_progress progress;
    mpg123_handle *handle;
    wh_mpeg_frames frames;
    wh_mpeg_frame frame;
    int reservoir;  /* bytes that the next frame may reach back */
    int used;       /* bytes of the frame that libmpg123 took */
    int is_pending; /* the frame is of another kind than those before */
    int at_end;
    int is_over, is_judged;
    long rate;
    int channels;
    /* the recording that is read, of those joined */
    int64_t promised, seen; /* frames */
    int64_t damaged;        /* bytes in it that were not understood */
    int is_cut;             /* it ends in the middle of a frame */
    double began;
    double before;             /* seconds of what was of another kind */
    int64_t shown;             /* samples in the frames of this kind that libmpg123 was shown */
    char sounding[REMEMBERED]; /* [sample / WH_MPEG_GRANULE % REMEMBERED]: something should be heard there */
    int nothing;               /* so many samples of those that is_lost() looks at were nothing, at last */
    /* of the first one: samples to be left out, counted from its beginning */
    int64_t decoded, skip, cut_from, cut_to;
    /* for jumps in it */
    wh_mpeg_header first;
    wh_mpeg_step start; /* its first frame with sound */
    int has_another;    /* frames of another kind were met */
    wh_mpeg_walk walk;
} wh_mpeg;

/* ---- what is missing ---- */

/* Seconds that are given out before the frame that comes next. libmpg123 is shown frames before what it has made of
 * others is given out, so that cannot say it. */
static double frame_time(const wh_mpeg *m)
{
    int64_t n = m->shown - WH_MIN(m->shown, m->skip);
    if (m->cut_to > m->cut_from && m->shown > m->cut_from)
        n -= WH_MIN(m->shown, m->cut_to) - m->cut_from;
    return m->before + (double)n / (double)m->rate;
}

/* Where a broadcast was cut, a part of a frame is left: a fortieth of a second. */
static int is_part_of_frame(wh_mpeg *m)
{
    unsigned char bytes[4];
    wh_mpeg_header header;
    return m->frame.junk < WH_MPEG_MOST && wh_source_peek(m->source, m->frame.junk_from, bytes, 4) == 4 &&
           wh_mpeg_parse(bytes, &header) && m->frame.junk < header.size;
}

/* Bytes between frames. Zeros are padding only where another recording begins behind them. */
static void judge_skipped(wh_mpeg *m, int is_boundary)
{
    int64_t rest = m->frame.junk + (is_boundary || m->frame.tags ? 0 : m->frame.zeros);
    if (is_boundary && m->frame.junk > 0 && is_part_of_frame(m)) {
        m->is_cut = 1;
        return;
    }
    if (rest == 0)
        return;
    char why[96];
    snprintf(why, sizeof why, "%lld bytes are no MPEG audio", (long long)rest);
    m->damaged += rest;
    wh_note_missing(m->progress.notes, frame_time(m), 0.0, 0, why);
}

/* One of the joined recordings has ended, at that time: was it all that it promised? */
static void end_recording(wh_mpeg *m, double seconds)
{
    const wh_mpeg_header *h = &m->frames.last;
    char at[24], of[24];
    double heard = seconds - m->began;
    int64_t missing = m->promised - m->seen - (h->size > 0 ? m->damaged / h->size : 0);
    if (m->promised > 0 && missing > (m->is_cut ? 0 : WH_MPEG_SOME) && m->rate > 0)
        wh_note(m->progress.notes, 1, "stopped at %s of %s%s: the rest is missing or damaged", wh_clock(heard, at),
                wh_clock(heard + (double)(m->promised - m->seen) * h->samples / h->rate, of),
                m->began > 0 ? ", in a recording that was joined to another," : "");
    m->promised = m->seen = m->damaged = m->is_cut = 0;
    m->began = seconds;
}

/* What stands behind the last frame: a part of one is what is left where a broadcast was cut. */
static void judge_end(wh_mpeg *m)
{
    char at[24];
    int64_t junk = m->frame.junk;
    int all_heard = m->promised > 0 && m->seen + WH_MPEG_SOME >= m->promised;
    all_heard &= !wh_is_lost(m->source, m->frame.junk_from, junk);
    if (junk > 0 && !is_part_of_frame(m))
        wh_note(m->progress.notes, !all_heard, "ends at %s with %lld bytes that are not understood",
                wh_clock(m->progress.seconds, at), (long long)junk);
}

/* ---- frames for libmpg123 ---- */

/* Layer 2: intensity stereo cannot begin above the highest band. Where a header says so libmpg123 takes the highest
 * band, as is done here, but prints that it did. ISO 11172-3, table B.2: few bits for 8 bands, at 32 kHz 12. */
static void limit_bound(wh_mpeg_frame *frame)
{
    const wh_mpeg_header *h = &frame->header;
    int most = h->rate == 32000 ? 2 : 1; /* (12 or 8) / 4 - 1 */
    if (h->version == 1 && h->layer == 2 && h->joint && h->bits <= 96000 && h->bound > most)
        frame->bytes[3] = (unsigned char)((frame->bytes[3] & ~0x30) | most << 4);
}

/* A header with rubbish behind it becomes silence, which libmpg123 would make of it, or noise. */
static void check_frame(wh_mpeg *m)
{
    unsigned sounding;
    int is_sound = wh_mpeg_is_sound(&m->frame, &sounding);
    for (int i = 0; i < 2; i++)
        m->sounding[(m->shown / WH_MPEG_GRANULE + i) % REMEMBERED] = is_sound && (sounding >> i & 1);
    if (is_sound)
        return;
    const wh_mpeg_header *h = &m->frame.header;
    wh_mpeg_silence(&m->frame);
    wh_note_missing(m->progress.notes, frame_time(m), (double)h->samples / h->rate, 1, "frames are damaged");
}

/* The frame is to be shown to libmpg123. */
static void prepare_frame(wh_mpeg *m)
{
    check_frame(m);
    limit_bound(&m->frame);
    wh_mpeg_fit(m->frame.bytes, m->frame.n, &m->frame.header, &m->reservoir);
    m->shown += m->frame.header.samples;
}

/* A frame was found: does it begin another of the joined recordings? */
static void take_frame(wh_mpeg *m)
{
    wh_mpeg_info info;
    int is_info = wh_mpeg_read_info(m->frame.bytes, (size_t)m->frame.n, &info);
    judge_skipped(m, is_info || m->frame.is_new_kind);
    if (is_info || m->frame.is_new_kind)
        end_recording(m, frame_time(m));
    if (is_info)
        m->promised = info.frames;
    if (m->frame.is_new_kind) {
        m->has_another = m->decoder.is_odd = 1;
        m->before = frame_time(m);
        m->shown = m->reservoir = 0;
    }
    if (!is_info)
        prepare_frame(m);
    m->is_cut = m->frame.n < m->frame.header.size;
    m->seen += !is_info && !m->is_cut;
    m->used = is_info ? m->frame.n : 0; /* it holds no sound */
    m->is_pending = m->frame.is_new_kind;
}

/* Go on to the next frame, or the end. */
static void next_frame(wh_mpeg *m)
{
    if (wh_mpeg_next(&m->frames, &m->frame)) {
        take_frame(m);
        return;
    }
    m->at_end = 1;
    m->used = m->frame.n = 0;
}

/* For libmpg123: nothing more where frames of another kind begin. */
static ssize_t read_frames(void *user, void *bytes, size_t n)
{
    wh_mpeg *m = user;
    size_t done = 0;
    while (done < n && !m->at_end && !m->is_pending) {
        size_t piece = WH_MIN(n - done, (size_t)(m->frame.n - m->used));
        memcpy((char *)bytes + done, m->frame.bytes + m->used, piece);
        m->used += (int)piece;
        done += piece;
        if (m->used == m->frame.n)
            next_frame(m);
    }
    return (ssize_t)done;
}

static off_t no_seek(void *user, off_t offset, int whence)
{
    (void)user, (void)offset, (void)whence;
    return -1;
}

/* ---- the decoder ---- */

static void close_mpeg(wh_decoder *decoder)
{
    wh_mpeg *m = (wh_mpeg *)decoder;
    if (m->handle)
        mpg123_delete(m->handle);
    free(m);
}

/* Begin to decode frames of another kind. 0: it cannot be done. */
static int begin_kind(wh_mpeg *m)
{
    int encoding;
    m->is_pending = 0;
    return mpg123_open_handle(m->handle, m) == MPG123_OK &&
           mpg123_getformat(m->handle, &m->rate, &m->channels, &encoding) == MPG123_OK &&
           encoding == MPG123_ENC_FLOAT_32 && m->channels >= 1 && m->channels <= 2;
}

/* Did libmpg123 make nothing of a granule in which there was something? Then it could not be decoded, for which there are
 * zeros; its synthesis filter stood still meanwhile, and adds in another order from there on. A look at every 64th
 * sample is enough. */
static int is_lost(wh_mpeg *m, const float *samples, int64_t n)
{
    int64_t at = (m->decoded + STRIDE - 1) / STRIDE * STRIDE;
    for (; at < m->decoded + n && m->nothing < WH_MPEG_GRANULE / STRIDE; at += STRIDE) {
        const float *x = samples + (at - m->decoded) * m->channels;
        int is_zero = x[0] == 0.0f && x[m->channels - 1] == 0.0f;
        m->nothing = is_zero && m->sounding[at / WH_MPEG_GRANULE % REMEMBERED] ? m->nothing + 1 : 0;
    }
    return m->nothing >= WH_MPEG_GRANULE / STRIDE;
}

/* Of n frames that were decoded, leave out what the encoder added. How many are left. */
static int64_t cut(wh_mpeg *m, float *samples, int64_t n)
{
    int64_t from[2] = {0, m->cut_from}, to[2] = {m->skip, m->cut_to}, left = n;
    for (int i = 1; i >= 0; i--) {
        int64_t a = WH_MAX(from[i] - m->decoded, 0), b = WH_MIN(to[i] - m->decoded, left);
        if (a >= b)
            continue;
        memmove(samples + a * m->channels, samples + b * m->channels,
                (size_t)((left - b) * m->channels) * sizeof *samples);
        left -= b - a;
    }
    m->decoded += n;
    return left;
}

/* No more of this kind: what now? Nonzero: frames of another kind. */
static int go_on(wh_mpeg *m)
{
    m->skip = m->cut_from = m->cut_to = 0;
    while (m->is_pending)
        if (begin_kind(m))
            return 1;
    return 0;
}

static int64_t read_mpeg(wh_decoder *decoder, float *samples, int64_t room, int64_t max_frames, wh_sound *sound)
{
    wh_mpeg *m = (wh_mpeg *)decoder;
    for (int empty = 0; empty < MAX_EMPTY && !m->is_over; empty++) {
        size_t bytes = 0;
        int encoding, channels = m->channels;
        long rate = m->rate;
        int64_t n = WH_MAX(1, WH_MIN(max_frames, room / channels));
        int rc = mpg123_read(m->handle, samples, (size_t)(n * channels) * sizeof(float), &bytes);
        int64_t got = (int64_t)(bytes / sizeof(float)) / channels;
        m->decoder.is_odd |= is_lost(m, samples, got);
        got = cut(m, samples, got);
        *sound = (wh_sound){.rate = (int)rate, .channels = channels};
        wh_progress_heard(&m->progress, (double)got / (double)rate, 0);
        if (rc == MPG123_NEW_FORMAT && (mpg123_getformat(m->handle, &m->rate, &m->channels, &encoding) != MPG123_OK ||
                                        m->channels < 1 || m->channels > 2))
            rc = MPG123_ERR;
        if (rc == MPG123_DONE || rc == MPG123_NEED_MORE)
            m->is_over = !go_on(m);
        if (got > 0)
            return got;
        if (bytes > 0)
            empty = 0;
    }
    if (!m->is_judged) {
        m->is_judged = 1;
        judge_end(m);
        end_recording(m, m->progress.seconds);
    }
    return 0;
}

/* ---- jumping ---- */

/* A libmpg123 that is shown nothing yet. */
static mpg123_handle *make_handle(void)
{
    int error;
    mpg123_handle *handle = mpg123_new(NULL, &error);
    if (!handle)
        return NULL;
    mpg123_param(handle, MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE | MPG123_GAPLESS, 0.0);
    mpg123_param(handle, MPG123_ADD_FLAGS, MPG123_QUIET | MPG123_FORCE_FLOAT | MPG123_IGNORE_INFOFRAME, 0.0);
    mpg123_param(handle, MPG123_RESYNC_LIMIT, -1, 0.0);
    if (mpg123_replace_reader_handle(handle, read_frames, no_seek, NULL) == MPG123_OK)
        return handle;
    mpg123_delete(handle);
    return NULL;
}

/* Decode up to sample `target`, counted as `decoded` is, and forget it. */
static int decode_to(wh_mpeg *m, int64_t target)
{
    float samples[2 * 1152];
    for (int empty = 0; m->decoded < target; empty++) {
        size_t bytes = 0;
        int64_t n = WH_MIN(1152, target - m->decoded);
        int rc = mpg123_read(m->handle, samples, (size_t)(n * m->channels) * sizeof *samples, &bytes);
        if (empty == MAX_EMPTY || (bytes == 0 && rc != MPG123_OK && rc != MPG123_NEW_FORMAT))
            return 0;
        m->decoded += (int64_t)(bytes / sizeof *samples) / m->channels;
        empty = bytes > 0 ? 0 : empty;
    }
    return 1;
}

/* The sample, counted as `decoded` is, that is given out as this one. */
static int64_t find_sample(const wh_mpeg *m, int64_t frame)
{
    int64_t sample = frame + m->skip;
    return m->cut_to > m->cut_from && sample >= m->cut_from ? sample + m->cut_to - m->cut_from : sample;
}

/* Begin where *place says, and go on to its sample. */
static int start_at(wh_mpeg *m, const wh_place *place)
{
    long rate = m->rate;
    int channels = m->channels;
    m->frames.position = place->at;
    m->frames.last = m->first;
    if (!(m->handle = make_handle()) || !wh_mpeg_next(&m->frames, &m->frame) || m->frame.tags || m->frame.zeros ||
        m->frame.junk)
        return 0;
    m->before = 0;
    m->shown = place->from * m->first.samples;
    m->began = place->from > 0 ? frame_time(m) : 0;
    m->shown = m->decoded = place->number * m->first.samples;
    m->promised = place->promised;
    m->seen = place->number - place->from + 1;
    m->reservoir = 0;
    prepare_frame(m);
    m->used = m->is_pending = m->at_end = m->is_cut = 0;
    m->damaged = m->nothing = 0;
    return begin_kind(m) && m->rate == rate && m->channels == channels && decode_to(m, find_sample(m, place->frame));
}

static int find_mpeg(wh_decoder *decoder, int64_t frame, int in_pieces, wh_place *place)
{
    wh_mpeg *m = (wh_mpeg *)decoder;
    int64_t number = find_sample(m, frame) / m->first.samples;
    (void)in_pieces; /* headers are looked at in no time */
    if (m->has_another || frame < 0)
        return 0;
    if (!m->walk.at.position || !wh_mpeg_walk_lead(&m->walk, number))
        m->walk = (wh_mpeg_walk){.at = m->start};
    if (!wh_mpeg_walk_to(m->source, &m->first, number, &m->walk))
        return 0;
    const wh_mpeg_step *from = wh_mpeg_walk_lead(&m->walk, number);
    place->frame = frame;
    place->at = from->position;
    place->number = from->number;
    place->from = from->from;
    place->promised = from->promised;
    return 1;
}

static int go_mpeg(wh_decoder *decoder, const wh_place *place)
{
    wh_mpeg *m = (wh_mpeg *)decoder;
    if (m->has_another || m->is_over)
        return 0;
    wh_mpeg before = *m;
    if (!start_at(m, place)) {
        if (m->handle)
            mpg123_delete(m->handle);
        *m = before;
        return 0;
    }
    mpg123_delete(before.handle);
    m->progress.seconds = m->progress.heard = (double)place->frame / (double)m->rate;
    return 1;
}

/* ---- opening ---- */

static void describe(wh_mpeg *m, const wh_mpeg_info *info)
{
    wh_decoder *decoder = &m->decoder;
    const wh_mpeg_header *h = &m->frame.header;
    decoder->sound = (wh_sound){.rate = h->rate, .channels = h->channels};
    decoder->frames = decoder->duration = -1;
    snprintf(decoder->format, sizeof decoder->format, "MPEG-1/2 Audio, MPEG Layer %.*s", h->layer, "III");
    if (!m->source->is_file)
        return;
    decoder->duration = 8.0 * (double)m->source->size / h->bits;
    if (info->frames > 0)
        decoder->duration = (double)info->frames * h->samples / h->rate;
    int64_t joined = info->bytes > 0 ? m->source->size - info->bytes : 0;
    if (info->frames > 0 && joined > info->bytes / 8)
        decoder->duration *= (double)m->source->size / (double)info->bytes;
}

/* The silence that is to be left out, as ffmpeg does it. */
static void plan_cuts(wh_mpeg *m, const wh_mpeg_info *info)
{
    if (!info->has_delay)
        return;
    m->skip = info->delay + DECODER_DELAY;
    if (info->frames > 0) {
        m->cut_to = info->frames * m->frame.header.samples;
        m->cut_from = m->cut_to - info->padding + DECODER_DELAY;
    }
}

static int start(wh_mpeg *m)
{
    wh_mpeg_info info;
    mpg123_init();
    if (!(m->handle = make_handle()) || !wh_mpeg_next(&m->frames, &m->frame))
        return 0;
    m->first = m->frame.header;
    m->start = (wh_mpeg_step){.position = m->frames.position};
    m->rate = m->frame.header.rate; /* for messages, until libmpg123 says it */
    if (wh_mpeg_read_info(m->frame.bytes, (size_t)m->frame.n, &info))
        m->used = m->frame.n;
    else {
        m->seen = 1;
        prepare_frame(m);
        m->start.position -= m->frame.n;
    }
    m->promised = m->start.promised = info.frames;
    describe(m, &info);
    plan_cuts(m, &info);
    return begin_kind(m) || (m->is_pending && go_on(m));
}

int wh_mpeg_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder)
{
    wh_mpeg_header header;
    (void)name;
    *decoder = NULL;
    if (!wh_mpeg_chain(source, 0, 3, &header))
        return WHISP_OK;
    wh_mpeg *m = wh_calloc(1, sizeof *m);
    if (!m)
        return wh_fail_memory();
    m->decoder.read = read_mpeg;
    m->decoder.close = close_mpeg;
    m->decoder.find = source->is_file ? find_mpeg : NULL;
    m->decoder.go = go_mpeg;
    m->source = m->frames.source = source;
    m->progress.notes = notes;
    if (start(m))
        *decoder = &m->decoder;
    else
        close_mpeg(&m->decoder);
    return WHISP_OK;
}
