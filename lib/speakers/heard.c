/* heard.c - who of up to three speaks in each frame: the segmentation's windows of 10 s, which overlap by half, become one
 * row of frames. See heard.h.
 *
 * A window calls voices a, b and c as it likes. So each window's are renamed such that they agree best with the one's
 * before where both hear. Whether anybody speaks, and whether two do, is the mean of both windows, the one whose middle
 * is nearer counting more; who it is says that one alone: a mean of two that disagree would be nobody. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/heard.h"

/* Thresholds, chosen on recordings (docs/speakers.md). */
#define SPEECH_ODDS 0.15f       /* of the segmentation times the root of Silero's */
#define SPEECH_ODDS_ALONE 0.67f /* without Silero */
#define BOTH 0.7f               /* chance that two speak */

int wh_heard_init(wh_heard *h)
{
    *h = (wh_heard){0};
    h->active = wh_calloc(WH_SEGMENT_FRAMES, sizeof *h->active);
    h->somebody = wh_calloc(WH_SEGMENT_FRAMES, sizeof *h->somebody);
    h->both = wh_calloc(WH_SEGMENT_FRAMES, sizeof *h->both);
    return h->active && h->somebody && h->both ? WHISP_OK : wh_fail_memory();
}

void wh_heard_free(wh_heard *h)
{
    free(h->active);
    free(h->somebody);
    free(h->both);
    free(h->frames);
    free(h->stretches);
    *h = (wh_heard){0};
}

/* A window's classes as chances. */
static void marginals(const float *log_probabilities, float (*active)[WH_SLOTS], float *somebody, float *both)
{
    for (int f = 0; f < WH_SEGMENT_FRAMES; f++) {
        float p[WH_SEGMENT_CLASSES];
        for (int c = 0; c < WH_SEGMENT_CLASSES; c++)
            p[c] = expf(log_probabilities[f * WH_SEGMENT_CLASSES + c]);
        active[f][0] = p[1] + p[4] + p[5];
        active[f][1] = p[2] + p[4] + p[6];
        active[f][2] = p[3] + p[5] + p[6];
        somebody[f] = 1 - p[0];
        both[f] = p[4] + p[5] + p[6];
    }
}

