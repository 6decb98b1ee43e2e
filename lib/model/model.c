/* model.c - a GGUF file to a whisp_model: reads the hyper-parameters, finds every tensor, checks every shape.
 *
 * Nothing in the file is believed before it is checked: a model that passes here cannot make the backends read outside
 * their arrays. Big matrices stay in the mapping; vectors are copied or decoded to float32 once. */
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mel/mel.h"

#define FORMAT_VERSION 2 /* 2: tokens or an output projection that the published models have not; else 1 */

/* A hyper-parameter in lo..hi, or an error that names it. */
static int read_int(const wh_gguf *file, const char *key, int64_t lo, int64_t hi, int *value)
{
    int64_t v;
    if (!wh_gguf_int(file, key, &v))
        return wh_fail(WHISP_ERR_MODEL, "%s: not a Whisper model: it has no %s", wh_gguf_path(file), key);
    if (v < lo || v > hi)
        return wh_fail(WHISP_ERR_MODEL, "%s: %s is %lld, which is not within %lld to %lld", wh_gguf_path(file), key,
                       (long long)v, (long long)lo, (long long)hi);
    *value = (int)v;
    return WHISP_OK;
}

static int read_dimensions(whisp_model *m)
{
    const wh_gguf *f = m->file;
    const struct {
        const char *key;
        int lo, hi, *value;
    } list[] = {
        {"whisper.vocab_size", 1509 + 257, 1 << 20, &m->n_vocab},
        {"whisper.mel_bands", 1, 512, &m->n_mels},
        {"whisper.encoder.context_length", 1, 1500, &m->n_audio_ctx},
        {"whisper.encoder.embedding_length", 2, 1 << 14, &m->n_audio_state},
        {"whisper.encoder.attention.head_count", 1, 1 << 10, &m->n_audio_head},
        {"whisper.encoder.block_count", 1, 256, &m->n_audio_layer},
        {"whisper.decoder.context_length", 8, 1 << 13, &m->n_text_ctx},
        {"whisper.decoder.embedding_length", 2, 1 << 14, &m->n_text_state},
        {"whisper.decoder.attention.head_count", 1, 1 << 10, &m->n_text_head},
        {"whisper.decoder.block_count", 1, 256, &m->n_text_layer},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        int rc = read_int(f, list[i].key, list[i].lo, list[i].hi, list[i].value);
        if (rc)
            return rc;
    }
    if (m->n_audio_ctx != WH_WINDOW_FRAMES / 2)
        return wh_fail(WHISP_ERR_MODEL, "%s: whisper.encoder.context_length is %d; a 30 s window needs %d",
                       wh_gguf_path(f), m->n_audio_ctx, WH_WINDOW_FRAMES / 2);
    if (m->n_audio_state != m->n_text_state)
        return wh_fail(WHISP_ERR_MODEL, "%s: encoder and decoder differ in embedding_length (%d and %d)",
                       wh_gguf_path(f), m->n_audio_state, m->n_text_state);
    if (m->n_audio_state % m->n_audio_head || m->n_text_state % m->n_text_head)
        return wh_fail(WHISP_ERR_MODEL, "%s: embedding_length is not a multiple of head_count", wh_gguf_path(f));
    return WHISP_OK;
}

/* The tensor of a name and shape (n_dims of a, b, c). */
static int find(whisp_model *m, const char *name, int n_dims, int64_t a, int64_t b, int64_t c, const wh_tensor **found)
{
    const wh_tensor *t = wh_gguf_tensor(m->file, name);
    if (!t)
        return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s is missing; convert the model again", wh_gguf_path(m->file),
                       name);
    const int64_t want[WH_MAX_DIMS] = {a, b, c, 1};
    if (t->n_dims != n_dims || memcmp(t->shape, want, sizeof want) != 0)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: tensor %s has the shape %lld x %lld x %lld where the hyper-parameters ask for "
                       "%lld x %lld x %lld",
                       wh_gguf_path(m->file), name, (long long)t->shape[0], (long long)t->shape[1],
                       (long long)t->shape[2], (long long)a, (long long)b, (long long)c);
    if (t->type == WH_I8 && !t->scale)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: tensor %s is int8 but has no scale for each of its rows (a tensor "
                       "%s_scale); convert the model again",
                       wh_gguf_path(m->file), name, name);
    m->is_int8 |= t->type == WH_I8;
    *found = t;
    return WHISP_OK;
}

