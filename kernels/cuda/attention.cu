/* attention.cu - many queries against all 1500 keys, without storing the scores: the encoder's self-attention, and a
 * prompt's cross-attention.
 *
 * Idea (Dao 2023, "FlashAttention-2"): a block takes 64 queries of a head, a warp 16 of them, and walks over the keys
 * in tiles of 64. A tile's scores live in the tensor cores' accumulators; a running maximum and sum make the softmax,
 * and the accumulators become the next product's operand without leaving the registers. From sm_80 on the next tile
 * is copied by cp.async into a second buffer meanwhile; sm_75 has neither that nor m16n8k16: one buffer, plain
 * copies, and two m16n8k8 in place of one m16n8k16.
 *
 * Shared memory: rows of dp halfs in pieces of 16 bytes. Piece c of row r lies where c xor r says, so that ldmatrix,
 * which reads the same piece of eight rows, finds them in different banks, and copies stay whole lines.
 *
 * Launch: (ceil(n / 64), heads) blocks of 128 threads; 40 KiB of shared memory at dp = 64 (24 on sm_75). Work per
 * block: 4 * 64 * n * dp operations on tensor cores, 2 * n * dp * 2 bytes of K and V, of which all blocks of a head
 * but the first find theirs in the L2 cache. */
#include "layers.h"
#include "mma.h"

#define WARPS 4
#define THREADS (WARPS * WH_WARP)
#define QUERIES 64 /* a block: 16 a warp */
#define KEYS 64    /* a tile */

/* ---- kernels ---- */

/* Where piece c (8 halfs) of a tile's row r is, in halfs. */
template <int DP> __device__ __forceinline__ int place(int r, int c)
{
    return r * DP + (DP == 64 ? c ^ (r & 7) : c ^ ((r >> 1) & 3)) * 8;
}

/* Rows first .. first + 63 of x [n][DP] to a tile; rows behind the end become zeros. */
template <int DP, bool ASYNC> __device__ __forceinline__ void copy_tile(half *tile, const half *x, int first, int n)
{
    const int pieces = DP / 8;
#pragma unroll
    for (int j = 0; j < KEYS * pieces / THREADS; j++) {
        int i = j * THREADS + threadIdx.x, r = i / pieces, c = i % pieces;
        bool inside = first + r < n;
        const half *from = x + (size_t)(inside ? first + r : 0) * DP + c * 8;
        half *to = tile + WH_MUTATE(4, place<DP>(r, c), place<DP>(r + 1, c));
        if (ASYNC) {
            wh_cp_async(to, from, inside ? 16 : 0);
        } else {
            uint4 zero = {0, 0, 0, 0};
            WH_STORE_SHARED((uint4 *)to, inside ? WH_LOAD((const uint4 *)from) : zero);
        }
    }
}

template <bool AMPERE> __device__ __forceinline__ void mma(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    if (AMPERE) {
        wh_mma16(c, a, b0, b1);
    } else {
        wh_mma8(c, a[0], a[1], b0);
        wh_mma8(c, a[2], a[3], b1);
    }
}

/* One warp's 16 queries: what is kept from tile to tile. */
template <int DP> struct Rows {
    uint32_t q[DP / 16][4]; /* A fragments */
    float out[DP / 8][4];   /* C fragments, not yet divided by sum */
    float most[2], sum[2];  /* of rows g and g + 8; sum of this lane's columns only */
};

/* s = scores of a tile's 64 keys; keys behind the end are -infinity. */
template <int DP, bool AMPERE>
__device__ __forceinline__ void scores(const Rows<DP> &rows, const half *k, int left, float s[KEYS / 8][4])
{
    int lane = threadIdx.x % WH_WARP;
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++) {
        s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
#pragma unroll
        for (int h = 0; h < DP / 32; h++) {
            uint32_t b[4];
            wh_ldmatrix(b, k + place<DP>(j * 8 + lane % 8, h * 4 + lane / 8));
            mma<AMPERE>(s[j], rows.q[2 * h], b[0], b[1]);
            mma<AMPERE>(s[j], rows.q[2 * h + 1], b[2], b[3]);
        }
    }
    if (left < KEYS) {
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                if (j * 8 + lane % 4 * 2 + e % 2 >= left)
                    s[j][e] = -INFINITY;
    }
}

