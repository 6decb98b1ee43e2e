/* fuzz_multipart.c - a form as whisp-server reads it, behind the line of its Content-Type: the same comes out however the
 * bytes are cut, names are bounded, after a failure nothing comes. */
#include <string.h>

#include "fuzz.h"

#include "../../tools/server/multipart.h"

/* What came out, as one number. */
struct account {
    uint64_t sum;
    int n_parts, rc;
};

static void add(struct account *account, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        account->sum = (account->sum ^ (unsigned char)bytes[i]) * 0x100000001B3u;
}

static int on_part(void *user, const struct multipart_head *head)
{
    struct account *account = user;
    FUZZ_CHECK(account->rc == 0 && head->name && strlen(head->name) < MULTIPART_MOST_NAME);
    add(account, head->name, strlen(head->name) + 1);
    if (head->filename)
        add(account, head->filename, strlen(head->filename) + 1);
    if (head->encoding)
        add(account, head->encoding, strlen(head->encoding) + 1);
    return ++account->n_parts > 100;
}

static int on_bytes(void *user, const char *bytes, size_t n)
{
    struct account *account = user;
    FUZZ_CHECK(account->rc == 0 && account->n_parts > 0 && n > 0);
    add(account, bytes, n);
    return 0;
}

/* 0: not a form's type. */
static int read_all(const char *type, const uint8_t *data, size_t size, size_t piece, struct account *account)
{
    *account = (struct account){.sum = 1};
    struct multipart *form = multipart_new(type, &(struct multipart_sink){account, on_part, on_bytes});
    if (!form)
        return 0;
    for (size_t done = 0; done < size; done += piece) {
        size_t n = size - done < piece ? size - done : piece;
        char *copy = malloc(n);
        FUZZ_CHECK(copy);
        memcpy(copy, data + done, n);
        int rc = multipart_feed(form, copy, n);
        FUZZ_CHECK(account->rc == 0 || rc == account->rc);
        account->rc = rc;
        free(copy);
    }
    account->rc = multipart_end(form);
    FUZZ_CHECK(account->rc >= 0 || *multipart_problem(form));
    multipart_free(form);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = memchr(data, '\n', size);
    char type[1024];
    size_t n = line ? (size_t)(line - data) : size;
    if (n >= sizeof type)
        return 0;
    memcpy(type, data, n);
    type[n] = '\0';
    data += line ? n + 1 : n;
    size -= line ? n + 1 : n;
    struct account whole, again;
    if (!read_all(type, data, size, size ? size : 1, &whole))
        return 0;
    size_t pieces[] = {size < 2048 ? 1 : 64, 1 + fuzz_way(data, size) % 64};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        read_all(type, data, size, pieces[i], &again);
        FUZZ_CHECK(again.rc == whole.rc && again.sum == whole.sum);
    }
    return 0;
}
