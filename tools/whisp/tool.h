/* tool.h - the parts of the command line tool `whisp` and how they fit:
 *
 *   main.c        the order of events: arguments, checks, model, one recording after another; exit codes
 *   args.c        the command line -> struct settings; options of the transcription go on to the library's table
 *   help.c        --help, made from args.c's table and the library's
 *   suggest.c     "did you mean --language?"
 *   foreign.c     other programs' options, and what to write here
 *   notes.c       what is said on standard error: notices, warnings, errors
 *   progress.c    the bar on standard error
 *   transcript.c  segments on standard output
 *   inputs.c      the recordings: looked at before the work, opened during it
 *   ffmpeg.c      those that the library does not decode
 *   pipes.c       the same through a pipe
 *   files.c       the output files
 *   journals.c    --resume
 *   summary.c     the recordings that failed, and how to get files
 *   languages.c   --detect_language
 *   speakers.c    --speakers_only, and several --speaker
 *   from.c        --from: transcripts that are there already
 *   review.c      -f html: the page knows the recording's file
 *   words.c       options about words: the layout of subtitles, --align and --align_file
 *   stream.c      --stream: words as they settle
 *   signals.c     Ctrl-C and its kin
 *
 * Like any other program it knows the library by its public headers only. */
#ifndef TOOL_H
#define TOOL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "whisp_live.h"
#include "whisp_speakers.h"

#ifdef __GNUC__
#define TOOL_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define TOOL_PRINTF(a, b)
#endif

/* Exit codes, as --help and the manual page list them. A signal's is 128 and its number. */
enum {
    CODE_FINE = 0,
    CODE_OTHER = 1,   /* out of memory, or an error inside */
    CODE_USAGE = 2,   /* the command line */
    CODE_INPUT = 3,   /* a recording that cannot be read, or is none */
    CODE_MODEL = 4,   /* no model, or not one that works */
    CODE_OUTPUT = 5,  /* the transcript cannot be written */
    CODE_BACKEND = 6, /* the compute backend */
    CODE_PART = 7,    /* written, but heard in part: damaged, cut off, ... */
    CODE_SIGNAL = 128,
    CODE_DONE = -1 /* not an exit code: go on */
};

/* ---- own.c ---- */

enum own_option {
    OPT_MODEL,
    OPT_MODEL_DIR,
    OPT_MMAP,
    OPT_OUTPUT_FORMAT,
    OPT_OUTPUT_DIR,
    OPT_OUTPUT_NAME,
    OPT_SKIP_EXISTING,
    OPT_RESUME,
    OPT_VERBOSE,
    OPT_QUIET,
    OPT_LOG_LEVEL,
    OPT_DETECT_LANGUAGE,
    OPT_SPEAKERS_ONLY,
    OPT_FROM,
    OPT_HIGHLIGHT_WORDS,
    OPT_MAX_LINE_WIDTH,
    OPT_MAX_LINE_COUNT,
    OPT_MAX_WORDS_PER_LINE,
    OPT_SUBTITLES,
    OPT_SUBTITLE_STYLE,
    OPT_EMBED_AUDIO,
    OPT_DOUBTFUL,
    OPT_DOUBTFUL_SHARE,
    OPT_ALIGN,
    OPT_ALIGN_FILE,
    OPT_STREAM,
    OPT_STREAM_RATE,
    OPT_STREAM_CHANNELS,
    OPT_STREAM_FINAL,
    OPT_FP16,
    OPT_VERSION,
    OPT_HELP,
    N_OWN
};

/* An option of the program itself, in the words of whisp_option_info. `values` is NULL for one that takes none. */
struct tool_option {
    char letter; /* 0: no short form */
    whisp_option_info info;
};

extern const struct tool_option own_options[N_OWN]; /* by enum own_option */

/* ---- formats.c ---- */

/* The name of format i of output files, which is their extension, too, in the order in which they are written; NULL
 * behind the last one. */
const char *formats_name(size_t i);
/* The bit of one of them. */
unsigned formats_bit(const char *name);
/* A bit for each of those that openai-whisper has. */
unsigned formats_all(void);
/* "txt|srt|...|all", once formats_setup() was called. */
#define FORMATS_VALUES 256
extern char formats_values[FORMATS_VALUES];
void formats_setup(void);

/* ---- args.c ---- */

