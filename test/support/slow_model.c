/* slow_model.c - the architecture in double precision with plain loops (see slow_model.h). */
#include "support/slow_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

/* ---- a random model; its arrays hang on model->owned ---- */

static void *keep_bytes(whisp_model *m, size_t bytes)
{
    void *array = wh_alloc_aligned(bytes, 1);
    assert_non_null(array);
    assert_int_equal(wh_grow(&m->owned, &m->owned_capacity, m->n_owned + 1, sizeof *m->owned), 0);
    m->owned[m->n_owned++] = array;
    return array;
}

static float *keep(whisp_model *m, size_t floats)
{
    return keep_bytes(m, floats * sizeof(float));
}

/* Uniform in center +- spread. */
static float *vector(whisp_model *m, size_t n, double center, double spread, uint64_t *seed)
{
    float *v = keep(m, n);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(center + spread * (2 * random_unit(seed) - 1));
    return v;
}

/* One of the types that a matrix with rows of n elements may have, if it is not told. */
static wh_type type_of(wh_type type, int64_t n, int is_conv, uint64_t *seed)
{
    if (type != SLOW_MIXED && type != SLOW_MIXED_INT8)
        return is_conv && type != WH_F32 ? WH_F16 : type;
    const wh_type types[] = {WH_F32, WH_F16, WH_BF16, n % 32 || is_conv ? WH_F16 : WH_Q8_0, WH_I8};
    size_t k = (size_t)(random_unit(seed) * (type == SLOW_MIXED_INT8 ? 5 : 4));
    return types[k];
}

/* Divide a row by its scale, so that it fits int8. */
static float scale_row(float *row, int64_t n)
{
    float most = 1e-20f;
    for (int64_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(row[i]));
    for (int64_t i = 0; i < n; i++)
        row[i] *= 127 / most;
    return most / 127;
}

static const wh_tensor *matrix(whisp_model *m, wh_type type, int64_t rows, int64_t columns, int64_t taps,
                               uint64_t *seed)
{
    int64_t n = columns * taps;
    type = type_of(type, n, taps > 1, seed);
    size_t bytes = wh_type_row_size(type, n);
    wh_tensor *t = keep_bytes(m, sizeof *t);
    char *data = keep_bytes(m, (size_t)rows * bytes);
    *t = (wh_tensor){.name = "random",
                     .type = type,
                     .n_dims = taps > 1 ? 3 : 2,
                     .shape = {rows, columns, taps, 1},
                     .data = data,
                     .bytes = (size_t)rows * bytes};
    float *row = malloc((size_t)n * sizeof *row), *scale = type == WH_I8 ? keep(m, (size_t)rows) : NULL;
    assert_non_null(row);
    m->is_int8 |= type == WH_I8;
    t->scale = scale;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < n; i++)
            row[i] = (float)((2 * random_unit(seed) - 1) * 2.5 / sqrt((double)n));
        if (scale)
            scale[r] = scale_row(row, n);
        wh_encode_row(type, row, data + (size_t)r * bytes, n);
    }
    free(row);
    return t;
}

static wh_norm norm(whisp_model *m, int d, uint64_t *seed)
{
    float *gain = vector(m, (size_t)d, 1.0, 0.3, seed);
    return (wh_norm){gain, vector(m, (size_t)d, 0.0, 0.3, seed)};
}

static wh_linear linear(whisp_model *m, wh_type type, int out, int in, int bias, uint64_t *seed)
{
    const wh_tensor *w = matrix(m, type, out, in, 1, seed);
    return (wh_linear){w, bias ? vector(m, (size_t)out, 0.0, 0.2, seed) : NULL};
}

static wh_attention attention(whisp_model *m, wh_type type, int d, uint64_t *seed)
{
    wh_attention a;
    a.q = linear(m, type, d, d, 1, seed);
    a.k = linear(m, type, d, d, 0, seed);
    a.v = linear(m, type, d, d, 1, seed);
    a.out = linear(m, type, d, d, 1, seed);
    return a;
}

