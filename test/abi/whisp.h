/* whisp.h - speech to text with OpenAI's Whisper models, in C
 *
 * The core of libwhisp. It reads in the order a user grows:
 *
 *   1. Errors and version
 *   2. Models                   load once, share between threads
 *   3. Results                  segments, words, tokens
 *   4. Options and callbacks    by name, with openai-whisper's names and values
 *   5. The simple call          a file in, a result out
 *   6. Writers                  txt, srt, vtt, tsv, json; and reading json back
 *   7. Audio                    a recording from a path, a descriptor, memory, samples or your own functions
 *   8. Sessions                 several recordings with the same options; alignment; language
 *   9. Languages and tokens
 *  10. Mel                      log-Mel spectrograms, and single windows
 *  11. A queue                  recordings that join a running batch, from any thread
 *
 * Beside it: whisp_vad.h, where somebody speaks; whisp_speakers.h, who does; whisp_live.h, text meanwhile.
 *
 *     whisp_model *model;
 *     whisp_result *result;
 *     if (whisp_model_load("models/base.gguf", NULL, &model) != WHISP_OK ||
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
 *     says. Handles are released with their own _free function. No function minds a NULL handle: _free does nothing,
 *     those that can fail give WHISP_ERR_ARGUMENT, others nothing (NULL, 0, "").
 *   - Nothing here prints, exits, aborts or installs signal handlers. (OpenBLAS, option backend, may exit.)
 *   - Threads: a whisp_model, whisp_result, whisp_vad, whisp_speakers and whisp_speech are immutable once made, and may
 *     be used by any number of threads at once, a whisp_queue as section 11 says; all else belongs to one at a time.
 *   - The ABI. A structure that the caller makes has its `size` first, which the caller sets (a later library knows by
 *     it what there is), and grows at its end. A structure that the library hands out by pointer grows at its end, so
 *     never copy one by value into memory of your own to hand it back, and never count with its size. What the library
 *     hands out as an array is an array of pointers to such structures, or of structures that are frozen: whisp_token,
 *     whisp_span, whisp_alternative and whisp_turn will never change. So a program that was built with an older header
 *     of the same MAJOR version runs with a newer library, whose soname is the same then (docs/abi.md).
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

/* ---- 1. Errors and version --------------------------------------------------------------------------------------- */

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
    WHISP_ERR_STATE = -8,     /* the call does not fit the state of its object, e.g. push after finish */
    WHISP_ERR_OUTPUT = -9     /* a file that an option names (speakers_out) cannot be written; all else went well */
};
#define WHISP_END 2 /* not an error: pulled to the end (whisp_live.h, whisp_vad.h) */

/* The library's version, "MAJOR.MINOR.PATCH". Static storage. */
WHISP_API const char *whisp_version(void);

/* One line on the last failure in the calling thread: what was wrong, with which file, what to do. Never NULL; "" when
 * nothing has failed yet. Valid until the next failing call in this thread. */
WHISP_API const char *whisp_last_error(void);

/* The name of a code, e.g. "WHISP_ERR_IO"; "unknown error" for others. Static storage. */
WHISP_API const char *whisp_error_name(int code);

/* ---- 2. Models --------------------------------------------------------------------------------------------------- */

/* A model in memory: hyper-parameters, weights, vocabulary. A file is mapped, so processes that compute in float32 share
 * it: replace it by renaming another one to its name. Writing into it changes the model; cutting it off ends the
 * process (SIGBUS) in a load, while a session is made, or in one that computes in float32 or bfloat16. Those in int8
 * need nothing of it once they are made. With `no_mmap` in the callbacks it is read into memory (docs/security.md). */
typedef struct whisp_model whisp_model;

typedef struct whisp_callbacks whisp_callbacks; /* section 4 */

