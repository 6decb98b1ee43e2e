/* search.c - where cues and lines end: of all ways to cut the units, the one whose costs add up to the least, found from
 * the beginning to the end (dynamic programming over what may be a cue: at most two lines). */
#include <stdlib.h>
#include <string.h>

#include "output/layout/layout.h"

enum {
    PER_CUE = 30,     /* fewer and fuller ones, where nothing else decides */
    SENTENCES = 30,   /* an end of a sentence within a cue: one should hold one, */
    STRADDLES = 40,   /* and not some of the next besides */
    TOO_FAST = 3,     /* a ms that it is too short to be read in */
    SLACK_MS = 500,   /* of them that timing.c finds before and behind it, most often: */
    SLACKS = 3,       /* so many of those cost one */
    CUE_END = 150,    /* per cent of a break's cost behind a cue; behind a line it is all of it */
    MIDWAY = 100,     /* a cue that ends within a clause, though no breath is taken there */
    SMALL = 14,       /* cells under which a cue is too little */
    TINY = 4,         /* each that it lacks */
    SILENCE_MS = 300, /* within a cue that are let pass */
    SILENCE = 5,      /* from then on so many ms cost one */
    UNEVEN = 24,      /* the square of how far two lines differ, in cells, over this */
    FIRST_LONGER = 3, /* the upper line is the shorter one */
    TORN = 20000      /* a cue that is too long, or too wide, because a word is */
};

typedef struct search {
    const wh_unit *units;
    size_t n;
    const wh_layout_style *style;
    int64_t *best;  /* [n + 1] the cost of the units before i */
    size_t *from;   /* [n + 1] where the cue that ends before i begins */
    size_t *second; /* [n + 1] and its second line */
} search;

/* The cells of units a .. b - 1 as a line, without what tells a speaker. */
static int width_of(const search *s, size_t a, size_t b)
{
    int width = 0;
    for (size_t i = a; i < b; i++)
        width += s->units[i].width + (i > a && s->units[i].spaced);
    return width;
}

int wh_layout_is_shared(const wh_unit *units, const wh_laid_cue *cue)
{
    return cue->line_end < cue->end && units[cue->line_end].speaker != units[cue->line_end - 1].speaker;
}

/* Cells of what tells who speaks before the first line of a cue that two share. */
static int shared_lead(const wh_unit *unit)
{
    return unit->lead ? unit->lead : (int)strlen(WH_DASH);
}

/* The second line is somebody else's, from unit `turn` on: both must fit. */
static int64_t break_at_turn(const search *s, size_t a, size_t turn, size_t b)
{
    int first = shared_lead(&s->units[a]) + width_of(s, a, turn), rest = s->units[turn].lead + width_of(s, turn, b);
    return first > s->style->width || rest > s->style->width ? -1 : 0;
}

/* The best place for the second line of the cue a .. b - 1, whose cells are `whole`; its cost, or -1: there is none. */
static int64_t break_line(const search *s, size_t a, size_t b, int whole, size_t *second)
{
    int64_t least = -1;
    int first = s->units[a].lead;
    *second = b;
    if (whole <= s->style->width)
        return 0; /* as long as it fits, one */
    for (size_t k = a + 1; k < b && s->style->lines > 1; k++) {
        first += s->units[k - 1].width + (k - 1 > a && s->units[k - 1].spaced);
        int rest = whole - first - s->units[k].spaced;
        if (first > s->style->width)
            break;
        if (rest > s->style->width)
            continue;
        int64_t uneven = (int64_t)(first - rest) * (first - rest) / UNEVEN, cost = s->units[k - 1].cost + uneven;
        cost += first > rest ? FIRST_LONGER + uneven / 2 : 0;
        if (least < 0 || cost < least) {
            least = cost;
            *second = k;
        }
    }
    return least;
}

/* ms from the beginning of unit a until the cue that ends before b must be gone. */
static int64_t room_of(const search *s, size_t a, size_t b)
{
    const wh_unit *units = s->units;
    int64_t stop = b < s->n ? units[b].start - s->style->gap : INT64_MAX / 4;
    return stop - units[a].start;
}

/* How long it stays: up to the next one, where that comes soon. */
static int64_t length_of(const search *s, size_t a, size_t b)
{
    int64_t said = s->units[b - 1].end - s->units[a].start, room = room_of(s, a, b);
    return room - said < s->style->close ? WH_MAX(room, said) : said;
}

