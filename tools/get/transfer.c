/* transfer.c - an answer of a host over HTTP by libcurl. See transfer.h.
 *
 * Redirects are followed here and not by libcurl: which host a token goes to is then plain to see, and the same with every
 * version of it. */
#include "get/transfer.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum {
    MOST_REDIRECTS = 8,
    MOST_WORDS = 1 << 16 /* of an error's page */,
    LONGEST_WAIT = 300, /* s that a host may ask for */
    LEAST_SPEED = 1000  /* bytes a second: below that nothing comes */
};

struct transferrer {
    CURL *curl;
    char error[CURL_ERROR_SIZE];
    int most_tries, timeout;
    char trusted[512]; /* the origin that the token is for; "" */
    char *bearer;      /* "Authorization: Bearer ..." */

    /* the try under way */
    const struct sink *sink;
    struct reply reply;
    int has_begun, has_sent_token, rc;
    size_t words; /* bytes of an error's page */
};

/* ---- the token ---- */

static int is_this_machine(const char *origin)
{
    const char *host = strstr(origin, "://");
    host = host ? host + 3 : origin;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost:", 10) == 0 || strncmp(host, "[::1]:", 6) == 0;
}

int transfer_trust(struct transferrer *t, const char *url, const char *token)
{
    static const char spaces[] = " \t\r\n";
    t->trusted[0] = 0;
    free(t->bearer);
    t->bearer = NULL;
    token += token ? strspn(token, spaces) : 0;
    size_t n = token ? strlen(token) : 0;
    while (n && strchr(spaces, token[n - 1]))
        n--;
    if (!n)
        return WHISP_OK;
    for (size_t i = 0; i < n; i++)
        if (token[i] <= ' ' || token[i] > '~')
            return wh_fail(WHISP_ERR_ARGUMENT,
                           "$HF_TOKEN holds characters that are in no token; set it again, or unset it");
    address_origin(url, t->trusted);
    if (strncmp(t->trusted, "https://", 8) != 0 && !is_this_machine(t->trusted)) {
        char shown[MOST_ADDRESS];
        fprintf(stderr, "whisp-get: the connection to %s is not encrypted: $HF_TOKEN is not sent there\n",
                shown_address(url, shown));
        t->trusted[0] = 0;
        return WHISP_OK;
    }
    wh_buf line = {0};
    wh_buf_printf(&line, "Authorization: Bearer %.*s", (int)n, token);
    if (line.failed) {
        wh_buf_free(&line);
        return wh_fail_memory();
    }
    t->bearer = line.data;
    return WHISP_OK;
}

/* ---- libcurl's callbacks ---- */

static size_t on_head(char *line, size_t size, size_t n, void *user)
{
    struct transferrer *t = user;
    reply_line(&t->reply, line, size * n);
    return size * n;
}

static int is_body(long status)
{
    return status == 200 || status == 206;
}

static int begin(struct transferrer *t)
{
    curl_off_t length = -1;
    if (t->has_begun)
        return WHISP_OK;
    t->has_begun = 1;
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    t->reply.length = length;
    return t->sink->begin(t->sink->user, &t->reply);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
    struct transferrer *t = user;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->reply.status);
    n *= size;
    if (!is_body(t->reply.status)) {
        t->words += n;
        return t->words > MOST_WORDS ? 0 : n;
    }
    if (!(t->rc = begin(t)) && n)
        t->rc = t->sink->take(t->sink->user, bytes, n);
    return t->rc ? 0 : n;
}

/* ---- one request ---- */

/* The authorities that may sign: as the curl command has it, then libcurl's own, then where other systems keep them. */
static void set_certificates(CURL *curl)
{
    static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    const char *file = getenv("CURL_CA_BUNDLE"), *folder = getenv("SSL_CERT_DIR");
    if (!file || !*file)
        file = getenv("SSL_CERT_FILE");
    if (file && *file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, file);
    else if (folder && *folder)
        curl_easy_setopt(curl, CURLOPT_CAPATH, folder);
    else
        for (size_t i = 0; i < WH_COUNT(usual); i++)
            if (access(usual[i], R_OK) == 0) {
                curl_easy_setopt(curl, CURLOPT_CAINFO, usual[i]);
                break;
            }
}

