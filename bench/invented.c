/* invented.c - writes a GGUF file of random weights in a published model's shape (docs/formats.md).
 *
 * Only speed may be measured with it. The weights keep the activations near 1, as norms do in a trained model; the
 * vocabulary has the real size, so that the product with the embedding costs what it costs. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ending.h"
#include "gguf/gguf.h"
#include "invented.h"

enum { U32 = 4, BOOL = 7, STRING = 8, ARRAY = 9, ALIGN = 64, ORDINARY = 50257, AUDIO_CTX = 1500, TEXT_CTX = 448 };

const invented_size invented_sizes[] = {
    {"tiny", 384, 6, 4, 4, 80},
    {"base", 512, 8, 6, 6, 80},
    {"small", 768, 12, 12, 12, 80},
    {"medium", 1024, 16, 24, 24, 80},
    {"large-v3", 1280, 20, 32, 32, 128},
    {"turbo", 1280, 20, 32, 4, 128},
    {NULL, 0, 0, 0, 0, 0},
};

const invented_size *invented_find(const char *name)
{
    for (const invented_size *s = invented_sizes; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

/* Tensors are visited three times: counted, described, written. */
typedef enum pass { COUNT, DESCRIBE, WRITE } pass;

typedef struct writer {
    FILE *out;
    pass pass;
    uint64_t n_tensors, offset; /* of the next tensor's data */
    uint32_t random;
} writer;

static void put(writer *w, const void *data, size_t n)
{
    (void)fwrite(data, 1, n, w->out); /* ending_close() tells of what could not be written */
}

static void u32(writer *w, uint32_t x)
{
    put(w, &x, 4);
}

static void u64(writer *w, uint64_t x)
{
    put(w, &x, 8);
}

static void text(writer *w, const char *s)
{
    u64(w, strlen(s));
    put(w, s, strlen(s));
}

static void key_u32(writer *w, const char *key, int value)
{
    text(w, key);
    u32(w, U32);
    u32(w, (uint32_t)value);
}

static void key_text(writer *w, const char *key, const char *value)
{
    text(w, key);
    u32(w, STRING);
    text(w, value);
}

static void pad(writer *w)
{
    static const char zeros[ALIGN];
    put(w, zeros, (size_t)(-ftell(w->out) & (ALIGN - 1)));
}

/* Values uniform in centre +- spread, from a linear congruence; they repeat after a number that no row's length divides. */
static void values(writer *w, size_t n, int is_half, float centre, float spread)
{
    enum { PERIOD = 4099 };
    float floats[PERIOD];
    uint16_t halves[PERIOD];
    for (int i = 0; i < PERIOD; i++) {
        w->random = w->random * 1664525u + 1013904223u;
        floats[i] = centre + spread * ((float)(int32_t)w->random * 0x1p-31f);
    }
    wh_encode_row(WH_F16, floats, halves, PERIOD);
    for (; n > PERIOD; n -= PERIOD)
        put(w, is_half ? (void *)halves : (void *)floats, PERIOD * (is_half ? sizeof halves[0] : sizeof floats[0]));
    put(w, is_half ? (void *)halves : (void *)floats, n * (is_half ? sizeof halves[0] : sizeof floats[0]));
}

/* One tensor of shape [a][b][c] with n_dims of them in use. */
static void tensor(writer *w, const char *name, int n_dims, int a, int b, int c, int is_half, float centre,
                   float spread)
{
    const int shape[3] = {a, b, c};
    size_t n = 1;
    for (int i = 0; i < n_dims; i++)
        n *= (size_t)shape[i];
    if (w->pass == COUNT) {
        w->n_tensors++;
    } else if (w->pass == DESCRIBE) {
        text(w, name);
        u32(w, (uint32_t)n_dims);
        for (int i = n_dims; i-- > 0;)
            u64(w, (uint64_t)shape[i]);
        u32(w, is_half ? 1 : 0);
        u64(w, w->offset);
        w->offset += (n * (is_half ? 2 : 4) + ALIGN - 1) / ALIGN * ALIGN;
    } else {
        pad(w);
        values(w, n, is_half, centre, spread);
    }
}

