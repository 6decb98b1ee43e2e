/* files.c - output files: their names, the checks before the work begins, and the writing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

char *files_path(const struct settings *settings, const char *input, const char *format)
{
    const char *folder = settings->output_dir ? settings->output_dir : "";
    const char *slash = strrchr(input, '/');
    const char *name = strcmp(input, "-") == 0 ? "stdin" : slash ? slash + 1 : input;
    const char *first = name + strspn(name, "."); /* the dot of ".hidden" begins no extension */
    const char *dot = strrchr(first, '.');
    size_t stem = dot ? (size_t)(dot - name) : strlen(name);
    if (settings->output_name) {
        name = settings->output_name;
        stem = strlen(name);
    }
    size_t folder_length = strlen(folder);
    int between = folder_length > 0 && folder[folder_length - 1] != '/';

    size_t capacity = folder_length + stem + strlen(format) + 3;
    char *path = malloc(capacity);
    if (path)
        snprintf(path, capacity, "%s%s%.*s.%s", folder, between ? "/" : "", (int)stem, name, format);
    return path;
}

/* mkdir -p */
static int make_folder(const char *folder)
{
    char *path = strdup(folder);
    if (!path)
        return note_memory();
    int code = CODE_DONE;
    for (char *at = path; code == CODE_DONE && *at;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char rest = *at;
        *at = '\0';
        struct stat status;
        if (mkdir(path, 0777) != 0 && (errno != EEXIST || stat(path, &status) != 0 || !S_ISDIR(status.st_mode))) {
            note_error("%s: cannot make the output folder: %s", path,
                       errno == EEXIST ? "a file of that name is there" : strerror(errno));
            code = CODE_OUTPUT;
        }
        *at = rest;
    }
    free(path);
    return code;
}

/* Only making a file proves that files can be made: permissions, read-only file systems and quotas differ. */
static int try_folder(const char *folder)
{
    size_t capacity = strlen(folder) + 32;
    char *path = malloc(capacity);
    if (!path)
        return note_memory();
    snprintf(path, capacity, "%s/.whisp-XXXXXX", folder);
    int code = CODE_DONE, fd = mkstemp(path);
    if (fd < 0) {
        note_error("%s: cannot write files there: %s; choose another --output_dir", folder, strerror(errno));
        code = CODE_OUTPUT;
    } else {
        unlink(path);
        close(fd);
    }
    free(path);
    return code;
}

/* The file that a path would become must not be a folder, one of the recordings nor the file of voices. */
static int check_target(const struct settings *settings, const char *path)
{
    struct stat target, input;
    const char *voices = whisp_options_get(settings->options, "speakers_out");
    if (voices && strcmp(voices, path) == 0) {
        note_error("%s: both a transcript and --speakers_out would be written there; name another file", path);
        return CODE_USAGE;
    }
    if (stat(path, &target) != 0)
        return CODE_DONE;
    if (S_ISDIR(target.st_mode)) {
        note_error("%s: cannot write the transcript: it is a folder", path);
        return CODE_OUTPUT;
    }
    if (access(path, W_OK) != 0) {
        note_error("%s: cannot overwrite this transcript: %s; choose another --output_dir", path, strerror(errno));
        return CODE_OUTPUT;
    }
    for (size_t i = 0; i < settings->n_inputs; i++) {
        if (stat(settings->inputs[i], &input) == 0 && input.st_dev == target.st_dev && input.st_ino == target.st_ino) {
            note_error("%s: this recording would be overwritten by a transcript; choose another --output_dir",
                       settings->inputs[i]);
            return CODE_USAGE;
        }
    }
    return CODE_DONE;
}

/* An output path and the recording it comes from. */
struct target {
    char *path;
    const char *input;
};

static int compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct target *)a)->path, ((const struct target *)b)->path);
}

/* Two recordings whose names differ only in folder or extension would be written to the same file. `overwrites`: what
 * is there will be. */
static int check_targets(const struct settings *settings, const char *ending, int overwrites, struct target *targets)
{
    size_t n = settings->n_inputs, n_made = 0;
    int code = CODE_DONE;
    for (n_made = 0; n_made < n && code == CODE_DONE; n_made++) {
        char *path = files_path(settings, settings->inputs[n_made], ending);
        targets[n_made] = (struct target){path, settings->inputs[n_made]};
        code = !path ? note_memory() : overwrites ? check_target(settings, path) : CODE_DONE;
    }
    if (code == CODE_DONE)
        qsort(targets, n, sizeof *targets, compare_targets);
    for (size_t k = 1; k < n && code == CODE_DONE; k++) {
        if (strcmp(targets[k - 1].path, targets[k].path) != 0)
            continue;
        note_error("%s and %s would both be written to %s; transcribe them apart, with another --output_dir each",
                   targets[k - 1].input, targets[k].input, targets[k].path);
        code = CODE_USAGE;
    }
    while (n_made > 0)
        free(targets[--n_made].path);
    return code;
}

