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

/* Does the name still mean this file? Another run may have put a journal of its own there. */
static int is_at(int fd, const char *path)
{
    struct stat here, there;
    return fstat(fd, &here) == 0 && lstat(path, &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
}

/* The journals of a recording whose transcript is there; none of them where another run writes one, which may need the
 * other still. *since: when the first of them was made, or 0. */
static int remove_journals(const struct settings *settings, const char *input, int64_t *since)
{
    char *paths[N_ENDINGS];
    int fds[N_ENDINGS], left = 1, code = CODE_DONE;
    *since = 0;
    for (int k = 0; k < N_ENDINGS; k++) {
        paths[k] = files_path(settings, input, endings[k]);
        if (!paths[k])
            code = note_memory();
        fds[k] = paths[k] ? open_journal(paths[k]) : -1;
        left = left && (fds[k] < 0 || is_left(fds[k]));
    }
    for (int k = 0; k < N_ENDINGS; k++) {
        if (fds[k] >= 0 && left && is_at(fds[k], paths[k])) {
            int64_t began = made(fds[k]);
            *since = began && (!*since || began < *since) ? began : *since;
            if (unlink(paths[k]) != 0)
                note_warning("%s: cannot be removed: %s", paths[k], strerror(errno));
        }
        if (fds[k] >= 0)
            close(fds[k]);
        free(paths[k]);
    }
    return code;
}

/* Is this file the transcript of a recording that is named so: of one of this run's? */
static int is_output(const struct settings *settings, const char *path, const char *format)
{
    int is = 0;
    for (size_t i = 0; i < settings->n_inputs && !is; i++) {
        char *other = files_path(settings, settings->inputs[i], format);
        is = !other || strcmp(other, path) == 0;
        free(other);
    }
    return is;
}

/* Is there a recording NAME.partial.wav beside NAME.wav? */
static int has_namesake(const char *input)
{
    static const char between[] = ".partial";
    const char *slash = strrchr(input, '/'), *name = slash ? slash + 1 : input, *dot = strrchr(name, '.');
    size_t stem = dot ? (size_t)(dot - input) : strlen(input), capacity = strlen(input) + sizeof between;
    char *path = malloc(capacity);
    if (path)
        snprintf(path, capacity, "%.*s%s%s", (int)stem, input, between, dot ? dot : "");
    int has = !path || access(path, F_OK) == 0;
    free(path);
    return has;
}

/* What the run that was ended had written under NAME.partial.srt and so on, in the formats that are whole now. What is
 * older than the journal is somebody else's, and so is what a recording of that name may have left. */
static void remove_parts(const struct settings *settings, const char *input, int64_t since)
{
    for (size_t i = 0; formats_name(i) && !has_namesake(input); i++) {
        char ending[64];
        struct stat status;
        snprintf(ending, sizeof ending, "partial.%s", formats_name(i));
        char *path = settings->formats & 1u << i ? files_path(settings, input, ending) : NULL;
        if (path && lstat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_mtime >= since &&
            !is_output(settings, path, formats_name(i)))
            unlink(path);
        free(path);
    }
}

/* Where a later run can go on. */
static void tell_left(const struct settings *settings, const char *input)
{
    for (int k = 0, told = 0; k < N_ENDINGS && !told; k++) {
        char *path = files_path(settings, input, endings[k]);
        if (path && (told = is_there(path)))
            note("%s: --resume goes on from there", path);
        free(path);
    }
}

int journals_end(const struct settings *settings, const char *input, int is_done)
{
    int64_t since = 0;
    int code = CODE_DONE;
    if (!are_kept(settings))
        return code;
    if (is_done)
        code = remove_journals(settings, input, &since);
    else
        tell_left(settings, input);
    if (since && settings->resume)
        remove_parts(settings, input, since);
    return code;
}
