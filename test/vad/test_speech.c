/* test_speech.c - from probabilities to spans of speech and times: against faster-whisper's answers (in test/data/vad,
 * made by make-reference there), and its tests by meaning. */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "vad/vad.h"

/* name, value pairs up to NULL */
static whisp_options *make_options(const char *name, ...)
{
    whisp_options *o = whisp_options_new();
    va_list args;
    va_start(args, name);
    for (; name; name = va_arg(args, const char *))
        assert_int_equal(whisp_options_set(o, name, va_arg(args, const char *)), WHISP_OK);
    va_end(args);
    return o;
}

/* ---- spans and times against faster-whisper ---- */

static float *walk(uint64_t seed, size_t *n)
{
    double level = 0;
    float *out = malloc(601 * sizeof *out);
    for (*n = 0; *n < 600; ++*n) {
        if (random_unit(&seed) < 0.04)
            level = random_unit(&seed);
        out[*n] = (float)((int)(1024 * (0.8 * level + 0.2 * random_unit(&seed))) / 1024.0);
    }
    return out;
}

static float *reference_probabilities(const char *name, size_t *n)
{
    unsigned seed;
    char path[128];
    if (sscanf(name, "walk%u", &seed) == 1)
        return walk(seed, n);
    snprintf(path, sizeof path, "test/data/vad/%s.f32", name);
    return read_floats(path, n);
}

/* The case in `line` ("INPUT TOTAL name value ...") to spans, as a whole recording gives them. Also checks that
 * spans ascend, stay apart and within what is known of the recording when they come out. */
static wh_spans spans_of(char *line)
{
    char *save, *name = strtok_r(line, " \n", &save);
    int64_t total = atoll(strtok_r(NULL, " \n", &save));
    whisp_options *o = whisp_options_new();
    for (char *key; (key = strtok_r(NULL, " \n", &save)) != NULL;)
        assert_int_equal(whisp_options_set(o, key, strtok_r(NULL, " \n", &save)), WHISP_OK);
    size_t n;
    float *p = reference_probabilities(name, &n);
    wh_speech speech;
    wh_spans out = {0};
    wh_speech_init(&speech, &o->values);
    for (size_t i = 0; i <= n; i++) {
        if (i == n && total % 512 != 0)
            break;
        int64_t available = WH_MIN(total, (int64_t)(i + 1) * 512);
        assert_int_equal(wh_speech_push(&speech, p[WH_MIN(i, n - 1)], available, &out), WHISP_OK);
        if (out.n)
            assert_true(out.spans[out.n - 1].end <= available);
    }
    assert_int_equal(wh_speech_finish(&speech, total, &out), WHISP_OK);
    for (size_t i = 0; i < out.n; i++) {
        assert_true(out.spans[i].start < out.spans[i].end && out.spans[i].end <= total);
        assert_true(i == 0 || out.spans[i - 1].end <= out.spans[i].start);
    }
    whisp_options_free(o);
    free(p);
    return out;
}

static void spans_and_times_are_faster_whispers(void **state)
{
    (void)state;
    FILE *file = fopen("test/data/vad/spans.txt", "r");
    assert_non_null(file);
    char line[512];
    wh_spans found = {0};
    wh_timeline timeline = {0};
    size_t next = 0, cases = 0, spans = 0, times = 0;
    while (fgets(line, sizeof line, file)) {
        long start, end;
        int is_end;
        char copy[512];
        double time, original;
        strcpy(copy, line);
        if (strncmp(line, "case ", 5) == 0) {
            assert_int_equal(next, timeline.speech.n); /* no span too many in the case before */
            wh_timeline_free(&timeline);
            found = spans_of(copy + 5);
            assert_int_equal(wh_timeline_init(&timeline, &found), WHISP_OK);
            next = 0;
            cases++;
        } else if (sscanf(line, "span %ld %ld", &start, &end) == 2) {
            assert_true(next < timeline.speech.n);
            assert_int_equal(timeline.speech.spans[next].start, start);
            assert_int_equal(timeline.speech.spans[next].end, end);
            next++;
            spans++;
        } else {
            assert_int_equal(sscanf(line, "time %lf %d %lf", &time, &is_end, &original), 3);
            double got = wh_timeline_original(&timeline, time, is_end);
            if (got != original)
                fail_msg("%s%.17g", line, got);
            times++;
        }
    }
    assert_int_equal(next, timeline.speech.n);
    fclose(file);
    wh_timeline_free(&timeline);
    printf("%zu cases, %zu spans, %zu times\n", cases, spans, times);
    assert_true(cases > 50 && spans > 300 && times > 500);
}

