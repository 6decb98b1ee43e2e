/* ceilings.cu - what the device does at most, measured here: a large square product by cuBLAS, and a copy from its memory to
 * its memory. What bench/stages.c takes shares of. */
#include "backend/cuda/state.h"

#include <chrono>

enum { LEAST_SIDE = 256, MOST_SIDE = 8192, TIMES = 5 };
static const double ENOUGH = 0.005; /* seconds of one product: the next one would be eight times that */

static double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/* Seconds of a product of side x side matrices, and of a copy of one, the best of some. */
static int measure(wh_cuda_engine *e, half *const *matrices, int side, double *product, double *copy)
{
    size_t bytes = (size_t)side * side * sizeof(half);
    *product = *copy = 1e9;
    for (int i = 0; i < TIMES; i++) {
        double start = now();
        TRY(engine_gemm(e, matrices[0], side, matrices[1], matrices[2], side, side, side, false, false));
        TRY(engine_check(e, cudaStreamSynchronize(e->main), "product"));
        double between = now();
        TRY(engine_move(e, matrices[2], matrices[0], bytes, cudaMemcpyDeviceToDevice));
        TRY(engine_check(e, cudaStreamSynchronize(e->main), "copy on the device"));
        double end = now();
        *product = between - start < *product ? between - start : *product;
        *copy = end - between < *copy ? end - between : *copy;
    }
    return WH_CUDA_OK;
}

static int measure_sides(wh_cuda_engine *e, half **matrices, double *operations, double *bytes)
{
    for (int side = LEAST_SIDE; side <= MOST_SIDE; side *= 2) {
        double product, copy, size = side;
        int rc = WH_CUDA_OK;
        for (int i = 0; i < 3 && !rc; i++) {
            cudaFree(matrices[i]);
            rc = device_array(e, &matrices[i], (size_t)side * side);
        }
        if (rc)
            return rc == WH_CUDA_MEMORY && side > LEAST_SIDE ? WH_CUDA_OK : rc; /* those before will do */
        for (int i = 0; i < 2; i++)
            TRY(engine_check(e, cudaMemsetAsync(matrices[i], 0, (size_t)side * side * sizeof(half), e->main),
                             "memset"));
        TRY(measure(e, matrices, side, &product, &copy));
        *operations = 2 * size * size * size / product;
        *bytes = 2 * size * size * sizeof(half) / copy; /* read and written */
        if (product > ENOUGH)
            break;
    }
    return WH_CUDA_OK;
}

int engine_ceilings(wh_cuda_engine *e, double *operations, double *bytes)
{
    half *matrices[3] = {NULL, NULL, NULL};
    ENTER(e);
    int rc = measure_sides(e, matrices, operations, bytes);
    for (half *matrix : matrices)
        cudaFree(matrix);
    return rc;
}