struct settings {
    const char *model, *model_dir; /* NULL: not given */
    const char *output_dir;        /* NULL: the current folder */
    const char *output_name;       /* of the files, instead of the recording's; NULL: that */
    unsigned formats;              /* bit i: write formats_name(i); 0: no files */
    int verbose;                   /* print segments as they become final */
    int quiet;                     /* say nothing but errors */
    int debug;                     /* and everything, with times */
    int no_mmap;                   /* the model is read, not mapped */
    int skip_existing;             /* leave out recordings whose output files are there */
    int resume;                    /* go on where the last run ended */
    int fp16_given;                /* an option of openai-whisper's that has no effect was used */
    int detect_language;
    int speakers_only;                /* no transcript: who speaks when */
    int from;                         /* the inputs are transcripts in JSON */
    int confidence_given;             /* somebody said whether words have one */
    const char *first_given;          /* the first of the library's options that was used, or NULL */
    int stream;                       /* live, from standard input */
    int stream_rate, stream_channels; /* of raw sound */
    const char *stream_final;         /* the file for the final text, - for standard output; NULL: none */
    const char *align;                /* the text whose words are looked for; NULL: transcribe */
    char *align_text;                 /* the same, if it was read from a file */
    whisp_writer_options layout;      /* of subtitles */
    const char *doubtful;             /* the file for the least certain words; NULL: none */
    const char **inputs;              /* [n_inputs], pointers into argv */
    size_t n_inputs;
    whisp_options *options;
    whisp_segment_fn on_segment; /* who wants the segments, or NULL */
    void *on_segment_user;
};

/* Read the command line. CODE_DONE, or the exit code after --help, --version or a usage error, about which the user has
 * been told. settings_free() in any case. */
int settings_read(struct settings *settings, int argc, char **argv);
void settings_free(struct settings *settings);

/* ---- help.c ---- */

/* Print all about the program on standard output. An exit code. */
int help_print(void);

/* ---- suggest.c ---- */

/* The option whose name is nearest to `name` (without dashes), or NULL if none is near. */
const char *suggest_option(const char *name);
/* The option that `name`, at least three letters of it, is or begins; NULL: none. */
const char *suggest_beginning(const char *name);

/* ---- foreign.c ---- */

/* What to write here instead of another program's option: a long one's name, with underscores, or a short one's
 * letters, a value behind them or not. NULL: nobody has such an option. */
const char *foreign_long(const char *name);
const char *foreign_short(const char *letters);

/* ---- progress.c ---- */

/* A bar on standard error that redraws itself in place. Only where that is a terminal. */
struct progress {
    int wanted;            /* there is a terminal, and nobody said -q */
    int visible;           /* the cursor stands at the end of a drawn bar */
    double started, drawn; /* wall time: of this recording, of the last drawing */
    double done, total;    /* seconds of audio; total < 0: not known, 0: not yet */
};
/* Stand at 0% until there is something to report; `total` as far as it is known, else 0. */
void progress_wait(struct progress *bar, double total);
void progress_begin(struct progress *bar);
void progress_update(struct progress *bar, double done, double total);
void progress_hide(struct progress *bar); /* before anything else is written to the terminal */
void progress_show(struct progress *bar); /* after it */
void progress_end(struct progress *bar);

/* Wall time, in seconds from some moment. */
double tool_now(void);

/* Columns of the terminal on a file descriptor; `otherwise` if it is none. */
int terminal_width(int fd, int otherwise);

/* ---- notes.c ---- */

/* Where notes go and which are wanted; set once before the first note. */
void notes_setup(struct progress *bar, int quiet);
void note(const char *format, ...) TOOL_PRINTF(1, 2);         /* as it is; not with -q */
void note_warning(const char *format, ...) TOOL_PRINTF(1, 2); /* "whisp: warning: ..."; not with -q */
void note_error(const char *format, ...) TOOL_PRINTF(1, 2);   /* "whisp: ..."; always */
int note_memory(void);                                        /* out of memory; gives CODE_OTHER */

/* ---- transcript.c ---- */

/* Standard output, with the first failure to write remembered. */
struct transcript {
    struct progress *bar;
    int failed; /* errno of the first failure, 0 if there was none */
};
/* Print a line, or text that ends with one, and flush it. Does nothing once writing has failed. */
void transcript_print(struct transcript *out, const char *text);
void transcript_segment(struct transcript *out, const whisp_segment *segment);
/* A line for each of its words. */
void transcript_words(struct transcript *out, const whisp_segment *segment);
/* Tell of a failure, except that nobody reads any more (a closed pipe). CODE_DONE or CODE_OUTPUT. */
int transcript_check(const struct transcript *out);

