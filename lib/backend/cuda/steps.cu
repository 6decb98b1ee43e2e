/* steps.cu - a decoding step as a graph.
 *
 * Most passes are a token of each of some sequences and what follows it. Launching their kernels one by one would
 * cost more than running them, so the queue of such a step is captured once for each class of rows and launched as a
 * whole. All that changes from step to step lies in memory that the graph copies from the host when it runs:
 * rows_host and choices_host; nothing of a step may be an argument of its kernels. Rows that fill up a class have
 * position -1. */
#include "backend/cuda/state.h"

static int queue_step(wh_cuda_engine *e, int n)
{
    /* splits for the longest sequence that there may be, not for those that are there */
    engine_pass p = {n, WH_MUTATE(16, e->sizes.text_ctx, e->rows_host[0].position + 1), false, false, NULL};
    TRY(engine_queue_layers(e, &p));
    engine_queue_logits(e, NULL, n);
    return engine_queue_choices(e, n, true);
}

/* The graph of a class, or NULL where graphs cannot be had: nothing has been computed then, and no error is left behind, so
 * that the same can be queued kernel by kernel. What is wrong beside shows when it is. */
static cudaGraphExec_t capture_step(wh_cuda_engine *e, int rows)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    bool fine = false;
    if (!cudaStreamBeginCapture(e->main, cudaStreamCaptureModeThreadLocal)) {
        e->capturing = true;
        fine = !queue_step(e, rows);
        e->capturing = false;
        fine = !cudaGetLastError() && fine; /* a launch */
        fine = !cudaStreamEndCapture(e->main, &graph) && fine;
    }
    if (fine && graph && cudaGraphInstantiate(&exec, graph, 0))
        exec = NULL;
    if (graph)
        cudaGraphDestroy(graph);
    WH_UNLESS_MUTANT(21, cudaGetLastError());
    return exec;
}

static void make_step(wh_cuda_engine *e, int k)
{
    if (e->steps[k] || e->no_graphs)
        return;
    e->steps[k] = capture_step(e, 1 << k);
    if (e->steps[k])
        return;
    e->no_graphs = true;
    e->message[0] = '\0';
    size_t n = strlen(e->name);
    snprintf(e->name + n, sizeof e->name - n, ", without CUDA graphs");
}

int engine_try_graphs(wh_cuda_engine *e)
{
    e->rows_host[0] = wh_cuda_row{0, -1, NULL, NULL, -1, 0};
    make_step(e, 0);
    return engine_check(e, cudaStreamSynchronize(e->main), "graph");
}

bool engine_is_step(int n, const wh_row *rows)
{
    for (int i = 0; i < n; i++)
        if (!rows[i].choice || rows[i].cross_scores || (i && rows[i].slot == rows[0].slot))
            return false;
    return n <= WH_CUDA_FEW_ROWS;
}

int engine_run_step(wh_cuda_engine *e, int n, const wh_row *rows)
{
    int k = 0, listed = 0;
    while (1 << k < n)
        k++;
    for (int i = n; i < 1 << k; i++) {
        e->rows_host[i] = wh_cuda_row{0, -1, NULL, NULL, -1, 0};
        e->choices_host[i] = wh_choice();
    }
    for (int i = 0; i < n; i++)
        TRY(engine_put_choice(e, i, rows[i].choice, &listed));
    TRY(engine_copy_listed(e, listed));
    make_step(e, k);
    if (e->steps[k])
        TRY(engine_check(e, cudaGraphLaunch(e->steps[k], e->main), "decoder"));
    else
        TRY(queue_step(e, 1 << k));
    TRY(engine_check(e, cudaGetLastError(), "decoder"));
    TRY(engine_check(e, cudaStreamSynchronize(e->main), "decoder"));
    for (int i = 0; i < n; i++)
        engine_take_choice(e, i, rows[i].choice);
    return WH_CUDA_OK;
}
