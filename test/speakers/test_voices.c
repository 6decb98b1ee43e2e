/* test_voices.c - voices with names: who is called what, the file in which they are kept, and what is no such file. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "speakers/voices.h"

#define SIZE WH_VOICE_SIZE

/* A voice that is `much` of axis a and the rest of axis b: the cosine of two with the same axes is easy to say. */
static void make_voice(float *voice, int a, int b, float much)
{
    memset(voice, 0, SIZE * sizeof *voice);
    voice[a] = much;
    voice[b] += sqrtf(1 - much * much);
}

static void know(wh_voices *known, const char *name, int a, int b, float much, double seconds)
{
    assert_int_equal(wh_grow(&known->list, &known->capacity, known->n + 1, sizeof *known->list), WHISP_OK);
    wh_voice *v = &known->list[known->n++];
    v->name = strdup(name);
    v->seconds = seconds;
    make_voice(v->voice, a, b, much);
}

/* Speakers on the first axes, each with so many seconds. */
static float centroids[8 * SIZE];
static double seconds[8];
static wh_diarization speakers(int n, double each)
{
    for (int i = 0; i < n; i++) {
        make_voice(centroids + i * SIZE, i, 100, 1);
        seconds[i] = each;
    }
    return (wh_diarization){.n_speakers = n, .centroids = centroids, .seconds = seconds};
}

static void expect_names(const wh_voices *known, int n, const char *const *want)
{
    char **names;
    const wh_diarization who = speakers(n, 10);
    assert_int_equal(wh_voices_name(known, &who, &names), WHISP_OK);
    for (int i = 0; i < n; i++)
        assert_string_equal(names[i], want[i]);
    wh_voices_free_names(names, n);
}

static void who_is_like_nobody_has_a_number(void **state)
{
    (void)state;
    wh_voices known = {0};
    expect_names(&known, 3, (const char *const[]){"SPEAKER_00", "SPEAKER_01", "SPEAKER_02"});
    expect_names(&known, 0, NULL);
    know(&known, "Ann", 1, 50, 0.8f, 5);
    know(&known, "Bob", 60, 2, 0.91f, 5); /* 0.41 like the third */
    expect_names(&known, 3, (const char *const[]){"SPEAKER_00", "Ann", "SPEAKER_02"});
    /* a number that somebody has already is not given again */
    know(&known, "SPEAKER_02", 4, 50, 1, 5);
    expect_names(&known, 5, (const char *const[]){"SPEAKER_00", "Ann", "SPEAKER_03", "SPEAKER_04", "SPEAKER_02"});
    wh_voices_free(&known);
}

static void a_name_goes_to_who_is_most_like_it(void **state)
{
    (void)state;
    wh_voices known = {0};
    know(&known, "Ann", 0, 1, 0.8f, 5); /* 0.8 like the first, 0.6 like the second */
    expect_names(&known, 2, (const char *const[]){"Ann", "SPEAKER_01"});
    know(&known, "Bob", 0, 1, 0.79f, 5); /* the first is Ann, so Bob is the second: 0.61 */
    expect_names(&known, 2, (const char *const[]){"Ann", "Bob"});
    /* one name with two voices is still one person's */
    know(&known, "Cy", 2, 50, 0.9f, 5);
    know(&known, "Cy", 3, 50, 0.8f, 5);
    expect_names(&known, 4, (const char *const[]){"Ann", "Bob", "Cy", "SPEAKER_03"});
    wh_voices_free(&known);
}

/* ---- the file ---- */

static const char *file_name(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/test_voices-%ld.gguf", (long)getpid());
    return path;
}

