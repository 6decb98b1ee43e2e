/* hub.c - a repository of Hugging Face's: which commit a revision is, what is in that, and which of its files make a
 * model. Its host states each file's hash: SHA-256 of large ones, git's SHA-1 of the others. All of that is a stranger's
 * text, and is bounded. */
#include <stdlib.h>
#include <string.h>

#include "convert/json.h"
#include "get/transfer.h"

enum {
    MOST_DOCUMENT = 8 << 20, /* bytes of an answer */
    MOST_PAGES = 20,
    MOST_LISTED = 20000,
    MOST_JSON = 8 << 20 /* bytes of a configuration's file: what whisp-convert reads */
};

struct hub {
    struct transferrer *transferrer;
    const char *endpoint, *repository;
    struct wanted *list; /* [n]: the files at the top of the repository */
    size_t n, capacity;
    struct bar *bar;
};

/* ---- documents ---- */

struct document {
    wh_buf text;
    const char *what;
    char next[MOST_ADDRESS];
};

static int64_t document_have(void *user)
{
    (void)user;
    return 0;
}

static int document_begin(void *user, const struct reply *reply)
{
    struct document *d = user;
    wh_buf_clear(&d->text);
    memcpy(d->next, reply->next, sizeof d->next);
    return WHISP_OK;
}

static int document_take(void *user, const void *bytes, size_t n)
{
    struct document *d = user;
    if (n > MOST_DOCUMENT - d->text.length)
        return wh_fail(GET_NETWORK, "%s: the host answers with more than %d bytes", d->what, MOST_DOCUMENT);
    wh_buf_append(&d->text, bytes, n);
    return d->text.failed ? wh_fail_memory() : WHISP_OK;
}

/* *root is the caller's; next[0] is 0 behind the last page. */
static int get_json(struct hub *hub, const char *url, const char *what, json_t **root, char next[MOST_ADDRESS])
{
    struct document d = {.what = what};
    const struct sink sink = {document_have, document_begin, document_take, &d};
    *root = NULL;
    int rc = transfer(hub->transferrer, url, what, 0, &sink, hub->bar);
    if (!rc && (rc = json_parse(what, d.text.data ? d.text.data : "", d.text.length, JSON_REJECT_DUPLICATES, root)) ==
                   WHISP_ERR_MODEL) {
        char shown[MOST_ADDRESS];
        rc = wh_fail(GET_NETWORK, "%s: %s does not answer as Hugging Face does (%s): a page of a proxy or a login?",
                     what, shown_address(hub->endpoint, shown), whisp_last_error());
    }
    memcpy(next, d.next, sizeof d.next);
    wh_buf_free(&d.text);
    return rc;
}

/* ENDPOINT/BEFORE/REPOSITORY/KIND/PART/NAME; what a part or name may hold is escaped. */
static int put_address(const struct hub *hub, const char *before, const char *kind, const char *part, const char *name,
                       char url[MOST_ADDRESS])
{
    char path[MOST_ADDRESS], safe_part[MOST_NAME * 3 + 1], safe_name[MOST_NAME * 3 + 1];
    if (!escape_address(safe_part, sizeof safe_part, part) || !escape_address(safe_name, sizeof safe_name, name) ||
        (size_t)snprintf(path, sizeof path, "%s%s/%s/%s%s%s", before, hub->repository, kind, safe_part,
                         *name ? "/" : "", safe_name) >= sizeof path ||
        !join_address(url, MOST_ADDRESS, hub->endpoint, path))
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: the address is too long", hub->repository);
    return WHISP_OK;
}

/* ---- the commit and its files ---- */

static int find_commit(struct hub *hub, const char *revision, char commit[65])
{
    char url[MOST_ADDRESS], next[MOST_ADDRESS];
    json_t *root = NULL;
    int rc = put_address(hub, "api/models/", "revision", revision, "", url);
    if (rc || (rc = get_json(hub, url, hub->repository, &root, next)))
        return rc;
    const char *sha = json_string_value(json_object_get(root, "sha"));
    if (!sha || !is_hex(sha, 40))
        rc = wh_fail(GET_NETWORK, "%s: its host does not say which commit %s is", hub->repository, revision);
    else
        snprintf(commit, 65, "%s", sha);
    json_decref(root);
    return rc;
}

