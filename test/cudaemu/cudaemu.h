/* cudaemu.h - CUDA C++ compiled for the host: lets the .cu files of kernels/cuda run where there is no GPU.
 *
 * kernels/cuda/device.h includes this in place of CUDA's headers; nothing of the toolkit is needed. The rules are those
 * of a GPU, and where CUDA leaves something open, the least convenient choice is made, in an order drawn from a seed:
 *
 *   - every thread of a block is a fiber. It runs until it waits for others (a barrier, a warp collective); who goes on
 *     then is drawn. Blocks run on several host threads, in drawn order;
 *   - a barrier must be reached by every thread of the block, at the same line; a warp collective by all its lanes;
 *   - shared and device memory start as 0xff bytes (NaN as half and as float, -1 as integer);
 *   - dynamic shared memory is carved up through cudaemu::carve(), which puts red zones between the pieces;
 *   - cp.async writes 0xff to its target at once, and the data when the thread waits for the group;
 *   - a stream's operations run when somebody synchronizes; those of different streams in drawn order, held back by
 *     events only. A copy to the host poisons its target when it is queued.
 *
 * Errors are kept for cudaGetLastError() as CUDA keeps them, a thread's last one; a launch has no other way to tell. A stream
 * belongs to the device that was the thread's when it was made, and nothing may be queued in it while another one is.
 *
 * Settings from the environment: CUDAEMU_SEED, CUDAEMU_THREADS, CUDAEMU_SM (75, 80, ...), CUDAEMU_DEVICES,
 * CUDAEMU_DRIVER (the CUDA version that the driver is for), CUDAEMU_MEMORY (bytes), CUDAEMU_PROMISE (bytes that are said to be
 * free beside those that are), CUDAEMU_CUBLAS_MEMORY (bytes that cuBLAS takes at its first product), CUDAEMU_FAIL (number
 * of the runtime call that fails, and all after it: a lost device), CUDAEMU_FAIL_LAUNCH (a kernel's name: it cannot be
 * launched), CUDAEMU_FAIL_CAPTURE (begin, within, launch, end, instantiate: where captures fail),
 * CUDAEMU_PROFILE (1: count memory requests; a table at exit). */
#ifndef CUDAEMU_H
#define CUDAEMU_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};
struct __align__(8) float2
{
    float x, y;
};
struct __align__(16) float4
{
    float x, y, z, w;
};
struct __align__(16) uint4
{
    unsigned x, y, z, w;
};
struct __align__(8) uint2
{
    unsigned x, y;
};

/* ---- 16-bit floats ---- */

struct __half {
    uint16_t bits;
};
struct __nv_bfloat16 {
    uint16_t bits;
};
typedef __half half;

namespace cudaemu
{

extern const float *half_table; /* [65536] */

float half_to_float(uint16_t h);
uint16_t float_to_half(float x); /* to nearest even */

} // namespace cudaemu

