/* args.c - the command line becomes struct settings.
 *
 * What concerns the program (model, files, how much to say) is in the table of own.c. Every other --name is looked up in
 * the library's table and set there, so an option that the library learns needs no change here. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

/* The next thing to read on the command line. */
struct cursor {
    int argc, at;
    char **argv;
};

static int set_bool(const char *name, const char *value, int *flag)
{
    if (strcmp(value, "True") != 0 && strcmp(value, "False") != 0) {
        note_error("--%s: \"%s\" is neither True nor False", name, value);
        return CODE_USAGE;
    }
    *flag = value[0] == 'T';
    return CODE_DONE;
}

static int set_log_level(const char *value, int *debug)
{
    *debug = strcmp(value, "debug") == 0;
    if (*debug || strcmp(value, "info") == 0)
        return CODE_DONE;
    note_error("--log_level: '%s' is not acceptable: info or debug is expected", value);
    return CODE_USAGE;
}

/* "srt", "txt,json", "all" */
static int set_formats(const char *value, unsigned *formats)
{
    unsigned wanted = 0;
    for (const char *word = value;;) {
        size_t length = strcspn(word, ","), i = 0;
        const char *name;
        while ((name = formats_name(i)) && (strlen(name) != length || strncmp(name, word, length) != 0))
            i++;
        if (name) {
            wanted |= 1u << i;
        } else if (length == 3 && strncmp(word, "all", 3) == 0) {
            wanted |= formats_all();
        } else {
            int is_file = access(value, F_OK) == 0;
            note_error("--output_format: \"%.*s\" is none of %s%s", (int)length, word, formats_values,
                       is_file ? "; a recording is named without an option before it" : "");
            return CODE_USAGE;
        }
        if (word[length] == '\0')
            break;
        word += length + 1;
    }
    *formats = wanted;
    return CODE_DONE;
}

/* A folder; not the name of a file that somebody wants written. */
static int set_folder(const char *value, const char **folder)
{
    const char *dot = strrchr(value, '.'), *name;
    *folder = value;
    if (strcmp(value, "-") == 0 && access(value, F_OK) != 0) { /* "-" is standard input elsewhere */
        note_error("--output_dir: - is no folder, and documents go to files, not to standard output; name a folder "
                   "(./- is one of that name)");
        return CODE_USAGE;
    }
    for (size_t i = 0; dot && (name = formats_name(i)) && access(value, F_OK) != 0; i++) {
        if (strcmp(dot + 1, name) != 0)
            continue;
        note_error("--output_dir: \"%s\" is a file's name, and a folder is expected; -f %s writes a file named after "
                   "the recording",
                   value, name);
        return CODE_USAGE;
    }
    return CODE_DONE;
}

/* A file's name; the ending is the format's. */
static int set_name(const char *value, const char **name)
{
    *name = value;
    if (!strchr(value, '/') && strcmp(value, ".") != 0 && strcmp(value, "..") != 0)
        return CODE_DONE;
    note_error("--output_name: \"%s\" is no file's name; --output_dir says in which folder it is", value);
    return CODE_USAGE;
}

static int print_version(void)
{
    struct transcript out = {NULL, 0};
    transcript_print(&out, "whisp ");
    transcript_print(&out, whisp_version());
    transcript_print(&out, "\n");
    return transcript_check(&out) == CODE_DONE ? CODE_FINE : CODE_OUTPUT;
}

