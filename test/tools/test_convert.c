/* convert_damage.c - whisp-convert's readers on damaged files: a small invented model is written in every format, then
 * damaged in many seeded ways. Each must end in an output that can be opened or in an error with a text and no output;
 * never in a crash, a hang or an allocation out of proportion. Meant to run under AddressSanitizer too. */
#include "support/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "../tools/convert/heads.h"
#include "../tools/convert/output.h"
#include "../tools/convert/pickle.h"
#include "../tools/convert/plan.h"
#include "../tools/convert/source.h"
#include "../tools/convert/vocab.h"

#define SEEDS 1000
#define D 4
#define MELS 2
#define AUDIO_CTX 3
#define TEXT_CTX 4
#define ORDINARY 256
#define VOCAB (ORDINARY + 1 + 1509) /* one language */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

/* The model's tensors by the three kinds of names. Neighbours with the same CTranslate2 name are stacked there; those
 * without another name are the keys' biases, which are zero and exist in CTranslate2 only. */
static const struct row {
    const char *name, *hf, *ct2;
    int n_dims, shape[3];
} rows[] = {
#define NORM(name, hf, ct2)                                                                                            \
    {name ".weight", hf ".weight", ct2 "/gamma", 1, {D}},                                                              \
    {                                                                                                                  \
        name ".bias", hf ".bias", ct2 "/beta", 1,                                                                      \
        {                                                                                                              \
            D                                                                                                          \
        }                                                                                                              \
    }
#define LINEAR(name, hf, ct2, out, in)                                                                                 \
    {name ".weight", hf ".weight", ct2 "/weight", 2, {out, in}},                                                       \
    {                                                                                                                  \
        name ".bias", hf ".bias", ct2 "/bias", 1,                                                                      \
        {                                                                                                              \
            out                                                                                                        \
        }                                                                                                              \
    }
#define SELF(side)                                                                                                     \
    NORM(side ".blocks.0.attn_ln", side ".layers.0.self_attn_layer_norm", side "/layer_0/self_attention/layer_norm"),  \
        {side ".blocks.0.attn.query.weight",                                                                           \
         side ".layers.0.self_attn.q_proj.weight",                                                                     \
         side "/layer_0/self_attention/linear_0/weight",                                                               \
         2,                                                                                                            \
         {D, D}},                                                                                                      \
        {side ".blocks.0.attn.key.weight",                                                                             \
         side ".layers.0.self_attn.k_proj.weight",                                                                     \
         side "/layer_0/self_attention/linear_0/weight",                                                               \
         2,                                                                                                            \
         {D, D}},                                                                                                      \
        {side ".blocks.0.attn.value.weight",                                                                           \
         side ".layers.0.self_attn.v_proj.weight",                                                                     \
         side "/layer_0/self_attention/linear_0/weight",                                                               \
         2,                                                                                                            \
         {D, D}},                                                                                                      \
        {side ".blocks.0.attn.query.bias",                                                                             \
         side ".layers.0.self_attn.q_proj.bias",                                                                       \
         side "/layer_0/self_attention/linear_0/bias",                                                                 \
         1,                                                                                                            \
         {D}},                                                                                                         \
        {NULL, NULL, side "/layer_0/self_attention/linear_0/bias", 1, {D}},                                            \
        {side ".blocks.0.attn.value.bias",                                                                             \
         side ".layers.0.self_attn.v_proj.bias",                                                                       \
         side "/layer_0/self_attention/linear_0/bias",                                                                 \
         1,                                                                                                            \
         {D}},                                                                                                         \
        LINEAR(side ".blocks.0.attn.out", side ".layers.0.self_attn.out_proj",                                         \
               side "/layer_0/self_attention/linear_1", D, D)
#define MLP(side)                                                                                                      \
    NORM(side ".blocks.0.mlp_ln", side ".layers.0.final_layer_norm", side "/layer_0/ffn/layer_norm"),                  \
        LINEAR(side ".blocks.0.mlp.0", side ".layers.0.fc1", side "/layer_0/ffn/linear_0", 4 * D, D),                  \
        LINEAR(side ".blocks.0.mlp.2", side ".layers.0.fc2", side "/layer_0/ffn/linear_1", D, 4 * D)
    {"encoder.conv1.weight", "encoder.conv1.weight", "encoder/conv1/weight", 3, {D, MELS, 3}},
    {"encoder.conv1.bias", "encoder.conv1.bias", "encoder/conv1/bias", 1, {D}},
    {"encoder.conv2.weight", "encoder.conv2.weight", "encoder/conv2/weight", 3, {D, D, 3}},
    {"encoder.conv2.bias", "encoder.conv2.bias", "encoder/conv2/bias", 1, {D}},
    {"encoder.positional_embedding",
     "encoder.embed_positions.weight",
     "encoder/position_encodings/encodings",
     2,
     {AUDIO_CTX, D}},
    SELF("encoder"),
    MLP("encoder"),
    NORM("encoder.ln_post", "encoder.layer_norm", "encoder/layer_norm"),
    {"decoder.token_embedding.weight", "decoder.embed_tokens.weight", "decoder/embeddings/weight", 2, {VOCAB, D}},
    {"decoder.positional_embedding",
     "decoder.embed_positions.weight",
     "decoder/position_encodings/encodings",
     2,
     {TEXT_CTX, D}},
    SELF("decoder"),
    NORM("decoder.blocks.0.cross_attn_ln", "decoder.layers.0.encoder_attn_layer_norm",
         "decoder/layer_0/attention/layer_norm"),
    LINEAR("decoder.blocks.0.cross_attn.query", "decoder.layers.0.encoder_attn.q_proj",
           "decoder/layer_0/attention/linear_0", D, D),
    {"decoder.blocks.0.cross_attn.key.weight",
     "decoder.layers.0.encoder_attn.k_proj.weight",
     "decoder/layer_0/attention/linear_1/weight",
     2,
     {D, D}},
    {"decoder.blocks.0.cross_attn.value.weight",
     "decoder.layers.0.encoder_attn.v_proj.weight",
     "decoder/layer_0/attention/linear_1/weight",
     2,
     {D, D}},
    {NULL, NULL, "decoder/layer_0/attention/linear_1/bias", 1, {D}},
    {"decoder.blocks.0.cross_attn.value.bias",
     "decoder.layers.0.encoder_attn.v_proj.bias",
     "decoder/layer_0/attention/linear_1/bias",
     1,
     {D}},
    LINEAR("decoder.blocks.0.cross_attn.out", "decoder.layers.0.encoder_attn.out_proj",
           "decoder/layer_0/attention/linear_2", D, D),
    MLP("decoder"),
    NORM("decoder.ln", "decoder.layer_norm", "decoder/layer_norm"),
};

