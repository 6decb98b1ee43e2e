/* parity.c - how close the words are to openai-whisper's: `make parity` prints the table, `make test` holds its bounds.
 *
 * For each model and each clip with an answer under ../shared/reference, at the single temperature 0:
 *   teacher-forced   the reference's tokens are fed; how often is our best token another one, and how often by a lead
 *                    of 0.01 or more (bound: 1 in 500); greedy sets only
 *   words            when each word is said: how many begin or end more than 0.02 s from the reference's (bound: 1 in
 *                    100), and the largest difference (bound: 0.2 s)
 *   free running     our own transcription against the reference's: words, tokens, segment times (bounds by clip below)
 *
 * The set `options` stands for all of CLIP.options.json, where each answer comes with its options.
 *
 * The reference's samples come from ffmpeg, ours from libsndfile: clips that are not 16 kHz, or that decoders decode
 * differently, have looser bounds. With --ffmpeg both samples come from ffmpeg, and everything must be the same.
 *
 * usage: parity [--ffmpeg] [--models tiny.en,base] [--sets greedy,beam5,no_condition,prompt,translate,options] [CLIP]
 * Exit status 1 when a bound is broken. The last line counts the rows: "N passed, N failed". */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output/result.h"
#include "search/search.h"
#include "mel/mel.h"
#include "support/testing.h"
#include "support/calls.h"

/* What a clip is bound by: SAME everything; WORDS the same words (it is resampled, by another resampler there); FEW at
 * most 5% of the words differ (decoders differ there, or the reference loops). */
enum bound { SAME, WORDS, FEW };
static const struct {
    const char *clip;
    enum bound bound;
} clips[] = {
    {"jfk.flac", WORDS},
    {"jfk.mp3", SAME},
    {"night_8s_do_you_live_here.wav", SAME},
    {"night_12s_if_anything_should_try_to_break_in.wav", SAME},
    {"night_119s_theres_supposed_to_be_another_broadcast.wav", SAME},
    {"night_45s_dont_be_afraid_of_me.wav", FEW},
    {"stereo_diarization.wav", SAME},
    {"hotwords.mp3", WORDS},
    {"italian.ogg", WORDS},
    {"multilingual.mp3", FEW},
};

/* Where other samples lead elsewhere: the beams' best two are closer together than the difference. */
static const struct {
    const char *model, *set, *clip;
    int percent; /* of the words may differ */
} exceptions[] = {
    {"base", "beam5", "multilingual.mp3", 20},
};
static int use_ffmpeg;

struct set {
    const char *name;
    const char *options[3][2]; /* beside temperature 0 */
    int free_only;             /* nothing to force: its tokens are not the most probable, or windows are not known */
    const json_t *values;      /* further options, or NULL */
};
static const struct set sets[] = {
    {.name = "greedy"},
    {.name = "beam5", .options = {{"beam_size", "5"}}, .free_only = 1},
    {.name = "no_condition", .options = {{"condition_on_previous_text", "False"}}},
    {.name = "prompt", .options = {{"initial_prompt", "ComfyUI, Recsperts, ShareChat"}}},
    {.name = "translate", .options = {{"task", "translate"}}},
    {.name = "greedy_words", .options = {{"word_timestamps", "True"}}, .free_only = 1},
};
#define ALL_SETS "greedy,greedy_words,beam5,no_condition,prompt,translate,options"

struct row {
    int tokens, differ, differ_clearly; /* teacher-forced */
    int words, word_edits;
    int same_tokens, same_times;
    int timed, timed_off; /* words with times; those more than 0.02 s away */
    double worst;         /* seconds */
    char note[512];
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "parity: %s: %s\n", what, whisp_last_error());
    exit(1);
}

