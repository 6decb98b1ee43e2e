/* result.c - whisp_result: filled by the transcription segment by segment, read by everyone else. */
#include <stdlib.h>
#include <string.h>

#include "output/writers.h"

int wh_result_new(whisp_result **result)
{
    *result = wh_calloc(1, sizeof **result);
    return *result ? WHISP_OK : wh_fail_memory();
}

/* A copy of n words and, behind them, of their texts. */
static whisp_word *copy_words(const whisp_word *words, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(words[i].text) + 1;
    whisp_word *copy = wh_calloc(1, n * sizeof *copy + bytes + 1);
    char *text = copy ? (char *)(copy + n) : NULL;
    for (size_t i = 0; i < n && copy; i++) {
        size_t size = strlen(words[i].text) + 1;
        copy[i] = words[i];
        copy[i].text = memcpy(text, words[i].text, size);
        text += size;
    }
    return copy;
}

int wh_result_add(whisp_result *result, const whisp_segment *segment, int cleared)
{
    if (wh_grow(&result->segments, &result->capacity, result->n + 1, sizeof *result->segments) != WHISP_OK)
        return WHISP_ERR_MEMORY;
    size_t n_tokens = cleared ? 0 : segment->n_tokens, n_words = cleared ? 0 : segment->n_words;
    char *text = strdup(cleared || !segment->text ? "" : segment->text);
    whisp_token *tokens = wh_calloc(n_tokens, sizeof *tokens);
    whisp_word *words = segment->words ? copy_words(segment->words, n_words) : NULL;
    if (!text || !tokens || (segment->words && !words)) {
        free(text);
        free(tokens);
        free(words);
        return wh_fail_memory();
    }
    if (n_tokens)
        memcpy(tokens, segment->tokens, n_tokens * sizeof *tokens);
    wh_result_segment *copy = &result->segments[result->n];
    copy->segment = *segment;
    copy->segment.id = (int)result->n++;
    copy->segment.text = text;
    copy->segment.tokens = tokens;
    copy->segment.n_tokens = n_tokens;
    copy->segment.words = words;
    copy->segment.n_words = n_words;
    copy->cleared = cleared != 0;
    return WHISP_OK;
}

int wh_result_finish(whisp_result *result, const char *text, const char *language, double duration)
{
    char *copy = strdup(text ? text : "");
    if (!copy)
        return wh_fail_memory();
    free(result->text);
    result->text = copy;
    result->language = language;
    result->duration = duration;
    return WHISP_OK;
}

int wh_result_set_incomplete(whisp_result *result, const char *why)
{
    char *copy = why ? strdup(why) : NULL;
    if (why && !copy)
        return wh_fail_memory();
    free(result->incomplete);
    result->incomplete = copy;
    return WHISP_OK;
}

void whisp_result_free(whisp_result *result)
{
    if (!result)
        return;
    for (size_t i = 0; i < result->n; i++) {
        free((void *)(uintptr_t)result->segments[i].segment.text);
        free((void *)(uintptr_t)result->segments[i].segment.tokens);
        free((void *)(uintptr_t)result->segments[i].segment.words);
    }
    free(result->segments);
    free(result->text);
    free(result->incomplete);
    free(result);
}

const char *whisp_result_text(const whisp_result *result)
{
    return result && result->text ? result->text : "";
}

const char *whisp_result_language(const whisp_result *result)
{
    return result ? result->language : NULL;
}

double whisp_result_duration(const whisp_result *result)
{
    return result ? result->duration : 0;
}

int whisp_result_set_incomplete(whisp_result *result, const char *why)
{
    if (!result || !why)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_result_set_incomplete: an argument is NULL");
    wh_buf both = {0};
    if (result->incomplete)
        wh_buf_printf(&both, "%s; ", result->incomplete);
    wh_buf_puts(&both, why);
    int rc = both.failed ? wh_fail_memory() : wh_result_set_incomplete(result, both.data);
    wh_buf_free(&both);
    return rc;
}

const char *whisp_result_incomplete(const whisp_result *result)
{
    return result ? result->incomplete : NULL;
}

size_t whisp_result_segment_count(const whisp_result *result)
{
    return result ? result->n : 0;
}

const whisp_segment *whisp_result_segment(const whisp_result *result, size_t i)
{
    return result && i < result->n ? &result->segments[i].segment : NULL;
}
