/* hf.c - a Hugging Face folder: config.json, model.safetensors (or shards and their index), generation_config.json,
 * tokenizer.json or vocab.json.
 *
 * A safetensors file is a u64 length, so many bytes of JSON {name: {dtype, shape, data_offsets: [begin, end]}}, and the
 * data that the offsets count from. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "source.h"
#include "vocab.h"

#define MAX_SHARDS 1000

/* Hugging Face's names inside a layer, and openai/whisper's. */
static const char *const parts[][2] = {
    {"self_attn.q_proj.", "attn.query."},
    {"self_attn.k_proj.", "attn.key."},
    {"self_attn.v_proj.", "attn.value."},
    {"self_attn.out_proj.", "attn.out."},
    {"self_attn_layer_norm.", "attn_ln."},
    {"encoder_attn.q_proj.", "cross_attn.query."},
    {"encoder_attn.k_proj.", "cross_attn.key."},
    {"encoder_attn.v_proj.", "cross_attn.value."},
    {"encoder_attn.out_proj.", "cross_attn.out."},
    {"encoder_attn_layer_norm.", "cross_attn_ln."},
    {"fc1.", "mlp.0."},
    {"fc2.", "mlp.2."},
    {"final_layer_norm.", "mlp_ln."},
};

static const char *const wholes[][2] = {
    {"encoder.conv1.weight", "encoder.conv1.weight"},
    {"encoder.conv1.bias", "encoder.conv1.bias"},
    {"encoder.conv2.weight", "encoder.conv2.weight"},
    {"encoder.conv2.bias", "encoder.conv2.bias"},
    {"encoder.embed_positions.weight", "encoder.positional_embedding"},
    {"encoder.layer_norm.weight", "encoder.ln_post.weight"},
    {"encoder.layer_norm.bias", "encoder.ln_post.bias"},
    {"decoder.embed_tokens.weight", "decoder.token_embedding.weight"},
    {"decoder.embed_positions.weight", "decoder.positional_embedding"},
    {"decoder.layer_norm.weight", "decoder.ln.weight"},
    {"decoder.layer_norm.bias", "decoder.ln.bias"},
};

/* Silero VAD's (silero.c) stay as they are. */
static const char *const silero[] = {"stft_conv.", "conv1.", "conv2.", "conv3.", "conv4.", "lstm_cell.", "final_conv."};

/* openai/whisper's name for Hugging Face's, or 0 for what Whisper does not have (proj_out is the embedding again). */
static int translate(const char *name, char *out, size_t capacity)
{
    if (strncmp(name, "model.", 6) == 0)
        name += 6;
    for (size_t i = 0; i < WH_COUNT(wholes); i++)
        if (strcmp(name, wholes[i][0]) == 0)
            return snprintf(out, capacity, "%s", wholes[i][1]) > 0;
    for (size_t i = 0; i < WH_COUNT(silero); i++)
        if (strncmp(name, silero[i], strlen(silero[i])) == 0)
            return (size_t)snprintf(out, capacity, "%s", name) < capacity;
    char side[8];
    int layer, rest = 0;
    if (sscanf(name, "%7[a-z].layers.%4d.%n", side, &layer, &rest) != 2 || rest == 0 || layer < 0 ||
        (strcmp(side, "encoder") != 0 && strcmp(side, "decoder") != 0))
        return 0;
    for (size_t i = 0; i < WH_COUNT(parts); i++) {
        size_t n = strlen(parts[i][0]);
        const char *last = name + rest + n;
        if (strncmp(name + rest, parts[i][0], n) == 0 && (strcmp(last, "weight") == 0 || strcmp(last, "bias") == 0))
            return (size_t)snprintf(out, capacity, "%s.blocks.%d.%s%s", side, layer, parts[i][1], last) < capacity;
    }
    return 0;
}

static int add_tensor(struct source *s, const char *path, const char *key, const json_t *entry,
                      const unsigned char *data, size_t size)
{
    static const struct {
        const char *name;
        enum stored type;
    } dtypes[] = {{"F32", ST_F32}, {"F16", ST_F16}, {"BF16", ST_BF16}};
    char name[sizeof s->tensors->name];
    if (!translate(key, name, sizeof name))
        return WHISP_OK;
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const json_t *dims = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    size_t n_dims = json_array_size(dims), d = 0;
    int64_t shape[WH_MAX_DIMS];
    json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));
    if (!dtype || n_dims < 1 || n_dims > WH_MAX_DIMS || json_array_size(offsets) != 2 || begin < 0 || end < begin ||
        (uint64_t)end > size)
        return wh_fail(WHISP_ERR_MODEL, "%s: truncated or damaged: tensor %s; get the file again", path, key);
    for (size_t i = 0; i < n_dims; i++)
        shape[i] = json_integer_value(json_array_get(dims, i));
    while (d < WH_COUNT(dtypes) && strcmp(dtype, dtypes[d].name) != 0)
        d++;
    if (d == WH_COUNT(dtypes))
        return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s has the type %s; only F32, F16 and BF16 can be read", path, key,
                       dtype);
    struct tensor *t = source_add(s, name, dtypes[d].type, (int)n_dims, shape, data + begin);
    if (!t)
        return WHISP_ERR_MODEL;
    if (!tensor_fits(t, (size_t)(end - begin)))
        return wh_fail(WHISP_ERR_MODEL, "%s: damaged: tensor %s has more elements than bytes; get the file again", path,
                       key);
    return WHISP_OK;
}

