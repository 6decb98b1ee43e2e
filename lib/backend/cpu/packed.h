/* packed.h - matrix products with packed weights (weights.h), under product.c. */
#ifndef WH_CPU_PACKED_H
#define WH_CPU_PACKED_H

#include "backend/cpu/state.h"

/* As wh_cpu_products(), for weights that are packed, all of them. */
void wh_cpu_packed_products(wh_backend *backend, const wh_product *products, int n);

/* Rows and bytes that x_packed has room for, and floats that a task needs. */
size_t wh_cpu_packed_rows(const wh_backend *backend);
size_t wh_cpu_packed_size(const wh_backend *backend);
size_t wh_cpu_packed_scratch(const wh_backend *backend);

#endif