/* The cost of the cue a .. b - 1 but for its lines. `inner`: what its inside costs; `ends`: sentences that end there. */
static int64_t cost_of(const search *s, size_t a, size_t b, int whole, int64_t inner, int ends)
{
    int64_t cost = PER_CUE + inner + (int64_t)ends * SENTENCES,
            lacks = wh_layout_needs(s->style, whole) - room_of(s, a, b);
    if (b < s->n && !s->units[b - 1].forced)
        cost += s->units[b - 1].cost * CUE_END / 100 + (s->units[b - 1].cost > WH_BREAK_BREATH ? MIDWAY : 0);
    if (ends > 0 && b < s->n && s->units[b - 1].cost > 0)
        cost += STRADDLES;
    if (lacks > 0)
        cost += WH_MIN(lacks, SLACK_MS) / SLACKS + TOO_FAST * WH_MAX(lacks - SLACK_MS, 0);
    if (whole < SMALL)
        cost += (int64_t)TINY * (SMALL - whole);
    return cost;
}

/* All cues that begin with unit a. */
static void try_from(search *s, size_t a)
{
    int64_t inner = 0;
    int ends = 0;
    int most = s->style->width * s->style->lines;
    int whole = s->units[a].lead;
    size_t turn = 0; /* from there on somebody else speaks */
    for (size_t b = a + 1; b <= s->n; b++) {
        const wh_unit *last = &s->units[b - 1];
        whole += last->width + (b - 1 > a && last->spaced);
        if (b - 1 > a) {
            if (last[-1].forced && last[-1].shared && !turn && s->style->lines > 1) {
                turn = b - 1;
                whole += last->lead + shared_lead(&s->units[a]) - s->units[a].lead;
            } else if (last[-1].forced) {
                break;
            }
            if (whole > most + 1 || b - a > (size_t)most) /* units without width have no end */
                break;
            int64_t pause = last->start - last[-1].end;
            ends += last[-1].cost == 0;
            inner += pause > SILENCE_MS ? (pause - SILENCE_MS) / SILENCE : 0;
        }
        size_t second = turn;
        int64_t lines = turn ? break_at_turn(s, a, turn, b) : break_line(s, a, b, whole, &second),
                cost = s->best[a] + cost_of(s, a, b, whole, inner, ends);
        int is_long = length_of(s, a, b) > s->style->most;
        if (b - a > 1 && (lines < 0 || is_long)) {
            if (is_long)
                break;
            continue;
        }
        cost += lines < 0 || is_long ? TORN : lines;
        if (s->best[b] < 0 || cost < s->best[b]) {
            s->best[b] = cost;
            s->from[b] = a;
            s->second[b] = second;
        }
    }
}

static size_t write_cues(const search *s, wh_laid_cue *cues)
{
    size_t n = 0;
    for (size_t b = s->n; b > 0; b = s->from[b])
        n++;
    for (size_t b = s->n, i = n; b > 0; b = s->from[b]) {
        size_t a = s->from[b];
        cues[--i] = (wh_laid_cue){.first = a, .line_end = s->second[b], .end = b};
        cues[i].cells = s->units[a].lead + width_of(s, a, b);
        if (wh_layout_is_shared(s->units, &cues[i]))
            cues[i].cells += shared_lead(&s->units[a]) - s->units[a].lead + s->units[s->second[b]].lead;
    }
    return n;
}

int wh_layout_search(const wh_units *units, const wh_layout_style *style, wh_laid_cue **cues, size_t *n)
{
    search s = {.units = units->list, .n = units->n, .style = style};
    s.best = wh_calloc(s.n + 1, sizeof *s.best);
    s.from = wh_calloc(s.n + 1, sizeof *s.from);
    s.second = wh_calloc(s.n + 1, sizeof *s.second);
    *cues = wh_calloc(s.n, sizeof **cues);
    *n = 0;
    int made = s.best && s.from && s.second && *cues;
    for (size_t i = 1; made && i <= s.n; i++)
        s.best[i] = -1;
    for (size_t i = 0; made && i < s.n; i++)
        try_from(&s, i); /* a unit alone is a cue, so that best[i] is known */
    if (made)
        *n = write_cues(&s, *cues);
    free(s.best);
    free(s.from);
    free(s.second);
    return made;
}