int read_tensors(struct source *s, const char *path)
{
    const unsigned char *data = NULL;
    size_t size = 0;
    int rc = source_map(s, path, &data, &size);
    if (rc || (rc = source_add_file(s, path)))
        return rc;
    struct cursor c = {data, size, 0};
    uint64_t length = cursor_u64(&c);
    const unsigned char *head = cursor_take(&c, length);
    json_error_t error;
    if (!head)
        return wh_fail(WHISP_ERR_MODEL, "%s: truncated or not a safetensors file; get it again", path);
    json_t *root = json_loadb((const char *)head, (size_t)length, JSON_REJECT_DUPLICATES, &error), *entry;
    if (!json_is_object(root)) {
        json_decref(root);
        return wh_fail(WHISP_ERR_MODEL, "%s: truncated or not a safetensors file: %s", path, error.text);
    }
    const char *key;
    json_object_foreach(root, key, entry)
        if (!rc)
            rc = add_tensor(s, path, key, entry, c.at, c.left);
    json_decref(root);
    return rc;
}

static int read_safetensors(struct source *s, const char *folder, const char *file)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, file) >= sizeof path)
        return wh_fail(WHISP_ERR_IO, "%s: the path is too long", folder);
    return read_tensors(s, path);
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files that the index's weight_map names, each once, in the order of their names. */
static int read_shards(struct source *s, const char *folder, const json_t *index)
{
    json_t *map = json_object_get(index, "weight_map"), *file;
    const char *key, **names = NULL;
    size_t n = 0, capacity = 0;
    int rc = WHISP_OK;
    json_object_foreach(map, key, file) {
        const char *name = json_string_value(file);
        size_t i = 0;
        while (i < n && name && strcmp(names[i], name) != 0)
            i++;
        if (rc || (name && i < n))
            continue;
        if (!name || !*name || strchr(name, '/') || n == MAX_SHARDS)
            rc = wh_fail(WHISP_ERR_MODEL, "%s/model.safetensors.index.json: damaged: the shards' names", folder);
        else if (!(rc = wh_grow(&names, &capacity, n + 1, sizeof *names)))
            names[n++] = name;
    }
    if (!rc && n == 0)
        rc = wh_fail(WHISP_ERR_MODEL, "%s/model.safetensors.index.json: names no shards", folder);
    if (n)
        qsort(names, n, sizeof *names, compare_text);
    for (size_t i = 0; i < n && !rc; i++)
        rc = read_safetensors(s, folder, names[i]);
    free(names);
    return rc;
}

static int read_config(struct source *s, const char *folder)
{
    json_t *config;
    int rc = json_read(folder, "config.json", &config);
    if (rc)
        return rc;
    if (!config)
        return wh_fail(WHISP_ERR_MODEL, "%s/config.json: not there; get it from where the weights came from", folder);
    const char *kind = json_string_value(json_object_get(config, "model_type"));
    const char *name = json_string_value(json_object_get(config, "_name_or_path"));
    if (kind && strcmp(kind, "whisper") != 0)
        rc = wh_fail(WHISP_ERR_MODEL, "%s: a model of the type %s, not whisper", s->path, kind);
    struct dims *d = &s->dims;
    d->n_mels = json_int(config, "num_mel_bins");
    d->n_vocab = json_int(config, "vocab_size");
    d->n_audio_ctx = json_int(config, "max_source_positions");
    d->n_audio_state = d->n_text_state = json_int(config, "d_model");
    d->n_audio_head = json_int(config, "encoder_attention_heads");
    d->n_audio_layer = json_int(config, "encoder_layers");
    d->n_text_ctx = json_int(config, "max_target_positions");
    d->n_text_head = json_int(config, "decoder_attention_heads");
    d->n_text_layer = json_int(config, "decoder_layers");
    if (!rc && name && *name && !(s->hint = strdup(name)))
        rc = wh_fail_memory();
    json_decref(config);
    return rc ? rc : source_check_dims(s);
}

static int read_weights(struct source *s, const char *folder)
{
    json_t *index;
    char path[4096];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    FILE *file = fopen(path, "rb");
    if (file) {
        fclose(file);
        return read_safetensors(s, folder, "model.safetensors");
    }
    int rc = json_read(folder, "model.safetensors.index.json", &index);
    if (!rc && !index)
        rc = wh_fail(WHISP_ERR_IO, "%s: cannot be opened", path);
    if (!rc)
        rc = read_shards(s, folder, index);
    json_decref(index);
    return rc;
}

int read_hf(struct source *s, const char *folder)
{
    static const char *const vocabularies[] = {"tokenizer.json", "vocab.json"};
    json_t *generation;
    s->format = "huggingface";
    int rc = read_config(s, folder);
    if (rc || (rc = read_weights(s, folder)) || (rc = json_read(folder, "generation_config.json", &generation)))
        return rc;
    if (generation)
        rc = json_heads(generation, s);
    json_decref(generation);
    for (size_t i = 0; i < WH_COUNT(vocabularies) && !rc && !s->pieces; i++)
        rc = vocab_read_in(s, folder, vocabularies[i]);
    return rc;
}
