/* whole.c - whole recordings: from a file or an array to a result, and language detection on them.
 *
 * A long recording goes to parts.c in one pass. Another one that can be read twice is measured first (its loudest
 * frame), then transcribed; neither pass holds it. With vad_filter a pass before them finds where speech is, and
 * they see nothing else; what comes from a pipe is then kept in a temporary file. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audio/ahead.h"
#include "audio/audio.h"
#include "output/result.h"
#include "transcribe/collect.h"
#include "transcribe/cutter.h"
#include "transcribe/given.h"
#include "transcribe/parts.h"

#define BLOCK 16384 /* samples read at a time: one second */
#define KEPT (15 * 60 * WH_SAMPLE_RATE) /* samples: what is not longer is decoded once only; 29 MB at most */

/* Where the samples of a recording come from: an open file, a copy of a pipe's samples, or an array. */
typedef struct source {
    whisp_audio *audio;    /* or NULL */
    wh_ahead *ahead;       /* the thread that reads it, once started; NULL: it is read here */
    int reads_ahead;       /* audio is a file, whose reading does not wait for anybody */
    FILE *copy;            /* float samples as they are in memory, or NULL */
    int64_t position;      /* of the next block in the recording, with vad_filter */
    size_t span;           /* where it stands in the timeline */
    int16_t *kept;         /* [n_kept] all samples of a short recording, from the first pass; else NULL */
    size_t n_kept, kept_capacity, at_kept;
    int keeps, from_kept;  /* the first pass fills it; the second reads it, then what follows in the file */
    int64_t heard;         /* samples given out since the start, or left out */
    int jumps;             /* only the clips are read (see below) */
    const float *samples;
    size_t n, at;
    const float *rest;     /* [left] what was read and not yet given out */
    size_t left;
    float block[BLOCK];
} source;

/* Samples of a file are rounded to 16 bits when they are decoded, so they can be kept as such. */
static void keep(source *in, const float *samples, size_t n)
{
    if (!in->keeps)
        return;
    int fits = in->n_kept + n <= KEPT && !wh_grow(&in->kept, &in->kept_capacity, in->n_kept + n, sizeof *in->kept);
    for (size_t i = 0; i < n && fits; i++) {
        float x = samples[i] * 32768.0f;
        fits = x >= -32768 && x <= 32767 && x == (float)(int16_t)x;
        in->kept[in->n_kept + i] = fits ? (int16_t)x : 0;
    }
    in->n_kept += n;
    if (!fits) {
        free(in->kept);
        in->kept = NULL;
        in->n_kept = in->kept_capacity = 0;
        in->keeps = 0;
    }
}

static int64_t read_kept(source *in, const float **samples)
{
    size_t n = WH_MIN(in->n_kept - in->at_kept, (size_t)BLOCK);
    for (size_t i = 0; i < n; i++)
        in->block[i] = (float)in->kept[in->at_kept + i] / 32768.0f;
    in->at_kept += n;
    *samples = in->block;
    return (int64_t)n;
}

/* The next samples of the open file. */
static int64_t read_audio(source *in, const float **samples)
{
    if (in->reads_ahead && !in->ahead && wh_ahead_start(in->audio, &in->ahead))
        in->reads_ahead = 0;
    if (in->ahead)
        return wh_ahead_read(in->ahead, samples);
    *samples = in->block;
    return whisp_audio_read(in->audio, in->block, BLOCK);
}

static void stop_ahead(source *in)
{
    wh_ahead_stop(in->ahead);
    in->ahead = NULL;
}