/* A name that is one here as well: no path, nothing hidden. */
static int is_plain(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = name ? strlen(name) : 0;
    return n > 0 && n < MOST_NAME - 8 && name[0] != '.' && strspn(name, letters) == n;
}

/* An entry of the list; what is no file, or could be none of a model, is passed by. */
static int add_entry(struct hub *hub, const json_t *entry)
{
    struct wanted file = {.size = -1};
    const char *type = json_string_value(json_object_get(entry, "type"));
    const char *path = json_string_value(json_object_get(entry, "path"));
    const char *oid = json_string_value(json_object_get(entry, "oid"));
    const json_t *lfs = json_object_get(entry, "lfs"), *size = json_object_get(entry, "size");
    const char *sha256 = json_string_value(json_object_get(lfs, "oid"));
    if (!type || strcmp(type, "file") != 0 || !is_plain(path))
        return WHISP_OK;
    if (sha256 && strncmp(sha256, "sha256:", 7) == 0)
        sha256 += 7;
    if (json_is_object(lfs) && json_is_integer(json_object_get(lfs, "size")))
        size = json_object_get(lfs, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 0 || json_integer_value(size) > MOST_BYTES ||
        (json_is_object(lfs) ? !sha256 || !is_hex(sha256, 64) : !oid || !is_hex(oid, 40)))
        return wh_fail(GET_NETWORK, "%s: its host does not state size and hash of %s, so it could not be checked",
                       hub->repository, path);
    if (hub->n == MOST_LISTED)
        return wh_fail(GET_NETWORK, "%s: more than %d files", hub->repository, MOST_LISTED);
    int rc = wh_grow(&hub->list, &hub->capacity, hub->n + 1, sizeof *hub->list);
    if (rc)
        return rc;
    file.size = json_integer_value(size);
    snprintf(file.name, sizeof file.name, "%s", path);
    if (json_is_object(lfs))
        snprintf(file.sha256, sizeof file.sha256, "%s", sha256);
    else
        snprintf(file.sha1, sizeof file.sha1, "%s", oid);
    hub->list[hub->n++] = file;
    return WHISP_OK;
}

static int read_list(struct hub *hub, const char *commit)
{
    char url[MOST_ADDRESS], next[MOST_ADDRESS];
    int rc = put_address(hub, "api/models/", "tree", commit, "", url);
    for (int page = 0; !rc && *url; page++) {
        json_t *root = NULL, *entry;
        size_t i;
        if (page == MOST_PAGES)
            return wh_fail(GET_NETWORK, "%s: its list of files has no end", hub->repository);
        if ((rc = get_json(hub, url, hub->repository, &root, next)))
            break;
        if (!json_is_array(root))
            rc = wh_fail(GET_NETWORK, "%s: its host does not list its files", hub->repository);
        json_array_foreach(root, i, entry) if (!rc) rc = add_entry(hub, entry);
        json_decref(root);
        if (!rc && *next && !same_origin(next, hub->endpoint))
            rc = wh_fail(GET_NETWORK, "%s: the rest of its list of files is said to be on another host",
                         hub->repository);
        memcpy(url, next, sizeof url);
    }
    return rc;
}

static struct wanted *find(const struct hub *hub, const char *name)
{
    for (size_t i = 0; i < hub->n; i++)
        if (strcmp(hub->list[i].name, name) == 0)
            return &hub->list[i];
    return NULL;
}

/* ---- which of them ---- */

static int add(struct hub *hub, struct order *order, const char *name)
{
    struct wanted *file = find(hub, name);
    for (size_t i = 0; i < order->n; i++)
        if (strcmp(order->files[i].name, name) == 0)
            return WHISP_OK;
    int rc = put_address(hub, "", "resolve", order->revision, name, file->url);
    return rc ? rc : order_add(order, file);
}

