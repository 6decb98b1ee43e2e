/* test_resume.c - the journal of a transcription: what was ended anywhere and is continued gives the same result, whatever
 * the options; what does not fit or is damaged is not believed. With invented models.
 *
 * A process that is killed leaves the file as it was then, and files only grow: so a run's file, cut off anywhere, is what a
 * kill leaves. test/python/test_resume.py kills processes.
 *
 * WHISP_SEED: of the options that are tried, and of the places where files are cut off and changed; it is printed.
 * WHISP_RESUME_TIMES: how many places; then all options are tried. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sndfile.h>

#include "journal/journal.h"
#include "support/calls.h"
#include "support/models.h"
#include "support/testing.h"

#define SECONDS 37
#define HEAD 48 /* bytes of a record before its answer, as docs/resume.md has it; its sum is 8 */

#define SOME 2 /* sets of options */

static uint64_t seed;
static int times, all_sets;
static const char *mono, *stereo, *terms, *path; /* recordings, a vocabulary, the journal */

/* ---- running ---- */

typedef struct told {
    int wanted; /* WHISP_JOURNAL_ */
    char warnings[2048];
    int cancel_after; /* segments; 0: never */
    int n_segments;
} told;

static int on_journal(void *user, const char *recording, char *to, size_t capacity)
{
    (void)recording;
    snprintf(to, capacity, "%s", path);
    return ((told *)user)->wanted;
}

static void on_log(void *user, int level, const char *text)
{
    told *t = user;
    if (level == WHISP_LOG_WARNING && strstr(text, path) && strlen(t->warnings) + strlen(text) + 2 < sizeof t->warnings)
        strcat(strcat(t->warnings, text), "\n");
}

static void on_segment(void *user, const whisp_segment *segment)
{
    (void)segment;
    ((told *)user)->n_segments++;
}

static int on_cancel(void *user)
{
    const told *t = user;
    return t->cancel_after && t->n_segments >= t->cancel_after;
}

/* Options as text, "name=value;...", beside some that make it quick. */
static whisp_options *options_of(const char *text, told *t)
{
    whisp_options *o = whisp_options_new();
    char all[512];
    snprintf(all, sizeof all, "sample_len=8;no_speech_threshold=None;threads=2;hallucination_guard=False;%s", text);
    for (char *rest = all, *item; (item = strsep(&rest, ";"));) {
        char *value = strchr(item, '=');
        if (!value)
            continue;
        *value++ = '\0';
        if (whisp_options_set(o, item, strcmp(value, "TERMS") == 0 ? terms : value))
            fail_msg("%s", whisp_last_error());
    }
    const whisp_callbacks callbacks = {.size = sizeof callbacks,
                                       .user = t,
                                       .log = on_log,
                                       .segment = on_segment,
                                       .cancel = on_cancel,
                                       .journal = on_journal};
    assert_int_equal(whisp_options_on(o, &callbacks), WHISP_OK);
    return o;
}

typedef struct done {
    char *json;
    int64_t n_encode;
} done;

/* A recording transcribed; json is NULL where it was cancelled. */
static done run(const whisp_model *with, const char *recording, const char *options, told *t)
{
    whisp_options *o = options_of(options, t);
    whisp_session *session;
    whisp_result *result = NULL;
    done d = {0};
    if (whisp_session_new(with, o, &session))
        fail_msg("%s", whisp_last_error());
    int rc = transcribe_file(session, recording, &result);
    if (rc != (t->cancel_after ? WHISP_ERR_CANCELLED : WHISP_OK))
        fail_msg("%s: %s", options, whisp_last_error());
    if (!rc)
        assert_int_equal(whisp_result_format(result, "json", NULL, &d.json, NULL), WHISP_OK);
    d.n_encode = session_info(session).timings->n_encode;
    whisp_result_free(result);
    whisp_session_free(session);
    whisp_options_free(o);
    return d;
}

static void forget(done *d)
{
    whisp_string_free(d->json);
    *d = (done){0};
}

