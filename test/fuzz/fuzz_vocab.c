/* fuzz_vocab.c - vocabularies and configurations without weights: tokenizer.json and its like, lists, lines, tiktoken's,
 * GGUF's; where the special tokens are; alignment heads as the command line names them. */
#include <string.h>

#include "fuzz.h"

#include "../tools/convert/heads.h"
#include "../tools/convert/json.h"
#include "../tools/convert/vocab.h"

/* The names, once the vocabulary is complete. */
static void use(const struct source *s)
{
    size_t n = (size_t)s->dims.n_vocab;
    const char **tokens = calloc(n, sizeof *tokens);
    size_t *lengths = calloc(n, sizeof *lengths);
    char *names = NULL;
    FUZZ_CHECK(tokens && lengths);
    layout_is_plain(s);
    if (layout_names(s, tokens, lengths, &names) == WHISP_OK)
        for (size_t i = 0; i < n; i++)
            FUZZ_CHECK(strlen(tokens[i]) == lengths[i]);
    free(tokens);
    free(lengths);
    free(names);
}

/* The name and the heads that a model of these dimensions has. */
static void name(struct source *s, const char *list, FILE *log)
{
    char text[64];
    heads_name(s, NULL, text, sizeof text);
    heads_name(s, "name", text, sizeof text);
    if (heads_complete(s, list, list ? NULL : "large-v2", log) == WHISP_OK)
        for (size_t i = 0; i < s->n_heads; i++)
            FUZZ_CHECK(s->heads[2 * i] < s->dims.n_text_layer && s->heads[2 * i + 1] < s->dims.n_text_head);
}

/* The dimensions that the file dims names in words of numbers: tokens, bands, channels, layers, heads. */
static void read_dims(struct source *s, const fuzz_file *file)
{
    int n[5] = {1766, 80, 4, 1, 1};
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(file->n < 60 ? file->n : 60), (const char *)file->data);
    sscanf(text, "%6d %3d %4d %3d %3d", &n[0], &n[1], &n[2], &n[3], &n[4]);
    s->dims = (struct dims){n[1], 1500, n[2], n[4], n[3], n[0], 448, n[2], n[4], n[3]};
}

static void complete(struct source *s, const char *vocab, const char *list)
{
    static FILE *quiet;
    json_t *config = NULL;
    if (!quiet)
        FUZZ_CHECK((quiet = fopen("/dev/null", "w")));
    int rc = source_check_dims(s), has_dims = !rc;
    if (!rc)
        rc = json_read(fuzz_folder(), "config.json", &config);
    if (!rc && config) {
        rc = json_heads(config, s);
        json_specials(config, s);
    }
    json_decref(config);
    if (!rc)
        rc = vocab_complete(s, vocab ? fuzz_path(vocab) : NULL, fuzz_folder(), quiet);
    fuzz_say(rc);
    FUZZ_CHECK(!rc || strlen(whisp_last_error()) > 10);
    if (!rc)
        use(s);
    if (has_dims)
        name(s, list, quiet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_file files[FUZZ_MOST_FILES];
    size_t n = fuzz_unpack(data, size, "vocab.json", files);
    const char *vocab = ".";
    char list[256];
    int has_list = 0;
    struct source s = {.path = "fuzz large-v2", .format = "none", .multilingual = -1, .is_tied = -1};
    wh_specials_clear(&s.told, 0);
    s.dims = (struct dims){80, 1500, 4, 1, 1, 1766, 448, 4, 1, 1};
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i].name, "dims") == 0)
            read_dims(&s, &files[i]);
        else if (strcmp(files[i].name, "heads") == 0)
            has_list = snprintf(list, sizeof list, "%.*s", (int)(files[i].n < 255 ? files[i].n : 255),
                                (const char *)files[i].data) >= 0;
        else if (strcmp(files[i].name, "vocabulary") == 0)
            vocab = "vocabulary";
        else if (strcmp(files[i].name, "none") == 0)
            vocab = NULL;
    }
    fuzz_files_write(fuzz_folder(), files, n);
    complete(&s, vocab, has_list ? list : NULL);
    source_close(&s);
    fuzz_files_remove(fuzz_folder(), files, n);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    return fuzz_mutate_files(data, size, max_size, seed, "vocab.json", fuzz_change_file);
}
