/* test_crafted_model.c - model files that somebody has made to break the reader: every number of a GGUF head at its
 * extremes, metadata of the wrong type, shapes whose products overflow, tensors that overlap or lie outside, claims of
 * gigabytes in a kilobyte, and what is no file at all. Each gets an error with a text that names it, within 100 ms and
 * 64 MB plus four times the file (support/bounds.h); what is accepted must run.
 *
 * The head's numbers are damaged in so many ways that each run takes some of them, by a new seed that is printed;
 * WHISP_SEED=N repeats a run, WHISP_CRAFTED=N takes more (0: all of them). */
#include "support/testing.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf/file.h"
#include "model/model.h"
#include "support/bounds.h"
#include "support/calls.h"

static char *good; /* a model of random weights, as test/python/invent.py makes it */
static size_t good_size;
static uint64_t seed;

/* ---- the parts of the good file ---- */

#define MOST_FIELDS 4096

typedef struct field {
    size_t at;
    int width;
    const char *what;
} field;

static struct {
    field fields[MOST_FIELDS]; /* every number that is not an element of an array */
    size_t n;
    size_t keys[64], n_keys; /* where each metadata pair begins; [n_keys]: where the tensors' descriptions do */
    size_t end;              /* of the head */
    size_t data;             /* where the tensors' bytes begin */
} parts;

static size_t note(size_t at, int width, const char *what)
{
    assert_true(parts.n < MOST_FIELDS);
    parts.fields[parts.n++] = (field){at, width, what};
    return at + (size_t)width;
}

static size_t note_string(size_t at, const char *what)
{
    size_t length = (size_t)wh_load_u64(good + at);
    return note(at, 8, what) + length;
}

static size_t note_value(size_t at)
{
    at = note_string(at, "a key's length");
    uint32_t type = wh_load_u32(good + at);
    uint64_t count = 1;
    at = note(at, 4, "a value's type");
    if (type == GGUF_ARRAY) {
        type = wh_load_u32(good + at);
        at = note(at, 4, "an array's type");
        count = wh_load_u64(good + at);
        at = note(at, 8, "an array's count");
    }
    if (type != GGUF_STRING && count == 1)
        return note(at, (int)wh_gguf_value_size(type), "a value");
    if (type != GGUF_STRING)
        return at + wh_gguf_value_size(type) * (size_t)count;
    for (uint64_t i = 0; i < count; i++)
        at = i < 2 ? note_string(at, "a string's length") : at + 8 + (size_t)wh_load_u64(good + at);
    return at;
}

static size_t note_tensor(size_t at)
{
    at = note_string(at, "a tensor's name's length");
    uint32_t n_dims = wh_load_u32(good + at);
    at = note(at, 4, "a tensor's number of dimensions");
    for (uint32_t i = 0; i < n_dims; i++)
        at = note(at, 8, "a tensor's dimension");
    at = note(at, 4, "a tensor's type");
    return note(at, 8, "a tensor's offset");
}

static int read_good(void **state)
{
    (void)state;
    good = read_file(invented_path("invented"), &good_size);
    size_t at = note(0, 4, "the magic number");
    at = note(at, 4, "the version");
    uint64_t n_tensors = wh_load_u64(good + at);
    at = note(at, 8, "the number of tensors");
    uint64_t n_values = wh_load_u64(good + at);
    at = note(at, 8, "the number of values");
    assert_true(n_values < WH_COUNT(parts.keys));
    for (; parts.n_keys < n_values; parts.n_keys++) {
        parts.keys[parts.n_keys] = at;
        at = note_value(at);
    }
    parts.keys[parts.n_keys] = at;
    for (uint64_t i = 0; i < n_tensors; i++)
        at = note_tensor(at);
    parts.end = at;
    parts.data = (at + 63) / 64 * 64; /* as its general.alignment says */
    seed = test_seed();
    return 0;
}

static int free_good(void **state)
{
    (void)state;
    free(good);
    return 0;
}

/* ---- loading ---- */

typedef struct attempt {
    const char *path;
    int is_vad, rc;
    char text[1100];
    whisp_model *model;
} attempt;