static void write_file(const char *to, const char *bytes, size_t n)
{
    FILE *file = fopen(to, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* Kinds of records (lib/window/recall.c). */
enum { LANGUAGE = 1, DECODING, WORDS };

/* ---- every option ---- */

static const struct set {
    const char *options;
    int is_multilingual, is_stereo;
} sets[] = {
    {"cut=off;temperature=0,0.4;best_of=2;language=en", 0, 0},
    {"cut=off;language=en;temperature=0;word_timestamps=True", 0, 0},
    {"cut=off;language=en;temperature=0.7;best_of=3;confidence=True", 0, 0},
    {"cut=15;batch_size=3;temperature=0;word_timestamps=True;beam_size=2", 0, 0},
    {"cut=15;batch_size=2;temperature=0;word_timestamps=True;word_times=characters", 1, 0},
    {"cut=15;batch_size=4;temperature=0,0.5;best_of=2;confidence=True", 1, 0},
    {"cut=off;temperature=0;multilingual=True", 1, 0},
    {"cut=off;temperature=0;language=de;task=translate;condition_on_previous_text=False", 1, 0},
    {"cut=off;temperature=0;language=en;split_stereo=True", 0, 1},
    {"cut=15;batch_size=2;temperature=0;split_stereo=True;word_timestamps=True", 1, 1},
    {"temperature=0;language=en;clip_timestamps=1,20,25,30.5,33;initial_prompt=And so;carry_initial_prompt=True", 0, 0},
    {"cut=off;temperature=0;language=en;word_timestamps=True;hallucination_silence_threshold=1", 0, 0},
    {"cut=off;temperature=0;language=en;vocabulary=TERMS;word_timestamps=True", 0, 0},
    {"cut=15;batch_size=3;temperature=0;vocabulary=TERMS;hotwords=one two;prefix=On", 0, 0},
    {"cut=off;temperature=0;without_timestamps=True;hallucination_guard=True;compute_type=f32", 0, 0},
};

static const char *recording_of(const struct set *s)
{
    return s->is_stereo ? stereo : mono;
}

/* Cut off anywhere, it goes on to the same result and does not do what is there again; whole, the model is not asked. */
static void ended_anywhere_it_goes_on(void **state)
{
    (void)state;
    size_t from = (size_t)(random_unit(&seed) * WH_COUNT(sets));
    for (size_t i = 0; i < (all_sets ? WH_COUNT(sets) : SOME); i++) {
        const struct set *s = &sets[(from + i * 5) % WH_COUNT(sets)]; /* 5 and 14 have no divisor in common */
        printf("%s\n", s->options);
        const whisp_model *with = s->is_multilingual ? multilingual : model;
        told none = {.wanted = WHISP_JOURNAL_NONE}, kept = {.wanted = WHISP_JOURNAL_NEW};
        done plain = run(with, recording_of(s), s->options, &none),
             first = run(with, recording_of(s), s->options, &kept);
        assert_string_equal(plain.json, first.json);
        assert_int_equal(plain.n_encode, first.n_encode);
        size_t n;
        char *file = read_file(path, &n);
        for (int k = 0; k <= times; k++) {
            size_t length = k == times ? n : (size_t)(random_unit(&seed) * (double)(n + 1));
            told t = {.wanted = WHISP_JOURNAL_RESUME};
            write_file(path, file, length);
            done again = run(with, recording_of(s), s->options, &t);
            if (strcmp(plain.json, again.json) != 0)
                fail_msg("%s: another result after %zu of %zu bytes", s->options, length, n);
            assert_true(again.n_encode <= plain.n_encode);
            if (length == n && (again.n_encode || *t.warnings))
                fail_msg("%s: the model was asked again: %s", s->options, t.warnings);
            forget(&again);
            size_t n_now; /* what was missing was added; what is asked twice stands there once now */
            free(read_file(path, &n_now));
            assert_true(n_now <= n && (length < n || n_now == n));
        }
        free(file);
        forget(&plain);
        forget(&first);
    }
    unlink(path);
}

/* A run that is cancelled leaves what it had; threads, batch and step may be others then. */
static void cancelled_it_goes_on(void **state)
{
    (void)state;
    static const char *const cuts[] = {"cut=off;temperature=0;language=en;%s", "cut=15;temperature=0;language=en;%s"};
    for (size_t i = 0; i < WH_COUNT(cuts); i++) {
        char one[128], two[128];
        snprintf(one, sizeof one, cuts[i], "batch_size=1");
        snprintf(two, sizeof two, cuts[i], "batch_size=4;threads=1;stream_step=1");
        told none = {.wanted = WHISP_JOURNAL_NONE}, ended = {.wanted = WHISP_JOURNAL_NEW, .cancel_after = 1};
        told t = {.wanted = WHISP_JOURNAL_RESUME};
        done plain = run(model, mono, one, &none), first = run(model, mono, one, &ended);
        assert_null(first.json);
        done again = run(model, mono, two, &t);
        assert_string_equal(plain.json, again.json);
        assert_string_equal(t.warnings, "");
        assert_true(again.n_encode < plain.n_encode);
        forget(&plain);
        forget(&again);
        unlink(path);
    }
}

/* The records of which `is_it` is true go from the journal's bytes. How many they were. */
static size_t leave_out(char *file, size_t *n, int (*is_it)(const wh_heard *))
{
    size_t at = 16, left_out = 0;
    while (at < *n) {
        uint32_t length;
        wh_heard heard;
        memcpy(&length, file + at + 4, sizeof length);
        memcpy(&heard, file + at + 24, sizeof heard);
        size_t whole = HEAD + length + 8;
        if (!is_it(&heard)) {
            at += whole;
            continue;
        }
        memmove(file + at, file + at + whole, *n - at - whole);
        *n -= whole;
        left_out++;
    }
    return left_out;
}

static int is_first(const wh_heard *heard)
{
    return heard->kind >= 0 && heard->at <= 0;
}

static int is_of_words(const wh_heard *heard)
{
    return heard->kind == WORDS;
}

/* A short window that was doubtful was decoded with all of its padding (lib/window/decode.c): its words are found with it, too,
 * where the decoding is known and they are not. */
static void words_are_found_where_they_were_decoded(void **state)
{
    (void)state;
    const char *options = "cut=15;batch_size=1;temperature=0;language=en;word_timestamps=True";
    told kept = {.wanted = WHISP_JOURNAL_NEW}, t = {.wanted = WHISP_JOURNAL_RESUME};
    done plain = run(model, mono, options, &kept);
    size_t n;
    char *file = read_file(path, &n);
    assert_true(leave_out(file, &n, is_of_words) > 1);
    write_file(path, file, n);
    done again = run(model, mono, options, &t);
    assert_string_equal(plain.json, again.json);
    assert_true(again.n_encode > 0 && again.n_encode < plain.n_encode);
    free(file);
    forget(&plain);
    forget(&again);
    unlink(path);
}

/* Parts are written as they end, so the first one's answer may be missing where later ones' are there. */
static void parts_may_end_in_any_order(void **state)
{
    (void)state;
    const char *options = "cut=15;batch_size=1;temperature=0;language=en";
    told kept = {.wanted = WHISP_JOURNAL_NEW}, t = {.wanted = WHISP_JOURNAL_RESUME};
    done plain = run(model, mono, options, &kept);
    size_t n;
    char *file = read_file(path, &n);
    assert_int_equal(leave_out(file, &n, is_first), 1);
    write_file(path, file, n);
    done again = run(model, mono, options, &t);
    assert_string_equal(plain.json, again.json);
    assert_string_equal(t.warnings, "");
    assert_in_range(again.n_encode, 1, 2); /* a short window that is doubtful: with few rows of padding, and with all */
    free(file);
    forget(&plain);
    forget(&again);
    unlink(path);
}

/* ---- what is not believed ---- */

#define QUICK "cut=off;temperature=0;language=en;"

/* Continue what QUICK left, with something that differs: told in these words, all is heard, the result is right. */
static void is_refused(const whisp_model *with, const char *recording, const char *options, const char *words)
{
    told none = {.wanted = WHISP_JOURNAL_NONE}, t = {.wanted = WHISP_JOURNAL_RESUME};
    done plain = run(with, recording, options, &none), got = run(with, recording, options, &t);
    assert_string_equal(plain.json, got.json);
    if (plain.n_encode != got.n_encode)
        fail_msg("%s %s: %d windows were heard, not %d: %s", recording, options, (int)got.n_encode, (int)plain.n_encode,
                 t.warnings);
    if (!strstr(t.warnings, words) || strchr(t.warnings, '\n')[1])
        fail_msg("'%s' is not all that was said: %s", words, t.warnings);
    forget(&plain);
    forget(&got);
}

static void write_sound(const char *to, int channels, int n_seconds, double from);

static void what_differs_is_told_and_not_used(void **state)
{
    (void)state;
    told kept = {.wanted = WHISP_JOURNAL_NEW};
    const char *other = temp_path("other.wav"), *later = temp_path("later.wav");
    size_t n;
    done first = run(model, mono, QUICK, &kept);
    forget(&first);
    char *file = read_file(path, &n);
    write_sound(other, 1, SECONDS, 0.5);
    is_refused(model, other, QUICK, "of another recording");
    told again = {.wanted = WHISP_JOURNAL_RESUME}; /* and the journal is that recording's now */
    done same = run(model, other, QUICK, &again);
    assert_true(same.n_encode == 0 && !*again.warnings);
    forget(&same);
    write_file(path, file, n);
    write_sound(other, 1, SECONDS + 1, 0);
    is_refused(model, other, QUICK, "the recording was WAV");
    write_file(path, file, n);
    is_refused(multilingual, mono, QUICK, "the model was invented");
    write_file(path, file, n);
    is_refused(model, mono, QUICK "suppress_blank=False", "option suppress_blank was True there and is False now");
    write_file(path, file, n);
    is_refused(model, mono, QUICK "compute_type=f32", "what computes was cpu: int8");
    write_file(path, file, n);
    is_refused(model, mono, QUICK "initial_prompt=a\nb", "option initial_prompt was None there and is a\\nb now");

    /* the same length, but from the middle on another one: what is the same is used */
    write_file(path, file, n);
    size_t length;
    char *sound = read_file(mono, &length);
    memset(sound + length * 6 / 7, 0, length / 7);
    write_file(later, sound, length);
    free(sound);
    told none = {.wanted = WHISP_JOURNAL_NONE}, t = {.wanted = WHISP_JOURNAL_RESUME};
    done plain = run(model, later, "cut=off;temperature=0;language=en", &none),
         got = run(model, later, "cut=off;temperature=0;language=en", &t);
    assert_string_equal(plain.json, got.json);
    if (!strstr(t.warnings, "of another recording from"))
        fail_msg("%s", t.warnings);
    forget(&plain);
    forget(&got);
    free(file);
    unlink(path);
}

static void another_vocabulary_is_told(void **state)
{
    (void)state;
    told kept = {.wanted = WHISP_JOURNAL_NEW};
    done first = run(model, mono, QUICK "vocabulary=TERMS", &kept);
    forget(&first);
    size_t n;
    char *before = read_file(terms, &n);
    write_file(terms, "three\nfour\n", 11);
    is_refused(model, mono, QUICK "vocabulary=TERMS", "the list of terms was");
    write_file(terms, before, n);
    free(before);
    unlink(path);
}

/* Whatever is changed in the file: no harm, and the same result. */
static void damage_is_found(void **state)
{
    (void)state;
    char old[512];
    snprintf(old, sizeof old, "%s.old", path);
    unlink(old); /* of another test: it would be gone on with */
    told kept = {.wanted = WHISP_JOURNAL_NEW};
    const char *options = QUICK "word_timestamps=True";
    done plain = run(model, mono, options, &kept);
    size_t n;
    char *file = read_file(path, &n);
    for (int k = 0; k < 3 * times; k++) {
        told t = {.wanted = WHISP_JOURNAL_RESUME};
        size_t at = (size_t)(random_unit(&seed) * (double)n);
        file[at] = (char)(file[at] ^ 1 << (k % 8));
        write_file(path, file, n);
        file[at] = (char)(file[at] ^ 1 << (k % 8));
        done got = run(model, mono, options, &t);
        if (strcmp(plain.json, got.json) != 0 || !*t.warnings)
            fail_msg("bit %d of byte %zu of %zu: %s", k % 8, at, n,
                     *t.warnings ? "another result" : "nothing was said");
        forget(&got);
    }

    /* the older one is whole, and is gone on with: even then it is told */
    told t = {.wanted = WHISP_JOURNAL_RESUME};
    write_file(old, file, n);
    file[200] ^= 1;
    write_file(path, file, n);
    done got = run(model, mono, options, &t);
    assert_string_equal(plain.json, got.json);
    if (got.n_encode != 0 || !strstr(t.warnings, "it is damaged; ") || !strstr(t.warnings, ".old is gone on with"))
        fail_msg("%s", t.warnings);
    forget(&got);
    free(file);
    forget(&plain);
    unlink(path);
    unlink(old);
}

/* Records that are whole, with sums that are right, but whose answers are anything: nothing is believed that would lead
 * outside of what it counts off. */
static void forged_answers_do_no_harm(void **state)
{
    (void)state;
    static const char *const options[] = {QUICK "word_timestamps=True;vocabulary=TERMS", QUICK "confidence=True",
                                          "cut=off;temperature=0;multilingual=True"};
    for (int k = 0; k < 3 * times; k++) {
        const char *with = options[k % 3];
        const whisp_model *m = k % 3 == 2 ? multilingual : model;
        told kept = {.wanted = WHISP_JOURNAL_NEW}, t = {.wanted = WHISP_JOURNAL_RESUME}, none = {0};
        done got = run(m, mono, with, &kept);
        forget(&got);
        size_t n, at = 16;
        char *file = read_file(path, &n), *identity = NULL;
        wh_journal *journal = NULL;
        wh_buf answer = {0};
        whisp_options *quiet = options_of("", &none);
        unlink(path);
        while (at < n) {
            uint32_t length;
            wh_key key;
            wh_heard heard;
            memcpy(&length, file + at + 4, sizeof length);
            memcpy(&key, file + at + 8, sizeof key);
            memcpy(&heard, file + at + 24, sizeof heard);
            char *bytes = file + at + HEAD;
            at += HEAD + length + 8;
            if (!identity) {
                identity = strndup(bytes, length);
                const wh_journal_config config = {.path = path, .identity = identity};
                assert_int_equal(wh_journal_open(&config, quiet, &journal), WHISP_OK);
                wh_heard nowhere = {.at = -1};
                assert_int_equal(wh_journal_find(journal, quiet, &nowhere, &key, &answer), 0);
                continue;
            }
            answer.length = 0;
            wh_buf_append(&answer, bytes, length);
            for (int j = 0; j < 3; j++) { /* numbers at their places, or bits, or an end too early */
                static const uint32_t numbers[] = {0, 1, 0xffffffff, 0x7fffffff, 0x80000000, 0x7fc00000};
                size_t where = (size_t)(random_unit(&seed) * (double)(answer.length / 4)) * 4;
                if (answer.length >= 4)
                    memcpy(answer.data + where, &numbers[(int)(random_unit(&seed) * 6)], 4);
            }
            if (random_unit(&seed) < 0.2)
                answer.length = (size_t)(random_unit(&seed) * (double)answer.length);
            assert_int_equal(wh_journal_find(journal, quiet, &heard, &key, &(wh_buf){0}), 0);
            assert_int_equal(wh_journal_keep(journal, quiet, &heard, &key, &answer), WHISP_OK);
        }
        wh_journal_free(journal);
        wh_buf_free(&answer);
        whisp_options_free(quiet);
        got = run(m, mono, with, &t);
        forget(&got);
        free(identity);
        free(file);
        unlink(path);
    }
}

/* Where the first record of a kind is, and how long its answer is. */
static size_t find_record(const char *file, int kind, uint32_t *length)
{
    size_t at = 16;
    for (;;) {
        wh_heard heard;
        memcpy(length, file + at + 4, sizeof *length);
        memcpy(&heard, file + at + 24, sizeof heard);
        if (heard.kind == kind)
            return at;
        at += HEAD + *length + 8;
    }
}

/* Write the journal with another answer in the record at `at`, and the sum that belongs to it: over the identity and all of
 * the record before it. */
static void write_forged(const char *file, size_t n, size_t at, const char *answer, uint32_t length)
{
    uint32_t old_length, n_identity;
    wh_key key = WH_KEY_EMPTY;
    wh_buf all = {0};
    memcpy(&old_length, file + at + 4, sizeof old_length);
    memcpy(&n_identity, file + 16 + 4, sizeof n_identity);
    wh_buf_append(&all, file, at + HEAD);
    wh_buf_append(&all, answer, length);
    assert_false(all.failed);
    memcpy(all.data + at + 4, &length, sizeof length);
    wh_key_add(&key, file + 16 + HEAD, n_identity);
    wh_key_add(&key, all.data + at, HEAD + length);
    uint64_t sum = key.a ^ key.b;
    size_t rest = at + HEAD + old_length + sizeof sum;
    wh_buf_append(&all, &sum, sizeof sum);
    wh_buf_append(&all, file + rest, n - rest);
    assert_false(all.failed);
    write_file(path, all.data, all.length);
    wh_buf_free(&all);
}

/* Go on with what is there: one window is heard, and the result is as it was. */
static void one_is_heard_anew(const whisp_model *with, const char *options, const char *result, const char *what)
{
    told t = {.wanted = WHISP_JOURNAL_RESUME};
    done got = run(with, mono, options, &t);
    if (got.n_encode != 1 || strcmp(result, got.json) != 0)
        fail_msg("%s is believed: %s", what, got.json);
    forget(&got);
}

/* Numbers that no model says, in a record whose sum is right. */
static void impossible_numbers_are_not_believed(void **state)
{
    (void)state;
    static const double numbers[] = {NAN, -INFINITY, 1e300};
    const char *options = "cut=off;temperature=0;multilingual=True";
    static const struct {
        int kind;
        size_t at, n;
    } places[] = {{LANGUAGE, 8, 8},  {LANGUAGE, 16, 4}, {DECODING, 0, 8}, {DECODING, 8, 8},
                  {DECODING, 16, 8}, {DECODING, 24, 8}, {DECODING, 44, 4}};
    told kept = {.wanted = WHISP_JOURNAL_NEW};
    done plain = run(multilingual, mono, options, &kept);
    size_t n;
    char *file = read_file(path, &n);
    for (size_t i = 0; i < WH_COUNT(places) * WH_COUNT(numbers); i++) {
        const double number = numbers[i % WH_COUNT(numbers)];
        const float single = (float)number;
        size_t place = places[i / WH_COUNT(numbers)].at;
        int kind = places[i / WH_COUNT(numbers)].kind;
        uint32_t length;
        char what[100], *answer;
        size_t at = find_record(file, kind, &length);
        assert_non_null(answer = malloc(length));
        memcpy(answer, file + at + HEAD, length);
        if (places[i / WH_COUNT(numbers)].n == sizeof number)
            memcpy(answer + place, &number, sizeof number);
        else
            memcpy(answer + place, &single, sizeof single);
        write_forged(file, n, at, answer, length);
        snprintf(what, sizeof what, "%g at byte %zu of an answer of kind %d", number, place, kind);
        one_is_heard_anew(multilingual, options, plain.json, what);
        free(answer);
    }
    free(file);
    forget(&plain);
    unlink(path);
}

/* Terms that are said to have been found: what was heard in their place comes before the next window, so it must be tokens;
 * and several that claim the same part of a list would cost more than the file has bytes. */
static void impossible_terms_are_not_believed(void **state)
{
    (void)state;
    const char *options = QUICK "vocabulary=TERMS";
    typedef struct terms { /* as lib/search/corrected.c has them */
        uint64_t n[4];
        size_t corrected[2][4]; /* where, how many tokens; what was heard instead: from, how many */
        int32_t heard[2];
    } found;
    const found impossible[] = {{{2, 2, 0, 0}, {{0, 1, 0, 1}, {1, 1, 1, 1}}, {1, 1 << 20}},
                                {{2, 2, 0, 0}, {{0, 1, 0, 1}, {1, 1, 1, 1}}, {1, -1}},
                                {{2, 2, 0, 0}, {{0, 1, 0, 2}, {1, 1, 0, 2}}, {1, 2}}};
    told kept = {.wanted = WHISP_JOURNAL_NEW};
    done plain = run(model, mono, options, &kept);
    size_t n;
    char *file = read_file(path, &n);
    for (size_t i = 0; i < WH_COUNT(impossible); i++) {
        uint32_t length, n_tokens;
        char what[100];
        wh_buf answer = {0};
        size_t at = find_record(file, DECODING, &length);
        memcpy(&n_tokens, file + at + HEAD + 32, sizeof n_tokens);
        assert_true(n_tokens >= 2);
        wh_buf_append(&answer, file + at + HEAD, 40 + n_tokens * sizeof(whisp_token));
        wh_buf_append(&answer, &impossible[i], offsetof(found, heard) + sizeof impossible[i].heard);
        assert_false(answer.failed);
        write_forged(file, n, at, answer.data, (uint32_t)answer.length);
        snprintf(what, sizeof what, "list %zu of terms", i);
        one_is_heard_anew(model, options, plain.json, what);
        wh_buf_free(&answer);
    }
    free(file);
    forget(&plain);
    unlink(path);
}

/* ---- when there is one ---- */

/* What one window holds has none; a pipe has none, which is said where one would be resumed; what is no journal stays. */
static void it_is_made_only_where_it_counts(void **state)
{
    (void)state;
    const char *brief = temp_path("brief.wav");
    told kept = {.wanted = WHISP_JOURNAL_NEW}, t = {.wanted = WHISP_JOURNAL_RESUME};
    write_sound(brief, 1, 29, 0);
    done got = run(model, brief, "temperature=0,0.4;best_of=2", &kept);
    forget(&got);
    assert_int_not_equal(access(path, F_OK), 0);

    write_file(path, "my diary\n", 9);
    got = run(model, mono, QUICK, &t);
    forget(&got);
    assert_non_null(strstr(t.warnings, "no journal is kept: something else is there"));
    size_t n;
    char *diary = read_file(path, &n);
    assert_string_equal(diary, "my diary\n");
    free(diary);
    unlink(path);

    char folder[4096]; /* that is not there */
    const char *before = path;
    snprintf(folder, sizeof folder, "%s/there/is.none", temp_path("nowhere"));
    path = folder;
    told lost = {.wanted = WHISP_JOURNAL_NEW};
    got = run(model, mono, QUICK, &lost);
    assert_non_null(strstr(lost.warnings, "cannot be written: No such file"));
    forget(&got);
    path = before;
}

typedef struct counted {
    size_t n;
    char *json[8];
} counted;

static int on_file(void *user, size_t index, int rc, whisp_result *result)
{
    counted *c = user;
    assert_int_equal(rc, WHISP_OK);
    assert_int_equal(index, c->n);
    assert_int_equal(whisp_result_format(result, "json", NULL, &c->json[c->n++], NULL), WHISP_OK);
    whisp_result_free(result);
    return 0;
}

static int on_one_each(void *user, const char *recording, char *to, size_t capacity)
{
    snprintf(to, capacity, "%s.journal", recording);
    return ((told *)user)->wanted;
}

/* Side by side each has its own, and they are those that they have alone. */
static void many_files_have_one_each(void **state)
{
    (void)state;
    const char *names[] = {temp_path("a.wav"), temp_path("b.wav"), temp_path("c.wav")};
    told t = {.wanted = WHISP_JOURNAL_NEW};
    counted before = {0}, after = {0};
    char journal[4096];
    for (int i = 0; i < 3; i++)
        write_sound(names[i], 1, i == 1 ? 12 : 33, i);
    for (int pass = 0; pass < 2; pass++) {
        whisp_options *o = options_of("cut=15;batch_size=4;temperature=0;language=en", &t);
        const whisp_callbacks callbacks = {.size = sizeof callbacks, .user = &t, .log = on_log, .journal = on_one_each};
        whisp_session *session;
        assert_int_equal(whisp_options_on(o, &callbacks), WHISP_OK);
        assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
        assert_int_equal(whisp_session_transcribe_files(session, names, 3, on_file, pass ? &after : &before), WHISP_OK);
        if (pass) /* the short one has nothing to be taken from */
            assert_in_range(session_info(session).timings->n_encode, 1, 2);
        whisp_session_free(session);
        whisp_options_free(o);
        t.wanted = WHISP_JOURNAL_RESUME;
    }
    for (int i = 0; i < 3; i++) {
        assert_string_equal(before.json[i], after.json[i]);
        whisp_string_free(before.json[i]);
        whisp_string_free(after.json[i]);
        snprintf(journal, sizeof journal, "%s.journal", names[i]);
        assert_int_equal(unlink(journal) == 0, i != 1);
    }
}

/* ---- together ---- */

/* A gliding buzz that comes and goes, another one a channel; loudest in its first second. */
static void write_sound(const char *to, int channels, int n_seconds, double from)
{
    SF_INFO info = {.samplerate = 16000, .channels = channels, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SNDFILE *file = sf_open(to, SFM_WRITE, &info);
    assert_non_null(file);
    int phase[2] = {0, 0};
    static short block[1600 * 2];
    for (int i = 0; i < n_seconds * 16000; i++) {
        double t = from + i / 16000.0;
        for (int c = 0; c < channels; c++) {
            phase[c] = (phase[c] + 400 + 90 * c + (int)(40 * t) % 300) % 65536;
            block[i % 1600 * channels + c] = (short)((phase[c] / 8 - 4096) * ((int)(t * (3 + c)) % 3) /
                                                     (i < 16000 ? 1 : 2));
        }
        if (i % 1600 == 1599)
            assert_int_equal(sf_writef_short(file, block, 1600), 1600);
    }
    sf_close(file);
}

static int set_up(void **state)
{
    const char *given = getenv("WHISP_SEED"), *n = getenv("WHISP_RESUME_TIMES");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
    all_sets = n != NULL;
    times = n ? atoi(n) : 1;
    printf("WHISP_SEED=%llu WHISP_RESUME_TIMES=%d\n", (unsigned long long)seed, times);
    mono = strdup(temp_path("mono.wav"));
    stereo = strdup(temp_path("stereo.wav"));
    terms = strdup(temp_path("terms.txt"));
    path = strdup(temp_path("the.journal"));
    write_sound(mono, 1, SECONDS, 0);
    write_sound(stereo, 2, 33, 0);
    write_file(terms, "on the\nand\nten\n", 15);
    return load_models(state);
}

static int tear_down(void **state)
{
    const char *const all[] = {mono, stereo, terms, path};
    for (size_t i = 0; i < WH_COUNT(all); i++)
        free((char *)(uintptr_t)all[i]);
    return free_models(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ended_anywhere_it_goes_on),
        cmocka_unit_test(cancelled_it_goes_on),
        cmocka_unit_test(parts_may_end_in_any_order),
        cmocka_unit_test(words_are_found_where_they_were_decoded),
        cmocka_unit_test(what_differs_is_told_and_not_used),
        cmocka_unit_test(another_vocabulary_is_told),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(forged_answers_do_no_harm),
        cmocka_unit_test(impossible_numbers_are_not_believed),
        cmocka_unit_test(impossible_terms_are_not_believed),
        cmocka_unit_test(it_is_made_only_where_it_counts),
        cmocka_unit_test(many_files_have_one_each),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
