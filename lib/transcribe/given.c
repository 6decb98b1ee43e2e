/* given.c - the text of a forced alignment: from text to tokens, words and lines, and in the end to a result. */
#include "transcribe/given.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define DOUBTFUL 0.35 /* mean probability below which the text is probably not what is said; docs/timing.md */
#define MANY 50       /* more than one word in so many is worth a warning */
#define UNSAID 0.01   /* a word's probability below which it is probably not said */

/* Is there a letter or a digit in it? */
static int has_words(const char *text)
{
    wh_word whole = {.length = strlen(text)};
    wh_words words = {.list = &whole, .n = 1};
    wh_keys keys = {0};
    wh_buf_puts(&words.text, text);
    int found = !words.text.failed && wh_keys_make(&words, &keys) == WHISP_OK && keys.ends[1] > 0;
    wh_buf_free(&words.text);
    wh_keys_free(&keys);
    return found;
}

int wh_given_new(whisp_session *s, const char *text)
{
    if (!has_words(text))
        return wh_fail(WHISP_ERR_ARGUMENT, "the text to align has no words; give those that are said");
    wh_given_free(s->given);
    s->given = wh_calloc(1, sizeof *s->given);
    if (s->given && !(s->given->text = strdup(text))) {
        wh_given_free(s->given);
        s->given = NULL;
    }
    return s->given ? WHISP_OK : wh_fail_memory();
}

void wh_given_free(struct wh_given *g)
{
    if (!g)
        return;
    free(g->text);
    free(g->tokens);
    free(g->line_ends);
    wh_words_free(&g->words);
    wh_keys_free(&g->keys);
    wh_words_free(&g->heard);
    wh_keys_free(&g->heard_keys);
    free(g);
}

static int add_line(whisp_session *s, const char *line, size_t length)
{
    struct wh_given *g = s->given;
    wh_buf spaced = {0};
    wh_strip(&line, &length);
    if (length == 0)
        return WHISP_OK;
    wh_buf_puts(&spaced, " "); /* text in the middle of a transcript begins with one */
    wh_buf_append(&spaced, line, length);
    int rc = spaced.failed ? wh_fail_memory() : WHISP_OK;
    if (!rc)
        rc = wh_tokenizer_encode(s->model->tokenizer, spaced.data, spaced.length, &g->tokens, &g->n_tokens,
                                 &g->tokens_capacity);
    if (!rc)
        rc = wh_grow(&g->line_ends, &g->lines_capacity, g->n_lines + 1, sizeof *g->line_ends);
    if (!rc)
        g->line_ends[g->n_lines++] = g->n_tokens;
    wh_buf_free(&spaced);
    return rc;
}

int wh_given_prepare(whisp_session *s)
{
    struct wh_given *g = s->given;
    int rc = WHISP_OK;
    if (g->prepared)
        return WHISP_OK;
    for (const char *line = g->text; *line && !rc;) {
        size_t length = strcspn(line, "\r\n");
        rc = add_line(s, line, length);
        line += length + (line[length] != 0);
    }
    if (!rc)
        rc = wh_words_split(s->model->tokenizer, s->window_language, g->tokens, g->n_tokens, &g->words);
    if (!rc)
        rc = wh_keys_make(&g->words, &g->keys);
    g->prepared = !rc;
    return rc;
}

/* ---- the result ---- */

/* Does a segment end with word i? With the text's lines or, in a text of one line, with its sentences. */
static int ends_segment(const struct wh_given *g, size_t i, size_t *line)
{
    const wh_word *word = &g->words.list[i];
    size_t end = word->first_token + word->n_tokens;
    if (i + 1 == g->words.n)
        return 1;
    if (end >= g->line_ends[*line]) {
        ++*line;
        return 1;
    }
    if (g->n_lines > 1)
        return 0;
    static const char *const marks[] = {".", "!", "?", "。", "！", "？", ".\"", "!\"", "?\""};
    const char *text = g->words.text.data + word->text;
    for (size_t k = 0; k < WH_COUNT(marks); k++) {
        size_t length = strlen(marks[k]);
        if (word->length >= length && memcmp(text + word->length - length, marks[k], length) == 0)
            return 1;
    }
    return 0;
}

