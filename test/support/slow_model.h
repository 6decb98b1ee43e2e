/* slow_model.h - a Whisper model of any size with random weights, and what it computes: the architecture written down
 * a second time, in double precision, with plain loops and no caches. For test_backend.c. */
#ifndef SLOW_MODEL_H
#define SLOW_MODEL_H

#include "model/model.h"

typedef struct slow_sizes {
    int n_vocab, n_mels, n_audio_ctx, n_text_ctx, d, heads, audio_layers, text_layers;
    int text_heads; /* 0: as many as heads */
    int own_output; /* logits are not made with the token embedding */
} slow_sizes;

/* Linear weights and the token embedding are stored as `type`, the convolutions as f16 or f32. Or each matrix has a type
 * drawn by chance of those that a model may have; with int8 among them, so that the model is_int8. */
#define SLOW_MIXED ((wh_type)1000)
#define SLOW_MIXED_INT8 ((wh_type)1001)
whisp_model *slow_model_new(const slow_sizes *sizes, wh_type type, uint64_t seed);
void slow_model_free(whisp_model *model);

/* mel [2 n_audio_ctx][n_mels] to out [n_audio_ctx][d]; block0 (same shape) is the stream after the first block. */
void slow_encode(const whisp_model *model, const float *mel, double *out, double *block0);

/* The same where only the positions places [n_kept] are computed, and each stands for those that kept_by
 * [n_audio_ctx], indices into places, says: out [n_audio_ctx][d] with each as often as it is one's. */
void slow_encode_kept(const whisp_model *model, const float *mel, const int32_t *places, int n_kept,
                      const int32_t *kept_by, double *out);

/* All of a sequence's tokens at once: logits [n][n_vocab]; scores [n_alignment_heads][n][n_audio_ctx]. */
void slow_decode(const whisp_model *model, const double *audio, const int32_t *tokens, int n, double *logits,
                 double *scores);

#endif
