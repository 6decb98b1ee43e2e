/* archive.c - see archive.h.
 *
 * A zip archive ends with a record that says where its directory is: one header for each file, which points at another
 * header before the file's bytes. Sizes and offsets that need 64 bits are in an extra field of the directory's header.
 * (The format is PKWARE's APPNOTE.TXT.) The directory alone is believed, and only as far as it lies in the file. */
#include "archive.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAX_ENTRIES 65536 /* a checkpoint of large-v3 has 1,262 */
#define END_BYTES 22
#define END64_BYTES 56
#define LOCATOR_BYTES 20
#define HEADER_BYTES 30 /* of a file's own header, before its name */
#define MAX_COMMENT 65535
/* What is compressed may be so large in all, beside a multiple of the archive: weights hardly shrink. */
#define MOST_UNPACKED ((uint64_t)16 << 20)
#define MOST_TIMES 3

enum {
    END_MARK = 0x06054b50,
    END64_MARK = 0x06064b50,
    LOCATOR_MARK = 0x07064b50,
    ENTRY_MARK = 0x02014b50,
    HEADER_MARK = 0x04034b50
};

void archives_close(struct source *s)
{
    for (size_t i = 0; i < s->n_archives; i++) {
        for (size_t k = 0; k < s->archives[i].n; k++)
            free(s->archives[i].entries[k].unpacked);
        free(s->archives[i].entries);
        free(s->archives[i].path);
    }
    free(s->archives);
}

int archive_damaged(const struct archive *a, const char *what)
{
    return wh_fail(WHISP_ERR_MODEL, "%s: truncated or damaged: %s; get the file again", a->path, what);
}

/* ---- the directory ---- */

/* Where the record at the end begins: only a comment follows it. UINT64_MAX: nowhere. */
static uint64_t find_end(const struct archive *a)
{
    uint64_t last = a->size < END_BYTES ? 0 : a->size - END_BYTES;
    for (uint64_t back = 0; a->size >= END_BYTES && back <= last && back <= MAX_COMMENT; back++) {
        struct cursor c = {a->bytes + (last - back), END_BYTES, 0};
        if (cursor_u32(&c) != END_MARK)
            continue;
        cursor_take(&c, END_BYTES - 6);
        if (cursor_u16(&c) == back)
            return last - back;
    }
    return UINT64_MAX;
}

/* How many entries, and where their headers are. */
static int find_directory(const struct archive *a, uint64_t *n, struct cursor *directory)
{
    uint64_t end = find_end(a), size, offset;
    if (end == UINT64_MAX)
        return archive_damaged(a, "the archive's end is missing");
    struct cursor c = {a->bytes + end, END_BYTES, 0};
    cursor_take(&c, 10);
    *n = cursor_u16(&c);
    size = cursor_u32(&c);
    offset = cursor_u32(&c);
    c = (struct cursor){a->bytes + (end < LOCATOR_BYTES ? 0 : end - LOCATOR_BYTES), LOCATOR_BYTES, 0};
    if (end >= LOCATOR_BYTES && cursor_u32(&c) == LOCATOR_MARK) { /* another such record, of 64 bits */
        cursor_u32(&c);
        uint64_t at = cursor_u64(&c);
        if (at > end || end - at < END64_BYTES)
            return archive_damaged(a, "the archive's end");
        c = (struct cursor){a->bytes + at, END64_BYTES, 0};
        if (cursor_u32(&c) != END64_MARK)
            return archive_damaged(a, "the archive's end");
        cursor_take(&c, 28);
        *n = cursor_u64(&c);
        size = cursor_u64(&c);
        offset = cursor_u64(&c);
    }
    if (offset > end || size > end - offset)
        return archive_damaged(a, "the archive's directory lies outside the file");
    if (*n > MAX_ENTRIES)
        return archive_damaged(a, "the archive has more files than any checkpoint");
    *directory = (struct cursor){a->bytes + offset, (size_t)size, 0};
    return WHISP_OK;
}

