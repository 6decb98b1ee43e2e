/* words.c - the options about words: how subtitles are laid out, and the text whose words are looked for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define MOST_TEXT (16 << 20) /* bytes of a text to align: a few hundred hours of speech */

int words_limit(const char *name, const char *value, int *limit)
{
    char *end;
    errno = 0;
    long n = strcmp(value, "None") == 0 ? 0 : strtol(value, &end, 10);
    if (strcmp(value, "None") != 0 && (end == value || *end || errno || n < 1 || n > 1000000)) {
        note_error("--%s: \"%s\" is neither a whole number from 1 to 1000000 nor None", name, value);
        return CODE_USAGE;
    }
    *limit = (int)n;
    return CODE_DONE;
}

int words_read_text(struct settings *settings, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *text = NULL;
    size_t length = 0, capacity = 0, got = 0;
    if (!file) {
        note_error("%s: cannot read the text to align: %s", path, strerror(errno));
        return CODE_INPUT;
    }
    do {
        length += got;
        if (length > MOST_TEXT)
            break;
        if (capacity - length < 4096) {
            char *more = realloc(text, capacity = 2 * capacity + 65536);
            if (!more)
                break;
            text = more;
        }
        got = fread(text + length, 1, capacity - length - 1, file);
    } while (got > 0);
    int broken = ferror(file), complete = feof(file), error = errno;
    if (file != stdin)
        fclose(file);
    if (text)
        text[length] = '\0';
    free(settings->align_text);
    settings->align = settings->align_text = text;
    if (broken) {
        note_error("%s: cannot read the text to align: %s", path, strerror(error));
        return CODE_INPUT;
    }
    if (length > MOST_TEXT) {
        note_error("%s: larger than %d MiB, which no text to align is", path, MOST_TEXT >> 20);
        return CODE_INPUT;
    }
    if (!complete)
        return note_memory();
    if (strlen(text) != length) {
        note_error("%s: the text to align holds a NUL character; is it a text file?", path);
        return CODE_INPUT;
    }
    return CODE_DONE;
}

int words_share(const char *value, double *share)
{
    char *end;
    *share = strtod(value, &end);
    if (end == value || *end || !(*share > 0 && *share <= 1)) {
        note_error("--doubtful_share: \"%s\" is not a number above 0 and up to 1", value);
        return CODE_USAGE;
    }
    return CODE_DONE;
}

/* One file holds one recording's doubtful words, which only transcribing gives. */
static int check_doubtful(struct settings *settings)
{
    const char *without = settings->align ? "--align" : settings->detect_language ? "--detect_language" : NULL;
    if (!settings->doubtful && settings->layout.doubtful_share > 0) {
        note_error("--doubtful_share requires --doubtful FILE");
        return CODE_USAGE;
    }
    if (!settings->doubtful)
        return CODE_DONE;
    if (without) {
        note_error("--doubtful and %s exclude each other", without);
        return CODE_USAGE;
    }
    if (settings->from)
        return CODE_DONE;
    if (settings->n_inputs > 1) {
        note_error("--doubtful takes one recording at a time");
        return CODE_USAGE;
    }
    if (whisp_options_set(settings->options, "confidence", "True") != WHISP_OK)
        return note_memory();
    return CODE_DONE;
}

static int needs_words(const char *name)
{
    note_error("--%s requires --word_timestamps True", name);
    return CODE_USAGE;
}

static int is_style(const char *name)
{
    size_t length = strlen(name);
    for (const char *known = own_options[OPT_SUBTITLE_STYLE].info.values; *known;) {
        size_t n = strcspn(known, "|");
        if (n == length && memcmp(known, name, n) == 0)
            return 1;
        known += n + (known[n] == '|');
    }
    note_error("--subtitle_style: \"%s\" is none of %s", name, own_options[OPT_SUBTITLE_STYLE].info.values);
    return 0;
}

static int excludes(const char *name)
{
    note_error("--subtitles and --%s exclude each other", name);
    return CODE_USAGE;
}

/* Layout needs words with times, and does what openai-whisper's options of layout would do. */
static int check_subtitles(struct settings *settings)
{
    whisp_writer_options *layout = &settings->layout;
    if (layout->subtitle_style && !is_style(layout->subtitle_style))
        return CODE_USAGE;
    layout->subtitles |= layout->subtitle_style != NULL;
    if (!layout->subtitles)
        return CODE_DONE;
    if (settings->stream || settings->detect_language || settings->speakers_only)
        return excludes(settings->stream ? "stream" : settings->detect_language ? "detect_language" : "speakers_only");
    if (layout->highlight_words || layout->max_line_width || layout->max_line_count || layout->max_words_per_line)
        return excludes(layout->highlight_words  ? "highlight_words"
                        : layout->max_line_width ? "max_line_width"
                        : layout->max_line_count ? "max_line_count"
                                                 : "max_words_per_line");
    if (!settings->quiet &&
        !(settings->formats & (formats_bit("srt") | formats_bit("vtt") | formats_bit("ass") | formats_bit("lrc"))))
        note_warning("--subtitles lays out srt, vtt, ass and lrc files; --output_format asks for none of them");
    if (settings->from || settings->align || strcmp(whisp_options_get(settings->options, "confidence"), "True") == 0)
        return CODE_DONE;
    return whisp_options_set(settings->options, "word_timestamps", "True") == WHISP_OK ? CODE_DONE : note_memory();
}

int words_check(struct settings *settings)
{
    const whisp_writer_options *layout = &settings->layout;
    if (settings->align && settings->detect_language) {
        note_error("--detect_language and --align exclude each other");
        return CODE_USAGE;
    }
    int code = check_doubtful(settings);
    if (code == CODE_DONE)
        code = check_subtitles(settings);
    if (code != CODE_DONE)
        return code;
    if (!settings->align && !settings->from &&
        strcmp(whisp_options_get(settings->options, "word_timestamps"), "True") != 0 &&
        strcmp(whisp_options_get(settings->options, "confidence"), "True") != 0) {
        if (layout->highlight_words)
            return needs_words("highlight_words");
        if (layout->max_line_count)
            return needs_words("max_line_count");
        if (layout->max_line_width)
            return needs_words("max_line_width");
        if (layout->max_words_per_line)
            return needs_words("max_words_per_line");
    }
    int laid_out = layout->highlight_words || layout->max_line_count || layout->max_line_width ||
                   layout->max_words_per_line;
    if (settings->quiet)
        return CODE_DONE;
    if (laid_out && !(settings->formats & (formats_bit("srt") | formats_bit("vtt"))))
        note_warning(
            "--highlight_words, --max_line_width, --max_line_count and --max_words_per_line lay out srt and vtt "
            "files; --output_format asks for neither");
    if (settings->align && strcmp(whisp_options_get(settings->options, "task"), "translate") == 0)
        note_warning("--align looks for the text itself, not for its translation; leave --task translate out");
    if (settings->detect_language && strcmp(whisp_options_get(settings->options, "language"), "None") != 0)
        note_warning("--language has no effect with --detect_language");
    if (layout->max_line_count && !layout->max_line_width)
        note_warning("--max_line_count has no effect without --max_line_width");
    if (layout->max_words_per_line && layout->max_line_width)
        note_warning("--max_words_per_line has no effect with --max_line_width");
    return CODE_DONE;
}
