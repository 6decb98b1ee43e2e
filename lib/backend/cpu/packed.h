/* packed.h - matrix products with packed weights (weights.h), under product.c. */
#ifndef WH_CPU_PACKED_H
#define WH_CPU_PACKED_H

#include "backend/cpu/state.h"

/* Rows of x rounded: groups of gemm->rows rows, and the scales of each. */
typedef struct wh_rounded {
    int8_t *rows;
    float *scale;
} wh_rounded;

/* As wh_cpu_products(), for weights that are packed, all of them. */
void wh_cpu_packed_products(wh_backend *backend, const wh_product *products, int n);

/* Products of the same rows of x in the calling thread, a worker's, which has room for them; the same bits. */
void wh_cpu_packed_here(const wh_backend *backend, const wh_product *products, int n, const wh_rounded *room,
                        int worker);

/* Groups of a block of block.c, at least. */
#define WH_BLOCK_GROUPS 4

/* Whether the encoder goes by in blocks: with packed weights, unless AMX's groups of long rows are too large for a
 * cache. */
int wh_cpu_in_blocks(const wh_backend *backend);

/* Rows and bytes that x_packed has room for, and floats that a task needs. */
size_t wh_cpu_packed_rows(const wh_backend *backend);
size_t wh_cpu_packed_size(const wh_backend *backend);
size_t wh_cpu_packed_scratch(const wh_backend *backend);

#endif