/* Find a model file by name. `name` is a path to a .gguf file, a model's name ("tiny.en", "base", ...), or NULL for
 * base or, where there is no base, whatever is there. A name is looked up as NAME.gguf in `model_dir` if not NULL, else
 * in $WHISP_MODEL_DIR, ./models and ~/.cache/whisp ($XDG_CACHE_HOME/whisp if set), in that order. Writes the path to
 * `path`, which holds `capacity` bytes. WHISP_ERR_IO if there is none; the text says what there is, what fetches it. */
WHISP_API int whisp_model_find(const char *name, const char *model_dir, char *path, size_t capacity);

/* A model file that is there. Handed out by pointer: grows at its end. */
typedef struct whisp_model_file {
    const char *name; /* "tiny.en": what whisp_model_find() finds it by, unless one before it has the same */
    const char *path;
    uint64_t bytes;
    const char *architecture; /* what the file says that it is: "whisper", "silero-vad"; "" where it says nothing */
} whisp_model_file;

/* Call `each` for every model file where whisp_model_find() looks, in its order, by name within a folder; *file lives
 * until it returns. Return nonzero to stop. Returns how often it was called, or a negative code. */
typedef int (*whisp_model_fn)(void *user, const whisp_model_file *file);
WHISP_API int whisp_model_list(const char *model_dir, whisp_model_fn each, void *user);

/* Load a model from a GGUF file made by whisp-convert. *model is the caller's, released with whisp_model_free().
 * `callbacks` may be NULL; `log` is told what was loaded, how large it is, how it is stored and how long that took, and
 * at WHISP_LOG_DEBUG more. WHISP_ERR_IO: cannot be read; WHISP_ERR_MODEL: not a Whisper model, truncated, of a newer
 * version, or with tensors missing or of the wrong shape. Every number in the file is checked before it is used. */
WHISP_API int whisp_model_load(const char *path, const whisp_callbacks *callbacks, whisp_model **model);

/* The same from an open descriptor: all of the file it names, from its beginning, wherever it stands. Mapped where that
 * is possible, else (a pipe, from where it stands) read. It is not closed, and may be closed at once. */
WHISP_API int whisp_model_load_fd(int fd, const whisp_callbacks *callbacks, whisp_model **model);

/* The same from the `size` bytes of a model file, which must stay as they are until the model is freed. They are not
 * copied if they begin at an address that is a multiple of 64. */
WHISP_API int whisp_model_load_memory(const void *bytes, size_t size, const whisp_callbacks *callbacks,
                                      whisp_model **model);

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

/* Describe a model. Fills no more than info->size bytes. */
WHISP_API int whisp_model_describe(const whisp_model *model, whisp_model_info *info);

/* Release a model. Sessions made from it must be gone before. */
WHISP_API void whisp_model_free(whisp_model *model);

/* ---- 3. Results -------------------------------------------------------------------------------------------------- */

/* A token of the transcript. Frozen. */
typedef struct whisp_token {
    int32_t id;    /* its place in the vocabulary; from the first timestamp token on it is a time */
    float logprob; /* natural logarithm of its probability under the search's rules, temperature 1 */
} whisp_token;

/* Another text that a word might have been, as whisp_word.text has it; what the model thought of it. Frozen. */
typedef struct whisp_alternative {
    const char *text;
    double logprob;
} whisp_alternative;

/* Somebody speaks from `start` to `end`, seconds. Frozen. */
typedef struct whisp_turn {
    double start, end;
    int speaker; /* from 1 on; whisp_result_info.speakers[speaker - 1] is the name */
} whisp_turn;

/* A word and when it is said. */
typedef struct whisp_word {
    const char *text;   /* with the space before it and the punctuation around it */
    double start, end;  /* seconds; words follow one another, none begins before the last one's end */
    double probability; /* the mean of its tokens' */
    size_t first_token; /* of the segment's tokens */
    size_t n_tokens;
    double confidence; /* with option confidence: the chance that it is right, above 0; without it 0 */
    int speaker;       /* as whisp_segment.speaker */
    const whisp_alternative *alternatives; /* [n_alternatives] what else it may be (docs/confidence.md), or NULL */
    size_t n_alternatives;
} whisp_word;

