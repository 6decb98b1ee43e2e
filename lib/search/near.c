/* near.c - places in a window's text where a term of the vocabulary may have been said: those that sound like it.
 *
 * The text is cut into units; from each that can begin a term the prefix tree of the terms' sounds is walked with one
 * row of a weighted edit distance for each node, so that terms that begin alike share the work, and a branch is left as
 * soon as nothing in it can be near (as in Oflazer 1996, Error-tolerant finite-state recognition). */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "search/vocabulary.h"
#include "tokenizer/utf8.h"

#define WIDEST 128         /* sounds in a place at most */
#define MOST_UNITS 8       /* units in a place at most, those without sounds included */
#define FARTHEST 0.34      /* distance of a term at most */
#define FARTHEST_SHORT 0.3 /* the same for terms of at most SHORT sounds */
#define SHORT 4
#define NEARER 0.05
#define FAR (1 << 28) /* a row's cell that leads to nothing near */

/* ---- units ---- */

/* Whether n bytes begin with a letter, a digit, or what is only part of a character and may be one. */
static int begins_with_letter(const char *bytes, size_t n)
{
    int32_t code = ' ';
    if (n)
        wh_utf8_next(bytes, n, &code);
    if (code < 0) /* U+2000 to U+2FFF begin with this byte: punctuation and symbols */
        return (unsigned char)bytes[0] != 0xE2;
    utf8proc_category_t category = utf8proc_category(code);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

static int ends_with_letter(const char *bytes, size_t n)
{
    size_t last = n ? n - 1 : 0;
    while (last > 0 && n - last < 4 && ((unsigned char)bytes[last] & 0xC0) == 0x80)
        last--;
    return begins_with_letter(bytes + last, n - last);
}

/* Text whose words are not set apart by spaces: a term may begin with any of its tokens. */
static int is_without_spaces(const char *bytes, size_t n)
{
    int32_t code;
    if (n == 0)
        return 0;
    wh_utf8_next(bytes, n, &code);
    return (code >= 0x0E00 && code <= 0x0EFF) || (code >= 0x1000 && code <= 0x109F) ||
           (code >= 0x3040 && code <= 0xD7AF);
}

static int ends_sentence(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strchr(".?!;", text[i]))
            return 1;
    return 0;
}

/* Append token i, whose bytes these are, to the last unit or begin another with it. */
static int add_token(wh_places *p, size_t i, const char *bytes, size_t n, int after_time)
{
    int before = p->text.length ? (unsigned char)p->text.data[p->text.length - 1] : ' ';
    int spaced = n && bytes[0] == ' ', spaceless = is_without_spaces(bytes, n);
    int alone = p->n_units && p->units[p->n_units - 1].length == 1 && before == ' '; /* a space of its own token */
    int after_letter = p->text.length && ends_with_letter(p->text.data, p->text.length);
    int joins = !after_time && p->n_units && begins_with_letter(bytes, n) && (alone || (after_letter && !spaceless));
    if (!joins) {
        int rc = wh_grow(&p->units, &p->units_capacity, p->n_units + 1, sizeof *p->units);
        if (rc)
            return rc;
        p->units[p->n_units++] = (wh_unit){
            .first_token = i,
            .text = p->text.length,
            .begins = after_time || spaced || spaceless || (!after_letter && before != '\''),
        };
    }
    wh_unit *unit = &p->units[p->n_units - 1];
    wh_buf_append(&p->text, bytes, n);
    unit->length = p->text.length - unit->text;
    unit->n_tokens = i + 1 - unit->first_token;
    return p->text.failed ? wh_fail_memory() : WHISP_OK;
}

