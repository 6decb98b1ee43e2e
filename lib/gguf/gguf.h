/* gguf.h - the model container: GGUF version 3, little endian, memory-mapped for reading, streamed for writing.
 *
 * Stands between a file and lib/model; whisp-convert writes through it. The format is described at
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and in docs/formats.md. */
#ifndef WH_GGUF_H
#define WH_GGUF_H

#include "util/util.h"

/* Tensor types, with ggml's numbers. */
typedef enum wh_type { WH_F32 = 0, WH_F16 = 1, WH_Q8_0 = 8, WH_I8 = 24, WH_BF16 = 30 } wh_type;

/* Bytes that a row of n elements takes; 0 if the type is unknown or n does not fit it (Q8_0: blocks of 32 elements, an
 * f16 scale then 32 int8). */
size_t wh_type_row_size(wh_type type, int64_t n);
const char *wh_type_name(wh_type type); /* "f32", "f16", "q8_0", "int8", "bf16", or NULL */

#define WH_MAX_DIMS 4

/* A tensor in a mapped file. Row-major; shape[0] is the slowest dimension, as PyTorch prints it (GGUF stores them the
 * other way round). */
typedef struct wh_tensor {
    const char *name;
    wh_type type;
    int n_dims;
    int64_t shape[WH_MAX_DIMS]; /* unused ones are 1 */
    const void *data;           /* at least 32-byte aligned */
    size_t bytes;
    const float *scale; /* WH_I8: [shape[0]], each row's, from the tensor NAME_scale; NULL if there is none */
} wh_tensor;

/* ---- reading ---- */

typedef struct wh_gguf wh_gguf;

/* Map a file and check everything in it: every length, count, type and offset is inside the file before it is
 * believed. WHISP_ERR_IO or WHISP_ERR_MODEL with a text that names the file. */
int wh_gguf_open(const char *path, wh_gguf **gguf);
/* How a file is read that need not be mapped: `check` is asked now and then whether to go on (WHISP_OK, or the code to
 * stop with). */
typedef struct wh_gguf_reading {
    int no_mmap; /* also a regular file is read into memory */
    int (*check)(const void *user);
    const void *user;
} wh_gguf_reading;
int wh_gguf_open_as(const char *path, const wh_gguf_reading *reading, wh_gguf **gguf);
/* The same from a descriptor, which is not closed: a regular file is mapped, what a pipe gives is kept in memory. And
 * from n bytes, which must stay; they are copied where they do not begin at a multiple of 64 bytes. Messages call these
 * `name`. */
int wh_gguf_open_fd(const char *name, int fd, const wh_gguf_reading *reading, wh_gguf **gguf);
int wh_gguf_open_memory(const char *name, const void *bytes, size_t n, wh_gguf **gguf);
/* Nonzero: it is the file that wh_gguf_path() names. */
int wh_gguf_has_path(const wh_gguf *gguf);
size_t wh_gguf_bytes(const wh_gguf *gguf);
void wh_gguf_close(wh_gguf *gguf);
const char *wh_gguf_path(const wh_gguf *gguf);

/* Nonzero: the bytes are pages of a file; else they are the caller's, or a copy, and nowhere else. */
int wh_gguf_is_mapped(const wh_gguf *gguf);
/* The file's pages need not stay in the process; they come back when they are read. From any thread. */
void wh_gguf_rest(const wh_gguf *gguf);

size_t wh_gguf_tensor_count(const wh_gguf *gguf);
const wh_tensor *wh_gguf_tensor_at(const wh_gguf *gguf, size_t i);
const wh_tensor *wh_gguf_tensor(const wh_gguf *gguf, const char *name); /* NULL if there is none */

/* Metadata. Each returns 1 when the key is there with a fitting type and in range, else 0 with *value untouched.
 * Any integer type is taken for int64. */
int wh_gguf_int(const wh_gguf *gguf, const char *key, int64_t *value);
int wh_gguf_bool(const wh_gguf *gguf, const char *key, int *value);
/* Strings are not NUL-terminated in the file: pointer into the mapping and a length. */
int wh_gguf_string(const wh_gguf *gguf, const char *key, const char **text, size_t *length);
/* Arrays: number of elements, or -1 if the key is not an array; then element by element. */
int64_t wh_gguf_array_length(const wh_gguf *gguf, const char *key);
int wh_gguf_array_int(const wh_gguf *gguf, const char *key, int64_t i, int64_t *value);
/* Random access to a string array costs a walk; this walks once. strings and lengths hold array_length elements. */
int wh_gguf_array_strings(const wh_gguf *gguf, const char *key, const char **strings, size_t *lengths);
/* For --info: key i and its value as text (arrays shortened); NULL past the end. */
const char *wh_gguf_key_at(const wh_gguf *gguf, size_t i);
int wh_gguf_value_text(const wh_gguf *gguf, size_t i, wh_buf *text);

/* ---- writing ---- */

typedef struct wh_gguf_writer wh_gguf_writer;

/* Metadata and tensor descriptions are collected first, then wh_gguf_writer_begin writes the head, and the tensors'
 * data follow in the order they were declared. Nothing holds a whole model in memory. The file is written under a
 * temporary name beside `path` and renamed by finish; abort removes it. */
int wh_gguf_writer_new(const char *path, wh_gguf_writer **writer);
/* Its temporary name, as long as it is not finished; NULL where there is none: a device, a pipe. */
const char *wh_gguf_writer_temporary(const wh_gguf_writer *writer);
int wh_gguf_put_u32(wh_gguf_writer *writer, const char *key, uint32_t value);
int wh_gguf_put_bool(wh_gguf_writer *writer, const char *key, int value);
int wh_gguf_put_string(wh_gguf_writer *writer, const char *key, const char *text, size_t length);
int wh_gguf_put_i32_array(wh_gguf_writer *writer, const char *key, const int32_t *values, size_t n);
int wh_gguf_put_string_array(wh_gguf_writer *writer, const char *key, const char *const *texts, const size_t *lengths,
                             size_t n);
int wh_gguf_declare(wh_gguf_writer *writer, const char *name, wh_type type, int n_dims, const int64_t *shape);
int wh_gguf_writer_begin(wh_gguf_writer *writer);
/* Any number of pieces until the tensor's size is reached; then the next tensor's data begin. */
int wh_gguf_write(wh_gguf_writer *writer, const void *data, size_t bytes);
int wh_gguf_writer_finish(wh_gguf_writer *writer); /* frees the writer, also on failure */
void wh_gguf_writer_abort(wh_gguf_writer *writer);

/* ---- element types (lib/gguf/types.c) ---- */

uint16_t wh_f32_to_f16(float x); /* round to nearest even, overflow to infinity */
float wh_f16_to_f32(uint16_t h);
uint16_t wh_f32_to_bf16(float x); /* round to nearest even */
float wh_bf16_to_f32(uint16_t h);
/* n elements of a stored type to floats, and back. n fits the type's block. WH_I8: without the scale. */
void wh_decode_row(wh_type type, const void *row, float *out, int64_t n);
void wh_encode_row(wh_type type, const float *in, void *row, int64_t n);

#endif