static int check_all(const struct settings *settings, int overwrites)
{
    struct target *targets = calloc(settings->n_inputs, sizeof *targets);
    if (!targets)
        return note_memory();
    int code = CODE_DONE;
    for (size_t i = 0; formats_name(i) && code == CODE_DONE; i++)
        if (settings->formats & 1u << i)
            code = check_targets(settings, formats_name(i), overwrites, targets);
    if (settings->resume && !settings->formats && code == CODE_DONE)
        code = check_targets(settings, "journal", 0, targets);
    free(targets);
    return code;
}

/* Are all of a recording's files there? */
static int is_written(const struct settings *settings, const char *input, int *written)
{
    struct stat status;
    *written = !settings->doubtful || access(settings->doubtful, F_OK) == 0;
    for (size_t i = 0; formats_name(i) && *written; i++) {
        if (!(settings->formats & 1u << i))
            continue;
        char *path = files_path(settings, input, formats_name(i));
        if (!path)
            return note_memory();
        *written = stat(path, &status) == 0 && S_ISREG(status.st_mode);
        free(path);
    }
    return CODE_DONE;
}

int files_skip(struct settings *settings)
{
    size_t n = 0, before = settings->n_inputs;
    int code = settings->skip_existing ? check_all(settings, 0) : CODE_DONE;
    if (!settings->skip_existing)
        return CODE_DONE;
    for (size_t i = 0; i < before && code == CODE_DONE; i++) {
        int written;
        code = is_written(settings, settings->inputs[i], &written);
        if (!written)
            settings->inputs[n++] = settings->inputs[i];
        else if (settings->verbose)
            note("%s: left out: its files are there", settings->inputs[i]);
    }
    if (code != CODE_DONE)
        return code;
    settings->n_inputs = n;
    if (n < before)
        note("%zu of %zu recordings left out: their files are there", before - n, before);
    return n ? CODE_DONE : CODE_FINE;
}

int files_prepare(const struct settings *settings)
{
    if (settings->doubtful) {
        int code = check_target(settings, settings->doubtful);
        if (code != CODE_DONE)
            return code;
    }
    if (!settings->formats)
        return settings->resume ? check_all(settings, 0) : CODE_DONE;
    int code = settings->output_dir ? make_folder(settings->output_dir) : CODE_DONE;
    if (code == CODE_DONE)
        code = try_folder(settings->output_dir ? settings->output_dir : ".");
    if (code != CODE_DONE)
        return code;
    return check_all(settings, 1);
}

char *files_name(const char *input)
{
    const struct settings here = {0};
    char *path = files_path(&here, input, "");
    if (path)
        path[strlen(path) - 1] = '\0'; /* the dot */
    return path;
}

/* A document; the page's knows the recording's file. CODE_DONE or CODE_OUTPUT, of which the user has been told. */
static int write_one(const struct settings *settings, const char *input, const whisp_result *result, const char *format,
                     whisp_writer_options layout, const char *path)
{
    struct review_file found = {0};
    int code = strcmp(format, "html") == 0 ? review_find(settings, input, &layout, &found) : CODE_DONE;
    if (code == CODE_DONE && whisp_result_write(result, format, &layout, path) != WHISP_OK) {
        note_error("%s", whisp_last_error());
        code = CODE_OUTPUT;
    }
    review_free(&found);
    return code;
}

int files_write(const struct settings *settings, const char *input, int in_part, const whisp_result *result)
{
    int code = CODE_DONE;
    whisp_writer_options layout = settings->layout;
    char *name = files_name(input);
    if (!name)
        return note_memory();
    layout.recording = name;
    if (settings->doubtful && !in_part &&
        whisp_result_write(result, "doubtful", &settings->layout, settings->doubtful) != WHISP_OK) {
        note_error("%s", whisp_last_error());
        code = CODE_OUTPUT;
    }
    for (size_t i = 0; formats_name(i); i++) {
        if (!(settings->formats & 1u << i))
            continue;
        char ending[64];
        snprintf(ending, sizeof ending, "%s%s", in_part ? "partial." : "", formats_name(i));
        char *path = files_path(settings, input, ending);
        if (!path) {
            code = note_memory();
            break;
        }
        int error = write_one(settings, input, result, formats_name(i), layout, path);
        if (error != CODE_DONE) {
            code = error;
        } else if (in_part) {
            note("%s: what was final until then", path);
        }
        free(path);
    }
    free(name);
    return code;
}
