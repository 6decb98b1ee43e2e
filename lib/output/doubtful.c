/* doubtful.c - the list for a person who checks a transcript: its least certain words, each place with its time and the
 * words around it.
 *
 * Needs words with a confidence (option confidence). Which places these are, places.c knows. */
#include <math.h>
#include <string.h>

#include "output/places.h"
#include "output/writers.h"
#include "util/text.h"

#define CONTEXT 5 /* words shown on each side */

static void put_time(wh_buf *out, double seconds)
{
    int64_t tenths = (int64_t)fmax(0, floor(seconds * 10));
    wh_buf_printf(out, "%02d:%02d:%02d.%d", (int)(tenths / 36000), (int)(tenths / 600 % 60), (int)(tenths / 10 % 60),
                  (int)(tenths % 10));
}

static void put_word(wh_buf *out, const wh_spots *spots, size_t i, int first)
{
    const char *text = spots->words[i]->text;
    size_t length = strlen(text);
    int spaced = length > 0 && text[0] == ' ';
    wh_strip(&text, &length);
    wh_buf_puts(out, spaced && !first ? " " : "");
    wh_buf_puts(out, spots->doubtful[i] ? "[" : "");
    wh_buf_append(out, text, length);
    wh_buf_puts(out, spots->doubtful[i] ? "]" : "");
}

/* A line: a place with the words around it. */
static void put_place(wh_buf *out, const wh_spots *spots, const wh_spot *spot)
{
    size_t from = spot->first > CONTEXT ? spot->first - CONTEXT : 0;
    size_t to = WH_MIN(spot->last + CONTEXT, spots->n_words - 1);
    put_time(out, spots->words[spot->first]->start);
    wh_buf_printf(out, "  %2d%%  %s", (int)nearbyint(100 * spot->chance), from > 0 ? "... " : "");
    for (size_t i = from; i <= to; i++)
        put_word(out, spots, i, i == from);
    wh_buf_puts(out, to + 1 < spots->n_words ? " ...\n" : "\n");
}

void wh_write_doubtful(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    wh_spots spots = {0};
    if (wh_spots_find(result, layout->doubtful_share, &spots)) {
        out->failed = 1;
        return;
    }
    wh_buf_printf(out,
                  "# The least certain words: %zu of %zu, in %zu places; %.0f of %.0f s to hear again.\n"
                  "# Each line: where to listen, how likely the worst word is right, [the words in doubt] among "
                  "the others.\n",
                  spots.n_doubtful, spots.n_judged, spots.n, spots.seconds, result->duration);
    for (size_t i = 0; i < spots.n; i++)
        put_place(out, &spots, &spots.list[i]);
    wh_spots_free(&spots);
}