static void set_protocols(CURL *curl, int only_tls)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, only_tls ? "https" : "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(only_tls ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static CURLcode request(struct transferrer *t, const char *url, int plain, int only_tls)
{
    char origin[512], range[32];
    struct curl_slist *lines = NULL;
    int64_t have = t->sink->have(t->sink->user);
    address_origin(url, origin);
    t->has_sent_token = t->bearer && *origin && strcmp(origin, t->trusted) == 0;
    t->has_begun = 0;
    t->words = 0;
    t->error[0] = 0;
    memset(&t->reply, 0, sizeof t->reply);
    const char *host = strstr(origin, "://");
    snprintf(t->reply.host, sizeof t->reply.host, "%.255s", host ? host + 3 : "an address");
    char *port = strrchr(t->reply.host, ':');
    if (port && (strcmp(port, ":443") == 0 || strcmp(port, ":80") == 0))
        *port = 0;
    snprintf(range, sizeof range, "%lld-", (long long)have);
    curl_easy_setopt(t->curl, CURLOPT_URL, url);
    curl_easy_setopt(t->curl, CURLOPT_RANGE, have > 0 ? range : NULL);
    curl_easy_setopt(t->curl, CURLOPT_ACCEPT_ENCODING, plain ? NULL : "");
    /* A token that goes unencrypted, to this machine, takes no way round by a proxy, which could read it. */
    curl_easy_setopt(t->curl, CURLOPT_PROXY, t->has_sent_token && strncmp(origin, "https://", 8) != 0 ? "" : NULL);
    set_protocols(t->curl, only_tls);
    struct curl_slist *more = plain ? curl_slist_append(lines, "Accept-Encoding: identity") : NULL;
    lines = more ? more : lines;
    if (t->has_sent_token && (more = curl_slist_append(lines, t->bearer)))
        lines = more;
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, lines);
    CURLcode code = curl_easy_perform(t->curl);
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->reply.status);
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(lines);
    return code;
}

/* ---- what came of it ---- */

struct outcome {
    int is_over;   /* the answer is complete, or it is no use to ask again: rc says which */
    int rc;        /* if not over: the error to end with when there are no more tries */
    double wait;   /* seconds that the host asks to wait; 0: does not say */
    int few_tries; /* what is not there now is seldom there a little later */
};

static void refuse(const struct transferrer *t, const char *what, struct outcome *o)
{
    const struct reply *r = &t->reply;
    char reason[sizeof r->reason + 4] = "";
    if (*r->reason)
        snprintf(reason, sizeof reason, " (%s)", r->reason);
    o->is_over = 1;
    if ((r->status == 401 || r->status == 403) && t->has_sent_token)
        o->rc = wh_fail(
            GET_NETWORK,
            "%s: %s refuses what $HF_TOKEN stands for (status %ld)%s: there is no such repository, the token "
            "may not read it, or its terms are to be accepted on its page first",
            what, r->host, r->status, reason);
    else if (r->status == 401 || r->status == 403)
        o->rc = wh_fail(
            GET_NETWORK,
            "%s: %s does not give it to everybody (status %ld)%s: there is no such repository, or it is private "
            "or gated; put a token of yours into $HF_TOKEN",
            what, r->host, r->status, reason);
    else if (r->status == 404 || r->status == 410)
        o->rc = wh_fail(GET_NETWORK, "%s: %s has no such thing (status %ld)%s; is the name right?", what, r->host,
                        r->status, reason);
    else
        o->rc = wh_fail(GET_NETWORK, "%s: %s answers with status %ld%s", what, r->host, r->status, reason);
}

/* A host that is busy, or has a fault of its own. */
static void postpone(const struct transferrer *t, const char *what, struct outcome *o)
{
    const struct reply *r = &t->reply;
    curl_off_t seconds = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &seconds);
    o->wait = (double)seconds;
    o->rc = wh_fail(GET_NETWORK, "%s: %s %s (status %ld)", what, r->host,
                    r->status == 429 ? "has been asked too often" : "has a fault", r->status);
    if (seconds > LONGEST_WAIT) {
        o->is_over = 1;
        o->rc = wh_fail(GET_NETWORK,
                        "%s: %s is asked too often (status %ld) and wants to be left alone for %lld s; try then", what,
                        r->host, r->status, (long long)seconds);
    }
}

static void judge_curl(const struct transferrer *t, const char *what, CURLcode code, struct outcome *o)
{
    const char *words = *t->error ? t->error : curl_easy_strerror(code);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        o->few_tries = 1;
        o->rc = wh_fail(GET_NETWORK,
                        "%s: %s cannot be reached: %s; check the network and the proxy, or give --mirror URL", what,
                        t->reply.host, words);
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        o->is_over = 1;
        o->rc = wh_fail(GET_NETWORK,
                        "%s: %s cannot prove who it is: %s; if it is to be trusted, name the file of its authority in "
                        "$SSL_CERT_FILE",
                        what, t->reply.host, words);
        return;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
        o->is_over = 1;
        o->rc = code == CURLE_OUT_OF_MEMORY
                    ? wh_fail_memory()
                    : wh_fail(GET_NETWORK, "%s: an address that cannot be fetched: %s", what, words);
        return;
    default: o->rc = wh_fail(GET_NETWORK, "%s: the connection to %s broke off: %s", what, t->reply.host, words);
    }
}

