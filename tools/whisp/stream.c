/* stream.c - --stream: standard input is heard while somebody speaks, and words are printed as they settle.
 *
 * The final text, which comes up to half a minute later, goes to --stream_final: a file, or standard output in place of
 * the words. What has not settled yet is shown in grey on the terminal's last line, if standard error is one. A regular
 * file as standard input is heard step by step, with the same words on every machine; from a pipe that is slower than the
 * clock a pass takes all that there is, so that the words never fall behind. With --diarize words say whose they are, as
 * it seems; the file of the final text is written once more at the end, when it is known. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hear.h"
#include "tool.h"

#define MOST_WAITING 4096 /* settled words without a final segment: one said in 30 s has been heard */

struct live {
    whisp_stream *stream;
    struct transcript *out;
    FILE *final;      /* where the final text goes; stdout: instead of the words; NULL: nowhere */
    int final_failed; /* errno of the first failure to write it */
    struct waiting {  /* settled words for which the final text has nothing yet */
        double middle;
        char *text;
    } * waiting;
    size_t n_waiting;
    int word_lines; /* a line a word */
    int show_tail;
    int line_begun;
    int speaker; /* whose line it is; 0: nobody's */
};

static int is_true(const struct settings *settings, const char *option)
{
    return strcmp(whisp_options_get(settings->options, option), "True") == 0;
}

int stream_check(const struct settings *settings)
{
    const char *other = NULL;
    if (!settings->stream && settings->stream_final) {
        note_error("--stream_final requires --stream");
        return CODE_USAGE;
    }
    if (!settings->stream)
        return CODE_DONE;
    if (settings->n_inputs != 1 || strcmp(settings->inputs[0], "-") != 0) {
        note_error("--stream reads standard input and nothing else: whisp --stream -");
        return CODE_USAGE;
    }
    if (settings->align)
        other = "align";
    else if (settings->detect_language)
        other = "detect_language";
    else if (settings->formats && !is_true(settings, "diarize")) /* with it there is a result at the end */
        other = "output_format or --output_dir without --diarize True";
    else if (is_true(settings, "vad_filter"))
        other = "vad_filter";
    else if (is_true(settings, "split_stereo"))
        other = "split_stereo";
    else if (strcmp(whisp_options_get(settings->options, "clip_timestamps"), "0") != 0)
        other = "clip_timestamps";
    if (!other)
        return CODE_DONE;
    note_error("--stream and --%s exclude each other", other);
    return CODE_USAGE;
}

static int ends_sentence(const char *text)
{
    size_t n = strlen(text);
    return n > 0 &&
           (strchr(".?!", text[n - 1]) ||
            (n >= 3 && (!strcmp(text + n - 3, "。") || !strcmp(text + n - 3, "？") || !strcmp(text + n - 3, "！"))));
}

/* ---- the final text ---- */

/* Its line in the file of the final text. */
static void write_line(struct live *live, const whisp_segment *segment)
{
    int length = *segment->text ? whisp_segment_line(segment, NULL, 0) : 0;
    if (length <= 0 || live->final_failed)
        return;
    char *line = malloc((size_t)length + 1);
    errno = ENOMEM;
    if (line) {
        errno = 0;
        whisp_segment_line(segment, line, (size_t)length + 1);
    }
    if (!line || fprintf(live->final, "%s\n", line) < 0)
        live->final_failed = errno ? errno : EIO;
    free(line);
}

static void flush_final(struct live *live)
{
    errno = 0;
    if (!live->final_failed && fflush(live->final) != 0)
        live->final_failed = errno ? errno : EIO;
}

static void print_final(struct live *live, const whisp_segment *segment)
{
    if (live->final == stdout) {
        transcript_segment(live->out, segment);
        return;
    }
    write_line(live, segment);
    flush_final(live);
}

/* All is known: the file once more, if it is one that can be written over. */
static void rewrite_final(struct live *live, const whisp_result *result)
{
    struct stat status;
    whisp_result_info info = {.size = sizeof info};
    if (!live->final || live->final == stdout || live->final_failed || fstat(fileno(live->final), &status) != 0 ||
        !S_ISREG(status.st_mode) || whisp_result_describe(result, &info) != WHISP_OK)
        return;
    errno = 0;
    if (fseek(live->final, 0, SEEK_SET) != 0 || ftruncate(fileno(live->final), 0) != 0)
        live->final_failed = errno ? errno : EIO;
    for (size_t i = 0; i < info.n_segments; i++)
        write_line(live, whisp_result_segment(result, i));
    flush_final(live);
}

