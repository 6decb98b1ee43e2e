/* text.h - Unicode white space, as Python's str.strip() and str.isspace() know it. */
#ifndef WH_TEXT_H
#define WH_TEXT_H

#include <stddef.h>

/* Move *text and *n past white space at both ends of n bytes of UTF-8. */
void wh_strip(const char **text, size_t *n);

#endif
