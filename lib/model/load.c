/* load.c - a model from a path, a descriptor or memory, for whisp.h, and what is said about it. */
#include <stdio.h>
#include <unistd.h>

#include "options/options.h"
#include "model/model.h"

/* How large something is, in words. */
static const char *size_text(uint64_t bytes, char text[32])
{
    if (bytes >= 1000000000)
        snprintf(text, 32, "%.2f GB", (double)bytes / 1e9);
    else
        snprintf(text, 32, "%.1f MB", (double)bytes / 1e6);
    return text;
}

/* What was loaded: at INFO what a user asks for, at DEBUG what it is made of. */
static void tell(const whisp_model *m, const whisp_callbacks *callbacks, double seconds)
{
    char line[512], size[32];
    whisp_model_info info = {.size = sizeof info};
    if (!callbacks->log || whisp_model_describe(m, &info))
        return;
    snprintf(line, sizeof line, "%s: model %s, %.1f million parameters stored as %s, %s; loaded in %.3f s",
             wh_gguf_path(m->file), info.name, (double)info.n_parameters / 1e6, info.type,
             size_text(wh_gguf_bytes(m->file), size), seconds);
    callbacks->log(callbacks->user, WHISP_LOG_INFO, line);
    snprintf(line, sizeof line, "encoder: %d layers of %d, %d heads, %d Mel bands; decoder: %d layers of %d, %d heads",
             info.n_audio_layer, info.n_audio_state, info.n_audio_head, info.n_mels, info.n_text_layer,
             info.n_text_state, info.n_text_head);
    callbacks->log(callbacks->user, WHISP_LOG_DEBUG, line);
    snprintf(line, sizeof line, "vocabulary of %d, %s, %d languages; %d alignment heads; %zu tensors", info.n_vocab,
             info.is_multilingual ? "multilingual" : "English only", info.n_languages, m->n_alignment_heads,
             wh_gguf_tensor_count(m->file));
    callbacks->log(callbacks->user, WHISP_LOG_DEBUG, line);
    if (wh_gguf_is_mapped(m->file))
        callbacks->log(
            callbacks->user, WHISP_LOG_DEBUG,
            "the file is mapped: who replaces it shall rename another one there, not write into it; sessions "
            "that compute in int8 do not need it once they are made");
}

/* `rc`: whether the file could be opened, at time `started`. */
static int finish(int rc, wh_gguf *file, const whisp_callbacks *callbacks, double started, whisp_model **model)
{
    if (!rc)
        rc = wh_model_read(file, model);
    if (!rc)
        tell(*model, callbacks, wh_now() - started);
    return rc;
}

static int check_cancel(const void *user)
{
    const whisp_callbacks *callbacks = user;
    return callbacks->cancel && callbacks->cancel(callbacks->user) ? wh_fail(WHISP_ERR_CANCELLED, "cancelled")
                                                                   : WHISP_OK;
}

int whisp_model_load(const char *path, const whisp_callbacks *callbacks, whisp_model **model)
{
    if (!model)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_model_load: model is NULL");
    *model = NULL;
    if (!path)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_model_load: path is NULL");
    whisp_callbacks all;
    wh_gguf *file = NULL;
    double started = wh_now();
    int rc = wh_callbacks_read(callbacks, &all);
    if (rc)
        return rc;
    const wh_gguf_reading reading = {all.no_mmap, check_cancel, &all};
    if ((rc = wh_gguf_open_as(path, &reading, &file)) && rc != WHISP_ERR_MEMORY && rc != WHISP_ERR_CANCELLED) {
        int known = wh_model_foreign(path);
        char name[64];
        if (known || rc != WHISP_ERR_IO || access(path, F_OK) == 0 || !wh_model_meant(path, name, sizeof name))
            return known ? known : rc;
        return wh_fail(rc, "%s; `whisp-get %s` fetches it, and whisp_model_find(\"%s\", ...) says where it is then",
                       whisp_last_error(), name, name);
    }
    return finish(rc, file, &all, started, model);
}

int whisp_model_load_fd(int fd, const whisp_callbacks *callbacks, whisp_model **model)
{
    if (!model)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_model_load_fd: model is NULL");
    *model = NULL;
    char name[40];
    whisp_callbacks all;
    wh_gguf *file = NULL;
    double started = wh_now();
    snprintf(name, sizeof name, "file descriptor %d", fd);
    int rc = wh_callbacks_read(callbacks, &all);
    if (!rc)
        rc = wh_gguf_open_fd(name, fd, &(wh_gguf_reading){all.no_mmap, check_cancel, &all}, &file);
    return finish(rc, file, &all, started, model);
}

int whisp_model_load_memory(const void *bytes, size_t size, const whisp_callbacks *callbacks, whisp_model **model)
{
    if (model)
        *model = NULL;
    if (!model || (!bytes && size))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_model_load_memory: an argument is NULL");
    whisp_callbacks all;
    wh_gguf *file = NULL;
    double started = wh_now();
    int rc = wh_callbacks_read(callbacks, &all);
    if (!rc)
        rc = wh_gguf_open_memory("the model in memory", bytes, size, &file);
    return finish(rc, file, &all, started, model);
}
