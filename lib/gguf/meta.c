/* meta.c - questions about a GGUF file's metadata, by key; read.c has checked that every value lies in the mapping. */
#include <stdlib.h>
#include <string.h>

#include "gguf/file.h"

#define SHOWN_ELEMENTS 8 /* of an array in wh_gguf_value_text() */
#define SHOWN_BYTES 200  /* of a string there */

static const wh_gguf_value *find(const wh_gguf *g, const char *key)
{
    size_t lo = 0, hi = g->n_values;
    while (g->values_by_key && lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const wh_gguf_value *v = &g->values[g->values_by_key[mid]];
        int order = strcmp(key, v->key);
        if (order == 0)
            return v;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

/* A stored integer of any width; 0 if the type is not an integer or the value does not fit int64. */
static int load_int(uint32_t type, const unsigned char *p, int64_t *value)
{
    uint64_t u64;
    switch (type) {
    case GGUF_U8: *value = *p; return 1;
    case GGUF_I8: *value = (int8_t)*p; return 1;
    case GGUF_U16: *value = wh_load_u16(p); return 1;
    case GGUF_I16: *value = (int16_t)wh_load_u16(p); return 1;
    case GGUF_U32: *value = wh_load_u32(p); return 1;
    case GGUF_I32: *value = (int32_t)wh_load_u32(p); return 1;
    case GGUF_I64: *value = (int64_t)wh_load_u64(p); return 1;
    case GGUF_U64:
        u64 = wh_load_u64(p);
        if (u64 > INT64_MAX)
            return 0;
        *value = (int64_t)u64;
        return 1;
    }
    return 0;
}

static int load_double(uint32_t type, const unsigned char *p, double *value)
{
    int64_t i;
    if (type == GGUF_F32) {
        uint32_t bits = wh_load_u32(p);
        float x;
        memcpy(&x, &bits, sizeof x);
        *value = x;
    } else if (type == GGUF_F64) {
        uint64_t bits = wh_load_u64(p);
        memcpy(value, &bits, sizeof *value);
    } else if (load_int(type, p, &i)) {
        *value = (double)i;
    } else {
        return 0;
    }
    return 1;
}

int wh_gguf_int(const wh_gguf *g, const char *key, int64_t *value)
{
    const wh_gguf_value *v = find(g, key);
    return v && !v->is_array && load_int(v->type, v->data, value);
}

int wh_gguf_bool(const wh_gguf *g, const char *key, int *value)
{
    const wh_gguf_value *v = find(g, key);
    if (!v || v->is_array || v->type != GGUF_BOOL || v->data[0] > 1)
        return 0;
    *value = v->data[0];
    return 1;
}

int wh_gguf_string(const wh_gguf *g, const char *key, const char **text, size_t *length)
{
    const wh_gguf_value *v = find(g, key);
    if (!v || v->is_array || v->type != GGUF_STRING)
        return 0;
    *length = (size_t)wh_load_u64(v->data);
    *text = (const char *)v->data + 8;
    return 1;
}

int64_t wh_gguf_array_length(const wh_gguf *g, const char *key)
{
    const wh_gguf_value *v = find(g, key);
    return v && v->is_array ? (int64_t)v->count : -1;
}

int wh_gguf_array_int(const wh_gguf *g, const char *key, int64_t i, int64_t *value)
{
    const wh_gguf_value *v = find(g, key);
    if (!v || !v->is_array || i < 0 || (uint64_t)i >= v->count)
        return 0;
    return load_int(v->type, v->data + (size_t)i * wh_gguf_value_size(v->type), value);
}

int wh_gguf_array_strings(const wh_gguf *g, const char *key, const char **strings, size_t *lengths)
{
    const wh_gguf_value *v = find(g, key);
    if (!v || !v->is_array || v->type != GGUF_STRING)
        return 0;
    const unsigned char *p = v->data;
    for (uint64_t i = 0; i < v->count; i++) {
        lengths[i] = (size_t)wh_load_u64(p);
        strings[i] = (const char *)p + 8;
        p += 8 + lengths[i];
    }
    return 1;
}

const char *wh_gguf_key_at(const wh_gguf *g, size_t i)
{
    return i < g->n_values ? g->values[i].key : NULL;
}

/* A string between quotes; bytes that would disturb a terminal as \xNN. */
static void quote(wh_buf *text, const unsigned char *bytes, size_t n)
{
    wh_buf_puts(text, "\"");
    for (size_t i = 0; i < WH_MIN(n, SHOWN_BYTES); i++) {
        if (bytes[i] < 32 || bytes[i] == 127 || bytes[i] == '"' || bytes[i] == '\\')
            wh_buf_printf(text, "\\x%02x", bytes[i]);
        else
            wh_buf_append(text, bytes + i, 1);
    }
    wh_buf_puts(text, n > SHOWN_BYTES ? "\"..." : "\"");
}

/* One element as text; returns the bytes it takes in the file. */
static size_t element_text(wh_buf *text, uint32_t type, const unsigned char *p)
{
    int64_t i;
    double x;
    if (type == GGUF_STRING) {
        size_t n = (size_t)wh_load_u64(p);
        quote(text, p + 8, n);
        return 8 + n;
    }
    if (type == GGUF_BOOL)
        wh_buf_puts(text, p[0] ? "true" : "false");
    else if (type == GGUF_U64)
        wh_buf_printf(text, "%llu", (unsigned long long)wh_load_u64(p));
    else if (load_int(type, p, &i))
        wh_buf_printf(text, "%lld", (long long)i);
    else if (load_double(type, p, &x))
        wh_buf_printf(text, "%.9g", x);
    return wh_gguf_value_size(type);
}

int wh_gguf_value_text(const wh_gguf *g, size_t i, wh_buf *text)
{
    if (i >= g->n_values)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: there is no metadata value %zu", g->path, i);
    const wh_gguf_value *v = &g->values[i];
    const unsigned char *p = v->data;
    if (!v->is_array) {
        element_text(text, v->type, p);
    } else {
        wh_buf_puts(text, "[");
        for (uint64_t k = 0; k < WH_MIN(v->count, SHOWN_ELEMENTS); k++) {
            if (k)
                wh_buf_puts(text, ", ");
            p += element_text(text, v->type, p);
        }
        if (v->count > SHOWN_ELEMENTS)
            wh_buf_printf(text, ", ... %llu in all", (unsigned long long)v->count);
        wh_buf_puts(text, "]");
    }
    return text->failed ? wh_fail_memory() : WHISP_OK;
}
