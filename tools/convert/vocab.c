/* vocab.c - vocabularies in all the ways they are kept, as pieces in GPT-2's printable notation.
 *
 * That notation writes each byte as one character: printable Latin-1 as itself, the other 68 as U+0100 and up. */
#include "vocab.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base64.h"
#include "json.h"
#include "model/model.h"

static void forget(struct source *s)
{
    for (int i = 0; i < s->n_pieces; i++) {
        free(s->pieces[i]);
        free(s->added[i]);
    }
    free(s->pieces);
    free(s->added);
    s->pieces = s->added = NULL;
    s->n_pieces = 0;
}

int vocab_begin(struct source *s)
{
    forget(s);
    s->pieces = wh_calloc((size_t)s->dims.n_vocab, sizeof *s->pieces);
    s->added = wh_calloc((size_t)s->dims.n_vocab, sizeof *s->added);
    if (!s->pieces || !s->added)
        return wh_fail_memory();
    s->n_pieces = s->dims.n_vocab;
    s->has_outside = 0;
    return WHISP_OK;
}

static int set_piece(struct source *s, const char *path, int64_t id, const char *text, size_t length)
{
    if (id < 0 || id >= s->n_pieces)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: token %lld is outside the model's vocabulary of %d tokens; it belongs to "
                       "another model",
                       path, (long long)id, s->n_pieces);
    if (s->pieces[id] || memchr(text, 0, length))
        return wh_fail(WHISP_ERR_MODEL, "%s: damaged: token %lld is there twice or contains a NUL", path,
                       (long long)id);
    s->pieces[id] = strndup(text, length);
    return s->pieces[id] ? WHISP_OK : wh_fail_memory();
}

/* A token that a list of added ones names. The first list that names an id counts; an id that the model does not have
 * can never be written and matters only if it should be a special token's. */
static int set_added(struct source *s, const char *path, int64_t id, const char *text)
{
    int index;
    if (id < 0 || !text)
        return wh_fail(WHISP_ERR_MODEL, "%s: damaged: an added token without a name or a number", path);
    if (id >= s->n_pieces) {
        s->has_outside |= wh_special_role(text, strlen(text), &index) != WH_ROLE_NONE;
        return WHISP_OK;
    }
    if (s->added[id])
        return WHISP_OK;
    s->added[id] = strdup(text);
    return s->added[id] ? WHISP_OK : wh_fail_memory();
}

int vocab_set_bytes(struct source *s, int id, const unsigned char *bytes, size_t n)
{
    char *text = vocab_spell(bytes, n);
    int rc = text ? set_piece(s, s->path, id, text, strlen(text)) : wh_fail_memory();
    free(text);
    return rc;
}

/* ---- the kinds of files ---- */

/* [token, token, ...] */
static int read_list(struct source *s, const char *path, const json_t *list)
{
    int rc = WHISP_OK;
    for (size_t i = 0; i < json_array_size(list) && !rc; i++) {
        const json_t *token = json_array_get(list, i);
        rc = json_is_string(token) ? set_piece(s, path, (int64_t)i, json_string_value(token), json_string_length(token))
                                   : wh_fail(WHISP_ERR_MODEL, "%s: entry %zu is not a string", path, i);
    }
    return rc;
}

/* {token: id, ...}: ordinary tokens, or added ones. */
static int read_ids(struct source *s, const char *path, json_t *object, int is_added)
{
    const char *token;
    json_t *id;
    json_object_foreach(object, token, id)
    {
        if (!json_is_integer(id))
            return wh_fail(WHISP_ERR_MODEL, "%s: not a vocabulary", path);
        json_int_t value = json_integer_value(id);
        int index, is_special = wh_special_role(token, strlen(token), &index) != WH_ROLE_NONE;
        int rc = is_added || (is_special && value >= s->n_pieces) ? set_added(s, path, value, token)
                                                                  : set_piece(s, path, value, token, strlen(token));
        if (rc)
            return rc;
    }
    return WHISP_OK;
}

