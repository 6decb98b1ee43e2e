/* journals.c - the journals of recordings, with which --resume continues what was ended: NAME.journal beside the output
 * files, and NAME.journal.old, one that did not fit. The library writes them and believes them; here are their names, and
 * what becomes of them, and of the part that the ended run wrote, at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

/* Is one kept? Where files are written, their folder is the place for it; else only for who asks. */
static int are_kept(const struct settings *settings)
{
    return (settings->formats || settings->resume) && !settings->align && !settings->detect_language &&
           !settings->stream && !settings->from;
}

static const char *const endings[] = {"journal", "journal.old"};
enum { N_ENDINGS = sizeof endings / sizeof endings[0] };

/* A journal that stands there, opened: nothing else is ours to remove. -1: none. */
static int open_journal(const char *path)
{
    static const char magic[] = "whisp journal ";
    char first[sizeof magic] = "";
    struct stat status;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                   read(fd, first, sizeof magic - 1) == (ssize_t)sizeof magic - 1 && strcmp(first, magic) == 0))
        return fd;
    close(fd);
    return -1;
}

/* Does nobody write it? Where the file system knows no locks nobody can say. */
static int is_left(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

/* Is there one that a run which is over has left? */
static int is_there(const char *path)
{
    int fd = open_journal(path), left = fd >= 0 && is_left(fd);
    if (fd >= 0)
        close(fd);
    return left;
}

int journals_check(const struct settings *settings)
{
    const char *other = settings->from              ? "from"
                        : settings->stream          ? "stream"
                        : settings->align           ? "align"
                        : settings->detect_language ? "detect_language"
                                                    : NULL;
    if (!settings->resume || !other)
        return CODE_DONE;
    note_error("--resume continues transcriptions; it does not go together with --%s", other);
    return CODE_USAGE;
}

void journals_tell(const struct settings *settings)
{
    for (size_t i = 0; i < settings->n_inputs && are_kept(settings) && !settings->resume; i++)
        for (int k = 0, told = 0; k < N_ENDINGS && !told; k++) {
            char *path = files_path(settings, settings->inputs[i], endings[k]);
            told = path && is_there(path);
            if (told)
                note_warning("%s: is of a run that did not end; --resume would go on from there; now it is begun anew",
                             path);
            free(path);
        }
}

int journals_name(const struct settings *settings, const char *input, char *path, size_t capacity)
{
    char *name = are_kept(settings) ? files_path(settings, input, "journal") : NULL;
    int fits = name && (size_t)snprintf(path, capacity, "%s", name) < capacity;
    free(name);
    return !fits ? WHISP_JOURNAL_NONE : settings->resume ? WHISP_JOURNAL_RESUME : WHISP_JOURNAL_NEW;
}

/* When a file was made, which is when the run began that wrote this journal first; 0 where the file system does not
 * know. */
static int64_t made(int fd)
{
#ifdef STATX_BTIME
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &status) == 0 && status.stx_mask & STATX_BTIME)
        return status.stx_btime.tv_sec;
#else
    (void)fd;
#endif
    return 0;
}

/* The journal of a recording whose transcript is there, unless another run is writing it. When it was made, or 0. */
static int64_t remove_journal(const char *path)
{
    int fd = open_journal(path);
    int64_t since = 0;
    if (fd < 0)
        return 0;
    if (is_left(fd)) {
        since = made(fd);
        if (unlink(path) != 0)
            note_warning("%s: cannot be removed: %s", path, strerror(errno));
    }
    close(fd);
    return since;
}

/* What the run that was ended had written under NAME.partial.srt and so on: it is in the whole now. A file that is older
 * than the journal is somebody else's (a recording may be named so). */
static void remove_parts(const struct settings *settings, const char *input, int64_t since)
{
    for (size_t i = 0; formats_name(i); i++) {
        char ending[64];
        struct stat status;
        snprintf(ending, sizeof ending, "partial.%s", formats_name(i));
        char *path = files_path(settings, input, ending);
        if (path && lstat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_mtime >= since)
            unlink(path);
        free(path);
    }
}

void journals_end(const struct settings *settings, const char *input, int is_done)
{
    int64_t since = 0;
    for (int k = 0, told = 0; k < N_ENDINGS && are_kept(settings); k++) {
        char *path = files_path(settings, input, endings[k]);
        if (path && is_done) {
            int64_t began = remove_journal(path);
            since = began && (!since || began < since) ? began : since;
        } else if (path && !told && (told = is_there(path))) {
            note("%s: --resume goes on from there", path);
        }
        free(path);
    }
    if (since && settings->resume)
        remove_parts(settings, input, since);
}
