/* read.c - a GGUF file on disk to a checked table of metadata and tensors (the questions are answered in meta.c).
 *
 * First step of lib/model, and of whisp-convert for its own output. The file is mapped; a cursor walks its head and
 * refuses whatever does not lie inside the mapping. Layout, all little endian:
 *   "GGUF", u32 version, u64 tensors, u64 values,
 *   values:  string key, u32 type, value        (string: u64 length, bytes; array: u32 type, u64 count, elements)
 *   tensors: string name, u32 n_dims, u64 dims[n_dims] fastest first, u32 type, u64 offset
 *   padding to general.alignment, then the tensors' data at their offsets from here. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf/file.h"
#include "platform/platform.h"

#define VERSION 3
#define DEFAULT_ALIGNMENT 32
#define DATA_ALIGNMENT 32   /* what the kernels are promised */
#define MIN_VALUE_BYTES 13  /* empty key, type, one byte */
#define MIN_TENSOR_BYTES 32 /* empty name, one dimension */
#define MAX_ENTRIES 65536   /* values, or tensors: large-v3 in int8 has 30 and 1,800 */

/* Where the reading of the head stands. */
struct cursor {
    const char *path;
    const unsigned char *start, *at;
    size_t left;
};

static int truncated(const struct cursor *c)
{
    return wh_fail(WHISP_ERR_MODEL,
                   "%s: the file is truncated or damaged (byte %zu of its head); get or convert it "
                   "again",
                   c->path, (size_t)(c->at - c->start));
}

static int take(struct cursor *c, size_t n, const unsigned char **bytes)
{
    if (n > c->left)
        return truncated(c);
    *bytes = c->at;
    c->at += n;
    c->left -= n;
    return WHISP_OK;
}

static int take_u32(struct cursor *c, uint32_t *value)
{
    const unsigned char *b = NULL;
    int rc = take(c, 4, &b);
    if (!rc)
        *value = wh_load_u32(b);
    return rc;
}

static int take_u64(struct cursor *c, uint64_t *value)
{
    const unsigned char *b = NULL;
    int rc = take(c, 8, &b);
    if (!rc)
        *value = wh_load_u64(b);
    return rc;
}

static int skip_string(struct cursor *c)
{
    uint64_t length;
    const unsigned char *bytes;
    int rc = take_u64(c, &length);
    if (rc)
        return rc;
    return length > c->left ? truncated(c) : take(c, (size_t)length, &bytes);
}

/* A key or a tensor's name, copied so that it ends with a NUL. */
static int take_name(struct cursor *c, char **name)
{
    const unsigned char *start = c->at;
    int rc = skip_string(c);
    if (rc)
        return rc;
    size_t length = (size_t)(c->at - start) - 8;
    if (length == 0 || memchr(start + 8, 0, length))
        return wh_fail(WHISP_ERR_MODEL, "%s: the file is damaged: a name is empty or contains a NUL", c->path);
    *name = strndup((const char *)start + 8, length);
    if (!*name)
        return wh_fail_memory();
    wh_tame(*name);
    return WHISP_OK;
}

static int take_value(struct cursor *c, wh_gguf_value *value)
{
    int rc = take_name(c, &value->key);
    if (rc || (rc = take_u32(c, &value->type)))
        return rc;
    value->count = 1;
    if (value->type == GGUF_ARRAY) {
        value->is_array = 1;
        if ((rc = take_u32(c, &value->type)) || (rc = take_u64(c, &value->count)))
            return rc;
    }
    value->data = c->at;
    size_t size = wh_gguf_value_size(value->type);
    if (size) {
        const unsigned char *bytes;
        return value->count > c->left / size ? truncated(c) : take(c, (size_t)value->count * size, &bytes);
    }
    if (value->type != GGUF_STRING)
        return wh_fail(WHISP_ERR_MODEL, "%s: the value of %s has the type %u, which cannot be read", c->path,
                       value->key, (unsigned)value->type);
    for (uint64_t i = 0; i < value->count; i++)
        if ((rc = skip_string(c)))
            return rc;
    return WHISP_OK;
}

