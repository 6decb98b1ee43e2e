/* blas.h - OpenBLAS, opened at run time when a backend "blas" is first made. For lib/backend/cpu/product.c. */
#ifndef WH_BLAS_H
#define WH_BLAS_H

/* y[m][n] = alpha * x[m][k] * w[n][k]^T + beta * y, rows ldx, ldw, ldy floats apart. */
typedef void (*wh_sgemm_fn)(int order, int transpose_x, int transpose_w, int m, int n, int k, float alpha,
                            const float *x, int ldx, const float *w, int ldw, float beta, float *y, int ldy);
#define WH_ROW_MAJOR 101
#define WH_NO_TRANS 111
#define WH_TRANS 112

typedef struct wh_blas {
    wh_sgemm_fn sgemm; /* NULL when there is no OpenBLAS */
    char name[96];     /* "OpenBLAS 0.3.21 SkylakeX" */
    char problem[256]; /* when sgemm is NULL: why, and what to install */
} wh_blas;

/* Opened at the first call, for the life of the process. Never NULL. Any thread may call it. */
const wh_blas *wh_blas_get(void);

#endif