static int cannot_be_int8(const whisp_model *m, const char *name)
{
    return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s is int8, which only matrices can be; convert the model again",
                   wh_gguf_path(m->file), name);
}

/* A small tensor as float32, row-major: a copy that the model owns. (Left in the mapping, each would keep pages of the
 * matrices around it in memory.) */
static int find_floats(whisp_model *m, const char *name, int n_dims, int64_t a, int64_t b, const float **values)
{
    const wh_tensor *t = NULL;
    int rc = find(m, name, n_dims, a, n_dims > 1 ? b : 1, 1, &t);
    if (rc)
        return rc;
    if (t->type == WH_I8)
        return cannot_be_int8(m, name);
    int64_t rows = n_dims > 1 ? a : 1, cols = n_dims > 1 ? b : a;
    size_t row = wh_type_row_size(t->type, cols);
    float *copy = wh_alloc_aligned((size_t)rows * (size_t)cols, sizeof(float));
    if (!copy || wh_grow(&m->owned, &m->owned_capacity, m->n_owned + 1, sizeof *m->owned)) {
        free(copy);
        return wh_fail_memory();
    }
    m->owned[m->n_owned++] = copy;
    for (int64_t r = 0; r < rows; r++)
        wh_decode_row(t->type, (const char *)t->data + (size_t)r * row, copy + r * cols, cols);
    *values = copy;
    return WHISP_OK;
}

static int find_norm(whisp_model *m, const char *prefix, wh_norm *norm)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", prefix);
    int rc = find_floats(m, name, 1, m->n_text_state, 1, &norm->gain);
    snprintf(name, sizeof name, "%s.bias", prefix);
    return rc ? rc : find_floats(m, name, 1, m->n_text_state, 1, &norm->bias);
}

static int find_linear(whisp_model *m, const char *prefix, int64_t out, int64_t in, int has_bias, wh_linear *linear)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", prefix);
    int rc = find(m, name, 2, out, in, 1, &linear->w);
    linear->b = NULL;
    if (rc || !has_bias)
        return rc;
    snprintf(name, sizeof name, "%s.bias", prefix);
    return find_floats(m, name, 1, out, 1, &linear->b);
}

static int find_attention(whisp_model *m, const char *prefix, wh_attention *attention)
{
    const struct {
        const char *suffix;
        int has_bias;
        wh_linear *linear;
    } parts[] = {{"query", 1, &attention->q},
                 {"key", 0, &attention->k},
                 {"value", 1, &attention->v},
                 {"out", 1, &attention->out}};
    for (size_t i = 0; i < WH_COUNT(parts); i++) {
        char name[80];
        snprintf(name, sizeof name, "%s.%s", prefix, parts[i].suffix);
        int rc = find_linear(m, name, m->n_text_state, m->n_text_state, parts[i].has_bias, parts[i].linear);
        if (rc)
            return rc;
    }
    return WHISP_OK;
}

static int find_block(whisp_model *m, const char *side, int layer, int is_decoder, wh_block *block)
{
    char base[32], name[64];
    int64_t d = m->n_text_state;
    snprintf(base, sizeof base, "%s.blocks.%d", side, layer);
    int rc;
    snprintf(name, sizeof name, "%s.attn_ln", base);
    if ((rc = find_norm(m, name, &block->attn_ln)))
        return rc;
    snprintf(name, sizeof name, "%s.attn", base);
    if ((rc = find_attention(m, name, &block->attn)))
        return rc;
    if (is_decoder) {
        snprintf(name, sizeof name, "%s.cross_attn_ln", base);
        if ((rc = find_norm(m, name, &block->cross_ln)))
            return rc;
        snprintf(name, sizeof name, "%s.cross_attn", base);
        if ((rc = find_attention(m, name, &block->cross)))
            return rc;
    }
    snprintf(name, sizeof name, "%s.mlp_ln", base);
    if ((rc = find_norm(m, name, &block->mlp_ln)))
        return rc;
    snprintf(name, sizeof name, "%s.mlp.0", base);
    if ((rc = find_linear(m, name, 4 * d, d, 1, &block->mlp_up)))
        return rc;
    snprintf(name, sizeof name, "%s.mlp.2", base);
    return find_linear(m, name, d, 4 * d, 1, &block->mlp_down);
}

