/* ffmpeg.c - recordings that the library does not decode (M4A, MP4, WebM, AAC, films) are heard through ffmpeg, where
 * that is installed (tools/common/ffmpeg.c): what it makes of one is kept in a file that has no name any more, which the
 * library treats as any recording: read twice and cut in parts. Stands between the names on the command line and the
 * library; says what went wrong. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ffmpeg.h"
#include "tool.h"

/* ---- the file ---- */

/* A file without a name, whose space is given back when it is closed, however the program ends. */
static int open_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/whisp-XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = length < (int)sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int keep(void *user, const void *bytes, size_t n)
{
    struct spooled *spooled = user;
    size_t at = 0;
    while (at < n) {
        ssize_t done = write(spooled->fd, (const char *)bytes + at, n - at);
        if (done < 0 && errno != EINTR)
            return errno;
        if (done > 0)
            at += (size_t)done;
    }
    spooled->bytes += (int64_t)n;
    return 0;
}

static int is_stopped(void *user)
{
    (void)user;
    return signals_stop() != 0;
}

/* ---- together ---- */

/* How long is what was spooled? 0: there is no sound in it, perhaps not even a header. */
static double measure(const struct spooled *spooled)
{
    whisp_audio *audio;
    whisp_audio_info info = {.size = sizeof info};
    if (whisp_audio_open(spooled->path, &audio) != WHISP_OK)
        return 0.0;
    if (whisp_audio_describe(audio, &info) != WHISP_OK || info.duration < 0.0)
        info.duration = 0.0;
    whisp_audio_free(audio);
    return info.duration;
}

/* CODE_DONE, or the failure's code, which the user has been told. */
static int judge(const struct ffmpeg_report *report, const char *input, struct spooled *spooled)
{
    double seconds = measure(spooled);
    if (seconds <= 0.0) {
        if (report->has_no_sound)
            note_error("%s: there is no sound in it", input);
        else
            note_error("%s: cannot be heard: %s", input, report->reason);
        return CODE_INPUT;
    }
    if (report->is_clean)
        return CODE_DONE;
    long s = (long)seconds;
    size_t capacity = strlen(input) + sizeof report->reason + 64;
    spooled->incomplete = malloc(capacity);
    if (!spooled->incomplete)
        return note_memory();
    if (report->status != 0)
        snprintf(spooled->incomplete, capacity, "%s: stopped at %ld:%02ld; %s", input, s / 60, s % 60, report->reason);
    else
        snprintf(spooled->incomplete, capacity, "%s: perhaps not all of it was heard; %s", input, report->reason);
    note_warning("%s", spooled->incomplete);
    return CODE_DONE;
}

/* `file`: what came through a pipe, -1: nothing did. */
static int decode(const char *program, const char *input, int file, struct spooled *spooled)
{
    const struct ffmpeg_work work = {.program = program,
                                     .input = file < 0 ? input : NULL,
                                     .input_fd = file,
                                     .write = keep,
                                     .stop = is_stopped,
                                     .user = spooled};
    struct ffmpeg_report report;
    ffmpeg_decode(&work, &report);
    switch (report.outcome) {
    case FFMPEG_ENDED: return judge(&report, input, spooled);
    case FFMPEG_STOPPED: return CODE_SIGNAL;
    case FFMPEG_NOT_WRITTEN:
        note_error("%s: ffmpeg's sound cannot be kept in a temporary file: %s; TMPDIR names a folder for it", input,
                   strerror(report.problem));
        return CODE_INPUT;
    case FFMPEG_NO_START: break;
    }
    if (report.problem == ENOMEM)
        return note_memory();
    note_error("%s: ffmpeg cannot be started: %s", input, strerror(report.problem));
    return CODE_OTHER;
}

/* *file: what came through the pipe; -1 where the code is not CODE_DONE. */
static int keep_pipe(const char *input, int pipe, int *file)
{
    *file = open_file();
    int kept = *file < 0 ? -1 : pipe_keep(pipe, *file);
    if (kept < 0)
        note_error("%s: needs a temporary file for ffmpeg: %s; TMPDIR names a folder for it", input, strerror(errno));
    if (kept != 0 && *file >= 0) {
        close(*file);
        *file = -1;
    }
    return kept < 0 ? CODE_INPUT : kept > 0 ? CODE_SIGNAL : CODE_DONE;
}

int ffmpeg_hear(const char *program, const char *input, int pipe, struct spooled *spooled)
{
    *spooled = (struct spooled){.fd = open_file()};
    int code = CODE_INPUT, file = -1;
    if (spooled->fd < 0) {
        note_error("%s: its sound needs a temporary file, and there can be none: %s", input, strerror(errno));
        return code;
    }
    snprintf(spooled->path, sizeof spooled->path, "/proc/self/fd/%d", spooled->fd);
    code = pipe < 0 ? CODE_DONE : keep_pipe(input, pipe, &file);
    if (code == CODE_DONE)
        code = decode(program, input, file, spooled);
    if (file >= 0)
        close(file);
    if (code != CODE_DONE)
        spooled_close(spooled);
    return code;
}

void spooled_close(struct spooled *spooled)
{
    if (spooled->fd >= 0)
        close(spooled->fd);
    free(spooled->incomplete);
    *spooled = (struct spooled){.fd = -1};
}
