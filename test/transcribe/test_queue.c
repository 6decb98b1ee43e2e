/* test_queue.c - whisp_queue: recordings of all kinds that join a running batch from several threads have the words that they
 * have alone; order of events, bound, cancelling, callbacks, errors, newcomers. With invented models. Runs under
 * ThreadSanitizer, too. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sndfile.h>

#include "support/calls.h"
#include "support/process.h"
#include "support/testing.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SUBMITTERS 4

static whisp_model *english, *multilingual;

/* ---- recordings ---- */

/* Noise with a pause every ten seconds, at level `seed` % 3, in a file. */
static char *write_noise(const char *name, double seconds, int channels, uint64_t seed)
{
    char *path = strdup(temp_path(name));
    SF_INFO info = {.samplerate = 16000, .channels = channels, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    double level = 0.2 + 0.1 * (double)(seed % 3);
    float block[2 * 1600];
    for (int tenth = 0; tenth < (int)(seconds * 10); tenth++) {
        for (int i = 0; i < 1600 * channels; i++)
            block[i] = (float)((random_unit(&seed) - 0.5) * (tenth / 10 % 10 == 9 ? 0.01 : level));
        assert_int_equal(sf_writef_float(file, block, 1600), 1600);
    }
    sf_close(file);
    return path;
}

static whisp_audio *opened(const char *path)
{
    whisp_audio *audio;
    if (whisp_audio_open(path, &audio))
        fail_msg("%s", whisp_last_error());
    return audio;
}

static void set(whisp_options *o, const char *name, const char *value)
{
    if (whisp_options_set(o, name, value))
        fail_msg("%s", whisp_last_error());
}

static whisp_options *plain(void)
{
    static const char *const values[][2] = {{"language", "en"},
                                            {"sample_len", "10"},
                                            {"hallucination_guard", "False"},
                                            {"no_speech_threshold", "None"},
                                            {"temperature", "0"}};
    whisp_options *o = whisp_options_new();
    for (size_t i = 0; i < COUNT(values); i++)
        set(o, values[i][0], values[i][1]);
    return o;
}

static whisp_queue *new_queue(const whisp_model *model, const char *batch)
{
    whisp_options *o = whisp_options_new();
    whisp_queue *queue;
    set(o, "batch_size", batch);
    set(o, "threads", "2");
    if (whisp_queue_new(model, o, &queue))
        fail_msg("%s", whisp_last_error());
    whisp_options_free(o);
    return queue;
}

/* ---- fifty of all kinds ---- */

typedef struct kind {
    double seconds;
    int channels;
    const char *options[4][2];
} kind;

static char terms[4096], vad_model[4096];

static const kind kinds[] = {
    {5, 1, {{"seed", "1"}}},
    {3, 1, {{"beam_size", "3"}}},
    {12, 1, {{"temperature", "0.5"}, {"best_of", "4"}}},
    {7, 1, {{"temperature", "0,0.4,0.8"}, {"logprob_threshold", "-0.01"}, {"best_of", "5"}}},
    {4, 1, {{"vocabulary", terms}}},
    {6, 1, {{"confidence", "True"}}},
    {20, 1, {{"clip_timestamps", "1,4,6,11"}}},
    {9, 2, {{"split_stereo", "True"}}},
    {24, 1, {{"cut", "15"}, {"language", "None"}}},
    {8, 1, {{"word_timestamps", "True"}}},
    {31, 1, {{"language", "None"}}},
    {5, 1, {{"initial_prompt", "And so"}, {"language", "de"}}},
    {61, 1, {{"condition_on_previous_text", "False"}, {"beam_size", "2"}}},
    {2, 1, {{"without_timestamps", "True"}, {"suppress_tokens", "1,2,3"}}},
    {32, 1, {{"cut", "15"}, {"word_timestamps", "True"}, {"temperature", "0.3"}}},
    {4, 1, {{"vad_filter", "True"}, {"vad_model", vad_model}, {"vad_threshold", "0.01"}}},
    {0, 1, {{"seed", "1"}}}, /* cannot be transcribed */
};

#define RECORDINGS 50

/* What there is to a kind: its file, and what comes out alone. */
typedef struct known {
    char *path;
    char *json; /* or NULL */
    int rc;
} known;

typedef struct recording {
    const kind *kind;
    const known *known;
    char *heard; /* JSON, or NULL */
    int rc, ends, segments, cancelled;
    uint64_t id;
} recording;

static known knowns[COUNT(kinds)];
static recording recordings[RECORDINGS];

static whisp_options *options_of(const kind *k)
{
    whisp_options *o = plain();
    for (size_t i = 0; i < COUNT(k->options) && k->options[i][0]; i++)
        set(o, k->options[i][0], k->options[i][1]);
    return o;
}

static char *json_of(whisp_result *result)
{
    char *json = NULL;
    if (result)
        assert_int_equal(whisp_result_format(result, "json", NULL, &json, NULL), WHISP_OK);
    return json;
}

static void hear_alone(const kind *k, known *alone)
{
    whisp_options *o = options_of(k);
    whisp_session *session;
    whisp_result *result = NULL;
    if (whisp_session_new(multilingual, o, &session))
        fail_msg("%s", whisp_last_error());
    alone->rc = transcribe_file(session, alone->path, &result);
    alone->json = json_of(result);
    whisp_result_free(result);
    whisp_session_free(session);
    whisp_options_free(o);
}

static void make_recordings(void)
{
    const char *silero = model_path("silero-vad");
    FILE *f = fopen(strcpy(terms, temp_path("terms.txt")), "w");
    fputs("Whisper\nfrequency\nKubernetes\n", f);
    fclose(f);
    snprintf(vad_model, sizeof vad_model, "%s", silero ? silero : "");
    for (size_t i = 0; i < COUNT(kinds); i++) {
        int needs_silero = kinds[i].options[0][1] == vad_model || kinds[i].options[1][1] == vad_model;
        char name[32];
        snprintf(name, sizeof name, "queue%zu.wav", i);
        knowns[i].path = write_noise(name, kinds[i].seconds, kinds[i].channels, i + 1);
        if (silero || !needs_silero)
            hear_alone(&kinds[i], &knowns[i]);
    }
    for (size_t i = 0; i < RECORDINGS; i++) {
        size_t k = i % COUNT(kinds);
        if (!knowns[k].json && !knowns[k].rc) /* silero-vad is not there */
            k = 0;
        recordings[i] = (recording){.kind = &kinds[k], .known = &knowns[k], .cancelled = i % 11 == 7};
    }
}

typedef struct submitter {
    whisp_queue *queue;
    int first;
    pthread_t thread;
} submitter;

/* Every fourth recording; some are cancelled, sooner or later. In a thread, so no assertions here. */
static void *submit_some(void *user)
{
    submitter *s = user;
    for (int i = s->first; i < RECORDINGS; i += SUBMITTERS) {
        recording *r = &recordings[i];
        whisp_options *o = options_of(r->kind);
        whisp_audio *audio;
        int rc = whisp_audio_open(r->known->path, &audio);
        if (rc || (rc = whisp_queue_submit(s->queue, audio, o, r, &r->id))) {
            fprintf(stderr, "%s\n", whisp_last_error());
            abort();
        }
        if (i >= SUBMITTERS && recordings[i - SUBMITTERS].cancelled)
            whisp_queue_cancel(s->queue, recordings[i - SUBMITTERS].id);
        whisp_options_free(o);
    }
    return NULL;
}

static void note_event(recording *r, whisp_event *event)
{
    assert_int_equal(r->ends, 0);
    if (event->kind == WHISP_EVENT_SEGMENT) {
        assert_non_null(event->segment);
        assert_int_equal(event->segment->id, r->segments++);
        assert_non_null(event->segment->text);
        return;
    }
    assert_int_equal(event->kind, WHISP_EVENT_END);
    assert_true(event->rc || event->result);
    assert_true((event->rc == WHISP_OK) == (event->error == NULL));
    r->ends++;
    r->rc = event->rc;
    if (!event->rc)
        assert_int_equal(result_info(event->result).n_segments, r->segments);
    r->heard = json_of(event->result);
    whisp_result_free(event->result);
}

static void words_are_those_alone(void **state)
{
    (void)state;
    whisp_queue *queue = new_queue(multilingual, "3");
    submitter submitters[SUBMITTERS];
    make_recordings();
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (submitter){.queue = queue, .first = i};
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_some, &submitters[i]), 0);
    }
    whisp_event event = {.size = sizeof event};
    for (int left = RECORDINGS; left > 0;) {
        assert_int_equal(whisp_queue_next(queue, -1, &event), 1);
        note_event(event.user, &event);
        left -= event.kind == WHISP_EVENT_END;
    }
    assert_int_equal(whisp_queue_next(queue, 0, &event), 0);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
    int n_cancelled = 0;
    for (size_t i = 0; i < RECORDINGS; i++) {
        recording *r = &recordings[i];
        if (r->cancelled && r->rc == WHISP_ERR_CANCELLED) {
            n_cancelled++;
        } else {
            assert_int_equal(r->rc, r->known->rc);
            assert_true(!r->known->json == !r->heard);
            if (r->heard)
                assert_string_equal(r->heard, r->known->json);
        }
        assert_true(r->known->rc != WHISP_OK || r->kind->seconds > 0);
        assert_int_equal(whisp_queue_cancel(queue, r->id), WHISP_ERR_ARGUMENT);
        whisp_string_free(r->heard);
    }
    for (size_t i = 0; i < COUNT(knowns); i++) {
        whisp_string_free(knowns[i].json);
        free(knowns[i].path);
    }
    printf("  %d were cancelled in time\n", n_cancelled);
    whisp_queue_free(queue);
}

