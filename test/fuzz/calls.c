/* calls.c - see calls.h. */
#include "calls.h"

#include <math.h>
#include <string.h>

#include "util/util.h"

const float *fuzz_samples(fuzz_input *in, size_t *n)
{
    static float samples[FUZZ_SAMPLES];
    unsigned kind = fuzz_u8(in);
    static const size_t sizes[] = {0, 1, 159, 160, 161, 400, 512, 7999, 16000, 16001, 30000, 47999, 80000};
    *n = sizes[fuzz_below(in, WH_COUNT(sizes))];
    uint64_t random = kind % 8;
    for (size_t i = 0; i < *n; i++) {
        double x = (double)fuzz_random(&random, 65536) / 65536 - 0.5;
        samples[i] = kind & 8 && i / 9000 % 2 ? 0 : (float)(kind & 16 ? x : 0.3 * sin((double)i * 0.07) + 0.02 * x);
    }
    if (kind & 32 && *n)
        samples[*n / 2] = kind & 64 ? NAN : INFINITY;
    return samples;
}

whisp_options *fuzz_choose_options(fuzz_input *in)
{
    static const struct {
        const char *name, *values[4];
    } rows[] = {{"language", {"en", "None", "en", "en"}},
                {"task", {"transcribe", "translate", NULL}},
                {"word_timestamps", {"True", "False", NULL}},
                {"confidence", {"True", "False", NULL}},
                {"without_timestamps", {"True", "False", NULL}},
                {"condition_on_previous_text", {"True", "False", NULL}},
                {"hallucination_guard", {"False", "True", NULL}},
                {"hallucination_silence_threshold", {"0.5", "None", NULL}},
                {"initial_prompt", {"a b", "None", "\xff", " "}},
                {"prefix", {"a", "None", "", "x y"}},
                {"hotwords", {"tea", "None", NULL}},
                {"clip_timestamps", {"0", "0.5,1", "1", "0,0.5,2,3"}},
                {"cut", {"auto", "off", "5", NULL}},
                {"batch_size", {"1", "2", "3", NULL}},
                {"threads", {"1", "2", NULL}},
                {"split_stereo", {"False", "True", NULL}},
                {"multilingual", {"False", "True", NULL}},
                {"beam_size", {"None", "2", NULL}},
                {"temperature", {"0", "0.7", "0,0.5", NULL}},
                {"compute_type", {"auto", "f32", "bf16", NULL}},
                {"stream_step", {"0.4", "10", "0.1", NULL}},
                {"max_initial_timestamp", {"None", "0", NULL}},
                {"no_repeat_ngram_size", {"1", "0", NULL}},
                {"repetition_penalty", {"2", "1", NULL}},
                {"suppress_tokens", {"", "-1", "5,6", NULL}}};
    whisp_options *o = whisp_options_new();
    FUZZ_CHECK(o && whisp_options_set(o, "sample_len", "5") == WHISP_OK);
    FUZZ_CHECK(whisp_options_set(o, "temperature", "0") == WHISP_OK &&
               whisp_options_set(o, "threads", "1") == WHISP_OK);
    FUZZ_CHECK(whisp_options_set(o, "hallucination_guard", "False") == WHISP_OK);
    FUZZ_CHECK(whisp_options_set(o, "temperature_increment_on_fallback", "None") == WHISP_OK);
    for (unsigned n = fuzz_below(in, 6); n; n--) {
        size_t row = fuzz_below(in, WH_COUNT(rows));
        const char *value = rows[row].values[fuzz_below(in, 4)];
        FUZZ_CHECK(whisp_options_set(o, rows[row].name, value ? value : rows[row].values[0]) == WHISP_OK);
    }
    return o;
}

static int is_over(void *user)
{
    fuzz_cancel *c = user;
    return c->after >= 0 && c->after-- == 0;
}

void fuzz_set_cancel(whisp_options *o, fuzz_input *in, fuzz_cancel *c)
{
    unsigned x = fuzz_u8(in);
    c->after = x < 64 ? (int)x : -1;
    whisp_callbacks callbacks = {.size = sizeof callbacks, .user = c, .cancel = is_over};
    FUZZ_CHECK(whisp_options_on(o, &callbacks) == WHISP_OK);
}
