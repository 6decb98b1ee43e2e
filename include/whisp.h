/* whisp.h - speech to text with OpenAI's Whisper models, in C
 *
 * The only public header of libwhisp. It reads in the order a user grows:
 *
 *   1. Errors and version
 *   2. Models                   load once, share between threads
 *   3. Options                  by name, with openai-whisper's names and values
 *   4. The simple call          a file in, a result out
 *   5. Sessions                 the same in steps: push samples, pull segments; callbacks
 *   6. Results and writers      txt, srt, vtt, tsv, json
 *   7. Language and tokens
 *   8. Audio                    decode any recording to 16 kHz mono
 *   9. Timings and backends
 *  10. Voice activity           where in a recording somebody speaks
 *  11. Live                     words as they settle, while somebody still speaks
 *
 *     whisp_model *model;
 *     whisp_result *result;
 *     if (whisp_model_load("models/base.gguf", &model) != WHISP_OK ||
 *         whisp_transcribe(model, "talk.mp3", NULL, &result) != WHISP_OK) {
 *         fprintf(stderr, "%s\n", whisp_last_error());
 *         return 1;
 *     }
 *     puts(whisp_result_text(result));
 *     whisp_result_free(result);
 *     whisp_model_free(model);
 *
 * Conventions of every function here:
 *
 *   - Functions that can fail return WHISP_OK (0) or a negative WHISP_ERR_*; whisp_last_error() then says in one line
 *     what was wrong, with which file, and what to do. Output arguments are left untouched on failure, except handle
 *     arguments (T **), which are set to NULL.
 *   - Text is UTF-8 and ends with a NUL. Times are seconds from the start of the recording. Samples are 32-bit floats
 *     in [-1, 1], mono, 16,000 a second.
 *   - What the library returns by `const` pointer belongs to the object it came from and lives as long as the comment
 *     says. Handles are released with their own _free function, which accepts NULL.
 *   - Nothing here prints, exits, aborts or installs signal handlers.
 *   - Threads: a whisp_model and a whisp_result are immutable once made and may be used by any number of threads at
 *     once; a whisp_options, whisp_session or whisp_audio belongs to one thread at a time. What section 10 adds follows
 *     the same rule: a whisp_vad and a whisp_speech are immutable, a whisp_vad_stream belongs to one thread at a time.
 *   - Structures returned by the library only ever grow at their end. Structures filled by the library begin with
 *     their size, which the caller sets, so a program built against an older header keeps working.
 */
#ifndef WHISP_H
#define WHISP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(WHISP_BUILD) && defined(__GNUC__)
#define WHISP_API __attribute__((visibility("default")))
#else
#define WHISP_API
#endif

/* ------------------------------------------------------------------------------------------------------------------
 * 1. Errors and version
 */

#define WHISP_VERSION_MAJOR 0
#define WHISP_VERSION_MINOR 1
#define WHISP_VERSION_PATCH 0

enum {
    WHISP_OK = 0,
    WHISP_ERR_ARGUMENT = -1,  /* an argument or option is not acceptable */
    WHISP_ERR_MEMORY = -2,    /* out of memory */
    WHISP_ERR_IO = -3,        /* a file cannot be opened, read or written */
    WHISP_ERR_AUDIO = -4,     /* not a recording that can be decoded */
    WHISP_ERR_MODEL = -5,     /* not a model, or a damaged or unsupported one */
    WHISP_ERR_BACKEND = -6,   /* the compute backend is missing or failed */
    WHISP_ERR_CANCELLED = -7, /* the cancel callback said so */
    WHISP_ERR_STATE = -8      /* the call does not fit the session's state, e.g. push after finish */
};

/* The library's version, "MAJOR.MINOR.PATCH". Static storage. */
WHISP_API const char *whisp_version(void);

/* One line on the last failure in the calling thread: what was wrong, with which file, what to do. Never NULL; "" when
 * nothing has failed yet. Valid until the next failing call in this thread. */
WHISP_API const char *whisp_last_error(void);

/* The name of a code, e.g. "WHISP_ERR_IO"; "unknown error" for others. Static storage. */
WHISP_API const char *whisp_error_name(int code);