/* The 64 bits of what the header has no room for, from its extra fields. */
static void take_large(struct cursor extra, struct entry *e)
{
    uint64_t *const values[] = {&e->size, &e->packed_size, &e->header};
    while (extra.left >= 4) {
        unsigned id = cursor_u16(&extra), length = cursor_u16(&extra);
        const unsigned char *bytes = cursor_take(&extra, length);
        struct cursor c = {bytes, bytes ? length : 0, 0};
        if (id != 1)
            continue;
        for (size_t i = 0; i < WH_COUNT(values); i++)
            if (*values[i] == UINT32_MAX)
                *values[i] = c.left >= 8 ? cursor_u64(&c) : UINT64_MAX;
        return;
    }
}

static int take_entry(struct cursor *c, struct entry *e)
{
    uint32_t mark = cursor_u32(c);
    cursor_take(c, 4);
    unsigned is_encrypted = cursor_u16(c) & 1;
    e->method = cursor_u16(c);
    cursor_take(c, 4);
    e->checksum = cursor_u32(c);
    e->packed_size = cursor_u32(c);
    e->size = cursor_u32(c);
    e->name_length = cursor_u16(c);
    unsigned extra = cursor_u16(c), comment = cursor_u16(c);
    cursor_take(c, 8);
    e->header = cursor_u32(c);
    e->name = cursor_take(c, e->name_length);
    struct cursor fields = {cursor_take(c, extra), extra, 0};
    cursor_take(c, comment);
    if (c->failed || mark != ENTRY_MARK || is_encrypted)
        return 0;
    take_large(fields, e);
    return 1;
}

static int compare_text(const unsigned char *a, size_t n, const unsigned char *b, size_t m)
{
    int order = memcmp(a, b, WH_MIN(n, m));
    return order ? order : (n > m) - (n < m);
}

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return compare_text(x->name, x->name_length, y->name, y->name_length);
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

/* No bytes belong to two files: a few that are many would take as long as a large archive. */
static int check_places(struct archive *a)
{
    qsort(a->entries, a->n, sizeof *a->entries, by_place);
    for (size_t i = 0; i < a->n; i++) {
        const struct entry *e = &a->entries[i];
        uint64_t end = i + 1 < a->n ? e[1].header : a->size;
        if (end > a->size || end < e->header || end - e->header < HEADER_BYTES ||
            e->packed_size > end - e->header - HEADER_BYTES)
            return archive_damaged(a, "files in the archive overlap or lie outside it");
    }
    return WHISP_OK;
}

static int read_directory(struct archive *a)
{
    uint64_t n = 0;
    struct cursor c = {0};
    int rc = find_directory(a, &n, &c);
    if (rc)
        return rc;
    a->entries = wh_calloc((size_t)n, sizeof *a->entries);
    if (!a->entries)
        return wh_fail_memory();
    for (; a->n < n; a->n++)
        if (!take_entry(&c, &a->entries[a->n]))
            return archive_damaged(a, "the archive's directory");
    if (c.left)
        return archive_damaged(a, "the archive's directory");
    if ((rc = check_places(a)))
        return rc;
    qsort(a->entries, a->n, sizeof *a->entries, by_name);
    for (size_t i = 1; i < a->n; i++)
        if (by_name(&a->entries[i - 1], &a->entries[i]) == 0)
            return archive_damaged(a, "two files in the archive have one name");
    return WHISP_OK;
}

int archive_open(struct source *s, const char *path, const unsigned char *bytes, size_t size)
{
    if (wh_grow(&s->archives, &s->archive_capacity, s->n_archives + 1, sizeof *s->archives))
        return WHISP_ERR_MEMORY;
    struct archive *a = &s->archives[s->n_archives];
    *a = (struct archive){.path = strdup(path), .bytes = bytes, .size = size};
    if (!a->path)
        return wh_fail_memory();
    s->n_archives++;
    return read_directory(a);
}

