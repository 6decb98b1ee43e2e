/* vocab.c - vocabularies in all the ways they are kept, as pieces in GPT-2's printable notation.
 *
 * That notation writes each byte as one character: printable Latin-1 as itself, the other 68 as U+0100 and up. */
#include "vocab.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "tokenizer/tokenizer.h"

#define SPECIALS 1509           /* special tokens that are not languages */
#define ENGLISH_VOCAB 51864
#define END_OF_TEXT "<|endoftext|>"

int vocab_ordinary(int n_vocab)
{
    return n_vocab == ENGLISH_VOCAB ? 50256 : n_vocab == 51865 || n_vocab == 51866 ? 50257 : 0;
}

int vocab_resize(struct source *s, int n)
{
    for (int i = 0; s->pieces && i < s->n_pieces; i++)
        free(s->pieces[i]);
    free(s->pieces);
    s->n_pieces = 0;
    s->pieces = wh_calloc((size_t)n, sizeof *s->pieces);
    if (!s->pieces)
        return wh_fail_memory();
    s->n_pieces = n;
    return WHISP_OK;
}

static int set_piece(struct source *s, const char *path, int64_t id, const char *text, size_t length)
{
    if (id < 0 || id >= s->n_pieces)
        return wh_fail(WHISP_ERR_MODEL, "%s: token %lld is outside the model's vocabulary of %d tokens; it belongs to "
                       "another model", path, (long long)id, s->n_pieces);
    if (s->pieces[id] || memchr(text, 0, length))
        return wh_fail(WHISP_ERR_MODEL, "%s: damaged: token %lld is there twice or contains a NUL", path,
                       (long long)id);
    s->pieces[id] = strndup(text, length);
    return s->pieces[id] ? WHISP_OK : wh_fail_memory();
}

int vocab_set_bytes(struct source *s, int id, const unsigned char *bytes, size_t n)
{
    wh_buf text = {0};
    for (size_t i = 0; i < n; i++) {
        unsigned b = bytes[i], code = b;
        if (b <= 32) /* the characters that are not printable follow U+0100 in order: 0-32, 127-160, 173 */
            code = 256 + b;
        else if (b >= 127 && b <= 160)
            code = 256 + 33 + (b - 127);
        else if (b == 173)
            code = 256 + 67;
        const char utf8[2] = {(char)(0xc0 | code >> 6), (char)(0x80 | (code & 63))};
        if (code < 128)
            wh_buf_append(&text, &bytes[i], 1);
        else
            wh_buf_append(&text, utf8, 2);
    }
    int rc = text.failed ? wh_fail_memory() : set_piece(s, s->path, id, text.data ? text.data : "", text.length);
    wh_buf_free(&text);
    return rc;
}

/* ---- the kinds of files ---- */

/* [token, token, ...] */
static int read_list(struct source *s, const char *path, const json_t *list)
{
    int rc = WHISP_OK;
    for (size_t i = 0; i < json_array_size(list) && !rc; i++) {
        const json_t *token = json_array_get(list, i);
        rc = json_is_string(token)
                 ? set_piece(s, path, (int64_t)i, json_string_value(token), json_string_length(token))
                 : wh_fail(WHISP_ERR_MODEL, "%s: entry %zu is not a string", path, i);
    }
    return rc;
}

/* {token: id, ...}, alone or as model.vocab of a tokenizer.json */
static int read_object(struct source *s, const char *path, json_t *root)
{
    json_t *object = json_object_get(json_object_get(root, "model"), "vocab"), *id;
    const char *token;
    if (!json_is_object(object))
        object = root;
    json_object_foreach(object, token, id) {
        int rc = json_is_integer(id) ? set_piece(s, path, json_integer_value(id), token, strlen(token))
                                     : wh_fail(WHISP_ERR_MODEL, "%s: not a vocabulary", path);
        if (rc)
            return rc;
    }
    return WHISP_OK;
}

static int base64_value(int c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
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

static int read_gguf_tokens(struct source *s, const wh_gguf *gguf)
{
    const char *key = "tokenizer.ggml.tokens";
    int64_t n = wh_gguf_array_length(gguf, key);
    if (n != s->n_pieces)
        return wh_fail(WHISP_ERR_MODEL, "%s: %s holds %lld tokens, the model's vocabulary %d", wh_gguf_path(gguf), key,
                       (long long)WH_MAX(n, 0), s->n_pieces);
    const char **strings = wh_calloc((size_t)n, sizeof *strings);
    size_t *lengths = wh_calloc((size_t)n, sizeof *lengths);
    int rc = strings && lengths ? WHISP_OK : wh_fail_memory();
    if (!rc && !wh_gguf_array_strings(gguf, key, strings, lengths))
        rc = wh_fail(WHISP_ERR_MODEL, "%s: %s is not a list of strings", wh_gguf_path(gguf), key);
    for (int64_t i = 0; i < n && !rc; i++)
        rc = set_piece(s, wh_gguf_path(gguf), i, strings[i], lengths[i]);
    free(strings);
    free(lengths);
    return rc;
}

static int read_any(struct source *s, const char *path, int *is_object)
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
    if ((rc = json_read(NULL, path, &root)))
        return rc;
    *is_object = json_is_object(root);
    rc = *is_object ? read_object(s, path, root) : read_list(s, path, root);
    json_decref(root);
    return rc;
}

