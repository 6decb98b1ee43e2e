/* ggml.c - whisper.cpp's ggml-*.bin: hyper-parameters, Mel filters (not needed here), vocabulary, tensors.
 *
 * All numbers are little endian. Tensors already have openai/whisper's names; their dimensions are stored fastest
 * first. The vocabulary is raw bytes and ends where the special tokens begin. */
#include <limits.h>
#include <string.h>

#include "source.h"
#include "vocab.h"

#define MAX_FILTERS (512 * 4096)

/* ggml's tensor types that whisper.cpp writes. */
static const struct {
    uint32_t id;
    enum stored type;
} ggml_types[] = {{0, ST_F32},   {1, ST_F16},   {2, ST_Q4_0},    {3, ST_Q4_1},  {6, ST_Q5_0},
                  {7, ST_Q5_1},  {8, ST_Q8_0},  {10, ST_Q2_K},   {11, ST_Q3_K}, {12, ST_Q4_K},
                  {13, ST_Q5_K}, {14, ST_Q6_K}, {20, ST_IQ4_NL}, {30, ST_BF16}};

static int take_int(struct cursor *c)
{
    uint32_t value = cursor_u32(c);
    return value > INT_MAX ? 0 : (int)value;
}

static int take_dims(struct source *s, struct cursor *c)
{
    struct dims *d = &s->dims;
    d->n_vocab = take_int(c);
    d->n_audio_ctx = take_int(c);
    d->n_audio_state = take_int(c);
    d->n_audio_head = take_int(c);
    d->n_audio_layer = take_int(c);
    d->n_text_ctx = take_int(c);
    d->n_text_state = take_int(c);
    d->n_text_head = take_int(c);
    d->n_text_layer = take_int(c);
    d->n_mels = take_int(c);
    take_int(c); /* the type of most tensors; every tensor says its own */
    return c->failed ? source_damaged(s, "the hyper-parameters") : source_check_dims(s);
}

static int take_vocabulary(struct source *s, struct cursor *c)
{
    uint32_t n = cursor_u32(c);
    int expected = layout_published(&s->dims);
    if (c->failed || n < 256 || n > (uint32_t)s->dims.n_vocab)
        return source_damaged(s, "the vocabulary");
    int rc = vocab_begin(s);
    for (uint32_t i = 0; i < n && !rc; i++) {
        uint32_t length = cursor_u32(c);
        const unsigned char *bytes = cursor_take(c, length);
        if (!bytes || length > 1 << 16)
            return source_damaged(s, "the vocabulary");
        if (expected == 0 || i < (uint32_t)expected) /* some files have special tokens too */
            rc = vocab_set_bytes(s, (int)i, bytes, length);
    }
    return rc;
}

static int take_tensor(struct source *s, struct cursor *c)
{
    uint32_t n_dims = cursor_u32(c), length = cursor_u32(c), type = cursor_u32(c);
    int64_t shape[WH_MAX_DIMS] = {1, 1, 1, 1};
    char name[sizeof s->tensors->name];
    if (c->failed || n_dims < 1 || n_dims > WH_MAX_DIMS || length == 0 || length >= sizeof name)
        return source_damaged(s, "a tensor's description");
    for (uint32_t i = 0; i < n_dims; i++)
        shape[n_dims - 1 - i] = take_int(c);
    const unsigned char *text = cursor_take(c, length);
    if (!text || memchr(text, 0, length))
        return source_damaged(s, "a tensor's name");
    memcpy(name, text, length);
    name[length] = 0;
    for (size_t i = 0; i < WH_COUNT(ggml_types); i++) {
        if (ggml_types[i].id != type)
            continue;
        struct tensor *t = source_add(s, name, ggml_types[i].type, (int)n_dims, shape, c->at);
        if (!t)
            return WHISP_ERR_MODEL;
        if (!tensor_fits(t, c->left))
            return source_damaged(s, name);
        cursor_take(c, stored_bytes(t->type, tensor_elements(t)));
        return WHISP_OK;
    }
    return wh_fail(WHISP_ERR_MODEL,
                   "%s: tensor %s has ggml's type %u; only f32, f16, bf16, q8_0, q5_0, q5_1, q4_0, "
                   "q4_1, q2_K to q6_K and iq4_nl can be read",
                   s->path, name, (unsigned)type);
}

int read_ggml(struct source *s)
{
    const unsigned char *data = NULL;
    size_t size = 0;
    s->format = "ggml";
    int rc = source_map(s, s->path, &data, &size);
    if (rc || (rc = source_add_file(s, s->path)))
        return rc;
    struct cursor c = {data, size, 0};
    cursor_u32(&c); /* magic, known from the first bytes */
    if ((rc = take_dims(s, &c)))
        return rc;
    uint64_t bands = cursor_u32(&c), bins = cursor_u32(&c);
    if (bands == 0 || bins == 0 || bands > MAX_FILTERS / bins || !cursor_take(&c, 4 * bands * bins))
        return source_damaged(s, "the Mel filters");
    rc = take_vocabulary(s, &c);
    while (!rc && c.left > 0)
        rc = take_tensor(s, &c);
    return rc;
}