/* The shards that an index names. */
static int add_shards(struct hub *hub, struct order *order, const char *index)
{
    char url[MOST_ADDRESS], next[MOST_ADDRESS];
    json_t *root = NULL, *value;
    const char *key;
    int rc = put_address(hub, "", "resolve", order->revision, index, url);
    if (rc || (rc = get_json(hub, url, index, &root, next)))
        return rc;
    json_object_foreach(json_object_get(root, "weight_map"), key, value)
    {
        const char *name = json_string_value(value);
        if (rc)
            break;
        if (!is_plain(name) || !find(hub, name))
            rc = wh_fail(WHISP_ERR_MODEL, "%s: %s names a file that is not in the repository: %s", hub->repository,
                         index, name ? name : "(no text)");
        else
            rc = add(hub, order, name);
    }
    if (!rc && order->n == 0)
        rc = wh_fail(WHISP_ERR_MODEL, "%s: %s names no files", hub->repository, index);
    json_decref(root);
    return rc ? rc : add(hub, order, index);
}

static int fail_weights(const struct hub *hub)
{
    if (find(hub, "adapter_config.json"))
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: a LoRA adapter, not a model; merge it into its model (with peft: merge_and_unload()), and "
                       "publish or convert that",
                       hub->repository);
    return wh_fail(
        WHISP_ERR_MODEL,
        "%s: has no weights that can be converted: neither model.safetensors, pytorch_model.bin nor model.bin, "
        "of one file or of several with an index",
        hub->repository);
}

static int choose(struct hub *hub, struct order *order)
{
    static const char *const weights[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                          "pytorch_model.bin.index.json", "model.bin"};
    static const char *const beside[] = {
        "config.json",       "generation_config.json", "tokenizer.json",          "vocab.json",
        "added_tokens.json", "tokenizer_config.json",  "special_tokens_map.json", "preprocessor_config.json",
        "vocabulary.json",   "vocabulary.txt"};
    size_t k = 0;
    while (k < WH_COUNT(weights) && !find(hub, weights[k]))
        k++;
    if (k == WH_COUNT(weights))
        return fail_weights(hub);
    int rc = strstr(weights[k], ".index.") ? add_shards(hub, order, weights[k]) : add(hub, order, weights[k]);
    if (!rc && !find(hub, "config.json"))
        return wh_fail(WHISP_ERR_MODEL, "%s: has no config.json, which tells what its weights are", hub->repository);
    for (size_t i = 0; i < WH_COUNT(beside) && !rc; i++) {
        const struct wanted *file = find(hub, beside[i]);
        if (file && file->size > MOST_JSON)
            rc = wh_fail(WHISP_ERR_MODEL, "%s: %s has %lld bytes, which no model's has", hub->repository, beside[i],
                         (long long)file->size);
        else if (file)
            rc = add(hub, order, beside[i]);
    }
    return rc;
}

int hub_order(struct transferrer *transferrer, const struct settings *settings, const char *repository, struct bar *bar,
              struct order *order)
{
    struct hub hub = {.transferrer = transferrer, .endpoint = settings->mirror, .repository = repository, .bar = bar};
    const char *environment = getenv("HF_ENDPOINT");
    if (!hub.endpoint)
        hub.endpoint = environment && *environment ? environment : HUB;
    int rc = transfer_trust(transferrer, hub.endpoint, getenv("HF_TOKEN"));
    if (!rc && !(rc = find_commit(&hub, settings->revision ? settings->revision : "main", order->revision)) &&
        !(rc = read_list(&hub, order->revision)))
        rc = choose(&hub, order);
    char shown[MOST_ADDRESS];
    if (!rc && !join_address(order->url, sizeof order->url, shown_address(hub.endpoint, shown), repository))
        rc = wh_fail(WHISP_ERR_ARGUMENT, "%s: the address is too long", repository);
    snprintf(order->key, sizeof order->key, "%.150s@%.12s", order->name, order->revision);
    free(hub.list);
    return rc;
}