/* A segment of the transcript: one or a few sentences between two timestamps. */
typedef struct whisp_segment {
    int id;                    /* 0, 1, 2, ... */
    int64_t seek;              /* where its window began, in frames of 10 ms */
    double start, end;         /* seconds */
    const char *text;          /* usually begins with a space */
    const whisp_token *tokens; /* [n_tokens], the closing and opening timestamp tokens included */
    size_t n_tokens;
    double temperature;             /* at which its window was decoded */
    double avg_logprob;             /* of its window */
    double compression_ratio;       /* of its window's text */
    double no_speech_prob;          /* of its window */
    const whisp_word *const *words; /* [n_words] with option word_timestamps or confidence; NULL without */
    size_t n_words;
    double confidence;        /* with option confidence: the mean of its words'; else, and without words, 0 */
    int speaker;              /* with options diarize, split_stereo (1: left channel): from 1 on; 0: not known */
    const char *language;     /* code, "en"; NULL where it is not known */
    const char *speaker_name; /* "SPEAKER_00", or as option speaker names him; NULL: not known */
} whisp_segment;

/* A finished transcript. Does not depend on the model. */
typedef struct whisp_result whisp_result;

/* What belongs to the whole of it. Set `size` first; strings and arrays live as long as the result. */
typedef struct whisp_result_info {
    size_t size;
    const char *text;     /* the whole transcript */
    const char *language; /* code, "en"; NULL where nothing says it (one that was read back) */
    double duration;      /* of the recording, seconds; of one that was read back, where its last segment ends */
    /* NULL; or, where something of the recording is not in the transcript (it was damaged, cut off, the work was
     * stopped, ...), a line that says what. The log callback got it as a warning. */
    const char *incomplete;
    size_t n_segments;
    const char *const *speakers; /* [n_speakers] names; options diarize and split_stereo; else NULL and 0 */
    size_t n_speakers;
    const whisp_turn *turns; /* [n_turns] by their starts, one speaker's apart; likewise, not NULL where none */
    size_t n_turns;
} whisp_result_info;

WHISP_API const char *whisp_result_text(const whisp_result *result); /* the whole transcript */
WHISP_API int whisp_result_describe(const whisp_result *result, whisp_result_info *info);
/* Segment i, or NULL when there is none. Lives as long as the result. */
WHISP_API const whisp_segment *whisp_result_segment(const whisp_result *result, size_t i);
/* One segment the way openai-whisper prints it, without a line end: "[00:00.000 --> 00:07.600]  And so ..."; or
 * "[00:00.000 --> 00:07.600] [Ann]: And so ...". Returns the length that the whole line has, as snprintf does. */
WHISP_API int whisp_segment_line(const whisp_segment *segment, char *line, size_t capacity);
WHISP_API void whisp_result_free(whisp_result *result);

/* ---- 4. Options and callbacks ------------------------------------------------------------------------------------ */

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

/* All options in the order in which a help text lists them; *n (may be NULL) is their number. Static storage. */
WHISP_API const whisp_option_info *const *whisp_option_list(size_t *n);

/* New options with default values; NULL if out of memory. Release with whisp_options_free(). */
WHISP_API whisp_options *whisp_options_new(void);
WHISP_API void whisp_options_free(whisp_options *options);

/* Set an option from text, as on a command line: "True", "False", "None", numbers, comma-separated lists.
 * WHISP_ERR_ARGUMENT for an unknown name or a value out of range; the error text says what is accepted. */
WHISP_API int whisp_options_set(whisp_options *options, const char *name, const char *value);

/* An option's current value as text; NULL for an unknown name. Valid until the options are changed or freed. */
WHISP_API const char *whisp_options_get(const whisp_options *options, const char *name);