static int make_units(const whisp_model *m, const whisp_token *tokens, size_t n, wh_places *p)
{
    const wh_specials *sp = wh_tokenizer_specials(m->tokenizer);
    int after_time = 1, rc = WHISP_OK;
    p->n_units = p->n_sounds = 0;
    wh_buf_clear(&p->text);
    for (size_t i = 0; i < n && !rc; i++) {
        char scratch[32];
        size_t length;
        const char *bytes = tokens[i].id < sp->eot ? wh_tokenizer_bytes(m->tokenizer, tokens[i].id, scratch, &length)
                                                   : NULL;
        if (!bytes) {
            if (p->n_units)
                p->units[p->n_units - 1].stops = 1;
            after_time = 1;
            continue;
        }
        rc = add_token(p, i, bytes, length, after_time);
        after_time = 0;
    }
    for (size_t u = 0; u < p->n_units && !rc; u++) {
        wh_unit *unit = &p->units[u];
        const char *text = p->text.data + unit->text;
        unit->first_sound = p->n_sounds;
        rc = wh_sounds(text, unit->length, &p->sounds, &p->n_sounds, &p->sounds_capacity);
        unit->n_sounds = p->n_sounds - unit->first_sound;
        unit->ends = unit->n_sounds > 0 && ends_with_letter(text, unit->length);
        unit->begins = unit->begins && unit->n_sounds > 0;
        unit->stops = unit->stops || ends_sentence(text, unit->length);
    }
    return rc;
}

/* ---- the walk ---- */

/* What a walk from one unit looks at. */
typedef struct walk {
    const wh_vocabulary *v;
    wh_places *p;
    size_t first, n_units; /* units that a place beginning at `first` may have */
    const int32_t *sounds; /* [width] theirs */
    int extra[WIDEST];     /* wh_sound_extra() of them */
    size_t width;
} walk;

