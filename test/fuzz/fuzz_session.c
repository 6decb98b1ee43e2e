/* fuzz_session.c - a session's calls in any order: push, pull, finish, reset, measure, whole recordings, alignment,
 * language, Mel spectrograms, on a small model with options that the input chooses. */
#include <math.h>
#include <string.h>

#include "calls.h"

#include "util/util.h"
#include "whisp_live.h"

/* Times are numbers, texts are there. */
static void look(const whisp_segment *s)
{
    FUZZ_CHECK(s && s->text && isfinite(s->start) && isfinite(s->end) && isfinite(s->avg_logprob));
    for (size_t i = 0; i < s->n_words; i++)
        FUZZ_CHECK(s->words[i]->text && s->words[i]->start <= s->words[i]->end);
}

static void look_at_result(int rc, whisp_result *result)
{
    FUZZ_CHECK(rc == WHISP_OK ? result != NULL : strlen(whisp_last_error()) > 5);
    for (size_t i = 0; whisp_result_segment(result, i); i++)
        look(whisp_result_segment(result, i));
    whisp_result_free(result);
}

static void hear_whole(whisp_session *s, fuzz_input *in)
{
    size_t n;
    const float *samples = fuzz_samples(in, &n);
    whisp_audio *audio = NULL;
    whisp_result *result = NULL;
    float probabilities[100];
    int rc;
    static const char *const texts[] = {"a b c", "one.\ntwo three\n", "", "\xff\xfe", "x", "Wort, noch eins! (ja)"};
    FUZZ_CHECK(whisp_audio_open_samples(samples, n, &audio) == WHISP_OK);
    switch (fuzz_below(in, 3)) {
    case 0:
        rc = whisp_session_transcribe(s, audio, &result);
        look_at_result(rc, result);
        break;
    case 1:
        rc = whisp_session_align(s, audio, texts[fuzz_below(in, WH_COUNT(texts))], &result);
        look_at_result(rc, result);
        break;
    default: rc = whisp_session_detect_language(s, audio, probabilities, 100); FUZZ_CHECK(rc < 100);
    }
    whisp_audio_free(audio);
}

static void hear_mel(whisp_session *s, fuzz_input *in)
{
    size_t n;
    const float *samples = fuzz_samples(in, &n);
    static float mel[8 * FUZZ_SAMPLES / 160 + 8];
    float probabilities[100];
    whisp_result *result = NULL;
    int64_t floats = whisp_log_mel(fuzz_small_model(), samples, n, mel, WH_COUNT(mel));
    FUZZ_CHECK(floats >= 0 && floats <= (int64_t)WH_COUNT(mel));
    int rc = whisp_session_decode_mel(s, mel, (size_t)floats / 8, fuzz_u8(in) & 1 ? probabilities : NULL, 100, &result);
    look_at_result(rc, result);
}

static void call(whisp_session *s, fuzz_input *in)
{
    const whisp_segment *segment;
    whisp_session_info info = {.size = sizeof info};
    const float *samples;
    size_t n;
    int64_t taken;
    int rc;
    switch (fuzz_below(in, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        samples = fuzz_samples(in, &n);
        taken = whisp_session_push(s, samples, n);
        FUZZ_CHECK(taken <= (int64_t)n);
        break;
    case 4:
    case 5:
        for (int i = 0; i < 20 && (rc = whisp_session_pull(s, &segment)) == 1; i++)
            look(segment);
        break;
    case 6: whisp_session_finish(s); break;
    case 7: whisp_session_reset(s); break;
    case 8:
        samples = fuzz_samples(in, &n);
        whisp_session_measure(s, samples, n);
        break;
    case 9: hear_mel(s, in); break;
    case 10: FUZZ_CHECK(whisp_session_describe(s, &info) == WHISP_OK && info.backend); break;
    default: hear_whole(s, in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    fuzz_cancel cancel;
    whisp_session *s;
    whisp_options *o = fuzz_choose_options(&in);
    fuzz_set_cancel(o, &in, &cancel);
    int rc = whisp_session_new(fuzz_small_model(), o, &s);
    FUZZ_CHECK((rc == WHISP_OK) == (s != NULL));
    whisp_options_free(o);
    for (int i = 0; i < 12 && in.n && !rc; i++)
        call(s, &in);
    whisp_session_free(s);
    return 0;
}