/* The next samples, speech or not: how many, 0 at the end, or a code. */
static int64_t read_any(whisp_session *s, source *in, const float **samples)
{
    if (in->from_kept) {
        int64_t n = read_kept(in, samples);
        if (n > 0 || !in->audio)
            return n;
        in->from_kept = 0; /* that was its beginning */
        free(in->kept);
        in->kept = NULL;
    }
    if (in->copy) {
        size_t n = fread(in->block, sizeof *in->block, BLOCK, in->copy);
        *samples = in->block;
        return n == 0 && ferror(in->copy) ? wh_fail(WHISP_ERR_IO, "the temporary file cannot be read") : (int64_t)n;
    }
    if (!in->audio) {
        size_t n = WH_MIN(in->n - in->at, (size_t)BLOCK);
        *samples = in->samples + in->at;
        in->at += n;
        return (int64_t)n;
    }
    double t0 = wh_now();
    int64_t n = read_audio(in, samples);
    s->timings.audio += wh_now() - t0;
    if (n > 0)
        keep(in, *samples, (size_t)n);
    return n;
}

/* The next samples to be transcribed. */
static int64_t read_speech(whisp_session *s, source *in, const float **samples)
{
    if (s->recording < 0)
        return read_any(s, in, samples);
    for (;;) {
        size_t offset = 0, count = 0;
        if (in->left == 0) {
            int64_t n = read_any(s, in, &in->rest);
            if (n <= 0)
                return n;
            in->left = (size_t)n;
        }
        wh_timeline_next(&s->timeline, &in->span, in->position, in->left, &offset, &count);
        size_t used = count ? offset + count : in->left;
        *samples = in->rest + offset;
        in->rest += used;
        in->left -= used;
        in->position += (int64_t)used;
        if (count)
            return (int64_t)count;
    }
}

static int64_t read_block(whisp_session *s, source *in, const float **samples)
{
    int64_t n;
    if (in->jumps && in->left) { /* what a jump left of a block */
        n = (int64_t)in->left;
        *samples = in->rest;
        in->left = 0;
    } else {
        n = read_speech(s, in, samples);
    }
    in->heard += WH_MAX(n, 0);
    return n;
}

/* ---- from clip to clip ---- */

#define JUMPS_FROM (30 * 60.0)  /* seconds of a recording of which only the clips are read */
#define WORTH (10 * WH_SAMPLE_RATE) /* samples to be left out, at least */

/* Is `in` so long, and are so few parts of it asked for, that the rest need not be heard? Its length must be known. */
static int may_jump(const whisp_session *s, const source *in, double *seconds)
{
    whisp_audio_info info = {.size = sizeof info};
    int has_clips = s->n_clips > 1 || s->clips[0].start > 0 || s->clips[0].end != INT64_MAX;
    if (!has_clips || s->given || s->vad || !in->audio || whisp_audio_describe(in->audio, &info))
        return 0;
    *seconds = info.duration;
    return info.duration >= JUMPS_FROM;
}

/* Let the next block begin with sample `at`: by jumping or, where the decoder cannot, by reading. 0, also where the
 * recording ends before it; or a code. */
static int skip_to(whisp_session *s, source *in, int64_t at)
{
    int rc = wh_audio_seeks(in->audio) && at >= in->heard ? wh_audio_seek(in->audio, at) : 0;
    if (rc) {
        in->left = 0;
        in->heard = at;
        return WH_MIN(rc, 0);
    }
    while (in->heard < at) {
        int64_t before = in->heard, n = read_block(s, in, &in->rest);
        if (n <= 0 || (rc = wh_check_cancel(s->options)))
            return n < 0 ? (int)n : rc;
        if (in->heard > at) {
            in->rest += at - before;
            in->left = (size_t)(in->heard - at);
            in->heard = at;
        }
    }
    return WHISP_OK;
}

/* Where the samples of frame `frame` begin. */
static int64_t first_sample(int64_t frame)
{
    return frame * WH_HOP - 200;
}

/* The first pass over the clips alone, to the end of the second in which each ends: their loudest frame stands for the
 * recording's. */
