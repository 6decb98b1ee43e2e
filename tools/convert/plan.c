/* plan.c - lists the tensors of a model by openai/whisper's names, finds each in the source and checks its shape. */
#include "plan.h"

#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT "decoder.output.weight"

struct plan {
    struct source *s;
    struct planned *list;
    size_t n, capacity;
    wh_type type;
    int rc;
};

/* How an output tensor of this shape is stored when matrices are to be `wanted`: vectors and positions stay exact, and
 * what cannot be cut into Q8_0's blocks (or is a convolution, which gains nothing from them) is f16, as is the first
 * convolution of an int8 file, whose product is a float one. */
static wh_type choose_type(wh_type wanted, const char *name, int is_matrix, int n_dims, const int64_t *shape)
{
    if (!is_matrix)
        return WH_F32;
    if (wanted == WH_Q8_0 && (n_dims != 2 || shape[1] % 32))
        return WH_F16;
    if (wanted == WH_I8 && strcmp(name, "encoder.conv1.weight") == 0)
        return WH_F16;
    return wanted;
}

/* Shapes agree; a vector may also be a column or a row, as ggml's convolution biases are. */
static int same_shape(const struct tensor *t, int n_dims, const int64_t *shape)
{
    if (n_dims == 1)
        return tensor_elements(t) == shape[0] && (t->n_dims == 1 || t->shape[0] == shape[0] || t->shape[0] == 1);
    for (int i = 0; i < n_dims; i++)
        if (t->n_dims != n_dims || t->shape[i] != shape[i])
            return 0;
    return 1;
}

/* Where the scales of an int8 tensor's rows are written: behind it. */
static void add_scale(struct plan *p, const char *name, int64_t rows, struct tensor *from)
{
    if ((p->rc = wh_grow(&p->list, &p->capacity, p->n + 1, sizeof *p->list)))
        return;
    struct planned *out = &p->list[p->n++];
    *out = (struct planned){.n_dims = 1, .shape = {rows, 1, 1, 1}, .from = from, .type = WH_F32, .is_scale = 1};
    snprintf(out->name, sizeof out->name, "%s_scale", name);
}

static void add(struct plan *p, const char *name, int is_matrix, int n_dims, int64_t a, int64_t b, int64_t c)
{
    const int64_t shape[WH_MAX_DIMS] = {a, b, c, 1};
    if (p->rc)
        return;
    struct tensor *from = source_find(p->s, name);
    if (!from) {
        p->rc = wh_fail(WHISP_ERR_MODEL, "%s: tensor %s is missing", p->s->path, name);
        return;
    }
    if (!same_shape(from, n_dims, shape)) {
        p->rc = wh_fail(WHISP_ERR_MODEL,
                        "%s: tensor %s has the shape %lld x %lld x %lld where %lld x %lld x %lld is expected",
                        p->s->path, name, (long long)from->shape[0], (long long)from->shape[1],
                        (long long)from->shape[2], (long long)a, (long long)b, (long long)c);
        return;
    }
    if ((p->rc = wh_grow(&p->list, &p->capacity, p->n + 1, sizeof *p->list)))
        return;
    struct planned *out = &p->list[p->n++];
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", name);
    out->n_dims = n_dims;
    memcpy(out->shape, shape, sizeof shape);
    out->from = from;
    out->type = choose_type(p->type, name, is_matrix, n_dims, shape);
    if (out->type == WH_I8)
        add_scale(p, name, a, from);
}

static void add_linear(struct plan *p, const char *prefix, const char *part, int64_t out, int64_t in, int has_bias)
{
    char name[80];
    snprintf(name, sizeof name, "%s.%s.weight", prefix, part);
    add(p, name, 1, 2, out, in, 1);
    snprintf(name, sizeof name, "%s.%s.bias", prefix, part);
    if (has_bias)
        add(p, name, 0, 1, out, 1, 1);
}

static void add_norm(struct plan *p, const char *prefix, const char *part, int64_t d)
{
    char name[80];
    snprintf(name, sizeof name, "%s.%s.weight", prefix, part);
    add(p, name, 0, 1, d, 1, 1);
    snprintf(name, sizeof name, "%s.%s.bias", prefix, part);
    add(p, name, 0, 1, d, 1, 1);
}

/* Whisper's keys have no bias. A source that has one (CTranslate2 stacks zeros) may only have zeros there. */
static void check_key_bias(struct plan *p, const char *attention)
{
    char name[80];
    snprintf(name, sizeof name, "%s.key.bias", attention);
    struct tensor *t = source_find(p->s, name);
    if (!p->rc && t)
        p->rc = source_load(p->s, t);
    for (int64_t i = 0; !p->rc && t && i < tensor_elements(t); i++) {
        float x = 1;
        if (stored_bytes(t->type, 1))
            tensor_floats(t, i, 1, &x);
        if (x != 0)
            p->rc = wh_fail(WHISP_ERR_MODEL, "%s: %s is not zero; Whisper's keys have no bias", p->s->path, name);
    }
}

static void add_attention(struct plan *p, const char *block, const char *kind, int64_t d)
{
    char name[64], norm[32];
    snprintf(norm, sizeof norm, "%s_ln", kind);
    add_norm(p, block, norm, d);
    snprintf(name, sizeof name, "%s.%s", block, kind);
    check_key_bias(p, name);
    add_linear(p, name, "query", d, d, 1);
    add_linear(p, name, "key", d, d, 0);
    add_linear(p, name, "value", d, d, 1);
    add_linear(p, name, "out", d, d, 1);
}

