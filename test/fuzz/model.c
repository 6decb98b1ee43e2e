/* model.c - invented models of any dimensions as bytes of a GGUF file, damaged where a target asks for it (fuzz.h). */
#include <string.h>

#include "fuzz.h"

#include "../tools/convert/vocab.h"
#include "gguf/gguf.h"
#include "model/model.h"
#include "util/util.h"

#define ORDINARY 256
#define LEAST_VOCAB (ORDINARY + 1 + 1509) /* one language */
#define ALIGN 64

typedef struct making {
    const fuzz_dims *d;
    const fuzz_changes *changes;
    wh_buf head, data;
    uint32_t n_tensors, n_keys;
    uint64_t random;
} making;

static void put(wh_buf *b, uint64_t number, size_t n)
{
    uint8_t bytes[8];
    fuzz_put(bytes, n, number, 0);
    wh_buf_append(b, bytes, n);
}

static void put_text(wh_buf *b, const char *text)
{
    put(b, strlen(text), 8);
    wh_buf_puts(b, text);
}

/* ---- the metadata ---- */

static void key(making *m, const char *name, uint32_t type)
{
    put_text(&m->head, name);
    put(&m->head, type, 4);
    m->n_keys++;
}

/* A number of the metadata, unless it is the one that was to be another. */
static void number(making *m, const char *name, uint64_t value)
{
    int is_changed = m->changes && m->changes->key == (int)m->n_keys;
    key(m, name, 10);
    put(&m->head, is_changed ? m->changes->number : value, 8);
}

static void text(making *m, const char *name, const char *value)
{
    key(m, name, 8);
    put_text(&m->head, value);
}

static void vocabulary(making *m)
{
    wh_specials specials;
    char name[40];
    int n = m->d->n_vocab;
    FUZZ_CHECK(wh_specials_published(ORDINARY, LEAST_VOCAB, m->d->multilingual, &specials) == WHISP_OK);
    key(m, "tokenizer.ggml.tokens", 9);
    put(&m->head, 8, 4);
    put(&m->head, (uint64_t)n, 8);
    for (int i = 0; i < n; i++) {
        if (i < ORDINARY) {
            char *spelt = vocab_spell((const unsigned char[]){(unsigned char)i}, 1);
            put_text(&m->head, spelt);
            free(spelt);
        } else {
            if (i < LEAST_VOCAB)
                wh_special_name(&specials, i, name, sizeof name);
            else
                snprintf(name, sizeof name, "<|extra %d|>", i);
            put_text(&m->head, name);
        }
    }
}

static void metadata(making *m)
{
    const fuzz_dims *d = m->d;
    number(m, "general.alignment", ALIGN);
    number(m, "whisper.format_version", 2);
    number(m, "whisper.vocab_size", (uint64_t)d->n_vocab);
    number(m, "whisper.mel_bands", (uint64_t)d->mels);
    number(m, "whisper.encoder.context_length", 1500);
    number(m, "whisper.encoder.embedding_length", (uint64_t)d->state);
    number(m, "whisper.encoder.attention.head_count", (uint64_t)d->audio_heads);
    number(m, "whisper.encoder.block_count", (uint64_t)d->audio_layers);
    number(m, "whisper.decoder.context_length", (uint64_t)d->text_ctx);
    number(m, "whisper.decoder.embedding_length", (uint64_t)d->state);
    number(m, "whisper.decoder.attention.head_count", (uint64_t)d->text_heads);
    number(m, "whisper.decoder.block_count", (uint64_t)d->text_layers);
    number(m, "whisper.vocab.ordinary", ORDINARY);
    text(m, "general.architecture", "whisper");
    text(m, "general.name", "invented");
    key(m, "whisper.multilingual", 7);
    put(&m->head, (uint64_t)d->multilingual, 1);
    if (d->seed & 1) { /* else all heads of the upper half */
        key(m, "whisper.alignment_heads", 9);
        put(&m->head, 5, 4);
        put(&m->head, 2, 8);
        put(&m->head, (uint64_t)(d->text_layers - 1), 4);
        put(&m->head, (uint64_t)(d->text_heads - 1), 4);
    }
    vocabulary(m);
}