static int set_own(struct settings *settings, enum own_option option, const char *value)
{
    if (value && !*value) {
        note_error("--%s: the value is empty", own_options[option].info.name);
        return CODE_USAGE;
    }
    switch (option) {
    case OPT_MODEL: settings->model = value; break;
    case OPT_MODEL_DIR: settings->model_dir = value; break;
    case OPT_MMAP: {
        int mmap = 1, code = set_bool("mmap", value, &mmap);
        settings->no_mmap = !mmap;
        return code;
    }
    case OPT_OUTPUT_FORMAT: return set_formats(value, &settings->formats);
    case OPT_OUTPUT_DIR: return set_folder(value, &settings->output_dir);
    case OPT_OUTPUT_NAME: return set_name(value, &settings->output_name);
    case OPT_RESUME: settings->resume = 1; return CODE_DONE;
    case OPT_SKIP_EXISTING: return set_bool("skip_existing", value, &settings->skip_existing);
    case OPT_FP16: settings->fp16_given = 1; return set_bool("fp16", value, &(int){0});
    case OPT_VERBOSE: return set_bool("verbose", value, &settings->verbose);
    case OPT_QUIET: settings->quiet = 1; break;
    case OPT_LOG_LEVEL: return set_log_level(value, &settings->debug);
    case OPT_DETECT_LANGUAGE: settings->detect_language = 1; break;
    case OPT_SPEAKERS_ONLY: settings->speakers_only = 1; break;
    case OPT_FROM: settings->from = 1; break;
    case OPT_HIGHLIGHT_WORDS: return set_bool("highlight_words", value, &settings->layout.highlight_words);
    case OPT_MAX_LINE_WIDTH: return words_limit("max_line_width", value, &settings->layout.max_line_width);
    case OPT_MAX_LINE_COUNT: return words_limit("max_line_count", value, &settings->layout.max_line_count);
    case OPT_MAX_WORDS_PER_LINE: return words_limit("max_words_per_line", value, &settings->layout.max_words_per_line);
    case OPT_SUBTITLES: return set_bool("subtitles", value, &settings->layout.subtitles);
    case OPT_SUBTITLE_STYLE: settings->layout.subtitle_style = value; break;
    case OPT_EMBED_AUDIO: return set_bool("embed_audio", value, &settings->layout.embed_audio);
    case OPT_DOUBTFUL: settings->doubtful = value; break;
    case OPT_DOUBTFUL_SHARE: return words_share(value, &settings->layout.doubtful_share);
    case OPT_ALIGN:
    case OPT_ALIGN_FILE:
        if (settings->align) {
            note_error("--align and --align_file exclude each other, and one text can be aligned at a time");
            return CODE_USAGE;
        }
        if (option == OPT_ALIGN_FILE)
            return words_read_text(settings, value);
        settings->align = value;
        break;
    case OPT_STREAM: settings->stream = 1; break;
    case OPT_STREAM_RATE: return words_limit("stream_rate", value, &settings->stream_rate);
    case OPT_STREAM_FINAL: settings->stream_final = value; break;
    case OPT_STREAM_CHANNELS: return words_limit("stream_channels", value, &settings->stream_channels);
    case OPT_VERSION: return print_version();
    case OPT_HELP: return help_print();
    case N_OWN: break;
    }
    return CODE_DONE;
}

static int find_own(const char *name)
{
    for (int i = 0; i < N_OWN; i++)
        if (strcmp(own_options[i].info.name, name) == 0)
            return i;
    return N_OWN;
}

static const whisp_option_info *find_in_library(const char *name)
{
    size_t n;
    const whisp_option_info *const *list = whisp_option_list(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i]->name, name) == 0)
            return list[i];
    return NULL;
}

static const char *next_argument(struct cursor *cursor)
{
    return cursor->at < cursor->argc ? cursor->argv[cursor->at++] : NULL;
}

/* "output-dir=x" as a name with underscores. 0: too long to be one. */
static int plain_name(const char *typed, char name[64])
{
    size_t length = strcspn(typed, "=");
    if (length >= 64)
        return 0;
    for (size_t i = 0; i < length; i++)
        name[i] = typed[i] == '-' ? '_' : typed[i];
    name[length] = '\0';
    return 1;
}

/* Does the next argument look like an option, not like the value that is missing before it? */
static int is_option(const char *argument)
{
    char name[64];
    if (argument[0] != '-' || argument[1] == '\0')
        return 0;
    if (argument[1] != '-') {
        for (int i = 0; i < N_OWN && !argument[2]; i++)
            if (own_options[i].letter == argument[1])
                return 1;
        return 0;
    }
    return plain_name(argument + 2, name) && (find_own(name) < N_OWN || find_in_library(name) != NULL);
}

