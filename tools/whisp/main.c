/* main.c - whisp: write down what is said in recordings.
 *
 * The order of events: read the command line, check inputs and outputs while failing is cheap, load the model, then
 * transcribe one recording after another on one session. Exit codes are here too. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

struct tool {
    struct settings settings;
    struct progress bar;
    struct transcript out;
    int several;            /* more than one recording was named */
    size_t current;         /* the input whose segments come next */
    int headed;             /* it was named */
    int working;            /* the session is there */
    int code;               /* the first failure's, or CODE_FINE */
    struct summary summary;
};

/* Started with a standard stream closed, the program would get its number for the model or an output file, and write
 * the transcript there. Take the number with something that fails when it is used. */
static void fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == -1) return;
}

/* The exit code for what the library said while something was done that fails with `io` when a file cannot be read. */
static int exit_code(int error, int io)
{
    switch (error) {
    case WHISP_ERR_ARGUMENT: return CODE_USAGE;
    case WHISP_ERR_IO: return io;
    case WHISP_ERR_AUDIO: return CODE_INPUT;
    case WHISP_ERR_MODEL: return CODE_MODEL;
    case WHISP_ERR_BACKEND: return CODE_BACKEND;
    default: return CODE_OTHER;
    }
}

static void remember(struct tool *tool, int code)
{
    if (tool->code == CODE_FINE && code != CODE_DONE) tool->code = code;
}

/* What became of one recording. */
static void remember_input(struct tool *tool, const char *input, int code)
{
    remember(tool, code);
    summary_add(&tool->summary, input, code);
}

/* ---- callbacks ---- */

/* Name the recording whose segments or messages come next, once, where there are several. */
static void head(struct tool *tool)
{
    if (tool->several && !tool->headed) note("%s:", tool->settings.inputs[tool->current]);
    tool->headed = 1;
}

static void on_log(void *user, int level, const char *text)
{
    struct tool *tool = user;
    if (tool->working && level <= WHISP_LOG_INFO) head(tool);
    if (level == WHISP_LOG_WARNING) note_warning("%s", text);
    else if (level == WHISP_LOG_INFO && tool->settings.verbose) note("%s", text);
}

static void on_progress(void *user, double done, double total)
{
    progress_update(user, done, total);
}

static void on_segment(void *user, const whisp_segment *segment)
{
    struct tool *tool = user;
    head(tool);
    transcript_segment(&tool->out, segment);
}

static void on_aligned(void *user, const whisp_segment *segment)
{
    struct tool *tool = user;
    transcript_words(&tool->out, segment);
}

static int on_cancel(void *user)
{
    const struct tool *tool = user;
    return signals_stop() != 0 || tool->out.failed != 0;
}

static void set_callbacks(struct tool *tool)
{
    whisp_options *options = tool->settings.options;
    whisp_options_on_log(options, on_log, tool);
    whisp_options_on_cancel(options, on_cancel, tool);
    if (tool->bar.wanted) whisp_options_on_progress(options, on_progress, &tool->bar);
    if (tool->settings.verbose)
        whisp_options_on_segment(options, tool->settings.align ? on_aligned : on_segment, tool);
}

/* ---- before the work ---- */

/* Is there work that a bar can show? Then it stands there from the beginning, while the model is loaded, too. */
static int shows_bar(const struct settings *settings)
{
    return !settings->stream && !settings->detect_language;
}

/* Recordings that cannot be opened are told of before a model is loaded, and left out. Pipes are left for later: what
 * is read from them is gone. */
