/* alternatives.c - what else a window's words may have been: variants of its tokens become other texts of its words.
 *
 * Beside evidence.c, which has the samples and the logits that they come from; the words are known only later, when the
 * window is aligned. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "window/alternatives.h"

#define MOST 5      /* told of one word */
#define BEHIND 5.0f /* nats that such a token may be less probable than the one that was written */
#define LONGEST 12 /* tokens of a variant, and those it takes the place of: else it is another text, not another word */
#define LEAST (-10.0)      /* log-probability: below, it is a sample's fancy; what is told of a term */
#define DOUBTFUL 0.9       /* confidence of words that terms are offered for */
#define MOST_TERMS 2       /* of MOST */
#define BLOCK 256          /* of a row of logits */
#define WORD_BYTES 128     /* of a word and its alternatives */
#define MOST_VARIANTS 4096 /* of a window; more than 448 tokens and four samples can give */

void wh_alternatives_clear(wh_alternatives *a)
{
    a->n = a->n_tokens = a->n_listed = 0;
}

void wh_alternatives_free(wh_alternatives *a)
{
    free(a->variants);
    free(a->tokens);
    free(a->list);
    free(a->texts);
    free(a->joined);
    wh_buf_free(&a->text);
    wh_buf_free(&a->scratch);
    memset(a, 0, sizeof *a);
}

/* ---- gathering ---- */

int wh_alternatives_add(wh_alternatives *a, enum wh_variant_kind kind, size_t from, size_t n, const whisp_token *tokens,
                        size_t count)
{
    double sum = 0;
    if (n > LONGEST || count > LONGEST || a->n >= MOST_VARIANTS)
        return WHISP_OK;
    int rc = wh_grow(&a->variants, &a->capacity, a->n + 1, sizeof *a->variants);
    if (!rc)
        rc = wh_grow(&a->tokens, &a->tokens_capacity, a->n_tokens + count + 1, sizeof *a->tokens);
    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++) {
        a->tokens[a->n_tokens + i] = tokens[i].id;
        sum += (double)tokens[i].logprob;
    }
    if (!isfinite(sum))
        return WHISP_OK;
    a->variants[a->n++] = (wh_variant){kind,      (uint32_t)from, (uint32_t)n, (uint32_t)a->n_tokens, (uint32_t)count,
                                       (float)sum};
    a->n_tokens += count;
    return WHISP_OK;
}

int wh_alternatives_compare(wh_alternatives *a, const int32_t *partners, size_t n_text, const whisp_token *sample,
                            size_t m)
{
    size_t from = 0, begin = 0; /* what differs begins here, in both */
    int rc = WHISP_OK;
    for (size_t i = 0; i <= n_text && !rc; i++) {
        size_t end = i < n_text && partners[i] >= 0 ? (size_t)partners[i] : m;
        if (i < n_text && partners[i] < 0)
            continue;
        if (i > from || end > begin)
            rc = wh_alternatives_add(a, WH_VARIANT_SAMPLE, from, i - from, sample + begin, end - begin);
        from = i + 1;
        begin = end + 1;
    }
    return rc;
}

/* Sixteen sums at a time, so that most of a vocabulary is passed over quickly. */
static int any_above(const float *x, float least)
{
    int above[16] = {0}, any = 0;
    for (int k = 0; k < BLOCK; k++)
        above[k % 16] |= x[k] > least;
    for (int k = 0; k < 16; k++)
        any |= above[k];
    return any;
}

size_t wh_alternatives_near(whisp_token heard, const float *logits, int n, whisp_token near[WH_NEAR_TOKENS])
{
    int32_t best[WH_NEAR_TOKENS];
    size_t count = 0;
    float least = logits[heard.id] - BEHIND;
    for (int32_t k = 0; k < n; k++) {
        if (k % BLOCK == 0 && k + BLOCK <= n && !any_above(logits + k, least)) {
            k += BLOCK - 1;
            continue;
        }
        if (!(logits[k] > least) || k == heard.id)
            continue;
        size_t at = count < WH_NEAR_TOKENS ? count++ : WH_NEAR_TOKENS - 1; /* the last one goes */
        for (; at > 0 && logits[best[at - 1]] < logits[k]; at--)
            best[at] = best[at - 1];
        best[at] = k;
        least = count == WH_NEAR_TOKENS ? logits[best[WH_NEAR_TOKENS - 1]] : least;
    }
    for (size_t k = 0; k < count; k++)
        near[k] = (whisp_token){best[k], heard.logprob + logits[best[k]] - logits[heard.id]};
    return count;
}

int wh_alternatives_add_near(wh_alternatives *a, size_t i, const whisp_token *near, size_t n)
{
    int rc = WHISP_OK;
    for (size_t k = 0; k < n && !rc; k++)
        rc = wh_alternatives_add(a, WH_VARIANT_TOKEN, i, 1, &near[k], 1);
    return rc;
}