/* ---- the tensors ---- */

/* n elements: small numbers, now and then one that is none. */
static void elements(making *m, wh_type type, size_t n)
{
    wh_buf *b = &m->data;
    uint8_t block[34];
    if (type == WH_Q8_0) {
        for (size_t i = 0; i < n / 32; i++) {
            for (size_t k = 0; k < 34; k += 2)
                fuzz_put(block + k, 2, k ? fuzz_random(&m->random, 65536) : 0x1c00, 0);
            wh_buf_append(b, block, sizeof block);
        }
        return;
    }
    uint64_t poison = m->d->seed % 7 == 6 ? fuzz_random(&m->random, n) : UINT64_MAX;
    size_t bytes = type == WH_F32 ? 4 : type == WH_I8 ? 1 : 2, at = b->length;
    static const uint8_t zeros[4096];
    for (size_t left = n * bytes; left; left -= WH_MIN(left, sizeof zeros))
        wh_buf_append(b, zeros, WH_MIN(left, sizeof zeros));
    FUZZ_CHECK(!b->failed);
    for (size_t i = 0; i < n; i++, at += bytes) {
        m->random = m->random * UINT64_C(6364136223846793005) + 1; /* Knuth's MMIX, its upper half */
        uint32_t r = (uint32_t)(m->random >> 32);
        switch (type) {
        case WH_F32: r = (r & 0x807fffff) | 0x3d800000; break;
        case WH_F16: r = (r & 0x83ff) | 0x2c00; break;
        case WH_BF16: r = (r & 0x807f) | 0x3d80; break;
        default: break;
        }
        if (i == poison)
            r = type == WH_F32 ? 0x7fc00000 : type == WH_F16 ? 0x7c00 : 0x7fc0;
        memcpy(b->data + at, &r, bytes);
    }
}

static void tensor(making *m, const char *name, wh_type type, int n_dims, const int64_t *shape)
{
    const fuzz_changes *c = m->changes && m->changes->tensor == (int)m->n_tensors ? m->changes : NULL;
    static const uint8_t zeros[ALIGN];
    size_t n = 1, at = m->data.length;
    put_text(&m->head, name);
    put(&m->head, c && c->field == 1 ? c->value : (uint64_t)n_dims, 4);
    for (int i = n_dims - 1; i >= 0; i--) {
        put(&m->head, c && c->field == 2 + i ? c->value : (uint64_t)shape[i], 8);
        n *= (size_t)shape[i];
    }
    put(&m->head, c && c->field == 0 ? c->value : type, 4);
    put(&m->head, c && c->field == 6 ? c->value : at, 8);
    elements(m, type, n);
    wh_buf_append(&m->data, zeros, (ALIGN - m->data.length % ALIGN) % ALIGN);
    m->n_tensors++;
}

static void vector(making *m, const char *prefix, const char *name, int64_t n)
{
    char full[96];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    tensor(m, full, WH_F32, 1, &n);
}

/* A matrix is of one of the four types, if its rows fit; int8 ones have scales. */
static void matrix(making *m, const char *prefix, const char *name, int n_dims, const int64_t *shape)
{
    char full[96];
    wh_type type = (wh_type)m->d->types[m->n_tensors % 4];
    int64_t row = shape[n_dims - 1];
    if ((type == WH_Q8_0 && row % 32) || (type == WH_I8 && n_dims > 2))
        type = WH_F16;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    tensor(m, full, type, n_dims, shape);
    if (type == WH_I8) {
        snprintf(full, sizeof full, "%s%s_scale", prefix, name);
        tensor(m, full, WH_F32, 1, shape);
    }
}

static void linear(making *m, const char *prefix, const char *name, int64_t out, int64_t in, int has_bias)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s.", prefix, name);
    matrix(m, full, "weight", 2, (int64_t[]){out, in});
    if (has_bias)
        vector(m, full, "bias", out);
}

static void norm(making *m, const char *prefix, const char *name)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s.", prefix, name);
    vector(m, full, "weight", m->d->state);
    vector(m, full, "bias", m->d->state);
}

