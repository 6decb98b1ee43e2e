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

/* n times m floats, or WHISP_ERR_MEMORY; `plain` ones are never in large pages but by wh_pages_large(). give_back: also of
 * what was never taken. Any thread. */
int wh_pages_take(wh_pages *pages, size_t n, size_t m);
int wh_pages_take_plain(wh_pages *pages, size_t n, size_t m);
/* For memory of which all is used: makes its i-th 2 MB, if it has so many, a single page where the system has one, and
 * zeros. 0: that took long, because the system had to look for one: do not ask for others. */
#define WH_LARGE_PAGE ((size_t)2 << 20)
int wh_pages_large(const wh_pages *pages, size_t i);
/* For bytes from `at` on that are about to be written: takes their pages together, which is cheaper than one by one. */
void wh_pages_fill(void *at, size_t bytes);
/* What is there is not needed any more: pages that lie wholly in it go back to the system, where it takes them; what is
 * found there next is zeros or what was. Of any memory of the process's own. */
void wh_pages_rest(void *at, size_t bytes);
void wh_pages_give_back(wh_pages *pages);

#endif
