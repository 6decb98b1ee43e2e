/* output.c - writes the GGUF file: metadata (docs/formats.md), then tensor after tensor through a small buffer. */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/generic/generic.h"
#include "ending.h"
#include "plan.h"
#include "vocab.h"

#define CHUNK 65536 /* elements converted at a time; a multiple of Q8_0's block */

/* ---- metadata ---- */

static int put_text(wh_gguf_writer *w, const char *key, const char *text)
{
    return wh_gguf_put_string(w, key, text, strlen(text));
}

/* SHA-256 of the source's weight files, one after the other, as hexadecimal digits. */
static int checksum(const struct source *s, char hex[65])
{
    if (s->sha256[0]) {
        memcpy(hex, s->sha256, 65);
        return WHISP_OK;
    }
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    uint8_t *bytes = malloc(1 << 20);
    if (!bytes)
        return wh_fail_memory();
    sha256_init(&sha);
    int rc = WHISP_OK;
    for (size_t i = 0; i < s->n_files && !rc; i++) {
        FILE *file = fopen(s->files[i], "rb");
        size_t n;
        while (file && (n = fread(bytes, 1, 1 << 20, file)) > 0)
            sha256_update(&sha, n, bytes);
        if (!file || ferror(file))
            rc = wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", s->files[i], strerror(errno));
        if (file)
            fclose(file);
    }
    free(bytes);
    sha256_digest(&sha, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return rc;
}

/* 2 for what readers of version 1 would take for something else. */
static uint32_t format_version(const struct source *s)
{
    return layout_is_plain(s) && !source_find(s, "decoder.output.weight") ? 1 : 2;
}

int output_parse_type(const char *text, wh_type *type)
{
    static const wh_type types[] = {WH_F32, WH_F16, WH_BF16, WH_Q8_0, WH_I8};
    for (size_t i = 0; i < WH_COUNT(types); i++)
        if (strcmp(text, wh_type_name(types[i])) == 0) {
            *type = types[i];
            return 1;
        }
    return 0;
}

/* As llama.cpp numbers them. */
uint32_t output_file_type(wh_type type)
{
    return type == WH_F32 ? 0 : type == WH_F16 ? 1 : type == WH_Q8_0 ? 7 : type == WH_I8 ? 1024 : 32;
}

static int put_general(wh_gguf_writer *w, const struct source *s, wh_type type, const char *name)
{
    char hex[65];
    int rc = checksum(s, hex);
    if (rc || (rc = put_text(w, "general.architecture", "whisper")) || (rc = put_text(w, "general.name", name)) ||
        (rc = put_text(w, "general.license", "mit")) ||
        (rc = wh_gguf_put_u32(w, "general.file_type", output_file_type(type))))
        return rc;
    if (type == WH_Q8_0 && (rc = wh_gguf_put_u32(w, "general.quantization_version", 2)))
        return rc;
    if ((rc = wh_gguf_put_u32(w, "whisper.format_version", format_version(s))) ||
        (rc = put_text(w, "whisper.source.format", s->earlier_format ? s->earlier_format : s->format)))
        return rc;
    if ((rc = put_text(w, "whisper.source.sha256", hex)) ||
        (s->url && (rc = put_text(w, "whisper.source.url", s->url))))
        return rc;
    return s->revision ? put_text(w, "whisper.source.revision", s->revision) : WHISP_OK;
}

static int put_dims(wh_gguf_writer *w, const struct source *s)
{
    const struct dims *d = &s->dims;
    const struct {
        const char *key;
        int value;
    } list[] = {
        {"whisper.vocab_size", d->n_vocab},
        {"whisper.mel_bands", d->n_mels},
        {"whisper.encoder.context_length", d->n_audio_ctx},
        {"whisper.encoder.embedding_length", d->n_audio_state},
        {"whisper.encoder.attention.head_count", d->n_audio_head},
        {"whisper.encoder.block_count", d->n_audio_layer},
        {"whisper.decoder.context_length", d->n_text_ctx},
        {"whisper.decoder.embedding_length", d->n_text_state},
        {"whisper.decoder.attention.head_count", d->n_text_head},
        {"whisper.decoder.block_count", d->n_text_layer},
    };
    int rc = WHISP_OK;
    for (size_t i = 0; i < WH_COUNT(list) && !rc; i++)
        rc = wh_gguf_put_u32(w, list[i].key, (uint32_t)list[i].value);
    if (!rc)
        rc = wh_gguf_put_bool(w, "whisper.multilingual", s->specials.multilingual);
    if (!rc && s->n_heads)
        rc = wh_gguf_put_i32_array(w, "whisper.alignment_heads", s->heads, 2 * s->n_heads);
    return rc;
}

static int put_vocabulary(wh_gguf_writer *w, const struct source *s)
{
    size_t n = (size_t)s->dims.n_vocab;
    const char **tokens = wh_calloc(n, sizeof *tokens);
    size_t *lengths = wh_calloc(n, sizeof *lengths);
    char *names = NULL;
    int rc = tokens && lengths ? layout_names(s, tokens, lengths, &names) : wh_fail_memory();
    if (!rc && !(rc = put_text(w, "tokenizer.ggml.model", "gpt2")) &&
        !(rc = wh_gguf_put_u32(w, "whisper.vocab.ordinary", (uint32_t)s->specials.eot)) &&
        !(rc = wh_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)s->specials.eot)))
        rc = wh_gguf_put_string_array(w, "tokenizer.ggml.tokens", tokens, lengths, n);
    free(tokens);
    free(lengths);
    free(names);
    return rc;
}