enum { WHISP_LOG_ERROR = 0, WHISP_LOG_WARNING = 1, WHISP_LOG_INFO = 2, WHISP_LOG_DEBUG = 3 };
typedef void (*whisp_log_fn)(void *user, int level, const char *text);
/* Seconds done and seconds in all (negative when that is not known, as for a pipe). */
typedef void (*whisp_progress_fn)(void *user, double done, double total);
/* A segment that is final. It lives until the callback returns. */
typedef void (*whisp_segment_fn)(void *user, const whisp_segment *segment);
/* Asked for every token and ten times a second: return nonzero to stop; the running call gives WHISP_ERR_CANCELLED. */
typedef int (*whisp_cancel_fn)(void *user);
/* Where is the journal of a recording (its name in messages), by which work that was killed goes on (docs/resume.md)?
 * Write its path, with its NUL, into `capacity` bytes. NEW begins one, RESUME believes what is there where it fits; else
 * that becomes path.old. NONE: none is kept. Made beyond 30 s, not for pipes. Both files are yours: remove them then. */
enum { WHISP_JOURNAL_NONE = 0, WHISP_JOURNAL_NEW = 1, WHISP_JOURNAL_RESUME = 2 };
typedef int (*whisp_journal_fn)(void *user, const char *recording, char *path, size_t capacity);
struct whisp_part; /* whisp_live.h: a part of a recording that is cut, about to be transcribed */
typedef int (*whisp_part_fn)(void *user, struct whisp_part *part);

/* Who wants to know. Set `size` first; functions may be NULL. They run in the thread that called the library, must not
 * call back into the same session, and get `user`. */
struct whisp_callbacks {
    size_t size;
    void *user;
    whisp_log_fn log;
    whisp_progress_fn progress;
    whisp_segment_fn segment;
    whisp_cancel_fn cancel;
    whisp_journal_fn journal;
    int no_mmap;        /* of functions that load a model: it is read, not mapped (section 2) */
    whisp_part_fn part; /* in a thread of the library's */
};
WHISP_API int whisp_options_on(whisp_options *options, const whisp_callbacks *callbacks); /* copied; NULL: none */

/* ---- 5. The simple call ------------------------------------------------------------------------------------------ */

/* Transcribe a recording: `path` is a file (WAV, FLAC, OGG, Opus, MP3, AIFF, CAF, AU and others; docs/audio.md),
 * or "-" for standard input; as whisp_audio_open() and whisp_session_transcribe(), which say more. *result is the
 * caller's, released with whisp_result_free(), also where the code is an error (see there). */
WHISP_API int whisp_transcribe(const whisp_model *model, const char *path, const whisp_options *options,
                               whisp_result **result);

/* ---- 6. Writers -------------------------------------------------------------------------------------------------- */

/* A format in which a result can be written. */
typedef struct whisp_format {
    const char *name; /* "srt": of the format and of a file's ending */
    const char *help; /* one sentence */
} whisp_format;

/* All formats; *n (may be NULL) is their number. Static storage. */
WHISP_API const whisp_format *const *whisp_format_list(size_t *n);

/* How documents are laid out. Set `size` first; 0 is None or False. The first four are openai-whisper's options of
 * these names: of srt and vtt documents whose segments have words (option word_timestamps; else without effect). */
typedef struct whisp_writer_options {
    size_t size;
    int highlight_words;    /* a subtitle for each word, underlined while it is said */
    int max_line_width;     /* characters in a line */
    int max_line_count;     /* lines in a subtitle; no effect without max_line_width */
    int max_words_per_line; /* words in a subtitle; no effect with max_line_width */
    double doubtful_share;  /* of the words that "doubtful" lists, 0..1; 0: a tenth. At least one is listed */
    const char *recording;  /* what "rttm" and "html" call the recording; NULL: "recording" */
    const char *recording_path, *recording_link; /* "html": its file, how the page finds it; NULL: none; the path */
    int embed_audio;                             /* "html" holds the recording, too, of 24 MB at most */
    int subtitles;              /* srt, vtt, ass and lrc laid out as a person would; excludes the first four */
    const char *subtitle_style; /* "netflix" (NULL), "bbc" or "ebu": docs/subtitles.md */
} whisp_writer_options;

