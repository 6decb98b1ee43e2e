/* stretch.c - a stretch's voice: kept in a byte a number, compared with others, and how surely a recording's voices tell
 * people apart. See heard.h. */
#include <math.h>
#include <stdlib.h>

#include "speakers/heard.h"

static int32_t dot(const int8_t *a, const int8_t *b)
{
    int32_t sum = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        sum += a[i] * b[i];
    return sum;
}

void wh_stretch_store(wh_stretch *stretch, const float *voice)
{
    float most = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        most = isfinite(voice[i]) ? fmaxf(most, fabsf(voice[i])) : INFINITY;
    const int is_voice = most > 1e-30f && most < 1e30f; /* else nobody's: like nothing */
    const float scale = is_voice ? 127 / most : 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        stretch->voice[i] = is_voice ? (int8_t)lrintf(voice[i] * scale) : 0;
    const int32_t length = dot(stretch->voice, stretch->voice);
    stretch->inverse = length > 0 ? 1 / sqrtf((float)length) : 0;
}

float wh_stretch_score(const wh_stretch *stretch, const float *centroid)
{
    float sum = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        sum += (float)stretch->voice[i] * centroid[i];
    return sum * stretch->inverse;
}

float wh_stretch_cosine(const wh_stretch *a, const wh_stretch *b)
{
    return (float)dot(a->voice, b->voice) * a->inverse * b->inverse;
}

/* ---- how clear voices are ---- */

#define NEXT (WH_STRETCH_SAMPLES / WH_STRETCH_STEP) /* places from a stretch to the one that begins where it ends */
#define LOOKED_AT 240                               /* places from the start */
#define PAIRS_LEAST 3
#define SHARE 0.7f /* of the pairs that are less alike: changes of speaker are among them, too */

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

float wh_stretches_clear(const wh_stretch *stretches, size_t n)
{
    float cosines[LOOKED_AT];
    size_t pairs = 0;
    for (size_t i = 0; i < n && stretches[i].at < LOOKED_AT && pairs < LOOKED_AT; i++)
        for (size_t j = i + 1; j < n && stretches[j].at <= stretches[i].at + NEXT; j++)
            if (stretches[j].at == stretches[i].at + NEXT && pairs < LOOKED_AT)
                cosines[pairs++] = wh_stretch_cosine(&stretches[i], &stretches[j]);
    if (pairs < PAIRS_LEAST)
        return 0;
    qsort(cosines, pairs, sizeof *cosines, compare);
    return cosines[(size_t)((float)pairs * SHARE)];
}
