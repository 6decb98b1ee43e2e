/* fuzz_json.c - transcripts read back from JSON: whatever is accepted is written in every format, and its JSON, read
 * again, is the same bytes. */
#include <string.h>

#include "fuzz.h"

#include "output/json_in.h"

static void write_all(const whisp_result *result, unsigned way)
{
    size_t n, length;
    char *text;
    const whisp_format *const *formats = whisp_format_list(&n);
    whisp_writer_options layout = {.size = sizeof layout,
                                   .highlight_words = (int)(way & 1),
                                   .max_line_width = (int)(way >> 1) % 40,
                                   .max_line_count = (int)(way >> 6) % 4,
                                   .max_words_per_line = (int)(way >> 8) % 6,
                                   .doubtful_share = (way >> 11) % 11 / 10.0};
    whisp_writer_options laid_out = {.size = sizeof laid_out, .subtitles = 1, .subtitle_style = way & 2 ? "bbc" : NULL};
    if (way & 4)
        layout = laid_out;
    for (size_t i = 0; i < n; i++) {
        int rc = whisp_result_format(result, formats[i]->name, &layout, &text, &length);
        FUZZ_CHECK(rc == WHISP_OK || strlen(whisp_last_error()) > 10);
        if (!rc)
            FUZZ_CHECK(text[length] == 0);
        if (!rc)
            whisp_string_free(text);
    }
}

static void again(const whisp_result *result)
{
    char *first, *second;
    size_t n_first, n_second;
    whisp_result *back;
    FUZZ_CHECK(whisp_result_format(result, "json", NULL, &first, &n_first) == WHISP_OK);
    if (whisp_result_read(first, n_first, &back)) {
        fprintf(stderr, "%s\n", whisp_last_error());
        abort();
    }
    FUZZ_CHECK(whisp_result_format(back, "json", NULL, &second, &n_second) == WHISP_OK);
    FUZZ_CHECK(n_first == n_second && memcmp(first, second, n_first) == 0);
    whisp_string_free(first);
    whisp_string_free(second);
    whisp_result_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    whisp_result *result;
    char *text = malloc(size ? size : 1); /* no NUL behind it */
    FUZZ_CHECK(text);
    if (size)
        memcpy(text, data, size);
    if (whisp_result_read(text, size, &result) == WHISP_OK) {
        write_all(result, fuzz_way(data, size));
        again(result);
        whisp_result_free(result);
    } else {
        FUZZ_CHECK(strlen(whisp_last_error()) > 10);
    }
    free(text);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    uint64_t random = seed;
    return fuzz_mutate_json(data, size, max_size, &random);
}
