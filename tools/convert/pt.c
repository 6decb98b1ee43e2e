/* pt.c - checkpoints of torch.save: OpenAI's .pt, Hugging Face's pytorch_model.bin and its shards, state dicts of any
 * training. A zip archive with a pickle that describes the tensors and one file for each tensor's storage.
 *
 *   NAME/data.pkl      {name: tensor, ...}, or a dictionary that holds that one as "model_state_dict" (with OpenAI's
 *                      "dims": {...}), "state_dict" (Lightning's), "model" or "module"
 *   NAME/data/KEY      the storage KEY, raw little-endian numbers, not compressed
 *
 * A tensor is _rebuild_tensor_v2(storage, offset, size, stride, ...) and a storage ("storage", type, KEY, device,
 * elements), both only looked at here. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "pickle.h"

#define MAX_PICKLE (8 << 20) /* bytes; large-v3's has 200,000, and an optimizer's state a few times that */

/* An archive while it is read. */
struct reading {
    struct source *s;
    struct archive *archive;
    size_t number;      /* of it */
    char folder[256];   /* "NAME/", perhaps "" */
    const char *prefix; /* NULL: a Whisper's; else before the names of another net's */
};

/* The archive's entry of the pickle, and the folder it is in. */
static int find_pickle(struct reading *r, size_t *entry)
{
    static const char name[] = "data.pkl";
    for (size_t i = 0; i < r->archive->n; i++) {
        const unsigned char *path = r->archive->entries[i].name;
        size_t length = r->archive->entries[i].name_length, tail = sizeof name - 1;
        if (length < tail || length - tail >= sizeof r->folder || memcmp(path + length - tail, name, tail) != 0 ||
            (length > tail && path[length - tail - 1] != '/'))
            continue;
        memcpy(r->folder, path, length - tail);
        r->folder[length - tail] = 0;
        *entry = i;
        return WHISP_OK;
    }
    return wh_fail(WHISP_ERR_MODEL, "%s: a zip archive, but not one of torch.save: it has no data.pkl",
                   r->archive->path);
}

/* OpenAI's dims: a dictionary, or an object of the class ModelDimensions with such a dictionary for its state. */
static int read_dims(struct source *s, const struct pickle_value *dims)
{
    struct dims *d = &s->dims;
    const struct {
        const char *key;
        int *value;
    } list[] = {
        {"n_mels", &d->n_mels},
        {"n_vocab", &d->n_vocab},
        {"n_audio_ctx", &d->n_audio_ctx},
        {"n_audio_state", &d->n_audio_state},
        {"n_audio_head", &d->n_audio_head},
        {"n_audio_layer", &d->n_audio_layer},
        {"n_text_ctx", &d->n_text_ctx},
        {"n_text_state", &d->n_text_state},
        {"n_text_head", &d->n_text_head},
        {"n_text_layer", &d->n_text_layer},
    };
    if (dims->kind == PICKLE_CALL)
        dims = pickle_item(dims, PICKLE_CALL, 2);
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        int64_t value;
        if (!pickle_int(pickle_lookup(dims, list[i].key), &value) || value < 1 || value > INT_MAX)
            return wh_fail(WHISP_ERR_MODEL, "%s: not an OpenAI Whisper checkpoint: it has no usable dims.%s", s->path,
                           list[i].key);
        *list[i].value = (int)value;
    }
    return source_check_dims(s);
}

/* The arguments of a tensor's _rebuild_tensor_v2, also where it is wrapped as a parameter or a class of its own; NULL
 * for anything else. */
static const struct pickle_value *tensor_arguments(const struct pickle_value *v)
{
    const struct pickle_value *callable = pickle_item(v, PICKLE_CALL, 0), *arguments = pickle_item(v, PICKLE_CALL, 1);
    if (pickle_is_global(callable, "torch._utils", "_rebuild_parameter") ||
        pickle_is_global(callable, "torch._utils", "_rebuild_parameter_with_state")) {
        v = pickle_item(arguments, PICKLE_TUPLE, 0);
        callable = pickle_item(v, PICKLE_CALL, 0);
        arguments = pickle_item(v, PICKLE_CALL, 1);
    }
    if (pickle_is_global(callable, "torch._tensor", "_rebuild_from_type_v2")) {
        callable = pickle_item(arguments, PICKLE_TUPLE, 0);
        arguments = pickle_item(arguments, PICKLE_TUPLE, 2);
    }
    return pickle_is_global(callable, "torch._utils", "_rebuild_tensor_v2") ? arguments : NULL;
}

