/* words.c - what openai-whisper's timing.py does to words once they are aligned: cuts long ones at the ends of
 * sentences, joins punctuation with its word, and makes segments and their first and last words agree. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "timing/timing.h"
#include "util/text.h"

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int wh_is_part(const char *text, size_t n, const char *list)
{
    size_t length = strlen(list);
    for (size_t i = 0; i + n <= length; i++)
        if (memcmp(list + i, text, n) == 0)
            return 1;
    return 0;
}

static int word_is_in(const wh_words *words, const wh_word *word, const char *list)
{
    return wh_is_part(words->text.data + word->text, word->length, list);
}

int wh_words_shorten(wh_words *words, double *median)
{
    static const char sentence_ends[] = ".。!！?？";
    double *durations = wh_calloc(words->n, sizeof *durations), middle;
    size_t n = 0;
    if (!durations)
        return wh_fail_memory();
    for (size_t i = 0; i < words->n; i++) {
        double duration = words->list[i].end - words->list[i].start;
        if (duration != 0)
            durations[n++] = duration;
    }
    qsort(durations, n, sizeof *durations, compare_numbers);
    middle = n == 0 ? 0 : n % 2 ? durations[n / 2] : (durations[n / 2 - 1] + durations[n / 2]) / 2;
    free(durations);
    *median = fmin(0.7, middle);
    double longest = 2 * *median;
    for (size_t i = 1; i < words->n && n > 0; i++) {
        wh_word *word = &words->list[i];
        if (!(word->end - word->start > longest))
            continue;
        if (word_is_in(words, word, sentence_ends))
            word->end = word->start + longest;
        else if (word_is_in(words, word - 1, sentence_ends))
            word->start = word->end - longest;
    }
    return WHISP_OK;
}

/* `into` takes over a neighbour's text and tokens. */
static void merge(wh_word *into, wh_word *from)
{
    into->text = WH_MIN(into->text, from->text);
    into->first_token = WH_MIN(into->first_token, from->first_token);
    into->length += from->length;
    into->n_tokens += from->n_tokens;
    from->length = from->n_tokens = 0;
}

/* An emptied word lies at the edge of the one that took its text, so that merging keeps texts in one piece. */
static void place_empty(wh_word *word, const wh_word *after)
{
    word->text = after->text;
    word->first_token = after->first_token;
}

void wh_words_merge_punctuation(wh_words *words, const char *prepended, const char *appended)
{
    size_t n = words->n;
    for (size_t i = n, j = n - 1; n > 1 && i-- > 1;) { /* i counts the word before from 1 */
        wh_word *previous = &words->list[i - 1], *following = &words->list[j];
        const char *text = words->text.data + previous->text;
        size_t length = previous->length;
        int spaced = length > 0 && text[0] == ' ';
        wh_strip(&text, &length);
        if (spaced && wh_is_part(text, length, prepended)) {
            merge(following, previous);
            place_empty(previous, following);
        } else {
            j = i - 1;
        }
    }
    for (size_t i = 0, j = 1; j < n; j++) {
        wh_word *previous = &words->list[i], *following = &words->list[j];
        const char *text = words->text.data + previous->text;
        int ends_with_space = previous->length > 0 && text[previous->length - 1] == ' ';
        if (!ends_with_space && word_is_in(words, following, appended)) {
            if (previous->length == 0) { /* an empty one takes the text to its own place */
                previous->text = following->text;
                previous->first_token = following->first_token;
            }
            merge(previous, following);
        } else {
            i = j;
        }
    }
}

/* After a pause, the first two words are not longer than is usual. */
static void shorten_first(whisp_word *words, size_t n, double median, double last_speech)
{
    double longest = 2 * median;
    if (!(words[0].end - last_speech > median * 4) ||
        !(words[0].end - words[0].start > longest || (n > 1 && words[1].end - words[0].start > longest * 2)))
        return;
    if (n > 1 && words[1].end - words[1].start > longest) {
        double boundary = fmax(words[1].end / 2, words[1].end - longest);
        words[0].end = words[1].start = boundary;
    }
    words[0].start = fmax(0, words[0].end - longest);
}

double wh_words_fit_segment(whisp_word *words, size_t n, double median, double last_speech, double *start, double *end)
{
    whisp_word *first = &words[0], *last = &words[n - 1];
    shorten_first(words, n, median, last_speech);
    if (*start<first->end && * start - 0.5> first->start)
        first->start = fmax(0, fmin(first->end - median, *start));
    else
        *start = first->start;
    if (*end > last->start && *end + 0.5 < last->end)
        last->end = fmax(last->start + median, *end);
    else
        *end = last->end;
    return *end;
}
