/* catalog.c - which models can be asked for: those that were given at the start, others in the model folders, and other
 * names for them. Paths are never taken from a client. Under models.c. */
#include "catalog.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "problem.h"

enum { LOOK_SECONDS = 2 };

/* A model's name and file. */
struct named {
    char *name, *path;
    int64_t created;
};

struct catalog {
    char *model_dir;
    struct named *given; /* [n_given] at the start */
    size_t n_given;
    char **aliases; /* [n_aliases] "name=model" */
    size_t n_aliases;

    pthread_mutex_t lock;
    struct named *found; /* [n_found] in the folders */
    size_t n_found;
    time_t looked; /* when, by a clock that only goes forward */
};

/* ---- names ---- */

/* What was given at the start by this name; NULL: none. */
static const struct named *find_given(const struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->n_given; i++)
        if (strcmp(catalog->given[i].name, name) == 0)
            return &catalog->given[i];
    return NULL;
}

/* What an alias stands for; NULL: there is none of this name. */
static const char *find_alias(const struct catalog *catalog, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < catalog->n_aliases; i++)
        if (strncmp(catalog->aliases[i], name, n) == 0 && catalog->aliases[i][n] == '=')
            return catalog->aliases[i] + n + 1;
    return NULL;
}

/* What else a published model is called, as the library has it; NULL: nothing. A model that was given at the start is
 * found by that, too, wherever it lies. */
static const char *other_name(const char *name)
{
    static const char *const names[][2] = {{"large", "large-v3"}, {"turbo", "large-v3-turbo"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int k = 0; k < 2; k++)
            if (strcmp(name, names[i][k]) == 0)
                return names[i][1 - k];
    return NULL;
}

/* ---- the folders ---- */

static void free_names(struct named *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].name);
        free(list[i].path);
    }
    free(list);
}

/* Speech models, each name once: the first folder's. What there is no memory for is not found. */
static int add_found(void *user, const whisp_model_file *file)
{
    struct catalog *catalog = user;
    struct stat status = {0};
    if (strcmp(file->architecture, "whisper") != 0 || find_given(catalog, file->name))
        return 0;
    for (size_t i = 0; i < catalog->n_found; i++)
        if (strcmp(catalog->found[i].name, file->name) == 0)
            return 0;
    struct named *larger = realloc(catalog->found, (catalog->n_found + 1) * sizeof *larger);
    if (!larger)
        return 1;
    catalog->found = larger;
    stat(file->path, &status);
    struct named *named = &larger[catalog->n_found];
    *named = (struct named){strdup(file->name), strdup(file->path), (int64_t)status.st_mtime};
    if (named->name && named->path) {
        catalog->n_found++;
        return 0;
    }
    free(named->name);
    free(named->path);
    return 1;
}

/* Under the lock: look into the folders, but not for every request. */
static void look(struct catalog *catalog)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (catalog->looked && now.tv_sec - catalog->looked < LOOK_SECONDS)
        return;
    free_names(catalog->found, catalog->n_found);
    catalog->found = NULL;
    catalog->n_found = 0;
    whisp_model_list(catalog->model_dir, add_found, catalog);
    catalog->looked = now.tv_sec;
}

char *catalog_path(struct catalog *catalog, const char *name)
{
    const struct named *given = find_given(catalog, name);
    char *path = NULL;
    if (given)
        return strdup(given->path);
    pthread_mutex_lock(&catalog->lock);
    look(catalog);
    for (size_t i = 0; i < catalog->n_found && !path; i++)
        if (strcmp(catalog->found[i].name, name) == 0)
            path = strdup(catalog->found[i].path);
    pthread_mutex_unlock(&catalog->lock);
    return path;
}

/* The path of a model that is called otherwise: OWNER/NAME is OWNER--NAME, "large" large-v3. `name` is then what the
 * catalog calls it. The library is not asked for what could be a path. */
static char *path_otherwise(struct catalog *catalog, const char *asked, char name[256])
{
    char path[4096];
    const char *slash = strchr(asked, '/');
    if (slash && (size_t)snprintf(name, 256, "%.*s--%s", (int)(slash - asked), asked, slash + 1) >= 256)
        return NULL;
    if (slash)
        return catalog_path(catalog, name);
    if (!*asked || whisp_model_find(asked, catalog->model_dir, path, sizeof path) != WHISP_OK)
        return NULL;
    const char *base = strrchr(path, '/');
    snprintf(name, 256, "%.255s", base ? base + 1 : "");
    char *end = strstr(name, ".gguf");
    if (end)
        *end = 0;
    return catalog_path(catalog, name);
}

/* No model has that name. Who runs the server is told the command that fetches it, if there is one. */
static int fail_missing(const struct catalog *catalog, const char *asked, struct problem *problem)
{
    char path[4096], command[PROBLEM_COMMAND] = "";
    if (!strchr(asked, '/') && whisp_model_find(asked, catalog->model_dir, path, sizeof path) != WHISP_OK)
        problem_command(whisp_last_error(), command);
    return problem_say(problem, SERVICE_NO_MODEL,
                       "The model `%.100s` does not exist here; GET /v1/models lists those that do%s", asked, command);
}

