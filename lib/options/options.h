/* options.h - the values behind whisp_options, parsed and checked, as the rooms above read them. The rows that they come
 * from are in table.c (row.h says what else there is). */
#ifndef WH_OPTIONS_H
#define WH_OPTIONS_H

#include "util/util.h"

#define WH_MAX_TEMPERATURES 64
#define WH_MAX_CANDIDATES 16

#define WH_MOST_DEVICES 1023

enum wh_heads { WH_HEADS_AUTO, WH_HEADS_MODEL, WH_HEADS_UPPER };

/* What the option device says about the backend: nothing (auto, or a number only), or which one. */
enum wh_device { WH_DEVICE_OPEN, WH_DEVICE_CPU, WH_DEVICE_CUDA };

typedef struct wh_values {
    int translate;
    int language;          /* index of wh_language_code(), or -1: detect */
    const char *languages; /* codes and names with commas between them; NULL: None, any; belongs to the options */
    int detects_at_start;  /* language_detection start: from the first 30 s, whatever they hold */
    double temperatures[WH_MAX_TEMPERATURES];
    int n_temperatures;           /* as given; see wh_options_temperatures() */
    double temperature_increment; /* NaN: None */
    int temperature_given, increment_given;
    int best_of;                    /* candidates at temperatures above 0 */
    int beam_size;                  /* beams at temperature 0; 0: None, the most probable token is taken */
    double patience;                /* NaN: None */
    double length_penalty;          /* NaN: None */
    double repetition_penalty;      /* 1: none */
    int no_repeat_ngram_size;       /* 0: any may repeat */
    int sample_len, max_new_tokens; /* 0: None */
    int condition_on_previous_text;
    int carry_initial_prompt;
    const char *initial_prompt;        /* NULL: None; belongs to the options */
    const char *initial_prompt_tokens; /* the same as comma-separated ids; at most one of the two */
    const char *prefix, *hotwords;     /* likewise */
    const char *vocabulary;            /* a file's path; likewise */
    int suppress_blank;
    const char *suppress_tokens; /* NULL or "": nothing is suppressed; else comma-separated ids */
    const char *suppress_regex;  /* NULL: None */
    int multilingual;            /* detect the language of each window */
    int without_timestamps;
    double max_initial_timestamp;       /* NaN: None */
    double compression_ratio_threshold; /* NaN: None */
    double logprob_threshold;           /* NaN: None */
    double no_speech_threshold;         /* NaN: None */
    int word_timestamps;
    int confidence; /* judge each word */
    const char *prepend_punctuations, *append_punctuations;
    int by_characters;                      /* words' times by the text's characters */
    enum wh_heads heads;                    /* which attention heads tell the time */
    const char *clip_timestamps;            /* NULL: None; else checked: wh_parse_clips() reads it */
    double hallucination_silence_threshold; /* NaN: None */
    int hallucination_guard;
    int threads; /* 0: as many as there are cores */
    int64_t seed;
    const char *backend; /* auto, cpu, blas or cuda: from backend_given and device_kind */
    const char *backend_given;
    enum wh_device device_kind;
    int device;                /* its number */
    const char *compute_type;  /* auto, f32, bf16 or int8: from compute_given and the backend */
    const char *compute_given; /* these or f16 */
    int padding;               /* enum wh_encoder_padding (lib/backend/backend.h): of a short window's rows */
    int split_stereo;
    double stream_step; /* seconds */
    int cut_off;        /* never cut a recording */
    double cut_seconds; /* of its parts; NaN: auto */
    int batch_size;     /* parts at a time; 0: auto */
    int vad_filter;
    double vad_threshold;
    double vad_neg_threshold; /* NaN: None */
    int vad_min_speech_duration_ms;
    double vad_max_speech_duration_s; /* NaN: None, no limit */
    int vad_min_silence_duration_ms;
    int vad_speech_pad_ms;
    const char *vad_model; /* NULL: None; belongs to the options */
    int diarize;
    int num_speakers, min_speakers, max_speakers; /* 0: None */
    const char *speakers_model;                   /* NULL: None; these belong to the options, too */
    const char *speaker;                          /* NAME=PATH, a line each; wh_options_voice() reads them */
    const char *speakers_in, *speakers_out;       /* paths */
} wh_values;

#define WH_MAX_OPTIONS 80

struct whisp_options {
    wh_values values;
    char *texts[WH_MAX_OPTIONS]; /* each option's value as it was given; strings in `values` point here */
    whisp_log_fn log;
    whisp_progress_fn progress;
    whisp_segment_fn segment;
    whisp_cancel_fn cancel;
    whisp_journal_fn journal;
    whisp_part_fn part;
    void *log_user, *progress_user, *segment_user, *cancel_user, *journal_user, *part_user;
};

/* Are the words' times found, for who wants to see them or for who needs them? */
int wh_options_time_words(const wh_values *values);

/* A copy with strings of its own; NULL options give the defaults. NULL if out of memory. */
whisp_options *wh_options_copy(const whisp_options *options);

/* The option languages: may it be language i (of wh_language_code())? With None any may. */
int wh_options_has_language(const wh_values *values, int i);

/* All options that may change the words, as lines "name=value" appended to *text. */
void wh_options_put(const whisp_options *options, wh_buf *text);

/* Warnings, to the log: what was set and has no effect by what its row in the table says that it needs. */
void wh_options_warn(const whisp_options *options);

/* Options that contradict each other: WHISP_ERR_ARGUMENT with the reason. */
int wh_options_check(const wh_values *values);

/* The temperatures to try, in order: those given, or from one on by the increment up to 1.0 as numpy.arange counts
 * them in openai-whisper's command line. */
int wh_options_temperatures(const wh_values *values, double *temperatures);

/* Named voice i of the option speaker: where its name and path are in it, with their lengths. 0: there are no more. */
typedef struct wh_named_voice {
    const char *name, *path;
    size_t name_length, path_length;
} wh_named_voice;
int wh_options_voice(const wh_values *values, size_t i, wh_named_voice *voice);

/* A number from text, whatever the process's locale; 1 if all of it was one. */
int wh_parse_double(const char *text, double *value);
/* Seconds in ascending order with commas between them; *times (malloc()ed) may hold none. On failure *problem says what
 * is wrong, or is NULL when out of memory. */
int wh_parse_clips(const char *text, double **times, size_t *n, const char **problem);
int wh_parse_int(const char *text, int64_t *value);

/* The caller's callbacks, whose structure may be an older or a newer one; all NULL for NULL. */
int wh_callbacks_read(const whisp_callbacks *given, whisp_callbacks *all);

/* What the cancel callback says: WHISP_OK to go on, or WHISP_ERR_CANCELLED with its text. */
int wh_check_cancel(const whisp_options *options);

void wh_log(const whisp_options *options, int level, const char *format, ...) WH_PRINTF(3, 4);

#endif
