/* load.c - a model's weights to the device: matrices as halfs, the rest as floats. Under cuda.c. What is stored as f16 or
 * q8_0 goes there as it is; other types become halfs here. */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/host.h"

static int load_part(const cuda_backend *b, int layer, wh_cuda_tensor which, const wh_cuda_part *part)
{
    return wh_cuda_failed(b, b->api->load(b->engine, layer, which, part));
}

static int load_floats(const cuda_backend *b, int layer, wh_cuda_tensor which, const float *data, size_t n)
{
    return load_part(b, layer, which, &(wh_cuda_part){.stored = WH_CUDA_FLOATS, .data = data, .n = n, .total = n});
}

/* Rows of numbers of any type as halfs. */
static void make_halfs(const wh_tensor *w, int64_t first, int64_t n, int64_t columns, float *row, uint16_t *halfs)
{
    size_t stored = wh_type_row_size(w->type, columns), at = 0;
    for (int64_t j = first; j < first + n; j++) {
        wh_decode_row(w->type, (const char *)w->data + (size_t)j * stored, row, columns);
        for (int64_t c = 0; c < columns; c++)
            halfs[at++] = wh_f32_to_f16(row[c]);
    }
}

/* A matrix of another type than the device knows, some rows at a time: numbers `first` .. of a tensor of `total`. */
static int load_other(const cuda_backend *b, int layer, wh_cuda_tensor which, const wh_tensor *w, size_t first,
                      size_t total)
{
    int64_t columns = w->shape[1], some = WH_MAX(1, ((int64_t)1 << 20) / columns);
    float *row = wh_calloc((size_t)columns, sizeof *row);
    uint16_t *halfs = wh_calloc((size_t)(some * columns), sizeof *halfs);
    int rc = row && halfs ? WHISP_OK : wh_fail_memory();
    for (int64_t j = 0; !rc && j < w->shape[0]; j += some) {
        int64_t n = WH_MIN(some, w->shape[0] - j);
        make_halfs(w, j, n, columns, row, halfs);
        rc = load_part(b, layer, which,
                       &(wh_cuda_part){.stored = WH_CUDA_HALFS,
                                       .data = halfs,
                                       .n = (size_t)(n * columns),
                                       .first = first + (size_t)(j * columns),
                                       .total = total});
    }
    free(row);
    free(halfs);
    return rc;
}

/* n matrices one below the other, each [rows][columns] of any stored type, as one. */
static int load_matrix(const cuda_backend *b, int layer, wh_cuda_tensor which, const wh_tensor *const *parts, int n)
{
    size_t columns = (size_t)parts[0]->shape[1], total = 0, first = 0;
    int rc = WHISP_OK;
    for (int i = 0; i < n; i++)
        total += (size_t)parts[i]->shape[0] * columns;
    for (int i = 0; !rc && i < n; i++) {
        const wh_tensor *w = parts[i];
        const wh_cuda_part part = {.stored = w->type == WH_Q8_0 ? WH_CUDA_Q8_0 : WH_CUDA_HALFS,
                                   .data = w->data,
                                   .n = (size_t)w->shape[0] * columns,
                                   .first = first,
                                   .total = total};
        rc = w->type == WH_F16 || w->type == WH_Q8_0 ? load_part(b, layer, which, &part)
                                                     : load_other(b, layer, which, w, first, total);
        first += part.n;
    }
    return rc;
}

/* A convolution's [d][in][3] as a matrix for each tap, [3][d][in]. */
static int load_taps(const cuda_backend *b, wh_cuda_tensor which, const wh_tensor *w)
{
    size_t d = (size_t)w->shape[0], in = (size_t)w->shape[1], n = 3 * d * in;
    if (!wh_type_row_size(w->type, 3 * w->shape[1]))
        return wh_fail(WHISP_ERR_MODEL, "tensor %s: a convolution's weights cannot be stored as %s", w->name,
                       wh_type_name(w->type));
    float *row = wh_calloc(3 * in, sizeof *row);
    uint16_t *stored = wh_calloc(3 * in, sizeof *stored), *halfs = wh_calloc(n, sizeof *halfs);
    int rc = row && stored && halfs ? WHISP_OK : wh_fail_memory();
    for (size_t j = 0; !rc && j < d; j++) {
        if (w->type == WH_F16)
            memcpy(stored, (const char *)w->data + j * 3 * in * sizeof *stored, 3 * in * sizeof *stored);
        else
            make_halfs(w, (int64_t)j, 1, (int64_t)(3 * in), row, stored);
        for (size_t i = 0; i < 3 * in; i++)
            halfs[(i % 3 * d + j) * in + i / 3] = stored[i];
    }
    if (!rc)
        rc = load_part(b, -1, which, &(wh_cuda_part){.stored = WH_CUDA_HALFS, .data = halfs, .n = n, .total = n});
    free(row);
    free(stored);
    free(halfs);
    return rc;
}

