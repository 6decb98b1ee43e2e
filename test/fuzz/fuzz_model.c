/* fuzz_model.c - models of any dimensions, loaded and run: the input is a list of choices that makes the model (heads,
 * channels, layers, types of matrices; a damaged field or none), the arithmetic, the instruction set and the calls.
 *
 * Windows are cut to a few positions once the model is loaded, so that they take milliseconds; memory ends where the
 * library said it would (exact.c). */
#include <string.h>

#include "fuzz.h"

#include "backend/backend.h"
#include "cpu/registry.h"

#define MOST_SLOTS 4
#define MOST_TOKENS 12 /* in a step */

/* A divisor of n, the k-th by turns. */
static int divisor(int n, unsigned k)
{
    int found[64], count = 0;
    for (int i = 1; i <= n && count < 64; i++)
        if (n % i == 0)
            found[count++] = i;
    return found[k % (unsigned)count];
}

static void choose_model(fuzz_input *in, fuzz_dims *d, fuzz_changes *c)
{
    static const int types[] = {WH_F32, WH_F16, WH_BF16, WH_Q8_0, WH_I8};
    static const int rounds[] = {2, 4, 8, 16, 32, 64, 80, 96};
    unsigned state = fuzz_u8(in);
    d->state = state < 160 ? 2 + (int)state % 70 : rounds[state % WH_COUNT(rounds)];
    d->audio_heads = divisor(d->state, fuzz_u8(in));
    d->text_heads = divisor(d->state, fuzz_u8(in));
    d->audio_layers = 1 + (int)fuzz_below(in, 2);
    d->text_layers = 1 + (int)fuzz_below(in, 2);
    d->mels = 1 + (int)fuzz_below(in, 40);
    d->text_ctx = 8 + (int)fuzz_below(in, 40);
    d->n_vocab = 256 + 1510 + (int)(fuzz_below(in, 4) ? 0 : fuzz_below(in, 40));
    d->multilingual = (int)fuzz_below(in, 2);
    d->seed = fuzz_u8(in);
    unsigned mixed = fuzz_u8(in);
    for (int i = 0; i < 4; i++)
        d->types[i] = types[mixed < 160 ? mixed % 5 : (mixed >> i) % 5];
    *c = (fuzz_changes){.tensor = -1, .key = -1};
    switch (fuzz_below(in, 4)) {
    case 0:
        c->tensor = (int)fuzz_below(in, 60);
        c->field = (int)fuzz_below(in, 7);
        c->value = fuzz_u8(in) & 1 ? fuzz_u32(in) | (uint64_t)fuzz_u32(in) << 32 : fuzz_u32(in);
        if (fuzz_u8(in) & 1)
            c->value %= 256;
        break;
    case 1:
        c->key = (int)fuzz_below(in, 13);
        c->number = fuzz_u8(in) & 1 ? fuzz_u32(in) : fuzz_u8(in);
        break;
    default: break;
    }
}

/* Tokens in a step, for as many slots as there are; what is asked for fits into the context. */
static void step(fuzz_input *in, wh_backend *b, const whisp_model *m, int n_slots, int *used)
{
    int32_t tokens[MOST_SLOTS][MOST_TOKENS];
    int rows[MOST_TOKENS], n = 0;
    wh_step steps[MOST_SLOTS] = {0};
    size_t scores = (size_t)m->n_alignment_heads * (size_t)m->n_audio_ctx;
    for (int i = 0; i < MOST_TOKENS; i++)
        rows[i] = i;
    for (int slot = 0; slot < n_slots; slot++) {
        unsigned kind = fuzz_u8(in);
        int count = 1 + (int)(kind & 64 ? fuzz_below(in, MOST_TOKENS) : 0);
        count = WH_MIN(count, m->n_text_ctx - used[slot]);
        if (kind & 128 || count < 1)
            continue;
        for (int i = 0; i < count; i++)
            tokens[slot][i] = (int32_t)fuzz_below(in, (unsigned)m->n_vocab);
        int n_rows = (int)(kind & 15) % (count + 1), first = count - n_rows;
        wh_step *s = &steps[n++];
        *s = (wh_step){.slot = slot, .n_tokens = count, .tokens = tokens[slot], .n_rows = n_rows, .rows = rows + first};
        s->logits = wh_alloc_aligned((size_t)n_rows * (size_t)m->n_vocab, sizeof(float));
        if (kind & 32)
            s->cross_scores = wh_alloc_aligned(scores * (size_t)count, sizeof(float));
        FUZZ_CHECK(s->logits && (s->cross_scores || !(kind & 32)));
        used[slot] += count;
    }
    int rc = n ? wh_backend_decode(b, n, steps) : WHISP_OK;
    if (rc)
        fprintf(stderr, "%s\n", whisp_last_error());
    FUZZ_CHECK(rc == WHISP_OK);
    for (int i = 0; i < n; i++) {
        free(steps[i].logits);
        free(steps[i].cross_scores);
    }
}

