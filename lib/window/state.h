/* state.h - the inside of a window. Private to lib/window.
 *
 * Each part of the state is written by one file, whose functions the others call: wh_segments by segments.c, wh_history
 * by history.c, wh_heard_words by words.c and so on. Reading is free. */
#ifndef WH_WINDOW_STATE_H
#define WH_WINDOW_STATE_H

#include "window/voice.h"
#include "window/window.h"

#define WH_SECONDS(frames) ((double)(frames)*WH_HOP / WH_SAMPLE_RATE)

/* ---- the segments of the current window (segments.c) ---- */

typedef struct wh_segment {
    double start, end; /* seconds of what was pushed */
    size_t text;       /* offset into wh_segments.text */
    size_t first_token, n_tokens;
    int cleared; /* emptied, as openai-whisper does with segments that say nothing */
    size_t first_word, n_words;
} wh_segment;

typedef struct wh_segments {
    wh_segment *list; /* [n] */
    size_t n, capacity;
    size_t next;         /* the one to be handed out */
    whisp_token *tokens; /* [n_tokens] the decoding's */
    size_t n_tokens, tokens_capacity;
    wh_buf text; /* the segments' texts, each NUL-terminated */
} wh_segments;

void wh_segments_clear(wh_segments *segments);
void wh_segments_free(wh_segments *segments);
/* Cut the decoding into segments at pairs of timestamps and say where the next window begins: at the last complete
 * segment's end, or after the whole window. */
int wh_segments_cut(wh_window *window, int64_t *advance);
/* Does the decoding end with a single timestamp? */
int wh_segments_end_single(const wh_window *window);
/* Add tokens first .. first + n - 1 of the decoding as a segment. Its words are those of `words`, or none (NULL). */
int wh_segments_add(wh_window *window, const wh_segment *segment);
/* Append one as it is. */
int wh_segments_append(wh_segments *segments, const wh_segment *segment);
/* Keep the first n; or those that are marked. */
void wh_segments_keep(wh_segments *segments, size_t n);
void wh_segments_keep_marked(wh_segments *segments, const unsigned char *marks);
void wh_segments_give_words(wh_segments *segments, size_t i, size_t first, size_t n);
void wh_segments_set_times(wh_segments *segments, size_t i, double start, double end);
/* Empty those that last no time or say nothing, words and all. */
void wh_segments_empty(wh_segments *segments);
/* The next one to hand out, or NULL. */
const wh_segment *wh_segments_next(wh_segments *segments);
/* Tokens of a segment that are text. */
size_t wh_segment_text_tokens(const wh_window *window, const wh_segment *segment);

/* ---- the text before (history.c) ---- */

typedef struct wh_history {
    int32_t *initial; /* tokens of initial_prompt */
    size_t n_initial, initial_capacity;
    int was_reset;   /* the prompt was dropped since: initial no longer stands before the history */
    int32_t *tokens; /* [n] written since the last reset of the prompt; old ones are dropped */
    size_t n, capacity;
    int32_t *prompt; /* scratch for the next window's prompt */
    size_t prompt_capacity;
} wh_history;

int wh_history_init(wh_history *history, const whisp_model *model, const wh_values *values);
void wh_history_free(wh_history *history);
void wh_history_reset(wh_history *history); /* another recording */
/* Forget the text before: the next window's prompt is without it. */
void wh_history_forget(wh_history *history);
/* The tokens that stand before the window: what was written, or what the user wants there. Valid until the next call. */
int wh_history_prompt(wh_history *history, const wh_values *values, size_t longest, const int32_t **prompt, size_t *n);
/* Remember what was heard, for the next window's prompt: without terms of the vocabulary that took its place. */
int wh_history_remember(wh_window *window);

/* ---- the language (language.c) ---- */

typedef struct wh_language {
    int known;       /* -1: not yet */
    int guess;       /* until then: of the first window, or of the first that text stayed of; -1 before any */
    int text_stayed; /* text of a window stayed */
    int asked;       /* a window was asked for the language */
    int64_t ask_at; /* the frame at which the window begins that was asked, or is to be: it has more of a voice in it */
    int doubt_told; /* that the language is not sure */
    float *probs;   /* [n_languages], of the window that it was detected in */
    int window;     /* of the current window */
    float *window_probs;   /* [n_languages] of the current window, where it was asked */
    int64_t left_encoding; /* slot 0 holds the encoding of the window at frame 0, with so many frames; 0: it does not */
} wh_language;

int wh_language_init(wh_window *window);
void wh_language_free(wh_language *language);
void wh_language_reset(wh_window *window);
/* The language to decode the current window in, whose encoding is in slot 0; or a negative code. */
int wh_language_of_window(wh_window *window);
/* The window's text is what it will be; the language may be known now, and is told where it is in doubt. */
void wh_language_heard(wh_window *window);
/* Is the encoding of the current window in slot 0 already? It is not any more after this. */
int wh_language_encoded(wh_window *window);

/* ---- clips (clips.c) ---- */

