/* fuzz_wyoming.c - events of the Wyoming protocol, as whisp-server reads them: the same come out however the bytes are
 * cut, within the bounds of wyoming_reader.h; what are no events has an error with a text. */
#include <string.h>

#include "fuzz.h"

#include "../../tools/server/wyoming_reader.h"

struct account {
    uint64_t sum;
    int rc;
};

static void add(struct account *account, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        account->sum = (account->sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001B3u;
}

static void count(struct account *account, const struct wyoming_part *part)
{
    if (part->kind == WYOMING_PAYLOAD) {
        FUZZ_CHECK(part->n > 0);
        add(account, part->payload, part->n);
        return;
    }
    FUZZ_CHECK(part->type && json_is_object(part->data) && part->n <= WYOMING_MOST_PAYLOAD);
    char *data = json_dumps(part->data, JSON_SORT_KEYS);
    FUZZ_CHECK(data);
    add(account, part->type, strlen(part->type) + 1);
    add(account, data, strlen(data) + 1);
    add(account, &part->n, sizeof part->n);
    free(data);
}

static struct account read_all(const uint8_t *data, size_t size, size_t piece)
{
    struct account account = {.sum = 1};
    struct wyoming_reader reader = {0};
    struct wyoming_part part;
    for (size_t done = 0; done < size && account.rc == 0; done += piece) {
        size_t n = size - done < piece ? size - done : piece;
        uint8_t *copy = malloc(n);
        FUZZ_CHECK(copy);
        memcpy(copy, data + done, n);
        const uint8_t *at = copy;
        while ((account.rc = wyoming_read(&reader, &at, copy + n, &part)) == 1)
            count(&account, &part);
        FUZZ_CHECK(account.rc < 0 ? strlen(reader.error) > 5 : at == copy + n);
        FUZZ_CHECK(reader.room <= WYOMING_MOST_LINE);
        free(copy);
    }
    wyoming_reader_free(&reader);
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
    uint64_t random = seed;
    return fuzz_mutate_json(data, size, max_size, &random);
}
