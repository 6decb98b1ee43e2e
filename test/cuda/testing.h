/* testing.h - what the tests of the CUDA kernels (kernels.cpp) and of the engine (engine.cpp) share: drawn numbers, arrays of
 * the device, a comparison. */
#ifndef WH_TEST_CUDA_TESTING_H
#define WH_TEST_CUDA_TESTING_H

#include "cuda/device.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

inline uint64_t state;
inline int failures;

inline double unit() /* [0, 1) */
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) / 9007199254740992.0;
}
inline int between(int low, int high)
{
    return low + (int)(unit() * (high - low + 1));
}

/* ---- device arrays ---- */

inline cudaStream_t stream;

inline void must(cudaError_t error)
{
    if (error) {
        fprintf(stderr, "%s\n", cudaGetErrorString(error));
        exit(1);
    }
}

template <class T> struct Array {
    T *p = nullptr;
    size_t n;
    explicit Array(size_t n_) : n(n_)
    {
        must(cudaMalloc((void **)&p, n * sizeof(T)));
    }
    explicit Array(const std::vector<T> &v) : Array(v.size())
    {
        must(cudaMemcpyAsync(p, v.data(), n * sizeof(T), cudaMemcpyHostToDevice, stream));
        must(cudaStreamSynchronize(stream));
    }
    Array(const Array &) = delete;
    ~Array()
    {
        must(cudaFree(p));
    }
    std::vector<T> read() const
    {
        std::vector<T> v(n);
        must(cudaMemcpyAsync(v.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost, stream));
        must(cudaStreamSynchronize(stream));
        return v;
    }
};

inline std::vector<float> floats(size_t n, double spread = 1)
{
    std::vector<float> v(n);
    for (float &x : v)
        x = (float)((2 * unit() - 1) * spread);
    return v;
}
inline std::vector<half> halfs(size_t n, double spread = 1)
{
    std::vector<half> v(n);
    for (half &x : v)
        x = __float2half((float)((2 * unit() - 1) * spread));
    return v;
}

inline double number(float x)
{
    return x;
}
inline double number(half x)
{
    return __half2float(x);
}

/* NaN never passes. */
template <class T>
void compare(const char *what, const std::vector<T> &got, const std::vector<double> &want, double tolerance)
{
    double worst = 0;
    for (size_t i = 0; i < want.size(); i++) {
        double error = fabs(number(got[i]) - want[i]) / fmax(1, fabs(want[i]));
        if (!(error <= worst))
            worst = error == error ? error : INFINITY;
    }
    if (!(worst <= tolerance) || got.size() < want.size()) {
        fprintf(stderr, "%s: differs by %g, %g is allowed\n", what, worst, tolerance);
        failures++;
    }
}

/* The tests of engine.cpp. */
void test_engine();
void test_steps();
#ifndef __CUDACC__ /* failures that the emulator is told to make */
void test_without_graphs();
void test_unlaunched_log_mel();
void test_device_is_given_back();
#endif

#endif