/* ---- files.c ---- */

/* What a recording is called where a file is not meant: without folder and extension. malloc()ed; NULL: no memory. */
char *files_name(const char *input);

/* Where a recording's file goes: its name without folder and last extension, with `ending`, in the output folder.
 * malloc()ed; NULL: no memory. */
char *files_path(const struct settings *settings, const char *input, const char *ending);

/* With --skip_existing: take the recordings out of the inputs whose files are all there. CODE_DONE or an exit code. */
int files_skip(struct settings *settings);
/* Before any work: make the folder, see that files can be made in it, that no two recordings would be written to the
 * same file, and that none would be overwritten by its own transcript. CODE_DONE or an exit code. */
int files_prepare(const struct settings *settings);
/* Write one recording's result in all wanted formats; with `in_part` to files named .partial.srt and so on, which is told.
 * CODE_DONE or CODE_OUTPUT. */
int files_write(const struct settings *settings, const char *input, int in_part, const whisp_result *result);

/* ---- journals.c ---- */

/* Which options do not go together with --resume. CODE_DONE or CODE_USAGE. */
int journals_check(const struct settings *settings);
/* Without --resume: of which recordings there is one, which will be set aside. */
void journals_tell(const struct settings *settings);
/* The journal of a recording, for whisp_callbacks.journal: which kind, and its path. */
int journals_name(const struct settings *settings, const char *input, char *path, size_t capacity);
/* A recording's transcript is where it was wanted: its journals go, and what --resume has made whole. Or not: they stay,
 * which is told. A code: there was no memory for their names. */
int journals_end(const struct settings *settings, const char *input, int is_done);

/* ---- from.c ---- */

/* With --from: options that have no say over a transcript that is there. CODE_DONE or CODE_USAGE. */
int from_check(const struct settings *settings);
/* Read a transcript, "-" from standard input. WHISP_OK or an error, its text in *problem, to be freed. */
int from_read(const char *path, whisp_result **result, char **problem);
/* What was asked for and cannot be had from this transcript: said. */
void from_warn(const struct settings *settings, const char *name, const whisp_result *result);

/* ---- review.c ---- */

/* With -f html: words have a confidence unless somebody said that they have none. CODE_DONE or CODE_USAGE. */
int review_check(struct settings *settings);
/* What the page of an input knows of the recording's file, in *layout, which has its name; the strings live in *found.
 * CODE_DONE or an exit code. */
struct review_file {
    char *path, *link;
};
int review_find(const struct settings *settings, const char *input, whisp_writer_options *layout,
                struct review_file *found);
void review_free(struct review_file *found);

/* ---- ffmpeg.c ---- */

/* A recording's sound as ffmpeg decoded it, in a file that has no name: Wave64 of 16 bits, with its rate and channels. */
struct spooled {
    int fd;        /* -1: none */
    char path[32]; /* under which the library finds it */
    int64_t bytes;
    char *incomplete; /* why it is not all of the recording, or NULL */
};
/* Decode `input` with it; where `pipe` is not -1, what comes through that. CODE_DONE; CODE_SIGNAL where a signal asks the
 * program to end; or the code of a failure, which the user has been told. */
int ffmpeg_hear(const char *program, const char *input, int pipe, struct spooled *spooled);
void spooled_close(struct spooled *spooled);

/* ---- pipes.c ---- */

/* Is this name a pipe's? "-" is standard input. */
int pipe_is(const char *name);
/* Its descriptor, to be closed. -1: errno. */
int pipe_open(const char *name);
/* Is what comes through it for ffmpeg alone? It waits for the first bytes and leaves them there. */
int pipe_needs_ffmpeg(int fd);
/* All that comes, into the file. -1: it cannot be read or written (errno); 1: a signal asks to end. */
int pipe_keep(int fd, int file);

/* ---- inputs.c ---- */

/* One of the recordings to be transcribed. */
struct input {
    const char *name; /* as it was given */
    int needs_ffmpeg;
    int pipe; /* its descriptor while it is looked at or heard; -1: none */
    struct spooled spooled;
};
/* All of them, in the order in which they were given, without those that cannot be heard. */
struct inputs {
    struct input *list; /* [n] */
    const char **paths; /* [n] how the library opens them; NULL while they must be spooled first */
    size_t n;
    double seconds;    /* of those that say it */
    char ffmpeg[4096]; /* where it is, once it was looked for and found */
    char *named;       /* inputs_named()'s last answer */
};

