/* ogg_pages.c - see ogg_pages.h. */
#include "audio/ogg_pages.h"

#include <stdlib.h>
#include <string.h>

#include "audio/tags.h"

#define PIECE 8192
#define LARGEST 65307 /* bytes of a page */

void wh_ogg_pages_init(wh_ogg_pages *pages, wh_source *source)
{
    memset(pages, 0, sizeof *pages);
    pages->source = source;
    ogg_sync_init(&pages->sync);
}

void wh_ogg_pages_free(wh_ogg_pages *pages)
{
    ogg_sync_clear(&pages->sync);
}

/* More bytes for libogg. At the end it gets zeros, once: they fill a page that is cut off, or that only seems to be
 * because its lengths are damaged, so that the pages behind its beginning are found. 0: no more. */
static int fill(wh_ogg_pages *pages)
{
    char *buffer = ogg_sync_buffer(&pages->sync, LARGEST);
    if (!buffer)
        return wh_fail_memory();
    size_t n = wh_source_peek(pages->source, pages->read, buffer, PIECE);
    pages->read += (int64_t)n;
    if (n == 0 && pages->is_padded)
        return 0;
    if (n == 0) {
        memset(buffer, 0, LARGEST);
        n = LARGEST;
        pages->is_padded = 1;
    }
    ogg_sync_wrote(&pages->sync, (long)n);
    return 1;
}

/* libogg skipped n bytes, which still lie in its buffer. */
static void note_bad(wh_ogg_pages *pages, const unsigned char *bytes, long n)
{
    long i = n;
    while (i > 0 && bytes[i - 1] == 0)
        i--;
    if (i > 0)
        pages->bad_end = pages->offset + i;
    pages->offset += n;
}

int wh_ogg_next_page(wh_ogg_pages *pages, ogg_page *page)
{
    int64_t from = pages->bad_end = pages->offset;
    int rc = 1;
    long n = 0;
    while (rc > 0 && n <= 0) {
        int returned = pages->sync.returned;
        n = ogg_sync_pageseek(&pages->sync, page);
        if (n < 0)
            note_bad(pages, pages->sync.data + returned, -n);
        else if (n == 0)
            rc = fill(pages);
    }
    int64_t bad = pages->bad_end - from;
    pages->not_understood = bad > 0 ? bad - wh_padding(pages->source, from, pages->bad_end) : 0;
    pages->offset += WH_MAX(n, 0);
    return rc;
}

int64_t wh_ogg_last_position(wh_source *source, int serial)
{
    unsigned char *tail = wh_calloc(LARGEST, 1);
    if (!tail || !source->is_file) {
        free(tail);
        return -1;
    }
    size_t n = wh_source_peek(source, WH_MAX(source->size - LARGEST, 0), tail, LARGEST);
    int64_t position = -1;
    for (size_t i = n < 27 ? 0 : n - 27; i > 0 && position < 0; i--) {
        const unsigned char *p = tail + i;
        uint32_t number = (uint32_t)p[17] << 24 | (uint32_t)p[16] << 16 | (uint32_t)p[15] << 8 | p[14];
        if (memcmp(p, "OggS", 4) != 0 || number != (uint32_t)serial)
            continue;
        uint64_t bits = 0;
        for (int b = 7; b >= 0; b--)
            bits = bits << 8 | p[6 + b];
        position = bits < INT64_MAX ? (int64_t)bits : -1;
    }
    free(tail);
    return position;
}