static void load(void *user)
{
    attempt *a = user;
    whisp_vad *vad = NULL;
    whisp_model_free(a->model);
    a->model = NULL;
    a->rc = a->is_vad ? whisp_vad_load(a->path, &vad) : whisp_model_load(a->path, NULL, &a->model);
    snprintf(a->text, sizeof a->text, "%s", a->rc ? whisp_last_error() : "");
    whisp_vad_free(vad);
}

static void write_file(const char *path, const void *data, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* What was accepted is used: a second of sound in a session. */
static void use(const char *what, whisp_model *model)
{
    static float samples[16000] = {0.25f, -0.25f, 0.5f};
    whisp_options *options = whisp_options_new();
    whisp_session *session = NULL;
    whisp_options_set(options, "temperature", "0");
    whisp_options_set(options, "temperature_increment_on_fallback", "None");
    whisp_options_set(options, "sample_len", "8");
    if (whisp_session_new(model, options, &session) == WHISP_OK) {
        whisp_result *result = NULL;
        int rc = transcribe_samples(session, samples, WH_COUNT(samples), &result);
        if (rc && strlen(whisp_last_error()) < 10)
            fail_msg("%s: %d without a text", what, rc);
        whisp_result_free(result);
    }
    whisp_session_free(session);
    whisp_options_free(options);
}

/* Refused with a text, or accepted; 1 if accepted. Where `must_fail`, it may not be. */
static int try_path(const char *what, const char *path, size_t size, int is_vad, int must_fail)
{
    attempt a = {.path = path, .is_vad = is_vad};
    within_bounds(what, size, load, &a);
    if (a.rc && (a.rc == WHISP_ERR_MEMORY || strlen(a.text) < 10 || !strstr(a.text, path)))
        fail_msg("%s: %d, '%s'", what, a.rc, a.text);
    if (!a.rc && must_fail)
        fail_msg("%s: accepted", what);
    if (a.model && random_unit(&seed) < 0.02)
        use(what, a.model);
    whisp_model_free(a.model);
    return !a.rc;
}

static int try_bytes(const char *what, const void *data, size_t n, int must_fail)
{
    const char *path = temp_path("crafted.gguf");
    write_file(path, data, n);
    return try_path(what, path, n, 0, must_fail);
}

static char *copy_good(void)
{
    char *copy = malloc(good_size);
    assert_non_null(copy);
    memcpy(copy, good, good_size);
    return copy;
}

/* ---- the tests ---- */

static int how_many(int usual, int all)
{
    const char *given = getenv("WHISP_CRAFTED");
    int n = given ? atoi(given) : usual;
    return n <= 0 || n > all ? all : n;
}

/* Each field at 0, 1, -1, its largest number with and without a sign, and half of what overflows. */
static void every_number_of_the_head(void **state)
{
    (void)state;
    static const uint64_t extremes[] = {
        0, 1, UINT64_MAX, INT64_MAX, INT32_MAX, (uint64_t)1 << 63, (uint64_t)1 << 62, (uint64_t)1 << 32};
    int all = (int)(parts.n * WH_COUNT(extremes)), n = how_many(400, all), accepted = 0;
    char what[128], *copy = copy_good();
    for (int i = 0; i < n; i++) {
        size_t k = n == all ? (size_t)i : (size_t)(random_unit(&seed) * all);
        const field *f = &parts.fields[k / WH_COUNT(extremes)];
        uint64_t value = extremes[k % WH_COUNT(extremes)];
        memcpy(copy + f->at, &value, (size_t)f->width);
        snprintf(what, sizeof what, "%s at byte %zu: %llx", f->what, f->at, (unsigned long long)value);
        accepted += try_bytes(what, copy, good_size, 0);
        memcpy(copy + f->at, good + f->at, (size_t)f->width);
    }
    free(copy);
    printf("  %d of %d accepted\n", accepted, n);
    assert_true(accepted < n / 2);
}

/* The same in a file of a kilobyte, where no claim can be true. */
static void claims_in_a_kilobyte(void **state)
{
    (void)state;
    static const uint64_t claims[] = {INT32_MAX, (uint64_t)1 << 31, UINT32_MAX, (uint64_t)1 << 40};
    char what[128], *copy = copy_good();
    for (size_t i = 0; i < parts.n && parts.fields[i].at < 1000; i++)
        for (size_t k = 0; k < WH_COUNT(claims); k++) {
            const field *f = &parts.fields[i];
            memcpy(copy + f->at, &claims[k], (size_t)f->width);
            snprintf(what, sizeof what, "1 kB, %s at byte %zu: %llx", f->what, f->at, (unsigned long long)claims[k]);
            try_bytes(what, copy, 1024, 1);
            memcpy(copy + f->at, good + f->at, (size_t)f->width);
        }
    free(copy);
}

/* Two dimensions whose product, or whose product's bytes, do not fit 64 bits, and what just fits them. */
static void products_that_overflow(void **state)
{
    (void)state;
    static const uint64_t pairs[][2] = {{(uint64_t)1 << 32, (uint64_t)1 << 32},
                                        {(uint64_t)1 << 62, 4},
                                        {(uint64_t)1 << 31, (uint64_t)1 << 31},
                                        {INT64_MAX, 2},
                                        {INT64_MAX, INT64_MAX},
                                        {3, 0x5555555555555556},
                                        {(uint64_t)1 << 61, 2},
                                        {64, (uint64_t)1 << 56},
                                        {((uint64_t)1 << 62) + 16, 4},
                                        {64, 0x0400000000000001}};
    char what[128], *copy = copy_good();
    for (size_t i = 0; i + 1 < parts.n; i++) {
        const field *f = &parts.fields[i];
        if (strcmp(f->what, "a tensor's dimension") != 0 || strcmp(f[1].what, f->what) != 0)
            continue;
        if (random_unit(&seed) > 0.2)
            continue;
        for (size_t k = 0; k < WH_COUNT(pairs); k++) {
            memcpy(copy + f->at, pairs[k], 16);
            snprintf(what, sizeof what, "dimensions %llx and %llx at byte %zu", (unsigned long long)pairs[k][0],
                     (unsigned long long)pairs[k][1], f->at);
            try_bytes(what, copy, good_size, 1);
            memcpy(copy + f->at, good + f->at, 16);
        }
    }
    free(copy);
}

/* A tensor laid over another, wholly or in part, or to where the file ends. */
static void tensors_that_overlap_or_lie_outside(void **state)
{
    (void)state;
    char what[128], *copy = copy_good();
    size_t offsets[256], n = 0;
    for (size_t i = 0; i < parts.n; i++)
        if (strcmp(parts.fields[i].what, "a tensor's offset") == 0 && n < WH_COUNT(offsets))
            offsets[n++] = parts.fields[i].at;
    for (int i = 0; i < 40; i++) {
        size_t a = (size_t)(random_unit(&seed) * (double)n), b = (size_t)(random_unit(&seed) * (double)n);
        uint64_t values[] = {wh_load_u64(good + offsets[b]), wh_load_u64(good + offsets[b]) + 64,
                             good_size - parts.data, (good_size - parts.data) / 64 * 64, UINT64_MAX / 64 * 64};
        for (size_t k = a == b ? 2 : 0; k < WH_COUNT(values); k++) {
            memcpy(copy + offsets[a], &values[k], 8);
            snprintf(what, sizeof what, "tensor %zu at %llx, where %zu is", a, (unsigned long long)values[k], b);
            try_bytes(what, copy, good_size, 1);
            memcpy(copy + offsets[a], good + offsets[a], 8);
        }
    }
    free(copy);
}

/* The good file with the value of metadata pair `key` replaced by its type and bytes. */
static void replace_value(wh_buf *out, size_t key, const void *value, size_t n)
{
    static const char zeros[64];
    size_t name = 8 + (size_t)wh_load_u64(good + parts.keys[key]);
    out->length = 0;
    wh_buf_append(out, good, parts.keys[key] + name);
    wh_buf_append(out, value, n);
    wh_buf_append(out, good + parts.keys[key + 1], parts.end - parts.keys[key + 1]);
    wh_buf_append(out, zeros, (64 - out->length % 64) % 64);
    wh_buf_append(out, good + parts.data, good_size - parts.data);
    assert_false(out->failed);
}

/* Every key with values of other types, and absurd ones of its own. */
static void metadata_of_every_type(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        uint64_t bits;
        size_t width;
    } values[] = {{GGUF_U8, 0, 1},           {GGUF_U8, 255, 1},
                  {GGUF_I8, 0x80, 1},        {GGUF_U16, 0xffff, 2},
                  {GGUF_I16, 0x8000, 2},     {GGUF_U32, 0, 4},
                  {GGUF_U32, UINT32_MAX, 4}, {GGUF_I32, UINT32_MAX, 4},
                  {GGUF_U64, UINT64_MAX, 8}, {GGUF_I64, (uint64_t)1 << 63, 8},
                  {GGUF_F32, 0x7fc00000, 4}, {GGUF_F64, 0x7ff0000000000000, 8},
                  {GGUF_BOOL, 0, 1},         {GGUF_BOOL, 2, 1},
                  {GGUF_STRING, 0, 8},       {99, 0, 8}};
    static const struct {
        uint32_t type;
        uint64_t count;
    } arrays[] = {{GGUF_U8, 0},    {GGUF_STRING, 0}, {GGUF_I32, (uint64_t)1 << 62}, {GGUF_STRING, UINT64_MAX},
                  {GGUF_ARRAY, 1}, {GGUF_F64, 1000}, {GGUF_U64, UINT64_MAX / 8 + 2}};
    char what[128];
    wh_buf file = {0}, value = {0};
    int accepted = 0, n = 0, all = (int)(parts.n_keys * (WH_COUNT(values) + WH_COUNT(arrays)));
    double share = (double)how_many(120, all) / all;
    for (size_t key = 0; key < parts.n_keys; key++)
        for (size_t k = 0; k < WH_COUNT(values) + WH_COUNT(arrays); k++) {
            if (random_unit(&seed) > share)
                continue;
            value.length = 0;
            if (k < WH_COUNT(values)) {
                wh_buf_append(&value, &values[k].type, 4);
                wh_buf_append(&value, &values[k].bits, values[k].width);
            } else {
                static const char room[8000];
                const uint32_t array = GGUF_ARRAY;
                wh_buf_append(&value, &array, 4);
                wh_buf_append(&value, &arrays[k - WH_COUNT(values)].type, 4);
                wh_buf_append(&value, &arrays[k - WH_COUNT(values)].count, 8);
                wh_buf_append(&value, room, arrays[k - WH_COUNT(values)].count == 1000 ? 8000 : 0);
            }
            replace_value(&file, key, value.data, value.length);
            snprintf(what, sizeof what, "metadata %zu with value %zu", key, k);
            accepted += try_bytes(what, file.data, file.length, 0);
            n++;
        }
    printf("  %d of %d accepted\n", accepted, n);
    wh_buf_free(&file);
    wh_buf_free(&value);
}

