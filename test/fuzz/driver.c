/* driver.c - runs a fuzz target without libFuzzer: on each file that is named, and on the files of folders that are.
 *
 * usage: fuzz_NAME [--mutate N] PATH... [--once PATH...]
 *        --mutate N: each input also N times with a change of the target's own; FUZZ_SEED (printed) says which
 *        --once: what follows only in the way that belongs to each, not in every way (fuzz_every_way) */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fuzz.h"

#define MOST (1 << 20) /* bytes of an input that was changed */

#pragma weak LLVMFuzzerCustomMutator

static uint64_t seed;
static long mutations, inputs;
static int is_once;

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    uint8_t some[16];
    size_t at = fuzz_random(&seed, size + 1), n = 1 + fuzz_random(&seed, sizeof some);
    n = n < size - at ? n : size - at;
    for (size_t i = 0; i < sizeof some; i++)
        some[i] = (uint8_t)fuzz_random(&seed, 256);
    switch (fuzz_random(&seed, 4)) {
    case 0: fuzz_splice(data, &size, max_size, at, n, NULL, 0); break;
    case 1: fuzz_splice(data, &size, max_size, at, 0, some, 1 + fuzz_random(&seed, sizeof some)); break;
    case 2:
        if (at < size)
            data[at] ^= (uint8_t)(1 << fuzz_random(&seed, 8));
        break;
    default: fuzz_splice(data, &size, max_size, at, n, some, n);
    }
    return size;
}

static void run_mutations(const uint8_t *data, size_t size)
{
    uint8_t *changed = malloc(MOST);
    FUZZ_CHECK(changed);
    for (long i = 0; i < mutations && size <= MOST; i++) {
        memcpy(changed, data, size);
        size_t n = size;
        for (size_t times = 1 + fuzz_random(&seed, 4); times; times--)
            n = LLVMFuzzerCustomMutator
                    ? LLVMFuzzerCustomMutator(changed, n, MOST, (unsigned)fuzz_random(&seed, UINT32_MAX))
                    : LLVMFuzzerMutate(changed, n, MOST);
        uint8_t *exact = malloc(n ? n : 1);
        FUZZ_CHECK(exact);
        memcpy(exact, changed, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    free(changed);
}

static int run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1); /* exactly: what reads behind it is found */
    if (!file || !data || fread(data, 1, size, file) != size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    fclose(file);
    fuzz_every_way = !is_once;
    LLVMFuzzerTestOneInput(data, size);
    fuzz_every_way = 0;
    inputs++;
    run_mutations(data, size);
    free(data);
    return 0;
}

static int run(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    if (!S_ISDIR(st.st_mode))
        return run_file(path, (size_t)st.st_size);
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort), failed = n < 0;
    for (int i = 0; i < n; i++) {
        char inner[4096];
        if (entries[i]->d_name[0] != '.' && snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name) > 0)
            failed |= run(inner);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv)
{
    int first = 1, failed = 0;
    const char *given = getenv("FUZZ_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    if (argc > 2 && strcmp(argv[1], "--mutate") == 0) {
        mutations = strtol(argv[2], NULL, 10);
        first = 3;
        printf("FUZZ_SEED=%llu\n", (unsigned long long)seed);
        fflush(stdout);
    }
    for (int i = first; i < argc; i++) {
        if (strcmp(argv[i], "--once") == 0)
            is_once = 1;
        else
            failed |= run(argv[i]);
    }
    printf("%ld inputs\n", inputs);
    return failed || !inputs;
}
