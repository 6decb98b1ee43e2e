/* test_diarizer.c - samples to turns with the real nets: the same bits for any number of threads and however samples are
 * pushed, a telephone call against its truth, known numbers of speakers, odd recordings, being cancelled. Clustering and
 * turns are tested without nets in test_cluster.c. */
#include "support/bounds.h"
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "speakers/model.h"
#include "util/util.h"

#define RATE WH_SPEAKERS_RATE

static whisp_speakers *speakers;
static whisp_vad *vad;

static int load_nets(void **state)
{
    (void)state;
    const char *path = model_path("speakers");
    if (path && wh_speakers_load(path, WH_SPEAKERS_INT8, NULL, &speakers))
        return -1;
    path = model_path("silero-vad");
    return path ? whisp_vad_load(path, &vad) : 0;
}

static int free_nets(void **state)
{
    (void)state;
    whisp_speakers_free(speakers);
    whisp_vad_free(vad);
    return 0;
}

static int need_nets(void)
{
    if (!speakers)
        skip();
    return 1;
}

/* A recording's samples, `seconds` of them at most, behind the *n that are there. */
static float *add_recording(const char *path, double seconds, float *samples, size_t *n)
{
    whisp_audio *audio;
    const size_t most = (size_t)(seconds * RATE), end = *n + most;
    samples = realloc(samples, end * sizeof *samples);
    assert_non_null(samples);
    assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
    for (int64_t got; *n < end && (got = whisp_audio_read(audio, samples + *n, end - *n)) > 0;)
        *n += (size_t)got;
    whisp_audio_free(audio);
    return samples;
}

struct how {
    int threads, least, most;
    size_t cut; /* samples of a push; 0: all at once */
    const whisp_vad *vad;
};

static int diarize(const float *samples, size_t n, struct how how, wh_diarization *out)
{
    const wh_diarizer_config config = {
        .speakers = speakers, .vad = how.vad, .least = how.least, .most = how.most, .threads = how.threads};
    wh_diarizer *d;
    assert_int_equal(wh_diarizer_new(&config, &d), WHISP_OK);
    int rc = WHISP_OK;
    const size_t cut = how.cut ? how.cut : n;
    for (size_t at = 0; at < n && !rc; at += cut)
        rc = wh_diarizer_push(d, samples + at, WH_MIN(cut, n - at));
    if (!rc)
        rc = wh_diarizer_finish(d, out);
    wh_diarizer_free(d);
    return rc;
}

/* What speakers.h promises of any diarization. */
static void check_promises(const wh_diarization *d, double duration)
{
    double seconds[200] = {0}, last_end[200] = {0};
    int known = 0;
    assert_in_range(d->n_speakers, 0, 100);
    for (size_t i = 0; i < d->n; i++) {
        const whisp_turn *t = &d->turns[i];
        assert_true(t->start >= 0 && t->start < t->end && t->end <= duration + 0.006);
        assert_true(i == 0 || d->turns[i - 1].start <= t->start);
        assert_in_range(t->speaker, 1, known + 1);
        known = WH_MAX(known, t->speaker);
        assert_true(t->start >= last_end[t->speaker]);
        last_end[t->speaker] = t->end;
        seconds[t->speaker] += t->end - t->start;
    }
    assert_int_equal(known, d->n_speakers);
    for (int k = 0; k < known; k++) {
        float length = 0;
        for (int i = 0; i < WH_VOICE_SIZE; i++)
            length += d->centroids[k * WH_VOICE_SIZE + i] * d->centroids[k * WH_VOICE_SIZE + i];
        assert_true(length == 0 || fabsf(length - 1) < 1e-4f);
        assert_float_equal(d->seconds[k], seconds[k + 1], 1e-6);
    }
}

static void check_same(const wh_diarization *a, const wh_diarization *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->n_speakers, b->n_speakers);
    for (size_t i = 0; i < a->n; i++) {
        assert_true(a->turns[i].start == b->turns[i].start && a->turns[i].end == b->turns[i].end);
        assert_int_equal(a->turns[i].speaker, b->turns[i].speaker);
    }
    assert_memory_equal(a->centroids, b->centroids, (size_t)a->n_speakers * WH_VOICE_SIZE * sizeof *a->centroids);
}