static void keep_waiting(struct live *live, const whisp_word *word)
{
    if (!live->final || live->n_waiting == MOST_WAITING)
        return;
    char *text = strdup(word->text);
    if (text)
        live->waiting[live->n_waiting++] = (struct waiting){(word->start + word->end) / 2, text};
}

/* Forget the words that were said before `end`. */
static void drop_waiting(struct live *live, double end)
{
    size_t n = 0;
    while (n < live->n_waiting && live->waiting[n].middle < end)
        free(live->waiting[n++].text);
    if (n == 0)
        return;
    live->n_waiting -= n;
    memmove(live->waiting, live->waiting + n, live->n_waiting * sizeof *live->waiting);
}

static void on_final(void *user, const whisp_segment *segment)
{
    struct live *live = user;
    if (live->show_tail)
        fputs("\r\033[K", stderr);
    print_final(live, segment);
    drop_waiting(live, segment->end);
}

/* The waiting words and, behind them, `more`. To be freed; NULL when memory is short. */
static char *waiting_text(const struct live *live, const char *more)
{
    size_t length = strlen(more) + 1;
    for (size_t i = 0; i < live->n_waiting; i++)
        length += strlen(live->waiting[i].text);
    char *text = malloc(length), *at = text;
    for (size_t i = 0; text && i < live->n_waiting; i++)
        at = stpcpy(at, live->waiting[i].text);
    if (text)
        strcpy(at, more);
    return text;
}

/* An interrupted stream: what had settled since the last final segment is the last line. */
static void print_waiting(struct live *live)
{
    char *text = waiting_text(live, "");
    if (text && live->n_waiting > 0) {
        double first = live->waiting[0].middle, last = live->waiting[live->n_waiting - 1].middle;
        print_final(live, &(whisp_segment){.start = first, .end = last, .text = text});
    }
    free(text);
}

static int open_final(struct live *live, const char *path)
{
    if (!path)
        return WHISP_OK;
    live->waiting = calloc(MOST_WAITING, sizeof *live->waiting);
    if (!live->waiting)
        return WHISP_ERR_MEMORY;
    live->final = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (live->final)
        return WHISP_OK;
    live->final_failed = errno;
    return WHISP_ERR_CANCELLED;
}

/* CODE_DONE, or CODE_OUTPUT after a failure has been told. */
static int close_final(struct live *live, const char *path)
{
    if (live->final && live->final != stdout && fclose(live->final) != 0 && !live->final_failed)
        live->final_failed = errno;
    drop_waiting(live, INFINITY);
    free(live->waiting);
    if (!live->final_failed)
        return CODE_DONE;
    note_error("cannot write %s: %s", path, strerror(live->final_failed));
    return CODE_OUTPUT;
}

/* ---- the words ---- */

/* What the speaker of a word is called, as far as it is known; else NULL. */
static const char *name_of(const struct live *live, int speaker)
{
    whisp_stream_info info = {.size = sizeof info};
    int is_known = speaker > 0 && whisp_stream_describe(live->stream, &info) == WHISP_OK;
    return is_known && (size_t)speaker <= info.n_speakers ? info.speakers[speaker - 1] : NULL;
}

/* A line of one's own for whoever speaks. */
static void begin_line(struct live *live, const whisp_word *word)
{
    const char *name = name_of(live, word->speaker);
    if (live->line_begun && name && word->speaker != live->speaker) {
        transcript_print(live->out, "\n");
        live->line_begun = 0;
    }
    if (live->line_begun || !name)
        return;
    transcript_print(live->out, "[");
    transcript_print(live->out, name);
    transcript_print(live->out, "]: ");
    live->speaker = word->speaker;
}

static void print_word(struct live *live, const whisp_word *word)
{
    keep_waiting(live, word);
    if (live->final == stdout)
        return;
    if (live->word_lines) {
        whisp_segment line = {.start = word->start,
                              .end = word->end,
                              .text = word->text + strspn(word->text, " "),
                              .speaker = word->speaker,
                              .speaker_name = name_of(live, word->speaker)};
        transcript_segment(live->out, &line);
        return;
    }
    begin_line(live, word);
    transcript_print(live->out, live->line_begun ? word->text : word->text + strspn(word->text, " "));
    live->line_begun = 1;
    if (ends_sentence(word->text)) {
        transcript_print(live->out, "\n");
        live->line_begun = 0;
    }
}

