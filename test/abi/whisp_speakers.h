/* whisp_speakers.h - who speaks when, and whether two voices are one person's. Beside whisp.h, whose conventions hold here.
 *
 * For transcripts that say who said what, the option diarize is enough. This header is for programs that want turns
 * without a transcript, or voices to compare; docs/speakers.md tells what the numbers mean, and how far to trust them.
 * Nothing in it knows a language. */
#ifndef WHISP_SPEAKERS_H
#define WHISP_SPEAKERS_H

#include "whisp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The two networks in memory: immutable, may be shared between threads. */
typedef struct whisp_speakers whisp_speakers;

/* Load them from a GGUF file made by whisp-convert ("speakers"; whisp_model_find() finds it by that name). Of `options`
 * (NULL: defaults) only compute_type counts: f32, or int8, which is faster and nearly as good; auto is int8 where the CPU
 * has AVX2 or more, or is a 64-bit ARM. *speakers is the caller's, released with whisp_speakers_free(). WHISP_ERR_IO, or
 * WHISP_ERR_MODEL: another kind of model, damaged, ... */
WHISP_API int whisp_speakers_load(const char *path, const whisp_options *options, whisp_speakers **speakers);
WHISP_API void whisp_speakers_free(whisp_speakers *speakers);

/* ---- whole recordings ---- */

/* Who speaks when in a recording. The result has no segments but names, turns (whisp_result_info) and a duration;
 * whisp_result_format() writes it as "rttm". Of `options` (NULL: defaults) these count: num_speakers, min_speakers,
 * max_speakers, speaker, speakers_in, speakers_out, vad_model, threads, and the callbacks log, progress and cancel. A
 * voice activity model helps where there is one (vad_model, or silero-vad beside the networks' file). *result is the
 * caller's, released with whisp_result_free(). WHISP_ERR_OUTPUT: speakers_out cannot be written; where that is found out
 * at the end only, *result is there. */
WHISP_API int whisp_speakers_diarize(const whisp_speakers *speakers, whisp_audio *audio, const whisp_options *options,
                                     whisp_result **result);

/* ---- voices ---- */

/* The numbers that describe a voice. */
#define WHISP_VOICE_SIZE 192

/* The voice in `n` samples of one person's speech, a quarter of a second at least, better 3 to 30 seconds: `voice` gets
 * 192 numbers of unit length. Samples that are not finite count as silence. WHISP_ERR_ARGUMENT for fewer samples. */
WHISP_API int whisp_speakers_embed(const whisp_speakers *speakers, const float *samples, size_t n, float *voice);

/* How alike two voices are, -1 to 1: the cosine between them. The same person's are mostly above 0.6, different ones'
 * mostly below 0.4; shorter speech and rooms blur that. */
WHISP_API float whisp_speakers_compare(const float *a, const float *b);

/* Which of `n` voices, `voices` being [n][192], are one person's: `people` gets a number from 1 on for each, in the order
 * in which they first appear. Of `options` (NULL: defaults) num_speakers, min_speakers and max_speakers count. Returns
 * how many people there are, or a negative code: WHISP_ERR_ARGUMENT where a voice is not finite, ... */
WHISP_API int whisp_speakers_cluster(const float *voices, size_t n, const whisp_options *options, int *people);

#ifdef __cplusplus
}
#endif

#endif