/* A value of the options file as whisp_options_set() takes it. */
static int set_value(whisp_options *options, const char *name, const json_t *value)
{
    char text[512] = "None";
    if (json_is_boolean(value))
        snprintf(text, sizeof text, "%s", json_is_true(value) ? "True" : "False");
    else if (json_is_string(value))
        snprintf(text, sizeof text, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof text, "%.17g", json_real_value(value));
    return whisp_options_set(options, name, text);
}

static const char *compute_type = "f32";

static whisp_options *make_options(const struct set *set)
{
    const char *key;
    json_t *value;
    whisp_options *o = whisp_options_new();
    int rc = whisp_options_set(o, "temperature", "0");
    rc |= whisp_options_set(o, "temperature_increment_on_fallback", "None");
    rc |= whisp_options_set(o, "compute_type", compute_type);
    rc |= whisp_options_set(o, "cut", "off");
    for (int i = 0; i < 3 && set->options[i][0]; i++)
        rc |= whisp_options_set(o, set->options[i][0], set->options[i][1]);
    json_object_foreach((json_t *)set->values, key, value) rc |= set_value(o, key, value);
    if (rc)
        die("options");
    return o;
}

/* ---- teacher-forced ---- */

/* As load_audio() in openai-whisper has it decoded. */
static float *read_with_ffmpeg(const char *path, size_t *n)
{
    char command[2048];
    float *samples = NULL;
    size_t capacity = 0, got;
    int16_t block[8192];
    snprintf(command, sizeof command,
             "ffmpeg -nostdin -loglevel fatal -threads 0 -i '%s' -f s16le -ac 1 -acodec "
             "pcm_s16le -ar 16000 -",
             path);
    FILE *pipe = popen(command, "r");
    *n = 0;
    while (pipe && (got = fread(block, sizeof block[0], WH_COUNT(block), pipe)) > 0) {
        if (wh_grow(&samples, &capacity, *n + got, sizeof *samples))
            die("memory");
        for (size_t i = 0; i < got; i++)
            samples[(*n)++] = (float)block[i] / 32768;
    }
    if (!pipe || pclose(pipe) != 0 || !*n) {
        fprintf(stderr, "parity: %s: ffmpeg failed\n", path);
        exit(1);
    }
    return samples;
}

