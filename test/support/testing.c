/* testing.c - see testing.h. */
#include "support/testing.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char paths[8][1024];
static int next_path;

static char *path_buffer(void)
{
    return paths[next_path++ % 8];
}

const char *shared_path(const char *relative)
{
    const char *root = getenv("WHISP_SHARED");
    if (!root)
        root = "../shared";
    struct stat st;
    if (stat(root, &st) != 0) {
        printf("skipped: no %s\n", root);
        return NULL;
    }
    char *path = path_buffer();
    snprintf(path, sizeof paths[0], "%s/%s", root, relative);
    return path;
}

const char *model_path(const char *name)
{
    const char *root = getenv("WHISP_MODEL_DIR");
    char *path = path_buffer();
    snprintf(path, sizeof paths[0], "%s/%s.gguf", root ? root : "models", name);
    if (access(path, R_OK) != 0) {
        printf("skipped: no %s (run `make models`)\n", path);
        return NULL;
    }
    return path;
}

const char *invented_path(const char *name)
{
    const char *root = getenv("WHISP_INVENTED");
    char *path = path_buffer();
    snprintf(path, sizeof paths[0], "%s/%s.gguf", root ? root : "build/test", name);
    return path;
}

char *read_file(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    char *data = NULL;
    size_t length = 0, capacity = 0, got;
    do {
        if (capacity - length < 65536) {
            capacity = capacity * 2 + 131072;
            data = realloc(data, capacity + 1);
            assert_non_null(data);
        }
        got = fread(data + length, 1, capacity - length, file);
        length += got;
    } while (got > 0);
    fclose(file);
    data[length] = 0;
    if (n)
        *n = length;
    return data;
}

float *read_floats(const char *path, size_t *n)
{
    size_t bytes;
    char *data = read_file(path, &bytes);
    *n = bytes / sizeof(float);
    return (float *)(void *)data;
}

static char temp_dir[64];

static pid_t temp_owner;

static void remove_temp_dir(void)
{
    if (getpid() != temp_owner) /* a child that a test forked */
        return;
    DIR *dir = opendir(temp_dir);
    if (dir) {
        struct dirent *entry;
        while ((entry = readdir(dir)) != NULL) {
            char path[512];
            snprintf(path, sizeof path, "%s/%s", temp_dir, entry->d_name);
            unlink(path);
        }
        closedir(dir);
    }
    rmdir(temp_dir);
}

const char *temp_path(const char *name)
{
    if (!temp_dir[0]) {
        snprintf(temp_dir, sizeof temp_dir, "/tmp/whisp-test-XXXXXX");
        assert_non_null(mkdtemp(temp_dir));
        temp_owner = getpid();
        atexit(remove_temp_dir);
    }
    char *path = path_buffer();
    snprintf(path, sizeof paths[0], "%s/%s", temp_dir, name);
    return path;
}

double random_unit(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}