static void voices_come_back(void **state)
{
    (void)state;
    wh_voices known = {0}, read = {0};
    wh_diarization who = speakers(3, 30);
    char first[] = "SPEAKER_00", second[] = "Ann \u00e4]", third[] = "too short", *names[] = {first, second, third};
    seconds[2] = 2.5;
    know(&known, "Ann \u00e4]", 1, 50, 0.8f, 60);
    know(&known, "Bob", 7, 50, 1, 6);
    assert_int_equal(wh_voices_write(&known, &who, names, file_name()), WHISP_OK);
    assert_int_equal(wh_voices_read(file_name(), &read), WHISP_OK);
    assert_int_equal(read.n, 3);
    assert_string_equal(read.list[0].name, "Ann \u00e4]");
    assert_true(read.list[0].seconds == 90);
    /* (60 * (0.8, 0.6) + 30 * (1, 0)) / |.| */
    assert_true(fabs((double)read.list[0].voice[1] - 78 / sqrt(78.0 * 78 + 36 * 36)) < 1e-6);
    assert_true(fabs((double)wh_voices_compare(read.list[0].voice, read.list[0].voice) - 1) < 1e-6);
    assert_string_equal(read.list[1].name, "Bob");
    assert_memory_equal(read.list[1].voice, known.list[1].voice, sizeof read.list[1].voice);
    assert_string_equal(read.list[2].name, "SPEAKER_00");
    assert_true(read.list[2].seconds == 30);
    wh_voices_free(&known);
    /* what was read is appended */
    assert_int_equal(wh_voices_read(file_name(), &read), WHISP_OK);
    assert_int_equal(read.n, 6);
    wh_voices_free(&read);
    unlink(file_name());
    /* nobody to keep */
    who = speakers(1, 1);
    assert_int_equal(wh_voices_write(&known, &who, names, file_name()), WHISP_ERR_ARGUMENT);
    assert_int_not_equal(access(file_name(), F_OK), 0);
    who = speakers(1, 10);
    assert_int_equal(wh_voices_write(&known, &who, names, "/no/such/folder/show.gguf"), WHISP_ERR_OUTPUT);
}

typedef struct crafted {
    const char *architecture, *name;
    size_t name_length;
    int64_t voices, numbers, seconds;
    float value, second;
    int n_names;
    const char *why;
} crafted;

static void write_crafted(const crafted *c)
{
    const char *names[4] = {c->name, "b", "c", "d"};
    const size_t lengths[4] = {c->name_length, 1, 1, 1};
    const int64_t shape[] = {c->voices, c->numbers}, n_seconds[] = {c->seconds};
    float *voices = calloc((size_t)(c->voices * c->numbers), sizeof *voices), list[4];
    wh_gguf_writer *w;
    for (int64_t i = 0; i < c->voices; i++)
        voices[i * c->numbers] = c->value;
    for (int i = 0; i < 4; i++)
        list[i] = c->second;
    assert_int_equal(wh_gguf_writer_new(file_name(), &w), WHISP_OK);
    assert_int_equal(wh_gguf_put_string(w, "general.architecture", c->architecture, strlen(c->architecture)), WHISP_OK);
    assert_int_equal(wh_gguf_put_string_array(w, "voices.names", names, lengths, (size_t)c->n_names), WHISP_OK);
    assert_int_equal(wh_gguf_declare(w, "voices", WH_F32, 2, shape), WHISP_OK);
    assert_int_equal(wh_gguf_declare(w, "seconds", WH_F32, 1, n_seconds), WHISP_OK);
    assert_int_equal(wh_gguf_writer_begin(w), WHISP_OK);
    assert_int_equal(wh_gguf_write(w, voices, (size_t)(c->voices * c->numbers) * sizeof *voices), WHISP_OK);
    assert_int_equal(wh_gguf_write(w, list, (size_t)c->seconds * sizeof *list), WHISP_OK);
    assert_int_equal(wh_gguf_writer_finish(w), WHISP_OK);
    free(voices);
}

