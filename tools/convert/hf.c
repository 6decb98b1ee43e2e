/* hf.c - a Hugging Face folder: config.json, generation_config.json, the tokenizer's files, and the weights:
 * model.safetensors or pytorch_model.bin (which pt.c reads), or shards of either and their index.
 *
 * A safetensors file is a u64 length, so many bytes of JSON {name: {dtype, shape, data_offsets: [begin, end]}}, and the
 * data that the offsets count from. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "source.h"
#include "vocab.h"

#define MAX_SHARDS 1000

static int add_tensor(struct source *s, const char *path, const char *key, const json_t *entry,
                      const unsigned char *data, size_t size)
{
    static const struct {
        const char *name;
        enum stored type;
    } dtypes[] = {{"F32", ST_F32}, {"F16", ST_F16}, {"BF16", ST_BF16}};
    char name[sizeof s->tensors->name];
    if (is_adapter_name(key))
        return fail_adapter(path);
    if (!translate_name(key, name, sizeof name))
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

static int by_place(const void *a, const void *b)
{
    const struct tensor *x = *(const struct tensor *const *)a, *y = *(const struct tensor *const *)b;
    int order = (x->data > y->data) - (x->data < y->data);
    int64_t n = tensor_elements(x), m = tensor_elements(y); /* none: before another at its place */
    return order ? order : (n > m) - (n < m);
}

/* No bytes belong to two of the tensors from number `first` on: the format forbids it, and a small file could claim to be
 * a large model. */
static int check_overlap(const struct source *s, const char *path, size_t first)
{
    size_t n = s->n_tensors - first;
    const struct tensor **list = wh_calloc(n, sizeof *list);
    int rc = list ? WHISP_OK : wh_fail_memory();
    for (size_t i = 0; list && i < n; i++)
        list[i] = &s->tensors[first + i];
    if (list && n)
        qsort(list, n, sizeof *list, by_place);
    for (size_t i = 1; !rc && i < n; i++)
        if (list[i - 1]->data + stored_bytes(list[i - 1]->type, tensor_elements(list[i - 1])) > list[i]->data)
            rc = wh_fail(WHISP_ERR_MODEL, "%s: damaged: tensors %s and %s overlap; get the file again", path,
                         list[i - 1]->name, list[i]->name);
    free(list);
    return rc;
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
    if (!head)
        return wh_fail(WHISP_ERR_MODEL, "%s: truncated or not a safetensors file; get it again", path);
    json_t *root, *entry;
    if ((rc = json_parse(path, (const char *)head, (size_t)length, JSON_REJECT_DUPLICATES, &root)))
        return rc;
    if (!json_is_object(root)) {
        json_decref(root);
        return wh_fail(WHISP_ERR_MODEL, "%s: truncated or not a safetensors file", path);
    }
    const char *key;
    size_t first = s->n_tensors;
    json_object_foreach(root, key, entry) if (!rc) rc = add_tensor(s, path, key, entry, c.at, c.left);
    json_decref(root);
    return rc ? rc : check_overlap(s, path, first);
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A file of weights. What it is called is what it must be: the rest of a folder may depend on it. */
static int read_part(struct source *s, const char *folder, const char *file, int is_bin)
{
    char path[4096];
    int rc = source_join(path, sizeof path, folder, file);
    if (rc)
        return rc;
    switch (file_kind(path)) {
    case FILE_LFS: return fail_lfs(path);
    case FILE_SAFETENSORS:
        return is_bin ? wh_fail(WHISP_ERR_MODEL,
                                "%s: a safetensors file under another name; rename it to "
                                "model.safetensors",
                                path)
                      : read_tensors(s, path);
    case FILE_ZIP:
        return is_bin ? read_archive(s, path, 0)
                      : wh_fail(WHISP_ERR_MODEL,
                                "%s: a file of PyTorch under another name; rename it to "
                                "pytorch_model.bin",
                                path);
    case FILE_PICKLE:
        return wh_fail(WHISP_ERR_MODEL, "%s: PyTorch's format from before 1.6; load it and torch.save() it again",
                       path);
    default:
        return is_bin ? wh_fail(WHISP_ERR_MODEL, "%s: truncated or not a file of PyTorch; get it again", path)
                      : read_tensors(s, path);
    }
}

/* The files that the index's weight_map names, each once, in the order of their names. */
static int read_shards(struct source *s, const char *folder, const char *index_name, int is_bin)
{
    json_t *index, *file;
    const char *key, **names = NULL;
    size_t n = 0, n_parts = 0, capacity = 0;
    int rc = json_read(folder, index_name, &index);
    json_object_foreach(json_object_get(index, "weight_map"), key, file)
    {
        const char *name = json_string_value(file);
        if (rc)
            break;
        if (!name || !*name || strchr(name, '/'))
            rc = wh_fail(WHISP_ERR_MODEL, "%s/%s: damaged: the shards' names", folder, index_name);
        else if (!(rc = wh_grow(&names, &capacity, n + 1, sizeof *names)))
            names[n++] = name;
    }
    if (!rc && n == 0)
        rc = wh_fail(WHISP_ERR_MODEL, "%s/%s: names no shards", folder, index_name);
    if (n)
        qsort(names, n, sizeof *names, compare_text);
    for (size_t i = 0; i < n && !rc; i++) {
        if (i && strcmp(names[i - 1], names[i]) == 0)
            continue;
        rc = ++n_parts > MAX_SHARDS
                 ? wh_fail(WHISP_ERR_MODEL, "%s/%s: names more than %d shards", folder, index_name, MAX_SHARDS)
                 : read_part(s, folder, names[i], is_bin);
    }
    free(names);
    json_decref(index);
    return rc;
}

static int read_weights(struct source *s, const char *folder)
{
    static const struct {
        const char *file, *index;
        int is_bin;
    } kinds[] = {{"model.safetensors", "model.safetensors.index.json", 0},
                 {"pytorch_model.bin", "pytorch_model.bin.index.json", 1}};
    char path[4096];
    for (size_t i = 0; i < WH_COUNT(kinds); i++) {
        int rc = source_join(path, sizeof path, folder, kinds[i].file);
        if (rc)
            return rc;
        if (file_kind(path) != FILE_NONE)
            return read_part(s, folder, kinds[i].file, kinds[i].is_bin);
        if ((rc = source_join(path, sizeof path, folder, kinds[i].index)))
            return rc;
        if (file_kind(path) != FILE_NONE)
            return read_shards(s, folder, kinds[i].index, kinds[i].is_bin);
    }
    return wh_fail(WHISP_ERR_IO, "%s: neither model.safetensors nor pytorch_model.bin can be opened", folder);
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
    s->is_tied = !json_is_false(json_object_get(config, "tie_word_embeddings"));
    if (!rc && name && *name && !(s->hint = strdup(name)))
        rc = wh_fail_memory();
    if (!rc)
        rc = source_check_dims(s);
    if (!rc)
        json_specials(config, s);
    json_decref(config);
    return rc;
}

/* What belongs to generating text; it goes before the same in config.json, as it does there. */
static int read_generation(struct source *s, const char *folder)
{
    json_t *generation;
    int rc = json_read(folder, "generation_config.json", &generation);
    if (!rc && generation) {
        rc = json_heads(generation, s);
        json_specials(generation, s);
    }
    json_decref(generation);
    return rc;
}

int read_hf(struct source *s, const char *folder)
{
    s->format = "huggingface";
    int rc = read_generation(s, folder);
    if (rc || (rc = read_config(s, folder)) || (rc = read_weights(s, folder)))
        return rc;
    return vocab_read_folder(s, folder);
}
