/* stream.c - samples of any length in, a probability for each 32 ms and spans of speech out; the public stream of
 * whisp.h. Holds less than a chunk of samples beside what the network needs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vad/vad.h"

#define LOUDEST 1000.0f /* samples beyond this are cut, so that no sum overflows */

struct whisp_vad_stream {
    const whisp_vad *vad;
    wh_values values;
    wh_vad_net net;
    wh_speech speech;
    wh_spans spans; /* found; those before `given` were pulled */
    size_t given;
    float chunks[WH_VAD_BATCH * WH_VAD_CHUNK];
    size_t n;      /* samples in chunks */
    int64_t total; /* samples pushed */
    int finished;
};

int whisp_vad_stream_new(const whisp_vad *vad, const whisp_options *options, whisp_vad_stream **stream)
{
    if (!stream)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_stream_new: stream is NULL");
    *stream = NULL;
    if (!vad)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_stream_new: vad is NULL");
    whisp_vad_stream *s = wh_calloc(1, sizeof *s);
    whisp_options *copy = s ? wh_options_copy(options) : NULL;
    if (!copy || wh_vad_net_init(&s->net)) {
        whisp_options_free(copy);
        free(s);
        return copy ? WHISP_ERR_MEMORY : wh_fail_memory();
    }
    s->vad = vad;
    s->values = copy->values; /* its numbers only */
    whisp_options_free(copy);
    whisp_vad_stream_reset(s);
    *stream = s;
    return WHISP_OK;
}

void whisp_vad_stream_free(whisp_vad_stream *s)
{
    if (!s)
        return;
    wh_vad_net_free(&s->net);
    free(s->spans.spans);
    free(s);
}

void whisp_vad_stream_reset(whisp_vad_stream *s)
{
    if (!s)
        return;
    wh_vad_net_reset(&s->net);
    wh_speech_init(&s->speech, &s->values);
    s->spans.n = s->given = s->n = 0;
    s->total = 0;
    s->finished = 0;
}

/* The chunks that are complete. */
static int run(whisp_vad_stream *s, float *probabilities)
{
    int n = (int)(s->n / WH_VAD_CHUNK), rc = WHISP_OK;
    if (n == 0)
        return WHISP_OK;
    wh_vad_net_run(s->vad, &s->net, s->chunks, n, probabilities);
    for (int i = 0; i < n && !rc; i++)
        rc = wh_speech_push(&s->speech, probabilities[i], s->total, &s->spans);
    s->n -= (size_t)n * WH_VAD_CHUNK;
    memmove(s->chunks, s->chunks + n * WH_VAD_CHUNK, s->n * sizeof *s->chunks);
    return rc;
}

int64_t whisp_vad_push(whisp_vad_stream *s, const float *samples, size_t n, float *probabilities, size_t capacity)
{
    if (!s || (!samples && n))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_push: an argument is NULL");
    if (s->finished)
        return wh_fail(WHISP_ERR_STATE, "whisp_vad_push: the stream is finished; reset it first");
    size_t made = 0;
    if (probabilities && (s->n + n % WH_VAD_CHUNK) / WH_VAD_CHUNK + n / WH_VAD_CHUNK > capacity)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "whisp_vad_push: room for %zu probabilities, %zu samples need more: one for "
                       "each %d",
                       capacity, n, WH_VAD_CHUNK);
    while (n > 0) {
        size_t taken = WH_MIN(n, WH_COUNT(s->chunks) - s->n);
        float found[WH_VAD_BATCH];
        for (size_t i = 0; i < taken; i++) {
            float x = samples[i];
            s->chunks[s->n + i] = isfinite(x) ? fminf(fmaxf(x, -LOUDEST), LOUDEST) : 0;
        }
        samples += taken;
        n -= taken;
        s->n += taken;
        s->total += (int64_t)taken;
        size_t ready = s->n / WH_VAD_CHUNK;
        int rc = run(s, found);
        if (rc)
            return rc;
        if (probabilities && ready)
            memcpy(probabilities + made, found, ready * sizeof *found);
        made += ready;
    }
    return (int64_t)made;
}

int whisp_vad_finish(whisp_vad_stream *s, float *probability)
{
    if (!s)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_finish: stream is NULL");
    if (s->finished)
        return wh_fail(WHISP_ERR_STATE, "whisp_vad_finish: the stream is finished already");
    /* faster-whisper hears a chunk of zeros where the last one is complete; its probability is not given out */
    int partial = s->n > 0;
    float last;
    memset(s->chunks + s->n, 0, (WH_VAD_CHUNK - s->n) * sizeof *s->chunks);
    s->n = WH_VAD_CHUNK;
    s->finished = 1;
    int rc = run(s, &last);
    if (!rc)
        rc = wh_speech_finish(&s->speech, s->total, &s->spans);
    if (rc)
        return rc;
    if (partial && probability)
        *probability = last;
    return partial;
}

int whisp_vad_pull(whisp_vad_stream *s, whisp_span *span)
{
    if (!s || !span)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_vad_pull: an argument is NULL");
    if (s->given < s->spans.n) {
        const wh_span *found = &s->spans.spans[s->given++];
        span->start = (double)found->start / WH_VAD_RATE;
        span->end = (double)found->end / WH_VAD_RATE;
        return 1;
    }
    s->spans.n = s->given = 0;
    return s->finished ? WHISP_END : 0;
}

int wh_vad_find(const whisp_vad *vad, const whisp_options *options, wh_vad_read_fn read, void *user, wh_spans *speech,
                int64_t *total, float **probabilities, size_t *n_probabilities)
{
    enum { BLOCK = WH_VAD_BATCH * WH_VAD_CHUNK };
    whisp_vad_stream *s;
    size_t capacity = 0, made = 0;
    float *list = NULL, *block = wh_alloc_aligned(BLOCK, sizeof *block);
    int64_t n = 0, rc = whisp_vad_stream_new(vad, options, &s);
    if (!rc && !block)
        rc = wh_fail_memory();
    while (!rc && (n = read(user, block, BLOCK)) > 0) {
        float found[WH_VAD_BATCH + 1];
        if ((options && (rc = wh_check_cancel(options))) ||
            (rc = whisp_vad_push(s, block, (size_t)n, found, WH_COUNT(found))) < 0)
            break;
        size_t more = (size_t)rc;
        rc = probabilities ? wh_grow(&list, &capacity, made + more + 1, sizeof *list) : WHISP_OK;
        if (!rc && probabilities)
            memcpy(list + made, found, more * sizeof *list);
        made += more;
    }
    if (!rc && n < 0)
        rc = n;
    float last = 0;
    if (!rc && (rc = whisp_vad_finish(s, &last)) == 1) {
        if (probabilities)
            list[made] = last;
        made++;
        rc = WHISP_OK;
    }
    if (rc) {
        free(list);
    } else {
        *speech = s->spans;
        memset(&s->spans, 0, sizeof s->spans);
        *total = s->total;
        if (probabilities)
            *probabilities = list;
        if (n_probabilities)
            *n_probabilities = made;
    }
    whisp_vad_stream_free(s);
    free(block);
    return (int)rc;
}
