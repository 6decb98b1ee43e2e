/* silero.c - Silero VAD to GGUF, from the two files of the silero-vad package that hold its weights for 16 kHz as plain
 * tensors: silero_vad_16k_op15.onnx, which is the network that onnxruntime runs, and silero_vad_16k.safetensors, whose
 * weights are those of another training (docs/vad.md).
 *
 * An ONNX file is a protocol buffer: model.graph (field 7) holds tensors as initializers (field 5), each with dims (1),
 * data_type (2), name (8) and raw_data (9). */
#include <string.h>

#include "ending.h"
#include "other.h"
#include "silero.h"

#define ONNX_FLOAT 1

static const struct {
    const char *name, *onnx; /* here and in the safetensors file; in the ONNX file */
    int64_t shape[3];
    int n_dims;
} tensors[] = {
    {"stft_conv.weight", "model.stft.forward_basis_buffer", {258, 1, 256}, 3},
    {"conv1.weight", "model.encoder.0.reparam_conv.weight", {128, 129, 3}, 3},
    {"conv1.bias", "model.encoder.0.reparam_conv.bias", {128, 1, 1}, 1},
    {"conv2.weight", "model.encoder.1.reparam_conv.weight", {64, 128, 3}, 3},
    {"conv2.bias", "model.encoder.1.reparam_conv.bias", {64, 1, 1}, 1},
    {"conv3.weight", "model.encoder.2.reparam_conv.weight", {64, 64, 3}, 3},
    {"conv3.bias", "model.encoder.2.reparam_conv.bias", {64, 1, 1}, 1},
    {"conv4.weight", "model.encoder.3.reparam_conv.weight", {128, 64, 3}, 3},
    {"conv4.bias", "model.encoder.3.reparam_conv.bias", {128, 1, 1}, 1},
    {"lstm_cell.weight_ih", "model.decoder.rnn.weight_ih", {512, 128, 1}, 2},
    {"lstm_cell.weight_hh", "model.decoder.rnn.weight_hh", {512, 128, 1}, 2},
    {"lstm_cell.bias_ih", "model.decoder.rnn.bias_ih", {512, 1, 1}, 1},
    {"lstm_cell.bias_hh", "model.decoder.rnn.bias_hh", {512, 1, 1}, 1},
    {"final_conv.weight", "model.decoder.decoder.2.weight", {1, 128, 1}, 3},
    {"final_conv.bias", "model.decoder.decoder.2.bias", {1, 1, 1}, 1},
};

/* ONNX has no magic number: a model begins with its version (field 1), then the producer's name (field 2). */
static int is_onnx(const unsigned char *head, size_t n)
{
    return n >= 8 && head[0] == 0x08 && head[1] >= 3 && head[1] < 0x40 && head[2] == 0x12 && head[3] < 64;
}

int silero_recognise(const char *path)
{
    unsigned char head[8192];
    static const char name[] = "\"lstm_cell.weight_ih\"";
    size_t n = file_head(path, head, sizeof head);
    return is_onnx(head, n) || (n > 9 && head[8] == '{' && memmem(head, n, name, sizeof name - 1) != NULL);
}

/* ---- protocol buffers ---- */

static uint64_t read_varint(struct cursor *c)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(c);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    c->failed = 1;
    c->left = 0;
    return 0;
}

/* The next field: its number, and its value as a number or as bytes. 0 at the end. */
static unsigned next_field(struct cursor *c, uint64_t *number, struct cursor *bytes)
{
    if (c->left == 0)
        return 0;
    uint64_t tag = read_varint(c), length;
    *number = 0;
    *bytes = (struct cursor){0};
    switch (tag & 7) {
    case 0: *number = read_varint(c); break;
    case 1: cursor_take(c, 8); break;
    case 2:
        length = read_varint(c);
        bytes->at = cursor_take(c, length);
        bytes->left = c->failed ? 0 : (size_t)length;
        break;
    case 5: cursor_take(c, 4); break;
    default: c->failed = 1;
    }
    return c->failed || tag >> 3 > 1000 ? 0 : (unsigned)(tag >> 3);
}

