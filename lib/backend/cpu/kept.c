/* kept.c - see kept.h. The plan was found by measuring words (docs/short-sound.md). */
#include "backend/cpu/kept.h"

#include <math.h>

#include "util/util.h"

#define MARGIN 50 /* positions after the sound that are all kept: a second */

int wh_kept_frames(const float *mel, int ctx, int bands)
{
    size_t n = 2 * (size_t)ctx * (size_t)bands;
    while (n > 0 && mel[n - 1] == 0.0f)
        n--;
    return (int)((n + (size_t)bands - 1) / (size_t)bands);
}

static int plain(int frames, int ctx)
{
    return WH_MIN((frames + 1) / 2 + MARGIN, ctx);
}

int wh_kept_leaves_out(int frames, int ctx)
{
    return plain(frames, ctx) < ctx - 1; /* a row that stands for one is no shorter */
}

/* Then stretches of which every k-th is. */
static const struct {
    int width, k;
} stretches[] = {{100, 2}, {200, 4}, {1 << 24, 8}};

void wh_kept_choose(wh_kept *kept, int frames, int ctx, enum wh_hearing how)
{
    int at = how == WH_HEAR_FULL ? ctx : plain(frames, ctx);
    kept->n = kept->n_plain = at;
    for (int i = 0; i < kept->n; i++) {
        kept->position[i] = kept->kept_by[i] = i;
        kept->log_counts[i] = 0;
    }
    for (size_t s = 0; at < ctx; s++) {
        int stop = WH_MIN(at + stretches[s].width, ctx);
        while (at < stop) {
            int n = WH_MIN(stretches[s].k, ctx - at);
            kept->position[kept->n] = at + n / 2;
            kept->log_counts[kept->n] = log2f((float)n);
            for (int i = 0; i < n; i++)
                kept->kept_by[at + i] = kept->n;
            kept->n++;
            at += n;
        }
    }
}
