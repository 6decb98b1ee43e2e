/* page.h - page.html as tools/embed makes C of it. */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

extern const unsigned char page_html[]; /* [page_html_size] */
extern const unsigned long page_html_size;
extern const char page_html_policy[]; /* its Content-Security-Policy */

#endif