/* A tensor's description; its data pointer is set once the data section's place is known, from the offset. */
static int take_tensor(struct cursor *c, wh_tensor *tensor, uint64_t *offset)
{
    char *name;
    uint32_t n_dims, type;
    int rc = take_name(c, &name);
    if (rc)
        return rc;
    tensor->name = name;
    if ((rc = take_u32(c, &n_dims)))
        return rc;
    if (n_dims < 1 || n_dims > WH_MAX_DIMS)
        return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s has %u dimensions; 1 to %d can be read", c->path, name,
                       (unsigned)n_dims, WH_MAX_DIMS);
    tensor->n_dims = (int)n_dims;
    uint64_t rows = 1;
    for (uint32_t i = 0; i < WH_MAX_DIMS; i++)
        tensor->shape[i] = 1;
    for (uint32_t i = 0; i < n_dims; i++) {
        uint64_t n;
        if ((rc = take_u64(c, &n)))
            return rc;
        if (n < 1 || n > INT64_MAX || (i > 0 && n > UINT64_MAX / rows))
            return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s has an impossible shape", c->path, name);
        if (i > 0)
            rows *= n;
        tensor->shape[n_dims - 1 - i] = (int64_t)n;
    }
    if ((rc = take_u32(c, &type)) || (rc = take_u64(c, offset)))
        return rc;
    tensor->type = (wh_type)type;
    if (!wh_type_name(tensor->type))
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: tensor %s has the type %u; only f32 (0), f16 (1), q8_0 (8), int8 "
                       "(24) and bf16 (30) can be read: convert the model with whisp-convert",
                       c->path, name, (unsigned)type);
    size_t row = wh_type_row_size(tensor->type, tensor->shape[n_dims - 1]);
    if (row == 0 || rows > SIZE_MAX / row)
        return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s has a shape that its type %s cannot have", c->path, name,
                       wh_type_name(tensor->type));
    tensor->bytes = (size_t)rows * row;
    return WHISP_OK;
}

struct named {
    const char *name;
    size_t i;
};

static int compare_names(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Sort an index of the names, which are put in order, too, and refuse duplicates. */
static int index_names(const char *path, const char *what, struct named *names, size_t n, size_t **order)
{
    *order = wh_calloc(n, sizeof **order);
    if (!*order)
        return wh_fail_memory();
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++)
        (*order)[i] = names[i].i;
    for (size_t i = 1; i < n; i++)
        if (strcmp(names[i - 1].name, names[i].name) == 0)
            return wh_fail(WHISP_ERR_MODEL, "%s: the file is damaged: two %s are named %s", path, what, names[i].name);
    return WHISP_OK;
}

static int index_file(wh_gguf *g)
{
    size_t n = WH_MAX(g->n_values, g->n_tensors);
    struct named *names = wh_calloc(n, sizeof *names);
    if (!names)
        return wh_fail_memory();
    for (size_t i = 0; i < g->n_values; i++)
        names[i] = (struct named){g->values[i].key, i};
    int rc = index_names(g->path, "metadata keys", names, g->n_values, &g->values_by_key);
    for (size_t i = 0; i < g->n_tensors; i++)
        names[i] = (struct named){g->tensors[i].name, i};
    if (!rc)
        rc = index_names(g->path, "tensors", names, g->n_tensors, &g->tensors_by_name);
    free(names);
    return rc;
}

static int read_alignment(const wh_gguf *g, uint64_t *alignment)
{
    const char *key = "general.alignment";
    int64_t value = DEFAULT_ALIGNMENT;
    for (size_t i = 0; i < g->n_values; i++)
        if (strcmp(g->values[i].key, key) == 0 && !wh_gguf_int(g, key, &value))
            value = 0;
    if (value < 8 || value > 1 << 20 || (value & (value - 1)))
        return wh_fail(WHISP_ERR_MODEL, "%s: %s is not a power of two from 8 to 1048576", g->path, key);
    *alignment = (uint64_t)value;
    return WHISP_OK;
}

