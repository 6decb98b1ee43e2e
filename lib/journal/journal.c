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
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/place.h"
#include "util/write.h"

static const char tag[4] = "answ";

enum { MAGIC = sizeof WH_JOURNAL_MAGIC - 1 };
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
    char *path, *old; /* its name, and that of one that was not gone on with */
    const char *name; /* of these two the one that `fd` is */
    char *identity;
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

/* What becomes of a journal that does not fit. */
static const char anew[] = "all is heard anew, and it is kept beside the new one until that is done";

/* Say the first thing that is not as here in the identity that was found. */
static void tell_difference(const wh_journal *j, const whisp_options *o, const char *name, const char *there)
{
    for (const char *line = j->identity; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t n_name = strcspn(line, "="), n, n_there;
        const char *value = value_of(line, line, n_name, &n), *other = value_of(there, line, n_name, &n_there);
        if (n == n_there && memcmp(value, other, n) == 0)
            continue;
        wh_log(o, WHISP_LOG_WARNING, "%s: is not used: %.*s was %.*s there and is %.*s now; %s", name, (int)n_name,
               line, (int)WH_MIN(n_there, (size_t)200), other, (int)WH_MIN(n, (size_t)200), value, anew);
        return;
    }
    wh_log(o, WHISP_LOG_WARNING, "%s: is not used: it is of another version; %s", name, anew);
}

/* The text of the identity's record, in j->record, and where the next record begins; NULL in *text where there is none. */
static int read_identity(wh_journal *j, const wh_place *place, const char **text, int64_t *at)
{
    entry found;
    wh_key start = j->start;
    *text = NULL;
    *at = MAGIC;
    j->start = WH_KEY_EMPTY;
    int rc = read_record(j, place->fd, *at, place->size, &found);
    j->start = start;
    if (rc <= 0 || found.heard.kind != IDENTITY)
        return WH_MIN(rc, 0);
    *at += HEAD + (int64_t)found.length + SUM;
    char *there = j->record.data + HEAD;
    there[found.length] = '\0'; /* in place of its sum, which was checked */
    if (strlen(there) == found.length)
        *text = there;
    return WHISP_OK;
}

/* Is it this run's? */
static int check_identity(wh_journal *j, const wh_place *place, int *fits)
{
    const char *there = NULL;
    int64_t at;
    int rc = place->fd >= 0 ? read_identity(j, place, &there, &at) : WHISP_OK;
    *fits = !rc && there && strcmp(there, j->identity) == 0;
    return rc;
}

/* Why it is not used. */
static int tell_why(wh_journal *j, const whisp_options *o, const char *name, const wh_place *place)
{
    const char *there;
    int64_t at;
    int rc = read_identity(j, place, &there, &at);
    if (!rc && there)
        tell_difference(j, o, name, there);
    else if (!rc)
        wh_log(o, WHISP_LOG_WARNING, "%s: is not used: it is damaged; %s", name, anew);
    return rc;
}

/* The older one is gone on with. That the other is of other options is no news, that it is damaged is. */
static int tell_damage(wh_journal *j, const whisp_options *o, const wh_place *here)
{
    const char *there;
    int64_t at;
    int rc = read_identity(j, here, &there, &at);
    if (!rc && !there)
        wh_log(o, WHISP_LOG_WARNING, "%s: is not used: it is damaged; %s is gone on with", j->path, j->old);
    return rc;
}

/* The list of what is there, up to where a record is none. */
static int read_list(wh_journal *j, const whisp_options *o, const wh_place *place)
{
    const char *text;
    int64_t at;
    entry found;
    int rc = read_identity(j, place, &text, &at);
    if (rc)
        return rc;
    while ((rc = read_record(j, place->fd, at, place->size, &found)) > 0) {
        if ((rc = wh_grow(&j->list, &j->capacity, j->n + 1, sizeof *j->list)))
            return rc;
        j->list[j->n++] = found;
        at += HEAD + (int64_t)found.length + SUM;
    }
    if (rc < 0)
        return rc;
    if (at < place->size)
        wh_log(o, WHISP_LOG_WARNING, "%s: its last %lld bytes are no whole record; they are left out", j->name,
               (long long)(place->size - at));
    if (at < place->size && ftruncate(place->fd, at) != 0)
        j->is_off = 1; /* what is there can be read, but nothing be added */
    j->end = at;
    if (j->n)
        qsort(j->list, j->n, sizeof *j->list, compare);
    if (j->n)
        wh_log(o, WHISP_LOG_INFO, "%s: of a run that was ended; it holds %zu answers of the model", j->name, j->n);
    return WHISP_OK;
}