/* A vocab.json, or a tokenizer.json: model.vocab, and added_tokens: [{"id": 50257, "content": "<|endoftext|>"}, ...] */
static int read_object(struct source *s, const char *path, json_t *root)
{
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    if (!json_is_object(vocab))
        return read_ids(s, path, root, 0);
    const json_t *list = json_object_get(root, "added_tokens");
    int rc = read_ids(s, path, vocab, 0);
    for (size_t i = 0; i < json_array_size(list) && !rc; i++) {
        const json_t *token = json_array_get(list, i), *id = json_object_get(token, "id");
        rc = set_added(s, path, json_is_integer(id) ? json_integer_value(id) : -1,
                       json_string_value(json_object_get(token, "content")));
    }
    return rc;
}

/* A line of a tiktoken file: base64 of the bytes, a space, the id. An empty token is written "=". */
static int read_tiktoken_line(struct source *s, const char *path, const char *line, size_t n)
{
    unsigned char bytes[1024];
    size_t n_bytes = 0, i = 0;
    unsigned bits = 0, n_bits = 0;
    for (; i < n && base64_value(line[i]) >= 0 && n_bytes < sizeof bytes; i++) {
        bits = (bits << 6 | (unsigned)base64_value(line[i])) & 0xffff;
        if ((n_bits += 6) >= 8)
            bytes[n_bytes++] = (unsigned char)(bits >> (n_bits -= 8));
    }
    while (i < n && line[i] == '=')
        i++;
    int64_t id = -1;
    if (i + 1 < n && line[i] == ' ')
        for (id = 0, i++; i < n && line[i] >= '0' && line[i] <= '9' && id < 1 << 24; i++)
            id = id * 10 + (line[i] - '0');
    if (i != n || id < 0)
        return wh_fail(WHISP_ERR_MODEL, "%s: not a tiktoken vocabulary: \"%.*s\"", path, (int)WH_MIN(n, 60), line);
    if (id >= s->n_pieces)
        return set_piece(s, path, id, "", 0); /* says what is wrong */
    return vocab_set_bytes(s, (int)id, bytes, n_bytes);
}

/* One token a line (CTranslate2's vocabulary.txt), or tiktoken's lines: no piece contains a space. */
static int read_lines(struct source *s, const char *path, const char *text, size_t size)
{
    const char *end = text + size, *first_end = memchr(text, '\n', size);
    int is_tiktoken = first_end && memchr(text, ' ', (size_t)(first_end - text));
    int rc = WHISP_OK;
    for (int64_t id = 0; text < end && !rc; id++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        size_t trimmed = n && text[n - 1] == '\r' ? n - 1 : n;
        rc = is_tiktoken ? read_tiktoken_line(s, path, text, trimmed) : set_piece(s, path, id, text, trimmed);
        text += n + 1;
    }
    return rc;
}

/* A model of the same kind, or one that this one was made from by adding tokens. */
static int read_gguf_tokens(struct source *s, const wh_gguf *gguf)
{
    const char *key = "tokenizer.ggml.tokens";
    int64_t n = wh_gguf_array_length(gguf, key), ordinary = 0;
    if (n < 1 || n > s->n_pieces)
        return wh_fail(WHISP_ERR_MODEL, "%s: %s holds %lld tokens, the model's vocabulary %d", wh_gguf_path(gguf), key,
                       (long long)WH_MAX(n, 0), s->n_pieces);
    const char **strings = wh_calloc((size_t)n, sizeof *strings);
    size_t *lengths = wh_calloc((size_t)n, sizeof *lengths);
    int rc = strings && lengths ? WHISP_OK : wh_fail_memory();
    if (!rc && (!wh_gguf_array_strings(gguf, key, strings, lengths) ||
                !wh_gguf_int(gguf, "whisper.vocab.ordinary", &ordinary)))
        rc = wh_fail(WHISP_ERR_MODEL, "%s: %s is not a list of strings of a Whisper model", wh_gguf_path(gguf), key);
    for (int64_t i = 0; i < n && !rc; i++)
        rc = set_piece(s, wh_gguf_path(gguf), i, strings[i], lengths[i]);
    if (!rc)
        wh_gguf_bool(gguf, "whisper.multilingual", &s->multilingual);
    free(strings);
    free(lengths);
    return rc;
}

