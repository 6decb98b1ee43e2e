/* session.h - the inside of whisp_session, shared by the files of lib/transcribe.
 *
 *   session.c   making, resetting, push / finish / measure
 *   clips.c     the parts of the recording to transcribe
 *   words.c     a window's words: their times, where they move the seek, hallucinations
 *   confidence.c  how far the words can be trusted
 *   align.c     a given text's words instead of the heard ones (given.h)
 *   window.c    one window: prompt, decoding with fallback, cutting into segments, where to go next; pull
 *   language.c  which language it is: where somebody speaks first
 *   voice.c     where there is sound, and a voice (voice.h)
 *   guard.c     hallucination_guard: text that nobody said (guard.h)
 *   silence.c   the same: windows with a long silence in them
 *   joins.c     vad_filter, split_stereo: segments parted where they reach over silence
 *   filter.c    vad_filter: a whole recording without its silence
 *   channels.c  split_stereo: a recording's two channels, one after the other, and their segments merged
 *   cut.c       where a long recording is cut
 *   cutter.c    a long recording, handed out part by part
 *   batch.c, part.c  parts of a recording, transcribed side by side
 *   jobs.c      recordings transcribed side by side, each with its own session; for
 *   files.c     many files, and
 *   queue.c     a queue
 *   whole.c     whole recordings, results
 *   recording.c the samples of a whole recording, as often as they are wanted (recording.h)
 *   passes.c    the passes over it before the one that counts (passes.h)
 *   jump.c      a long one of which only some clips are asked for (jump.h)
 *   one_window.c  log-Mel spectrograms from outside
 *   detect.c    the language of a whole recording */
#ifndef WH_SESSION_H
#define WH_SESSION_H

#include "api/options.h"
#include "backend/backend.h"
#include "mel/mel.h"
#include "search/search.h"
#include "timing/timing.h"
#include "transcribe/voice.h"
#include "vad/vad.h"
#include "whisp_live.h"

/* Frames that a session holds: a window and half a minute more, so that pushes and pulls can take turns. */
#define WH_STORE_FRAMES 6200

/* A segment as the window's cutting makes it. text and tokens lie in the session's text and token pools. */
typedef struct wh_cut {
    double start, end;
    size_t text; /* offset into window_text */
    size_t first_token, n_tokens;
    int cleared; /* emptied, as openai-whisper does with segments that say nothing */
    size_t first_word, n_words;
} wh_cut;

struct whisp_session {
    const whisp_session *whole; /* of a part of a recording: the session that has it all; else NULL */
    int last_part;              /* nothing follows it */
    size_t part_frames;         /* what it must hold of a part; 0: the usual */
    int64_t origin;             /* where the part begins in the recording, in frames; 0 for a whole one */
    const whisp_model *model;
    whisp_model computed; /* the same, with the alignment heads that the options ask for: the backend's */
    const wh_specials *specials;
    whisp_options *options;
    wh_backend *backend;
    const struct wh_company *company; /* those who share the backend (company.h); NULL: nobody */
    wh_search *search;
    wh_mel *mel;
    wh_mel *measuring; /* the first pass of whisp_session_measure(), or NULL */
    float *window;     /* [3000][n_mels] */
    whisp_timings timings;

    whisp_vad *vad;       /* with vad_filter, else NULL */
    wh_timeline timeline; /* where speech is in the recording */
    int64_t recording;    /* its samples, once speech was looked for; else -1 */

    int channel;                /* with split_stereo: the one being heard, from 0 on; else -1 */
    int guards;                 /* hallucination_guard is on */
    wh_voice *voice;            /* where something asks for it, else NULL */
    int64_t gap_start, gap_end; /* frames that no window hears, where one was parted at a silence; both 0: none */

    int finished;            /* no more samples */
    int failed;              /* a call failed midway: only reset helps */
    int64_t seek;            /* the next window's first frame */
    int64_t measured_frames; /* of the whole recording, where it was measured; else -1 */
    double total;            /* seconds of the whole recording; negative if not known */
    int total_is_known;      /* ... before it was read, of which only the clips are */
    size_t bad_samples;      /* of those already warned about */
    const char *unsound;     /* a tensor of the model that holds numbers that are not finite, or NULL */
    int unsound_told;
    char incomplete[512];  /* why the text is not of all that the recording holds; "" where it is */
    int language;          /* -1: not known yet */
    int guess;             /* until then: of the first window, or of the first that text stayed of; -1 before any */
    int text_stayed;       /* text of a window stayed */
    int detected;          /* the first window was asked for the language, or */
    int64_t detect_at;     /* the one that begins at this frame, with more of a voice in it */
    int doubt_told;        /* that the language is not sure */
    float *language_probs; /* [n_languages], of the window that it was detected in */
    int window_language;   /* of the current window */
    float *window_probs;   /* [n_languages] of the current window, where it was asked */
    int encoded_first;     /* slot 0 holds the encoding of the window at frame 0 (language detection left it) */