size_t archive_find(const struct archive *a, const char *name)
{
    size_t lo = 0, hi = a->n, length = strlen(name);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct entry *e = &a->entries[mid];
        int order = compare_text((const unsigned char *)name, length, e->name, e->name_length);
        if (order == 0)
            return mid;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return a->n;
}

/* ---- an entry ---- */

static int find_data(const struct archive *a, struct entry *e)
{
    struct cursor c = {a->bytes + e->header, (size_t)(a->size - e->header), 0};
    uint32_t mark = cursor_u32(&c);
    cursor_take(&c, HEADER_BYTES - 8);
    unsigned name = cursor_u16(&c), extra = cursor_u16(&c);
    cursor_take(&c, (uint64_t)name + extra);
    if (mark != HEADER_MARK || c.failed || e->packed_size > c.left)
        return archive_damaged(a, "a file in the archive lies outside it");
    e->data = c.at;
    return WHISP_OK;
}

/* All of `n` bytes of deflate, no more and no fewer than `size` when they are unpacked? */
static int inflate_all(const unsigned char *packed, uint64_t n, unsigned char *to, uint64_t size)
{
    enum { STEP = 1 << 30 }; /* zlib counts in 32 bits */
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)packed, .next_out = to};
    int rc = inflateInit2(&z, -MAX_WBITS);
    if (rc != Z_OK)
        return rc;
    while (rc == Z_OK) {
        uint64_t in = WH_MIN(n, STEP), out = WH_MIN(size, STEP);
        z.avail_in = (uInt)in;
        z.avail_out = (uInt)out;
        rc = inflate(&z, Z_NO_FLUSH);
        n -= in - z.avail_in;
        size -= out - z.avail_out;
        if (rc == Z_OK && z.avail_in == in && z.avail_out == out)
            rc = Z_DATA_ERROR;
    }
    inflateEnd(&z);
    return rc == Z_STREAM_END && (n || size) ? Z_DATA_ERROR : rc;
}

/* torch.save compresses nothing; who packs its archive again may. */
static int unpack(struct archive *a, struct entry *e)
{
    if (e->size > MOST_UNPACKED + MOST_TIMES * a->size - a->unpacked)
        return archive_damaged(a, "its files are out of all proportion to the archive");
    e->unpacked = malloc((size_t)e->size + 1);
    if (!e->unpacked)
        return wh_fail_memory();
    a->unpacked += e->size;
    int rc = inflate_all(e->data, e->packed_size, e->unpacked, e->size);
    if (rc == Z_MEM_ERROR)
        return wh_fail_memory();
    if (rc != Z_STREAM_END)
        return archive_damaged(a, "a compressed file in the archive");
    e->data = e->unpacked;
    return WHISP_OK;
}

int archive_read(struct archive *a, size_t entry, const unsigned char **data, size_t *size)
{
    struct entry *e = &a->entries[entry];
    int rc = e->data ? WHISP_OK : find_data(a, e);
    if (!rc && e->method == Z_DEFLATED && !e->unpacked)
        rc = unpack(a, e);
    if (rc)
        return rc;
    if (e->method != Z_DEFLATED && (e->method != 0 || e->size != e->packed_size))
        return archive_damaged(a, "a file in the archive is compressed in a way that is not read here");
    if (!e->is_sound && crc32_z(0, e->data, (size_t)e->size) != e->checksum)
        return archive_damaged(a, "a file in the archive is cut off or its checksum is wrong");
    e->is_sound = 1;
    *data = e->data;
    *size = (size_t)e->size;
    return WHISP_OK;
}

int archive_load(struct source *s, struct tensor *t)
{
    const unsigned char *data = NULL;
    size_t size = 0;
    if (t->type == ST_COMPUTED)
        return WHISP_OK;
    int rc = archive_read(&s->archives[t->archive], t->entry, &data, &size);
    if (!rc)
        t->data = data + (uint64_t)t->entry_offset * stored_bytes(t->type, 1);
    return rc;
}
