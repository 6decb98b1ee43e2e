/* speakers.c - option diarize: after a recording was transcribed, it is read again to tell who spoke when, and its
 * segments and words get their names (lib/speakers/label.h). The segments come out then, all at once, and progress
 * counts both passes. Called by session.c and whole.c. */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/audio.h"
#include "platform/platform.h"
#include "speakers/label.h"
#include "speakers/who.h"
#include "transcribe/company.h"
#include "transcribe/recording.h"
#include "util/pool.h"

#define FIRST_PASS 0.75 /* of the progress */

struct wh_speaking {
    whisp_speakers *nets; /* NULL: those of `who` are shared */
    wh_who who;
    /* The caller's callbacks, while a recording is worked on. */
    whisp_progress_fn progress;
    void *progress_user;
    whisp_segment_fn segment;
};

/* In company: what was loaded first is kept for all who ask for the same; others have their own. */
struct wh_shared {
    pthread_mutex_t mutex; /* guards what follows; held while it is loaded, for which all wait */
    char *key;             /* what it was loaded for; NULL: nothing yet */
    whisp_speakers *nets;
    wh_who who;
};

/* ---- the model ---- */

/* The one that the options name; else "speakers", first beside the speech model. */
static int find_model(const whisp_session *s, char *path, size_t capacity)
{
    const char *name = s->options->values.speakers_model;
    return name ? whisp_model_find(name, NULL, path, capacity)
                : wh_model_find_beside(s->model->file, "speakers", path, capacity);
}

/* A model that is asked for and cannot be had is a model that is not there, whatever was wrong with its file. */
static int load_nets(const whisp_session *s, whisp_speakers **nets)
{
    char path[4096];
    int rc = find_model(s, path, sizeof path);
    if (!rc)
        rc = whisp_speakers_load(path, s->options, nets);
    return rc == WHISP_ERR_IO || rc == WHISP_ERR_MODEL
               ? wh_fail(WHISP_ERR_MODEL, "option %s: %s",
                         s->options->values.speakers_model ? "speakers_model" : "diarize", whisp_last_error())
               : rc;
}

/* In company others compute meanwhile: one thread. */
static int threads_of(const whisp_session *s)
{
    return s->company ? 1 : s->options->values.threads ? s->options->values.threads : wh_usable_cores();
}

/* With the model of voice activity, if there is one; one that is named must be there. */
static int load(const whisp_session *s, whisp_speakers **nets, wh_who *who)
{
    char vad[4096];
    int rc = wh_speech_only_model(s, vad, sizeof vad), has_vad = !rc && access(vad, R_OK) == 0;
    if (rc == WHISP_ERR_MEMORY || (rc && s->options->values.vad_model))
        return rc;
    rc = load_nets(s, nets);
    return rc ? rc : wh_who_init(who, *nets, has_vad ? vad : NULL, s->options, threads_of(s));
}

int wh_shared_new(wh_shared **shared)
{
    *shared = wh_calloc(1, sizeof **shared);
    if (!*shared)
        return wh_fail_memory();
    pthread_mutex_init(&(*shared)->mutex, NULL);
    return WHISP_OK;
}

void wh_shared_free(wh_shared *shared)
{
    if (!shared)
        return;
    wh_who_free(&shared->who);
    whisp_speakers_free(shared->nets);
    free(shared->key);
    pthread_mutex_destroy(&shared->mutex);
    free(shared);
}

/* A path says which file it was only together with what is there now. 0: it has no name (an upload, as
 * /proc/self/fd/7), and its path may be another recording's a moment later. */
static int put_file(const char *path, wh_buf *key)
{
    struct stat file;
    if (stat(path, &file) != 0)
        return 1; /* who opens it says what is wrong */
    struct timespec changed = wh_platform_changed(&file);
    wh_buf_printf(key, "%ju %ju %jd %jd.%09ld\x01", (uintmax_t)file.st_dev, (uintmax_t)file.st_ino,
                  (intmax_t)file.st_size, (intmax_t)changed.tv_sec, (long)changed.tv_nsec);
    return file.st_nlink > 0;
}

/* The files of voices. 0: one of them cannot be shared; or an error. */
static int put_voices(const whisp_session *s, wh_buf *key)
{
    const wh_values *v = &s->options->values;
    wh_named_voice named;
    int may = v->speakers_in ? put_file(v->speakers_in, key) : 1;
    for (size_t i = 0; may && wh_options_voice(v, i, &named); i++) {
        char *path = strndup(named.path, named.path_length);
        may = path ? put_file(path, key) : wh_fail_memory();
        free(path);
        if (may < 0)
            return may;
    }
    return may;
}

/* All that says what is loaded, but for the files of voices. */
static void put_key(const whisp_session *s, wh_buf *key)
{
    static const char *const names[] = {"speakers_model", "vad_model", "compute_type", "speaker", "speakers_in"};
    for (size_t i = 0; i < WH_COUNT(names); i++) {
        const char *value = whisp_options_get(s->options, names[i]);
        wh_buf_puts(key, value);
        wh_buf_puts(key, "\x01"); /* which no name has */
    }
}

/* 1: it is shared; 0: another one's is; or an error. With the mutex held. */
static int load_shared(whisp_session *s, wh_shared *shared, wh_buf *key)
{
    int rc;
    if (shared->key)
        return strcmp(shared->key, key->data) == 0;
    if ((rc = load(s, &shared->nets, &shared->who))) {
        wh_who_free(&shared->who);
        whisp_speakers_free(shared->nets);
        shared->nets = NULL;
        return rc;
    }
    shared->key = key->data;
    key->data = NULL;
    return 1;
}