    int32_t *initial; /* tokens of initial_prompt */
    size_t n_initial, initial_capacity;
    int was_reset;    /* the prompt was dropped since: initial no longer stands before the history */
    int32_t *history; /* tokens written since the last reset of the prompt; old ones are dropped */
    size_t n_history, history_capacity;
    int32_t *prompt; /* scratch for the next window's prompt */
    size_t prompt_capacity;

    wh_cut *cuts; /* the current window's segments */
    size_t n_cuts, cuts_capacity, next_cut;
    whisp_token *tokens; /* theirs */
    size_t tokens_capacity;
    wh_buf window_text;   /* their texts, each NUL-terminated */
    wh_decoding decoding; /* of the current window */
    int64_t window_seek;
    int next_id;

    struct wh_clip {
        int64_t start, end; /* frames; INT64_MAX: up to the recording's end */
    } * clips;              /* [n_clips], in order */
    size_t n_clips, clip;   /* the one being transcribed */

    int32_t *text_tokens; /* the current window's tokens below eot */
    size_t *text_index;   /* where each stands in s->tokens */
    size_t text_capacity, index_capacity;
    wh_words timed;    /* the window's words, in seconds from its beginning */
    whisp_word *words; /* [n_words], in seconds of the recording; cuts count them off */
    size_t n_words, words_capacity;
    const whisp_word **handed; /* those of `segment`, for the caller */
    size_t handed_capacity;
    wh_buf word_text;       /* their texts, each NUL-terminated */
    double last_speech;     /* end of the last word so far */
    double last_word;       /* the same of those given out: none begins before it */
    int slow_windows;       /* windows in a row that moved the seek by next to nothing */
    struct wh_given *given; /* the text to align, or NULL */

    struct wh_doubts *doubts; /* evidence about the words, with the option confidence; or NULL */

    whisp_segment segment; /* what the last pull gave */
};

/* Pointers to n words in a row, in a list that is used again and again. */
int wh_hand_words(const whisp_word ***list, size_t *capacity, const whisp_word *words, size_t n);

/* Pull one segment: as whisp_session_pull(), and says whether it was cleared. */
int wh_session_next(whisp_session *session, int *cleared);

/* Warn of options that have no effect beside others; and, once its length is known, of clips beyond the recording. */
int wh_session_warn(const whisp_session *session);
void wh_session_warn_clips(const whisp_session *session);

/* The text will not be of all that the recording holds: say why, in a line that names the recording, and remember it
 * for the result. */
void wh_session_incomplete(whisp_session *session, const char *format, ...) WH_PRINTF(2, 3);
/* Why it is not, so far; NULL: it is. */
const char *wh_session_why_incomplete(const whisp_session *session);
/* Only remember it. */
void wh_session_remember_incomplete(whisp_session *session, const char *why);
/* A recording was read as far as it will be: pass on what is to be said about it. `audio` may be NULL. */
void wh_session_hear_warnings(whisp_session *session, whisp_audio *audio);

/* A recording of which only the clips are read (jump.c). BEFORE: frames before a clip that its windows' evidence
 * reaches back to. jump, measure_jump: the next sample pushed or measured is the first of frame `frame`, 160 frame - 200.
 * known: the seconds of the whole recording, which pushes and measure no longer tell. */
#define WH_JUMP_BEFORE 600
void wh_session_jump(whisp_session *session, int64_t frame);
int wh_session_measure_jump(whisp_session *session, int64_t frame);
void wh_session_known_total(whisp_session *session, double seconds);

/* Read the option clip_timestamps. */
int wh_session_make_clips(whisp_session *session);
/* For wh_audio_ask(): does a clip reach between two times? Without vad_filter, with which clips count other seconds. */
int wh_session_wants(const void *session, double from, double to);
/* Move the seek to where the clips want it: into the next one when it has left one; far beyond any recording's end
 * after the last. */
void wh_session_settle(whisp_session *session);

/* Find the current window's words and give them to its cuts; *advance changes to where the last word ends. 1: what was
 * heard may be imagined; forget it and hear the window again from *advance on. */
int wh_session_time_words(whisp_session *session, int64_t segment_size, int64_t *advance);

/* The option confidence (confidence.c). listen_again: between decoding and alignment, gather what the decoder knows of
 * the n_text text tokens (s->text_tokens); *bare is where the alignment leaves what it sees. judge: set the confidence
 * of s->words. features: the [WH_FEATURES] that the current window's word was judged by. */
int wh_session_listen_again(whisp_session *session, size_t n_text, wh_evidence **bare);
int wh_session_judge(whisp_session *session);
const float *wh_session_features(const whisp_session *session, const whisp_word *word);
double wh_segment_confidence(const whisp_word *words, size_t n);
void wh_doubts_free(struct wh_doubts *doubts);

/* Which words of the given text are said in the current window, and when. */
int wh_session_align_window(whisp_session *session, int64_t segment_size);

