/* cluster.c - stretches of voice to people: how many, and the middle of each one's voice. See heard.h.
 *
 * Agglomerative clustering with average linkage: the two clusters whose stretches are most alike on average become one,
 * until none are alike enough. Likeness is the cosine, and a bit more where the segmentation heard the same voice in both
 * stretches, a bit less where it heard two: that keeps apart two people with one microphone, and holds together one whose
 * voice varies. (Where voices are clear the latter is not needed, and the segmentation misses changes of speaker.) Enough
 * is a share of how alike each of the two is in itself: a clean or a synthetic voice's stretches are very much alike, so
 * that a stranger's may be rather like them; in a noisy room one's own are no more than that. Clusters of a moment are
 * given to their nearest; those whose middles are close become one.
 *
 * Average linkage of cosines needs only each cluster's sum and weight. So a long recording is clustered in parts, and the
 * parts' clusters again in the same way, which is nearly the same as clustering all of it, in bounded memory. The order of
 * merging within a part is found by the nearest-neighbour chain (Benzecri 1982; Murtagh 1983): O(n^2). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/heard.h"

#define PART 1500              /* stretches clustered at once: a matrix of 9 MB */
#define GROUPS_MOST (PART / 2) /* that a part, or the parts before together, come down to */

/* Chosen on recordings (docs/speakers.md). */
#define ALIKE 0.6f         /* how alike a person's clusters are, as a share of how alike the looser is in itself, ... */
#define WITHIN 0.55f       /* which is this as long as little is known of it, ... */
#define WITHIN_SECONDS 12  /* it counts as so many seconds' voice that is known, ... */
#define WITHIN_LEAST 0.4f  /* and which is at least this, lest what was joined by mistake takes in everybody */
#define ONE_PERSON 0.55f   /* cosine of middles from which on they are one person's */
#define HINT 0.2f          /* what the segmentation's word counts in a cosine; "the same voice" so much only ... */
#define CLEAR_NOT 0.47f    /* where voices are no clearer than this, ... */
#define CLEAR 0.52f        /* and nothing from here on */
#define HINT_SECONDS 10    /* how far it reaches; it fades by e meanwhile */
#define HINT_MIDDLES 0.2f  /* what its word that two are different counts for middles, in full from HINT_FULL on */
#define HINT_FULL 2.5f     /* seconds times seconds */
#define PERSON_SECONDS 2   /* who speaks less is nobody, ... */
#define PERSON_SHARE 0.02f /* nor who speaks less than this share of the speech, ... */
#define PERSON_ENOUGH 10   /* but so many seconds are enough, ... */
#define PERSON_LATER 0.003f /* and this share: in hours what is nobody's adds up, too */
#define ALONE 0.86f         /* of a person's voice that is one slot's, asked of who speaks ... */
#define ALONE_SECONDS 8     /* less than this: stretches over changes of voice sound alike, but are nobody, ... */
#define ALONE_SHARE 0.05f   /* and less than this share: with few changes these are too few for a person */

/* Some stretches that are one person's. */
typedef struct group {
    float sum[WH_VOICE_SIZE]; /* of unit voices times seconds */
    float weight;             /* seconds */
    float squares;            /* sum of the stretches' squared seconds */
    float alone;              /* seconds, but of each stretch only the share that is its main slot's */
} group;

/* How alike a cluster's stretches are among themselves: seconds, the sum of their squares, and the sum over all pairs of
 * likeness times seconds times seconds. */
typedef struct kinship {
    float weight, squares, products; /* weight 0: was not to be joined with its nearest, and so not with others */
} kinship;

/* What has come together in two rows of the matrix is alike by this much. */
typedef struct merge {
    int32_t a, b;
    float likeness;
} merge;