/* The scores become weights 2^((s - most) scale), and what was summed up before is brought to the new maximum. */
template <int DP> __device__ __forceinline__ void weigh(Rows<DP> &rows, float s[KEYS / 8][4], float scale)
{
#pragma unroll
    for (int half_ = 0; half_ < 2; half_++) {
        float most = rows.most[half_];
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++)
            most = fmaxf(most, fmaxf(s[j][2 * half_], s[j][2 * half_ + 1]));
        most = fmaxf(most, __shfl_xor_sync(WH_ALL, most, 1));
        most = fmaxf(most, __shfl_xor_sync(WH_ALL, most, 2));
        float old = exp2f((rows.most[half_] - most) * scale), sum = 0;
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
            for (int e = 2 * half_; e < 2 * half_ + 2; e++) {
                s[j][e] = exp2f((s[j][e] - most) * scale);
                sum += s[j][e];
            }
        rows.most[half_] = most;
        rows.sum[half_] = rows.sum[half_] * old + sum;
#pragma unroll
        for (int j = 0; j < DP / 8; j++)
            rows.out[j][2 * half_] *= old, rows.out[j][2 * half_ + 1] *= old;
    }
}

template <int DP, bool AMPERE>
__device__ __forceinline__ void add_values(Rows<DP> &rows, const half *v, const float s[KEYS / 8][4])
{
    int lane = threadIdx.x % WH_WARP;
#pragma unroll
    for (int kk = 0; kk < KEYS / 16; kk++) {
        const uint32_t a[4] = {wh_pack(s[2 * kk][0], s[2 * kk][1]), wh_pack(s[2 * kk][2], s[2 * kk][3]),
                               wh_pack(s[2 * kk + 1][0], s[2 * kk + 1][1]),
                               wh_pack(s[2 * kk + 1][2], s[2 * kk + 1][3])};
#pragma unroll
        for (int j = 0; j < DP / 8; j += 2) {
            uint32_t b[4];
            wh_ldmatrix_transposed(b, v + place<DP>(kk * 16 + lane % 16, j + lane / 16));
            mma<AMPERE>(rows.out[j], a, b[0], b[1]);
            mma<AMPERE>(rows.out[j + 1], a, b[2], b[3]);
        }
    }
}

/* Through the warp's part of the queries' tile, so that whole pieces go to out [n][d]. */
template <int DP>
__device__ __forceinline__ void write_rows(Rows<DP> &rows, half *tile, half *out, int first, int n, int d, int d_head)
{
    int lane = threadIdx.x % WH_WARP, base = threadIdx.x / WH_WARP * 16;
#pragma unroll
    for (int half_ = 0; half_ < 2; half_++) {
        float sum = rows.sum[half_];
        sum += __shfl_xor_sync(WH_ALL, sum, 1);
        sum += __shfl_xor_sync(WH_ALL, sum, 2);
        float inverse = 1.0f / sum;
#pragma unroll
        for (int j = 0; j < DP / 8; j++)
            WH_STORE_SHARED((uint32_t *)(tile + place<DP>(base + lane / 4 + 8 * half_, j) + lane % 4 * 2),
                            wh_pack(rows.out[j][2 * half_] * inverse, rows.out[j][2 * half_ + 1] * inverse));
    }
    WH_UNLESS_MUTANT(8, __syncwarp());
    int pieces = d_head / 8;
    for (int i = lane; i < 16 * pieces; i += WH_WARP) {
        int r = i / pieces, c = i % pieces;
        if (WH_BRANCH(first + base + r < WH_MUTATE(6, n, n + 1)))
            WH_STORE((uint4 *)(out + (size_t)(first + base + r) * d + c * 8),
                     WH_LOAD_SHARED((const uint4 *)(tile + place<DP>(base + r, c))));
    }
}

