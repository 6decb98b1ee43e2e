/* state.h - the inside of the engine, which its files share: what it holds on a device, and what each gives the others.
 *
 * From the bottom up:
 *   enter.cu     what a call from the host begins and ends with
 *   memory.cu    errors, sizes, what is planned when an engine is opened; the large products
 *   weights.cu   a model's tensors to the device
 *   log_mel.cu   samples to frames of log-Mel
 *   encoder.cu   windows of log-Mel to a window's keys and values
 *   decoder.cu   the layers of a pass, and logits
 *   choices.cu   what follows rows of logits
 *   steps.cu     a decoding step as a graph
 *   passes.cu    any pass
 *   room.cu      how much memory there is for slots, once all else has taken its own
 *   ceilings.cu  how fast the device is
 *   engine.cu    opening and closing, and the table of engine.h
 *
 * Two streams: `copy` brings windows of log-Mel, `main` computes. Each has two buffers, so that a window is copied
 * while the one before is encoded; events say when a buffer is there and when it has been read. All memory but the
 * keys and values of slots and windows, taken when they are first used, is taken when the engine is opened. */
#ifndef WH_CUDA_STATE_H
#define WH_CUDA_STATE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/engine.h"
#include "cuda/blas.h"
#include "cuda/layers.h"

#define BUFFERS 2
#define MASKS 64
#define MEL_FRAMES 512
#define CLASSES 7 /* of steps: 1, 2, 4, ... 64 rows */

struct Mel;
struct Stage;

struct wh_cuda_engine {
    wh_cuda_sizes sizes;
    int sm, device;
    char name[160], message[WH_CUDA_MESSAGE];
    bool lost;      /* after a failure nothing more is tried */
    bool capturing; /* while a graph is: what fails then is the graph's failure, and nothing is lost */
    cudaStream_t main, copy;
    cudaEvent_t arrived[BUFFERS], consumed[BUFFERS];
    wh_cuda_blas *blas;
    unsigned turn; /* windows encoded so far: which buffer is next */

    Stage *stage; /* while weights are loaded */
    void *single[WH_CUDA_N_SINGLE];
    void *(*layers)[WH_CUDA_N_LAYER]; /* [audio_layers + text_layers] */

    /* encoder */
    float *mel_host[BUFFERS]; /* pinned, [2 ctx][n_mels] */
    float *mel[BUFFERS];      /* the same on the device */
    half *mel_half;           /* [2 ctx + 2][n_mels] */
    float *conv;              /* [2 ctx][d] */
    half *conv_half;          /* [1 + 2 ctx][d], a row of zeros first */
    float *audio_x;           /* [ctx][d]: the residual stream */
    half *audio_h;            /* [ctx][d]: normalized; attention's output */
    half *audio_wide;         /* [ctx][4d] */
    half *audio_heads;        /* [3][heads][ctx][dp] */

    /* decoder: MOST_ROWS rows */
    wh_cuda_row *rows_host, *rows;                   /* pinned; device */
    int32_t *which_host, *which;                     /* rows whose logits are wanted */
    int32_t *alignment;                              /* [text_layers][heads]: number of an alignment head, or -1 */
    float *x;                                        /* [rows][d] */
    half *h, *wide, *q;                              /* [rows][d], [rows][4d], [heads][rows][dp] */
    float *partial, *logits;                         /* decode attention's workspace; [FEW_ROWS][stride of n_vocab] */
    float *scores;                                   /* [rows][n_alignment][audio_ctx], once somebody wants them */
    wh_choice *choices_host, *choices, *chosen_host; /* [FEW_ROWS]: to the device and back; its pointers */
    int32_t *listed_host, *listed, *best;            /* [FEW_ROWS][list_size]; best: choose.cu's workspace */
    float *stats;                                    /* choose.cu's workspace */
    uint32_t *masks;                                 /* [MASKS][words] */
    Mel *mel_maker;                                  /* NULL: it is not there */
    cudaGraphExec_t steps[CLASSES];                  /* a decoding step of so many rows, once there was one */
    bool no_graphs;                                  /* they could not be made: steps are queued kernel by kernel */
    half **self;                                     /* [n_slots]: [text_layers][2][heads][positions][dp] */
    char **windows;                                  /* [n_slots]: the same, or int8 (layers.h) */
};

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int tried = (call);                                                                                            \
        if (tried)                                                                                                     \
            return tried;                                                                                              \
    } while (0)

/* ---- memory.cu ---- */

/* What an error means, with `what` in the engine's message: WH_CUDA_OK, _MEMORY, or _FAILED, after which it is lost. */
int engine_check(wh_cuda_engine *e, cudaError_t error, const char *what);
/* What an engine takes when it is opened, but for the model's tensors. */
int engine_plan(wh_cuda_engine *e);

/* ---- enter.cu ---- */

/* Every call from the host holds one of these, and any host thread may make it: while it lives, the engine's device is that
 * thread's; then what was before is again. rc: WH_CUDA_OK, or why nothing can be done. */
struct engine_visit {
    CUcontext before; /* NULL: none, which is a state like any other */
    int rc;
    explicit engine_visit(wh_cuda_engine *e);
    ~engine_visit();
    engine_visit(const engine_visit &) = delete;
    engine_visit &operator=(const engine_visit &) = delete;
};

