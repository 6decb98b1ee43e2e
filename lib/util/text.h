/* text.h - what several rooms ask of a text: white space at its ends, and whether a sentence ends with it. */
#ifndef WH_TEXT_H
#define WH_TEXT_H

#include <stddef.h>

/* Move *text and *n past white space at both ends of n bytes of UTF-8: Unicode's, as Python's str.strip() knows it. */
void wh_strip(const char **text, size_t *n);

/* Does a sentence end with these n bytes of UTF-8? A full stop, question or exclamation mark or ellipsis, with quotation
 * marks, closing brackets and spaces behind it or not. */
int wh_is_sentence_end(const char *text, size_t n);

#endif
