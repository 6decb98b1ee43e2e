/* json.c - see json.h. */
#include "json.h"

#include <stdlib.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_TEXT ((size_t)8 << 20)   /* bytes of a document: the largest, large-v3's tokenizer.json, has 2.7 million */
#define MOST_BYTES ((size_t)40 << 20) /* and in memory, beside so many times its text: */
#define MOST_TIMES 3

/* About how much memory jansson takes for it, by its signs: those in strings do not count. */
static size_t memory_of(const char *text, size_t n)
{
    enum { OBJECT = 232, ARRAY = 136, MEMBER = 96, VALUE = 72 };
    size_t bytes = n;
    for (const char *p = text, *end = text + n; p < end; p++) {
        switch (*p) {
        case '{': bytes += OBJECT + VALUE; break;
        case '[': bytes += ARRAY + VALUE; break;
        case ':': bytes += MEMBER; break;
        case ',': bytes += VALUE; break;
        case '"':
            while (++p < end && *p != '"')
                p += *p == '\\';
            break;
        }
    }
    return bytes;
}

/* Out of memory, jansson says that the text is wrong, or nothing at all, and leaves values out. */
static int ran_out;

static void *allocate(size_t n)
{
    void *memory = malloc(n);
    ran_out |= !memory;
    return memory;
}

int json_parse(const char *path, const char *text, size_t n, size_t flags, json_t **root)
{
    json_error_t error;
    *root = NULL;
    if (n > MOST_TEXT)
        return wh_fail(WHISP_ERR_MODEL, "%s: %zu bytes of JSON, more than any model's %zu: damaged?", path, n,
                       MOST_TEXT);
    if (memory_of(text, n) > MOST_BYTES + MOST_TIMES * n)
        return wh_fail(WHISP_ERR_MODEL, "%s: JSON of more values than any model's", path);
    json_set_alloc_funcs(allocate, free);
    ran_out = 0;
    *root = json_loadb(text, n, flags, &error);
    if (ran_out) {
        json_decref(*root);
        *root = NULL;
        return wh_fail_memory();
    }
    if (!*root)
        return wh_fail(WHISP_ERR_MODEL, "%s: not JSON that can be read: %s (line %d)", path, error.text, error.line);
    return WHISP_OK;
}

int json_read(const char *folder, const char *name, json_t **root)
{
    char path[4096];
    struct stat st;
    *root = NULL;
    if ((size_t)snprintf(path, sizeof path, "%s%s%s", folder ? folder : "", folder ? "/" : "", name) >= sizeof path)
        return wh_fail(WHISP_ERR_IO, "%s: the path is too long", name);
    if (access(path, F_OK) != 0)
        return WHISP_OK;
    int fd = file_open(path);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = file_fail(path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    size_t size = (size_t)st.st_size;
    void *text = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (text == MAP_FAILED)
        return wh_fail(WHISP_ERR_MODEL, "%s: %s", path, size ? "cannot be mapped" : "the file is empty; get it again");
    int rc = json_parse(path, text, size, JSON_ALLOW_NUL, root);
    munmap(text, size);
    return rc;
}

int json_int(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    json_int_t i = json_integer_value(value);
    return i > 0 && i <= INT_MAX ? (int)i : 0;
}

int json_heads(const json_t *object, struct source *s)
{
    const json_t *list = json_object_get(object, "alignment_heads");
    if (!json_is_array(list))
        return WHISP_OK;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        const json_t *layer = json_array_get(pair, 0), *head = json_array_get(pair, 1);
        if (!json_is_integer(layer) || !json_is_integer(head) || json_array_size(pair) != 2)
            return source_damaged(s, "alignment_heads is not a list of [layer, head] pairs");
        int rc = source_add_heads(s, json_integer_value(layer), json_integer_value(head));
        if (rc)
            return rc;
    }
    return WHISP_OK;
}

static void tell(struct source *s, wh_role role, int index, const json_t *id)
{
    if (json_is_array(id)) /* eos_token_id may be several */
        id = json_array_get(id, 0);
    json_int_t value = json_is_integer(id) ? json_integer_value(id) : -1;
    if (value >= 0 && value < (json_int_t)WH_MAX_VOCABULARY)
        wh_specials_set(&s->told, role, index, (int32_t)value);
}

void json_specials(const json_t *object, struct source *s)
{
    static const struct {
        const char *key;
        wh_role role;
    } keys[] = {{"eos_token_id", WH_ROLE_EOT},
                {"decoder_start_token_id", WH_ROLE_SOT},
                {"no_timestamps_token_id", WH_ROLE_NO_TIMESTAMPS},
                {"prev_sot_token_id", WH_ROLE_SOT_PREV}};
    json_t *tasks = json_object_get(object, "task_to_id"), *languages = json_object_get(object, "lang_to_id"), *id;
    const json_t *multilingual = json_object_get(object, "is_multilingual");
    const char *name;
    int index;
    for (size_t i = 0; i < WH_COUNT(keys); i++)
        tell(s, keys[i].role, 0, json_object_get(object, keys[i].key));
    tell(s, WH_ROLE_TRANSCRIBE, 0, json_object_get(tasks, "transcribe"));
    tell(s, WH_ROLE_TRANSLATE, 0, json_object_get(tasks, "translate"));
    json_object_foreach(languages, name, id) if (wh_special_role(name, strlen(name), &index) == WH_ROLE_LANGUAGE)
        tell(s, WH_ROLE_LANGUAGE, index, id);
    if (s->multilingual < 0 && json_is_boolean(multilingual))
        s->multilingual = json_is_true(multilingual);
    else if (s->multilingual < 0 && json_object_size(languages) > 0)
        s->multilingual = 1;
}
