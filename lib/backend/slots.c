/* slots.c - the ledger of slots (see slots.h): checks a call, keeps account, and has the implementation compute. */
#include "backend/slots.h"

#include <stdlib.h>

static wh_slots *ledger(wh_backend *backend)
{
    return (wh_slots *)(void *)backend;
}

int wh_slots_init(wh_slots *s)
{
    s->slots = wh_calloc((size_t)s->n, sizeof *s->slots);
    s->users = wh_calloc((size_t)s->n, sizeof *s->users);
    s->rows = wh_calloc((size_t)WH_MAX(s->few_rows, s->most_rows), sizeof *s->rows);
    if (!s->slots || !s->users || !s->rows)
        return wh_fail_memory();
    for (int i = 0; i < s->n; i++)
        s->slots[i].window = -1;
    return WHISP_OK;
}

void wh_slots_free(wh_slots *s)
{
    free(s->slots);
    free(s->users);
    free(s->rows);
    wh_pages_give_back(&s->room);
}

wh_pages *wh_slots_room(wh_backend *backend)
{
    return &ledger(backend)->room;
}

int wh_slots_count(const wh_backend *backend)
{
    return ((const wh_slots *)(const void *)backend)->n;
}

int wh_slots_windows(const wh_backend *backend)
{
    return ((const wh_slots *)(const void *)backend)->most_windows;
}

static int check_slot(const wh_slots *s, int slot)
{
    if (slot < 0 || slot >= s->n)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d: the backend has %d", slot, s->n);
    return WHISP_OK;
}

/* ---- windows ---- */

static void release_window(wh_slots *s, wh_slot *slot)
{
    if (slot->window >= 0)
        s->users[slot->window]--;
    slot->window = -1;
    slot->n_tokens = 0;
}

/* A window of the slot's own: the first that nobody uses, so that those whose memory has been taken come first. */
static int take_window(wh_slots *s, wh_slot *slot)
{
    int found = 0;
    release_window(s, slot);
    while (s->users[found])
        found++;
    s->users[found] = 1;
    return slot->window = found;
}

int wh_slots_encode(wh_backend *backend, int n, const float *const *mel, const int *slots, enum wh_hearing how)
{
    wh_slots *s = ledger(backend);
    int windows[WH_MOST_WINDOWS], rc = WHISP_OK;
    for (int i = 0; i < n; i++)
        if (check_slot(s, slots[i]))
            return WHISP_ERR_ARGUMENT;
    for (int first = 0, count; !rc && first < n; first += count) {
        count = WH_MIN(n - first, s->most_windows);
        for (int i = 0; i < count; i++)
            windows[i] = take_window(s, &s->slots[slots[first + i]]);
        rc = s->computer->encode_windows(backend, count, mel + first, windows, how);
        for (int i = 0; rc && i < count; i++) /* nothing has been heard: decode will say so */
            release_window(s, &s->slots[slots[first + i]]);
    }
    return rc;
}

/* ---- sequences ---- */

int wh_slots_fork_tail(wh_backend *backend, int dst, int src, int n_same)
{
    wh_slots *s = ledger(backend);
    if (check_slot(s, dst) || check_slot(s, src))
        return WHISP_ERR_ARGUMENT;
    wh_slot *to = &s->slots[dst];
    const wh_slot *from = &s->slots[src];
    if (n_same < 0 || n_same > to->n_tokens || n_same > from->n_tokens || (n_same && to->window != from->window))
        return wh_fail(WHISP_ERR_ARGUMENT, "slots %d and %d do not share %d tokens", dst, src, n_same);
    if (to == from)
        return WHISP_OK;
    release_window(s, to);
    to->window = from->window;
    to->n_tokens = from->n_tokens;
    if (to->window >= 0)
        s->users[to->window]++;
    return n_same < from->n_tokens ? s->computer->copy_kv(backend, dst, src, n_same, from->n_tokens) : WHISP_OK;
}

int wh_slots_truncate(wh_backend *backend, int slot, int n_tokens)
{
    wh_slots *s = ledger(backend);
    if (check_slot(s, slot))
        return WHISP_ERR_ARGUMENT;
    if (n_tokens < 0 || n_tokens > s->slots[slot].n_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d has %d tokens; it cannot be cut to %d", slot,
                       s->slots[slot].n_tokens, n_tokens);
    s->slots[slot].n_tokens = n_tokens;
    return WHISP_OK;
}

void wh_slots_rest(wh_backend *backend, int slot)
{
    wh_slots *s = ledger(backend);
    if (slot < 0 || slot >= s->n)
        return;
    release_window(s, &s->slots[slot]);
    if (s->computer->rest)
        s->computer->rest(backend, slot);
}

/* ---- decoding ---- */

