/* journals.c - the journals of recordings, with which --resume continues what was ended: NAME.journal beside the output
 * files. The library writes them and believes them; here are their names, and what becomes of them at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

/* Is one kept? Where files are written, their folder is the place for it; else only for who asks. */
static int are_kept(const struct settings *settings)
{
    return (settings->formats || settings->resume) && !settings->align && !settings->detect_language &&
           !settings->stream && !settings->from;
}

/* Does a journal stand there? Nothing else is ours to remove. */
static int is_there(const char *path)
{
    static const char magic[] = "whisp journal ";
    char first[sizeof magic] = "";
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    int there = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                read(fd, first, sizeof magic - 1) == (ssize_t)sizeof magic - 1 && strcmp(first, magic) == 0;
    if (fd >= 0)
        close(fd);
    return there;
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
    for (size_t i = 0; i < settings->n_inputs && are_kept(settings) && !settings->resume; i++) {
        char *path = files_path(settings, settings->inputs[i], "journal");
        if (path && is_there(path))
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

void journals_end(const struct settings *settings, const char *input, int is_done)
{
    char *path = are_kept(settings) ? files_path(settings, input, "journal") : NULL;
    if (path && is_there(path)) {
        if (!is_done)
            note("%s: --resume goes on from there", path);
        else if (unlink(path) != 0)
            note_warning("%s: cannot be removed: %s", path, strerror(errno));
    }
    free(path);
}
