/* audio.c - a recording becomes mono float samples at 16 kHz, block by block.
 *
 * The beginning of the data's way: bytes (lib/audio/source.c) -> libsndfile decodes -> channels are averaged ->
 * libsamplerate -> rounded to 16 bits -> lib/mel. The reference hears what `ffmpeg -ac 1 -ar 16000 -f s16le` writes,
 * therefore the rounding. See docs/audio.md. */
#include "audio/audio.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/mpeg.h"
#include "audio/recognise.h"
#include "audio/resample.h"
#include "audio/source.h"

#define RATE 16000
#define MIN_RATE 8000
#define MAX_RATE 192000
#define BLOCK 4096              /* frames decoded at once, fewer when there are many channels */
#define LIVE_BLOCK 1024         /* the same from somebody who is speaking now */
#define BLOCK_VALUES 32768      /* samples of all channels decoded at once */
#define RESAMPLED 8448          /* room for a block at twice its rate */
#define LARGEST 1024.0f         /* louder than any recording; keeps the resampler's sums finite */
#define PLAUSIBLE (1 << 27)     /* frames; a pipe of unknown length claims to have more */

struct whisp_audio {
    char *name;                 /* for messages */
    int own_fd;                 /* to be closed, or -1 */
    int channel;                /* the only one to be heard, from 0 on; -1: all, mixed */
    wh_source source;
    SNDFILE *file;              /* or */
    wh_mpeg *mpeg;
    SF_INFO info;
    int is_mpeg;
    int raw_rate, raw_channels; /* of bytes that are not a WAV file's, else 0; then blocks are small */
    int is_buffered;            /* the decoder may have sound left when its bytes have ended */
    char format[80];
    double duration;            /* seconds, -1 if not known */

    float *decoded;             /* [BLOCK_VALUES], interleaved */
    float *mono;                /* [BLOCK] at the recording's rate */
    size_t mono_length, mono_used;
    int decoded_all;
    int64_t frames;             /* decoded so far */
    uint64_t bad;

    wh_resampler *resampler;    /* NULL at 16 kHz */
    int resampler_ended;        /* it was told that no more samples come */
    float *resampled;           /* [RESAMPLED] */
    float *ready;               /* mono or resampled: rounded, to be given out */
    size_t ready_length, ready_used;
};

/* ---- errors ---- */

/* A name as a shell takes it: in single quotes, with ' as '\''. ffmpeg takes what comes before a colon for a
 * protocol. */
static void quote(wh_buf *text, const char *name)
{
    wh_buf_puts(text, strchr(name, ':') ? "'file:" : "'");
    for (; *name; name++) {
        if (*name == '\'')
            wh_buf_puts(text, "'\\''");
        else
            wh_buf_append(text, name, 1);
    }
    wh_buf_puts(text, "'");
}

/* "NAME: WHY; FFMPEG COMMAND" */
static int fail_with_command(const whisp_audio *audio, const char *path, const char *why)
{
    wh_buf command = { 0 };
    if (path) {
        wh_buf_puts(&command, "ffmpeg -nostdin -i ");
        quote(&command, path);
    } else {
        wh_buf_puts(&command, "... | ffmpeg -i -");
    }
    wh_buf_puts(&command, " -ac 1 -ar 16000 -f wav - | whisp -");
    int rc = command.failed ? wh_fail_memory()
                            : wh_fail(WHISP_ERR_AUDIO, "%s: %s: %s", audio->name, why, command.data);
    wh_buf_free(&command);
    return rc;
}

/* ---- opening ---- */

/* Let libmpg123 or libsndfile try. */
static int try_open(whisp_audio *audio)
{
    SF_VIRTUAL_IO io = wh_source_io;
    char magic[4] = { 0 };
    wh_source_peek(&audio->source, 0, magic, 4);
    audio->is_mpeg = wh_mpeg_layer(&audio->source) > 0;
    if (audio->is_mpeg && (audio->mpeg = wh_mpeg_open(&audio->source, &audio->info)))
        return 1;
    /* the others are read page by page or frame by frame and rely on exact positions */
    audio->source.tell_end = !audio->is_mpeg && memcmp(magic, "OggS", 4) != 0 && memcmp(magic, "fLaC", 4) != 0;
    /* The length of an MPEG file is a guess from its first frame: it must not cut the recording off. */
    audio->source.hide_end = audio->is_mpeg;
    audio->source.position = 0;
    memset(&audio->info, 0, sizeof audio->info);
    audio->file = sf_open_virtual(&io, SFM_READ, &audio->info, &audio->source);
    return audio->file != NULL;
}