static int read_any(struct source *s, const char *path)
{
    const unsigned char *data = NULL;
    size_t size = 0, i = 0;
    int rc = source_map(s, path, &data, &size);
    if (rc)
        return rc;
    if (size >= 4 && memcmp(data, "GGUF", 4) == 0) {
        wh_gguf *gguf;
        if (!(rc = wh_gguf_open(path, &gguf)))
            rc = read_gguf_tokens(s, gguf);
        wh_gguf_close(gguf);
        return rc;
    }
    while (i < size && memchr(" \t\r\n", data[i], 4))
        i++;
    if (i == size || (data[i] != '{' && data[i] != '['))
        return read_lines(s, path, (const char *)data, size);
    json_t *root;
    if ((rc = json_parse(path, (const char *)data, size, JSON_ALLOW_NUL, &root)))
        return rc;
    rc = json_is_object(root) ? read_object(s, path, root) : read_list(s, path, root);
    json_decref(root);
    return rc;
}

/* ---- a tokenizer's folder ---- */

/* {"added_tokens_decoder": {"50257": {"content": "<|endoftext|>"}, ...}} */
static int read_decoder(struct source *s, const char *path, const json_t *root)
{
    json_t *list = json_object_get(root, "added_tokens_decoder"), *token;
    const char *key;
    json_object_foreach(list, key, token)
    {
        char *end;
        long id = strtol(key, &end, 10);
        int rc = set_added(s, path, *key && !*end ? id : -1, json_string_value(json_object_get(token, "content")));
        if (rc)
            return rc;
    }
    return WHISP_OK;
}

/* The names that are taken, as a set. */
static json_t *names_of(const struct source *s)
{
    json_t *names = json_object();
    int failed = names == NULL;
    for (int i = 0; i < s->n_pieces && !failed; i++)
        failed |= (s->pieces[i] && json_object_set_new_nocheck(names, s->pieces[i], json_true())) ||
                  (s->added[i] && json_object_set_new_nocheck(names, s->added[i], json_true()));
    if (failed)
        json_decref(names);
    return failed ? NULL : names;
}

/* {"additional_special_tokens": [name or {"content": name}, ...]}: those that nothing has given a number follow the
 * others in this order, as transformers numbers them. */
static int read_map(struct source *s, const char *path, const json_t *root)
{
    const json_t *list = json_object_get(root, "additional_special_tokens");
    int next = s->n_pieces, rc = WHISP_OK;
    while (next > 0 && !s->pieces[next - 1] && !s->added[next - 1])
        next--;
    if (json_array_size(list) > (size_t)s->n_pieces)
        return wh_fail(WHISP_ERR_MODEL, "%s: additional_special_tokens names more tokens than the vocabulary has",
                       path);
    json_t *names = names_of(s);
    if (!names)
        return wh_fail_memory();
    for (size_t i = 0; i < json_array_size(list) && !rc; i++) {
        const json_t *token = json_array_get(list, i), *content = json_object_get(token, "content");
        const char *name = json_string_value(content ? content : token);
        if (name && json_object_get(names, name))
            continue;
        if (!(rc = set_added(s, path, next++, name)) && json_object_set_new_nocheck(names, name, json_true()))
            rc = wh_fail_memory();
    }
    json_decref(names);
    return rc;
}

int vocab_read_folder(struct source *s, const char *folder)
{
    static const struct {
        const char *name;
        int is_vocabulary, is_added; /* {token: id} of added tokens */
        int (*read)(struct source *, const char *, const json_t *);
    } files[] = {{"tokenizer.json", 1, 0, NULL},
                 {"vocab.json", 1, 0, NULL},
                 {"added_tokens.json", 0, 1, NULL},
                 {"tokenizer_config.json", 0, 0, read_decoder},
                 {"special_tokens_map.json", 0, 0, read_map}};
    char path[4096];
    int rc = WHISP_OK;
    for (size_t i = 0; i < WH_COUNT(files) && !rc; i++) {
        json_t *root = NULL;
        if (files[i].is_vocabulary) {
            rc = s->pieces ? WHISP_OK : vocab_read_in(s, folder, files[i].name);
        } else if (s->pieces && !(rc = source_join(path, sizeof path, folder, files[i].name)) &&
                   !(rc = json_read(folder, files[i].name, &root)) && root) {
            rc = files[i].is_added ? read_ids(s, path, root, 1) : files[i].read(s, path, root);
        }
        json_decref(root);
    }
    return rc;
}

static int read_file(struct source *s, const char *path)
{
    int rc = vocab_begin(s);
    return rc ? rc : read_any(s, path);
}