static int elements(const struct row *r)
{
    return r->shape[0] * (r->n_dims > 1 ? r->shape[1] : 1) * (r->n_dims > 2 ? r->shape[2] : 1);
}

/* Row i's numbers as float16, the same in every format. free() it. */
static uint16_t *numbers(size_t i)
{
    int n = elements(&rows[i]);
    uint64_t seed = i;
    uint16_t *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    for (int k = 0; k < n; k++)
        x[k] = rows[i].name ? wh_f32_to_f16((float)random_unit(&seed) - 0.5f) : 0;
    return x;
}

static void put_numbers(wh_buf *b, size_t i)
{
    uint16_t *x = numbers(i);
    wh_buf_append(b, x, (size_t)elements(&rows[i]) * 2);
    free(x);
}

static void put(wh_buf *b, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        wh_buf_append(b, &(char){(char)(value >> 8 * i)}, 1);
}

/* ---- the formats ---- */

static char folder[64]; /* everything is in here: in/ is what is converted */

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *data, size_t n)
{
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    assert_true(n == 0 || fwrite(data, 1, n, file) == n);
    assert_int_equal(fclose(file), 0);
}

static void write_buf(const char *name, wh_buf *b)
{
    assert_false(b->failed);
    write_file(name, b->data, b->length);
    wh_buf_free(b);
}

static void ct2_string(wh_buf *b, const char *text)
{
    put(b, strlen(text) + 1, 2);
    wh_buf_append(b, text, strlen(text) + 1);
}

static void make_ct2(void)
{
    wh_buf body = {0}, b = {0};
    uint64_t count = 0;
    for (size_t i = 0; i < WH_COUNT(rows);) {
        size_t end = i;
        int leading = 0, bytes = 0;
        for (; end < WH_COUNT(rows) && strcmp(rows[end].ct2, rows[i].ct2) == 0; end++) {
            leading += rows[end].shape[0];
            bytes += 2 * elements(&rows[end]);
        }
        ct2_string(&body, rows[i].ct2);
        put(&body, (uint64_t)rows[i].n_dims, 1);
        put(&body, (uint64_t)leading, 4);
        for (int k = 1; k < rows[i].n_dims; k++)
            put(&body, (uint64_t)rows[i].shape[k], 4);
        put(&body, 4, 1);
        put(&body, (uint64_t)bytes, 4);
        for (; i < end; i++)
            put_numbers(&body, i);
        count++;
    }
    static const char *const sides[] = {"encoder/num_heads", "decoder/num_heads"};
    for (int i = 0; i < 2; i++, count++) {
        ct2_string(&body, sides[i]);
        put(&body, 0, 1);
        put(&body, 2, 1);
        put(&body, 2, 4);
        put(&body, 2, 2);
    }
    put(&b, 6, 4);
    ct2_string(&b, "WhisperSpec");
    put(&b, 3, 4);
    put(&b, count, 4);
    wh_buf_append(&b, body.data, body.length);
    put(&b, 1, 4);
    ct2_string(&b, "decoder/projection/weight");
    ct2_string(&b, "decoder/embeddings/weight");
    wh_buf_free(&body);
    write_buf("in/model.bin", &b);
    write_file("in/config.json", "{\"alignment_heads\": [[0, 1]]}", 29);
}

