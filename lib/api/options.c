/* options.c - whisp_options: one table of names, values, defaults and checks. --help, the Python module and the
 * documentation read the same table through whisp_option_list(). */
#include "api/options.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/languages.h"

enum kind {
    BOOLEAN,
    INTEGER,
    NUMBER,
    TEXT,
    LANGUAGE,
    LANGUAGES,
    DETECTION,
    TASK,
    TEMPERATURES,
    TOKENS,
    CLIPS,
    HEADS,
    BACKEND,
    DEVICE,
    COMPUTE_TYPE,
    CUT,
    BATCH
};

struct option {
    enum kind kind;
    int may_be_none;
    size_t offset; /* of the member of wh_values */
    double lo, hi; /* of INTEGER and NUMBER */
};

#define AT(member) offsetof(wh_values, member)

static const whisp_option_info infos[] = {
    {"language", "CODE|NAME|auto|None", "None",
     "language spoken in the recording, by code or English name; auto or None detects it"},
    {"languages", "CODE|NAME[,...]|None", "None",
     "the languages that may be spoken: what is detected, also with multilingual, is one of them"},
    {"language_detection", "speech|start", "speech",
     "which 30 seconds tell the language: the first ones in which somebody speaks, or the recording's first"},
    {"task", "transcribe|translate", "transcribe", "write what is said, or its translation into English"},
    {"initial_prompt", "TEXT|None", "None",
     "text that stands before the first window as if it had been said: names and spellings to expect"},
    {"initial_prompt_tokens", "ID[,ID...]|None", "None", "the same as the model's token ids"},
    {"carry_initial_prompt", "True|False", "False", "put initial_prompt before every window, not only the first"},
    {"prefix", "TEXT|None", "None",
     "text with which the transcript of the first window begins, as if it had been heard"},
    {"hotwords", "TEXT|None", "None",
     "words to expect: they stand before the previous text in the prompt of every window that prefix does not begin"},
    {"vocabulary", "FILE|None", "None",
     "text file of terms, one a line: each is written where the audio is in doubt and sounds like it"},
    {"condition_on_previous_text", "True|False", "True",
     "give each window the text before it; False makes loops of repeated text less likely"},
    {"temperature", "FLOAT[,FLOAT...]", "0.0,0.2,0.4,0.6,0.8,1.0",
     "0 takes the most probable token, above 0 samples; further values are tried when a decoding fails its thresholds"},
    {"temperature_increment_on_fallback", "FLOAT|None", "0.2",
     "with a single temperature: how much to add, up to 1.0, when a decoding fails; None never falls back"},
    {"best_of", "INT|None", "5", "candidates at temperatures above 0; the most probable one is kept"},
    {"beam_size", "INT|None", "None",
     "beams of the beam search at temperature 0; None or 1 takes the most probable token each time"},
    {"patience", "FLOAT|None", "None",
     "beam search goes on until beam_size times patience sequences have ended; None means 1; needs beam_size"},
    {"length_penalty", "FLOAT|None", "None",
     "exponent between 0 and 1 of the length penalty that ranks candidates; None ranks by mean log-probability"},
    {"repetition_penalty", "FLOAT", "1.0", "above 1 makes tokens that the window has already less likely"},
    {"no_repeat_ngram_size", "INT", "0", "sequences of so many tokens do not come twice in a window; 0 lets them"},
    {"sample_len", "INT|None", "None", "tokens in a window at most; None means half the decoder's context"},
    {"max_new_tokens", "INT|None", "None",
     "tokens in a window at most, which with the prompt must fit into the decoder's context"},
    {"compression_ratio_threshold", "FLOAT|None", "2.4",
     "a decoding whose text compresses better than this has failed: it repeats itself"},
    {"logprob_threshold", "FLOAT|None", "-1.0", "a decoding whose mean log-probability is lower has failed"},
    {"no_speech_threshold", "FLOAT|None", "0.6",
     "a window is silence if its no-speech probability is higher and its decoding fails logprob_threshold"},
    {"suppress_tokens", "ID[,ID...]|None", "-1",
     "tokens that are never written; -1 stands for symbols that nobody says; None suppresses nothing"},
    {"suppress_regex", "REGEX|None", "None",
     "POSIX extended regular expression; tokens whose whole text matches are never written"},
    {"suppress_blank", "True|False", "True", "forbid an empty beginning"},
    {"without_timestamps", "True|False", "False", "write text only, windows of 30 seconds one after the other"},
    {"max_initial_timestamp", "FLOAT|None", "1.0", "latest first timestamp in a window, in seconds"},
    {"multilingual", "True|False", "False", "detect the language again for each window"},
    {"word_timestamps", "True|False", "False", "find when each word is said, and refine the segments' times by it"},
    {"confidence", "True|False", "False",
     "find when each word is said and how likely it is right; the transcript stays as it is"},
    {"prepend_punctuations", "TEXT", "\"'“¿([{-", "word_timestamps: punctuation that belongs to the word after it"},
    {"append_punctuations", "TEXT", "\"'.。,，!！?？:：”)]}、",
     "word_timestamps: punctuation that belongs to the word before it"},
    {"alignment_heads", "auto|model|upper_half", "auto",
     "word_timestamps: the attention heads that tell the time; upper_half: all of the upper half of the decoder's "
     "layers; model: those that the model file names, if it does; auto: upper_half for tiny and base, else model"},
    {"clip_timestamps", "START,END[,START,END...]|None", "0",
     "transcribe only these parts of the recording, in seconds; the last END may be missing: up to the end"},
    {"hallucination_silence_threshold", "FLOAT|None", "None",
     "word_timestamps: skip silence longer than this, in seconds, around words that may be imagined"},
    {"hallucination_guard", "True|False", "True",
     "leave out text of windows and segments in which surely nobody speaks; False writes what the model imagines"},
    {"seed", "INT", "0", "of the random numbers at temperatures above 0; same seed, same words"},
    {"threads", "INT", "0", "threads for the computation; 0: one for each core this process may use"},
    {"backend", "auto|cpu|blas|cuda", "auto",
     "what computes: auto and cpu take the library's own matrix products, blas OpenBLAS's, cuda a GPU"},
    {"device", "cpu|cuda|cuda:INT|auto|INT", "auto",
     "where to compute, as openai-whisper has it: cuda and cuda:1 are the backend cuda and which GPU, cpu the CPU; "
     "auto is the CPU for now; a number says which GPU the backend cuda takes"},
    {"compute_type", "auto|f32|bf16|int8", "auto",
     "arithmetic of the products with weights: f32 (float32) gives openai-whisper's words, bf16 (bfloat16) is close to it, "
     "int8 (8-bit integers) is the fastest; auto is int8 where the CPU has AVX2 or more; CTranslate2's names are "
     "taken, too: float16 is float32 on a CPU, int8_float32 is int8, default is auto"},
    {"split_stereo", "True|False", "False",
     "a speaker a channel: transcribe the two channels of a recording apart and merge their segments by time, labelled"},
    {"stream_step", "FLOAT", "0.4", "live transcription: seconds of sound from one pass to the next"},
    {"cut", "auto|off|SECONDS", "auto",
     "cut long recordings at pauses into parts of about so many seconds that are transcribed side by side; auto cuts "
     "those of more than five minutes; off is openai-whisper's way, each window knows the text before it"},
    {"batch_size", "auto|INT", "auto", "parts that are transcribed at a time; changes the speed, not the words"},
    {"vad_filter", "True|False", "False",
     "take out what is not speech before transcribing, by voice activity detection; times stay the recording's own"},
    {"vad_threshold", "FLOAT", "0.5", "probability from which a part is speech"},
    {"vad_neg_threshold", "FLOAT|None", "None",
     "probability below which speech pauses; None: 0.15 below vad_threshold, at least 0.01"},
    {"vad_min_speech_duration_ms", "INT", "0", "speech that is not longer than this is dropped"},
    {"vad_max_speech_duration_s", "FLOAT|None", "None",
     "longer speech is cut, after its last pause of 98 ms if it has one; None: never"},
    {"vad_min_silence_duration_ms", "INT", "2000", "pause that ends speech"},
    {"vad_speech_pad_ms", "INT", "400", "how much is kept before and after speech"},
    {"vad_model", "NAME|PATH|None", "None",
     "the voice activity model, by path or name; None: silero-vad beside the model or in the model folders"},
};

