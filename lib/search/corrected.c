/* corrected.c - what correct.c left: what was heard where terms stand now, which terms are known, which sound alike and were
 * not taken; and the same as bytes, for a window that was decoded elsewhere (lib/window/recall.c). */
#include <string.h>

#include "search/corrector.h"

void wh_search_forget(wh_search *s)
{
    if (s->corrector)
        s->corrector->n_known = s->corrector->n_known_sounds = 0;
}

size_t wh_search_heard(const wh_search *s, const whisp_token *tokens, size_t first, size_t n, int32_t *to)
{
    const wh_corrector *c = s->corrector;
    size_t count = 0;
    for (size_t i = first; i < first + n; i++) {
        const struct wh_corrected *put = NULL;
        for (size_t k = 0; c && k < c->n_corrected; k++)
            if (c->corrected[k].at == i)
                put = &c->corrected[k];
        for (size_t k = 0; put && to && k < put->n_heard; k++)
            to[count + k] = c->heard[put->heard + k];
        if (!put && to)
            to[count] = tokens[i].id;
        count += put ? put->n_heard : 1;
        i += put ? put->n - 1 : 0;
    }
    return count;
}

int wh_search_offer_terms(wh_search *s, const whisp_token *tokens, size_t n, wh_term_fn fn, void *user)
{
    wh_corrector *c = s->corrector;
    if (!c)
        return WHISP_OK;
    int rc = wh_places_find(c->vocabulary, s->model, tokens, n, &c->places);
    for (size_t i = 0; i < c->n_corrected && !rc; i++) {
        const struct wh_corrected *put = &c->corrected[i];
        rc = fn(user, put->at, put->at + put->n, c->heard + put->heard, put->n_heard);
    }
    for (size_t i = 0; i < c->places.n && !rc; i++) {
        const wh_place *place = &c->places.list[i];
        const wh_term *term = &c->vocabulary->terms[place->term];
        int spaced = c->places.text.data[c->places.units[place->first_unit].text] == ' ';
        rc = fn(user, place->from, place->to, spaced ? term->spaced : term->joined,
                spaced ? term->n_spaced : term->n_joined);
    }
    return rc;
}

/* ---- as bytes ---- */

void wh_search_add_vocabulary(const wh_search *s, wh_key *key)
{
    const wh_vocabulary *v = s->corrector ? s->corrector->vocabulary : NULL;
    for (size_t i = 0; v && i < v->n_terms; i++) {
        const wh_term *term = &v->terms[i];
        wh_key_add(key, term->text, strlen(term->text));
        if (term->heard)
            wh_key_add(key, term->heard, strlen(term->heard));
    }
}

void wh_search_add_known(const wh_search *s, wh_key *key)
{
    const wh_corrector *c = s->corrector;
    if (s->n_given)
        wh_key_add(key, s->said, s->n_given * sizeof *s->said);
    if (s->most)
        wh_key_add(key, &s->most, sizeof s->most);
    for (size_t i = 0; c && i < c->n_known; i++) {
        wh_key_add(key, &c->known[i].term, sizeof c->known[i].term);
        wh_key_add(key, c->known_sounds + c->known[i].first_sound, c->known[i].n_sounds * sizeof *c->known_sounds);
    }
}

/* How many there are of each. */
enum { CORRECTED, HEARD, KNOWN, SOUNDS, LISTS };

static void put_list(wh_buf *state, const void *list, size_t n, size_t size)
{
    if (n)
        wh_buf_append(state, list, n * size);
}

void wh_search_save(const wh_search *s, wh_buf *state)
{
    const wh_corrector *c = s->corrector;
    if (!c)
        return;
    const uint64_t n[LISTS] = {c->n_corrected, c->n_heard, c->n_known, c->n_known_sounds};
    wh_buf_append(state, n, sizeof n);
    put_list(state, c->corrected, c->n_corrected, sizeof *c->corrected);
    put_list(state, c->heard, c->n_heard, sizeof *c->heard);
    put_list(state, c->known, c->n_known, sizeof *c->known);
    put_list(state, c->known_sounds, c->n_known_sounds, sizeof *c->known_sounds);
}