static float *read_audio(const char *path, size_t *n)
{
    if (use_ffmpeg)
        return read_with_ffmpeg(path, n);
    whisp_audio *audio;
    float *samples = NULL;
    size_t capacity = 0;
    int64_t got;
    *n = 0;
    if (whisp_audio_open(path, &audio))
        die("audio");
    do {
        if (*n + 16384 > capacity) {
            capacity = capacity * 2 + 65536;
            samples = realloc(samples, capacity * sizeof *samples);
        }
        got = whisp_audio_read(audio, samples + *n, 16384);
        *n += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    whisp_audio_free(audio);
    return samples;
}

static double number(const json_t *segment, const char *key)
{
    return json_number_value(json_object_get(segment, key));
}

/* Segments of one window share its statistics. */
static int same_window(const json_t *a, const json_t *b)
{
    return number(a, "avg_logprob") == number(b, "avg_logprob") &&
           number(a, "no_speech_prob") == number(b, "no_speech_prob") &&
           number(a, "compression_ratio") == number(b, "compression_ratio");
}

/* Feed a window's known tokens and compare our best token at each place. */
static void force_window(wh_backend *backend, wh_search *search, const whisp_model *model, const int32_t *tokens, int n,
                         double at, struct row *row)
{
    size_t vocab = (size_t)model->n_vocab;
    float *logits = malloc((size_t)n * vocab * sizeof *logits);
    int *rows = malloc((size_t)n * sizeof *rows);
    whisp_token *sampled = calloc((size_t)n, sizeof *sampled);
    for (int i = 0; i < n; i++) {
        rows[i] = i;
        sampled[i].id = tokens[i];
    }
    wh_step step = {.slot = 0, .n_tokens = n, .tokens = tokens, .n_rows = n, .rows = rows, .logits = logits};
    if (wh_backend_decode(backend, 1, &step))
        die("decode");
    float *line = malloc(vocab * sizeof *line);
    for (int i = 0; i < n; i++) {
        memcpy(line, i ? logits + (size_t)(i - 1) * vocab : wh_search_first_logits(search), vocab * sizeof *line);
        wh_search_filter(search, line, sampled, (size_t)i);
        size_t best = 0;
        for (size_t k = 1; k < vocab; k++)
            if (line[k] > line[best])
                best = k;
        row->tokens++;
        if ((int32_t)best == tokens[i])
            continue;
        double lead = (double)line[best] - line[tokens[i]];
        row->differ++;
        row->differ_clearly += !(lead < 1e-2);
        size_t used = strlen(row->note);
        snprintf(row->note + used, sizeof row->note - used, " [window at %.2f s, token %d: %zu for %d by %.4f]", at, i,
                 best, (int)tokens[i], lead);
    }
    free(line);
    free(sampled);
    free(rows);
    free(logits);
}

/* Where the window began whose first and last segments these are. A segment's start counts from there; but a window
 * without a pair of times is one segment from the window's beginning on, whatever its first time says. */
static double window_offset(const json_t *first, const json_t *last, int timestamp_begin)
{
    const json_t *ids = json_object_get(first, "tokens");
    json_int_t opening = json_integer_value(json_array_get(ids, 0)) - timestamp_begin;
    json_int_t closing = json_integer_value(json_array_get(ids, json_array_size(ids) - 1)) - timestamp_begin;
    double start = number(first, "start"), lasts = number(first, "end") - start;
    int pair = closing > 0 && fabs(lasts - (double)(closing - opening) * 0.02) < 1e-6;
    return first == last && !pair ? start : start - (double)opening * 0.02;
}

static void teacher_forced(const whisp_model *model, const char *path, const json_t *answer, const struct set *set,
                           struct row *row)
{
    size_t n_samples, n_initial = 0, capacity = 0;
    float *samples = read_audio(path, &n_samples);
    whisp_options *options = make_options(set);
    const wh_specials *sp = wh_tokenizer_specials(model->tokenizer);
    wh_backend_config config = {.n_slots = 1, .compute = wh_compute_named(compute_type)};
    wh_backend *backend;
    wh_search *search;
    wh_mel *mel;
    whisp_timings timings = {0};
    if (wh_backend_new("auto", model, &config, &backend) || wh_search_new(model, options, backend, &timings, &search) ||
        wh_mel_new(model->n_mels, model->mel_filters, n_samples / WH_HOP + 4000, &mel))
        die("teacher-forced");
    wh_mel_push(mel, samples, n_samples);
    wh_mel_finish(mel);
    wh_mel_set_loudest(mel, wh_mel_loudest(mel, wh_mel_content(mel)));
    free(samples);

    int32_t *history = NULL;
    const char *prompt = options->values.initial_prompt;
    char spaced[256];
    snprintf(spaced, sizeof spaced, " %s", prompt ? prompt : "");
    if (prompt)
        wh_tokenizer_encode(model->tokenizer, spaced, strlen(spaced), &history, &n_initial, &capacity);
    size_t n_history = n_initial;
    int language = wh_language_find(json_string_value(json_object_get(answer, "language")));
    float *window = malloc(sizeof(float) * WH_WINDOW_FRAMES * (size_t)model->n_mels);
    const json_t *segments = json_object_get(answer, "segments");
    size_t count = json_array_size(segments);
    for (size_t first = 0, next; first < count; first = next) {
        const json_t *head = json_array_get(segments, first);
        for (next = first + 1; next < count && same_window(head, json_array_get(segments, next)); next++)
            ;
        int32_t forced[512];
        int n = 0;
        for (size_t k = first; k < next; k++) {
            const json_t *ids = json_object_get(json_array_get(segments, k), "tokens");
            if (json_array_size(ids) == 0) /* a cleared segment: its tokens are not known, nor what follows it */
                break;
            for (size_t i = 0; i < json_array_size(ids) && n < 448; i++)
                forced[n++] = (int32_t)json_integer_value(json_array_get(ids, i));
        }
        if (n) {
            double offset = window_offset(head, json_array_get(segments, next - 1), sp->timestamp_begin);
            int64_t seek = (int64_t)lround(offset * 100), content = wh_mel_content(mel);
            wh_mel_window(mel, seek, content - seek < WH_WINDOW_FRAMES ? content - seek : WH_WINDOW_FRAMES, WH_PAD_MEL,
                          window);
            const float *windows = window;
            static const int slot = 0;
            if (wh_backend_encode(backend, 1, &windows, &slot) || wh_search_begin(search, history, n_history, language))
                die("teacher-forced");
            force_window(backend, search, model, forced, n, offset, row);
        }
        for (size_t k = first; k < next; k++) {
            const json_t *ids = json_object_get(json_array_get(segments, k), "tokens");
            if (wh_grow(&history, &capacity, n_history + json_array_size(ids), sizeof *history))
                die("memory");
            for (size_t i = 0; i < json_array_size(ids); i++)
                history[n_history++] = (int32_t)json_integer_value(json_array_get(ids, i));
        }
        if (!options->values.condition_on_previous_text) /* carried, the initial prompt stays */
            n_history = options->values.carry_initial_prompt ? n_initial : 0;
    }
    free(window);
    free(history);
    wh_mel_free(mel);
    wh_search_free(search);
    wh_backend_free(backend);
    whisp_options_free(options);
}

/* ---- free running ---- */

/* Cut text at white space in place; *words is free()d by the caller. */
static size_t split(char *text, char ***words)
{
    size_t n = 0;
    *words = malloc((strlen(text) / 2 + 2) * sizeof **words);
    for (char *w = strtok(text, " \n\t"); w; w = strtok(NULL, " \n\t"))
        (*words)[n++] = w;
    return n;
}

/* Levenshtein's distance over words. */
static int edits(const char *a, const char *b, int *n_words)
{
    char *ta = strdup(a), *tb = strdup(b), **wa, **wb;
    size_t na = split(ta, &wa), nb = split(tb, &wb);
    int *line = malloc((nb + 1) * sizeof *line);
    for (size_t j = 0; j <= nb; j++)
        line[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = line[0];
        line[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int up = line[j], best = diagonal + (strcmp(wa[i - 1], wb[j - 1]) != 0);
            best = best < up + 1 ? best : up + 1;
            best = best < line[j - 1] + 1 ? best : line[j - 1] + 1;
            diagonal = up;
            line[j] = best;
        }
    }
    int distance = line[nb];
    *n_words = (int)na;
    free(line);
    free(wa);
    free(wb);
    free(ta);
    free(tb);
    return distance;
}

/* Words of two segments in their order, up to the first that is another one. */
static void compare_words(const whisp_segment *ours, const json_t *theirs, struct row *row)
{
    const json_t *words = json_object_get(theirs, "words");
    for (size_t i = 0; i < ours->n_words && i < json_array_size(words); i++) {
        const json_t *word = json_array_get(words, i);
        if (strcmp(ours->words[i]->text, json_string_value(json_object_get(word, "word"))) != 0)
            return;
        double off = fmax(fabs(ours->words[i]->start - number(word, "start")),
                          fabs(ours->words[i]->end - number(word, "end")));
        row->timed++;
        row->timed_off += off > 0.02 + 1e-6;
        row->worst = fmax(row->worst, off);
    }
}

static void free_running(const whisp_model *model, const char *path, const json_t *answer, const struct set *set,
                         struct row *row)
{
    whisp_options *options = make_options(set);
    whisp_result *result;
    whisp_session *session;
    size_t n_samples = 0;
    float *samples = use_ffmpeg ? read_audio(path, &n_samples) : NULL;
    if (whisp_session_new(model, options, &session) ||
        (use_ffmpeg ? transcribe_samples(session, samples, n_samples, &result)
                    : transcribe_file(session, path, &result)))
        die("transcribe");
    whisp_session_free(session);
    free(samples);
    row->word_edits = edits(json_string_value(json_object_get(answer, "text")), whisp_result_text(result), &row->words);
    const json_t *segments = json_object_get(answer, "segments");
    size_t n = result_info(result).n_segments;
    row->same_tokens = row->same_times = n == json_array_size(segments);
    for (size_t i = 0; i < n && i < json_array_size(segments); i++) {
        const whisp_segment *ours = whisp_result_segment(result, i);
        const json_t *theirs = json_array_get(segments, i), *ids = json_object_get(theirs, "tokens");
        int same = ours->n_tokens == json_array_size(ids);
        for (size_t k = 0; same && k < ours->n_tokens; k++)
            same = ours->tokens[k].id == json_integer_value(json_array_get(ids, k));
        compare_words(ours, theirs, row);
        int times = fabs(ours->start - number(theirs, "start")) < 1e-6 &&
                    fabs(ours->end - number(theirs, "end")) < 1e-6;
        if ((!same || !times) && row->same_tokens && row->same_times) {
            size_t used = strlen(row->note);
            snprintf(row->note + used, sizeof row->note - used, " first apart at %.2f s:%s for%s", ours->start,
                     ours->text, json_string_value(json_object_get(theirs, "text")));
        }
        row->same_tokens &= same;
        row->same_times &= times;
    }
    if (strcmp(result_info(result).language, json_string_value(json_object_get(answer, "language"))) != 0)
        strcat(row->note, " language differs");
    whisp_result_free(result);
    whisp_options_free(options);
}

static int holds(const char *model_name, const char *set, size_t clip, const struct row *row)
{
    int forced = row->differ_clearly * 500 <= row->tokens;
    if (use_ffmpeg)
        return forced && row->word_edits == 0 && row->same_tokens && row->same_times;
    for (size_t i = 0; i < WH_COUNT(exceptions); i++)
        if (!strcmp(exceptions[i].model, model_name) && !strcmp(exceptions[i].set, set) &&
            !strcmp(exceptions[i].clip, clips[clip].clip))
            return row->word_edits * 100 <= row->words * exceptions[i].percent;
    enum bound bound = clips[clip].bound;
    if (bound != FEW && (row->worst > 0.2 + 1e-6 || (bound == SAME && row->timed_off * 100 > row->timed)))
        return 0;
    switch (bound) {
    case SAME: return forced && row->word_edits == 0 && row->same_tokens && row->same_times;
    case WORDS: return forced && row->word_edits == 0;
    case FEW: return row->word_edits * 20 <= row->words;
    }
    return 0;
}

static int contains(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = strstr(list, name); p; p = strstr(p + 1, name))
        if ((p == list || p[-1] == ',') && (p[n] == 0 || p[n] == ','))
            return 1;
    return 0;
}

