/* test_gguf.c - the GGUF reader and writer, and the element types, on invented files: what is written comes back, what
 * is damaged is refused. */
#include "support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf/gguf.h"

/* ---- element types ---- */

static double half_value(unsigned h)
{
    int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
    double x = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return h & 0x8000 ? -x : x;
}

static void test_f16_every_value(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        float x = wh_f16_to_f32((uint16_t)h);
        if ((h & 0x7c00) == 0x7c00) {
            assert_true(h & 1023 ? isnan(x) : isinf(x) && (x < 0) == (h >> 15));
            if (h & 1023)
                assert_true(isnan(wh_f16_to_f32(wh_f32_to_f16(x))));
            continue;
        }
        assert_true((double)x == half_value(h));
        assert_int_equal(wh_f32_to_f16(x), h);
    }
}

/* Every midpoint between neighbours goes to the even one, anything beyond a midpoint to the nearer one. */
static void test_f16_rounding(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7bff; h++) {
        float middle = (float)((half_value(h) + half_value(h + 1)) / 2);
        assert_int_equal(wh_f32_to_f16(middle), h & 1 ? h + 1 : h);
        assert_int_equal(wh_f32_to_f16(nextafterf(middle, 0)), h);
        assert_int_equal(wh_f32_to_f16(nextafterf(middle, INFINITY)), h + 1);
        assert_int_equal(wh_f32_to_f16(-middle), 0x8000 | (h & 1 ? h + 1 : h));
    }
    assert_int_equal(wh_f32_to_f16(65519.996f), 0x7bff);
    assert_int_equal(wh_f32_to_f16(65520), 0x7c00);
    assert_int_equal(wh_f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(wh_f32_to_f16(1e-30f), 0);
}

static void test_bf16(void **state)
{
    (void)state;
    assert_int_equal(wh_f32_to_bf16(1), 0x3f80);
    assert_int_equal(wh_f32_to_bf16(1 + 1 / 256.0f), 0x3f80); /* midpoint: to even */
    assert_int_equal(wh_f32_to_bf16(1 + 3 / 256.0f), 0x3f82);
    assert_int_equal(wh_f32_to_bf16(nextafterf(1 + 1 / 256.0f, 2)), 0x3f81);
    assert_true(isnan(wh_bf16_to_f32(wh_f32_to_bf16(NAN))));
    for (unsigned h = 0; h < 0x7f80; h++)
        assert_int_equal(wh_f32_to_bf16(wh_bf16_to_f32((uint16_t)h)), h);
}

static void test_q8_0(void **state)
{
    (void)state;
    float in[64], out[64];
    unsigned char row[68 + 1];
    uint64_t seed = 1;
    for (int i = 0; i < 64; i++)
        in[i] = (float)(random_unit(&seed) - 0.5) * (i < 32 ? 1 : 100);
    wh_encode_row(WH_Q8_0, in, row + 1, 64); /* rows may stand at any address */
    wh_decode_row(WH_Q8_0, row + 1, out, 64);
    for (int i = 0; i < 64; i++)
        assert_true(fabsf(in[i] - out[i]) <= (i < 32 ? 0.5f : 50.0f) * (0.5f / 127 + 1 / 2048.0f));
    in[3] = NAN;
    in[40] = INFINITY;
    wh_encode_row(WH_Q8_0, in, row, 64);
    memset(in, 0, sizeof in);
    wh_encode_row(WH_Q8_0, in, row, 64);
    wh_decode_row(WH_Q8_0, row, out, 64);
    assert_memory_equal(in, out, sizeof in);
}

static void test_row_size(void **state)
{
    (void)state;
    assert_int_equal(wh_type_row_size(WH_F32, 3), 12);
    assert_int_equal(wh_type_row_size(WH_BF16, 3), 6);
    assert_int_equal(wh_type_row_size(WH_Q8_0, 64), 68);
    assert_int_equal(wh_type_row_size(WH_Q8_0, 33), 0);
    assert_int_equal(wh_type_row_size(WH_F32, 0), 0);
    assert_int_equal(wh_type_row_size(WH_F32, -1), 0);
    assert_int_equal(wh_type_row_size(WH_F32, INT64_MAX), 0);
    assert_int_equal(wh_type_row_size((wh_type)7, 32), 0);
    assert_null(wh_type_name((wh_type)7));
    assert_string_equal(wh_type_name(WH_Q8_0), "q8_0");
}

/* ---- a file, written and read ---- */

static const int64_t matrix_shape[2] = {3, 32}, vector_shape[1] = {5};