/* The value behind an option; NULL, which the user is told, where there is none. */
static const char *read_value(const whisp_option_info *info, struct cursor *cursor)
{
    const char *value = next_argument(cursor);
    if (!value) {
        note_error("--%s needs a value: %s", info->name, info->values);
    } else if (is_option(value)) {
        note_error("--%s needs a value: %s; if %s is one, write --%s=%s", info->name, info->values, value, info->name,
                   value);
        value = NULL;
    }
    return value;
}

static int advise(const char *argument, const char *here)
{
    const char *written = strncmp(here, "nothing", 7) == 0 ? "" : "written ";
    note_error("%.*s is another program's option; here it is %s%s", (int)strcspn(argument, "="), argument, written,
               here);
    return CODE_USAGE;
}

static int unknown_option(const char *argument)
{
    int length = (int)strcspn(argument, "=");
    char name[64];
    int fits = plain_name(argument + 2, name);
    const char *here = fits ? foreign_long(name) : NULL, *near = fits ? suggest_option(name) : NULL;
    if (here)
        return advise(argument, here);
    if (near)
        note_error("%.*s: unknown option; did you mean --%s?", length, argument, near);
    else
        note_error("%.*s: unknown option; whisp --help lists all", length, argument);
    return CODE_USAGE;
}

/* An option that takes no value may be told True or False all the same, as those that take one are: --quiet True, unless
 * that is a recording's name. False: as if it were not there. */
static int read_flag(struct settings *settings, int own, const char *value, struct cursor *cursor)
{
    const char *next = cursor->at < cursor->argc ? cursor->argv[cursor->at] : "";
    int on = 1;
    if (!value && (strcmp(next, "True") == 0 || strcmp(next, "False") == 0) && access(next, F_OK) != 0)
        value = next_argument(cursor);
    int code = value ? set_bool(own_options[own].info.name, value, &on) : CODE_DONE;
    return code == CODE_DONE && on ? set_own(settings, (enum own_option)own, NULL) : code;
}

/* --name value, --name=value, --flag */
static int read_long(struct settings *settings, const char *argument, struct cursor *cursor)
{
    char name[64];
    const char *value = strchr(argument, '=');
    if (!plain_name(argument + 2, name))
        return unknown_option(argument);
    if (value)
        value++;
    int own = find_own(name);
    const whisp_option_info *info = own < N_OWN ? &own_options[own].info : find_in_library(name);
    if (!info)
        return unknown_option(argument);
    if (!info->values && own < N_OWN)
        return read_flag(settings, own, value, cursor);
    if (info->values && !value && !(value = read_value(info, cursor)))
        return CODE_USAGE;
    if (own < N_OWN)
        return set_own(settings, (enum own_option)own, value);
    if (speakers_set(settings->options, info->name, value) != WHISP_OK) {
        note_error("%s", whisp_last_error());
        return CODE_USAGE;
    }
    settings->confidence_given |= strcmp(info->name, "confidence") == 0;
    if (!settings->first_given)
        settings->first_given = info->name;
    return CODE_DONE;
}

/* Several letters behind one dash: another program's option, one of ours with a dash too few, or a folder's name that
 * might be either, would otherwise be taken for values without a word. */
static int check_letters(const char *argument)
{
    struct stat status;
    char name[64];
    const char *letters = argument + 1, *here = foreign_short(letters), *near = suggest_beginning(letters);
    if (!here && plain_name(letters, name))
        here = foreign_long(name);
    if (near) {
        note_error("%s: unknown option; did you mean --%s?", argument, near);
        return CODE_USAGE;
    }
    if (here)
        return advise(argument, here);
    const char *folder = strchr(letters, own_options[OPT_OUTPUT_DIR].letter);
    if (!folder || !folder[1] || strspn(letters, "qh") < (size_t)(folder - letters) || strchr(folder, '/') ||
        (stat(folder + 1, &status) == 0 && S_ISDIR(status.st_mode)))
        return CODE_DONE;
    note_error("%s: unknown option; if files are to be written to the folder %s, write -o %s", argument, folder + 1,
               folder + 1);
    return CODE_USAGE;
}