static int passed, failed;

/* One line of the table. */
static void compare(const char *model_name, const whisp_model *model, size_t clip, const json_t *answer,
                    const struct set *set)
{
    struct row row = {0};
    char path[256], forced[64] = "-", words[64] = "";
    snprintf(path, sizeof path, "audio/%s", clips[clip].clip);
    if (!set->free_only) {
        teacher_forced(model, shared_path(path), answer, set, &row);
        snprintf(forced, sizeof forced, "%d, %3d (%2d)", row.tokens, row.differ, row.differ_clearly);
    }
    free_running(model, shared_path(path), answer, set, &row);
    if (row.timed)
        snprintf(words, sizeof words, "%d of %d, %.2f", row.timed_off, row.timed, row.worst);
    int good = holds(model_name, set->name, clip, &row);
    passed += good;
    failed += !good;
    printf("%-8s %-24s %-50.50s %19s %9d, %4d %7s %6s %16s%s%s\n", model_name, set->name, clips[clip].clip, forced,
           row.words, row.word_edits, row.same_tokens ? "same" : "differ", row.same_times ? "same" : "differ", words,
           good ? "" : "  OUT OF BOUND", row.note);
    fflush(stdout);
}

/* The first option of a set that this build does not have, or NULL. */
static const char *unknown_option(const json_t *values)
{
    whisp_options *o = whisp_options_new();
    const char *key, *unknown = NULL;
    json_t *value;
    json_object_foreach((json_t *)values, key, value) if (!whisp_options_get(o, key)) unknown = key;
    whisp_options_free(o);
    return unknown;
}