static void put(wh_buf *b, uint64_t value, int bytes)
{
    wh_buf_append(b, &value, (size_t)bytes);
}

/* Large files that are nothing but heads: what is made of each entry would be many times its bytes. */
static void heads_of_many_megabytes(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        int tensors = i % 2, many = i / 2;
        wh_buf file = {0};
        uint64_t n = many ? 400000 : 65536;
        wh_buf_puts(&file, "GGUF");
        put(&file, 3, 4);
        put(&file, tensors ? n : 0, 8);
        put(&file, tensors ? 0 : n, 8);
        for (uint64_t k = 0; k < n; k++) {
            put(&file, 4, 8);
            put(&file, 0x61616161 + (k & 15) + (k >> 4 & 15) * 256 + (k >> 8 & 15) * 65536 + (k >> 12) * 16777216, 4);
            if (tensors) {
                put(&file, 1, 4);
                put(&file, 1, 8);
                put(&file, 0, 4);
                put(&file, 32 * k, 8);
            } else {
                put(&file, GGUF_U8, 4);
                put(&file, 0, 1);
            }
        }
        assert_false(file.failed);
        size_t head = file.length;
        while (tensors && !many && file.length < head + 32 * (n + 1))
            wh_buf_append(&file, good, 1 << 20);
        try_bytes(tensors ? "many tensors" : "many values", file.data, file.length, 1);
        wh_buf_free(&file);
    }
}