/* ---- one recording, many ways ---- */

static void test_same_bits(void **unused)
{
    (void)unused;
    need_nets();
    float *samples = NULL;
    size_t n = 0;
    const char *call = shared_path("speakers/telephone.flac");
    const double share = BOUNDS_SANITIZED ? 0.35 : 1; /* what is slower there hears less */
    samples = add_recording("test/data/demo.flac", 20 * share, samples, &n);
    samples = add_recording(call ? call : "test/data/demo.flac", 30 * share, samples, &n);
    wh_diarization first, other;
    assert_int_equal(diarize(samples, n, (struct how){.threads = 1, .least = 1, .vad = vad}, &first), WHISP_OK);
    check_promises(&first, (double)n / RATE);
    assert_true(first.n_speakers >= 1);
    static const struct how ways[] = {{.threads = 2, .least = 1, .cut = 16001},
                                      {.threads = 5, .least = 1, .cut = 777777}};
    for (size_t i = 0; i < WH_COUNT(ways); i++) {
        struct how how = ways[i];
        how.vad = vad;
        assert_int_equal(diarize(samples, n, how, &other), WHISP_OK);
        check_same(&first, &other);
        wh_diarization_free(&other);
    }
    wh_diarization_free(&first);
    free(samples);
}

/* ---- against the truth ---- */