/* ---- one thing at a time ---- */

/* Wait for the end of recording `id`; others' events are dropped. How many segments it had. */
static int wait_end(whisp_queue *queue, uint64_t id, int *rc)
{
    whisp_event event = {.size = sizeof event};
    for (int segments = 0;;) {
        assert_int_equal(whisp_queue_next(queue, -1, &event), 1);
        whisp_result_free(event.kind == WHISP_EVENT_END ? event.result : NULL);
        segments += event.id == id && event.kind == WHISP_EVENT_SEGMENT;
        if (event.id != id || event.kind != WHISP_EVENT_END)
            continue;
        *rc = event.rc;
        return segments;
    }
}

static uint64_t submit(whisp_queue *queue, const char *path, const whisp_options *o, void *user)
{
    uint64_t id;
    if (whisp_queue_submit(queue, opened(path), o, user, &id))
        fail_msg("%s", whisp_last_error());
    return id;
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    whisp_queue *queue = new_queue(english, "1");
    char *path = write_noise("bounded.wav", 0.5, 1, 1);
    whisp_options *o = plain();
    uint64_t ids[WHISP_QUEUE_MOST];
    for (size_t i = 0; i < WHISP_QUEUE_MOST; i++)
        ids[i] = submit(queue, path, o, NULL);
    whisp_audio *audio = opened(path);
    assert_int_equal(whisp_queue_submit(queue, audio, o, NULL, NULL), WHISP_ERR_STATE);
    assert_true(*whisp_last_error());
    for (size_t i = 8; i < WHISP_QUEUE_MOST; i++)
        assert_int_equal(whisp_queue_cancel(queue, ids[i]), WHISP_OK);
    /* all that were cancelled still count, until their end is taken */
    assert_int_equal(whisp_queue_submit(queue, audio, o, NULL, NULL), WHISP_ERR_STATE);
    int rc;
    wait_end(queue, ids[WHISP_QUEUE_MOST - 1], &rc);
    assert_int_equal(rc, WHISP_ERR_CANCELLED);
    assert_int_equal(whisp_queue_submit(queue, audio, o, NULL, &ids[0]), WHISP_OK);
    wait_end(queue, ids[0], &rc);
    assert_int_equal(rc, WHISP_OK);
    /* who has no place for a result does not lose its memory (under AddressSanitizer) */
    whisp_event event = {.size = offsetof(whisp_event, result)};
    submit(queue, path, o, NULL);
    do
        assert_int_equal(whisp_queue_next(queue, -1, &event), 1);
    while (event.kind != WHISP_EVENT_END);
    assert_int_equal(event.rc, WHISP_OK);
    assert_null(event.result);
    whisp_queue_free(queue);
    whisp_options_free(o);
    free(path);
}

