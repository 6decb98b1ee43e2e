/* sha256.h - the sum that a browser computes, too (FIPS 180-4), where a page must know a file again. */
#ifndef WH_SHA256_H
#define WH_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct wh_sha256 {
    uint32_t state[8];
    unsigned char block[64]; /* [bytes % 64] of it wait */
    uint64_t bytes;
} wh_sha256;

void wh_sha256_begin(wh_sha256 *sum);
void wh_sha256_add(wh_sha256 *sum, const void *bytes, size_t n);
/* As 64 hexadecimal digits and a NUL. */
#define WH_SHA256_HEX 65
void wh_sha256_end(wh_sha256 *sum, char hex[WH_SHA256_HEX]);

#endif
