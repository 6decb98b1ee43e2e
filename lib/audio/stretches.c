/* stretches.c - the decoder of WAV and its family, AIFF, CAF and AU: stretch after stretch of sound (see stretch.h),
 * through whatever was joined behind, to the last byte.
 *
 * PCM is read here, straight from its bytes; codings that need a decoder go to libsndfile or libmpg123, which are
 * shown a header made for them and the sound's bytes, nothing else. What a file promised and does not hold, and what
 * stands in it and is not understood, becomes a note. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/joined.h"

#define PIECE 65536         /* bytes read at once */
#define AHEAD 16            /* and looked at behind them: "RIFF....WAVEfmt " may begin in them */
#define MOST_STRETCHES 4096 /* that are counted for a file's length before it is read */
#define SHORTFALL 0.01      /* seconds: less than that is a header's slip */

typedef struct stretches {
    wh_decoder decoder;
    wh_source *source;
    wh_notes *notes;
    const char *name;
    wh_walk walk;
    wh_stretch now;
    int is_open;       /* `now` is being read */
    int64_t position;  /* PCM: of the next byte in the source */
    int64_t looked_to; /* PCM: no header of a joined file begins before this byte */
    wh_view view;      /* what libsndfile is shown of `now` */
    wh_source part;    /* what libmpg123 is shown of `now` */
    wh_decoder *inner;
    int64_t given; /* frames of `now` */
    double before; /* seconds of the stretches before it */
    int files;     /* joined so far */
    int ended;
    unsigned char bytes[PIECE + AHEAD];
} stretches;

/* Behind the last stretch of a container: another one? */
static int join(stretches *d)
{
    char clock[24];
    int64_t strange;
    int found = wh_walk_join(&d->walk, &strange);
    if (strange >= 8) /* fewer are no more than a few samples */
        wh_note(d->notes, 1, "%lld bytes behind its sound (at %s) were not understood", (long long)strange,
                wh_clock(d->before, clock));
    return found;
}

/* ---- a stretch ---- */

static int64_t frame_bytes(const wh_stretch *s)
{
    return (int64_t)s->pcm.bytes * s->sound.channels;
}

/* An MPEG recording: its decoder knows better what the sound is than the header around it. */
static int open_mpeg(stretches *d)
{
    wh_source_part(d->source, d->now.at, d->now.length, &d->part);
    int rc = wh_mpeg_open(&d->part, d->notes, d->name, &d->inner);
    d->is_open = d->inner != NULL;
    if (d->inner)
        d->now.sound = d->inner->sound;
    return rc;
}

static int open_stretch(stretches *d)
{
    const wh_stretch *s = &d->now;
    int64_t length = s->length < 0 ? WH_SOURCE_UNKNOWN : s->length;
    d->given = 0;
    d->position = s->at;
    d->is_open = s->by == WH_BY_PCM;
    if (s->by == WH_BY_MPEG)
        return open_mpeg(d);
    if (s->by != WH_BY_SNDFILE)
        return WHISP_OK;
    memset(&d->view, 0, sizeof d->view);
    d->view.source = d->source;
    wh_view_add(&d->view, s->head, 0, (int64_t)s->n_head);
    wh_view_add(&d->view, NULL, s->tail_at, s->n_tail);
    wh_view_add(&d->view, s->head + s->n_head, 0, (int64_t)s->n_second);
    wh_view_add(&d->view, NULL, s->at, length);
    int rc = wh_sndfile_open_view(&d->view, d->name, &d->inner);
    d->is_open = d->inner != NULL;
    if (d->inner && (d->inner->sound.channels != s->sound.channels)) {
        d->inner->close(d->inner);
        d->inner = NULL;
        d->is_open = 0;
    }
    return rc;
}