typedef struct wh_clips {
    struct wh_clip {
        int64_t start, end; /* frames; INT64_MAX: up to the recording's end */
    } * list;               /* [n], in order */
    size_t n, at;           /* the one being transcribed */
} wh_clips;

int wh_clips_init(wh_clips *clips, const char *text);
void wh_clips_free(wh_clips *clips);
void wh_clips_reset(wh_clips *clips);
/* Where the clips want a seek to be: in the next one when it has left one; far beyond any recording's end after the
 * last. */
int64_t wh_clips_settle(wh_clips *clips, int64_t seek);
/* The frame at which the current clip ends. */
int64_t wh_clips_end(const wh_clips *clips);

/* ---- a silence at which the window is parted (silence.c) ---- */

typedef struct wh_gap {
    int64_t start, end; /* frames that no window hears; both 0: none */
} wh_gap;

/* The frame at which a window that begins at `seek` must end. */
int64_t wh_gap_limit(const wh_gap *gap, int64_t seek);
/* Where a seek goes on that has come to the gap, which is no more then. */
int64_t wh_gap_pass(wh_gap *gap, int64_t seek);

/* ---- the words of the current window (words.c) ---- */

typedef struct wh_heard_words {
    int32_t *tokens; /* [n_tokens] the tokens below eot */
    size_t *index;   /* [n_tokens] where each stands in the decoding */
    size_t n_tokens, tokens_capacity, index_capacity;
    wh_words timed;   /* in seconds from the window's beginning */
    whisp_word *list; /* [n] in seconds of what was pushed; segments count them off */
    size_t n, capacity;
    const whisp_word **handed; /* pointers to a segment's, for the caller */
    size_t handed_capacity;
    wh_buf text;        /* their texts, each NUL-terminated */
    double last_speech; /* end of the last word so far */
    double last_word;   /* the same of those given out: none begins before it */
    int slow_windows;   /* windows in a row that moved the seek by next to nothing */
} wh_heard_words;

void wh_heard_words_clear(wh_heard_words *words);
void wh_heard_words_reset(wh_heard_words *words); /* another recording */
void wh_heard_words_free(wh_heard_words *words);
/* For word_timestamps and confidence: find the words and give them to the segments; *advance changes to where the last
 * word ends. 1: what was heard may be imagined; forget it and hear the window again from *advance on. */
int wh_heard_words_time(wh_window *window, int64_t *advance);
/* The same where no option asks for them: segments get theirs, and keep their times. */
int wh_heard_words_find(wh_window *window);
/* Words first .. first + n - 1 as the caller gets them, valid until the next call; NULL if out of memory. */
const whisp_word *const *wh_heard_words_hand(wh_heard_words *words, size_t first, size_t n);
/* Where word i is, if there are any. */
const whisp_word *wh_heard_words_at(const wh_heard_words *words, size_t i);
/* Move word i. */
void wh_heard_words_move(wh_heard_words *words, size_t i, double start, double end);
/* The first `n` tokens of a segment are another's: word i's tokens count from behind them. */
void wh_heard_words_shift(wh_heard_words *words, size_t i, size_t n);

/* The option hallucination_silence_threshold. 1: nothing of this window counts, the silence before the first words is
 * skipped. (imagined.c) */
int wh_imagined_skip(wh_window *window, int single_ending, int64_t *advance);
/* Where the last word, or without words the last segment, ends. 0 if there is none. */
int wh_imagined_end(const wh_window *window, double *end);

/* ---- the option confidence (evidence.c) ---- */

/* listen_again: the decoding having begun (wh_decode_begin()), before the alignment, gather what the decoder knows of the text tokens; *bare is where the
 * alignment leaves what it sees. judge: *words' confidence. */
typedef struct wh_doubts wh_doubts;
int wh_doubts_listen_again(wh_window *window, wh_evidence **bare);
int wh_doubts_judge(wh_window *window, whisp_word *words, size_t n);
/* All that was gathered, appended to *bytes; and the same again, 0: it is not such a thing. (Not what is judged by it.) */
void wh_doubts_save(const wh_window *window, wh_buf *bytes);
int wh_doubts_restore(wh_window *window, const char *bytes, size_t n);
double wh_doubts_mean(const whisp_word *words, size_t n);
void wh_doubts_free(wh_doubts *doubts);

/* What rows of logits say while they are there (notes.h). */
typedef struct wh_notes wh_notes;
void wh_notes_free(wh_notes *notes);

/* ---- what the answer is worth (answer.c) ---- */

/* Was it given without a doubt: at temperature 0, probable, and from what the model takes for speech? */
int wh_answer_is_sure(const wh_window *window);
/* Few words for so long a window, improbable, repeating, sampled, or the model itself thinks that nobody speaks. */
int wh_answer_is_doubtful(const wh_window *window);
/* A word or two drawn by lot from what the model half takes for silence. */
int wh_answer_is_lottery(const wh_window *window);
/* Does it say the same again and again? Then it is to be tried at the next temperature. */
int wh_answer_loops(const wh_window *window);
/* Are n text tokens, or some of them in a row, one phrase many times over? */
int wh_answer_is_loop(const int32_t *text, size_t n);
/* Do all of a segment's words stand in the history already? So a model answers that hears next to nothing. */
int wh_answer_is_echo(const wh_window *window, const wh_segment *segment);

