/* open.c - whisp_audio: opened from a path, a descriptor, memory, samples or a reader; again from the beginning; what
 * is known of it. Reading is in audio.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options/options.h"
#include "audio/audible.h"
#include "audio/handle.h"
#include "audio/junk.h"
#include "audio/recognise.h"
#include "audio/tags.h"
#include "whisp_live.h"

#define PART_OF_FRAME 2048 /* bytes; what is left of an MPEG frame where a broadcast was cut */
#define BAD_SECONDS 0.1    /* of samples that are no numbers are a part that is not heard */

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
    if (rate >= WH_MIN_RATE && rate <= WH_MAX_RATE)
        return WHISP_OK;
    snprintf(why, sizeof why, "its sample rate is %d Hz; %d to %d Hz can be read", rate, WH_MIN_RATE, WH_MAX_RATE);
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

/* Buffers, and a decoder at the recording's beginning. */
static int begin(whisp_audio *audio)
{
    int rc = open_decoder(audio);
    if (rc)
        return rc;
    if (!audio->decoded) {
        audio->decoded = wh_calloc(WH_AUDIO_BLOCK_VALUES, sizeof(float));
        audio->mono = wh_calloc(WH_AUDIO_BLOCK, sizeof(float));
        audio->resampled = wh_calloc(WH_AUDIO_RESAMPLED, sizeof(float));
    }
    audio->sound = audio->decoder->sound;
    if (!audio->decoded || !audio->mono || !audio->resampled)
        return wh_fail_memory();
    if (audio->channel >= 0)
        wh_audible_keep_channels(audio->decoder);
    return wh_audio_begin_rate(audio, audio->sound.rate);
}

/* A handle without a source. */
static int make(const char *name, whisp_audio **audio)
{
    whisp_audio *a = *audio = wh_calloc(1, sizeof *a);
    if (!a || !(a->name = strdup(name))) {
        free(a);
        *audio = NULL;
        return wh_fail_memory();
    }
    a->own_fd = a->source.fd = -1;
    a->channel = -1;
    return WHISP_OK;
}

/* The source is there, or `rc` says why not. */
static int finish(int rc, whisp_audio **audio)
{
    if (!rc)
        rc = begin(*audio);
    if (rc) {
        whisp_audio_free(*audio);
        *audio = NULL;
    }
    return rc;
}

/* `path` is NULL for a descriptor. Owns fd if own_fd. */
static int open_descriptor(const char *name, const char *path, int fd, int own_fd, int raw_rate, int raw_channels,
                           whisp_audio **out)
{
    struct stat st;
    int rc = make(name, out);
    if (rc) {
        if (own_fd)
            close(fd);
        return rc;
    }
    whisp_audio *audio = *out;
    audio->own_fd = own_fd ? fd : -1;
    audio->raw_rate = raw_rate;
    audio->raw_channels = raw_channels;
    if (fstat(fd, &st) != 0)
        rc = wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", name, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        rc = wh_fail(WHISP_ERR_IO, "%s: is a directory; name a recording", name);
    if (!rc)
        rc = wh_source_init(&audio->source, fd);
    audio->source.path = path ? audio->name : NULL;
    audio->source.is_live = raw_rate != 0;
    return finish(rc, out);
}

int whisp_audio_open_fd(int fd, whisp_audio **audio)
{
    char name[40];
    if (!audio)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_open_fd: no place for the handle");
    *audio = NULL;
    snprintf(name, sizeof name, fd == STDIN_FILENO ? "standard input" : "file descriptor %d", fd);
    return open_descriptor(name, NULL, fd, 0, 0, 0, audio);
}

int whisp_audio_open_live(int fd, int sample_rate, int channels, whisp_audio **audio)
{
    char name[40];
    if (!audio)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_open_live: no place for the handle");
    *audio = NULL;
    if (sample_rate < WH_MIN_RATE || sample_rate > WH_MAX_RATE || channels < 1 || channels > 64)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "raw samples: %d Hz in %d channels; %d to %d Hz in 1 to 64 channels can be "
                       "read",
                       sample_rate, channels, WH_MIN_RATE, WH_MAX_RATE);
    snprintf(name, sizeof name, fd == STDIN_FILENO ? "standard input" : "file descriptor %d", fd);
    return open_descriptor(name, NULL, fd, 0, sample_rate, channels, audio);
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
    return open_descriptor(path, path, fd, 1, 0, 0, audio);
}

int whisp_audio_open_memory(const void *bytes, size_t n, whisp_audio **audio)
{
    if (audio)
        *audio = NULL;
    if (!audio || (!bytes && n))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_open_memory: an argument is NULL");
    int rc = make("the recording in memory", audio);
    if (rc)
        return rc;
    wh_source_init_memory(&(*audio)->source, bytes, n);
    return finish(WHISP_OK, audio);
}

int whisp_audio_open_samples(const float *samples, size_t n, whisp_audio **audio)
{
    static const float none[1];
    if (audio)
        *audio = NULL;
    if (!audio || (!samples && n))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_open_samples: an argument is NULL");
    int rc = make("the samples in memory", audio);
    if (rc)
        return rc;
    (*audio)->samples = n ? samples : none;
    (*audio)->n_samples = n;
    return WHISP_OK;
}

int whisp_audio_open_reader(const whisp_reader *reader, whisp_audio **audio)
{
    whisp_reader all = {0};
    if (audio)
        *audio = NULL;
    if (!audio || !reader || reader->size < sizeof reader->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_open_reader: an argument is NULL, or reader->size is not set");
    memcpy(&all, reader, WH_MIN(reader->size, sizeof all));
    if (!all.read || (all.seek && !all.tell))
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "whisp_audio_open_reader: `read` is needed, and `tell` where there is `seek`");
    int rc = make("the recording", audio);
    return rc ? rc : finish(wh_source_init_reader(&(*audio)->source, &all), audio);
}