static void write_sample(const char *path)
{
    static const char *const texts[] = {"a", "", "\xc4\xa0the"};
    static const size_t lengths[] = {1, 0, 5};
    static const int32_t numbers[] = {1, 2, -4000};
    static const int32_t heads[] = {1, 0, -2};
    wh_gguf_writer *w;
    float vector[5] = {1, 2, 3, 4, 5}, matrix[96];
    uint16_t halves[96];
    unlink(path);
    for (int i = 0; i < 96; i++) {
        matrix[i] = (float)i / 8;
        halves[i] = wh_f32_to_f16(matrix[i]);
    }
    assert_int_equal(wh_gguf_writer_new(path, &w), 0);
    assert_int_equal(wh_gguf_put_string(w, "general.architecture", "whisper", 7), 0);
    assert_int_equal(wh_gguf_put_u32(w, "a.number", 4000000000u), 0);
    assert_int_equal(wh_gguf_put_bool(w, "a.truth", 1), 0);
    assert_int_equal(wh_gguf_put_string_array(w, "some.texts", texts, lengths, 3), 0);
    assert_int_equal(wh_gguf_put_i32_array(w, "some.numbers", numbers, 3), 0);
    assert_int_equal(wh_gguf_put_i32_array(w, "some.heads", heads, 3), 0);
    assert_int_equal(wh_gguf_declare(w, "vector", WH_F32, 1, vector_shape), 0);
    assert_int_equal(wh_gguf_declare(w, "matrix", WH_F16, 2, matrix_shape), 0);
    assert_int_not_equal(wh_gguf_declare(w, "bad", WH_Q8_0, 1, vector_shape), 0);
    assert_int_equal(wh_gguf_writer_begin(w), 0);
    assert_int_equal(wh_gguf_write(w, vector, 7), 0); /* pieces of any size */
    assert_int_equal(wh_gguf_write(w, (char *)vector + 7, 13), 0);
    assert_int_equal(wh_gguf_write(w, halves, sizeof halves), 0);
    assert_int_equal(wh_gguf_write(w, halves, 1), WHISP_ERR_STATE);
    assert_int_not_equal(access(path, F_OK), 0); /* not there before it is whole */
    assert_int_equal(wh_gguf_writer_finish(w), 0);
}

static void test_round_trip(void **state)
{
    (void)state;
    const char *path = temp_path("sample.gguf");
    write_sample(path);
    wh_gguf *g;
    assert_int_equal(wh_gguf_open(path, &g), 0);
    assert_string_equal(wh_gguf_path(g), path);
    int64_t i = 0;
    int truth = 0;
    const char *text;
    size_t length;
    assert_true(wh_gguf_int(g, "a.number", &i) && i == 4000000000);
    assert_true(wh_gguf_int(g, "general.alignment", &i) && i == 64);
    assert_true(wh_gguf_bool(g, "a.truth", &truth) && truth == 1);
    assert_true(wh_gguf_string(g, "general.architecture", &text, &length));
    assert_true(length == 7 && !memcmp(text, "whisper", 7));
    assert_false(wh_gguf_int(g, "a.truth", &i) || wh_gguf_int(g, "nothing", &i) ||
                 wh_gguf_bool(g, "a.number", &truth) || wh_gguf_int(g, "some.numbers", &i) ||
                 wh_gguf_string(g, "some.texts", &text, &length));
    assert_int_equal(wh_gguf_array_length(g, "some.texts"), 3);
    assert_int_equal(wh_gguf_array_length(g, "a.number"), -1);
    assert_true(wh_gguf_array_int(g, "some.heads", 2, &i) && i == -2);
    assert_true(wh_gguf_array_int(g, "some.numbers", 2, &i) && i == -4000);
    assert_false(wh_gguf_array_int(g, "some.heads", 3, &i) || wh_gguf_array_int(g, "some.heads", -1, &i) ||
                 wh_gguf_array_int(g, "some.texts", 0, &i));
    const char *strings[3];
    size_t lengths[3];
    assert_true(wh_gguf_array_strings(g, "some.texts", strings, lengths));
    assert_true(lengths[0] == 1 && lengths[1] == 0 && lengths[2] == 5 && !memcmp(strings[2], "\xc4\xa0the", 5));
    assert_false(wh_gguf_array_strings(g, "some.heads", strings, lengths));

    assert_int_equal(wh_gguf_tensor_count(g), 2);
    const wh_tensor *matrix = wh_gguf_tensor(g, "matrix"), *vector = wh_gguf_tensor_at(g, 0);
    assert_non_null(matrix);
    assert_null(wh_gguf_tensor(g, "matrix2"));
    assert_null(wh_gguf_tensor_at(g, 2));
    assert_string_equal(vector->name, "vector");
    assert_true(matrix->type == WH_F16 && matrix->n_dims == 2 && matrix->bytes == 192);
    assert_true(matrix->shape[0] == 3 && matrix->shape[1] == 32 && matrix->shape[2] == 1 && matrix->shape[3] == 1);
    assert_int_equal((uintptr_t)matrix->data % 64, 0);
    float row[32];
    wh_decode_row(WH_F16, (const char *)matrix->data + 64, row, 32);
    assert_true(row[1] == 33 / 8.0f && ((const float *)vector->data)[4] == 5);

    wh_buf shown = {0};
    size_t keys = 0;
    while (wh_gguf_key_at(g, keys))
        assert_int_equal(wh_gguf_value_text(g, keys++, &shown), 0);
    assert_int_equal(keys, 7);
    assert_non_null(strstr(shown.data, "[1, 0, -2]"));
    wh_buf_free(&shown);
    wh_gguf_close(g);
}