/* Byte i in GPT-2's notation; only that all 256 are there matters here. */
static void put_letter(wh_buf *b, int i)
{
    int code = i <= 32 ? 256 + i : i >= 127 && i <= 160 ? 256 + 33 + i - 127 : i == 173 ? 256 + 67 : i;
    if (code == '"' || code == '\\')
        wh_buf_puts(b, "\\");
    if (code < 128)
        put(b, (uint64_t)code, 1);
    else
        wh_buf_append(b, (char[2]){(char)(0xc0 | code >> 6), (char)(0x80 | (code & 63))}, 2);
}

static const char *special(int id)
{
    static char name[32];
    wh_specials s;
    assert_int_equal(wh_specials_published(ORDINARY, VOCAB, 1, &s), 0);
    wh_special_name(&s, id, name, sizeof name);
    return name;
}

/* A JSON list, or an object with ids, of tokens first .. end - 1. */
static void make_tokens(const char *name, int is_object, int first, int end)
{
    wh_buf b = {0};
    wh_buf_puts(&b, is_object ? "{" : "[");
    for (int i = first; i < end; i++) {
        wh_buf_puts(&b, i > first ? ",\"" : "\"");
        if (i < ORDINARY)
            put_letter(&b, i);
        else
            wh_buf_puts(&b, special(i));
        wh_buf_puts(&b, "\"");
        if (is_object)
            wh_buf_printf(&b, ":%d", i);
    }
    wh_buf_puts(&b, is_object ? "}" : "]");
    write_buf(name, &b);
}

static void make_vocabulary(const char *name, int is_object)
{
    make_tokens(name, is_object, 0, VOCAB);
}

/* tokenizer.json with its two lists. */
static void make_tokenizer(void)
{
    wh_buf b = {0};
    make_tokens("in/vocab.json", 1, 0, ORDINARY);
    size_t n;
    char *vocabulary = read_file(path_of("in/vocab.json"), &n);
    unlink(path_of("in/vocab.json"));
    wh_buf_puts(&b, "{\"model\": {\"vocab\": ");
    wh_buf_append(&b, vocabulary, n);
    wh_buf_puts(&b, "}, \"added_tokens\": [");
    for (int i = ORDINARY; i < ORDINARY + 12; i++)
        wh_buf_printf(&b, "%s{\"id\": %d, \"content\": \"%s\"}", i > ORDINARY ? "," : "", i, special(i));
    wh_buf_puts(&b, "]}");
    free(vocabulary);
    write_buf("in/tokenizer.json", &b);
}

static void make_config(void)
{
    wh_buf b = {0};
    wh_buf_printf(&b,
                  "{\"model_type\": \"whisper\", \"num_mel_bins\": %d, \"vocab_size\": %d, "
                  "\"max_source_positions\": %d, \"d_model\": %d, \"encoder_attention_heads\": 2, "
                  "\"encoder_layers\": 1, \"max_target_positions\": %d, \"decoder_attention_heads\": 2, "
                  "\"decoder_layers\": 1, \"eos_token_id\": %d, \"decoder_start_token_id\": %d}",
                  MELS, VOCAB, AUDIO_CTX, D, TEXT_CTX, ORDINARY, ORDINARY + 1);
    write_buf("in/config.json", &b);
    wh_buf_printf(&b,
                  "{\"alignment_heads\": [[0, 1]], \"no_timestamps_token_id\": %d, \"lang_to_id\": "
                  "{\"<|en|>\": %d}, \"is_multilingual\": true}",
                  ORDINARY + 8, ORDINARY + 2);
    write_buf("in/generation_config.json", &b);
}

static void make_hf(void)
{
    wh_buf head = {0}, data = {0}, b = {0};
    wh_buf_puts(&head, "{\"__metadata__\": {}");
    for (size_t i = 0; i < WH_COUNT(rows); i++) {
        if (!rows[i].hf)
            continue;
        wh_buf_printf(&head, ", \"model.%s\": {\"dtype\": \"F16\", \"shape\": [%d", rows[i].hf, rows[i].shape[0]);
        for (int k = 1; k < rows[i].n_dims; k++)
            wh_buf_printf(&head, ", %d", rows[i].shape[k]);
        wh_buf_printf(&head, "], \"data_offsets\": [%zu, ", data.length);
        put_numbers(&data, i);
        wh_buf_printf(&head, "%zu]}", data.length);
    }
    wh_buf_puts(&head, "}");
    put(&b, head.length, 8);
    wh_buf_append(&b, head.data, head.length);
    wh_buf_append(&b, data.data, data.length);
    wh_buf_free(&head);
    wh_buf_free(&data);
    write_buf("in/model.safetensors", &b);
    make_config();
}