static const struct option options_[] = {
    {LANGUAGE, 1, AT(language), 0, 0},
    {LANGUAGES, 1, AT(languages), 0, 0},
    {DETECTION, 0, AT(detects_at_start), 0, 0},
    {TASK, 0, AT(translate), 0, 0},
    {TEXT, 1, AT(initial_prompt), 0, 0},
    {TOKENS, 1, AT(initial_prompt_tokens), 0, 0},
    {BOOLEAN, 0, AT(carry_initial_prompt), 0, 0},
    {TEXT, 1, AT(prefix), 0, 0},
    {TEXT, 1, AT(hotwords), 0, 0},
    {TEXT, 1, AT(vocabulary), 0, 0},
    {BOOLEAN, 0, AT(condition_on_previous_text), 0, 0},
    {TEMPERATURES, 0, AT(temperatures), 0, 10},
    {NUMBER, 1, AT(temperature_increment), 0.01, 10},
    {INTEGER, 1, AT(best_of), 1, WH_MAX_CANDIDATES},
    {INTEGER, 1, AT(beam_size), 1, WH_MAX_CANDIDATES},
    {NUMBER, 1, AT(patience), 0, 100},
    {NUMBER, 1, AT(length_penalty), 0, 1},
    {NUMBER, 0, AT(repetition_penalty), 0.01, 100},
    {INTEGER, 0, AT(no_repeat_ngram_size), 0, 8192},
    {INTEGER, 1, AT(sample_len), 1, 8192},
    {INTEGER, 1, AT(max_new_tokens), 1, 8192},
    {NUMBER, 1, AT(compression_ratio_threshold), -1e9, 1e9},
    {NUMBER, 1, AT(logprob_threshold), -1e9, 1e9},
    {NUMBER, 1, AT(no_speech_threshold), -1e9, 1e9},
    {TOKENS, 1, AT(suppress_tokens), 0, 0},
    {TEXT, 1, AT(suppress_regex), 0, 0},
    {BOOLEAN, 0, AT(suppress_blank), 0, 0},
    {BOOLEAN, 0, AT(without_timestamps), 0, 0},
    {NUMBER, 1, AT(max_initial_timestamp), 0, 30},
    {BOOLEAN, 0, AT(multilingual), 0, 0},
    {BOOLEAN, 0, AT(word_timestamps), 0, 0},
    {BOOLEAN, 0, AT(confidence), 0, 0},
    {TEXT, 0, AT(prepend_punctuations), 0, 0},
    {TEXT, 0, AT(append_punctuations), 0, 0},
    {HEADS, 0, AT(heads), 0, 0},
    {CLIPS, 1, AT(clip_timestamps), 0, 0},
    {NUMBER, 1, AT(hallucination_silence_threshold), 0, 1e9},
    {BOOLEAN, 0, AT(hallucination_guard), 0, 0},
    {INTEGER, 0, AT(seed), -9.2e18, 9.2e18},
    {INTEGER, 0, AT(threads), 0, 1024},
    {BACKEND, 0, AT(backend), 0, 0},
    {DEVICE, 0, AT(device), 0, WH_MOST_DEVICES},
    {COMPUTE_TYPE, 0, AT(compute_type), 0, 0},
    {BOOLEAN, 0, AT(split_stereo), 0, 0},
    {NUMBER, 0, AT(stream_step), 0.1, 10},
    {CUT, 0, AT(cut_seconds), 5, 86400},
    {BATCH, 0, AT(batch_size), 1, 64},
    {BOOLEAN, 0, AT(vad_filter), 0, 0},
    {NUMBER, 0, AT(vad_threshold), 0, 1},
    {NUMBER, 1, AT(vad_neg_threshold), 0, 1},
    {INTEGER, 0, AT(vad_min_speech_duration_ms), 0, 3600000},
    {NUMBER, 1, AT(vad_max_speech_duration_s), 0.1, 1e6},
    {INTEGER, 0, AT(vad_min_silence_duration_ms), 0, 3600000},
    {INTEGER, 0, AT(vad_speech_pad_ms), 0, 600000},
    {TEXT, 1, AT(vad_model), 0, 0},
};

