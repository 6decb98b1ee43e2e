/* other.c - see other.h. */
#include "other.h"

#include <math.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

void other_checksum(const struct mapping *mappings, size_t n, char hex[65])
{
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&sha);
    for (size_t i = 0; i < n; i++)
        sha256_update(&sha, mappings[i].size, mappings[i].data);
    sha256_digest(&sha, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

int other_put_text(wh_gguf_writer *w, const char *key, const char *text)
{
    return wh_gguf_put_string(w, key, text, strlen(text));
}

int other_write_tensor(wh_gguf_writer *w, struct source *s, struct tensor *t)
{
    int rc = source_load(s, t);
    if (rc)
        return rc;
    int64_t n = tensor_elements(t);
    float *values = wh_calloc((size_t)n, sizeof *values);
    if (!values)
        return wh_fail_memory();
    tensor_floats(t, 0, n, values);
    for (int64_t i = 0; i < n && !rc; i++)
        if (!isfinite(values[i]))
            rc = wh_fail(WHISP_ERR_MODEL, "%s: tensor %s holds values that are not numbers: the file is damaged",
                         s->path, t->name);
    if (!rc)
        rc = wh_gguf_write(w, values, (size_t)n * sizeof *values);
    free(values);
    return rc;
}