static int borrow(whisp_session *s, wh_speaking *speaking)
{
    wh_shared *shared = s->company->shared;
    wh_buf key = {0};
    put_key(s, &key);
    int rc = put_voices(s, &key);
    pthread_mutex_lock(&shared->mutex);
    if (rc == 1)
        rc = key.failed ? wh_fail_memory() : load_shared(s, shared, &key);
    if (rc == 1)
        wh_who_borrow(&speaking->who, &shared->who, s->options, threads_of(s));
    pthread_mutex_unlock(&shared->mutex);
    wh_buf_free(&key);
    return rc;
}

int wh_speaking_load(whisp_session *s)
{
    if (!s->options->values.diarize || s->whole)
        return WHISP_OK;
    int rc = wh_who_check(s->options);
    if (rc)
        return rc;
    wh_speaking *speaking = s->speaking = wh_calloc(1, sizeof *speaking);
    if (!speaking)
        return wh_fail_memory();
    rc = s->company ? borrow(s, speaking) : 0;
    return rc < 0 ? rc : rc == 1 ? WHISP_OK : load(s, &speaking->nets, &speaking->who);
}

void wh_speaking_free(whisp_session *s)
{
    if (!s->speaking)
        return;
    wh_who_free(&s->speaking->who);
    whisp_speakers_free(s->speaking->nets);
    free(s->speaking);
    s->speaking = NULL;
}

const wh_who *wh_speaking_who(const whisp_session *s)
{
    return &s->speaking->who;
}

/* ---- the second pass ---- */

typedef struct second_pass {
    whisp_session *session;
    wh_recording *in;
    int64_t done; /* samples */
} second_pass;

static void report(const whisp_session *s, double done, double total)
{
    const wh_speaking *speaking = s->speaking;
    if (speaking->progress)
        speaking->progress(speaking->progress_user, done, total);
}

static int64_t read_block(void *user, const float **samples)
{
    second_pass *pass = user;
    const whisp_session *s = pass->session;
    int rc = wh_check_cancel(s->options);
    int64_t n = rc ? rc : wh_recording_read_any(pass->in, samples);
    if (n > 0) {
        pass->done += n;
        double seconds = fmin((double)pass->done / WH_SAMPLE_RATE, s->total);
        report(s, FIRST_PASS * s->total + (1 - FIRST_PASS) * seconds, s->total);
    }
    return n;
}

int wh_speaking_apply(const wh_found *found, int keeps_words, whisp_result **result)
{
    const wh_label_turns who = {.turns = found->who.turns,
                                .n = found->who.n,
                                .names = (const char *const *)found->names,
                                .n_speakers = found->who.n_speakers};
    whisp_result *labelled;
    int rc = wh_label(*result, &who, keeps_words, &labelled);
    if (!rc) {
        whisp_result_free(*result);
        *result = labelled;
    }
    return rc;
}

/* What was said is there, perhaps not who said it: the words are not lost. All of it is there where only the voices could
 * not be written. */
static int leave_as_it_is(const wh_recording *in, int is_labelled, int rc, whisp_result *result)
{
    char problem[512], why[1024];
    if (rc == WHISP_ERR_OUTPUT)
        return rc;
    snprintf(problem, sizeof problem, "%s", whisp_last_error());
    snprintf(why, sizeof why, "%s: %s: %s", wh_audio_name(in->audio),
             is_labelled ? "the voices were not kept" : "nobody told the speakers apart", problem);
    return whisp_result_set_incomplete(result, why) ? WHISP_ERR_MEMORY : wh_fail(rc, "%s", problem);
}

int wh_speaking_label(whisp_session *s, wh_recording *in, int keeps_words, whisp_result **result)
{
    second_pass pass = {.session = s, .in = in};
    wh_found found = {0};
    if (s->company) /* those with whom it shares the backend need not wait for it any more */
        wh_multiplex_leave(s->backend);
    int rc = wh_recording_rewind(in);
    if (!rc)
        rc = wh_who_find(&s->speaking->who, read_block, &pass, &found);
    if (!rc)
        rc = wh_speaking_apply(&found, keeps_words, result);
    int is_labelled = !rc;
    if (!rc)
        rc = wh_who_keep(&s->speaking->who, &found);
    wh_found_free(&found);
    return rc ? leave_as_it_is(in, is_labelled, rc, *result) : WHISP_OK;
}

/* ---- around both passes ---- */

static void on_progress(void *user, double done, double total)
{
    report(user, total < 0 ? done : FIRST_PASS * done, total);
}

int wh_speaking_transcribe(whisp_session *s, whisp_audio *audio, const char *text, wh_run_fn run, whisp_result **result)
{
    whisp_options *o = s->options;
    wh_speaking *speaking = s->speaking;
    speaking->progress = o->progress;
    speaking->progress_user = o->progress_user;
    speaking->segment = o->segment;
    o->segment = NULL;
    if (speaking->progress) {
        o->progress = on_progress;
        o->progress_user = s;
    }
    int rc = run(s, audio, text, result);
    o->progress = speaking->progress;
    o->progress_user = speaking->progress_user;
    o->segment = speaking->segment;
    for (size_t i = 0; *result && o->segment && i < wh_result_about(*result).n_segments; i++)
        o->segment(o->segment_user, whisp_result_segment(*result, i));
    if (!rc)
        report(s, s->total, s->total);
    return rc;
}
