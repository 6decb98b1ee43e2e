/* source.h - the bytes of a recording, in the form in which libsndfile wants them: from a file, a pipe, memory or the
 * caller's own functions.
 *
 * What has a size and can be read anywhere (a regular file, memory, a reader that seeks) is a file here, and can be
 * read again from its beginning. Anything else is a pipe. libsndfile's decoders seek while they find out what they have
 * been given, which a pipe cannot do. A source keeps the last bytes of a pipe in a window, so that it can go back a
 * little, and looks ahead a little when it is asked to jump forward. A pipe that must be read twice becomes a file: a
 * temporary one (wh_source_keep()). Used by lib/audio only. */
#ifndef WH_AUDIO_SOURCE_H
#define WH_AUDIO_SOURCE_H

#include <sndfile.h>
#include <stdio.h>

#include "util/util.h"

#define WH_SOURCE_WINDOW (1 << 20)           /* bytes of a pipe that are kept */
#define WH_SOURCE_UNKNOWN (INT64_C(1) << 40) /* the length that a pipe claims to have */

typedef struct wh_source {
    int fd;                      /* or -1: then one of the next two */
    const unsigned char *memory; /* [begin + all], the caller's; else NULL */
    whisp_reader reader;         /* the caller's functions; .read is NULL where there are none */
    int64_t reader_at;           /* where the reader stands, by its own count; -1: not known */
    const char *path;            /* the file's name, or NULL: for messages */
    int is_live;                 /* somebody speaks while it is read */
    int is_file;                 /* a regular file, or what is as good: has a size, can be read anywhere */
    int64_t begin, all;          /* of a file: where the recording began when it was opened, and its bytes from there */
    int64_t origin;              /* file offset of byte 0 */
    int64_t size;                /* bytes from the origin; WH_SOURCE_UNKNOWN for a pipe */
    int64_t position;            /* where the next read begins */
    int opening;                 /* the format is being recognised: going back must stay possible */
    int error;                   /* errno of a failed read, else 0 */
    int ran_dry;                 /* a decoder asked for more than there was */
    int tell_end;                /* while opening: after a read at the end, the position told is the length, which ends
                               libsndfile's search for more headers */
    int past_end;                /* there was such a read */

    unsigned char *window; /* [WH_SOURCE_WINDOW], pipes only */
    int64_t window_start;  /* offset of window[0] */
    size_t window_length;
    int at_end;   /* the pipe has no more bytes */
    int saves;    /* nothing was read for good: what falls out of the window is put into `saved` */
    wh_buf saved; /* the pipe's bytes before the window */
    FILE *kept;   /* the temporary file that has all of what was a pipe; or NULL */

    struct wh_source *whole; /* or NULL: this is a part of it, from its byte `origin` on; `size` is the part's */
} wh_source;

/* Use an open descriptor from where it stands; or n bytes in memory, which must stay; or the caller's functions, from
 * where they stand. WHISP_OK, WHISP_ERR_MEMORY, or WHISP_ERR_IO for a reader that cannot tell where it stands. */
int wh_source_init(wh_source *source, int fd);
void wh_source_init_memory(wh_source *source, const void *bytes, size_t n);
int wh_source_init_reader(wh_source *source, const whisp_reader *reader);
void wh_source_free(wh_source *source);

/* A file is as it was when it was opened: at its beginning, nothing recognised. */
void wh_source_rewind(wh_source *source);
/* Nobody will want a pipe's beginning again. */
void wh_source_let_go(wh_source *source);
/* Make a pipe, of which nothing was read for good, a file, as it was when it was opened. `check` is asked now and then
 * whether to go on: WHISP_OK, or the code to stop with. WHISP_ERR_IO where there can be no temporary file. */
int wh_source_keep(wh_source *source, int (*check)(const void *user), const void *user);

/* Up to n bytes from an offset, without moving. For a pipe the offset must lie in the window or a little ahead of it.
 * Fewer than n only at the end (or when source->error is set). */
size_t wh_source_peek(wh_source *source, int64_t offset, void *bytes, size_t n);

/* Is there a byte before this offset? In a pipe all up to it is read. */
int wh_source_reaches(wh_source *source, int64_t offset);
/* The offset of the end, once it was seen; WH_SOURCE_UNKNOWN before. */
int64_t wh_source_end(const wh_source *source);

/* *part: `length` bytes of `whole` from `at` on, all that follow where length < 0; whole outlives it. For peeking only,
 * which in a pipe uses up the whole's bytes. */
void wh_source_part(wh_source *whole, int64_t at, int64_t length, wh_source *part);

/* Byte n becomes byte 0. Only before anything was read otherwise than by wh_source_peek(). */
void wh_source_skip(wh_source *source, int64_t n);

/* Callbacks for sf_open_virtual(); its user data is the source. */
extern const SF_VIRTUAL_IO wh_source_io;

#endif
