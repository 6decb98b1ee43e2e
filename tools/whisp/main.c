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
    int several;    /* more than one recording was named */
    size_t current; /* the input whose segments come next */
    int headed;     /* it was named */
    int working;    /* the session is there */
    int code;       /* the first failure's, or CODE_FINE */
    double began;   /* tool_now() */
    struct inputs inputs;
    struct summary summary;
};

/* Started with a standard stream closed, the program would get its number for the model or an output file, and write
 * the transcript there. Take the number with something that fails when it is used. */
static void fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == -1)
            return;
}

static void remember(struct tool *tool, int code)
{
    if (tool->code == CODE_FINE && code != CODE_DONE)
        tool->code = code;
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
    if (tool->several && !tool->headed)
        note("%s:", tool->inputs.list[tool->current].name);
    tool->headed = 1;
}

static void on_log(void *user, int level, const char *text)
{
    struct tool *tool = user;
    text = inputs_named(&tool->inputs, text);
    if (tool->working && level <= WHISP_LOG_INFO)
        head(tool);
    if (level == WHISP_LOG_WARNING)
        note_warning("%s", text);
    else if (level == WHISP_LOG_DEBUG && tool->settings.debug)
        note("%9.3f s  %s", tool_now() - tool->began, text);
    else if (level == WHISP_LOG_INFO && (tool->settings.verbose || tool->settings.debug))
        note("%s", text);
}

static void on_progress(void *user, double done, double total)
{
    struct tool *tool = user;
    if (tool->bar.wanted)
        progress_update(&tool->bar, done, total);
}

/* To whom --stream names, or printed. */
static void on_segment(void *user, const whisp_segment *segment)
{
    struct tool *tool = user;
    if (tool->settings.on_segment)
        tool->settings.on_segment(tool->settings.on_segment_user, segment);
    if (tool->settings.stream || !tool->settings.verbose)
        return;
    head(tool);
    if (tool->settings.align)
        transcript_words(&tool->out, segment);
    else
        transcript_segment(&tool->out, segment);
}

static int on_cancel(void *user)
{
    const struct tool *tool = user;
    return signals_stop() != 0 || tool->out.failed != 0;
}

/* `recording` is the path that the library was given, or what it calls standard input. */
static int on_journal(void *user, const char *recording, char *path, size_t capacity)
{
    const struct tool *tool = user;
    size_t i = 0;
    while (i < tool->inputs.n && (!tool->inputs.paths[i] || strcmp(tool->inputs.paths[i], recording) != 0))
        i++;
    return journals_name(&tool->settings, i < tool->inputs.n ? tool->inputs.list[i].name : "-", path, capacity);
}

static whisp_callbacks callbacks_of(struct tool *tool)
{
    return (whisp_callbacks){.size = sizeof(whisp_callbacks),
                             .user = tool,
                             .log = on_log,
                             .progress = on_progress,
                             .segment = on_segment,
                             .cancel = on_cancel,
                             .journal = on_journal};
}

/* ---- before the work ---- */

/* Is there work that a bar can show? Then it stands there from the beginning, while the model is loaded, too. */
static int shows_bar(const struct settings *settings)
{
    return !settings->stream && !settings->detect_language;
}

static void cannot_open(void *user, const char *name, int code)
{
    remember_input(user, name, code);
}

/* Those that cannot be heard are left out. */
static int check_inputs(struct tool *tool)
{
    struct settings *settings = &tool->settings;
    struct inputs *inputs = &tool->inputs;
    if (shows_bar(settings))
        progress_wait(&tool->bar, 0.0);
    int code = inputs_check(inputs, settings->inputs, settings->n_inputs, cannot_open, tool);
    if (code != CODE_DONE)
        return code;
    for (size_t i = 0; i < inputs->n; i++)
        settings->inputs[i] = inputs->list[i].name;
    settings->n_inputs = inputs->n;
    if (inputs->n == 1 && shows_bar(settings))
        progress_wait(&tool->bar, inputs->seconds);
    return inputs->n > 0 ? CODE_DONE : tool->code;
}