static void refuse(wh_journal *j, const whisp_options *o, const char *name, int error)
{
    j->is_off = 1;
    wh_log(o, WHISP_LOG_WARNING, "%s: no journal is kept: %s", name, wh_place_problem(error));
}

/* Of the journal and the older one that which is this run's, and if both are, which holds more. */
static int choose(wh_journal *j, const whisp_options *o, wh_place *here, wh_place *older)
{
    int fits = 0, older_fits = 0, rc = check_identity(j, here, &fits);
    if (!rc)
        rc = check_identity(j, older, &older_fits);
    if (rc)
        return rc;
    wh_place *chosen = older_fits && !(fits && here->size >= older->size) ? older : fits ? here : NULL;
    if (!chosen)
        return here->fd >= 0 ? tell_why(j, o, j->path, here) : older->fd >= 0 ? tell_why(j, o, j->old, older) : rc;
    j->name = chosen == older ? j->old : j->path;
    if (chosen == older && here->fd >= 0)
        rc = tell_damage(j, o, here);
    if (rc || (rc = read_list(j, o, chosen)))
        return rc;
    j->fd = chosen->fd;
    chosen->fd = -1;
    return rc;
}

static int read_file(wh_journal *j, const whisp_options *o, int resumes)
{
    int rc = WHISP_OK;
    wh_place here = wh_place_take(j->path), older = {.fd = -1, .error = ENOENT};
    if (resumes && here.error != EWOULDBLOCK)
        older = wh_place_take(j->old);
    if (here.error && here.error != ENOENT)
        refuse(j, o, j->path, here.error);
    else if (older.error == EWOULDBLOCK)
        refuse(j, o, j->old, older.error);
    else if (resumes)
        rc = choose(j, o, &here, &older);
    wh_place_give_back(&here);
    wh_place_give_back(&older);
    return rc;
}

/* ---- written ---- */

static void stop_writing(wh_journal *j, const whisp_options *o, int error)
{
    j->is_off = 1;
    wh_log(o, WHISP_LOG_WARNING, "%s: cannot be written: %s; if the work is stopped, it cannot be continued from here",
           j->name, strerror(error));
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

/* A new file; what is in its place is kept under the other name. */
static int make_file(wh_journal *j, const whisp_options *o)
{
    wh_buf all = {0};
    const wh_heard none = {.kind = IDENTITY};
    wh_key start = j->start;
    wh_buf_append(&all, WH_JOURNAL_MAGIC, MAGIC);
    j->start = WH_KEY_EMPTY;
    put_record(j, &none, &start, j->identity, strlen(j->identity), &all);
    j->start = start;
    if (all.failed) {
        wh_buf_free(&all);
        return wh_fail_memory();
    }
    wh_place place = wh_place_make(j->path, j->old);
    j->name = j->path;
    j->end = 0;
    j->fd = place.fd;
    if (place.is_old || place.error == EWOULDBLOCK || place.error == EEXIST)
        refuse(j, o, place.is_old ? j->old : j->path, place.error);
    else if (place.error)
        stop_writing(j, o, place.error);
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
    wh_buf old = {0};
    wh_buf_printf(&old, "%s.old", config->path);
    j->old = old.data;
    j->name = j->path = strdup(config->path);
    j->identity = strdup(config->identity);
    j->start = WH_KEY_EMPTY;
    int rc = j->path && j->identity && !old.failed ? WHISP_OK : wh_fail_memory();
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
    free(j->old);
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
        wh_log(o, WHISP_LOG_WARNING, "%s: is of another recording from %.2f s on, which is heard anew", j->name,
               (double)heard->at / 100);
        return;
    }
    wh_log(o, WHISP_LOG_WARNING, "%s: is not used: it is of another recording; %s", j->name, anew);
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
