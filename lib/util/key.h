/* key.h - bytes, one after the other, as a number of 128 bits that is another one for other bytes, but for a chance that
 * nobody meets. Not a defence against somebody who looks for two texts with the same. */
#ifndef WH_KEY_H
#define WH_KEY_H

#include <stddef.h>
#include <stdint.h>

typedef struct wh_key {
    uint64_t a, b;
} wh_key;

#define WH_KEY_EMPTY ((wh_key){0x243f6a8885a308d3u, 0x13198a2e03707344u}) /* digits of pi */
void wh_key_add(wh_key *key, const void *bytes, size_t n);

#endif