static int load_linear(const cuda_backend *b, int layer, wh_cuda_tensor weights, wh_linear linear)
{
    int rc = load_matrix(b, layer, weights, &linear.w, 1); /* the bias follows its matrix in the list of tensors */
    return rc ? rc : load_floats(b, layer, weights + 1, linear.b, (size_t)linear.w->shape[0]);
}

static int load_norm(const cuda_backend *b, int layer, wh_cuda_tensor gain, wh_norm norm)
{
    size_t d = (size_t)b->model->n_text_state;
    int rc = load_floats(b, layer, gain, norm.gain, d);
    return rc ? rc : load_floats(b, layer, gain + 1, norm.bias, d);
}

/* q, k, v, or k, v alone, as one product; absent biases are zeros. */
static int load_fused(const cuda_backend *b, int layer, wh_cuda_tensor weights, const wh_linear *linears, int n)
{
    size_t d = (size_t)b->model->n_text_state;
    const wh_tensor *parts[3];
    float *bias = wh_calloc((size_t)n * d, sizeof *bias);
    if (!bias)
        return wh_fail_memory();
    for (int i = 0; i < n; i++) {
        parts[i] = linears[i].w;
        if (linears[i].b)
            memcpy(bias + (size_t)i * d, linears[i].b, d * sizeof *bias);
    }
    int rc = load_matrix(b, layer, weights, parts, n);
    if (!rc)
        rc = load_floats(b, layer, weights + 1, bias, (size_t)n * d);
    free(bias);
    return rc;
}

static int load_block(const cuda_backend *b, int layer, const wh_block *block, int decoder)
{
    const wh_linear qkv[] = {block->attn.q, block->attn.k, block->attn.v};
    int rc;
    if ((rc = load_norm(b, layer, WH_CUDA_ATTN_GAIN, block->attn_ln)) ||
        (rc = load_fused(b, layer, WH_CUDA_QKV_W, qkv, 3)) ||
        (rc = load_linear(b, layer, WH_CUDA_OUT_W, block->attn.out)))
        return rc;
    if (decoder) {
        const wh_linear kv[] = {block->cross.k, block->cross.v};
        if ((rc = load_norm(b, layer, WH_CUDA_CROSS_GAIN, block->cross_ln)) ||
            (rc = load_linear(b, layer, WH_CUDA_CROSS_Q_W, block->cross.q)) ||
            (rc = load_fused(b, layer, WH_CUDA_CROSS_KV_W, kv, 2)) ||
            (rc = load_linear(b, layer, WH_CUDA_CROSS_OUT_W, block->cross.out)))
            return rc;
    }
    if ((rc = load_norm(b, layer, WH_CUDA_MLP_GAIN, block->mlp_ln)) ||
        (rc = load_linear(b, layer, WH_CUDA_UP_W, block->mlp_up)))
        return rc;
    return load_linear(b, layer, WH_CUDA_DOWN_W, block->mlp_down);
}

int wh_cuda_load(const cuda_backend *b)
{
    const whisp_model *m = b->model;
    size_t d = (size_t)m->n_text_state;
    int rc;
    if ((rc = load_taps(b, WH_CUDA_CONV1_W, m->conv1_w)) || (rc = load_floats(b, -1, WH_CUDA_CONV1_B, m->conv1_b, d)) ||
        (rc = load_taps(b, WH_CUDA_CONV2_W, m->conv2_w)) || (rc = load_floats(b, -1, WH_CUDA_CONV2_B, m->conv2_b, d)) ||
        (rc = load_floats(b, -1, WH_CUDA_AUDIO_POSITIONS, m->audio_positions, (size_t)m->n_audio_ctx * d)) ||
        (rc = load_norm(b, -1, WH_CUDA_AUDIO_GAIN, m->audio_ln)) ||
        (rc = load_matrix(b, -1, WH_CUDA_EMBEDDING_W, &m->token_embedding, 1)) ||
        (m->output != m->token_embedding && (rc = load_matrix(b, -1, WH_CUDA_OUTPUT_W, &m->output, 1))) ||
        (rc = load_floats(b, -1, WH_CUDA_TEXT_POSITIONS, m->text_positions, (size_t)m->n_text_ctx * d)) ||
        (rc = load_norm(b, -1, WH_CUDA_TEXT_GAIN, m->text_ln)) ||
        (m->mel_filters && (rc = wh_cuda_failed(b, b->api->load_filters(b->engine, m->mel_filters)))))
        return rc;
    for (int i = 0; !rc && i < m->n_audio_layer; i++)
        rc = load_block(b, i, &m->audio_blocks[i], 0);
    for (int i = 0; !rc && i < m->n_text_layer; i++)
        rc = load_block(b, m->n_audio_layer + i, &m->text_blocks[i], 1);
    return rc;
}
