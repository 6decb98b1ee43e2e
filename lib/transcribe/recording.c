/* recording.c - see recording.h.
 *
 * A recording that can be read twice is read twice or kept; neither pass holds a long one. With vad_filter a pass before
 * them finds where speech is, and they see nothing else; what comes from a pipe is then kept in a temporary file. */
#include "transcribe/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audio/audio.h"
#include "transcribe/cut.h"

#define KEPT (15 * 60 * WH_SAMPLE_RATE) /* samples: what is not longer is decoded once only; 29 MB at most */

wh_recording *wh_recording_new(const float *samples, size_t n)
{
    wh_recording *in = wh_calloc(1, sizeof *in);
    if (!in) {
        wh_fail_memory();
        return NULL;
    }
    in->samples = samples;
    in->n = n;
    return in;
}

/* ---- reading ---- */

/* Samples of a file are rounded to 16 bits when they are decoded, so they can be kept as such. */
static void keep(wh_recording *in, const float *samples, size_t n)
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
        in->dropped = 1;
    }
}

static int64_t read_kept(wh_recording *in, const float **samples)
{
    size_t n = WH_MIN(in->n_kept - in->at_kept, (size_t)WH_RECORDING_BLOCK);
    for (size_t i = 0; i < n; i++)
        in->block[i] = (float)in->kept[in->at_kept + i] / 32768.0f;
    in->at_kept += n;
    *samples = in->block;
    return (int64_t)n;
}

/* The next samples of the open file. */
static int64_t read_audio(wh_recording *in, const float **samples)
{
    if (in->reads_ahead && !in->ahead && wh_ahead_start(in->audio, &in->ahead))
        in->reads_ahead = 0;
    if (in->ahead)
        return wh_ahead_read(in->ahead, samples);
    *samples = in->block;
    return whisp_audio_read(in->audio, in->block, WH_RECORDING_BLOCK);
}

static void stop_ahead(wh_recording *in)
{
    wh_ahead_stop(in->ahead);
    in->ahead = NULL;
}