static wh_block *blocks(whisp_model *m, wh_type type, int n, int d, int decoder, uint64_t *seed)
{
    wh_block *list = calloc((size_t)n, sizeof *list);
    assert_non_null(list);
    for (int i = 0; i < n; i++) {
        list[i].attn_ln = norm(m, d, seed);
        list[i].attn = attention(m, type, d, seed);
        if (decoder) {
            list[i].cross_ln = norm(m, d, seed);
            list[i].cross = attention(m, type, d, seed);
        }
        list[i].mlp_ln = norm(m, d, seed);
        list[i].mlp_up = linear(m, type, 4 * d, d, 1, seed);
        list[i].mlp_down = linear(m, type, d, 4 * d, 1, seed);
    }
    return list;
}

whisp_model *slow_model_new(const slow_sizes *s, wh_type type, uint64_t seed)
{
    whisp_model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->n_vocab = s->n_vocab, m->n_mels = s->n_mels, m->type = type;
    m->n_audio_ctx = s->n_audio_ctx, m->n_audio_state = s->d, m->n_audio_head = s->heads;
    m->n_text_ctx = s->n_text_ctx, m->n_text_state = s->d, m->n_text_head = s->text_heads ? s->text_heads : s->heads;
    m->n_audio_layer = s->audio_layers, m->n_text_layer = s->text_layers;
    m->conv1_w = matrix(m, type == SLOW_MIXED_INT8 ? SLOW_MIXED : type, s->d, s->n_mels, 3, &seed);
    m->conv2_w = matrix(m, type, s->d, s->d, 3, &seed);
    m->conv1_b = vector(m, (size_t)s->d, 0.0, 0.2, &seed);
    m->conv2_b = vector(m, (size_t)s->d, 0.0, 0.2, &seed);
    m->audio_positions = vector(m, (size_t)(s->n_audio_ctx * s->d), 0.0, 1.0, &seed);
    m->audio_blocks = blocks(m, type, s->audio_layers, s->d, 0, &seed);
    m->audio_ln = norm(m, s->d, &seed);
    m->token_embedding = matrix(m, type, s->n_vocab, s->d, 1, &seed);
    m->text_positions = vector(m, (size_t)(s->n_text_ctx * s->d), 0.0, 0.3, &seed);
    m->text_blocks = blocks(m, type, s->text_layers, s->d, 1, &seed);
    m->text_ln = norm(m, s->d, &seed);
    m->output = s->own_output ? matrix(m, type, s->n_vocab, s->d, 1, &seed) : m->token_embedding;
    m->n_alignment_heads = m->n_text_head * s->text_layers > 1 ? 2 : 1;
    m->alignment_heads = calloc(2, sizeof *m->alignment_heads);
    assert_non_null(m->alignment_heads);
    m->alignment_heads[0] = (wh_head){s->text_layers - 1, m->n_text_head - 1};
    m->alignment_heads[1] = (wh_head){0, 0};
    return m;
}

void slow_model_free(whisp_model *m)
{
    for (size_t i = 0; i < m->n_owned; i++)
        free(m->owned[i]);
    free(m->owned);
    free(m->audio_blocks);
    free(m->text_blocks);
    free(m->alignment_heads);
    free(m);
}

/* ---- what it computes ---- */

static double *doubles(size_t n)
{
    double *array = calloc(n, sizeof *array);
    assert_non_null(array);
    return array;
}

static float *decoded_row(const wh_tensor *w, int64_t j)
{
    int64_t n = w->shape[1] * w->shape[2];
    float *row = malloc((size_t)n * sizeof *row);
    assert_non_null(row);
    wh_decode_row(w->type, (const char *)w->data + (size_t)j * wh_type_row_size(w->type, n), row, n);
    for (int64_t i = 0; w->scale && i < n; i++)
        row[i] *= w->scale[j];
    return row;
}

static double gelu(double x)
{
    return x * 0.5 * (1 + erf(x / sqrt(2.0)));
}

/* y [m][out] = x [m][in] w^T + b; a new array */
UNWATCHED static double *apply(wh_linear l, const double *x, int m)
{
    int out = (int)l.w->shape[0], in = (int)l.w->shape[1];
    double *y = doubles((size_t)(m * out));
    for (int j = 0; j < out; j++) {
        float *w = decoded_row(l.w, j);
        for (int r = 0; r < m; r++) {
            double sum = l.b ? l.b[j] : 0;
            for (int i = 0; i < in; i++)
                sum += x[r * in + i] * w[i];
            y[r * out + j] = sum;
        }
        free(w);
    }
    return y;
}

