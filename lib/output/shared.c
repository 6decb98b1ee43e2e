/* shared.c - what the writers of documents have in common: text and milliseconds as openai-whisper's utils.py makes
 * them. */
#include <math.h>
#include <string.h>

#include "output/writers.h"
#include "util/text.h"

const char *wh_stripped(const char *text, size_t *length)
{
    *length = strlen(text);
    wh_strip(&text, length);
    return text;
}

void wh_put_replaced(wh_buf *out, const char *text, size_t length, const char *from, const char *to)
{
    size_t n = strlen(from), done = 0;
    for (size_t i = 0; i + n <= length;) {
        if (memcmp(text + i, from, n) != 0) {
            i++;
            continue;
        }
        wh_buf_append(out, text + done, i - done);
        wh_buf_puts(out, to);
        done = i += n;
    }
    wh_buf_append(out, text + done, length - done);
}

int64_t wh_milliseconds(double seconds)
{
    double x = nearbyint(1000.0 * seconds); /* halves to even */
    if (isnan(x))
        return 0;
    return (int64_t)WH_MAX(-1e15, WH_MIN(x, 1e15));
}
