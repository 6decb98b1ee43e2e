/* hear.c - recordings, opened and decoded in all ways there are (see fuzz.h). */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "audio/ahead.h"
#include "audio/audio.h"
#include "audio/decoder.h"
#include "whisp_live.h"

#define MOST_SAMPLES 60000 /* that are asked for: sizes that lie promise hours */
#define LONG_SAMPLES 700000
#define LONG_BYTES (5 << 18) /* more than a source keeps of a pipe */
#define MOST_READS 200

/* How an input is heard: all of it follows from a number. The first ones are many times as fast, and come often. */
typedef struct how {
    enum { BARE, MEMORY, READER, SEEKING_READER, BARE_READER, FD_FILE, NAMED_FILE, FD_PIPE, LIVE } by;
    unsigned size; /* of a block, a piece, of what is skipped: anything */
    int is_long;   /* a reader gives the end of the recording again and again */
    int fails;     /* a reader does, somewhere */
    int channel;   /* 0: all */
    int keeps;     /* a pipe becomes a file */
    int goes_back; /* it is read again */
} how;

static const unsigned char by_turns[] = {BARE, BARE,       BARE,           BARE,        BARE,   BARE,    BARE,
                                         BARE, BARE,       MEMORY,         MEMORY,      READER, FD_FILE, FD_PIPE,
                                         LIVE, NAMED_FILE, SEEKING_READER, BARE_READER, MEMORY};

static how how_of(unsigned way)
{
    how h = {.by = by_turns[way % WH_COUNT(by_turns)], .size = way / (unsigned)WH_COUNT(by_turns)};
    unsigned rest = h.size;
    h.channel = rest & 1 ? 1 + (int)(rest >> 8) % 3 : 0;
    h.goes_back = (rest & 2) != 0;
    h.keeps = (rest & 4) != 0;
    h.fails = (rest & 56) == 8;
    h.is_long = (rest & 0x1f8) == 16;
    return h;
}

/* ---- a reader over bytes ---- */

typedef struct reading {
    const uint8_t *data;
    int64_t n, all; /* bytes that there are; that are given: the last third of them again and again */
    int64_t at, piece;
    int64_t fails_at; /* -1: nowhere */
} reading;

static reading begin_reading(const uint8_t *data, size_t size, const how *h)
{
    reading r = {.data = data, .n = (int64_t)size, .all = (int64_t)size, .piece = 1 + h->size % 5000, .fails_at = -1};
    if (h->fails)
        r.fails_at = (int64_t)(h->size >> 6) % 4096;
    if (h->is_long && size > 3) {
        r.all = LONG_BYTES;
        r.piece += 4096;
    }
    return r;
}

static int64_t read_some(void *user, void *bytes, size_t n)
{
    reading *r = user;
    int64_t tail = WH_MAX(r->n / 3, 1), at = r->at < r->n ? r->at : r->n - tail + (r->at - r->n) % tail;
    int64_t some = WH_MIN(r->at < r->all ? r->n - at : 0, WH_MIN(r->piece, (int64_t)n));
    if (r->fails_at >= 0 && r->at + some > r->fails_at)
        return r->at % 2 ? -1 : (int64_t)n + 1; /* which is as wrong */
    if (some > 0)
        memcpy(bytes, r->data + at, (size_t)some);
    r->at += some;
    return some;
}

static int seek_to(void *user, int64_t offset, int whence)
{
    reading *r = user;
    int64_t to = whence == SEEK_END ? r->all + offset : whence == SEEK_CUR ? r->at + offset : offset;
    if (to < 0 || to > r->all || (r->fails_at >= 0 && to > r->fails_at && whence == SEEK_SET))
        return -1;
    r->at = to;
    return 0;
}

static int64_t tell_place(void *user)
{
    const reading *r = user;
    return r->fails_at == 0 ? -1 : r->at;
}

/* ---- without resampler and mixing ---- */

/* What lib/audio/open.c does first, and nothing behind the decoder. */
static void decode(wh_source *source, const how *h)
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
        int64_t n = decoder->read(decoder, samples, WH_COUNT(samples), 1 + (h->size >> 5) % 4096, &sound);
        if (n <= 0)
            break;
        FUZZ_CHECK(sound.channels > 0 && n * sound.channels <= (int64_t)WH_COUNT(samples) && sound.rate > 0);
        all += n * sound.channels;
        if (h->goes_back && i % 5 == 4 && decoder->find)
            wh_decoder_seek(decoder, (int64_t)(h->size >> 3) % 3000 * (i + 1) % 20000);
    }
    decoder->close(decoder);
    wh_notes_settle(&notes);
}

/* ---- all of it ---- */

static float heard[LONG_SAMPLES]; /* the first n_heard samples of what is being heard */
static int64_t n_heard;

