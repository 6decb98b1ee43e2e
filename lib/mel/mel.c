/* mel.c - the log-Mel spectrogram of a stream of samples.
 *
 * 16 kHz samples come from lib/audio (or a program) by wh_mel_push(); the encoder's windows are read by lib/window
 * with wh_mel_window(). Between them lies a ring of frames that are not clamped yet, because the clamp depends on the
 * loudest value of the whole recording (log_mel_spectrogram in openai-whisper's audio.py).
 *
 * Everything that is stored for a frame depends on the samples alone, never on how they were cut into pushes. */
#include "mel/mel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mel/fft.h"
#include "util/pages.h"

#define FFT 400
#define HOP 160
#define HALF (FFT / 2)
#define WINDOW_FRAMES 3000
#define TAIL 4           /* frames at most that begin behind samples[]'s whole ones and before the recording's end */
#define SILENCE (-10.0f) /* log10 of the smallest power, 1e-10 */
#define LARGEST 1e6f     /* samples beyond this would overflow the power spectrum */

struct wh_mel {
    int n_mels;
    const float *filters;     /* [n_mels][201] */
    int *first_bin, *end_bin; /* [n_mels]: a filter is zero outside first_bin .. end_bin - 1 */
    float window[FFT];        /* periodic Hann */
    wh_fft fft;
    wh_fft_work work;
    float power[WH_FFT_BINS][WH_FFT_LANES];
    float *values; /* [WH_FFT_LANES][n_mels]: of the frames just computed */

    int (*frames)(void *user, const float *samples, int n, float *out); /* who else computes them; or NULL */
    void *user;
    float *made;      /* [lanes][n_mels]: what it gives */
    size_t lanes;     /* frames computed at a time, at most */
    float *samples;   /* [batch] from sample 160 ready - 200 on */
    size_t batch;     /* samples of `lanes` frames */
    size_t n_samples; /* valid in samples[] */
    int64_t taken;    /* samples pushed in all */
    size_t bad;

    /* whose samples pushed before can be had again: frames that can be made again are not kept, only how loud they are */
    void (*again)(const void *user, int64_t at, float *samples, size_t n); /* NULL: all are kept */
    const void *again_user;
    float *heard;         /* [FFT + (WH_FFT_LANES - 1) * HOP] */
    int64_t inexact_from; /* the first sample that would come back as another number */

    size_t capacity;       /* frames that pushes may fill */
    size_t slots;          /* frames in the ring: capacity, and those that finish() makes of samples[] */
    wh_pages store;        /* the ring's; untouched pages take no memory */
    float *ring;           /* [slots][n_mels], frame t in slot t % slots: log10 power, not clamped */
    float *loudest_to;     /* [slots]: the loudest value of frame t and all before it */
    float loudest_dropped; /* the same for the last frame that was dropped */
    int64_t first;         /* oldest frame in the ring */
    int64_t ready;         /* frames computed */
    int64_t discard;       /* frames before this are dropped as soon as they are computed */
    int finished;
    int is_given; /* the frames are those of wh_mel_give(), clamped already */
    int is_set;   /* wh_mel_set_loudest was called with set_loudest */
    float set_loudest;
};

/* The ring, and room for the samples of `lanes` frames. */
static int make_room(wh_mel *mel, size_t lanes)
{
    size_t n_mels = (size_t)mel->n_mels, slots = mel->capacity + lanes + TAIL;
    wh_pages_give_back(&mel->store);
    free(mel->loudest_to);
    free(mel->samples);
    mel->lanes = lanes;
    mel->batch = FFT + (lanes - 1) * HOP;
    mel->slots = slots;
    if (slots > mel->capacity)
        (void)wh_pages_take_plain(&mel->store, slots, n_mels);
    mel->ring = mel->store.at;
    mel->loudest_to = wh_calloc(slots, sizeof *mel->loudest_to);
    mel->samples = wh_calloc(mel->batch, sizeof *mel->samples);
    return mel->ring && mel->loudest_to && mel->samples ? WHISP_OK : wh_fail_memory();
}

