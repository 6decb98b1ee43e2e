/* pt.c - an OpenAI checkpoint (.pt): a zip archive of torch.save, with a pickle that describes the tensors and one file
 * for each tensor's storage.
 *
 *   NAME/data.pkl      {"dims": {...}, "model_state_dict": {name: tensor, ...}}
 *   NAME/data/KEY      the storage KEY, raw little-endian numbers, not compressed
 *
 * A tensor is _rebuild_tensor_v2(storage, offset, size, stride, ...) and a storage ("storage", type, KEY, device,
 * elements), both only looked at here. Storages are read into memory one at a time, when their tensor is written. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "pickle.h"
#include "source.h"

#define MAX_PICKLE (16 << 20)   /* bytes; large-v3's has 200,000 */

struct archive {
    zip_t *zip;
    uint64_t size;              /* bytes of the whole file */
    unsigned char *storage;     /* of entry `loaded` */
    uint64_t loaded;
};

void archive_close(struct archive *a)
{
    if (!a)
        return;
    if (a->zip)
        zip_discard(a->zip);
    free(a->storage);
    free(a);
}

/* Read a whole entry of at most `most` bytes; its checksum is verified by reading to the end. torch.save compresses
 * nothing, so no entry can claim more bytes than the file has. */
static int read_entry(const struct source *s, uint64_t entry, uint64_t most, unsigned char **data, size_t *size)
{
    zip_stat_t st;
    const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(s->archive->zip, entry, 0, &st) != 0 || (st.valid & need) != need || st.size > most ||
        st.comp_method != ZIP_CM_STORE || st.comp_size != st.size || st.size > s->archive->size)
        return source_damaged(s, "the archive's directory");
    unsigned char *bytes = malloc((size_t)st.size + 1);
    if (!bytes)
        return wh_fail_memory();
    zip_file_t *file = zip_fopen_index(s->archive->zip, entry, 0);
    zip_int64_t n = 0;
    uint64_t got = 0;
    while (file && (n = zip_fread(file, bytes + got, st.size + 1 - got)) > 0 && (got += (uint64_t)n) <= st.size)
        continue;
    if (file)
        zip_fclose(file);
    if (!file || n < 0 || got != st.size) {
        free(bytes);
        return source_damaged(s, "a file in the archive is cut off or its checksum is wrong");
    }
    *data = bytes;
    *size = (size_t)st.size;
    return WHISP_OK;
}

static uint64_t element_size(enum stored type)
{
    return stored_bytes(type, 1);
}

int archive_load(struct source *s, struct tensor *t)
{
    struct archive *a = s->archive;
    size_t size = 0;
    if (t->type == ST_COMPUTED)
        return WHISP_OK;
    if (!a->storage || a->loaded != t->entry) {
        free(a->storage);
        a->storage = NULL;
        int rc = read_entry(s, t->entry, UINT64_MAX, &a->storage, &size);
        if (rc)
            return rc;
        a->loaded = t->entry;
    }
    t->data = a->storage + (uint64_t)t->entry_offset * element_size(t->type);
    return WHISP_OK;
}

/* The archive's entry of the pickle, and the folder it is in ("NAME/", perhaps ""). */
static int find_pickle(const struct source *s, uint64_t *entry, char *folder, size_t capacity)
{
    static const char name[] = "data.pkl";
    zip_int64_t n = zip_get_num_entries(s->archive->zip, 0);
    for (zip_int64_t i = 0; i < n; i++) {
        const char *path = zip_get_name(s->archive->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        size_t length = path ? strlen(path) : 0, tail = sizeof name - 1;
        if (length < tail || length - tail >= capacity || strcmp(path + length - tail, name) != 0 ||
            (length > tail && path[length - tail - 1] != '/'))
            continue;
        memcpy(folder, path, length - tail);
        folder[length - tail] = 0;
        *entry = (uint64_t)i;
        return WHISP_OK;
    }
    return wh_fail(WHISP_ERR_MODEL, "%s: a zip archive, but not one of torch.save: it has no data.pkl", s->path);
}

static int read_dims(struct source *s, const struct pickle_value *root)
{
    const struct pickle_value *dims = pickle_lookup(root, "dims");
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
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        int64_t value;
        if (!pickle_int(pickle_lookup(dims, list[i].key), &value) || value < 1 || value > INT_MAX)
            return wh_fail(WHISP_ERR_MODEL, "%s: not an OpenAI Whisper checkpoint: it has no usable dims.%s", s->path,
                           list[i].key);
        *list[i].value = (int)value;
    }
    return source_check_dims(s);
}

/* The arguments of a tensor's _rebuild_tensor_v2, also where it is wrapped as a parameter; NULL for anything else. */
static const struct pickle_value *tensor_arguments(const struct pickle_value *v)
{
    if (pickle_is_global(pickle_item(v, PICKLE_CALL, 0), "torch._utils", "_rebuild_parameter"))
        v = pickle_item(pickle_item(v, PICKLE_CALL, 1), PICKLE_TUPLE, 0);
    return pickle_is_global(pickle_item(v, PICKLE_CALL, 0), "torch._utils", "_rebuild_tensor_v2")
               ? pickle_item(v, PICKLE_CALL, 1)
               : NULL;
}

