/* kernels.h - matrices and vectors on the CPU. Knows nothing of Whisper.
 *
 * Used by lib/backend/cpu_....c. Every kernel has a plain C definition (kernels/cpu, _generic) and may have versions
 * for instruction sets; one table of function pointers is filled once from CPUID, capped by WHISP_CPU. */
#ifndef WH_KERNELS_H
#define WH_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef enum wh_cpu_level { WH_CPU_GENERIC, WH_CPU_AVX2, WH_CPU_AVX512, WH_CPU_LEVELS } wh_cpu_level;

/* The best level of this CPU and operating system, capped by the environment variable WHISP_CPU=generic|avx2|avx512. */
wh_cpu_level wh_cpu_detect(void);
const char *wh_cpu_level_name(wh_cpu_level level);

typedef struct wh_kernels {
    /* out[i] = decoded x[i]: the stored types' rows to floats; n elements (a multiple of 32 for q8_0) */
    void (*f16_to_f32)(const uint16_t *x, float *out, size_t n);
    void (*bf16_to_f32)(const uint16_t *x, float *out, size_t n);
    void (*q8_0_to_f32)(const void *x, float *out, size_t n);

    /* y[r * ldy + j] (+)= sum_k x[r * ldx + k] * w[j][k] (+ b[j]): few rows (1 to 16), a slice of n weight rows.
     * w is [n][k] in its stored type (see wh_dot_type); b may be NULL. The sum's order depends on k alone. */
    void (*rows_f32)(const float *x, size_t ldx, int rows, const float *w, size_t n, size_t k, const float *b, float *y,
                     size_t ldy);
    void (*rows_f16)(const float *x, size_t ldx, int rows, const uint16_t *w, size_t n, size_t k, const float *b,
                     float *y, size_t ldy);
    void (*rows_bf16)(const float *x, size_t ldx, int rows, const uint16_t *w, size_t n, size_t k, const float *b,
                      float *y, size_t ldy);
    void (*rows_q8_0)(const float *x, size_t ldx, int rows, const void *w, size_t n, size_t k, const float *b, float *y,
                      size_t ldy);

    /* layer norm of one row: out = (x - mean) / sqrt(var + 1e-5) * gain + bias; out may be x */
    void (*layer_norm)(const float *x, const float *gain, const float *bias, float *out, size_t n);
    /* x = softmax(x * scale) in place over n values */
    void (*softmax)(float *x, float scale, size_t n);
    /* x = gelu(x + b), erf form, in place */
    void (*bias_gelu)(float *x, const float *b, size_t n);
    /* y += x; y += x + b */
    void (*add)(float *y, const float *x, size_t n);
    void (*add_bias)(float *y, const float *x, const float *b, size_t n);
    /* y += a * x */
    void (*axpy)(float *y, float a, const float *x, size_t n);
    float (*dot)(const float *x, const float *y, size_t n);
} wh_kernels;

/* The table for a level; NULL if this machine or build does not have it. Immutable, static storage. */
const wh_kernels *wh_kernels_get(wh_cpu_level level);

#endif