int wh_mel_new(int n_mels, const float *filters, size_t capacity, wh_mel **out)
{
    *out = NULL;
    if (n_mels < 1 || capacity < 1)
        return wh_fail(WHISP_ERR_ARGUMENT, "a log-Mel store needs at least one band and one frame");
    wh_mel *mel = wh_calloc(1, sizeof *mel);
    if (!mel)
        return wh_fail_memory();
    mel->n_mels = n_mels;
    mel->filters = filters;
    mel->capacity = capacity;
    mel->first_bin = wh_calloc((size_t)n_mels, sizeof *mel->first_bin);
    mel->end_bin = wh_calloc((size_t)n_mels, sizeof *mel->end_bin);
    mel->values = wh_calloc((size_t)n_mels, WH_FFT_LANES * sizeof *mel->values);
    if (make_room(mel, WH_FFT_LANES) || !mel->first_bin || !mel->end_bin || !mel->values) {
        wh_mel_free(mel);
        return wh_fail_memory();
    }

    for (int m = 0; m < n_mels; m++) {
        const float *filter = filters + (size_t)m * WH_FFT_BINS;
        int first = 0, end = WH_FFT_BINS;
        while (first < end && filter[first] == 0.0f)
            first++;
        while (end > first && filter[end - 1] == 0.0f)
            end--;
        mel->first_bin[m] = first;
        mel->end_bin[m] = end;
    }
    const double turn = 2.0 * acos(-1.0);
    for (int i = 0; i < FFT; i++)
        mel->window[i] = (float)(0.5 - 0.5 * cos(turn * i / FFT));
    wh_fft_init(&mel->fft);
    wh_mel_reset(mel);
    *out = mel;
    return WHISP_OK;
}

void wh_mel_free(wh_mel *mel)
{
    if (!mel)
        return;
    free(mel->first_bin);
    free(mel->end_bin);
    free(mel->values);
    wh_pages_give_back(&mel->store);
    free(mel->loudest_to);
    free(mel->samples);
    free(mel->heard);
    free(mel->made);
    free(mel);
}

int wh_mel_delegate(wh_mel *mel, int most, int (*frames)(void *user, const float *samples, int n, float *out),
                    void *user)
{
    int rc = make_room(mel, (size_t)most);
    free(mel->made);
    mel->made = wh_alloc_aligned((size_t)most * (size_t)mel->n_mels, sizeof *mel->made);
    if (rc || !mel->made)
        return wh_fail_memory();
    mel->frames = frames;
    mel->user = user;
    wh_mel_reset(mel);
    return WHISP_OK;
}

int wh_mel_hear_again(wh_mel *mel, void (*again)(const void *user, int64_t at, float *samples, size_t n),
                      const void *user)
{
    mel->heard = mel->heard ? mel->heard : wh_calloc(FFT + (WH_FFT_LANES - 1) * HOP, sizeof *mel->heard);
    if (!mel->heard)
        return wh_fail_memory();
    mel->again = again;
    mel->again_user = user;
    return WHISP_OK;
}

void wh_mel_reset(wh_mel *mel)
{
    /* The first frame begins 200 samples before the recording; reflect() fills them in when they are known. */
    memset(mel->samples, 0, mel->batch * sizeof *mel->samples);
    mel->n_samples = HALF;
    mel->taken = 0;
    mel->bad = 0;
    mel->inexact_from = INT64_MAX;
    mel->loudest_dropped = SILENCE;
    mel->first = mel->ready = mel->discard = 0;
    mel->finished = mel->is_given = 0;
    mel->is_set = 0;
    mel->set_loudest = SILENCE;
}

/* Sample -i is sample i. (Sample -200 has window weight 0, so it does not matter that sample 200 may be missing.) */
static void reflect(wh_mel *mel)
{
    for (int i = 1; i < HALF; i++)
        mel->samples[HALF - i] = mel->samples[HALF + i];
}

/* Forget the computed frames that nobody needs. */
static void drop(wh_mel *mel)
{
    int64_t first = WH_MIN(mel->discard, mel->ready);
    if (first > mel->first) {
        mel->loudest_dropped = mel->loudest_to[(size_t)(first - 1) % mel->slots];
        mel->first = first;
    }
}

/* Frame t is in the ring: it was made elsewhere, or cannot be made again from 16-bit samples. */
static int is_kept(const wh_mel *mel, int64_t t)
{
    return !mel->again || mel->made || mel->is_given || t * HOP + HALF > mel->inexact_from;
}

/* A frame's values, in order, into the ring. */
static void keep(wh_mel *mel, const float *values)
{
    size_t n_mels = (size_t)mel->n_mels, slot = (size_t)mel->ready % mel->slots;
    int64_t t = mel->ready;
    float before = t > mel->first ? mel->loudest_to[(size_t)(t - 1) % mel->slots] : mel->loudest_dropped;
    if (is_kept(mel, t))
        memcpy(mel->ring + slot * n_mels, values, n_mels * sizeof *values);
    for (size_t m = 0; m < n_mels; m++)
        before = WH_MAX(before, values[m]);
    mel->loudest_to[slot] = before;
    mel->ready++;
}