static int find_tensors(whisp_model *m)
{
    int64_t d = m->n_text_state;
    int rc;
    if ((rc = find(m, "encoder.conv1.weight", 3, d, m->n_mels, 3, &m->conv1_w)) ||
        (rc = find(m, "encoder.conv2.weight", 3, d, d, 3, &m->conv2_w)) ||
        (rc = find_floats(m, "encoder.conv1.bias", 1, d, 1, &m->conv1_b)) ||
        (rc = find_floats(m, "encoder.conv2.bias", 1, d, 1, &m->conv2_b)) ||
        (rc = find_floats(m, "encoder.positional_embedding", 2, m->n_audio_ctx, d, &m->audio_positions)) ||
        (rc = find_norm(m, "encoder.ln_post", &m->audio_ln)) ||
        (rc = find(m, "decoder.token_embedding.weight", 2, m->n_vocab, d, 1, &m->token_embedding)) ||
        (rc = find_floats(m, "decoder.positional_embedding", 2, m->n_text_ctx, d, &m->text_positions)) ||
        (rc = find_norm(m, "decoder.ln", &m->text_ln)))
        return rc;
    m->output = m->token_embedding;
    if (wh_gguf_tensor(m->file, "decoder.output.weight") &&
        (rc = find(m, "decoder.output.weight", 2, m->n_vocab, d, 1, &m->output)))
        return rc;
    if (m->conv1_w->type == WH_I8) /* its product is a float one */
        return cannot_be_int8(m, m->conv1_w->name);
    m->audio_blocks = wh_calloc((size_t)m->n_audio_layer, sizeof *m->audio_blocks);
    m->text_blocks = wh_calloc((size_t)m->n_text_layer, sizeof *m->text_blocks);
    if (!m->audio_blocks || !m->text_blocks)
        return wh_fail_memory();
    for (int i = 0; i < m->n_audio_layer; i++)
        if ((rc = find_block(m, "encoder", i, 0, &m->audio_blocks[i])))
            return rc;
    for (int i = 0; i < m->n_text_layer; i++)
        if ((rc = find_block(m, "decoder", i, 1, &m->text_blocks[i])))
            return rc;
    m->type = m->text_blocks[0].mlp_up.w->type;
    return WHISP_OK;
}

/* The alignment heads of the file; without them, as openai-whisper does, all heads of the upper half of the layers. */
static int read_alignment_heads(whisp_model *m)
{
    const char *key = "whisper.alignment_heads";
    int64_t n = wh_gguf_array_length(m->file, key);
    int layers = m->n_text_layer, heads = m->n_text_head;
    if (n <= 0) {
        m->alignment_heads = wh_calloc((size_t)layers * (size_t)heads, sizeof *m->alignment_heads);
        if (!m->alignment_heads)
            return wh_fail_memory();
        for (int layer = layers / 2; layer < layers; layer++)
            for (int head = 0; head < heads; head++)
                m->alignment_heads[m->n_alignment_heads++] = (wh_head){layer, head};
        return WHISP_OK;
    }
    if (n % 2 || n / 2 > (int64_t)layers * heads)
        return wh_fail(WHISP_ERR_MODEL, "%s: %s is not a list of layer, head pairs", wh_gguf_path(m->file), key);
    m->alignment_heads = wh_calloc((size_t)(n / 2), sizeof *m->alignment_heads);
    if (!m->alignment_heads)
        return wh_fail_memory();
    for (int64_t i = 0; i < n / 2; i++) {
        int64_t layer = -1, head = -1;
        if (!wh_gguf_array_int(m->file, key, 2 * i, &layer) || !wh_gguf_array_int(m->file, key, 2 * i + 1, &head) ||
            layer < 0 || layer >= layers || head < 0 || head >= heads)
            return wh_fail(WHISP_ERR_MODEL, "%s: %s names a head that the model does not have", wh_gguf_path(m->file),
                           key);
        m->alignment_heads[m->n_alignment_heads++] = (wh_head){(int)layer, (int)head};
    }
    return WHISP_OK;
}