static void judge(struct transferrer *t, const char *what, CURLcode code, struct outcome *o)
{
    long status = t->reply.status;
    memset(o, 0, sizeof *o);
    if (t->rc) {
        o->is_over = 1;
        o->rc = t->rc;
    } else if (status == 416) {
        o->rc = begin(t); /* which forgets what is there */
        o->is_over = o->rc != 0;
        if (!o->rc)
            o->rc = wh_fail(GET_NETWORK, "%s: %s has less than is there already", what, t->reply.host);
    } else if (status == 429 || status == 408 || (status >= 500 && status <= 599)) {
        postpone(t, what, o);
    } else if (status >= 300 && !is_body(status)) {
        refuse(t, what, o);
    } else if (code != CURLE_OK) {
        judge_curl(t, what, code, o);
    } else if (is_body(status)) {
        o->is_over = 1;
        o->rc = begin(t);
    } else {
        refuse(t, what, o);
    }
}

/* One try, along redirects. */
static int try_once(struct transferrer *t, const char *url, const char *what, int plain, struct outcome *o)
{
    char at[MOST_ADDRESS];
    int only_tls = 0;
    t->rc = WHISP_OK;
    if ((size_t)snprintf(at, sizeof at, "%s", url) >= sizeof at)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: the address is too long", what);
    for (int n = 0;; n++) {
        char *next = NULL;
        only_tls |= strncasecmp(at, "https://", 8) == 0; /* and stays so */
        CURLcode code = request(t, at, plain, only_tls);
        long status = t->reply.status;
        if (status >= 300 && status < 400 && status != 304)
            curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &next);
        if (t->rc || !next) {
            judge(t, what, code, o);
            return WHISP_OK;
        }
        if (n == MOST_REDIRECTS)
            return wh_fail(GET_NETWORK, "%s: %s sends on from address to address, more than %d times", what,
                           t->reply.host, MOST_REDIRECTS);
        if ((size_t)snprintf(at, sizeof at, "%s", next) >= sizeof at)
            return wh_fail(GET_NETWORK, "%s: %s sends on to an address that is too long", what, t->reply.host);
    }
}

static void sleep_for(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int transfer(struct transferrer *t, const char *url, const char *what, int plain, const struct sink *sink,
             struct bar *bar)
{
    struct outcome o;
    int64_t best = sink->have(sink->user);
    double since = seconds_now();
    t->sink = sink;
    for (int tries = 1;; tries++) {
        int rc = try_once(t, url, what, plain, &o);
        if (rc || o.is_over)
            return rc ? rc : o.rc;
        int64_t have = sink->have(sink->user);
        /* It goes forward: not by a byte now and then, which would never end; what a host asks to wait is not its speed. */
        if (have > best && (double)(have - best) >= LEAST_SPEED * (seconds_now() - since)) {
            best = have;
            since = seconds_now();
            tries = 1;
        }
        if (tries >= (o.few_tries ? WH_MIN(2, t->most_tries) : t->most_tries))
            return !plain ? o.rc : wh_fail(o.rc, "%s; the same command goes on from there", whisp_last_error());
        double wait = o.wait > 0.0 ? o.wait : WH_MIN(0.25 * (double)(1 << WH_MIN(tries, 7)), 30.0);
        if (bar && !bar->is_quiet) {
            bar_end(bar);
            fprintf(stderr, "whisp-get: %s; again in %.3g s\n", whisp_last_error(), wait);
        }
        sleep_for(wait);
        since += o.wait;
    }
}

int transfer_open(const char *agent, int most_tries, int timeout, struct transferrer **transferrer)
{
    struct transferrer *t = wh_calloc(1, sizeof *t);
    *transferrer = t;
    if (!t || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(t->curl = curl_easy_init())) {
        free(t);
        *transferrer = NULL;
        return wh_fail_memory();
    }
    t->most_tries = most_tries;
    curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->curl, CURLOPT_USERAGENT, agent);
    curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT, (long)WH_MIN(timeout, 30));
    curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, (long)LEAST_SPEED);
    curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, (long)timeout);
    curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    set_certificates(t->curl);
    return WHISP_OK;
}

void transfer_close(struct transferrer *t)
{
    if (t)
        curl_easy_cleanup(t->curl);
    if (t)
        free(t->bearer);
    free(t);
    curl_global_cleanup();
}