/* Turn offsets into pointers, each tensor wholly inside the mapping. `head` is where the descriptions end. */
static int place_tensors(wh_gguf *g, size_t head, const uint64_t *offsets)
{
    uint64_t alignment = DEFAULT_ALIGNMENT;
    int rc = read_alignment(g, &alignment);
    if (rc)
        return rc;
    uint64_t start = (head + alignment - 1) / alignment * alignment;
    for (size_t i = 0; i < g->n_tensors; i++) {
        wh_tensor *t = &g->tensors[i];
        if (start > g->size || offsets[i] > g->size - start || t->bytes > g->size - start - offsets[i])
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: the file is truncated: tensor %s ends beyond its %zu bytes; get or "
                           "convert it again",
                           g->path, t->name, g->size);
        if (offsets[i] % alignment || (start + offsets[i]) % DATA_ALIGNMENT)
            return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s does not begin at a multiple of %d bytes", g->path, t->name,
                           DATA_ALIGNMENT);
        t->data = (const unsigned char *)g->map + start + offsets[i];
    }
    return WHISP_OK;
}

/* One without elements stands before another at its place. */
static int by_place(const void *a, const void *b)
{
    const wh_tensor *x = *(const wh_tensor *const *)a, *y = *(const wh_tensor *const *)b;
    int order = ((const char *)x->data > (const char *)y->data) - ((const char *)x->data < (const char *)y->data);
    return order ? order : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* No bytes belong to two tensors: a small file could claim to be a large model, which takes a large one's memory. */
static int check_overlap(wh_gguf *g)
{
    const wh_tensor **order = wh_calloc(g->n_tensors, sizeof(wh_tensor *));
    int rc = order ? WHISP_OK : wh_fail_memory();
    for (size_t i = 0; order && i < g->n_tensors; i++)
        order[i] = &g->tensors[i];
    if (order)
        qsort(order, g->n_tensors, sizeof *order, by_place);
    for (size_t i = 1; !rc && i < g->n_tensors; i++) {
        const wh_tensor *a = order[i - 1], *b = order[i];
        if ((const char *)a->data + a->bytes > (const char *)b->data)
            rc = wh_fail(WHISP_ERR_MODEL, "%s: the file is damaged: tensors %s and %s overlap", g->path, a->name,
                         b->name);
    }
    free(order);
    return rc;
}

/* The rows of an int8 tensor have a scale each, in a tensor of their own. */
static void link_scales(wh_gguf *g)
{
    char name[128];
    for (size_t i = 0; i < g->n_tensors; i++) {
        wh_tensor *t = &g->tensors[i];
        if (t->type != WH_I8 || snprintf(name, sizeof name, "%s_scale", t->name) >= (int)sizeof name)
            continue;
        const wh_tensor *scale = wh_gguf_tensor(g, name);
        if (scale && scale->type == WH_F32 && scale->n_dims == 1 && scale->shape[0] == t->shape[0])
            t->scale = scale->data;
    }
}

static int read_version(struct cursor *c)
{
    const unsigned char *magic;
    uint32_t version;
    int rc;
    if (c->left < 8 || memcmp(c->at, "GGUF", 4) != 0)
        return wh_fail(WHISP_ERR_MODEL, "%s: not a GGUF file; make one with whisp-convert", c->path);
    if ((rc = take(c, 4, &magic)) || (rc = take_u32(c, &version)))
        return rc;
    if (version == (uint32_t)VERSION << 24)
        return wh_fail(WHISP_ERR_MODEL, "%s: a big-endian GGUF file; only little-endian ones can be read", c->path);
    if (version != VERSION)
        return wh_fail(WHISP_ERR_MODEL, "%s: GGUF version %u; only version %d can be read: convert the model again",
                       c->path, (unsigned)version, VERSION);
    return WHISP_OK;
}

static int parse(wh_gguf *g)
{
    struct cursor c = {g->path, g->map, g->map, g->size};
    uint64_t n_tensors, n_values;
    int rc = read_version(&c);
    if (rc || (rc = take_u64(&c, &n_tensors)) || (rc = take_u64(&c, &n_values)))
        return rc;
    /* counts are believed only as far as the file has room for them, which bounds what is allocated */
    if (n_values > c.left / MIN_VALUE_BYTES || n_tensors > c.left / MIN_TENSOR_BYTES)
        return truncated(&c);
    if (n_values > MAX_ENTRIES || n_tensors > MAX_ENTRIES)
        return wh_fail(WHISP_ERR_MODEL, "%s: %llu values and %llu tensors, more than the %d of any model: damaged?",
                       g->path, (unsigned long long)n_values, (unsigned long long)n_tensors, MAX_ENTRIES);
    g->values = wh_calloc((size_t)n_values, sizeof *g->values);
    g->tensors = wh_calloc((size_t)n_tensors, sizeof *g->tensors);
    uint64_t *offsets = wh_calloc((size_t)n_tensors, sizeof *offsets);
    if (!g->values || !g->tensors || !offsets)
        rc = wh_fail_memory();
    while (!rc && g->n_values < n_values)
        rc = take_value(&c, &g->values[g->n_values++]);
    while (!rc && g->n_tensors < n_tensors) {
        size_t i = g->n_tensors++;
        rc = take_tensor(&c, &g->tensors[i], &offsets[i]);
    }
    if (!rc && !(rc = index_file(g)))
        rc = place_tensors(g, (size_t)(c.at - c.start), offsets);
    if (!rc && !(rc = check_overlap(g)))
        link_scales(g);
    free(offsets);
    return rc;
}

static int map_file(wh_gguf *g, int fd, const struct stat *st)
{
    if (st->st_size == 0)
        return wh_fail(WHISP_ERR_MODEL, "%s: the file is empty; get or convert it again", g->path);
    if ((uintmax_t)st->st_size > SIZE_MAX)
        return wh_fail(WHISP_ERR_IO, "%s: too large for this machine's addresses", g->path);
    g->size = (size_t)st->st_size;
    const void *map = wh_platform_map(fd, g->size);
    if (!map)
        return wh_fail(WHISP_ERR_IO, "%s: cannot be mapped: %s", g->path, strerror(errno));
    g->map = map;
    g->is_mapped = 1;
    return WHISP_OK;
}

/* All of `size` bytes so far, in twice the room. */
static int grow_owned(wh_gguf *g, size_t *room)
{
    size_t more = *room ? *room * 2 : (size_t)4 << 20;
    void *larger = more > *room ? wh_alloc_aligned(more, 1) : NULL;
    if (!larger)
        return wh_fail_memory();
    if (g->size)
        memcpy(larger, g->owned, g->size);
    free(g->owned);
    g->owned = larger;
    *room = more;
    return WHISP_OK;
}

/* As read(); where there is nothing yet it is waited for. */
static ssize_t read_some(int fd, char *bytes, size_t n)
{
    for (;;) {
        ssize_t got = read(fd, bytes, n);
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK) || poll(&wait, 1, -1) < 0)
            return got;
    }
}

