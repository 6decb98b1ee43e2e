/* mel.cu - samples to log-Mel frames: what lib/mel does on the CPU, unclamped.
 *
 * Idea: a warp makes the spectrum of a frame, 400 = 20 x 20 (Cooley and Tukey 1965): lane r takes samples r, r + 20,
 * ... through a transform of 20 whose factors are constants of the program, turns the result, and a second transform
 * of 20 over r gives the bins; 201 of them are needed, so that half of the first transform's rows do. A block takes
 * 32 frames, so that in the filters a lane is a frame: the power of a bin lies in shared memory frame by frame, a
 * filter's weight is the same for all lanes. float32 throughout: quiet bins need it.
 *
 * Launch: frames / 32 blocks of 256 threads. A frame reads 400 samples (240 of them for the second or third time,
 * from the cache) and writes n_mels numbers. */
#include "layers.h"

#define WARPS 8
#define THREADS (WARPS * WH_WARP)
#define FRAMES 32 /* a block */
#define FFT 400
#define HOP 160
#define ROOT 20
#define HALF 11 /* rows of the first transform that are needed: 0 .. 10 */
#define BINS 201
#define APART 21 /* from row to row of the first transform: lanes find different banks, both ways */
#define POWERS (FRAMES + 1)

/* cos and sin of 2 pi j / 20; j is known to the compiler wherever this is called */
__device__ __forceinline__ float cos20(int j)
{
    const float c[ROOT] = {1.0f,  0.951056516f,  0.809016994f,  0.587785252f,  0.309016994f,
                           0.0f,  -0.309016994f, -0.587785252f, -0.809016994f, -0.951056516f,
                           -1.0f, -0.951056516f, -0.809016994f, -0.587785252f, -0.309016994f,
                           0.0f,  0.309016994f,  0.587785252f,  0.809016994f,  0.951056516f};
    return c[j % ROOT];
}

__device__ __forceinline__ float sin20(int j)
{
    return cos20(j + 15); /* sin x = cos(x - pi / 2) */
}

/* ---- kernels ---- */

/* Lane r < 20: the first transform of a frame's samples r, r + 20, ..., times e^(-2 pi i r k / 400), row k to
 * re, im [k][r]. */
__device__ __forceinline__ void first_transform(const float *samples, const float *window, const float2 *turns,
                                                int lane, float *re, float *im)
{
    float x[ROOT];
#pragma unroll
    for (int j = 0; j < ROOT; j++)
        x[j] = WH_LOAD(samples + ROOT * j + lane) * WH_LOAD(window + ROOT * j + lane);
#pragma unroll
    for (int k = 0; k < HALF; k++) {
        float a = 0, b = 0;
#pragma unroll
        for (int j = 0; j < ROOT; j++) {
            a += x[j] * cos20(j * k);
            b -= x[j] * sin20(j * k);
        }
        float2 turn = WH_LOAD(turns + k * ROOT + lane);
        WH_STORE_SHARED(re + k * APART + lane, a * turn.x - b * turn.y);
        WH_STORE_SHARED(im + k * APART + lane, a * turn.y + b * turn.x);
    }
}

/* Lane k < 11: the second transform, of row k: bins k, k + 20, ...; those beyond 200 are their mirrors'. */
__device__ __forceinline__ void second_transform(const float *re, const float *im, int lane, float *power)
{
    float a[ROOT], b[ROOT];
#pragma unroll
    for (int r = 0; r < ROOT; r++) {
        a[r] = WH_LOAD_SHARED(re + lane * APART + r);
        b[r] = WH_LOAD_SHARED(im + lane * APART + r);
    }
#pragma unroll
    for (int j = 0; j < HALF; j++) { /* j and 20 - j have the same products */
        float ac = 0, as = 0, bc = 0, bs = 0;
#pragma unroll
        for (int r = 0; r < ROOT; r++) {
            ac += a[r] * cos20(j * r), as += a[r] * sin20(j * r);
            bc += b[r] * cos20(j * r), bs += b[r] * sin20(j * r);
        }
        float x = ac + bs, y = bc - as, u = ac - bs, v = bc + as;
        int bin = lane + ROOT * j, other = lane + ROOT * (ROOT - j) % FFT; /* lanes 0 and 10 make their bins twice */
        WH_STORE_SHARED(power + (bin > FFT / 2 ? FFT - bin : bin) * POWERS, x * x + y * y);
        WH_STORE_SHARED(power + (other > FFT / 2 ? FFT - other : other) * POWERS, u * u + v * v);
    }
}