/* A stretch that was read to its end: is anything missing? Where does the walk go on? */
static void close_stretch(stretches *d)
{
    wh_stretch *s = &d->now;
    int64_t end = wh_source_end(d->source);
    double seconds = (double)d->given / s->sound.rate;
    char here[24], there[24];
    if (s->length >= 0 && end < s->at + s->length) {
        int64_t frames = s->by == WH_BY_PCM ? s->length / frame_bytes(s) : d->inner->frames;
        double promised = (double)frames / s->sound.rate;
        if (s->by == WH_BY_MPEG) /* about */
            promised = seconds * (double)s->length / (double)WH_MAX(end - s->at, 1);
        if (promised - seconds >= SHORTFALL)
            wh_note(d->notes, 1, "stopped at %s of %s: the rest is not there", wh_clock(d->before + seconds, here),
                    wh_clock(d->before + promised, there));
    }
    d->before += seconds;
    d->decoder.is_odd = 1; /* what follows is another one, or the end */
    if (d->inner)
        d->inner->close(d->inner);
    d->inner = NULL;
    d->is_open = 0;
    d->walk.at = s->length < 0 || end < s->at + s->length ? end : d->walk.container->behind(&d->walk, s);
}

/* Go to the next stretch that can be read. 1, or 0 at the end, or a code. */
static int next_stretch(stretches *d)
{
    char clock[24];
    for (;;) {
        while (d->walk.container->next(&d->walk, &d->now)) {
            d->now.sound.floats = d->now.sound.floats ? d->files : 0;
            int rc = open_stretch(d);
            if (rc || d->is_open)
                return rc ? rc : 1;
            wh_note(d->notes, 1, "goes on at %s as %s, %s, which is not decoded here; that part was not heard",
                    wh_clock(d->before, clock), d->walk.container->name, d->now.coding);
            d->position = d->now.at;
            d->walk.at = d->now.length < 0 ? INT64_MAX / 2 : d->walk.container->behind(&d->walk, &d->now);
        }
        if (!join(d))
            return 0;
        d->files++;
    }
}

/* ---- reading ---- */

/* Where in n bytes of sound the header of a WAV file begins, that was joined to one whose length is not known or not
 * there; n if nowhere. No sound looks like these 16 bytes. */
static int64_t find_header(const unsigned char *bytes, int64_t n, int64_t looked_at)
{
    const unsigned char *p = bytes, *end = bytes + looked_at;
    while ((p = memmem(p, (size_t)(end - p), "WAVEfmt ", 8))) {
        if (p - bytes >= 8 && wh_riff.is_this(p - 8))
            return WH_MIN(p - 8 - bytes, n);
        p++;
    }
    return n;
}

static int64_t read_pcm(stretches *d, float *samples, int64_t frames)
{
    wh_stretch *s = &d->now;
    int64_t frame = frame_bytes(s), want = WH_MIN(frames, PIECE / frame) * frame;
    if (s->length >= 0)
        want = WH_MIN(want, (s->length - (d->position - s->at)) / frame * frame);
    if (want <= 0)
        return 0;
    int64_t got = (int64_t)wh_source_peek(d->source, d->position, d->bytes, (size_t)want + AHEAD);
    int64_t n = find_header(d->bytes, WH_MIN(got, want), got);
    if (n < WH_MIN(got, want)) { /* joined here: this one ends */
        int64_t there = d->position + n - s->at;
        if (s->length >= 0 && (double)(s->length - there) / (double)frame / s->sound.rate >= SHORTFALL) {
            char here[24];
            wh_note(d->notes, 1, "the recording at %s was cut off before another was joined to it",
                    wh_clock(d->before + (double)(d->given + n / frame) / s->sound.rate, here));
        }
        s->length = there;
    }
    n = n / frame * frame;
    wh_pcm_floats(&s->pcm, d->bytes, (size_t)(n / s->pcm.bytes), samples);
    d->position += n;
    return n / frame;
}

/* Channels into the order of sound.speakers. */
static void put_in_order(const wh_stretch *s, float *samples, int64_t n)
{
    int channels = s->sound.channels;
    for (float *frame = samples; s->is_mapped && n-- > 0; frame += channels) {
        float old[sizeof s->map];
        memcpy(old, frame, (size_t)channels * sizeof *old);
        for (int c = 0; c < channels; c++)
            frame[s->map[c]] = old[c];
    }
}

/* MPEG recordings may change as they go on. */
static int64_t read_mpeg(stretches *d, float *samples, int64_t room, int64_t max_frames)
{
    wh_sound sound;
    int64_t n = d->inner->read(d->inner, samples, room, max_frames, &sound);
    if (n > 0)
        d->now.sound = sound;
    return n;
}