/* The next n elements of a state of *left bytes, into a list that grows to them. */
static int take_list(const char **state, size_t *left, uint64_t n, size_t size, void *list, size_t *capacity)
{
    if (n > *left / size)
        return wh_fail(WHISP_ERR_MODEL, "the state of a search is cut off");
    int rc = wh_grow(list, capacity, (size_t)n + 1, size);
    if (rc)
        return rc;
    void *to;
    memcpy(&to, list, sizeof to);
    memcpy(to, *state, (size_t)n * size);
    *state += (size_t)n * size;
    *left -= (size_t)n * size;
    return WHISP_OK;
}

/* Is every number inside what it counts off? Terms share nothing of the pools, so what is read of those never adds up to
 * more than there is. */
static int is_whole(const wh_search *s, const uint64_t *n, size_t n_tokens)
{
    const wh_corrector *c = s->corrector;
    uint64_t heard = n[HEARD], sounds = n[SOUNDS];
    int whole = n[CORRECTED] <= n_tokens;
    for (uint64_t i = 0; i < n[CORRECTED] && whole; i++) {
        const struct wh_corrected *p = &c->corrected[i];
        whole = p->at <= n_tokens && p->n >= 1 && p->n <= n_tokens - p->at && p->heard <= n[HEARD] &&
                p->n_heard <= n[HEARD] - p->heard && p->n_heard <= heard;
        heard -= p->n_heard;
    }
    for (uint64_t i = 0; i < n[HEARD] && whole; i++)
        whole = c->heard[i] >= 0 && c->heard[i] < s->model->n_vocab;
    for (uint64_t i = 0; i < n[KNOWN] && whole; i++) {
        const struct wh_known *p = &c->known[i];
        whole = p->term >= 0 && (uint64_t)p->term < c->vocabulary->n_terms && p->first_sound <= n[SOUNDS] &&
                p->n_sounds <= n[SOUNDS] - p->first_sound && p->n_sounds <= sounds;
        sounds -= p->n_sounds;
    }
    return whole;
}

int wh_search_restore(wh_search *s, int is_sound, size_t n_tokens, const char *state, size_t left)
{
    wh_corrector *c = s->corrector;
    uint64_t n[LISTS];
    int rc;
    s->unsound = !is_sound;
    if (!c && left == 0)
        return WHISP_OK;
    if (!c || left < sizeof n)
        return wh_fail(WHISP_ERR_MODEL, "the state of a search is cut off");
    memcpy(n, state, sizeof n);
    state += sizeof n;
    left -= sizeof n;
    c->n_corrected = c->n_heard = c->n_known = c->n_known_sounds = 0;
    if ((rc = take_list(&state, &left, n[CORRECTED], sizeof *c->corrected, &c->corrected, &c->corrected_capacity)) ||
        (rc = take_list(&state, &left, n[HEARD], sizeof *c->heard, &c->heard, &c->heard_capacity)) ||
        (rc = take_list(&state, &left, n[KNOWN], sizeof *c->known, &c->known, &c->known_capacity)) ||
        (rc = take_list(&state, &left, n[SOUNDS], sizeof *c->known_sounds, &c->known_sounds,
                        &c->known_sounds_capacity)))
        return rc;
    if (left || !is_whole(s, n, n_tokens))
        return wh_fail(WHISP_ERR_MODEL, "the state of a search does not fit");
    c->n_corrected = (size_t)n[CORRECTED];
    c->n_heard = (size_t)n[HEARD];
    c->n_known = (size_t)n[KNOWN];
    c->n_known_sounds = (size_t)n[SOUNDS];
    return WHISP_OK;
}