typedef struct clustering {
    const wh_stretch *stretches;
    size_t n;
    float hint[2 * HINT_SECONDS]; /* by distance in steps of half a second */
    float unclear;                /* 1: voices are unclear, as noise makes them .. 0: they are clear */
    float same;                   /* what "the same voice" counts */
    float seconds;                /* of all stretches */
    int32_t *labels;              /* [n] group of each stretch */
    group *groups;                /* [n_groups] of 2 * GROUPS_MOST */
    size_t n_groups;
    float *matrix;  /* [rows][rows] how alike two rows' stretches are on average; rows: PART at most */
    float *weights; /* [rows] their seconds; 0: has gone into another row */
    int32_t *chain, *parents, *numbers; /* [rows] */
    merge *merges;                      /* [rows - 1] */
    kinship *rows, *joined;             /* [rows] before any merge; after some */
} clustering;

/* ---- stretches ---- */

static float largest(const float *x)
{
    return fmaxf(x[0], fmaxf(x[1], x[2]));
}

/* What the segmentation says of two stretches, 1: the same voice .. -1: different ones; 0: nothing. */
static float hint(const clustering *c, const wh_stretch *a, const wh_stretch *b)
{
    const uint32_t steps = b->at > a->at ? b->at - a->at : a->at - b->at;
    if (steps >= WH_COUNT(c->hint) || fminf(largest(a->slots), largest(b->slots)) <= 0.6f)
        return 0;
    float ab = 0, aa = 0, bb = 0;
    for (int s = 0; s < WH_SLOTS; s++) {
        ab += a->slots[s] * b->slots[s];
        aa += a->slots[s] * a->slots[s];
        bb += b->slots[s] * b->slots[s];
    }
    return (2 * ab / sqrtf(aa * bb) - 1) * c->hint[steps];
}

/* ---- average linkage ---- */

/* The row that is most like row i, the one before in the chain if it is as good; -1: none is left. */
static int32_t nearest(const clustering *c, size_t m, int32_t i, int32_t before)
{
    const float *row = c->matrix + (size_t)i * m;
    int32_t best = before;
    for (size_t j = 0; j < m; j++)
        if (c->weights[j] > 0 && (int32_t)j != i && (best < 0 || row[j] > row[best]))
            best = (int32_t)j;
    return best;
}

/* Row b goes into row a. What both are to a third one lies between what each is, rounded or not: link_average()'s chain
 * relies on it, which else could come back to a row that is gone. */
static void join(clustering *c, size_t m, int32_t a, int32_t b)
{
    float *x = c->matrix + (size_t)a * m;
    const float *y = c->matrix + (size_t)b * m;
    const float share = c->weights[a] / (c->weights[a] + c->weights[b]);
    for (size_t j = 0; j < m; j++)
        if (c->weights[j] > 0) {
            const float mean = share * x[j] + (1 - share) * y[j];
            const float most = x[j] > y[j] ? x[j] : y[j];
            x[j] = mean < most ? mean : most;
            c->matrix[j * m + (size_t)a] = x[j];
        }
    c->weights[a] += c->weights[b];
    c->weights[b] = 0;
}

/* c->matrix and c->weights, of m rows, to the m - 1 merges that make one of all; both are used up. */
static void link_average(clustering *c, size_t m)
{
    size_t length = 0, first = 0;
    for (size_t done = 0; done + 1 < m; done++) {
        if (length == 0) {
            while (c->weights[first] <= 0)
                first++;
            c->chain[length++] = (int32_t)first;
        }
        for (;;) {
            const int32_t top = c->chain[length - 1], before = length > 1 ? c->chain[length - 2] : -1;
            const int32_t next = nearest(c, m, top, before);
            if (next == before)
                break;
            c->chain[length++] = next;
        }
        const int32_t a = c->chain[length - 1], b = c->chain[length - 2];
        length -= 2;
        c->merges[done] = (merge){a, b, c->matrix[(size_t)a * m + (size_t)b]};
        join(c, m, a, b);
    }
}

static int32_t root(const clustering *c, int32_t i)
{
    while (c->parents[i] != i)
        i = c->parents[i];
    return i;
}

static float within(const kinship *k)
{
    const float known = WITHIN_SECONDS * WITHIN_SECONDS;
    return (k->products + known * WITHIN) / (k->weight * k->weight - k->squares + known);
}

