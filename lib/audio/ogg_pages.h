/* ogg_pages.h - the pages of an Ogg file, and the bytes between them that are none. Used by lib/audio/ogg.c only. */
#ifndef WH_AUDIO_OGG_PAGES_H
#define WH_AUDIO_OGG_PAGES_H

#include <ogg/ogg.h>

#include "audio/source.h"

typedef struct wh_ogg_pages {
    wh_source *source;
    ogg_sync_state sync;
    int64_t read;           /* bytes that were read from the source */
    int64_t offset;         /* of the byte that is looked at */
    int is_padded;          /* the source has ended, and zeros were put behind it */
    int64_t bad_end;        /* of the bytes between the last page and this one; behind it there are only zeros */
    int64_t not_understood; /* of these, not tags either */
} wh_ogg_pages;

void wh_ogg_pages_init(wh_ogg_pages *pages, wh_source *source);
void wh_ogg_pages_free(wh_ogg_pages *pages);

/* The next page whose checksum is right: 1, and it is valid until the next call; 0: the end; WHISP_ERR_MEMORY. Either
 * way the bytes before it that are no page are counted. */
int wh_ogg_next_page(wh_ogg_pages *pages, ogg_page *page);

/* The granule position of the last page of a stream in a file, -1 where it cannot be told. */
int64_t wh_ogg_last_position(wh_source *source, int serial);

#endif
