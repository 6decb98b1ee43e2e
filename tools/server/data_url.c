/* data_url.c - RFC 2397, as far as sound comes in it: base64 behind the first comma. */
#include "data_url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base64.h"

enum { HEAD_MOST = 200 };

struct data_url {
    struct upload *upload;
    char head[HEAD_MOST + 1];
    size_t n_head;
    int is_inside; /* behind the comma */
    uint32_t bits;
    int n_bits, is_padded; /* of them not written; a = came */
};

struct data_url *data_url_new(struct upload *upload)
{
    struct data_url *url = calloc(1, sizeof *url);
    if (url)
        url->upload = upload;
    return url;
}

static int read_head(struct data_url *url, char c)
{
    static const char encoding[] = ";base64";
    const size_t n = sizeof encoding - 1;
    if (c != ',') {
        if (url->n_head == HEAD_MOST)
            return EINVAL;
        url->head[url->n_head++] = c;
        return 0;
    }
    url->is_inside = 1;
    return strncasecmp(url->head, "data:", 5) != 0 || url->n_head < 5 + n ||
                   strcasecmp(url->head + url->n_head - n, encoding) != 0
               ? EINVAL
               : 0;
}

/* Also of the alphabet that is safe in addresses (RFC 4648, 5). */
static int value_of(char c)
{
    return base64_value(c == '-' ? '+' : c == '_' ? '/' : c);
}

int data_url_write(struct data_url *url, const char *bytes, size_t n)
{
    unsigned char block[4096];
    size_t filled = 0;
    int problem = 0;
    for (size_t i = 0; i < n && !problem; i++) {
        if (!url->is_inside) {
            problem = read_head(url, bytes[i]);
            continue;
        }
        int value = value_of(bytes[i]);
        if (bytes[i] == '=' || bytes[i] == '\r' || bytes[i] == '\n') {
            url->is_padded |= bytes[i] == '=';
            continue;
        }
        if (value < 0 || url->is_padded)
            return EINVAL;
        url->bits = url->bits << 6 | (uint32_t)value;
        url->n_bits += 6;
        if (url->n_bits >= 8) {
            url->n_bits -= 8;
            block[filled++] = (unsigned char)(url->bits >> url->n_bits);
        }
        if (filled == sizeof block) {
            problem = upload_write(url->upload, block, filled);
            filled = 0;
        }
    }
    return problem ? problem : upload_write(url->upload, block, filled);
}

int data_url_end(const struct data_url *url)
{
    return !url->is_inside || url->n_bits >= 6 || upload_size(url->upload) == 0 ? EINVAL : 0;
}

void data_url_free(struct data_url *url)
{
    free(url);
}