static int measure_clips(whisp_session *s, source *in, double seconds)
{
    const float *samples;
    int64_t n = 1, end = (int64_t)(seconds * WH_SAMPLE_RATE);
    int rc = WHISP_OK;
    for (size_t i = 0; i < s->n_clips && n > 0 && !rc; i++) {
        int64_t start = first_sample(s->clips[i].start);
        int64_t stop = s->clips[i].end > INT64_MAX / WH_HOP / 2 ? INT64_MAX : s->clips[i].end * WH_HOP + 200;
        if (start >= end && wh_audio_seeks(in->audio)) /* else the length may be an estimate */
            break;
        if (start > in->heard + WORTH && !(rc = skip_to(s, in, start)))
            rc = wh_session_measure_jump(s, s->clips[i].start);
        while (!rc && in->heard < stop && (n = read_block(s, in, &samples)) > 0)
            if (!(rc = wh_check_cancel(s->options)))
                rc = whisp_session_measure(s, samples, (size_t)n);
    }
    if (!rc)
        rc = n < 0 ? (int)n : whisp_session_measure(s, NULL, 0);
    wh_session_known_total(s, seconds);
    return rc;
}

/* Before the next block is read for the session: leave out what lies before the next clip. 1: no clip follows. */
static int jump_to_clip(whisp_session *s, source *in)
{
    int64_t frame = s->seek - WH_JUMP_BEFORE;
    if (!in->jumps || s->language < 0)
        return 0;
    if (s->clip >= s->n_clips || (s->seek >= s->measured_frames && wh_audio_seeks(in->audio)))
        return 1;
    if (first_sample(frame) <= in->heard + WORTH)
        return 0;
    int rc = skip_to(s, in, first_sample(frame));
    if (!rc)
        wh_session_jump(s, frame);
    return rc;
}

/* Back to the first sample of an array or a copy; a file is opened again. */
static void start_again(source *in)
{
    in->at = in->at_kept = in->span = in->left = 0;
    in->position = in->heard = 0;
    if (in->copy)
        rewind(in->copy);
}

/* What the search for speech reads. */
typedef struct searched {
    whisp_session *session;
    source *in;
    FILE *copy;     /* gets all samples, or NULL */
} searched;

static int64_t read_for_search(void *user, float *samples, size_t n)
{
    searched *what = user;
    source *in = what->in;
    int64_t got = WH_MIN(n, in->left);
    if (in->left == 0) {
        if ((got = read_any(what->session, in, &in->rest)) <= 0)
            return got;
        in->left = (size_t)got;
        if (what->copy && fwrite(in->rest, sizeof *in->rest, in->left, what->copy) != in->left)
            return wh_fail(WHISP_ERR_IO, "a temporary file for the samples cannot be written: %s", strerror(errno));
        got = WH_MIN(n, in->left);
    }
    memcpy(samples, in->rest, (size_t)got * sizeof *samples);
    in->rest += got;
    in->left -= (size_t)got;
    return got;
}

/* With vad_filter: find the speech in what `in` gives from its start. */
static int find_speech(whisp_session *s, source *in, FILE *copy)
{
    searched what = {s, in, copy};
    int rc = wh_filter_find(s, read_for_search, &what);
    start_again(in);
    return rc;
}

/* First pass: show the session the whole recording, so that it knows the loudest frame and the duration. */
static int measure(whisp_session *s, source *in)
{
    const float *samples;
    int64_t n;
    while ((n = read_block(s, in, &samples)) > 0) {
        int rc = wh_check_cancel(s->options);
        if (rc || (rc = whisp_session_measure(s, samples, (size_t)n)))
            return rc;
    }
    return n < 0 ? (int)n : whisp_session_measure(s, NULL, 0);
}

/* A transcription: what it reads, what it leaves. */
typedef struct work {
    whisp_session *session;
    source *in;
    wh_collected out;
    wh_cutter cutter;       /* in parts */
} work;

static int collect(whisp_session *s, work *w)
{
    for (;;) {
        int cleared, rc = wh_session_next(s, &cleared);
        if (rc != 1)
            return rc;
        if (s->given)
            continue; /* only what it aligns counts */
        if ((rc = wh_collect_add(&w->out, &s->segment, cleared)))
            return rc;
    }
}