/* ---- tensors ---- */

/* The source's bytes can be copied as they are. */
static int is_same_type(enum stored from, wh_type to)
{
    return (from == ST_F32 && to == WH_F32) || (from == ST_F16 && to == WH_F16) || (from == ST_BF16 && to == WH_BF16) ||
           (from == ST_Q8_0 && to == WH_Q8_0);
}

struct buffers {
    float *floats;        /* [CHUNK] */
    unsigned char *bytes; /* [CHUNK * 4] */
    float *scales;        /* [scale_room]: of the last int8 tensor's rows */
    size_t scale_room;
};

/* float16 reaches to 65504 and a damaged or unusual weight may lie beyond. */
static int check_range(const struct source *s, const struct planned *p, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabsf(x[i]) < (p->type == WH_F16 ? 65520.0f : INFINITY)))
            return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s holds %g, which %s cannot store%s", s->path, p->name,
                           (double)x[i], wh_type_name(p->type),
                           isfinite(x[i]) ? "; use --type f32 or bf16" : ": the file is damaged");
    return WHISP_OK;
}

/* A matrix or convolution as int8 with a scale for each row, as the library would quantize it at load. */
static int write_int8(wh_gguf_writer *w, struct source *s, const struct planned *p, struct buffers *b)
{
    int64_t rows = p->shape[0], k = tensor_elements(p->from) / rows;
    const wh_gemm *gemm = wh_gemm_generic();
    int rc = wh_grow(&b->scales, &b->scale_room, (size_t)rows, sizeof *b->scales);
    if (!rc && k > CHUNK)
        rc = wh_fail(WHISP_ERR_MODEL, "%s: the rows of tensor %s are too long for int8", s->path, p->name);
    if (!rc)
        rc = source_load(s, p->from);
    for (int64_t r = 0; r < rows && !rc; r++) {
        if (p->from->type == ST_I8_ROWS) {
            tensor_bytes(p->from, r * k, k, b->bytes);
            memcpy(&b->scales[r], p->from->scale + 4 * r, 4);
        } else {
            tensor_floats(p->from, r * k, k, b->floats);
            if ((rc = check_range(s, p, b->floats, k)))
                return rc;
            gemm->quantize(b->floats, (size_t)k, (int8_t *)b->bytes, NULL, &b->scales[r]);
        }
        rc = wh_gguf_write(w, b->bytes, (size_t)k);
    }
    source_forget(s);
    return rc;
}

static int write_tensor(wh_gguf_writer *w, struct source *s, const struct planned *p, struct buffers *b)
{
    int64_t total = tensor_elements(p->from);
    int rc = source_load(s, p->from);
    for (int64_t first = 0; first < total && !rc; first += CHUNK) {
        int64_t n = WH_MIN(CHUNK, total - first);
        size_t bytes = wh_type_row_size(p->type, n);
        if (is_same_type(p->from->type, p->type)) {
            tensor_bytes(p->from, first, n, b->bytes);
        } else {
            tensor_floats(p->from, first, n, b->floats);
            if ((rc = check_range(s, p, b->floats, n)))
                return rc;
            wh_encode_row(p->type, b->floats, b->bytes, n);
        }
        rc = wh_gguf_write(w, b->bytes, bytes);
    }
    source_forget(s);
    return rc;
}

static int write_all(wh_gguf_writer *w, struct source *s, wh_type type, const char *name, const struct planned *list,
                     size_t n, struct buffers *b)
{
    int rc;
    if ((rc = put_general(w, s, type, name)) || (rc = put_dims(w, s)) || (rc = put_vocabulary(w, s)))
        return rc;
    for (size_t i = 0; i < n && !rc; i++)
        rc = wh_gguf_declare(w, list[i].name, list[i].type, list[i].n_dims, list[i].shape);
    if (!rc)
        rc = wh_gguf_writer_begin(w);
    for (size_t i = 0; i < n && !rc; i++)
        rc = list[i].is_scale        ? wh_gguf_write(w, b->scales, (size_t)list[i].shape[0] * sizeof *b->scales)
             : list[i].type == WH_I8 ? write_int8(w, s, &list[i], b)
                                     : write_tensor(w, s, &list[i], b);
    return rc;
}

int output_write(struct source *s, const char *path, wh_type type, const char *model_name)
{
    struct planned *list = NULL;
    size_t n = 0;
    wh_gguf_writer *w = NULL;
    struct buffers b = {malloc(CHUNK * sizeof(float)), malloc(CHUNK * 4), NULL, 0};
    int rc = b.floats && b.bytes ? plan_make(s, type, &list, &n) : wh_fail_memory();
    if (!rc && !(rc = ending_open(path, &w)))
        rc = ending_close(w, write_all(w, s, type, model_name, list, n, &b));
    free(list);
    free(b.floats);
    free(b.bytes);
    free(b.scales);
    return rc;
}