static void attention(making *m, const char *prefix, const char *name)
{
    char full[64];
    int64_t d = m->d->state;
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    linear(m, full, "query", d, d, 1);
    linear(m, full, "key", d, d, 0);
    linear(m, full, "value", d, d, 1);
    linear(m, full, "out", d, d, 1);
}

static void blocks(making *m, const char *side, int n, int is_decoder)
{
    char prefix[40];
    for (int i = 0; i < n; i++) {
        snprintf(prefix, sizeof prefix, "%s.blocks.%d", side, i);
        attention(m, prefix, "attn");
        norm(m, prefix, "attn_ln");
        if (is_decoder) {
            attention(m, prefix, "cross_attn");
            norm(m, prefix, "cross_attn_ln");
        }
        linear(m, prefix, "mlp.0", 4 * m->d->state, m->d->state, 1);
        linear(m, prefix, "mlp.2", m->d->state, 4 * m->d->state, 1);
        norm(m, prefix, "mlp_ln");
    }
}

static void tensors(making *m)
{
    const fuzz_dims *d = m->d;
    int64_t state = d->state;
    matrix(m, "encoder.", "conv1.weight", 3, (int64_t[]){state, d->mels, 3});
    vector(m, "encoder.", "conv1.bias", state);
    matrix(m, "encoder.", "conv2.weight", 3, (int64_t[]){state, state, 3});
    vector(m, "encoder.", "conv2.bias", state);
    tensor(m, "encoder.positional_embedding", WH_F32, 2, (int64_t[]){1500, state});
    blocks(m, "encoder", d->audio_layers, 0);
    norm(m, "encoder", "ln_post");
    matrix(m, "decoder.", "token_embedding.weight", 2, (int64_t[]){d->n_vocab, state});
    tensor(m, "decoder.positional_embedding", WH_F16, 2, (int64_t[]){d->text_ctx, state});
    blocks(m, "decoder", d->text_layers, 1);
    norm(m, "decoder", "ln");
    if (d->seed & 2)
        matrix(m, "decoder.", "output.weight", 2, (int64_t[]){d->n_vocab, state});
}

void fuzz_model_bytes(const fuzz_dims *dims, const fuzz_changes *changes, fuzz_bytes *bytes)
{
    making m = {.d = dims, .changes = changes, .random = dims->seed};
    wh_buf all = {0};
    static const uint8_t zeros[ALIGN];
    void *exact;
    metadata(&m);
    size_t values = m.head.length;
    tensors(&m);
    wh_buf_puts(&all, "GGUF");
    put(&all, 3, 4);
    put(&all, m.n_tensors, 8);
    put(&all, m.n_keys, 8);
    wh_buf_append(&all, m.head.data, values);
    wh_buf_append(&all, m.head.data + values, m.head.length - values);
    wh_buf_append(&all, zeros, (ALIGN - all.length % ALIGN) % ALIGN);
    wh_buf_append(&all, m.data.data, m.data.length);
    FUZZ_CHECK(!all.failed && !m.head.failed && !m.data.failed && posix_memalign(&exact, ALIGN, all.length) == 0);
    memcpy(exact, all.data, all.length);
    *bytes = (fuzz_bytes){exact, all.length};
    wh_buf_free(&all);
    wh_buf_free(&m.head);
    wh_buf_free(&m.data);
}

static whisp_model *load_small(int multilingual)
{
    static const fuzz_dims dims = {4, 1, 1, 1, 1, 8, 48, LEAST_VOCAB, 1, {WH_F32, WH_F32, WH_F32, WH_F32}, 4};
    static fuzz_bytes bytes; /* stay */
    whisp_model *model;
    fuzz_dims d = dims;
    d.multilingual = multilingual;
    fuzz_model_bytes(&d, NULL, &bytes);
    if (whisp_model_load_memory(bytes.data, bytes.n, NULL, &model)) {
        fprintf(stderr, "%s\n", whisp_last_error());
        abort();
    }
    return model;
}

const whisp_model *fuzz_small_model(void)
{
    static whisp_model *model;
    return model ? model : (model = load_small(1));
}

const whisp_model *fuzz_short_model(void)
{
    static whisp_model *model;
    if (!model) {
        model = load_small(1);
        model->n_audio_ctx = 6;
    }
    return model;
}