/* libsndfile. What its decoders of fixed blocks give when their bytes have ended is made up: it is cut off at what
 * the bytes that are there make. */
static int64_t read_inner(stretches *d, float *samples, int64_t room, int64_t max_frames)
{
    const wh_stretch *s = &d->now;
    wh_sound sound;
    int64_t n = d->inner->read(d->inner, samples, room, max_frames, &sound);
    if (n <= 0 || !d->view.ran_dry || s->n_tail)
        return n;
    double shown = s->length < 0 ? (double)WH_SOURCE_UNKNOWN : (double)s->length;
    double there = fmin((double)(wh_source_end(d->source) - s->at), shown);
    return WH_MAX(0, WH_MIN(n, (int64_t)rint((double)d->inner->frames * there / shown) - d->given));
}

static int64_t read_stretches(wh_decoder *decoder, float *samples, int64_t room, int64_t max_frames, wh_sound *sound)
{
    stretches *d = (stretches *)decoder;
    while (!d->ended && !d->source->error) {
        int64_t n = 0, most = WH_MIN(max_frames, room / d->now.sound.channels);
        if (d->is_open && d->now.by == WH_BY_MPEG)
            n = read_mpeg(d, samples, room, max_frames);
        else if (d->is_open)
            n = d->inner ? read_inner(d, samples, room, max_frames) : read_pcm(d, samples, most);
        if (n < 0 && (d->before > 0 || d->given)) /* a part of it was heard: it is not all damaged */
            n = 0;
        if (n < 0)
            return n;
        if (n > 0) {
            put_in_order(&d->now, samples, n);
            d->given += n;
            *sound = d->now.sound;
            return n;
        }
        if (d->is_open)
            close_stretch(d);
        int rc = next_stretch(d);
        if (rc < 0)
            return rc;
        d->ended = !rc;
    }
    return 0;
}

/* Is there no header of a joined file between what was read or looked through and `end`? There may be one where the
 * length is not known, and where it is: in a file that was cut off before another was joined to it. */
static int is_one_sound(stretches *d, int64_t end)
{
    d->looked_to = WH_MAX(d->looked_to, d->position);
    while (d->looked_to < end) {
        int64_t got = (int64_t)wh_source_peek(d->source, d->looked_to, d->bytes, PIECE + AHEAD);
        int64_t n = WH_MIN(got, PIECE);
        if (n <= 0)
            break;
        if (find_header(d->bytes, n, got) < n)
            return 0;
        d->looked_to += n;
    }
    return 1;
}

/* Only in the first stretch: those behind it may be anything. */
static int find_in_stretches(wh_decoder *decoder, int64_t frame, int in_pieces, wh_place *place)
{
    stretches *d = (stretches *)decoder;
    if (!d->is_open || d->before > 0 || !d->source->is_file || frame < 0 || frame > INT64_MAX / 8192)
        return 0;
    if (d->inner)
        return d->inner->find && d->inner->find(d->inner, frame, in_pieces, place);
    int64_t at = d->now.at + frame * frame_bytes(&d->now);
    int64_t end = d->now.length < 0 ? d->source->size : WH_MIN(d->source->size, d->now.at + d->now.length);
    if (at > end && (end < d->source->size || in_pieces))
        return 0;
    place->frame = at > end ? WH_MAX(end - d->now.at, 0) / frame_bytes(&d->now) : frame; /* behind it nothing comes */
    return in_pieces || is_one_sound(d, WH_MIN(at, end));
}

static int go_in_stretches(wh_decoder *decoder, const wh_place *place)
{
    stretches *d = (stretches *)decoder;
    if (!d->is_open || d->before > 0 || (d->inner && !d->inner->go(d->inner, place)))
        return 0;
    if (!d->inner)
        d->position = d->now.at + place->frame * frame_bytes(&d->now);
    d->given = place->frame;
    return 1;
}

/* ---- opening ---- */

static void close_stretches(wh_decoder *decoder)
{
    stretches *d = (stretches *)decoder;
    if (d->inner)
        d->inner->close(d->inner);
    free(d);
}