static void crafted_files_are_refused(void **state)
{
    (void)state;
    static const crafted cases[] = {
        {"voices", "a", 1, 2, SIZE, 2, 1, 5, 2, NULL},
        {"whisper", "a", 1, 2, SIZE, 2, 1, 5, 2, "not a file of voices"},
        {"voices", "a", 1, 3, SIZE, 2, 1, 5, 2, "do not fit"},
        {"voices", "a", 1, 2, SIZE, 1, 1, 5, 2, "do not fit"},
        {"voices", "a", 1, 2, SIZE - 32, 2, 1, 5, 2, "do not fit"},
        {"voices", "a", 1, 2, SIZE, 2, 1, 5, 0, "do not fit"},
        {"voices", "a", 1, 2, SIZE, 2, 1, 5, 4, "do not fit"},
        {"voices", "a", 1, 2, SIZE, 2, NAN, 5, 2, "not a voice"},
        {"voices", "a", 1, 2, SIZE, 2, 0, 5, 2, "not a voice"},
        {"voices", "a", 1, 2, SIZE, 2, 100, 5, 2, "not a voice"},
        {"voices", "a", 1, 2, SIZE, 2, 1, NAN, 2, "not a voice"},
        {"voices", "a", 1, 2, SIZE, 2, 1, -1, 2, "not a voice"},
        {"voices", "", 0, 2, SIZE, 2, 1, 5, 2, "not a voice"},
        {"voices", "a\x1b[1m", 5, 2, SIZE, 2, 1, 5, 2, "not a voice"},
        {"voices", "a\0b", 3, 2, SIZE, 2, 1, 5, 2, "not a voice"},
        {"voices", "\xff", 1, 2, SIZE, 2, 1, 5, 2, "not a voice"},
    };
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        wh_voices read = {0};
        write_crafted(&cases[i]);
        int rc = wh_voices_read(file_name(), &read);
        assert_int_equal(rc, cases[i].why ? WHISP_ERR_MODEL : WHISP_OK);
        if (cases[i].why)
            assert_non_null(strstr(whisp_last_error(), cases[i].why));
        wh_voices_free(&read);
    }
    unlink(file_name());
}

/* Cut off anywhere, or with one byte changed: an error or other voices, and nothing worse. */
static void damaged_files_are_refused(void **state)
{
    (void)state;
    const crafted good = {"voices", "a", 1, 2, SIZE, 2, 1, 5, 2, NULL};
    unsigned char bytes[8192];
    write_crafted(&good);
    FILE *file = fopen(file_name(), "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(n > 1000 && n < sizeof bytes);
    for (size_t i = 0; i < n; i += i < 400 ? 1 : 61)
        for (int cut = 0; cut < 2; cut++) {
            wh_voices read = {0};
            unsigned char was = bytes[i];
            bytes[i] ^= (unsigned char)(cut ? 0 : 1 + i % 255);
            file = fopen(file_name(), "wb");
            fwrite(bytes, 1, cut ? i : n, file);
            fclose(file);
            bytes[i] = was;
            int rc = wh_voices_read(file_name(), &read);
            if (rc != WHISP_ERR_MODEL && (rc || (cut && i + 64 <= n))) /* what fills the file up may go */
                fail_msg("%s byte %zu of %zu: %d, %s", cut ? "cut at" : "changed", i, n, rc, whisp_last_error());
            wh_voices_free(&read);
        }
    unlink(file_name());
}

/* Asked before a recording is heard: what is there and is no file of voices stays as it is. */
static void other_files_are_not_written_over(void **state)
{
    (void)state;
    static const crafted voices = {"voices", "a", 1, 2, SIZE, 2, 1, 5, 2, NULL};
    static const crafted model = {"whisper", "a", 1, 2, SIZE, 2, 1, 5, 2, NULL};
    unlink(file_name());
    assert_int_equal(wh_voices_may_write(file_name()), WHISP_OK);
    assert_int_not_equal(access(file_name(), F_OK), 0);
    write_crafted(&voices);
    assert_int_equal(wh_voices_may_write(file_name()), WHISP_OK);
    write_crafted(&model);
    assert_int_equal(wh_voices_may_write(file_name()), WHISP_ERR_ARGUMENT);
    assert_non_null(strstr(whisp_last_error(), "holds no voices"));
    FILE *file = fopen(file_name(), "wb");
    assert_int_equal(wh_voices_may_write(file_name()), WHISP_OK); /* as mktemp leaves it */
    fputs("RIFF, for example", file);
    fclose(file);
    assert_int_equal(wh_voices_may_write(file_name()), WHISP_ERR_ARGUMENT);
    unlink(file_name());
    assert_int_equal(wh_voices_may_write("/dev/null"), WHISP_OK);
    assert_int_equal(wh_voices_may_write("/tmp"), WHISP_ERR_OUTPUT);
    assert_int_equal(wh_voices_may_write("/no/such/folder/show.gguf"), WHISP_ERR_OUTPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_like_nobody_has_a_number),
        cmocka_unit_test(a_name_goes_to_who_is_most_like_it),
        cmocka_unit_test(voices_come_back),
        cmocka_unit_test(crafted_files_are_refused),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(other_files_are_not_written_over),
    };
    return cmocka_run_group_tests_name("voices", tests, NULL, NULL);
}