static void make_ggml(void)
{
    static const int hyper[] = {VOCAB, AUDIO_CTX, D, 2, 1, TEXT_CTX, D, 2, 1, MELS, 1, MELS, 5};
    wh_buf b = {0};
    put(&b, 0x67676d6c, 4);
    for (size_t i = 0; i < WH_COUNT(hyper); i++)
        put(&b, (uint64_t)hyper[i], 4);
    for (int i = 0; i < MELS * 5; i++)
        put(&b, 0, 4);
    put(&b, ORDINARY, 4);
    for (int i = 0; i < ORDINARY; i++) {
        put(&b, 1, 4);
        put(&b, (uint64_t)i, 1);
    }
    for (size_t i = 0; i < WH_COUNT(rows); i++) {
        if (!rows[i].name)
            continue;
        put(&b, (uint64_t)rows[i].n_dims, 4);
        put(&b, strlen(rows[i].name), 4);
        put(&b, 1, 4);
        for (int k = rows[i].n_dims - 1; k >= 0; k--)
            put(&b, (uint64_t)rows[i].shape[k], 4);
        wh_buf_puts(&b, rows[i].name);
        put_numbers(&b, i);
    }
    write_buf("in/ggml.bin", &b);
}

static void put_pickle_text(wh_buf *b, const char *text)
{
    wh_buf_puts(b, "X");
    put(b, strlen(text), 4);
    wh_buf_puts(b, text);
}

static void put_pickle_int(wh_buf *b, int value)
{
    wh_buf_puts(b, "J");
    put(b, (uint64_t)(uint32_t)value, 4);
}

/* A tensor as torch.save writes it, with its storage under the row's number. */
static void put_pickle_tensor(wh_buf *b, size_t i, int is_hf)
{
    const struct row *r = &rows[i];
    char key[16], name[96];
    snprintf(key, sizeof key, "%zu", i);
    snprintf(name, sizeof name, "%s%s", is_hf ? "module.model." : "", is_hf ? r->hf : r->name);
    put_pickle_text(b, name);
    wh_buf_puts(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_pickle_text(b, "storage");
    wh_buf_puts(b, "ctorch\nHalfStorage\n");
    put_pickle_text(b, key);
    put_pickle_text(b, "cpu");
    put_pickle_int(b, elements(r));
    wh_buf_puts(b, "tQ");
    put_pickle_int(b, 0);
    wh_buf_puts(b, "(");
    for (int k = 0; k < r->n_dims; k++)
        put_pickle_int(b, r->shape[k]);
    wh_buf_puts(b, "t(");
    for (int k = 0; k < r->n_dims; k++)
        put_pickle_int(b, k == r->n_dims - 1 ? 1 : k == r->n_dims - 2 ? r->shape[k + 1] : r->shape[1] * r->shape[2]);
    wh_buf_puts(b, "t\x89h");
    put(b, 0, 1); /* the OrderedDict of the memo */
    wh_buf_puts(b, ")RtR");
}

static void make_pickle(wh_buf *b)
{
    static const struct {
        const char *name;
        int value;
    } dims[] = {{"n_mels", MELS},    {"n_vocab", VOCAB},   {"n_audio_ctx", AUDIO_CTX}, {"n_audio_state", D},
                {"n_audio_head", 2}, {"n_audio_layer", 1}, {"n_text_ctx", TEXT_CTX},   {"n_text_state", D},
                {"n_text_head", 2},  {"n_text_layer", 1}};
    wh_buf_puts(b, "\x80\x02}(");
    put_pickle_text(b, "dims");
    wh_buf_puts(b, "}(");
    for (size_t i = 0; i < WH_COUNT(dims); i++) {
        put_pickle_text(b, dims[i].name);
        put_pickle_int(b, dims[i].value);
    }
    wh_buf_puts(b, "u");
    put_pickle_text(b, "model_state_dict");
    wh_buf_puts(b, "ccollections\nOrderedDict\nq");
    put(b, 0, 1);
    wh_buf_puts(b, ")R(");
    for (size_t i = 0; i < WH_COUNT(rows); i++)
        if (rows[i].name)
            put_pickle_tensor(b, i, 0);
    wh_buf_puts(b, "uu.");
}

/* A bare state dict with Hugging Face's names: every second row from `first` on, or all if `step` is 1. */
static void make_state_pickle(wh_buf *b, size_t first, size_t step)
{
    wh_buf_puts(b, "\x80\x02"
                   "ccollections\nOrderedDict\nq");
    put(b, 0, 1);
    wh_buf_puts(b, ")R(");
    for (size_t i = first; i < WH_COUNT(rows); i += step)
        if (rows[i].name)
            put_pickle_tensor(b, i, 1);
    wh_buf_puts(b, "u}b."); /* with a state of its own, as state dicts have their _metadata */
}

static int packed_by = ZIP_CM_STORE;

static void zip_entry(zip_t *zip, const char *name, const void *data, size_t n)
{
    zip_source_t *source = zip_source_buffer(zip, data, n, 0);
    assert_non_null(source);
    zip_int64_t index = zip_file_add(zip, name, source, 0);
    assert_true(index >= 0);
    assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)index, packed_by, 0), 0);
}