/* Second pass: push, pull, finish. */
static int feed(whisp_session *s, source *in, work *w)
{
    const float *samples;
    int64_t n = 0;
    int rc;
    while (!(rc = jump_to_clip(s, in)) && (n = read_block(s, in, &samples)) > 0)
        for (int64_t done = 0; done < n;) {
            int64_t taken = whisp_session_push(s, samples + done, (size_t)(n - done));
            if (taken < 0)
                return (int)taken;
            done += taken;
            if (done < n || taken == 0) {
                if ((rc = collect(s, w)) < 0)
                    return rc;
            }
        }
    if (rc < 0 || n < 0)
        return rc < 0 ? rc : (int)n;
    if (rc == 0 && in->heard == wh_mel_samples(s->mel)) /* that was the end */
        s->total_is_known = 0;
    if ((rc = whisp_session_finish(s)))
        return rc;
    rc = collect(s, w);
    return rc < 0 ? rc : WHISP_OK;
}

static int emit(void *user, const whisp_segment *segment, int cleared)
{
    work *w = user;
    return wh_collect_show(&w->out, w->session->options, segment, cleared);
}

static int64_t read_for_cutter(void *user, const float **samples)
{
    work *w = user;
    return read_block(w->session, w->in, samples);
}

static int fill_part(void *user, whisp_session *part, int *unreadable)
{
    (void)unreadable;
    return wh_cutter_fill(&((work *)user)->cutter, part);
}

static int run_parts(whisp_session *s, work *w)
{
    w->cutter = (wh_cutter){.seconds = s->options->values.cut_seconds, .read = read_for_cutter, .read_user = w};
    const wh_part_job job = {.session = s, .longest = (size_t)wh_cut_longest(w->cutter.seconds) + WH_CUT_STEP,
                             .fill = fill_part, .emit = emit, .user = w};
    int rc = wh_parts_run(&job);
    s->total = wh_filter_total(s, w->cutter.levels.samples);
    wh_cutter_free(&w->cutter);
    return rc;
}

/* Transcribe what `in` gives: in parts, or, the session being reset and perhaps measured, as a whole. */
static int transcribe(whisp_session *s, source *in, int in_parts, whisp_result **result)
{
    work w = {.session = s, .in = in};
    int rc = wh_collect_begin(&w.out);
    if (!rc)
        rc = in_parts ? run_parts(s, &w) : feed(s, in, &w);
    if (!rc)
        rc = wh_collect_end(&w.out, s->model, wh_session_spoken(s), s->total, result);
    wh_collect_free(&w.out);
    return rc;
}

