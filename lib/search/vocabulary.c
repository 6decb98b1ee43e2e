/* vocabulary.c - a list of terms: its file, and the prefix tree of what the terms sound like.
 *
 * Made once for a search; near.c walks the tree from each word of a window. */
#include "search/vocabulary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/utf8.h"
#include "util/text.h"

#define LARGEST_FILE (16u << 20) /* bytes */
#define MOST_TERMS 100000
#define LONGEST_LINE 2000 /* bytes: looked at before a term's sounds are */
#define MOST_ALIKE 100    /* terms with the same sounds: a place is weighed against each */
#define LONGEST_TERM 100  /* sounds: no more are heard in one breath, and a walk's memory grows with it */

static int read_file(const char *path, wh_buf *buf)
{
    char block[65536];
    FILE *file = fopen(path, "rb");
    if (!file)
        return wh_fail(errno == ENOMEM ? WHISP_ERR_MEMORY : WHISP_ERR_IO, "option vocabulary: %s: cannot be opened: %s",
                       path, strerror(errno));
    size_t n;
    errno = 0;
    while ((n = fread(block, 1, sizeof block, file)) > 0 && buf->length <= LARGEST_FILE && !buf->failed)
        wh_buf_append(buf, block, n);
    int rc = WHISP_OK;
    if (ferror(file))
        rc = wh_fail(WHISP_ERR_IO, "option vocabulary: %s: cannot be read: %s", path, strerror(errno));
    else if (buf->failed)
        rc = wh_fail_memory();
    else if (buf->length > LARGEST_FILE)
        rc = wh_fail(WHISP_ERR_ARGUMENT,
                     "option vocabulary: %s: larger than %u MiB; a list of terms is expected, one "
                     "a line",
                     path, LARGEST_FILE >> 20);
    fclose(file);
    return rc;
}

static int is_utf8(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        int32_t code;
        i += wh_utf8_next(text + i, n - i, &code);
        if (code < 0 || code == 0)
            return 0;
    }
    return 1;
}

/* ---- the prefix tree ---- */

static int add_node(wh_vocabulary *v, int32_t sound, int *node)
{
    int rc = wh_grow(&v->nodes, &v->nodes_capacity, v->n_nodes + 1, sizeof *v->nodes);
    if (rc)
        return rc;
    v->nodes[v->n_nodes] = (wh_node){.sound = sound, .term = -1};
    *node = (int)v->n_nodes++;
    return WHISP_OK;
}

/* Term t, the last one, sounds as others at this node do. 1: it is one of them, once more. */
static int check_alike(const wh_vocabulary *v, int at, int t)
{
    int n = 0;
    for (int k = v->nodes[at].term; k >= 0; k = v->next_term[k], n++)
        if (strcmp(v->terms[k].text, v->terms[t].text) == 0)
            return 1;
    return n < MOST_ALIKE ? 0
                          : wh_fail(WHISP_ERR_ARGUMENT, "option vocabulary: '%s' and %d more terms sound alike",
                                    v->terms[t].text, MOST_ALIKE);
}

/* Let term t's sounds lead to it. 1: they led to the same term already. */
static int plant(wh_vocabulary *v, int t, const int32_t *sounds, size_t n)
{
    int at = 0, rc;
    v->nodes[0].longest = WH_MAX(v->nodes[0].longest, n);
    for (size_t i = 0; i < n; i++) {
        int child = v->nodes[at].child;
        while (child && v->nodes[child].sound != sounds[i])
            child = v->nodes[child].sibling;
        if (!child) {
            if ((rc = add_node(v, sounds[i], &child)))
                return rc;
            v->nodes[child].sibling = v->nodes[at].child;
            v->nodes[at].child = child;
        }
        at = child;
        v->nodes[at].longest = WH_MAX(v->nodes[at].longest, n);
    }
    if ((rc = check_alike(v, at, t)))
        return rc;
    v->next_term[t] = v->nodes[at].term;
    v->nodes[at].term = t;
    return WHISP_OK;
}

/* ---- terms ---- */

static void free_term(wh_term *term)
{
    free(term->text);
    free(term->heard);
    free(term->spaced);
    free(term->joined);
}

static int encode_term(const whisp_model *m, const char *text, size_t n, wh_term *term)
{
    size_t room = 0, joined_room = 0;
    int rc = wh_tokenizer_encode_spaced(m->tokenizer, text, n, &term->spaced, &term->n_spaced, &room);
    return rc ? rc : wh_tokenizer_encode(m->tokenizer, text, n, &term->joined, &term->n_joined, &joined_room);
}

