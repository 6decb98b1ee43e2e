/* detect.c - opens a checkpoint: tells what a folder is by the files in it (what a file is, kind.c says), and lets the
 * reader of that format fill the source. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "silero.h"
#include "speakers.h"
#include "source.h"

static int has_file(const char *folder, const char *name, char *path, size_t capacity)
{
    return source_join(path, capacity, folder, name) == WHISP_OK && access(path, F_OK) == 0;
}

/* A folder in which no weights were found: say what is there instead. */
static int fail_folder(const char *folder)
{
    static const char *const other[] = {"flax_model.msgpack", "tf_model.h5", "model.onnx", "onnx"};
    static const char *const adapters[] = {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"};
    char path[4096];
    for (size_t i = 0; i < WH_COUNT(adapters); i++)
        if (has_file(folder, adapters[i], path, sizeof path))
            return fail_adapter(path);
    for (size_t i = 0; i < WH_COUNT(other); i++)
        if (has_file(folder, other[i], path, sizeof path))
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: has %s only, which cannot be read; get model.safetensors or "
                           "pytorch_model.bin",
                           folder, other[i]);
    return wh_fail(WHISP_ERR_MODEL,
                   "%s: no model in this folder: it needs model.safetensors or pytorch_model.bin "
                   "(Hugging Face) or model.bin (CTranslate2)",
                   folder);
}

static int read_folder(struct source *s, const char *folder)
{
    static const char *const weights[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                          "pytorch_model.bin.index.json"};
    char path[4096];
    for (size_t i = 0; i < WH_COUNT(weights); i++)
        if (has_file(folder, weights[i], path, sizeof path))
            return read_hf(s, folder);
    if (speakers_recognise_folder(folder))
        return read_speakers(s, folder);
    if (!has_file(folder, "model.bin", path, sizeof path))
        return fail_folder(folder);
    switch (file_kind(path)) {
    case FILE_CT2: return read_ct2(s, folder);
    case FILE_ZIP: /* openai/whisper's checkpoint, as Distil-Whisper publishes it */ return read_pt(s, path);
    case FILE_LFS: return fail_lfs(path);
    default: return wh_fail(WHISP_ERR_MODEL, "%s: not a CTranslate2 model of Whisper", path);
    }
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

/* Whether the file's name is what Hugging Face calls weights, so that what belongs to them is beside it. */
static int is_hf_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strncmp(slash ? slash + 1 : path, "pytorch_model", 13) == 0;
}

static int read_file(struct source *s)
{
    switch (file_kind(s->path)) {
    case FILE_GGUF: return read_gguf(s);
    case FILE_GGML: return read_ggml(s);
    case FILE_CT2: return read_beside(s, read_ct2);
    case FILE_ZIP:
        if (speakers_recognise(s->path))
            return read_beside(s, read_speakers);
        return is_hf_name(s->path) ? read_beside(s, read_hf) : read_pt(s, s->path);
    case FILE_LFS: return fail_lfs(s->path);
    case FILE_PICKLE:
        return wh_fail(WHISP_ERR_MODEL, "%s: PyTorch's format from before 1.6; load it and torch.save() it again",
                       s->path);
    case FILE_NONE:
    case FILE_EMPTY: return wh_fail(WHISP_ERR_MODEL, "%s: the file is empty or cannot be read; get it again", s->path);
    default: break;
    }
    if (silero_recognise(s->path))
        return read_silero(s);
    if (file_kind(s->path) == FILE_SAFETENSORS)
        return read_beside(s, read_hf);
    return wh_fail(WHISP_ERR_MODEL,
                   "%s: not a checkpoint that can be read: neither PyTorch's, Hugging Face's, "
                   "CTranslate2's, whisper.cpp's ggml nor GGUF",
                   s->path);
}

/* The vocabulary is as large as the embedding's bytes say: what is made for each of its tokens is in proportion to the
 * file, then. */
static int check_embedding(const struct source *s)
{
    const struct tensor *t = source_find(s, "decoder.token_embedding.weight");
    if (!t)
        return wh_fail(WHISP_ERR_MODEL, "%s: tensor decoder.token_embedding.weight is missing", s->path);
    if (t->n_dims != 2 || t->shape[0] != s->dims.n_vocab || t->shape[1] != s->dims.n_text_state)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: tensor decoder.token_embedding.weight has the shape %lld x %lld where %d x %d is expected",
                       s->path, (long long)t->shape[0], (long long)t->shape[1], s->dims.n_vocab, s->dims.n_text_state);
    return WHISP_OK;
}

int source_open(const char *path, struct source *s)
{
    memset(s, 0, sizeof *s);
    s->path = path;
    s->multilingual = s->is_tied = -1;
    wh_specials_clear(&s->told, 0);
    struct stat st;
    int rc;
    if (stat(path, &st) != 0)
        rc = wh_fail(WHISP_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    else if (S_ISFIFO(st.st_mode))
        rc = wh_fail(
            WHISP_ERR_IO,
            "%s: a pipe, and a model is read here and there; save it to a file (cat %s > FILE) and convert that", path,
            path);
    else if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        rc = wh_fail(WHISP_ERR_IO, "%s: neither a file nor a folder", path);
    else
        rc = S_ISDIR(st.st_mode) ? read_folder(s, path) : read_file(s);
    if (!rc && s->kind == SOURCE_WHISPER)
        rc = check_embedding(s);
    if (rc)
        source_close(s);
    return rc;
}
