/* window.h - the window loop: sound in, one window of 30 seconds heard after the other, segments out.
 *
 * Stands on lib/mel, lib/backend, lib/search and lib/timing, and below lib/align, lib/transcribe and lib/live, which own
 * windows and know what it does not: files, parts, threads, channels. All that it knows of where it stands is an origin
 * in frames. Its inside is in state.h.
 *
 *   window.c     making, pushing; the loop: prompt, decoding, segments, where to go next; segments handed out
 *   decode.c     one window decoded: encoder, prompt, search with fallback
 *   history.c    the text before the window
 *   segments.c   a decoding cut into segments
 *   language.c   which language it is: where somebody speaks first
 *   clips.c      the parts of the recording to transcribe
 *   words.c      a window's words: their times, given to the segments
 *   evidence.c   how far the words can be trusted (option confidence)
 *   imagined.c   where the words' times show that nobody said them (hallucination_silence_threshold)
 *   voice.c      where there is sound, and a voice (voice.h)
 *   answer.c     what a decoding is worth: sure, doubtful, a loop, an echo
 *   guard.c      hallucination_guard: text that nobody said
 *   silence.c    the same: windows with a long silence in them
 *   joins.c      segments parted where they reach over silence
 *   recall.c     what the journal knows already */
#ifndef WH_WINDOW_H
#define WH_WINDOW_H

#include "options/options.h"
#include "backend/backend.h"
#include "journal/journal.h"
#include "mel/mel.h"
#include "search/search.h"
#include "timing/timing.h"
#include "vad/vad.h"

/* Frames that a window's log-Mel holds: a window and half a minute more, so that pushes and pulls can take turns. */
#define WH_STORE_FRAMES 6200

typedef struct wh_window wh_window;

typedef struct wh_window_config {
    const whisp_model *model;     /* as the backend has it: with the alignment heads that are wanted */
    const whisp_options *options; /* these four must outlive the window */
    wh_backend *backend;
    whisp_timings *timings; /* the window adds what it spends */
    size_t frames;          /* of log-Mel to hold, where that is more than WH_STORE_FRAMES */
    const char *vad_path;   /* of the voice activity model, which is loaded when it is first needed; NULL: none */
    const wh_window *whole; /* which hears the recording that this one hears a part of, and outlives it; or NULL */
    int parts_at_pauses;    /* a segment ends where its speaker pauses */
    const char *unsound;    /* a tensor of the model that holds numbers that are not finite, or NULL */
    /* The text will not be of all that was pushed, and why. May be NULL. */
    void (*incomplete)(void *user, const char *why);
    void *user;
} wh_window_config;

int wh_window_new(const wh_window_config *config, wh_window **window);
void wh_window_free(wh_window *window);

/* Another recording begins, at its first frame; or a piece of one. place, after it: the piece's first frame in the
 * recording; is_last: nothing follows it; its times are the recording's, and none lies behind its end where something
 * follows. set_timeline: what is pushed is the recording without its silence, and times are those with it; NULL: it is
 * as it is. The timeline belongs to the caller. */
int wh_window_reset(wh_window *window);
void wh_window_place(wh_window *window, int64_t origin, int is_last);
void wh_window_set_timeline(wh_window *window, const wh_timeline *timeline);
/* After that: where what the model answers is looked for and kept, and which channel the recording's is; NULL, and after
 * a reset: nowhere. It must outlive the loop. (recall.c) */
void wh_window_set_journal(wh_window *window, wh_journal *journal, int channel);
/* From times without silence to the recording's. Nothing changes without a timeline. */
void wh_window_original(const wh_timeline *timeline, double *start, double *end);

/* Samples: how many were taken, fewer than n once the store is full. finish: no more come. jump: the next one pushed is
 * the first of frame `frame`, 160 frame - 200. */
size_t wh_window_push(wh_window *window, const float *samples, size_t n);
void wh_window_finish(wh_window *window);
void wh_window_jump(wh_window *window, int64_t frame);
int wh_window_is_finished(const wh_window *window);
int64_t wh_window_samples(const wh_window *window); /* pushed so far */
int64_t wh_window_content(const wh_window *window); /* frames, as wh_mel_content() */
size_t wh_window_bad_samples(const wh_window *window);

/* In place of samples: [n_mels][frames] log-Mel values, of which the first 3000 frames at most count; they are copied. */
void wh_window_give_mel(wh_window *window, const float *mel, size_t frames);

/* What is known of the recording before it is heard: its loudest log-Mel value, its frames. loudest: of what was pushed. */
float wh_window_loudest(const wh_window *window);
void wh_window_set_loudest(wh_window *window, float loudest);
void wh_window_set_length(wh_window *window, int64_t frames);

/* ---- the loop ---- */

/* Hear the next window: 1, or 0 when more must be pushed first, or WHISP_END after the last one, or a code. take: its
 * next segment, with times of the recording, valid until the next call: 1; 0 when there is none left; or a code. *cleared:
 * it was emptied, as openai-whisper does with segments that say nothing. */
int wh_window_hear(wh_window *window);
int wh_window_take(wh_window *window, whisp_segment *segment, int *cleared);

/* The frame at which the next window begins; one that no recording reaches after the last. done: the seconds heard, of
 * what was pushed. is_past: no clip follows or, where the length is one to rely on, the next one lies behind the end. */