template <int DP, bool AMPERE>
/* sm_75's shared memory holds two blocks; three elsewhere. */
__global__ void __launch_bounds__(THREADS, AMPERE ? 3 : 2)
    attention(const half *q, const half *k, const half *v, half *out, int n, int keys, int d, int d_head, float scale)
{
    Carve carve;
    half *q_tile = carve.take<half>(QUERIES * DP);
    half *k_now = carve.take<half>(KEYS * DP), *v_now = carve.take<half>(KEYS * DP);
    half *k_next = AMPERE ? carve.take<half>(KEYS * DP) : k_now;
    half *v_next = AMPERE ? carve.take<half>(KEYS * DP) : v_now;
    int lane = threadIdx.x % WH_WARP, warp = threadIdx.x / WH_WARP, first = blockIdx.x * QUERIES;
    size_t head = (size_t)blockIdx.y * keys * DP;
    q += (size_t)blockIdx.y * n * DP, k += head, v += head;

    copy_tile<DP, AMPERE>(q_tile, q, first, n);
    copy_tile<DP, AMPERE>(k_now, k, 0, keys);
    copy_tile<DP, AMPERE>(v_now, v, 0, keys);
    if (AMPERE)
        wh_cp_commit();
    Rows<DP> rows;
    rows.most[0] = rows.most[1] = -INFINITY;
    rows.sum[0] = rows.sum[1] = 0;
#pragma unroll
    for (int j = 0; j < DP / 8; j++)
        rows.out[j][0] = rows.out[j][1] = rows.out[j][2] = rows.out[j][3] = 0;

    int tiles = (keys + KEYS - 1) / KEYS;
    for (int t = 0; t < tiles; t++) {
        if (AMPERE && t + 1 < tiles) {
            copy_tile<DP, true>(k_next, k, (t + 1) * KEYS, keys);
            copy_tile<DP, true>(v_next, v, (t + 1) * KEYS, keys);
            wh_cp_commit();
            WH_UNLESS_MUTANT(2, wh_cp_wait<1>());
        } else if (AMPERE) {
            wh_cp_wait<0>();
        }
        WH_UNLESS_MUTANT(1, __syncthreads()); /* the tile is there, whoever copied it */
        if (t == 0) {
#pragma unroll
            for (int h = 0; h < DP / 16; h++)
                wh_ldmatrix(rows.q[h], q_tile + place<DP>(warp * 16 + lane % 16, 2 * h + lane / 16));
        }
        float s[KEYS / 8][4];
        scores<DP, AMPERE>(rows, k_now, keys - t * KEYS, s);
        weigh<DP>(rows, s, scale);
        add_values<DP, AMPERE>(rows, v_now, s);
        WH_UNLESS_MUTANT(7, __syncthreads()); /* all have read it: it may be overwritten */
        if (!AMPERE && t + 1 < tiles) {
            copy_tile<DP, false>(k_now, k, (t + 1) * KEYS, keys);
            copy_tile<DP, false>(v_now, v, (t + 1) * KEYS, keys);
        }
        half *k_old = k_now, *v_old = v_now;
        k_now = k_next, v_now = v_next, k_next = k_old, v_next = v_old;
    }
    write_rows<DP>(rows, q_tile, out + (size_t)blockIdx.y * d_head, first, n, d, d_head);
}

/* ---- launchers ---- */

template <int DP, bool AMPERE>
static void launch(const half *q, const half *k, const half *v, half *out, int n, int keys, int d, int heads,
                   cudaStream_t stream)
{
    dim3 grid((n + QUERIES - 1) / QUERIES, heads);
    size_t shared = (size_t)(QUERIES + (AMPERE ? 4 : 2) * KEYS) * DP * sizeof(half);
    int d_head = d / heads;
    WH_LAUNCH((attention<DP, AMPERE>), grid, dim3(THREADS), shared, stream, q, k, v, out, n, keys, d, d_head,
              1.44269504f / sqrtf((float)d_head)); /* times log2 e: exp2 is the hardware's */
}

void wh_cuda_attention(const half *q, const half *k, const half *v, half *out, int n, int keys, int d, int heads,
                       int sm, cudaStream_t stream)
{
    bool small = wh_cuda_padded_head(d / heads) == 32;
    if (sm >= 80 && small)
        launch<32, true>(q, k, v, out, n, keys, d, heads, stream);
    else if (sm >= 80)
        launch<64, true>(q, k, v, out, n, keys, d, heads, stream);
    else if (small)
        launch<32, false>(q, k, v, out, n, keys, d, heads, stream);
    else
        launch<64, false>(q, k, v, out, n, keys, d, heads, stream);
}
