/* find.c - a model's name to its file, and all models that are there: $WHISP_MODEL_DIR, ./models, ~/.cache/whisp. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf/gguf.h"
#include "model/model.h"

#define MOST_FOLDERS 3

static int is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What a model says that it is: "whisper", "silero-vad", ...; "" where it says nothing or cannot be read.
 * WHISP_ERR_MEMORY: nobody knows. */
static int architecture_of(const char *path, char name[64])
{
    wh_gguf *file;
    const char *text;
    size_t length;
    name[0] = 0;
    int rc = wh_gguf_open(path, &file);
    if (rc)
        return rc == WHISP_ERR_MEMORY ? rc : WHISP_OK;
    if (wh_gguf_string(file, "general.architecture", &text, &length))
        snprintf(name, 64, "%.*s", (int)WH_MIN(length, (size_t)63), text);
    wh_gguf_close(file);
    return WHISP_OK;
}

/* Any model stands for the one that was not named, but not one that says that it is something else, as silero-vad. One
 * that cannot be read is reported when it is loaded. 1, 0 or an error's code. */
static int may_be_speech_model(const char *path)
{
    char name[64];
    int rc = architecture_of(path, name);
    return rc ? rc : !*name || strcmp(name, "whisper") == 0;
}

/* Names (without .gguf) of the models in a folder, sorted; *n may be 0. free() each and the list. */
static int list_models(const char *folder, char ***names, size_t *n)
{
    size_t capacity = 0;
    *names = NULL;
    *n = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return errno == ENOMEM ? wh_fail_memory() : WHISP_OK;
    int rc = WHISP_OK;
    for (struct dirent *entry; !rc && (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length <= 5 || strcmp(entry->d_name + length - 5, ".gguf") != 0)
            continue;
        if ((rc = wh_grow(names, &capacity, *n + 1, sizeof **names)))
            break;
        char *name = strndup(entry->d_name, length - 5);
        if (!name)
            rc = wh_fail_memory();
        else
            (*names)[(*n)++] = name;
    }
    closedir(dir);
    if (*n)
        qsort(*names, *n, sizeof **names, by_name);
    return rc;
}

