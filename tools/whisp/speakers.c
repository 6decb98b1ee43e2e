/* speakers.c - --speakers_only: who speaks when, without a transcript; and the options that name voices. */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* ---- the command line ---- */

int speakers_set(whisp_options *options, const char *name, const char *value)
{
    const char *before = whisp_options_get(options, name);
    if (strcmp(name, "speaker") != 0 || !before || strcmp(before, "None") == 0 || strcmp(value, "None") == 0)
        return whisp_options_set(options, name, value);
    size_t size = strlen(before) + strlen(value) + 2;
    char *both = malloc(size);
    if (!both) {
        note_memory();
        return WHISP_ERR_MEMORY;
    }
    snprintf(both, size, "%s\n%s", before, value);
    int error = whisp_options_set(options, name, both);
    free(both);
    return error;
}

static int refuse(const char *name)
{
    note_error("--%s has no say where nothing is transcribed; leave it out, or --speakers_only", name);
    return CODE_USAGE;
}

/* Is it one of a format's bits that has speakers without a text? */
static unsigned kinds(void)
{
    unsigned bits = 0;
    for (size_t i = 0; formats_name(i); i++)
        if (strcmp(formats_name(i), "rttm") == 0 || strcmp(formats_name(i), "json") == 0)
            bits |= 1u << i;
    return bits;
}

static unsigned rttm(void)
{
    size_t i = 0;
    while (strcmp(formats_name(i), "rttm") != 0)
        i++;
    return 1u << i;
}

/* The voices that were heard last would be all that is kept. */
static int check_out(const struct settings *settings)
{
    const char *out = whisp_options_get(settings->options, "speakers_out");
    if (settings->n_inputs < 2 || !out || strcmp(out, "None") == 0)
        return CODE_DONE;
    note_error("--speakers_out keeps the voices of one recording, and there are %zu; transcribe one after the other, "
               "each with --speakers_in what the one before wrote",
               settings->n_inputs);
    return CODE_USAGE;
}

static int counts(const char *name)
{
    static const char *const names[] = {"num_speakers", "min_speakers", "max_speakers", "speakers_model",
                                        "speaker",      "speakers_in",  "speakers_out", "vad_model",
                                        "threads",      "compute_type", "diarize"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return 1;
    return 0;
}

/* Options of the transcription, which there is none of. */
static void warn_of_others(const struct settings *settings)
{
    size_t n;
    const whisp_option_info *const *list = whisp_option_list(&n);
    for (size_t i = 0; i < n && !settings->quiet; i++) {
        const char *value = whisp_options_get(settings->options, list[i]->name);
        if (!counts(list[i]->name) && value && strcmp(value, list[i]->initial) != 0)
            note_warning("%s has no effect with --speakers_only", list[i]->name);
    }
}

int speakers_check(struct settings *settings)
{
    if (!settings->speakers_only)
        return check_out(settings);
    const char *other = settings->stream            ? "stream"
                        : settings->align_text      ? "align_file"
                        : settings->align           ? "align"
                        : settings->detect_language ? "detect_language"
                        : settings->from            ? "from"
                        : settings->resume          ? "resume"
                        : settings->doubtful        ? "doubtful"
                        : settings->model           ? "model"
                                                    : NULL;
    if (other)
        return refuse(other);
    if (settings->output_dir && !settings->formats)
        settings->formats = rttm();
    if (settings->formats & ~kinds()) {
        note_error("--speakers_only writes who speaks when, and nothing that is said: rttm or json");
        return CODE_USAGE;
    }
    warn_of_others(settings);
    return check_out(settings);
}

/* ---- the models ---- */

static int is_set(const struct settings *settings, const char *name)
{
    const char *value = whisp_options_get(settings->options, name);
    return value && strcmp(value, "None") != 0 && strcmp(value, "False") != 0;
}

/* The model of an option in --model_dir; without a name `usual`, if it is there. */
static int find_in_folder(const struct settings *settings, const char *option, const char *usual)
{
    char path[4096];
    int is_named = is_set(settings, option);
    const char *name = is_named ? whisp_options_get(settings->options, option) : usual;
    int error = whisp_model_find(name, settings->model_dir, path, sizeof path);
    if (error == WHISP_OK)
        error = whisp_options_set(settings->options, option, path);
    else if (error == WHISP_ERR_IO && !is_named)
        return CODE_DONE;
    if (error == WHISP_OK)
        return CODE_DONE;
    note_error("--%s: %s", option, whisp_last_error());
    return exit_code(error, CODE_MODEL);
}

int speakers_find_models(const struct settings *settings)
{
    int diarizes = settings->speakers_only || is_set(settings, "diarize"), code = CODE_DONE;
    if (!settings->model_dir)
        return CODE_DONE;
    if (diarizes)
        code = find_in_folder(settings, "speakers_model", "speakers");
    if (code == CODE_DONE && (diarizes || is_set(settings, "vad_filter") || is_set(settings, "vad_model")))
        code = find_in_folder(settings, "vad_model", "silero-vad");
    return code;
}

/* ---- the work ---- */

int speakers_load(const struct settings *settings, whisp_speakers **speakers)
{
    const char *name = whisp_options_get(settings->options, "speakers_model");
    char path[4096];
    *speakers = NULL;
    int error = whisp_model_find(!name || strcmp(name, "None") == 0 ? "speakers" : name, settings->model_dir, path,
                                 sizeof path);
    if (error == WHISP_OK)
        error = whisp_speakers_load(path, settings->options, speakers);
    if (error == WHISP_OK)
        return CODE_DONE;
    note_error("%s", whisp_last_error());
    return exit_code(error, CODE_MODEL);
}

/* The turns, as a file of them has them. */
static int print_turns(const whisp_result *result, const char *name, struct transcript *out)
{
    whisp_writer_options layout = {.size = sizeof layout};
    char *text, *recording = files_name(name);
    if (!recording)
        return note_memory();
    layout.recording = recording;
    int error = whisp_result_format(result, "rttm", &layout, &text, NULL);
    free(recording);
    if (error != WHISP_OK)
        return error;
    transcript_print(out, text);
    whisp_string_free(text);
    return WHISP_OK;
}

int speakers_find(const struct settings *settings, const whisp_speakers *speakers, const char *path, const char *name,
                  struct transcript *out, whisp_result **result)
{
    whisp_audio *audio = NULL;
    *result = NULL;
    int error = whisp_audio_open(path, &audio);
    if (error == WHISP_OK)
        error = whisp_speakers_diarize(speakers, audio, settings->options, result);
    if (*result && !settings->formats) {
        int printed = print_turns(*result, name, out);
        error = printed == WHISP_OK ? error : printed;
    }
    whisp_audio_free(audio);
    return error;
}