/* faster-whisper's tests of its splitting, by meaning: silence, speech, a long silence, speech to the end. */
static void a_pattern_of_speech_and_silence(void **state)
{
    (void)state;
    whisp_options *o = make_options("vad_speech_pad_ms", "0", NULL);
    wh_speech speech;
    wh_spans out = {0};
    wh_speech_init(&speech, &o->values);
    for (int i = 0; i < 5 + 20 + 70 + 100; i++)
        wh_speech_push(&speech, (i >= 5 && i < 25) || i >= 95 ? 1 : 0, (i + 1) * 512, &out);
    wh_speech_finish(&speech, 195 * 512, &out);
    assert_int_equal(out.n, 2);
    assert_int_equal(out.spans[0].start, 5 * 512);
    assert_int_equal(out.spans[0].end, 25 * 512);
    assert_int_equal(out.spans[1].start, 95 * 512);
    assert_int_equal(out.spans[1].end, 195 * 512);
    free(out.spans);
    whisp_options_free(o);
}

/* ---- the recording without silence ---- */

static void samples_outside_speech_are_dropped(void **state)
{
    (void)state;
    const wh_span list[] = {{100, 250}, {250, 300}, {1000, 1001}, {1500, 2500}};
    for (size_t block = 1; block < 3000; block = block * 3 + 1) {
        wh_spans spans = {wh_calloc(4, sizeof *spans.spans), 4, 4};
        memcpy(spans.spans, list, sizeof list);
        wh_timeline timeline;
        assert_int_equal(wh_timeline_init(&timeline, &spans), WHISP_OK);
        assert_int_equal(wh_timeline_kept(&timeline), 1201);
        int64_t kept = 0;
        size_t at = 0;
        for (int64_t position = 0; position < 2200;) { /* the recording ends within the last span */
            size_t offset, count, n = (size_t)WH_MIN((int64_t)block, 2200 - position);
            wh_timeline_next(&timeline, &at, position, n, &offset, &count);
            for (size_t i = 0; i < count; i++) {
                int64_t sample = position + (int64_t)(offset + i);
                assert_true((sample >= 100 && sample < 300) || sample == 1000 || sample >= 1500);
            }
            kept += (int64_t)count;
            position += (int64_t)(count ? offset + count : n);
        }
        assert_int_equal(kept, 901);
        wh_timeline_free(&timeline);
    }
}

static void a_words_times_stay_in_one_span(void **state)
{
    (void)state;
    wh_spans spans = {wh_calloc(2, sizeof *spans.spans), 2, 2};
    spans.spans[0] = (wh_span){16000, 32000};
    spans.spans[1] = (wh_span){80000, 96000};
    wh_timeline t;
    assert_int_equal(wh_timeline_init(&t, &spans), WHISP_OK);
    /* a word from 0.9 to 1.4 belongs to where its middle is: the second span */
    size_t index = wh_timeline_index(&t, (0.9 + 1.4) / 2, 0);
    assert_int_equal(index, 1);
    assert_true(wh_timeline_original_in(&t, 0.9, index) == 4.9);
    assert_true(wh_timeline_original_in(&t, 1.4, index) == 5.4);
    /* where both meet */
    assert_true(wh_timeline_original(&t, 1.0, 0) == 5.0);
    assert_true(wh_timeline_original(&t, 1.0, 1) == 2.0);
    assert_true(wh_timeline_original(&t, 7.0, 0) == 11.0);
    assert_true(wh_timeline_original(&t, 1e300, 0) > 1e299);
    assert_true(wh_timeline_original(&t, 0.0, 0) == 1.0);
    wh_timeline_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_and_times_are_faster_whispers),
        cmocka_unit_test(a_pattern_of_speech_and_silence),
        cmocka_unit_test(samples_outside_speech_are_dropped),
        cmocka_unit_test(a_words_times_stay_in_one_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
