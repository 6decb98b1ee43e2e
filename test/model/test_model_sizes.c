/* test_model_sizes.c - models of sizes drawn by chance, loaded from a file and used with options drawn by chance: whatever
 * the loader accepts runs within the room that each part of the library plans for it, with every arithmetic, element type
 * and instruction set that is here (support/guarded.h; the backend's numbers are test_heads.c's matter).
 *
 * WHISP_SEED=N takes the chance's seed, which is printed; WHISP_MODELS=N the number of models drawn. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu/registry.h"
#include "model/model.h"
#include "support/bounds.h"
#include "support/calls.h"
#include "support/guarded.h"

static uint64_t seed;

static int between(int lo, int hi)
{
    return lo + (int)(random_unit(&seed) * (hi - lo + 1));
}

static int divisor(int d)
{
    int n = between(1, d);
    while (d % n)
        n--;
    return n;
}

/* ---- a model file ---- */

typedef struct planned {
    char name[96];
    wh_type type;
    int n_dims;
    int64_t shape[WH_MAX_DIMS];
    float center, spread;
} planned;

typedef struct sizes {
    int mels, d, audio_heads, audio_layers, text_ctx, text_heads, text_layers, ordinary, extra, multilingual;
    wh_type type; /* of matrices; 1000: each its own, 1001: with int8 among them */
} sizes;

static planned *plan;
static size_t n_planned, plan_capacity;

static wh_type type_of(const sizes *s, int64_t columns, int is_conv)
{
    const wh_type types[] = {WH_F32, WH_F16, WH_BF16, columns % 32 || is_conv ? WH_F16 : WH_Q8_0, WH_I8};
    if (s->type >= 1000)
        return types[between(0, s->type == 1001 ? 4 : 3)];
    return s->type == WH_Q8_0 ? types[3] : s->type;
}

static void add(const sizes *s, const char *name, int is_matrix, int n_dims, int64_t a, int64_t b, int64_t c)
{
    assert_int_equal(wh_grow(&plan, &plan_capacity, n_planned + 2, sizeof *plan), 0);
    planned *p = &plan[n_planned++];
    *p = (planned){.type = is_matrix ? type_of(s, n_dims > 1 ? b : a, n_dims > 2) : WH_F32,
                   .n_dims = n_dims,
                   .shape = {a, b, c, 1},
                   .spread = is_matrix ? 2 / sqrtf((float)(b * c)) : 0.2f};
    if (strcmp(name, "encoder.conv1.weight") == 0 && p->type == WH_I8)
        p->type = WH_F16;
    if (strstr(name, "ln.weight"))
        p->center = 1;
    snprintf(p->name, sizeof p->name, "%s", name);
    if (p->type == WH_I8) {
        planned *scale = &plan[n_planned++];
        *scale = (planned){.type = WH_F32, .n_dims = 1, .shape = {a, 1, 1, 1}, .center = p->spread / 100};
        snprintf(scale->name, sizeof scale->name, "%s_scale", name);
        p->spread = 127;
    }
}

static void add_pair(const sizes *s, const char *prefix, const char *part, int is_matrix, int64_t out, int64_t in)
{
    char name[96];
    snprintf(name, sizeof name, "%s%s.weight", prefix, part);
    add(s, name, is_matrix, is_matrix ? 2 : 1, out, is_matrix ? in : 1, 1);
    snprintf(name, sizeof name, "%s%s.bias", prefix, part);
    if (!is_matrix || !strstr(part, "key"))
        add(s, name, 0, 1, out, 1, 1);
}

static void add_block(const sizes *s, const char *side, int layer, int is_decoder)
{
    static const char *const attention[] = {"attn.query", "attn.key", "attn.value", "attn.out"};
    char prefix[48], cross[64];
    snprintf(prefix, sizeof prefix, "%s.blocks.%d.", side, layer);
    snprintf(cross, sizeof cross, "%scross_", prefix);
    for (int i = 0; i < 4; i++)
        add_pair(s, prefix, attention[i], 1, s->d, s->d);
    add_pair(s, prefix, "attn_ln", 0, s->d, 1);
    for (int i = 0; is_decoder && i < 4; i++)
        add_pair(s, cross, attention[i], 1, s->d, s->d);
    if (is_decoder)
        add_pair(s, cross, "attn_ln", 0, s->d, 1);
    add_pair(s, prefix, "mlp.0", 1, 4 * s->d, s->d);
    add_pair(s, prefix, "mlp.2", 1, s->d, 4 * s->d);
    add_pair(s, prefix, "mlp_ln", 0, s->d, 1);
}