int wh_audio_open_piece(const whisp_audio *audio, whisp_audio **piece)
{
    const wh_source *source = &audio->source;
    *piece = NULL;
    if (!audio->decoder || !audio->decoder->find || !source->is_file || source->reader.read || source->whole ||
        audio->raw_rate || (audio->resampler && !wh_resampler_restarts(audio->resampler)))
        return WHISP_OK;
    int rc = make(audio->name, piece);
    if (rc)
        return rc;
    whisp_audio *other = *piece;
    other->channel = audio->channel;
    other->is_piece = 1;
    other->source = (wh_source){.fd = source->fd,
                                .memory = source->memory,
                                .path = source->path,
                                .is_file = 1,
                                .begin = source->begin,
                                .all = source->all};
    wh_source_rewind(&other->source);
    rc = finish(WHISP_OK, piece);
    if (!rc)
        other->plain_notes = other->notes.n;
    return rc;
}

/* ---- again from the beginning ---- */

int wh_audio_rewinds(const whisp_audio *audio)
{
    return audio->samples || audio->source.is_file;
}

int wh_audio_is_samples(const whisp_audio *audio)
{
    return audio->samples != NULL;
}

static void close_decoder(whisp_audio *audio)
{
    if (audio->decoder)
        audio->decoder->close(audio->decoder);
    audio->decoder = NULL;
    wh_resampler_free(audio->resampler);
    audio->resampler = NULL;
}

int wh_audio_rewind(whisp_audio *audio)
{
    audio->is_spent = 0;
    audio->at_sample = 0;
    if (audio->samples || (audio->decoder && !audio->was_read))
        return WHISP_OK;
    if (!audio->source.is_file)
        return wh_fail(WHISP_ERR_STATE,
                       "%s: was read already, and it can be read once only; open it anew, or keep it "
                       "in memory or in a file",
                       audio->name);
    close_decoder(audio);
    wh_notes_clear(&audio->notes);
    wh_source_rewind(&audio->source);
    audio->was_read = audio->decoded_all = audio->resampler_ended = audio->drained = 0;
    audio->mono_length = audio->mono_used = audio->ready_length = audio->ready_used = 0;
    audio->frames = 0;
    audio->bad = 0;
    audio->bad_seconds = 0;
    return begin(audio);
}

void wh_audio_end(whisp_audio *audio)
{
    audio->is_spent = 1;
    wh_audio_ask(audio, NULL, NULL);
}

static int check_cancel(const void *options)
{
    return wh_check_cancel(options);
}

int wh_audio_keep(whisp_audio *audio, const char *what, const whisp_options *options)
{
    if (wh_audio_rewinds(audio))
        return WHISP_OK;
    close_decoder(audio);
    wh_notes_clear(&audio->notes);
    int rc = wh_source_keep(&audio->source, check_cancel, options);
    if (rc && rc != WHISP_ERR_CANCELLED)
        rc = wh_fail(rc, "%s: %s needs a temporary file to read it twice: %s", audio->name, what, whisp_last_error());
    return rc ? rc : begin(audio);
}

int wh_audio_channel(const whisp_audio *audio)
{
    return audio->channel;
}

/* ---- what it is ---- */

/* A recording has a decoder, samples need none. */
static int is_there(const whisp_audio *audio)
{
    return audio && (audio->samples || audio->decoder);
}

int whisp_audio_describe(const whisp_audio *audio, whisp_audio_info *info)
{
    if (!is_there(audio) || !info || info->size < sizeof info->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_describe: no recording, or info.size is not set");
    whisp_audio_info all = {.sample_rate = WH_AUDIO_RATE,
                            .channels = 1,
                            .duration = (double)audio->n_samples / WH_AUDIO_RATE,
                            .format = "samples"};
    if (audio->decoder)
        all = (whisp_audio_info){.sample_rate = audio->decoder->sound.rate,
                                 .channels = audio->decoder->sound.channels,
                                 .duration = audio->decoder->duration,
                                 .format = audio->decoder->format};
    all.size = info->size;
    memcpy(info, &all, WH_MIN(info->size, sizeof all));
    return WHISP_OK;
}

int whisp_audio_select_channel(whisp_audio *audio, int channel)
{
    if (!is_there(audio))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_select_channel: no recording");
    int rc = audio->is_spent && wh_audio_rewinds(audio) ? wh_audio_rewind(audio) : WHISP_OK;
    if (rc)
        return rc;
    int channels = audio->decoder ? audio->decoder->sound.channels : 1;
    if (channel < -1 || channel >= channels)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: has no channel %d; it has %d, counted from 0", audio->name, channel,
                       channels);
    if (audio->frames || audio->at_sample)
        return wh_fail(WHISP_ERR_STATE, "whisp_audio_select_channel: samples were read already");
    audio->was_read |= channel < 0 && audio->channel >= 0 && audio->source.is_file; /* look at all of them again */
    wh_audio_hear(audio, channel);
    return audio->was_read ? wh_audio_rewind(audio) : WHISP_OK;
}

void wh_audio_hear(whisp_audio *audio, int channel)
{
    audio->channel = channel;
    if (channel >= 0 && audio->decoder)
        wh_audible_keep_channels(audio->decoder);
}

void whisp_audio_free(whisp_audio *audio)
{
    if (!audio)
        return;
    close_decoder(audio);
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
    if (!audio->decoder)
        return;
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