/* The result as a document in "txt", "srt", "vtt", "tsv" or "json", byte for byte as openai-whisper writes it (but for
 * confidence and speakers, where they were asked for); "rttm": who speaks when, as NIST's scorers read it; "doubtful":
 * the least certain tenth of the words (option confidence); "html": a page to correct it (docs/review.md); "lrc", "ass",
 * "csv", "md". `layout` may be NULL. *text is the caller's, for whisp_string_free(); *length (or NULL): without its NUL. */
WHISP_API int whisp_result_format(const whisp_result *result, const char *format, const whisp_writer_options *layout,
                                  char **text, size_t *length);
WHISP_API void whisp_string_free(char *text);

/* The same into a file: written beside it under a temporary name, then renamed, so there is never a partial file.
 * WHISP_ERR_IO when that fails; the temporary file is gone then. A device or a pipe is written directly. */
WHISP_API int whisp_result_write(const whisp_result *result, const char *format, const whisp_writer_options *layout,
                                 const char *path);

/* A transcript back from the `length` bytes of a json document that openai-whisper or whisp_result_format() wrote:
 * written again it is the same. Tokens have no log-probability then (NaN), words no tokens. Other keys are passed over.
 * WHISP_ERR_ARGUMENT for anything else, with the place. */
WHISP_API int whisp_result_read(const char *json, size_t length, whisp_result **result);

/* For who has made the samples and knows that something of the recording is not in them: what whisp_result_info.incomplete
 * and the writers say from now on, behind what they say already. `why` is copied. WHISP_OK or an error. */
WHISP_API int whisp_result_set_incomplete(whisp_result *result, const char *why);

/* ---- 7. Audio ---------------------------------------------------------------------------------------------------- */

/* A recording: decoded block by block to mono float samples at 16 kHz, rounded to 16 bits as the reference's are.
 * Memory does not depend on its length.
 *
 * A regular file, memory, samples and a reader that seeks can be read again: every call that is given such a handle
 * hears the recording from its beginning, whatever was read of it before, and it may be given to any number of calls,
 * one after the other. Anything else (a pipe) can be heard once: a second call, or one after a read, is
 * WHISP_ERR_STATE. A call does not free the handle. */
typedef struct whisp_audio whisp_audio;

/* Open a file, or standard input for "-". WHISP_ERR_IO: cannot be opened; WHISP_ERR_AUDIO: not audio that is
 * decoded here; the error text names a command that converts it where one is known. */
WHISP_API int whisp_audio_open(const char *path, whisp_audio **audio);

/* The same from an open descriptor, from where it stands; it may be a pipe. It is not closed, and must stay open. */
WHISP_API int whisp_audio_open_fd(int fd, whisp_audio **audio);

/* The same from the `n` bytes of a file in memory, which are not copied: they must outlive the handle. */
WHISP_API int whisp_audio_open_memory(const void *bytes, size_t n, whisp_audio **audio);

/* `n` samples that are decoded already (16 kHz, mono, floats), which are not copied: they must outlive the handle. They
 * are heard as they are; those that are not finite count as silence. There may be none. */
WHISP_API int whisp_audio_open_samples(const float *samples, size_t n, whisp_audio **audio);

/* The caller's own functions, called with `user`, one at a time, perhaps by the library's threads. `size` first. */
typedef struct whisp_reader {
    size_t size;
    void *user;
    /* Up to n bytes: how many, at least one; 0 at the end; negative on error. */
    int64_t (*read)(void *user, void *bytes, size_t n);
    /* As fseek() and ftell(), with its SEEK_SET and SEEK_END: 0 or an error; the position or a negative number. Both
     * NULL: it cannot seek, and is read as a pipe is. */
    int (*seek)(void *user, int64_t offset, int whence);
    int64_t (*tell)(void *user);
} whisp_reader;

/* The same bytes from a reader, from where it stands; it is copied, what `user` points to must outlive the handle. */
WHISP_API int whisp_audio_open_reader(const whisp_reader *reader, whisp_audio **audio);

