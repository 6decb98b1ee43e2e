/* mpeg.c - MPEG audio through libmpg123, opened at run time.
 *
 * libsndfile decodes MPEG with the same libmpg123 and leaves no way to tell it not to write about damaged streams to
 * standard error, to look further than 1 kB for the next frame, or to go on where another recording was appended. It
 * has loaded the library anyway, so nothing is added to what the program needs. */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "audio/decoder.h"
#include "audio/recognise.h"

#if defined(__has_include)
#if __has_include(<mpg123.h>)
#define MPG123_NO_LARGENAME
#include <mpg123.h>
#define HAVE_MPG123
#endif
#endif

#ifdef HAVE_MPG123

#define LIBRARY "libmpg123.so.0"
#define MAX_EMPTY 64 /* calls in a row that bring no sample */

typedef struct wh_mpeg {
    wh_decoder decoder;
    void *library;
    mpg123_handle *handle;
    long rate;
    int channels;

    int (*init)(void);
    mpg123_handle *(*create)(const char *decoder, int *error);
    void (*destroy)(mpg123_handle *);
    int (*param)(mpg123_handle *, enum mpg123_parms, long, double);
    int (*replace_reader)(mpg123_handle *, ssize_t (*read)(void *, void *, size_t),
                          int64_t (*seek)(void *, int64_t, int), void (*cleanup)(void *));
    int (*open_handle)(mpg123_handle *, void *);
    int (*format)(mpg123_handle *, long *rate, int *channels, int *encoding);
    int (*read)(mpg123_handle *, void *, size_t, size_t *done);
    int64_t (*length)(mpg123_handle *);
} wh_mpeg;

/* dlsym() gives void *, which ISO C does not convert to a function pointer. */
static int find(void *library, const char *name, void *fn)
{
    void *symbol = dlsym(library, name);
    memcpy(fn, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* The names that end in _64 take 64-bit offsets on every machine. */
static int find_all(wh_mpeg *m)
{
    return find(m->library, "mpg123_init", &m->init) && find(m->library, "mpg123_new", &m->create) &&
           find(m->library, "mpg123_delete", &m->destroy) && find(m->library, "mpg123_param", &m->param) &&
           find(m->library, "mpg123_replace_reader_handle_64", &m->replace_reader) &&
           find(m->library, "mpg123_open_handle_64", &m->open_handle) &&
           find(m->library, "mpg123_getformat", &m->format) && find(m->library, "mpg123_read", &m->read) &&
           find(m->library, "mpg123_length_64", &m->length);
}

static ssize_t read_source(void *user, void *bytes, size_t n)
{
    return (ssize_t)wh_source_io.read(bytes, (sf_count_t)n, user);
}

/* Files too are read as pipes are: libmpg123 would take a guess for their length and stop there. */
static int64_t no_seek(void *user, int64_t offset, int whence)
{
    (void)user, (void)offset, (void)whence;
    return -1;
}

static void describe(wh_mpeg *m, wh_source *source, int layer)
{
    wh_decoder *decoder = &m->decoder;
    int64_t length = m->length(m->handle);
    int bits = wh_mpeg_bit_rate(source);
    decoder->sound = (wh_sound){ .rate = (int)m->rate, .channels = m->channels };
    decoder->frames = length > 0 ? length : -1;
    decoder->duration = -1;
    if (source->is_file && length >= 0)
        decoder->duration = (double)length / (double)m->rate;
    else if (source->is_file && bits > 0) /* no header with a length: estimated from the first frame */
        decoder->duration = 8.0 * (double)source->size / bits;
    snprintf(decoder->format, sizeof decoder->format, "MPEG-1/2 Audio, MPEG Layer %.*s", WH_MAX(layer, 1), "III");
}

static int start(wh_mpeg *m, wh_source *source)
{
    int error, encoding, layer = wh_mpeg_layer(source);
    m->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!m->library || !find_all(m) || m->init() != MPG123_OK || !(m->handle = m->create(NULL, &error)))
        return 0;
    m->param(m->handle, MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE, 0.0);
    m->param(m->handle, MPG123_ADD_FLAGS, MPG123_QUIET | MPG123_FORCE_FLOAT | MPG123_GAPLESS, 0.0);
    m->param(m->handle, MPG123_RESYNC_LIMIT, -1, 0.0);
    source->position = 0;
    if (m->replace_reader(m->handle, read_source, no_seek, NULL) != MPG123_OK ||
        m->open_handle(m->handle, source) != MPG123_OK ||
        m->format(m->handle, &m->rate, &m->channels, &encoding) != MPG123_OK || encoding != MPG123_ENC_FLOAT_32 ||
        m->channels < 1 || m->channels > 2)
        return 0;
    describe(m, source, layer);
    return 1;
}

static void close_mpeg(wh_decoder *decoder)
{
    wh_mpeg *m = (wh_mpeg *)decoder;
    if (m->handle)
        m->destroy(m->handle);
    if (m->library)
        dlclose(m->library);
    free(m);
}

static int64_t read_mpeg(wh_decoder *decoder, float *samples, int64_t room, int64_t max_frames, wh_sound *sound)
{
    wh_mpeg *m = (wh_mpeg *)decoder;
    for (int empty = 0; empty < MAX_EMPTY; empty++) {
        size_t bytes = 0;
        int64_t n = WH_MIN(max_frames, room / m->channels);
        *sound = (wh_sound){ .rate = (int)m->rate, .channels = m->channels };
        int rc = m->read(m->handle, samples, (size_t)n * (size_t)m->channels * sizeof(float), &bytes);
        int64_t got = (int64_t)(bytes / sizeof(float)) / m->channels;
        if (rc == MPG123_NEW_FORMAT) {
            long rate;
            int encoding;
            if (m->format(m->handle, &rate, &m->channels, &encoding) != MPG123_OK || rate != m->rate ||
                m->channels < 1 || m->channels > 2)
                return got; /* another sample rate: not the same recording any more */
        }
        if (got > 0)
            return got;
        if (rc == MPG123_DONE || rc == MPG123_NEED_MORE)
            break;
    }
    return 0;
}

int wh_mpeg_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder)
{
    *decoder = NULL;
    (void)notes, (void)name;
    if (wh_mpeg_layer(source) == 0)
        return WHISP_OK;
    wh_mpeg *m = wh_calloc(1, sizeof *m);
    if (!m)
        return wh_fail_memory();
    m->decoder.read = read_mpeg;
    m->decoder.close = close_mpeg;
    if (start(m, source))
        *decoder = &m->decoder;
    else
        close_mpeg(&m->decoder);
    return WHISP_OK;
}

#else

int wh_mpeg_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder)
{
    (void)source, (void)notes, (void)name;
    *decoder = NULL;
    return WHISP_OK;
}

#endif
