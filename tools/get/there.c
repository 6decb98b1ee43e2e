/* there.c - a model that is there already: whether it is what is asked for, or holds all that it takes to make that. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/output.h"
#include "get/get.h"
#include "get/transfer.h"

/* Whether an address is `end`, or ends in it behind a slash. */
static int ends_in(const char *url, const char *end)
{
    size_t n = strlen(url), m = strlen(end);
    return n >= m && strcmp(url + n - m, end) == 0 && (n == m || url[n - m - 1] == '/');
}

/* Whether a model was made of what is asked for: 1, 0, or -1: it does not say. */
static int is_of(const char *asked, const struct origin *origin)
{
    const struct known *known = known_find(asked);
    char shown[MOST_ADDRESS];
    if (!*origin->url)
        return -1;
    return ends_in(origin->url, known ? known->repository : shown_address(asked, shown)) ||
           (known && known->file && ends_in(origin->url, known->file));
}

static int check_origin(const char *asked, const char *path, const struct origin *origin)
{
    const struct parcel *parcel = parcel_find(asked);
    if (parcel)
        return parcel_check(parcel, path);
    if (is_of(asked, origin))
        return WHISP_OK;
    return wh_fail(WHISP_ERR_ARGUMENT,
                   "%s: is there, and was made of %s; --name gives this one another name, --again puts it in that "
                   "one's place",
                   path, origin->url);
}

/* Whether another type can be made of a model as it would be of what is published: float32 has everything; float16 has
 * it of OpenAI's models, which were published so. */
static int has_all(const char *asked, const struct origin *origin)
{
    const struct known *known = known_find(asked);
    return !parcel_find(asked) && is_of(asked, origin) == 1 &&
           (origin->type == output_file_type(WH_F32) ||
            (origin->type == output_file_type(WH_F16) && known && known->file));
}

/* ... of the one at `from`, into `path`. */
static int remake(const struct settings *settings, struct order *order, const char *asked, const char *from,
                  const char *path)
{
    const struct known *known = known_find(asked);
    char folder[4096];
    struct stat st;
    snprintf(order->title, sizeof order->title, "%s", known ? known->name : asked);
    snprintf(order->key, sizeof order->key, "%.150s@there", order->name);
    int rc = shelf_work(settings, order, folder);
    if (!rc && stat(from, &st) == 0)
        rc = shelf_space(folder, settings->has_type && settings->type == WH_F32 ? 2 * st.st_size : st.st_size, from);
    if (!rc)
        rc = make_again(settings, order, from, folder, path);
    shelf_clear(settings->folder, order->key);
    return rc;
}

static int tell_there(const char *path, int *is_done)
{
    *is_done = 1;
    if (printf("%s: is there\n", path) >= 0 && fflush(stdout) == 0)
        return WHISP_OK;
    return wh_fail(WHISP_ERR_OUTPUT, "standard output: cannot be written");
}

int there_try(const struct settings *settings, const char *asked, const char *own, struct order *order, int *is_done)
{
    char path[4096], other[4096];
    struct origin there, beside;
    int has = shelf_look(settings->folder, order->name, path, &there), rc;
    if (settings->is_again)
        return WHISP_OK;
    if (has < 0) {
        fprintf(stderr, "whisp-get: %s; fetching it again\n", whisp_last_error());
        return WHISP_OK;
    }
    if (has && settings->revision && strcmp(settings->revision, there.revision) != 0 &&
        strcmp(order->revision, there.revision) != 0)
        return check_origin(asked, path, &there);
    if (has && (rc = check_origin(asked, path, &there)))
        return rc;
    if (has && (!settings->has_type || there.type == output_file_type(settings->type)))
        return tell_there(path, is_done);
    const char *from = has && has_all(asked, &there) ? path : NULL;
    if (!from && *own && (settings->has_type || order->is_published) && strcmp(own, order->name) != 0 &&
        shelf_look(settings->folder, own, other, &beside) == 1 && has_all(asked, &beside) &&
        (!settings->revision || strcmp(settings->revision, beside.revision) == 0))
        from = other;
    if (has && !settings->is_quiet)
        fprintf(stderr, "whisp-get: %s is there, but not as %s: %s\n", path, wh_type_name(settings->type),
                from ? "making it anew of what is there"
                     : "fetching it again, because it does not have all that is published");
    if (!from)
        return WHISP_OK;
    *is_done = 1;
    return remake(settings, order, asked, from, path);
}
