/* sndfile.c - the decoder for what is left to libsndfile (see decoder.h): whole files in its rarer formats (VOC, NIST,
 * IRCAM, ...), the codings of WAV and its family that stretches.c does not decode, and raw samples. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/decoder.h"
#include "audio/promise.h"
#include "audio/recognise.h"

#define PLAUSIBLE (1 << 27) /* frames; a pipe of unknown length claims to have more */
#define MOST_CHANNELS 1024
#define LIVE_BLOCK 1024 /* frames at once from somebody who is speaking now */
#define SHORTFALL 0.01  /* seconds: less than that is a head's slip */

typedef struct sndfile_decoder {
    wh_decoder decoder;
    wh_source *source;
    const int64_t *position; /* in the bytes that libsndfile is shown */
    int *ran_dry;            /* it asked for more of them than there are */
    const char *name;
    SNDFILE *file;
    int most;         /* frames in a block, 0: any number */
    int64_t given;    /* frames so far */
    int64_t promised; /* by the head of a whole file; -1: by none */
    wh_notes *notes;
} sndfile_decoder;

static void close_file(wh_decoder *decoder)
{
    sndfile_decoder *d = (sndfile_decoder *)decoder;
    if (d->file)
        sf_close(d->file);
    free(d);
}

/* At the end: is anything missing? */
static void tell_shortfall(const sndfile_decoder *d)
{
    double rate = d->decoder.sound.rate, missing = (double)(d->promised - d->given) / rate;
    char here[24], there[24];
    if (d->promised >= 0 && missing >= SHORTFALL && !d->source->error)
        wh_note(d->notes, 1, "stopped at %s of %s: the rest is not there", wh_clock((double)d->given / rate, here),
                wh_clock((double)d->promised / rate, there));
}

static int64_t read_file(wh_decoder *decoder, float *samples, int64_t room, int64_t max_frames, wh_sound *sound)
{
    sndfile_decoder *d = (sndfile_decoder *)decoder;
    int64_t want = WH_MAX(1, WH_MIN(max_frames, room / decoder->sound.channels)), before = *d->position;
    if (d->most)
        want = WH_MIN(want, d->most);
    *d->ran_dry = 0;
    *sound = decoder->sound;
    int64_t got = sf_readf_float(d->file, samples, want);
    int failed = sf_error(d->file) != SF_ERR_NO_ERROR;
    /* ADPCM and GSM decoders make up blocks for ever when the bytes have ended. */
    if (*d->ran_dry && *d->position == before)
        got = 0;
    if (got <= 0 && d->given == 0 && failed && !d->source->error)
        return wh_fail(WHISP_ERR_AUDIO, "%s: damaged or cut off: nothing in it can be decoded", d->name);
    d->given += WH_MAX(got, 0);
    if (got <= 0)
        tell_shortfall(d);
    return WH_MAX(got, 0);
}

/* Nothing is known of how its decoders find a frame: only one of them, from the beginning, is sure to be right. */
static int find_file(wh_decoder *decoder, int64_t frame, int in_pieces, wh_place *place)
{
    (void)decoder;
    place->frame = frame;
    return !in_pieces;
}

static int go_file(wh_decoder *decoder, const wh_place *place)
{
    sndfile_decoder *d = (sndfile_decoder *)decoder;
    int64_t before = d->given, frame = place->frame;
    if (sf_seek(d->file, frame, SEEK_SET) != frame) {
        sf_seek(d->file, before, SEEK_SET);
        return 0;
    }
    d->given = frame;
    return 1;
}

static void describe(sndfile_decoder *d, const SF_INFO *info)
{
    SF_FORMAT_INFO container = {.format = info->format & SF_FORMAT_TYPEMASK};
    SF_FORMAT_INFO codec = {.format = info->format & SF_FORMAT_SUBMASK};
    sf_command(NULL, SFC_GET_FORMAT_INFO, &container, sizeof container);
    sf_command(NULL, SFC_GET_FORMAT_INFO, &codec, sizeof codec);
    wh_decoder *decoder = &d->decoder;
    snprintf(decoder->format, sizeof decoder->format, "%.39s, %.38s",
             container.name ? container.name : "unknown format", codec.name ? codec.name : "unknown coding");
    decoder->sound = (wh_sound){.rate = info->samplerate, .channels = info->channels};
    decoder->duration = -1;
    decoder->frames = info->frames > 0 && (d->source->is_file || info->frames < PLAUSIBLE) ? info->frames : -1;
    if (d->source->is_file && info->frames >= 0 && info->frames < WH_SOURCE_UNKNOWN && info->samplerate > 0)
        decoder->duration = (double)info->frames / info->samplerate;
}