#define N_OPTIONS WH_COUNT(infos)
_Static_assert(WH_COUNT(infos) == WH_COUNT(options_), "one row in each table for each option");
_Static_assert(WH_COUNT(infos) <= WH_MAX_OPTIONS, "room for each option's text");

static const whisp_option_info *pointers[N_OPTIONS];

static void fill_pointers(void)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        pointers[i] = &infos[i];
}

const whisp_option_info *const *whisp_option_list(size_t *n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_pointers);
    if (n)
        *n = N_OPTIONS;
    return pointers;
}

static int refuse(size_t i, const char *value, const char *why)
{
    return wh_fail(WHISP_ERR_ARGUMENT, "option %s: '%s' is not acceptable: %s (%s)", infos[i].name, value, why,
                   infos[i].values);
}

static int refuse_range(size_t i, const char *value)
{
    char why[96];
    snprintf(why, sizeof why, "it must be within %.15g to %.15g", options_[i].lo, options_[i].hi);
    return refuse(i, value, why);
}

/* "0.0,0.2" -> numbers; each in 0..10. */
static int parse_temperatures(size_t i, const char *value, wh_values *v)
{
    v->n_temperatures = 0;
    const char *p = value;
    for (;;) {
        const char *comma = strchr(p, ',');
        size_t n = comma ? (size_t)(comma - p) : strlen(p);
        char item[64];
        double t;
        if (n >= sizeof item)
            return refuse(i, value, "a number is expected");
        memcpy(item, p, n);
        item[n] = 0;
        if (!wh_parse_double(item, &t))
            return refuse(i, value, "a number is expected");
        if (t < options_[i].lo || t > options_[i].hi)
            return refuse_range(i, value);
        if (v->n_temperatures == WH_MAX_TEMPERATURES)
            return refuse(i, value, "too many numbers");
        v->temperatures[v->n_temperatures++] = t;
        if (!comma)
            break;
        p = comma + 1;
    }
    v->temperature_given = 1;
    return WHISP_OK;
}

