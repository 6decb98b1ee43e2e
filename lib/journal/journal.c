/* journal.c - a journal asked and added to (see journal.h), and its file.
 *
 * The file is a line that says what it is, a record with the identity, then a record an answer:
 *
 *     "whisp journal 1\n"
 *     record: "answ", bytes of the answer (u32), question (wh_key), heard (wh_heard), the answer, its sum (u64)
 *
 * as they stand in memory. The sum is over all of the record before it and the identity. A record is appended by one
 * write and nothing waits for the disk: a process that is killed loses at most the record that it is writing, which the
 * sum then shows. After a power cut the file may lack its end, no more. */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/write.h"

static const char magic[16] = "whisp journal 1\n";
static const char tag[4] = "answ";

enum { HEAD = sizeof tag + 4 + sizeof(wh_key) + sizeof(wh_heard), SUM = 8 };

#define IDENTITY (-1)         /* the kind of the record that holds it */
#define MOST_BYTES (64 << 20) /* of a record: an answer is a few thousand */

typedef struct entry {
    wh_key key;
    wh_heard heard;
    int64_t at; /* of its record in the file */
    uint32_t length;
} entry;

struct wh_journal {
    char *path, *identity;
    int fd;       /* -1: there is no file of this run's yet */
    int is_off;   /* nothing is written (any more) */
    int64_t end;  /* of what was written whole */
    wh_key start; /* the identity's, with which every sum begins */
    entry *list;  /* [n] what was there, by question */
    size_t n, capacity;
    size_t n_found;
    int change_told;
    wh_buf record; /* scratch */
    pthread_mutex_t mutex;
};

/* ---- records ---- */

static uint64_t sum_of(const wh_journal *j, const char *record, size_t n)
{
    wh_key key = j->start;
    wh_key_add(&key, record, n);
    return key.a ^ key.b;
}

static void put_record(const wh_journal *j, const wh_heard *heard, const wh_key *key, const char *bytes, size_t n,
                       wh_buf *out)
{
    size_t begin = out->length;
    uint32_t length = (uint32_t)n;
    wh_buf_append(out, tag, sizeof tag);
    wh_buf_append(out, &length, sizeof length);
    wh_buf_append(out, key, sizeof *key);
    wh_buf_append(out, heard, sizeof *heard);
    wh_buf_append(out, bytes, n);
    if (out->failed)
        return;
    uint64_t sum = sum_of(j, out->data + begin, out->length - begin);
    wh_buf_append(out, &sum, sizeof sum);
}