static int count_files(const char *prefix)
{
    char command[1200];
    int n = -1;
    snprintf(command, sizeof command, "ls -d %s* 2>/dev/null | wc -l", prefix);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &n), 1);
    pclose(pipe);
    return n;
}

static void test_writer_leaves_nothing_behind(void **state)
{
    (void)state;
    const char *path = temp_path("aborted.gguf");
    wh_gguf_writer *w;
    assert_int_equal(wh_gguf_writer_new(path, &w), 0);
    assert_int_equal(wh_gguf_declare(w, "vector", WH_F32, 1, vector_shape), 0);
    assert_int_equal(wh_gguf_writer_begin(w), 0);
    assert_int_equal(count_files(path), 1); /* the temporary file */
    wh_gguf_writer_abort(w);
    assert_int_equal(count_files(path), 0);

    assert_int_equal(wh_gguf_writer_new(path, &w), 0);
    assert_int_equal(wh_gguf_declare(w, "vector", WH_F32, 1, vector_shape), 0);
    assert_int_equal(wh_gguf_writer_begin(w), 0);
    assert_int_equal(wh_gguf_writer_finish(w), WHISP_ERR_STATE); /* data are missing */
    assert_int_equal(count_files(path), 0);
    assert_int_equal(wh_gguf_writer_new(temp_path("nowhere/x.gguf"), &w), WHISP_ERR_IO);
    assert_null(w);
}

/* A full disk is noticed, whether while writing or at the end, and the device stays what it is. */
static void test_full_disk(void **state)
{
    (void)state;
    wh_gguf_writer *w;
    float vector[5] = {0};
    assert_int_equal(wh_gguf_writer_new("/dev/full", &w), 0);
    assert_int_equal(wh_gguf_declare(w, "vector", WH_F32, 1, vector_shape), 0);
    int rc = wh_gguf_writer_begin(w);
    if (!rc)
        rc = wh_gguf_write(w, vector, sizeof vector);
    if (rc)
        wh_gguf_writer_abort(w);
    else
        rc = wh_gguf_writer_finish(w);
    assert_int_equal(rc, WHISP_ERR_IO);
    assert_non_null(strstr(whisp_last_error(), strerror(ENOSPC)));
    struct stat st;
    assert_true(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));
}

/* ---- damaged files ---- */

static void write_bytes(const char *path, const char *data, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(n == 0 || fwrite(data, 1, n, file) == n);
    assert_int_equal(fclose(file), 0);
}

/* Open a file of these bytes, which must fail and say `says`. */
static void refuse(const char *data, size_t n, const char *says)
{
    const char *path = temp_path("damaged.gguf");
    wh_gguf *g = (wh_gguf *)(void *)&path;
    write_bytes(path, data, n);
    assert_int_equal(wh_gguf_open(path, &g), WHISP_ERR_MODEL);
    assert_null(g);
    assert_non_null(strstr(whisp_last_error(), path));
    if (!strstr(whisp_last_error(), says))
        fail_msg("\"%s\" does not say \"%s\"", whisp_last_error(), says);
}

/* Where `text` stands in the file; every one is there once. */
static char *locate(char *data, size_t n, const char *text)
{
    char *found = memmem(data, n, text, strlen(text));
    assert_non_null(found);
    return found;
}

