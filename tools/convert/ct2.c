/* ct2.c - a CTranslate2 folder (faster-whisper's models): model.bin version 6, config.json, vocabulary.
 *
 * model.bin is a list of named variables. The attention's projections are stacked (self-attention: Q, K, V in linear_0;
 * cross-attention: Q in linear_0, K and V in linear_1) and are taken apart here as views into the mapping. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "source.h"
#include "vocab.h"

#define VERSION 6
#define MAX_VARIABLES 65536

enum { CT2_F32, CT2_I8, CT2_I16, CT2_I32, CT2_F16, CT2_BF16, CT2_TYPES };

struct variable {
    const char *name; /* NUL-terminated in the mapping */
    int n_dims;
    int64_t shape[WH_MAX_DIMS];
    int type;
    const unsigned char *data;
    size_t bytes;
};

struct ct2 {
    struct source *s;
    struct variable *variables; /* ascending by name */
    size_t n;
    const char *(*aliases)[2]; /* name, what it stands for; ascending by name */
    size_t n_aliases;
};

static const char *take_string(struct cursor *c)
{
    uint16_t length = cursor_u16(c);
    const unsigned char *text = cursor_take(c, length);
    if (!text || length == 0 || memchr(text, 0, length) != text + length - 1) {
        c->failed = 1;
        return "";
    }
    return (const char *)text;
}

static void take_variable(struct cursor *c, struct variable *v)
{
    static const size_t sizes[CT2_TYPES] = {4, 1, 2, 4, 2, 2};
    v->name = take_string(c);
    v->n_dims = cursor_u8(c);
    if (v->n_dims > WH_MAX_DIMS) {
        c->failed = 1;
        return;
    }
    uint64_t n = 1;
    for (int i = 0; i < v->n_dims; i++) {
        v->shape[i] = cursor_u32(c);
        n = n > UINT32_MAX ? n : n * (uint64_t)v->shape[i];
    }
    v->type = cursor_u8(c);
    v->bytes = cursor_u32(c);
    v->data = cursor_take(c, v->bytes);
    if (v->type >= CT2_TYPES || n > UINT32_MAX || n * sizes[v->type] != v->bytes)
        c->failed = 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct variable *)a)->name, ((const struct variable *)b)->name);
}

static int by_alias(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int parse(struct ct2 *ct2, const unsigned char *data, size_t size)
{
    struct cursor c = {data, size, 0};
    uint32_t version = cursor_u32(&c);
    if (version != VERSION)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: CTranslate2 model.bin version %u; only version %d can be read: convert "
                       "the original again",
                       ct2->s->path, (unsigned)version, VERSION);
    take_string(&c); /* WhisperSpec: known from the first bytes */
    cursor_u32(&c);  /* its revision */
    uint32_t n = cursor_u32(&c);
    if (c.failed || n > MAX_VARIABLES)
        return source_damaged(ct2->s, "the head of model.bin");
    ct2->variables = wh_calloc(n, sizeof *ct2->variables);
    if (!ct2->variables)
        return wh_fail_memory();
    for (; ct2->n < n && !c.failed; ct2->n++)
        take_variable(&c, &ct2->variables[ct2->n]);
    uint32_t n_aliases = c.failed ? 0 : cursor_u32(&c);
    if (c.failed || n_aliases > MAX_VARIABLES)
        return source_damaged(ct2->s, "the variables of model.bin");
    ct2->aliases = wh_calloc(n_aliases, sizeof *ct2->aliases);
    if (!ct2->aliases)
        return wh_fail_memory();
    for (; ct2->n_aliases < n_aliases && !c.failed; ct2->n_aliases++) {
        ct2->aliases[ct2->n_aliases][0] = take_string(&c);
        ct2->aliases[ct2->n_aliases][1] = take_string(&c);
    }
    if (c.failed)
        return source_damaged(ct2->s, "the aliases of model.bin");
    qsort(ct2->variables, ct2->n, sizeof *ct2->variables, by_name);
    qsort(ct2->aliases, ct2->n_aliases, sizeof *ct2->aliases, by_alias);
    return WHISP_OK;
}