static int read_vocabulary(whisp_model *m)
{
    const char *key = "tokenizer.ggml.tokens";
    wh_specials specials;
    int n_ordinary = 0, multilingual = 0, rc;
    if ((rc = read_int(m->file, "whisper.vocab.ordinary", 256, m->n_vocab, &n_ordinary)))
        return rc;
    if (!wh_gguf_bool(m->file, "whisper.multilingual", &multilingual))
        return wh_fail(WHISP_ERR_MODEL, "%s: whisper.multilingual is missing; convert the model again",
                       wh_gguf_path(m->file));
    if (wh_gguf_array_length(m->file, key) != m->n_vocab)
        return wh_fail(WHISP_ERR_MODEL, "%s: %s does not hold %d tokens; convert the model again with --vocab",
                       wh_gguf_path(m->file), key, m->n_vocab);
    const char **pieces = wh_calloc((size_t)m->n_vocab, sizeof *pieces);
    size_t *lengths = wh_calloc((size_t)m->n_vocab, sizeof *lengths);
    if (!pieces || !lengths)
        rc = wh_fail_memory();
    else if (!wh_gguf_array_strings(m->file, key, pieces, lengths))
        rc = wh_fail(WHISP_ERR_MODEL, "%s: %s is not a list of strings", wh_gguf_path(m->file), key);
    else if (!(rc = wh_specials_named(pieces, lengths, (size_t)n_ordinary, (size_t)m->n_vocab, multilingual,
                                      &specials)))
        rc = wh_tokenizer_new(pieces, lengths, &specials, &m->tokenizer);
    if (rc == WHISP_ERR_MODEL && pieces && lengths)
        rc = wh_fail(rc, "%s: the vocabulary is not usable: %s", wh_gguf_path(m->file), whisp_last_error());
    free(pieces);
    free(lengths);
    return rc;
}

static int read_head(whisp_model *m)
{
    const char *text;
    size_t length;
    int64_t version = 0;
    if (wh_gguf_string(m->file, "general.architecture", &text, &length) && length == 10 &&
        memcmp(text, "silero-vad", 10) == 0)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: a voice activity model (Silero VAD), not a speech model; it is what the "
                       "option vad_model takes",
                       wh_gguf_path(m->file));
    if (!wh_gguf_string(m->file, "general.architecture", &text, &length) || length != 7 ||
        memcmp(text, "whisper", 7) != 0)
        return wh_fail(WHISP_ERR_MODEL, "%s: a GGUF file, but not of a Whisper model; whisp-convert makes one",
                       wh_gguf_path(m->file));
    if (!wh_gguf_int(m->file, "whisper.format_version", &version) || version < 1 || version > FORMAT_VERSION)
        return wh_fail(WHISP_ERR_MODEL, "%s: model format version %lld; this library (%s) reads versions up to %d: %s",
                       wh_gguf_path(m->file), (long long)version, whisp_version(), FORMAT_VERSION,
                       version > FORMAT_VERSION ? "update the library" : "convert the model again with whisp-convert");
    if (!wh_gguf_string(m->file, "general.name", &text, &length)) {
        text = "unnamed";
        length = 7;
    }
    m->name = wh_calloc(length + 1, 1);
    if (!m->name)
        return wh_fail_memory();
    memcpy(m->name, text, length);
    wh_tame(m->name);
    return WHISP_OK;
}

static int read_model(whisp_model *m)
{
    int rc;
    if ((rc = read_head(m)) || (rc = read_dimensions(m)) || (rc = find_tensors(m)) || (rc = read_alignment_heads(m)) ||
        (rc = read_vocabulary(m)))
        return rc;
    m->mel_filters = wh_alloc_aligned((size_t)m->n_mels * (WH_FFT / 2 + 1), sizeof(float));
    m->derived = wh_calloc(1, sizeof *m->derived);
    if (m->derived)
        pthread_mutex_init(&m->derived->mutex, NULL);
    if (!m->mel_filters || !m->derived)
        return wh_fail_memory();
    wh_mel_filters(m->n_mels, m->mel_filters);
    return WHISP_OK;
}

