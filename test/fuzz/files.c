/* files.c - inputs that stand for a folder of files, with archives among them (see fuzz.h). */
#include <ctype.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "fuzz.h"

#include "util/util.h"

#define MOST_ZEROS (1400 << 10) /* bytes that runs of zeros in a file may become */
#define MOST_BYTES (8 << 20)    /* of a folder */

static int is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-!/");
    const char *inner = strchr(name, '!'), *slash = strchr(name, '/');
    return n && !name[n] && name[0] != '.' && name[0] != '!' && (!slash || (inner && slash > inner));
}

/* The row at *at: its name and length; 0: there is none. */
static int read_head(const uint8_t *data, size_t size, size_t *at, fuzz_file *file)
{
    const uint8_t *line = data + *at, *end = memchr(line, '\n', WH_MIN(size - *at, sizeof file->name + 12));
    char text[96];
    unsigned long n = 0;
    if (!end)
        return 0;
    memcpy(text, line, (size_t)(end - line));
    text[end - line] = 0;
    if (sscanf(text, "%63s %7lu", file->name, &n) != 2 || !is_name(file->name))
        return 0;
    *at = (size_t)(end + 1 - data);
    file->data = data + *at;
    file->n = WH_MIN(n, size - *at);
    *at += file->n;
    return 1;
}

size_t fuzz_unpack(const uint8_t *data, size_t size, const char *alone, fuzz_file *files)
{
    size_t n = 0, at = 0;
    while (at < size && n < FUZZ_MOST_FILES && read_head(data, size, &at, &files[n]))
        n++;
    if (n == 0 && alone) {
        snprintf(files[0].name, sizeof files[0].name, "%s", alone);
        files[0].data = data;
        files[0].n = size;
        return 1;
    }
    return n;
}

static size_t pack(const fuzz_file *files, size_t n, uint8_t *out, size_t room)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        char head[96];
        size_t length = (size_t)snprintf(head, sizeof head, "%s %zu\n", files[i].name, files[i].n);
        if (length + files[i].n > room - at)
            return at;
        memcpy(out + at, head, length);
        memcpy(out + at + length, files[i].data, files[i].n);
        at += length + files[i].n;
    }
    return at;
}

/* The bytes with the runs of zeros in them; free() it. */
static uint8_t *expand(const uint8_t *data, size_t n, size_t *size)
{
    wh_buf out = {0};
    size_t zeros = 0;
    for (size_t i = 0; i < n;) {
        const uint8_t *mark = memmem(data + i, n - i, FUZZ_ZEROS, 4);
        size_t plain = mark && n - (size_t)(mark - data) >= 8 ? (size_t)(mark - data) - i : n - i;
        wh_buf_append(&out, data + i, plain);
        i += plain;
        if (i == n)
            break;
        size_t run = (size_t)fuzz_get(data + i + 4, 4, 0);
        if (zeros + run >
            MOST_ZEROS) /* a number that was changed: what is far too much is as good as a little too much */
            run %= 4096;
        zeros += run;
        uint8_t *nothing = calloc(run + 1, 1);
        FUZZ_CHECK(nothing);
        wh_buf_append(&out, nothing, run);
        free(nothing);
        i += 8;
    }
    FUZZ_CHECK(!out.failed);
    *size = out.length;
    return (uint8_t *)out.data;
}

/* ---- archives ---- */

typedef struct archive {
    wh_buf body, directory;
    unsigned n;
} archive;

static void put(wh_buf *b, uint64_t number, size_t n)
{
    uint8_t bytes[8];
    fuzz_put(bytes, n, number, 0);
    wh_buf_append(b, bytes, n);
}

/* Version, flags, method (stored), time, date, checksum, sizes, the name's length, no extra field. */
static void put_entry(wh_buf *b, const char *name, const uint8_t *data, size_t n)
{
    put(b, 0, 2);
    put(b, 0, 2);
    put(b, 0, 4);
    put(b, crc32(0, data, (uInt)n), 4);
    put(b, n, 4);
    put(b, n, 4);
    put(b, strlen(name), 2);
    put(b, 0, 2);
}

static void archive_add(archive *a, const char *name, const uint8_t *data, size_t n)
{
    size_t at = a->body.length;
    wh_buf_append(&a->body, "PK\3\4\24\0", 6);
    put_entry(&a->body, name, data, n);
    wh_buf_puts(&a->body, name);
    wh_buf_append(&a->body, data, n);
    wh_buf_append(&a->directory, "PK\1\2\24\0\24\0", 8);
    put_entry(&a->directory, name, data, n);
    put(&a->directory, 0, 6); /* comment, disk, attributes */
    put(&a->directory, 0, 4);
    put(&a->directory, at, 4);
    wh_buf_puts(&a->directory, name);
    a->n++;
}

