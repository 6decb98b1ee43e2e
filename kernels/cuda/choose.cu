/* choose.cu - rows of logits to the tokens that follow: what lib/search/choose.c does, so that a step returns a few
 * numbers and not the vocabulary.
 *
 * Idea: logits are read once. A block takes 2048 of a row's text tokens, or all of its timestamps, into registers;
 * what may not follow is -infinity. It writes its greatest value, its sums of exponentials and its `most` best
 * tokens; whether text may follow at all, which depends on the sum over all timestamps, only decides whose sums
 * count, so that a warp a row can join the blocks' findings. Drawing runs down the blocks' sums, then down the one
 * block that holds the token. A greatest value is found as the greatest of keys, value before place, so that of
 * equals the first wins. */
#include "layers.h"

#define THREADS 256
#define WARPS (THREADS / WH_WARP)
#define EACH 8 /* tokens a thread */
#define CHUNK (THREADS * EACH)
#define MOST WH_MOST_CHOICES
#define NEVER (-INFINITY)

typedef unsigned long long key_type;

/* Greater for a greater value, then for a smaller id; 0: none. */
__device__ __forceinline__ key_type make_key(float x, int id)
{
    uint32_t bits;
    x += 0.0f; /* -0 is 0 */
    memcpy(&bits, &x, 4);
    bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return x > NEVER ? (key_type)bits << 32 | (0xffffffffu - (uint32_t)id) : 0;
}

__device__ __forceinline__ int key_id(key_type key)
{
    return (int)(0xffffffffu - (uint32_t)key);
}

__device__ __forceinline__ float key_value(key_type key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    float x;
    bits = bits & 0x80000000u ? bits & 0x7fffffffu : ~bits;
    memcpy(&x, &bits, 4);
    return key ? x : NEVER;
}

__device__ __forceinline__ key_type warp_greatest(key_type key)
{
#pragma unroll
    for (int i = 16; i; i >>= 1) {
        key_type other = __shfl_xor_sync(WH_ALL, key, i);
        key = other > key ? other : key;
    }
    return key;
}

/* What logits are multiplied with before a token is drawn; 0: none is. */
__device__ __forceinline__ float sharpness(const wh_choice *c)
{
    return c->temperature > 0 ? (float)(1 / c->temperature) : 0.0f;
}

/* The tokens of a chunk: from `base` on, those of from .. to - 1 may follow. The last chunk is the timestamps'. */
typedef struct chunk_range {
    int base, from, to;
} chunk_range;

__device__ __forceinline__ chunk_range range_of(const wh_choice *c, int chunk, int chunks)
{
    chunk_range r;
    if (chunk == chunks - 1) {
        r.base = c->time_begin / 32 * 32; /* a warp's tokens share a word of the mask, and sectors */
        r.from = c->time_from, r.to = c->time_to;
    } else {
        r.base = chunk * CHUNK;
        r.from = c->text_from, r.to = c->time_begin;
    }
    return r;
}

__device__ __forceinline__ float read_logit(const float *row, const uint32_t *mask, chunk_range r, int id, int n_vocab)
{
    float x = NEVER;
    if (WH_BRANCH(WH_MUTATE(10, id < n_vocab, 1))) {
        x = WH_LOAD(row + id);
        if (WH_LOAD(mask + id / 32) >> (id % 32) & 1 || id < r.from || id >= r.to)
            x = NEVER;
    }
    return x;
}

/* ---- kernels ---- */

/* Penalties, then tokens that may not follow this time: a block a row. */
__global__ void __launch_bounds__(128) choose_edit(float *logits, int stride, const wh_choice *choices)
{
    const wh_choice *c = choices + blockIdx.x;
    float *row = logits + (size_t)blockIdx.x * stride;
    for (int i = threadIdx.x; i < c->n_penalized; i += 128) {
        float *p = row + WH_LOAD(c->penalized + i), x = WH_LOAD(p);
        WH_STORE(p, x < 0 ? x * c->penalty : x / c->penalty);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < c->n_also; i += 128)
        WH_STORE(row + WH_LOAD(c->also + i), NEVER);
}

/* (chunks, rows) blocks. stats [row][3 + MOST][32 chunks]: greatest value, sum of exp(x - greatest), that of
 * exp((x - greatest) / temperature), the best values; ids [row][MOST][32]: theirs, -1 behind the last. */