/* The storage's type, its entry in the archive and how many elements it has there. */
static int find_storage(const struct reading *r, const struct pickle_value *v, enum stored *type, size_t *entry,
                        int64_t *elements)
{
    static const struct {
        const char *name;
        enum stored type;
    } types[] = {{"HalfStorage", ST_F16}, {"FloatStorage", ST_F32}, {"BFloat16Storage", ST_BF16}};
    const struct pickle_value *id = pickle_item(v, PICKLE_PERSISTENT, 0);
    const struct pickle_value *kind = pickle_item(id, PICKLE_TUPLE, 1), *key = pickle_item(id, PICKLE_TUPLE, 2);
    size_t i = 0;
    while (i < WH_COUNT(types) && !pickle_is_global(kind, "torch", types[i].name))
        i++;
    if (i == WH_COUNT(types))
        return wh_fail(WHISP_ERR_MODEL, "%s: a tensor is stored in a type other than float16, float32 and bfloat16",
                       r->archive->path);
    *type = types[i].type;
    char path[512];
    const struct archive *a = r->archive;
    *entry = a->n;
    if (pickle_is_text(pickle_item(id, PICKLE_TUPLE, 0), "storage") && key && key->kind == PICKLE_STRING &&
        key->length < 32 && snprintf(path, sizeof path, "%sdata/%.*s", r->folder, (int)key->length, key->text) > 0)
        *entry = archive_find(a, path);
    if (*entry == a->n || a->entries[*entry].size > a->size)
        return archive_damaged(a, "a tensor's storage is missing");
    *elements = (int64_t)(a->entries[*entry].size / stored_bytes(*type, 1));
    return WHISP_OK;
}

/* Strides as they are, checked: the last element lies within the storage. */
static int check_extent(struct tensor *t, int64_t elements)
{
    int64_t last = t->entry_offset, dense = 1;
    if (last < 0 || last >= elements)
        return 0;
    for (int i = t->n_dims - 1; i >= 0; i--) {
        if (t->shape[i] < 1 || t->stride[i] < 0)
            return 0;
        if (t->shape[i] > 1) {
            if (t->stride[i] > 0 && t->shape[i] - 1 > (elements - 1 - last) / t->stride[i])
                return 0;
            last += (t->shape[i] - 1) * t->stride[i];
            t->is_strided |= t->stride[i] != dense;
        }
        if (t->shape[i] > INT64_MAX / 64 / dense)
            return 0;
        dense *= t->shape[i];
    }
    return dense <= elements;
}

/* A key of the state dict as a string and, translated, as openai/whisper's name; 0 where it is nothing of Whisper's. With
 * a prefix: as it is; 0 for what training counts. */
static int read_key(const struct pickle_value *key, const char *prefix, char *name, size_t capacity, int *is_adapter)
{
    static const char counter[] = ".num_batches_tracked";
    char text[256];
    if (!key || key->kind != PICKLE_STRING || key->length >= sizeof text || memchr(key->text, 0, key->length))
        return 0;
    memcpy(text, key->text, key->length);
    text[key->length] = 0;
    if (prefix)
        return (key->length < sizeof counter || strcmp(text + key->length - (sizeof counter - 1), counter) != 0) &&
               (size_t)snprintf(name, capacity, "%s%s", prefix, text) < capacity;
    *is_adapter = is_adapter_name(text);
    return translate_name(text, name, capacity);
}

static int add_tensor(const struct reading *r, const struct pickle_value *key, const struct pickle_value *value)
{
    char name[sizeof r->s->tensors->name];
    enum stored type = ST_F32;
    size_t entry = 0;
    int is_adapter = 0;
    int64_t elements = 0, offset, shape[WH_MAX_DIMS], stride[WH_MAX_DIMS];
    int is_whispers = read_key(key, r->prefix, name, sizeof name, &is_adapter);
    if (is_adapter)
        return fail_adapter(r->archive->path);
    if (!is_whispers)
        return WHISP_OK;
    const struct pickle_value *arguments = tensor_arguments(value);
    const struct pickle_value *size = pickle_item(arguments, PICKLE_TUPLE, 2);
    const struct pickle_value *strides = pickle_item(arguments, PICKLE_TUPLE, 3);
    if (!pickle_int(pickle_item(arguments, PICKLE_TUPLE, 1), &offset) || !size || !strides ||
        size->kind != PICKLE_TUPLE || strides->kind != PICKLE_TUPLE || size->n < 1 || size->n > WH_MAX_DIMS ||
        strides->n != size->n)
        return archive_damaged(r->archive, name);
    for (size_t i = 0; i < size->n; i++)
        if (!pickle_int(size->items[i], &shape[i]) || !pickle_int(strides->items[i], &stride[i]))
            return archive_damaged(r->archive, name);
    int rc = find_storage(r, pickle_item(arguments, PICKLE_TUPLE, 0), &type, &entry, &elements);
    if (rc)
        return rc;
    struct tensor *t = source_add(r->s, name, type, (int)size->n, shape, NULL);
    if (!t)
        return WHISP_ERR_MODEL;
    memcpy(t->stride, stride, sizeof stride[0] * size->n);
    t->archive = r->number;
    t->entry = entry;
    t->entry_offset = offset;
    return check_extent(t, elements) ? WHISP_OK : archive_damaged(r->archive, name);
}