/* Merge b into a if they are alike enough. Merges come such that what a cluster is made of comes before it. */
static int join_if_alike(kinship *a, const kinship *b, float likeness, float alike)
{
    if (a->weight <= 0 || b->weight <= 0 || likeness < alike * fmaxf(fminf(within(a), within(b)), WITHIN_LEAST)) {
        a->weight = 0;
        return 0;
    }
    a->products += b->products + 2 * a->weight * b->weight * likeness;
    a->squares += b->squares;
    a->weight += b->weight;
    return 1;
}

/* The merges of what is alike enough, so that c->numbers tells which of how many clusters each of the m rows belongs to,
 * numbered as they appear. If there are more than `most`, as where nothing is like anything, less has to be enough. */
static size_t cut(clustering *c, size_t m, float alike, size_t most)
{
    size_t n;
    do {
        for (size_t i = 0; i < m; i++)
            c->parents[i] = (int32_t)i;
        memcpy(c->joined, c->rows, m * sizeof *c->joined);
        for (size_t i = 0; i + 1 < m; i++) {
            const merge *next = &c->merges[i];
            if (join_if_alike(&c->joined[next->a], &c->joined[next->b], next->likeness, alike))
                c->parents[root(c, next->b)] = root(c, next->a);
        }
        n = 0;
        for (size_t i = 0; i < m; i++)
            c->numbers[i] = -1;
        for (size_t i = 0; i < m; i++) {
            int32_t *number = &c->numbers[root(c, (int32_t)i)];
            if (*number < 0)
                *number = (int32_t)n++;
            c->chain[i] = *number;
        }
        alike -= 0.05f;
    } while (n > most);
    memcpy(c->numbers, c->chain, m * sizeof *c->numbers);
    return n;
}

/* ---- parts ---- */

static void add_voice(group *g, const wh_stretch *s)
{
    const float voice = s->slots[0] + s->slots[1] + s->slots[2];
    const float scale = s->inverse * s->seconds;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        g->sum[i] += (float)s->voice[i] * scale;
    g->weight += s->seconds;
    g->squares += s->seconds * s->seconds;
    g->alone += voice > 0 ? s->seconds * largest(s->slots) / voice : s->seconds;
}

static void add_group(group *into, const group *g)
{
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        into->sum[i] += g->sum[i];
    into->weight += g->weight;
    into->squares += g->squares;
    into->alone += g->alone;
}

/* Cluster stretches first .. first + m - 1 into groups of their own. */
static void cluster_part(clustering *c, size_t first, size_t m, float alike)
{
    const wh_stretch *s = c->stretches + first;
    for (size_t i = 0; i < m; i++) {
        c->weights[i] = s[i].seconds;
        c->rows[i] = (kinship){s[i].seconds, s[i].seconds * s[i].seconds, 0};
        for (size_t j = 0; j <= i; j++) {
            const float word = hint(c, &s[i], &s[j]), cosine = wh_stretch_cosine(&s[i], &s[j]);
            c->matrix[i * m + j] = c->matrix[j * m + i] = fminf(cosine + (word > 0 ? c->same : HINT) * word, 1);
        }
    }
    link_average(c, m);
    const size_t n = cut(c, m, alike, GROUPS_MOST);
    memset(&c->groups[c->n_groups], 0, n * sizeof *c->groups);
    for (size_t i = 0; i < m; i++) {
        c->labels[first + i] = (int32_t)c->n_groups + c->numbers[i];
        add_voice(&c->groups[c->labels[first + i]], &s[i]);
    }
    c->n_groups += n;
}

/* New numbers for groups: to[g] is group g's; those with the same become one. */
static void renumber(clustering *c, const int32_t *to, size_t n_labels)
{
    size_t n = 0;
    for (size_t g = 0; g < c->n_groups; g++) { /* to[g] <= g, so that nothing is overwritten before it is moved */
        if ((size_t)to[g] == n) {
            c->groups[n++] = c->groups[g];
            continue;
        }
        add_group(&c->groups[to[g]], &c->groups[g]);
    }
    c->n_groups = n;
    for (size_t i = 0; i < n_labels; i++)
        c->labels[i] = to[c->labels[i]];
}