/* Which language it is (language.c). detect: ask the recording's first 30 s, unless the language is known; needs 3000
 * frames, or the end. It stays unknown where nobody speaks there. window_language: to decode the window in in whose
 * encoding is in slot 0; or a negative code. heard: the window's text is what it will be; the language may be known now,
 * and is told where it is in doubt. spoken: the one to name: the language, or the best guess. */
int wh_session_detect(whisp_session *session);
int wh_session_window_language(whisp_session *session, int64_t segment_size);
void wh_session_heard(whisp_session *session);
int wh_session_spoken(const whisp_session *session);
/* detect_next: 0 when the next 30 s are to be asked, by detect, once they are there; 1 at the end. settle_language: at the
 * end: where nobody spoke, the guess is what it is. */
int wh_session_detect_next(whisp_session *session);
void wh_session_settle_language(whisp_session *session);
/* Does somebody speak in the window in s->window, which begins at frame `seek`? `silence` is the no-speech probability. */
int wh_session_is_speech(whisp_session *session, int64_t seek, int64_t frames, double silence);
/* Warn, once, where the most probable language is not probable. */
void wh_session_tell_doubt(whisp_session *session, const float *probabilities, int best);

/* Add tokens first .. first + n - 1 of the window as a segment. (window.c) */
int wh_session_add_cut(whisp_session *session, double start, double end, size_t first, size_t n);
/* Find the current window's words, where no option asks for them: cuts get theirs, and keep their times. (words.c) */
int wh_session_find_words(whisp_session *session, int64_t segment_size);
/* vad_filter, split_stereo: part segments that reach over silence. (joins.c) */
int wh_session_part_segments(whisp_session *session, int64_t segment_size);

/* Run the encoder on s->window. (window.c) */
int wh_session_encode(whisp_session *session);
/* Forget the text before: the next window's prompt is without it. (window.c) */
void wh_session_forget_text(whisp_session *session);

/* vad_filter. load: the model, if the options ask for it. find: where speech is in all that `read` gives. check: fails
 * when samples come before it was looked for. total: seconds of the recording of which `samples` came. times: from the
 * time without silence to the recording's. */
int wh_filter_load(whisp_session *session);
/* Where the voice activity model is: WHISP_ERR_ARGUMENT or another code where it is not found. */
int wh_filter_model(const whisp_session *session, char *path, size_t capacity);
void wh_filter_free(whisp_session *session);
void wh_filter_reset(whisp_session *session);
int wh_filter_find(whisp_session *session, wh_vad_read_fn read, void *user);
int wh_filter_check(const whisp_session *session);
double wh_filter_total(const whisp_session *session, int64_t samples);
int wh_filter_is_on(const whisp_session *session); /* for a part: in the whole recording */
void wh_filter_times(const whisp_session *session, double *start, double *end);
/* The same for a word, both of whose ends belong to the part of speech that its middle is in. */
void wh_filter_word_times(const whisp_session *session, double *start, double *end);

/* split_stereo. transcribe: `run` transcribes a recording, here once for each channel. check: fails when samples come
 * that are not a recording's. */
typedef int (*wh_run_fn)(whisp_session *session, whisp_audio *audio, const char *text, whisp_result **result);
int wh_channels_transcribe(whisp_session *session, whisp_audio *audio, wh_run_fn run, whisp_result **result);
int wh_channels_check(const whisp_session *session);
/* May a recording be cut, if it is long? Then its backend has slots for several parts. */
int wh_session_may_cut(const whisp_session *session);
/* The backend for these options: *computed becomes the model as it sees it, with other alignment heads if they say so,
 * and must outlive it; to be released with free_heads. Of `config` the slots are set. */
int wh_session_backend(const whisp_model *model, const wh_values *values, wh_backend_config *config,
                       whisp_model *computed, wh_backend **backend);
void wh_session_free_heads(const whisp_model *model, whisp_model *computed);
/* A session whose backend is a view of what it shares with `company`; it owns the view from now on, also on failure. */
int wh_session_join(const whisp_model *model, const whisp_options *options, wh_backend *view,
                    const struct wh_company *company, whisp_session **session);
/* A session for parts of a recording: with `whole`'s model and options, cuts and vad_filter apart. It computes through
 * `backend`, which it owns from now on, also on failure, and holds `frames` frames. begin_part: reset it for the part
 * that begins at sample `at`, the recording's last one or not. push_all: n samples, which must fit. end_part, once all
 * were pushed: finish it; `before` is the recording's loudest log-Mel value before this part (-INFINITY at its beginning),
 * and *loudest becomes that up to its end, which its windows are clamped by. */
int wh_session_new_part(const whisp_session *whole, wh_backend *backend, size_t frames, whisp_session **session);
int wh_session_begin_part(whisp_session *session, int64_t at, int last);
int wh_session_push_all(whisp_session *session, const float *samples, size_t n);
int wh_session_end_part(whisp_session *session, float before, float *loudest);

#endif
