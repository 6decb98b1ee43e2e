/* turns.c - frames and people to turns: the slots of the segmentation, which mean something only for seconds, get the names
 * of people. See heard.h.
 *
 * The frames are cut into pieces in which the same slots speak. Where one speaks, the piece is of the person whom the
 * stretches over it are most like; stretches of that slot nearby count a little. Where two speak, stretches say little:
 * each of the two is who speaks in that slot just before or after. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/heard.h"

#define PIECE_FRAMES 59   /* a piece of one speaker is a second at most: the segmentation misses changes */
#define PAUSE_FRAMES 12   /* a pause of up to 0.2 s is none: words have such */
#define REACH_FRAMES 296  /* how far from a piece stretches and pieces count: 5 s */
#define FADE_FRAMES 59.0f /* within which their weight falls by e */
#define NEARBY 0.05f      /* weight of stretches of the same slot beside the piece */
#define OVERLAPPED 0.02f  /* weight of stretches in which two speak for who they are */

/* Consecutive frames in which the same slots speak. */
typedef struct piece {
    uint32_t start, end; /* frames start .. end - 1 */
    uint32_t ruler;      /* the window whose slots they are */
    uint8_t slots;       /* a bit each */
    uint8_t n_people;
    uint8_t people[2];
} piece;

/* Where a stretch lies. */
typedef struct place {
    uint32_t start, end, middle, ruler; /* frames; the window of its middle */
} place;

typedef struct work {
    const wh_heard *heard;
    int n_people;
    piece *pieces; /* [n] */
    size_t n, capacity;
    place *places; /* [heard->n] */
    float *scores; /* [heard->n][n_people] cosines */
    float *solos;  /* [n][n_people] what the pieces of one speaker were given to their person by */
} work;

static int slot_of(uint8_t slots)
{
    return slots == 1 ? 0 : slots == 2 ? 1 : slots == 4 ? 2 : -1;
}

/* ---- pieces ---- */

static int add_pieces(work *w, uint32_t start, uint32_t end, uint32_t ruler, uint8_t slots)
{
    const uint32_t n = slot_of(slots) < 0 ? 1 : (end - start + PIECE_FRAMES - 1) / PIECE_FRAMES;
    int rc = wh_grow(&w->pieces, &w->capacity, w->n + n, sizeof *w->pieces);
    for (uint32_t i = 0; !rc && i < n; i++)
        w->pieces[w->n++] = (piece){.start = start + (end - start) * i / n,
                                    .end = start + (end - start) * (i + 1) / n,
                                    .ruler = ruler,
                                    .slots = slots};
    return rc;
}

static int cut_pieces(work *w)
{
    const wh_heard *h = w->heard;
    int rc = WHISP_OK;
    for (size_t f = 0, start = 0; !rc && f < h->n_frames; f++) {
        const size_t ruler = wh_heard_ruler(h, f);
        if (f + 1 < h->n_frames && h->frames[f + 1] == h->frames[f] && wh_heard_ruler(h, f + 1) == ruler)
            continue;
        if (h->frames[f])
            rc = add_pieces(w, (uint32_t)start, (uint32_t)f + 1, (uint32_t)ruler, h->frames[f]);
        start = f + 1;
    }
    return rc;
}

static void score_stretches(work *w, const wh_people *people)
{
    const wh_heard *h = w->heard;
    for (size_t i = 0; i < h->n; i++) {
        size_t start, end;
        wh_heard_range(h, (int64_t)h->stretches[i].at * WH_STRETCH_STEP, WH_STRETCH_SAMPLES, &start, &end);
        const size_t middle = (start + end) / 2;
        w->places[i] = (place){(uint32_t)start, (uint32_t)end, (uint32_t)middle, (uint32_t)wh_heard_ruler(h, middle)};
        for (int k = 0; k < people->n; k++)
            w->scores[i * (size_t)people->n + (size_t)k] = wh_stretch_score(&h->stretches[i],
                                                                            people->centroids + k * WH_VOICE_SIZE);
    }
}

static int best_of(const float *scores, int n)
{
    int best = 0;
    for (int k = 1; k < n; k++)
        if (scores[k] > scores[best])
            best = k;
    return best;
}

/* Frames between two that are apart; 0 if they touch or overlap. */
static uint32_t gap(uint32_t start, uint32_t end, uint32_t other_start, uint32_t other_end)
{
    return start > other_end ? start - other_end : other_start > end ? other_start - end : 0;
}