static void make_archive(const char *file, const void *pickle, size_t n)
{
    int error;
    unlink(path_of(file));
    zip_t *zip = zip_open(path_of(file), ZIP_CREATE | ZIP_TRUNCATE, &error);
    assert_non_null(zip);
    uint16_t *data[WH_COUNT(rows)];
    zip_entry(zip, "model/data.pkl", pickle, n);
    zip_entry(zip, "model/byteorder", "little", 6);
    for (size_t i = 0; i < WH_COUNT(rows); i++) {
        char name[32];
        snprintf(name, sizeof name, "model/data/%zu", i);
        data[i] = numbers(i);
        zip_entry(zip, name, data[i], (size_t)elements(&rows[i]) * 2);
    }
    assert_int_equal(zip_close(zip), 0);
    for (size_t i = 0; i < WH_COUNT(rows); i++)
        free(data[i]);
}

static void make_pt(void)
{
    wh_buf pickle = {0};
    make_pickle(&pickle);
    make_archive("in/model.pt", pickle.data, pickle.length);
    wh_buf_free(&pickle);
}

static void make_bin(const char *file, size_t first, size_t step)
{
    wh_buf pickle = {0};
    make_state_pickle(&pickle, first, step);
    make_archive(file, pickle.data, pickle.length);
    wh_buf_free(&pickle);
}

/* ---- converting ---- */

static FILE *quiet;

/* What main.c does, without its options. Both names are within `folder`; vocab may be NULL. */
static int convert(const char *input, const char *vocab)
{
    struct source s;
    char name[256], path[128];
    snprintf(path, sizeof path, "%s/%s", folder, input);
    int rc = source_open(path, &s);
    if (rc)
        return rc;
    if (!(rc = vocab_complete(&s, vocab ? path_of(vocab) : NULL, folder, quiet)) &&
        !(rc = heads_complete(&s, NULL, NULL, quiet)) && !(rc = plan_output(&s, quiet))) {
        heads_name(&s, NULL, name, sizeof name);
        rc = output_write(&s, path_of("out.gguf"), plan_natural_type(&s), name);
    }
    source_close(&s);
    return rc;
}

static int count_outputs(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += strncmp(entry->d_name, "out.gguf", 8) == 0;
    closedir(dir);
    return n;
}

/* The output opens and its vectors and matrices are those of `rows`. */
static void check_output(void)
{
    wh_gguf *g;
    assert_int_equal(wh_gguf_open(path_of("out.gguf"), &g), 0);
    for (size_t i = 0; i < WH_COUNT(rows); i++) {
        if (!rows[i].name)
            continue;
        const wh_tensor *t = wh_gguf_tensor(g, rows[i].name);
        assert_non_null(t);
        int n = elements(&rows[i]);
        float *got = malloc((size_t)n * sizeof *got);
        uint16_t *want = numbers(i);
        assert_int_equal(t->bytes, wh_type_row_size(t->type, n));
        wh_decode_row(t->type, t->data, got, n);
        for (int k = 0; k < n; k++)
            assert_true(got[k] == wh_f16_to_f32(want[k]));
        free(got);
        free(want);
    }
    wh_gguf_close(g);
}

/* ---- damaging ---- */

static size_t any_place(uint64_t *seed, size_t n)
{
    double where = random_unit(seed), x = random_unit(seed);
    if (where < 0.5) /* heads and directories are where numbers are believed */
        return (size_t)(x * (double)WH_MIN(n, 1500));
    if (where < 0.7)
        return n - 1 - (size_t)(x * (double)WH_MIN(n, 3000));
    return (size_t)(x * (double)n);
}

