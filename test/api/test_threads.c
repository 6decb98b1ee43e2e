/* test_threads.c - one model under many threads, each with sessions, queues and streams of its own (support/ways.h): the
 * answers are those of one alone, and what is cancelled at any moment is cancelled or right; again and again without
 * growing; before and after a fork; and with a second copy of the library in the process. $WHISP_THREADS_ROUNDS for
 * longer; $WHISP_SEED as printed. Runs under ThreadSanitizer, too. */
#include "support/testing.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sndfile.h>

#include "support/process.h"
#include "support/ways.h"

#define THREADS 4
#define SECONDS 12

static ways_ground ground;
static char *alone[32];
static uint64_t seed;
static int rounds = 1;

/* ---- the ground ---- */

static int make_ground(void **state)
{
    (void)state;
    static float samples[SECONDS * 16000], stereo[2 * SECONDS * 16000];
    static char path[4096], terms[4096], model_file[4096], vad[4096];
    const char *text = getenv("WHISP_SEED"), *silero = model_path("silero-vad");
    seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 20;
    printf("seed %llu (WHISP_SEED)\n", (unsigned long long)seed);
    if ((text = getenv("WHISP_THREADS_ROUNDS")))
        rounds = (int)strtol(text, NULL, 10);
    ways_noise(samples, SECONDS * 16000, 1, 1);
    ways_noise(stereo, SECONDS * 16000, 2, 2);
    SF_INFO info = {.samplerate = 16000, .channels = 2, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SNDFILE *file = sf_open(strcpy(path, temp_path("threads.wav")), SFM_WRITE, &info);
    FILE *list = fopen(strcpy(terms, temp_path("terms.txt")), "w");
    if (!file || sf_writef_float(file, stereo, SECONDS * 16000) != SECONDS * 16000 || !list)
        return -1;
    sf_close(file);
    fputs("Whisper\nKubernetes\n", list);
    fclose(list);
    whisp_model *model;
    if (whisp_model_load(strcpy(model_file, invented_path("invented-multilingual")), NULL, &model))
        return -1;
    ground = (ways_ground){.model = model,
                           .path = path,
                           .samples = samples,
                           .n = SECONDS * 16000,
                           .vocabulary = terms,
                           .vad = silero ? strcpy(vad, silero) : NULL,
                           .model_path = model_file};
    for (size_t i = 0; i < ways_count(); i++) {
        int rc;
        if (!(alone[i] = ways_take(i, &ground, NULL, &rc))) {
            fprintf(stderr, "%s alone: %s\n", ways_name(i), whisp_last_error());
            return -1;
        }
    }
    return 0;
}

static int free_ground(void **state)
{
    (void)state;
    for (size_t i = 0; i < ways_count(); i++)
        free(alone[i]);
    whisp_model_free((whisp_model *)(uintptr_t)ground.model);
    return 0;
}

/* ---- many threads ---- */

typedef struct walker {
    pthread_t thread;
    uint64_t seed;
    int turns, cancels; /* how many, and whether some are cancelled */
    int taken, cancelled;
    const char *wrong; /* the way whose answer was another, or that failed */
    int rc;
} walker;

typedef struct patience {
    long left; /* questions until it stops; negative: never */
} patience;

static int has_lost_it(void *user)
{
    patience *p = user; /* asked in the thread of the way; in a queue in one of its threads, one recording at a time */
    long left = __atomic_fetch_sub(&p->left, 1, __ATOMIC_RELAXED);
    return left == 0 || (left < 0 && left > -100000);
}

static void *walk(void *user)
{
    walker *w = user;
    for (int turn = 0; turn < w->turns && !w->wrong; turn++) {
        size_t i = (size_t)(random_unit(&w->seed) * (double)ways_count());
        int stops = w->cancels && random_unit(&w->seed) < 0.5, rc;
        patience p = {.left = stops ? (long)(random_unit(&w->seed) * random_unit(&w->seed) * 200) : 1L << 40};
        char *answer = ways_take(i, &ground, &(ways_stop){.stop = has_lost_it, .user = &p}, &rc);
        w->taken++;
        if (stops && rc == WHISP_ERR_CANCELLED && !answer) {
            w->cancelled++;
        } else if (rc || !answer || strcmp(answer, alone[i]) != 0) {
            w->wrong = ways_name(i);
            w->rc = rc;
        }
        free(answer);
    }
    return NULL;
}

static void walk_all(int turns, int cancels)
{
    walker walkers[THREADS];
    int taken = 0, cancelled = 0;
    for (int i = 0; i < THREADS; i++) {
        walkers[i] = (walker){.seed = ++seed, .turns = turns, .cancels = cancels};
        assert_int_equal(pthread_create(&walkers[i].thread, NULL, walk, &walkers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(walkers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        if (walkers[i].wrong)
            fail_msg("%s: %s", walkers[i].wrong, walkers[i].rc ? whisp_error_name(walkers[i].rc) : "another answer");
        taken += walkers[i].taken;
        cancelled += walkers[i].cancelled;
    }
    printf("  %d ways taken, %d cancelled\n", taken, cancelled);
    assert_true(cancels ? cancelled > 0 : cancelled == 0);
}

static void answers_are_those_alone(void **state)
{
    (void)state;
    walk_all(5 * rounds, 0);
}

static void cancelled_at_any_moment(void **state)
{
    (void)state;
    walk_all(7 * rounds, 1);
}

/* ---- again and again ---- */

static void nothing_grows(void **state)
{
    (void)state;
    size_t first = 0, last = 0;
    int files = open_files(), threads = threads_alive(1000);
    for (int round = 0; round < 2 + rounds; round++) {
        for (size_t i = 0; i < ways_count(); i++) {
            int rc;
            char *answer = ways_take(i, &ground, NULL, &rc);
            assert_non_null(answer);
            assert_string_equal(answer, alone[i]);
            free(answer);
        }
        last = bytes_in_use();
        first = round == 1 ? last : first; /* the C library's and others' caches are there by then */
    }
    printf("  %zu kB in use after two rounds, %zu kB after %d\n", first / 1024, last / 1024, 2 + rounds);
    /* Threads' caches go on for some rounds: 9 to 17 kB after one more, 33 after four, 39 after twelve. */
    assert_true(last <= first + (size_t)(rounds > 1 ? 64 : 32) * 1024);
    assert_int_equal(open_files(), files);
    assert_true(threads_alive(threads) <= threads);
}

/* ---- fork ---- */

static int same_answers(void)
{
    for (size_t i = 0; i < ways_count(); i++) {
        int rc;
        char *answer = ways_take(i, &ground, NULL, &rc);
        int same = answer && !strcmp(answer, alone[i]);
        if (!same)
            fprintf(stderr, "in a child: %s: %s\n", ways_name(i), answer ? "another answer" : whisp_last_error());
        free(answer);
        if (!same)
            return 0;
    }
    return 1;
}

static void wait_well(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void children_hear_what_their_parents_do(void **state)
{
    (void)state;
    pid_t child = fork(); /* with the model */
    assert_true(child >= 0);
    if (!child)
        _exit(!same_answers());
    assert_true(same_answers()); /* at the same time */
    wait_well(child);
}

/* What the session hears, as JSON; NULL where it fails. No assertions: a child asks, too. */
static char *heard_by(whisp_session *session)
{
    whisp_audio *audio = NULL;
    whisp_result *result = NULL;
    char *json = NULL;
    if (!whisp_audio_open_samples(ground.samples, ground.n, &audio) &&
        !whisp_session_transcribe(session, audio, &result))
        (void)!whisp_result_format(result, "json", NULL, &json, NULL);
    whisp_result_free(result);
    whisp_audio_free(audio);
    return json;
}

/* A session that the parent made goes on in the child, whose copy has no threads but the child's own. */
static void a_session_survives_a_fork(void **state)
{
    (void)state;
    whisp_options *o = whisp_options_new();
    whisp_session *session;
    assert_int_equal(whisp_options_set(o, "threads", "3"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "sample_len", "8"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "temperature", "0"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "hallucination_guard", "False"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "no_speech_threshold", "None"), WHISP_OK);
    assert_int_equal(whisp_session_new(ground.model, o, &session), WHISP_OK);
    char *before = heard_by(session);
    assert_non_null(before);
    assert_non_null(strstr(before, "\"tokens\""));
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        alarm(60); /* a hang is a failure */
    char *after = heard_by(session);
    int same = after && strcmp(before, after) == 0;
    if (!child)
        _exit(!same);
    assert_true(same);
    whisp_string_free(before);
    whisp_string_free(after);
    whisp_session_free(session);
    whisp_options_free(o);
    wait_well(child);
}

#ifndef __SANITIZE_THREAD__
/* ---- two copies ---- */

typedef struct copy {
    void *library;
    int (*load)(const char *path, const whisp_callbacks *callbacks, whisp_model **model);
    int (*transcribe)(const whisp_model *model, const char *path, const whisp_options *options, whisp_result **result);
    int (*format)(const whisp_result *result, const char *format, const whisp_writer_options *options, char **text,
                  size_t *n);
    void (*free_string)(char *text);
    void (*free_result)(whisp_result *result);
    void (*free_model)(whisp_model *model);
    char *text;
} copy;

static void open_copy(copy *c, const char *path)
{
    c->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!c->library)
        fail_msg("%s", dlerror());
    *(void **)&c->load = dlsym(c->library, "whisp_model_load");
    *(void **)&c->transcribe = dlsym(c->library, "whisp_transcribe");
    *(void **)&c->format = dlsym(c->library, "whisp_result_format");
    *(void **)&c->free_string = dlsym(c->library, "whisp_string_free");
    *(void **)&c->free_result = dlsym(c->library, "whisp_result_free");
    *(void **)&c->free_model = dlsym(c->library, "whisp_model_free");
}

static void *use_copy(void *user)
{
    copy *c = user;
    whisp_model *model;
    whisp_result *result;
    char *text = NULL;
    if (c->load(ground.model_path, NULL, &model))
        return NULL;
    if (!c->transcribe(model, ground.path, NULL, &result) && !c->format(result, "json", NULL, &text, NULL)) {
        c->text = strdup(text);
        c->free_string(text);
        c->free_result(result);
    }
    c->free_model(model);
    return NULL;
}

/* The shared library, as it was built, and a copy of its file, beside the one that this program is linked with. */
static void copies_of_the_library_live_together(void **state)
{
    (void)state;
    const char *build = getenv("WHISP_BUILD");
    char path[4096], name[4096];
    size_t n;
    snprintf(path, sizeof path, "%s/libwhisp.so", build ? build : "build");
    if (access(path, R_OK)) {
        printf("skipped: no %s\n", path);
        return;
    }
    char *bytes = read_file(path, &n);
    FILE *file = fopen(strcpy(name, temp_path("libother.so")), "wb");
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    free(bytes);
    copy copies[2] = {0};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        open_copy(&copies[i], i ? name : path);
        assert_int_equal(pthread_create(&threads[i], NULL, use_copy, &copies[i]), 0);
    }
    copy here = {.load = whisp_model_load,
                 .transcribe = whisp_transcribe,
                 .format = whisp_result_format,
                 .free_string = whisp_string_free,
                 .free_result = whisp_result_free,
                 .free_model = whisp_model_free};
    use_copy(&here);
    assert_non_null(here.text);
    assert_ptr_not_equal(copies[0].load, copies[1].load);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_non_null(copies[i].text);
        assert_string_equal(copies[i].text, here.text);
        free(copies[i].text);
        assert_int_equal(dlclose(copies[i].library), 0); /* nothing of it is left in any thread */
    }
    free(here.text);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_alone),
        cmocka_unit_test(cancelled_at_any_moment),
        cmocka_unit_test(nothing_grows),
        cmocka_unit_test(children_hear_what_their_parents_do),
        cmocka_unit_test(a_session_survives_a_fork),
#ifndef __SANITIZE_THREAD__ /* which does not see the locks of a library that is not built for it */
        cmocka_unit_test(copies_of_the_library_live_together),
#endif
    };
    return cmocka_run_group_tests(tests, make_ground, free_ground);
}