static const struct variable *find_exactly(const struct ct2 *ct2, const char *name)
{
    struct variable key = {.name = name};
    return bsearch(&key, ct2->variables, ct2->n, sizeof key, by_name);
}

static const struct variable *find(const struct ct2 *ct2, const char *name)
{
    const struct variable *v = find_exactly(ct2, name);
    const char *key[2] = {name, NULL};
    const char *const *alias = v ? NULL : bsearch(key, ct2->aliases, ct2->n_aliases, sizeof *ct2->aliases, by_alias);
    return alias ? find_exactly(ct2, alias[1]) : v;
}

static int require(const struct ct2 *ct2, const char *name, const struct variable **v)
{
    *v = find(ct2, name);
    return *v ? WHISP_OK : wh_fail(WHISP_ERR_MODEL, "%s: model.bin has no %s", ct2->s->path, name);
}

/* Where NAME/weight's int8 scales are, or NULL. */
static int find_scale(const struct ct2 *ct2, const char *name, int64_t rows, const unsigned char **scale)
{
    char full[160];
    const struct variable *v;
    snprintf(full, sizeof full, "%s_scale", name);
    int rc = require(ct2, full, &v);
    if (rc)
        return rc;
    if (v->type != CT2_F32 || v->bytes != 4 * (size_t)rows)
        return wh_fail(WHISP_ERR_MODEL, "%s: %s is not one float32 for each of %lld rows", ct2->s->path, full,
                       (long long)rows);
    *scale = v->data;
    return WHISP_OK;
}

/* Part `part` of `parts` equal slices of variable `from`'s first dimension becomes tensor `to`. */
static int add_slice(const struct ct2 *ct2, const char *from, const char *to, int part, int parts)
{
    static const enum stored types[CT2_TYPES] = {
        [CT2_F32] = ST_F32, [CT2_I8] = ST_I8, [CT2_F16] = ST_F16, [CT2_BF16] = ST_BF16};
    const struct variable *v;
    int rc = require(ct2, from, &v);
    if (rc)
        return rc;
    if (v->type == CT2_I16 || v->type == CT2_I32)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: %s is quantized to int16, which cannot be read; convert the original with "
                       "--quantization float16 or int8",
                       ct2->s->path, from);
    if (v->n_dims < 1 || v->shape[0] < parts || v->shape[0] % parts)
        return source_damaged(ct2->s, from);
    const unsigned char *scale = NULL;
    if (v->type == CT2_I8 && (rc = find_scale(ct2, from, v->shape[0], &scale)))
        return rc;
    int64_t shape[WH_MAX_DIMS];
    memcpy(shape, v->shape, sizeof shape);
    shape[0] /= parts;
    size_t bytes = v->bytes / (size_t)parts;
    struct tensor *t = source_add(ct2->s, to, types[v->type], v->n_dims, shape, v->data + bytes * (size_t)part);
    if (!t)
        return WHISP_ERR_MODEL;
    if (scale)
        t->scale = scale + 4 * shape[0] * part;
    return tensor_fits(t, bytes) ? WHISP_OK : source_damaged(ct2->s, from);
}

static int add_pair(const struct ct2 *ct2, const char *from, const char *to, int part, int parts)
{
    char from_name[144], to_name[80];
    snprintf(from_name, sizeof from_name, "%s/weight", from);
    snprintf(to_name, sizeof to_name, "%s.weight", to);
    int rc = add_slice(ct2, from_name, to_name, part, parts);
    if (rc)
        return rc;
    snprintf(from_name, sizeof from_name, "%s/bias", from);
    snprintf(to_name, sizeof to_name, "%s.bias", to);
    return add_slice(ct2, from_name, to_name, part, parts);
}

static int add_norm(const struct ct2 *ct2, const char *from, const char *to)
{
    char from_name[144], to_name[80];
    snprintf(from_name, sizeof from_name, "%s/gamma", from);
    snprintf(to_name, sizeof to_name, "%s.weight", to);
    int rc = add_slice(ct2, from_name, to_name, 0, 1);
    if (rc)
        return rc;
    snprintf(from_name, sizeof from_name, "%s/beta", from);
    snprintf(to_name, sizeof to_name, "%s.bias", to);
    return add_slice(ct2, from_name, to_name, 0, 1);
}