/* The storage's type, its entry in the archive and how many elements it has there. */
static int find_storage(const struct source *s, const char *folder, const struct pickle_value *v, enum stored *type,
                        uint64_t *entry, int64_t *elements)
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
                       s->path);
    *type = types[i].type;
    char path[512];
    zip_int64_t found = -1;
    if (pickle_is_text(pickle_item(id, PICKLE_TUPLE, 0), "storage") && key && key->kind == PICKLE_STRING &&
        key->length < 32 && snprintf(path, sizeof path, "%sdata/%.*s", folder, (int)key->length, key->text) > 0)
        found = zip_name_locate(s->archive->zip, path, ZIP_FL_ENC_RAW);
    zip_stat_t st;
    if (found < 0 || zip_stat_index(s->archive->zip, (zip_uint64_t)found, 0, &st) != 0 || !(st.valid & ZIP_STAT_SIZE) ||
        st.size > INT64_MAX)
        return source_damaged(s, "a tensor's storage is missing");
    *entry = (uint64_t)found;
    *elements = (int64_t)(st.size / element_size(*type));
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

static int add_tensor(struct source *s, const char *folder, const struct pickle_value *key,
                      const struct pickle_value *value)
{
    char name[sizeof s->tensors->name];
    enum stored type = ST_F32;
    uint64_t entry = 0;
    int64_t elements = 0, offset, shape[WH_MAX_DIMS], stride[WH_MAX_DIMS];
    if (!key || key->kind != PICKLE_STRING || key->length < 8 || key->length >= sizeof name ||
        (memcmp(key->text, "encoder.", 8) != 0 && memcmp(key->text, "decoder.", 8) != 0))
        return WHISP_OK; /* nothing of Whisper's */
    memcpy(name, key->text, key->length);
    name[key->length] = 0;
    const struct pickle_value *arguments = tensor_arguments(value);
    const struct pickle_value *size = pickle_item(arguments, PICKLE_TUPLE, 2);
    const struct pickle_value *strides = pickle_item(arguments, PICKLE_TUPLE, 3);
    if (!pickle_int(pickle_item(arguments, PICKLE_TUPLE, 1), &offset) || !size || !strides ||
        size->kind != PICKLE_TUPLE || strides->kind != PICKLE_TUPLE || size->n < 1 || size->n > WH_MAX_DIMS ||
        strides->n != size->n)
        return source_damaged(s, name);
    for (size_t i = 0; i < size->n; i++)
        if (!pickle_int(size->items[i], &shape[i]) || !pickle_int(strides->items[i], &stride[i]))
            return source_damaged(s, name);
    int rc = find_storage(s, folder, pickle_item(arguments, PICKLE_TUPLE, 0), &type, &entry, &elements);
    if (rc)
        return rc;
    struct tensor *t = source_add(s, name, type, (int)size->n, shape, NULL);
    if (!t)
        return WHISP_ERR_MODEL;
    memcpy(t->stride, stride, sizeof stride[0] * size->n);
    t->entry = entry;
    t->entry_offset = offset;
    return check_extent(t, elements) ? WHISP_OK : source_damaged(s, name);
}

static int read_state(struct source *s, const char *folder, const unsigned char *data, size_t size)
{
    const char *reason = "";
    struct pickle *pickle = pickle_parse(data, size, &reason);
    if (!pickle)
        return wh_fail(WHISP_ERR_MODEL, "%s: its pickle cannot be read: %s", s->path, reason);
    const struct pickle_value *root = pickle_root(pickle), *state = pickle_lookup(root, "model_state_dict");
    int rc = read_dims(s, root);
    if (!rc && (!state || state->kind != PICKLE_DICT))
        rc = wh_fail(WHISP_ERR_MODEL, "%s: not an OpenAI Whisper checkpoint: it has no model_state_dict", s->path);
    for (size_t i = 0; !rc && i + 1 < state->n; i += 2)
        rc = add_tensor(s, folder, state->items[i], state->items[i + 1]);
    pickle_free(pickle);
    return rc;
}

/* Archives of newer versions of PyTorch say the byte order. */
static int check_byte_order(const struct source *s, const char *folder)
{
    char path[300];
    unsigned char *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%sbyteorder", folder);
    zip_int64_t entry = zip_name_locate(s->archive->zip, path, ZIP_FL_ENC_RAW);
    if (entry < 0)
        return WHISP_OK;
    int rc = read_entry(s, (uint64_t)entry, 64, &text, &size);
    if (!rc && (size != 6 || memcmp(text, "little", 6) != 0))
        rc = wh_fail(WHISP_ERR_MODEL, "%s: saved on a big-endian machine; save it again on a little-endian one",
                     s->path);
    free(text);
    return rc;
}

int read_pt(struct source *s)
{
    char folder[256];
    uint64_t entry = 0;
    unsigned char *data = NULL;
    size_t size = 0;
    int error = 0;
    s->format = "openai-pt";
    if (!(s->archive = wh_calloc(1, sizeof *s->archive)))
        return wh_fail_memory();
    s->archive->zip = zip_open(s->path, ZIP_RDONLY, &error);
    if (!s->archive->zip) {
        zip_error_t reason;
        zip_error_init_with_code(&reason, error);
        int rc = wh_fail(WHISP_ERR_MODEL, "%s: truncated or damaged: %s; get the file again", s->path,
                         zip_error_strerror(&reason));
        zip_error_fini(&reason);
        return rc;
    }
    struct stat st;
    int rc = stat(s->path, &st) == 0 ? source_add_file(s, s->path)
                                     : wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", s->path, strerror(errno));
    s->archive->size = rc ? 0 : (uint64_t)st.st_size;
    if (rc || (rc = find_pickle(s, &entry, folder, sizeof folder)) || (rc = check_byte_order(s, folder)) ||
        (rc = read_entry(s, entry, MAX_PICKLE, &data, &size)))
        return rc;
    rc = read_state(s, folder, data, size);
    free(data);
    return rc;
}
