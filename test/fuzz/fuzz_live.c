/* fuzz_live.c - a live transcription's calls in any order, on a small model. */
#include <string.h>

#include "calls.h"

#include "whisp_live.h"

static void pull(whisp_stream *s)
{
    const whisp_word *const *words;
    size_t n;
    double last = 0;
    for (int i = 0; i < 40 && whisp_stream_pull(s, &words, &n) == 1; i++)
        for (size_t k = 0; k < n; k++) {
            FUZZ_CHECK(words[k]->text && words[k]->start <= words[k]->end && words[k]->start >= last);
            last = words[k]->start;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    fuzz_cancel cancel;
    whisp_stream *s;
    whisp_options *o = fuzz_choose_options(&in);
    fuzz_set_cancel(o, &in, &cancel);
    int rc = whisp_stream_new(fuzz_small_model(), o, &s);
    FUZZ_CHECK((rc == WHISP_OK) == (s != NULL));
    whisp_options_free(o);
    for (int i = 0; i < 10 && in.n && !rc; i++) {
        whisp_stream_info info = {.size = sizeof info};
        size_t n;
        const float *samples;
        switch (fuzz_below(&in, 8)) {
        case 0: /* more than a minute, which is all that it holds */
            samples = fuzz_samples(&in, &n);
            for (unsigned times = fuzz_below(&in, 20); times; times--)
                FUZZ_CHECK(whisp_stream_push(s, samples, n) <= (int64_t)n);
            break;
        case 1:
        case 2:
            samples = fuzz_samples(&in, &n);
            FUZZ_CHECK(whisp_stream_push(s, samples, n) <= (int64_t)n);
            break;
        case 3: whisp_stream_finish(s); break;
        case 4: whisp_stream_catch_up(s); break;
        case 5: FUZZ_CHECK(whisp_stream_describe(s, &info) == WHISP_OK && info.tail); break;
        default: pull(s);
        }
    }
    whisp_stream_free(s);
    return 0;
}
