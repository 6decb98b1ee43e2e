/* source.h - a Whisper checkpoint of any format as whisp-convert sees it: dimensions, named tensors, what it knows of
 * vocabulary and alignment heads.
 *
 *   main.c      options
 *   source.c    tells formats apart, owns mappings and tensors
 *   ct2.c hf.c pt.c ggml.c from_gguf.c     one format each: fill a struct source
 *   silero.c    the voice activity model, which is no Whisper: reads and writes it
 *   elements.c  stored elements to floats
 *   vocab.c heads.c                        complete what the format lacks
 *   plan.c      the tensors that a model of these dimensions has, by openai/whisper's names
 *   output.c    writes the GGUF file
 *
 * Errors are wh_fail()'s: a negative code, the text in whisp_last_error(). */
#ifndef CONVERT_SOURCE_H
#define CONVERT_SOURCE_H

#include <stdio.h>

#include "gguf/gguf.h"

/* How a source stores elements. The first four are GGUF's; the others are only read. */
enum stored {
    ST_F32, ST_F16, ST_BF16, ST_Q8_0,
    ST_Q4_0, ST_Q4_1, ST_Q5_0, ST_Q5_1, /* ggml's blocks of 32 */
    ST_I8,                              /* CTranslate2: value / scale, a scale for each index of the first dimension */
    ST_I8_ROWS,                         /* our int8: value * scale, likewise */
    ST_COMPUTED                         /* sinusoids, see plan.c */
};

struct tensor {
    char name[80];              /* openai/whisper's */
    enum stored type;
    int n_dims;
    int64_t shape[WH_MAX_DIMS]; /* row-major, slowest first; unused ones are 1 */
    const unsigned char *data;  /* in a mapping, any alignment; NULL: in an archive until tensor_open() */
    const unsigned char *scale; /* ST_I8, ST_I8_ROWS: float32 [shape[0]] */
    int is_strided;             /* elements are at sum(index * stride) instead of in row-major order */
    int64_t stride[WH_MAX_DIMS];
    uint64_t entry;             /* of an archive (.pt): number of the storage's file */
    int64_t entry_offset;       /* first element in it */
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
    const char *path;           /* as the user wrote it */
    const char *format;         /* "ctranslate2", ... */
    int is_vad;                 /* Silero VAD, not Whisper: only the tensors count, see silero.c */
    struct dims dims;
    struct tensor *tensors;
    size_t n_tensors, tensor_capacity;
    char *hint;                 /* a name the source gives itself, or NULL */

    /* vocabulary: ordinary tokens in GPT-2's printable notation; NULL if the source has none */
    char **pieces;
    int n_pieces;
    int32_t *heads;             /* layer, head, layer, head, ...; NULL if unknown */
    size_t n_heads;             /* pairs */

    char **files;               /* the weights' files in order, for the checksum */
    size_t n_files, file_capacity;
    char sha256[65];            /* of an earlier conversion's source, if the source is GGUF; else "" */
    char *earlier_format;       /* likewise */

    struct mapping *mappings;
    size_t n_mappings, mapping_capacity;
    wh_gguf *gguf;
    struct archive *archive;    /* pt.c's */
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
int source_damaged(const struct source *source, const char *what);
int source_add_heads(struct source *source, int64_t layer, int64_t head);

int read_ct2(struct source *source, const char *folder);
int read_hf(struct source *source, const char *folder);
/* A safetensors file alone: its tensors, by the names that this program gives them. */
int read_tensors(struct source *source, const char *path);
int read_pt(struct source *source);
int read_ggml(struct source *source);
int read_gguf(struct source *source);

/* Make tensor->data valid until the next call: tensors of an archive are read into memory one storage at a time. */
int source_load(struct source *source, struct tensor *tensor);
/* Let the system drop the mappings' pages that were read; they come back when they are needed. */
void source_forget(const struct source *source);
void archive_close(struct archive *archive);
int archive_load(struct source *source, struct tensor *tensor);

/* Elements (elements.c). */
int64_t tensor_elements(const struct tensor *tensor); /* 0 if the shape is impossible */
size_t stored_bytes(enum stored type, int64_t n);     /* of n elements; 0 if they do not fill blocks */
int tensor_fits(const struct tensor *tensor, size_t bytes);
/* n elements from `first` (both multiples of 32 where the type has blocks) as floats. */
void tensor_floats(const struct tensor *tensor, int64_t first, int64_t n, float *out);
/* The same, as they are stored. */
void tensor_bytes(const struct tensor *tensor, int64_t first, int64_t n, unsigned char *out);
const char *stored_name(enum stored type);

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