/* -q, -f srt, -fsrt, -qf srt */
static int read_short(struct settings *settings, const char *argument, struct cursor *cursor)
{
    int checked = argument[2] ? check_letters(argument) : CODE_DONE;
    if (checked != CODE_DONE)
        return checked;
    for (const char *letter = argument + 1; *letter; letter++) {
        int own = 0;
        while (own < N_OWN && own_options[own].letter != *letter)
            own++;
        if (own == N_OWN) {
            const char *here = foreign_short(letter), *near = argument[2] ? suggest_option(argument + 1) : NULL;
            if (!here)
                here = foreign_short((char[]){*letter, '\0'});
            if (here && !near)
                return advise(argument, here);
            if (near)
                note_error("%s: unknown option; did you mean --%s?", argument, near);
            else
                note_error("-%c: unknown option; whisp --help lists all", *letter);
            return CODE_USAGE;
        }
        const whisp_option_info *info = &own_options[own].info;
        const char *value = NULL;
        if (info->values) {
            value = letter[1] ? letter + 1 : read_value(info, cursor);
            if (!value)
                return CODE_USAGE;
        }
        int code = set_own(settings, (enum own_option)own, value);
        if (code != CODE_DONE || value)
            return code;
    }
    return CODE_DONE;
}

static int add_input(struct settings *settings, const char *argument)
{
    if (!*argument) {
        note_error("a FILE's name is empty");
        return CODE_USAGE;
    }
    for (size_t i = 0; i < settings->n_inputs; i++) {
        if (strcmp(argument, "-") == 0 && strcmp(settings->inputs[i], "-") == 0) {
            note_error("-: standard input can be read only once; name it once");
            return CODE_USAGE;
        }
    }
    settings->inputs[settings->n_inputs++] = argument;
    return CODE_DONE;
}

/* What the options leave open follows from the others. */
static int complete(struct settings *settings)
{
    if (settings->n_inputs == 0) {
        note_error("no FILE to transcribe; whisp --help tells how to use it");
        return CODE_USAGE;
    }
    int checked = settings->from ? from_check(settings) : CODE_DONE;
    if (checked != CODE_DONE)
        return checked;
    if ((checked = speakers_check(settings)) != CODE_DONE)
        return checked;
    if (settings->output_dir && !settings->formats)
        settings->formats = formats_all();
    if (settings->output_name && (!settings->formats || settings->n_inputs > 1)) {
        note_error(settings->formats ? "--output_name takes one recording at a time"
                                     : "--output_name needs --output_format or --output_dir: without them no files are "
                                       "written");
        return CODE_USAGE;
    }
    if (settings->detect_language && settings->formats && !settings->quiet)
        note_warning("--detect_language writes no files; --output_format and --output_dir have no effect");
    if (settings->detect_language)
        settings->formats = 0;
    if (settings->skip_existing && !settings->formats) {
        note_error("--skip_existing needs --output_format or --output_dir: without them no files are written");
        return CODE_USAGE;
    }
    if (settings->quiet && settings->formats)
        settings->verbose = 0;
    int code = stream_check(settings);
    if (code == CODE_DONE)
        code = journals_check(settings);
    if (code == CODE_DONE)
        code = review_check(settings);
    return code == CODE_DONE ? words_check(settings) : code;
}

int settings_read(struct settings *settings, int argc, char **argv)
{
    formats_setup();
    memset(settings, 0, sizeof *settings);
    settings->verbose = 1;
    settings->stream_rate = 16000;
    settings->stream_channels = 1;
    settings->layout.size = sizeof settings->layout;
    settings->options = whisp_options_new();
    settings->inputs = calloc((size_t)argc + 1, sizeof *settings->inputs);
    if (!settings->options || !settings->inputs)
        return note_memory();

    struct cursor cursor = {argc, 1, argv};
    int options_over = 0;
    const char *argument;
    while ((argument = next_argument(&cursor))) {
        int code = CODE_DONE;
        if (options_over || argument[0] != '-' || argument[1] == '\0')
            code = add_input(settings, argument);
        else if (strcmp(argument, "--") == 0)
            options_over = 1;
        else if (argument[1] == '-')
            code = read_long(settings, argument, &cursor);
        else
            code = read_short(settings, argument, &cursor);
        if (code != CODE_DONE)
            return code;
    }
    return complete(settings);
}

void settings_free(struct settings *settings)
{
    whisp_options_free(settings->options);
    free(settings->inputs);
    free(settings->align_text);
}