/* FROM/linear_0 ... as TO.query, key, value, out. */
static int add_attention(const struct ct2 *ct2, const char *from, const char *to, int is_cross)
{
    static const struct {
        const char *name;
        int linear[2], part[2], parts[2]; /* of self-attention and of cross-attention */
    } list[] = {
        {"query", {0, 0}, {0, 0}, {3, 1}},
        {"key", {0, 1}, {1, 0}, {3, 2}},
        {"value", {0, 1}, {2, 1}, {3, 2}},
        {"out", {1, 2}, {0, 0}, {1, 1}},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        char linear[128], name[72];
        snprintf(linear, sizeof linear, "%s/linear_%d", from, list[i].linear[is_cross]);
        snprintf(name, sizeof name, "%s.%s", to, list[i].name);
        int rc = add_pair(ct2, linear, name, list[i].part[is_cross], list[i].parts[is_cross]);
        if (rc)
            return rc;
    }
    return WHISP_OK;
}

static int add_block(const struct ct2 *ct2, const char *side, int layer, int is_decoder)
{
    char from[48], to[48], a[96], b[64];
    int rc;
    snprintf(from, sizeof from, "%s/layer_%d", side, layer);
    snprintf(to, sizeof to, "%s.blocks.%d", side, layer);
    snprintf(a, sizeof a, "%s/self_attention/layer_norm", from);
    snprintf(b, sizeof b, "%s.attn_ln", to);
    if ((rc = add_norm(ct2, a, b)))
        return rc;
    snprintf(a, sizeof a, "%s/self_attention", from);
    snprintf(b, sizeof b, "%s.attn", to);
    if ((rc = add_attention(ct2, a, b, 0)))
        return rc;
    if (is_decoder) {
        snprintf(a, sizeof a, "%s/attention/layer_norm", from);
        snprintf(b, sizeof b, "%s.cross_attn_ln", to);
        if ((rc = add_norm(ct2, a, b)))
            return rc;
        snprintf(a, sizeof a, "%s/attention", from);
        snprintf(b, sizeof b, "%s.cross_attn", to);
        if ((rc = add_attention(ct2, a, b, 1)))
            return rc;
    }
    snprintf(a, sizeof a, "%s/ffn/layer_norm", from);
    snprintf(b, sizeof b, "%s.mlp_ln", to);
    if ((rc = add_norm(ct2, a, b)))
        return rc;
    snprintf(a, sizeof a, "%s/ffn/linear_0", from);
    snprintf(b, sizeof b, "%s.mlp.0", to);
    if ((rc = add_pair(ct2, a, b, 0, 1)))
        return rc;
    snprintf(a, sizeof a, "%s/ffn/linear_1", from);
    snprintf(b, sizeof b, "%s.mlp.2", to);
    return add_pair(ct2, a, b, 0, 1);
}

static int add_tensors(const struct ct2 *ct2)
{
    static const char positions[] = "encoder/position_encodings/encodings";
    struct source *s = ct2->s;
    int rc;
    if ((rc = add_pair(ct2, "encoder/conv1", "encoder.conv1", 0, 1)) ||
        (rc = add_pair(ct2, "encoder/conv2", "encoder.conv2", 0, 1)) ||
        (rc = add_norm(ct2, "encoder/layer_norm", "encoder.ln_post")) ||
        (rc = add_slice(ct2, "decoder/embeddings/weight", "decoder.token_embedding.weight", 0, 1)) ||
        (rc = add_slice(ct2, "decoder/position_encodings/encodings", "decoder.positional_embedding", 0, 1)) ||
        (rc = add_norm(ct2, "decoder/layer_norm", "decoder.ln")))
        return rc;
    if (find_exactly(ct2, "decoder/projection/weight") &&
        (rc = add_slice(ct2, "decoder/projection/weight", "decoder.output.weight", 0, 1)))
        return rc;
    if (find(ct2, positions) && (rc = add_slice(ct2, positions, "encoder.positional_embedding", 0, 1)))
        return rc;
    for (int i = 0; i < s->dims.n_audio_layer; i++)
        if ((rc = add_block(ct2, "encoder", i, 0)))
            return rc;
    for (int i = 0; i < s->dims.n_text_layer; i++)
        if ((rc = add_block(ct2, "decoder", i, 1)))
            return rc;
    return WHISP_OK;
}