/* Samples without a header. */
static int open_raw(whisp_audio *audio)
{
    SF_VIRTUAL_IO io = wh_source_io;
    audio->info = (SF_INFO){ .samplerate = audio->raw_rate, .channels = audio->raw_channels,
                             .format = SF_FORMAT_RAW | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE };
    audio->file = sf_open_virtual(&io, SFM_READ, &audio->info, &audio->source);
    audio->source.opening = 0;
    return audio->file ? WHISP_OK : wh_fail(WHISP_ERR_AUDIO, "%s: cannot be read as raw samples", audio->name);
}

static int open_decoder(whisp_audio *audio, const char *path)
{
    unsigned char first;
    if (wh_source_peek(&audio->source, 0, &first, 1) == 0)
        return audio->source.error
                   ? wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", audio->name, strerror(audio->source.error))
                   : wh_fail(WHISP_ERR_AUDIO, "%s: is empty; there is nothing to hear", audio->name);
    char riff[4] = { 0 };
    if (audio->raw_rate && (wh_source_peek(&audio->source, 0, riff, 4) < 4 || memcmp(riff, "RIFF", 4) != 0))
        return open_raw(audio);
    wh_skip_tags(&audio->source);
    const char *foreign = wh_foreign_format(&audio->source);
    if (foreign) {
        char why[128];
        snprintf(why, sizeof why, "%s is not decoded here; let ffmpeg do it", foreign);
        return fail_with_command(audio, path, why);
    }
    if (wh_is_sample_dump(&audio->source))
        return wh_fail(WHISP_ERR_AUDIO, "%s: is a MIDI sample dump, not a recording", audio->name);
    wh_patch_unknown_length(&audio->source);
    if (!try_open(audio)) {
        /* Other bytes may stand before an MP3's first frame. */
        int64_t junk = wh_find_mpeg(&audio->source);
        if (junk == WHISP_ERR_MEMORY)
            return WHISP_ERR_MEMORY;
        if (junk > 0)
            wh_source_skip(&audio->source, junk);
        if (junk <= 0 || !try_open(audio)) {
            if (audio->source.error)
                return wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", audio->name, strerror(audio->source.error));
            return fail_with_command(audio, path,
                                     "not a recording in a known format; if it is one, ffmpeg may know it");
        }
    }
    int container = audio->info.format & SF_FORMAT_TYPEMASK;
    audio->is_buffered = audio->is_mpeg || container == SF_FORMAT_OGG || container == SF_FORMAT_FLAC;
    audio->source.opening = 0;
    int coding = audio->info.format & SF_FORMAT_SUBMASK;
    if (!audio->source.is_file && coding >= SF_FORMAT_ALAC_16 && coding <= SF_FORMAT_ALAC_32)
        return wh_fail(WHISP_ERR_AUDIO, "%s: a CAF with ALAC ends with what its decoding begins with; save it to a "
                       "file and name that", audio->name);
    if (audio->info.samplerate < MIN_RATE || audio->info.samplerate > MAX_RATE)
        return wh_fail(WHISP_ERR_AUDIO, "%s: its sample rate is %d Hz; 8000 to 192000 Hz can be read", audio->name,
                       audio->info.samplerate);
    return WHISP_OK;
}

static void describe(whisp_audio *audio)
{
    SF_FORMAT_INFO container = { .format = audio->info.format & SF_FORMAT_TYPEMASK };
    SF_FORMAT_INFO codec = { .format = audio->info.format & SF_FORMAT_SUBMASK };
    sf_command(NULL, SFC_GET_FORMAT_INFO, &container, sizeof container);
    sf_command(NULL, SFC_GET_FORMAT_INFO, &codec, sizeof codec);
    snprintf(audio->format, sizeof audio->format, "%.39s, %.38s", container.name ? container.name : "unknown format",
             codec.name ? codec.name : "unknown coding");

    audio->duration = -1.0;
    if (!audio->source.is_file)
        return;
    if (audio->info.frames >= 0 && audio->info.frames < WH_SOURCE_UNKNOWN) {
        audio->duration = (double)audio->info.frames / audio->info.samplerate;
    } else if (audio->is_mpeg) {
        /* no header with a length: estimated from the first frame's bit rate */
        int rate = wh_mpeg_bit_rate(&audio->source);
        if (rate > 0)
            audio->duration = 8.0 * (double)audio->source.size / rate;
    }
}

static int prepare(whisp_audio *audio)
{
    audio->decoded = wh_calloc(BLOCK_VALUES, sizeof(float));
    audio->mono = wh_calloc(BLOCK, sizeof(float));
    if (!audio->decoded || !audio->mono)
        return wh_fail_memory();
    if (audio->info.samplerate != RATE) {
        audio->resampled = wh_calloc(RESAMPLED, sizeof(float));
        if (!audio->resampled)
            return wh_fail_memory();
        return wh_resampler_new(audio->info.samplerate, &audio->resampler);
    }
    return WHISP_OK;
}