/* Damage n bytes in one of five ways; the result's length (at most n + 64). */
static size_t damage(char *data, size_t n, uint64_t *seed)
{
    static const uint64_t extremes[] = {
        0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, 0xffffffffffffffff};
    size_t at = any_place(seed, n), length = 1 + (size_t)(random_unit(seed) * 40);
    switch ((int)(random_unit(seed) * 5)) {
    case 0: return at;
    case 1:
        for (int i = (int)(random_unit(seed) * 6); i >= 0; i--)
            data[any_place(seed, n)] = (char)(int)(random_unit(seed) * 256);
        return n;
    case 2: {
        uint64_t value = extremes[(size_t)(random_unit(seed) * (double)WH_COUNT(extremes))];
        memcpy(data + at, &value, WH_MIN(n - at, random_unit(seed) < 0.7 ? 4 : 8));
        return n;
    }
    case 3:
        length = WH_MIN(length, n - at);
        memmove(data + at, data + at + length, n - at - length);
        return n - length;
    default:
        length = WH_MIN(length, at);
        memmove(data + at, data + at - length, n - at + length);
        return n + length;
    }
}

static void check_damaged(const char *input, const char *vocab, int i, int *refused)
{
    unlink(path_of("out.gguf"));
    int rc = convert(input, vocab);
    if (rc) {
        ++*refused;
        assert_true(rc < 0 && strlen(whisp_last_error()) > 10);
        if (strstr(whisp_last_error(), "out of memory"))
            fail_msg("seed %d: a damaged file asked for too much memory", i);
        assert_int_equal(count_outputs(), 0);
    } else {
        wh_gguf *g;
        assert_int_equal(count_outputs(), 1);
        assert_int_equal(wh_gguf_open(path_of("out.gguf"), &g), 0);
        wh_gguf_close(g);
    }
}

/* Damage files[i % n_files] in SEEDS ways; the first is the weights' file and gets two thirds of them. */
static void damage_files(const char *input, const char *vocab, const char *const *files, size_t n_files)
{
    int refused = 0;
    uint64_t seed = 11;
    assert_int_equal(convert(input, vocab), 0);
    check_output();
    for (size_t f = 0; f < n_files; f++) {
        size_t n;
        char *whole = read_file(path_of(files[f]), &n), *data = malloc(n + 64);
        assert_non_null(data);
        int seeds = n_files == 1 ? SEEDS : f == 0 ? SEEDS * 2 / 3 : SEEDS / 3 / ((int)n_files - 1);
        for (int i = 0; i < seeds; i++) {
            memcpy(data, whole, n);
            write_file(files[f], data, damage(data, n, &seed));
            check_damaged(input, vocab, i, &refused);
        }
        write_file(files[f], whole, n);
        free(whole);
        free(data);
    }
    print_message("%s: %d of about %d refused\n", input, refused, SEEDS);
    assert_true(refused > SEEDS / 4 && refused < SEEDS);
}

static void test_ct2(void **state)
{
    (void)state;
    static const char *const files[] = {"in/model.bin", "in/config.json", "in/vocabulary.json"};
    make_ct2();
    make_vocabulary("in/vocabulary.json", 0);
    damage_files("in", NULL, files, WH_COUNT(files));
}

static void test_gguf(void **state)
{
    (void)state;
    static const char *const files[] = {"in/model.gguf"};
    make_ct2();
    make_vocabulary("in/vocabulary.json", 0);
    assert_int_equal(convert("in", NULL), 0);
    assert_int_equal(rename(path_of("out.gguf"), path_of("in/model.gguf")), 0);
    damage_files("in/model.gguf", NULL, files, WH_COUNT(files));
}

static void test_hf(void **state)
{
    (void)state;
    static const char *const files[] = {"in/model.safetensors", "in/config.json", "in/generation_config.json",
                                        "in/vocab.json"};
    make_hf();
    make_vocabulary("in/vocab.json", 1);
    damage_files("in", NULL, files, WH_COUNT(files));
}

/* The tokenizer's other files, and shards. */
static void test_shards(void **state)
{
    (void)state;
    static const char *const files[] = {"in/pytorch_model.bin.index.json",
                                        "in/a.bin",
                                        "in/b.bin",
                                        "in/vocab.json",
                                        "in/added_tokens.json",
                                        "in/tokenizer_config.json",
                                        "in/special_tokens_map.json"};
    make_config();
    write_file("in/generation_config.json", "{}", 2); /* names must do */
    make_bin("in/a.bin", 0, 2);
    make_bin("in/b.bin", 1, 2);
    static const char index[] = "{\"weight_map\": {\"model.a\": \"a.bin\", \"model.b\": \"b.bin\", \"c\": \"a.bin\"}}";
    static const char decoder[] = "{\"added_tokens_decoder\": {\"257\": {\"content\": \"<|startoftranscript|>\"}}}";
    static const char map[] = "{\"additional_special_tokens\": [\"<|startoftranscript|>\", {\"content\": \"<|en|>\"}]}";
    write_file("in/pytorch_model.bin.index.json", index, strlen(index));
    write_file("in/tokenizer_config.json", decoder, strlen(decoder));
    write_file("in/special_tokens_map.json", map, strlen(map));
    make_tokens("in/vocab.json", 1, 0, ORDINARY);
    make_tokens("in/added_tokens.json", 1, ORDINARY, ORDINARY + 10);
    damage_files("in", NULL, files, WH_COUNT(files));
}

