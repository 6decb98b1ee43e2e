/* blas.h - the large matrix products, by cuBLAS, which is opened at run time. */
#ifndef WH_CUDA_BLAS_H
#define WH_CUDA_BLAS_H

#include "device.h"

typedef struct wh_cuda_blas wh_cuda_blas;

/* blas_library.cu: cuBLAS, by dlopen, or NULL. It stays open: its clean-up needs threads and a driver that may be gone. */
void *wh_cuda_blas_library();

/* NULL with the reason in message [256] when cuBLAS is not there. */
wh_cuda_blas *wh_cuda_blas_open(cudaStream_t stream, char *message);
void wh_cuda_blas_close(wh_cuda_blas *blas);

/* y [n][m] (+)= x [n][k], rows ldx apart, times w [m][k]^T: halfs in, float32 sums, y halfs or floats (add: floats).
 * Sums are never rounded to halfs between, even where cuBLAS shares them out. 0, or cuBLAS's status; */
#define WH_CUDA_BLAS_MEMORY 3 /* CUBLAS_STATUS_ALLOC_FAILED */
int wh_cuda_blas_gemm(wh_cuda_blas *blas, const half *x, int ldx, const half *w, void *y, int n, int m, int k,
                      bool floats, bool add);

#endif
