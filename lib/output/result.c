/* result.c - whisp_result: filled by the transcription segment by segment, read by everyone else. */
#include <stdlib.h>
#include <string.h>

#include "output/writers.h"

int wh_result_new(whisp_result **result)
{
    *result = wh_calloc(1, sizeof **result);
    return *result ? WHISP_OK : wh_fail_memory();
}

/* How much copies of n words take beside themselves: bytes of text, and alternatives. */
static size_t measure_words(const whisp_segment *segment, size_t n, size_t *n_alternatives)
{
    size_t bytes = 0;
    *n_alternatives = 0;
    for (size_t i = 0; i < n; i++) {
        const whisp_word *word = segment->words[i];
        bytes += strlen(word->text) + 1;
        *n_alternatives += word->n_alternatives;
        for (size_t k = 0; k < word->n_alternatives; k++)
            bytes += strlen(word->alternatives[k].text) + 1;
    }
    return bytes;
}

static const char *copy_text(const char *text, char **to)
{
    size_t size = strlen(text) + 1;
    const char *copy = memcpy(*to, text, size);
    *to += size;
    return copy;
}

/* n pointers to words and, behind them, the words, their alternatives and the texts, copied. */
static const whisp_word **copy_words(const whisp_segment *segment, size_t n)
{
    size_t n_others, bytes = measure_words(segment, n, &n_others);
    whisp_alternative *others;
    const whisp_word **list = wh_calloc(1, n * (sizeof *list + sizeof **list) + n_others * sizeof *others + bytes + 1);
    if (!list)
        return NULL;
    whisp_word *words = (whisp_word *)(list + n);
    others = (whisp_alternative *)(words + n);
    char *text = (char *)(others + n_others);
    for (size_t i = 0; i < n; i++) {
        const whisp_word *word = segment->words[i];
        list[i] = &words[i];
        words[i] = *word;
        words[i].text = copy_text(word->text, &text);
        words[i].speaker = word->speaker ? word->speaker : segment->speaker;
        words[i].alternatives = word->n_alternatives ? others : NULL;
        for (size_t k = 0; k < word->n_alternatives; k++)
            *others++ = (whisp_alternative){copy_text(word->alternatives[k].text, &text),
                                            word->alternatives[k].logprob};
    }
    return list;
}

int wh_result_add(whisp_result *result, const whisp_segment *segment, int cleared)
{
    if (wh_grow(&result->segments, &result->capacity, result->n + 1, sizeof *result->segments) != WHISP_OK)
        return WHISP_ERR_MEMORY;
    size_t n_tokens = cleared ? 0 : segment->n_tokens, n_words = cleared ? 0 : segment->n_words;
    char *text = strdup(cleared || !segment->text ? "" : segment->text);
    whisp_token *tokens = wh_calloc(n_tokens, sizeof *tokens);
    const whisp_word **words = segment->words ? copy_words(segment, n_words) : NULL;
    char *name = segment->speaker_name ? strdup(segment->speaker_name) : NULL;
    if (!text || !tokens || (segment->words && !words) || (segment->speaker_name && !name)) {
        free(name);
        free(text);
        free(tokens);
        free((void *)(uintptr_t)words);
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
    copy->segment.speaker_name = copy->name = name;
    copy->cleared = cleared != 0;
    copy->note = NULL;
    copy->marks = NULL;
    copy->corrected = 0;
    return WHISP_OK;
}

int wh_result_finish(whisp_result *result, const char *text, const char *language, double duration)
{
    char *copy = strdup(text ? text : ""), *code = language ? strdup(language) : NULL;
    if (!copy || (language && !code)) {
        free(copy);
        free(code);
        return wh_fail_memory();
    }
    free(result->text);
    free(result->language);
    result->text = copy;
    result->language = code;
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

/* n pointers and, behind them, the names. */
static const char **copy_names(const char *const *names, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(names[i]) + 1;
    const char **list = wh_calloc(1, n * sizeof *list + bytes + 1);
    char *text = list ? (char *)(list + n) : NULL;
    for (size_t i = 0; i < n && list; i++) {
        size_t size = strlen(names[i]) + 1;
        list[i] = memcpy(text, names[i], size);
        text += size;
    }
    return list;
}

int wh_result_set_speakers(whisp_result *result, const char *const *names, size_t n, const whisp_turn *turns,
                           size_t n_turns)
{
    const char **list = n ? copy_names(names, n) : NULL;
    whisp_turn *copy = turns ? wh_calloc(n_turns + 1, sizeof *copy) : NULL; /* none are not the same as not known */
    if ((n && !list) || (turns && !copy)) {
        free((void *)(uintptr_t)list);
        free(copy);
        return wh_fail_memory();
    }
    if (turns)
        memcpy(copy, turns, n_turns * sizeof *copy);
    for (size_t i = 0; i < result->n; i++) {
        wh_result_segment *s = &result->segments[i];
        int speaker = s->segment.speaker;
        free(s->name);
        s->name = NULL;
        s->segment.speaker_name = speaker > 0 && (size_t)speaker <= n ? list[speaker - 1] : NULL;
    }
    free((void *)(uintptr_t)result->speakers);
    free(result->turns);
    result->speakers = list;
    result->n_speakers = n;
    result->turns = copy;
    result->n_turns = n_turns;
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
        free(result->segments[i].name);
        free(result->segments[i].note);
        free(result->segments[i].marks);
    }
    wh_buf_free(&result->corrections);
    free(result->note);
    free((void *)(uintptr_t)result->speakers);
    free(result->turns);
    free(result->segments);
    free(result->text);
    free(result->language);
    free(result->incomplete);
    free(result);
}

const char *whisp_result_text(const whisp_result *result)
{
    return result && result->text ? result->text : "";
}

whisp_result_info wh_result_about(const whisp_result *result)
{
    if (!result)
        return (whisp_result_info){.size = sizeof(whisp_result_info), .text = ""};
    return (whisp_result_info){.size = sizeof(whisp_result_info),
                               .text = whisp_result_text(result),
                               .language = result->language,
                               .duration = result->duration,
                               .incomplete = result->incomplete,
                               .n_segments = result->n,
                               .speakers = result->speakers,
                               .n_speakers = result->n_speakers,
                               .turns = result->turns,
                               .n_turns = result->n_turns};
}

int whisp_result_describe(const whisp_result *result, whisp_result_info *info)
{
    if (!result || !info || info->size < sizeof info->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_result_describe: an argument is NULL, or info->size is not set");
    whisp_result_info all = wh_result_about(result);
    all.size = info->size;
    memcpy(info, &all, WH_MIN(info->size, sizeof all));
    return WHISP_OK;
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

int wh_result_is_cleared(const whisp_result *result, size_t i)
{
    return result->segments[i].cleared;
}

const whisp_segment *wh_result_last(const whisp_result *result)
{
    return whisp_result_segment(result, result->n - 1);
}

const whisp_segment *whisp_result_segment(const whisp_result *result, size_t i)
{
    return result && i < result->n ? &result->segments[i].segment : NULL;
}