/* ------------------------------------------------------------------------------------------------------------------
 * 2. Models
 */

/* A model in memory: hyper-parameters, weights, vocabulary. The file is mapped, so processes that compute in float32
 * share it, and it must not be changed while it is loaded. */
typedef struct whisp_model whisp_model;

/* What a model is. Set `size` to sizeof(whisp_model_info) before the call. */
typedef struct whisp_model_info {
    size_t size;
    const char *name; /* e.g. "tiny.en"; lives as long as the model */
    const char *type; /* how most weights are stored: "f32", "f16", "bf16" or "q8_0" */
    int n_vocab;      /* 51864 (English only), 51865, 51866 (large-v3, turbo); others have other numbers */
    int n_mels;       /* 80 or 128 bands */
    int n_audio_ctx;  /* 1500: encoder positions in a window */
    int n_audio_state, n_audio_head, n_audio_layer;
    int n_text_ctx; /* 448: decoder positions */
    int n_text_state, n_text_head, n_text_layer;
    int is_multilingual; /* 0 for the .en models */
    int n_languages;     /* 99 or 100: 1 + the number of the last language that the model has a token for */
    uint64_t n_parameters;
} whisp_model_info;

/* Find a model file by name. `name` is a path to a .gguf file, a model's name ("tiny.en", "base", ...), or NULL for
 * base or, where there is no base, whatever is there. A name is looked up as NAME.gguf in `model_dir` if that is not
 * NULL, else in $WHISP_MODEL_DIR, ./models and ~/.cache/whisp, in that order. Writes the path to `path`, which holds
 * `capacity` bytes. WHISP_ERR_IO if there is none; the error text lists what is there. */
WHISP_API int whisp_model_find(const char *name, const char *model_dir, char *path, size_t capacity);

/* Load a model from a GGUF file made by whisp-convert. *model is the caller's, released with whisp_model_free().
 * WHISP_ERR_IO: cannot be read; WHISP_ERR_MODEL: not a Whisper model, truncated, of a newer version, or with tensors
 * missing or of the wrong shape. Every number in the file is checked before it is used. */
WHISP_API int whisp_model_load(const char *path, whisp_model **model);

/* Release a model. Sessions made from it must be gone before. */
WHISP_API void whisp_model_free(whisp_model *model);

/* Describe a model. Fills no more than info->size bytes. */
WHISP_API int whisp_model_describe(const whisp_model *model, whisp_model_info *info);

/* ------------------------------------------------------------------------------------------------------------------
 * 3. Options
 */

/* How to transcribe: a set of named values with openai-whisper's names, values and defaults (those of its Python
 * transcribe(): greedy, fallback on). Copied by the functions that take it. NULL means defaults there. */
typedef struct whisp_options whisp_options;

/* One option, for help texts and bindings. */
typedef struct whisp_option_info {
    const char *name;    /* "temperature" */
    const char *values;  /* what is accepted, in words: "FLOAT[,FLOAT...]" */
    const char *initial; /* the default as text: "0.0,0.2,0.4,0.6,0.8,1.0" */
    const char *help;    /* one sentence */
} whisp_option_info;

/* All options in the order in which a help text lists them; *n is their number. Static storage. */
WHISP_API const whisp_option_info *whisp_option_list(size_t *n);

/* New options with default values; NULL if out of memory. Release with whisp_options_free(). */
WHISP_API whisp_options *whisp_options_new(void);
WHISP_API void whisp_options_free(whisp_options *options);

/* Set an option from text, as on a command line: "True", "False", "None", numbers, comma-separated lists.
 * WHISP_ERR_ARGUMENT for an unknown name or a value out of range; the error text says what is accepted. */
WHISP_API int whisp_options_set(whisp_options *options, const char *name, const char *value);

/* An option's current value as text; NULL for an unknown name. Valid until the options are changed or freed. */
WHISP_API const char *whisp_options_get(const whisp_options *options, const char *name);

/* A segment of the transcript: one or a few sentences between two timestamps. */
typedef struct whisp_token {
    int32_t id;    /* its place in the vocabulary; from the first timestamp token on it is a time */
    float logprob; /* natural logarithm of its probability under the search's rules, temperature 1 */
} whisp_token;