/* What is known about it. Set `size` first. */
typedef struct whisp_audio_info {
    size_t size;
    int sample_rate, channels; /* of the recording itself */
    double duration;           /* seconds; negative where not known before the end (pipes) */
    const char *format;        /* "WAV, 16-bit PCM", "FLAC ...", "samples"; lives as long as the handle */
} whisp_audio_info;
WHISP_API int whisp_audio_describe(const whisp_audio *audio, whisp_audio_info *info);

/* Before the first read: hear one channel only, counted from 0, instead of all mixed (-1). WHISP_ERR_ARGUMENT when
 * there is no such channel. */
WHISP_API int whisp_audio_select_channel(whisp_audio *audio, int channel);

/* Read up to n samples. Returns how many were written to `samples`, 0 at the end, negative on error. */
WHISP_API int64_t whisp_audio_read(whisp_audio *audio, float *samples, size_t n);

/* What is to be told about the recording as far as it was read, a line each without its name: warning i, or NULL past
 * the last. *incomplete (may be NULL) is nonzero where something of it was not heard. Some are known at the end only,
 * and what is damaged after a call is a warning of its own. Lives as long as the handle. No other thread may read. */
WHISP_API const char *whisp_audio_warning(whisp_audio *audio, size_t i, int *incomplete);

WHISP_API void whisp_audio_free(whisp_audio *audio);

/* ---- 8. Sessions ------------------------------------------------------------------------------------------------- */

/* The state of one transcription: caches, threads, buffered audio. Belongs to one thread at a time; any number of
 * sessions may share a model. */
typedef struct whisp_session whisp_session;

/* New session; `options` are copied (NULL: defaults). The model must outlive it. WHISP_ERR_ARGUMENT when options and
 * model do not fit each other (translate with an English-only model, say), WHISP_ERR_BACKEND when the backend that the
 * options name cannot run. */
WHISP_API int whisp_session_new(const whisp_model *model, const whisp_options *options, whisp_session **session);

/* Transcribe a whole recording. What can be read again is read twice (its loudest frame first, as the reference's
 * log-Mel needs it), and cut into parts where it is long; a pipe is not, so there the loudest frame so far is used and
 * words may differ slightly. With vad_filter, split_stereo or diarize a pipe is kept in a temporary file, and as good as
 * a file. With split_stereo each of two channels is transcribed alone and the segments are merged by their starts;
 * WHISP_ERR_AUDIO says that there are not two channels. With it and diarize the segment callback comes at the end.
 *
 * *result is the caller's. Where the call fails midway (it was cancelled, memory ran out, the disk went away, ...) and
 * something was final already, *result is that, with `incomplete` set, beside the error's code; else NULL. Beside
 * WHISP_ERR_OUTPUT it is all there is to say, and `incomplete` says nothing of that error. Free it in either case. */
WHISP_API int whisp_session_transcribe(whisp_session *session, whisp_audio *audio, whisp_result **result);

/* Forced alignment: find when each word of `text` is said in a recording. The result's segments are the
 * text's lines or, where it has only one, its sentences; each has its words, and words that are not said have a
 * probability near 0. A recording of 30 seconds or less is aligned in one piece. A longer one is transcribed on the
 * way, window by window, to see how much of the text belongs to each window (docs/timing.md tells what that finds and
 * what not), so a text with passages of hundreds of words that are not said may lose its place. A warning is logged
 * when much of the text does not seem to be said. WHISP_ERR_ARGUMENT for a text without words. */
WHISP_API int whisp_session_align(whisp_session *session, whisp_audio *audio, const char *text, whisp_result **result);

/* Probabilities of all languages (with the option languages, of those) from the first 30 seconds in which somebody
 * speaks: probabilities[i] belongs to language i of whisp_language_list(), and they add up to 1. `n` is how many fit,
 * at least whisp_model_info.n_languages. Returns the most probable one's index, or a negative code: WHISP_ERR_ARGUMENT
 * for an English-only model. */