static void test_damage_is_named(void **state)
{
    (void)state;
    size_t n;
    const char *path = temp_path("whole.gguf");
    write_sample(path);
    char *whole = read_file(path, &n), *data = malloc(n);
    assert_non_null(data);
    const struct {
        const char *after; /* text before the damaged bytes; NULL: start of the file */
        int skip;
        const char *bytes;
        size_t n_bytes;
        const char *says;
    } list[] = {
        {NULL, 0, "GGML", 4, "not a GGUF file"},
        {NULL, 4, "\2\0\0\0", 4, "version 2; only version 3"},
        {NULL, 4, "\0\0\0\3", 4, "big-endian"},
        {NULL, 8, "\377\377\377\377\377\377\377\377", 8, "truncated or damaged"},  /* tensors */
        {NULL, 16, "\377\377\377\377\377\377\377\177", 8, "truncated or damaged"}, /* values */
        {"general.alignment", 4, "\7", 1, "power of two"},
        {"general.alignment", 4, "\4", 1, "power of two"},
        {"a.truth", 0, "\77", 1, "a.truth"}, /* unknown type */
        {"some.texts", 8, "\377\377\377\377\377\377\377\177", 8, "truncated or damaged"},
        {"some.numbers", 8, "\0\0\0\0\0\0\0\100", 8, "truncated or damaged"}, /* count * 4 overflows */
        {"vector", 0, "\5", 1, "dimensions"},
        {"vector", 4, "\0", 1, "impossible shape"},
        {"vector", 4, "\377\377\377\377\377\377\377\377", 8, "impossible shape"},
        {"vector", 4, "\377\377\377\377\377\377\377\177", 8, "vector"},
        {"vector", 12, "\14", 1, "type 12"},
        {"vector", 16, "\10", 1, "multiple of 32"},
        {"vector", 16, "\0\0\0\0\0\0\0\200", 8, "truncated"},
        {"matrix", 4, "\41", 1, "truncated"},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        memcpy(data, whole, n);
        char *at = list[i].after ? locate(data, n, list[i].after) + strlen(list[i].after) : data;
        memcpy(at + list[i].skip, list[i].bytes, list[i].n_bytes);
        refuse(data, n, list[i].says);
    }
    memcpy(data, whole, n);
    memcpy(locate(data, n, "vector"), "matrix", 6);
    refuse(data, n, "two tensors are named matrix");
    memcpy(data, whole, n);
    memcpy(locate(data, n, "a.truth"), "a.tr\0th", 7);
    refuse(data, n, "NUL");
    refuse(data, 0, "empty");
    free(whole);
    free(data);
}

static void test_not_files(void **state)
{
    (void)state;
    wh_gguf *g;
    assert_int_equal(wh_gguf_open(temp_path("none.gguf"), &g), WHISP_ERR_IO);
    assert_int_equal(wh_gguf_open("/tmp", &g), WHISP_ERR_IO);
    assert_int_equal(wh_gguf_open("/dev/null", &g), WHISP_ERR_IO);
    assert_non_null(strstr(whisp_last_error(), "/dev/null"));
}

/* Touch everything that an opened file offers. */
static void use_all(const wh_gguf *g)
{
    wh_buf text = {0};
    unsigned sum = 0;
    for (size_t i = 0; wh_gguf_key_at(g, i); i++)
        assert_int_equal(wh_gguf_value_text(g, i, &text), 0);
    wh_buf_free(&text);
    for (size_t i = 0; i < wh_gguf_tensor_count(g); i++) {
        const wh_tensor *t = wh_gguf_tensor_at(g, i);
        assert_ptr_equal(wh_gguf_tensor(g, t->name), t);
        for (size_t k = 0; k < t->bytes; k++)
            sum += ((const unsigned char *)t->data)[k];
    }
    assert_true(sum > 0);
}

/* Truncated at every third byte, and with a few random bytes changed: refused, or a file that can be used to its
 * last byte. */
static void test_any_damage_is_safe(void **state)
{
    (void)state;
    size_t n, refused = 0;
    const char *path = temp_path("whole.gguf"), *damaged = temp_path("damaged.gguf");
    write_sample(path);
    char *whole = read_file(path, &n), *data = malloc(n);
    assert_non_null(data);
    wh_gguf *g;
    for (size_t i = 1; i < n; i += 3) {
        write_bytes(damaged, whole, i);
        assert_int_not_equal(wh_gguf_open(damaged, &g), 0);
    }
    uint64_t seed = 7;
    for (int i = 0; i < 1500; i++) {
        memcpy(data, whole, n);
        for (int k = 0; k <= i % 4; k++)
            data[(size_t)(random_unit(&seed) * (double)n * 0.7)] = (char)(int)(random_unit(&seed) * 256);
        write_bytes(damaged, data, n);
        if (wh_gguf_open(damaged, &g) == 0)
            use_all(g);
        else
            refused++;
        wh_gguf_close(g);
    }
    assert_true(refused > 300 && refused < 1500);
    free(whole);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f16_every_value),
        cmocka_unit_test(test_f16_rounding),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_q8_0),
        cmocka_unit_test(test_row_size),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_writer_leaves_nothing_behind),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_damage_is_named),
        cmocka_unit_test(test_not_files),
        cmocka_unit_test(test_any_damage_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
