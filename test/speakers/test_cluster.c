/* test_cluster.c - from stretches of voice to people, and from frames and people to turns, on invented voices: how many
 * there are, that parts of a long recording are clustered as the whole would be, what is known of the number, and odd
 * input. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/heard.h"
#include "util/util.h"

static uint64_t state;

static float noise(void)
{
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(state >> 40) / (1 << 24) - 0.5f;
    }
    return sum * 1.73f; /* of variance 1 */
}

/* Voice number `person`: the same in every test. */
static void person_voice(int person, float *voice)
{
    const uint64_t before = state;
    state = 977 * (uint64_t)(person + 1);
    for (int i = 0; i < 10; i++)
        noise();
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        voice[i] = noise();
    state = before;
}

/* n stretches; whose each is says `who`. A person's cosines among themselves are near 0.6. */
static wh_stretch *make_stretches(size_t n, int (*who)(size_t i))
{
    wh_stretch *s = wh_calloc(n + 1, sizeof *s);
    assert_non_null(s);
    state = 12345;
    for (size_t i = 0; i < n; i++) {
        float voice[WH_VOICE_SIZE];
        person_voice(who(i), voice);
        for (int j = 0; j < WH_VOICE_SIZE; j++)
            voice[j] += 0.8f * noise();
        s[i].at = (uint32_t)i;
        s[i].seconds = 0.5f;
        wh_stretch_store(&s[i], voice);
    }
    return s;
}

/* Each of persons 0 .. n - 1 is one of the people found and no two are the same one. */
static void check_people(const wh_people *people, int n)
{
    int taken[WH_PEOPLE_MOST] = {0};
    assert_int_equal(people->n, n);
    for (int p = 0; p < n; p++) {
        float voice[WH_VOICE_SIZE], best = -2;
        int found = 0;
        wh_stretch s;
        person_voice(p, voice);
        wh_stretch_store(&s, voice);
        for (int k = 0; k < people->n; k++) {
            const float score = wh_stretch_score(&s, people->centroids + k * WH_VOICE_SIZE);
            if (score > best) {
                best = score;
                found = k;
            }
        }
        assert_true(best > 0.75f); /* one stretch alone; many: over 0.95 */
        assert_false(taken[found]++);
    }
}

static int by_tens(size_t i)
{
    return (int)(i / 10) % 5;
}

static int one(size_t i)
{
    (void)i;
    return 0;
}

static int twenty(size_t i)
{
    return (int)(i / 7) % 20;
}

/* Most of it is the first one's; the third speaks in the second half only. */
static int uneven(size_t i)
{
    return i % 40 < 30 ? 0 : i % 40 < 35 || i < 2500 ? 1 : 2;
}

/* Two by turns; every eighth stretch is a third one's: 7 s of 56. */
static int thirds(size_t i)
{
    return i % 8 == 7 ? 2 : (int)(i / 8) % 2;
}

/* The same, but only 7 s of 168. */
static int seldom(size_t i)
{
    return i % 24 == 23 ? 2 : (int)(i / 8) % 2;
}

/* Everybody is somebody else. */
static int crowd(size_t i)
{
    return (int)i;
}

static void test_how_many(void **unused)
{
    (void)unused;
    const struct {
        size_t n;
        int (*who)(size_t i);
        int people;
    } cases[] = {{300, by_tens, 5}, {100, one, 1}, {700, twenty, 20}, {1, one, 1},
                 {2, one, 1},       {0, one, 0},   {5000, uneven, 3}};
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        wh_stretch *s = make_stretches(cases[i].n, cases[i].who);
        wh_people people;
        assert_int_equal(wh_cluster(s, cases[i].n, 1, 0, NULL, &people), WHISP_OK);
        check_people(&people, cases[i].people);
        free(people.centroids);
        free(s);
    }
}

/* 4,000 stretches are clustered in parts: the same people as in the first 1,000 of them, which are one part. */
static void test_parts(void **unused)
{
    (void)unused;
    wh_stretch *s = make_stretches(4000, twenty);
    wh_people whole, parts;
    assert_int_equal(wh_cluster(s, 1000, 1, 0, NULL, &whole), WHISP_OK);
    assert_int_equal(wh_cluster(s, 4000, 1, 0, NULL, &parts), WHISP_OK);
    check_people(&whole, 20);
    check_people(&parts, 20);
    free(whole.centroids);
    free(parts.centroids);
    free(s);
}