/* A word and when it is said. */
typedef struct whisp_word {
    const char *text;   /* with the space before it and the punctuation around it */
    double start, end;  /* seconds; words follow one another, none begins before the last one's end */
    double probability; /* the mean of its tokens' */
    size_t first_token; /* of the segment's tokens */
    size_t n_tokens;
    double confidence; /* with option confidence: the chance that it is right, above 0; without it 0 */
} whisp_word;

typedef struct whisp_segment {
    int id;                    /* 0, 1, 2, ... */
    int64_t seek;              /* where its window began, in frames of 10 ms */
    double start, end;         /* seconds */
    const char *text;          /* usually begins with a space */
    const whisp_token *tokens; /* [n_tokens], the closing and opening timestamp tokens included */
    size_t n_tokens;
    double temperature;       /* at which its window was decoded */
    double avg_logprob;       /* of its window */
    double compression_ratio; /* of its window's text */
    double no_speech_prob;    /* of its window */
    const whisp_word *words;  /* [n_words] with option word_timestamps or confidence; NULL without */
    size_t n_words;
    double confidence; /* with option confidence: the mean of its words'; else, and without words, 0 */
    int speaker;       /* with option split_stereo: 1 (left channel) or 2 (right); else 0 */
} whisp_segment;

/* Callbacks. They run in the thread that called the library, must not call back into the same session, and get the
 * `user` pointer they were set with. Set NULL to remove one. */
enum { WHISP_LOG_ERROR = 0, WHISP_LOG_WARNING = 1, WHISP_LOG_INFO = 2, WHISP_LOG_DEBUG = 3 };
typedef void (*whisp_log_fn)(void *user, int level, const char *text);
/* Seconds done and seconds in all (negative when that is not known, as for a pipe). */
typedef void (*whisp_progress_fn)(void *user, double done, double total);
/* A segment that is final. It lives until the callback returns. */
typedef void (*whisp_segment_fn)(void *user, const whisp_segment *segment);
/* Asked at least once for every token: return nonzero to stop; the running call then gives WHISP_ERR_CANCELLED. */
typedef int (*whisp_cancel_fn)(void *user);

WHISP_API void whisp_options_on_log(whisp_options *options, whisp_log_fn fn, void *user);
WHISP_API void whisp_options_on_progress(whisp_options *options, whisp_progress_fn fn, void *user);
WHISP_API void whisp_options_on_segment(whisp_options *options, whisp_segment_fn fn, void *user);
WHISP_API void whisp_options_on_cancel(whisp_options *options, whisp_cancel_fn fn, void *user);

/* ------------------------------------------------------------------------------------------------------------------
 * 4. The simple call
 */

typedef struct whisp_result whisp_result;

/* Transcribe a recording: `path` is a file (WAV, FLAC, OGG, Opus, MP3, AIFF, CAF, AU and others; docs/audio.md),
 * or "-" for standard input. A file is read twice (its loudest frame first, as the reference's log-Mel needs it);
 * standard input cannot be, so there the loudest frame so far is used and words may differ slightly. With the option
 * split_stereo each of a file's two channels is transcribed alone and the segments are merged by their starts; the
 * segment callback then comes at the end, and WHISP_ERR_AUDIO says that there are not two channels. *result is the
 * caller's, released with whisp_result_free(); it does not depend on the model. */
WHISP_API int whisp_transcribe(const whisp_model *model, const char *path, const whisp_options *options,
                               whisp_result **result);

/* ------------------------------------------------------------------------------------------------------------------
 * 5. Sessions
 */

typedef struct whisp_audio whisp_audio; /* section 8 */

/* The state of one transcription: buffered audio, caches, threads. Belongs to one thread at a time; any number of
 * sessions may share a model. */
typedef struct whisp_session whisp_session;

/* New session; `options` are copied (NULL: defaults). The model must outlive it. WHISP_ERR_ARGUMENT when options and
 * model do not fit each other (translate with an English-only model, say), WHISP_ERR_BACKEND when the backend that the
 * options name cannot run. */
WHISP_API int whisp_session_new(const whisp_model *model, const whisp_options *options, whisp_session **session);
WHISP_API void whisp_session_free(whisp_session *session);

