/* recording.c - see recording.h.
 *
 * A recording that can be read again is read again or kept; neither holds a long one. */
#include "transcribe/recording.h"

#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "util/pool.h"

#define KEPT (15 * 60 * WH_SAMPLE_RATE) /* samples: what is not longer is decoded once only; 29 MB at most */

int wh_recording_new(whisp_session *s, whisp_audio *audio, wh_recording **recording)
{
    wh_recording *in = *recording = wh_calloc(1, sizeof *in);
    if (!in)
        return wh_fail_memory();
    in->session = s;
    in->audio = audio;
    int rc = wh_audio_rewind(audio);
    if (!rc && s->vad)
        rc = wh_audio_keep(audio, "vad_filter", s->options);
    if (!rc && s->speaking)
        rc = wh_audio_keep(audio, "diarize", s->options);
    in->rewinds = wh_audio_rewinds(audio);
    in->keeps = in->rewinds && !wh_audio_is_samples(audio);
    in->reads_ahead = in->keeps && s->options->values.threads != 1;
    if (!s->vad)
        wh_audio_ask(audio, wh_session_wants, s);
    if (!rc && s->channel >= 0)
        wh_audio_hear(audio, s->channel);
    return rc;
}

static void stop_ahead(wh_recording *in)
{
    wh_ahead_stop(in->ahead);
    in->ahead = NULL;
}

static void drop_kept(wh_recording *in)
{
    free(in->kept);
    in->kept = NULL;
    in->n_kept = in->at_kept = in->kept_capacity = 0;
    in->keeps = 0;
}

void wh_recording_free(wh_recording *in)
{
    if (!in)
        return;
    stop_ahead(in);
    drop_kept(in);
    wh_audio_end(in->audio);
    free(in);
}

/* ---- reading ---- */

/* Samples are rounded to 16 bits when they are decoded, so they can be kept as such. */
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
    in->at_kept = in->n_kept;
    if (!fits)
        drop_kept(in);
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

/* In company there are other recordings, each with a thread of its own. */
static int threads_for(const whisp_session *s)
{
    int threads = s->options->values.threads;
    return s->company ? 1 : threads ? threads : wh_usable_cores();
}

static int64_t read_audio(wh_recording *in, const float **samples)
{
    if (in->reads_ahead && !in->ahead && wh_ahead_start(in->audio, threads_for(in->session), &in->ahead))
        in->reads_ahead = 0;
    if (in->ahead)
        return wh_ahead_read(in->ahead, samples);
    *samples = in->block;
    return whisp_audio_read(in->audio, in->block, WH_RECORDING_BLOCK);
}

int64_t wh_recording_read_any(wh_recording *in, const float **samples)
{
    if (in->at_kept < in->n_kept)
        return read_kept(in, samples);
    double t0 = wh_now();
    int64_t n = read_audio(in, samples);
    in->session->timings.audio += wh_now() - t0;
    if (n > 0 && in->keeps)
        keep(in, *samples, (size_t)n);
    else if (n > 0)
        drop_kept(in); /* no longer all that was read */
    return n;
}

/* The next samples to be transcribed, where silence is left out. */
static int64_t read_speech(wh_recording *in, const float **samples)
{
    whisp_session *s = in->session;
    if (s->recording < 0)
        return wh_recording_read_any(in, samples);
    for (;;) {
        size_t offset = 0, count = 0;
        if (in->left == 0) {
            int64_t n = wh_recording_read_any(in, &in->rest);
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

int64_t wh_recording_read(wh_recording *in, const float **samples)
{
    int64_t n;
    if (in->jumps && in->left) { /* what a jump left of a block */
        n = (int64_t)in->left;
        *samples = in->rest;
        in->left = 0;
    } else {
        n = read_speech(in, samples);
    }
    in->heard += WH_MAX(n, 0);
    return n;
}

/* ---- going elsewhere ---- */

int wh_recording_rewind(wh_recording *in)
{
    int is_kept = in->kept != NULL;
    in->at_kept = in->span = in->left = 0;
    in->position = in->heard = 0;
    in->keeps = 0;
    if (is_kept)
        return WHISP_OK; /* the audio stands where what is kept ends */
    stop_ahead(in);
    return wh_audio_rewind(in->audio);
}

int wh_recording_skip_to(wh_recording *in, int64_t at)
{
    int rc = wh_audio_seeks(in->audio) && at >= in->heard ? wh_audio_seek(in->audio, at) : 0;
    if (rc) {
        in->left = 0;
        in->heard = at;
        return WH_MIN(rc, 0);
    }
    while (in->heard < at) {
        int64_t before = in->heard, n = wh_recording_read(in, &in->rest);
        if (n <= 0 || (rc = wh_check_cancel(in->session->options)))
            return n < 0 ? (int)n : rc;
        if (in->heard > at) {
            in->rest += at - before;
            in->left = (size_t)(in->heard - at);
            in->heard = at;
        }
    }
    return WHISP_OK;
}

void wh_recording_hear_warnings(wh_recording *in)
{
    stop_ahead(in);
    wh_session_hear_warnings(in->session, in->audio);
}