/* `path` is NULL for a descriptor; fd -1 means that it could not be opened (errno). Owns fd if own_fd. */
static int open_any(const char *name, const char *path, int fd, int own_fd, int raw_rate, int raw_channels,
                    whisp_audio **out)
{
    struct stat st;
    int rc = WHISP_OK;
    whisp_audio *audio = wh_calloc(1, sizeof *audio);
    if (!audio || !(audio->name = strdup(name))) {
        free(audio);
        if (own_fd)
            close(fd);
        return wh_fail_memory();
    }
    audio->own_fd = own_fd ? fd : -1;
    audio->channel = -1;
    audio->raw_rate = raw_rate;
    audio->raw_channels = raw_channels;
    if (fstat(fd, &st) != 0)
        rc = wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", name, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        rc = wh_fail(WHISP_ERR_IO, "%s: is a directory; name a recording", name);
    if (rc == WHISP_OK)
        rc = wh_source_init(&audio->source, fd);
    if (rc == WHISP_OK)
        rc = open_decoder(audio, path);
    if (rc == WHISP_OK)
        rc = prepare(audio);
    if (rc != WHISP_OK) {
        whisp_audio_close(audio);
        return rc;
    }
    describe(audio);
    *out = audio;
    return WHISP_OK;
}

int whisp_audio_open_fd(int fd, whisp_audio **audio)
{
    char name[40];
    if (!audio)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_open_fd: no place for the handle");
    *audio = NULL;
    snprintf(name, sizeof name, fd == STDIN_FILENO ? "standard input" : "file descriptor %d", fd);
    return open_any(name, NULL, fd, 0, 0, 0, audio);
}

int whisp_audio_open_live(int fd, int sample_rate, int channels, whisp_audio **audio)
{
    char name[40];
    if (!audio)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_open_live: no place for the handle");
    *audio = NULL;
    if (sample_rate < MIN_RATE || sample_rate > MAX_RATE || channels < 1 || channels > 64)
        return wh_fail(WHISP_ERR_ARGUMENT, "raw samples: %d Hz in %d channels; 8000 to 192000 Hz in 1 to 64 channels can "
                       "be read", sample_rate, channels);
    snprintf(name, sizeof name, fd == STDIN_FILENO ? "standard input" : "file descriptor %d", fd);
    return open_any(name, NULL, fd, 0, sample_rate, channels, audio);
}