int vocab_read_in(struct source *s, const char *folder, const char *name)
{
    char path[4096];
    int rc = source_join(path, sizeof path, folder, name);
    return rc || access(path, F_OK) != 0 ? rc : read_file(s, path);
}

static int read_vocabulary(struct source *s, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return read_file(s, path);
    forget(s);
    int rc = vocab_read_folder(s, path);
    return rc || s->pieces ? rc : wh_fail(WHISP_ERR_MODEL, "%s: neither tokenizer.json nor vocab.json is there", path);
}

int vocab_from_gguf(struct source *s, const wh_gguf *gguf)
{
    int rc = vocab_begin(s);
    return rc ? rc : read_gguf_tokens(s, gguf);
}

/* ---- where the source has none ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whether a file has a published vocabulary of n_vocab tokens. */
static int has_vocabulary(const char *path, int n_vocab)
{
    wh_gguf *gguf = NULL;
    int64_t version = 0;
    int has = wh_gguf_open(path, &gguf) == WHISP_OK && wh_gguf_int(gguf, "whisper.format_version", &version) &&
              version == 1 && wh_gguf_array_length(gguf, "tokenizer.ggml.tokens") == n_vocab;
    wh_gguf_close(gguf);
    return has;
}

/* The first GGUF in a folder, by name, with a vocabulary of n_vocab tokens. Files that cannot be read are passed by. */
static int search_folder(const char *folder, int n_vocab, char *path, size_t capacity)
{
    char **names = NULL;
    size_t n = 0, room = 0;
    int found = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        if (length < 6 || strcmp(entry->d_name + length - 5, ".gguf") != 0 ||
            wh_grow(&names, &room, n + 1, sizeof *names) || !(names[n] = strdup(entry->d_name)))
            continue;
        n++;
    }
    if (dir)
        closedir(dir);
    if (n)
        qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++) {
        if (!found && (size_t)snprintf(path, capacity, "%s/%s", folder, names[i]) < capacity)
            found = has_vocabulary(path, n_vocab);
        free(names[i]);
    }
    free(names);
    return found;
}

static int search(const struct source *s, const char *model_dir, char *path, size_t capacity)
{
    char cache[2048];
    const char *folders[] = {getenv("WHISP_MODEL_DIR"), "models", wh_model_cache(cache, sizeof cache) ? cache : NULL};
    if (model_dir)
        return search_folder(model_dir, s->dims.n_vocab, path, capacity);
    for (size_t i = 0; i < WH_COUNT(folders); i++)
        if (folders[i] && search_folder(folders[i], s->dims.n_vocab, path, capacity))
            return 1;
    return 0;
}

/* The reader's own check: what passes here can be loaded. */
static int check(const struct source *s)
{
    size_t *lengths = wh_calloc((size_t)s->specials.eot, sizeof *lengths);
    wh_tokenizer *tokenizer = NULL;
    if (!lengths)
        return wh_fail_memory();
    for (int i = 0; i < s->specials.eot; i++)
        lengths[i] = strlen(s->pieces[i]);
    int rc = wh_tokenizer_new((const char *const *)s->pieces, lengths, &s->specials, &tokenizer);
    if (rc == WHISP_ERR_MODEL)
        rc = wh_fail(rc, "%s: the vocabulary is not usable: %s", s->path, whisp_last_error());
    wh_tokenizer_free(tokenizer);
    free(lengths);
    return rc;
}

int vocab_complete(struct source *s, const char *file, const char *model_dir, FILE *log)
{
    char path[4096];
    int rc = WHISP_OK;
    if (file) {
        rc = read_vocabulary(s, file);
    } else if (!s->pieces) {
        if (!layout_published(&s->dims))
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: has no vocabulary, and no published model has %d tokens and %d bands, "
                           "so it cannot be told which tokens are the special ones; give --vocab FILE, the "
                           "tokenizer.json of this very model",
                           s->path, s->dims.n_vocab, s->dims.n_mels);
        if (!search(s, model_dir, path, sizeof path))
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: has no vocabulary, and there is no GGUF model of %d tokens to take it "
                           "from; give --vocab FILE (tiktoken, tokenizer.json, vocab.json or GGUF)",
                           s->path, s->dims.n_vocab);
        fprintf(log, "vocabulary taken from %s\n", path);
        rc = read_vocabulary(s, path);
    }
    if (!rc)
        rc = layout_resolve(s, log);
    return rc ? rc : check(s);
}
