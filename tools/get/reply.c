/* reply.c - the head of an answer, line by line. What stands in it is a stranger's: every field is bounded. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "get/transfer.h"

/* A field's value into out[capacity], tamed; one that is longer is cut off. */
static void keep(char *out, size_t capacity, const char *value, size_t n)
{
    n = WH_MIN(n, capacity - 1);
    memcpy(out, value, n);
    out[n] = 0;
    wh_tame(out);
}

/* "bytes 100-199/200", "bytes * /200"; what is not so stays -1. */
static void read_range(struct reply *reply, const char *text)
{
    char *end;
    reply->first = reply->total = -1;
    if (strncasecmp(text, "bytes ", 6) != 0)
        return;
    text += 6;
    if (isdigit((unsigned char)*text)) {
        long long first = strtoll(text, &end, 10);
        if (*end == '-')
            reply->first = first;
    }
    const char *slash = strchr(text, '/');
    if (slash && isdigit((unsigned char)slash[1]))
        reply->total = strtoll(slash + 1, NULL, 10);
}

/* <ADDRESS>; rel="next" */
static void read_link(struct reply *reply, const char *text)
{
    const char *end = *text == '<' ? strchr(text, '>') : NULL;
    if (end && strstr(end, "rel=\"next\"") && (size_t)(end - text - 1) < sizeof reply->next)
        keep(reply->next, sizeof reply->next, text + 1, (size_t)(end - text - 1));
}

void reply_line(struct reply *reply, const char *line, size_t n)
{
    char text[MOST_ADDRESS + 64];
    if (n >= 5 &&
        strncasecmp(line, "HTTP/", 5) == 0) { /* the next one: those of 100 Continue and of a proxy are over */
        char host[sizeof reply->host];
        memcpy(host, reply->host, sizeof host);
        memset(reply, 0, sizeof *reply);
        memcpy(reply->host, host, sizeof host);
        reply->length = reply->first = reply->total = -1;
        return;
    }
    while (n && isspace((unsigned char)line[n - 1]))
        n--;
    if (n >= sizeof text)
        return;
    memcpy(text, line, n);
    text[n] = 0;
    char *value = strchr(text, ':');
    if (!value || strlen(text) != n)
        return;
    *value++ = 0;
    while (*value == ' ' || *value == '\t')
        value++;
    if (strcasecmp(text, "content-type") == 0)
        keep(reply->type, sizeof reply->type, value, strlen(value));
    else if (strcasecmp(text, "content-encoding") == 0)
        keep(reply->encoding, sizeof reply->encoding, value, strlen(value));
    else if (strcasecmp(text, "x-error-message") == 0)
        keep(reply->reason, sizeof reply->reason, value, strlen(value));
    else if (strcasecmp(text, "content-range") == 0)
        read_range(reply, value);
    else if (strcasecmp(text, "link") == 0)
        read_link(reply, value);
}
