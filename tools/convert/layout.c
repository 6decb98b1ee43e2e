/* layout.c - which tokens are the special ones. Never by the vocabulary's size where anything else tells it:
 *
 *   1. the configuration's ids (generation_config.json, config.json): what the model was used with;
 *   2. the tokens' names;
 *   3. the published order, for the published numbers of tokens, if no special token is named.
 *
 * Where 1 or 2 leave gaps, the published order fills them: <|translate|> to <|0.00|> stand together, and languages
 * between <|startoftranscript|> and <|translate|>. What contradicts itself is refused. */
#include <stdlib.h>
#include <string.h>

#include "vocab.h"

#define LAST_LANGUAGES 100 /* of the published models; those before large-v3 have 99 */

int layout_published(const struct dims *d)
{
    if (d->n_vocab == 51864)
        return 50256;
    return d->n_vocab == 51865 || (d->n_vocab == 51866 && d->n_mels == 128) ? 50257 : 0;
}

/* The token's name: what a vocabulary calls it, else what a list of added tokens does; or NULL. */
static const char *name_of(const struct source *s, int32_t id)
{
    return s->pieces[id] ? s->pieces[id] : s->added[id];
}

static wh_role role_of(const char *name, int *index)
{
    *index = 0;
    return name ? wh_special_role(name, strlen(name), index) : WH_ROLE_NONE;
}

/* ---- the three ways ---- */

/* Language tokens that nothing tells, where those that are told stand in the published order. */
static void fill_languages(wh_specials *p)
{
    int gap = p->translate - p->sot - 1, n_told = 0;
    if (p->sot < 0 || p->translate < 0 || gap < 1 || gap > LAST_LANGUAGES)
        return;
    for (int i = 0; i < gap; i++) {
        n_told += p->languages[i] >= 0;
        if (p->languages[i] >= 0 && p->languages[i] != p->sot + 1 + i)
            return;
    }
    if (n_told || gap >= LAST_LANGUAGES - 1)
        for (int i = 0; i < gap; i++)
            wh_specials_set(p, WH_ROLE_LANGUAGE, i, p->sot + 1 + i);
}

static void fill(wh_specials *p)
{
    enum { BLOCK = WH_SPECIAL_ROLES - WH_ROLE_TRANSLATE };
    int32_t start = p->timestamp_begin >= 0 ? p->timestamp_begin - BLOCK : -1;
    for (int role = WH_ROLE_TRANSLATE; role < WH_SPECIAL_ROLES; role++)
        if (wh_specials_get(p, (wh_role)role) >= 0)
            start = wh_specials_get(p, (wh_role)role) - (role - WH_ROLE_TRANSLATE);
    for (int role = WH_ROLE_TRANSLATE; role < WH_SPECIAL_ROLES && start >= 0; role++)
        if (wh_specials_get(p, (wh_role)role) < 0)
            wh_specials_set(p, (wh_role)role, 0, start + role - WH_ROLE_TRANSLATE);
    if (p->timestamp_begin < 0 && start >= 0)
        p->timestamp_begin = start + BLOCK;
    if (p->sot < 0 && p->eot >= 0)
        p->sot = p->eot + 1;
    if (p->eot < 0 && p->sot > 0)
        p->eot = p->sot - 1;
    fill_languages(p);
}

/* The places of 1, and of 2 for languages that it does not name. */
static int by_configuration(const struct source *s, wh_specials *p)
{
    if (s->told.eot < 0 || s->told.sot < 0 || s->told.no_timestamps < 0)
        return 0;
    *p = s->told;
    p->n_vocab = s->dims.n_vocab;
    fill(p);
    for (int32_t id = p->sot + 1; id < s->n_pieces && s->told.n_languages == 0; id++) {
        int index;
        if (role_of(name_of(s, id), &index) == WH_ROLE_LANGUAGE && p->languages[index] < 0)
            wh_specials_set(p, WH_ROLE_LANGUAGE, index, id);
    }
    return 1;
}

/* The places of 2, and of 1 for what has no name. 0 if nothing but the end of a text is named. */
static int by_names(const struct source *s, wh_specials *p)
{
    int n = 0;
    wh_specials_clear(p, s->dims.n_vocab);
    for (int32_t id = 0; id < s->n_pieces; id++) {
        const char *const names[] = {s->pieces[id], s->added[id]};
        for (int i = 0; i < 2; i++) {
            int index;
            wh_role role = role_of(names[i], &index);
            if (role != WH_ROLE_NONE && wh_specials_set(p, role, index, id))
                n += role != WH_ROLE_EOT;
        }
    }
    if (!n)
        return 0;
    for (int role = WH_ROLE_EOT; role < WH_SPECIAL_ROLES; role++)
        if (wh_specials_get(p, (wh_role)role) < 0)
            wh_specials_set(p, (wh_role)role, 0, wh_specials_get(&s->told, (wh_role)role));
    for (int i = 0; i < s->told.n_languages && p->n_languages == 0; i++)
        if (s->told.languages[i] >= 0)
            wh_specials_set(p, WH_ROLE_LANGUAGE, i, s->told.languages[i]);
    fill(p);
    return 1;
}

