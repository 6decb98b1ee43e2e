/* admit.c - which route a request takes, whether it may: methods, pages of other origins, keys, sizes. */
#include "admit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app.h"
#include "exchange.h"
#include "keys.h"

static int path_fits(const struct route *route, const char *path)
{
    return route->flags & ROUTE_PREFIX ? strncmp(route->path, path, strlen(route->path)) == 0
                                       : strcmp(route->path, path) == 0;
}

/* NULL: none; `allowed` are the methods that the path has, "" for none. */
static const struct route *find_route(const struct admission *rules, const char *method, const char *path,
                                      char *allowed, size_t capacity)
{
    const struct route *found = NULL;
    if (strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
        method = MHD_HTTP_METHOD_GET;
    *allowed = '\0';
    for (size_t t = 0; rules->tables[t]; t++)
        for (const struct route *route = rules->tables[t]; route->method; route++) {
            if (!path_fits(route, path))
                continue;
            if (!found && strcmp(route->method, method) == 0)
                found = route;
            size_t n = strlen(allowed);
            snprintf(allowed + n, capacity - n, "%s%s", n ? ", " : "", route->method);
        }
    return found;
}

static void add_cors(struct exchange *x, const char *origin)
{
    exchange_add_header(x, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if (strcmp(origin, "*") != 0)
        exchange_add_header(x, MHD_HTTP_HEADER_VARY, "Origin");
}

/* A browser asks what it may ask. */
static void answer_options(struct exchange *x, const char *origin, const char *allowed)
{
    char methods[256];
    snprintf(methods, sizeof methods, "%s, OPTIONS", allowed);
    exchange_add_header(x, MHD_HTTP_HEADER_ALLOW, methods);
    if (origin) {
        exchange_add_header(x, "Access-Control-Allow-Methods", methods);
        exchange_add_header(x, "Access-Control-Allow-Headers", "*, Authorization, Content-Type");
        exchange_add_header(x, "Access-Control-Max-Age", "86400");
    }
    exchange_answer(x, MHD_HTTP_NO_CONTENT, NULL, "", 0);
}

/* Its owner, or KEYS_WRONG. */
static int check_key(struct exchange *x)
{
    static const char bearer[] = "Bearer ";
    const char *given = exchange_header(x, MHD_HTTP_HEADER_AUTHORIZATION), *key = NULL;
    if (given && strncasecmp(given, bearer, sizeof bearer - 1) == 0)
        key = given + sizeof bearer - 1 + strspn(given + sizeof bearer - 1, " ");
    else if (x->route->flags & ROUTE_QUERY_KEY)
        key = exchange_query(x, "api_key");
    return keys_check(x->app->keys, key);
}

/* Bytes of a body that is announced; -1: of one that comes in chunks; 0: none. */
static int64_t body_length(struct exchange *x)
{
    const char *length = exchange_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (exchange_header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING))
        return -1;
    return length ? strtoll(length, NULL, 10) : 0;
}

void admit_fail_size(struct exchange *x, const struct admission *rules)
{
    exchange_fail(x, MHD_HTTP_CONTENT_TOO_LARGE, "file", NULL,
                  "the request has more than %lld bytes; the server was started with this --max_body",
                  (long long)rules->most_body);
}

void admit(struct exchange *x, const struct admission *rules)
{
    char allowed[128];
    const struct route *route = find_route(rules, x->method, x->path, allowed, sizeof allowed);
    if (rules->origin)
        add_cors(x, rules->origin);
    if (!*allowed) {
        exchange_fail(x, MHD_HTTP_NOT_FOUND, NULL, "unknown_url", "Unknown request URL: %s %.200s", x->method, x->path);
        return;
    }
    if (strcmp(x->method, MHD_HTTP_METHOD_OPTIONS) == 0) {
        answer_options(x, rules->origin, allowed);
        return;
    }
    if (!route) {
        exchange_add_header(x, MHD_HTTP_HEADER_ALLOW, allowed);
        exchange_fail(x, MHD_HTTP_METHOD_NOT_ALLOWED, NULL, "method_not_supported", "%s takes %s", x->path, allowed);
        return;
    }
    x->route = route;
    if (!(route->flags & ROUTE_OPEN) && (x->owner = check_key(x)) == KEYS_WRONG) {
        exchange_fail(x, MHD_HTTP_UNAUTHORIZED, NULL, "invalid_api_key",
                      "Incorrect API key; it goes into the header Authorization: Bearer KEY");
        return;
    }
    if (body_length(x) > rules->most_body) {
        admit_fail_size(x, rules);
        return;
    }
    x->has_begun = 1;
    if (route->begin)
        route->begin(x);
}

int admit_may_read_on(struct exchange *x, const struct admission *rules)
{
    int64_t length = body_length(x);
    return length != 0 && length <= 2 * rules->most_body && !exchange_header(x, MHD_HTTP_HEADER_EXPECT);
}
