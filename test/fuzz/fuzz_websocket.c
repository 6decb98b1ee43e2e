/* fuzz_websocket.c - WebSocket frames of a client, as whisp-server reads them: the same parts come out however the bytes
 * are cut, within the bounds of websocket.h; after a break of the protocol nothing is read. */
#include <string.h>

#include "fuzz.h"

#include "../../tools/server/websocket.h"

/* What came out, as one number: binary pieces of a message count as their bytes. */
struct account {
    uint64_t sum;
    int rc;
};

static void add(struct account *account, unsigned value)
{
    account->sum = (account->sum ^ value) * 0x100000001B3u;
}

static void count(struct account *account, const struct ws_part *part)
{
    FUZZ_CHECK(part->kind == WS_BINARY ? part->n > 0 : part->n <= WS_MOST_TEXT);
    FUZZ_CHECK(part->kind != WS_CLOSE || part->code == WS_NO_CODE || (part->code >= 1000 && part->code < 5000));
    FUZZ_CHECK((part->kind != WS_TEXT && part->kind != WS_CLOSE) || ws_is_utf8(part->data, part->n));
    if (part->kind != WS_BINARY)
        add(account, 0x100u + part->kind);
    for (size_t i = 0; i < part->n; i++)
        add(account, part->data[i]);
    if (part->kind != WS_BINARY)
        add(account, 0x200u);
}

static struct account read_all(const uint8_t *data, size_t size, size_t piece)
{
    struct account account = {.sum = 1};
    struct ws_reader *reader = calloc(1, sizeof *reader);
    FUZZ_CHECK(reader);
    for (size_t done = 0; done < size && account.rc == 0; done += piece) {
        size_t n = size - done < piece ? size - done : piece;
        uint8_t *copy = malloc(n), *at = copy;
        struct ws_part part;
        FUZZ_CHECK(copy);
        memcpy(copy, data + done, n);
        while ((account.rc = ws_read(reader, &at, copy + n, &part)) == 1)
            count(&account, &part);
        FUZZ_CHECK(account.rc < 0 || at == copy + n);
        FUZZ_CHECK(account.rc == 0 || ws_read(reader, &at, copy + n, &part) == account.rc);
        free(copy);
    }
    free(reader);
    return account;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct account whole = read_all(data, size, size ? size : 1);
    size_t pieces[] = {size < 2048 ? 1 : 64, 1 + fuzz_way(data, size) % 64};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct account again = read_all(data, size, pieces[i]);
        FUZZ_CHECK(again.rc == whole.rc && again.sum == whole.sum);
    }
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    static const uint8_t heads[][6] = {{0x81, 0x81}, {0x82, 0x84}, {0x02, 0x80},
                                       {0x80, 0x82}, {0x88, 0x82}, {0x89, 0x80}};
    uint64_t random = seed;
    if (fuzz_random(&random, 3) > 0)
        return LLVMFuzzerMutate(data, size, max_size);
    const uint8_t *head = heads[fuzz_random(&random, sizeof heads / sizeof *heads)];
    fuzz_splice(data, &size, max_size, fuzz_random(&random, size + 1), 0, head, sizeof heads[0]);
    return size;
}
