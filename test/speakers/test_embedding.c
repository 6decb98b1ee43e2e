/* test_embedding.c - filter banks and CAM++: against PyTorch's in test/data/speakers (made by make-embeddings there), in
 * float32 and int8 at every level; the same bits whatever else is embedded, and for every level in int8. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/filterbank.h"
#include "speakers/model.h"

/* Plain C in integers takes minutes for long stretches there. */
#ifdef __SANITIZE_ADDRESS__
#define LONGEST 4000
#else
#define LONGEST 160000
#endif

#define STRETCHES 4
static const size_t starts[STRETCHES] = {40000, 48000, 16000, 52000}, lengths[STRETCHES] = {24000, 48000, 160000, 4000};

/* A recording's samples; NULL with a line printed where it is not there. */
static float *read_samples(const char *path, size_t *n)
{
    whisp_audio *audio;
    size_t capacity = 1 << 20;
    float *samples = malloc(capacity * sizeof *samples);
    *n = 0;
    if (!path)
        return free(samples), NULL;
    if (whisp_audio_open(path, &audio))
        fail_msg("%s", whisp_last_error());
    for (int64_t got; (got = whisp_audio_read(audio, samples + *n, capacity - *n)) > 0;)
        *n += (size_t)got;
    whisp_audio_free(audio);
    return samples;
}

static double cosine(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

/* NULL: the model is not there. */
static whisp_speakers *load(const char *path, wh_speakers_arithmetic arithmetic, const wh_cpu *cpu)
{
    whisp_speakers *s;
    if (!path)
        return NULL;
    if (wh_speakers_load(path, arithmetic, cpu, &s))
        fail_msg("%s", whisp_last_error());
    return s;
}

static wh_embedder *new_embedder(const whisp_speakers *s)
{
    wh_embedder *e;
    assert_int_equal(wh_embedder_new(s, &e), WHISP_OK);
    return e;
}

/* ---- filter banks ---- */

static void filter_banks_are_kaldis(void **state)
{
    (void)state;
    static const size_t seen[] = {0, 50, 100};
    size_t n, n_want, frames = wh_filterbank_frames(lengths[0]);
    float *samples = read_samples("test/data/demo.flac", &n),
          *want = read_floats("test/data/speakers/filterbank.f32", &n_want);
    static float banks[148 * WH_BANKS];
    wh_filterbank *fb;
    assert_int_equal(frames, 148);
    assert_int_equal(n_want, 3 * WH_BANKS);
    assert_int_equal(wh_filterbank_new(&fb), WHISP_OK);
    wh_filterbank_run(fb, samples + starts[0], frames, banks);
    for (int b = 0; b < WH_BANKS; b++) {
        double mean = 0;
        for (size_t t = 0; t < frames; t++)
            mean += banks[t * WH_BANKS + (size_t)b] / (double)frames;
        for (size_t i = 0; i < 3; i++) {
            double got = banks[seen[i] * WH_BANKS + (size_t)b] - mean, expected = want[i * WH_BANKS + (size_t)b];
            if (fabs(got - expected) > 2e-3)
                fail_msg("frame %zu, bank %d: %g, not %g", seen[i], b, got, expected);
        }
    }
    wh_filterbank_free(fb);
    free(samples);
    free(want);
}

static void a_frames_bits_depend_on_its_samples_alone(void **state)
{
    (void)state;
    static float samples[4000], all[23 * WH_BANKS], one[WH_BANKS];
    uint64_t seed = 5;
    wh_filterbank *fb;
    for (size_t i = 0; i < WH_COUNT(samples); i++)
        samples[i] = i / 1000 % 2 ? (float)(random_unit(&seed) - 0.5) : 0;
    assert_int_equal(wh_filterbank_frames(WH_COUNT(samples)), 23);
    assert_int_equal(wh_filterbank_frames(399), 0);
    assert_int_equal(wh_filterbank_frames(400), 1);
    assert_int_equal(wh_filterbank_new(&fb), WHISP_OK);
    wh_filterbank_run(fb, samples, 23, all);
    for (size_t t = 0; t < 23; t++) {
        wh_filterbank_run(fb, samples + t * WH_BANK_STEP, 1, one);
        assert_memory_equal(one, all + t * WH_BANKS, sizeof one);
    }
    for (size_t b = 0; b < WH_BANKS; b++) /* digital silence is the floor */
        assert_true(fabs(all[b] - log(1.1920929e-7)) < 1e-5);
    wh_filterbank_free(fb);
}

/* ---- embeddings ---- */

/* Each stretch of a recording against PyTorch's; all is kept in record [STRETCHES][192]. */
static void check_recording(const whisp_speakers *s, const char *what, const float *samples, const float *want,
                            double least, float *record)
{
    wh_embedder *e = new_embedder(s);
    for (size_t i = 0; i < STRETCHES; i++) {
        float *got = record + i * WH_VOICE_SIZE;
        if (lengths[i] > LONGEST)
            continue;
        wh_embed(e, samples, &starts[i], 1, lengths[i], got);
        double like = cosine(got, want + i * WH_VOICE_SIZE), length = 0;
        for (int k = 0; k < WH_VOICE_SIZE; k++)
            length += (double)got[k] * got[k];
        assert_true(fabs(length - 1) < 1e-5);
        if (!(like >= least))
            fail_msg("%s, %zu samples: a cosine of %.6f to PyTorch's", what, lengths[i], like);
    }
    wh_embedder_free(e);
}

/* least: for each of the recordings, a synthetic voice and a real one. */
static void check_arithmetic(wh_speakers_arithmetic arithmetic, const double *least)
{
    const char *const recordings[] = {"test/data/demo.flac", shared_path("speakers/talk_4voices.flac")};
    static float first[2][STRETCHES * WH_VOICE_SIZE], record[STRETCHES * WH_VOICE_SIZE];
    size_t n_want, n;
    float *want = read_floats("test/data/speakers/embeddings.f32", &n_want);
    int is_first = 1;
    assert_int_equal(n_want, 2 * STRETCHES * WH_VOICE_SIZE);
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        whisp_speakers *s;
        if (!wh_cpu_get(level, &cpu) || !(s = load(model_path("speakers"), arithmetic, &cpu)))
            continue;
        for (size_t i = 0; i < 2; i++) {
            float *samples = read_samples(recordings[i], &n);
            if (!samples)
                continue;
            check_recording(s, cpu.name, samples, want + i * STRETCHES * WH_VOICE_SIZE, least[i], record);
            if (is_first)
                memcpy(first[i], record, sizeof record);
            else if (arithmetic == WH_SPEAKERS_INT8)
                assert_memory_equal(first[i], record, sizeof record);
            free(samples);
        }
        is_first = 0;
        whisp_speakers_free(s);
    }
    free(want);
}