static uint32_t shared(uint32_t start, uint32_t end, uint32_t other_start, uint32_t other_end)
{
    const uint32_t a = WH_MAX(start, other_start), b = WH_MIN(end, other_end);
    return b > a ? b - a : 0;
}

/* Add weight times from to sum, n numbers. */
static void add(float *sum, const float *from, float weight, int n)
{
    for (int k = 0; k < n; k++)
        sum[k] += weight * from[k];
}

/* The stretch that is nearest to a piece which none with its slot is near to; `first` as in name_solo(). */
static size_t nearest_stretch(const work *w, const piece *p, size_t first)
{
    size_t best = 0;
    uint32_t least = UINT32_MAX;
    for (size_t i = first > 0 ? first - 1 : 0; i < w->heard->n; i++) {
        const uint32_t far = gap(p->start, p->end, w->places[i].start, w->places[i].end);
        if (far < least) {
            least = far;
            best = i;
        }
        if (w->places[i].start > p->end)
            break;
    }
    return best;
}

/* Who speaks in a piece of one speaker. *first is where the stretches that reach it begin; it moves on with the pieces. */
static void name_solo(work *w, size_t index, size_t *first)
{
    piece *p = &w->pieces[index];
    const int slot = slot_of(p->slots), n = w->n_people;
    float *v = w->solos + index * (size_t)n, total = 0;
    const size_t n_stretches = w->heard->n;
    while (*first < n_stretches && w->places[*first].end + REACH_FRAMES < p->start)
        ++*first;
    for (size_t i = *first; i < n_stretches && w->places[i].start < p->end + REACH_FRAMES; i++) {
        const place *at = &w->places[i];
        const float pure = w->heard->stretches[i].slots[slot] * w->heard->stretches[i].slots[slot];
        if (at->end <= at->start || pure <= 0)
            continue;
        float weight = (float)shared(p->start, p->end, at->start, at->end) / (float)(at->end - at->start) * pure;
        if (at->ruler == p->ruler)
            weight += NEARBY * pure * expf(-(float)gap(p->start, p->end, at->start, at->end) / FADE_FRAMES);
        add(v, w->scores + i * (size_t)n, weight, n);
        total += weight;
    }
    if (total <= 0)
        add(v, w->scores + nearest_stretch(w, p, *first) * (size_t)n, total = 1, n);
    for (int k = 0; k < n; k++)
        v[k] /= total;
    p->n_people = 1;
    p->people[0] = (uint8_t)best_of(v, n);
}

/* What speaks for each person in one slot of a piece in which two speak. */
static void score_overlapped(const work *w, size_t index, int slot, size_t first, float *v)
{
    const piece *p = &w->pieces[index];
    const int n = w->n_people;
    float total = 0;
    memset(v, 0, (size_t)n * sizeof *v);
    for (int way = -1; way <= 1; way += 2)
        for (size_t i = index; way < 0 ? i > 0 : i + 1 < w->n;) {
            i = way < 0 ? i - 1 : i + 1;
            const piece *q = &w->pieces[i];
            const uint32_t far = gap(p->start, p->end, q->start, q->end);
            if (far > REACH_FRAMES)
                break;
            if (slot_of(q->slots) != slot || (q->ruler != p->ruler && far > 5))
                continue;
            const float weight = expf(-(float)far / FADE_FRAMES) * fminf((float)(q->end - q->start) / PIECE_FRAMES, 1);
            add(v, w->solos + i * (size_t)n, weight, n);
            total += weight;
        }
    for (size_t i = first; i < w->heard->n && w->places[i].start < p->end; i++) {
        const float weight = OVERLAPPED * (float)shared(p->start, p->end, w->places[i].start, w->places[i].end) /
                             PIECE_FRAMES;
        add(v, w->scores + i * (size_t)n, weight, n);
        total += weight;
    }
    for (int k = 0; k < n && total > 0; k++)
        v[k] /= total;
}

/* Two people at once, different ones: the pair that speaks best for itself. */
static void name_overlapped(work *w, size_t index, size_t *first, float *scratch)
{
    piece *p = &w->pieces[index];
    const int n = w->n_people;
    float *a = scratch, *b = scratch + n, best = -INFINITY;
    while (*first < w->heard->n && w->places[*first].end <= p->start)
        ++*first;
    const int low = p->slots & 1 ? 0 : 1, high = p->slots & 4 ? 2 : 1;
    score_overlapped(w, index, low, *first, a);
    score_overlapped(w, index, high, *first, b);
    p->n_people = n > 1 ? 2 : 1;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n && n > 1; j++)
            if (i != j && a[i] + b[j] > best) {
                best = a[i] + b[j];
                p->people[0] = (uint8_t)i;
                p->people[1] = (uint8_t)j;
            }
}

