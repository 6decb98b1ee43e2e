/* audio.c - a recording becomes mono float samples at 16 kHz, block by block.
 *
 * The beginning of the data's way: bytes (source.c) -> a decoder (decoder.h) -> channels become one (mix.c) -> 16 kHz
 * (resample.c) -> rounded to 16 bits -> lib/mel. The reference hears what `ffmpeg -ac 1 -ar 16000 -f s16le` writes,
 * therefore the rounding. See docs/audio.md. */
#include "audio/audio.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/audible.h"
#include "audio/decoder.h"
#include "audio/mix.h"
#include "audio/recognise.h"
#include "audio/resample.h"
#include "audio/junk.h"
#include "audio/tags.h"

#define RATE 16000
#define MIN_RATE WH_MIN_RATE
#define MAX_RATE WH_MAX_RATE
#define BLOCK 4096         /* frames decoded at once, fewer when there are many channels */
#define BLOCK_VALUES 32768 /* samples of all channels decoded at once */
#define PART_OF_FRAME 2048 /* bytes; what is left of an MPEG frame where a broadcast was cut */
#define BAD_SECONDS 0.1    /* of samples that are no numbers are a part that is not heard */
#define RESAMPLED 8448     /* room for a block at twice its rate */

struct whisp_audio {
    char *name;  /* for messages */
    int own_fd;  /* to be closed, or -1 */
    int channel; /* the only one to be heard, from 0 on; -1: all, mixed */
    wh_source source;
    wh_decoder *decoder;
    wh_notes notes;
    int raw_rate, raw_channels; /* of bytes that are not a WAV file's, else 0; then blocks are small */

    float *decoded; /* [BLOCK_VALUES], interleaved */
    wh_sound sound; /* of the block in decoded[] and mono[] */
    float *mono;    /* [BLOCK] at the recording's rate */
    size_t mono_length, mono_used;
    int decoded_all;
    int64_t frames;     /* decoded so far */
    uint64_t bad;       /* samples that are no finite numbers, not told yet, */
    double bad_seconds; /* and how long they last */

    int rate;                /* that is resampled now; differs from sound.rate where recordings were joined */
    wh_resampler *resampler; /* NULL at 16 kHz */
    int resampler_ended;     /* it was told that no more samples come at this rate */
    int drained;             /* and all have come out */
    float *resampled;        /* [RESAMPLED] */
    float *ready;            /* mono or resampled: rounded, to be given out */
    size_t ready_length, ready_used;
};

/* ---- opening ---- */

/* Let the decoders try, one after the other. */
static int try_open(whisp_audio *audio)
{
    static int (*const openers[])(wh_source *, wh_notes *, const char *, wh_decoder **) = {
        wh_stretches_open, wh_flac_open, wh_ogg_open, wh_mpeg_open, wh_sndfile_open,
    };
    int rc = WHISP_OK;
    for (size_t i = 0; i < WH_COUNT(openers) && !rc && !audio->decoder; i++)
        rc = openers[i](&audio->source, &audio->notes, audio->name, &audio->decoder);
    return rc;
}

/* The decoder, where other bytes may stand before a compressed stream's first frame. */
static int try_after_junk(whisp_audio *audio)
{
    int64_t junk;
    int rc = wh_skip_junk(&audio->source, &junk);
    if (rc <= 0)
        return rc;
    rc = try_open(audio);
    if (!rc && audio->decoder && junk >= PART_OF_FRAME)
        wh_note(&audio->notes, 0, "begins with %lld bytes that are not understood", (long long)junk);
    return rc;
}

static int check_rate(const whisp_audio *audio)
{
    char why[128];
    int rate = audio->decoder->sound.rate;
    if (rate >= MIN_RATE && rate <= MAX_RATE)
        return WHISP_OK;
    snprintf(why, sizeof why, "its sample rate is %d Hz; %d to %d Hz can be read", rate, MIN_RATE, MAX_RATE);
    return wh_refuse(&audio->source, audio->name, why);
}

static int find_decoder(whisp_audio *audio)
{
    wh_source *source = &audio->source;
    unsigned char first;
    if (wh_source_peek(source, 0, &first, 1) == 0)
        return source->error ? wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", audio->name, strerror(source->error))
                             : wh_fail(WHISP_ERR_AUDIO, "%s: is empty; there is nothing to hear", audio->name);
    if (audio->raw_rate && !wh_has_header(source))
        return wh_raw_open(source, audio->name, audio->raw_rate, audio->raw_channels, &audio->decoder);
    wh_skip_tags(source);
    const char *foreign = wh_foreign_format(source);
    if (foreign) {
        char why[128];
        snprintf(why, sizeof why, "%s is not decoded here; let ffmpeg do it", foreign);
        return wh_refuse(source, audio->name, why);
    }
    if (wh_is_sample_dump(source))
        return wh_fail(WHISP_ERR_AUDIO, "%s: is a MIDI sample dump, not a recording", audio->name);
    int rc = try_open(audio);
    if (!rc && !audio->decoder)
        rc = try_after_junk(audio);
    if (!rc && !audio->decoder && source->error)
        return wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", audio->name, strerror(source->error));
    if (!rc && !audio->decoder)
        return wh_refuse(source, audio->name, "not a recording in a known format; if it is one, ffmpeg may know it");
    return rc;
}

