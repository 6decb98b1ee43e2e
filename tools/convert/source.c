/* source.c - opens a checkpoint: tells its format by its first bytes, owns what the format readers map and find. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "silero.h"
#include "source.h"

#define MAX_TENSORS 16384     /* the largest published model has 1,259; names are searched one by one */
#define MAX_HEADS 65536

int source_damaged(const struct source *s, const char *what)
{
    return wh_fail(WHISP_ERR_MODEL, "%s: truncated or damaged: %s; get the file again", s->path, what);
}

int source_add_file(struct source *s, const char *path)
{
    if (wh_grow(&s->files, &s->file_capacity, s->n_files + 1, sizeof *s->files))
        return WHISP_ERR_MEMORY;
    if (!(s->files[s->n_files] = strdup(path)))
        return wh_fail_memory();
    s->n_files++;
    return WHISP_OK;
}

int source_map(struct source *s, const char *path, const unsigned char **data, size_t *size)
{
    if (wh_grow(&s->mappings, &s->mapping_capacity, s->n_mappings + 1, sizeof *s->mappings))
        return WHISP_ERR_MEMORY;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = wh_fail(WHISP_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    int rc = WHISP_OK;
    if (!S_ISREG(st.st_mode))
        rc = wh_fail(WHISP_ERR_IO, "%s: not a regular file", path);
    else if (st.st_size == 0)
        rc = wh_fail(WHISP_ERR_MODEL, "%s: the file is empty; get it again", path);
    else if ((uintmax_t)st.st_size > SIZE_MAX / 2)
        rc = wh_fail(WHISP_ERR_IO, "%s: too large for this machine's addresses", path);
    if (!rc) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) {
            rc = wh_fail(WHISP_ERR_IO, "%s: cannot be mapped: %s", path, strerror(errno));
        } else {
            s->mappings[s->n_mappings++] = (struct mapping){map, (size_t)st.st_size};
            *data = map;
            *size = (size_t)st.st_size;
        }
    }
    close(fd);
    return rc;
}

struct tensor *source_add(struct source *s, const char *name, enum stored type, int n_dims, const int64_t *shape,
                          const unsigned char *data)
{
    if (s->n_tensors >= MAX_TENSORS || strlen(name) >= sizeof s->tensors->name || n_dims < 1 || n_dims > WH_MAX_DIMS ||
        source_find(s, name)) {
        wh_fail(WHISP_ERR_MODEL, "%s: damaged: tensor %.80s is there twice or cannot be one of Whisper's", s->path,
                name);
        return NULL;
    }
    if (wh_grow(&s->tensors, &s->tensor_capacity, s->n_tensors + 1, sizeof *s->tensors))
        return NULL;
    struct tensor *t = &s->tensors[s->n_tensors++];
    memset(t, 0, sizeof *t);
    strcpy(t->name, name);
    t->type = type;
    t->n_dims = n_dims;
    for (int i = 0; i < WH_MAX_DIMS; i++)
        t->shape[i] = i < n_dims ? shape[i] : 1;
    t->data = data;
    return t;
}

struct tensor *source_find(const struct source *s, const char *name)
{
    for (size_t i = 0; i < s->n_tensors; i++)
        if (strcmp(s->tensors[i].name, name) == 0)
            return &s->tensors[i];
    return NULL;
}

int source_add_heads(struct source *s, int64_t layer, int64_t head)
{
    if (layer < 0 || layer >= s->dims.n_text_layer || head < 0 || head >= s->dims.n_text_head)
        return wh_fail(WHISP_ERR_MODEL, "%s: alignment head %lld.%lld is not in a decoder of %d layers of %d heads",
                       s->path, (long long)layer, (long long)head, s->dims.n_text_layer, s->dims.n_text_head);
    if (s->n_heads >= MAX_HEADS)
        return source_damaged(s, "too many alignment heads");
    int32_t *grown = realloc(s->heads, (s->n_heads + 1) * 2 * sizeof *grown);
    if (!grown)
        return wh_fail_memory();
    s->heads = grown;
    grown[2 * s->n_heads] = (int32_t)layer;
    grown[2 * s->n_heads + 1] = (int32_t)head;
    s->n_heads++;
    return WHISP_OK;
}

int source_load(struct source *s, struct tensor *t)
{
    return s->archive ? archive_load(s, t) : WHISP_OK;
}

void source_forget(const struct source *s)
{
    for (size_t i = 0; i < s->n_mappings; i++)
        madvise(s->mappings[i].data, s->mappings[i].size, MADV_DONTNEED);
}

/* ---- which format ---- */

static size_t read_head(const char *path, unsigned char *head, size_t size)
{
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(head, 1, size, file) : 0;
    if (file)
        fclose(file);
    return n;
}

static int is_ct2(const unsigned char *head, size_t n)
{
    return n >= 18 && head[1] == 0 && head[2] == 0 && head[3] == 0 && head[4] == 12 && head[5] == 0 &&
           memcmp(head + 6, "WhisperSpec", 12) == 0;
}

static int is_safetensors(const unsigned char *head, size_t n)
{
    return n >= 9 && head[8] == '{' && head[4] == 0 && head[5] == 0 && head[6] == 0 && head[7] == 0;
}

static int has_file(const char *folder, const char *name, unsigned char *head, size_t *n)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path || access(path, R_OK) != 0)
        return 0;
    *n = read_head(path, head, 64);
    return 1;
}