static void linear(writer *w, const char *prefix, const char *name, int out, int in, int has_bias)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s.weight", prefix, name);
    tensor(w, full, 2, out, in, 1, 1, 0, sqrtf(1.0f / (float)in));
    snprintf(full, sizeof full, "%s.%s.bias", prefix, name);
    if (has_bias)
        tensor(w, full, 1, out, 1, 1, 0, 0, 0.1f);
}

static void norm(writer *w, const char *prefix, const char *name, int d)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s.weight", prefix, name);
    tensor(w, full, 1, d, 1, 1, 0, 1, 0.1f);
    snprintf(full, sizeof full, "%s.%s.bias", prefix, name);
    tensor(w, full, 1, d, 1, 1, 0, 0, 0.1f);
}

static void attention(writer *w, const char *prefix, const char *name, int d)
{
    char inner[96], ln[32];
    snprintf(ln, sizeof ln, "%s_ln", name);
    norm(w, prefix, ln, d);
    snprintf(inner, sizeof inner, "%s.%s", prefix, name);
    linear(w, inner, "query", d, d, 1);
    linear(w, inner, "key", d, d, 0);
    linear(w, inner, "value", d, d, 1);
    linear(w, inner, "out", d, d, 1);
}

static void block(writer *w, const char *part, int i, int d)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.blocks.%d", part, i);
    attention(w, prefix, "attn", d);
    if (part[0] == 'd')
        attention(w, prefix, "cross_attn", d);
    norm(w, prefix, "mlp_ln", d);
    linear(w, prefix, "mlp.0", 4 * d, d, 1);
    linear(w, prefix, "mlp.2", d, 4 * d, 1);
}

static void tensors(writer *w, const invented_size *s, int n_vocab, pass which)
{
    int d = s->state;
    w->pass = which;
    tensor(w, "encoder.conv1.weight", 3, d, s->mels, 3, 1, 0, sqrtf(1.0f / (float)s->mels));
    tensor(w, "encoder.conv1.bias", 1, d, 1, 1, 0, 0, 0.1f);
    tensor(w, "encoder.conv2.weight", 3, d, d, 3, 1, 0, sqrtf(1.0f / (float)d));
    tensor(w, "encoder.conv2.bias", 1, d, 1, 1, 0, 0, 0.1f);
    tensor(w, "encoder.positional_embedding", 2, AUDIO_CTX, d, 1, 0, 0, 1);
    for (int i = 0; i < s->layers; i++)
        block(w, "encoder", i, d);
    norm(w, "encoder", "ln_post", d);
    tensor(w, "decoder.token_embedding.weight", 2, n_vocab, d, 1, 1, 0, sqrtf(3.0f / (float)d));
    tensor(w, "decoder.positional_embedding", 2, TEXT_CTX, d, 1, 0, 0, sqrtf(3.0f / (float)d));
    for (int i = 0; i < s->text_layers; i++)
        block(w, "decoder", i, d);
    norm(w, "decoder", "ln", d);
}

/* A token that stands for byte b, as GPT-2 writes it: itself, or the k-th letter from U+0100. */
static void byte_token(int b, int *k, char *out)
{
    int is_printable = (b >= 0x21 && b < 0x7F) || (b >= 0xA1 && b < 0xAD) || b >= 0xAE;
    int letter = is_printable ? b : 0x100 + (*k)++;
    snprintf(out, 8, letter < 0x80 ? "%c" : "%c%c", letter < 0x80 ? letter : 0xC0 | letter >> 6, 0x80 | (letter & 63));
}