/* n frames, at most WH_FFT_LANES, of these samples: values. */
static void transform(wh_mel *mel, const float *samples, int n)
{
    for (int i = 0; i < HALF; i++) {
        for (int l = 0; l < WH_FFT_LANES; l++) {
            const float *frame = samples + (l < n ? l : 0) * HOP;
            mel->work.a.re[i][l] = frame[2 * i] * mel->window[2 * i];
            mel->work.a.im[i][l] = frame[2 * i + 1] * mel->window[2 * i + 1];
        }
    }
    wh_fft_power(&mel->fft, &mel->work, mel->power);

    for (int m = 0; m < mel->n_mels; m++) {
        const float *filter = mel->filters + (size_t)m * WH_FFT_BINS;
        float sum[WH_FFT_LANES] = {0};
        for (int k = mel->first_bin[m]; k < mel->end_bin[m]; k++)
            for (int l = 0; l < WH_FFT_LANES; l++)
                sum[l] += filter[k] * mel->power[k][l];
        for (int l = 0; l < n; l++)
            mel->values[l * mel->n_mels + m] = log10f(sum[l] > 1e-10f ? sum[l] : 1e-10f);
    }
}

/* The next n frames, at most WH_FFT_LANES, here. */
static void compute_here(wh_mel *mel, int n)
{
    transform(mel, mel->samples, n);
    for (int l = 0; l < n; l++)
        keep(mel, mel->values + l * mel->n_mels);
}

/* Compute the next n frames of samples[], or as many as go at once, and drop the samples that are done with. */
static void compute(wh_mel *mel, int n)
{
    if (mel->ready == 0)
        reflect(mel);
    if (mel->frames && mel->frames(mel->user, mel->samples, n, mel->made))
        mel->frames = NULL;
    if (mel->frames) {
        for (int l = 0; l < n; l++)
            keep(mel, mel->made + l * mel->n_mels);
    } else {
        n = WH_MIN(n, WH_FFT_LANES);
        compute_here(mel, n);
    }
    size_t done = WH_MIN((size_t)n * HOP, mel->n_samples);
    memmove(mel->samples, mel->samples + done, (mel->n_samples - done) * sizeof *mel->samples);
    mel->n_samples -= done;
    drop(mel);
}

/* Whole frames in samples[] that the ring has room for. */
static int computable(const wh_mel *mel)
{
    int64_t n = mel->n_samples < FFT ? 0 : (int64_t)(mel->n_samples - FFT) / HOP + 1;
    int64_t room = (int64_t)mel->capacity - (mel->ready - mel->first);
    return (int)WH_MAX(WH_MIN(n, room), 0);
}

/* Would a sample come back from 16 bits as it is? */
static int is_exact(float x)
{
    float scaled = x * 32768.0f;
    int inside = scaled >= -32768.0f && scaled <= 32767.0f;
    return inside && (float)(int32_t)(inside ? scaled : 0) == scaled;
}

/* Are all of n samples what 16 bits can hold? A loop without branches, which the compiler makes vectors of: every sample
 * of a recording passes here. */
static int are_plain(const float *samples, size_t n)
{
    int inside = 1;
    for (size_t i = 0; i < n; i++)
        inside &= samples[i] >= -1.0f && samples[i] < 1.0f; /* no NaN is */
    int exact = inside;
    for (size_t i = 0; i < n && inside; i++)
        exact &= (float)(int32_t)(samples[i] * 32768.0f) == samples[i] * 32768.0f;
    return exact;
}

/* n samples behind samples[]'s. */
static void take_samples(wh_mel *mel, const float *samples, size_t n)
{
    float *to = mel->samples + mel->n_samples;
    int exact = are_plain(samples, n), is_plain = exact;
    if (is_plain)
        memcpy(to, samples, n * sizeof *to);
    else
        exact = 1;
    for (size_t i = 0; i < n && !is_plain; i++) {
        float x = samples[i];
        if (!isfinite(x)) {
            x = 0.0f;
            mel->bad++;
        }
        to[i] = WH_MAX(-LARGEST, WH_MIN(x, LARGEST));
        exact &= is_exact(to[i]);
    }
    if (!exact)
        mel->inexact_from = WH_MIN(mel->inexact_from, mel->taken);
    mel->n_samples += n;
    mel->taken += (int64_t)n;
}

size_t wh_mel_push(wh_mel *mel, const float *samples, size_t n)
{
    size_t taken = 0;
    while (!mel->finished) {
        size_t piece = WH_MIN(n - taken, mel->batch - mel->n_samples);
        take_samples(mel, samples + taken, piece);
        taken += piece;
        int frames = computable(mel);
        if (frames > 0)
            compute(mel, frames);
        else if (piece == 0)
            break;
    }
    return taken;
}

size_t wh_mel_bad_samples(const wh_mel *mel)
{
    return mel->bad;
}