int64_t wh_window_seek(const wh_window *window);
double wh_window_done(const wh_window *window);
int wh_window_is_past(const wh_window *window, int knows_end);

/* Are there segments left to take? */
int wh_window_has_more(const wh_window *window);
/* Pointers to n words in a row, in a list that is used again and again. */
int wh_hand_words(const whisp_word ***list, size_t *capacity, const whisp_word *words, size_t n);

/* The features [WH_FEATURES] by which the option confidence judged a word of the window heard last. (evidence.c) */
const float *wh_window_features(const wh_window *window, const whisp_word *word);

/* ---- the language (language.c) ---- */

/* known: the recording's, or -1. guess: until then. spoken: the one to name: the language, or the best guess. set_*: it
 * is known from elsewhere. probabilities: [n_languages], of the window that it was detected in. */
int wh_window_language(const wh_window *window);
int wh_window_spoken(const wh_window *window);
void wh_window_set_language(wh_window *window, int language);
void wh_window_set_guess(wh_window *window, int language);
const float *wh_window_probabilities(const wh_window *window);
/* detect: ask the recording's first 30 s, unless the language is known; needs 3000 frames, or the end. It stays unknown
 * where nobody speaks there. may_detect: is all there that is asked next? detect_next: 0 when the next 30 s are to be
 * asked, by detect, once they are there; 1 at the end. knows_where: the language is known, or was asked for; then the
 * next window begins where wh_window_seek() says. settle: at the end: where nobody spoke, the guess is what it is. */
int wh_window_detect(wh_window *window);
int wh_window_may_detect(const wh_window *window);
int wh_window_detect_next(wh_window *window);
int wh_window_knows_where(const wh_window *window);
void wh_window_settle_language(wh_window *window);

/* ---- clips (clips.c) ---- */

/* The terms of the option vocabulary. */
void wh_window_add_vocabulary(const wh_window *window, wh_key *key);

/* The option clip_timestamps: does it ask for less than all? clip: 1, and where clip i is, in frames, an end that is not
 * given being INT64_MAX; 0: there are not so many. wants, for wh_audio_ask(): does a clip reach between two times? */
int wh_window_has_clips(const wh_window *window);
int wh_window_clip(const wh_window *window, size_t i, int64_t *start, int64_t *end);
int wh_window_wants(const void *window, double from, double to);

/* ---- one window by hand: what the loop does, for lib/live and lib/align ---- */

/* Encode the window at the next frame: all that was pushed, at most WH_WINDOW_FRAMES of it. */
int wh_window_open(wh_window *window);
/* The language that it seems to be in: an index, or a code. *speech: somebody seems to speak. `speech` may be NULL.
 * use_language: decode it in this one. asked: [n_languages] what was found. */
int wh_window_ask_language(wh_window *window, int *speech);
void wh_window_use_language(wh_window *window, int language);
const float *wh_window_asked(const wh_window *window);
/* The tokens that are to stand before the window, behind the initial prompt. */
int wh_window_set_history(wh_window *window, const int32_t *tokens, size_t n);
/* ... and those that do: text that was written since the prompt was reset last. */
const int32_t *wh_window_history(const wh_window *window, size_t *n);
const int32_t *wh_window_initial(const wh_window *window, size_t *n);
/* What is known of it before: it is heard in passing, by a pass of live transcription. What is given is
 * given up where what follows fails, and doubts alone are no reason to hear it in full. NULL: it is heard as any. */
int wh_window_expect(wh_window *window, const wh_expected *expected);
const wh_decoding *wh_window_decoding(const wh_window *window); /* of the last one */
/* Decode it: prompt, search with fallback and the retry of loops, vocabulary. is_silent: nothing is said, by the
 * thresholds; is_sound: all numbers were finite, without which a decoding is none. */
int wh_window_decode(wh_window *window);
int wh_window_is_silent(const wh_window *window);
int wh_window_is_sound(const wh_window *window);
/* All words of the decoding, with times from the window's beginning; *tokens are their text tokens. Valid until the next
 * window. */
int wh_window_words(wh_window *window, const wh_words **words, const int32_t **tokens);

/* A text that is given, not heard: forced alignment (lib/align). The loop asks these, in this order, for each window. */
typedef struct wh_window_text {
    void *user;
    int (*opened)(void *user, wh_window *window); /* 1: align_all does, nothing need be heard; else 0 or a code */
    int (*align_all)(void *user, wh_window *window);
    int (*align)(void *user, wh_window *window); /* it was heard and cut into segments */
} wh_window_text;

/* Ask `text` from the next window on; NULL, and after a reset: none. It must outlive the loop. */
void wh_window_follow(wh_window *window, const wh_window_text *text);
/* Of the window that was opened: its first second in what was pushed, its language, whether it is all that there is, and
 * the text tokens of its segments. */
double wh_window_begin(const wh_window *window);
int wh_window_spoken_in(const wh_window *window);
int wh_window_is_all(const wh_window *window);
int wh_window_text_tokens(wh_window *window, const int32_t **tokens, size_t *n);
/* Align text tokens with it, as wh_align(). */
int wh_window_align(wh_window *window, const int32_t *tokens, size_t n, wh_words *words);
/* Numbers of the window are not finite: said once a recording, in the words of the caller. */
void wh_window_tell_unsound(wh_window *window, const char *format, ...) WH_PRINTF(2, 3);

#endif