/* ---- telling ---- */

/* What a word says, for comparing: letters and digits without case. Returns how many bytes, the first `capacity` there. */
static size_t bare(const char *text, size_t n, char *to, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 128 && !isalnum(c)) || count == capacity)
            continue;
        to[count++] = (char)(c < 128 ? tolower(c) : c);
    }
    return count;
}

static int says_the_same(const char *a, size_t n, const char *b, size_t m)
{
    char x[WORD_BYTES], y[WORD_BYTES];
    size_t nx = bare(a, n, x, sizeof x), ny = bare(b, m, y, sizeof y);
    return nx == ny && (nx == 0 || memcmp(x, y, nx) == 0);
}

/* One more text for the word whose alternatives begin at `first` of the list: in its place by log-probability, once. */
static int offer(wh_alternatives *a, size_t first, const char *word, const char *text, size_t length, double logprob)
{
    char letters[1];
    int joins = word[0] == ' ' && (unsigned char)text[0] < 128 && ispunct((unsigned char)text[0]); /* "'t" for " to" */
    if (logprob < LEAST || joins || length >= WORD_BYTES || !bare(text, length, letters, 1) ||
        says_the_same(text, length, word, strlen(word)))
        return WHISP_OK;
    for (size_t i = first; i < a->n_listed; i++) {
        const char *known = a->text.data + a->texts[i];
        if (!says_the_same(known, strlen(known), text, length))
            continue;
        a->list[i].logprob = fmax(a->list[i].logprob, logprob);
        return WHISP_OK;
    }
    int rc = wh_grow(&a->list, &a->list_capacity, a->n_listed + 1, sizeof *a->list);
    if (!rc)
        rc = wh_grow(&a->texts, &a->texts_capacity, a->n_listed + 1, sizeof *a->texts);
    if (rc)
        return rc;
    a->texts[a->n_listed] = a->text.length;
    a->list[a->n_listed++].logprob = logprob;
    wh_buf_append(&a->text, text, length);
    wh_buf_append(&a->text, "", 1);
    return a->text.failed ? wh_fail_memory() : WHISP_OK;
}

/* The likeliest first, MOST of them at most. */
static void put_in_order(wh_alternatives *a, size_t first)
{
    for (size_t i = first + 1; i < a->n_listed; i++)
        for (size_t k = i; k > first && a->list[k].logprob > a->list[k - 1].logprob; k--) {
            whisp_alternative one = a->list[k];
            size_t text = a->texts[k];
            a->list[k] = a->list[k - 1];
            a->texts[k] = a->texts[k - 1];
            a->list[k - 1] = one;
            a->texts[k - 1] = text;
        }
    a->n_listed = WH_MIN(a->n_listed, first + MOST);
}

/* The last of the `others` go, where those behind them have no room. */
static void make_room_for(wh_alternatives *a, size_t first, size_t others)
{
    size_t n = a->n_listed - first, over = n > MOST ? n - MOST : 0, kept = first + others - over;
    for (size_t i = first + others; i < a->n_listed && over; i++) {
        a->list[kept] = a->list[i];
        a->texts[kept++] = a->texts[i];
    }
    a->n_listed -= over;
}

/* Where an alternative is told: the window's tokens and words, as wh_alternatives_give() got them. */
typedef struct telling {
    wh_alternatives *a;
    const wh_tokenizer *tokenizer;
    const int32_t *text;
    const wh_words *timed;
} telling;

/* The words that a variant changes, and what they are with it, in a->scratch. */
typedef struct change {
    size_t first, last, n; /* in the timed words; how many of them have text */
    size_t begin, end;     /* their tokens */
    size_t from, to;       /* the tokens among them whose place the variant takes */
} change;

/* 0: it is not within words. */
static int find_change(const wh_words *timed, const wh_variant *v, change *c)
{
    /* between two tokens: it belongs to the one before */
    size_t from = v->from - (v->n == 0 && v->from > 0), to = from + WH_MAX(v->n, 1u);
    c->n = 0;
    c->from = v->from;
    c->to = v->from + v->n;
    for (size_t i = 0; i < timed->n; i++) {
        const wh_word *word = &timed->list[i];
        size_t end = word->first_token + word->n_tokens;
        if (word->length == 0 || end <= from || word->first_token >= to)
            continue;
        c->first = c->n ? c->first : i;
        c->begin = c->n++ ? c->begin : word->first_token;
        c->last = i;
        c->end = end;
    }
    return c->n && c->begin <= c->from && c->end >= c->to;
}