/* Read on, from sample `at` on, which is what was heard there before if it was. */
static void read_all(whisp_audio *audio, const how *h, int64_t at, int is_again)
{
    static float samples[4096];
    int64_t n, from = at, most = h->is_long ? LONG_SAMPLES : MOST_SAMPLES;
    size_t block = h->is_long ? WH_COUNT(samples) : 1 + (h->size >> 4) % WH_COUNT(samples);
    for (int i = 0; (i < MOST_READS || h->is_long) && at - from < most; i++) {
        if ((n = whisp_audio_read(audio, samples, block)) <= 0)
            break;
        for (int64_t k = 0; k < n; k++) {
            FUZZ_CHECK(samples[k] >= -1 && samples[k] <= 1);
            FUZZ_CHECK(!is_again || at + k >= n_heard || samples[k] == heard[at + k]);
        }
        if (!is_again && at + n <= LONG_SAMPLES) {
            memcpy(heard + at, samples, (size_t)n * sizeof *samples);
            n_heard = at + n;
        }
        at += n;
    }
}

/* The same, by a thread that reads ahead and is stopped somewhere; what it gives is what was heard. */
static void read_ahead(whisp_audio *audio, const how *h)
{
    const float *samples;
    int64_t n, at = 0;
    wh_ahead *ahead;
    FUZZ_CHECK(wh_ahead_start(audio, 1 + (int)(h->size % 3), &ahead) == WHISP_OK);
    for (unsigned i = 0; i < 1 + h->size % 8 && (n = wh_ahead_read(ahead, &samples)) > 0; i++, at += n)
        for (int64_t k = 0; k < n; k++)
            FUZZ_CHECK(at + k >= n_heard || samples[k] == heard[at + k]);
    wh_ahead_stop(ahead);
}

static void hear(whisp_audio *audio, const how *h)
{
    whisp_audio_info info = {.size = sizeof info};
    FUZZ_CHECK(whisp_audio_describe(audio, &info) == WHISP_OK);
    FUZZ_CHECK(info.channels > 0 && info.sample_rate > 0 && info.format);
    if (h->channel)
        whisp_audio_select_channel(audio, h->channel - 2);
    static whisp_options *options; /* stay */
    if (!options)
        FUZZ_CHECK((options = whisp_options_new()));
    if (h->keeps)
        wh_audio_keep(audio, "a test", options);
    n_heard = 0;
    read_all(audio, h, 0, 0);
    if (h->goes_back && wh_audio_rewind(audio) == WHISP_OK) { /* once more, and from somewhere */
        int64_t at = (int64_t)(h->size >> 3) % (n_heard + 20);
        int rc = wh_audio_seeks(audio) ? wh_audio_seek(audio, at) : 0;
        if (rc >= 0)
            read_all(audio, h, rc ? at : 0, !h->fails);
        if (h->by == NAMED_FILE && !h->fails && wh_audio_rewind(audio) == WHISP_OK)
            read_ahead(audio, h);
    }
    for (size_t i = 0; whisp_audio_warning(audio, i, NULL); i++)
        FUZZ_CHECK(i < 100);
}

static void hear_opened(int rc, whisp_audio *audio, const how *h)
{
    FUZZ_CHECK((rc == WHISP_OK) == (audio != NULL));
    FUZZ_CHECK(audio || strlen(whisp_last_error()) > 10);
    if (audio)
        hear(audio, h);
    whisp_audio_free(audio);
}

static void hear_reader(const uint8_t *data, size_t size, const how *h)
{
    reading r = begin_reading(data, size, h);
    whisp_reader reader = {.size = sizeof reader, .user = &r, .read = read_some};
    whisp_audio *audio = NULL;
    wh_source source;
    if (h->by == SEEKING_READER) {
        reader.seek = seek_to;
        reader.tell = tell_place;
    }
    if (h->by == BARE_READER) {
        if (wh_source_init_reader(&source, &reader) == WHISP_OK) {
            decode(&source, h);
            wh_source_free(&source);
        }
        return;
    }
    int rc = whisp_audio_open_reader(&reader, &audio);
    hear_opened(rc, audio, h);
}

/* Writes into a pipe, whose other side may be closed before the end. */
typedef struct writing {
    reading r;
    int fd;
} writing;

static void *write_main(void *user)
{
    writing *w = user;
    uint8_t piece[9096];
    int64_t n;
    w->r.fails_at = -1;
    while ((n = read_some(&w->r, piece, sizeof piece)) > 0 && write(w->fd, piece, (size_t)n) == n)
        continue;
    close(w->fd);
    return NULL;
}

/* A pipe that another thread writes into, which is waited for by read() or by poll(). */
static void hear_pipe(const uint8_t *data, size_t size, const how *h)
{
    writing w = {.r = begin_reading(data, size, h)};
    whisp_audio *audio = NULL;
    pthread_t thread;
    int fds[2], rc;
    signal(SIGPIPE, SIG_IGN);
    FUZZ_CHECK(pipe2(fds, h->size & 64 ? O_NONBLOCK : 0) == 0 && fcntl(fds[1], F_SETFL, 0) == 0);
    w.fd = fds[1];
    FUZZ_CHECK(pthread_create(&thread, NULL, write_main, &w) == 0);
    if (h->by == LIVE)
        rc = whisp_audio_open_live(fds[0], h->size & 128 ? 16000 : (int)(h->size >> 2), (int)(h->size >> 7) % 4,
                                   &audio);
    else
        rc = whisp_audio_open_fd(fds[0], &audio);
    hear_opened(rc, audio, h);
    close(fds[0]);
    pthread_join(thread, NULL);
}

