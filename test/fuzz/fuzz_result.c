/* fuzz_result.c - the writers: a result is made of the input's choices (texts of any bytes, any times, words and their
 * confidence or none) and written in every format and layout; its JSON, read back, is written the same again. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

#include "output/result.h"

#define MOST_WORDS 12

/* What the model's times and probabilities may be; and numbers with many digits. */
static double real(fuzz_input *in)
{
    uint64_t bits;
    double x;
    switch (fuzz_below(in, 4)) {
    case 0: return fuzz_below(in, 3000) / 100.0;
    case 1: return fuzz_u8(in) / 256.0;
    case 2: return fuzz_u32(in) / 1000.0;
    default:
        bits = fuzz_u32(in) | (uint64_t)fuzz_u32(in) << 32;
        memcpy(&x, &bits, sizeof x);
        return isfinite(x) && fabs(x) < 1e9 ? x : 0.1;
    }
}

static void add(fuzz_input *in, whisp_result *result)
{
    whisp_word words[MOST_WORDS] = {0};
    const whisp_word *list[MOST_WORDS];
    whisp_token tokens[4];
    char *texts[MOST_WORDS], *text = fuzz_text(in, 60);
    unsigned flags = fuzz_u8(in);
    size_t n = flags & 1 ? fuzz_below(in, MOST_WORDS + 1) : 0;
    for (size_t i = 0; i < n; i++) {
        texts[i] = fuzz_text(in, 12);
        list[i] = &words[i];
        words[i] = (whisp_word){.text = texts[i], .start = real(in), .end = real(in), .probability = real(in)};
        if (flags & 2)
            words[i].confidence = real(in);
    }
    for (size_t i = 0; i < 4; i++)
        tokens[i] = (whisp_token){(int32_t)fuzz_below(in, 2000), -0.5f};
    whisp_segment segment = {.seek = fuzz_below(in, 3000),
                             .start = real(in),
                             .end = real(in),
                             .text = text,
                             .tokens = tokens,
                             .n_tokens = fuzz_below(in, 5),
                             .temperature = flags & 8 ? 0.4 : 0,
                             .avg_logprob = flags & 16 ? real(in) : -0.25,
                             .compression_ratio = real(in),
                             .no_speech_prob = real(in),
                             .words = flags & 1 ? list : NULL,
                             .n_words = n,
                             .speaker = (int)(flags >> 5) % 3};
    FUZZ_CHECK(wh_result_add(result, &segment, (flags & 4) != 0) == WHISP_OK);
    char line[64];
    whisp_segment_line(&segment, line, sizeof line);
    free(text);
    while (n)
        free(texts[--n]);
}

static void write_all(fuzz_input *in, const whisp_result *result)
{
    size_t n, length;
    char *text;
    const whisp_format *const *formats = whisp_format_list(&n);
    whisp_writer_options layout = {.size = sizeof layout,
                                   .highlight_words = (int)fuzz_below(in, 2),
                                   .max_line_width = (int)fuzz_below(in, 50),
                                   .max_line_count = (int)fuzz_below(in, 4),
                                   .max_words_per_line = (int)fuzz_below(in, 6),
                                   .doubtful_share = fuzz_u8(in) / 255.0};
    static const char *const styles[] = {NULL, "netflix", "bbc", "ebu"};
    whisp_writer_options laid_out = {.size = sizeof laid_out,
                                     .subtitles = 1,
                                     .subtitle_style = styles[fuzz_below(in, 4)]};
    if (fuzz_below(in, 2))
        layout = laid_out;
    for (size_t i = 0; i < n; i++)
        if (whisp_result_format(result, formats[i]->name, &layout, &text, &length) == WHISP_OK) {
            FUZZ_CHECK(strlen(text) <= length);
            whisp_string_free(text);
        }
}

/* JSON that a result gave is accepted; and what comes of it stays as it is. */
static void read_back(const whisp_result *result)
{
    char *json, *once;
    size_t n, n_once;
    whisp_result *back;
    FUZZ_CHECK(whisp_result_format(result, "json", NULL, &json, &n) == WHISP_OK);
    int rc = whisp_result_read(json, n, &back);
    if (rc)
        fprintf(stderr, "%s\n%s\n", whisp_last_error(), json);
    FUZZ_CHECK(rc == WHISP_OK);
    FUZZ_CHECK(whisp_result_format(back, "json", NULL, &once, &n_once) == WHISP_OK);
    if (n != n_once || memcmp(json, once, n) != 0)
        fprintf(stderr, "%s\n%s\n", json, once);
    FUZZ_CHECK(n == n_once && memcmp(json, once, n) == 0);
    whisp_string_free(json);
    whisp_string_free(once);
    whisp_result_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    whisp_result *result;
    char *text;
    FUZZ_CHECK(wh_result_new(&result) == WHISP_OK);
    unsigned n = fuzz_below(&in, 5), flags = fuzz_u8(&in);
    for (unsigned i = 0; i < n; i++)
        add(&in, result);
    text = fuzz_text(&in, 100);
    FUZZ_CHECK(wh_result_finish(result, text, flags & 1 ? "en" : NULL, real(&in)) == WHISP_OK);
    if (flags & 2)
        FUZZ_CHECK(whisp_result_set_incomplete(result, text) == WHISP_OK);
    write_all(&in, result);
    read_back(result);
    free(text);
    whisp_result_free(result);
    return 0;
}
