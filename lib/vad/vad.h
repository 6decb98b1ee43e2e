/* vad.h - voice activity detection: where in a recording somebody speaks.
 *
 *   model.c      GGUF file -> weights laid out for the products
 *   network.c    chunks of 512 samples -> probabilities of speech (Silero VAD's network)
 *   speech.c     probabilities -> spans of speech, as faster-whisper cuts them
 *   timeline.c   the recording without its silence, and back to the recording's own time
 *   stream.c     the public stream: samples in, probabilities and spans out
 *   whole.c      whole recordings
 *
 * Used through whisp_vad.h and by lib/transcribe (vad_filter). docs/vad.md describes the network and the numbers. */
#ifndef WH_VAD_H
#define WH_VAD_H

#include "options/options.h"
#include "cpu/kernels.h"
#include "gguf/gguf.h"
#include "whisp_vad.h"

#define WH_VAD_RATE 16000
#define WH_VAD_CHUNK 512  /* samples that a probability stands for: 32 ms */
#define WH_VAD_CONTEXT 64 /* samples before the chunk that the network sees too */
#define WH_VAD_BATCH 16   /* chunks whose convolutions are computed together */
#define WH_VAD_FFT 256
#define WH_VAD_HOP 128
#define WH_VAD_BINS 129  /* no convolution has more channels */
#define WH_VAD_FRAMES 4  /* of the spectrum, in a chunk with its context */
#define WH_VAD_STATE 128 /* of the LSTM */
/* Columns of the product that a convolution of three taps is, of so many channels: whole vectors. */
#define WH_VAD_COLUMNS(channels) ((3 * (channels) + 15) / 16 * 16)

/* ---- the model ---- */

/* A convolution over time with three taps and a rectifier, its weights as the matrix of a product. */
typedef struct wh_vad_conv {
    int in, out; /* channels */
    int stride;
    int k;          /* WH_VAD_COLUMNS(in) */
    float *w;       /* [out][k]: tap after tap, then zeros */
    const float *b; /* [out] */
} wh_vad_conv;

struct whisp_vad {
    wh_gguf *file;
    const wh_kernels *kernels;
    const float *stft; /* [2 * 129][256]: cosines then sines, windowed */
    wh_vad_conv conv[4];
    const float *w_input; /* [4 * 128][128]: gates in, forget, cell, out */
    const float *w_state; /* [4 * 128][128] */
    float *gate_bias;     /* [4 * 128]: both biases of the gates added */
    const float *w_out;   /* [128] */
    float b_out;
};

/* ---- the network ---- */

typedef struct wh_vad_net {
    float context[WH_VAD_CONTEXT]; /* the end of the chunk before */
    float h[WH_VAD_STATE], c[WH_VAD_STATE];
    float *frames;   /* [batch * 4][256]: windows of the spectrum; later gates and other passing values */
    float *spectrum; /* [batch * 4][2 * 129] */
    float *a, *b;    /* [batch][6 frames][129 channels]: what the convolutions read and write in turn */
    float *columns;  /* [batch * 4][WH_VAD_COLUMNS(129)]: a convolution's input as a matrix */
    float *gates;    /* [batch][512] */
} wh_vad_net;

int wh_vad_net_init(wh_vad_net *net);
void wh_vad_net_free(wh_vad_net *net);
void wh_vad_net_reset(wh_vad_net *net);
/* n <= WH_VAD_BATCH consecutive chunks of finite samples, [n][512], to n probabilities. The same numbers come out
 * however many chunks are given at once. */
void wh_vad_net_run(const whisp_vad *vad, wh_vad_net *net, const float *samples, int n, float *probabilities);

/* ---- spans of speech ---- */

/* A part of the recording: samples start .. end - 1. */
typedef struct wh_span {
    int64_t start, end;
} wh_span;

/* A list of spans that grows. Zero it first; free(list.spans). */
typedef struct wh_spans {
    wh_span *spans;
    size_t n, capacity;
} wh_spans;

/* The state machine that turns probabilities into spans. Positions are samples; 0 stands for "none" where none can be
 * at 0. Source of the algorithm: get_speech_timestamps() of Silero VAD in faster-whisper 1.2.1's form. */
typedef struct wh_speech {
    float threshold, neg_threshold;
    double min_speech, max_speech, min_silence; /* samples */
    int64_t pad;

    int64_t position; /* where the next chunk begins */
    int in_speech;
    wh_span current;  /* being heard, unpadded; its end is not used */
    int64_t silence;  /* where the silence that may end it began */
    int64_t cut_end;  /* the end of the last part that a silence of 98 ms followed: where a too long one is cut */
    int64_t cut_next; /* where speech went on after that */
    int has_waiting;  /* a span is complete but for its padding, which depends on the next one's start */
    wh_span waiting;
    int64_t lead; /* padding of current's start once it is known, else -1 */
} wh_speech;

void wh_speech_init(wh_speech *speech, const wh_values *values);
/* The next chunk's probability; `available` samples of the recording are known to exist. Spans that nothing can change
 * any more are added to `out`. */
int wh_speech_push(wh_speech *speech, float probability, int64_t available, wh_spans *out);
/* The recording has `total` samples and no more chunks. */
int wh_speech_finish(wh_speech *speech, int64_t total, wh_spans *out);

/* ---- the recording without its silence ---- */

/* Consecutive spans and where they stand in the recording without silence. */
typedef struct wh_timeline {
    wh_spans speech;
    int64_t *ends;    /* [n] each span's end when the silence before is taken out */
    int64_t *silence; /* [n] samples of silence before each */
} wh_timeline;

/* From a list of spans, ascending and apart, which the timeline takes over (also on failure). */
int wh_timeline_init(wh_timeline *timeline, wh_spans *speech);
void wh_timeline_free(wh_timeline *timeline);

/* Samples that are left. */
int64_t wh_timeline_kept(const wh_timeline *timeline);

/* The first part of samples position .. position + n - 1 that is speech: *offset and *count within them; *count is 0
 * when there is none. `*at` is the span where the search begins, 0 at first; it moves on with the position. */
void wh_timeline_next(const wh_timeline *timeline, size_t *at, int64_t position, size_t n, size_t *offset,
                      size_t *count);

/* Which span a time (in seconds, without silence) falls into. A time on the border of two belongs to the later one,
 * with is_end to the earlier one. 0 when there are no spans. */
size_t wh_timeline_index(const wh_timeline *timeline, double time, int is_end);
/* A time in the recording itself, rounded to 10 ms; both times of a word belong to the span `index` of its middle. */
double wh_timeline_original_in(const wh_timeline *timeline, double time, size_t index);
double wh_timeline_original(const wh_timeline *timeline, double time, int is_end);

/* ---- whole recordings ---- */

/* Where samples come from: up to n of them to `samples`; 0 at the end, negative on error. */
typedef int64_t (*wh_vad_read_fn)(void *user, float *samples, size_t n);

/* The spans of speech of everything that `read` gives. `total` gets the number of samples; probabilities may be NULL or
 * get a list of *n_probabilities, the caller's. Asks the cancel callback once a block. */
int wh_vad_find(const whisp_vad *vad, const whisp_options *options, wh_vad_read_fn read, void *user, wh_spans *speech,
                int64_t *total, float **probabilities, size_t *n_probabilities);

#endif