/* All sets of CLIP.options.json. */
static void compare_options(const char *model_name, const whisp_model *model, size_t clip)
{
    char path[256];
    const char *name, *unknown;
    json_t *answer;
    size_t stem = strcspn(clips[clip].clip, ".");
    snprintf(path, sizeof path, "reference/%s/%.*s.options.json", model_name, (int)stem, clips[clip].clip);
    json_t *answers = json_load_file(shared_path(path), 0, NULL);
    json_object_foreach(answers, name, answer)
    {
        const json_t *values = json_object_get(answer, "options");
        /* beams' tokens are not the most probable ones; with clips and word times windows do not follow from the answer */
        int free_only = json_object_get(values, "beam_size") || json_object_get(values, "clip_timestamps") ||
                        json_object_get(values, "word_timestamps");
        struct set set = {.name = name, .values = values, .free_only = free_only};
        if ((unknown = unknown_option(values)))
            printf("skipped: %s %s: there is no option %s\n", model_name, name, unknown);
        else
            compare(model_name, model, clip, answer, &set);
    }
    json_decref(answers);
}

int main(int argc, char **argv)
{
    const char *models = "tiny.en,base", *wanted = ALL_SETS, *one = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--models") == 0 && i + 1 < argc)
            models = argv[++i];
        else if (strcmp(argv[i], "--sets") == 0 && i + 1 < argc)
            wanted = argv[++i];
        else if (strcmp(argv[i], "--compute_type") == 0 && i + 1 < argc)
            compute_type = argv[++i]; /* the bounds are float32's */
        else if (strcmp(argv[i], "--ffmpeg") == 0)
            use_ffmpeg = 1;
        else
            one = argv[i];
    }
    if (!shared_path("reference"))
        return 0;
    printf("%-8s %-24s %-50s %19s %15s %7s %6s %16s\n", "model", "options", "clip", "forced: tokens, off",
           "words, edits", "tokens", "times", "words off, worst");
    static const char *const names[] = {"tiny.en", "base"};
    for (size_t m = 0; m < 2; m++) {
        whisp_model *model;
        if (!contains(models, names[m]) || !model_path(names[m]))
            continue;
        if (whisp_model_load(model_path(names[m]), NULL, &model))
            die("model");
        for (size_t c = 0; c < sizeof clips / sizeof clips[0]; c++) {
            if (one && !strstr(clips[c].clip, one))
                continue;
            char name[256];
            snprintf(name, sizeof name, "reference/%s/%s.transcribe.json", names[m], clips[c].clip);
            json_t *answers = json_load_file(shared_path(name), 0, NULL);
            for (size_t k = 0; answers && k < sizeof sets / sizeof sets[0]; k++) {
                const json_t *answer = json_object_get(answers, sets[k].name);
                if (answer && contains(wanted, sets[k].name))
                    compare(names[m], model, c, answer, &sets[k]);
            }
            json_decref(answers);
            if (contains(wanted, "options"))
                compare_options(names[m], model, c);
        }
        whisp_model_free(model);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