static void test_known_number(void **unused)
{
    (void)unused;
    wh_stretch *s = make_stretches(300, by_tens);
    wh_people people;
    for (int n = 1; n <= 7; n++) {
        assert_int_equal(wh_cluster(s, 300, n, n, NULL, &people), WHISP_OK);
        assert_int_equal(people.n, n);
        free(people.centroids);
    }
    assert_int_equal(wh_cluster(s, 300, 2, 9, NULL, &people), WHISP_OK);
    check_people(&people, 5);
    free(people.centroids);
    assert_int_equal(wh_cluster(s, 300, 1, 3, NULL, &people), WHISP_OK);
    assert_int_equal(people.n, 3);
    free(people.centroids);
    free(s);
    /* more than there can be: as many as can be told apart, and not one */
    s = make_stretches(40, by_tens);
    assert_int_equal(wh_cluster(s, 40, 100, 100, NULL, &people), WHISP_OK);
    assert_true(people.n >= 4 && people.n <= 40);
    free(people.centroids);
    free(s);
}

/* Voices none of which is like another, and voices that are nothing: an answer. */
static void test_nobody_alike(void **unused)
{
    (void)unused;
    wh_stretch *s = make_stretches(3200, crowd);
    wh_people people;
    assert_int_equal(wh_cluster(s, 3200, 1, 0, NULL, &people), WHISP_OK);
    assert_in_range(people.n, 1, WH_PEOPLE_MOST);
    free(people.centroids);
    const float odd[] = {0, 1e-40f, 3e38f, INFINITY, NAN};
    for (size_t i = 0; i < 20; i++) {
        float nothing[WH_VOICE_SIZE] = {0.5f, odd[i % WH_COUNT(odd)]};
        nothing[0] *= odd[i % WH_COUNT(odd)];
        wh_stretch_store(&s[i], nothing);
        assert_true(s[i].inverse == 0);
        for (int j = 0; j < WH_VOICE_SIZE; j++)
            assert_int_equal(s[i].voice[j], 0);
    }
    assert_int_equal(wh_cluster(s, 20, 1, 0, NULL, &people), WHISP_OK);
    assert_in_range(people.n, 1, 20);
    free(people.centroids);
    free(s);
}

/* Two voices that are rather alike, 0.35 on average: one person's, unless the segmentation heard two. */
static void test_hints(void **unused)
{
    (void)unused;
    wh_stretch s[40];
    wh_people people;
    for (int hinted = 0; hinted < 2; hinted++) {
        state = 99;
        for (uint32_t i = 0; i < 40; i++) {
            float voice[WH_VOICE_SIZE], other[WH_VOICE_SIZE];
            const int who = i % 8 < 4;
            person_voice(0, voice);
            person_voice(1 + who, other);
            for (int j = 0; j < WH_VOICE_SIZE; j++)
                voice[j] = 0.8f * voice[j] + 0.6f * other[j] + 0.9f * noise();
            s[i] = (wh_stretch){.at = i, .seconds = 0.5f};
            s[i].slots[hinted ? who : 0] = hinted ? 1 : 0;
            wh_stretch_store(&s[i], voice);
        }
        assert_int_equal(wh_cluster(s, 40, 1, 0, NULL, &people), WHISP_OK);
        assert_int_equal(people.n, hinted ? 2 : 1);
        free(people.centroids);
    }
}

