/* fuzz_hub.c - what whisp-get reads of a host of models: the heads of answers, which commit a revision is, lists of files
 * on several pages, indexes of weights in parts. An input is a row of files, the answers in their order; one whose name
 * begins with "head" is the head of the next. Whatever is accepted are files that may be written here and be asked for
 * there, each once, with a hash. */
#include <string.h>

#include "fuzz.h"

#include "../../tools/get/transfer.h"

#define ENDPOINT "https://hub.test"

struct transferrer {
    fuzz_file files[FUZZ_MOST_FILES];
    size_t n, at;
    int n_asked;
};

/* ---- in the place of transfer.c ---- */

int transfer_trust(struct transferrer *t, const char *url, const char *token)
{
    (void)t;
    (void)url;
    (void)token;
    return WHISP_OK;
}

static void read_head(struct reply *reply, const fuzz_file *file)
{
    for (size_t at = 0; at < file->n;) {
        const uint8_t *end = memchr(file->data + at, '\n', file->n - at);
        size_t n = end ? (size_t)(end - file->data) + 1 - at : file->n - at;
        char *line = malloc(n);
        FUZZ_CHECK(line);
        memcpy(line, file->data + at, n);
        reply_line(reply, line, n);
        free(line);
        at += n;
    }
    FUZZ_CHECK(strlen(reply->next) < sizeof reply->next && strlen(reply->reason) < sizeof reply->reason);
    FUZZ_CHECK(reply->first >= -1 && reply->total >= -1);
}

int transfer(struct transferrer *t, const char *url, const char *what, int plain, const struct sink *sink,
             struct bar *bar)
{
    struct reply reply = {.status = 200, .length = -1, .first = -1, .total = -1};
    (void)plain;
    (void)bar;
    FUZZ_CHECK(strlen(what) > 0 && same_origin(url, ENDPOINT));
    FUZZ_CHECK(++t->n_asked < 30); /* the commit, twenty pages, an index */
    while (t->at < t->n && strncmp(t->files[t->at].name, "head", 4) == 0)
        read_head(&reply, &t->files[t->at++]);
    if (t->at == t->n)
        return wh_fail(GET_NETWORK, "%s: no more answers", what);
    const fuzz_file *file = &t->files[t->at++];
    int rc = sink->begin(sink->user, &reply);
    for (size_t done = 0; !rc && done < file->n;) {
        size_t n = WH_MIN(file->n - done, 1 + done % 700);
        rc = sink->take(sink->user, file->data + done, n);
        done += n;
    }
    return rc;
}

/* ---- what comes out ---- */

static int is_hash(const char *text, size_t n)
{
    return !*text || is_hex(text, n);
}

static void check(const struct order *order)
{
    FUZZ_CHECK(order->n > 0 && order->n <= MOST_FILES && is_hex(order->revision, 40));
    for (size_t i = 0; i < order->n; i++) {
        const struct wanted *f = &order->files[i];
        FUZZ_CHECK(*f->name && f->name[0] != '.' && !strchr(f->name, '/') && strlen(f->name) < MOST_NAME - 8);
        FUZZ_CHECK(f->size >= 0 && f->size <= MOST_BYTES && same_origin(f->url, ENDPOINT));
        FUZZ_CHECK(is_hash(f->sha256, 64) && is_hash(f->sha1, 40) && (*f->sha256 || *f->sha1));
        for (size_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(order->files[k].name, f->name) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct transferrer t;
    const struct settings settings = {.mirror = ENDPOINT, .folder = "/nowhere"};
    struct order order = {.name = "owner--name", .title = "owner/name"};
    t.n = fuzz_unpack(data, size, "commit.json", t.files);
    t.at = 0;
    t.n_asked = 0;
    int rc = hub_order(&t, &settings, "owner/name", NULL, &order);
    fuzz_say(rc);
    if (rc)
        FUZZ_CHECK(strlen(whisp_last_error()) > 10);
    else
        check(&order);
    order_free(&order);
    return 0;
}

static size_t change(const char *name, uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    return strncmp(name, "head", 4) == 0 ? LLVMFuzzerMutate(data, size, max_size)
                                         : fuzz_mutate_json(data, size, max_size, seed);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    return fuzz_mutate_files(data, size, max_size, seed, "commit.json", change);
}