/* The last line of the terminal: what may still change. Where words are printed to the same line, nothing is shown. */
static void show_tail(struct live *live)
{
    if (!live->show_tail)
        return;
    whisp_stream_info info = {.size = sizeof info};
    const char *tail = whisp_stream_describe(live->stream, &info) == WHISP_OK ? info.tail : "";
    char *all = live->final == stdout ? waiting_text(live, tail) : NULL;
    const char *text = all ? all : tail;
    size_t width = (size_t)(terminal_width(STDERR_FILENO, 80) > 8 ? terminal_width(STDERR_FILENO, 80) - 4 : 4);
    if (strlen(text) > width)
        text += strlen(text) - width;
    while ((*text & 0xC0) == 0x80)
        text++; /* no half characters */
    fprintf(stderr, "\r\033[K\033[2m%s\033[0m", text);
    fflush(stderr);
    free(all);
}

static int print_settled(void *user)
{
    struct live *live = user;
    const whisp_word *const *words;
    size_t n;
    int rc;
    while ((rc = whisp_stream_pull(live->stream, &words, &n)) == 1) {
        if (live->show_tail && n > 0)
            fputs("\r\033[K", stderr);
        for (size_t i = 0; i < n; i++)
            print_word(live, words[i]);
        show_tail(live);
        if (live->out->failed)
            return WHISP_ERR_CANCELLED;
    }
    return rc == WHISP_END ? WHISP_OK : rc;
}

static int is_stopped(void *user)
{
    (void)user;
    return signals_stop();
}

/* What is to be told about the sound. Nonzero: something of it was not heard. */
static int tell_warnings(whisp_audio *audio)
{
    int incomplete, any = 0;
    const char *text;
    for (size_t i = 0; (text = whisp_audio_warning(audio, i, &incomplete)); i++) {
        note_warning("standard input: %s", text);
        any |= incomplete;
    }
    return any;
}

/* With --diarize: `error`, or what it is that nothing came. Who is interrupted has what was final until then; where only
 * --speakers_out cannot be written it is whole. */
static int take_result(struct live *live, int error, whisp_result **result)
{
    int is_there = error == WHISP_OK || error == WHISP_ERR_OUTPUT;
    int rc = is_there || error == WHISP_ERR_CANCELLED ? whisp_stream_result(live->stream, result) : error;
    if (!is_there || signals_stop())
        return error;
    if (rc == WHISP_OK)
        rewrite_final(live, *result);
    return error == WHISP_OK ? rc : error;
}

int stream_run(struct settings *settings, const whisp_model *model, struct transcript *out, int *code,
               whisp_result **result)
{
    whisp_audio *audio = NULL;
    struct stat status;
    struct live live = {.out = out};
    int is_file = fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    live.word_lines = strcmp(whisp_options_get(settings->options, "word_timestamps"), "True") == 0;
    live.show_tail = out->bar && out->bar->wanted && (live.word_lines || !isatty(STDOUT_FILENO));
    int rc = open_final(&live, settings->stream_final);
    if (live.final == stdout)
        live.show_tail = out->bar && out->bar->wanted && !isatty(STDOUT_FILENO);
    settings->on_segment = live.final ? on_final : NULL;
    settings->on_segment_user = &live;
    int bad_file = 0; /* --vocabulary's: the command line is wrong, not the sound */
    if (rc == WHISP_OK)
        bad_file = (rc = whisp_stream_new(model, settings->options, &live.stream)) == WHISP_ERR_IO;
    if (rc == WHISP_OK)
        rc = whisp_audio_open_live(STDIN_FILENO, settings->stream_rate, settings->stream_channels, &audio);
    if (rc == WHISP_OK)
        rc = hear(&(struct hearing){.stream = live.stream,
                                    .audio = audio,
                                    .fd = is_file ? -1 : STDIN_FILENO,
                                    .user = &live,
                                    .settle = print_settled,
                                    .stopped = is_stopped});
    if (live.stream && is_true(settings, "diarize"))
        rc = take_result(&live, rc, result);
    int in_part = audio && tell_warnings(audio);
    if (live.show_tail)
        fputs("\r\033[K", stderr);
    if (live.line_begun)
        transcript_print(out, "\n");
    if (live.final && signals_stop())
        print_waiting(&live);
    *code = close_final(&live, settings->stream_final);
    whisp_stream_info info = {.size = sizeof info};
    if (live.stream && whisp_stream_describe(live.stream, &info) == WHISP_OK)
        in_part |= info.incomplete != NULL;
    if (*code == CODE_DONE && in_part)
        *code = CODE_PART;
    whisp_audio_free(audio);
    whisp_stream_free(live.stream);
    if (!bad_file)
        return rc;
    note_error("%s", whisp_last_error());
    *code = CODE_USAGE;
    return WHISP_ERR_CANCELLED;
}
