/* hear.c - recordings, opened and decoded in all ways there are (see fuzz.h). */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "audio/audio.h"
#include "audio/decoder.h"
#include "whisp_live.h"

#define MOST_SAMPLES 60000 /* that are asked for: sizes that lie promise hours */
#define MOST_READS 200

/* ---- a reader over bytes ---- */

typedef struct reading {
    const uint8_t *data;
    int64_t n, at, piece;
    int64_t fails_at; /* -1: nowhere */
} reading;

static int64_t read_some(void *user, void *bytes, size_t n)
{
    reading *r = user;
    int64_t some = r->at < r->n ? r->n - r->at : 0;
    some = some < r->piece ? some : r->piece;
    some = some < (int64_t)n ? some : (int64_t)n;
    if (r->fails_at >= 0 && r->at + some > r->fails_at)
        return -1;
    memcpy(bytes, r->data + r->at, (size_t)some);
    r->at += some;
    return some;
}

static int seek_to(void *user, int64_t offset, int whence)
{
    reading *r = user;
    int64_t to = whence == SEEK_END ? r->n + offset : whence == SEEK_CUR ? r->at + offset : offset;
    if (to < 0 || to > r->n)
        return -1;
    r->at = to;
    return 0;
}

static int64_t tell_place(void *user)
{
    return ((reading *)user)->at;
}

/* ---- without resampler and mixing ---- */

/* What lib/audio/open.c does first, and nothing behind the decoder. */
static void decode(wh_source *source, unsigned way)
{
    static int (*const openers[])(wh_source *, wh_notes *, const char *, wh_decoder **) = {
        wh_stretches_open, wh_flac_open, wh_ogg_open, wh_mpeg_open, wh_sndfile_open,
    };
    static float samples[4096];
    static wh_notes notes;
    wh_decoder *decoder = NULL;
    int rc = WHISP_OK;
    memset(&notes, 0, sizeof notes);
    for (size_t i = 0; i < WH_COUNT(openers) && !rc && !decoder; i++)
        rc = openers[i](source, &notes, "fuzz", &decoder);
    source->opening = 0;
    FUZZ_CHECK(!rc || !decoder);
    if (!decoder)
        return;
    FUZZ_CHECK(decoder->format[0]);
    int64_t all = 0;
    for (int i = 0; i < MOST_READS && all < MOST_SAMPLES; i++) {
        wh_sound sound = decoder->sound;
        int64_t n = decoder->read(decoder, samples, WH_COUNT(samples), 1 + (way >> 8) % 4096, &sound);
        if (n <= 0)
            break;
        FUZZ_CHECK(sound.channels > 0 && n * sound.channels <= (int64_t)WH_COUNT(samples) && sound.rate > 0);
        all += n * sound.channels;
        if (way % 16 == 8 && i % 5 == 4 && decoder->seek)
            decoder->seek(decoder, (int64_t)(way >> 4) % 20000);
    }
    decoder->close(decoder);
    wh_notes_settle(&notes);
}

/* ---- all of it ---- */

static void read_all(whisp_audio *audio, unsigned way)
{
    static float samples[4096];
    int64_t n, all = 0;
    for (int i = 0; i < MOST_READS && all < MOST_SAMPLES; i++) {
        if ((n = whisp_audio_read(audio, samples, 1 + (way >> 6) % WH_COUNT(samples))) <= 0)
            break;
        for (int64_t k = 0; k < n; k++)
            FUZZ_CHECK(samples[k] >= -1e6f && samples[k] <= 1e6f);
        all += n;
    }
}