static float product(const float *a, const float *b)
{
    float sum = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The parts' groups are clustered as stretches are. */
static void cluster_groups(clustering *c, size_t n_labels, float alike)
{
    const size_t m = c->n_groups;
    for (size_t i = 0; i < m; i++) {
        const group *g = &c->groups[i];
        c->weights[i] = g->weight;
        c->rows[i] = (kinship){g->weight, g->squares, product(g->sum, g->sum) - g->squares};
        for (size_t j = 0; j <= i; j++) {
            const group *h = &c->groups[j];
            c->matrix[i * m + j] = c->matrix[j * m + i] = product(g->sum, h->sum) / (g->weight * h->weight);
        }
    }
    link_average(c, m);
    cut(c, m, alike, GROUPS_MOST);
    renumber(c, c->numbers, n_labels);
}

static int cluster_all(clustering *c, float alike, const whisp_options *options)
{
    const size_t parts = (c->n + PART - 1) / PART;
    c->n_groups = 0;
    for (size_t p = 0; p < parts; p++) {
        const size_t first = c->n * p / parts, end = c->n * (p + 1) / parts;
        int rc = options ? wh_check_cancel(options) : WHISP_OK;
        if (rc)
            return rc;
        cluster_part(c, first, end - first, alike);
        if (p > 0 && (c->n_groups > GROUPS_MOST || p + 1 == parts))
            cluster_groups(c, end, alike);
    }
    return WHISP_OK;
}

/* ---- people ---- */

static void middle(const group *g, float *centroid)
{
    const float length = sqrtf(product(g->sum, g->sum)), scale = length > 0 ? 1 / length : 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        centroid[i] = g->sum[i] * scale;
}

/* Groups that are too small to be a person, or small and less than `alone` of them one slot's, are given to the nearest
 * other ones, stretch by stretch; the groups' middles, [n_groups][192], are in c->matrix afterwards. */
static void give_away_small(clustering *c, float seconds, float alone)
{
    int32_t *to = c->numbers, n = 0;
    size_t heaviest = 0;
    const float enough = fminf(ALONE_SECONDS, ALONE_SHARE * c->seconds);
    for (size_t g = 0; g < c->n_groups; g++)
        if (c->groups[g].weight > c->groups[heaviest].weight)
            heaviest = g;
    for (size_t g = 0; g < c->n_groups; g++) {
        to[g] = -1;
        const group *x = &c->groups[g];
        if (g == heaviest || (x->weight >= seconds && (x->weight >= enough || x->alone >= alone * x->weight))) {
            middle(x, c->matrix + (size_t)n * WH_VOICE_SIZE);
            to[g] = n++;
        }
    }
    memset(c->groups, 0, (size_t)n * sizeof *c->groups);
    c->n_groups = (size_t)n;
    for (size_t i = 0; i < c->n; i++) {
        int32_t best = to[c->labels[i]];
        if (best < 0) {
            float most = -INFINITY;
            for (int32_t g = 0; g < n; g++) {
                const float score = wh_stretch_score(&c->stretches[i], c->matrix + (size_t)g * WH_VOICE_SIZE);
                if (score > most) {
                    most = score;
                    best = g;
                }
            }
        }
        c->labels[i] = best;
        add_voice(&c->groups[best], &c->stretches[i]);
    }
    for (size_t g = 0; g < c->n_groups; g++)
        middle(&c->groups[g], c->matrix + g * WH_VOICE_SIZE);
}

/* What the segmentation says of each two groups: sums of hints and of their sizes, [k][k] each. */
static void group_hints(const clustering *c, float *sums, float *sizes)
{
    const size_t k = c->n_groups;
    memset(sums, 0, k * k * sizeof *sums);
    memset(sizes, 0, k * k * sizeof *sizes);
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = i + 1; j < c->n && c->stretches[j].at - c->stretches[i].at < WH_COUNT(c->hint); j++) {
            const size_t a = (size_t)c->labels[i], b = (size_t)c->labels[j];
            const float h = hint(c, &c->stretches[i], &c->stretches[j]) * c->stretches[i].seconds *
                            c->stretches[j].seconds;
            sums[a * k + b] += h;
            sizes[a * k + b] += fabsf(h);
            if (a != b) {
                sums[b * k + a] += h;
                sizes[b * k + a] += fabsf(h);
            }
        }
}