/* 3: as many ordinary tokens as the published model has, and nothing behind them but its end. */
static int by_size(const struct source *s, wh_specials *p)
{
    int expected = layout_published(&s->dims), n = s->n_pieces, index;
    while (n > 0 && (!name_of(s, n - 1) || role_of(name_of(s, n - 1), &index) == WH_ROLE_EOT))
        n--;
    if (!expected)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: no published model has %d tokens and %d bands, and nothing says which "
                       "tokens are the special ones; get tokenizer.json (or added_tokens.json) from where the weights "
                       "came from, or give it with --vocab",
                       s->path, s->dims.n_vocab, s->dims.n_mels);
    int has_end = role_of(name_of(s, expected), &index) == WH_ROLE_EOT;
    if (n != expected && !(has_end && n == expected - 1)) /* the last one is empty in the multilingual models */
        return wh_fail(WHISP_ERR_MODEL, "%s: a vocabulary of %d ordinary tokens, but a model of %d tokens has %d",
                       s->path, n, s->dims.n_vocab, expected);
    for (int i = 0; i < n; i++)
        if (!name_of(s, i))
            return wh_fail(WHISP_ERR_MODEL, "%s: token %d is missing in the vocabulary", s->path, i);
    return wh_specials_published((size_t)expected, (size_t)s->dims.n_vocab, 0, p);
}

/* ---- checks ---- */

static int is_told(const struct source *s, int32_t id)
{
    for (int role = WH_ROLE_EOT; role < WH_SPECIAL_ROLES; role++)
        if (wh_specials_get(&s->told, (wh_role)role) == id)
            return 1;
    for (int i = 0; i < s->told.n_languages; i++)
        if (s->told.languages[i] == id)
            return 1;
    return 0;
}

static int stands_once(const struct source *s, const char *name)
{
    int n = 0;
    for (int32_t id = 0; id < s->n_pieces && n < 2; id++) {
        const char *other = name_of(s, id);
        n += other && !strcmp(other, name);
    }
    return n == 1;
}

/* Whether the tokens' names agree with the places. With `strict` no special token may be named anywhere else; the
 * configuration knows better (CrisperWhisper's changed vocabulary names some twice), so there only foreign names count
 * that are in a place which it does not tell itself. */
static int check_names(const struct source *s, const wh_specials *p, int strict)
{
    /* a place that is told but bears another special token's name, which stands nowhere else, contradicts it */
    for (int32_t id = p->eot; id < s->n_pieces; id++) {
        const char *name = name_of(s, id);
        char expected[40];
        int index, other;
        if (!name || !*name)
            continue;
        int is_extra = wh_special_is_extra(p, id);
        wh_role role = role_of(name, &index);
        wh_special_name(p, id, expected, sizeof expected);
        int same = !is_extra && role == role_of(expected, &other) && index == other;
        int is_wrong = is_extra ? role != WH_ROLE_NONE : !same;
        int is_elsewhere = !is_extra && role != WH_ROLE_NONE && !same && stands_once(s, name);
        if (strict ? is_wrong : is_elsewhere || (!is_extra && role == WH_ROLE_NONE && !is_told(s, id)))
            return wh_fail(WHISP_ERR_MODEL, "token %ld is %.60s, where %s is expected", (long)id, name,
                           is_extra ? "no special token" : expected);
    }
    return WHISP_OK;
}

/* Somebody else's vocabulary: the number of tokens is a published model's, the places are not those, and not even all
 * tokens have names. */
static int check_size(const struct source *s, const wh_specials *p)
{
    int expected = layout_published(&s->dims), n = s->n_pieces;
    while (n > 0 && !name_of(s, n - 1))
        n--;
    n = WH_MAX(n, (int)p->timestamp_begin + WH_N_TIMESTAMPS);
    if (!expected || n == s->n_pieces)
        return WHISP_OK;
    return wh_fail(WHISP_ERR_MODEL,
                   "it has %d tokens with %ld ordinary ones, the published model of %d tokens has %d; "
                   "it belongs to another model",
                   n, (long)p->eot, s->dims.n_vocab, expected);
}

