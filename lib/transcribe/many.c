/* many.c - many files: short ones are transcribed side by side, each a part of its own (parts.h), long ones and what must
 * be heard alone one after the other (whole.c). */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "output/result.h"
#include "transcribe/collect.h"
#include "transcribe/cut.h"
#include "transcribe/parts.h"

#define BLOCK 16384 /* samples read at a time */

typedef struct many {
    whisp_session *session;
    const char *const *paths;
    size_t next, end; /* those to be read side by side: [next, end) */
    size_t out;       /* the next to be handed out */
    int64_t longest;  /* samples */
    whisp_file_fn done;
    void *user;
    wh_collected collected; /* of paths[out] */
    float block[BLOCK];
} many;

/* Does the file say that it is short? Also when it cannot be opened: that will be said in its turn. */
static int is_short(const char *path, int64_t longest, double *seconds)
{
    struct stat st;
    whisp_audio *audio;
    whisp_audio_info info = {.size = sizeof info};
    *seconds = 0;
    if (strcmp(path, "-") == 0 || stat(path, &st) || !S_ISREG(st.st_mode))
        return 0;
    if (whisp_audio_open(path, &audio))
        return 1;
    int rc = whisp_audio_describe(audio, &info);
    whisp_audio_free(audio);
    *seconds = fmax(info.duration, 0);
    return !rc && info.duration >= 0 && (int64_t)(info.duration * WH_SAMPLE_RATE) <= longest;
}

static int hand_over(many *m, int rc, whisp_result *result)
{
    size_t i = m->out++;
    return m->done(m->user, i, rc, result) ? wh_fail(WHISP_ERR_CANCELLED, "cancelled") : WHISP_OK;
}

/* ---- side by side ---- */

/* All of `audio` into the part. 0: it is longer than it said. */
static int push_file(many *m, whisp_audio *audio, const char *path, whisp_session *part)
{
    int64_t n, total = 0;
    float loudest;
    int rc = wh_session_begin_part(part, 0, 1);
    while (!rc && (n = whisp_audio_read(audio, m->block, BLOCK)) != 0) {
        if (n < 0)
            return (int)n;
        if ((total += n) > m->longest)
            return 0;
        if (!(rc = wh_check_cancel(part->options)))
            rc = wh_session_push_all(part, m->block, (size_t)n);
    }
    if (!rc && total == 0)
        rc = wh_fail(WHISP_ERR_AUDIO, "%s: the recording holds no samples", path);
    if (!rc && total < WH_HOP)
        wh_log(part->options, WHISP_LOG_WARNING, "%s: the recording is shorter than 10 ms; there is nothing to hear",
               path);
    if (!rc)
        wh_session_hear_warnings(part, audio);
    if (!rc)
        rc = wh_session_end_part(part, -INFINITY, &loudest);
    return rc ? rc : 1;
}

static int fill(void *user, whisp_session *part, int *unreadable)
{
    many *m = user;
    if (m->next == m->end)
        return 0;
    const char *path = m->paths[m->next];
    whisp_audio *audio;
    int rc = whisp_audio_open(path, &audio);
    if (!rc) {
        rc = push_file(m, audio, path, part);
        whisp_audio_free(audio);
    }
    if (rc == 0) { /* those after it come once it was heard alone */
        m->end = m->next;
        return 0;
    }
    if (rc == WHISP_ERR_CANCELLED)
        return rc;
    m->next++;
    *unreadable = WH_MIN(rc, 0);
    return 1;
}

static int emit(void *user, const whisp_segment *segment, int cleared)
{
    many *m = user;
    return wh_collect_show(&m->collected, m->session->options, segment, cleared);
}

static int end(void *user, const wh_part_end *e)
{
    many *m = user;
    whisp_result *result = NULL;
    int rc = e->rc;
    if (rc)
        wh_fail(rc, "%s", e->problem ? e->problem : "");
    else
        rc = wh_collect_end(&m->collected, m->session->model, e->language, e->total, &result);
    if (!rc && (rc = wh_result_set_incomplete(result, e->incomplete))) {
        whisp_result_free(result);
        result = NULL;
    }
    wh_collect_free(&m->collected);
    rc = hand_over(m, rc, result);
    return rc ? rc : wh_collect_begin(&m->collected);
}

/* paths[m->out .. last - 1], or as many of them as prove short. */
static int run_group(many *m, size_t last, double seconds)
{
    m->next = m->out;
    m->end = last;
    int rc = whisp_session_reset(m->session);
    m->session->total = seconds;
    const wh_part_job job = {
        .session = m->session, .longest = (size_t)m->longest, .fill = fill, .emit = emit, .end = end, .user = m};
    if (!rc)
        rc = wh_collect_begin(&m->collected);
    if (!rc)
        rc = wh_parts_run(&job);
    wh_collect_free(&m->collected);
    return rc;
}

/* ---- one after the other ---- */

static int run_alone(many *m)
{
    whisp_result *result = NULL;
    whisp_audio *audio;
    int rc = whisp_audio_open(m->paths[m->out], &audio);
    if (!rc)
        rc = whisp_session_transcribe(m->session, audio, &result);
    whisp_audio_free(audio);
    return rc == WHISP_ERR_CANCELLED ? rc : hand_over(m, rc, result);
}

/* Can short files be parts? */
static int may_share(const whisp_session *s)
{
    return !s->vad && !s->options->values.split_stereo && wh_session_may_cut(s);
}

int whisp_session_transcribe_files(whisp_session *s, const char *const *paths, size_t n, whisp_file_fn done, void *user)
{
    if (!s || (!paths && n) || !done)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_transcribe_files: an argument is NULL");
    many m = {.session = s,
              .paths = paths,
              .done = done,
              .user = user,
              .longest = wh_cut_whole(s->options->values.cut_seconds)};
    int rc = whisp_session_reset(s), share = !rc && may_share(s);
    while (!rc && m.out < n) {
        size_t last = m.out, before = m.out;
        double sum = 0, seconds;
        while (share && last < n && is_short(paths[last], m.longest, &seconds)) {
            sum += seconds;
            last++;
        }
        if (last - m.out > 1)
            rc = run_group(&m, last, sum);
        if (!rc && m.out == before)
            rc = run_alone(&m);
    }
    return rc;
}