static void archive_end(archive *a)
{
    size_t at = a->body.length;
    wh_buf_append(&a->body, a->directory.data, a->directory.length);
    wh_buf_append(&a->body, "PK\5\6\0\0\0\0", 8);
    put(&a->body, a->n, 2);
    put(&a->body, a->n, 2);
    put(&a->body, a->directory.length, 4);
    put(&a->body, at, 4);
    put(&a->body, 0, 2);
    wh_buf_free(&a->directory);
    FUZZ_CHECK(!a->body.failed);
}

/* ---- in the file system ---- */

static void write_bytes(const char *folder, const char *name, const void *data, size_t n)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file && fwrite(data, 1, n, file) == n && fclose(file) == 0);
}

/* The name of the file that the row is, or is in. */
static void outer(const fuzz_file *file, char name[64])
{
    snprintf(name, 64, "%.*s", (int)strcspn(file->name, "!"), file->name);
}

/* Row i begins an archive: all of its rows. */
static void write_archive(const char *folder, const fuzz_file *files, size_t n, size_t i)
{
    char name[64], other[64];
    archive a = {0};
    outer(&files[i], name);
    for (size_t k = i; k < n; k++) {
        size_t size = 0;
        outer(&files[k], other);
        if (strcmp(name, other) != 0 || !strchr(files[k].name, '!'))
            continue;
        uint8_t *bytes = expand(files[k].data, files[k].n, &size);
        archive_add(&a, strchr(files[k].name, '!') + 1, bytes ? bytes : (const uint8_t *)"", size);
        free(bytes);
    }
    archive_end(&a);
    write_bytes(folder, name, a.body.data, a.body.length);
    wh_buf_free(&a.body);
}

void fuzz_files_write(const char *folder, const fuzz_file *files, size_t n)
{
    char name[64], other[64];
    size_t total = 0;
    for (size_t i = 0; i < n && total < MOST_BYTES; i++) {
        size_t size = 0;
        int is_first = 1;
        outer(&files[i], name);
        for (size_t k = 0; k < i && is_first; k++) {
            outer(&files[k], other);
            is_first = strcmp(name, other) != 0;
        }
        if (is_first && strchr(files[i].name, '!')) {
            write_archive(folder, files, n, i);
        } else if (is_first) {
            uint8_t *bytes = expand(files[i].data, files[i].n, &size);
            write_bytes(folder, name, bytes ? bytes : (const uint8_t *)"", size);
            free(bytes);
        }
        total += size;
    }
}

void fuzz_files_remove(const char *folder, const fuzz_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char name[64], path[256];
        outer(&files[i], name);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        unlink(path);
    }
}

static char folder[64];
static pid_t owner;

static void remove_folder(void)
{
    DIR *dir = getpid() == owner ? opendir(folder) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (!folder[0]) {
        const char *temporary = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%.40s/fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                 : temporary                   ? temporary
                                               : "/tmp");
        FUZZ_CHECK(mkdtemp(folder));
        owner = getpid();
        atexit(remove_folder);
    }
    return folder;
}

const char *fuzz_path(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", fuzz_folder(), name);
    return path;
}

/* ---- mutations ---- */

size_t fuzz_mutate_files(uint8_t *data, size_t size, size_t max_size, unsigned seed, const char *alone,
                         fuzz_change change)
{
    uint64_t random = seed;
    fuzz_file files[FUZZ_MOST_FILES];
    size_t n = fuzz_unpack(data, size, alone, files);
    size_t way = fuzz_random(&random, 20);
    if (n == 0 || way == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    /* the first file is the weights' mostly: it gets half of the changes */
    size_t i = fuzz_random(&random, 2) ? 0 : fuzz_random(&random, n);
    uint8_t *changed = malloc(max_size), *packed = malloc(max_size);
    FUZZ_CHECK(changed && packed);
    if (way == 1 && n > 1) {
        memmove(&files[i], &files[i + 1], (--n - i) * sizeof *files);
    } else {
        size_t room = max_size > size ? files[i].n + (max_size - size) : files[i].n;
        memcpy(changed, files[i].data, files[i].n);
        files[i].n = change(files[i].name, changed, files[i].n, room, &random);
        files[i].data = changed;
    }
    size = pack(files, n, packed, max_size);
    memcpy(data, packed, size);
    free(changed);
    free(packed);
    return size;
}