/* Exactly n bytes from `at` on; 0: they are not there. */
static int read_at(int fd, char *to, size_t n, int64_t at)
{
    while (n > 0) {
        ssize_t got = pread(fd, to, n, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        to += got;
        n -= (size_t)got;
        at += got;
    }
    return 1;
}

/* The whole record at `at`, in j->record: what it is, or 0 where it is none. Or a code. */
static int read_record(wh_journal *j, int fd, int64_t at, int64_t size, entry *found)
{
    char head[HEAD];
    uint64_t sum;
    if (size - at < HEAD + SUM || !read_at(fd, head, HEAD, at) || memcmp(head, tag, sizeof tag) != 0)
        return 0;
    memcpy(&found->length, head + sizeof tag, sizeof found->length);
    memcpy(&found->key, head + 8, sizeof found->key);
    memcpy(&found->heard, head + 8 + sizeof found->key, sizeof found->heard);
    found->at = at;
    if (found->length > MOST_BYTES || found->length > size - at - HEAD - SUM)
        return 0;
    size_t n = HEAD + (size_t)found->length + SUM;
    int rc = wh_grow(&j->record.data, &j->record.capacity, n + 1, 1);
    if (rc)
        return rc;
    j->record.length = n;
    if (!read_at(fd, j->record.data, n, at))
        return 0;
    memcpy(&sum, j->record.data + n - SUM, sizeof sum);
    return sum == sum_of(j, j->record.data, n - SUM);
}

/* ---- what is there ---- */

static int compare(const void *a, const void *b)
{
    const wh_key *x = &((const entry *)a)->key, *y = &((const entry *)b)->key;
    return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

/* The line of `text` that begins with a name and '=', as a value of n bytes; "" where there is none. */
static const char *value_of(const char *text, const char *name, size_t length, size_t *n)
{
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strncmp(text, name, length) == 0 && text[length] == '=') {
            *n = strcspn(text + length + 1, "\n");
            return text + length + 1;
        }
    *n = 0;
    return "";
}

/* Say the first thing that is not as here in the identity that was found. */
static void tell_difference(const wh_journal *j, const whisp_options *o, const char *there)
{
    for (const char *line = j->identity; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t name = strcspn(line, "="), n, n_there;
        const char *value = value_of(line, line, name, &n), *other = value_of(there, line, name, &n_there);
        if (n == n_there && memcmp(value, other, n) == 0)
            continue;
        wh_log(o, WHISP_LOG_WARNING, "%s: is not used: %.*s was %.*s there and is %.*s now; all is heard anew", j->path,
               (int)name, line, (int)WH_MIN(n_there, (size_t)200), other, (int)WH_MIN(n, (size_t)200), value);
        return;
    }
    wh_log(o, WHISP_LOG_WARNING, "%s: is not used: it is of another version; all is heard anew", j->path);
}

/* Is the identity's record there, and this run's? 0 has been told. */
static int check_identity(wh_journal *j, const whisp_options *o, int fd, int64_t size, int64_t *at)
{
    entry found;
    wh_key start = j->start;
    *at = sizeof magic;
    j->start = WH_KEY_EMPTY;
    int rc = read_record(j, fd, *at, size, &found);
    j->start = start;
    if (rc < 0)
        return rc;
    if (!rc || found.heard.kind != IDENTITY) {
        wh_log(o, WHISP_LOG_WARNING, "%s: is not used: it is damaged; all is heard anew", j->path);
        return 0;
    }
    *at += HEAD + (int64_t)found.length + SUM;
    char *there = j->record.data + HEAD;
    there[found.length] = '\0'; /* in place of its sum, which was checked */
    if (strlen(there) == found.length && strcmp(there, j->identity) == 0)
        return 1;
    tell_difference(j, o, there);
    return 0;
}

/* The list of what is there, up to where a record is none. */
static int read_list(wh_journal *j, const whisp_options *o, int fd, int64_t size, int64_t at)
{
    entry found;
    int rc;
    while ((rc = read_record(j, fd, at, size, &found)) > 0) {
        if ((rc = wh_grow(&j->list, &j->capacity, j->n + 1, sizeof *j->list)))
            return rc;
        j->list[j->n++] = found;
        at += HEAD + (int64_t)found.length + SUM;
    }
    if (rc < 0)
        return rc;
    if (at < size)
        wh_log(o, WHISP_LOG_WARNING, "%s: its last %lld bytes are no whole record; they are left out", j->path,
               (long long)(size - at));
    if (at < size && ftruncate(fd, at) != 0)
        j->is_off = 1; /* what is there can be read, but nothing be added */
    j->end = at;
    if (j->n)
        qsort(j->list, j->n, sizeof *j->list, compare);
    if (j->n)
        wh_log(o, WHISP_LOG_INFO, "%s: of a run that was ended; it holds %zu answers of the model", j->path, j->n);
    return 1;
}

/* Is it a journal, be it an empty one? Anything else is not ours to replace. */
static int is_journal(int fd, int64_t *size)
{
    struct stat st;
    char first[sizeof magic];
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    *size = st.st_size;
    size_t n = (size_t)WH_MIN(st.st_size, (off_t)sizeof first);
    return read_at(fd, first, n, 0) && memcmp(first, magic, n) == 0;
}

static int read_file(wh_journal *j, const whisp_options *o, int resumes)
{
    int64_t size, at;
    int fd = open(j->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), rc = 0;
    if (fd < 0 && errno == ENOENT)
        return WHISP_OK;
    if (fd < 0 || !is_journal(fd, &size)) {
        wh_log(o, WHISP_LOG_WARNING, "%s: no journal is kept: %s", j->path,
               fd < 0 ? strerror(errno) : "something else is there");
        j->is_off = 1;
    } else if (resumes && (rc = check_identity(j, o, fd, size, &at)) > 0) {
        rc = read_list(j, o, fd, size, at);
    }
    if (rc > 0)
        j->fd = fd;
    else if (fd >= 0)
        close(fd);
    return WH_MIN(rc, 0);
}

/* ---- written ---- */

static void stop_writing(wh_journal *j, const whisp_options *o, int error)
{
    j->is_off = 1;
    wh_log(o, WHISP_LOG_WARNING, "%s: cannot be written: %s; if the work is stopped, it cannot be continued from here",
           j->path, strerror(error));
}

static void append(wh_journal *j, const whisp_options *o, const char *bytes, size_t n)
{
    int error = wh_write_quietly(j->fd, bytes, n);
    if (!error) {
        j->end += (int64_t)n;
        return;
    }
    (void)!ftruncate(j->fd, j->end); /* else its end will be left out */
    stop_writing(j, o, error);
}

/* A new file in the place of what is there. */
static int make_file(wh_journal *j, const whisp_options *o)
{
    wh_buf all = {0};
    const wh_heard none = {.kind = IDENTITY};
    wh_key start = j->start;
    wh_buf_append(&all, magic, sizeof magic);
    j->start = WH_KEY_EMPTY;
    put_record(j, &none, &start, j->identity, strlen(j->identity), &all);
    j->start = start;
    if (all.failed) {
        wh_buf_free(&all);
        return wh_fail_memory();
    }
    unlink(j->path);
    j->end = 0;
    j->fd = open(j->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (j->fd < 0)
        stop_writing(j, o, errno);
    else
        append(j, o, all.data, all.length);
    if (j->fd >= 0 && j->is_off) { /* not even its head could be written */
        unlink(j->path);
        close(j->fd);
        j->fd = -1;
    }
    wh_buf_free(&all);
    return WHISP_OK;
}

/* ---- making ---- */

int wh_journal_open(const wh_journal_config *config, const whisp_options *o, wh_journal **journal)
{
    wh_journal *j = *journal = wh_calloc(1, sizeof *j);
    if (!j)
        return wh_fail_memory();
    pthread_mutex_init(&j->mutex, NULL);
    j->fd = -1;
    j->path = strdup(config->path);
    j->identity = strdup(config->identity);
    j->start = WH_KEY_EMPTY;
    int rc = j->path && j->identity ? WHISP_OK : wh_fail_memory();
    if (!rc) {
        wh_key_add(&j->start, j->identity, strlen(j->identity));
        rc = read_file(j, o, config->resumes);
    }
    if (rc) {
        wh_journal_free(j);
        *journal = NULL;
    }
    return rc;
}

void wh_journal_free(wh_journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    pthread_mutex_destroy(&j->mutex);
    wh_buf_free(&j->record);
    free(j->list);
    free(j->identity);
    free(j->path);
    free(j);
}

/* ---- asked ---- */

/* The same place of a recording, with another sound. */
static int sounds_other(const wh_heard *a, const wh_heard *b)
{
    return a->at == b->at && a->channel == b->channel && a->frames == b->frames && a->kind == b->kind &&
           a->sound != b->sound;
}

/* Nothing is known of this place. Is that because the recording is another one? Then some place sounds other than it did.
 * That a place is not there says nothing: parts that are heard side by side are written as they end. */
static void look_for_change(wh_journal *j, const whisp_options *o, const wh_heard *heard)
{
    size_t i = 0;
    while (i < j->n && !sounds_other(&j->list[i].heard, heard))
        i++;
    if (i == j->n || j->change_told)
        return;
    j->change_told = 1;
    if (j->n_found) {
        wh_log(o, WHISP_LOG_WARNING, "%s: is of another recording from %.2f s on, which is heard anew", j->path,
               (double)heard->at / 100);
        return;
    }
    wh_log(o, WHISP_LOG_WARNING, "%s: is not used: it is of another recording; all is heard anew", j->path);
    j->n = 0;
    close(j->fd);
    j->fd = -1; /* a new one comes in its place */
}

static int look_up(wh_journal *j, const whisp_options *o, const wh_heard *heard, const wh_key *key, wh_buf *answer)
{
    const entry wanted = {.key = *key};
    entry now;
    const entry *found = j->n ? bsearch(&wanted, j->list, j->n, sizeof *j->list, compare) : NULL;
    if (!found) {
        look_for_change(j, o, heard);
        return 0;
    }
    int rc = read_record(j, j->fd, found->at, found->at + HEAD + (int64_t)found->length + SUM, &now);
    if (rc <= 0)
        return rc; /* somebody has changed the file meanwhile */
    answer->length = 0;
    wh_buf_append(answer, j->record.data + HEAD, found->length);
    return answer->failed ? wh_fail_memory() : 1;
}

int wh_journal_find(wh_journal *j, const whisp_options *o, const wh_heard *heard, const wh_key *key, wh_buf *answer)
{
    pthread_mutex_lock(&j->mutex);
    int rc = look_up(j, o, heard, key, answer);
    j->n_found += rc > 0;
    pthread_mutex_unlock(&j->mutex);
    return rc;
}

int wh_journal_keep(wh_journal *j, const whisp_options *o, const wh_heard *heard, const wh_key *key,
                    const wh_buf *answer)
{
    int rc = WHISP_OK;
    if (answer->failed)
        return wh_fail_memory();
    pthread_mutex_lock(&j->mutex);
    if (j->fd < 0 && !j->is_off)
        rc = make_file(j, o);
    if (!rc && !j->is_off) {
        j->record.length = 0;
        j->record.failed = 0;
        put_record(j, heard, key, answer->data, answer->length, &j->record);
        if (j->record.failed)
            rc = wh_fail_memory();
        else
            append(j, o, j->record.data, j->record.length);
    }
    pthread_mutex_unlock(&j->mutex);
    return rc;
}