/* ranges [n_mels][2]: a filter's first bin and the one behind its last. */
__global__ void __launch_bounds__(THREADS, 2)
    log_mel(const float *samples, const float *window, const float2 *turns, const float *filters, const int32_t *ranges,
            int frames, int n_mels, float *out)
{
    Carve carve;
    float *power = carve.take<float>(BINS * POWERS);
    int apart = n_mels | 1, lane = threadIdx.x % WH_WARP, warp = threadIdx.x / WH_WARP, first = blockIdx.x * FRAMES;
    int rows = WARPS * 2 * HALF * APART, tile = FRAMES * apart;
    float *work = carve.take<float>(rows > tile ? rows : tile); /* the transforms' rows, then the results */
    float *re = work + warp * 2 * HALF * APART, *im = re + HALF * APART;
    for (int i = warp; i < FRAMES; i += WARPS)
        if (WH_BRANCH(first + i < WH_MUTATE(13, frames, frames + 1))) { /* the others' numbers are never looked at */
            if (lane < ROOT)
                first_transform(samples + (size_t)(first + i) * HOP, window, turns, lane, re, im);
            __syncwarp();
            if (lane < HALF)
                second_transform(re, im, lane, power + i);
            WH_UNLESS_MUTANT(14, __syncwarp()); /* the rows have been read */
        }
    __syncthreads();
    for (int m = warp; m < n_mels; m += WARPS) {
        int end = WH_LOAD(ranges + 2 * m + 1);
        float sum = 0;
        for (int k = WH_LOAD(ranges + 2 * m); k < end; k++)
            sum += WH_LOAD(filters + m * BINS + k) * WH_LOAD_SHARED(power + k * POWERS + lane);
        WH_STORE_SHARED(work + lane * apart + m, log10f(fmaxf(sum, 1e-10f)));
    }
    WH_UNLESS_MUTANT(15, __syncthreads());
    for (int i = warp; i < FRAMES; i += WARPS)
        for (int m = lane; m - lane < n_mels; m += WH_WARP) {
            float x = WH_LOAD_SHARED(work + i * apart + (m < n_mels ? m : n_mels - 1));
            if (first + i < frames && m < n_mels)
                WH_STORE(out + (size_t)(first + i) * n_mels + m, x);
        }
}

/* ---- launchers ---- */

void wh_cuda_log_mel(const wh_cuda_log_mel_call *call, cudaStream_t stream)
{
    int rows = WARPS * 2 * HALF * APART, tile = FRAMES * (call->n_mels | 1), work = rows > tile ? rows : tile;
    size_t shared = (size_t)((BINS * POWERS + 3) / 4 * 4 + (work + 3) / 4 * 4) * sizeof(float);
    WH_LAUNCH(log_mel, dim3((call->frames + FRAMES - 1) / FRAMES), dim3(THREADS), shared, stream, call->samples,
              call->tables, (const float2 *)(call->tables + FFT), call->filters, call->ranges, call->frames,
              call->n_mels, call->out);
}

size_t wh_cuda_log_mel_tables(float *tables)
{
    const double turn = 2 * 3.14159265358979323846;
    float *turns = tables + FFT;
    for (int i = 0; tables && i < FFT; i++)
        tables[i] = (float)(0.5 - 0.5 * cos(turn * i / FFT)); /* periodic Hann */
    for (int k = 0; tables && k < HALF; k++)
        for (int r = 0; r < ROOT; r++) {
            turns[2 * (k * ROOT + r)] = (float)cos(turn * r * k / FFT);
            turns[2 * (k * ROOT + r) + 1] = (float)-sin(turn * r * k / FFT);
        }
    return FFT + 2 * HALF * ROOT;
}
