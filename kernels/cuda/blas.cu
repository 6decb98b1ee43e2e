/* blas.cu - the large matrix products, by cuBLAS, which is opened at run time: without it, this library still loads and
 * can say what is missing. The emulator answers the call itself, with the same arguments. */
#include "blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __CUDACC__
#include <cublas_v2.h>
#endif

typedef cublasStatus_t (*gemm_function)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                                        const void *, const void *, cudaDataType_t, int, const void *, cudaDataType_t,
                                        int, const void *, void *, cudaDataType_t, int, cublasComputeType_t,
                                        cublasGemmAlgo_t);

struct wh_cuda_blas {
    void *library;
    cublasHandle_t handle;
    decltype(&cublasDestroy_v2) destroy;
    gemm_function gemm;
};

#ifdef __CUDACC__
static void *open_library()
{
    static const char *const names[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libcublas.so"};
    void *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !library; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}
#define FIND(library, name, type) ((type)dlsym((library), #name))
#else
static void *open_library()
{
    return getenv("CUDAEMU_NO_CUBLAS") ? NULL : dlopen(NULL, RTLD_NOW);
}
#define FIND(library, name, type) ((void)(library), (type)name)
#endif

wh_cuda_blas *wh_cuda_blas_open(cudaStream_t stream, char *message)
{
    void *library = open_library();
    if (!library) {
        snprintf(message, 256, "cuBLAS (libcublas.so, from NVIDIA's CUDA toolkit) cannot be opened");
        return NULL;
    }
    auto create = FIND(library, cublasCreate_v2, decltype(&cublasCreate_v2));
    auto set_stream = FIND(library, cublasSetStream_v2, decltype(&cublasSetStream_v2));
    wh_cuda_blas blas = {library, NULL, FIND(library, cublasDestroy_v2, decltype(&cublasDestroy_v2)),
                         FIND(library, cublasGemmEx, gemm_function)};
    int status = create && set_stream && blas.destroy && blas.gemm ? (int)create(&blas.handle) : -1;
    if (!status)
        status = (int)set_stream(blas.handle, stream);
    wh_cuda_blas *made = status ? NULL : (wh_cuda_blas *)malloc(sizeof *made);
    if (!made) {
        snprintf(message, 256, "cuBLAS cannot be started (status %d)", status);
        if (blas.handle)
            blas.destroy(blas.handle);
        dlclose(library);
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
    dlclose(blas->library);
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
