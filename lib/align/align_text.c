/* align_text.c - the text of a forced alignment: from text to tokens, words and lines, and in the end to a result. */
#include "align/align_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define DOUBTFUL 0.35 /* mean probability below which the text is probably not what is said; docs/timing.md */
#define MANY 50       /* more than one word in so many is worth a warning */
#define UNSAID 0.01   /* a word's probability below which it is probably not said */

/* Is there a letter or a digit in it? 1, 0 or an error's code. */
static int has_words(const char *text)
{
    wh_word whole = {.length = strlen(text)};
    wh_words words = {.list = &whole, .n = 1};
    wh_keys keys = {0};
    wh_buf_puts(&words.text, text);
    int rc = words.text.failed ? wh_fail_memory() : wh_keys_make(&words, &keys);
    int found = rc ? rc : keys.ends[1] > 0;
    wh_buf_free(&words.text);
    wh_keys_free(&keys);
    return found;
}

int wh_align_text_new(wh_window *window, const whisp_model *model, const whisp_options *options, const char *text,
                      wh_align_text **align_text)
{
    *align_text = NULL;
    int found = has_words(text);
    if (found < 0)
        return found;
    if (!found)
        return wh_fail(WHISP_ERR_ARGUMENT, "the text to align has no words; give those that are said");
    wh_align_text *t = wh_calloc(1, sizeof *t);
    if (!t || !(t->text = strdup(text))) {
        wh_align_text_free(t);
        return wh_fail_memory();
    }
    t->window = window;
    t->model = model;
    t->options = options;
    *align_text = t;
    return WHISP_OK;
}

void wh_align_text_free(wh_align_text *t)
{
    if (!t)
        return;
    free(t->text);
    free(t->tokens);
    free(t->line_ends);
    wh_words_free(&t->words);
    wh_keys_free(&t->keys);
    wh_words_free(&t->heard);
    wh_keys_free(&t->heard_keys);
    wh_words_free(&t->timed);
    free(t->handed);
    free(t);
}

/* Text in the middle of a transcript begins with a space. */
static int add_line(wh_align_text *t, const char *line, size_t length)
{
    wh_strip(&line, &length);
    if (length == 0)
        return WHISP_OK;
    int rc = wh_tokenizer_encode_spaced(t->model->tokenizer, line, length, &t->tokens, &t->n_tokens,
                                        &t->tokens_capacity);
    if (!rc)
        rc = wh_grow(&t->line_ends, &t->lines_capacity, t->n_lines + 1, sizeof *t->line_ends);
    if (!rc)
        t->line_ends[t->n_lines++] = t->n_tokens;
    return rc;
}

int wh_align_text_prepare(wh_align_text *t, int language)
{
    int rc = WHISP_OK;
    if (t->prepared)
        return WHISP_OK;
    for (const char *line = t->text; *line && !rc;) {
        size_t length = strcspn(line, "\r\n");
        rc = add_line(t, line, length);
        line += length + (line[length] != 0);
    }
    if (!rc)
        rc = wh_words_split(t->model->tokenizer, language, t->tokens, t->n_tokens, &t->words);
    if (!rc)
        rc = wh_keys_make(&t->words, &t->keys);
    t->prepared = !rc;
    return rc;
}

/* ---- the result ---- */

/* Does a segment end with word i? With the text's lines or, in a text of one line, with its sentences. */
static int ends_segment(const wh_align_text *t, size_t i, size_t *line)
{
    const wh_word *word = &t->words.list[i];
    size_t end = word->first_token + word->n_tokens;
    if (i + 1 == t->words.n)
        return 1;
    if (end >= t->line_ends[*line]) {
        ++*line;
        return 1;
    }
    if (t->n_lines > 1)
        return 0;
    return wh_is_sentence_end(t->words.text.data + word->text, word->length);
}