/* Forget everything heard so far, ready for another recording; threads and buffers stay. */
WHISP_API int whisp_session_reset(whisp_session *session);

/* Whole recordings: reset, then transcribe a file (see whisp_transcribe()) or `n` samples in memory. */
WHISP_API int whisp_session_transcribe(whisp_session *session, whisp_audio *audio, whisp_result **result);

/* Many files: the same as transcribing each alone, word for word, but those that option cut leaves whole are
 * transcribed several at a time (option batch_size), so that the decoder reads its weights once for all of them. `done`
 * is called in this thread once for each file, in their order, after its segment callbacks: with WHISP_OK and its
 * result, which is now the callee's, or with the error's code (whisp_last_error() says what was wrong) and NULL. Return
 * nonzero to stop. Needs a regular file to know that it is short; vad_filter, split_stereo, clips and `cut off` go one
 * by one. WHISP_OK when all had their turn, WHISP_ERR_CANCELLED when not; another code when nothing can go on. */
typedef int (*whisp_file_fn)(void *user, size_t index, int rc, whisp_result *result);
WHISP_API int whisp_session_transcribe_files(whisp_session *session, const char *const *paths, size_t n,
                                             whisp_file_fn done, void *user);

/* Forced alignment: reset, then find when each word of `text` is said in a recording. The result's segments are the
 * text's lines or, where it has only one, its sentences; each has its words, and words that are not said have a
 * probability near 0. A recording of 30 seconds or less is aligned in one piece. A longer one is transcribed on the
 * way, window by window, to see how much of the text belongs to each window (docs/timing.md tells what that finds and
 * what not), so a text with passages of hundreds of words that are not said may lose its place. A warning is logged
 * when much of the text does not seem to be said. WHISP_ERR_ARGUMENT for a text without words. */
WHISP_API int whisp_session_align(whisp_session *session, whisp_audio *audio, const char *text, whisp_result **result);

/* Streaming: push samples as they come, pull segments as they become final, say when the audio ends:
 *
 *     for (;;) {
 *         int rc = whisp_session_pull(session, &segment);
 *         if (rc == 1) print(segment);                     // a segment
 *         else if (rc == 0) push more, or finish           // needs more audio
 *         else break;                                      // WHISP_END, or an error
 *     }
 *
 * push: returns how many of the `n` samples were taken, which is fewer than n when the session holds more than a
 * minute that has not been pulled yet; negative on error. Samples that are not finite count as silence; a warning is
 * logged.
 * finish: no more samples will come. May be called once.
 * pull: 1 and a segment (which lives until the next call on this session), 0 when more audio is needed, WHISP_END
 * after the last one, negative on error. The model runs inside this call.
 *
 * The words depend on the samples and options only, not on how the samples were cut into pushes. */
#define WHISP_END 2
WHISP_API int64_t whisp_session_push(whisp_session *session, const float *samples, size_t n);
WHISP_API int whisp_session_finish(whisp_session *session);
WHISP_API int whisp_session_pull(whisp_session *session, const whisp_segment **segment);

/* openai-whisper clamps the log-Mel spectrogram to 8 below the maximum of the whole recording. A session that is fed by
 * pushes uses the maximum so far, unless it is shown the recording before the first push: pass all samples through
 * measure in blocks of any size, then once with n = 0. transcribe_file and transcribe_samples do this themselves. */
WHISP_API int whisp_session_measure(whisp_session *session, const float *samples, size_t n);

/* The language in use: the option's, the detected one, or, until somebody has spoken, the best guess; NULL before any.
 * Static storage. */
WHISP_API const char *whisp_session_language(const whisp_session *session);
/* As whisp_result_incomplete(), of what was heard so far. Lives until the session is reset or freed. */
WHISP_API const char *whisp_session_incomplete(const whisp_session *session);

/* ------------------------------------------------------------------------------------------------------------------
 * 6. Results and writers
 */

