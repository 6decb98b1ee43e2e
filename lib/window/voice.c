/* voice.c - where in a window there is sound, and where somebody may speak (see voice.h).
 *
 * Two witnesses. The spectrum: blocks of 0.1 s whose shape is another than the window's usual one. Silence, hum, hiss,
 * noise that swells have none; speech has them even where noise is 5 dB stronger (docs/hallucination.md). And a voice
 * activity model, which costs more and is asked where there is a doubt. */
#include "window/voice.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/pages.h"
#include "window/window.h"

#define BANDS 10         /* that a block's spectrum is summed to */
#define MOST_MELS 512    /* bands of log-Mel that a model may have (lib/model/model.c) */
#define SHAPE 0.45       /* log10: how far a band may be from the usual shape in noise; 4.5 dB */
#define FLOOR (-7.8)     /* log10 of a band's mean power: what a recorder's last bit makes; not a sound */
#define ABOVE_CLAMP 0.05 /* log10: a band's mean is above the value to which the log-Mel is clamped */

#define LEAD (5 * WH_SAMPLE_RATE) /* samples that the voice activity network hears before the window */
#define RING                                                                                                           \
    ((int64_t)WH_STORE_FRAMES * WH_HOP + LEAD + WH_SAMPLE_RATE) /* kept: all that a session holds, LEAD before */
#define FORGOTTEN (15 * WH_SAMPLE_RATE)                         /* samples that are given back at a time, at least */
#define VOICED 0.3f     /* mean probability over VOICED_CHUNKS from which somebody may speak */
#define VOICED_CHUNKS 3 /* of 32 ms */

/* ---- making ---- */

int wh_voice_new(const whisp_options *options, const char *path, size_t samples, wh_voice *owner, wh_voice **voice)
{
    wh_voice *v = *voice = wh_calloc(1, sizeof *v);
    if (!v)
        return wh_fail_memory();
    v->options = options;
    v->owner = owner ? owner : v;
    pthread_mutex_init(&v->mutex, NULL);
    if (!path)
        return WHISP_OK;
    v->path = strdup(path);
    v->ring_size = WH_MAX(RING, (int64_t)samples + LEAD);
    v->ring = wh_calloc((size_t)v->ring_size, sizeof *v->ring);
    return v->path && v->ring ? WHISP_OK : wh_fail_memory();
}

void wh_voice_free(wh_voice *v)
{
    if (!v)
        return;
    if (v->vad)
        wh_vad_net_free(&v->net);
    whisp_vad_free(v->loaded);
    pthread_mutex_destroy(&v->mutex);
    free(v->path);
    free(v->ring);
    free(v);
}

void wh_voice_reset(wh_voice *v)
{
    if (v)
        v->pushed = v->forgotten = 0;
}

/* To the nearest, the even one of two: a number below 2^22 has no digits behind the point once 1.5 * 2^23 is added. NaN and
 * infinity are 0. Without calls and branches, so that the compiler makes vectors of it. */
static void to_16_bits(const float *samples, int16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float x = samples[i] * 32768.0f;
        float limited = x < -32768.0f ? -32768.0f : x > 32767.0f ? 32767.0f : x;
        float rounded = limited + 12582912.0f;
        int32_t bits;
        memcpy(&bits, &rounded, sizeof bits);
        out[i] = (int16_t)(fabsf(samples[i]) <= FLT_MAX ? bits - 0x4b400000 : 0);
    }
}

void wh_voice_push(wh_voice *v, const float *samples, size_t n)
{
    if (!v || !v->ring)
        return;
    while (n > 0) { /* up to the ring's end */
        size_t at = (size_t)(v->pushed % v->ring_size), some = WH_MIN(n, (size_t)v->ring_size - at);
        to_16_bits(samples, v->ring + at, some);
        v->pushed += (int64_t)some;
        samples += some;
        n -= some;
    }
}

void wh_voice_jump(wh_voice *v, int64_t sample)
{
    if (v)
        v->pushed = v->forgotten = sample;
}

/* Of a ring that was never filled once, as a part's: in others what is old is written over. By the megabyte, because
 * each time interrupts the other cores. */
void wh_voice_forget(wh_voice *v, int64_t frame)
{
    if (!v || !v->ring || v->pushed > v->ring_size)
        return;
    frame = WH_MAX(0, WH_MIN(frame, v->pushed / WH_HOP)); /* behind the last clip it is as far as can be */
    int64_t end = frame * WH_HOP - 2 * LEAD;
    if (end - v->forgotten < FORGOTTEN)
        return;
    wh_pages_rest(v->ring + v->forgotten, (size_t)(end - v->forgotten) * sizeof *v->ring);
    v->forgotten = end;
}