static double relative(int cost, size_t a, size_t b)
{
    return cost / (WH_SOUND_UNIT * 0.5 * (double)(a + b));
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Is the place the term already, capitals apart? */
static int is_written(const walk *w, const wh_unit *first, const wh_unit *last, const wh_term *term)
{
    const char *text = w->p->text.data + first->text;
    size_t n = last->text + last->length - first->text;
    while (n && *text == ' ') {
        text++;
        n--;
    }
    if (strlen(term->text) != n)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (lower(text[i]) != lower(term->text[i]))
            return 0;
    return 1;
}

/* Add the places where the terms of a node end, from its row of distances. */
static int add_places(const walk *w, const wh_node *node, const int *row, size_t lo, size_t hi)
{
    wh_places *p = w->p;
    const wh_unit *first = &p->units[w->first];
    for (int t = node->term; t >= 0; t = w->v->next_term[t])
        for (size_t u = 0; u < w->n_units; u++) {
            const wh_term *term = &w->v->terms[t];
            const wh_unit *last = first + u;
            size_t n = last->first_sound + last->n_sounds - first->first_sound;
            double farthest = term->n_sounds <= SHORT ? FARTHEST_SHORT : FARTHEST;
            if (!last->ends || n < lo || n > hi || row[n] >= FAR)
                continue;
            double distance = relative(row[n], n, term->n_sounds);
            if (distance > farthest)
                continue;
            int rc = wh_grow(&p->list, &p->capacity, p->n + 1, sizeof *p->list);
            if (rc)
                return rc;
            p->list[p->n++] = (wh_place){
                .first_unit = w->first,
                .n_units = u + 1,
                .from = first->first_token,
                .to = last->first_token + last->n_tokens,
                .term = t,
                .distance = distance,
                .state = is_written(w, first, last, term) ? WH_PLACE_LEFT : WH_PLACE_OPEN,
            };
        }
    return WHISP_OK;
}

static int change_of(const walk *w, int32_t a, int32_t b)
{
    return (uint32_t)a < 128 && (uint32_t)b < 128 ? w->v->change[a][b] : wh_sound_change(a, b);
}

/* Fill a node's row from its parent's, above it: its cells that can still lead to a near term. [*lo, *hi] are the
 * parent's such cells, then the node's; *lo > *hi: there is none. A term of `longest` sounds that reads j of the place's
 * has longest - depth to come, which at best take as many of the place's and cost nothing; more of them would cost more
 * than they add to what is allowed. */
static void fill_row(const walk *w, const wh_node *node, size_t depth, const int *above, int *row, size_t *lo,
                     size_t *hi)
{
    int extra = wh_sound_extra(node->sound);
    double half = FARTHEST * WH_SOUND_UNIT / 2, allowed = half * (double)(2 * node->longest - depth);
    size_t first = w->width + 1, last = 0, j = *lo;
    int before = FAR;
    for (; j <= w->width && (j <= *hi + 1 || before < FAR); j++) {
        int cost = j >= *lo && j <= *hi ? above[j] + extra : FAR;
        if (j > *lo && j - 1 <= *hi) {
            int change = change_of(w, node->sound, w->sounds[j - 1]);
            if (depth == 1 && j == 1)
                change = change * 3 / 2; /* how it begins is heard best */
            cost = WH_MIN(cost, above[j - 1] + change);
        }
        if (j > *lo)
            cost = WH_MIN(cost, before + w->extra[j - 1]);
        if (cost > allowed + half * (double)j)
            cost = FAR;
        row[j] = before = cost;
        if (cost == FAR)
            continue;
        first = WH_MIN(first, j);
        last = j;
    }
    *lo = first;
    *hi = last;
}

static int visit(const walk *w, int parent, size_t depth, size_t above_lo, size_t above_hi)
{
    const int *above = w->p->rows + depth * (WIDEST + 1);
    int *row = w->p->rows + (depth + 1) * (WIDEST + 1), rc = WHISP_OK;
    for (int at = w->v->nodes[parent].child; at && !rc; at = w->v->nodes[at].sibling) {
        const wh_node *node = &w->v->nodes[at];
        size_t lo = above_lo, hi = above_hi;
        fill_row(w, node, depth + 1, above, row, &lo, &hi);
        if (lo > hi)
            continue;
        if (!(rc = add_places(w, node, row, lo, hi)) && node->child)
            rc = visit(w, at, depth + 1, lo, hi);
    }
    return rc;
}

/* The walk from unit `first`, if a term may begin there. */
static int walk_from(const wh_vocabulary *v, wh_places *p, size_t first)
{
    const wh_unit *unit = &p->units[first];
    if (!p->n_sounds) /* punctuation only */
        return WHISP_OK;
    walk w = {.v = v, .p = p, .first = first, .sounds = p->sounds + unit->first_sound};
    for (size_t u = first; unit->begins && u < p->n_units && w.n_units < MOST_UNITS; u++) {
        size_t width = p->units[u].first_sound + p->units[u].n_sounds - unit->first_sound;
        if (width > WIDEST)
            break;
        w.width = width;
        w.n_units++;
        if (p->units[u].stops)
            break;
    }
    if (!w.n_units)
        return WHISP_OK;
    p->rows[0] = 0;
    for (size_t j = 1; j <= w.width; j++) {
        w.extra[j - 1] = wh_sound_extra(w.sounds[j - 1]);
        p->rows[j] = p->rows[j - 1] + w.extra[j - 1];
    }
    return visit(&w, 0, 0, 0, w.width);
}

/* Is there something better than place a: a term written there already, unless a holds it and more; or a place for the
 * same term that is clearly nearer? */
static int is_dominated(const wh_places *p, const wh_place *a)
{
    for (size_t i = 0; i < p->n; i++) {
        const wh_place *b = &p->list[i];
        size_t a_end = a->first_unit + a->n_units, b_end = b->first_unit + b->n_units;
        if (b->first_unit >= a_end || a->first_unit >= b_end)
            continue;
        int holds = a->first_unit <= b->first_unit && a_end >= b_end && a->n_units > b->n_units;
        if (b->state == WH_PLACE_LEFT && (b->term == a->term || !holds))
            return 1;
        if (b->term == a->term && b->distance + NEARER < a->distance)
            return 1;
    }
    return 0;
}

/* Keep what is worth weighing. */
static void thin_out(wh_places *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].state == WH_PLACE_OPEN && is_dominated(p, &p->list[i]))
            p->list[i].state = WH_PLACE_TAKEN; /* marked only: others are compared with it, too */
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].state == WH_PLACE_OPEN)
            p->list[kept++] = p->list[i];
    p->n = kept;
}

int wh_places_find(const wh_vocabulary *v, const whisp_model *m, const whisp_token *tokens, size_t n, wh_places *p)
{
    int rc = make_units(m, tokens, n, p);
    p->n = 0;
    if (!rc && !p->rows && !(p->rows = wh_calloc((v->longest_sounds + 1) * (WIDEST + 1), sizeof *p->rows)))
        rc = wh_fail_memory();
    for (size_t u = 0; u < p->n_units && !rc; u++)
        rc = walk_from(v, p, u);
    if (!rc)
        thin_out(p);
    return rc;
}

void wh_places_free(wh_places *p)
{
    free(p->units);
    free(p->sounds);
    free(p->rows);
    free(p->list);
    wh_buf_free(&p->text);
    memset(p, 0, sizeof *p);
}
