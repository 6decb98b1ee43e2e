/* fuzz_queue.c - a queue's calls in any order: submitted recordings, cancelled ones, events taken or left, on a small
 * model. */
#include <string.h>

#include "calls.h"

#include "util/util.h"

/* Samples that a recording in the queue hears must stay: a few kinds, kept. */
static const float *keep(fuzz_input *in, size_t *n)
{
    static float *kept[16];
    static size_t sizes[16];
    unsigned kind = fuzz_below(in, 16);
    if (!kept[kind]) {
        uint8_t choice[2] = {(uint8_t)(kind * 17), (uint8_t)(kind * 5)};
        fuzz_input own = {choice, 2};
        const float *samples = fuzz_samples(&own, &sizes[kind]);
        sizes[kind] = WH_MIN(sizes[kind], 20000);
        FUZZ_CHECK((kept[kind] = malloc(sizes[kind] * sizeof *samples + 1)));
        memcpy(kept[kind], samples, sizes[kind] * sizeof *samples);
    }
    *n = sizes[kind];
    return kept[kind];
}

static void submit(whisp_queue *q, fuzz_input *in, uint64_t *last)
{
    whisp_audio *audio;
    size_t n;
    const float *samples = keep(in, &n);
    whisp_options *o = fuzz_u8(in) & 1 ? fuzz_choose_options(in) : NULL;
    if (!o)
        FUZZ_CHECK((o = whisp_options_new()) && whisp_options_set(o, "sample_len", "3") == WHISP_OK);
    FUZZ_CHECK(whisp_audio_open_samples(samples, n, &audio) == WHISP_OK);
    if (whisp_queue_submit(q, audio, o, NULL, last) != WHISP_OK)
        whisp_audio_free(audio);
    whisp_options_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    whisp_queue *q;
    whisp_event event = {.size = sizeof event};
    uint64_t last = 0;
    whisp_options *o = fuzz_choose_options(&in);
    int rc = whisp_queue_new(fuzz_small_model(), o, &q);
    FUZZ_CHECK((rc == WHISP_OK) == (q != NULL));
    whisp_options_free(o);
    for (int i = 0; i < 10 && in.n && !rc; i++)
        switch (fuzz_below(&in, 6)) {
        case 0:
        case 1:
        case 2: submit(q, &in, &last); break;
        case 3: whisp_queue_cancel(q, fuzz_below(&in, (unsigned)last + 3)); break;
        default:
            if (whisp_queue_next(q, fuzz_u8(&in) & 1 ? 0.01 : 0, &event) == 1 && event.kind == WHISP_EVENT_END) {
                FUZZ_CHECK(event.rc == WHISP_OK ? event.result && !event.error : event.error && *event.error);
                whisp_result_free(event.result);
            }
        }
    whisp_queue_free(q);
    return 0;
}