/* Two clean voices that are like each other as one in a noisy room is like itself: enough is a share of what each is. */
static void test_clean_and_noisy(void **unused)
{
    (void)unused;
    const struct {
        float common, own, noise; /* of a stretch, in power */
        int people;
    } cases[] = {{0.38f, 0.36f, 0.26f, 2}, {0.38f, 0, 0.62f, 1}, {0.3f, 0, 0.7f, 1}};
    wh_stretch s[160];
    wh_people people;
    for (size_t k = 0; k < WH_COUNT(cases); k++) {
        state = 7;
        for (uint32_t i = 0; i < 160; i++) {
            float voice[WH_VOICE_SIZE], other[WH_VOICE_SIZE];
            person_voice(0, voice);
            person_voice(1 + (int)(i / 8) % 2, other);
            for (int j = 0; j < WH_VOICE_SIZE; j++)
                voice[j] = sqrtf(cases[k].common) * voice[j] + sqrtf(cases[k].own) * other[j] +
                           sqrtf(cases[k].noise) * noise();
            s[i] = (wh_stretch){.at = i, .seconds = 0.5f};
            wh_stretch_store(&s[i], voice);
        }
        assert_int_equal(wh_cluster(s, 160, 1, 0, NULL, &people), WHISP_OK);
        assert_int_equal(people.n, cases[k].people);
        free(people.centroids);
    }
}

/* Stretches over a change from one voice to another sound alike, but they are nobody's as long as they are few of many; as
 * many of one slot are somebody's, and as many of a short recording. */
static void test_over_changes(void **unused)
{
    (void)unused;
    static const struct {
        size_t n;
        int (*who)(size_t i);
        int is_mixed, people;
    } cases[] = {{336, seldom, 1, 2}, {336, seldom, 0, 3}, {112, thirds, 1, 3}};
    for (size_t c = 0; c < WH_COUNT(cases); c++) {
        const size_t n = cases[c].n;
        wh_stretch *s = make_stretches(n, cases[c].who);
        wh_people people;
        for (size_t i = 0; i < n; i++) {
            const int who = cases[c].who(i), two = cases[c].is_mixed && who == 2;
            s[i].at = (uint32_t)(40 * i);
            s[i].slots[who] = two ? 0.5f : 1;
            s[i].slots[0] += two ? 0.4f : 0;
        }
        assert_int_equal(wh_cluster(s, n, 1, 0, NULL, &people), WHISP_OK);
        check_people(&people, cases[c].people);
        free(people.centroids);
        if (cases[c].people == 2) { /* unless it is known that there are more */
            assert_int_equal(wh_cluster(s, n, 3, 3, NULL, &people), WHISP_OK);
            check_people(&people, 3);
            free(people.centroids);
        }
        free(s);
    }
}

/* Two people after each other, somewhat alike, whom the segmentation takes for one: it is not believed where voices are as
 * clear as here. */
static void test_clear_voices(void **unused)
{
    (void)unused;
    wh_stretch s[16] = {0};
    wh_people people;
    state = 77;
    for (size_t i = 0; i < WH_COUNT(s); i++) {
        float voice[WH_VOICE_SIZE], other[WH_VOICE_SIZE];
        person_voice(0, voice);
        person_voice(1, other);
        for (int j = 0; j < WH_VOICE_SIZE; j++)
            voice[j] = (i < 8 ? voice[j] : 0.28f * voice[j] + 0.9f * other[j]) + 0.5f * noise();
        s[i].at = (uint32_t)i;
        s[i].seconds = 0.5f;
        s[i].slots[0] = 1;
        wh_stretch_store(&s[i], voice);
    }
    assert_true(wh_stretches_clear(s, WH_COUNT(s)) > 0.7f);
    assert_int_equal(wh_cluster(s, WH_COUNT(s), 1, 0, NULL, &people), WHISP_OK);
    assert_int_equal(people.n, 2);
    free(people.centroids);
    wh_stretch few[4] = {0};
    assert_true(wh_stretches_clear(few, WH_COUNT(few)) == 0);
}

/* ---- turns ---- */

/* "a" is 60 frames, somewhat more than a second, of slot 0; "b", "c"; "ab" joined by '+' in one second: "a+b"; '-' nobody.
 * A stretch of the person that `who` names ('1' ..; ' ': none) begins every half second, which are 29.6 frames. */