/* The next samples, speech or not: how many, 0 at the end, or a code. */
int64_t wh_recording_read_any(whisp_session *s, wh_recording *in, const float **samples)
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
        size_t n = fread(in->block, sizeof *in->block, WH_RECORDING_BLOCK, in->copy);
        *samples = in->block;
        return n == 0 && ferror(in->copy) ? wh_fail(WHISP_ERR_IO, "the temporary file cannot be read") : (int64_t)n;
    }
    if (!in->audio) {
        size_t n = WH_MIN(in->n - in->at, (size_t)WH_RECORDING_BLOCK);
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
static int64_t read_speech(whisp_session *s, wh_recording *in, const float **samples)
{
    if (s->recording < 0)
        return wh_recording_read_any(s, in, samples);
    for (;;) {
        size_t offset = 0, count = 0;
        if (in->left == 0) {
            int64_t n = wh_recording_read_any(s, in, &in->rest);
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

int64_t wh_recording_read(whisp_session *s, wh_recording *in, const float **samples)
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

void wh_recording_rewind(wh_recording *in)
{
    in->at = in->at_kept = in->span = in->left = 0;
    in->position = in->heard = 0;
    if (in->copy)
        rewind(in->copy);
}

void wh_recording_free(wh_recording *in)
{
    stop_ahead(in);
    whisp_audio_close(in->audio);
    if (in->copy)
        fclose(in->copy);
    free(in->kept);
    free(in);
}

/* ---- the passes before the one that counts ---- */

/* What the search for speech reads. */
typedef struct searched {
    whisp_session *session;
    wh_recording *in;
    FILE *copy; /* gets all samples, or NULL */
} searched;

static int64_t read_for_search(void *user, float *samples, size_t n)
{
    searched *what = user;
    wh_recording *in = what->in;
    int64_t got = WH_MIN(n, in->left);
    if (in->left == 0) {
        if ((got = wh_recording_read_any(what->session, in, &in->rest)) <= 0)
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

int wh_recording_find_speech(whisp_session *s, wh_recording *in, FILE *copy)
{
    searched what = {s, in, copy};
    int rc = wh_filter_find(s, read_for_search, &what);
    wh_recording_rewind(in);
    return rc;
}

int wh_recording_measure(whisp_session *s, wh_recording *in)
{
    const float *samples;
    int64_t n;
    while ((n = wh_recording_read(s, in, &samples)) > 0) {
        int rc = wh_check_cancel(s->options);
        if (rc || (rc = whisp_session_measure(s, samples, (size_t)n)))
            return rc;
    }
    return n < 0 ? (int)n : whisp_session_measure(s, NULL, 0);
}

const char *wh_recording_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* Can the recording be read a second time? */
static int is_regular(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

void wh_recording_hear_warnings(whisp_session *s, wh_recording *in)
{
    stop_ahead(in);
    wh_session_hear_warnings(s, in->audio);
}

/* The first pass over a file has ended: are its samples at hand for the next one? */
static void end_first_pass(whisp_session *s, wh_recording *in)
{
    stop_ahead(in);
    in->keeps = 0;
    in->from_kept = in->kept != NULL;
    if (in->from_kept)
        wh_recording_hear_warnings(s, in);
    whisp_audio_close(in->audio);
    in->audio = NULL;
    wh_recording_rewind(in);
}

/* A thread of its own may decode: threads are allowed, and the samples do not come as slowly as somebody speaks. */
static int can_read_ahead(const whisp_session *s, const char *path)
{
    return s->options->values.threads != 1 && (s->copy_fd >= 0 || is_regular(path));
}

/* With vad_filter: a pass over `path` that finds the speech; of what is not a regular file it leaves a copy. */
static int find_speech_in(whisp_session *s, const char *path, wh_recording *in)
{
    FILE *copy = NULL;
    in->reads_ahead = can_read_ahead(s, path);
    int rc = wh_channels_open(s, path, &in->audio);
    if (!rc && s->copy_fd < 0 && !is_regular(path) && !(copy = tmpfile()))
        rc = wh_fail(WHISP_ERR_IO, "%s: vad_filter needs a temporary file to read it twice, and there can be none: %s",
                     wh_recording_name(path), strerror(errno));
    in->keeps = !copy;
    if (!rc)
        rc = wh_recording_find_speech(s, in, copy);
    if (!rc && copy)
        wh_recording_hear_warnings(s, in);
    in->copy = copy;
    end_first_pass(s, in);
    return rc;
}

/* ---- in parts? ---- */

int wh_session_may_cut(const whisp_session *s)
{
    return !s->options->values.cut_off && !s->given && !wh_session_has_clips(s);
}

/* Samples to transcribe; -1 where that is not known before all are read. */
static int64_t known_length(const whisp_session *s, const wh_recording *in)
{
    whisp_audio_info info = {.size = sizeof info};
    if (s->recording >= 0)
        return wh_timeline_kept(&s->timeline);
    if (!in->audio)
        return in->from_kept ? (int64_t)in->n_kept : (int64_t)in->n;
    return whisp_audio_describe(in->audio, &info) || info.duration < 0 ? -1 : (int64_t)(info.duration * WH_SAMPLE_RATE);
}

int wh_recording_is_long(whisp_session *s, wh_recording *in, int *answer)
{
    int64_t most = wh_cut_whole(s->options->values.cut_seconds), length = known_length(s, in), n = 1;
    const float *samples;
    *answer = length > most;
    if (length >= 0) {
        s->total = *answer ? wh_filter_total(s, length) : -1;
        return WHISP_OK;
    }
    in->keeps = 1;
    while (in->keeps && (int64_t)in->n_kept <= most && (n = wh_recording_read_any(s, in, &samples)) > 0) {
        int rc = wh_check_cancel(s->options);
        if (rc)
            return rc;
    }
    in->from_kept = in->keeps;
    in->keeps = 0;
    *answer = (int64_t)in->n_kept > most;
    return n < 0 ? (int)n : WHISP_OK;
}

int wh_recording_open(whisp_session *s, const char *path, wh_recording *in, int *in_parts)
{
    int rc = WHISP_OK;
    in->reads_ahead = can_read_ahead(s, path);
    if (s->vad && (rc = find_speech_in(s, path, in)))
        return rc;
    int is_here = in->copy || in->from_kept, twice = is_here || s->copy_fd >= 0 || is_regular(path);
    if (!is_here && (rc = wh_channels_open(s, path, &in->audio)))
        return rc;
    if (twice && *in_parts)
        rc = wh_recording_is_long(s, in, in_parts);
    if (!rc && in->dropped && in->audio) { /* its beginning is gone */
        end_first_pass(s, in);
        in->dropped = 0;
        rc = wh_channels_open(s, path, &in->audio);
    }
    if (rc || !twice || *in_parts) {
        *in_parts = twice && *in_parts;
        return rc;
    }
    if (in->copy || in->from_kept) {
        if (in->from_kept)
            end_first_pass(s, in);
        rc = wh_recording_measure(s, in);
        wh_recording_rewind(in);
        return rc;
    }
    double seconds;
    in->jumps = wh_recording_may_jump(s, in, &seconds);
    in->keeps = !in->jumps;
    if (in->jumps) /* how far it reads beyond a clip, where there may be damage, must not depend on threads */
        in->reads_ahead = 0;
    rc = in->jumps ? wh_recording_measure_clips(s, in, seconds) : wh_recording_measure(s, in);
    end_first_pass(s, in);
    return rc || in->from_kept ? rc : wh_channels_open(s, path, &in->audio);
}