static void test_bin(void **state)
{
    (void)state;
    static const char *const files[] = {"in/pytorch_model.bin", "in/config.json", "in/generation_config.json",
                                        "in/tokenizer.json"};
    make_config();
    make_tokenizer();
    make_bin("in/pytorch_model.bin", 0, 1);
    damage_files("in", NULL, files, WH_COUNT(files));
}

static void test_ggml(void **state)
{
    (void)state;
    static const char *const files[] = {"in/ggml.bin"};
    make_ggml();
    make_vocabulary("in/vocab.json", 1);
    damage_files("in/ggml.bin", "in/vocab.json", files, WH_COUNT(files));
}

static void test_pt(void **state)
{
    (void)state;
    static const char *const files[] = {"in/model.pt"};
    make_pt();
    make_vocabulary("in/vocab.json", 1);
    damage_files("in/model.pt", "in/vocab.json", files, WH_COUNT(files));
}

/* torch.save stores; who packs its archive again compresses. What comes out is the same. */
static void test_packed(void **state)
{
    (void)state;
    static const char *const files[] = {"in/model.pt"};
    size_t n, m;
    make_vocabulary("in/vocab.json", 1);
    make_pt();
    assert_int_equal(convert("in/model.pt", "in/vocab.json"), 0);
    char *stored = read_file(path_of("out.gguf"), &n);
    packed_by = ZIP_CM_DEFLATE;
    make_pt();
    assert_int_equal(convert("in/model.pt", "in/vocab.json"), 0);
    char *packed = read_file(path_of("out.gguf"), &m);
    /* beside the checksum of the file that it was made of, 64 digits */
    size_t other = 0;
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
        other += stored[i] != packed[i];
    assert_true(other > 0 && other <= 64);
    free(stored);
    free(packed);
    damage_files("in/model.pt", "in/vocab.json", files, WH_COUNT(files));
    packed_by = ZIP_CM_STORE;
}

/* The archive's checksums hide the pickle from random damage, so it is damaged before it is packed. */
static void damage_pickle(const char *file, const char *input, const char *vocab, wh_buf *pickle)
{
    char *data = malloc(pickle->length + 64);
    assert_non_null(data);
    uint64_t seed = 5;
    int refused = 0;
    for (int i = 0; i < SEEDS; i++) {
        memcpy(data, pickle->data, pickle->length);
        make_archive(file, data, damage(data, pickle->length, &seed));
        check_damaged(input, vocab, i, &refused);
    }
    print_message("pickle of %s: %d of %d refused\n", file, refused, SEEDS);
    assert_true(refused > SEEDS / 2 && refused < SEEDS);
    free(data);
    wh_buf_free(pickle);
}

static void test_pickle(void **state)
{
    (void)state;
    wh_buf pickle = {0};
    make_pickle(&pickle);
    make_vocabulary("in/vocab.json", 1);
    damage_pickle("in/model.pt", "in/model.pt", "in/vocab.json", &pickle);
}

static void test_state_pickle(void **state)
{
    (void)state;
    wh_buf pickle = {0};
    make_state_pickle(&pickle, 0, 1);
    make_config();
    make_tokenizer();
    damage_pickle("in/pytorch_model.bin", "in", NULL, &pickle);
}

/* Pickles of nothing but opcodes and small arguments: whatever they build, they end. */
static void test_opcodes(void **state)
{
    (void)state;
    static const char opcodes[] = "(NKKKJMGXCBTU}])0012abceehjqrtsuRQ\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e"
                                  "\x8f\x90\x91\x93\x94\x95\x96";
    uint64_t seed = 17;
    int parsed = 0;
    for (int i = 0; i < 20 * SEEDS; i++) {
        unsigned char data[64];
        size_t n = 2 + (size_t)(random_unit(&seed) * 60);
        for (size_t k = 0; k < n; k++)
            data[k] = random_unit(&seed) < 0.3
                          ? (unsigned char)(random_unit(&seed) * 4)
                          : (unsigned char)opcodes[(size_t)(random_unit(&seed) * (sizeof opcodes - 1))];
        data[n - 1] = '.';
        const char *reason = NULL;
        struct pickle *p = pickle_parse(data, n, &reason);
        assert_true((p != NULL) != (reason != NULL));
        parsed += p != NULL;
        pickle_free(p);
    }
    print_message("%d of %d random pickles build something\n", parsed, 20 * SEEDS);
}

/* ---- the table of published models ---- */

