/* doubtful.c - the list for a person who checks a transcript: its least certain words, each place with its time and the
 * words around it.
 *
 * Needs words with a confidence (option confidence). Doubtful words a few words apart share a line. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output/writers.h"
#include "util/text.h"

#define SHARE 0.1  /* of all words */
#define CONTEXT 5  /* words shown on each side */
#define WORTH 0.99 /* words at least this certain are not listed, however few the others are */

typedef struct judged {
    const whisp_word *word;
    int doubtful;
} judged;

static int compare_confidence(const void *a, const void *b)
{
    const whisp_word *x = (*(judged *const *)a)->word, *y = (*(judged *const *)b)->word;
    if (x->confidence != y->confidence)
        return x->confidence < y->confidence ? -1 : 1;
    return x < y ? -1 : x > y; /* the earlier one of equals, within a segment */
}

/* All words that were judged, in order; *list is malloc()ed. */
static int collect(const whisp_result *result, judged **list, size_t *n)
{
    size_t count = 0;
    *n = 0;
    for (size_t s = 0; s < result->n; s++)
        count += result->segments[s].segment.n_words;
    if (!(*list = wh_calloc(count, sizeof **list)))
        return 0;
    for (size_t s = 0; s < result->n; s++)
        for (size_t i = 0; i < result->segments[s].segment.n_words; i++) {
            const whisp_word *word = result->segments[s].segment.words[i];
            if (word->confidence > 0)
                (*list)[(*n)++].word = word;
        }
    return 1;
}

/* Mark the least certain words: `share` of all, at least one. 0: out of memory. */
static int mark(judged *list, size_t n, double share, size_t *n_marked)
{
    judged **order = wh_calloc(n, sizeof(judged *));
    size_t wanted = (size_t)nearbyint(share * (double)n), marked = 0;
    if (!order)
        return 0;
    for (size_t i = 0; i < n; i++)
        order[i] = &list[i];
    qsort(order, n, sizeof *order, compare_confidence);
    for (; marked < n && marked < WH_MAX(wanted, 1); marked++) {
        if (order[marked]->word->confidence >= WORTH)
            break;
        order[marked]->doubtful = 1;
    }
    free(order);
    *n_marked = marked;
    return 1;
}

static void put_time(wh_buf *out, double seconds)
{
    int64_t tenths = (int64_t)fmax(0, floor(seconds * 10));
    wh_buf_printf(out, "%02d:%02d:%02d.%d", (int)(tenths / 36000), (int)(tenths / 600 % 60), (int)(tenths / 10 % 60),
                  (int)(tenths % 10));
}

static void put_word(wh_buf *out, const judged *j, int first)
{
    const char *text = j->word->text;
    size_t length = strlen(text);
    int spaced = length > 0 && text[0] == ' ';
    wh_strip(&text, &length);
    wh_buf_puts(out, spaced && !first ? " " : "");
    wh_buf_puts(out, j->doubtful ? "[" : "");
    wh_buf_append(out, text, length);
    wh_buf_puts(out, j->doubtful ? "]" : "");
}

/* The last doubtful word of the place that begins with word `first`: the next one is too far away to share a line. */
static size_t end_of_place(const judged *list, size_t n, size_t first)
{
    size_t last = first;
    for (size_t i = first + 1; i < n && i - last <= CONTEXT; i++)
        if (list[i].doubtful)
            last = i;
    return last;
}

/* A line for words first .. last and their context. Returns how many seconds they and one word each side last. */
static double put_place(wh_buf *out, const judged *list, size_t n, size_t first, size_t last)
{
    size_t from = first > CONTEXT ? first - CONTEXT : 0, to = WH_MIN(last + CONTEXT, n - 1);
    double least = 1;
    for (size_t i = first; i <= last; i++)
        least = list[i].doubtful ? fmin(least, list[i].word->confidence) : least;
    put_time(out, list[first].word->start);
    wh_buf_printf(out, "  %2d%%  %s", (int)nearbyint(100 * least), from > 0 ? "... " : "");
    for (size_t i = from; i <= to; i++)
        put_word(out, &list[i], i == from);
    wh_buf_puts(out, to + 1 < n ? " ...\n" : "\n");
    return list[WH_MIN(last + 1, n - 1)].word->end - list[first > 0 ? first - 1 : 0].word->start;
}

void wh_write_doubtful(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    judged *list;
    size_t n, marked, places = 0;
    wh_buf lines = {0};
    double seconds = 0;
    if (!collect(result, &list, &n)) {
        out->failed = 1;
        return;
    }
    if (!mark(list, n, layout->doubtful_share > 0 ? layout->doubtful_share : SHARE, &marked)) {
        out->failed = 1;
        free(list);
        return;
    }
    wh_buf_puts(&lines, "");
    for (size_t i = 0; i < n; i++) {
        if (!list[i].doubtful)
            continue;
        size_t last = end_of_place(list, n, i);
        seconds += put_place(&lines, list, n, i, last);
        places++;
        i = last;
    }
    wh_buf_printf(out,
                  "# The least certain words: %zu of %zu, in %zu places; %.0f of %.0f s to hear again.\n"
                  "# Each line: where to listen, how likely the worst word is right, [the words in doubt] among "
                  "the others.\n",
                  marked, n, places, seconds, result->duration);
    if (lines.failed)
        out->failed = 1;
    else
        wh_buf_append(out, lines.data, lines.length);
    free(list);
    wh_buf_free(&lines);
}