static int check_step(const wh_slots *s, const wh_step *step)
{
    const whisp_model *m = s->model;
    if (check_slot(s, step->slot))
        return WHISP_ERR_ARGUMENT;
    const wh_slot *slot = &s->slots[step->slot];
    if (slot->window < 0)
        return wh_fail(WHISP_ERR_STATE, "slot %d: decode before encode", step->slot);
    if (slot->in_call)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d twice in a decode call", step->slot);
    if (step->n_tokens < 1 || step->n_tokens > m->n_text_ctx - slot->n_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d: %d tokens after %d; the decoder has %d positions", step->slot,
                       step->n_tokens, slot->n_tokens, m->n_text_ctx);
    for (int i = 0; i < step->n_tokens; i++)
        if (step->tokens[i] < 0 || step->tokens[i] >= m->n_vocab)
            return wh_fail(WHISP_ERR_ARGUMENT, "token %d is outside the vocabulary of %d", (int)step->tokens[i],
                           m->n_vocab);
    for (int i = 0; i < step->n_rows; i++)
        if (step->rows[i] < (i ? step->rows[i - 1] + 1 : 0) || step->rows[i] >= step->n_tokens)
            return wh_fail(WHISP_ERR_ARGUMENT, "logits of row %d: rows ascend below %d", step->rows[i], step->n_tokens);
    return WHISP_OK;
}

/* All steps are checked before any is run: a refused call changes nothing. */
static int check_steps(wh_slots *s, int n, const wh_step *steps)
{
    int rc = WHISP_OK, marked = 0;
    for (; marked < n; marked++) {
        rc = check_step(s, &steps[marked]);
        if (rc)
            break;
        wh_slot *slot = &s->slots[steps[marked].slot];
        slot->in_call = 1;
        slot->before = slot->n_tokens;
    }
    for (int i = 0; i < marked; i++)
        s->slots[steps[i].slot].in_call = 0;
    return rc;
}

/* Tokens first .. first + n - 1 of a step into the pass, counted into their slot. */
static void add_rows(wh_slots *s, const wh_step *step, int first, int n)
{
    wh_slot *slot = &s->slots[step->slot];
    wh_row *rows = s->rows + s->n_rows;
    size_t ctx = (size_t)s->model->n_audio_ctx;
    for (int i = 0; i < n; i++) {
        rows[i] = (wh_row){.slot = step->slot,
                           .window = slot->window,
                           .position = slot->n_tokens + i,
                           .token = step->tokens[first + i]};
        if (step->cross_scores) {
            rows[i].cross_scores = step->cross_scores + (size_t)(first + i) * ctx;
            rows[i].cross_stride = step->cross_stride ? step->cross_stride : (size_t)step->n_tokens * ctx;
        }
    }
    for (int r = 0; r < step->n_rows; r++) {
        int i = step->rows[r] - first;
        if (i < 0 || i >= n)
            continue;
        rows[i].logits = step->logits ? step->logits + (size_t)r * (size_t)s->model->n_vocab : NULL;
        rows[i].choice = r == 0 ? step->choice : NULL;
    }
    slot->n_tokens += n;
    s->n_rows += n;
}

static int run_pass(wh_backend *backend)
{
    wh_slots *s = ledger(backend);
    int n = s->n_rows;
    s->n_rows = 0;
    return n ? s->computer->run_pass(backend, n, s->rows) : WHISP_OK;
}

static int run_passes(wh_backend *backend, int n, const wh_step *steps)
{
    wh_slots *s = ledger(backend);
    int rc = WHISP_OK;
    for (int i = 0; !rc && i < n; i++) { /* several tokens: passes of their own */
        int n_tokens = steps[i].n_tokens;
        for (int at = 0; !rc && n_tokens > 1 && at < n_tokens; at += s->most_rows) {
            add_rows(s, &steps[i], at, WH_MIN(n_tokens - at, s->most_rows));
            rc = run_pass(backend);
        }
    }
    for (int i = 0; !rc && i < n; i++) { /* single tokens share passes */
        if (steps[i].n_tokens != 1)
            continue;
        add_rows(s, &steps[i], 0, 1);
        if (s->n_rows == s->few_rows)
            rc = run_pass(backend);
    }
    return rc ? rc : run_pass(backend);
}

int wh_slots_decode(wh_backend *backend, int n, const wh_step *steps)
{
    wh_slots *s = ledger(backend);
    int rc = check_steps(s, n, steps);
    if (rc)
        return rc;
    rc = run_passes(backend, n, steps);
    for (int i = 0; rc && i < n; i++) /* what is behind them in the cache is nobody's */
        s->slots[steps[i].slot].n_tokens = s->slots[steps[i].slot].before;
    return rc;
}