#define ENTER(e)                                                                                                       \
    engine_visit visit(e);                                                                                             \
    TRY(visit.rc)

/* Numbers of a slot's or a window's keys and values; bytes of a layer of a window's. */
size_t engine_cache_size(const wh_cuda_engine *e, int positions);
size_t engine_window_layer(const wh_cuda_engine *e);
/* Words of a mask; tokens that a choice may name. */
int engine_mask_words(const wh_cuda_engine *e);
int engine_list_size(const wh_cuda_engine *e);

/* cuda/blas.h's product of w, halfs on the device. */
int engine_gemm(wh_cuda_engine *e, const half *x, int ldx, const void *w, void *y, int n, int m, int k, bool floats,
                bool add);

/* The memory of a slot's keys and values, and of a window's, if it is not taken yet. */
int engine_slot_memory(wh_cuda_engine *e, int slot);
int engine_window_memory(wh_cuda_engine *e, int window);

/* n bytes of the device's memory, or of the host's that is pinned. */
int engine_device_memory(wh_cuda_engine *e, void **memory, size_t n);
int engine_pinned_memory(wh_cuda_engine *e, void **memory, size_t n);

template <class T> static int device_array(wh_cuda_engine *e, T **array, size_t n)
{
    void *p;
    int rc = engine_device_memory(e, &p, n * sizeof(T));
    *array = (T *)p;
    return rc;
}

template <class T> static int pinned_array(wh_cuda_engine *e, T **array, size_t n)
{
    void *p;
    int rc = engine_pinned_memory(e, &p, n * sizeof(T));
    *array = (T *)p;
    return rc;
}

/* Queue a copy between the host and the device. */
int engine_move(wh_cuda_engine *e, void *to, const void *from, size_t bytes, cudaMemcpyKind kind);

template <class T> static int to_device(wh_cuda_engine *e, T *to, const T *from, size_t n)
{
    return engine_move(e, to, from, n * sizeof(T), cudaMemcpyHostToDevice);
}

template <class T> static int to_host(wh_cuda_engine *e, T *to, const T *from, size_t n)
{
    return engine_move(e, to, from, n * sizeof(T), cudaMemcpyDeviceToHost);
}

/* ---- weights.cu ---- */

int engine_load(wh_cuda_engine *e, int layer, wh_cuda_tensor which, const wh_cuda_part *part);
/* All is there: what it took to bring it is given back. */
int engine_end_load(wh_cuda_engine *e);
void engine_free_stage(wh_cuda_engine *e);
int engine_load_alignment(wh_cuda_engine *e);

/* ---- log_mel.cu ---- */

int engine_load_filters(wh_cuda_engine *e, const float *filters);
int engine_log_mel(wh_cuda_engine *e, const float *samples, int frames, float *out);
void engine_free_mel(Mel *mel);

/* ---- encoder.cu ---- */

int engine_encode(wh_cuda_engine *e, int n, const float *const *mel, const int *windows, float *block0, float *out);

/* ---- decoder.cu ---- */

typedef struct engine_pass {
    int n, most;       /* rows; positions of the one that is furthest */
    bool scores;       /* somebody wants alignment scores */
    bool together;     /* several tokens of one slot: a prompt */
    const float *bias; /* of the product before, if the next norm is to add it */
} engine_pass;

/* The part of a pass that its rows alone determine: rows_host to the residual stream x. */
int engine_queue_layers(wh_cuda_engine *e, engine_pass *p);
/* h = layer norm of x, after the last product's bias has been added to x. */
void engine_text_norm(wh_cuda_engine *e, const engine_pass *p, const void *gain, const void *shift);
/* x, of n rows, or of those that `which` (on the device) lists, to logits, at most FEW_ROWS. */
void engine_queue_logits(wh_cuda_engine *e, const int32_t *which, int n);

/* ---- choices.cu ---- */

int engine_forbid(wh_cuda_engine *e, int mask, const uint32_t *bits);
/* Row i's choice for the device; its tokens are listed behind the `*listed` that are there already. */
int engine_put_choice(wh_cuda_engine *e, int i, const wh_choice *from, int *listed);
/* Those tokens to the device. */
int engine_copy_listed(wh_cuda_engine *e, int listed);
/* What follows the n first rows of logits by choices_host, to chosen_host. */
int engine_queue_choices(wh_cuda_engine *e, int n, bool has_lists);
/* What was found for the i-th choice, to who wanted it. */
void engine_take_choice(const wh_cuda_engine *e, int i, wh_choice *to);

/* ---- steps.cu ---- */

/* Whether a pass is a step: single tokens that all want their choice and nothing else. */
bool engine_is_step(int n, const wh_row *rows);
int engine_run_step(wh_cuda_engine *e, int n, const wh_row *rows);

/* A step's graph of one row, to know whether graphs can be had here. */
int engine_try_graphs(wh_cuda_engine *e);

/* ---- passes.cu ---- */

int engine_decode(wh_cuda_engine *e, int n, const wh_row *rows);
int engine_copy(wh_cuda_engine *e, int to, int from, int first, int n);

/* ---- ceilings.cu ---- */

int engine_ceilings(wh_cuda_engine *e, double *operations, double *bytes);

/* ---- room.cu ---- */

int engine_room(wh_cuda_engine *e, size_t *left, size_t *slot);
int engine_take(wh_cuda_engine *e, int n, int *taken);

#endif
