/* fuzz_text.c - texts that people hand in with a recording: initial_prompt, prefix, hotwords, suppress_regex,
 * suppress_tokens, a vocabulary, a text to align. The input is lines NAME=TEXT; `align` and `vocabulary` (in which | is
 * a line's end) beside the options' names. A window of a small model is searched with them. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

#include "align/align_text.h"
#include "search/search.h"

#define MOST_REGEX 40 /* bytes: glibc's regcomp() takes memory and time out of proportion for long ones */

/* A search with these options on one window: prompt, decoding, samples, terms of the vocabulary. */
static void search(const whisp_options *o, const int32_t *prompt, size_t n_prompt, unsigned way)
{
    const whisp_model *m = fuzz_short_model();
    float mel[12 * 8];
    const float *window = mel;
    whisp_timings timings = {0};
    wh_decoding decoding;
    wh_backend *b = NULL;
    wh_search *s = NULL;
    int32_t *initial = NULL;
    size_t n_initial = 0, capacity = 0;
    wh_backend_config config = {.n_slots = wh_search_slots(&o->values), .threads = 1};
    for (size_t i = 0; i < WH_COUNT(mel); i++)
        mel[i] = (float)((i + way) * 7919 % 256) / 128 - 1;
    FUZZ_CHECK(wh_backend_new("cpu", m, &config, &b) == WHISP_OK);
    int rc = wh_search_new(m, o, b, &timings, &s);
    if (!rc)
        rc = wh_backend_encode(b, 1, &window, (int[]){0});
    if (!rc)
        rc = wh_prompt_initial(m, &o->values, &initial, &n_initial, &capacity);
    if (!rc && !n_initial && n_prompt)
        rc = wh_search_begin(s, prompt, n_prompt, (int)(way % 3));
    else if (!rc)
        rc = wh_search_begin(s, initial, n_initial, 0);
    if (!rc)
        rc = wh_search_decode(s, way & 1 ? 0.5 : 0, 0, &decoding);
    if (!rc)
        rc = wh_search_correct(s, 0, &decoding);
    for (size_t i = 0; !rc && i < decoding.n; i++)
        FUZZ_CHECK(decoding.tokens[i].id >= 0 && decoding.tokens[i].id < m->n_vocab);
    fuzz_say(rc);
    FUZZ_CHECK(!rc || strlen(whisp_last_error()) > 5);
    free(initial);
    wh_search_free(s);
    wh_backend_free(b);
}

/* Tokens, lines and words of the text; what of them a window's words, which are some of its own, cover. */
static void align(const whisp_options *o, const char *text, unsigned way)
{
    wh_align_text *t, *heard;
    size_t first, end;
    if (wh_align_text_new(NULL, fuzz_small_model(), o, text, &t))
        return;
    FUZZ_CHECK(wh_align_text_prepare(t, (int)(way % 60)) == WHISP_OK);
    for (size_t i = 0; i < t->words.n; i++)
        FUZZ_CHECK(t->words.list[i].text + t->words.list[i].length <= t->words.text.length &&
                   t->words.list[i].first_token + t->words.list[i].n_tokens <= t->n_tokens);
    size_t from = t->words.n ? way % t->words.n : 0;
    if (wh_align_text_new(NULL, fuzz_small_model(), o, text + strlen(text) / 3, &heard) == WHISP_OK) {
        FUZZ_CHECK(wh_align_text_prepare(heard, 0) == WHISP_OK);
        FUZZ_CHECK(wh_match(&heard->keys, &t->keys, from, &first, &end) == WHISP_OK);
        FUZZ_CHECK(first <= end && end <= t->words.n && (first == end || first >= from));
        wh_align_text_free(heard);
    }
    wh_words_merge_punctuation(&t->words, o->values.prepend_punctuations, o->values.append_punctuations);
    wh_align_text_free(t);
}

static void write_vocabulary(whisp_options *o, char *text)
{
    FILE *file = fopen(fuzz_path("terms"), "wb");
    for (char *p = text; *p; p++)
        *p = *p == '|' ? '\n' : *p;
    FUZZ_CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
    FUZZ_CHECK(whisp_options_set(o, "vocabulary", fuzz_path("terms")) == WHISP_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const heavy[] = {"best_of", "beam_size", "patience"};
    fuzz_input in = {data, size};
    whisp_options *o = whisp_options_new();
    char *text = fuzz_rest(&in), *rest = text, *line, *to_align = NULL;
    unsigned way = fuzz_way(data, size);
    int32_t prompt[40];
    FUZZ_CHECK(o && whisp_options_set(o, "best_of", "2") == WHISP_OK);
    for (size_t i = 0; i < WH_COUNT(prompt); i++)
        prompt[i] = (int32_t)(i * way % 1766);
    while ((line = strsep(&rest, "\n"))) {
        char *value = strchr(line, '=');
        int is_heavy = 0;
        if (!value)
            continue;
        *value++ = 0;
        for (size_t i = 0; i < WH_COUNT(heavy); i++)
            is_heavy |= strcmp(line, heavy[i]) == 0 && strlen(value) > 1;
        if (strcmp(line, "align") == 0)
            to_align = value;
        else if (strcmp(line, "vocabulary") == 0)
            write_vocabulary(o, value);
        else if (!is_heavy && (strcmp(line, "suppress_regex") || strlen(value) < MOST_REGEX))
            whisp_options_set(o, line, value);
    }
    if (to_align)
        align(o, to_align, way);
    if (!to_align || way % 8 == 0)
        if (wh_options_check(&o->values) == WHISP_OK)
            search(o, prompt, way % WH_COUNT(prompt), way);
    whisp_options_free(o);
    free(text);
    return 0;
}