WHISP_API void whisp_result_free(whisp_result *result);
WHISP_API const char *whisp_result_text(const whisp_result *result);     /* the whole transcript */
WHISP_API const char *whisp_result_language(const whisp_result *result); /* code, "en" */
WHISP_API double whisp_result_duration(const whisp_result *result);      /* of the recording, seconds */
/* NULL; or, where something of the recording is not in the transcript (it was damaged, cut off, ...), a line that says
 * what: the work is done, but not all was heard. The log callback got it as a warning. Lives as long as the result. */
WHISP_API const char *whisp_result_incomplete(const whisp_result *result);
/* For who has made the samples and knows that something of the recording is not in them: what whisp_result_incomplete()
 * and the writers say from now on, behind what they say already. `why` is copied. WHISP_OK or an error. */
WHISP_API int whisp_result_set_incomplete(whisp_result *result, const char *why);
WHISP_API size_t whisp_result_segment_count(const whisp_result *result);
/* Segment i, or NULL when there is none. Lives as long as the result. */
WHISP_API const whisp_segment *whisp_result_segment(const whisp_result *result, size_t i);

/* The result as a document in "txt", "srt", "vtt", "tsv" or "json", byte for byte as openai-whisper writes it (with the
 * option confidence, json has that beside the probabilities); or "doubtful": where a person should listen again, the
 * least certain tenth of the words with their times and context (it needs the option confidence). *text is the
 * caller's, released with whisp_string_free(); *length (may be NULL) is its size without the closing NUL. */
WHISP_API int whisp_result_format(const whisp_result *result, const char *format, char **text, size_t *length);
WHISP_API void whisp_string_free(char *text);

/* How srt and vtt documents are laid out when segments have words (option word_timestamps; else these have no effect):
 * openai-whisper's options of these names. Set `size` to sizeof(whisp_writer_options) first; 0 is None or False. */
typedef struct whisp_writer_options {
    size_t size;
    int highlight_words;    /* a subtitle for each word, underlined while it is said */
    int max_line_width;     /* characters in a line */
    int max_line_count;     /* lines in a subtitle; no effect without max_line_width */
    int max_words_per_line; /* words in a subtitle; no effect with max_line_width */
    double doubtful_share;  /* of the words that "doubtful" lists, 0..1; 0: a tenth. At least one is listed */
} whisp_writer_options;

/* whisp_result_format() and whisp_result_write() with such a layout; `options` may be NULL. */
WHISP_API int whisp_result_format_with(const whisp_result *result, const char *format,
                                       const whisp_writer_options *options, char **text, size_t *length);
WHISP_API int whisp_result_write_with(const whisp_result *result, const char *format,
                                      const whisp_writer_options *options, const char *path);

/* The same into a file: written beside it under a temporary name, then renamed, so there is never a partial file.
 * WHISP_ERR_IO when that fails; the temporary file is gone then. Where `path` is a device or a pipe it is written
 * directly. */
WHISP_API int whisp_result_write(const whisp_result *result, const char *format, const char *path);

/* One segment the way openai-whisper prints it: "[00:00.000 --> 00:07.600]  And so ...", without a line end. Returns
 * the length that the whole line has, as snprintf does. */
WHISP_API int whisp_segment_line(const whisp_segment *segment, char *line, size_t capacity);

/* ------------------------------------------------------------------------------------------------------------------
 * 7. Language and tokens
 */

/* Language i of the list (0 is English; large-v3 knows one more than the others): its code and English name, or NULL
 * past the end. Static storage. */
WHISP_API const char *whisp_language_code(int i);
WHISP_API const char *whisp_language_name(int i);
/* The index of a language given by code ("de") or name ("German", "castilian"), any case; -1 for an unknown one. */
WHISP_API int whisp_language_find(const char *code_or_name);

/* Probabilities of all languages (with the option languages, of those) from the first 30 seconds in which somebody
 * speaks: probabilities[i] belongs to whisp_language_code(i) and they add up to 1. `n` is how many fit, at least
 * whisp_model_info.n_languages. Returns the most probable one's index, or a negative code: WHISP_ERR_ARGUMENT for an
 * English-only model. Resets the session. */
WHISP_API int whisp_session_detect_language(whisp_session *session, whisp_audio *audio, float *probabilities, size_t n);