static int has_letters(const telling *t, int32_t token)
{
    char room[32], letter[1];
    size_t n;
    const char *bytes = wh_tokenizer_bytes(t->tokenizer, token, room, &n);
    return bytes && bare(bytes, n, letter, 1) > 0;
}

static int is_spaced(const telling *t, int32_t token)
{
    char room[32];
    size_t n;
    const char *bytes = wh_tokenizer_bytes(t->tokenizer, token, room, &n);
    return bytes && n > 0 && bytes[0] == ' ';
}

/* Where a word of several tokens is one token's that begins a word, the others go with what was there; within a word it
 * would make none: 0. */
static int take_rest(const telling *t, const wh_variant *v, change *c)
{
    size_t to = c->to;
    while (to < c->end && has_letters(t, t->text[to]))
        to++;
    if (to == c->to)
        return 1;
    if (c->from > c->begin || !is_spaced(t, t->a->tokens[v->at]))
        return 0;
    c->to = to;
    return 1;
}

/* Where the text joins the word before, it is that word's, too. */
static void take_word_before(const telling *t, const wh_variant *v, change *c)
{
    size_t i = c->first;
    if (c->from != c->begin || c->from == c->to || !v->count || !is_spaced(t, t->text[c->begin]) ||
        is_spaced(t, t->a->tokens[v->at]) || !has_letters(t, t->a->tokens[v->at]))
        return;
    while (i > 0 && t->timed->list[i - 1].length == 0)
        i--;
    if (i == 0 || t->timed->list[i - 1].first_token + t->timed->list[i - 1].n_tokens != c->begin)
        return;
    c->first = i - 1;
    c->begin = t->timed->list[c->first].first_token;
    c->n++;
}

/* The text that the words become. */
static int write_change(const telling *t, const wh_variant *v, const change *c)
{
    wh_alternatives *a = t->a;
    size_t before = c->from - c->begin, after = c->end - c->to, n = before + v->count + after;
    int rc = wh_grow(&a->joined, &a->joined_capacity, n + 1, sizeof *a->joined);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        a->joined[i] = i < before              ? t->text[c->begin + i]
                       : i < before + v->count ? a->tokens[v->at + i - before]
                                               : t->text[c->to + i - before - v->count];
    wh_buf_clear(&a->scratch);
    wh_buf_puts(&a->scratch, "");
    if ((rc = wh_tokenizer_decode(t->tokenizer, a->joined, n, -1, &a->scratch)))
        return rc;
    return a->scratch.failed ? wh_fail_memory() : WHISP_OK;
}

/* Word k, from 0 on, of a text whose words each begin with a space but perhaps the first. Returns how many there are. */
static size_t find_piece(const char *text, size_t length, size_t k, const char **piece, size_t *piece_length)
{
    size_t count = 0, begin = 0;
    for (size_t i = 1; i <= length; i++) {
        if (i < length && text[i] != ' ')
            continue;
        if (count++ == k) {
            *piece = text + begin;
            *piece_length = i - begin;
        }
        begin = i;
    }
    return count;
}

/* What the changed words' i-th, of c->n, becomes; 0: nothing. Where there are not as many as before, all of it stands with
 * the first, but for whole phrases more. */
static int piece_of(const wh_alternatives *a, const change *c, size_t i, const char **piece, size_t *length)
{
    const char *text = a->scratch.data;
    size_t n = a->scratch.length;
    if (!n || strstr(text, "\xEF\xBF\xBD")) /* half a character */
        return 0;
    size_t count = find_piece(text, n, i, piece, length);
    if (c->n > 1 && count == c->n)
        return 1;
    *piece = text;
    *length = n;
    return i == 0 && count <= c->n + 1;
}

/* "jun" for " junior": a token of which the word's beginning is all. */
static int is_beginning(const char *piece, size_t length, const char *word)
{
    char x[WORD_BYTES], y[WORD_BYTES];
    size_t n = bare(piece, length, x, sizeof x), m = bare(word, strlen(word), y, sizeof y);
    return 2 * n <= m && memcmp(x, y, n) == 0;
}

/* Offer word number `at` of the timed ones what a variant makes of it. */
static int give_variant(const telling *t, const wh_variant *v, size_t at, const whisp_word *word, size_t first)
{
    const char *piece = NULL;
    size_t length = 0, i = 0;
    change c = {0};
    int rc;
    if (!find_change(t->timed, v, &c) || (v->kind == WH_VARIANT_TOKEN && !take_rest(t, v, &c)))
        return WHISP_OK;
    take_word_before(t, v, &c);
    if (at < c.first || at > c.last)
        return WHISP_OK;
    for (size_t w = c.first; w < at; w++)
        i += t->timed->list[w].length > 0;
    if ((rc = write_change(t, v, &c)) || !piece_of(t->a, &c, i, &piece, &length))
        return rc;
    if (v->kind == WH_VARIANT_TOKEN && is_beginning(piece, length, word->text))
        return WHISP_OK;
    return offer(t->a, first, word->text, piece, length, v->kind == WH_VARIANT_TERM ? LEAST : (double)v->logprob);
}