static void plan_tensors(const sizes *s, int n_vocab)
{
    n_planned = 0;
    add(s, "encoder.conv1.weight", 1, 3, s->d, s->mels, 3);
    add(s, "encoder.conv1.bias", 0, 1, s->d, 1, 1);
    add(s, "encoder.conv2.weight", 1, 3, s->d, s->d, 3);
    add(s, "encoder.conv2.bias", 0, 1, s->d, 1, 1);
    add(s, "encoder.positional_embedding", 0, 2, 1500, s->d, 1);
    for (int i = 0; i < s->audio_layers; i++)
        add_block(s, "encoder", i, 0);
    add_pair(s, "encoder.", "ln_post", 0, s->d, 1);
    add(s, "decoder.token_embedding.weight", 1, 2, n_vocab, s->d, 1);
    if (between(0, 1))
        add(s, "decoder.output.weight", 1, 2, n_vocab, s->d, 1);
    add(s, "decoder.positional_embedding", 0, 2, s->text_ctx, s->d, 1);
    for (int i = 0; i < s->text_layers; i++)
        add_block(s, "decoder", i, 1);
    add_pair(s, "decoder.", "ln", 0, s->d, 1);
}

static void write_tensor(wh_gguf_writer *w, const planned *p)
{
    int64_t columns = p->shape[p->n_dims - 1], rows = 1;
    for (int i = 0; i + 1 < p->n_dims; i++)
        rows *= p->shape[i];
    float *row = malloc((size_t)columns * sizeof *row);
    size_t bytes = wh_type_row_size(p->type, columns);
    char *stored = malloc(bytes);
    assert_true(row && stored);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < columns; i++)
            row[i] = p->center + p->spread * (float)(2 * random_unit(&seed) - 1);
        wh_encode_row(p->type, row, stored, columns);
        assert_int_equal(wh_gguf_write(w, stored, bytes), 0);
    }
    free(row);
    free(stored);
}

/* Bytes by their characters, then pairs of letters; then the special ones by their names. */
static void put_tokens(wh_gguf_writer *w, const sizes *s, int n_vocab, const wh_specials *specials)
{
    char(*texts)[32] = calloc((size_t)n_vocab, sizeof *texts);
    const char **tokens = calloc((size_t)n_vocab, sizeof *tokens);
    size_t *lengths = calloc((size_t)n_vocab, sizeof *lengths);
    assert_true(texts && tokens && lengths);
    int n = 0;
    for (int code = 1; n < 256; code++)
        if ((code >= 33 && code <= 126) || (code >= 161 && code != 173 && code < 324))
            snprintf(texts[n++], 32, code < 128 ? "%c" : "%c%c", code < 128 ? code : 0xc0 | code >> 6,
                     0x80 | (code & 63));
    for (; n < s->ordinary; n++)
        snprintf(texts[n], 32, "%s%c%c%d", n % 3 ? "\xc4\xa0" : "", 'a' + n % 26, 'a' + n / 26 % 26, n);
    for (; n < n_vocab; n++)
        wh_special_name(specials, n, texts[n], 32);
    for (int i = 0; i < n_vocab; i++) {
        tokens[i] = texts[i];
        lengths[i] = strlen(texts[i]);
    }
    assert_int_equal(wh_gguf_put_string_array(w, "tokenizer.ggml.tokens", tokens, lengths, (size_t)n_vocab), 0);
    free(texts);
    free(tokens);
    free(lengths);
}

static void write_model(const char *path, const sizes *s)
{
    int languages = s->multilingual ? 20 : 1, n_vocab = s->ordinary + 1509 + languages + s->extra;
    wh_specials specials;
    assert_int_equal(wh_specials_published((size_t)s->ordinary, (size_t)(n_vocab - s->extra), s->multilingual,
                                           &specials),
                     0);
    const struct {
        const char *key;
        int value;
    } numbers[] = {{"whisper.format_version", 2},
                   {"whisper.vocab_size", n_vocab},
                   {"whisper.mel_bands", s->mels},
                   {"whisper.encoder.context_length", 1500},
                   {"whisper.encoder.embedding_length", s->d},
                   {"whisper.encoder.attention.head_count", s->audio_heads},
                   {"whisper.encoder.block_count", s->audio_layers},
                   {"whisper.decoder.context_length", s->text_ctx},
                   {"whisper.decoder.embedding_length", s->d},
                   {"whisper.decoder.attention.head_count", s->text_heads},
                   {"whisper.decoder.block_count", s->text_layers},
                   {"whisper.vocab.ordinary", s->ordinary}};
    wh_gguf_writer *w;
    unlink(path);
    assert_int_equal(wh_gguf_writer_new(path, &w), 0);
    assert_int_equal(wh_gguf_put_string(w, "general.architecture", "whisper", 7), 0);
    for (size_t i = 0; i < WH_COUNT(numbers); i++)
        assert_int_equal(wh_gguf_put_u32(w, numbers[i].key, (uint32_t)numbers[i].value), 0);
    assert_int_equal(wh_gguf_put_bool(w, "whisper.multilingual", s->multilingual), 0);
    put_tokens(w, s, n_vocab, &specials);
    plan_tensors(s, n_vocab);
    for (size_t i = 0; i < n_planned; i++)
        assert_int_equal(wh_gguf_declare(w, plan[i].name, plan[i].type, plan[i].n_dims, plan[i].shape), 0);
    assert_int_equal(wh_gguf_writer_begin(w), 0);
    for (size_t i = 0; i < n_planned; i++)
        write_tensor(w, &plan[i]);
    assert_int_equal(wh_gguf_writer_finish(w), 0);
}