static void add_block(struct plan *p, const char *side, int layer, int is_decoder)
{
    char block[40];
    int64_t d = p->s->dims.n_text_state;
    snprintf(block, sizeof block, "%s.blocks.%d", side, layer);
    add_attention(p, block, "attn", d);
    if (is_decoder)
        add_attention(p, block, "cross_attn", d);
    add_norm(p, block, "mlp_ln", d);
    add_linear(p, block, "mlp.0", 4 * d, d, 1);
    add_linear(p, block, "mlp.2", d, 4 * d, 1);
}

/* The encoder's positions are a formula; a source may leave them out. */
static int complete_positions(struct source *s)
{
    static const char name[] = "encoder.positional_embedding";
    const int64_t shape[WH_MAX_DIMS] = {s->dims.n_audio_ctx, s->dims.n_audio_state, 1, 1};
    if (source_find(s, name))
        return WHISP_OK;
    return source_add(s, name, ST_COMPUTED, 2, shape, NULL) ? WHISP_OK : WHISP_ERR_MEMORY;
}

/* A checksum of a tensor's numbers, however they are stored. */
static int digest(struct source *s, struct tensor *t, uint8_t sum[SHA256_DIGEST_SIZE])
{
    enum { CHUNK = 4096 };
    float numbers[CHUNK];
    struct sha256_ctx sha;
    int64_t n = tensor_elements(t);
    int rc = source_load(s, t);
    sha256_init(&sha);
    for (int64_t i = 0; i < n && !rc; i += CHUNK) {
        int64_t part = WH_MIN(CHUNK, n - i);
        tensor_floats(t, i, part, numbers);
        sha256_update(&sha, (size_t)part * sizeof *numbers, (const uint8_t *)numbers);
    }
    sha256_digest(&sha, SHA256_DIGEST_SIZE, sum);
    source_forget(s);
    return rc;
}

/* The output projection is mostly the token embedding again: then it goes. So it does where the configuration says that
 * it is tied, whatever numbers were saved for it. */
int plan_output(struct source *s, FILE *log)
{
    struct tensor *output = source_find(s, OUTPUT), *embedding = source_find(s, "decoder.token_embedding.weight");
    uint8_t sums[2][SHA256_DIGEST_SIZE];
    int same = 0, rc;
    if (!output && s->is_tied == 0)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: the configuration says that the output projection is not the token "
                       "embedding (tie_word_embeddings), but there is none (proj_out.weight)",
                       s->path);
    if (!output || !embedding)
        return WHISP_OK;
    if (same_shape(output, 2, embedding->shape)) {
        if ((rc = digest(s, output, sums[0])) || (rc = digest(s, embedding, sums[1])))
            return rc;
        same = memcmp(sums[0], sums[1], sizeof sums[0]) == 0;
    }
    if (!same && s->is_tied == 1)
        fprintf(log,
                "%s: the output projection (proj_out.weight) is not the token embedding, but config.json says "
                "that they are tied; the embedding is taken for both\n",
                s->path);
    if (same || s->is_tied == 1)
        source_remove(s, output);
    return WHISP_OK;
}

int plan_make(struct source *s, wh_type type, struct planned **list, size_t *n)
{
    const struct dims *d = &s->dims;
    int64_t state = d->n_audio_state;
    struct plan p = {.s = s, .type = type};
    p.rc = complete_positions(s);
    add(&p, "encoder.conv1.weight", 1, 3, state, d->n_mels, 3);
    add(&p, "encoder.conv1.bias", 0, 1, state, 1, 1);
    add(&p, "encoder.conv2.weight", 1, 3, state, state, 3);
    add(&p, "encoder.conv2.bias", 0, 1, state, 1, 1);
    add(&p, "encoder.positional_embedding", 0, 2, d->n_audio_ctx, state, 1);
    for (int i = 0; i < d->n_audio_layer && !p.rc; i++)
        add_block(&p, "encoder", i, 0);
    add_norm(&p, "encoder", "ln_post", state);
    add(&p, "decoder.token_embedding.weight", 1, 2, d->n_vocab, state, 1);
    if (source_find(s, OUTPUT))
        add(&p, OUTPUT, 1, 2, d->n_vocab, state, 1);
    add(&p, "decoder.positional_embedding", 0, 2, d->n_text_ctx, state, 1);
    for (int i = 0; i < d->n_text_layer && !p.rc; i++)
        add_block(&p, "decoder", i, 1);
    add_norm(&p, "decoder", "ln", state);
    if (p.rc) {
        free(p.list);
        return p.rc;
    }
    *list = p.list;
    *n = p.n;
    return WHISP_OK;
}

wh_type plan_natural_type(const struct source *s)
{
    const struct tensor *t = source_find(s, "decoder.blocks.0.mlp.0.weight");
    switch (t ? t->type : ST_F16) {
    case ST_F32: return WH_F32;
    case ST_BF16: return WH_BF16;
    case ST_Q8_0: return WH_Q8_0;
    case ST_I8_ROWS: return WH_I8;
    default: return WH_F16;
    }
}