static void test_published(void **state)
{
    (void)state;
    static const struct {
        const char *path, *name;
        struct dims dims;
        size_t n_heads;
        int first[2], last[2];
    } list[] = {
        {"x.pt", "tiny.en", {80, 1500, 384, 6, 4, 51864, 448, 384, 6, 4}, 8, {1, 0}, {3, 4}},
        {"x.pt", "tiny", {80, 1500, 384, 6, 4, 51865, 448, 384, 6, 4}, 6, {2, 2}, {3, 5}},
        {"x.pt", "base.en", {80, 1500, 512, 8, 6, 51864, 448, 512, 8, 6}, 5, {3, 3}, {5, 7}},
        {"x.pt", "base", {80, 1500, 512, 8, 6, 51865, 448, 512, 8, 6}, 8, {3, 1}, {5, 6}},
        {"x.pt", "small.en", {80, 1500, 768, 12, 12, 51864, 448, 768, 12, 12}, 19, {6, 6}, {11, 4}},
        {"x.pt", "small", {80, 1500, 768, 12, 12, 51865, 448, 768, 12, 12}, 10, {5, 3}, {10, 5}},
        {"x.pt", "medium.en", {80, 1500, 1024, 16, 24, 51864, 448, 1024, 16, 24}, 18, {11, 4}, {21, 12}},
        {"x.pt", "medium", {80, 1500, 1024, 16, 24, 51865, 448, 1024, 16, 24}, 6, {13, 15}, {23, 4}},
        {"a/large-v1.pt", "large-v1", {80, 1500, 1280, 20, 32, 51865, 448, 1280, 20, 32}, 9, {9, 19}, {23, 15}},
        {"a/large-v2.pt", "large-v2", {80, 1500, 1280, 20, 32, 51865, 448, 1280, 20, 32}, 23, {10, 12}, {27, 15}},
        {"a/unknown.pt", "unknown", {80, 1500, 1280, 20, 32, 51865, 448, 1280, 20, 32}, 0, {0, 0}, {0, 0}},
        {"a/distil.bin", "distil", {80, 1500, 1280, 20, 32, 51865, 448, 1280, 20, 2}, 0, {0, 0}, {0, 0}},
        {"x.pt", "large-v3", {128, 1500, 1280, 20, 32, 51866, 448, 1280, 20, 32}, 10, {7, 0}, {25, 6}},
        {"x.pt", "turbo", {128, 1500, 1280, 20, 32, 51866, 448, 1280, 20, 4}, 6, {2, 4}, {3, 14}},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        struct source s = {.path = list[i].path, .dims = list[i].dims};
        char name[64];
        heads_name(&s, NULL, name, sizeof name);
        assert_string_equal(name, list[i].name);
        assert_int_equal(heads_complete(&s, NULL, NULL, quiet), 0);
        assert_int_equal(s.n_heads, list[i].n_heads);
        if (s.n_heads) {
            assert_true(s.heads[0] == list[i].first[0] && s.heads[1] == list[i].first[1]);
            assert_true(s.heads[2 * s.n_heads - 2] == list[i].last[0] && s.heads[2 * s.n_heads - 1] == list[i].last[1]);
        }
        free(s.heads);
    }
    struct source s = {.path = "x", .dims = list[8].dims};
    assert_int_equal(heads_complete(&s, NULL, "large-v2", quiet), 0);
    assert_int_equal(s.n_heads, 23);
    free(s.heads);
}

/* ---- set-up ---- */

static void empty(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, "in") != 0)
            unlink(name); /* "." and ".." stay */
    }
    if (dir)
        closedir(dir);
}

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/whisp-damage-XXXXXX");
    quiet = fopen("/dev/null", "w");
    return mkdtemp(folder) && mkdir(path_of("in"), 0700) == 0 && quiet ? 0 : -1;
}

static int clear(void **state)
{
    (void)state;
    empty(path_of("in"));
    empty(folder);
    return 0;
}

static int end(void **state)
{
    clear(state);
    fclose(quiet);
    return rmdir(path_of("in")) || rmdir(folder);
}

int main(void)
{
#ifndef SANITIZED /* which reserves terabytes of addresses */
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 29, 1 << 29});
#endif
    alarm(600); /* a hang ends the test */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test_teardown(test_ct2, clear),
        cmocka_unit_test_teardown(test_gguf, clear),
        cmocka_unit_test_teardown(test_hf, clear),
        cmocka_unit_test_teardown(test_ggml, clear),
        cmocka_unit_test_teardown(test_pt, clear),
        cmocka_unit_test_teardown(test_packed, clear),
        cmocka_unit_test_teardown(test_pickle, clear),
        cmocka_unit_test_teardown(test_bin, clear),
        cmocka_unit_test_teardown(test_shards, clear),
        cmocka_unit_test_teardown(test_state_pickle, clear),
        cmocka_unit_test(test_opcodes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