/* A model's name of eight megabytes, and a list of a million alignment heads. */
static void long_values(void **state)
{
    (void)state;
    wh_buf file = {0}, value = {0};
    char *text = malloc(8 << 20);
    assert_non_null(text);
    memset(text, '\n', 8 << 20);
    put(&value, GGUF_STRING, 4);
    put(&value, 8 << 20, 8);
    wh_buf_append(&value, text, 8 << 20);
    replace_value(&file, 1, value.data, value.length);
    try_bytes("a name of 8 MB", file.data, file.length, 0);
    value.length = 0;
    put(&value, GGUF_ARRAY, 4);
    put(&value, GGUF_I32, 4);
    put(&value, 2 << 20, 8);
    memset(text, 0, 8 << 20);
    wh_buf_append(&value, text, 8 << 20);
    for (size_t key = 0; key < parts.n_keys; key++)
        if (memcmp(good + parts.keys[key] + 8, "whisper.alignment_heads", 23) == 0)
            replace_value(&file, key, value.data, value.length);
    try_bytes("a million alignment heads", file.data, file.length, 1);
    wh_buf_free(&file);
    wh_buf_free(&value);
    free(text);
}

/* What a model is called goes to terminals and logs. */
static void names_do_nothing_to_a_terminal(void **state)
{
    (void)state;
    static const char name[] = "\x1b]0;owned\x07\x1b[2J\r\n\x7f";
    wh_buf file = {0}, value = {0};
    put(&value, GGUF_STRING, 4);
    put(&value, sizeof name - 1, 8);
    wh_buf_puts(&value, name);
    replace_value(&file, 1, value.data, value.length);
    const char *path = temp_path("crafted.gguf");
    write_file(path, file.data, file.length);
    whisp_model *model;
    whisp_model_info info = {.size = sizeof info};
    assert_int_equal(whisp_model_load(path, NULL, &model), WHISP_OK);
    assert_int_equal(whisp_model_describe(model, &info), WHISP_OK);
    assert_string_equal(info.name, "?]0;owned??[2J???");
    whisp_model_free(model);
    file.length = value.length = 0;
    wh_buf_append(&file, good, good_size);
    char *key = memmem(file.data, file.length, "whisper.mel_bands", 17);
    assert_non_null(key);
    memcpy(key, "\x1b[2J", 4);
    try_bytes("a key that clears the screen", file.data, file.length, 1);
    wh_buf_free(&file);
    wh_buf_free(&value);
}

