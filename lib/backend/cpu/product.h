/* product.h - matrix products with a model's weights, and layer norm, spread over the threads: what encode.c and
 * decode.c are made of. */
#ifndef WH_CPU_PRODUCT_H
#define WH_CPU_PRODUCT_H

#include "backend/cpu/state.h"

/* Floats that a task needs. */
size_t wh_cpu_product_scratch(const wh_backend *backend);

/* Run products that do not depend on each other. At most WH_FEW_ROWS rows each (same bits for a row whatever else is
 * there), or all of them more than that. */
void wh_cpu_products(wh_backend *backend, const wh_product *products, int n);

/* out = layer norm of n rows of d channels; out may be x. */
void wh_cpu_layer_norm(wh_backend *backend, const float *x, wh_norm norm, float *out, int n, int d);

#endif
