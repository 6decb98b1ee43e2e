/* blas.cu - the large matrix products, by cuBLAS, which is opened at run time: without it, this library still loads and
 * can say what is missing. The emulator answers the call itself, with the same arguments. */
#include "blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __CUDACC__
#include <cublas_v2.h>
#endif

typedef cublasStatus_t (*gemm_function)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                                        const void *, const void *, cudaDataType_t, int, const void *, cudaDataType_t,
                                        int, const void *, void *, cudaDataType_t, int, cublasComputeType_t,
                                        cublasGemmAlgo_t);

struct wh_cuda_blas {
    cublasHandle_t handle;
    decltype(&cublasDestroy_v2) destroy;
    gemm_function gemm;
};

#ifdef __CUDACC__
#define FIND(library, name, type) ((type)dlsym((library), #name))
#else
#define FIND(library, name, type) ((void)(library), (type)name)
#endif

/* The emulator has its own. CUDAEMU_CUBLAS: "none", or "real": that one can be found here, and where. */
static void *open_library()
{
#ifndef __CUDACC__
    const char *which = getenv("CUDAEMU_CUBLAS");
    if (!which || strcmp(which, "real"))
        return which ? NULL : dlopen(NULL, RTLD_NOW);
#endif
    return wh_cuda_blas_library();
}

wh_cuda_blas *wh_cuda_blas_open(cudaStream_t stream, char *message)
{
    void *library = open_library();
    if (!library) {
        snprintf(
            message, 256,
            "cuBLAS (libcublas.so, of NVIDIA's CUDA toolkit or pip's nvidia-cublas) cannot be opened; WHISP_CUDA_PATH "
            "says in which folder it is");
        return NULL;
    }
    auto create = FIND(library, cublasCreate_v2, decltype(&cublasCreate_v2));
    auto set_stream = FIND(library, cublasSetStream_v2, decltype(&cublasSetStream_v2));
    auto set_mode = FIND(library, cublasSetMathMode, decltype(&cublasSetMathMode));
    wh_cuda_blas blas = {NULL, FIND(library, cublasDestroy_v2, decltype(&cublasDestroy_v2)),
                         FIND(library, cublasGemmEx, gemm_function)};
    int status = create && set_stream && set_mode && blas.destroy && blas.gemm ? (int)create(&blas.handle) : -1;
    if (!status)
        status = (int)set_stream(blas.handle, stream);
    if (!status)
        WH_UNLESS_MUTANT(18, status = (int)set_mode(blas.handle, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION));
    wh_cuda_blas *made = status ? NULL : (wh_cuda_blas *)malloc(sizeof *made);
    if (!made) {
        snprintf(message, 256, "cuBLAS cannot be started (status %d)", status);
        if (blas.handle)
            blas.destroy(blas.handle);
        return NULL;
    }
    *made = blas;
    return made;
}

void wh_cuda_blas_close(wh_cuda_blas *blas)
{
    if (!blas)
        return;
    blas->destroy(blas->handle);
    free(blas);
}

int wh_cuda_blas_gemm(wh_cuda_blas *blas, const half *x, int ldx, const half *w, void *y, int n, int m, int k,
                      bool floats, bool add)
{
    /* cuBLAS is column-major: y^T [m][n] = w [m][k] x^T, and a row-major [m][k] is a column-major [k][m]. */
    float one = 1, beta = add ? 1 : 0;
    return (int)blas->gemm(blas->handle, CUBLAS_OP_T, CUBLAS_OP_N, m, n, k, &one, w, CUDA_R_16F, k, x, CUDA_R_16F, ldx,
                           &beta, y, floats ? CUDA_R_32F : CUDA_R_16F, m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}