typedef struct told {
    pthread_t thread;
    atomic_int asked, lines, progress, segments, strangers;
    int stop_at; /* this time it is asked; 0: never */
    double last;
} told;

/* All calls come from one thread, which is not the test's. */
static void note_thread(told *t)
{
    if (!atomic_load(&t->asked) && !atomic_load(&t->lines) && !atomic_load(&t->progress) && !atomic_load(&t->segments))
        t->thread = pthread_self();
    if (!pthread_equal(t->thread, pthread_self()))
        atomic_fetch_add(&t->strangers, 1);
}

static void on_log(void *user, int level, const char *text)
{
    (void)level;
    (void)text;
    note_thread(user);
    atomic_fetch_add(&((told *)user)->lines, 1);
}

static void on_progress(void *user, double done, double total)
{
    told *t = user;
    note_thread(t);
    if (done < t->last || done > total + 1e-6)
        atomic_fetch_add(&t->strangers, 1);
    t->last = done;
    atomic_fetch_add(&t->progress, 1);
}

static void on_segment(void *user, const whisp_segment *segment)
{
    told *t = user;
    note_thread(t);
    if (segment->id != atomic_fetch_add(&t->segments, 1))
        atomic_fetch_add(&t->strangers, 1);
}

static int on_cancel(void *user)
{
    told *t = user;
    note_thread(t);
    return atomic_fetch_add(&t->asked, 1) + 1 == t->stop_at;
}