__global__ void __launch_bounds__(THREADS)
    choose_part(const float *logits, int stride, const wh_choice *choices, const uint32_t *masks, int words,
                int n_vocab, float *stats, int32_t *ids)
{
    WH_SHARED(key_type, best_of, 2 * WARPS);
    WH_SHARED(float, sums, 2 * WARPS);
    const wh_choice *c = choices + blockIdx.y;
    const float *row = logits + (size_t)blockIdx.y * stride;
    const uint32_t *mask = masks + (size_t)c->forbidden * words;
    const chunk_range r = range_of(c, blockIdx.x, gridDim.x);
    int t = threadIdx.x, warp = t / WH_WARP, lane = t % WH_WARP, most = c->most;
    float v[EACH];
#pragma unroll
    for (int j = 0; j < EACH; j++)
        v[j] = read_logit(row, mask, r, r.base + j * THREADS + t, n_vocab);
    stats += (size_t)blockIdx.y * (3 + MOST) * WH_WARP + blockIdx.x;
    ids += (size_t)blockIdx.y * MOST * WH_WARP + blockIdx.x;
    key_type last = ~(key_type)0;
    float greatest = NEVER;
    for (int k = 0; k < most; k++) { /* the greatest key below the last one */
        key_type best = 0;
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            key_type key = make_key(v[j], r.base + j * THREADS + t);
            if (key < last && key > best)
                best = key;
        }
        best = warp_greatest(best);
        key_type *found = best_of + k % 2 * WARPS; /* the other half may still be read */
        if (lane == 0)
            WH_STORE_SHARED(found + warp, best);
        WH_UNLESS_MUTANT(11, __syncthreads());
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            key_type other = WH_LOAD_SHARED(found + w);
            best = other > best ? other : best;
        }
        if (k == 0)
            greatest = key_value(best);
        if (t == 0) {
            WH_STORE(stats + (3 + k) * WH_WARP, key_value(best));
            WH_STORE(ids + k * WH_WARP, best ? key_id(best) : -1);
        }
        last = best;
    }
    float sum[2] = {0, 0}, sharp = sharpness(c);
#pragma unroll
    for (int j = 0; j < EACH; j++)
        if (v[j] != NEVER) { /* NaN is not, and shows in the sum */
            sum[0] += expf(v[j] - greatest);
            if (sharp > 0)
                sum[1] += expf((v[j] - greatest) * sharp);
        }
    wh_warp_sums<2>(sum);
    if (lane == 0) {
        WH_STORE_SHARED(sums + 2 * warp, sum[0]);
        WH_STORE_SHARED(sums + 2 * warp + 1, sum[1]);
    }
    WH_UNLESS_MUTANT(9, __syncthreads());
    if (t == 0) {
        sum[0] = sum[1] = 0;
        for (int w = 0; w < WARPS; w++) {
            sum[0] += WH_LOAD_SHARED(sums + 2 * w);
            sum[1] += WH_LOAD_SHARED(sums + 2 * w + 1);
        }
        WH_STORE(stats, greatest);
        WH_STORE(stats + WH_WARP, sum[0]);
        WH_STORE(stats + 2 * WH_WARP, sum[1]);
    }
}

/* The token at which the running sum of exp((x - greatest) / temperature) passes u times the whole: `weight` is the
 * lane's chunk's part of it. Lanes agree. */
__device__ __forceinline__ int draw(const float *row, const uint32_t *mask, const wh_choice *c, int chunks, int n_vocab,
                                    float greatest, float weight, float *value)
{
    double whole = 0;
    for (int i = 0; i < chunks; i++)
        whole += __shfl_sync(WH_ALL, weight, i);
    double left = c->u * whole;
    float sharp = sharpness(c);
    int at = 0, found = -1;
    for (int i = 0; i < chunks; i++) {
        float w = __shfl_sync(WH_ALL, weight, i);
        if (!(w > 0))
            continue;
        at = i;
        if (left < w)
            break;
        left -= w;
    }
    const chunk_range r = range_of(c, at, chunks);
    int lane = threadIdx.x;
    for (int first = r.base; first < r.base + CHUNK; first += WH_WARP) {
        float x = read_logit(row, mask, r, first + lane, n_vocab);
        float p = x != NEVER ? expf((x - greatest) * sharp) : 0;
        float together = wh_warp_sum(p);
        if (!(together > 0))
            continue;
        for (int i = 0; i < WH_WARP; i++) { /* rounding may leave some of u behind: then the last one it is */
            float one = __shfl_sync(WH_ALL, p, i), its = __shfl_sync(WH_ALL, x, i);
            if (!(one > 0))
                continue;
            found = first + i;
            *value = its;
            left -= one;
            if (left < 0)
                return found;
        }
    }
    return found;
}