/* What a pipe gives, to its end; or, where `whole` is known, all of a regular file, from its beginning. */
static int read_whole(wh_gguf *g, int fd, size_t whole, const wh_gguf_reading *reading)
{
    size_t room = whole ? whole + 1 : 0; /* one more to see the end */
    if (room && !(g->owned = wh_alloc_aligned(room, 1)))
        return wh_fail_memory();
    for (;;) {
        int rc = reading->check ? reading->check(reading->user) : WHISP_OK;
        if (!rc && g->size == room)
            rc = grow_owned(g, &room);
        if (rc)
            return rc;
        char *to = (char *)g->owned + g->size;
        size_t most = WH_MIN(room - g->size, (size_t)1 << 20);
        ssize_t n = whole ? pread(fd, to, most, (off_t)g->size) : read_some(fd, to, most);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", g->path, strerror(errno));
        if (n == 0)
            break;
        g->size += (size_t)n;
    }
    g->map = g->owned;
    return g->size ? WHISP_OK : wh_fail(WHISP_ERR_MODEL, "%s: it is empty; get or convert it again", g->path);
}

static int make(const char *name, wh_gguf **gguf)
{
    *gguf = NULL;
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    if (!first)
        return wh_fail(WHISP_ERR_MODEL, "%s: model files are little-endian, this machine is not", name);
    wh_gguf *g = wh_calloc(1, sizeof *g);
    if (!g || !(g->path = strdup(name))) {
        free(g);
        return wh_fail_memory();
    }
    *gguf = g;
    return WHISP_OK;
}