/* A vocabulary whose tokens have their places in a small part of the table, for a reader who hashes them by FNV-1a. */
typedef struct colliding {
    char (*texts)[8];
    const char **pieces;
    size_t *lengths;
    wh_specials specials;
    int rc;
} colliding;

static void make_tokenizer(void *user)
{
    colliding *c = user;
    wh_tokenizer *tokenizer = NULL;
    c->rc = wh_tokenizer_new(c->pieces, c->lengths, &c->specials, &tokenizer);
    wh_tokenizer_free(tokenizer);
}

static uint64_t fnv1a(const char *text, size_t n)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h ^ h >> 32;
}

static void tokens_that_collide(void **state)
{
    (void)state;
    enum { ORDINARY = 50000, PLACES = 1 << 17, PART = 1 << 12 };
    colliding c = {.texts = calloc(ORDINARY, sizeof *c.texts),
                   .pieces = calloc(ORDINARY, sizeof *c.pieces),
                   .lengths = calloc(ORDINARY, sizeof *c.lengths)};
    assert_true(c.texts && c.pieces && c.lengths);
    size_t n = 0;
    for (int code = 1; n < 256; code++) /* every byte: a character of GPT-2's alphabet */
        if ((code >= 33 && code <= 126) || (code >= 161 && code != 173 && code < 324)) {
            if (code < 128)
                c.texts[n][0] = (char)code;
            else
                c.texts[n][0] = (char)(0xc0 | code >> 6), c.texts[n][1] = (char)(0x80 | (code & 63));
            n++;
        }
    for (uint64_t i = 0; n < ORDINARY; i++) {
        for (int k = 0; k < 6; k++)
            c.texts[n][k] = (char)('a' + (i >> 4 * k & 15));
        n += fnv1a(c.texts[n], 6) % PLACES < PART;
    }
    for (size_t i = 0; i < ORDINARY; i++) {
        c.pieces[i] = c.texts[i];
        c.lengths[i] = strlen(c.texts[i]);
    }
    assert_int_equal(wh_specials_published(ORDINARY, ORDINARY + 1608, 1, &c.specials), WHISP_OK);
    within_bounds("50,000 tokens that collide", ORDINARY * 14, make_tokenizer, &c);
    assert_true(c.rc == WHISP_OK || c.rc == WHISP_ERR_MODEL);
    free(c.texts);
    free(c.pieces);
    free(c.lengths);
}