int whisp_audio_open(const char *path, whisp_audio **audio)
{
    if (!audio)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_open: no place for the handle");
    *audio = NULL;
    if (!path)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_open: no file name");
    if (strcmp(path, "-") == 0)
        return whisp_audio_open_fd(STDIN_FILENO, audio);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return wh_fail(WHISP_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    return open_any(path, path, fd, 1, 0, 0, audio);
}

int whisp_audio_describe(const whisp_audio *audio, whisp_audio_info *info)
{
    if (!audio || !info || info->size < sizeof info->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_describe: set info.size first");
    whisp_audio_info all = { .size = info->size,
                             .sample_rate = audio->info.samplerate,
                             .channels = audio->info.channels,
                             .duration = audio->duration,
                             .format = audio->format };
    memcpy(info, &all, WH_MIN(info->size, sizeof all));
    return WHISP_OK;
}

int whisp_audio_select_channel(whisp_audio *audio, int channel)
{
    if (!audio)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_select_channel: no recording");
    if (channel < -1 || channel >= audio->info.channels)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: has no channel %d; it has %d, counted from 0", audio->name, channel,
                       audio->info.channels);
    if (audio->frames)
        return wh_fail(WHISP_ERR_STATE, "whisp_audio_select_channel: samples were read already");
    audio->channel = channel;
    return WHISP_OK;
}

void whisp_audio_close(whisp_audio *audio)
{
    if (!audio)
        return;
    if (audio->file)
        sf_close(audio->file);
    wh_mpeg_close(audio->mpeg);
    wh_resampler_free(audio->resampler);
    wh_source_free(&audio->source);
    if (audio->own_fd >= 0)
        close(audio->own_fd);
    free(audio->decoded);
    free(audio->mono);
    free(audio->resampled);
    free(audio->name);
    free(audio);
}

uint64_t wh_audio_bad_samples(const whisp_audio *audio)
{
    return audio->bad;
}

/* ---- reading ---- */

/* Decode the next block into mono[]; sets decoded_all at the end. */
static int decode(whisp_audio *audio)
{
    int channels = audio->info.channels, failed = 0;
    int64_t want = WH_MAX(1, WH_MIN(audio->raw_rate ? LIVE_BLOCK : BLOCK, BLOCK_VALUES / channels)), got;
    int64_t before = audio->source.position;
    audio->source.ran_dry = 0;
    if (audio->mpeg) {
        got = wh_mpeg_read(audio->mpeg, audio->decoded, want, &channels);
    } else {
        got = sf_readf_float(audio->file, audio->decoded, want);
        failed = sf_error(audio->file) != SF_ERR_NO_ERROR;
    }
    if (audio->source.error)
        return wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", audio->name, strerror(audio->source.error));
    /* ADPCM and GSM decoders make up blocks for ever when the bytes have ended. */
    if (!audio->is_buffered && audio->source.ran_dry && audio->source.position == before)
        got = 0;
    if (got <= 0) {
        /* What could be decoded before damage or a missing end is given out, as ffmpeg does. */
        int promised = audio->info.frames > 0 && (audio->source.is_file || audio->info.frames < PLAUSIBLE);
        if (audio->frames == 0 && (promised || failed))
            return wh_fail(WHISP_ERR_AUDIO, "%s: damaged or cut off: nothing in it can be decoded", audio->name);
        audio->decoded_all = 1;
        got = 0;
    }
    for (int64_t i = 0; i < got; i++) {
        const float *frame = audio->decoded + i * channels;
        float sum = 0.0f;
        int first = audio->channel < 0 ? 0 : WH_MIN(audio->channel, channels - 1);
        int end = audio->channel < 0 ? channels : first + 1;
        for (int c = first; c < end; c++) {
            if (isfinite(frame[c]))
                sum += WH_MAX(-LARGEST, WH_MIN(frame[c], LARGEST));
            else
                audio->bad++;
        }
        audio->mono[i] = sum / (float)(end - first);
    }
    audio->frames += got;
    audio->mono_used = 0;
    audio->mono_length = (size_t)got;
    return WHISP_OK;
}

/* Pass mono[] through the resampler; *n is how many samples lie in resampled[] then: 0 when it needs more, or, after the
 * recording's end, when all have come out. */
static int resample(whisp_audio *audio, size_t *n)
{
    size_t left = audio->mono_length - audio->mono_used, used;
    if (audio->decoded_all && left == 0 && !audio->resampler_ended) {
        wh_resampler_end(audio->resampler);
        audio->resampler_ended = 1;
    }
    int rc = wh_resample(audio->resampler, audio->mono + audio->mono_used, left, &used, audio->resampled, RESAMPLED, n);
    if (rc == WHISP_OK)
        audio->mono_used += used;
    return rc;
}

/* As 16-bit samples are: x becomes floor(x * 32768 + 0.5) / 32768, clipped. */
static void round_to_16_bits(float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float level = floorf(samples[i] * 32768.0f + 0.5f);
        samples[i] = WH_MAX(-32768.0f, WH_MIN(level, 32767.0f)) / 32768.0f;
    }
}

/* The next block of ready samples; ready_length is 0 only at the end. */
static int refill(whisp_audio *audio)
{
    int rc = WHISP_OK;
    size_t n = 0;
    while (n == 0 && rc == WHISP_OK) {
        if (audio->mono_used == audio->mono_length && !audio->decoded_all)
            rc = decode(audio);
        if (rc != WHISP_OK)
            break;
        if (audio->resampler) {
            audio->ready = audio->resampled;
            rc = resample(audio, &n);
        } else {
            audio->ready = audio->mono;
            n = audio->mono_length - audio->mono_used;
            audio->mono_used = audio->mono_length;
        }
        if (audio->decoded_all && n == 0 && (!audio->resampler || audio->resampler_ended))
            break;
    }
    if (rc != WHISP_OK)
        return rc;
    round_to_16_bits(audio->ready, n);
    audio->ready_used = 0;
    audio->ready_length = n;
    return WHISP_OK;
}

int64_t whisp_audio_read(whisp_audio *audio, float *samples, size_t n)
{
    size_t done = 0;
    if (!audio || (!samples && n > 0))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_read: no recording or no place for samples");
    while (done < n) {
        if (audio->ready_used == audio->ready_length) {
            int rc = refill(audio);
            if (rc != WHISP_OK && done == 0)
                return rc;
            if (rc != WHISP_OK || audio->ready_length == 0)
                break;
        }
        size_t piece = WH_MIN(n - done, audio->ready_length - audio->ready_used);
        memcpy(samples + done, audio->ready + audio->ready_used, piece * sizeof(float));
        audio->ready_used += piece;
        done += piece;
    }
    return (int64_t)done;
}