static int check_inputs(struct tool *tool)
{
    struct settings *settings = &tool->settings;
    size_t n_good = 0;
    double seconds = 0.0;
    if (shows_bar(settings)) progress_wait(&tool->bar, 0.0);
    for (size_t i = 0; i < settings->n_inputs; i++) {
        const char *input = settings->inputs[i];
        struct stat status;
        if (strcmp(input, "-") == 0) {
            if (isatty(STDIN_FILENO)) {
                note_error("-: standard input is a terminal; pipe a recording into it, or name a file");
                return CODE_USAGE;
            }
        } else if (stat(input, &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
            whisp_audio *audio;
            int error = whisp_audio_open(input, &audio);
            if (error != WHISP_OK) {
                note_error("%s", whisp_last_error());
                remember_input(tool, input, exit_code(error, CODE_INPUT));
                continue;
            }
            whisp_audio_info info = {.size = sizeof info};
            if (whisp_audio_describe(audio, &info) == WHISP_OK && info.duration > 0.0) seconds += info.duration;
            whisp_audio_close(audio);
        }
        settings->inputs[n_good++] = input;
    }
    settings->n_inputs = n_good;
    if (n_good == 1 && shows_bar(settings)) progress_wait(&tool->bar, seconds);
    return n_good > 0 ? CODE_DONE : tool->code;
}

static int load_model(const struct settings *settings, whisp_model **model)
{
    char path[4096];
    int error = whisp_model_find(settings->model, settings->model_dir, path, sizeof path);
    if (error == WHISP_OK) {
        if (!settings->model) note("model: %s", path);
        error = whisp_model_load(path, model);
    }
    if (error == WHISP_OK) return CODE_DONE;
    note_error("%s", whisp_last_error());
    return exit_code(error, CODE_MODEL);
}

/* ---- the work ---- */

/* The plain text at the end, for those who want neither segments nor files. */
static void print_text(struct tool *tool, const whisp_result *result)
{
    const char *text = whisp_result_text(result);
    transcript_print(&tool->out, text + strspn(text, " "));
    transcript_print(&tool->out, "\n");
}

static int is_done(void *user, size_t i, int error, whisp_result *result)
{
    struct tool *tool = user;
    const struct settings *settings = &tool->settings;
    head(tool);
    if (error == WHISP_OK) {
        if (!settings->verbose && !settings->formats) print_text(tool, result);
        signals_writing(1);
        int written = files_write(settings, settings->inputs[i], result);
        signals_writing(0);
        if (written == CODE_DONE && whisp_result_incomplete(result)) written = CODE_PART; /* the log has said why */
        remember_input(tool, settings->inputs[i], written);
    } else if (error != WHISP_ERR_CANCELLED) {
        note_error("%s", whisp_last_error());
        remember_input(tool, settings->inputs[i], exit_code(error, CODE_INPUT));
    }
    whisp_result_free(result);
    tool->current = i + 1;
    tool->headed = 0;
    return 0;
}

static void transcribe_all(struct tool *tool, whisp_session *session)
{
    const struct settings *settings = &tool->settings;
    progress_begin(&tool->bar);
    int error = whisp_session_transcribe_files(session, settings->inputs, settings->n_inputs, is_done, tool);
    progress_end(&tool->bar);
    if (error != WHISP_OK && error != WHISP_ERR_CANCELLED) {
        note_error("%s", whisp_last_error());
        remember(tool, exit_code(error, CODE_OTHER));
    }
}

static void work(struct tool *tool, whisp_session *session)
{
    const struct settings *settings = &tool->settings;
    tool->working = !settings->detect_language;
    if (!settings->detect_language && !settings->align) transcribe_all(tool, session);
    else for (size_t i = 0; i < settings->n_inputs && !on_cancel(tool); i++) {
        const char *input = settings->inputs[i];
        whisp_result *result = NULL;
        if (settings->detect_language) {
            int error = languages_print(session, input, tool->several, &tool->out);
            if (error != WHISP_OK && error != WHISP_ERR_CANCELLED) {
                note_error("%s", whisp_last_error());
                remember_input(tool, input, exit_code(error, CODE_INPUT));
            }
            continue;
        }
        head(tool);
        progress_begin(&tool->bar);
        int error = whisp_session_align_file(session, input, settings->align, &result);
        progress_end(&tool->bar);
        is_done(tool, i, error, result);
    }
    remember(tool, transcript_check(&tool->out));
}

/* What is left to say when all is done and nobody has ended it. */
static void say_last(struct tool *tool, double seconds)
{
    const struct settings *settings = &tool->settings;
    int writes = settings->formats || settings->doubtful || settings->stream_final || settings->detect_language;
    const char *hint = summary_hint(seconds, writes, isatty(STDERR_FILENO) && isatty(STDOUT_FILENO));
    if (signals_stop() || tool->out.failed) return;
    summary_print(&tool->summary);
    if (hint) note("%s", hint);
}

static int run(struct tool *tool)
{
    double started = tool_now();
    whisp_model *model = NULL;
    whisp_session *session = NULL;
    if (tool->settings.fp16_given && tool->settings.verbose)
        note("--fp16 has no effect; --compute_type says how to compute");
    int code = files_skip(&tool->settings);
    if (code == CODE_DONE) code = check_inputs(tool);
    if (code == CODE_DONE) code = files_prepare(&tool->settings);
    if (code == CODE_DONE) code = load_model(&tool->settings, &model);
    if (code == CODE_DONE && tool->settings.stream) {
        set_callbacks(tool);
        int written = CODE_DONE, error = stream_run(&tool->settings, model, &tool->out, &written);
        if (error != WHISP_OK && error != WHISP_ERR_CANCELLED) {
            note_error("%s", whisp_last_error());
            code = exit_code(error, CODE_INPUT);
        }
        remember(tool, transcript_check(&tool->out));
        remember(tool, written);
    } else if (code == CODE_DONE) {
        set_callbacks(tool);
        int error = whisp_session_new(model, tool->settings.options, &session);
        if (error != WHISP_OK) {
            note_error("%s", whisp_last_error());
            code = exit_code(error, CODE_USAGE); /* the one file that it reads itself is --vocabulary's */
        } else {
            work(tool, session);
        }
    }
    remember(tool, code);
    progress_end(&tool->bar);
    whisp_session_free(session);
    whisp_model_free(model);
    say_last(tool, tool_now() - started);
    return signals_stop() ? CODE_SIGNAL + signals_stop() : tool->code;
}

int main(int argc, char **argv)
{
    struct tool tool;
    memset(&tool, 0, sizeof tool);
    fill_standard_streams();
    signals_catch();
    int code = settings_read(&tool.settings, argc, argv);
    if (code == CODE_DONE) {
        const char *terminal = getenv("TERM");
        tool.bar.wanted = !tool.settings.quiet && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
        tool.out.bar = &tool.bar;
        tool.several = tool.settings.n_inputs > 1;
        notes_setup(&tool.bar, tool.settings.quiet);
        code = summary_begin(&tool.summary, tool.settings.n_inputs);
        if (code == CODE_DONE) code = run(&tool);
        summary_free(&tool.summary);
    }
    settings_free(&tool.settings);
    return code;
}