/* Bytes, then words of three letters, each another; then the special tokens. */
static void vocabulary(writer *w, const invented_size *s, int n_vocab)
{
    static const char *const after[] = {"<|translate|>",   "<|transcribe|>", "<|startoflm|>",
                                        "<|startofprev|>", "<|nospeech|>",   "<|notimestamps|>"};
    static const char languages[] =
        "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi "
        "ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd "
        "gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue";
    const char *language = languages;
    char token[32];
    int n_languages = s->mels == 128 ? 100 : 99, printable[256], n = 0, k = 0;
    for (int b = 0; b < 256; b++) /* the printable ones come first */
        if ((b >= 0x21 && b < 0x7F) || (b >= 0xA1 && b < 0xAD) || b >= 0xAE)
            printable[n++] = b;
    for (int b = 0; b < 256; b++)
        if (!((b >= 0x21 && b < 0x7F) || (b >= 0xA1 && b < 0xAD) || b >= 0xAE))
            printable[n++] = b;
    text(w, "tokenizer.ggml.tokens");
    u32(w, ARRAY);
    u32(w, STRING);
    u64(w, (uint64_t)n_vocab);
    for (int i = 0; i < n_vocab; i++) {
        int special = i - ORDINARY;
        if (i < 256) {
            byte_token(printable[i], &k, token);
        } else if (special < 0) {
            int x = i - 256;
            snprintf(token, sizeof token, "%c%c%c", 'A' + x % 26, 'a' + x / 26 % 26, '!' + x / 676);
        } else if (special < 2) {
            snprintf(token, sizeof token, "%s", special ? "<|startoftranscript|>" : "<|endoftext|>");
        } else if (special < 2 + n_languages) {
            int length = (int)strcspn(language, " ");
            snprintf(token, sizeof token, "<|%.*s|>", length, language);
            language += length + 1;
        } else if (special < 2 + n_languages + 6) {
            snprintf(token, sizeof token, "%s", after[special - 2 - n_languages]);
        } else {
            snprintf(token, sizeof token, "<|%.2f|>", 0.02 * (special - 2 - n_languages - 6));
        }
        text(w, token);
    }
}

int invented_write(const invented_size *s, const char *path)
{
    writer w = {.out = ending_open(path), .random = 1};
    if (!w.out) {
        perror(path);
        return -1;
    }
    int n_vocab = ORDINARY + 2 + (s->mels == 128 ? 100 : 99) + 6 + 1501;
    tensors(&w, s, n_vocab, COUNT);
    put(&w, "GGUF", 4);
    u32(&w, 3);
    u64(&w, w.n_tensors);
    u64(&w, 18);
    key_text(&w, "general.architecture", "whisper");
    key_text(&w, "general.name", s->name);
    key_u32(&w, "general.alignment", ALIGN);
    key_u32(&w, "whisper.format_version", 1);
    key_u32(&w, "whisper.vocab_size", n_vocab);
    key_u32(&w, "whisper.mel_bands", s->mels);
    key_u32(&w, "whisper.encoder.context_length", AUDIO_CTX);
    key_u32(&w, "whisper.encoder.embedding_length", s->state);
    key_u32(&w, "whisper.encoder.attention.head_count", s->heads);
    key_u32(&w, "whisper.encoder.block_count", s->layers);
    key_u32(&w, "whisper.decoder.context_length", TEXT_CTX);
    key_u32(&w, "whisper.decoder.embedding_length", s->state);
    key_u32(&w, "whisper.decoder.attention.head_count", s->heads);
    key_u32(&w, "whisper.decoder.block_count", s->text_layers);
    text(&w, "whisper.multilingual");
    u32(&w, BOOL);
    put(&w, "\1", 1);
    key_u32(&w, "whisper.vocab.ordinary", ORDINARY);
    key_text(&w, "tokenizer.ggml.model", "gpt2");
    vocabulary(&w, s, n_vocab);
    tensors(&w, s, n_vocab, DESCRIBE);
    pad(&w);
    tensors(&w, s, n_vocab, WRITE);
    if (ending_close(w.out, path)) {
        perror(path);
        return -1;
    }
    return 0;
}
