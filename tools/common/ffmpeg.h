/* ffmpeg.h - recordings that the library does not decode (M4A, MP4, WebM, AAC, films), heard through ffmpeg where that is
 * installed. For the command and the server; says nothing by itself. */
#ifndef COMMON_FFMPEG_H
#define COMMON_FFMPEG_H

#include <stddef.h>
#include <stdint.h>

/* Where ffmpeg is; 0: nowhere in PATH. */
int ffmpeg_find(char *path, size_t capacity);

/* What it is to decode, and where to. */
struct ffmpeg_work {
    const char *program;
    const char *input; /* a path; NULL: */
    int input_fd;      /* a file */
    /* Where the sound goes. 0, or an errno: then it is ended. */
    int (*write)(void *user, const void *bytes, size_t n);
    /* Asked five times a second: nonzero ends it. */
    int (*stop)(void *user);
    void *user;
};

/* How that went. */
enum ffmpeg_outcome {
    FFMPEG_ENDED,      /* by itself; `status` and `reason` say how */
    FFMPEG_STOPPED,    /* by `stop` */
    FFMPEG_NO_START,   /* `problem` is an errno, also of the next */
    FFMPEG_NOT_WRITTEN /* what `write` said */
};
struct ffmpeg_report {
    enum ffmpeg_outcome outcome;
    int problem;
    int status;       /* its exit status, or 128 and the signal that ended it */
    int has_no_sound; /* it said that there is no audio stream */
    int is_clean;     /* it ended well and had nothing to say */
    char reason[528]; /* "ffmpeg ended with status 1: ...", as far as it said so */
};

/* Decode its sound (of several streams that which ffmpeg prefers) to Wave64 of 16 bits, with its rate and channels. The
 * child dies with the calling thread. */
void ffmpeg_decode(const struct ffmpeg_work *work, struct ffmpeg_report *report);

#endif