static int check_clips(size_t i, const char *value)
{
    double *times;
    size_t n;
    const char *problem;
    int rc = wh_parse_clips(value, &times, &n, &problem);
    free(times);
    return rc == WHISP_ERR_ARGUMENT ? refuse(i, value, problem) : rc;
}

static int check_tokens(size_t i, const char *value)
{
    if (!*value)
        return WHISP_OK;
    for (const char *p = value;; p++) {
        char *end;
        errno = 0;
        long id = strtol(p, &end, 10);
        while (*end == ' ')
            end++;
        if (end == p || errno || id < -1 || id > INT32_MAX || (*end && *end != ','))
            return refuse(i, value, "token ids separated by commas are expected");
        if (!*end)
            return WHISP_OK;
        p = end;
    }
}

/* The next of the languages in *list, which moves on behind its comma: its index, or -1 for an unknown one. */
static int next_language(const char **list)
{
    char name[64];
    const char *p = *list + strspn(*list, " ");
    size_t length = strcspn(p, ","), n = length;
    *list = p + length + (p[length] == ',');
    while (n > 0 && p[n - 1] == ' ')
        n--;
    if (n == 0 || n >= sizeof name)
        return -1;
    memcpy(name, p, n);
    name[n] = 0;
    return wh_language_find(name);
}

static int check_languages(size_t i, const char *value)
{
    const char *p = value;
    do
        if (next_language(&p) < 0)
            return refuse(i, value, "codes such as en, de, ja or English names are expected, with commas between them");
    while (*p);
    return WHISP_OK;
}

int wh_options_has_language(const wh_values *v, int i)
{
    const char *p = v->languages;
    while (p && *p)
        if (next_language(&p) == i)
            return 1;
    return !v->languages;
}