static int read_folder(struct source *s, const char *folder)
{
    unsigned char head[64];
    size_t n;
    if (has_file(folder, "model.safetensors", head, &n) || has_file(folder, "model.safetensors.index.json", head, &n))
        return read_hf(s, folder);
    if (has_file(folder, "model.bin", head, &n))
        return is_ct2(head, n) ? read_ct2(s, folder)
                               : wh_fail(WHISP_ERR_MODEL, "%s/model.bin: not a CTranslate2 model of Whisper", s->path);
    if (has_file(folder, "pytorch_model.bin", head, &n))
        return wh_fail(WHISP_ERR_MODEL, "%s: has pytorch_model.bin only; get model.safetensors, or save the model with "
                       "save_pretrained(safe_serialization=True)", s->path);
    return wh_fail(WHISP_ERR_MODEL, "%s: no model in this folder: it needs model.safetensors (Hugging Face) or "
                   "model.bin (CTranslate2)", s->path);
}

/* model.bin and model.safetensors stand for the folder they are in. */
static int read_beside(struct source *s, int (*reader)(struct source *, const char *))
{
    char *folder = strdup(s->path);
    if (!folder)
        return wh_fail_memory();
    char *slash = strrchr(folder, '/');
    if (slash && slash != folder)
        *slash = 0;
    int rc = reader(s, slash ? slash == folder ? "/" : folder : ".");
    free(folder);
    return rc;
}

static int read_file(struct source *s)
{
    unsigned char head[64];
    size_t n = read_head(s->path, head, sizeof head);
    if (n >= 4 && memcmp(head, "GGUF", 4) == 0)
        return read_gguf(s);
    if (n >= 4 && memcmp(head, "lmgg", 4) == 0)
        return read_ggml(s);
    if (n >= 4 && memcmp(head, "PK\3\4", 4) == 0)
        return read_pt(s);
    if (is_ct2(head, n))
        return read_beside(s, read_ct2);
    if (silero_recognise(s->path))
        return read_silero(s);
    if (is_safetensors(head, n))
        return read_beside(s, read_hf);
    if (n >= 2 && head[0] == 0x80 && head[1] <= 5)
        return wh_fail(WHISP_ERR_MODEL, "%s: PyTorch's format from before 1.6; load it and torch.save() it again",
                       s->path);
    if (n == 0)
        return wh_fail(WHISP_ERR_MODEL, "%s: the file is empty or cannot be read; get it again", s->path);
    return wh_fail(WHISP_ERR_MODEL, "%s: not a checkpoint that can be read: neither OpenAI .pt, Hugging Face, "
                   "CTranslate2, whisper.cpp ggml nor GGUF", s->path);
}

int source_check_dims(const struct source *s)
{
    const struct dims *d = &s->dims;
    const struct {
        const char *name;
        int value, most;
    } list[] = {
        {"n_mels", d->n_mels, 512},
        {"n_audio_ctx", d->n_audio_ctx, 1 << 16},
        {"n_audio_state", d->n_audio_state, 1 << 14},
        {"n_audio_head", d->n_audio_head, 1 << 10},
        {"n_audio_layer", d->n_audio_layer, 256},
        {"n_vocab", d->n_vocab, 1 << 20},
        {"n_text_ctx", d->n_text_ctx, 1 << 13},
        {"n_text_state", d->n_text_state, 1 << 14},
        {"n_text_head", d->n_text_head, 1 << 10},
        {"n_text_layer", d->n_text_layer, 256},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++)
        if (list[i].value < 1 || list[i].value > list[i].most)
            return wh_fail(WHISP_ERR_MODEL, "%s: not a Whisper model, or damaged: %s is %d, not within 1 to %d",
                           s->path, list[i].name, list[i].value, list[i].most);
    if (d->n_audio_state != d->n_text_state || d->n_audio_state % 2 || d->n_audio_state % d->n_audio_head ||
        d->n_text_state % d->n_text_head)
        return wh_fail(WHISP_ERR_MODEL, "%s: not a Whisper model, or damaged: states of %d and %d with %d and %d heads",
                       s->path, d->n_audio_state, d->n_text_state, d->n_audio_head, d->n_text_head);
    return WHISP_OK;
}

int source_open(const char *path, struct source *s)
{
    memset(s, 0, sizeof *s);
    s->path = path;
    struct stat st;
    int rc;
    if (stat(path, &st) != 0)
        rc = wh_fail(WHISP_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    else
        rc = S_ISDIR(st.st_mode) ? read_folder(s, path) : read_file(s);
    if (rc)
        source_close(s);
    return rc;
}

void source_close(struct source *s)
{
    for (int i = 0; s->pieces && i < s->n_pieces; i++)
        free(s->pieces[i]);
    for (size_t i = 0; i < s->n_files; i++)
        free(s->files[i]);
    for (size_t i = 0; i < s->n_mappings; i++)
        munmap(s->mappings[i].data, s->mappings[i].size);
    free(s->pieces);
    free(s->files);
    free(s->mappings);
    free(s->tensors);
    free(s->heads);
    free(s->hint);
    free(s->earlier_format);
    wh_gguf_close(s->gguf);
    archive_close(s->archive);
    memset(s, 0, sizeof *s);
}
