/* words_in.c - words as programs around openai-whisper write them: whisperX gives numbers no time and no speaker, and
 * words without the spaces between them. read_back.c calls it for every segment; what is complete stays as it is. */
#include <math.h>
#include <string.h>

#include "output/json_in.h"
#include "util/util.h"

/* Words whose start is NAN share the time that those around them leave, and are the segment's speaker's. */
void wh_words_timed(whisp_word *const *words, size_t n, const whisp_segment *segment)
{
    double at = segment->start;
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i; next < n && isnan(words[next]->start);)
            next++;
        double until = fmax(next < n ? words[next]->start : segment->end, at);
        for (size_t k = i; k < next; k++) {
            double each = (until - at) / (double)(next - i);
            words[k]->start = at + each * (double)(k - i);
            words[k]->end = isnan(words[k]->end) ? words[k]->start + each : fmax(words[k]->end, words[k]->start);
            words[k]->speaker = words[k]->speaker ? words[k]->speaker : segment->speaker;
        }
        if (next < n) { /* one that has its time */
            at = words[next]->end = isnan(words[next]->end) ? words[next]->start : words[next]->end;
            next++;
        }
    }
}

/* How much white space stands before the word in the text, of which *at bytes are read; then the word is, too. -1: it
 * does not follow. */
static long space_before(const char *text, size_t *at, const char *word)
{
    size_t space = strspn(text + *at, " \t\r\n"), n = strlen(word);
    if (strncmp(text + *at + space, word, n) != 0)
        return -1;
    *at += space + n;
    return (long)space;
}

/* Where no word has a space and the text, which they are, has some between them, they get these. `spaced` holds the
 * texts from then on. */
int wh_words_spaced(whisp_word *const *words, size_t n, const char *text, wh_buf *spaced)
{
    size_t at = 0;
    int has_spaces = 0;
    wh_buf_clear(spaced);
    for (size_t i = 0; i < n; i++) {
        size_t from = at;
        long space = text && !strchr(words[i]->text, ' ') ? space_before(text, &at, words[i]->text) : -1;
        if (space < 0)
            return WHISP_OK;
        has_spaces |= i > 0 && space > 0;
        wh_buf_append(spaced, text + from, (size_t)space);
        wh_buf_append(spaced, words[i]->text, strlen(words[i]->text) + 1);
    }
    if (spaced->failed)
        return wh_fail_memory();
    const char *next = spaced->data;
    for (size_t i = 0; i < n && has_spaces; i++, next += strlen(next) + 1)
        words[i]->text = next;
    return WHISP_OK;
}