/* Parse `value` into *v; strings point to `text`, the copy that will live in the options. */
static int parse(size_t i, const char *value, const char *text, wh_values *v)
{
    const struct option *o = &options_[i];
    void *member = (char *)v + o->offset;
    int none = o->may_be_none && strcmp(value, "None") == 0;
    int64_t n;
    double x;
    switch (o->kind) {
    case BOOLEAN:
        if (strcmp(value, "True") && strcmp(value, "False"))
            return refuse(i, value, "True or False is expected");
        *(int *)member = strcmp(value, "True") == 0;
        return WHISP_OK;
    case INTEGER:
        n = o->offset == AT(best_of); /* None: one candidate; 0 elsewhere */
        if (!none && !wh_parse_int(value, &n))
            return refuse(i, value, "a whole number is expected");
        if (!none && ((double)n < o->lo || (double)n > o->hi))
            return refuse_range(i, value);
        if (o->offset == AT(seed))
            *(int64_t *)member = n;
        else
            *(int *)member = (int)n;
        return WHISP_OK;
    case NUMBER:
        x = NAN;
        if (!none && !wh_parse_double(value, &x))
            return refuse(i, value, "a number is expected");
        if (!none && (x < o->lo || x > o->hi))
            return refuse_range(i, value);
        *(double *)member = x;
        if (o->offset == AT(temperature_increment))
            v->increment_given = 1;
        return WHISP_OK;
    case LANGUAGE:
        none |= strcmp(value, "auto") == 0;
        v->language = none ? -1 : wh_language_find(value);
        if (!none && v->language < 0)
            return refuse(i, value, "no such language; give a code such as en, de, ja or an English name");
        return WHISP_OK;
    case LANGUAGES:
        if (!none && check_languages(i, value))
            return WHISP_ERR_ARGUMENT;
        v->languages = none ? NULL : text;
        return WHISP_OK;
    case DETECTION:
        if (strcmp(value, "speech") && strcmp(value, "start"))
            return refuse(i, value, "no such place");
        v->detects_at_start = strcmp(value, "start") == 0;
        return WHISP_OK;
    case TASK:
        if (strcmp(value, "transcribe") && strcmp(value, "translate"))
            return refuse(i, value, "no such task");
        v->translate = strcmp(value, "translate") == 0;
        return WHISP_OK;
    case TEMPERATURES: return parse_temperatures(i, value, v);
    case TOKENS:
        if (!none && check_tokens(i, value))
            return WHISP_ERR_ARGUMENT;
        *(const char **)member = none ? NULL : text;
        return WHISP_OK;
    case HEADS:
        if (strcmp(value, "auto") && strcmp(value, "model") && strcmp(value, "upper_half"))
            return refuse(i, value, "no such choice of heads");
        v->heads = !strcmp(value, "auto") ? WH_HEADS_AUTO : !strcmp(value, "model") ? WH_HEADS_MODEL : WH_HEADS_UPPER;
        return WHISP_OK;
    case CLIPS:
        if (!none && (check_clips(i, value)))
            return WHISP_ERR_ARGUMENT;
        v->clip_timestamps = none ? NULL : text;
        return WHISP_OK;
    case TEXT: *(const char **)member = none ? NULL : text; return WHISP_OK;
    case CUT:
        v->cut_off = strcmp(value, "off") == 0;
        v->cut_seconds = NAN;
        if (v->cut_off || strcmp(value, "auto") == 0)
            return WHISP_OK;
        if (!wh_parse_double(value, &x))
            return refuse(i, value, "auto, off or seconds are expected");
        if (x < o->lo || x > o->hi)
            return refuse_range(i, value);
        v->cut_seconds = x;
        return WHISP_OK;
    case BATCH:
        n = 0;
        if (strcmp(value, "auto") && !wh_parse_int(value, &n))
            return refuse(i, value, "auto or a whole number is expected");
        if (strcmp(value, "auto") && ((double)n < o->lo || (double)n > o->hi))
            return refuse_range(i, value);
        v->batch_size = (int)n;
        return WHISP_OK;
    case BACKEND:
        if (strcmp(value, "auto") && strcmp(value, "cpu") && strcmp(value, "blas") && strcmp(value, "cuda"))
            return refuse(i, value, "no such backend in this build");
        v->backend_given = text;
        return WHISP_OK;
    case DEVICE:
        if (!wh_device_named(value, &v->device_kind, &v->device))
            return refuse(i, value, "no such device");
        return v->device < 0 ? refuse_range(i, value) : WHISP_OK;
    case COMPUTE_TYPE:
        if (!wh_compute_name(value))
            return refuse(i, value, "no such arithmetic in this build");
        v->compute_given = wh_compute_name(value);
        return WHISP_OK;
    }
    return WHISP_OK;
}

static int find_option(const char *name, size_t *i)
{
    for (*i = 0; *i < N_OPTIONS; (*i)++)
        if (strcmp(infos[*i].name, name) == 0)
            return 1;
    return 0;
}