static void run(fuzz_input *in, const whisp_model *m, wh_backend *b, int n_slots)
{
    size_t n_mel = 2 * (size_t)m->n_audio_ctx * (size_t)m->n_mels;
    float *mel = wh_alloc_aligned(n_mel, sizeof *mel);
    const float *const mels[MOST_SLOTS] = {mel, mel, mel, mel};
    static const int slots[MOST_SLOTS] = {0, 1, 2, 3};
    int used[MOST_SLOTS] = {0};
    FUZZ_CHECK(mel);
    for (size_t i = 0; i < n_mel; i++)
        mel[i] = (float)(i * 7919 % 256) / 128 - 1;
    FUZZ_CHECK(wh_backend_encode(b, n_slots, mels, slots) == WHISP_OK);
    for (int i = 0; i < 6 && in->n; i++) {
        int slot = (int)fuzz_below(in, (unsigned)n_slots), other = (int)fuzz_below(in, (unsigned)n_slots), to;
        switch (fuzz_below(in, 5)) {
        case 0:
            to = (int)fuzz_below(in, (unsigned)used[slot] + 1);
            FUZZ_CHECK(wh_backend_truncate(b, slot, to) == WHISP_OK);
            used[slot] = to;
            break;
        case 1:
            FUZZ_CHECK(wh_backend_fork(b, slot, other) == WHISP_OK);
            used[slot] = used[other];
            break;
        default: step(in, b, m, n_slots, used);
        }
    }
    free(mel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const wh_compute computes[] = {WH_COMPUTE_F32, WH_COMPUTE_INT8, WH_COMPUTE_BF16, WH_COMPUTE_AUTO};
    fuzz_input in = {data, size};
    fuzz_dims dims;
    fuzz_changes changes;
    fuzz_bytes bytes;
    whisp_model *m;
    wh_backend *b;
    unsigned level = fuzz_u8(&in), compute = fuzz_u8(&in);
    choose_model(&in, &dims, &changes);
    fuzz_model_bytes(&dims, &changes, &bytes);
    int is_whole = changes.tensor < 0 && changes.key < 0;
    int rc = whisp_model_load_memory(bytes.data, bytes.n, NULL, &m);
    fuzz_say(rc);
    FUZZ_CHECK(!rc || (!is_whole && strlen(whisp_last_error()) > 10));
    if (!rc) {
        int n_slots = 1 + (int)fuzz_below(&in, MOST_SLOTS);
        wh_backend_config config = {.n_slots = n_slots, .threads = 1, .compute = computes[compute % 4]};
        m->n_audio_ctx = 1 + (int)fuzz_below(&in, 40);
        setenv("WHISP_CPU", wh_cpu_level_name((int)(level % (unsigned)wh_cpu_levels())), 1);
        rc = wh_backend_new("cpu", m, &config, &b);
        FUZZ_CHECK(!rc || rc == WHISP_ERR_BACKEND || rc == WHISP_ERR_MODEL);
        if (!rc)
            run(&in, m, b, n_slots);
        wh_backend_free(rc ? NULL : b);
        whisp_model_free(m);
    }
    free(bytes.data);
    return 0;
}