/* By a descriptor, from its beginning or somewhere, or by its name, which has to be quoted in a shell. */
static void hear_file(const uint8_t *data, size_t size, const how *h)
{
    const char *path = fuzz_path(h->size & 64 ? "it's.wav" : "a:b.wav");
    whisp_audio *audio = NULL;
    int rc, fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    FUZZ_CHECK(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    if (h->by == FD_FILE) {
        if (h->size & 128)
            lseek(fd, (off_t)(h->size >> 8) % 64, SEEK_SET);
        rc = whisp_audio_open_fd(fd, &audio);
    } else {
        rc = whisp_audio_open(path, &audio);
    }
    if (audio && h->fails) /* it becomes shorter while it is read */
        FUZZ_CHECK(ftruncate(fd, (off_t)(h->size >> 6) % (off_t)(size + 1)) == 0);
    hear_opened(rc, audio, h);
    close(fd);
    unlink(path);
}

void fuzz_hear(const uint8_t *data, size_t size, unsigned way)
{
    how h = how_of(way);
    whisp_audio *audio = NULL;
    wh_source source;
    int rc;
    switch (h.by) {
    case BARE:
        wh_source_init_memory(&source, data, size);
        decode(&source, &h);
        wh_source_free(&source);
        break;
    case MEMORY:
        rc = whisp_audio_open_memory(data, size, &audio);
        hear_opened(rc, audio, &h);
        break;
    case FD_FILE:
    case NAMED_FILE: hear_file(data, size, &h); break;
    case FD_PIPE:
    case LIVE: hear_pipe(data, size, &h); break;
    default: hear_reader(data, size, &h);
    }
}

/* What is refused whatever the bytes are. */
static void refuse(void)
{
    static const float samples[160];
    const whisp_reader empty = {.size = sizeof empty}, no_tell = {sizeof no_tell, NULL, read_some, seek_to, NULL};
    whisp_audio_info info = {.size = sizeof info};
    whisp_audio *audio;
    FUZZ_CHECK(whisp_audio_open(NULL, &audio) && whisp_audio_open("x", NULL) && whisp_audio_open_fd(-1, NULL));
    FUZZ_CHECK(whisp_audio_open(fuzz_path("nobody"), &audio) && whisp_audio_open(fuzz_folder(), &audio));
    FUZZ_CHECK(whisp_audio_open_memory(NULL, 1, &audio) && whisp_audio_open_samples(NULL, 1, &audio));
    FUZZ_CHECK(whisp_audio_open_reader(NULL, &audio) && whisp_audio_open_reader(&empty, &audio));
    FUZZ_CHECK(whisp_audio_open_reader(&no_tell, &audio) && whisp_audio_open_live(0, 16000, 1, NULL));
    FUZZ_CHECK(whisp_audio_describe(NULL, &info) && whisp_audio_select_channel(NULL, 0));
    FUZZ_CHECK(whisp_audio_read(NULL, NULL, 0) < 0 && whisp_audio_open_samples(samples, 160, &audio) == WHISP_OK);
    FUZZ_CHECK(wh_audio_knows_end(audio) && wh_audio_seek(audio, 100) == 1 && whisp_audio_select_channel(audio, 0) < 0);
    whisp_audio_free(audio);
}

/* The ways in which every input that is kept is heard: with each bit of how_of() in some. */
void fuzz_hear_input(const uint8_t *data, size_t size)
{
    static const struct {
        unsigned by, size; /* by: an index into how_of()'s list */
    } ways[] = {{0, 0},
                {0, 2 | 512},
                {9, 0},
                {9, 1 | 2 | 64},
                {9, 2 | 8192},
                {9, 2 | 40000},
                {11, 3200},
                {11, 4 | 16 | 9216},
                {11, 8},
                {11, 8 | 64 * 100},
                {12, 2 | 999},
                {12, 128 | 768},
                {12, 8 | 2 | 64},
                {13, 4 | 64 | 700},
                {13, 768},
                {13, 800},
                {14, 128 | 64 | 512},
                {14, 128 | 1024},
                {14, 1024 | 32000},
                {14, 1},
                {15, 2 | 64},
                {15, 0},
                {15, 2 | 5},
                {16, 2 | 4096},
                {16, 8 | 6400},
                {16, 8},
                {16, 2 | 1},
                {17, 2 | 3333},
                {17, 16},
                {17, 8 | 64000},
                {18, 2 | 1 | 256},
                {18, 2 | 16000},
                {9, 2 | 400000},
                {16, 2 | 400000},
                {12, 2 | 380000},
                {0, 2 | 23992}};
    if (fuzz_every_way)
        refuse();
    for (size_t i = 0; fuzz_every_way && i < WH_COUNT(ways); i++) {
        unsigned way = ways[i].by + (unsigned)WH_COUNT(by_turns) * ways[i].size;
        if (!how_of(way).is_long || size % 4 == 0) /* which takes long */
            fuzz_hear(data, size, way);
    }
    fuzz_hear(data, size, fuzz_way(data, size));
}