/* The dictionary of tensors in what was saved. */
static const struct pickle_value *find_state(const struct pickle_value *root)
{
    static const char *const keys[] = {"model_state_dict", "state_dict", "model", "module"};
    for (size_t i = 0; i < WH_COUNT(keys); i++) {
        const struct pickle_value *inner = pickle_lookup(root, keys[i]);
        if (inner && inner->kind == PICKLE_DICT)
            return inner;
    }
    return root;
}

static int read_state(const struct reading *r, const unsigned char *data, size_t size, int with_dims)
{
    const char *reason = "";
    struct pickle *pickle = pickle_parse(data, size, &reason);
    if (!pickle)
        return wh_fail(WHISP_ERR_MODEL, "%s: its pickle cannot be read: %s", r->archive->path, reason);
    const struct pickle_value *root = pickle_root(pickle), *state = find_state(root);
    const struct pickle_value *dims = pickle_lookup(root, "dims");
    int rc = WHISP_OK;
    if (state->kind != PICKLE_DICT)
        rc = wh_fail(WHISP_ERR_MODEL,
                     "%s: holds a whole object of a Python class, not a dictionary of tensors; load "
                     "it where that class is and torch.save(model.state_dict(), ...)",
                     r->archive->path);
    if (!rc && with_dims && dims)
        rc = read_dims(r->s, dims);
    for (size_t i = 0; !rc && i + 1 < state->n; i += 2)
        rc = add_tensor(r, state->items[i], state->items[i + 1]);
    if (!rc && with_dims && !dims)
        rc = derive_dims(r->s);
    pickle_free(pickle);
    return rc;
}

/* Archives of newer versions of PyTorch say the byte order. */
static int check_byte_order(const struct reading *r)
{
    char path[300];
    const unsigned char *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%sbyteorder", r->folder);
    size_t entry = archive_find(r->archive, path);
    if (entry == r->archive->n)
        return WHISP_OK;
    int rc = archive_read(r->archive, entry, &text, &size);
    if (!rc && (size != 6 || memcmp(text, "little", 6) != 0))
        rc = wh_fail(WHISP_ERR_MODEL, "%s: saved on a big-endian machine; save it again on a little-endian one",
                     r->archive->path);
    return rc;
}

static int open_and_read(struct source *s, const char *path, int with_dims, const char *prefix)
{
    size_t entry = 0, size = 0;
    const unsigned char *data = NULL;
    int rc = source_map(s, path, &data, &size);
    if (rc || (rc = source_add_file(s, path)) || (rc = archive_open(s, path, data, size)))
        return rc;
    struct reading r = {.s = s,
                        .archive = &s->archives[s->n_archives - 1],
                        .number = s->n_archives - 1,
                        .prefix = prefix};
    if ((rc = find_pickle(&r, &entry)) || (rc = check_byte_order(&r)) ||
        (rc = archive_read(r.archive, entry, &data, &size)))
        return rc;
    if (size > MAX_PICKLE)
        return archive_damaged(r.archive, "the pickle is larger than that of any checkpoint");
    return read_state(&r, data, size, with_dims);
}

int read_archive(struct source *s, const char *path, int with_dims)
{
    return open_and_read(s, path, with_dims, NULL);
}

int read_plain_archive(struct source *s, const char *path, const char *prefix)
{
    return open_and_read(s, path, 0, prefix);
}

int read_pt(struct source *s, const char *path)
{
    s->format = "openai-pt";
    return read_archive(s, path, 1);
}