/* Words first .. end - 1 as a segment, added to the result and its text. */
static int add_segment(whisp_session *s, size_t first, size_t end, whisp_result *result, wh_buf *all)
{
    const struct wh_given *g = s->given;
    size_t n = 0, token = g->words.list[first].first_token, n_tokens = 0, at = 0;
    for (size_t i = first; i < end; i++)
        n_tokens += g->words.list[i].n_tokens;
    whisp_word *words = wh_calloc(end - first, sizeof *words);
    whisp_token *tokens = wh_calloc(n_tokens, sizeof *tokens);
    wh_buf texts = {0}, text = {0};
    double sum = 0;
    for (size_t i = first; i < end; i++) { /* first the texts, which may move while they grow */
        const wh_word *word = &g->words.list[i];
        wh_buf_append(&texts, g->words.text.data + word->text, word->length);
        wh_buf_append(&texts, "", 1);
        wh_buf_append(&text, g->words.text.data + word->text, word->length);
    }
    wh_buf_append(all, text.data, text.length);
    int rc = words && tokens && !texts.failed && !text.failed && !all->failed ? WHISP_OK : wh_fail_memory();
    for (size_t i = first; i < end && !rc; i++) {
        const wh_word *word = &g->words.list[i];
        float logprob = (float)log(fmax(word->probability, 1e-30));
        if (word->length > 0)
            words[n++] = (whisp_word){.text = texts.data + at,
                                      .start = word->start,
                                      .end = word->end,
                                      .probability = word->probability,
                                      .first_token = word->first_token - token,
                                      .n_tokens = word->n_tokens};
        for (size_t k = 0; k < word->n_tokens; k++) {
            size_t place = word->first_token - token + k;
            if (place < n_tokens)
                tokens[place] = (whisp_token){g->tokens[token + place], logprob};
            sum += (double)logprob;
        }
        at += word->length + 1;
    }
    if (!rc)
        rc = wh_hand_words(&s->handed, &s->handed_capacity, words, n);
    if (!rc && n > 0) {
        s->segment = (whisp_segment){
            .id = s->next_id++,
            .start = words[0].start,
            .end = words[n - 1].end,
            .text = text.data,
            .tokens = tokens,
            .n_tokens = n_tokens,
            .avg_logprob = n_tokens ? sum / (double)n_tokens : 0,
            .compression_ratio = wh_compression_ratio(text.data, text.length),
            .words = s->handed,
            .n_words = n,
            .language = wh_language_code(wh_session_spoken(s)),
        };
        rc = wh_result_add(result, &s->segment, 0);
        if (!rc && s->options->segment)
            s->options->segment(s->options->segment_user, &s->segment);
    }
    free(words);
    free(tokens);
    wh_buf_free(&texts);
    wh_buf_free(&text);
    return rc;
}

/* Words that no window had are nowhere: they stand, without duration, where the words before them end. */
static void place_unsaid(struct wh_given *g)
{
    double end = 0;
    for (size_t i = 0; i < g->words.n; i++) {
        wh_word *word = &g->words.list[i];
        word->start = fmax(word->start, end);
        word->end = fmax(word->end, word->start);
        end = word->end;
    }
}

static void warn(const whisp_session *s)
{
    const struct wh_given *g = s->given;
    size_t n = 0, unsaid = 0;
    double sum = 0;
    for (size_t i = 0; i < g->words.n; i++) {
        if (g->keys.ends[i + 1] == g->keys.ends[i])
            continue;
        n++;
        unsaid += g->words.list[i].probability < UNSAID;
        sum += g->words.list[i].probability;
    }
    if (n == 0 || sum < DOUBTFUL * (double)n)
        wh_log(s->options, WHISP_LOG_WARNING,
               "the text does not seem to be what is said (mean probability of its words: %.2f); their times mean "
               "little",
               n ? sum / (double)n : 0);
    else if (unsaid * MANY > n)
        wh_log(s->options, WHISP_LOG_WARNING,
               "%zu of the text's %zu words do not seem to be said; they have a "
               "probability near 0",
               unsaid, n);
}

int wh_given_result(whisp_session *s, whisp_result **result)
{
    struct wh_given *g = s->given;
    const wh_values *v = &s->options->values;
    wh_buf text = {0};
    size_t line = 0, first = 0;
    int rc = wh_given_prepare(s);
    if (!rc)
        rc = wh_result_new(result);
    if (rc)
        return rc;
    place_unsaid(g);
    warn(s);
    wh_words_merge_punctuation(&g->words, v->prepend_punctuations, v->append_punctuations);
    for (size_t i = 0; i < g->words.n && !rc; i++) {
        if (!ends_segment(g, i, &line))
            continue;
        while (i + 1 < g->words.n && g->words.list[i + 1].length == 0) /* emptied: belongs to the word before */
            i++;
        rc = add_segment(s, first, i + 1, *result, &text);
        first = i + 1;
    }
    if (!rc)
        rc = wh_result_finish(*result, text.data ? text.data : "", wh_language_code(wh_session_spoken(s)), s->total);
    wh_buf_free(&text);
    if (rc) {
        whisp_result_free(*result);
        *result = NULL;
    }
    return rc;
}