/* ---- turns ---- */

static double frame_time(uint32_t frame, double duration)
{
    const double t = (double)WH_FRAME_START(frame) / WH_SPEAKERS_RATE;
    return round(fmin(frame == 0 ? 0 : t, duration) * 100) / 100;
}

static int by_start(const void *a, const void *b)
{
    const whisp_turn *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->speaker - y->speaker;
}

/* Pieces of one person that touch, or nearly, become one turn. Speakers are people's numbers from 1 on. */
static int join_pieces(const work *w, double duration, wh_diarization *out)
{
    int rc = WHISP_OK;
    for (int k = 0; k < w->n_people && !rc; k++) {
        uint32_t last_end = 0;
        whisp_turn *turn = NULL;
        for (size_t i = 0; i < w->n && !rc; i++) {
            const piece *p = &w->pieces[i];
            if (p->people[0] != k && (p->n_people < 2 || p->people[1] != k))
                continue;
            if (!turn || p->start > last_end + PAUSE_FRAMES) {
                if ((rc = wh_grow(&out->turns, &out->capacity, out->n + 1, sizeof *out->turns)))
                    break;
                turn = &out->turns[out->n++];
                *turn = (whisp_turn){.start = frame_time(p->start, duration), .speaker = k + 1};
            }
            turn->end = frame_time(p->end, duration);
            last_end = p->end;
        }
    }
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++)
        if (out->turns[i].end > out->turns[i].start)
            out->turns[n++] = out->turns[i];
    out->n = n;
    if (n > 0)
        qsort(out->turns, n, sizeof *out->turns, by_start);
    return rc;
}

/* Speakers by first appearance; who has no turn is no speaker. */
static int number_speakers(const wh_people *people, wh_diarization *out)
{
    int numbers[WH_PEOPLE_MOST] = {0};
    out->centroids = wh_calloc((size_t)people->n * WH_VOICE_SIZE, sizeof *out->centroids);
    out->seconds = wh_calloc((size_t)people->n, sizeof *out->seconds);
    if (!out->centroids || !out->seconds)
        return wh_fail_memory();
    for (size_t i = 0; i < out->n; i++) {
        whisp_turn *t = &out->turns[i];
        int *number = &numbers[t->speaker - 1];
        if (*number == 0) {
            memcpy(out->centroids + out->n_speakers * WH_VOICE_SIZE,
                   people->centroids + (t->speaker - 1) * WH_VOICE_SIZE, WH_VOICE_SIZE * sizeof *out->centroids);
            *number = ++out->n_speakers;
        }
        t->speaker = *number;
        out->seconds[*number - 1] += t->end - t->start;
    }
    return WHISP_OK;
}

static int name_pieces(work *w, const wh_people *people)
{
    const size_t n = (size_t)people->n;
    w->places = wh_calloc(w->heard->n, sizeof *w->places);
    w->scores = wh_calloc(w->heard->n * n, sizeof *w->scores);
    w->solos = wh_calloc(w->n * n, sizeof *w->solos);
    float *scratch = wh_calloc(2 * n, sizeof *scratch);
    const int rc = w->places && w->scores && w->solos && scratch ? WHISP_OK : wh_fail_memory();
    if (!rc) {
        size_t first = 0;
        score_stretches(w, people);
        for (size_t i = 0; i < w->n; i++)
            if (slot_of(w->pieces[i].slots) >= 0)
                name_solo(w, i, &first);
        first = 0;
        for (size_t i = 0; i < w->n; i++)
            if (slot_of(w->pieces[i].slots) < 0)
                name_overlapped(w, i, &first, scratch);
    }
    free(w->places);
    free(w->scores);
    free(w->solos);
    free(scratch);
    return rc;
}

int wh_turns(const wh_heard *heard, const wh_people *people, double duration, wh_diarization *out)
{
    work w = {.heard = heard, .n_people = people->n};
    if (people->n < 1 || heard->n < 1)
        return WHISP_OK;
    int rc = cut_pieces(&w);
    if (!rc)
        rc = name_pieces(&w, people);
    if (!rc)
        rc = join_pieces(&w, duration, out);
    if (!rc)
        rc = number_speakers(people, out);
    free(w.pieces);
    return rc;
}

void wh_diarization_free(wh_diarization *d)
{
    free(d->turns);
    free(d->centroids);
    free(d->seconds);
    *d = (wh_diarization){0};
}
