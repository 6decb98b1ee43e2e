/* address.c - addresses: what of them may be shown, how they are put together, whose host they are of. Parsed by libcurl. */
#include <curl/curl.h>
#include <string.h>

#include "get/transfer.h"

void address_origin(const char *url, char origin[512])
{
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    *origin = 0;
    if (parsed && !curl_url_set(parsed, CURLUPART_URL, url, 0) && !curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) &&
        !curl_url_get(parsed, CURLUPART_HOST, &host, 0) &&
        !curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
        (size_t)snprintf(origin, 512, "%s://%s:%s", scheme, host, port) >= 512)
        *origin = 0;
    for (char *p = origin; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
}

const char *shown_address(const char *url, char text[MOST_ADDRESS])
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t n = strcspn(host, "/?#"), path = n + strcspn(host + n, "?#");
    const char *name = host;
    for (size_t i = 0; i < n; i++)
        if (host[i] == '@')
            name = host + i + 1;
    snprintf(text, MOST_ADDRESS, "%.*s%.*s", (int)(host - url), url, (int)(host + path - name), name);
    wh_tame(text);
    return text;
}

int join_address(char *out, size_t capacity, const char *base, const char *path)
{
    size_t n = strlen(base);
    while (n && base[n - 1] == '/')
        n--;
    return (size_t)snprintf(out, capacity, "%.*s/%s", (int)n, base, path) < capacity;
}

int escape_address(char *out, size_t capacity, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    size_t n = 0;
    for (; *text && n + 4 <= capacity; text++)
        n += (size_t)snprintf(out + n, capacity - n, strchr(plain, *text) ? "%c" : "%%%02X", (unsigned char)*text);
    out[n] = 0;
    return !*text;
}

int same_origin(const char *a, const char *b)
{
    char first[512], second[512];
    address_origin(a, first);
    address_origin(b, second);
    return *first && strcmp(first, second) == 0;
}