/* Text to tokens, as openai-whisper's tokenizer.encode(). Writes at most `capacity` ids and returns how many there
 * are in all, or a negative code. Names of special tokens in the text are ordinary text. */
WHISP_API int64_t whisp_tokenize(const whisp_model *model, const char *text, int32_t *tokens, size_t capacity);

/* Tokens to text; special tokens appear by name ("<|en|>", "<|1.00|>") and bytes that are not UTF-8 become U+FFFD.
 * Writes at most `capacity` bytes, always NUL-terminated, and returns the length the whole text has, or a negative
 * code (an id outside the vocabulary). */
WHISP_API int64_t whisp_detokenize(const whisp_model *model, const int32_t *tokens, size_t n, char *text,
                                   size_t capacity);

/* ------------------------------------------------------------------------------------------------------------------
 * 8. Audio
 */

/* A recording being decoded, block by block, to mono float samples at 16 kHz, rounded to 16 bits as the reference's
 * are. Memory does not depend on its length. */
/* What is known about it. Set `size` first. */
typedef struct whisp_audio_info {
    size_t size;
    int sample_rate, channels; /* of the recording itself */
    double duration;           /* seconds; negative where not known before the end (pipes) */
    const char *format;        /* "WAV, 16-bit PCM", "FLAC ..."; lives as long as the handle */
} whisp_audio_info;

/* Open a file, or standard input for "-". WHISP_ERR_IO: cannot be opened; WHISP_ERR_AUDIO: not audio that is
 * decoded here; the error text names a command that converts it where one is known. */
WHISP_API int whisp_audio_open(const char *path, whisp_audio **audio);
/* The same from an open file descriptor, which may be a pipe; it is not closed. */
WHISP_API int whisp_audio_open_fd(int fd, whisp_audio **audio);
WHISP_API int whisp_audio_open_memory(const void *bytes, size_t n, whisp_audio **audio);
WHISP_API int whisp_audio_open_samples(const float *samples, size_t n, whisp_audio **audio);
typedef struct whisp_reader {
    size_t size;
    void *user;
    int64_t (*read)(void *user, void *bytes, size_t n);
    int (*seek)(void *user, int64_t offset, int whence);
    int64_t (*tell)(void *user);
} whisp_reader;
WHISP_API int whisp_audio_open_reader(const whisp_reader *reader, whisp_audio **audio);
WHISP_API int whisp_audio_describe(const whisp_audio *audio, whisp_audio_info *info);
/* Before the first read: hear one channel only, counted from 0, instead of all mixed (-1). WHISP_ERR_ARGUMENT when
 * there is no such channel. */
WHISP_API int whisp_audio_select_channel(whisp_audio *audio, int channel);
/* Read up to n samples. Returns how many were written to `samples`, 0 at the end, negative on error. */
WHISP_API int64_t whisp_audio_read(whisp_audio *audio, float *samples, size_t n);
/* What is to be told about the recording as far as it was read, a line each without its name: warning i, or NULL past the
 * last. *incomplete (may be NULL) is nonzero where something of it was not heard. Some are known at the end only, and what
 * is damaged after a call is a warning of its own. Lives as long as the handle. Not while another thread reads. */
WHISP_API const char *whisp_audio_warning(whisp_audio *audio, size_t i, int *incomplete);
WHISP_API void whisp_audio_free(whisp_audio *audio);

/* ------------------------------------------------------------------------------------------------------------------
 * 9. Timings and backends
 */

/* Where a session's time went since it was made or reset. Seconds of wall time and counts. Set `size` first. */
typedef struct whisp_timings {
    size_t size;
    double audio;            /* waiting for decoding, mixing, resampling: a file is read ahead by a thread */
    double mel;              /* log-Mel */
    double encode;           /* encoder and cross-attention K/V */
    double prompt;           /* decoder passes over more than one token */
    double decode;           /* decoder steps of one token a sequence */
    double search;           /* filters, choice, text */
    int64_t n_encode;        /* windows encoded */
    int64_t n_prompt_tokens; /* tokens fed in prompt passes */
    int64_t n_decode_steps;  /* decoder steps */
    int64_t n_decode_tokens; /* tokens fed in them, over all sequences */
    int64_t n_windows;       /* windows transcribed */
    int64_t n_fallbacks;     /* decodings repeated at a higher temperature */
    double words;            /* finding the times of words: the pass over the text and what follows it */
} whisp_timings;

