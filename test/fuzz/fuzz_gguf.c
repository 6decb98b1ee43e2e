/* fuzz_gguf.c - the reader of GGUF files: bytes are opened, asked for everything, and loaded as a model. (What a model of
 * any dimensions computes is fuzz_model.c's.) */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#include "gguf/gguf.h"

/* Every key by every question; what is inside is touched. */
static void ask_keys(const wh_gguf *g)
{
    const char *key;
    for (size_t i = 0; (key = wh_gguf_key_at(g, i)) && i < 64; i++) {
        const char *text;
        size_t length;
        int64_t number;
        int flag;
        volatile char last;
        wh_buf buf = {0};
        if (wh_gguf_string(g, key, &text, &length) && length)
            last = (char)(text[0] ^ text[length - 1]), (void)last;
        wh_gguf_int(g, key, &number);
        wh_gguf_bool(g, key, &flag);
        int64_t n = wh_gguf_array_length(g, key);
        if (n > 0) {
            wh_gguf_array_int(g, key, 0, &number);
            wh_gguf_array_int(g, key, n - 1, &number);
            FUZZ_CHECK(!wh_gguf_array_int(g, key, n, &number) && !wh_gguf_array_int(g, key, -1, &number));
        }
        if (n > 0 && n < 100000) {
            const char **strings = malloc((size_t)n * sizeof *strings);
            size_t *lengths = malloc((size_t)n * sizeof *lengths);
            FUZZ_CHECK(strings && lengths);
            if (wh_gguf_array_strings(g, key, strings, lengths))
                for (int64_t k = 0; k < n; k++)
                    number ^= lengths[k] ? strings[k][lengths[k] - 1] : 0;
            free(strings);
            free(lengths);
        }
        FUZZ_CHECK(wh_gguf_value_text(g, i, &buf) == WHISP_OK && buf.length < 100000);
        wh_buf_free(&buf);
    }
}

static void ask_tensors(const wh_gguf *g)
{
    static float row[4096];
    for (size_t i = 0; i < wh_gguf_tensor_count(g) && i < 200; i++) {
        const wh_tensor *t = wh_gguf_tensor_at(g, i);
        int64_t columns = t->shape[t->n_dims - 1];
        FUZZ_CHECK(t->n_dims >= 1 && t->n_dims <= WH_MAX_DIMS && wh_gguf_tensor(g, t->name));
        size_t bytes = wh_type_row_size(t->type, columns);
        FUZZ_CHECK(wh_type_name(t->type) && bytes && bytes <= t->bytes);
        if (columns <= 4096) { /* the last one */
            wh_decode_row(t->type, (const char *)t->data + t->bytes - bytes, row, columns);
            if (t->scale)
                row[0] += t->scale[t->shape[0] - 1];
        }
    }
}

/* The same from a pipe, which is read into memory; and by a path, where other formats are recognised. */
static void load_otherwise(const uint8_t *data, size_t size, int by_path)
{
    whisp_model *model = NULL;
    int fds[2], rc;
    if (by_path) {
        FILE *file = fopen(fuzz_path("model.gguf"), "wb");
        FUZZ_CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
        rc = whisp_model_load(fuzz_path("model.gguf"), NULL, &model);
        unlink(fuzz_path("model.gguf"));
    } else {
        size = size < 60000 ? size : 60000; /* what fits into a pipe */
        FUZZ_CHECK(pipe(fds) == 0 && write(fds[1], data, size) == (ssize_t)size && close(fds[1]) == 0);
        rc = whisp_model_load_fd(fds[0], NULL, &model);
        close(fds[0]);
    }
    FUZZ_CHECK((rc == WHISP_OK) == (model != NULL) && (!rc || strlen(whisp_last_error()) > 10));
    whisp_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wh_gguf *g;
    whisp_model *model;
    whisp_model_info info = {.size = sizeof info};
    void *aligned = NULL;
    FUZZ_CHECK(posix_memalign(&aligned, 64, size ? size : 1) == 0);
    if (size)
        memcpy(aligned, data, size);
    if (wh_gguf_open_memory("fuzz", aligned, size, &g) == WHISP_OK) {
        ask_keys(g);
        ask_tensors(g);
        wh_gguf_rest(g);
        wh_gguf_close(g);
        if (whisp_model_load_memory(aligned, size, NULL, &model) == WHISP_OK) {
            FUZZ_CHECK(whisp_model_describe(model, &info) == WHISP_OK && info.n_vocab > 0);
            whisp_model_free(model);
        }
    } else {
        FUZZ_CHECK(strlen(whisp_last_error()) > 10);
    }
    free(aligned);
    unsigned way = fuzz_way(data, size);
    if (way % 16 == 0 || fuzz_every_way)
        load_otherwise(data, size, 0);
    if (way % 16 == 1 || fuzz_every_way)
        load_otherwise(data, size, 1);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    uint64_t random = seed;
    return fuzz_mutate_gguf(data, size, max_size, &random);
}