/* What cannot be read, or never ends: told at once. */
static void what_is_no_file(void **state)
{
    (void)state;
    char folder[256], fifo[256], loop[256], empty[256], sparse[256];
    snprintf(folder, sizeof folder, "%s", temp_path("folder.gguf"));
    snprintf(fifo, sizeof fifo, "%s", temp_path("fifo.gguf"));
    snprintf(loop, sizeof loop, "%s", temp_path("loop.gguf"));
    snprintf(empty, sizeof empty, "%s", temp_path("empty.gguf"));
    snprintf(sparse, sizeof sparse, "%s", temp_path("sparse.gguf"));
    mkdir(folder, 0700);
    mkfifo(fifo, 0600);
    assert_int_equal(symlink(loop, loop), 0);
    write_file(empty, "", 0);
    write_file(sparse, good, 4096);
    if (truncate(sparse, (off_t)1 << 40) != 0) /* a terabyte of zeros */
        assert_int_equal(truncate(sparse, (off_t)1 << 34), 0);
    const char *const paths[] = {folder,           fifo,         loop,        empty,
                                 sparse,           "/dev/null",  "/dev/zero", "/dev/tty",
                                 "/proc/self/mem", "/dev/fd/999"};
    for (size_t i = 0; i < WH_COUNT(paths); i++)
        for (int is_vad = 0; is_vad < 2; is_vad++)
            try_path(paths[i], paths[i], 0, is_vad, 1);
    rmdir(folder);
}

/* Whoever gave the bytes of a model finds them as they were, whatever was made of them. */
static void memory_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const computes[] = {"int8", "bf16", "f32", "int8"};
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (good_size + page - 1) / page * page;
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(bytes != MAP_FAILED);
    memcpy(bytes, good, good_size);
    whisp_model *model;
    whisp_options *options = whisp_options_new();
    assert_int_equal(whisp_model_load_memory(bytes, good_size, NULL, &model), WHISP_OK);
    for (size_t i = 0; i < WH_COUNT(computes); i++) {
        whisp_session *session;
        assert_int_equal(whisp_options_set(options, "compute_type", computes[i]), WHISP_OK);
        assert_int_equal(whisp_session_new(model, options, &session), WHISP_OK);
        whisp_session_free(session);
        assert_memory_equal(bytes, good, good_size);
    }
    whisp_model_free(model);
    whisp_options_free(options);
    munmap(bytes, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_of_the_head),
        cmocka_unit_test(claims_in_a_kilobyte),
        cmocka_unit_test(products_that_overflow),
        cmocka_unit_test(tensors_that_overlap_or_lie_outside),
        cmocka_unit_test(metadata_of_every_type),
        cmocka_unit_test(heads_of_many_megabytes),
        cmocka_unit_test(long_values),
        cmocka_unit_test(names_do_nothing_to_a_terminal),
        cmocka_unit_test(tokens_that_collide),
        cmocka_unit_test(what_is_no_file),
        cmocka_unit_test(memory_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, read_good, free_good);
}