WHISP_API int whisp_session_timings(const whisp_session *session, whisp_timings *timings);

/* What computes, in words: "cpu: int8, avx512vnni, 2 threads". Lives as long as the session. */
WHISP_API const char *whisp_session_backend(const whisp_session *session);

/* ------------------------------------------------------------------------------------------------------------------
 * 10. Voice activity
 *
 * Where somebody speaks, by Silero VAD's network. The options whose names begin with vad_ say how: vad_threshold,
 * vad_neg_threshold, vad_min_speech_duration_ms, vad_max_speech_duration_s, vad_min_silence_duration_ms,
 * vad_speech_pad_ms. For transcribing without silence the option vad_filter is enough; this section is for programs
 * that want to know where speech is.
 */

/* A voice activity model in memory: immutable, may be shared between threads. */
typedef struct whisp_vad whisp_vad;

/* Load a model from a GGUF file made by whisp-convert ("silero-vad"; whisp_model_find() finds it by that name). *vad
 * is the caller's, released with whisp_vad_free(). WHISP_ERR_IO, or WHISP_ERR_MODEL: a speech model, damaged, ... */
WHISP_API int whisp_vad_load(const char *path, whisp_vad **vad);
WHISP_API void whisp_vad_free(whisp_vad *vad);

/* A part of a recording, in seconds. */
typedef struct whisp_span {
    double start, end;
} whisp_span;

/* What was found in a whole recording. Immutable; does not depend on the model. */
typedef struct whisp_speech whisp_speech;

/* Find the speech in a file (or "-", see whisp_audio_open()) or in `n` samples. `options` NULL: defaults; the cancel
 * callback is asked. *speech is the caller's, released with whisp_speech_free(). */
WHISP_API int whisp_vad_speech(const whisp_vad *vad, whisp_audio *audio, const whisp_options *options,
                               whisp_speech **speech);
WHISP_API void whisp_speech_free(whisp_speech *speech);

/* The spans of speech, padding included, ascending and apart; *n (may be NULL) is their number. They live as long as
 * the whisp_speech. */
WHISP_API const whisp_span *whisp_speech_spans(const whisp_speech *speech, size_t *n);
/* The probability of speech in each 512 samples (32 ms); the last ones are filled up with zeros. Likewise. */
WHISP_API const float *whisp_speech_probabilities(const whisp_speech *speech, size_t *n);
/* Of the whole recording, seconds. */
WHISP_API double whisp_speech_duration(const whisp_speech *speech);
/* A time in the spans joined without what lies between them, to the recording's own time, rounded to 10 ms. A time
 * where two spans meet belongs to the later one, or with is_end != 0 to the earlier one. */
WHISP_API double whisp_speech_original_time(const whisp_speech *speech, double time, int is_end);

/* The same on samples as they come. Belongs to one thread at a time; the whisp_vad must outlive it. */
typedef struct whisp_vad_stream whisp_vad_stream;
WHISP_API int whisp_vad_stream_new(const whisp_vad *vad, const whisp_options *options, whisp_vad_stream **stream);
WHISP_API void whisp_vad_stream_free(whisp_vad_stream *stream);
/* Forget everything heard so far. */
WHISP_API void whisp_vad_stream_reset(whisp_vad_stream *stream);

/* Push `n` samples; all are taken. Writes a probability for every 512 samples that are complete now and returns how
 * many: at most (n + 511) / 512, and `capacity` must be enough for them (WHISP_ERR_ARGUMENT, nothing taken).
 * `probabilities` may be NULL. Samples that are not finite count as silence. Results do not depend on how the samples
 * were cut. */
WHISP_API int64_t whisp_vad_push(whisp_vad_stream *stream, const float *samples, size_t n, float *probabilities,
                                 size_t capacity);
/* No more samples will come. Returns 1 with the probability of the last, incomplete 512 samples, or 0 when there are
 * none; negative on error. `probability` may be NULL. */