int wh_model_read(wh_gguf *file, whisp_model **model)
{
    whisp_model *m = wh_calloc(1, sizeof *m);
    if (!m) {
        wh_gguf_close(file);
        return wh_fail_memory();
    }
    m->file = file;
    int rc = read_model(m);
    if (!rc)
        rc = wh_model_fingerprint(m);
    if (rc)
        whisp_model_free(m);
    else
        *model = m;
    return rc;
}

void whisp_model_free(whisp_model *m)
{
    if (!m)
        return;
    if (m->derived) {
        if (m->derived->data)
            m->derived->free(m->derived->data);
        pthread_mutex_destroy(&m->derived->mutex);
        free(m->derived);
    }
    for (size_t i = 0; i < m->n_owned; i++)
        free(m->owned[i]);
    free(m->owned);
    free(m->mel_filters);
    wh_tokenizer_free(m->tokenizer);
    free(m->alignment_heads);
    free(m->audio_blocks);
    free(m->text_blocks);
    free(m->name);
    wh_gguf_close(m->file);
    free(m);
}

int whisp_model_describe(const whisp_model *model, whisp_model_info *info)
{
    if (!model || !info || info->size < sizeof info->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_model_describe: set info->size to sizeof(whisp_model_info) first");
    const wh_specials *specials = wh_tokenizer_specials(model->tokenizer);
    whisp_model_info full = {
        .size = info->size,
        .name = model->name,
        .type = wh_type_name(model->type),
        .n_vocab = model->n_vocab,
        .n_mels = model->n_mels,
        .n_audio_ctx = model->n_audio_ctx,
        .n_audio_state = model->n_audio_state,
        .n_audio_head = model->n_audio_head,
        .n_audio_layer = model->n_audio_layer,
        .n_text_ctx = model->n_text_ctx,
        .n_text_state = model->n_text_state,
        .n_text_head = model->n_text_head,
        .n_text_layer = model->n_text_layer,
        .is_multilingual = specials->multilingual,
        .n_languages = specials->n_languages,
    };
    for (size_t i = 0; i < wh_gguf_tensor_count(model->file); i++) {
        const wh_tensor *t = wh_gguf_tensor_at(model->file, i);
        full.n_parameters += (uint64_t)(t->shape[0] * t->shape[1] * t->shape[2] * t->shape[3]);
        if (t->scale) /* a tensor of its own, but no parameters */
            full.n_parameters -= (uint64_t)t->shape[0];
    }
    memcpy(info, &full, WH_MIN(info->size, sizeof full));
    return WHISP_OK;
}

int64_t whisp_tokenize(const whisp_model *model, const char *text, int32_t *tokens, size_t capacity)
{
    if (!model || !text || (!tokens && capacity))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_tokenize: an argument is NULL");
    int32_t *ids = NULL;
    size_t n = 0, room = 0;
    int rc = wh_tokenizer_encode(model->tokenizer, text, strlen(text), &ids, &n, &room);
    if (!rc && n)
        memcpy(tokens ? tokens : ids, ids, WH_MIN(n, capacity) * sizeof *ids);
    free(ids);
    return rc ? rc : (int64_t)n;
}

int64_t whisp_detokenize(const whisp_model *model, const int32_t *tokens, size_t n, char *text, size_t capacity)
{
    if (!model || (!tokens && n) || (!text && capacity))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_detokenize: an argument is NULL");
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= model->n_vocab)
            return wh_fail(WHISP_ERR_ARGUMENT, "token %ld is not in the vocabulary: ids go from 0 to %d",
                           (long)tokens[i], model->n_vocab - 1);
    wh_buf buf = {0};
    int rc = wh_tokenizer_decode(model->tokenizer, tokens, n, -1, &buf);
    if (!rc && buf.failed)
        rc = wh_fail_memory();
    int64_t length = (int64_t)buf.length;
    if (!rc && capacity) {
        size_t fits = WH_MIN(buf.length, capacity - 1);
        if (fits)
            memcpy(text, buf.data, fits);
        text[fits] = 0;
    }
    wh_buf_free(&buf);
    return rc ? rc : length;
}