/* One initializer: added under its name here if it is one of Silero VAD's. */
static int add_initializer(struct source *s, struct cursor c)
{
    struct cursor bytes, name = {0}, raw = {0};
    uint64_t number, type = 0;
    int64_t shape[WH_MAX_DIMS];
    int n_dims = 0;
    for (unsigned field; (field = next_field(&c, &number, &bytes)) != 0;) {
        if (field == 1 && bytes.at) /* packed */
            while (bytes.left && n_dims < WH_MAX_DIMS)
                shape[n_dims++] = (int64_t)read_varint(&bytes);
        else if (field == 1 && n_dims < WH_MAX_DIMS)
            shape[n_dims++] = (int64_t)number;
        else if (field == 2)
            type = number;
        else if (field == 8)
            name = bytes;
        else if (field == 9)
            raw = bytes;
    }
    if (c.failed)
        return source_damaged(s, "a tensor in the ONNX file");
    for (size_t i = 0; i < WH_COUNT(tensors); i++) {
        if (strlen(tensors[i].onnx) != name.left || memcmp(tensors[i].onnx, name.at, name.left) != 0)
            continue;
        if (type != ONNX_FLOAT || n_dims < 1)
            return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s is not float32", s->path, tensors[i].onnx);
        struct tensor *t = source_add(s, tensors[i].name, ST_F32, n_dims, shape, raw.at);
        if (!t)
            return WHISP_ERR_MODEL;
        return raw.at && tensor_fits(t, raw.left) ? WHISP_OK : source_damaged(s, tensors[i].onnx);
    }
    return WHISP_OK;
}

static int read_onnx(struct source *s, const unsigned char *data, size_t size)
{
    struct cursor model = {data, size, 0}, graph, tensor;
    uint64_t number;
    int rc = WHISP_OK;
    for (unsigned field; !rc && (field = next_field(&model, &number, &graph)) != 0;) {
        if (field != 7)
            continue;
        while (!rc && (field = next_field(&graph, &number, &tensor)) != 0)
            if (field == 5)
                rc = add_initializer(s, tensor);
        if (!rc && graph.failed)
            rc = source_damaged(s, "the ONNX graph");
    }
    return !rc && model.failed ? source_damaged(s, "the ONNX file") : rc;
}

/* ---- the source ---- */

static int check_tensors(struct source *s)
{
    for (size_t i = 0; i < WH_COUNT(tensors); i++) {
        const struct tensor *t = source_find(s, tensors[i].name);
        if (!t)
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: not Silero VAD's weights for 16 kHz: %s is missing; give "
                           "silero_vad_16k_op15.onnx or silero_vad_16k.safetensors of the package silero-vad",
                           s->path, tensors[i].name);
        for (int k = 0; k < 3; k++)
            if (t->shape[k] != tensors[i].shape[k] || t->shape[3] != 1)
                return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s has not the shape that it has in Silero VAD for 16 kHz",
                               s->path, tensors[i].name);
    }
    return WHISP_OK;
}

int read_silero(struct source *s)
{
    unsigned char head[16] = {0};
    const unsigned char *data = NULL;
    size_t size = 0, n = file_head(s->path, head, sizeof head);
    s->kind = SOURCE_VAD;
    s->format = is_onnx(head, n) ? "onnx" : "safetensors";
    int rc = WHISP_OK;
    if (!is_onnx(head, n))
        rc = read_tensors(s, s->path);
    else if (!(rc = source_map(s, s->path, &data, &size)) && !(rc = source_add_file(s, s->path)))
        rc = read_onnx(s, data, size);
    return rc ? rc : check_tensors(s);
}

/* ---- the GGUF file ---- */

static int write_all(wh_gguf_writer *w, struct source *s, const char *name)
{
    char hex[65];
    int rc;
    other_checksum(s->mappings, s->n_mappings, hex);
    if ((rc = other_put_text(w, "general.architecture", "silero-vad")) ||
        (rc = other_put_text(w, "general.name", name)) || (rc = other_put_text(w, "general.license", "mit")) ||
        (rc = wh_gguf_put_u32(w, "general.file_type", 0)) ||
        (rc = wh_gguf_put_u32(w, "silero-vad.format_version", 1)) ||
        (rc = wh_gguf_put_u32(w, "silero-vad.sample_rate", 16000)) ||
        (rc = other_put_text(w, "silero-vad.source.format", s->format)) ||
        (rc = other_put_text(w, "silero-vad.source.sha256", hex)))
        return rc;
    for (size_t i = 0; i < WH_COUNT(tensors) && !rc; i++)
        rc = wh_gguf_declare(w, tensors[i].name, WH_F32, tensors[i].n_dims, tensors[i].shape);
    if (!rc)
        rc = wh_gguf_writer_begin(w);
    for (size_t i = 0; i < WH_COUNT(tensors) && !rc; i++)
        rc = other_write_tensor(w, s, source_find(s, tensors[i].name));
    return rc;
}

int silero_write(struct source *s, const char *path, const char *model_name)
{
    wh_gguf_writer *w = NULL;
    int rc = ending_open(path, &w);
    return rc ? rc : ending_close(w, write_all(w, s, model_name));
}