/* *decoder stays NULL where libsndfile does not know the bytes: the source's, or the view's if that is not NULL. */
static int open_file(wh_source *source, wh_view *view, const char *name, SF_INFO *info, wh_decoder **decoder)
{
    SF_VIRTUAL_IO io = view ? wh_view_io : wh_source_io;
    sndfile_decoder *d = wh_calloc(1, sizeof *d);
    *decoder = NULL;
    if (!d)
        return wh_fail_memory();
    d->decoder.read = read_file;
    d->decoder.close = close_file;
    d->source = source;
    d->position = view ? &view->position : &source->position;
    d->ran_dry = view ? &view->ran_dry : &source->ran_dry;
    d->name = name;
    d->promised = -1;
    source->position = 0;
    errno = 0; /* libsndfile does not say when memory was what it lacked */
    d->file = sf_open_virtual(&io, SFM_READ, info, view ? (void *)view : source);
    if (!d->file || info->channels < 1 || info->channels > MOST_CHANNELS || info->samplerate < 1) {
        int is_memory = !d->file && errno == ENOMEM;
        close_file(&d->decoder);
        return is_memory ? wh_fail_memory() : WHISP_OK;
    }
    describe(d, info);
    *decoder = &d->decoder;
    return WHISP_OK;
}

/* Does the file begin as those that libsndfile knows and that hold a recording as people have them? The others are
 * instruments, tables of numbers, or rules so loose that many a file fits them; and its readers of some of them loop on
 * damaged headers. WAV, AIFF, CAF, AU and SVX are for stretches.c, compressed streams have decoders of their own, and
 * what these refuse is not for libsndfile either. */
static int is_wanted(wh_source *source)
{
    static const struct {
        int length;
        const char *bytes;
    } known[] = {
        {19, "Creative Voice File"},
        {7, "NIST_1A"},
        {4, "2BIT"},
        {4, " paf"},
        {4, "fap "},
        {4, "PVF1"},
        {10, "MATLAB 5.0"},
        {13, "ALawSoundFile"},
        {12, "\0\0\3\350\0\0\0\1\0\0\0\1"},
        {12, "\0\0\0\0\1\0\0\0\1\0\0\0"}, /* MAT4 */
    };
    unsigned char head[20] = {0};
    size_t n = wh_source_peek(source, 0, head, sizeof head);
    for (size_t i = 0; i < WH_COUNT(known); i++)
        if (memcmp(head, known[i].bytes, (size_t)known[i].length) == 0)
            return 1;
    int is_ircam = (head[0] == 0x64 && head[1] == 0xa3 && (head[2] & 0xf8) == 0 && head[3] == 0) ||
                   (head[0] == 0 && (head[1] & 0xf8) == 0 && head[2] == 0xa3 && head[3] == 0x64);
    int64_t samples = (int64_t)head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3]; /* HTK */
    return n >= 12 && (is_ircam || (memcmp(head + 8, "\0\2\0\0", 4) == 0 && 12 + 2 * samples == source->size));
}

int wh_sndfile_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder)
{
    SF_INFO info = {0};
    *decoder = NULL;
    if (!is_wanted(source))
        return WHISP_OK;
    source->tell_end = 1;
    int rc = open_file(source, NULL, name, &info, decoder);
    if (!rc && *decoder) {
        sndfile_decoder *d = (sndfile_decoder *)*decoder;
        d->promised = wh_promised_frames(source, info.channels);
        d->notes = notes;
    }
    return rc;
}

int wh_sndfile_open_view(wh_view *view, const char *name, wh_decoder **decoder)
{
    SF_INFO info = {0};
    int rc = open_file(view->source, view, name, &info, decoder);
    if (!rc && *decoder) {
        (*decoder)->frames = WH_MAX(info.frames, 0);
        (*decoder)->find = view->source->is_file && info.seekable ? find_file : NULL;
        (*decoder)->go = go_file;
    }
    return rc;
}

int wh_raw_open(wh_source *source, const char *name, int rate, int channels, wh_decoder **decoder)
{
    SF_INFO info = {.samplerate = rate,
                    .channels = channels,
                    .format = SF_FORMAT_RAW | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE};
    int rc = open_file(source, NULL, name, &info, decoder);
    if (!rc && !*decoder)
        return wh_fail(WHISP_ERR_AUDIO, "%s: cannot be read as raw samples", name);
    if (!rc) {
        ((sndfile_decoder *)*decoder)->most = LIVE_BLOCK;
        (*decoder)->frames = -1;
    }
    return rc;
}
