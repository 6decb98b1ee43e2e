/* notes.c - what the rows of logits say that a window's text was chosen from: how sure the decoder was of each token,
 * what was nearly as probable, and where a sample would have left it.
 *
 * Between lib/search, which has the rows while it decodes, and evidence.c, which is asked once the words are known. A
 * decoding at temperature 0 shows its rows and nothing has to be computed for them. Of another one (beams, samples, a
 * term of the vocabulary put in, an answer of the journal, a backend that keeps its logits to itself) the rows are made
 * in a pass over its tokens, of the same bits where the backend adds up one row as it does many (cpu). */
#include <stdlib.h>

#include "cpu/registry.h"
#include "util/pages.h"
#include "window/notes.h"

#define CHUNK 32 /* tokens a decoder call */

struct wh_notes {
    const wh_kernels *kernels;
    size_t n;
    wh_note list[]; /* [n] as many as a decoding can have */
};

void wh_notes_free(wh_notes *notes)
{
    free(notes);
}

const wh_note *wh_notes_at(const wh_window *w, size_t i)
{
    return i < w->notes->n && w->notes->list[i].id >= 0 ? &w->notes->list[i] : NULL;
}

/* Another decoding. */
static int begin(wh_window *w)
{
    for (size_t i = 0; i < w->notes->n; i++)
        w->notes->list[i].id = -1;
    return wh_search_branches_begin(w->search, w->begin);
}

/* The row of logits that tokens[i], a text token, was chosen from. */
static void read_row(wh_window *w, const whisp_token *tokens, size_t i, const float *logits)
{
    wh_notes *notes = w->notes;
    int eot = w->specials->eot;
    if (i >= notes->n)
        return;
    wh_note *note = &notes->list[i];
    *note = (wh_note){.id = tokens[i].id};
    wh_evidence_read(notes->kernels, logits, eot, note->id, &note->told);
    wh_search_branches_read(w->search, tokens, i, logits);
    note->n_near = wh_alternatives_near((whisp_token){note->id, note->told.logprob}, logits, eot, note->near);
}

/* For wh_search_watch(). */
static int watch(void *user, const whisp_token *tokens, size_t i, const float *logits)
{
    if (!tokens)
        return begin(user);
    read_row(user, tokens, i, logits);
    return WHISP_OK;
}

int wh_notes_open(wh_window *w)
{
    size_t n = (size_t)w->model->n_text_ctx + 2;
    if (!(w->notes = wh_calloc(1, sizeof *w->notes + n * sizeof *w->notes->list)))
        return wh_fail_memory();
    w->notes->kernels = wh_cpu_best().kernels;
    w->notes->n = n;
    wh_search_watch(w->search, watch, w);
    return WHISP_OK;
}

/* ---- a decoding that was not seen ---- */

/* One pass over the decoding's tokens after the start that slot 0 still has. logits: [CHUNK][n_vocab] */
static int read_rows(wh_window *w, float *logits)
{
    const whisp_token *tokens = w->segments.tokens;
    const size_t *index = w->words.index;
    size_t n_start, n = w->decoding.n, vocab = (size_t)w->model->n_vocab, text = 0, n_text = w->words.n_tokens;
    int rows[CHUNK], rc;
    int32_t ids[CHUNK];
    wh_search_start(w->search, &n_start);
    size_t forced = wh_search_forced(w->search);
    if ((rc = wh_backend_truncate(w->config.backend, 0, (int)(n_start - forced))))
        return rc;
    if (n_text && index[0] == 0) {
        if (!forced) /* what is forced is certain */
            read_row(w, tokens, 0, wh_search_first_logits(w->search));
        text = 1;
    }
    for (size_t first = 0; first + 1 < n && text < n_text; first += CHUNK) {
        size_t count = WH_MIN((size_t)CHUNK, n - 1 - first);
        int n_rows = 0;
        if ((rc = wh_check_cancel(w->config.options)))
            return rc;
        for (size_t i = 0, next = text; i < count; i++) {
            ids[i] = tokens[first + i].id;
            if (next < n_text && index[next] == first + i + 1) { /* is followed by this text token */
                rows[n_rows++] = (int)i;
                next++;
            }
        }
        wh_step step = {
            .slot = 0, .n_tokens = (int)count, .tokens = ids, .n_rows = n_rows, .rows = rows, .logits = logits};
        if ((rc = wh_backend_decode(w->config.backend, 1, &step)))
            return rc;
        for (int r = 0; r < n_rows; r++, text++)
            read_row(w, tokens, index[text], logits + (size_t)r * vocab);
    }
    return WHISP_OK;
}

static int read_again(wh_window *w)
{
    wh_pages room;
    int rc = begin(w);
    if (rc || (rc = wh_backend_reserve(w->config.backend)))
        return rc;
    rc = wh_pages_take(&room, WH_MIN((size_t)CHUNK, w->decoding.n), (size_t)w->model->n_vocab);
    if (!rc)
        rc = read_rows(w, room.at);
    wh_pages_give_back(&room);
    wh_backend_release(w->config.backend);
    return rc;
}

/* Were all of the text's rows seen when it was decoded, and does slot 0 hold its tokens? */
static int are_complete(const wh_window *w)
{
    const wh_heard_words *h = &w->words;
    if (!wh_search_has_read(w->search) || wh_search_forced(w->search))
        return 0;
    for (size_t i = 0; i < h->n_tokens; i++) {
        const wh_note *note = wh_notes_at(w, h->index[i]);
        if (!note || note->id != h->tokens[i])
            return 0;
    }
    return 1;
}

int wh_notes_complete(wh_window *w)
{
    return are_complete(w) ? WHISP_OK : read_again(w);
}