static int load_model(struct tool *tool, whisp_model **model)
{
    const struct settings *settings = &tool->settings;
    whisp_callbacks callbacks = callbacks_of(tool);
    char path[4096];
    callbacks.no_mmap = settings->no_mmap;
    int error = whisp_model_find(settings->model, settings->model_dir, path, sizeof path);
    if (error == WHISP_OK) {
        if (!settings->model)
            note("model: %s", path);
        error = whisp_model_load(path, &callbacks, model);
    }
    if (error == WHISP_OK)
        return CODE_DONE;
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

/* A transcript, as files or text. Where the work stopped midway, `error` says why, and it goes to files of other names,
 * that nobody takes for the whole. It is whole where only --speakers_out could not be written. 1: all is where it was
 * wanted. */
static int write_result(struct tool *tool, const char *name, int error, const whisp_result *result)
{
    const struct settings *settings = &tool->settings;
    whisp_result_info info = {.size = sizeof info};
    int is_whole = error == WHISP_OK || error == WHISP_ERR_OUTPUT;
    if (is_whole && !settings->verbose && !settings->formats && !settings->speakers_only)
        print_text(tool, result);
    signals_writing(1);
    int written = files_write(settings, name, !is_whole, result);
    signals_writing(0);
    int is_written = written == CODE_DONE;
    if (is_written && whisp_result_describe(result, &info) == WHISP_OK && info.incomplete)
        written = CODE_PART; /* the log has said why */
    if (is_whole || written != CODE_PART)
        remember_input(tool, name, written);
    return is_written && error == WHISP_OK && (settings->formats || !tool->out.failed);
}

/* Input tool->current, or what became of it. */
static void end_input(struct tool *tool, int error, whisp_result *result)
{
    const struct input *input = &tool->inputs.list[tool->current];
    head(tool);
    if (error != WHISP_OK && error != WHISP_ERR_CANCELLED) {
        note_error("%s", inputs_named(&tool->inputs, whisp_last_error()));
        remember_input(tool, input->name, exit_code(error, CODE_INPUT));
    }
    if (error == WHISP_OK && input->spooled.incomplete &&
        whisp_result_set_incomplete(result, input->spooled.incomplete))
        remember_input(tool, input->name, note_memory());
    int is_done = result && write_result(tool, input->name, error, result);
    int code = journals_end(&tool->settings, input->name, is_done);
    if (code != CODE_DONE)
        remember_input(tool, input->name, code);
    whisp_result_free(result);
    tool->current++;
    tool->headed = 0;
}

static int is_done(void *user, size_t i, int error, whisp_result *result)
{
    (void)i; /* they come in order */
    end_input(user, error, result);
    return 0;
}

/* The inputs from `first` to before `end`, which are open. */
static void transcribe(struct tool *tool, whisp_session *session, size_t first, size_t end)
{
    const char **paths = tool->inputs.paths + first;
    int error = whisp_session_transcribe_files(session, paths, end - first, is_done, tool);
    if (error != WHISP_OK && error != WHISP_ERR_CANCELLED) {
        note_error("%s", inputs_named(&tool->inputs, whisp_last_error()));
        remember(tool, exit_code(error, CODE_OTHER));
    }
    for (size_t i = tool->current; i < end; i++) /* those that nothing was said of */
        remember(tool, journals_end(&tool->settings, tool->inputs.list[i].name, 0));
}

static void align(struct tool *tool, whisp_session *session)
{
    whisp_result *result = NULL;
    whisp_audio *audio = NULL;
    head(tool);
    int error = whisp_audio_open(tool->inputs.paths[tool->current], &audio);
    if (error == WHISP_OK)
        error = whisp_session_align(session, audio, tool->settings.align, &result);
    whisp_audio_free(audio);
    end_input(tool, error, result);
}

static void tell_speakers(struct tool *tool, const whisp_speakers *speakers)
{
    whisp_result *result = NULL;
    const char *path = tool->inputs.paths[tool->current], *name = tool->inputs.list[tool->current].name;
    int error = speakers_find(&tool->settings, speakers, path, name, &tool->out, &result);
    end_input(tool, error, result);
}

static void detect(struct tool *tool, whisp_session *session)
{
    const struct input *input = &tool->inputs.list[tool->current];
    const char *name = input->name, *path = tool->inputs.paths[tool->current];
    int in_part = 0, error = languages_print(session, path, tool->several ? name : NULL, &tool->out, &in_part);
    if (in_part || (error == WHISP_OK && input->spooled.incomplete))
        remember_input(tool, name, CODE_PART);
    if (error != WHISP_OK && error != WHISP_ERR_CANCELLED) {
        note_error("%s", inputs_named(&tool->inputs, whisp_last_error()));
        remember_input(tool, name, exit_code(error, CODE_INPUT));
    }
    tool->current++;
}

/* One of the two is there. */
static void work(struct tool *tool, whisp_session *session, const whisp_speakers *speakers)
{
    const struct settings *settings = &tool->settings;
    int one_by_one = settings->detect_language || settings->align || speakers;
    tool->working = !settings->detect_language;
    if (shows_bar(settings))
        progress_begin(&tool->bar);
    for (size_t first = 0, end; first < tool->inputs.n && !on_cancel(tool); first = end) {
        int code = inputs_open(&tool->inputs, first, one_by_one ? 1 : SIZE_MAX, &end);
        if (end > first && settings->detect_language)
            detect(tool, session);
        else if (end > first && speakers)
            tell_speakers(tool, speakers);
        else if (end > first && settings->align)
            align(tool, session);
        else if (end > first)
            transcribe(tool, session, first, end);
        inputs_close(&tool->inputs, first, end);
        if (code == CODE_DONE || code == CODE_SIGNAL)
            continue;
        remember_input(tool, tool->inputs.list[end++].name, code); /* it could not be spooled */
        tool->current = end;
    }
    progress_end(&tool->bar);
    remember(tool, transcript_check(&tool->out));
}

/* ---- transcripts that are there already ---- */

static void show_transcript(struct tool *tool, const char *name, const whisp_result *result)
{
    whisp_result_info info = {.size = sizeof info};
    whisp_result_describe(result, &info);
    if (tool->several)
        note("%s:", name);
    if (info.incomplete)
        note_warning("%s: was heard in part: %s", name, info.incomplete);
    for (size_t i = 0; i < info.n_segments && tool->settings.verbose && !tool->settings.formats; i++)
        transcript_segment(&tool->out, whisp_result_segment(result, i));
    write_result(tool, name, WHISP_OK, result);
}

static int work_from(struct tool *tool)
{
    const struct settings *settings = &tool->settings;
    int code = files_prepare(settings);
    for (size_t i = 0; i < settings->n_inputs && code == CODE_DONE && !on_cancel(tool); i++) {
        whisp_result *result;
        char *problem = NULL;
        int error = from_read(settings->inputs[i], &result, &problem);
        if (error == WHISP_OK) {
            from_warn(settings, settings->inputs[i], result);
            show_transcript(tool, settings->inputs[i], result);
        } else {
            note_error("%s", problem ? problem : "out of memory");
            remember_input(tool, settings->inputs[i],
                           error == WHISP_ERR_ARGUMENT ? CODE_INPUT : exit_code(error, CODE_INPUT));
        }
        whisp_result_free(result);
        free(problem);
    }
    remember(tool, transcript_check(&tool->out));
    return code;
}

/* What is left to say when all is done and nobody has ended it. */
static void say_last(struct tool *tool, double seconds)
{
    const struct settings *settings = &tool->settings;
    int writes = settings->formats || settings->doubtful || settings->stream_final || settings->detect_language;
    const char *hint = summary_hint(seconds, writes, isatty(STDERR_FILENO) && isatty(STDOUT_FILENO));
    if (signals_stop() || tool->out.failed)
        return;
    summary_print(&tool->summary);
    if (hint)
        note("%s", hint);
}

/* The recordings, once the model of speech is there, or, with --speakers_only, instead. */
static int transcribe_all(struct tool *tool, const whisp_model *model)
{
    whisp_session *session = NULL;
    whisp_speakers *speakers = NULL;
    int code = CODE_DONE, error = WHISP_OK;
    if (tool->settings.speakers_only)
        code = speakers_load(&tool->settings, &speakers);
    else if ((error = whisp_session_new(model, tool->settings.options, &session)) != WHISP_OK) {
        note_error("%s", whisp_last_error());
        code = exit_code(error, CODE_USAGE); /* files that it reads itself: --vocabulary's, --speaker's */
    }
    if (code == CODE_DONE)
        work(tool, session, speakers);
    progress_end(&tool->bar);
    whisp_session_free(session);
    whisp_speakers_free(speakers);
    return code;
}

static int run(struct tool *tool)
{
    double started = tool_now();
    whisp_model *model = NULL;
    if (tool->settings.fp16_given && tool->settings.verbose)
        note("--fp16 has no effect; --compute_type says how to compute");
    int code = files_skip(&tool->settings);
    if (code == CODE_DONE && tool->settings.from) {
        remember(tool, work_from(tool));
        say_last(tool, 0);
        return tool->code;
    }
    if (code == CODE_DONE)
        code = check_inputs(tool);
    if (code == CODE_DONE)
        code = files_prepare(&tool->settings);
    if (code == CODE_DONE)
        journals_tell(&tool->settings);
    if (code == CODE_DONE)
        code = speakers_find_models(&tool->settings);
    if (code == CODE_DONE && !tool->settings.speakers_only)
        code = load_model(tool, &model);
    whisp_callbacks callbacks = callbacks_of(tool);
    whisp_options_on(tool->settings.options, &callbacks);
    if (code == CODE_DONE && tool->settings.stream) {
        whisp_result *result = NULL;
        int written = CODE_DONE, error = stream_run(&tool->settings, model, &tool->out, &written, &result);
        if (result && tool->settings.formats)
            write_result(tool, "-", signals_stop() ? WHISP_ERR_CANCELLED : error, result);
        whisp_result_free(result);
        if (error != WHISP_OK && error != WHISP_ERR_CANCELLED) {
            note_error("%s", whisp_last_error());
            code = exit_code(error, CODE_INPUT);
        }
        remember(tool, transcript_check(&tool->out));
        remember(tool, written);
    } else if (code == CODE_DONE) {
        code = transcribe_all(tool, model);
    }
    remember(tool, code);
    progress_end(&tool->bar);
    whisp_model_free(model);
    say_last(tool, tool_now() - started);
    return tool->code;
}

int main(int argc, char **argv)
{
    struct tool tool;
    memset(&tool, 0, sizeof tool);
    tool.began = tool_now();
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
        if (code == CODE_DONE)
            code = run(&tool);
        summary_free(&tool.summary);
        inputs_free(&tool.inputs);
    }
    settings_free(&tool.settings);
    return signals_stop() ? CODE_SIGNAL + signals_stop() : code;
}