static whisp_options *telling(told *t)
{
    whisp_options *o = plain();
    set_callbacks(o, on_log, on_progress, on_segment, on_cancel, t);
    return o;
}

static void callbacks_are_the_recordings_own(void **state)
{
    (void)state;
    whisp_queue *queue = new_queue(english, "2");
    char *path = write_noise("told.wav", 50, 1, 3);
    for (int k = 0; k < 6; k++) { /* whole and in parts; to the end, stopped early, stopped late */
        told t = {.stop_at = k < 2 ? 0 : k < 4 ? 1 : 25};
        whisp_options *o = telling(&t);
        set(o, "cut", k % 2 ? "15" : "off");
        int rc, segments = wait_end(queue, submit(queue, path, o, NULL), &rc);
        assert_int_equal(rc, t.stop_at ? WHISP_ERR_CANCELLED : WHISP_OK);
        assert_int_equal(atomic_load(&t.strangers), 0);
        assert_int_equal(segments, atomic_load(&t.segments));
        assert_true(atomic_load(&t.lines) > 0 || k >= 2);
        assert_true(k >= 2 || (segments > 1 && atomic_load(&t.progress) > 0 && t.last > 49.9));
        assert_true(!t.stop_at || atomic_load(&t.asked) >= t.stop_at);
        whisp_options_free(o);
    }
    whisp_queue_free(queue);
    free(path);
}

/* The caller's own callback is asked for every token: not once more than the one time that may be under way. */
static void cancel_comes_within_a_step(void **state)
{
    (void)state;
    whisp_queue *queue = new_queue(english, "2");
    char *path = write_noise("cancelled.wav", 120, 1, 4);
    static const char *const cuts[] = {"off", "15"};
    for (size_t i = 0; i < COUNT(cuts); i++) {
        told t = {0};
        whisp_options *o = telling(&t);
        whisp_event event = {.size = sizeof event};
        set(o, "sample_len", "100");
        set(o, "cut", cuts[i]);
        uint64_t id = submit(queue, path, o, NULL);
        assert_int_equal(whisp_queue_next(queue, -1, &event), 1);
        assert_int_equal(event.kind, WHISP_EVENT_SEGMENT);
        assert_int_equal(whisp_queue_cancel(queue, id), WHISP_OK);
        int asked = atomic_load(&t.asked), rc;
        wait_end(queue, id, &rc);
        assert_int_equal(rc, WHISP_ERR_CANCELLED);
        assert_true(atomic_load(&t.asked) <= asked + 1);
        whisp_options_free(o);
    }
    whisp_queue_free(queue);
    free(path);
}

