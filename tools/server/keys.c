/* keys.c - keys are compared in constant time: each with all, over the whole of a fixed length, whatever is equal. */
#include "keys.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MOST = 256, FILE_MOST = 10000 }; /* bytes of a key with its NUL, keys of a file */

/* Filled up with NULs. `is_dead`: it was in the file once; its number is not given to another. */
struct key {
    char text[KEY_MOST];
    int is_dead;
};

struct keys {
    pthread_mutex_t lock;
    char *file;
    struct key *list; /* [n] */
    size_t n, n_own;  /* of them from the command line */
};

/* 1 for the same. The number of steps depends on neither. */
static int is_same(const char *a, const char *b)
{
    unsigned char difference = 0;
    for (size_t i = 0; i < KEY_MOST; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

/* The key lives (again). -1: no memory. */
static int add(struct key **list, size_t *n, const char *text)
{
    char key[KEY_MOST] = "";
    memcpy(key, text, strlen(text));
    for (size_t i = 0; i < *n; i++)
        if (is_same((*list)[i].text, key)) {
            (*list)[i].is_dead = 0;
            return 0;
        }
    struct key *larger = realloc(*list, (*n + 1) * sizeof **list);
    if (!larger)
        return -1;
    *list = larger;
    memcpy(larger[*n].text, key, sizeof key);
    larger[(*n)++].is_dead = 0;
    return 0;
}

/* The keys of a file into the list: one a line; empty lines and those that begin with # are none. */
static int read_file(const char *file, struct key **list, size_t *n, char *problem, size_t capacity)
{
    char line[KEY_MOST + 2];
    size_t found = 0;
    FILE *in = fopen(file, "re");
    if (!in) {
        snprintf(problem, capacity, "%s: cannot be read: %s", file, strerror(errno));
        return -1;
    }
    *problem = '\0';
    while (!*problem && fgets(line, sizeof line, in)) {
        size_t length = strcspn(line, "\r\n");
        if (length >= KEY_MOST)
            snprintf(problem, capacity, "%s: a line is longer than %d bytes", file, KEY_MOST - 1);
        line[length] = '\0';
        if (*problem || !*line || *line == '#')
            continue;
        if (++found > FILE_MOST)
            snprintf(problem, capacity, "%s: more than %d keys", file, FILE_MOST);
        else if (add(list, n, line) != 0)
            snprintf(problem, capacity, "out of memory");
    }
    if (!*problem && ferror(in))
        snprintf(problem, capacity, "%s: cannot be read: %s", file, strerror(errno));
    else if (!*problem && found == 0)
        snprintf(problem, capacity, "%s: no key in it; one a line is expected", file);
    fclose(in);
    return *problem ? -1 : 0;
}

struct keys *keys_new(const char *key, const char *file, char *problem, size_t capacity)
{
    struct keys *keys = calloc(1, sizeof *keys);
    snprintf(problem, capacity, "out of memory");
    if (!keys)
        return NULL;
    pthread_mutex_init(&keys->lock, NULL);
    int bad = 0;
    if (key && (!*key || strlen(key) >= KEY_MOST)) {
        snprintf(problem, capacity, "--api_key: 1 to %d bytes are expected", KEY_MOST - 1);
        bad = 1;
    } else if (key) {
        bad = add(&keys->list, &keys->n, key) != 0;
    }
    keys->n_own = keys->n;
    if (!bad && file) {
        keys->file = strdup(file);
        bad = !keys->file || keys_reload(keys, problem, capacity) != 0;
    }
    if (bad) {
        keys_free(keys);
        return NULL;
    }
    return keys;
}

int keys_reload(struct keys *keys, char *problem, size_t capacity)
{
    if (!keys->file)
        return 0;
    pthread_mutex_lock(&keys->lock);
    size_t n = keys->n;
    struct key *list = malloc((n + 1) * sizeof *list);
    int rc = -1;
    snprintf(problem, capacity, "out of memory");
    if (list) {
        if (n)
            memcpy(list, keys->list, n * sizeof *list);
        for (size_t i = keys->n_own; i < n; i++)
            list[i].is_dead = 1;
        rc = read_file(keys->file, &list, &n, problem, capacity);
    }
    if (rc == 0) {
        free(keys->list);
        keys->list = list;
        keys->n = n;
    } else {
        free(list);
    }
    pthread_mutex_unlock(&keys->lock);
    return rc;
}

int keys_check(struct keys *keys, const char *key)
{
    char asked[KEY_MOST] = "";
    size_t length = key ? strlen(key) : 0;
    int owner = KEYS_WRONG;
    pthread_mutex_lock(&keys->lock);
    if (keys->n == 0) {
        owner = KEYS_OPEN;
    } else if (length > 0 && length < KEY_MOST) {
        memcpy(asked, key, length);
        for (size_t i = 0; i < keys->n; i++) {
            int is = is_same(keys->list[i].text, asked) & !keys->list[i].is_dead;
            owner = is ? (int)i : owner;
        }
    }
    pthread_mutex_unlock(&keys->lock);
    return owner;
}

void keys_free(struct keys *keys)
{
    if (!keys)
        return;
    pthread_mutex_destroy(&keys->lock);
    free(keys->list);
    free(keys->file);
    free(keys);
}
