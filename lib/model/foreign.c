/* foreign.c - what somebody has given as a model that is none of ours yet: a checkpoint or a folder of another program,
 * with the whisp-convert command that makes it usable. Called by find.c and model.c when a model cannot be opened. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gguf/gguf.h"
#include "model/model.h"

/* A path as a shell takes it. */
static void put_quoted(wh_buf *text, const char *path, size_t length)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/:,@%";
    if (length && path[0] != '-' && strspn(path, plain) >= length) {
        wh_buf_append(text, path, length);
        return;
    }
    wh_buf_puts(text, path[0] == '-' ? "./'" : "'");
    for (size_t i = 0; i < length; i++)
        if (path[i] == '\'')
            wh_buf_puts(text, "'\\''");
        else
            wh_buf_append(text, path + i, 1);
    wh_buf_puts(text, "'");
}

/* The name that a converted model would have: the last part of the path, without extension and ggml's prefix. */
static void put_output(wh_buf *text, const char *path, size_t length)
{
    while (length > 1 && path[length - 1] == '/')
        length--;
    size_t first = length;
    while (first > 0 && path[first - 1] != '/')
        first--;
    const char *name = path + first;
    size_t n = length - first;
    if (n > 5 && strncmp(name, "ggml-", 5) == 0)
        name += 5, n -= 5;
    static const char *const ends[] = {".pt", ".pth", ".bin", ".safetensors", ".ckpt"};
    for (size_t i = 0; i < WH_COUNT(ends); i++)
        if (n > strlen(ends[i]) && strncmp(name + n - strlen(ends[i]), ends[i], strlen(ends[i])) == 0)
            n -= strlen(ends[i]);
    char output[256];
    int is_name = n > 0 && n < 200 && name[0] != '.' && name[0] != '/' && name[0] != '-';
    int used = snprintf(output, sizeof output, "%.*s.gguf", is_name ? (int)n : 5, is_name ? name : "model");
    put_quoted(text, output, (size_t)used);
}

/* "PATH: WHAT; COMMAND makes it usable", for the first `length` bytes of the path. */
static int fail_with_command(const char *path, size_t length, const char *what)
{
    wh_buf command = {0};
    wh_buf_puts(&command, "whisp-convert ");
    put_quoted(&command, path, length);
    wh_buf_puts(&command, " -o ");
    put_output(&command, path, length);
    int rc = WHISP_ERR_MODEL;
    if (command.failed)
        rc = wh_fail_memory();
    else
        wh_fail(rc, "%s: %s; this makes a model of it: %s", path, what, command.data);
    wh_buf_free(&command);
    return rc;
}

static int has(const char *folder, const char *file)
{
    char path[4096];
    struct stat st;
    return (size_t)snprintf(path, sizeof path, "%s/%s", folder, file) < sizeof path && stat(path, &st) == 0;
}

/* A folder with .gguf files, of which it names the first. */
static int fail_with_file(const char *folder)
{
    char first[256] = "";
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        size_t n = strlen(entry->d_name);
        if (n > 5 && strcmp(entry->d_name + n - 5, ".gguf") == 0 && (!*first || strcmp(entry->d_name, first) < 0))
            snprintf(first, sizeof first, "%s", entry->d_name);
    }
    if (dir)
        closedir(dir);
    size_t n = strlen(folder);
    if (*first)
        return wh_fail(WHISP_ERR_MODEL, "%s: a folder; name the model in it, %s%s%s, or give the folder as model_dir",
                       folder, folder, n && folder[n - 1] == '/' ? "" : "/", first);
    return wh_fail(WHISP_ERR_MODEL,
                   "%s: a folder without a model: neither a .gguf file nor what whisp-convert reads "
                   "(model.safetensors, pytorch_model.bin or model.bin, with config.json)",
                   folder);
}

static int fail_folder(const char *path)
{
    static const char *const transformers[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                               "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < WH_COUNT(transformers); i++)
        if (has(path, transformers[i]))
            return fail_with_command(path, strlen(path), "a Hugging Face folder");
    if (has(path, "adapter_model.safetensors") || has(path, "adapter_model.bin"))
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: a folder with an adapter (LoRA) only; merge it into its model, save that, "
                       "and give the merged folder to whisp-convert",
                       path);
    if (has(path, "model.bin"))
        return fail_with_command(path, strlen(path), "a CTranslate2 (faster-whisper) folder");
    return fail_with_file(path);
}

/* A file out of a folder that is converted as a whole. */
static int fail_part_of_folder(const char *path, const char *what)
{
    const char *slash = strrchr(path, '/');
    char text[128];
    snprintf(text, sizeof text, "%s, one file of a folder", what);
    if (slash)
        return fail_with_command(path, slash == path ? 1 : (size_t)(slash - path), text);
    return wh_fail(WHISP_ERR_MODEL, "%s: %s; this makes a model of it: whisp-convert . -o model.gguf", path, text);
}

static int ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), k = strlen(end);
    return n >= k && strcmp(path + n - k, end) == 0;
}

/* By its first bytes, and where several formats begin alike by its name. */
static int fail_file(const char *path, const unsigned char *head, size_t n)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (n >= 4 && memcmp(head, "GGUF", 4) == 0)
        return WHISP_OK;
    if (n >= 4 && memcmp(head, "lmgg", 4) == 0)
        return fail_with_command(path, strlen(path), "a model of whisper.cpp");
    if (n >= 24 && memcmp(head, "version https://git-lfs", 23) == 0)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: not the model but a pointer to it; `git lfs pull` fetches what it "
                       "stands for",
                       path);
    if (n >= 9 && head[8] == '{' && memcmp(head + 5, "\0\0\0", 3) == 0)
        return fail_part_of_folder(path, "a safetensors file");
    int is_pickle = n >= 4 && (memcmp(head, "PK\3\4", 4) == 0 || (head[0] == 0x80 && head[1] >= 2 && head[1] <= 5));
    if (is_pickle && (strncmp(name, "pytorch_model", 13) == 0 || ends_in(name, ".bin")))
        return fail_part_of_folder(path, "a PyTorch checkpoint");
    if (is_pickle)
        return fail_with_command(path, strlen(path), "a PyTorch checkpoint");
    if (n >= 16 && strcmp(name, "model.bin") == 0)
        return fail_part_of_folder(path, "a CTranslate2 model");
    if (n >= 1 && (head[0] == '<' || ends_in(name, ".html")))
        return wh_fail(WHISP_ERR_MODEL, "%s: a web page, not a model; fetch the file itself", path);
    return WHISP_OK;
}

int wh_model_foreign(const char *path)
{
    unsigned char head[32];
    struct stat st;
    if (stat(path, &st) != 0)
        return WHISP_OK;
    if (S_ISDIR(st.st_mode))
        return fail_folder(path);
    FILE *file = S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
    if (!file)
        return WHISP_OK;
    size_t n = fread(head, 1, sizeof head, file);
    fclose(file);
    return fail_file(path, head, n);
}
