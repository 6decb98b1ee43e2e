/* label.c - see label.h.
 *
 * Which speaker has which word is one question for all words of a recording: the labels are those with the most seconds
 * of words under turns of the word's speaker, less a price for each change of speaker between two words. The price is
 * next to nothing where a sentence ends, and a few tenths of a second within one: so much has to be said by somebody
 * else before a sentence is torn. Found by dynamic programming (Viterbi), word after word. */
#include "speakers/label.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

/* Prices of a change of speaker, in seconds of speech. Chosen on meetings with truth: docs/speakers.md. */
#define WITHIN 0.30   /* a sentence */
#define AT_PAUSE 0.15 /* within one, where nobody speaks for PAUSE seconds, and between segments */
#define AT_END 0.02   /* between sentences */
#define PAUSE 0.5

#define SAME 1e-9     /* seconds by which equal sums may differ */
#define NEAR 0.5      /* seconds from a word without a turn to one that may be its */
#define WORTH 0.2     /* of a second that such a turn's end is nearer counts as so much speech */
#define SHORTEST 0.04 /* seconds that a word is taken to last */

/* A word of the transcript, and whether a sentence or a segment ends with it. */
typedef struct spoken {
    const whisp_word *word;
    int ends_sentence, ends_segment;
    int speaker; /* from 0 on */
} spoken;

typedef struct labelling {
    const wh_label_turns *who;
    whisp_turn *turns; /* [who->n] one speaker's after the other's, each by their starts; they do not overlap */
    size_t *first;     /* [speakers + 1] where each one's begin */
    double *seconds;   /* [speakers] of the word that is looked at */
    spoken *words;     /* [n] of all segments */
    size_t n;
    double *best;            /* [speakers] the worth of the best labels up to a word that is this speaker's */
    int *from;               /* [n] whose the word before is where the speaker changes */
    unsigned char *changes;  /* [n][speakers] does he begin with this word? */
    whisp_word *copies;      /* of one segment's words */
    const whisp_word **list; /* pointers to them */
} labelling;

/* ---- turns ---- */