WHISP_API int whisp_vad_finish(whisp_vad_stream *stream, float *probability);
/* The next span of speech that nothing can change any more: 1 and *span, 0 when there is none yet, WHISP_END after the
 * last one. A span is known when the silence after it has lasted vad_min_silence_duration_ms and its padding is sure;
 * spans are kept until they are pulled. */
WHISP_API int whisp_vad_pull(whisp_vad_stream *stream, whisp_span *span);

/* ------------------------------------------------------------------------------------------------------------------
 * 11. Live
 *
 * Samples go in as they are spoken, words come out as they settle: within about two steps (option stream_step) after
 * they were said, and the time that computing takes. Every step a pass hears the last seconds again, 25 at most; words
 * on which two passes after one another agree settle and do not change any more (LocalAgreement-2: Macháček, Dabre,
 * Bojar, "Turning Whisper into Real-Time Transcription System", 2023).
 *
 * What settles so soon has more errors than a transcription that knows how the sentence goes on. The final text has
 * not: the options' segment callback gets the segments that a session pushed the same samples gives, each as soon as
 * its window of 30 seconds is complete. It is called inside pull. Memory and the cost of a second do not grow.
 * docs/live.md has figures.
 *
 *     while ((n = read_microphone(samples)) > 0) {
 *         for (size_t done = 0; done < n;) {
 *             done += (size_t)whisp_stream_push(stream, samples + done, n - done);
 *             while (whisp_stream_pull(stream, &words, &n_words) == 1) print(words, n_words);
 *         }
 *     }
 *     whisp_stream_finish(stream);
 *     while (whisp_stream_pull(stream, &words, &n_words) == 1) print(words, n_words);
 */

/* A live transcription. Belongs to one thread at a time. */
typedef struct whisp_stream whisp_stream;

/* New stream; `options` are copied (NULL: defaults). The model must outlive it. WHISP_ERR_ARGUMENT for options that
 * need the whole recording: vad_filter, clip_timestamps, split_stereo. Where silero-vad is found (option vad_model),
 * no pass is made over silence. The segment callback gets the final text; the progress callback is not called. */
WHISP_API int whisp_stream_new(const whisp_model *model, const whisp_options *options, whisp_stream **stream);
WHISP_API void whisp_stream_free(whisp_stream *stream);

/* Push samples. Returns how many were taken, fewer than n when a minute has not been pulled; negative on error. Samples
 * that are not finite count as silence. */
WHISP_API int64_t whisp_stream_push(whisp_stream *stream, const float *samples, size_t n);
/* No more samples will come: what is left settles and becomes final. May be called once. */
WHISP_API int whisp_stream_finish(whisp_stream *stream);
/* 1: a pass was made and *words [*n] settled with it, perhaps none; they live until the next call (first_token and
 * n_tokens are 0). 0: more samples are needed; WHISP_END: all was heard; negative on error. The model runs inside. The
 * words depend on the samples and options only, not on how they were cut into pushes, unless whisp_stream_catch_up()
 * was called. */
WHISP_API int whisp_stream_pull(whisp_stream *stream, const whisp_word **words, size_t *n);
/* The text after the settled words as the last pass heard it; it may change. "" when there is none. Lives until the
 * next pull. */
WHISP_API const char *whisp_stream_tail(const whisp_stream *stream);
/* The next pass hears all that was pushed, not only a step more: for callers who have fallen behind. */
WHISP_API void whisp_stream_catch_up(whisp_stream *stream);
/* As whisp_session_language(); a language that was detected is known after ten seconds. */
WHISP_API const char *whisp_stream_language(const whisp_stream *stream);
/* As whisp_session_incomplete(). Lives as long as the stream. */
WHISP_API const char *whisp_stream_incomplete(const whisp_stream *stream);

/* Open a descriptor as whisp_audio_open_fd() does when its bytes begin as those of a WAV, FLAC, Ogg, MP3 or another
 * known file do, heard here or not; any others are taken for 16-bit little-endian samples at `sample_rate` in
 * `channels` channels. Reading gives small blocks as they come. */
WHISP_API int whisp_audio_open_live(int fd, int sample_rate, int channels, whisp_audio **audio);

#ifdef __cplusplus
}
#endif

#endif