/* The bytes are there, or `rc` says why not. */
static int finish(int rc, wh_gguf **gguf)
{
    if (!rc)
        rc = parse(*gguf);
    if (rc) {
        wh_gguf_close(*gguf);
        *gguf = NULL;
    }
    return rc;
}

/* A regular file's bytes. */
static int take_file(wh_gguf *g, int fd, const struct stat *st, const wh_gguf_reading *reading)
{
    if (!reading->no_mmap || st->st_size <= 0 || (uintmax_t)st->st_size >= SIZE_MAX / 2)
        return map_file(g, fd, st);
    return read_whole(g, fd, (size_t)st->st_size, reading);
}

int wh_gguf_open(const char *path, wh_gguf **gguf)
{
    return wh_gguf_open_as(path, &(wh_gguf_reading){0}, gguf);
}

int wh_gguf_open_as(const char *path, const wh_gguf_reading *reading, wh_gguf **gguf)
{
    struct stat st;
    int rc = make(path, gguf);
    if (rc)
        return rc;
    (*gguf)->has_path = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nobody may ever write into a FIFO */
    if (fd < 0)
        return finish(wh_fail(WHISP_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno)), gguf);
    if (fstat(fd, &st) != 0)
        rc = wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        rc = wh_fail(WHISP_ERR_IO, "%s: not a regular file", path);
    else
        rc = take_file(*gguf, fd, &st, reading);
    close(fd);
    return finish(rc, gguf);
}

int wh_gguf_open_fd(const char *name, int fd, const wh_gguf_reading *reading, wh_gguf **gguf)
{
    struct stat st;
    int rc = make(name, gguf);
    if (rc)
        return rc;
    if (fstat(fd, &st) != 0)
        rc = wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", name, strerror(errno));
    else if (S_ISREG(st.st_mode))
        rc = take_file(*gguf, fd, &st, reading);
    else
        rc = read_whole(*gguf, fd, 0, reading);
    return finish(rc, gguf);
}

int wh_gguf_open_memory(const char *name, const void *bytes, size_t n, wh_gguf **gguf)
{
    int rc = make(name, gguf);
    if (rc)
        return rc;
    wh_gguf *g = *gguf;
    g->size = n;
    g->map = bytes;
    if (n == 0)
        rc = wh_fail(WHISP_ERR_MODEL, "%s: it is empty", name);
    else if ((uintptr_t)bytes % 64) {
        g->map = g->owned = wh_alloc_aligned(n, 1);
        if (g->owned)
            memcpy(g->owned, bytes, n);
        else
            rc = wh_fail_memory();
    }
    return finish(rc, gguf);
}

int wh_gguf_is_mapped(const wh_gguf *g)
{
    return g->is_mapped;
}

int wh_gguf_has_path(const wh_gguf *g)
{
    return g->has_path;
}

size_t wh_gguf_bytes(const wh_gguf *g)
{
    return g->size;
}

void wh_gguf_rest(const wh_gguf *g)
{
    if (g->is_mapped)
        (void)wh_platform_advise((void *)(uintptr_t)g->map, g->size, WH_NEED_NOT_READ);
}

void wh_gguf_close(wh_gguf *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_values; i++)
        free(g->values[i].key);
    for (size_t i = 0; i < g->n_tensors; i++)
        free((char *)g->tensors[i].name);
    free(g->values);
    free(g->tensors);
    free(g->values_by_key);
    free(g->tensors_by_name);
    if (g->is_mapped)
        wh_platform_unmap(g->map, g->size);
    free(g->owned);
    free(g->path);
    free(g);
}

const char *wh_gguf_path(const wh_gguf *g)
{
    return g->path;
}

size_t wh_gguf_tensor_count(const wh_gguf *g)
{
    return g->n_tensors;
}

const wh_tensor *wh_gguf_tensor_at(const wh_gguf *g, size_t i)
{
    return i < g->n_tensors ? &g->tensors[i] : NULL;
}

const wh_tensor *wh_gguf_tensor(const wh_gguf *g, const char *name)
{
    size_t lo = 0, hi = g->n_tensors;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const wh_tensor *t = &g->tensors[g->tensors_by_name[mid]];
        int order = strcmp(name, t->name);
        if (order == 0)
            return t;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}
