/* want.c - the files of a model, and where OpenAI has them. */
#include <stdlib.h>
#include <string.h>

#include "get/get.h"
#include "get/transfer.h"

/* The vocabularies of openai/whisper's last release, whose tag's commit this is. */
#define ASSETS "https://raw.githubusercontent.com"
#define ASSETS_PATH "openai/whisper/c0d2f624c09dc18e709e37c2ad90c039a4eb72a2/whisper/assets"

int is_hex(const char *text, size_t n)
{
    return strlen(text) == n && strspn(text, "0123456789abcdef") == n;
}

int order_add(struct order *order, const struct wanted *file)
{
    if (order->n == MOST_FILES)
        return wh_fail(WHISP_ERR_MODEL, "%s: more than %d files, which no model has", order->title, MOST_FILES);
    int rc = wh_grow(&order->files, &order->capacity, order->n + 1, sizeof *order->files);
    if (!rc)
        order->files[order->n++] = *file;
    return rc;
}

void order_free(struct order *order)
{
    free(order->files);
    order->files = NULL;
    order->n = order->capacity = 0;
}

/* They are float16, with a few kilobytes beside the numbers; a quarter more is room for what else might be in one. */
int64_t most_checkpoint(const struct known *known)
{
    return (int64_t)known->parameters * 2500000 + (16 << 20);
}

int order_address(const char *url, int64_t most, struct order *order)
{
    struct wanted file = {.size = -1, .most = most};
    char shown[MOST_ADDRESS];
    const char *name = strrchr(url, '/');
    size_t n = name ? strcspn(name + 1, "?#") : 0;
    shown_address(url, shown);
    if (!name || name - url < 65 || name[-65] != '/' || n < 4 || n >= sizeof file.name - 8 || name[1] == '.' ||
        strncmp(name + 1 + n - 3, ".pt", 3) != 0)
        return wh_fail(
            WHISP_ERR_ARGUMENT,
            "%s: not an address that ends in SHA256/NAME.pt, as OpenAI's do: what it gives could not be checked",
            shown);
    snprintf(file.sha256, sizeof file.sha256, "%.64s", name - 64);
    snprintf(file.name, sizeof file.name, "%.*s", (int)n, name + 1);
    if (!is_hex(file.sha256, 64))
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: %s is no SHA-256", shown, file.sha256);
    if ((size_t)snprintf(file.url, sizeof file.url, "%s", url) >= sizeof file.url)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: the address is too long", shown);
    snprintf(order->url, sizeof order->url, "%s", shown);
    snprintf(order->input, sizeof order->input, "%s", file.name);
    snprintf(order->key, sizeof order->key, "%.150s@%.12s", order->name, file.sha256);
    return order_add(order, &file);
}

int want_vocabulary(const struct settings *settings, int n_ordinary, struct wanted *file)
{
    int is_english = n_ordinary == 50256;
    char path[256];
    memset(file, 0, sizeof *file);
    file->size = is_english ? 835554 : 816730;
    snprintf(file->name, sizeof file->name, "%s.tiktoken", is_english ? "gpt2" : "multilingual");
    snprintf(file->sha256, sizeof file->sha256, "%s",
             is_english ? "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
                        : "b34b360dbb493e781e479794586d661700670d65564001f23024971d1f2fa126");
    snprintf(path, sizeof path, "%s/%.32s", ASSETS_PATH, file->name);
    if (!join_address(file->url, sizeof file->url, settings->mirror ? settings->mirror : ASSETS, path))
        return wh_fail(WHISP_ERR_ARGUMENT, "--mirror: the address is too long");
    return WHISP_OK;
}
