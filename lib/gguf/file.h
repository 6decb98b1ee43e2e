/* file.h - a parsed GGUF file, shared by read.c (which fills it) and meta.c (which answers questions about it); values.c
 * has what both need. */
#ifndef WH_GGUF_FILE_H
#define WH_GGUF_FILE_H

#include "gguf/gguf.h"

/* Metadata value types, with the format's numbers. */
enum {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES
};

typedef struct wh_gguf_value {
    char *key;     /* owned, NUL-terminated */
    uint32_t type; /* of the elements, if it is an array */
    int is_array;
    uint64_t count;            /* elements; 1 for a single value */
    const unsigned char *data; /* first element, in the mapping; strings are u64 length and bytes */
} wh_gguf_value;

struct wh_gguf {
    char *path;   /* or another name */
    int has_path; /* it is a path */
    const void *map;
    size_t size;
    int is_mapped; /* to be unmapped */
    void *owned;   /* memory to be freed, or NULL */
    size_t n_values, n_tensors;
    wh_gguf_value *values;
    wh_tensor *tensors;      /* names are owned, data point into the mapping */
    size_t *values_by_key;   /* [n_values] indices, keys ascending */
    size_t *tensors_by_name; /* [n_tensors] */
};

/* Bytes of one value of a fixed size; 0 for strings, arrays and unknown types. */
size_t wh_gguf_value_size(uint32_t type);

uint16_t wh_load_u16(const void *p); /* little endian, any alignment */
uint32_t wh_load_u32(const void *p);
uint64_t wh_load_u64(const void *p);

#endif