static int open_decoder(whisp_audio *audio)
{
    int rc = find_decoder(audio);
    audio->source.opening = 0;
    if (!rc)
        rc = check_rate(audio);
    if (!rc) {
        wh_decoder *inner = audio->decoder;
        audio->decoder = NULL;
        rc = wh_audible_new(inner, &audio->notes, audio->raw_rate != 0, &audio->decoder);
    }
    return rc;
}

/* Resample from audio->rate from now on. */
static int begin_rate(whisp_audio *audio, int rate)
{
    wh_resampler_free(audio->resampler);
    audio->resampler = NULL;
    audio->resampler_ended = audio->drained = 0;
    audio->rate = rate;
    return rate == RATE ? WHISP_OK : wh_resampler_new(rate, &audio->resampler);
}

static int prepare(whisp_audio *audio)
{
    audio->decoded = wh_calloc(BLOCK_VALUES, sizeof(float));
    audio->mono = wh_calloc(BLOCK, sizeof(float));
    audio->resampled = wh_calloc(RESAMPLED, sizeof(float));
    audio->sound = audio->decoder->sound;
    if (!audio->decoded || !audio->mono || !audio->resampled)
        return wh_fail_memory();
    return begin_rate(audio, audio->sound.rate);
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
    audio->source.path = path ? audio->name : NULL;
    audio->source.is_live = raw_rate != 0;
    if (rc == WHISP_OK)
        rc = open_decoder(audio);
    if (rc == WHISP_OK)
        rc = prepare(audio);
    if (rc != WHISP_OK) {
        whisp_audio_close(audio);
        return rc;
    }
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
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "raw samples: %d Hz in %d channels; %d to %d Hz in 1 to 64 channels can be "
                       "read",
                       sample_rate, channels, MIN_RATE, MAX_RATE);
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
    whisp_audio_info all = {.size = info->size,
                            .sample_rate = audio->decoder->sound.rate,
                            .channels = audio->decoder->sound.channels,
                            .duration = audio->decoder->duration,
                            .format = audio->decoder->format};
    memcpy(info, &all, WH_MIN(info->size, sizeof all));
    return WHISP_OK;
}

int whisp_audio_select_channel(whisp_audio *audio, int channel)
{
    if (!audio)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_select_channel: no recording");
    int channels = audio->decoder->sound.channels;
    if (channel < -1 || channel >= channels)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: has no channel %d; it has %d, counted from 0", audio->name, channel,
                       channels);
    if (audio->frames)
        return wh_fail(WHISP_ERR_STATE, "whisp_audio_select_channel: samples were read already");
    audio->channel = channel;
    if (channel >= 0)
        wh_audible_keep_channels(audio->decoder);
    return WHISP_OK;
}

