/* stream.h - live transcription: words that settle while somebody still speaks.
 *
 *   hypothesis.c  lists of words; where two hypotheses agree
 *   pass.c        the samples that are held -> one hypothesis: log-Mel, encoder, search, times of the words
 *   stream.c      the public stream: when to make a pass, what settles, what may go
 *   final.c       the final text: the same sound heard in whole windows, as any recording is
 *   speakers.c    with option diarize: who said it
 *
 * Stands on a session (lib/transcribe), which hears the final text, and on a window of its own (lib/window) for the passes:
 * both hear through one backend, by the same rules. A word is settled
 * when two passes after one another agree on it and on all before it: LocalAgreement-2 of Macháček, Dabre and Bojar,
 * "Turning Whisper into Real-Time Transcription System" (2023). docs/live.md has the rest. */
#ifndef WH_STREAM_H
#define WH_STREAM_H

#include "transcribe/session.h"
#include "window/window.h"

/* ---- words (hypothesis.c) ---- */

typedef struct wh_said {
    size_t text, length;          /* in wh_hypothesis.text, closed by a NUL */
    size_t key, key_length;       /* in wh_hypothesis.keys: letters and digits in lower case */
    size_t first_token, n_tokens; /* in wh_hypothesis.tokens */
    size_t place;                 /* text tokens before it in its pass */
    double start, end;            /* seconds of the recording */
    double probability;
} wh_said;

/* Zero it first. */
typedef struct wh_hypothesis {
    wh_said *list; /* [n] */
    size_t n, capacity;
    wh_buf text, keys;
    int32_t *tokens;
    size_t n_tokens, tokens_capacity;
} wh_hypothesis;

void wh_hypothesis_clear(wh_hypothesis *list);
void wh_hypothesis_free(wh_hypothesis *list);
/* Append a word; `tokens` may be NULL when n_tokens is 0. */
int wh_hypothesis_add(wh_hypothesis *list, const wh_said *times, const char *text, size_t length, const char *key,
                      size_t key_length, const int32_t *tokens, size_t n_tokens);
/* Append word i of another list. */
int wh_hypothesis_copy(wh_hypothesis *list, const wh_hypothesis *from, size_t i);

/* How many words of `a` and `b`, from a's word `i` and b's word `k` on, have the same keys. */
size_t wh_hypothesis_common(const wh_hypothesis *a, size_t i, const wh_hypothesis *b, size_t k);

/* How many of the first words of `heard` are those of `settled`, heard again: the number with the least edit distance
 * to them or, of several, the one that ends nearest to where they do. *skip gets it. */
int wh_hypothesis_skip(const wh_hypothesis *settled, const wh_hypothesis *heard, size_t *skip);

/* ---- the stream ---- */

#define WH_STREAM_CAPACITY (60 * WH_SAMPLE_RATE) /* samples that a stream holds */

typedef struct wh_live_speakers wh_live_speakers;

struct whisp_stream {
    whisp_session *session; /* hears the final text */
    whisp_options *options; /* of passes: the session's, without what only a final text gets */
    wh_window *window;      /* of passes, with the session's model and backend */
    int language;           /* of passes, once it is known; else -1 */
    whisp_vad *vad;         /* NULL: no model of voice activity was found */
    whisp_vad_stream *activity;
    float threshold; /* probability from which a chunk may be speech */
    int64_t chunks;  /* of 512 samples that the network has seen */

    float *samples;  /* [WH_STREAM_CAPACITY]; the first one is number `offset` of the recording */
    size_t n, heard; /* held; those that passes see */
    int64_t offset;
    int64_t speech_end; /* where in the recording speech was found last; -1: nowhere */
    int64_t pass_end;   /* where in the recording the last pass ended */
    size_t step;        /* samples from pass to pass */
    int catch_up, finished, ended, failed;

    wh_hypothesis settled;    /* settled words that are in the buffer */
    wh_hypothesis tail;       /* what the last pass heard after them */
    double tail_end;          /* second of the recording at which the pass that heard it ended */
    wh_hypothesis hypothesis; /* what a pass hears, settled words included */
    wh_hypothesis scratch;
    double last_end; /* of the last word that settled */
    int32_t *past;   /* tokens of settled words before the buffer: the prompt */
    size_t n_past, past_capacity;
    whisp_token *last; /* [n_last] what the last pass decoded, timestamps too */
    size_t n_last, last_capacity;
    size_t n_sure;     /* text tokens at its beginning that the next pass takes as they are */
    int last_language; /* in which it was decoded */
    double density;    /* its tokens a character; 1.5 before the first one */

    whisp_word *out; /* what the last pull gave; texts in fresh */
    size_t out_capacity;
    const whisp_word **handed; /* pointers to them */
    size_t handed_capacity;
    wh_hypothesis fresh; /* settled by the last pull */
    wh_buf tail_text;
    int64_t n_passes;
    wh_live_speakers *speakers; /* with option diarize, else NULL */
};

/* Make a pass over the first `heard` samples; stream->hypothesis gets the words. final: no other comes
 * after it. (pass.c) */
int wh_stream_pass(whisp_stream *stream, int final);

/* The final text (final.c). push: the samples from `first` on that passes may hear now. final: hear the windows that are
 * complete, at the end all. follow: once the final text reaches into the buffer, what it has is dropped there, and it is
 * the prompt from then on: it is better than what settled (stream.c). */
int wh_stream_push_final(whisp_stream *stream, size_t first);
int wh_stream_final(whisp_stream *stream);
int wh_stream_follow_final(whisp_stream *stream);

/* Option diarize (speakers.c); nothing without it. new: takes the session's segment callback. push: samples that passes may
 * hear now. of: who speaks between two seconds, as far as it is known; 0: nobody. names: what they are called, by their
 * numbers. segment: the final text's next one; its callback gets it. finish: all was heard, and the text is final. */
int wh_live_speakers_new(whisp_stream *stream);
void wh_live_speakers_free(wh_live_speakers *speakers);
int wh_live_speakers_push(wh_live_speakers *speakers, const float *samples, size_t n);
int wh_live_speakers_of(const wh_live_speakers *speakers, double start, double end);
const char *const *wh_live_speakers_names(const wh_live_speakers *speakers, size_t *n);
int wh_live_speakers_segment(whisp_stream *stream, const whisp_segment *segment, int cleared);
int wh_live_speakers_finish(whisp_stream *stream);

#endif