int whisp_options_set(whisp_options *options, const char *name, const char *value)
{
    size_t i;
    if (!options || !name || !value)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_options_set: an argument is NULL");
    if (!find_option(name, &i))
        return wh_fail(WHISP_ERR_ARGUMENT, "there is no option '%s'", name);
    char *text = strdup(value);
    if (!text)
        return wh_fail_memory();
    wh_values values = options->values;
    int rc = parse(i, value, text, &values);
    if (rc) {
        free(text);
        return rc;
    }
    if (values.backend_given && values.compute_given) /* from the moment on when all have their defaults */
        wh_settle_device(&values);
    options->values = values;
    free(options->texts[i]);
    options->texts[i] = text;
    return WHISP_OK;
}

const char *whisp_options_get(const whisp_options *options, const char *name)
{
    size_t i;
    return options && name && find_option(name, &i) ? options->texts[i] : NULL;
}

whisp_options *whisp_options_new(void)
{
    whisp_options *options = wh_calloc(1, sizeof *options);
    if (!options) {
        wh_fail_memory();
        return NULL;
    }
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (whisp_options_set(options, infos[i].name, infos[i].initial)) {
            whisp_options_free(options);
            return NULL;
        }
    options->values.temperature_given = options->values.increment_given = 0;
    return options;
}

void whisp_options_free(whisp_options *options)
{
    if (!options)
        return;
    for (size_t i = 0; i < N_OPTIONS; i++)
        free(options->texts[i]);
    free(options);
}

whisp_options *wh_options_copy(const whisp_options *options)
{
    whisp_options *copy = whisp_options_new();
    if (!copy || !options)
        return copy;
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (whisp_options_set(copy, infos[i].name, options->texts[i])) {
            whisp_options_free(copy);
            return NULL;
        }
    copy->values.temperature_given = options->values.temperature_given;
    copy->values.increment_given = options->values.increment_given;
    copy->log = options->log;
    copy->progress = options->progress;
    copy->segment = options->segment;
    copy->cancel = options->cancel;
    copy->log_user = options->log_user;
    copy->progress_user = options->progress_user;
    copy->segment_user = options->segment_user;
    copy->cancel_user = options->cancel_user;
    return copy;
}

int wh_options_check(const wh_values *v)
{
    if (!isnan(v->patience) && !v->beam_size)
        return wh_fail(WHISP_ERR_ARGUMENT, "option patience: it belongs to beam search; give beam_size too");
    if (v->patience > 0 && nearbyint(v->beam_size * v->patience) < 1)
        return wh_fail(WHISP_ERR_ARGUMENT, "option patience: %g times beam_size %d leaves no sequence to wait for",
                       v->patience, v->beam_size);
    if (v->sample_len && v->max_new_tokens && v->sample_len != v->max_new_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "options sample_len %d and max_new_tokens %d contradict each other; give one of "
                       "them",
                       v->sample_len, v->max_new_tokens);
    int is_cuda = strcmp(v->backend, "cuda") == 0;
    if ((v->device_kind == WH_DEVICE_CUDA && !is_cuda) || (v->device_kind == WH_DEVICE_CPU && is_cuda))
        return wh_fail(WHISP_ERR_ARGUMENT, "options device %s and backend %s contradict each other; give one of them",
                       is_cuda ? "cpu" : "cuda", v->backend);
    if (v->initial_prompt && v->initial_prompt_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT, "options initial_prompt and initial_prompt_tokens exclude each other");
    if (v->vad_neg_threshold > v->vad_threshold)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "option vad_neg_threshold: speech cannot pause below %g when it begins at "
                       "vad_threshold %g; give one that is not above it",
                       v->vad_neg_threshold, v->vad_threshold);
    return WHISP_OK;
}

int wh_options_temperatures(const wh_values *v, double *temperatures)
{
    /* The default list is kept as it is; a value given alone, or an increment given alone, is counted up from. */
    int one = v->temperature_given ? v->n_temperatures == 1 : v->increment_given;
    if (!one) {
        memcpy(temperatures, v->temperatures, (size_t)v->n_temperatures * sizeof *temperatures);
        return v->n_temperatures;
    }
    double start = v->temperatures[0];
    temperatures[0] = start;
    if (isnan(v->temperature_increment))
        return 1;
    double count = ceil((1.0 + 1e-6 - start) / v->temperature_increment);
    int n = count < 1 ? 1 : count > WH_MAX_TEMPERATURES ? WH_MAX_TEMPERATURES : (int)count;
    for (int i = 1; i < n; i++)
        temperatures[i] = start + i * v->temperature_increment;
    return n;
}