void wh_mel_finish(wh_mel *mel)
{
    /* All frames that overlap the samples; the ones behind them are silence and need not be stored. */
    int64_t end = mel->taken > 0 ? (mel->taken + HALF + HOP - 1) / HOP : 0;
    while (!mel->finished && mel->ready < end) {
        memset(mel->samples + mel->n_samples, 0, (mel->batch - mel->n_samples) * sizeof *mel->samples);
        compute(mel, (int)WH_MIN(end - mel->ready, (int64_t)mel->lanes));
    }
    mel->finished = 1;
}

void wh_mel_give(wh_mel *mel, const float *given, size_t stride, int64_t frames)
{
    wh_mel_reset(mel);
    mel->is_given = 1;
    for (int64_t t = 0; t < frames; t++) {
        for (int m = 0; m < mel->n_mels; m++)
            mel->values[m] = given[(size_t)m * stride + (size_t)t] * 4.0f - 4.0f;
        keep(mel, mel->values);
    }
    mel->taken = frames * HOP;
    mel->finished = 1;
}

int64_t wh_mel_content(const wh_mel *mel)
{
    return mel->finished ? mel->taken / HOP : mel->ready;
}

int64_t wh_mel_ready(const wh_mel *mel)
{
    return wh_mel_content(mel);
}

int64_t wh_mel_samples(const wh_mel *mel)
{
    return mel->taken;
}

void wh_mel_discard(wh_mel *mel, int64_t frame)
{
    mel->discard = WH_MAX(mel->discard, frame);
    drop(mel);
    for (int n = computable(mel); n > 0 && !mel->finished; n = computable(mel))
        compute(mel, n);
}

void wh_mel_jump(wh_mel *mel, int64_t frame)
{
    wh_mel_discard(mel, mel->ready);
    mel->first = mel->ready = mel->discard = frame;
    mel->n_samples = 0;
    mel->taken = frame * HOP - HALF;
}

float wh_mel_loudest(const wh_mel *mel, int64_t frame)
{
    if (mel->is_set)
        return mel->set_loudest;
    if (mel->finished && frame >= wh_mel_content(mel))
        frame = mel->ready;
    frame = WH_MIN(frame, mel->ready);
    return frame > mel->first ? mel->loudest_to[(size_t)(frame - 1) % mel->slots] : mel->loudest_dropped;
}

void wh_mel_set_loudest(wh_mel *mel, float loudest)
{
    mel->is_set = 1;
    mel->set_loudest = WH_MAX(loudest, SILENCE);
}

/* Frames t .. t+n-1, at most WH_FFT_LANES, once more: values. */
static void make_again(wh_mel *mel, int64_t t, int n)
{
    int64_t at = t * HOP - HALF;
    size_t before = at < 0 ? (size_t)-at : 0, count = FFT + (size_t)(n - 1) * HOP;
    mel->again(mel->again_user, at + (int64_t)before, mel->heard + before, count - before);
    for (size_t i = 0; i < before; i++) /* as reflect() does; sample -200 has weight 0 */
        mel->heard[i] = at + (int64_t)i == -HALF ? 0 : mel->heard[2 * before - i];
    transform(mel, mel->heard, n);
}

void wh_mel_window(wh_mel *mel, int64_t seek, int64_t frames, enum wh_padding padding, float *out)
{
    size_t n_mels = (size_t)mel->n_mels;
    float least = wh_mel_loudest(mel, seek + WINDOW_FRAMES) - 8.0f;
    float silence = (WH_MAX(SILENCE, least) + 4.0f) / 4.0f;
    int64_t made = seek, made_end = seek; /* frames that are in values */
    if (mel->is_given)
        least = -INFINITY;
    for (int64_t i = 0; i < WINDOW_FRAMES; i++, out += n_mels) {
        int64_t t = seek + i;
        if (padding == WH_PAD_MEL && i >= frames) {
            for (size_t m = 0; m < n_mels; m++)
                out[m] = 0.0f;
            continue;
        }
        if (t < mel->first || t >= mel->ready) {
            for (size_t m = 0; m < n_mels; m++)
                out[m] = silence;
            continue;
        }
        if (t >= made_end && !is_kept(mel, t)) {
            made = t;
            made_end = WH_MIN(t + WH_FFT_LANES, mel->ready);
            make_again(mel, made, (int)(made_end - made));
        }
        const float *frame = is_kept(mel, t) ? mel->ring + (size_t)t % mel->slots * n_mels
                                             : mel->values + (size_t)(t - made) * n_mels;
        for (size_t m = 0; m < n_mels; m++)
            out[m] = (WH_MAX(frame[m], least) + 4.0f) / 4.0f;
    }
}