/* The first turn of speaker s that ends after `time`; l->first[s + 1]: none does. */
static size_t next_turn(const labelling *l, int s, double time)
{
    size_t low = l->first[s], high = l->first[s + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->turns[middle].end > time)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Seconds from a stretch in which speaker s does not speak to his nearest turn. */
static double distance(const labelling *l, int s, double start, double end)
{
    size_t next = next_turn(l, s, start);
    double least = next < l->first[s + 1] ? l->turns[next].start - end : INFINITY;
    return fmax(0, next > l->first[s] ? fmin(least, start - l->turns[next - 1].end) : least);
}

/* l->seconds: how much of a stretch each speaks; or, nobody does, a little for who is near. */
static void listen(labelling *l, double start, double end)
{
    double all = 0;
    for (int s = 0; s < l->who->n_speakers; s++) {
        l->seconds[s] = 0;
        for (size_t i = next_turn(l, s, start); i < l->first[s + 1] && l->turns[i].start < end; i++)
            l->seconds[s] += fmin(end, l->turns[i].end) - fmax(start, l->turns[i].start);
        all += l->seconds[s];
    }
    for (int s = 0; s < l->who->n_speakers && all <= 0; s++)
        l->seconds[s] = WORTH * fmax(0, NEAR - distance(l, s, start, end));
}

static int most(const labelling *l)
{
    int best = 0;
    for (int i = 1; i < l->who->n_speakers; i++)
        best = l->seconds[i] > l->seconds[best] ? i : best;
    return best;
}

/* ---- words ---- */

/* What it costs that another one goes on after word i. */
static double price(const labelling *l, size_t i)
{
    if (l->words[i].ends_sentence)
        return AT_END;
    return l->words[i].ends_segment || l->words[i + 1].word->start - l->words[i].word->end >= PAUSE ? AT_PAUSE : WITHIN;
}

static void listen_to_word(labelling *l, const whisp_word *word)
{
    double longer = fmax(SHORTEST - (word->end - word->start), 0) / 2;
    listen(l, word->start - longer, word->end + longer);
}

/* A label for each word. */
static void label_words(labelling *l)
{
    int n_speakers = l->who->n_speakers, last = 0;
    for (size_t i = 0; i < l->n; i++) {
        listen_to_word(l, l->words[i].word);
        double change = i ? l->best[last] - price(l, i - 1) : 0;
        l->from[i] = last;
        for (int s = 0; s < n_speakers; s++) {
            l->changes[i * (size_t)n_speakers + (size_t)s] = i &&
                                                             change >= l->best[s] - SAME; /* late rather than soon */
            l->best[s] = (i ? fmax(l->best[s], change) : 0) + l->seconds[s];
        }
        last = 0;
        for (int s = 1; s < n_speakers; s++)
            last = l->best[s] > l->best[last] ? s : last;
    }
    for (size_t i = l->n; i-- > 0;) {
        l->words[i].speaker = last;
        last = l->changes[i * (size_t)n_speakers + (size_t)last] ? l->from[i] : last;
    }
}

/* ---- segments ---- */

/* Words first .. end - 1 of a segment become one of the result's. */
static int add_part(labelling *l, const whisp_segment *s, size_t first, size_t end, int speaker, int keeps_words,
                    whisp_result *to)
{
    whisp_segment part = *s;
    size_t first_token = first ? WH_MIN(s->words[first]->first_token, s->n_tokens) : 0;
    size_t end_token = end < s->n_words ? WH_MIN(s->words[end]->first_token, s->n_tokens) : s->n_tokens;
    wh_buf text = {0};
    double sum = 0;
    wh_buf_puts(&text, "");
    for (size_t i = first; i < end; i++) {
        whisp_word *copy = &l->copies[i - first];
        *copy = *s->words[i];
        copy->first_token -= WH_MIN(first_token, copy->first_token);
        copy->speaker = speaker + 1;
        l->list[i - first] = copy;
        sum += copy->confidence;
        wh_buf_puts(&text, copy->text);
    }
    part.speaker = speaker + 1;
    part.speaker_name = NULL; /* comes with all names */
    /* Words may end after their segment, whose times come from timestamps: then the parts end with it all the same. */
    double late = fmax(0, s->words[s->n_words - 1]->end - s->end);
    part.start = first ? fmax(s->start, s->words[first]->start - late) : s->start;
    part.end = fmax(part.start, end < s->n_words ? s->words[end - 1]->end - late : s->end);
    part.tokens = s->tokens ? s->tokens + first_token : NULL;
    part.n_tokens = WH_MAX(end_token, first_token) - first_token;
    part.text = text.data;
    part.words = keeps_words ? l->list : NULL;
    part.n_words = keeps_words ? end - first : 0;
    part.confidence = s->confidence > 0 ? sum / (double)(end - first) : 0;
    int rc = text.failed ? wh_fail_memory() : wh_result_add(to, &part, 0);
    wh_buf_free(&text);
    return rc;
}

/* Are the words' texts, joined, the segment's? Else it cannot be parted. */
static int is_whole(const whisp_segment *s)
{
    const char *text = s->text;
    for (size_t i = 0; i < s->n_words; i++) {
        size_t n = strlen(s->words[i]->text);
        if (strncmp(text, s->words[i]->text, n) != 0)
            return 0;
        text += n;
    }
    return s->n_words > 0 && !*text;
}

/* Who speaks most of the segment, from 1 on; 0: nobody. */
static int speaker_of(labelling *l, const whisp_segment *s, const spoken *words)
{
    if (!l->who->n_speakers)
        return 0;
    if (s->n_words == 0) {
        listen(l, s->start, s->end);
    } else {
        memset(l->seconds, 0, (size_t)l->who->n_speakers * sizeof *l->seconds);
        for (size_t i = 0; i < s->n_words; i++)
            l->seconds[words[i].speaker] += fmax(s->words[i]->end - s->words[i]->start, SHORTEST);
    }
    int best = most(l);
    return l->seconds[best] > 0 ? best + 1 : 0;
}

/* A segment that stays as it is, but for its label. */
static int add_whole(labelling *l, const whisp_segment *s, int cleared, int speaker, int keeps_words, whisp_result *to)
{
    whisp_segment copy = *s;
    copy.speaker = speaker;
    copy.speaker_name = NULL;
    for (size_t i = 0; i < s->n_words; i++) {
        l->copies[i] = *s->words[i];
        l->copies[i].speaker = speaker;
        l->list[i] = &l->copies[i];
    }
    copy.words = s->words && keeps_words ? l->list : NULL;
    copy.n_words = keeps_words ? s->n_words : 0;
    return wh_result_add(to, &copy, cleared);
}

static int add_segment(labelling *l, const whisp_segment *s, int cleared, const spoken *words, int keeps_words,
                       whisp_result *to)
{
    int rc = WHISP_OK;
    if (cleared || !l->who->n_speakers || !is_whole(s))
        return add_whole(l, s, cleared, cleared ? 0 : speaker_of(l, s, words), keeps_words, to);
    for (size_t first = 0, end; first < s->n_words && !rc; first = end) {
        end = first + 1;
        while (end < s->n_words && words[end].speaker == words[first].speaker)
            end++;
        rc = add_part(l, s, first, end, words[first].speaker, keeps_words, to);
    }
    return rc;
}

/* ---- the whole ---- */

/* The turns by speakers. */
static void sort_turns(labelling *l)
{
    const wh_label_turns *who = l->who;
    for (size_t i = 0; i < who->n; i++)
        l->first[who->turns[i].speaker + 1]++;
    for (int s = 1; s <= who->n_speakers + 1; s++)
        l->first[s] += l->first[s - 1];
    for (size_t i = 0; i < who->n; i++) /* first[speaker] moves to the end of his turns, where the next one's begin */
        l->turns[l->first[who->turns[i].speaker]++] = who->turns[i];
}

/* All words in a row; room for the rest. */
static int prepare(labelling *l, const whisp_result *from)
{
    size_t n_segments = wh_result_about(from).n_segments, longest = 0, n_speakers = (size_t)l->who->n_speakers;
    for (size_t i = 0; i < n_segments; i++) {
        const whisp_segment *s = whisp_result_segment(from, i);
        l->n += s->n_words;
        longest = WH_MAX(longest, s->n_words);
    }
    l->turns = wh_calloc(l->who->n, sizeof *l->turns);
    l->first = wh_calloc(n_speakers + 2, sizeof *l->first);
    l->seconds = wh_calloc(n_speakers, sizeof *l->seconds);
    l->best = wh_calloc(n_speakers, sizeof *l->best);
    l->words = wh_calloc(l->n, sizeof *l->words);
    l->from = wh_calloc(l->n, sizeof *l->from);
    l->changes = wh_calloc(l->n, n_speakers);
    l->copies = wh_calloc(longest, sizeof *l->copies);
    l->list = wh_calloc(longest, sizeof *l->list);
    if (!l->turns || !l->first || !l->seconds || !l->best || !l->words || !l->from || !l->changes || !l->copies ||
        !l->list)
        return wh_fail_memory();
    sort_turns(l);
    size_t at = 0;
    for (size_t i = 0; i < n_segments; i++) {
        const whisp_segment *s = whisp_result_segment(from, i);
        for (size_t k = 0; k < s->n_words; k++) {
            const char *text = s->words[k]->text;
            l->words[at++] = (spoken){s->words[k], wh_is_sentence_end(text, strlen(text)), k + 1 == s->n_words, 0};
        }
    }
    return WHISP_OK;
}

static void free_labelling(labelling *l)
{
    free(l->turns);
    free(l->first);
    free(l->seconds);
    free(l->best);
    free(l->words);
    free(l->from);
    free(l->changes);
    free(l->copies);
    free((void *)(uintptr_t)l->list);
}

int wh_label(const whisp_result *from, const wh_label_turns *who, int keeps_words, whisp_result **to)
{
    labelling l = {.who = who};
    whisp_result_info about = wh_result_about(from);
    *to = NULL;
    int rc = wh_result_new(to);
    if (!rc)
        rc = prepare(&l, from);
    if (!rc && who->n_speakers)
        label_words(&l);
    size_t at = 0;
    for (size_t i = 0; i < about.n_segments && !rc; i++) {
        const whisp_segment *s = whisp_result_segment(from, i);
        rc = add_segment(&l, s, wh_result_is_cleared(from, i), l.words + at, keeps_words, *to);
        at += s->n_words;
    }
    if (!rc)
        rc = wh_result_finish(*to, about.text, about.language, about.duration);
    if (!rc && about.incomplete)
        rc = wh_result_set_incomplete(*to, about.incomplete);
    const whisp_turn none = {0};
    if (!rc)
        rc = wh_result_set_speakers(*to, who->names, (size_t)who->n_speakers, who->n ? who->turns : &none, who->n);
    free_labelling(&l);
    if (rc) {
        whisp_result_free(*to);
        *to = NULL;
    }
    return rc;
}