/* All places taken by long recordings, more of them waiting: a short one that comes then is over long before they are. */
static void newcomers_are_let_in(void **state)
{
    (void)state;
    whisp_queue *queue = new_queue(english, "2");
    char *long_one = write_noise("long.wav", 240, 1, 5), *clip = write_noise("clip.wav", 3, 1, 6);
    whisp_options *o = plain();
    whisp_event event = {.size = sizeof event};
    set(o, "sample_len", "60");
    for (int i = 0; i < 4; i++) {
        set(o, "cut", i % 2 ? "15" : "off");
        submit(queue, long_one, o, NULL);
    }
    int long_ends = 0, clip_ends = 0, segments = 0, others = 0;
    while (clip_ends < 3) {
        assert_int_equal(whisp_queue_next(queue, -1, &event), 1);
        whisp_result_free(event.kind == WHISP_EVENT_END ? event.result : NULL);
        int is_clip = event.user == clip;
        clip_ends += is_clip && event.kind == WHISP_EVENT_END;
        long_ends += !is_clip && event.kind == WHISP_EVENT_END;
        others += !is_clip;
        if ((segments++ == 0 || (is_clip && event.kind == WHISP_EVENT_END)) && clip_ends < 3)
            submit(queue, clip, o, clip);
    }
    printf("  %d events of others until three clips were answered\n", others);
    assert_int_equal(long_ends, 0);
    whisp_queue_free(queue); /* and free while the others are under way */
    whisp_options_free(o);
    free(long_one);
    free(clip);
}

/* Left somebody speaks for three seconds, right for half a minute: one channel is heard whole, the other in parts, and what the
 * first one borrowed for its beams must be there for the second. */
