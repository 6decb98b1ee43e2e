/* passes.cu - a pass of the decoder: a step as a graph, or layer by layer with what else its rows want. */
#include "backend/cuda/state.h"

static int choose(wh_cuda_engine *e, int n, const wh_row *rows)
{
    int listed = 0;
    for (int i = 0; i < n; i++)
        TRY(engine_put_choice(e, i, rows[e->which_host[i]].choice, &listed));
    TRY(engine_copy_listed(e, listed));
    return engine_queue_choices(e, n, listed > 0);
}

/* The rows that are asked for, FEW_ROWS at a time: as they are, or what follows them. *chosen: how many of the
 * latter. */
static int write_logits(wh_cuda_engine *e, engine_pass *p, const wh_row *rows, int *chosen)
{
    const wh_cuda_sizes *s = &e->sizes;
    int wanted = 0, stride = wh_cuda_stride(s->n_vocab);
    *chosen = 0;
    for (int i = 0; i < p->n; i++)
        if (rows[i].choice)
            e->which_host[wanted++] = i;
    *chosen = wanted;
    for (int i = 0; i < p->n; i++)
        if (rows[i].logits)
            e->which_host[wanted++] = i;
    if (!wanted)
        return WH_CUDA_OK;
    if (p->bias) /* a last bias waits, and `which` skips rows: add it to all of them */
        engine_text_norm(e, p, e->single[WH_CUDA_TEXT_GAIN], e->single[WH_CUDA_TEXT_SHIFT]);
    TRY(to_device(e, e->which, e->which_host, wanted));
    for (int first = 0; first < wanted; first += WH_CUDA_FEW_ROWS) {
        int n = wanted - first < WH_CUDA_FEW_ROWS ? wanted - first : WH_CUDA_FEW_ROWS;
        engine_queue_logits(e, e->which + first, n);
        if (first == 0 && *chosen)
            TRY(choose(e, *chosen, rows));
        for (int i = first ? 0 : *chosen; i < n; i++)
            TRY(to_host(e, rows[e->which_host[first + i]].logits, e->logits + (size_t)i * stride, s->n_vocab));
    }
    return WH_CUDA_OK;
}

static int read_scores(wh_cuda_engine *e, const engine_pass *p, const wh_row *rows)
{
    size_t ctx = (size_t)e->sizes.audio_ctx, heads = (size_t)e->sizes.n_alignment, bytes = ctx * sizeof(float);
    for (int i = 0; p->scores && heads && i < p->n; i++)
        if (rows[i].cross_scores)
            TRY(engine_check(e,
                             cudaMemcpy2DAsync(rows[i].cross_scores, rows[i].cross_stride * sizeof(float),
                                               e->scores + (size_t)i * heads * ctx, bytes, bytes, heads,
                                               cudaMemcpyDeviceToHost, e->main),
                             "copy from the device"));
    return WH_CUDA_OK;
}

int engine_decode(wh_cuda_engine *e, int n, const wh_row *rows)
{
    ENTER(e);
    const wh_cuda_sizes *s = &e->sizes;
    engine_pass p = {n, 0, false, n > 1, NULL};
    int chosen = 0;
    for (int i = 0; i < n; i++) {
        const wh_row *t = &rows[i];
        TRY(engine_slot_memory(e, t->slot));
        e->rows_host[i] = wh_cuda_row{
            t->token, t->position, e->self[t->slot], e->windows[t->window], t->cross_scores ? i : -1, 0};
        p.scores = p.scores || t->cross_scores;
        p.together = p.together && t->slot == rows[0].slot;
        p.most = t->position + 1 > p.most ? t->position + 1 : p.most;
    }
    if (engine_is_step(n, rows))
        return engine_run_step(e, n, rows);
    if (p.scores && !e->scores && s->n_alignment)
        TRY(device_array(e, &e->scores, (size_t)WH_CUDA_MOST_ROWS * s->n_alignment * s->audio_ctx));
    TRY(engine_queue_layers(e, &p));
    TRY(write_logits(e, &p, rows, &chosen));
    TRY(read_scores(e, &p, rows));
    TRY(engine_check(e, cudaGetLastError(), "decoder"));
    TRY(engine_check(e, cudaStreamSynchronize(e->main), "decoder"));
    for (int i = 0; i < chosen; i++)
        engine_take_choice(e, i, rows[e->which_host[i]].choice);
    return WH_CUDA_OK;
}

int engine_copy(wh_cuda_engine *e, int to, int from, int first, int n)
{
    ENTER(e);
    TRY(engine_slot_memory(e, to));
    TRY(engine_slot_memory(e, from));
    const wh_cuda_sizes *s = &e->sizes;
    size_t position = wh_cuda_padded_head(s->d / s->text_heads), pitch = position * s->text_ctx * sizeof(half);
    size_t at = first * position, heads = (size_t)s->text_layers * 2 * s->text_heads;
    return engine_check(e,
                        cudaMemcpy2DAsync(e->self[to] + at, pitch, e->self[from] + at, pitch,
                                          n * position * sizeof(half), heads, cudaMemcpyDeviceToDevice, e->main),
                        "copy on the device");
}