/* A warp a row, a lane a chunk. */
__global__ void __launch_bounds__(WH_WARP)
    choose_join(const float *logits, int stride, wh_choice *choices, const uint32_t *masks, int words, int n_vocab,
                int chunks, const float *stats, const int32_t *ids)
{
    wh_choice *c = choices + blockIdx.x;
    int lane = threadIdx.x, is_time = lane == chunks - 1, cursor = 0;
    stats += (size_t)blockIdx.x * (3 + MOST) * WH_WARP + lane;
    ids += (size_t)blockIdx.x * MOST * WH_WARP + lane;
    float greatest = NEVER, sum = 0, drawn = 0, sharp = sharpness(c);
    if (lane < chunks) {
        greatest = WH_LOAD(stats);
        sum = WH_LOAD(stats + WH_WARP);
        drawn = WH_LOAD(stats + 2 * WH_WARP);
    }
    float text = wh_warp_max(is_time ? NEVER : greatest);
    float time = __shfl_sync(WH_ALL, greatest, chunks - 1), times = __shfl_sync(WH_ALL, sum, chunks - 1);
    int no_text = c->compare_times && time > NEVER && time + logf(times) > text;
    if (lane >= chunks || (no_text && !is_time)) {
        greatest = NEVER, sum = drawn = 0;
        cursor = MOST;
    }
    float of_all = wh_warp_max(greatest);
    float total = of_all + logf(wh_warp_sum(sum != 0 ? sum * expf(greatest - of_all) : 0)); /* NaN stays */
    if (sharp > 0) {
        float value = 0, weight = drawn > 0 ? drawn * expf((greatest - of_all) * sharp) : 0;
        int id = draw(logits + (size_t)blockIdx.x * stride, masks + (size_t)c->forbidden * words, c, chunks, n_vocab,
                      of_all, weight, &value);
        if (lane == 0) {
            WH_STORE(&c->n, (int)(id >= 0));
            WH_STORE(&c->ids[0], id);
            WH_STORE(&c->logprobs[0], value - total);
        }
        return;
    }
    int n = 0;
    for (int most = c->most; n < most; n++) {
        key_type key = 0;
        if (cursor < most) {
            int id = WH_LOAD(ids + cursor * WH_WARP);
            key = id >= 0 ? make_key(WH_LOAD(stats + (3 + cursor) * WH_WARP), id) : 0;
        }
        key_type best = warp_greatest(key);
        if (!best)
            break;
        cursor += key == best;
        if (lane == 0) {
            WH_STORE(&c->ids[n], key_id(best));
            WH_STORE(&c->logprobs[n], key_value(best) - total);
        }
    }
    if (lane == 0)
        WH_STORE(&c->n, n);
}

/* ---- launchers ---- */

static int chunks_for(int n_vocab)
{
    return (n_vocab + CHUNK - 1) / CHUNK + 1;
}

int wh_cuda_can_choose(int n_vocab, int n_times)
{
    return chunks_for(n_vocab) <= WH_WARP && n_times + 31 <= CHUNK;
}

void wh_cuda_choose(const wh_cuda_choose_call *call, cudaStream_t stream)
{
    int chunks = chunks_for(call->n_vocab);
    if (call->has_lists)
        WH_LAUNCH(choose_edit, dim3(call->n), dim3(128), 0, stream, call->logits, call->stride, call->choices);
    WH_LAUNCH(choose_part, dim3(chunks, call->n), dim3(THREADS), 0, stream, call->logits, call->stride, call->choices,
              call->masks, call->words, call->n_vocab, call->stats, call->ids);
    WH_LAUNCH(choose_join, dim3(call->n), dim3(WH_WARP), 0, stream, call->logits, call->stride, call->choices,
              call->masks, call->words, call->n_vocab, chunks, call->stats, call->ids);
}

size_t wh_cuda_choose_stats(int rows)
{
    return (size_t)rows * (3 + MOST) * WH_WARP;
}

size_t wh_cuda_choose_ids(int rows)
{
    return (size_t)rows * MOST * WH_WARP;
}