int wh_voice_has_samples(const wh_voice *v)
{
    return v && v->ring;
}

void wh_voice_samples(const void *voice, int64_t at, float *samples, size_t n)
{
    const wh_voice *v = voice;
    for (size_t i = 0; i < n; i++, at++)
        samples[i] = at < 0 || at >= v->pushed || at < v->pushed - v->ring_size
                         ? 0
                         : (float)v->ring[at % v->ring_size] / 32768.0f;
}

/* ---- the spectrum ---- */

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double log_power(float scaled)
{
    return (double)scaled * 4 - 4;
}

/* 10^log_power(scaled) of n numbers: there are 228,000 a window, and seven digits are enough. 2^x as 2^(whole part) times a
 * polynomial (least squares of the relative error over Chebyshev nodes, under 2e-7) of the rest, -0.5 to 0.5; in
 * vectors, as above. */
static void powers(const float *scaled, float *out, int n)
{
    for (int i = 0; i < n; i++) {
        float x = (scaled[i] * 4 - 4) * 3.32192809f;
        x = x < -120.0f ? -120.0f : x > 120.0f ? 120.0f : x;
        float whole = x + 12582912.0f, r = x - (whole - 12582912.0f);
        float y = 1.0f +
                  r * (0.693147182f +
                       r * (0.240226462f +
                            r * (0.0555032901f + r * (0.00961851981f + r * (0.00133998599f + r * 0.000153375775f)))));
        uint32_t exponent, bits; /* NaN, which is not limited, overflows */
        memcpy(&exponent, &whole, sizeof exponent);
        memcpy(&bits, &y, sizeof bits);
        bits += (exponent - 0x4b400000U) * (1U << 23);
        memcpy(&out[i], &bits, sizeof bits);
    }
}

/* A block's bands: log10 of their mean power, less their mean over the bands. Returns the loudest band. */
static double block_shape(const float *frames, int n_mels, float *shape)
{
    float power[WH_VOICE_BLOCK * MOST_MELS];
    int first = n_mels / 20, used = n_mels - first; /* the lowest bins are few and restless */
    double mean = 0, loudest = -10;
    powers(frames, power, WH_VOICE_BLOCK * n_mels);
    for (int b = 0; b < BANDS; b++) {
        int from = first + used * b / BANDS, to = first + used * (b + 1) / BANDS;
        double sum = 0;
        for (int t = 0; t < WH_VOICE_BLOCK; t++)
            for (int m = from; m < to; m++)
                sum += (double)power[t * n_mels + m];
        double level = log10(sum / (WH_VOICE_BLOCK * WH_MAX(to - from, 1)) + 1e-12);
        loudest = fmax(loudest, level);
        mean += level / BANDS;
        shape[b] = (float)level;
    }
    for (int b = 0; b < BANDS; b++)
        shape[b] -= (float)mean;
    return loudest;
}

/* The level of digital silence in a window. Beside loud sound it is the one to which the log-Mel is clamped. */
static double silence_level(const float *window, int64_t frames, int n_mels)
{
    float lanes[8], least = INFINITY; /* a vector's, so that no number waits for the one before */
    int64_t n = frames * n_mels, i = 0;
    for (int k = 0; k < 8; k++)
        lanes[k] = INFINITY;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            lanes[k] = window[i + k] < lanes[k] ? window[i + k] : lanes[k];
    for (; i < n; i++)
        lanes[0] = window[i] < lanes[0] ? window[i] : lanes[0];
    for (int k = 0; k < 8; k++)
        least = lanes[k] < least ? lanes[k] : least;
    return fmax(FLOOR, log_power(least) + ABOVE_CLAMP);
}

int wh_voice_activity(const float *window, int64_t frames, int n_mels, unsigned char *active, unsigned char *sounds)
{
    float shape[WH_VOICE_BLOCKS][BANDS], sorted[WH_VOICE_BLOCKS], usual[BANDS];
    int n = (int)(frames / WH_VOICE_BLOCK), found = 0, n_sounds = 0;
    double silence = silence_level(window, frames, n_mels);
    for (int i = 0; i < n; i++)
        n_sounds += sounds[i] = block_shape(window + (size_t)i * WH_VOICE_BLOCK * (size_t)n_mels, n_mels, shape[i]) >
                                silence;
    for (int b = 0; b < BANDS; b++) {
        int k = 0;
        for (int i = 0; i < n; i++)
            if (sounds[i])
                sorted[k++] = shape[i][b];
        qsort(sorted, (size_t)k, sizeof *sorted, ascending);
        usual[b] = k ? sorted[k / 2] : 0;
    }
    for (int i = 0; i < n; i++) {
        int differs = n_sounds * 2 < n; /* any sound in silence does */
        for (int b = 0; b < BANDS; b++)
            differs |= fabs((double)shape[i][b] - usual[b]) > SHAPE;
        active[i] = sounds[i] && differs && i > 0 && i < n - 1; /* a recording's ends make a click of their own */
        found += active[i];
    }
    return found;
}