/* How alike two groups are, and for each group which of those before it is most like it: what merge_people() works on. */
typedef struct likeness {
    float *sums, *sizes, *scores; /* [k][k] each: group_hints()'s, and scores, of which [i][j < i] is used */
    int32_t *best;                /* [k] the first of the best j < i that are there; -1: none, or i itself is gone */
} likeness;

static float alike_score(const clustering *c, const likeness *l, size_t i, size_t j)
{
    const size_t at = i * c->n_groups + j;
    const float size = l->sizes[at];
    float score = product(c->matrix + i * WH_VOICE_SIZE, c->matrix + j * WH_VOICE_SIZE);
    if (size > 0)
        score += HINT_MIDDLES * fminf(l->sums[at] / size, 0) * fminf(size / HINT_FULL, 1);
    return score;
}

static void find_best(const clustering *c, const likeness *l, size_t i)
{
    const float *row = l->scores + i * c->n_groups;
    int32_t best = -1;
    for (size_t j = 0; j < i && c->groups[i].weight > 0; j++)
        if (c->groups[j].weight > 0 && (best < 0 || row[j] > row[best]))
            best = (int32_t)j;
    l->best[i] = best;
}

/* Group b goes into group a < b. */
static void merge_groups(clustering *c, const likeness *l, size_t a, size_t b)
{
    const size_t k = c->n_groups;
    add_group(&c->groups[a], &c->groups[b]);
    c->groups[b].weight = 0;
    middle(&c->groups[a], c->matrix + a * WH_VOICE_SIZE);
    for (size_t i = 0; i < k; i++) {
        l->sums[a * k + i] = l->sums[i * k + a] = l->sums[a * k + i] + l->sums[b * k + i];
        l->sizes[a * k + i] = l->sizes[i * k + a] = l->sizes[a * k + i] + l->sizes[b * k + i];
    }
    for (size_t j = 0; j < a; j++)
        l->scores[a * k + j] = alike_score(c, l, a, j);
    for (size_t i = a + 1; i < k; i++)
        l->scores[i * k + a] = c->groups[i].weight > 0 ? alike_score(c, l, i, a) : 0;
    for (size_t i = a; i < k; i++) {
        const int32_t best = l->best[i];
        const float *row = l->scores + i * k;
        if (i == a || i == b || best == (int32_t)a || best == (int32_t)b)
            find_best(c, l, i);
        else if (best >= 0 && (row[a] > row[best] || (row[a] >= row[best] && (int32_t)a < best)))
            l->best[i] = (int32_t)a;
    }
}

/* Groups whose middles, in c->matrix, are close become one until none are closer than one_person and there are no more
 * than `most`. Each merge costs O(k), not O(k^2): a part of hours may leave hundreds of groups. */
static void merge_people(clustering *c, float one_person, size_t most, const likeness *l)
{
    const size_t k = c->n_groups;
    size_t left = k;
    group_hints(c, l->sums, l->sizes);
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < i; j++)
            l->scores[i * k + j] = alike_score(c, l, i, j);
        find_best(c, l, i);
    }
    while (left > 1) {
        size_t a = 0, b = 0;
        float best = -INFINITY;
        for (size_t i = 0; i < k; i++) {
            const float score = l->best[i] >= 0 ? l->scores[i * k + (size_t)l->best[i]] : -INFINITY;
            if (score > best) {
                best = score;
                a = (size_t)l->best[i];
                b = i;
            }
        }
        if (best < one_person && left <= most)
            break;
        merge_groups(c, l, a, b);
        left--;
    }
    size_t n = 0;
    for (size_t g = 0; g < k; g++)
        if (c->groups[g].weight > 0)
            c->groups[n++] = c->groups[g];
    c->n_groups = n;
}

/* The people of a try: the first takes as many as there seem to be, up to `most`; in each later one, which wants just so
 * many, what is one voice has to be more alike. */