/* Give those of one word: terms, where it is in doubt, stand last of MOST. */
static int give_one(const telling *t, size_t at, const whisp_word *word)
{
    wh_alternatives *a = t->a;
    size_t first = a->n_listed;
    int rc = WHISP_OK;
    for (size_t k = 0; k < a->n && !rc; k++)
        if (a->variants[k].kind != WH_VARIANT_TERM)
            rc = give_variant(t, &a->variants[k], at, word, first);
    put_in_order(a, first);
    size_t others = a->n_listed - first;
    for (size_t k = 0; k < a->n && !rc && word->confidence < DOUBTFUL; k++)
        if (a->variants[k].kind == WH_VARIANT_TERM && a->n_listed - first - others < MOST_TERMS)
            rc = give_variant(t, &a->variants[k], at, word, first);
    if (!rc)
        make_room_for(a, first, others);
    return rc;
}

int wh_alternatives_give(wh_alternatives *a, const wh_tokenizer *tokenizer, const int32_t *text, const wh_words *timed,
                         whisp_word *words, size_t n)
{
    const telling t = {a, tokenizer, text, timed};
    size_t given = 0;
    int rc = WHISP_OK;
    a->n_listed = 0;
    wh_buf_clear(&a->text);
    for (size_t i = 0; i < timed->n && given < n && !rc; i++) {
        if (timed->list[i].length == 0)
            continue;
        size_t first = a->n_listed;
        rc = give_one(&t, i, &words[given]);
        words[given++].n_alternatives = a->n_listed - first;
    }
    for (size_t i = 0; i < a->n_listed; i++)
        a->list[i].text = a->text.data + a->texts[i];
    for (size_t k = 0, at = 0; k < n && !rc; at += words[k++].n_alternatives)
        words[k].alternatives = words[k].n_alternatives ? a->list + at : NULL;
    return rc;
}

/* ---- the journal's ---- */

void wh_alternatives_save(const wh_alternatives *a, wh_buf *bytes)
{
    uint32_t sizes[2] = {(uint32_t)a->n, (uint32_t)a->n_tokens};
    wh_buf_append(bytes, sizes, sizeof sizes);
    if (a->n)
        wh_buf_append(bytes, a->variants, a->n * sizeof *a->variants);
    if (a->n_tokens)
        wh_buf_append(bytes, a->tokens, a->n_tokens * sizeof *a->tokens);
}

/* Do they lie within the text and the pool? */
static int are_sound(const wh_alternatives *a, size_t n_text, int32_t n_vocab)
{
    for (size_t i = 0; i < a->n; i++) {
        const wh_variant *v = &a->variants[i];
        if (v->kind >= WH_VARIANT_KINDS || v->n > LONGEST || v->count > LONGEST || v->from > n_text ||
            v->from + v->n > n_text || (v->kind == WH_VARIANT_TOKEN && (v->n != 1 || v->count != 1)) ||
            v->at > a->n_tokens || v->at + v->count > a->n_tokens || !isfinite(v->logprob))
            return 0;
    }
    for (size_t i = 0; i < a->n_tokens; i++)
        if (a->tokens[i] < 0 || a->tokens[i] >= n_vocab)
            return 0;
    return 1;
}

int wh_alternatives_restore(wh_alternatives *a, size_t n_text, int32_t n_vocab, const char *bytes, size_t n)
{
    uint32_t sizes[2];
    wh_alternatives_clear(a);
    if (n < sizeof sizes)
        return 0;
    memcpy(sizes, bytes, sizeof sizes);
    if (sizes[0] > MOST_VARIANTS || sizes[1] > MOST_VARIANTS * LONGEST ||
        n != sizeof sizes + sizes[0] * sizeof *a->variants + sizes[1] * sizeof *a->tokens)
        return 0;
    int rc = wh_grow(&a->variants, &a->capacity, sizes[0] + 1u, sizeof *a->variants);
    if (!rc)
        rc = wh_grow(&a->tokens, &a->tokens_capacity, sizes[1] + 1u, sizeof *a->tokens);
    if (rc)
        return rc;
    memcpy(a->variants, bytes + sizeof sizes, sizes[0] * sizeof *a->variants);
    memcpy(a->tokens, bytes + sizeof sizes + sizes[0] * sizeof *a->variants, sizes[1] * sizeof *a->tokens);
    a->n = sizes[0];
    a->n_tokens = sizes[1];
    return are_sound(a, n_text, n_vocab);
}
