/* from_gguf.c - a GGUF file that whisp-convert wrote before, to be stored in another type. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"
#include "vocab.h"

static int read_dims(struct source *s)
{
    struct dims *d = &s->dims;
    const struct {
        const char *key;
        int *value;
    } list[] = {
        {"whisper.vocab_size", &d->n_vocab},
        {"whisper.mel_bands", &d->n_mels},
        {"whisper.encoder.context_length", &d->n_audio_ctx},
        {"whisper.encoder.embedding_length", &d->n_audio_state},
        {"whisper.encoder.attention.head_count", &d->n_audio_head},
        {"whisper.encoder.block_count", &d->n_audio_layer},
        {"whisper.decoder.context_length", &d->n_text_ctx},
        {"whisper.decoder.embedding_length", &d->n_text_state},
        {"whisper.decoder.attention.head_count", &d->n_text_head},
        {"whisper.decoder.block_count", &d->n_text_layer},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        int64_t value;
        if (!wh_gguf_int(s->gguf, list[i].key, &value) || value < 1 || value > INT_MAX)
            return wh_fail(WHISP_ERR_MODEL, "%s: not a Whisper model: it has no usable %s", s->path, list[i].key);
        *list[i].value = (int)value;
    }
    return source_check_dims(s);
}

static enum stored stored_as(wh_type type)
{
    switch (type) {
    case WH_F32: return ST_F32;
    case WH_F16: return ST_F16;
    case WH_BF16: return ST_BF16;
    case WH_I8: return ST_I8_ROWS;
    default: return ST_Q8_0;
    }
}

static int add_tensors(struct source *s)
{
    for (size_t i = 0; i < wh_gguf_tensor_count(s->gguf); i++) {
        const wh_tensor *t = wh_gguf_tensor_at(s->gguf, i);
        if (t->type == WH_I8 && !t->scale)
            return source_damaged(s, t->name);
        struct tensor *added = source_add(s, t->name, stored_as(t->type), t->n_dims, t->shape, t->data);
        if (!added)
            return WHISP_ERR_MODEL;
        added->scale = (const unsigned char *)t->scale;
    }
    return WHISP_OK;
}

static int read_heads(struct source *s)
{
    const char *key = "whisper.alignment_heads";
    int64_t n = wh_gguf_array_length(s->gguf, key), layer, head;
    for (int64_t i = 0; i + 1 < n; i += 2) {
        if (!wh_gguf_array_int(s->gguf, key, i, &layer) || !wh_gguf_array_int(s->gguf, key, i + 1, &head))
            return source_damaged(s, key);
        int rc = source_add_heads(s, layer, head);
        if (rc)
            return rc;
    }
    return WHISP_OK;
}

/* A copy of a metadata string, or NULL. */
static int copy_string(const struct source *s, const char *key, char **copy)
{
    const char *text;
    size_t length;
    if (!wh_gguf_string(s->gguf, key, &text, &length))
        return WHISP_OK;
    *copy = strndup(text, length);
    return *copy ? WHISP_OK : wh_fail_memory();
}

/* Where the weights came from in the first place stays known. */
static int read_origin(struct source *s)
{
    const char *text;
    size_t length;
    int rc;
    if ((rc = copy_string(s, "general.name", &s->hint)) ||
        (rc = copy_string(s, "whisper.source.format", &s->earlier_format)) ||
        (rc = copy_string(s, "whisper.source.url", &s->url)) ||
        (rc = copy_string(s, "whisper.source.revision", &s->revision)))
        return rc;
    if (wh_gguf_string(s->gguf, "whisper.source.sha256", &text, &length) && length == sizeof s->sha256 - 1)
        memcpy(s->sha256, text, length);
    return WHISP_OK;
}

int read_gguf(struct source *s)
{
    s->format = "gguf";
    const char *architecture;
    size_t length;
    int64_t version;
    int rc = wh_gguf_open(s->path, &s->gguf);
    if (rc || (rc = source_add_file(s, s->path)))
        return rc;
    if (!wh_gguf_string(s->gguf, "general.architecture", &architecture, &length) || length != 7 ||
        memcmp(architecture, "whisper", 7) != 0)
        return wh_fail(WHISP_ERR_MODEL, "%s: a GGUF file, but not of a Whisper model", s->path);
    if (!wh_gguf_int(s->gguf, "whisper.format_version", &version) || version < 1 || version > 2)
        return wh_fail(WHISP_ERR_MODEL, "%s: not a GGUF file of whisp-convert's format versions 1 and 2", s->path);
    if ((rc = read_dims(s)) || (rc = add_tensors(s)) || (rc = read_heads(s)) || (rc = read_origin(s)))
        return rc;
    return vocab_from_gguf(s, s->gguf);
}