/* ---- used ---- */

/* An arithmetic and an instruction set, and options of every kind that reaches into the room of some part. */
static void use(whisp_model *model, int is_int8)
{
    static const char *const computes[] = {"int8", "f32", "bf16", "auto"};
    static const struct {
        const char *name, *values[3];
    } options[] = {
        {"word_timestamps", {"True", "False", "True"}},
        {"confidence", {"True", "False", "False"}},
        {"beam_size", {"None", "2", "5"}},
        {"best_of", {"1", "5", "3"}},
        {"temperature", {"0", "0.8", "1"}},
        {"temperature_increment_on_fallback", {"None", "0.5", "None"}},
        {"sample_len", {"4", "11", "30"}},
        {"without_timestamps", {"False", "True", "False"}},
        {"initial_prompt", {"None", "a long prompt of words that are not known to it", "x"}},
        {"condition_on_previous_text", {"True", "False", "True"}},
        {"language", {"en", "en", "None"}},
        {"cut", {"off", "auto", "off"}},
        {"threads", {"1", "2", "3"}},
        {"logprob_threshold", {"None", "-1", "None"}},
        {"no_speech_threshold", {"None", "0.6", "None"}},
    };
    static float samples[16000 * 3];
    whisp_options *o = whisp_options_new();
    whisp_session *session = NULL;
    wh_cpu cpu;
    int level = between(0, wh_cpu_levels() - 1);
    if (wh_cpu_get(level, &cpu))
        setenv("WHISP_CPU", cpu.name, 1);
    const char *compute = is_int8 ? "int8" : computes[between(0, 3)];
    assert_int_equal(whisp_options_set(o, "compute_type", compute), WHISP_OK);
    printf("    WHISP_CPU=%s --compute_type %s", getenv("WHISP_CPU") ? getenv("WHISP_CPU") : "", compute);
    for (size_t i = 0; i < WH_COUNT(options); i++) {
        const char *value = options[i].values[between(0, 2)];
        if (whisp_options_set(o, options[i].name, value))
            fail_msg("%s", whisp_last_error());
        printf(" --%s \"%s\"", options[i].name, value);
    }
    printf("\n");
    for (size_t i = 0; i < WH_COUNT(samples); i++)
        samples[i] = 0.3f * (float)(2 * random_unit(&seed) - 1) * (float)(i / 4000 % 2);
    if (whisp_session_new(model, o, &session) == WHISP_OK) {
        whisp_result *result = NULL;
        if (transcribe_samples(session, samples, WH_COUNT(samples), &result))
            fail_msg("%s", whisp_last_error());
        whisp_result_free(result);
    } else if (strlen(whisp_last_error()) < 10)
        fail_msg("no session, without a text");
    whisp_session_free(session);
    whisp_options_free(o);
    unsetenv("WHISP_CPU");
}

static void draw(void)
{
    static const wh_type types[] = {WH_F32, WH_F16, WH_BF16, WH_Q8_0, WH_I8, (wh_type)1000, (wh_type)1001};
    int d = between(0, 2) ? between(2, 70) : 32 * between(1, 3);
    const sizes s = {.mels = between(0, 3) ? between(1, 130) : 512,
                     .d = d,
                     .audio_heads = divisor(d),
                     .audio_layers = between(1, 2),
                     .text_ctx = between(0, 2) ? between(8, 60) : between(61, 500),
                     .text_heads = divisor(d),
                     .text_layers = between(1, 3),
                     .ordinary = between(257, 900),
                     .extra = between(0, 1) * between(0, 9),
                     .multilingual = between(0, 1),
                     .type = types[between(0, 6)]};
    printf("  %d bands, %d channels, %d and %d heads, %d and %d layers, %d positions, %d and %d tokens, type %d\n",
           s.mels, s.d, s.audio_heads, s.text_heads, s.audio_layers, s.text_layers, s.text_ctx, s.ordinary, s.extra,
           (int)s.type);
    whisp_model *model;
    const char *path = temp_path("drawn.gguf");
    write_model(path, &s);
    int is_int8 = 0;
    for (size_t i = 0; i < n_planned; i++)
        is_int8 |= plan[i].type == WH_I8;
    if (whisp_model_load(path, NULL, &model))
        fail_msg("%s", whisp_last_error());
    for (int i = 0; i < 2; i++) {
        guarded_at_start = !guarded_at_start;
        use(model, is_int8);
    }
    whisp_model_free(model);
}

static void whatever_is_accepted_runs(void **state)
{
    (void)state;
    const char *many = getenv("WHISP_MODELS");
    int n = many ? atoi(many) : BOUNDS_SANITIZED ? 1 : 3;
    uint64_t first = test_seed();
    for (int i = 0; i < n; i++) {
        seed = first + (uint64_t)i;
        printf("  WHISP_SEED=%llu WHISP_MODELS=1:\n", (unsigned long long)seed);
        fflush(stdout);
        draw();
    }
    free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_is_accepted_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
