/* whisp_vad.h - where in a recording somebody speaks, by Silero VAD's network. Beside whisp.h, whose conventions hold
 * here.
 *
 * The options whose names begin with vad_ say how: vad_threshold, vad_neg_threshold, vad_min_speech_duration_ms,
 * vad_max_speech_duration_s, vad_min_silence_duration_ms, vad_speech_pad_ms. For transcribing without silence the
 * option vad_filter is enough; this header is for programs that want to know where speech is. */
#ifndef WHISP_VAD_H
#define WHISP_VAD_H

#include "whisp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A voice activity model in memory: immutable, may be shared between threads. */
typedef struct whisp_vad whisp_vad;

/* Load a model from a GGUF file made by whisp-convert ("silero-vad"; whisp_model_find() finds it by that name). *vad
 * is the caller's, released with whisp_vad_free(). WHISP_ERR_IO, or WHISP_ERR_MODEL: a speech model, damaged, ... */
WHISP_API int whisp_vad_load(const char *path, whisp_vad **vad);
WHISP_API void whisp_vad_free(whisp_vad *vad);

/* ---- whole recordings ---- */

/* A part of a recording, in seconds. Frozen. */
typedef struct whisp_span {
    double start, end;
} whisp_span;

/* What was found in a whole recording. Immutable; does not depend on the model. */
typedef struct whisp_speech whisp_speech;

/* Find the speech in a recording. `options` NULL: defaults; the cancel callback is asked. *speech is the caller's,
 * released with whisp_speech_free(). */
WHISP_API int whisp_vad_speech(const whisp_vad *vad, whisp_audio *audio, const whisp_options *options,
                               whisp_speech **speech);

/* Set `size` first; arrays live as long as the whisp_speech. */
typedef struct whisp_speech_info {
    size_t size;
    const whisp_span *spans; /* [n_spans] of speech, padding included, ascending and apart */
    size_t n_spans;
    const float *probabilities; /* [n_probabilities] of speech in each 512 samples (32 ms); the last ones are filled up
                                   with zeros */
    size_t n_probabilities;
    double duration; /* of the whole recording, seconds */
} whisp_speech_info;
WHISP_API int whisp_speech_describe(const whisp_speech *speech, whisp_speech_info *info);

/* A time in the spans joined without what lies between them, to the recording's own time, rounded to 10 ms. A time
 * where two spans meet belongs to the later one, or with is_end != 0 to the earlier one. */
WHISP_API double whisp_speech_original_time(const whisp_speech *speech, double time, int is_end);
WHISP_API void whisp_speech_free(whisp_speech *speech);

/* ---- samples as they come ---- */

/* Belongs to one thread at a time; the whisp_vad must outlive it. */
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

#ifdef __cplusplus
}
#endif

#endif