/* Who of the truth's people speaks, a bit each, in steps of 10 ms. */
static size_t read_truth(const char *path, unsigned *bits, size_t most)
{
    size_t length;
    char *text = read_file(path, &length), names[8][40], *saved = NULL;
    size_t n_names = 0;
    for (char *line = strtok_r(text, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
        double start, duration;
        char name[40];
        if (sscanf(line, "SPEAKER %*s %*s %lf %lf %*s %*s %39s", &start, &duration, name) != 3)
            continue;
        size_t k = 0;
        while (k < n_names && strcmp(names[k], name) != 0)
            k++;
        if (k == n_names)
            strcpy(names[n_names++], name);
        for (size_t i = (size_t)(start * 100); i < (size_t)((start + duration) * 100) && i < most; i++)
            bits[i] |= 1u << k;
    }
    free(text);
    return n_names;
}

/* A telephone call, two people: what is wrong of the frames in which exactly one of them speaks. */
static void test_telephone(void **unused)
{
    (void)unused;
    need_nets();
    const char *call = shared_path("speakers/telephone.flac"), *truth = shared_path("speakers/telephone.rttm");
    if (!call || !truth)
        skip();
    size_t n = 0;
    float *samples = add_recording(call, 30, NULL, &n);
    static unsigned said[3000], found[3000];
    assert_int_equal(read_truth(truth, said, 3000), 2);
    const whisp_vad *vads[] = {vad, NULL};
    for (int way = 0; way < 2; way++) {
        wh_diarization d;
        assert_int_equal(diarize(samples, n, (struct how){.threads = 2, .least = 1, .vad = vads[way]}, &d), WHISP_OK);
        check_promises(&d, 30);
        assert_int_equal(d.n_speakers, 2);
        memset(found, 0, sizeof found);
        for (size_t i = 0; i < d.n; i++)
            for (size_t f = (size_t)(d.turns[i].start * 100); f < (size_t)(d.turns[i].end * 100) && f < 3000; f++)
                found[f] |= 1u << (d.turns[i].speaker - 1);
        int spoken = 0, straight = 0, crossed = 0;
        for (int f = 0; f < 3000; f++)
            if (said[f] == 1 || said[f] == 2) {
                spoken++;
                straight += (found[f] & said[f]) != 0;
                crossed += (found[f] & (3 - said[f])) != 0;
            }
        assert_true(spoken > 1000);
        assert_true(WH_MAX(straight, crossed) > 0.9 * spoken);
        wh_diarization_free(&d);
    }
    free(samples);
}

static void test_known_number(void **unused)
{
    (void)unused;
    need_nets();
    size_t n = 0;
    float *samples = add_recording("test/data/demo.flac", 20, NULL, &n);
    for (int people = 1; people <= 3; people++) {
        wh_diarization d;
        const struct how how = {.threads = 2, .least = people, .most = people, .vad = vad};
        assert_int_equal(diarize(samples, n, how, &d), WHISP_OK);
        check_promises(&d, (double)n / RATE);
        assert_int_equal(d.n_speakers, people);
        wh_diarization_free(&d);
    }
    free(samples);
}

/* ---- odd recordings ---- */

static void fill(float *samples, size_t n, int kind)
{
    uint64_t seed = 3;
    for (size_t i = 0; i < n; i++)
        samples[i] = kind == 0   ? 0
                     : kind == 1 ? (float)(0.2 * random_unit(&seed) - 0.1)
                     : kind == 2 ? (i / 100 % 2 ? 1e30f : -1e30f)
                     : kind == 3 ? (i % 3 ? NAN : INFINITY)
                                 : 0.3f * sinf((float)i * 0.17f);
}

static void test_odd_recordings(void **unused)
{
    (void)unused;
    need_nets();
    static const size_t lengths[] = {0, 1, 494, 3200, 4001, 23999, 40000, 160000, 160001, 260000};
    static float samples[260000];
    for (int kind = 0; kind < 5; kind++) {
        fill(samples, 260000, kind);
        for (size_t i = 0; i < WH_COUNT(lengths); i++) {
            wh_diarization d;
            const struct how how = {.threads = 1, .least = 1, .vad = i % 2 ? vad : NULL};
            if (kind > 1 && i % 3)
                continue;
            assert_int_equal(diarize(samples, lengths[i], how, &d), WHISP_OK);
            check_promises(&d, (double)lengths[i] / RATE);
            if (kind == 0 || kind == 3) /* silence, and what counts as silence */
                assert_int_equal(d.n_speakers, 0);
            assert_true(d.n_speakers <= 1);
            wh_diarization_free(&d);
        }
    }
}

/* A word of 0.4 s: one speaker, though no stretch of 1.5 s fits in. */
static void test_short(void **unused)
{
    (void)unused;
    need_nets();
    size_t n = 0;
    float *samples = add_recording("test/data/demo.flac", 20, NULL, &n);
    wh_diarization d;
    assert_int_equal(diarize(samples + 2 * RATE, (size_t)(0.4 * RATE), (struct how){.threads = 1, .least = 1}, &d),
                     WHISP_OK);
    check_promises(&d, 0.4);
    assert_int_equal(d.n_speakers, 1);
    wh_diarization_free(&d);
    free(samples);
}

/* ---- being cancelled ---- */

static int asked, until;

static int cancel(void *user)
{
    (void)user;
    return asked++ >= until;
}

static void test_cancelled(void **unused)
{
    (void)unused;
    need_nets();
    size_t n = 0;
    float *samples = add_recording("test/data/demo.flac", 20, NULL, &n);
    whisp_options *options = whisp_options_new();
    assert_non_null(options);
    options->cancel = cancel;
    for (until = 0; until < 3; until++) {
        const wh_diarizer_config config = {.speakers = speakers, .least = 1, .threads = 1, .options = options};
        wh_diarizer *d;
        wh_diarization out = {0};
        asked = 0;
        assert_int_equal(wh_diarizer_new(&config, &d), WHISP_OK);
        int rc = wh_diarizer_push(d, samples, n);
        if (!rc)
            rc = wh_diarizer_finish(d, &out);
        assert_int_equal(rc, WHISP_ERR_CANCELLED);
        assert_int_equal(asked, until + 1);
        wh_diarization_free(&out);
        wh_diarizer_free(d);
    }
    whisp_options_free(options);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),      cmocka_unit_test(test_telephone), cmocka_unit_test(test_known_number),
        cmocka_unit_test(test_odd_recordings), cmocka_unit_test(test_short),     cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, load_nets, free_nets);
}