/* How messages call it. */
static const char *name_of(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* Can the recording be read a second time? */
static int is_regular(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void close_source(source *in)
{
    stop_ahead(in);
    whisp_audio_close(in->audio);
    if (in->copy)
        fclose(in->copy);
    free(in->kept);
    free(in);
}

/* The recording was read to its end. */
static void hear_warnings(whisp_session *s, source *in)
{
    stop_ahead(in);
    wh_session_hear_warnings(s, in->audio);
}

/* The first pass over a file has ended: are its samples at hand for the next one? */
static void end_first_pass(whisp_session *s, source *in)
{
    stop_ahead(in);
    in->keeps = 0;
    in->from_kept = in->kept != NULL;
    if (in->from_kept)
        hear_warnings(s, in);
    whisp_audio_close(in->audio);
    in->audio = NULL;
    start_again(in);
}

/* A thread of its own may decode: threads are allowed, and the samples do not come as slowly as somebody speaks. */
static int can_read_ahead(const whisp_session *s, const char *path)
{
    return s->options->values.threads != 1 && (s->copy_fd >= 0 || is_regular(path));
}

/* With vad_filter: a pass over `path` that finds the speech; of what is not a regular file it leaves a copy. */
static int find_speech_in(whisp_session *s, const char *path, source *in)
{
    FILE *copy = NULL;
    in->reads_ahead = can_read_ahead(s, path);
    int rc = wh_channels_open(s, path, &in->audio);
    if (!rc && s->copy_fd < 0 && !is_regular(path) && !(copy = tmpfile()))
        rc = wh_fail(WHISP_ERR_IO, "%s: vad_filter needs a temporary file to read it twice, and there can be none: %s",
                     name_of(path), strerror(errno));
    in->keeps = !copy;
    if (!rc)
        rc = find_speech(s, in, copy);
    if (!rc && copy)
        hear_warnings(s, in);
    in->copy = copy;
    end_first_pass(s, in);
    return rc;
}

/* ---- in parts? ---- */

int wh_session_may_cut(const whisp_session *s)
{
    return !s->options->values.cut_off && !s->given && s->n_clips == 1 && s->clips[0].start == 0 &&
           s->clips[0].end == INT64_MAX;
}

/* Samples to transcribe; -1 where that is not known before all are read. */
static int64_t known_length(const whisp_session *s, const source *in)
{
    whisp_audio_info info = {.size = sizeof info};
    if (s->recording >= 0)
        return wh_timeline_kept(&s->timeline);
    if (!in->audio)
        return in->from_kept ? (int64_t)in->n_kept : (int64_t)in->n;
    return whisp_audio_describe(in->audio, &info) || info.duration < 0 ? -1 : (int64_t)(info.duration * WH_SAMPLE_RATE);
}

/* Is the recording, which can be read twice, so long that it is cut? Where only reading tells, what was read is
 * kept. */
static int is_long(whisp_session *s, source *in, int *answer)
{
    int64_t most = wh_cut_whole(s->options->values.cut_seconds), length = known_length(s, in), n = 1;
    const float *samples;
    *answer = length > most;
    if (length >= 0) {
        s->total = *answer ? wh_filter_total(s, length) : -1;
        return WHISP_OK;
    }
    in->keeps = 1;
    while (in->keeps && (int64_t)in->n_kept <= most && (n = read_any(s, in, &samples)) > 0) {
        int rc = wh_check_cancel(s->options);
        if (rc)
            return rc;
    }
    in->from_kept = in->keeps;
    in->keeps = 0;
    *answer = (int64_t)in->n_kept > most;
    return n < 0 ? (int)n : WHISP_OK;
}

/* Open `path` for the pass that counts. What can be read twice is measured before, unless it is cut. */
static int open_for_pass(whisp_session *s, const char *path, source *in, int *in_parts)
{
    int rc = WHISP_OK;
    in->reads_ahead = can_read_ahead(s, path);
    if (s->vad && (rc = find_speech_in(s, path, in)))
        return rc;
    int is_here = in->copy || in->from_kept, twice = is_here || s->copy_fd >= 0 || is_regular(path);
    if (!is_here && (rc = wh_channels_open(s, path, &in->audio)))
        return rc;
    if (twice && *in_parts)
        rc = is_long(s, in, in_parts);
    if (!rc && in->n_kept && !in->kept) { /* its beginning could not be kept after all */
        end_first_pass(s, in);
        rc = wh_channels_open(s, path, &in->audio);
    }
    if (rc || !twice || *in_parts) {
        *in_parts = twice && *in_parts;
        return rc;
    }
    if (in->copy || in->from_kept) {
        if (in->from_kept)
            end_first_pass(s, in);
        rc = measure(s, in);
        start_again(in);
        return rc;
    }
    double seconds;
    in->jumps = may_jump(s, in, &seconds);
    in->keeps = !in->jumps;
    if (in->jumps && wh_audio_seeks(in->audio))
        in->reads_ahead = 0;
    rc = in->jumps ? measure_clips(s, in, seconds) : measure(s, in);
    end_first_pass(s, in);
    return rc || in->from_kept ? rc : wh_channels_open(s, path, &in->audio);
}

/* Align the given text with what `in` gives. */
static int align(whisp_session *s, source *in, whisp_result **result)
{
    work w = {.session = s, .in = in};
    int rc = feed(s, in, &w);
    return rc ? rc : wh_given_result(s, result);
}

/* Transcribe a file, or align a text with it if that is not NULL. */
static int run_file(whisp_session *s, const char *path, const char *text, whisp_result **result)
{
    source *in = wh_calloc(1, sizeof *in);
    if (!in)
        return wh_fail_memory();
    int rc = whisp_session_reset(s);
    if (!rc && text)
        rc = wh_given_new(s, text);
    int in_parts = wh_session_may_cut(s);
    if (!rc)
        rc = open_for_pass(s, path, in, &in_parts);
    if (!rc)
        rc = text ? align(s, in, result) : transcribe(s, in, in_parts, result);
    int64_t heard = s->recording >= 0 ? s->recording : in->jumps ? (int64_t)(s->total * WH_SAMPLE_RATE) : in->heard;
    if (!rc && heard == 0)
        rc = wh_fail(WHISP_ERR_AUDIO, "%s: the recording holds no samples", name_of(path));
    if (!rc && heard < WH_HOP)
        wh_log(s->options, WHISP_LOG_WARNING, "%s: the recording is shorter than 10 ms; there is nothing to hear",
               name_of(path));
    if (!rc) {
        hear_warnings(s, in);
        rc = wh_result_set_incomplete(*result, whisp_session_incomplete(s));
    }
    if (rc) {
        whisp_result_free(*result);
        *result = NULL;
    }
    close_source(in);
    return rc;
}

int whisp_session_transcribe_file(whisp_session *s, const char *path, whisp_result **result)
{
    if (!s || !path || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_transcribe_file: an argument is NULL");
    *result = NULL;
    if (s->options->values.split_stereo)
        return wh_channels_transcribe(s, path, run_file, result);
    return run_file(s, path, NULL, result);
}

int whisp_session_align_file(whisp_session *s, const char *path, const char *text, whisp_result **result)
{
    if (!s || !path || !text || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_align_file: an argument is NULL");
    *result = NULL;
    int rc = wh_channels_check(s);
    return rc ? rc : run_file(s, path, text, result);
}

/* Transcribe samples, or align a text with them if that is not NULL. */
static int run_samples(whisp_session *s, const float *samples, size_t n, const char *text, whisp_result **result)
{
    source *in = wh_calloc(1, sizeof *in);
    if (!in)
        return wh_fail_memory();
    in->samples = samples;
    in->n = n;
    int rc = whisp_session_reset(s);
    if (!rc && text)
        rc = wh_given_new(s, text);
    if (!rc && s->vad)
        rc = find_speech(s, in, NULL);
    int in_parts = wh_session_may_cut(s);
    if (!rc && in_parts)
        rc = is_long(s, in, &in_parts);
    if (!rc && !in_parts) {
        rc = measure(s, in);
        start_again(in);
    }
    if (!rc)
        rc = text ? align(s, in, result) : transcribe(s, in, in_parts, result);
    if (!rc && (rc = wh_result_set_incomplete(*result, whisp_session_incomplete(s)))) {
        whisp_result_free(*result);
        *result = NULL;
    }
    close_source(in);
    return rc;
}

int whisp_session_transcribe_samples(whisp_session *s, const float *samples, size_t n, whisp_result **result)
{
    if (!s || (!samples && n) || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_transcribe_samples: an argument is NULL");
    *result = NULL;
    int rc = wh_channels_check(s);
    return rc ? rc : run_samples(s, samples, n, NULL, result);
}

int whisp_session_align_samples(whisp_session *s, const float *samples, size_t n, const char *text,
                                whisp_result **result)
{
    if (!s || (!samples && n) || !text || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_align_samples: an argument is NULL");
    *result = NULL;
    int rc = wh_channels_check(s);
    return rc ? rc : run_samples(s, samples, n, text, result);
}

int whisp_transcribe(const whisp_model *model, const char *path, const whisp_options *options, whisp_result **result)
{
    if (!model || !path || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_transcribe: an argument is NULL");
    *result = NULL;
    whisp_session *session;
    int rc = whisp_session_new(model, options, &session);
    if (!rc)
        rc = whisp_session_transcribe_file(session, path, result);
    whisp_session_free(session);
    return rc;
}

/* Push until the window is there that is asked for its language next; or to the end. */
static int push_window(whisp_session *s, source *in)
{
    const float *samples;
    int64_t got = 0, taken = 0;
    while (wh_mel_ready(s->mel) < s->detect_at + WH_WINDOW_FRAMES && (got = read_block(s, in, &samples)) > 0)
        if ((taken = whisp_session_push(s, samples, (size_t)got)) < 0)
            return (int)taken;
    if (got < 0)
        return (int)got;
    return got == 0 && !s->finished && wh_mel_ready(s->mel) < s->detect_at + WH_WINDOW_FRAMES ? whisp_session_finish(s)
                                                                                              : WHISP_OK;
}

/* Of what is measured, ask 30 s after the other until somebody speaks. */
static int detect(whisp_session *s, source *in, float *probabilities, size_t n)
{
    int asked = s->language, rc, over = 0;
    s->language = -1;
    while (!over && s->language < 0) {
        if ((rc = push_window(s, in)) || (rc = wh_session_detect(s)))
            return rc;
        over = s->language < 0 && s->detected && wh_session_detect_next(s);
    }
    wh_session_settle_language(s);
    int best = s->language;
    s->language = asked;
    memcpy(probabilities, s->language_probs, (size_t)s->specials->n_languages * sizeof *probabilities);
    for (size_t i = (size_t)s->specials->n_languages; i < n; i++)
        probabilities[i] = 0;
    return best;
}

static int check_detection(whisp_session *s, float *probabilities, size_t n)
{
    if (!s || !probabilities)
        return wh_fail(WHISP_ERR_ARGUMENT, "language detection: an argument is NULL");
    if (!s->specials->multilingual)
        return wh_fail(WHISP_ERR_ARGUMENT, "the model %s knows English only; detecting a language needs a multilingual "
                       "model", s->model->name);
    if (n < (size_t)s->specials->n_languages)
        return wh_fail(WHISP_ERR_ARGUMENT, "language detection: room for %zu probabilities, %d are needed", n,
                       s->specials->n_languages);
    return whisp_session_reset(s);
}

int whisp_session_detect_language_file(whisp_session *s, const char *path, float *probabilities, size_t n)
{
    if (!path)
        return wh_fail(WHISP_ERR_ARGUMENT, "language detection: an argument is NULL");
    int rc = check_detection(s, probabilities, n);
    if (rc)
        return rc;
    source *in = wh_calloc(1, sizeof *in);
    if (!in)
        return wh_fail_memory();
    int in_parts = 0;
    if (!(rc = open_for_pass(s, path, in, &in_parts)))
        rc = detect(s, in, probabilities, n);
    if (rc >= 0)
        hear_warnings(s, in);
    close_source(in);
    return rc;
}

int whisp_session_detect_language_samples(whisp_session *s, const float *samples, size_t n_samples,
                                          float *probabilities, size_t n)
{
    if (!samples && n_samples)
        return wh_fail(WHISP_ERR_ARGUMENT, "language detection: an argument is NULL");
    int rc = check_detection(s, probabilities, n);
    if (rc)
        return rc;
    source *in = wh_calloc(1, sizeof *in);
    if (!in)
        return wh_fail_memory();
    in->samples = samples;
    in->n = n_samples;
    if ((!s->vad || !(rc = find_speech(s, in, NULL))) && !(rc = measure(s, in))) {
        start_again(in);
        rc = detect(s, in, probabilities, n);
    }
    close_source(in);
    return rc;
}
