/* source.h - a Whisper checkpoint of any format as whisp-convert sees it: dimensions, named tensors, what it knows of
 * vocabulary and alignment heads.
 *
 *   main.c      options
 *   detect.c    opens a checkpoint: which reader it needs
 *   kind.c      what a file is by its first bytes
 *   source.c    owns tensors, files.c what is mapped
 *   archive.c   the archives of torch.save
 *   ct2.c hf.c pt.c ggml.c from_gguf.c     one format each: fill a struct source
 *   names.c     tensors' names in state dicts of all kinds
 *   silero.c    the voice activity model, which is no Whisper: reads and writes it
 *   speakers.c  the nets that tell speakers apart, likewise
 *   other.c     what writing these two shares
 *   elements.c kquants.c                   stored elements to floats
 *   vocab.c spell.c layout.c heads.c       read or complete vocabulary, special tokens, alignment heads
 *   plan.c      the tensors that a model of these dimensions has, by openai/whisper's names
 *   output.c    writes the GGUF file
 *   ending.c    what a signal leaves of it
 *
 * Errors are wh_fail()'s: a negative code, the text in whisp_last_error(). */
#ifndef CONVERT_SOURCE_H
#define CONVERT_SOURCE_H

#include <stdio.h>

#include "gguf/gguf.h"
#include "tokenizer/tokenizer.h"

/* How a source stores elements. The first four are GGUF's; the others are only read. */
enum stored {
    ST_F32,
    ST_F16,
    ST_BF16,
    ST_Q8_0,
    ST_Q4_0,
    ST_Q4_1,
    ST_Q5_0,
    ST_Q5_1,
    ST_IQ4_NL, /* ggml's blocks of 32 */
    ST_Q2_K,
    ST_Q3_K,
    ST_Q4_K,
    ST_Q5_K,
    ST_Q6_K,    /* and of 256 */
    ST_I8,      /* CTranslate2: value / scale, a scale for each index of the first dimension */
    ST_I8_ROWS, /* our int8: value * scale, likewise */
    ST_COMPUTED /* sinusoids, see plan.c */
};

struct tensor {
    char name[80]; /* openai/whisper's */
    enum stored type;
    int n_dims;
    int64_t shape[WH_MAX_DIMS]; /* row-major, slowest first; unused ones are 1 */
    const unsigned char *data;  /* in a mapping, any alignment; NULL: in an archive until source_load() */
    const unsigned char *scale; /* ST_I8, ST_I8_ROWS: float32 [shape[0]] */
    int is_strided;             /* elements are at sum(index * stride) instead of in row-major order */
    int64_t stride[WH_MAX_DIMS];
    size_t archive;       /* which of the source's archives (.pt), */
    size_t entry;         /* the number of the storage's file in it, */
    int64_t entry_offset; /* and the tensor's first element in that */
};

struct dims {
    int n_mels, n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer;
    int n_vocab, n_text_ctx, n_text_state, n_text_head, n_text_layer;
};

struct mapping {
    void *data;
    size_t size;
};

struct source {
    const char *path;   /* as the user wrote it */
    const char *format; /* "ctranslate2", ... */
    enum source_kind {
        SOURCE_WHISPER,
        SOURCE_VAD,     /* Silero VAD: only the tensors count, see silero.c */
        SOURCE_SPEAKERS /* the nets that tell speakers apart: likewise, see speakers.c */
    } kind;
    struct dims dims;
    struct tensor *tensors;
    size_t n_tensors, tensor_capacity;
    uint16_t *by_name; /* [n_tensors]: their numbers, ascending by name */
    size_t by_name_capacity;
    char *hint; /* a name the source gives itself, or NULL */

    /* The vocabulary, NULL if the source has none: each token in GPT-2's printable notation, special ones by their
     * names, NULL where there is none; and what lists of added tokens name, as they are. */
    char **pieces, **added; /* [n_pieces] each, where n_pieces is n_vocab */
    int n_pieces;
    int has_outside;      /* a special token was named that is outside the model's vocabulary */
    wh_specials told;     /* where the configuration says that special tokens are */
    int multilingual;     /* 1, 0, or -1: not told */
    wh_specials specials; /* made of all that by layout_resolve() */

    int32_t *heads; /* layer, head, layer, head, ... as the source has them; NULL if unknown */
    size_t n_heads; /* pairs */
    int is_tied;    /* the output projection is the embedding: 1, 0, or -1: not told */

    char **files; /* the weights' files in order, for the checksum */
    size_t n_files, file_capacity;
    char sha256[65];      /* of an earlier conversion's source, if the source is GGUF; else "" */
    char *earlier_format; /* likewise */
    char *url,
        *revision; /* where whisp-get had the weights from: an address, and of a repository the commit; or NULL */

