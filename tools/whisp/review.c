/* review.c - -f html: the review page plays the recording, so it must know the file and the way to it from where the page
 * is. With --from it is the recording of that name beside the transcript. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "tool.h"

int review_check(struct settings *settings)
{
    int wanted = (settings->formats & formats_bit("html")) != 0;
    if (settings->layout.embed_audio && !wanted) {
        note_error("--embed_audio puts the recording into the page that -f html writes; add -f html");
        return CODE_USAGE;
    }
    if (!wanted || settings->from || settings->align || settings->detect_language || settings->confidence_given)
        return CODE_DONE;
    return whisp_options_set(settings->options, "confidence", "True") == WHISP_OK ? CODE_DONE : note_memory();
}

/* What recordings are called; those that browsers play first. */
static const char *const endings[] = {"mp3", "m4a", "wav", "flac", "ogg",  "opus", "webm", "mp4", "aac",
                                      "mkv", "mov", "wma", "aif",  "aiff", "caf",  "au",   "w64", "amr",
                                      "3gp", "avi", "oga", "mka",  "m4b",  "mpga", "ac3"};
enum { N_ENDINGS = sizeof endings / sizeof *endings };

/* What the page puts behind a transcript's name: the recording is called so without it. */
#define CORRECTED ".corrected"

static size_t rank_of(const char *name, const char *stem, size_t length)
{
    size_t i = 0;
    if (strncmp(name, stem, length) != 0 || name[length] != '.')
        return N_ENDINGS;
    while (i < N_ENDINGS && strcasecmp(name + length + 1, endings[i]) != 0)
        i++;
    return i;
}

/* The recording beside a transcript, which is called `stem`: its name with another ending. *path stays NULL where there is
 * none. */
static int find_beside(const char *transcript, const char *stem, char **path)
{
    const char *slash = strrchr(transcript, '/');
    char *folder = strndup(transcript, slash ? (size_t)(slash - transcript) + 1 : 0);
    DIR *dir = folder ? opendir(*folder ? folder : ".") : NULL;
    size_t best = N_ENDINGS, length = strlen(stem), mark = strlen(CORRECTED);
    char found[NAME_MAX + 1] = "";
    if (length > mark && strcmp(stem + length - mark, CORRECTED) == 0)
        length -= mark;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t rank = rank_of(entry->d_name, stem, length);
        if (rank < best) {
            best = rank;
            snprintf(found, sizeof found, "%s", entry->d_name);
        }
    }
    if (dir)
        closedir(dir);
    int code = folder ? CODE_DONE : note_memory();
    size_t room = strlen(transcript) + sizeof found + 2;
    if (code == CODE_DONE && *found && !(*path = malloc(room)))
        code = note_memory();
    if (*path)
        snprintf(*path, room, "%s%s", folder, found);
    free(folder);
    return code;
}

/* The way from a folder to a file, both absolute: "../talks/one.mp3". NULL: no memory. */
static char *way_to(const char *folder, const char *file)
{
    size_t same = 0, up = 0;
    for (size_t i = 0; folder[i] && folder[i] == file[i]; i++)
        if (folder[i] == '/' || (!folder[i + 1] && file[i + 1] == '/'))
            same = folder[i] == '/' ? i + 1 : i + 2;
    const char *rest = same <= strlen(folder) ? folder + same : "";
    for (const char *at = rest; *at; at++)
        up += *at == '/';
    up += *rest != '\0';
    size_t room = 3 * up + strlen(file + same) + 1;
    char *way = malloc(room);
    if (!way)
        return NULL;
    for (size_t i = 0; i < up; i++)
        memcpy(way + 3 * i, "../", 3);
    memcpy(way + 3 * up, file + same, strlen(file + same) + 1);
    return way;
}

int review_find(const struct settings *settings, const char *input, whisp_writer_options *layout,
                struct review_file *found)
{
    struct stat status;
    int code = CODE_DONE;
    if (strcmp(input, "-") == 0)
        found->path = NULL;
    else if (settings->from)
        code = find_beside(input, layout->recording, &found->path);
    else if (!(found->path = strdup(input)))
        code = note_memory();
    if (code != CODE_DONE)
        return code;
    if (!found->path || stat(found->path, &status) != 0 || !S_ISREG(status.st_mode)) {
        if (layout->embed_audio) {
            note_error("%s: --embed_audio True: there is no recording's file to put into the page", input);
            return CODE_OUTPUT;
        }
        if (settings->from)
            note("%s: no recording of that name is beside it; its page will ask for one", input);
        return CODE_DONE;
    }
    char *file = realpath(found->path, NULL),
         *folder = realpath(settings->output_dir ? settings->output_dir : ".", NULL);
    int error = file && folder ? 0 : errno;
    if (!error && !(found->link = way_to(folder, file)))
        error = ENOMEM;
    free(file);
    free(folder);
    if (error) {
        note_error("%s: the way to it from the page cannot be found: %s", input, strerror(error));
        return CODE_OUTPUT;
    }
    layout->recording_path = found->path;
    layout->recording_link = found->link;
    return CODE_DONE;
}

void review_free(struct review_file *found)
{
    free(found->path);
    free(found->link);
}