static void hear(whisp_audio *audio, unsigned way)
{
    whisp_audio_info info = {.size = sizeof info};
    FUZZ_CHECK(whisp_audio_describe(audio, &info) == WHISP_OK);
    FUZZ_CHECK(info.channels > 0 && info.sample_rate > 0 && info.format);
    if (way & 16)
        whisp_audio_select_channel(audio, (int)(way >> 5) % (info.channels + 1));
    static whisp_options *options; /* stay */
    if (!options)
        FUZZ_CHECK((options = whisp_options_new()));
    if ((way & 192) == 192) /* a pipe becomes a file */
        wh_audio_keep(audio, "a test", options);
    read_all(audio, way);
    if (way & 32) { /* once more, and from somewhere */
        if (wh_audio_rewind(audio) == WHISP_OK && wh_audio_seeks(audio))
            wh_audio_seek(audio, (int64_t)(way >> 3) % 40000);
        read_all(audio, way);
    }
    for (size_t i = 0; whisp_audio_warning(audio, i, NULL); i++)
        FUZZ_CHECK(i < 100);
}

static void hear_reader(const uint8_t *data, size_t size, unsigned way)
{
    reading r = {data, (int64_t)size, 0, 1 + (way >> 7) % 5000, way % 64 == 1 ? (int64_t)(way >> 9) % 4096 : -1};
    whisp_reader reader = {.size = sizeof reader, .user = &r, .read = read_some};
    whisp_audio *audio;
    wh_source source;
    if (way & 1) {
        reader.seek = seek_to;
        reader.tell = tell_place;
    }
    if (way & 8) {
        if (wh_source_init_reader(&source, &reader) == WHISP_OK) {
            decode(&source, way);
            wh_source_free(&source);
        }
    } else if (whisp_audio_open_reader(&reader, &audio) == WHISP_OK) {
        hear(audio, way);
        whisp_audio_free(audio);
    }
}

/* By a descriptor: a file, a pipe (as many bytes as fit into it at once), or a pipe that somebody speaks into. */
static void hear_descriptor(const uint8_t *data, size_t size, unsigned way)
{
    whisp_audio *audio = NULL;
    int fds[2], is_pipe = way & 8, rc;
    size_t n = size < 60000 ? size : 60000;
    if (is_pipe)
        FUZZ_CHECK(pipe(fds) == 0 && write(fds[1], data, n) == (ssize_t)n && close(fds[1]) == 0);
    else
        FUZZ_CHECK((fds[0] = memfd_create("fuzz", 0)) >= 0 && pwrite(fds[0], data, size, 0) == (ssize_t)size);
    if (way & 16)
        rc = whisp_audio_open_live(fds[0], 16000, 1 + (int)(way >> 9) % 2, &audio);
    else
        rc = whisp_audio_open_fd(fds[0], &audio);
    FUZZ_CHECK((rc == WHISP_OK) == (audio != NULL));
    if (audio)
        hear(audio, way >> 5);
    whisp_audio_free(audio);
    close(fds[0]);
}

void fuzz_hear(const uint8_t *data, size_t size, unsigned way)
{
    whisp_audio *audio;
    wh_source source;
    if ((way & 7) == 7) {
        hear_descriptor(data, size, way);
    } else if ((way & 6) == 6) {
        hear_reader(data, size, way);
    } else if (way & 9) { /* mostly: many times as fast */
        wh_source_init_memory(&source, data, size);
        decode(&source, way);
        wh_source_free(&source);
    } else if (whisp_audio_open_memory(data, size, &audio) == WHISP_OK) {
        hear(audio, way);
        whisp_audio_free(audio);
    } else {
        FUZZ_CHECK(strlen(whisp_last_error()) > 10);
    }
}

void fuzz_hear_input(const uint8_t *data, size_t size)
{
    static const unsigned ways[] = {0,    1,    6,  7, 15,     23,    31,     0x30,   0xf0,
                                    0x36, 0xf6, 14, 8, 0x1237, 0x67f, 0x1807, 0x180f, 0x1c0f};
    for (size_t i = 0; fuzz_every_way && i < WH_COUNT(ways); i++)
        fuzz_hear(data, size, ways[i]);
    fuzz_hear(data, size, fuzz_way(data, size));
}