static void hear(wh_heard *h, const char *slots, const char *who)
{
    assert_int_equal(wh_heard_init(h), WHISP_OK);
    for (const char *p = slots; *p; p++) {
        uint8_t bits = *p == '-' ? 0 : (uint8_t)(1 << (*p - 'a'));
        if (p[1] == '+') {
            bits |= (uint8_t)(1 << (p[2] - 'a'));
            p += 2;
        }
        assert_int_equal(wh_grow(&h->frames, &h->frames_capacity, h->n_frames + 60, 1), WHISP_OK);
        memset(h->frames + h->n_frames, bits, 60);
        h->n_frames += 60;
    }
    h->windows = h->n_frames / WH_WINDOW_STEP + 1;
    for (uint32_t i = 0; who[i]; i++) {
        if (who[i] == ' ')
            continue;
        assert_int_equal(wh_grow(&h->stretches, &h->capacity, h->n + 1, sizeof *h->stretches), WHISP_OK);
        wh_stretch *s = &h->stretches[h->n++];
        float voice[WH_VOICE_SIZE];
        *s = (wh_stretch){.at = i, .seconds = 0.5f};
        person_voice(who[i] - '1', voice);
        wh_stretch_store(s, voice);
        wh_heard_slots(h, (int64_t)i * WH_STRETCH_STEP, WH_STRETCH_SAMPLES, s->slots);
    }
}

static void make_people(wh_people *people, int n)
{
    people->n = n;
    people->centroids = wh_calloc((size_t)n * WH_VOICE_SIZE, sizeof *people->centroids);
    assert_non_null(people->centroids);
    for (int k = 0; k < n; k++) {
        float *c = people->centroids + k * WH_VOICE_SIZE, sum = 0;
        person_voice(k, c);
        for (int j = 0; j < WH_VOICE_SIZE; j++)
            sum += c[j] * c[j];
        for (int j = 0; j < WH_VOICE_SIZE; j++)
            c[j] /= sqrtf(sum);
    }
}

static void check_turns(const char *slots, const char *who, int n, const char *expected)
{
    wh_heard h;
    wh_people people;
    wh_diarization d = {0};
    char text[500] = "";
    hear(&h, slots, who);
    make_people(&people, n);
    assert_int_equal(wh_turns(&h, &people, 1000, &d), WHISP_OK);
    double seconds[WH_PEOPLE_MOST] = {0};
    for (size_t i = 0; i < d.n; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d@%.2f-%.2f", i ? " " : "", d.turns[i].speaker,
                 d.turns[i].start, d.turns[i].end);
        seconds[d.turns[i].speaker - 1] += d.turns[i].end - d.turns[i].start;
    }
    assert_string_equal(text, expected);
    for (int k = 0; k < d.n_speakers; k++)
        assert_float_equal(d.seconds[k], seconds[k], 1e-9);
    wh_diarization_free(&d);
    free(people.centroids);
    wh_heard_free(&h);
}

static void test_turns(void **unused)
{
    (void)unused;
    check_turns("--aa-bb", "  2222 111", 3, "1@2.05-4.07 2@5.09-7.11");
    /* one slot, but the stretches change: the segmentation missed it */
    check_turns("aaaaaa", "111111222222", 2, "1@0.00-3.48 2@3.48-6.10");
    /* two at once: who speaks in each slot before and after */
    check_turns("aaa+bbb", "111 222", 2, "1@0.00-3.06 2@2.05-5.09");
    check_turns("aaa+bbb", "222 111", 2, "1@0.00-3.06 2@2.05-5.09");
    /* nobody, and somebody of whom no stretch was good enough */
    check_turns("---", "", 1, "");
    check_turns("a", "", 1, "");
    check_turns("-a---------bb", "   1", 2, "1@1.03-2.05 1@11.16-13.19");
    /* all of it overlapped, one person: once */
    check_turns("a+ba+b", "11", 1, "1@0.00-2.05");
    check_turns("a+ba+b", "1 2", 2, "1@0.00-2.05 2@0.00-2.05");
}

/* ---- frames ---- */

/* Log-probabilities of a window in which class[f] is all but certain. */
static void certain(const int *class, float *log_probabilities)
{
    for (int f = 0; f < WH_SEGMENT_FRAMES; f++)
        for (int c = 0; c < WH_SEGMENT_CLASSES; c++)
            log_probabilities[f * WH_SEGMENT_CLASSES + c] = c == class[f] ? -0.01f : -6.4f;
}

