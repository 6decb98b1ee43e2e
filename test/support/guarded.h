/* guarded.h - memory between pages that may not be touched, for programs that are linked with --wrap=wh_alloc_aligned and
 * --wrap=free (the Makefile's GUARDED): what the library allocates aligned (activations, caches, packed weights; small
 * structures are left to AddressSanitizer) ends before such a page, but for less than 64 bytes, which allocations are
 * aligned to and which are looked at when it is freed; or begins behind one. It is not filled with zeros. Under
 * AddressSanitizer, which sees every byte but not what assembly does, it is left to that, with no size rounded up. */
#ifndef TEST_GUARDED_H
#define TEST_GUARDED_H

extern int guarded_at_start; /* nonzero: what is allocated from now on begins behind such a page */

#endif
