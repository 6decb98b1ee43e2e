/* model.h - a Whisper model in memory: hyper-parameters, tensors, vocabulary, Mel filters.
 *
 * Made from a GGUF file by whisp_model_load() (lib/model/model.c), read by the backends, the tokenizer and the
 * transcription. Immutable once loaded. Big matrices stay where they are mapped, in the file's type; small vectors
 * (biases, norms, positions) are always float32. Tensor names are those of openai/whisper's state dict. */
#ifndef WH_MODEL_H
#define WH_MODEL_H

#include <pthread.h>

#include "gguf/gguf.h"
#include "tokenizer/tokenizer.h"
#include "util/key.h"

#define WH_SAMPLE_RATE 16000
#define WH_FFT 400            /* samples in an analysis window */
#define WH_HOP 160            /* samples between frames: 100 frames a second */
#define WH_WINDOW_FRAMES 3000 /* frames in 30 s */
#define WH_WINDOW_SAMPLES 480000

typedef struct wh_linear {
    const wh_tensor *w; /* [out][in] */
    const float *b;     /* [out], or NULL */
} wh_linear;

typedef struct wh_norm {
    const float *gain, *bias; /* [d] each */
} wh_norm;

typedef struct wh_attention {
    wh_linear q, k, v, out; /* [d][d]; k has no bias */
} wh_attention;

typedef struct wh_block {
    wh_norm attn_ln;
    wh_attention attn;
    wh_norm cross_ln;   /* decoder only */
    wh_attention cross; /* decoder only */
    wh_norm mlp_ln;
    wh_linear mlp_up;   /* [4d][d] */
    wh_linear mlp_down; /* [d][4d] */
} wh_block;

typedef struct wh_head {
    int layer, head; /* of the decoder's cross-attention */
} wh_head;

/* What a backend makes of the weights, once for all backends of a model: kept here under a lock. The model frees it. */
typedef struct wh_derived {
    pthread_mutex_t mutex;
    void *data; /* NULL: not made yet */
    void (*free)(void *data);
    int searched;        /* the weights were looked through: */
    const char *unsound; /* the first tensor with a number that is NaN or infinite, or NULL */
} wh_derived;

struct whisp_model {
    int n_vocab, n_mels;
    int n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer;
    int n_text_ctx, n_text_state, n_text_head, n_text_layer;
    char *name;
    wh_type type; /* of most weights */
    int is_int8;  /* matrices are stored as int8: only the backend cpu, computing in int8, reads them */

    const wh_tensor *conv1_w; /* [d][n_mels][3] */
    const wh_tensor *conv2_w; /* [d][d][3] */
    const float *conv1_b, *conv2_b;
    const float *audio_positions; /* [n_audio_ctx][d] */
    wh_block *audio_blocks;       /* [n_audio_layer] */
    wh_norm audio_ln;

    const wh_tensor *token_embedding; /* [n_vocab][d] */
    const wh_tensor *output;          /* [n_vocab][d], to logits: the token embedding again, or one of its own */
    const float *text_positions;      /* [n_text_ctx][d] */
    wh_block *text_blocks;            /* [n_text_layer] */
    wh_norm text_ln;

    wh_head *alignment_heads; /* [n_alignment_heads]; all heads of the upper half of the layers if unknown */
    int n_alignment_heads;
    const wh_head
        *named_heads; /* [n_named_heads] a session's: the file's, where the session chose others itself; or NULL */
    int n_named_heads;

    wh_tokenizer *tokenizer;
    float *mel_filters; /* [n_mels][201], see wh_mel_filters() */

    wh_key fingerprint; /* by which another run knows that it is the same model */

    wh_gguf *file;
    wh_derived *derived; /* NULL: the backends keep what they make */
    float **owned;       /* float32 copies of vectors that the file stores otherwise */
    size_t n_owned, owned_capacity;
};

/* The name of a tensor that holds NaN or infinity, or NULL. Reads all weights, the first time. From any thread. (finite.c) */
const char *wh_model_unsound(const whisp_model *model);

/* The same looked for, once for all, by who has read most of the weights himself and holds derived's lock: `known` says
 * of a tensor 1 (all are numbers), 0 (not all), or -1: it is to be read. */
typedef int (*wh_soundness_fn)(const void *user, const wh_tensor *tensor);
void wh_model_search(const whisp_model *model, wh_soundness_fn known, const void *user);

/* A file or folder that is another program's model: fails with what it is and the command that converts it. WHISP_OK:
 * it is none that is known. */
int wh_model_foreign(const char *path);

/* Names (names.c). The published models' one after the other, NULL behind the last; the name that another one stands for
 * ("large": "large-v3"), or NULL. */
const char *wh_model_published(size_t i);
const char *wh_model_alias(const char *name);
/* The published model that a path means by its last part: small.en of "models/small.en.gguf". 0: none. */
int wh_model_meant(const char *path, char *name, size_t capacity);
/* Whether a name is OWNER/NAME, as Hugging Face calls what people publish there; and the name of its file, without .gguf.
 * 0: it is none, or too long. */
int wh_model_is_repository(const char *name);
int wh_model_repository_file(const char *name, char *file, size_t capacity);
/* The folder that whisp-get keeps models in: $XDG_CACHE_HOME/whisp, else ~/.cache/whisp; 0: nobody says where that is. */
int wh_model_cache(char *folder, size_t capacity);

/* The file of a model that goes with another one: name.gguf beside it, if that is there, else where whisp_model_find()
 * looks. (find.c) */
int wh_model_find_beside(const wh_gguf *other, const char *name, char *path, size_t capacity);

/* What it is known by: all but the middle of its weights. (fingerprint.c) */
int wh_model_fingerprint(whisp_model *model);

/* A model from an open file, which it owns from now on, also on failure. */
int wh_model_read(wh_gguf *file, whisp_model **model);

#endif