/* Look at each input of the settings while failing is cheap: `failed` is called for those that cannot be opened, of
 * which the user has been told. CODE_DONE or an exit code. */
int inputs_check(struct inputs *inputs, const char *const *names, size_t n,
                 void (*failed)(void *user, const char *name, int code), void *user);
/* Make inputs from `first` on ready to be opened, as many as go together, at least one if there is one: *end is behind
 * the last. The code is that of input *end where it failed; CODE_DONE otherwise. */
int inputs_open(struct inputs *inputs, size_t first, size_t most, size_t *end);
void inputs_close(struct inputs *inputs, size_t first, size_t end);
/* The library's text, with its names for spooled recordings replaced by theirs. Lives until the next call. */
const char *inputs_named(struct inputs *inputs, const char *text);
void inputs_free(struct inputs *inputs);

/* The exit code for what the library said while something was done that fails with `io` when a file cannot be read. */
int exit_code(int error, int io);

/* ---- summary.c ---- */

/* Those of n recordings that failed or were heard in part. */
struct summary {
    size_t n, n_bad;
    struct bad_input {
        const char *input;
        int code; /* CODE_PART or a failure's */
    } * list;     /* [n_bad], at most n */
};
int summary_begin(struct summary *summary, size_t n);                   /* CODE_DONE or CODE_OTHER */
void summary_add(struct summary *summary, const char *input, int code); /* nothing where the code is no failure's */
void summary_print(const struct summary *summary);
void summary_free(struct summary *summary);

/* What to say after a run of so many seconds on a terminal; NULL: nothing. */
const char *summary_hint(double seconds, int writes_files, int on_terminal);

/* ---- languages.c ---- */

/* Print the most probable languages of a recording, behind its name unless that is NULL. WHISP_OK or the library's
 * error. *in_part: something of what was listened to could not be heard. */
int languages_print(whisp_session *session, const char *path, const char *name, struct transcript *out, int *in_part);

/* ---- speakers.c ---- */

/* Which options do not go together with --speakers_only, and what it writes. CODE_DONE or CODE_USAGE. */
int speakers_check(struct settings *settings);
/* Set option `name`; --speaker adds to what it was set to before. WHISP_OK or the library's error. */
int speakers_set(whisp_options *options, const char *name, const char *value);
/* With --model_dir: the models of who speaks and of speech are those in there, which the options name from then on. CODE_DONE
 * or an exit code. */
int speakers_find_models(const struct settings *settings);
/* With --speakers_only: the model. CODE_DONE or an exit code. */
int speakers_load(const struct settings *settings, whisp_speakers **speakers);
/* Who speaks in a recording; where no files are written, its lines are printed. WHISP_OK or the library's error. */
int speakers_find(const struct settings *settings, const whisp_speakers *speakers, const char *path, const char *name,
                  struct transcript *out, whisp_result **result);

/* ---- words.c ---- */

/* Set --doubtful_share. CODE_DONE or CODE_USAGE. */
int words_share(const char *value, double *share);

/* Set a limit of the layout: a whole number above 0, or None. CODE_DONE or CODE_USAGE. */
int words_limit(const char *name, const char *value, int *limit);
/* Read the text to align from a file, all of it; - is standard input. */
int words_read_text(struct settings *settings, const char *path);
/* Which of the options about words do not fit together. CODE_DONE or CODE_USAGE. */
int words_check(struct settings *settings);

/* ---- stream.c ---- */

/* Which options do not go together with --stream. CODE_DONE or CODE_USAGE. */
int stream_check(const struct settings *settings);
/* Transcribe standard input live. WHISP_OK or the library's error; *code is CODE_OUTPUT where the final text's file
 * could not be written, CODE_PART where something was not heard, of which the user has been told, else CODE_DONE. With
 * --diarize *result, which is NULL before, becomes the final text once all was heard. */
int stream_run(struct settings *settings, const whisp_model *model, struct transcript *out, int *code,
               whisp_result **result);

/* ---- signals.c ---- */

void signals_catch(void);
int signals_stop(void);        /* the signal that asked the program to end, or 0 */
void signals_writing(int now); /* around the writing of files: the program is not ended meanwhile */
void signals_bar(int visible); /* a progress bar is on the terminal */

#endif
