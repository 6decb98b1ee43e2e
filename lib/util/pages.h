/* pages.h - much memory for a moment. */
#ifndef WH_PAGES_H
#define WH_PAGES_H

#include <stddef.h>

/* It comes from the system and goes back to it: in the C library's heaps, of which every thread has its own, blocks of
 * megabytes that come and go between small ones that stay leave holes, which add up to gigabytes over hours. */
typedef struct wh_pages {
    float *at; /* aligned for every instruction set; NULL: none */
    size_t bytes;
} wh_pages;

/* n times m floats, or WHISP_ERR_MEMORY. give_back: also of what was never taken. Any thread. */
int wh_pages_take(wh_pages *pages, size_t n, size_t m);
void wh_pages_give_back(wh_pages *pages);

#endif
