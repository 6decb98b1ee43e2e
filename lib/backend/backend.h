/* backend.h - the narrow interface between what knows Whisper and what computes.
 *
 * Search and transcription (lib/search, lib/window) see only this. create.c makes the implementation that a name
 * asks for, ops.c passes each call to it: cpu/, cuda/, or view.c, a view of one of them. A *slot* is one sequence: the
 * cross-attention K/V of a window and the self-attention K/V of the tokens fed so far. A decode call takes any set of
 * slots, so beams, samples, windows and files can share a step. */
#ifndef WH_BACKEND_H
#define WH_BACKEND_H

#include "choice.h"
#include "model/model.h"

typedef struct wh_backend wh_backend;

/* The arithmetic of the products with weights. WH_COMPUTE_AUTO: what docs/performance.md's table says for the model. */
typedef enum wh_compute { WH_COMPUTE_F32, WH_COMPUTE_INT8, WH_COMPUTE_AUTO, WH_COMPUTE_BF16 } wh_compute;

/* Of a short window's padding all positions are computed, or few that count for all (not "cuda"); WH_PADDING_AUTO: few
 * where the arithmetic is int8. */
enum wh_encoder_padding { WH_PADDING_FULL, WH_PADDING_FEW, WH_PADDING_AUTO };

/* How a window is heard: as the padding above says, or with all positions of its padding. */
enum wh_hearing { WH_HEAR, WH_HEAR_FULL };

/* By its name as the option compute_type has it: "auto", "f32", "bf16", "int8". */
wh_compute wh_compute_named(const char *name);

typedef struct wh_backend_config {
    int n_slots;     /* sequences that can be alive at once */
    int least_slots; /* how few will do where a device's memory is short; see wh_backend_slots() */
    int threads;     /* 0: one for each core this process may use */
    wh_compute compute;
    int device; /* "cuda": which one, from 0 */
    enum wh_encoder_padding padding;
    /* Asked some twenty times a second while it computes, in the caller's thread: nonzero: WHISP_ERR_CANCELLED. NULL:
     * nobody. "cpu" and "blas" only. */
    int (*cancel)(void *user);
    void *cancel_user;
    double cancel_interval; /* seconds between two questions at least; 0: a twentieth */
    /* For tests: called with named intermediate results, "encoder.block0" and "encoder" ([rows][cols], row-major). */
    void (*tap)(void *user, const char *name, const float *data, int rows, int cols);
    void *tap_user;
} wh_backend_config;

/* One sequence's part of a decode call. */
typedef struct wh_step {
    int slot;              /* each slot at most once a call */
    int n_tokens;          /* tokens appended to the slot; with what is there at most n_text_ctx */
    const int32_t *tokens; /* [n_tokens], each checked to be in 0 .. n_vocab-1 by the caller */
    int n_rows;            /* how many of them the caller wants logits for; may be 0 */
    const int *rows;       /* [n_rows] indices into tokens, ascending */
    float *logits;         /* [n_rows][n_vocab] out; NULL where `choice` is what is wanted */
    wh_choice *choice;     /* NULL, or with n_rows 1: what follows that row; see wh_backend_chooses() */
    float *cross_scores;   /* out, or NULL: raw q.k/sqrt(d_head) of the alignment heads before the softmax,
                               [n_alignment_heads][n_tokens][n_audio_ctx] */
    size_t cross_stride;   /* floats from one alignment head's scores to the next one's; 0: n_tokens * n_audio_ctx */
} wh_step;

/* Make a backend by name: "auto", "cpu", "blas" or "cuda". WHISP_ERR_BACKEND when it cannot run here, with the
 * reason. */
int wh_backend_new(const char *name, const whisp_model *model, const wh_backend_config *config, wh_backend **backend);
void wh_backend_free(wh_backend *backend);

/* How many sequences at a time such a backend has use for: what batch_size auto means. INT_MAX: any number. */
int wh_backend_batch(const char *name, const whisp_model *model);

/* In words, for people: "cpu: int8, avx512vnni, 2 threads". Lives as long as the backend. */
const char *wh_backend_describe(const wh_backend *backend);

/* Run the encoder on n windows (mel[i]: [3000][n_mels] time-major, as wh_mel_window writes it) and leave each one's
 * cross-attention K/V in slots[i]; those slots' tokens are forgotten. */
int wh_backend_encode(wh_backend *backend, int n, const float *const *mel, const int *slots);

/* Whether positions of this window are left out (enum wh_encoder_padding), any thread at any time; and the same as above, heard
 * in another way. */
int wh_backend_leaves_out(const wh_backend *backend, const float *mel);
int wh_backend_encode_as(wh_backend *backend, int n, const float *const *mel, const int *slots, enum wh_hearing how);

/* Append tokens to slots. The same numbers come out for a sequence whatever else is in the call. */
int wh_backend_decode(wh_backend *backend, int n, const wh_step *steps);

/* How many slots it has; and of how many windows it makes one computation when it encodes. */
int wh_backend_slots(const wh_backend *backend);
int wh_backend_windows(const wh_backend *backend);

/* The greatest `most` with which a decode call carries out choices itself; 0: it does not. */
int wh_backend_chooses(const wh_backend *backend);

/* For such a backend: note n tokens (< n_vocab, ascending) that never follow; *forbidden is their number in choices. */
int wh_backend_forbid(wh_backend *backend, const int32_t *tokens, size_t n, int *forbidden);

/* Whether it computes log-Mel frames, and does so: samples [400 + 160 (n - 1)] -> out [n][n_mels], log10 of the
 * filters' sums (at least -10), not clamped, n at most wh_backend_mel_frames() (0: it does not). Any thread may call
 * it at any time. An error has no text: who gets one computes the frames himself. */
int wh_backend_mel_frames(const wh_backend *backend);
int wh_backend_log_mel(wh_backend *backend, const float *samples, int n, float *out);

/* dst becomes a copy of src: it shares src's cross-attention K/V and has src's tokens. */
int wh_backend_fork(wh_backend *backend, int dst, int src);

/* The same where dst's first n_same tokens are src's already and only the others need copying, as when a beam takes
 * over the slot of its sibling. */
int wh_backend_fork_tail(wh_backend *backend, int dst, int src, int n_same);

/* Forget all but the first n_tokens of a slot. */
int wh_backend_truncate(wh_backend *backend, int slot, int n_tokens);

/* Nobody needs what is in a slot: its window, if no other slot has it, is another one's, and memory may go back to the
 * system. It is as at the beginning. */
void wh_backend_rest(wh_backend *backend, int slot);

/* Around what takes much memory for a moment: of those who share a backend one is between these calls at a time (and who
 * goes first beside him), the others wait. Not twice, and no fork between them. WHISP_ERR_CANCELLED: not reserved. */
int wh_backend_reserve(wh_backend *backend);
void wh_backend_release(wh_backend *backend);
/* Between these: n times m floats, in which anything may be, aligned for every instruction set; they are the caller's until he
 * asks again or releases. The backend keeps them for the next one, because new memory costs as much as using it. NULL: there
 * is no memory, with the error's text. */
float *wh_backend_room(wh_backend *backend, size_t n, size_t m);

#endif