static int try_people(clustering *c, int tries, size_t most, const whisp_options *options)
{
    c->same = tries > 0 ? HINT : HINT * c->unclear; /* later ones want clusters of some size */
    int rc = cluster_all(c, ALIKE + 0.15f * (float)tries, options);
    if (rc)
        return rc;
    const float share = fminf(PERSON_SHARE * c->seconds, PERSON_ENOUGH + PERSON_LATER * c->seconds);
    if (tries > 0)
        give_away_small(c, PERSON_SECONDS / 2, 0);
    else
        give_away_small(c, fmaxf(PERSON_SECONDS, share), ALONE);
    const size_t k = c->n_groups;
    likeness l = {.sums = wh_calloc(3 * k * k, sizeof *l.sums), .best = wh_calloc(k, sizeof *l.best)};
    rc = l.sums && l.best ? WHISP_OK : wh_fail_memory();
    if (!rc) {
        l.sizes = l.sums + k * k;
        l.scores = l.sizes + k * k;
        merge_people(c, tries > 0 ? INFINITY : ONE_PERSON, most, &l);
    }
    free(l.sums);
    free(l.best);
    return rc;
}

#define TRIES 8

/* As many people as there seem to be; or, should there be fewer than `least`, so many as far as voices differ at all. Where
 * that is too many, the try that came nearest counts: in a later one nothing is like anything, and all is one again. */
static int find_people(clustering *c, int least, int most, const whisp_options *options)
{
    const size_t bound = most > 0 ? (size_t)WH_MIN(most, WH_PEOPLE_MOST) : WH_PEOPLE_MOST;
    size_t found = 0;
    int nearest = 0, last = 0, rc = WHISP_OK;
    for (int tries = 0; tries < TRIES && found < (size_t)least && !rc; tries++) {
        rc = try_people(c, last = tries, tries > 0 ? (size_t)least : bound, options);
        if (c->n_groups > found) {
            found = c->n_groups;
            nearest = tries;
        }
    }
    return rc || nearest == last ? rc : try_people(c, nearest, nearest > 0 ? (size_t)least : bound, options);
}

int wh_cluster(const wh_stretch *stretches, size_t n, int least, int most, const whisp_options *options,
               wh_people *people)
{
    const size_t rows = WH_MIN(n, PART);
    clustering c = {.stretches = stretches, .n = n};
    *people = (wh_people){0};
    if (n == 0)
        return WHISP_OK;
    for (size_t i = 0; i < WH_COUNT(c.hint); i++)
        c.hint[i] = expf(-(float)i / (float)WH_COUNT(c.hint));
    c.unclear = fminf(fmaxf((CLEAR - wh_stretches_clear(stretches, n)) / (CLEAR - CLEAR_NOT), 0), 1);
    for (size_t i = 0; i < n; i++)
        c.seconds += stretches[i].seconds;
    c.labels = wh_calloc(n, sizeof *c.labels);
    c.groups = wh_calloc(2 * GROUPS_MOST, sizeof *c.groups);
    /* give_away_small() has the groups' middles there */
    c.matrix = wh_calloc(rows * WH_MAX(rows, WH_VOICE_SIZE), sizeof *c.matrix);
    c.weights = wh_calloc(rows, sizeof *c.weights);
    c.chain = wh_calloc(3 * rows, sizeof *c.chain);
    c.merges = wh_calloc(rows, sizeof *c.merges);
    c.rows = wh_calloc(2 * rows, sizeof *c.rows);
    int rc = c.labels && c.groups && c.matrix && c.weights && c.chain && c.merges && c.rows ? WHISP_OK
                                                                                            : wh_fail_memory();
    if (!rc) {
        c.joined = c.rows + rows;
        c.parents = c.chain + rows;
        c.numbers = c.parents + rows;
        rc = find_people(&c, WH_MAX(least, 1), most, options);
    }
    if (!rc && !(people->centroids = wh_calloc(c.n_groups * WH_VOICE_SIZE, sizeof *people->centroids)))
        rc = wh_fail_memory();
    for (size_t g = 0; !rc && g < c.n_groups; g++)
        middle(&c.groups[g], people->centroids + g * WH_VOICE_SIZE);
    people->n = rc ? 0 : (int)c.n_groups;
    free(c.labels);
    free(c.groups);
    free(c.matrix);
    free(c.weights);
    free(c.chain);
    free(c.merges);
    free(c.rows);
    return rc;
}
