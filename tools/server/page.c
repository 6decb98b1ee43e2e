/* page.c - GET /: the page, which tools/embed has put into the program. It asks for nothing that needs a key itself. */
#include "page.h"
#include "routes.h"

static void end(struct exchange *exchange)
{
    exchange_add_header(exchange, "Content-Security-Policy", page_html_policy);
    exchange_add_header(exchange, "X-Content-Type-Options", "nosniff");
    exchange_add_header(exchange, "Referrer-Policy", "no-referrer");
    exchange_add_header(exchange, "Cache-Control", "no-cache");
    exchange_answer(exchange, 200, "text/html; charset=utf-8", page_html, page_html_size);
}

const struct route page_routes[] = {
    {.method = "GET", .path = "/", .flags = ROUTE_OPEN, .end = end},
    {.method = NULL},
};