/* ---- hyper-parameters ---- */

static int dimension(const struct ct2 *ct2, const char *name, int i)
{
    const struct variable *v = find(ct2, name);
    return v && i < v->n_dims && v->shape[i] <= INT_MAX ? (int)v->shape[i] : 0;
}

static int count_layers(const struct ct2 *ct2, const char *side)
{
    char name[64];
    int n = 0;
    do
        snprintf(name, sizeof name, "%s/layer_%d/ffn/linear_0/weight", side, n);
    while (find(ct2, name) && ++n < MAX_VARIABLES);
    return n;
}

static int scalar(const struct ct2 *ct2, const char *name)
{
    const struct variable *v = find(ct2, name);
    struct cursor c = {v ? v->data : NULL, v ? v->bytes : 0, 0};
    if (v && v->n_dims == 0 && v->type == CT2_I16)
        return (int16_t)cursor_u16(&c);
    if (v && v->n_dims == 0 && v->type == CT2_I32)
        return (int32_t)cursor_u32(&c);
    return v && v->n_dims == 0 && v->type == CT2_I8 ? (int8_t)cursor_u8(&c) : 0;
}

static void find_dims(const struct ct2 *ct2)
{
    struct dims *d = &ct2->s->dims;
    d->n_mels = dimension(ct2, "encoder/conv1/weight", 1);
    d->n_audio_state = dimension(ct2, "encoder/conv1/weight", 0);
    d->n_audio_ctx = dimension(ct2, "encoder/position_encodings/encodings", 0);
    if (d->n_audio_ctx == 0) /* sinusoids that were left out: all published models have 1500 */
        d->n_audio_ctx = 1500;
    d->n_audio_head = scalar(ct2, "encoder/num_heads");
    d->n_audio_layer = count_layers(ct2, "encoder");
    d->n_vocab = dimension(ct2, "decoder/embeddings/weight", 0);
    d->n_text_ctx = dimension(ct2, "decoder/position_encodings/encodings", 0);
    d->n_text_state = dimension(ct2, "decoder/embeddings/weight", 1);
    d->n_text_head = scalar(ct2, "decoder/num_heads");
    d->n_text_layer = count_layers(ct2, "decoder");
}

static int read_side_files(struct source *s, const char *folder)
{
    static const char *const names[] = {"vocabulary.json", "vocabulary.txt"};
    json_t *config;
    int rc = json_read(folder, "config.json", &config);
    if (!rc && config)
        rc = json_heads(config, s);
    json_decref(config);
    for (size_t i = 0; i < WH_COUNT(names) && !rc && !s->pieces; i++)
        rc = vocab_read_in(s, folder, names[i]);
    return rc || s->pieces ? rc : vocab_read_folder(s, folder);
}

int read_ct2(struct source *s, const char *folder)
{
    struct ct2 ct2 = {.s = s};
    const unsigned char *data = NULL;
    size_t size = 0;
    char path[4096];
    s->format = "ctranslate2";
    if ((size_t)snprintf(path, sizeof path, "%s/model.bin", folder) >= sizeof path)
        return wh_fail(WHISP_ERR_IO, "%s: the path is too long", folder);
    int rc = source_map(s, path, &data, &size);
    if (!rc && !(rc = source_add_file(s, path)) && !(rc = parse(&ct2, data, size))) {
        find_dims(&ct2);
        if (!(rc = source_check_dims(s)))
            rc = add_tensors(&ct2);
    }
    if (!rc)
        rc = read_side_files(s, folder);
    free(ct2.variables);
    free(ct2.aliases);
    return rc;
}