/* Words first .. end - 1 as a segment, added to the result and its text. */
static int add_segment(wh_align_text *t, size_t first, size_t end, whisp_result *result, wh_buf *all)
{
    size_t n = 0, token = t->words.list[first].first_token, n_tokens = 0, at = 0;
    for (size_t i = first; i < end; i++)
        n_tokens += t->words.list[i].n_tokens;
    whisp_word *words = wh_calloc(end - first, sizeof *words);
    whisp_token *tokens = wh_calloc(n_tokens, sizeof *tokens);
    wh_buf texts = {0}, text = {0};
    double sum = 0;
    for (size_t i = first; i < end; i++) { /* first the texts, which may move while they grow */
        const wh_word *word = &t->words.list[i];
        wh_buf_append(&texts, t->words.text.data + word->text, word->length);
        wh_buf_append(&texts, "", 1);
        wh_buf_append(&text, t->words.text.data + word->text, word->length);
    }
    wh_buf_append(all, text.data, text.length);
    int rc = words && tokens && !texts.failed && !text.failed && !all->failed ? WHISP_OK : wh_fail_memory();
    for (size_t i = first; i < end && !rc; i++) {
        const wh_word *word = &t->words.list[i];
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
                tokens[place] = (whisp_token){t->tokens[token + place], logprob};
            sum += (double)logprob;
        }
        at += word->length + 1;
    }
    double ratio = 0;
    if (!rc)
        rc = wh_compression_ratio(text.data, text.length, &ratio);
    if (!rc)
        rc = wh_hand_words(&t->handed, &t->handed_capacity, words, n);
    if (!rc && n > 0) {
        const whisp_segment segment = {
            .id = t->next_id++,
            .start = words[0].start,
            .end = words[n - 1].end,
            .text = text.data,
            .tokens = tokens,
            .n_tokens = n_tokens,
            .avg_logprob = n_tokens ? sum / (double)n_tokens : 0,
            .compression_ratio = ratio,
            .words = t->handed,
            .n_words = n,
            .language = wh_language_code(wh_window_spoken(t->window)),
        };
        rc = wh_result_add(result, &segment, 0);
        if (!rc && t->options->segment)
            t->options->segment(t->options->segment_user, &segment);
    }
    free(words);
    free(tokens);
    wh_buf_free(&texts);
    wh_buf_free(&text);
    return rc;
}

/* Words that no window had are nowhere: they stand, without duration, where the words before them end. */
static void place_unsaid(wh_align_text *t)
{
    double end = 0;
    for (size_t i = 0; i < t->words.n; i++) {
        wh_word *word = &t->words.list[i];
        word->start = fmax(word->start, end);
        word->end = fmax(word->end, word->start);
        end = word->end;
    }
}

static void warn(const wh_align_text *t)
{
    size_t n = 0, unsaid = 0;
    double sum = 0;
    for (size_t i = 0; i < t->words.n; i++) {
        if (t->keys.ends[i + 1] == t->keys.ends[i])
            continue;
        n++;
        unsaid += t->words.list[i].probability < UNSAID;
        sum += t->words.list[i].probability;
    }
    if (n == 0 || sum < DOUBTFUL * (double)n)
        wh_log(t->options, WHISP_LOG_WARNING,
               "the text does not seem to be what is said (mean probability of its words: %.2f); their times mean "
               "little",
               n ? sum / (double)n : 0);
    else if (unsaid * MANY > n)
        wh_log(t->options, WHISP_LOG_WARNING,
               "%zu of the text's %zu words do not seem to be said; they have a "
               "probability near 0",
               unsaid, n);
}

int wh_align_text_result(wh_align_text *t, double seconds, whisp_result **result)
{
    const wh_values *v = &t->options->values;
    int spoken = wh_window_spoken(t->window);
    wh_buf text = {0};
    size_t line = 0, first = 0;
    int rc = wh_align_text_prepare(t, wh_window_spoken_in(t->window));
    if (!rc)
        rc = wh_result_new(result);
    if (rc)
        return rc;
    place_unsaid(t);
    warn(t);
    wh_words_merge_punctuation(&t->words, v->prepend_punctuations, v->append_punctuations);
    for (size_t i = 0; i < t->words.n && !rc; i++) {
        if (!ends_segment(t, i, &line))
            continue;
        while (i + 1 < t->words.n && t->words.list[i + 1].length == 0) /* emptied: belongs to the word before */
            i++;
        rc = add_segment(t, first, i + 1, *result, &text);
        first = i + 1;
    }
    if (!rc)
        rc = wh_result_finish(*result, text.data ? text.data : "", wh_language_code(spoken), seconds);
    wh_buf_free(&text);
    if (rc) {
        whisp_result_free(*result);
        *result = NULL;
    }
    return rc;
}
