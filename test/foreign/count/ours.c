/* ours.c - thirty seconds of sound to log-Mel, a window through the encoder, a prompt of four tokens and thirty tokens one by
 * one, on one thread, in the phases of mark.h. peer.cpp does the same by whisper.cpp.
 *
 * usage: count-ours MODEL.gguf int8|f32|bf16 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "mark.h"
#include "mel/mel.h"
#include "model/model.h"

static int fail(void)
{
    fprintf(stderr, "count-ours: %s\n", whisp_last_error());
    return 1;
}

/* All of the window is loud, so that no position of it is left out. */
static int window(const whisp_model *model, float *out)
{
    static float samples[480000], filters[128 * 201];
    wh_mel *mel;
    for (int i = 0; i < 480000; i++)
        samples[i] = 0.3f * sinf(0.05f * (float)i) + 0.2f * ((float)((unsigned)i * 2654435761u >> 8) * 0x1p-23f - 1);
    wh_mel_filters(model->n_mels, filters);
    if (wh_mel_new(model->n_mels, filters, 3200, &mel))
        return fail();
    mark(PHASE_MEL);
    wh_mel_push(mel, samples, 480000);
    wh_mel_finish(mel);
    wh_mel_window(mel, 0, 3000, WH_PAD_MEL, out);
    mark(PHASE_OTHER);
    wh_mel_free(mel);
    return 0;
}

static int run(const whisp_model *model, wh_backend *backend, const float *mel, float *logits)
{
    const float *const mels[] = {mel};
    const int slot[] = {0}, last = 3, only = 0;
    int32_t tokens[34];
    for (int i = 0; i < 34; i++)
        tokens[i] = 300 + 7 * i;
    mark(PHASE_WINDOW);
    if (wh_backend_encode_full(backend, 1, mels, slot))
        return fail();
    mark(PHASE_PROMPT);
    wh_step step = {.n_tokens = 4, .tokens = tokens, .n_rows = 1, .rows = &last, .logits = logits};
    if (wh_backend_decode(backend, 1, &step))
        return fail();
    mark(PHASE_TOKENS);
    for (int i = 4; i < 34; i++) {
        step = (wh_step){.n_tokens = 1, .tokens = tokens + i, .n_rows = 1, .rows = &only, .logits = logits};
        if (wh_backend_decode(backend, 1, &step))
            return fail();
    }
    mark(PHASE_OTHER);
    printf("%s: the last logits begin with %g\n", wh_backend_describe(backend), logits[0]);
    return isfinite(logits[model->n_vocab - 1]) ? 0 : 1;
}

int main(int argc, char **argv)
{
    whisp_model *model;
    wh_backend *backend;
    if (argc != 3) {
        fprintf(stderr, "usage: count-ours MODEL.gguf int8|f32|bf16\n");
        return 2;
    }
    if (whisp_model_load(argv[1], NULL, &model))
        return fail();
    float *mel = calloc(3000 * (size_t)model->n_mels, sizeof *mel),
          *logits = calloc((size_t)model->n_vocab, sizeof *logits);
    const wh_backend_config config = {.n_slots = 1, .threads = 1, .compute = wh_compute_named(argv[2])};
    if (!mel || !logits || wh_backend_new("cpu", model, &config, &backend))
        return fail();
    int rc = window(model, mel) || run(model, backend, mel, logits);
    wh_backend_free(backend);
    whisp_model_free(model);
    free(mel);
    free(logits);
    return rc;
}
