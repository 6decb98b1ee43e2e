/* fingerprint.c - a model as a number, by which a journal knows that it is the same (lib/transcribe/resume.c): what its file
 * says about it, the names, types and shapes of its tensors, and the ends of their data. All weights would take as long
 * as loading them. */
#include <string.h>

#include "model/model.h"

#define END 64 /* bytes */

int wh_model_fingerprint(whisp_model *m)
{
    wh_key *key = &m->fingerprint;
    wh_buf text = {0};
    const char *name;
    *key = WH_KEY_EMPTY;
    int rc = WHISP_OK;
    for (size_t i = 0; !rc && (name = wh_gguf_key_at(m->file, i)); i++) {
        wh_buf_puts(&text, name);
        wh_buf_puts(&text, "=");
        rc = wh_gguf_value_text(m->file, i, &text); /* long lists begin with the same in few models */
    }
    if (!rc && text.failed)
        rc = wh_fail_memory();
    if (!rc && text.length)
        wh_key_add(key, text.data, text.length);
    wh_buf_free(&text);
    uint64_t bytes = wh_gguf_bytes(m->file);
    wh_key_add(key, &bytes, sizeof bytes);
    for (size_t i = 0; i < wh_gguf_tensor_count(m->file); i++) {
        const wh_tensor *t = wh_gguf_tensor_at(m->file, i);
        size_t n = WH_MIN(t->bytes, (size_t)END);
        int32_t type = (int32_t)t->type;
        wh_key_add(key, t->name, strlen(t->name));
        wh_key_add(key, &type, sizeof type);
        wh_key_add(key, t->shape, sizeof t->shape);
        wh_key_add(key, t->data, n);
        wh_key_add(key, (const char *)t->data + t->bytes - n, n);
    }
    return rc;
}