/* Cut the pieces to the ordinary tokens: those before <|endoftext|>, and as many as the model must have. */
static int finish(struct source *s, const char *path, int is_object)
{
    int expected = vocab_ordinary(s->dims.n_vocab), n = 0, last = -1;
    for (; n < s->n_pieces; n++) {
        if (s->pieces[n])
            last = n;
        if (s->pieces[n] && strcmp(s->pieces[n], END_OF_TEXT) == 0)
            break;
    }
    if (n == s->n_pieces) /* not named: everything that there is */
        n = is_object && last + 2 == expected ? expected : last + 1;
    if (expected && n != expected)
        return wh_fail(WHISP_ERR_MODEL, "%s: a vocabulary of %d ordinary tokens, but a model of %d tokens has %d", path,
                       n, s->dims.n_vocab, expected);
    if (n > 0 && !s->pieces[n - 1] && is_object) /* the empty token that multilingual vocabularies end with */
        s->pieces[n - 1] = strdup("");
    for (int i = 0; i < n; i++)
        if (!s->pieces[i])
            return wh_fail(WHISP_ERR_MODEL, "%s: token %d is missing", path, i);
    for (int i = n; i < s->n_pieces; i++)
        free(s->pieces[i]);
    s->n_pieces = n;
    return WHISP_OK;
}

int vocab_read(struct source *s, const char *path)
{
    int is_object = 0;
    int rc = vocab_resize(s, s->dims.n_vocab);
    if (!rc && !(rc = read_any(s, path, &is_object)))
        rc = finish(s, path, is_object);
    return rc;
}

int vocab_read_in(struct source *s, const char *folder, const char *name)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return wh_fail(WHISP_ERR_IO, "%s: the path is too long", folder);
    FILE *file = fopen(path, "rb");
    if (!file)
        return WHISP_OK;
    fclose(file);
    return vocab_read(s, path);
}

int vocab_from_gguf(struct source *s, const wh_gguf *gguf)
{
    int rc = vocab_resize(s, s->dims.n_vocab);
    if (!rc && !(rc = read_gguf_tokens(s, gguf)))
        rc = finish(s, wh_gguf_path(gguf), 0);
    return rc;
}

int vocab_finish(struct source *s)
{
    return finish(s, s->path, 0);
}

/* ---- where the source has none ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
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
        wh_gguf *gguf = NULL;
        if (!found && (size_t)snprintf(path, capacity, "%s/%s", folder, names[i]) < capacity &&
            wh_gguf_open(path, &gguf) == WHISP_OK)
            found = wh_gguf_array_length(gguf, "tokenizer.ggml.tokens") == n_vocab;
        wh_gguf_close(gguf);
        free(names[i]);
    }
    free(names);
    return found;
}

static int search(const struct source *s, const char *model_dir, char *path, size_t capacity)
{
    char cache[2048];
    const char *home = getenv("HOME");
    snprintf(cache, sizeof cache, "%s/.cache/whisp", home ? home : "");
    const char *folders[] = {getenv("WHISP_MODEL_DIR"), "models", home ? cache : NULL};
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
    int languages = s->dims.n_vocab - s->n_pieces - SPECIALS;
    if (languages < 1 || !whisp_language_code(languages - 1))
        return wh_fail(WHISP_ERR_MODEL, "%s: a vocabulary of %d tokens, %d of them ordinary, is not one of Whisper's",
                       s->path, s->dims.n_vocab, s->n_pieces);
    size_t *lengths = wh_calloc((size_t)s->n_pieces, sizeof *lengths);
    wh_tokenizer *tokenizer = NULL;
    if (!lengths)
        return wh_fail_memory();
    for (int i = 0; i < s->n_pieces; i++)
        lengths[i] = strlen(s->pieces[i]);
    int rc = wh_tokenizer_new((const char *const *)s->pieces, lengths, (size_t)s->n_pieces, (size_t)s->dims.n_vocab,
                              s->dims.n_vocab > ENGLISH_VOCAB, &tokenizer);
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
        rc = vocab_read(s, file);
    } else if (!s->pieces) {
        if (!search(s, model_dir, path, sizeof path))
            return wh_fail(WHISP_ERR_MODEL, "%s: has no vocabulary, and there is no GGUF model of %d tokens to take it "
                           "from; give --vocab FILE (tiktoken, tokenizer.json, vocab.json or GGUF)", s->path,
                           s->dims.n_vocab);
        fprintf(log, "vocabulary taken from %s\n", path);
        rc = vocab_read(s, path);
    }
    return rc ? rc : check(s);
}

int vocab_all(const struct source *s, const char **tokens, size_t *lengths, char **names)
{
    static const char *const before[] = {END_OF_TEXT, "<|startoftranscript|>"};
    static const char *const after[] = {"<|translate|>",    "<|transcribe|>", "<|startoflm|>",
                                        "<|startofprev|>", "<|nospeech|>",   "<|notimestamps|>"};
    enum { NAME_BYTES = 32 };
    int n_special = s->dims.n_vocab - s->n_pieces, languages = n_special - SPECIALS;
    char *name = *names = wh_calloc((size_t)n_special, NAME_BYTES);
    if (!name)
        return wh_fail_memory();
    for (int i = 0; i < s->dims.n_vocab; i++) {
        int k = i - s->n_pieces;
        if (k < 0) {
            tokens[i] = s->pieces[i];
        } else {
            if (k < 2)
                snprintf(name, NAME_BYTES, "%s", before[k]);
            else if (k < 2 + languages)
                snprintf(name, NAME_BYTES, "<|%s|>", whisp_language_code(k - 2));
            else if (k < 8 + languages)
                snprintf(name, NAME_BYTES, "%s", after[k - 2 - languages]);
            else /* a time every 0.02 s */
                snprintf(name, NAME_BYTES, "<|%d.%02d|>", (k - 8 - languages) / 50, (k - 8 - languages) % 50 * 2);
            tokens[i] = name;
            name += NAME_BYTES;
        }
        lengths[i] = strlen(tokens[i]);
    }
    return WHISP_OK;
}