inline float __half2float(__half h)
{
    return cudaemu::half_table[h.bits];
}
inline __half __float2half(float x)
{
    return __half{cudaemu::float_to_half(x)};
}
inline float __bfloat162float(__nv_bfloat16 h)
{
    uint32_t bits = (uint32_t)h.bits << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
inline __nv_bfloat16 __float2bfloat16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if (x != x)
        return __nv_bfloat16{0x7fff};
    return __nv_bfloat16{(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

/* ---- the running thread ---- */

namespace cudaemu
{

constexpr int WARP = 32;

/* What a kernel sees of itself. */
struct Self {
    dim3 thread, block;
    dim3 block_dim, grid_dim;
};
extern thread_local Self *current;

[[noreturn]] void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Collectives. `in` is this lane's part, copied; `act` runs once, when all lanes of the mask have come, with pointers
 * to the lanes' parts (NULL for lanes outside of the mask), and changes them; the lane's part is copied back. */
typedef void (*WarpAct)(void *const parts[WARP], const void *what);
void warp_call(unsigned mask, void *part, WarpAct act, const void *what, int line);
void barrier(int line);
void *carve(size_t bytes, size_t align, int line);         /* the next piece of dynamic shared memory */
void *static_shared(size_t bytes, size_t align, int line); /* a __shared__ variable */
int lane();

void cp_async(void *shared, const void *global, int bytes, int valid);
void cp_async_commit();
void cp_async_wait(int keep);

/* Profile. space: 'g' or 's'; write: 0 or 1. A vector access counts once. */
extern bool profiling;
void note(char space, int write, const void *p, int bytes, const char *file, int line);
void note_branch(bool taken, const char *file, int line);

template <class T> struct ShuffleWhat {
    int kind, arg;
};

template <class T> void shuffle_act(void *const parts[WARP], const void *what)
{
    const ShuffleWhat<T> *w = (const ShuffleWhat<T> *)what;
    T old[WARP] = {};
    for (int i = 0; i < WARP; i++)
        if (parts[i])
            memcpy(&old[i], parts[i], sizeof(T));
    for (int i = 0; i < WARP; i++) {
        if (!parts[i])
            continue;
        int from = w->kind == 'x'   ? i ^ w->arg
                   : w->kind == 'd' ? i + w->arg
                   : w->kind == 'u' ? i - w->arg
                                    : w->arg & 31;
        if (from < 0 || from >= WARP)
            from = i;
        if (parts[from])
            memcpy(parts[i], &old[from], sizeof(T));
        else
            memset(parts[i], 0xff, sizeof(T)); /* a lane that does not take part: undefined */
    }
}

template <class T> T shuffle(unsigned mask, T value, int kind, int arg, int line)
{
    ShuffleWhat<T> what = {kind, arg};
    warp_call(mask, &value, shuffle_act<T>, &what, line);
    return value;
}

unsigned ballot(unsigned mask, int value, int line);

} // namespace cudaemu

#define threadIdx (cudaemu::current->thread)
#define blockIdx (cudaemu::current->block)
#define blockDim (cudaemu::current->block_dim)
#define gridDim (cudaemu::current->grid_dim)

#define __syncthreads() cudaemu::barrier(__LINE__)
template <class T> T __shfl_xor_sync(unsigned mask, T v, int arg, int line = __builtin_LINE())
{
    return cudaemu::shuffle(mask, v, 'x', arg, line);
}
template <class T> T __shfl_down_sync(unsigned mask, T v, int arg, int line = __builtin_LINE())
{
    return cudaemu::shuffle(mask, v, 'd', arg, line);
}
template <class T> T __shfl_sync(unsigned mask, T v, int arg, int line = __builtin_LINE())
{
    return cudaemu::shuffle(mask, v, 'i', arg, line);
}
inline unsigned __ballot_sync(unsigned mask, int v, int line = __builtin_LINE())
{
    return cudaemu::ballot(mask, v, line);
}
inline int __any_sync(unsigned mask, int v, int line = __builtin_LINE())
{
    return cudaemu::ballot(mask, v, line) != 0;
}
inline int __all_sync(unsigned mask, int v, int line = __builtin_LINE())
{
    return cudaemu::ballot(mask, !v, line) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, int line = __builtin_LINE())
{
    cudaemu::ballot(mask, 0, line);
}

template <class T> T atomicAdd(T *p, T v)
{
    T old, sum;
    __atomic_load(p, &old, __ATOMIC_SEQ_CST);
    do
        sum = old + v;
    while (!__atomic_compare_exchange(p, &old, &sum, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old;
}
template <class T> T atomicMax(T *p, T v)
{
    T old, most;
    __atomic_load(p, &old, __ATOMIC_SEQ_CST);
    do
        most = old > v ? old : v;
    while (!__atomic_compare_exchange(p, &old, &most, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old;
}
inline void __threadfence()
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
inline float __expf(float x)
{
    return expf(x);
}
inline float rsqrtf(float x)
{
    return 1.0f / sqrtf(x);
}

/* ---- the runtime's calls that lib/backend's CUDA part uses ---- */

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorLaunchFailure = 719,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
struct cudaDeviceProp {
    char name[256];
    int major, minor, multiProcessorCount;
    size_t totalGlobalMem;
};
namespace cudaemu
{
struct Stream;
struct Event;
} // namespace cudaemu
typedef cudaemu::Stream *cudaStream_t;
typedef cudaemu::Event *cudaEvent_t;

const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
#define CUDART_VERSION 13000
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMemGetInfo(size_t *left, size_t *total);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int device);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocHost(void **p, size_t bytes);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);

/* Two calls of the driver, and how they are found: which context is this thread's. */
typedef struct CUctx_st *CUcontext;
typedef int CUresult;
enum cudaDriverEntryPointQueryResult { cudaDriverEntryPointSuccess = 0 };
enum { cudaEnableDefault = 0 };
cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version,
                                             unsigned long long flags, cudaDriverEntryPointQueryResult *result);

/* Graphs: what is queued in a stream while it is captured runs when the graph is launched, with the arguments that it
 * had then. Anything that a capture does not bear (waiting, taking memory) stops the program. */
namespace cudaemu
{
struct Graph;
} // namespace cudaemu
typedef cudaemu::Graph *cudaGraph_t, *cudaGraphExec_t;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

namespace cudaemu
{

void enqueue_launch(const char *name, dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                    std::function<void()> body);
/* Anything else that runs in a stream: cuBLAS's products. */
void enqueue(cudaStream_t stream, std::function<void()> work);

template <class... P, class... A>
void launch(const char *name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
            A... args)
{
    enqueue_launch(name, grid, block, shared, stream, [=]() { kernel(args...); });
}

} // namespace cudaemu

/* ---- cuBLAS: the one call. Where sums may be rounded to halfs between, the program stops. ---- */

typedef struct cublasContext {
    cudaStream_t stream;
    int mode;
} * cublasHandle_t;
enum cublasStatus_t { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_ALLOC_FAILED = 3, CUBLAS_STATUS_INVALID_VALUE = 7 };
enum cublasMath_t { CUBLAS_DEFAULT_MATH = 0, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16 };
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_16F = 2 };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68 };
enum cublasGemmAlgo_t { CUBLAS_GEMM_DEFAULT = -1 };
cublasStatus_t cublasCreate_v2(cublasHandle_t *handle);
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle);
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream);
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);
/* As cuBLAS's: column-major, C = alpha op(A) op(B) + beta C. */
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                            const void *alpha, const void *a, cudaDataType_t a_type, int lda, const void *b,
                            cudaDataType_t b_type, int ldb, const void *beta, void *c, cudaDataType_t c_type, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t algo);

#endif
