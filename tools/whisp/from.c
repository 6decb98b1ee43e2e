/* from.c - --from: transcripts that are there already, in JSON, instead of recordings. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define MOST_BYTES ((size_t)1 << 28) /* of a transcript: a day of speech has 20 million */

static int refuse(const char *name)
{
    note_error("--%s has no say over a transcript that is there; --from only writes it in other formats", name);
    return CODE_USAGE;
}

int from_check(const struct settings *settings)
{
    if (settings->stream)
        return refuse("stream");
    if (settings->align)
        return refuse(settings->align_text ? "align_file" : "align");
    if (settings->detect_language)
        return refuse("detect_language");
    if (settings->model || settings->model_dir)
        return refuse(settings->model ? "model" : "model_dir");
    return settings->first_given ? refuse(settings->first_given) : CODE_DONE;
}

static char *format_problem(const char *path, const char *what)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    size_t size = strlen(name) + strlen(what) + 3;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s: %s", name, what);
    return text;
}

/* Is it no transcript, by its first bytes? faster-whisper's is a list. */
static int is_other(const char *bytes, size_t n)
{
    size_t at = n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (at < n && memchr(" \t\r\n", bytes[at], 4))
        at++;
    return at < n && bytes[at] != '{' && bytes[at] != '[';
}

/* All of a file, or the beginning of what is none, which may have no end; NULL: errno says why not. */
static char *read_all(FILE *file, size_t *n)
{
    char *bytes = NULL;
    size_t room = 0;
    *n = 0;
    do {
        if (*n == room) {
            size_t more = room ? room * 2 : 1 << 16;
            char *larger = more <= MOST_BYTES ? realloc(bytes, more) : NULL;
            if (!larger) {
                free(bytes);
                errno = room < MOST_BYTES / 2 ? ENOMEM : EFBIG;
                return NULL;
            }
            bytes = larger;
            room = more;
        }
        size_t got = fread(bytes + *n, 1, room - *n, file);
        *n += got;
        if (!got || (*n == got && is_other(bytes, *n)))
            break;
    } while (1);
    if (!ferror(file))
        return bytes;
    free(bytes);
    return NULL;
}

int from_read(const char *path, whisp_result **result, char **problem)
{
    size_t n;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *bytes = file ? read_all(file, &n) : NULL;
    int error = bytes ? WHISP_OK : WHISP_ERR_IO;
    *result = NULL;
    if (!bytes)
        *problem = format_problem(path, strerror(errno));
    if (file && file != stdin)
        fclose(file);
    if (error == WHISP_OK && (error = whisp_result_read(bytes, n, result)) != WHISP_OK)
        *problem = format_problem(path, whisp_last_error());
    free(bytes);
    return error;
}

void from_warn(const struct settings *settings, const char *name, const whisp_result *result)
{
    const whisp_writer_options *layout = &settings->layout;
    whisp_result_info info = {.size = sizeof info};
    int words = 0, confidence = 0;
    whisp_result_describe(result, &info);
    for (size_t i = 0; i < info.n_segments; i++) {
        const whisp_segment *segment = whisp_result_segment(result, i);
        words |= segment->n_words > 0;
        confidence |= segment->confidence > 0;
    }
    if (info.n_segments == 0)
        return;
    if (!words &&
        (layout->highlight_words || layout->max_line_count || layout->max_line_width || layout->max_words_per_line))
        note_warning("%s: holds no words with times, so lines are laid out as its segments are; transcribe with "
                     "--word_timestamps True for others",
                     name);
    if (!words && layout->subtitles)
        note_warning("%s: holds no words with times, so each segment's time is spread over its text; transcribe with "
                     "--word_timestamps True for subtitles that begin and end with the words",
                     name);
    if (!confidence && settings->doubtful)
        note_warning("%s: holds no confidence, so nothing in it counts as doubtful; transcribe with --confidence True",
                     name);
}