static void free_list(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static int answer(const char *found, char *path, size_t capacity)
{
    if (strlen(found) >= capacity)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: the path is longer than the %zu bytes given for it", found, capacity);
    memmove(path, found, strlen(found) + 1); /* `path` may hold the name that was asked for */
    return WHISP_OK;
}

/* The command that makes a model be there. */
static void put_help(wh_buf *text, const char *name)
{
    const char *alias = name ? wh_model_alias(name) : "base";
    int is_known = alias || wh_model_is_repository(name);
    for (size_t i = 0; !is_known && wh_model_published(i); i++)
        is_known = strcmp(name, wh_model_published(i)) == 0;
    if (is_known)
        wh_buf_printf(text, "`whisp-get %s` fetches it", name ? name : alias);
    else
        wh_buf_puts(text, "`whisp-get --list` says which can be fetched, whisp-convert makes others of checkpoints");
}

/* Nothing found: say where was looked, what is there, and which command helps. */
static int not_found(const char *name, char folders[][1024], size_t n_folders)
{
    wh_buf there = {0}, looked = {0}, help = {0};
    int rc = WHISP_OK;
    for (size_t i = 0; !rc && i < n_folders; i++) {
        char **names;
        size_t n;
        wh_buf_printf(&looked, "%s%s", i ? ", " : "", folders[i]);
        rc = list_models(folders[i], &names, &n);
        for (size_t k = 0; k < n; k++)
            wh_buf_printf(&there, "%s%s", there.length ? ", " : "", names[k]);
        free_list(names, n);
    }
    put_help(&help, name);
    if (!rc && (there.failed || looked.failed || help.failed))
        rc = wh_fail_memory();
    if (!rc)
        rc = wh_fail(WHISP_ERR_IO, "%s%s: no such model in %s (there: %s); %s",
                     name ? "" : "no model given and none found", name ? name : "", looked.data ? looked.data : "",
                     there.length ? there.data : "none", help.data);
    wh_buf_free(&help);
    wh_buf_free(&there);
    wh_buf_free(&looked);
    return rc;
}

/* Where models are looked for, the first one first. */
static size_t folders_to_search(const char *model_dir, char folders[MOST_FOLDERS][1024])
{
    size_t n = 0;
    const char *env = getenv("WHISP_MODEL_DIR");
    if (model_dir) {
        snprintf(folders[n++], sizeof folders[0], "%s", model_dir);
        return n;
    }
    if (env && *env)
        snprintf(folders[n++], sizeof folders[0], "%s", env);
    snprintf(folders[n++], sizeof folders[0], "models");
    if (wh_model_cache(folders[n], sizeof folders[0]))
        n++;
    return n;
}

/* NAME.gguf in the first of the folders that has one. */
static int find_in(char folders[][1024], size_t n, const char *name, char *found, size_t capacity)
{
    for (size_t i = 0; i < n; i++)
        if ((size_t)snprintf(found, capacity, "%s/%s.gguf", folders[i], name) < capacity && is_file(found))
            return 1;
    return 0;
}

int whisp_model_find(const char *name, const char *model_dir, char *path, size_t capacity)
{
    if (!path)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_model_find: path is NULL");
    if (name && is_file(name))
        return answer(name, path, capacity);
    int rc = name && strchr(name, '/') ? wh_model_foreign(name) : WHISP_OK;
    if (rc)
        return rc;
    char folders[MOST_FOLDERS][1024], found[4400], file[256] = "";
    if (name && !wh_model_repository_file(name, file, sizeof file) && (strchr(name, '/') || !*name))
        return wh_model_meant(name, file, sizeof file)
                   ? wh_fail(
                         WHISP_ERR_IO,
                         "%s: there is no such model file; `whisp-get %s` fetches it, and %s is enough of a name then",
                         name, file, file)
                   : wh_fail(WHISP_ERR_IO, "%s: there is no such model file", name);
    size_t n_folders = folders_to_search(model_dir, folders);
    const char *names_of_it[] = {!name ? "base" : *file ? file : name, name ? wh_model_alias(name) : NULL};
    for (size_t k = 0; k < WH_COUNT(names_of_it) && names_of_it[k]; k++)
        if (find_in(folders, n_folders, names_of_it[k], found, sizeof found))
            return answer(found, path, capacity);
    if (*file)
        return wh_fail(
            WHISP_ERR_IO,
            "%s: there is no such model file; if it is a repository of Hugging Face, `whisp-get %s` fetches it", name,
            name);
    for (size_t i = 0; !name && i < n_folders; i++) {
        char **names;
        size_t n, k = 0;
        rc = list_models(folders[i], &names, &n);
        for (; !rc && k < n; k++) {
            snprintf(found, sizeof found, "%s/%s.gguf", folders[i], names[k]);
            if ((rc = may_be_speech_model(found)) != 0)
                break;
        }
        free_list(names, n);
        if (rc)
            return rc < 0 ? rc : answer(found, path, capacity);
    }
    if (name && (rc = wh_model_foreign(name))) /* a folder of that name is here */
        return rc;
    return not_found(name, folders, n_folders);
}

int wh_model_find_beside(const wh_gguf *other, const char *name, char *path, size_t capacity)
{
    const char *beside = wh_gguf_path(other), *slash = strrchr(beside, '/');
    if (wh_gguf_has_path(other) &&
        (size_t)snprintf(path, capacity, "%.*s%s.gguf", slash ? (int)(slash - beside + 1) : 0, beside, name) <
            capacity &&
        access(path, F_OK) == 0)
        return WHISP_OK;
    return whisp_model_find(name, NULL, path, capacity);
}

/* Those in one folder; *count goes up with each call. 1: enough. */
static int tell_folder(const char *folder, whisp_model_fn each, void *user, int *count)
{
    char **names, path[4400], architecture[64];
    size_t n;
    struct stat st;
    int rc = list_models(folder, &names, &n);
    for (size_t i = 0; i < n && !rc; i++) {
        snprintf(path, sizeof path, "%s/%s.gguf", folder, names[i]);
        if (!is_file(path) || stat(path, &st) != 0)
            continue;
        if ((rc = architecture_of(path, architecture)) != 0)
            break;
        const whisp_model_file file = {.name = names[i],
                                       .path = path,
                                       .bytes = (uint64_t)st.st_size,
                                       .architecture = architecture};
        ++*count;
        rc = each(user, &file) != 0;
    }
    free_list(names, n);
    return rc;
}

int whisp_model_list(const char *model_dir, whisp_model_fn each, void *user)
{
    if (!each)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_model_list: nobody to be called");
    char folders[MOST_FOLDERS][1024];
    size_t n = folders_to_search(model_dir, folders);
    int count = 0, rc = WHISP_OK;
    for (size_t i = 0; i < n && !rc; i++)
        rc = tell_folder(folders[i], each, user, &count);
    return rc < 0 ? rc : count;
}