/* Three windows that name the same two voices differently: the slots go on as the first one named them. */
static void test_windows(void **unused)
{
    (void)unused;
    static const int names[3][4] = {{0, 1, 2, 4}, {0, 2, 3, 6}, {0, 3, 1, 5}}; /* nobody, x, y, both */
    static float log_probabilities[WH_SEGMENT_FRAMES * WH_SEGMENT_CLASSES];
    const size_t total = 2 * WH_WINDOW_STEP + WH_SEGMENT_FRAMES;
    int truth[2 * WH_WINDOW_STEP + WH_SEGMENT_FRAMES];
    wh_heard h;
    assert_int_equal(wh_heard_init(&h), WHISP_OK);
    for (size_t f = 0; f < total; f++)
        truth[f] = f % 100 < 45 ? 1 : f % 100 < 55 ? 3 : f % 100 < 90 ? 2 : 0;
    for (size_t w = 0; w < 3; w++) {
        int class[WH_SEGMENT_FRAMES];
        for (size_t f = 0; f < WH_SEGMENT_FRAMES; f++)
            class[f] = names[w][truth[w * WH_WINDOW_STEP + f]];
        certain(class, log_probabilities);
        assert_int_equal(wh_heard_window(&h, log_probabilities, (wh_heard_speech){0}), WHISP_OK);
        assert_int_equal(h.n_frames, (w + 1) * WH_WINDOW_STEP);
    }
    assert_int_equal(wh_heard_finish(&h, total, (wh_heard_speech){0}), WHISP_OK);
    assert_int_equal(h.n_frames, total);
    for (size_t f = 0; f < total; f++)
        assert_int_equal(h.frames[f], truth[f] == 3 ? 3 : truth[f] == 2 ? 2 : truth[f]);
    float slots[WH_SLOTS];
    wh_heard_slots(&h, 360, 100 * WH_SEGMENT_STEP, slots);
    assert_float_equal(slots[0], 0.45, 1e-6);
    assert_float_equal(slots[1], 0.35, 1e-6);
    assert_float_equal(slots[2], 0, 1e-6);
    assert_int_equal(wh_heard_ruler(&h, 0), 0);
    assert_int_equal(wh_heard_ruler(&h, WH_WINDOW_STEP + WH_WINDOW_OVERLAP / 2), 1);
    assert_int_equal(wh_heard_ruler(&h, total - 1), 2);
    wh_heard_free(&h);
}

/* Silero's word tips the scales: where it is sure that nobody speaks, a segmentation in doubt is not believed. */
static void test_speech(void **unused)
{
    (void)unused;
    static float log_probabilities[WH_SEGMENT_FRAMES * WH_SEGMENT_CLASSES];
    float probabilities[400];
    for (int f = 0; f < WH_SEGMENT_FRAMES; f++)
        for (int c = 0; c < WH_SEGMENT_CLASSES; c++)
            log_probabilities[f * WH_SEGMENT_CLASSES + c] = logf(c == 0 ? 0.5f : c == 2 ? 0.45f : 0.01f);
    for (size_t i = 0; i < WH_COUNT(probabilities); i++)
        probabilities[i] = i < 100 ? 0.9f : 0.001f;
    wh_heard h;
    assert_int_equal(wh_heard_init(&h), WHISP_OK);
    const wh_heard_speech speech = {probabilities, WH_COUNT(probabilities)};
    assert_int_equal(wh_heard_window(&h, log_probabilities, speech), WHISP_OK);
    assert_int_equal(wh_heard_finish(&h, 500, speech), WHISP_OK);
    for (size_t f = 0; f < 500; f++)
        assert_int_equal(h.frames[f], (f * WH_SEGMENT_STEP + 495) / WH_VAD_CHUNK < 100 ? 2 : 0);
    wh_heard_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_many),        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_known_number),    cmocka_unit_test(test_hints),
        cmocka_unit_test(test_turns),           cmocka_unit_test(test_nobody_alike),
        cmocka_unit_test(test_windows),         cmocka_unit_test(test_speech),
        cmocka_unit_test(test_clean_and_noisy), cmocka_unit_test(test_over_changes),
        cmocka_unit_test(test_clear_voices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