static char *write_two_speakers(void)
{
    char *path = strdup(temp_path("speakers.wav"));
    SF_INFO info = {.samplerate = 16000, .channels = 2, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    whisp_audio *demo = opened("test/data/demo.flac");
    float mono[1600], both[3200];
    int64_t n;
    for (int block = 0; block < 300; block++) {
        if ((n = whisp_audio_read(demo, mono, 1600)) < 1600) {
            whisp_audio_free(demo);
            demo = opened("test/data/demo.flac");
            assert_int_equal(whisp_audio_read(demo, mono, 1600), 1600);
        }
        for (int i = 0; i < 1600; i++) {
            both[2 * i] = block < 30 ? mono[i] : 0;
            both[2 * i + 1] = mono[i];
        }
        assert_int_equal(sf_writef_float(file, both, 1600), 1600);
    }
    sf_close(file);
    whisp_audio_free(demo);
    return path;
}

static void one_channel_leaves_its_slots_to_the_other(void **state)
{
    (void)state;
    const char *silero = model_path("silero-vad");
    if (!silero)
        skip();
    whisp_queue *queue = new_queue(english, "1");
    char *path = write_two_speakers();
    whisp_options *o = plain();
    set(o, "split_stereo", "True");
    set(o, "vad_filter", "True");
    set(o, "vad_model", silero);
    set(o, "cut", "5");
    set(o, "beam_size", "16");
    int rc;
    wait_end(queue, submit(queue, path, o, NULL), &rc);
    assert_int_equal(rc, WHISP_OK);
    whisp_queue_free(queue);
    whisp_options_free(o);
    free(path);
}

/* ---- ends ---- */

/* Whoever is told that a recording is over may release what its audio stands on. */
static void the_audio_goes_before_the_end(void **state)
{
    (void)state;
    whisp_queue *queue = new_queue(english, "1");
    char *path = write_noise("gone.wav", 2, 1, 1);
    whisp_options *o = plain();
    int before = open_files(), rc;
    uint64_t id = submit(queue, path, o, NULL);
    assert_int_equal(open_files(), before + 1);
    wait_end(queue, id, &rc);
    assert_int_equal(rc, WHISP_OK);
    assert_int_equal(open_files(), before);
    whisp_queue_free(queue);
    whisp_options_free(o);
    free(path);
}

typedef struct late {
    whisp_queue *queue;
    const char *path;
    whisp_options *options;
    atomic_int there;
    int rc;
    char text[128];
} late;

/* In the queue's thread: submit until the queue, which is being freed, does not take it. */
static void submit_late(void *user, const whisp_segment *segment)
{
    late *l = user;
    (void)segment;
    atomic_store(&l->there, 1);
    while (!l->rc) {
        const struct timespec moment = {.tv_nsec = 1000000};
        whisp_audio *audio;
        int rc = whisp_audio_open(l->path, &audio);
        if (!rc && (rc = whisp_queue_submit(l->queue, audio, l->options, NULL, NULL)))
            whisp_audio_free(audio);
        snprintf(l->text, sizeof l->text, "%s", rc ? whisp_last_error() : "");
        l->rc = strstr(l->text, "take the end of one first") ? 0 : rc;
        nanosleep(&moment, NULL);
    }
}

static void nothing_joins_what_is_freed(void **state)
{
    (void)state;
    late l = {.queue = new_queue(english, "4"), .path = write_noise("late.wav", 2, 1, 1), .options = plain()};
    whisp_options *o = plain();
    set_callbacks(o, NULL, NULL, submit_late, NULL, &l);
    submit(l.queue, l.path, o, NULL);
    while (!atomic_load(&l.there))
        sched_yield();
    whisp_queue_free(l.queue);
    assert_int_equal(l.rc, WHISP_ERR_STATE);
    assert_non_null(strstr(l.text, "being stopped"));
    whisp_options_free(l.options);
    whisp_options_free(o);
    free((char *)(uintptr_t)l.path);
}

static void errors_say_what_is_wrong(void **state)
{
    (void)state;
    whisp_queue *queue = (whisp_queue *)(void *)&state;
    whisp_options *o = whisp_options_new();
    set(o, "backend", "cpu");
    assert_int_equal(whisp_queue_new(NULL, NULL, &queue), WHISP_ERR_ARGUMENT);
    assert_null(queue);
    assert_int_equal(whisp_queue_new(english, NULL, NULL), WHISP_ERR_ARGUMENT);
    whisp_queue_free(NULL);
    assert_int_equal(whisp_queue_new(english, o, &queue), WHISP_OK);
    whisp_event event = {.size = 0};
    uint64_t id;
    char *path = write_noise("errors.wav", 2, 1, 1);
    whisp_audio *audio = opened(path);
    assert_int_equal(whisp_queue_next(queue, 0, &event), WHISP_ERR_ARGUMENT);
    event.size = sizeof event;
    assert_int_equal(whisp_queue_next(NULL, 0, &event), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_queue_next(queue, 0.01, &event), 0);
    assert_int_equal(whisp_queue_submit(queue, NULL, NULL, NULL, &id), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_queue_submit(NULL, audio, NULL, NULL, &id), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_queue_cancel(NULL, 1), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_queue_cancel(queue, 77), WHISP_ERR_ARGUMENT);
    set(o, "task", "translate"); /* what an English-only model cannot do */
    assert_int_equal(whisp_queue_submit(queue, audio, o, path, &id), WHISP_OK);
    assert_int_equal(whisp_queue_next(queue, -1, &event), 1);
    assert_true(event.kind == WHISP_EVENT_END && event.rc == WHISP_ERR_ARGUMENT && event.id == id &&
                event.user == path);
    assert_non_null(strstr(event.error, "English"));
    assert_null(event.result);
    submit(queue, path, NULL, NULL); /* taken by nobody */
    whisp_queue_free(queue);
    whisp_options_free(o);
    free(path);
}

static whisp_model *load(const char *name)
{
    whisp_model *model = NULL;
    if (whisp_model_load(invented_path(name), NULL, &model))
        fprintf(stderr, "%s\n", whisp_last_error());
    return model;
}

int main(void)
{
    english = load("invented");
    multilingual = load("invented-multilingual");
    if (!english || !multilingual)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_those_alone),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(callbacks_are_the_recordings_own),
        cmocka_unit_test(cancel_comes_within_a_step),
        cmocka_unit_test(newcomers_are_let_in),
        cmocka_unit_test(one_channel_leaves_its_slots_to_the_other),
        cmocka_unit_test(the_audio_goes_before_the_end),
        cmocka_unit_test(nothing_joins_what_is_freed),
        cmocka_unit_test(errors_say_what_is_wrong),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    whisp_model_free(english);
    whisp_model_free(multilingual);
    return rc;
}