int catalog_resolve(struct catalog *catalog, const char *name, char **known, struct problem *problem)
{
    char otherwise[256];
    const char *asked = name && *name ? name : catalog->given[0].name;
    const char *alias = find_alias(catalog, asked), *other = find_alias(catalog, "*");
    *known = NULL;
    if (alias)
        asked = alias;
    char *path = catalog_path(catalog, asked);
    if (!path && !alias && (path = path_otherwise(catalog, asked, otherwise)))
        asked = otherwise;
    if (!path && !alias && other_name(asked) && (path = catalog_path(catalog, other_name(asked))))
        asked = other_name(asked);
    if (!path && !alias && strcmp(asked, "whisper-1") == 0)
        path = catalog_path(catalog, asked = catalog->given[0].name); /* what every client asks for */
    if (!path && !alias && other)
        path = catalog_path(catalog, asked = other);
    if (!path)
        return fail_missing(catalog, asked, problem);
    free(path);
    *known = strdup(asked);
    return *known ? 0 : problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
}

void catalog_list(struct catalog *catalog, void (*each)(void *user, const char *name, int64_t created), void *user)
{
    for (size_t i = 0; i < catalog->n_given; i++)
        each(user, catalog->given[i].name, catalog->given[i].created);
    pthread_mutex_lock(&catalog->lock);
    look(catalog);
    for (size_t i = 0; i < catalog->n_found; i++)
        each(user, catalog->found[i].name, catalog->found[i].created);
    pthread_mutex_unlock(&catalog->lock);
    for (size_t i = 0; i < catalog->n_aliases; i++) {
        char alias[256];
        snprintf(alias, sizeof alias, "%.*s", (int)strcspn(catalog->aliases[i], "="), catalog->aliases[i]);
        if (strcmp(alias, "*") != 0)
            each(user, alias, 0);
    }
}

/* ---- all of it ---- */

/* "models/base.gguf" is asked for as "base". */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, ".gguf") == 0)
        n -= 5;
    return strndup(name, n);
}

static int add_given(struct catalog *catalog, const char *name, struct problem *problem)
{
    char path[4096];
    int rc = whisp_model_find(name, catalog->model_dir, path, sizeof path);
    if (rc != WHISP_OK)
        return problem_set(problem, rc, NULL);
    struct named *given = &catalog->given[catalog->n_given];
    struct stat status = {0};
    stat(path, &status);
    given->created = (int64_t)status.st_mtime;
    given->path = strdup(path);
    given->name = name_of(path);
    catalog->n_given++;
    if (!given->path || !given->name)
        return problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
    const struct named *first = find_given(catalog, given->name);
    if (!first || first == given)
        return 0;
    return problem_say(problem, WHISP_ERR_ARGUMENT, "--model: %s and %s would both be asked for as %s", first->path,
                       path, given->name);
}

static int check_alias(struct catalog *catalog, const char *alias, struct problem *problem)
{
    const char *equals = strchr(alias, '=');
    if (!equals || equals == alias || !equals[1])
        return problem_say(problem, WHISP_ERR_ARGUMENT, "--model_alias: \"%s\" is not of the form NAME=MODEL", alias);
    char *path = catalog_path(catalog, equals + 1);
    if (!path)
        return problem_say(problem, WHISP_ERR_ARGUMENT, "--model_alias %s: there is no speech model %s", alias,
                           equals + 1);
    free(path);
    catalog->aliases[catalog->n_aliases] = strdup(alias);
    return catalog->aliases[catalog->n_aliases++] ? 0 : problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
}

static int fill(struct catalog *catalog, const struct service_settings *settings, struct problem *problem)
{
    int code = 0;
    catalog->given = calloc(settings->n_models + 1, sizeof *catalog->given);
    catalog->aliases = calloc(settings->n_aliases + 1, sizeof *catalog->aliases);
    if (!catalog->given || !catalog->aliases ||
        (settings->model_dir && !(catalog->model_dir = strdup(settings->model_dir))))
        return problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < settings->n_models && !code; i++)
        code = add_given(catalog, settings->models[i], problem);
    if (!code && settings->n_models == 0)
        code = add_given(catalog, NULL, problem);
    for (size_t i = 0; i < settings->n_aliases && !code; i++)
        code = check_alias(catalog, settings->aliases[i], problem);
    return code;
}

int catalog_new(const struct service_settings *settings, struct catalog **out, struct problem *problem)
{
    struct catalog *catalog = *out = calloc(1, sizeof *catalog);
    if (catalog)
        pthread_mutex_init(&catalog->lock, NULL);
    int code = catalog ? fill(catalog, settings, problem) : problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
    if (code) {
        catalog_free(catalog);
        *out = NULL;
    }
    return code;
}

void catalog_free(struct catalog *catalog)
{
    if (!catalog)
        return;
    free_names(catalog->given, catalog->n_given);
    free_names(catalog->found, catalog->n_found);
    for (size_t i = 0; i < catalog->n_aliases; i++)
        free(catalog->aliases[i]);
    free(catalog->aliases);
    free(catalog->model_dir);
    pthread_mutex_destroy(&catalog->lock);
    free(catalog);
}

size_t catalog_given(const struct catalog *catalog)
{
    return catalog->n_given;
}

const char *catalog_given_name(const struct catalog *catalog, size_t i)
{
    return catalog->given[i].name;
}

int catalog_is_given(const struct catalog *catalog, const char *name)
{
    return find_given(catalog, name) != NULL;
}