static int is_multilingual(const struct source *s, const wh_specials *p)
{
    if (s->multilingual >= 0)
        return s->multilingual;
    if (p->eot == 50256) /* GPT-2's tokens, which only the English models have */
        return 0;
    return p->n_languages > 0;
}

static int usable(const struct source *s, wh_specials *p, int strict)
{
    p->multilingual = is_multilingual(s, p);
    return !wh_specials_check(p) && p->eot > 0 && !check_names(s, p, strict) && (!strict || !check_size(s, p));
}

/* ---- what is done with it ---- */

/* The ordinary tokens, and nothing of special ones that are named among them: an id without a text gets none. Returns
 * how many have none, or -1 if memory is short. */
static int settle_pieces(struct source *s)
{
    int missing = 0, index;
    for (int32_t id = 0; id < s->specials.eot; id++) {
        if (role_of(s->pieces[id], &index) != WH_ROLE_NONE) {
            free(s->pieces[id]);
            s->pieces[id] = NULL;
        }
        if (!s->pieces[id] && s->added[id] && role_of(s->added[id], &index) == WH_ROLE_NONE)
            s->pieces[id] = vocab_spell((const unsigned char *)s->added[id], strlen(s->added[id]));
        else if (!s->pieces[id])
            s->pieces[id] = strdup("");
        if (!s->pieces[id])
            return -1;
        missing += !s->pieces[id][0] && id + 1 < s->specials.eot; /* the last one is empty in all multilingual models */
    }
    return missing;
}

/* Say which tokens a published model does not have. */
static int note_extras(const struct source *s, int missing, FILE *log)
{
    wh_buf names = {0};
    int n = 0;
    for (int32_t id = s->specials.eot; id < s->n_pieces; id++) {
        const char *name = name_of(s, id);
        int is_extra = wh_special_is_extra(&s->specials, id);
        if (is_extra && name && n < 5)
            wh_buf_printf(&names, "%s%.60s", n ? ", " : " (", name);
        n += is_extra && name;
        missing += is_extra && !name;
    }
    if (names.data)
        wh_tame(names.data);
    if (n)
        fprintf(log, "%s: tokens of its own that are never written: %d%s%s\n", s->path, n,
                names.data ? names.data : " (", n > 5 ? ", ...)" : ")");
    if (missing)
        fprintf(log, "%s: tokens without a text in the vocabulary, which are never written either: %d\n", s->path,
                missing);
    int failed = names.failed;
    wh_buf_free(&names);
    return failed ? wh_fail_memory() : WHISP_OK;
}

int layout_resolve(struct source *s, FILE *log)
{
    wh_specials p;
    int found = by_configuration(s, &p) && usable(s, &p, 0);
    if (!found && by_names(s, &p)) {
        if (s->has_outside)
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: the vocabulary names special tokens beyond the model's %d tokens; it "
                           "belongs to another model",
                           s->path, s->dims.n_vocab);
        if (!usable(s, &p, 1))
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: which tokens are the special ones cannot be told from the vocabulary: "
                           "%s",
                           s->path, p.eot == 0 ? "they are before the ordinary ones" : whisp_last_error());
        found = 1;
    }
    int rc = found ? WHISP_OK : by_size(s, &p);
    if (rc)
        return rc;
    p.multilingual = is_multilingual(s, &p);
    s->specials = p;
    int missing = settle_pieces(s);
    return missing < 0 ? wh_fail_memory() : note_extras(s, missing, log);
}

int layout_is_plain(const struct source *s)
{
    wh_specials published;
    for (int32_t id = 0; id + 1 < s->specials.eot; id++)
        if (!s->pieces[id][0])
            return 0;
    return wh_specials_published((size_t)s->specials.eot, (size_t)s->dims.n_vocab, s->specials.multilingual,
                                 &published) == WHISP_OK &&
           memcmp(&published, &s->specials, sizeof published) == 0;
}

int layout_names(const struct source *s, const char **tokens, size_t *lengths, char **names)
{
    enum { NAME_BYTES = 32 };
    char *name = *names = wh_calloc((size_t)(s->dims.n_vocab - s->specials.eot), NAME_BYTES);
    int index;
    if (!name)
        return wh_fail_memory();
    for (int32_t id = 0; id < s->dims.n_vocab; id++) {
        const char *own = name_of(s, id);
        if (id < s->specials.eot) {
            tokens[id] = s->pieces[id];
        } else if (own && *own && wh_special_is_extra(&s->specials, id) && role_of(own, &index) == WH_ROLE_NONE) {
            tokens[id] = own;
        } else {
            wh_special_name(&s->specials, id, name, NAME_BYTES);
            tokens[id] = name;
            name += NAME_BYTES;
        }
        lengths[id] = strlen(tokens[id]);
    }
    return WHISP_OK;
}