static const uint8_t orders[][WH_SLOTS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

/* Rename this window's voices after those of the window before. The middle of the overlap counts most: that is where both
 * windows hear well. */
static void rename_slots(const float (*before)[WH_SLOTS], float (*active)[WH_SLOTS])
{
    double apart[WH_SLOTS][WH_SLOTS] = {{0}};
    for (int f = 0; f < WH_WINDOW_OVERLAP; f++) {
        const int weight = WH_MIN(f + 1, WH_WINDOW_OVERLAP - f);
        for (int a = 0; a < WH_SLOTS; a++)
            for (int b = 0; b < WH_SLOTS; b++)
                apart[a][b] += weight * fabsf(before[f + WH_WINDOW_STEP][a] - active[f][b]);
    }
    const uint8_t *best = orders[0];
    double least = INFINITY;
    for (size_t i = 0; i < WH_COUNT(orders); i++) {
        const uint8_t *o = orders[i];
        const double sum = apart[0][o[0]] + apart[1][o[1]] + apart[2][o[2]];
        if (sum < least) {
            least = sum;
            best = o;
        }
    }
    for (int f = 0; f < WH_SEGMENT_FRAMES; f++) {
        const float given[WH_SLOTS] = {active[f][0], active[f][1], active[f][2]};
        for (int s = 0; s < WH_SLOTS; s++)
            active[f][s] = given[best[s]];
    }
}

static float odds(float p)
{
    const float least = 1e-4f;
    p = p < least ? least : p > 1 - least ? 1 - least : p;
    return p / (1 - p);
}

/* A frame's byte. */
static uint8_t decide(size_t frame, const float *active, float somebody, float both, wh_heard_speech speech)
{
    int is_speech;
    if (speech.probabilities && speech.n > 0) {
        const size_t chunk = (frame * WH_SEGMENT_STEP + 495) / WH_VAD_CHUNK;
        is_speech = odds(somebody) * sqrtf(odds(speech.probabilities[WH_MIN(chunk, speech.n - 1)])) > SPEECH_ODDS;
    } else {
        is_speech = odds(somebody) > SPEECH_ODDS_ALONE;
    }
    if (!is_speech)
        return 0;
    int first = 0;
    for (int s = 1; s < WH_SLOTS; s++)
        if (active[s] > active[first])
            first = s;
    int second = first == 0;
    for (int s = second + 1; s < WH_SLOTS; s++)
        if (s != first && active[s] > active[second])
            second = s;
    return (uint8_t)(1 << first | (both > BOTH) << second);
}

int wh_heard_window(wh_heard *h, const float *log_probabilities, wh_heard_speech speech)
{
    float active[WH_SEGMENT_FRAMES][WH_SLOTS], somebody[WH_SEGMENT_FRAMES], both[WH_SEGMENT_FRAMES];
    marginals(log_probabilities, active, somebody, both);
    int rc = wh_grow(&h->frames, &h->frames_capacity, h->n_frames + WH_WINDOW_STEP, sizeof *h->frames);
    if (rc)
        return rc;
    if (h->windows > 0)
        rename_slots((const float(*)[WH_SLOTS])h->active, active);
    for (int f = 0; f < WH_WINDOW_STEP; f++) {
        const int had = f + WH_WINDOW_STEP; /* the same frame in the window before */
        float s = somebody[f], b = both[f];
        const float *a = active[f];
        if (h->windows > 0 && had < WH_SEGMENT_FRAMES) {
            const float share = (float)(f + 1) / (float)(f + 1 + WH_SEGMENT_FRAMES - had);
            s = share * s + (1 - share) * h->somebody[had];
            b = share * b + (1 - share) * h->both[had];
            if (f < WH_WINDOW_OVERLAP / 2)
                a = h->active[had];
        }
        h->frames[h->n_frames] = decide(h->n_frames, a, s, b, speech);
        h->n_frames++;
    }
    memcpy(h->active, active, sizeof active);
    memcpy(h->somebody, somebody, sizeof somebody);
    memcpy(h->both, both, sizeof both);
    h->windows++;
    return WHISP_OK;
}

int wh_heard_finish(wh_heard *h, size_t total, wh_heard_speech speech)
{
    int rc = wh_grow(&h->frames, &h->frames_capacity, total, sizeof *h->frames);
    for (int f = WH_WINDOW_STEP; !rc && f < WH_SEGMENT_FRAMES && h->n_frames < total; f++) {
        h->frames[h->n_frames] = decide(h->n_frames, h->active[f], h->somebody[f], h->both[f], speech);
        h->n_frames++;
    }
    h->n_frames = WH_MIN(h->n_frames, total);
    return rc;
}

void wh_heard_range(const wh_heard *h, int64_t start, int64_t n, size_t *first, size_t *end)
{
    const int64_t a = (start - 360) / WH_SEGMENT_STEP, b = (start + n - 360) / WH_SEGMENT_STEP;
    *first = a < 0 ? 0 : WH_MIN((size_t)a, h->n_frames);
    *end = b < 0 ? 0 : WH_MIN((size_t)b, h->n_frames);
}

void wh_heard_slots(const wh_heard *h, int64_t start, int64_t n, float *slots)
{
    size_t first, end, count[WH_SLOTS] = {0};
    wh_heard_range(h, start, n, &first, &end);
    for (size_t f = first; f < end; f++)
        for (int s = 0; s < WH_SLOTS; s++)
            count[s] += h->frames[f] == 1 << s;
    for (int s = 0; s < WH_SLOTS; s++)
        slots[s] = end > first ? (float)count[s] / (float)(end - first) : 0;
}

size_t wh_heard_ruler(const wh_heard *h, size_t frame)
{
    const size_t half = WH_WINDOW_OVERLAP / 2, last = h->windows > 0 ? h->windows - 1 : 0;
    return frame < half ? 0 : WH_MIN((frame - half) / WH_WINDOW_STEP, last);
}