WHISP_API int whisp_session_detect_language(whisp_session *session, whisp_audio *audio, float *probabilities, size_t n);

/* Many files: the same as transcribing each alone, word for word, but several are transcribed at a time (option
 * batch_size), so that the decoder reads its weights once for all of them. `done` is called in this thread once for
 * each file, in their order, after its segment callbacks: with WHISP_OK and its result, which is now the callee's, or
 * with the error's code (whisp_last_error() says what was wrong) and what was final until then, or NULL. Return nonzero
 * to stop. What is not a regular file, and all with `cut off`, go one by one. WHISP_OK when all had their turn,
 * WHISP_ERR_CANCELLED when not; another code when nothing can go on. */
typedef int (*whisp_file_fn)(void *user, size_t index, int rc, whisp_result *result);
WHISP_API int whisp_session_transcribe_files(whisp_session *session, const char *const *paths, size_t n,
                                             whisp_file_fn done, void *user);

/* Where a session's time went since it was made or reset. Seconds of wall time and counts. Handed out by
 * pointer: grows at its end. */
typedef struct whisp_timings {
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

/* What is known of a session. Set `size` first. */
typedef struct whisp_session_info {
    size_t size;
    /* The language in use: the option's, the detected one, or, until somebody has spoken, the best guess; NULL before
     * any. Static storage. */
    const char *language;
    const char *incomplete; /* as whisp_result_info.incomplete, so far; until the session's next work */
    const char *backend;    /* what computes, in words: "cpu: int8, avx512vnni, 2 threads". As long as the session */
    const whisp_timings *timings; /* as long as the session, and counting */
} whisp_session_info;
WHISP_API int whisp_session_describe(const whisp_session *session, whisp_session_info *info);

WHISP_API void whisp_session_free(whisp_session *session);

/* ---- 9. Languages and tokens ------------------------------------------------------------------------------------- */

/* A language: its code ("de") and English name ("German"). */
typedef struct whisp_language {
    const char *code, *name;
} whisp_language;

/* All languages in the order of the models' tokens (0 is English; large-v3 knows one more than the others); *n (may be
 * NULL) is their number. Static storage. */
WHISP_API const whisp_language *const *whisp_language_list(size_t *n);

/* Text to tokens, as openai-whisper's tokenizer.encode(). Writes at most `capacity` ids and returns how many there
 * are in all, or a negative code. Names of special tokens in the text are ordinary text. */
WHISP_API int64_t whisp_tokenize(const whisp_model *model, const char *text, int32_t *tokens, size_t capacity);

/* Tokens to text; special tokens appear by name ("<|en|>", "<|1.00|>") and bytes that are not UTF-8 become U+FFFD.
 * Writes at most `capacity` bytes, always NUL-terminated, and returns the length the whole text has, or a negative
 * code (an id outside the vocabulary). */
WHISP_API int64_t whisp_detokenize(const whisp_model *model, const int32_t *tokens, size_t n, char *text,
                                   size_t capacity);

/* ---- 10. Mel ----------------------------------------------------------------------------------------------------- */

/* The log-Mel spectrogram of `n` samples as the model hears it: mel[band * frames + frame], info.n_mels bands of n /
 * 160 frames of 10 ms, log10, clamped to 8 below its maximum and scaled as openai-whisper's log_mel_spectrogram() does.
 * `capacity` is how many floats fit; returns how many there are in all (nothing is written where they do not fit), or a
 * negative code. */
WHISP_API int64_t whisp_log_mel(const whisp_model *model, const float *samples, size_t n, float *mel, size_t capacity);

/* One window from such a spectrogram: its first 3,000 frames, or fewer, which are filled up with silence. `mel` is
 * [n_mels][frames]. `probabilities` (or NULL) gets those of n languages, as whisp_session_detect_language() gives them.
 * *result (`result` may be NULL) becomes the window's transcript, its times counted from the window's beginning,
 * decoded with the session's options and the prompt that they give, as the first window of a recording is, and to its
 * end; options that look at samples (hallucination_guard, vad_filter, split_stereo) have no say. */
WHISP_API int whisp_session_decode_mel(whisp_session *session, const float *mel, size_t frames, float *probabilities,
                                       size_t n, whisp_result **result);

/* ------------------------------------------------------------------------------------------------------------------
 * 11. A queue: recordings that join a running batch
 *
 * For a server. Recordings come from any thread at any moment; those that are being transcribed share the decoder's
 * steps, so that its weights are read once for all of them, and each one's words are those that it has alone.
 *
 *     whisp_queue_new(model, options, &queue);
 *     whisp_queue_submit(queue, audio, NULL, user, &id);          // any thread, any time
 *     while (whisp_queue_next(queue, -1, &event) == 1)            // one thread
 *         if (event.kind == WHISP_EVENT_SEGMENT) print(event.segment);
 *         else finish(event.rc, event.error, event.result);
 *
 * A short recording does not wait for a long one: what a minute or less asks for is computed first (docs/queue.md). */

typedef struct whisp_queue whisp_queue;

/* New queue. Of the options only threads, batch_size, compute_type, backend, device, alignment_heads and encoder_padding
 * are used: those belong to the queue. `batch_size` long recordings, or parts of recordings that option cut cuts, are
 * transcribed at a time, and as many short ones. The model must outlive the queue. */
WHISP_API int whisp_queue_new(const whisp_model *model, const whisp_options *options, whisp_queue **queue);
/* Cancels what is not over, waits for the queue's threads and releases it, with all events and results that were not
 * taken. No other call may be going on. */
WHISP_API void whisp_queue_free(whisp_queue *queue);

/* The most recordings that a queue holds, from submit until their end is taken. */
#define WHISP_QUEUE_MOST 256

/* Any thread. `audio` has not been read from; on success the queue owns it, and has released it when its end is told;
 * on failure it stays the caller's. `options` (copied; NULL: defaults) are the recording's own, but for those that
 * belong to the queue; so are its callbacks, which are called in the thread of the queue that transcribes it: one
 * after the other for a recording, at the same time for different ones. They may submit and cancel. `user` comes back
 * with its events. *id (may be NULL) is its number, above 0. WHISP_ERR_STATE when the queue is full: take an end, then
 * try again. What options and model say against each other is told at the recording's end. */
WHISP_API int whisp_queue_submit(whisp_queue *queue, whisp_audio *audio, const whisp_options *options, void *user,
                                 uint64_t *id);

enum { WHISP_EVENT_SEGMENT = 1, WHISP_EVENT_END = 2 };

/* What became of a recording. Set `size` first. */
typedef struct whisp_event {
    size_t size;
    int kind; /* WHISP_EVENT_SEGMENT or WHISP_EVENT_END */
    uint64_t id;
    void *user;                   /* both as with submit */
    const whisp_segment *segment; /* SEGMENT: it is final. Lives until the next whisp_queue_next() */
    int rc;                       /* END: WHISP_OK, WHISP_ERR_CANCELLED or what went wrong, */
    const char *error;            /* with its text (NULL for WHISP_OK); it lives as long as the segment */
    whisp_result *result; /* END: the result, which is the caller's now; else what was final until then, or NULL */
} whisp_event;

/* Wait at most `timeout` seconds (negative: for ever; 0: not at all) for the next event: 1 and *event, or 0. Of each
 * recording the segments come in order, then its end, once. One thread at a time. */
WHISP_API int whisp_queue_next(whisp_queue *queue, double timeout, whisp_event *event);

/* Any thread. A recording that waits ends at once, one that is being transcribed within a decoding step (where its reader
 * or a pipe keeps it waiting, once that returns), with WHISP_ERR_CANCELLED; one that is over has ended as it did.
 * WHISP_ERR_ARGUMENT: there is no such recording, or its end was taken. */
WHISP_API int whisp_queue_cancel(whisp_queue *queue, uint64_t id);

#ifdef __cplusplus
}
#endif

#endif