static void float32_is_pytorchs(void **state)
{
    (void)state;
    static const double least[] = {0.9999, 0.9999};
    check_arithmetic(WH_SPEAKERS_F32, least);
}

static void int8_is_near_with_the_same_bits_at_every_level(void **state)
{
    (void)state;
    static const double least[] = {0.99, 0.99};
    check_arithmetic(WH_SPEAKERS_INT8, least);
}

static void an_invented_net_in_int8_is_near_float32(void **state)
{
    (void)state;
    static float exact[WH_VOICE_SIZE], rounded[WH_VOICE_SIZE], first[WH_VOICE_SIZE];
    size_t n;
    float *samples = read_samples("test/data/demo.flac", &n);
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        if (!wh_cpu_get(level, &cpu))
            continue;
        for (int arithmetic = WH_SPEAKERS_F32; arithmetic <= WH_SPEAKERS_INT8; arithmetic++) {
            whisp_speakers *s = load(invented_path("invented-speakers"), (wh_speakers_arithmetic)arithmetic, &cpu);
            wh_embedder *e = new_embedder(s);
            wh_embed(e, samples, &starts[0], 1, 8000, arithmetic == WH_SPEAKERS_F32 ? exact : rounded);
            wh_embedder_free(e);
            whisp_speakers_free(s);
        }
        if (!(cosine(exact, rounded) > 0.98))
            fail_msg("%s: a cosine of %.6f between float32 and int8", cpu.name, cosine(exact, rounded));
        if (level == 0)
            memcpy(first, rounded, sizeof first);
        assert_memory_equal(first, rounded, sizeof first);
    }
    free(samples);
}

static void a_stretchs_bits_do_not_depend_on_the_others(void **state)
{
    (void)state;
    static const size_t many[] = {40000, 48000, 50400, 50400, 8000, 0, 1000};
    static float together[7 * WH_VOICE_SIZE], alone[WH_VOICE_SIZE];
    size_t n;
    float *samples = read_samples("test/data/demo.flac", &n);
    for (int arithmetic = WH_SPEAKERS_F32; arithmetic <= WH_SPEAKERS_INT8; arithmetic++) {
        whisp_speakers *s = load(invented_path("invented-speakers"), (wh_speakers_arithmetic)arithmetic, NULL);
        wh_embedder *e = new_embedder(s);
        static const size_t of[] = {24000, 16080, 4000};
        for (size_t k = 0; k < WH_COUNT(of); k++) {
            wh_embed(e, samples, many, 7, of[k], together);
            for (size_t i = 0; i < 7; i++) {
                wh_embed(e, samples, &many[i], 1, of[k], alone);
                assert_memory_equal(alone, together + i * WH_VOICE_SIZE, sizeof alone);
            }
        }
        wh_embedder_free(e);
        whisp_speakers_free(s);
    }
    free(samples);
}

static void silence_has_an_embedding(void **state)
{
    (void)state;
    static float samples[24000], out[WH_VOICE_SIZE];
    const size_t start = 0;
    whisp_speakers *s = load(invented_path("invented-speakers"), WH_SPEAKERS_AUTO, NULL);
    wh_embedder *e = new_embedder(s);
    wh_embed(e, samples, &start, 1, 24000, out);
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        assert_true(isfinite(out[i]));
    wh_embedder_free(e);
    whisp_speakers_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_banks_are_kaldis),
        cmocka_unit_test(a_frames_bits_depend_on_its_samples_alone),
        cmocka_unit_test(float32_is_pytorchs),
        cmocka_unit_test(int8_is_near_with_the_same_bits_at_every_level),
        cmocka_unit_test(an_invented_net_in_int8_is_near_float32),
        cmocka_unit_test(a_stretchs_bits_do_not_depend_on_the_others),
        cmocka_unit_test(silence_has_an_embedding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