/* The term of line `line`; `heard` is what it sounds like (n_heard bytes), or NULL. */
static int add_term(wh_vocabulary *v, const whisp_model *m, const char *path, size_t line, const char *text, size_t n,
                    const char *heard, size_t n_heard)
{
    int32_t *sounds = NULL;
    size_t n_sounds = 0, capacity = 0, room = v->terms_capacity;
    int rc = wh_grow(&v->terms, &v->terms_capacity, v->n_terms + 1, sizeof *v->terms);
    if (!rc)
        rc = wh_grow(&v->next_term, &room, v->n_terms + 1, sizeof *v->next_term);
    if (rc)
        return rc;
    wh_term *term = &v->terms[v->n_terms];
    memset(term, 0, sizeof *term);
    v->next_term[v->n_terms++] = -1;
    if (n > LONGEST_LINE)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "option vocabulary: %s, line %zu has %zu bytes: a term may have %d letters. One term a line is "
                       "expected",
                       path, line, n, LONGEST_TERM);
    if (!(term->text = strndup(text, n)) || (heard && !(term->heard = strndup(heard, n_heard))))
        return wh_fail_memory();
    if (!(rc = wh_sounds(heard ? heard : text, heard ? n_heard : n, &sounds, &n_sounds, &capacity)))
        rc = encode_term(m, text, n, term);
    size_t most = (size_t)m->n_text_ctx / 4, n_tokens = WH_MAX(term->n_spaced, term->n_joined);
    if (!rc && n_sounds == 0)
        rc = wh_fail(WHISP_ERR_ARGUMENT, "option vocabulary: %s, line %zu: '%.60s' has no letter and no digit", path,
                     line, term->text);
    if (!rc && (n_sounds > LONGEST_TERM || n_tokens > most))
        rc = wh_fail(WHISP_ERR_ARGUMENT,
                     "option vocabulary: %s, line %zu: '%.40s...' is too long: a term may have %d "
                     "letters and %zu tokens. One term a line is expected",
                     path, line, term->text, LONGEST_TERM, most);
    term->n_sounds = n_sounds;
    v->longest_sounds = WH_MAX(v->longest_sounds, n_sounds);
    v->longest_tokens = WH_MAX(v->longest_tokens, n_tokens);
    if (!rc)
        rc = plant(v, (int)v->n_terms - 1, sounds, n_sounds);
    free(sounds);
    if (rc == 1) {
        free_term(&v->terms[--v->n_terms]);
        rc = WHISP_OK;
    }
    return rc;
}

static int add_lines(wh_vocabulary *v, const whisp_model *m, const char *path, const char *text, size_t length)
{
    size_t line = 0;
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark */
        text += 3;
        length -= 3;
    }
    for (const char *p = text, *end = text + length; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p)), *word = p;
        size_t n = (size_t)((stop ? stop : end) - p);
        p += n + 1;
        line++;
        if (!is_utf8(word, n))
            return wh_fail(WHISP_ERR_ARGUMENT, "option vocabulary: %s, line %zu: not UTF-8 text", path, line);
        wh_strip(&word, &n);
        if (n == 0 || *word == '#')
            continue;
        if (v->n_terms == MOST_TERMS)
            return wh_fail(WHISP_ERR_ARGUMENT, "option vocabulary: %s: more than %d terms", path, MOST_TERMS);
        int rc = add_term(v, m, path, line, word, n, NULL, 0);
        if (rc)
            return rc;
    }
    if (v->n_terms == 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "option vocabulary: %s: there is no term in it; one a line is expected",
                       path);
    return WHISP_OK;
}

/* Has it a sound? Else it cannot be found. */
static int is_heard(const char *text, size_t n)
{
    int32_t *sounds = NULL;
    size_t n_sounds = 0, capacity = 0;
    int rc = wh_sounds(text, n, &sounds, &n_sounds, &capacity);
    free(sounds);
    return rc ? rc : n_sounds > 0 && n_sounds <= LONGEST_TERM;
}

/* Names that somebody corrected elsewhere, each by its own sound and by that of what was written for it. */
static int add_corrections(wh_vocabulary *v, const whisp_model *m, const char *path, const char *json, size_t length)
{
    wh_corrections c;
    int rc = wh_corrections_read(path, json, length, &c);
    for (size_t i = 0; i < c.n && rc >= 0; i++) {
        const wh_correction *one = &c.list[i];
        if ((rc = wh_corrections_teach(&c, m, i)) <= 0 || (rc = is_heard(one->to, one->n_to)) <= 0)
            continue;
        v->n_learned++;
        if (v->n_terms + 2 > MOST_TERMS)
            rc = wh_fail(WHISP_ERR_ARGUMENT, "option vocabulary: %s: more than %d terms", path, MOST_TERMS);
        else if (!(rc = add_term(v, m, path, i + 1, one->to, one->n_to, NULL, 0)) && wh_corrections_is_sign(&c, i) &&
                 (rc = is_heard(one->from, one->n_from)) > 0)
            rc = add_term(v, m, path, i + 1, one->to, one->n_to, one->from, one->n_from);
    }
    v->n_corrections = c.n;
    rc = WH_MIN(rc, 0);
    if (!rc && v->n_terms == 0)
        rc = wh_fail(WHISP_ERR_ARGUMENT,
                     "option vocabulary: %s: none of its %zu corrections is a name to be learned; leave the option out",
                     path, c.n);
    wh_corrections_free(&c);
    return rc;
}

static int add_file(wh_vocabulary *v, const whisp_model *m, const char *path, const char *text, size_t length)
{
    size_t at = 0;
    while (at < length && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    return at < length && text[at] == '{' ? add_corrections(v, m, path, text, length)
                                          : add_lines(v, m, path, text, length);
}

int wh_vocabulary_load(const char *path, const whisp_model *model, wh_vocabulary **vocabulary)
{
    wh_buf file = {0};
    int root, rc;
    *vocabulary = NULL;
    wh_vocabulary *v = wh_calloc(1, sizeof *v);
    if (!v)
        return wh_fail_memory();
    for (int a = 0; a < 128; a++)
        for (int b = 0; b < 128; b++)
            v->change[a][b] = (unsigned char)wh_sound_change(a, b);
    if (!(rc = read_file(path, &file)) && !(rc = add_node(v, 0, &root)))
        rc = add_file(v, model, path, file.data ? file.data : "", file.length);
    wh_buf_free(&file);
    if (rc) {
        wh_vocabulary_free(v);
        return rc;
    }
    *vocabulary = v;
    return WHISP_OK;
}

void wh_vocabulary_free(wh_vocabulary *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n_terms; i++)
        free_term(&v->terms[i]);
    free(v->terms);
    free(v->next_term);
    free(v->nodes);
    free(v);
}
