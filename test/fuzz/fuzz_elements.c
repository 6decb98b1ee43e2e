/* fuzz_elements.c - stored elements of checkpoints to floats: every type, any shape, strides; and pickles alone. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

#include "../tools/convert/pickle.h"
#include "../tools/convert/source.h"

/* Whether the last element that the strides reach is in n. */
static int strides_fit(const struct tensor *t, int64_t n)
{
    int64_t last = 0;
    for (int i = 0; i < t->n_dims; i++)
        last += (t->shape[i] - 1) * t->stride[i];
    return last < n;
}

/* Floats to each of GGUF's types and back: what was rounded once stays as it is. */
static void encode(const float *x, int64_t n)
{
    static const wh_type types[] = {WH_F32, WH_F16, WH_BF16, WH_Q8_0};
    for (size_t i = 0; i < WH_COUNT(types); i++) {
        int64_t whole = types[i] == WH_Q8_0 ? n / 32 * 32 : n;
        size_t bytes = wh_type_row_size(types[i], whole);
        uint8_t *row = malloc(bytes + 1);
        float *back = malloc((size_t)whole * sizeof *back + 1), *again = malloc((size_t)whole * sizeof *back + 1);
        FUZZ_CHECK(row && back && again);
        if (bytes) {
            wh_encode_row(types[i], x, row, whole);
            wh_decode_row(types[i], row, back, whole);
            wh_encode_row(types[i], back, row, whole);
            wh_decode_row(types[i], row, again, whole);
        }
        for (int64_t k = 0; bytes && types[i] != WH_Q8_0 && k < whole; k++)
            FUZZ_CHECK(memcmp(&back[k], &again[k], sizeof *back) == 0 || (isnan(back[k]) && isnan(again[k])));
        free(row);
        free(back);
        free(again);
    }
}

static void decode(fuzz_input *in)
{
    struct tensor t = {.type = (enum stored)fuzz_below(in, ST_COMPUTED + 1), .n_dims = 1 + (int)fuzz_below(in, 4)};
    unsigned flags = fuzz_u8(in);
    int block = t.type >= ST_Q2_K && t.type <= ST_Q6_K ? 256 : t.type >= ST_Q8_0 && t.type <= ST_IQ4_NL ? 32 : 1;
    for (int i = 0; i < WH_MAX_DIMS; i++) {
        t.shape[i] = i < t.n_dims ? 1 + fuzz_below(in, 5) : 1;
        t.stride[i] = fuzz_below(in, 7);
    }
    if (t.type == ST_COMPUTED) { /* encoder positions: [length][an even number of channels] */
        t.n_dims = 2;
        t.shape[1] *= 2;
    }
    t.shape[t.n_dims - 1] *= block;
    if ((flags & 1) && t.type != ST_COMPUTED)
        t.shape[fuzz_below(in, 4)] = flags & 2 ? (int64_t)fuzz_u32(in) << fuzz_below(in, 32) : (int64_t)fuzz_u8(in) - 9;
    int64_t n = tensor_elements(&t);
    size_t bytes = stored_bytes(t.type, n);
    FUZZ_CHECK(n >= 0 && (bytes || !tensor_fits(&t, SIZE_MAX)));
    if (!tensor_fits(&t, 1 << 12))
        return;
    uint8_t *stored = malloc(bytes), *scale = malloc(4 * (size_t)t.shape[0]);
    float *out = malloc((size_t)n * sizeof *out);
    FUZZ_CHECK(stored && scale && out);
    for (size_t i = 0; i < bytes; i++)
        stored[i] = (uint8_t)fuzz_u8(in);
    for (size_t i = 0; i < 4 * (size_t)t.shape[0]; i++)
        scale[i] = (uint8_t)fuzz_u8(in);
    t.data = stored;
    t.scale = scale;
    t.is_strided = block == 1 && (flags & 4) && t.type != ST_I8 && t.type != ST_I8_ROWS && t.type != ST_COMPUTED &&
                   strides_fit(&t, n);
    int64_t first = (int64_t)fuzz_u8(in) * block % n;
    tensor_floats(&t, first, n - first, out);
    if (t.type != ST_COMPUTED) /* never takes more room than the floats */
        tensor_bytes(&t, first, n - first, (unsigned char *)out);
    encode(out, n - first);
    free(stored);
    free(scale);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    if (fuzz_u8(&in) & 1) {
        const char *reason = NULL;
        struct pickle *p = pickle_parse(in.data, in.n, &reason);
        FUZZ_CHECK((p != NULL) != (reason != NULL));
        pickle_free(p);
    } else {
        decode(&in);
    }
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    uint64_t random = seed;
    if (size < 2 || !(data[0] & 1))
        return LLVMFuzzerMutate(data, size, max_size);
    return 1 + fuzz_change_file("data.pkl", data + 1, size - 1, max_size - 1, &random);
}
