/* embedder.c - stretches of sound to embeddings: filter banks, CAM++'s head one after the other, its blocks for several
 * stretches together; see speakers.h and campplus.h. */
#include <stdlib.h>
#include <string.h>

#include "speakers/campplus.h"

#define TOGETHER 4 /* stretches whose blocks are computed together, so that weights are fetched once */

static int make_plane(wh_cam_plane *plane, size_t n, int is_int8)
{
    plane->f32 = wh_alloc_aligned(n, sizeof *plane->f32);
    plane->int8 = is_int8 ? wh_alloc_aligned(n, 1) : NULL;
    return plane->f32 && (plane->int8 || !is_int8) ? WHISP_OK : wh_fail_memory();
}

static void free_plane(wh_cam_plane *plane)
{
    free(plane->f32);
    free(plane->int8);
}

/* Stretches of so many rows that there is room for. */
static size_t together(size_t rows)
{
    return rows * TOGETHER <= WH_CAM_ROWS ? TOGETHER : WH_CAM_ROWS / rows;
}

static int make_buffers(wh_embedder *e)
{
    int is_int8 = e->net->is_int8, rc = wh_filterbank_new(&e->filterbank);
    for (int i = 0; i < 3 && !rc; i++)
        rc = make_plane(&e->planes[i], wh_cam_plane_size(i), is_int8);
    if (rc || (rc = make_plane(&e->head, (WH_CAM_FRAMES + 4) * (size_t)WH_HEAD_OUT, is_int8)) ||
        (rc = make_plane(&e->inner, (WH_CAM_ROWS + 4) * (size_t)WH_CAM_INNER, is_int8)))
        return rc;
    e->banks = wh_alloc_aligned((size_t)WH_CAM_FRAMES * WH_BANKS, sizeof *e->banks);
    e->heard = wh_alloc_aligned((size_t)WH_CAM_FRAMES * WH_BANKS, sizeof *e->heard);
    e->features = wh_alloc_aligned((size_t)(WH_CAM_FRAMES + 2) * (WH_BANKS + 2), sizeof *e->features);
    e->x = wh_alloc_aligned((size_t)WH_CAM_ROWS * WH_CAM_LD, sizeof *e->x);
    e->seen = wh_alloc_aligned((is_int8 ? 1 : (size_t)WH_CAM_ROWS) * WH_CAM_LD, sizeof *e->seen);
    e->seen_int8 = is_int8 ? wh_alloc_aligned(WH_CAM_ROWS, WH_CAM_CHANNELS) : NULL;
    e->seen_scale = wh_alloc_aligned(WH_CAM_ROWS, sizeof *e->seen_scale);
    int is_made = e->banks && e->heard && e->features && e->x && e->seen && (e->seen_int8 || !is_int8) && e->seen_scale;
    return is_made ? WHISP_OK : wh_fail_memory();
}

int wh_embedder_new(const whisp_speakers *s, wh_embedder **embedder)
{
    wh_embedder *e = wh_calloc(1, sizeof *e);
    if (!e)
        return wh_fail_memory();
    e->net = s->campplus;
    int rc = make_buffers(e);
    if (rc)
        wh_embedder_free(e);
    else
        *embedder = e;
    return rc;
}

void wh_embedder_free(wh_embedder *e)
{
    if (!e)
        return;
    wh_filterbank_free(e->filterbank);
    for (size_t i = 0; i < WH_COUNT(e->planes); i++)
        free_plane(&e->planes[i]);
    free_plane(&e->head);
    free_plane(&e->inner);
    free(e->banks);
    free(e->heard);
    free(e->features);
    free(e->x);
    free(e->seen);
    free(e->seen_int8);
    free(e->seen_scale);
    free(e);
}

/* The banks of a stretch to e->heard, of which those of the stretch before it in the call stand there: what both hear stays.
 * `before`: where that begins, or SIZE_MAX. */
static void hear(wh_embedder *e, const float *samples, size_t start, size_t before, size_t frames)
{
    size_t kept = 0;
    if (before <= start && (start - before) % WH_BANK_STEP == 0 && (start - before) / WH_BANK_STEP < frames) {
        size_t gone = (start - before) / WH_BANK_STEP;
        kept = frames - gone;
        memmove(e->heard, e->heard + gone * WH_BANKS, kept * WH_BANKS * sizeof *e->heard);
    }
    wh_filterbank_run(e->filterbank, samples + start + kept * WH_BANK_STEP, frames - kept, e->heard + kept * WH_BANKS);
}

/* Each bank's mean over the frames is taken off: what a microphone or a room does to all of them. */
static void take_mean_off(wh_embedder *e, size_t frames)
{
    double sum[WH_BANKS] = {0};
    float mean[WH_BANKS];
    for (size_t t = 0; t < frames; t++)
        for (size_t b = 0; b < WH_BANKS; b++)
            sum[b] += e->heard[t * WH_BANKS + b];
    for (size_t b = 0; b < WH_BANKS; b++)
        mean[b] = (float)(sum[b] / (double)frames);
    for (size_t t = 0; t < frames; t++)
        for (size_t b = 0; b < WH_BANKS; b++)
            e->banks[t * WH_BANKS + b] = e->heard[t * WH_BANKS + b] - mean[b];
}

void wh_embed(wh_embedder *e, const float *samples, const size_t *starts, size_t n, size_t length, float *out)
{
    const size_t frames = wh_filterbank_frames(length), rows = (frames + 1) / 2, most = together(rows);
    for (size_t i = 0, count; i < n; i += count, out += count * WH_VOICE_SIZE) {
        count = WH_MIN(most, n - i);
        for (size_t s = 0; s < count; s++) {
            hear(e, samples, starts[i + s], i + s ? starts[i + s - 1] : SIZE_MAX, frames);
            take_mean_off(e, frames);
            wh_campplus_head(e, frames);
            wh_campplus_enter(e, frames, e->x + s * rows * WH_CAM_LD);
        }
        wh_campplus_blocks(e, e->x, count, rows, out);
    }
}