UNWATCHED static double *normalize(wh_norm n, const double *x, int m, int d)
{
    double *y = doubles((size_t)(m * d));
    for (int r = 0; r < m; r++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < d; i++)
            mean += x[r * d + i] / d;
        for (int i = 0; i < d; i++)
            variance += (x[r * d + i] - mean) * (x[r * d + i] - mean) / d;
        for (int i = 0; i < d; i++)
            y[r * d + i] = (x[r * d + i] - mean) / sqrt(variance + 1e-5) * n.gain[i] + n.bias[i];
    }
    return y;
}

static void add_into(double *x, double *y, int n)
{
    for (int i = 0; i < n; i++)
        x[i] += y[i];
    free(y);
}

/* x += attention(h, source); raw[head] receives the scores [m][n] of the heads where it is not NULL. */
UNWATCHED static void attend(const wh_attention *a, double *x, const double *h, const double *source, int m, int n,
                             int d, int heads, int causal, double **raw)
{
    double *q = apply(a->q, h, m), *k = apply(a->k, source, n), *v = apply(a->v, source, n);
    double *mixed = doubles((size_t)(m * d)), *p = doubles((size_t)n);
    int size = d / heads;
    for (int head = 0; head < heads; head++)
        for (int r = 0; r < m; r++) {
            int seen = causal ? r + 1 : n;
            double max = -INFINITY, sum = 0;
            for (int t = 0; t < seen; t++) {
                p[t] = 0;
                for (int c = head * size; c < (head + 1) * size; c++)
                    p[t] += q[r * d + c] * k[t * d + c] / sqrt(size);
                if (raw && raw[head])
                    raw[head][r * n + t] = p[t];
                max = fmax(max, p[t]);
            }
            for (int t = 0; t < seen; t++)
                sum += p[t] = exp(p[t] - max);
            for (int c = head * size; c < (head + 1) * size; c++)
                for (int t = 0; t < seen; t++)
                    mixed[r * d + c] += p[t] / sum * v[t * d + c];
        }
    add_into(x, apply(a->out, mixed, m), m * d);
    free(q), free(k), free(v), free(mixed), free(p);
}

static void mlp(const wh_block *block, double *x, int m, int d)
{
    double *h = normalize(block->mlp_ln, x, m, d), *wide = apply(block->mlp_up, h, m);
    for (int i = 0; i < m * 4 * d; i++)
        wide[i] = gelu(wide[i]);
    add_into(x, apply(block->mlp_down, wide, m), m * d);
    free(h), free(wide);
}

/* y[t][j] = gelu(b[j] + sum over taps and channels of x[t * stride + tap - 1][i] w[j][i][tap]), zeros outside */
UNWATCHED static double *convolve(const wh_tensor *w, const float *b, const double *x, int n_in, int stride)
{
    int d = (int)w->shape[0], in = (int)w->shape[1], n = n_in / stride;
    double *y = doubles((size_t)(n * d));
    for (int j = 0; j < d; j++) {
        float *row = decoded_row(w, j);
        for (int t = 0; t < n; t++) {
            double sum = b[j];
            for (int tap = 0; tap < 3; tap++)
                for (int i = 0, from = t * stride + tap - 1; i < in && from >= 0 && from < n_in; i++)
                    sum += x[from * in + i] * row[i * 3 + tap];
            y[t * d + j] = gelu(sum);
        }
        free(row);
    }
    return y;
}

/* Both convolutions and the positions: what the blocks begin with. */
static double *slow_convolved(const whisp_model *m, const float *mel)
{
    int n = m->n_audio_ctx, d = m->n_audio_state;
    double *input = doubles((size_t)(2 * n * m->n_mels));
    for (int i = 0; i < 2 * n * m->n_mels; i++)
        input[i] = mel[i];
    double *wide = convolve(m->conv1_w, m->conv1_b, input, 2 * n, 1);
    double *x = convolve(m->conv2_w, m->conv2_b, wide, 2 * n, 2);
    for (int i = 0; i < n * d; i++)
        x[i] += m->audio_positions[i];
    free(input), free(wide);
    return x;
}