void wh_voice_listen(wh_voice *v, const float *window, int64_t frames, int n_mels)
{
    v->blocks = (int)(frames / WH_VOICE_BLOCK);
    v->has_voice = v->n_voiced = v->n_sounds = 0;
    v->evidence = 0;
    memset(v->voiced, 0, sizeof v->voiced);
    v->n_active = wh_voice_activity(window, frames, n_mels, v->active, v->sounds);
    for (int i = 0; i < v->blocks; i++)
        v->n_sounds += v->sounds[i];
}

/* ---- the voice activity model ---- */

/* The model is loaded when the first window needs it: most recordings have none. 0 without one. */
static int load(wh_voice *v)
{
    if (!v->path || v->vad)
        return v->vad != NULL;
    wh_vad_net net;
    if (wh_vad_net_init(&net))
        return wh_fail_memory();
    pthread_mutex_lock(&v->owner->mutex);
    whisp_vad *vad = v->owner->loaded;
    int rc = vad ? WHISP_OK : whisp_vad_load(v->path, &vad);
    v->owner->loaded = vad;
    pthread_mutex_unlock(&v->owner->mutex);
    if (!rc) {
        v->vad = vad;
        v->net = net;
        return 1;
    }
    wh_vad_net_free(&net);
    wh_log(v->options, WHISP_LOG_WARNING, "what is a voice is judged without %s: %s", v->path, whisp_last_error());
    free(v->path);
    v->path = NULL;
    return 0;
}

/* Samples from .. to of the window have a voice in them. */
static void mark(wh_voice *v, int64_t from, int64_t to)
{
    const int64_t block = WH_VOICE_BLOCK * WH_HOP;
    for (int64_t b = WH_MAX(from, 0) / block; to >= 0 && b <= to / block && b < v->blocks; b++)
        v->voiced[b] = 1;
}

/* The network begins anew LEAD samples before the window: the same for the same samples, whenever they were pushed. */
int wh_voice_find(wh_voice *v, int64_t seek, int64_t frames)
{
    float chunks[WH_VAD_BATCH * WH_VAD_CHUNK], p[WH_VAD_BATCH], last[VOICED_CHUNKS] = {0};
    int rc = v->has_voice ? 0 : load(v);
    if (rc <= 0)
        return rc;
    int64_t begin = seek * WH_HOP, end = begin + frames * WH_HOP, at = WH_MAX(begin - LEAD, 0), searched = at,
            count = 0;
    wh_vad_net_reset(&v->net);
    while (at < end) {
        int n = (int)WH_MIN((end - at + WH_VAD_CHUNK - 1) / WH_VAD_CHUNK, WH_VAD_BATCH);
        wh_voice_samples(v, at, chunks, (size_t)n * WH_VAD_CHUNK);
        wh_vad_net_run(v->vad, &v->net, chunks, n, p);
        for (int i = 0; i < n; i++, at += WH_VAD_CHUNK) {
            float sum = 0;
            last[count++ % VOICED_CHUNKS] = p[i];
            for (int k = 0; k < VOICED_CHUNKS; k++)
                sum += last[k];
            if (sum < VOICED * VOICED_CHUNKS)
                continue;
            searched = at + WH_VAD_CHUNK;
            mark(v, at - (VOICED_CHUNKS - 1) * WH_VAD_CHUNK - begin, at + WH_VAD_CHUNK - 1 - begin);
        }
    }
    for (int i = 0; i < v->blocks; i++)
        v->n_voiced += v->voiced[i];
    v->evidence = (double)(end - searched) / WH_SAMPLE_RATE;
    v->has_voice = 1;
    return WHISP_OK;
}

int wh_voice_is_dead(const wh_voice *v, int i)
{
    return !v->sounds[i] || (v->has_voice && !v->voiced[i] && !v->active[i]);
}

int wh_voice_count(const wh_voice *v, int from, int to)
{
    const unsigned char *marks = v->has_voice ? v->voiced : v->active;
    int n = 0;
    for (int i = WH_MAX(from, 0); i < WH_MIN(to, v->blocks); i++)
        n += marks[i] && v->sounds[i];
    return n;
}