    struct mapping *mappings;
    size_t n_mappings, mapping_capacity;
    wh_gguf *gguf;
    struct archive *archives; /* pt.c's */
    size_t n_archives, archive_capacity;
};

/* Open a checkpoint, told by its content. On failure *source needs no closing. */
int source_open(const char *path, struct source *source);
void source_close(struct source *source);

/* For the readers. Every one fills dims first, then calls source_check_dims. */
int source_check_dims(const struct source *source);
int source_map(struct source *source, const char *path, const unsigned char **data, size_t *size);
int source_add_file(struct source *source, const char *path);
struct tensor *source_add(struct source *source, const char *name, enum stored type, int n_dims, const int64_t *shape,
                          const unsigned char *data);
struct tensor *source_find(const struct source *source, const char *name);
void source_remove(struct source *source, struct tensor *tensor);
int source_damaged(const struct source *source, const char *what);
int source_add_heads(struct source *source, int64_t layer, int64_t head);

/* FOLDER/NAME into path[capacity]. */
int source_join(char *path, size_t capacity, const char *folder, const char *name);

/* openai/whisper's name for a tensor of a state dict, by whatever wraps it there (model., module., _orig_mod., ...) and
 * in openai/whisper's or Hugging Face's words; 0 for what Whisper does not have. */
int translate_name(const char *name, char *out, size_t capacity);
/* Whether it is of an adapter that is not merged into the weights. */
int is_adapter_name(const char *name);
int fail_adapter(const char *path);
/* The dimensions by the tensors' shapes, where nothing else says them. */
int derive_dims(struct source *source);

/* A descriptor of a regular file; -1 with errno, of which file_fail() makes an error, where it is none: nothing is waited
 * for. The first bytes of one, at most `size`: how many there are, 0 also where it cannot be read. (kind.c) */
int file_open(const char *path);
int file_fail(const char *path);
size_t file_head(const char *path, unsigned char *head, size_t size);

/* What a file's first bytes say (kind.c). */
enum file_kind {
    FILE_NONE,
    FILE_EMPTY,
    FILE_GGUF,
    FILE_GGML,
    FILE_ZIP,
    FILE_CT2,
    FILE_SAFETENSORS,
    FILE_PICKLE,
    FILE_LFS,
    FILE_OTHER
};
enum file_kind file_kind(const char *path);
int fail_lfs(const char *path);

int read_ct2(struct source *source, const char *folder);
int read_hf(struct source *source, const char *folder);
/* A safetensors file alone: its tensors, by the names that this program gives them. */
int read_tensors(struct source *source, const char *path);
int read_pt(struct source *source, const char *path);
/* The tensors of one archive of torch.save; with_dims: its "dims" or those of the shapes become the source's. */
int read_archive(struct source *source, const char *path, int with_dims);
/* All tensors of a state dict that is no Whisper's, by its own names with `prefix` before them; but counters of batches. */
int read_plain_archive(struct source *source, const char *path, const char *prefix);
int read_ggml(struct source *source);
int read_gguf(struct source *source);

/* Make tensor->data valid: those of an archive are verified when they are first needed. */
int source_load(struct source *source, struct tensor *tensor);
/* Let the system drop the mappings' pages that were read; they come back when they are needed. */
void source_forget(const struct source *source);
void archives_close(struct source *source);
int archive_load(struct source *source, struct tensor *tensor);

/* Elements (elements.c). */
int64_t tensor_elements(const struct tensor *tensor); /* 0 if the shape is impossible */
size_t stored_bytes(enum stored type, int64_t n);     /* of n elements; 0 if they do not fill blocks */
int tensor_fits(const struct tensor *tensor, size_t bytes);
/* n elements from `first` (both multiples of the type's block, 1, 32 or 256) as floats. */
void tensor_floats(const struct tensor *tensor, int64_t first, int64_t n, float *out);
/* The same, as they are stored. */
void tensor_bytes(const struct tensor *tensor, int64_t first, int64_t n, unsigned char *out);
/* A block of 256 of ST_Q2_K to ST_Q6_K (kquants.c). */
void decode_k_block(enum stored type, const unsigned char *block, float *out);

/* A cursor over bytes that checks every step (cursor.c). Each returns 0 and leaves the cursor at its end once there is
 * not enough left, so a run of reads needs one check of `failed`. */
struct cursor {
    const unsigned char *at;
    size_t left;
    int failed;
};
const unsigned char *cursor_take(struct cursor *c, uint64_t n); /* NULL when there is not so much */
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);

#endif