void whisp_audio_close(whisp_audio *audio)
{
    if (!audio)
        return;
    if (audio->decoder)
        audio->decoder->close(audio->decoder);
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

/* Put into words what was only counted so far; what comes later is told by itself. */
static void settle(whisp_audio *audio)
{
    wh_audible_settle(audio->decoder);
    wh_notes_settle(&audio->notes);
    if (audio->bad)
        wh_note(&audio->notes, audio->bad_seconds > BAD_SECONDS,
                "%llu samples are not finite numbers; they count as "
                "silence",
                (unsigned long long)audio->bad);
    audio->bad = 0;
    audio->bad_seconds = 0;
}

const char *whisp_audio_warning(whisp_audio *audio, size_t i, int *incomplete)
{
    if (audio)
        settle(audio);
    if (!audio || i >= (size_t)audio->notes.n)
        return NULL;
    if (incomplete)
        *incomplete = audio->notes.list[i].incomplete;
    return audio->notes.list[i].text;
}

void wh_audio_ask(whisp_audio *audio, wh_is_wanted is_wanted, const void *user)
{
    audio->notes.is_wanted = is_wanted;
    audio->notes.user = user;
}

const char *wh_audio_name(const whisp_audio *audio)
{
    return audio->name;
}

/* ---- reading ---- */

/* Decode the next block into mono[]; sets decoded_all at the end. */
static int decode(whisp_audio *audio)
{
    wh_decoder *decoder = audio->decoder;
    wh_sound sound = audio->sound;
    int64_t got = decoder->read(decoder, audio->decoded, BLOCK_VALUES, BLOCK, &sound);
    if (got <= 0 && audio->source.error)
        return wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", audio->name, strerror(audio->source.error));
    if (got == 0 && audio->frames == 0 && decoder->frames > 0)
        return wh_fail(WHISP_ERR_AUDIO, "%s: damaged or cut off: nothing in it can be decoded", audio->name);
    if (got < 0)
        return (int)got;
    if (got > 0 && (sound.rate < MIN_RATE || sound.rate > MAX_RATE)) {
        wh_note(&audio->notes, 1, "goes on with a sample rate of %d Hz, which cannot be read; the rest was not heard",
                sound.rate);
        got = 0;
    }
    audio->mono_used = 0;
    audio->mono_length = (size_t)got;
    audio->frames += got;
    if (got == 0) {
        audio->decoded_all = 1;
        return WHISP_OK;
    }
    if (audio->channel < 0)
        wh_mix_tell(&sound, &audio->notes);
    audio->sound = sound;
    uint64_t bad = wh_mix(audio->decoded, got, &sound, audio->channel, audio->mono);
    audio->bad += bad;
    audio->bad_seconds += (double)bad / (audio->channel < 0 ? sound.channels : 1) / sound.rate;
    return WHISP_OK;
}

/* Pass mono[] through the resampler; *n is how many samples lie in resampled[] then: 0 when it needs more, or, after
 * the last one at this rate, when all have come out. */
static int resample(whisp_audio *audio, size_t *n)
{
    int other = audio->sound.rate != audio->rate; /* mono[] belongs to what was joined */
    size_t left = other ? 0 : audio->mono_length - audio->mono_used, used;
    if ((audio->decoded_all || other) && left == 0 && !audio->resampler_ended) {
        wh_resampler_end(audio->resampler);
        audio->resampler_ended = 1;
    }
    int rc = wh_resample(audio->resampler, audio->mono + audio->mono_used, left, &used, audio->resampled, RESAMPLED, n);
    if (rc == WHISP_OK)
        audio->mono_used += used;
    audio->drained = audio->resampler_ended && *n < RESAMPLED;
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

/* The next samples at 16 kHz; *n = 0 where the resampler needs more. */
static int convert(whisp_audio *audio, size_t *n)
{
    if (audio->resampler) {
        audio->ready = audio->resampled;
        return resample(audio, n);
    }
    audio->ready = audio->mono;
    *n = audio->mono_length - audio->mono_used;
    audio->mono_used = audio->mono_length;
    return WHISP_OK;
}

/* The next block of ready samples; ready_length is 0 only at the end. */
static int refill(whisp_audio *audio)
{
    int rc = WHISP_OK;
    size_t n = 0;
    while (n == 0 && rc == WHISP_OK) {
        if (audio->mono_used == audio->mono_length && !audio->decoded_all)
            rc = decode(audio);
        int joined = audio->sound.rate != audio->rate && audio->mono_used < audio->mono_length;
        if (!rc && joined && (!audio->resampler || audio->drained))
            rc = begin_rate(audio, audio->sound.rate);
        if (!rc)
            rc = convert(audio, &n);
        if (audio->decoded_all && n == 0 && (!audio->resampler || audio->drained))
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

/* ---- jumping ---- */

int wh_audio_seeks(const whisp_audio *audio)
{
    return audio->decoder->seek != NULL;
}

int wh_audio_knows_end(const whisp_audio *audio)
{
    return audio->decoder->is_duration_sure;
}

/* Read and forget n samples; fewer where the recording ends. */
static int drop(whisp_audio *audio, int64_t n)
{
    float samples[1024];
    while (n > 0) {
        int64_t got = whisp_audio_read(audio, samples, (size_t)WH_MIN(n, (int64_t)WH_COUNT(samples)));
        if (got <= 0)
            return (int)got;
        n -= got;
    }
    return WHISP_OK;
}

/* The decoder begins at whole seconds, where the resampler's filter stands on a frame as it does at 0, and early
 * enough for what the filter sees before sample `at` to be there. */
int wh_audio_seek(whisp_audio *audio, int64_t at)
{
    wh_decoder *decoder = audio->decoder;
    int64_t rate = decoder->sound.rate, unit = wh_audible_unit(decoder), lead = 2 * rate;
    int64_t frame = WH_MAX(at / RATE * rate - lead, 0) / unit * unit;
    if (!decoder->seek || unit % rate || at / RATE > INT64_MAX / 8 / rate || !decoder->seek(decoder, frame))
        return 0;
    audio->sound = decoder->sound;
    audio->mono_length = audio->mono_used = audio->ready_length = audio->ready_used = 0;
    audio->decoded_all = 0;
    audio->frames = WH_MAX(audio->frames, frame);
    int rc = begin_rate(audio, (int)rate);
    if (!rc)
        rc = drop(audio, at - frame / rate * RATE);
    return rc ? rc : 1;
}