/* ---- text that nobody said: found and left out (option hallucination_guard) ---- */

/* The current window was cut: take out the segments that surely nobody said. *advance changes to the whole window when
 * nothing is left. 1: some speech was not heard; hear again from *advance on, which may be 0, where the window began.
 * (guard.c) */
int wh_guard_window(wh_window *window, int64_t *advance);
/* Nothing was heard in the current window, although somebody may speak later in it: then *advance changes so that the
 * window is heard again from there. */
int wh_guard_silent(wh_window *window, int64_t *advance);
/* The same where a segment stands in a silence, or has too little sound for its words (silence.c): the segments from it
 * on go. 1: hear again from *advance on, and not beyond the gap at first. 0: *advance is where the next window begins;
 * nothing changes where nothing is wrong. */
int wh_guard_part(wh_window *window, int64_t *advance);

/* Part segments that reach over silence: with a timeline, or where the window is asked to part at pauses. (joins.c) */
int wh_joins_part(wh_window *window);

/* ---- decoding (decode.c) ---- */

/* Slot 0 holds the encoding of window->input when it returns, and the search has begun the current window with its
 * prompt: each only where that has not been done yet. */
int wh_decode_encode(wh_window *window);
int wh_decode_begin(wh_window *window);

/* ---- what the journal knows (recall.c) ---- */

typedef struct wh_recall {
    wh_journal *journal; /* NULL: none */
    wh_heard heard;      /* what is asked about: window->input */
    wh_key sound;        /* the same as a number */
    wh_key decoding;     /* the question of the current window's decoding */
    wh_key question;     /* the last other one */
    wh_buf answer;
    size_t at;           /* bytes of the answer that were taken */
    whisp_token *tokens; /* of a decoding that was found */
    size_t tokens_capacity;
    int is_encoded, is_begun; /* slot 0 holds the encoding; and the search has begun */
    int is_full;              /* the encoding is of all positions, though the backend leaves some out */
    const int32_t *prompt;    /* [n_prompt] with which it begins; the history's */
    size_t n_prompt;
} wh_recall;

void wh_recall_free(wh_recall *recall);
/* window->input has changed: it begins at frame `at` of what was pushed, of which `frames` hold sound. */
void wh_recall_listen(wh_window *window, int64_t at, int64_t frames);
/* 1: found, and all is as if the model had been asked; 0: ask it, and then keep what it says; or a code. words: of
 * window->words.tokens, into window->words.timed and, with_evidence, into what evidence.c gathers. */
int wh_recall_language(wh_window *window, float *probabilities, double *silence, int *best);
int wh_recall_keep_language(wh_window *window, const float *probabilities, double silence, int best);
int wh_recall_decoding(wh_window *window, const int32_t *prompt, size_t n_prompt);
int wh_recall_keep_decoding(wh_window *window);
int wh_recall_words(wh_window *window, int with_evidence);
int wh_recall_keep_words(wh_window *window, int with_evidence);

/* ---- the whole ---- */

struct wh_window {
    /* what it is made of; unchanged from then on */
    wh_window_config config;
    const whisp_model *model;
    const wh_specials *specials;
    const wh_values *values; /* of the options */
    wh_search *search;
    wh_mel *mel;
    wh_voice *voice; /* where something asks for it, else NULL */
    float *input;    /* [wh_window_input_size()]: [3000][n_mels], the encoder's */

    /* where it stands (window.c) */
    int64_t origin;              /* of what is pushed, in the recording, in frames */
    int is_last;                 /* nothing follows what is pushed */
    const wh_timeline *timeline; /* the silence that was taken out, or NULL */
    const wh_window_text *follows;
    int finished;         /* no more samples */
    int only_mel;         /* log-Mel was given instead: no voice can be looked for */
    int64_t length;       /* frames of all, where it was measured; else -1 */
    int64_t seek;         /* the next window's first frame */
    int64_t begin;        /* the current window's first frame */
    int64_t frames;       /* the current window's that hold sound */
    wh_decoding decoding; /* of the current window (decode.c) */
    int in_passing;       /* another pass over it follows soon: wh_window_expect() */
    int unsound_told;
    int next_id;

    wh_segments segments;
    wh_history history;
    wh_language language;
    wh_clips clips;
    wh_gap gap;
    wh_heard_words words;
    wh_recall recall;
    wh_notes *notes;   /* with the option confidence, else NULL */
    wh_doubts *doubts; /* the same, once it was asked */
};

static inline size_t wh_window_input_size(const wh_window *w)
{
    return (size_t)WH_WINDOW_FRAMES * (size_t)w->model->n_mels;
}

#endif