/* Seconds of PCM in all of a file's stretches but the first. */
static double seconds_behind(const stretches *d)
{
    wh_walk walk = d->walk;
    wh_stretch s = d->now;
    double seconds = 0;
    int64_t strange;
    for (int n = 0; n < MOST_STRETCHES; n++) {
        if (s.length < 0 || s.at + s.length > d->source->size)
            break;
        walk.at = walk.container->behind(&walk, &s);
        while (!walk.container->next(&walk, &s))
            if (!wh_walk_join(&walk, &strange))
                return seconds;
        int64_t there = s.length < 0 ? d->source->size - s.at : WH_MIN(s.length, d->source->size - s.at);
        if (s.by == WH_BY_PCM && there > 0)
            seconds += (double)(there / frame_bytes(&s)) / s.sound.rate;
    }
    return seconds;
}

static void describe(stretches *d)
{
    wh_decoder *decoder = &d->decoder;
    const wh_stretch *s = &d->now;
    int64_t there = d->source->is_file ? WH_MAX(d->source->size - s->at, 0) : WH_SOURCE_UNKNOWN;
    decoder->sound = s->sound;
    decoder->frames = decoder->duration = -1;
    if (s->by == WH_BY_MPEG) {
        decoder->duration = d->inner->duration;
        decoder->find = NULL;
    } else if (d->inner) {
        double shown = s->length < 0 ? (double)WH_SOURCE_UNKNOWN : (double)s->length; /* there may be less */
        decoder->frames = s->length < 0 ? -1 : d->inner->frames;
        if (d->source->is_file && shown > 0)
            decoder->duration = (double)d->inner->frames / s->sound.rate * fmin(1.0, (double)there / shown);
    } else {
        if (s->length >= 0)
            decoder->frames = s->length / frame_bytes(s);
        if (d->source->is_file)
            decoder->duration = (double)(WH_MIN(there, s->length < 0 ? there : s->length) / frame_bytes(s)) /
                                s->sound.rate;
    }
    if (decoder->duration >= 0)
        decoder->duration += seconds_behind(d);
    if (s->by == WH_BY_MPEG)
        memcpy(decoder->format, d->inner->format, sizeof decoder->format);
    else
        snprintf(decoder->format, sizeof decoder->format, "%s, %s", d->walk.container->name, s->coding);
}

int wh_stretches_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder)
{
    wh_walk walk;
    char why[128];
    *decoder = NULL;
    if (!wh_walk_begin(source, 0, &walk))
        return WHISP_OK;
    stretches *d = wh_calloc(1, sizeof *d);
    if (!d)
        return wh_fail_memory();
    source->opening = 0; /* it is ours: chunks of any size are passed */
    *d = (stretches){.decoder = {.read = read_stretches,
                                 .find = find_in_stretches,
                                 .go = go_in_stretches,
                                 .close = close_stretches,
                                 .is_duration_sure = 1},
                     .source = source,
                     .notes = notes,
                     .name = name,
                     .walk = walk,
                     .files = 1};
    int rc = WHISP_OK, found = d->walk.container->next(&d->walk, &d->now);
    d->now.sound.floats = d->now.sound.floats ? 1 : 0;
    if (found && (rc = open_stretch(d)) == WHISP_OK && d->is_open) {
        describe(d);
        *decoder = &d->decoder;
        return WHISP_OK;
    }
    if (!rc && source->error)
        rc = wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", name, strerror(source->error));
    if (!rc && !found && d->walk.has_format && d->walk.kept_at && !source->is_file)
        rc = wh_fail(WHISP_ERR_AUDIO,
                     "%s: in this %s file the sound comes before its description, so it cannot be "
                     "read from a pipe; give the file's name instead",
                     name, walk.container->name);
    if (!rc && !found)
        rc = wh_fail(WHISP_ERR_AUDIO, "%s: not a recording: there is no sound in this %s file", name,
                     walk.container->name);
    if (!rc && d->now.by == WH_BY_MPEG)
        rc = wh_refuse(source, name, "MPEG audio in a WAV file, which could not be decoded");
    if (!rc) {
        snprintf(why, sizeof why, "%s, %s, is not decoded here%s; let ffmpeg do it", walk.container->name,
                 d->now.coding, source->is_file ? "" : " from a pipe");
        rc = wh_refuse(source, name, why);
    }
    close_stretches(&d->decoder);
    return rc;
}