/* Rows of x [..][d], each as often and where by[n] names it. */
static double *repeated(const double *x, const int32_t *by, int n, int d)
{
    double *y = doubles((size_t)(n * d));
    for (int i = 0; i < n; i++)
        memcpy(y + i * d, x + by[i] * d, (size_t)d * sizeof *y);
    return y;
}

/* Queries are the rows at n_kept places, keys and values those again, each as often as it stands for a place. */
void slow_encode_kept(const whisp_model *m, const float *mel, const int32_t *places, int n_kept, const int32_t *kept_by,
                      double *out)
{
    int n = m->n_audio_ctx, d = m->n_audio_state;
    double *all = slow_convolved(m, mel), *x = repeated(all, places, n_kept, d);
    for (int layer = 0; layer < m->n_audio_layer; layer++) {
        const wh_block *block = &m->audio_blocks[layer];
        double *h = normalize(block->attn_ln, x, n_kept, d), *source = repeated(h, kept_by, n, d);
        attend(&block->attn, x, h, source, n_kept, n, d, m->n_audio_head, 0, NULL);
        mlp(block, x, n_kept, d);
        free(h), free(source);
    }
    double *last = normalize(m->audio_ln, x, n_kept, d), *whole = repeated(last, kept_by, n, d);
    memcpy(out, whole, (size_t)(n * d) * sizeof *out);
    free(all), free(x), free(last), free(whole);
}

void slow_encode(const whisp_model *m, const float *mel, double *out, double *block0)
{
    int n = m->n_audio_ctx, d = m->n_audio_state;
    double *x = slow_convolved(m, mel);
    for (int layer = 0; layer < m->n_audio_layer; layer++) {
        const wh_block *block = &m->audio_blocks[layer];
        double *h = normalize(block->attn_ln, x, n, d);
        attend(&block->attn, x, h, h, n, n, d, m->n_audio_head, 0, NULL);
        mlp(block, x, n, d);
        if (layer == 0)
            memcpy(block0, x, (size_t)(n * d) * sizeof *x);
        free(h);
    }
    double *last = normalize(m->audio_ln, x, n, d);
    memcpy(out, last, (size_t)(n * d) * sizeof *out);
    free(x), free(last);
}

void slow_decode(const whisp_model *m, const double *audio, const int32_t *tokens, int n, double *logits,
                 double *scores)
{
    int d = m->n_text_state, ctx = m->n_audio_ctx;
    double *x = doubles((size_t)(n * d)), **raw = calloc((size_t)m->n_text_head, sizeof *raw);
    assert_non_null(raw);
    for (int r = 0; r < n; r++) {
        float *row = decoded_row(m->token_embedding, tokens[r]);
        for (int i = 0; i < d; i++)
            x[r * d + i] = (double)row[i] + m->text_positions[r * d + i];
        free(row);
    }
    for (int layer = 0; layer < m->n_text_layer; layer++) {
        const wh_block *block = &m->text_blocks[layer];
        for (int i = 0; i < m->n_text_head; i++)
            raw[i] = NULL;
        for (int i = 0; i < m->n_alignment_heads; i++)
            if (m->alignment_heads[i].layer == layer)
                raw[m->alignment_heads[i].head] = scores + (size_t)i * (size_t)(n * ctx);
        double *h = normalize(block->attn_ln, x, n, d);
        attend(&block->attn, x, h, h, n, n, d, m->n_text_head, 1, NULL);
        free(h);
        h = normalize(block->cross_ln, x, n, d);
        attend(&block->cross, x, h, audio, n, ctx, d, m->n_text_head, 0, raw);
        free(h);
        mlp(block, x, n, d);
    }
    double *h = normalize(m->text_ln, x, n, d), *all = apply((wh_linear){m->output, NULL}, h, n);
    memcpy(logits, all, (size_t)n * (size_t)m->n_vocab * sizeof *logits);
    free(x), free(raw), free(h), free(all);
}
