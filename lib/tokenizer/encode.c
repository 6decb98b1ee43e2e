/* encode.c - text to tokens: within each word (split.c), merge neighbours by rank until nothing merges.
 *
 * Byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) with ids for ranks, as tiktoken does it: a word that is a
 * token is that token; otherwise, starting from single bytes, the neighbours whose joined bytes are the lowest token
 * are joined, the leftmost of several first. A heap of candidate pairs over a linked list makes this n log n in a
 * word's length. */
#include <stdlib.h>

#include "tokenizer/split.h"
#include "tokenizer/vocabulary.h"
#include "util/text.h"

#define LONGEST_WORD ((size_t)1 << 30)

/* The parts of one word, each named by where it begins, and the pairs that could be merged. Kept from word to word. */
typedef struct merger {
    const wh_vocabulary *vocabulary;
    const char *word;
    uint32_t n;     /* bytes */
    uint32_t *next; /* [n] where the next part begins; n after the last one */
    uint32_t *prev; /* [n] where the previous part begins; unused for 0 */
    int32_t *id;    /* [n] the part's token */
    int32_t *rank;  /* [n] the token of this part and the next one joined; -1: none, or no part begins here */
    uint64_t *heap; /* [2 n] smallest first: rank << 32 | part. May hold pairs that are gone */
    size_t heap_size;
    size_t capacity, next_capacity, prev_capacity, id_capacity, rank_capacity, heap_capacity;
} merger;

static void merger_clear(merger *m)
{
    free(m->next);
    free(m->prev);
    free(m->id);
    free(m->rank);
    free(m->heap);
}

static int merger_reserve(merger *m, size_t n)
{
    if (n <= m->capacity)
        return WHISP_OK;
    if (n > LONGEST_WORD)
        return wh_fail(WHISP_ERR_MEMORY, "text with a word of %zu bytes is too long to be made tokens", n);
    if (wh_grow(&m->next, &m->next_capacity, n, sizeof *m->next) ||
        wh_grow(&m->prev, &m->prev_capacity, n, sizeof *m->prev) ||
        wh_grow(&m->id, &m->id_capacity, n, sizeof *m->id) ||
        wh_grow(&m->rank, &m->rank_capacity, n, sizeof *m->rank) ||
        wh_grow(&m->heap, &m->heap_capacity, 2 * n, sizeof *m->heap))
        return WHISP_ERR_MEMORY;
    m->capacity = n;
    return WHISP_OK;
}

static void heap_push(merger *m, uint64_t item)
{
    size_t i = m->heap_size++;
    while (i > 0 && m->heap[(i - 1) / 2] > item) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = item;
}

static uint64_t heap_pop(merger *m)
{
    uint64_t top = m->heap[0], item = m->heap[--m->heap_size];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < m->heap_size) {
        if (child + 1 < m->heap_size && m->heap[child + 1] < m->heap[child])
            child++;
        if (m->heap[child] >= item)
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = item;
    return top;
}

/* See what the part at i and the one after it make, and remember it. */
static void consider(merger *m, uint32_t i)
{
    m->rank[i] = -1;
    if (m->next[i] == m->n)
        return;
    m->rank[i] = wh_vocabulary_find(m->vocabulary, m->word + i, m->next[m->next[i]] - i);
    if (m->rank[i] >= 0)
        heap_push(m, (uint64_t)m->rank[i] << 32 | i);
}

/* Merge a word of m->n bytes completely. Every merge takes one pair off the heap and adds at most two to at most n - 1
 * at the start, and there are at most n - 1 merges: 2 n places are enough. */
static void merge_word(merger *m)
{
    uint32_t n = m->n;
    for (uint32_t i = 0; i < n; i++) {
        m->id[i] = m->vocabulary->byte_ids[(unsigned char)m->word[i]];
        m->next[i] = i + 1;
        m->prev[i] = i - 1;
    }
    m->heap_size = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i + 1 < n) {
            m->rank[i] = wh_vocabulary_find(m->vocabulary, m->word + i, 2);
            if (m->rank[i] >= 0)
                heap_push(m, (uint64_t)m->rank[i] << 32 | i);
        } else {
            m->rank[i] = -1;
        }
    }
    while (m->heap_size > 0) {
        uint64_t item = heap_pop(m);
        uint32_t i = (uint32_t)item;
        if (m->rank[i] != (int32_t)(item >> 32))
            continue; /* one of the two has been merged with another part meanwhile */
        uint32_t gone = m->next[i];
        m->id[i] = m->rank[i];
        m->rank[gone] = -1;
        m->next[i] = m->next[gone];
        if (m->next[i] < n)
            m->prev[m->next[i]] = i;
        consider(m, i);
        if (i > 0)
            consider(m, m->prev[i]);
    }
}

int wh_tokenizer_encode(const wh_tokenizer *tokenizer, const char *text, size_t n, int32_t **tokens, size_t *n_tokens,
                        size_t *capacity)
{
    merger m = {.vocabulary = &tokenizer->vocabulary};
    size_t count = *n_tokens, length;
    int rc = WHISP_OK;
    for (; n > 0; text += length, n -= length) {
        length = wh_word_length(text, n);
        int32_t whole = wh_vocabulary_find(m.vocabulary, text, length);
        if (whole >= 0) {
            if ((rc = wh_grow(tokens, capacity, count + 1, sizeof **tokens)) != WHISP_OK)
                break;
            (*tokens)[count++] = whole;
            continue;
        }
        if ((rc = merger_reserve(&m, length)) != WHISP_OK ||
            (rc = wh_grow(tokens, capacity, count + length, sizeof **tokens)) != WHISP_OK)
            break;
        m.word = text;
        m.n = (uint32_t)length;
        merge_word(&m);
        for (uint32_t i = 0; i < m.n; i = m.next[i])
            (*tokens)[count++] = m.id[i];
    }
    merger_clear(&m);
    if (rc == WHISP_OK)
        *n_tokens = count;
    return rc;
}

int wh_tokenizer_encode_spaced(const wh_tokenizer *tokenizer, const char *text, size_t n, int32_t **tokens,
                               size_t *n_tokens, size_t *capacity)
{
    wh_buf spaced = {0};
    wh_strip(&text, &n);
    wh_buf_append(&spaced, " ", 1);
    wh_buf_append(&spaced, text, n);
    int rc = spaced.failed ? wh_fail_memory()
                           : wh_tokenizer_encode(tokenizer, spaced.data, spaced.length, tokens, n_tokens, capacity);
    wh_buf_free(&spaced);
    return rc;
}
