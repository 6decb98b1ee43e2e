/* edit.h - the table of edit distances (Levenshtein 1966; Wagner and Fischer 1974), row by row, for lists of anything.
 *
 * The distances of lib/search/near.c (weighted, along a tree of terms) and of the alignment of a given text (nothing is
 * replaced, and where it begins is open) are other ones. */
#ifndef WH_EDIT_H
#define WH_EDIT_H

#include <stddef.h>

/* Is element i of one list element j of the other? */
typedef int (*wh_same_fn)(const void *user, size_t i, size_t j);

/* Row i of the table: row[j], j = 0 .. m, is the least number of elements to leave out, put in or replace that makes
 * the first i of one list the first j of the other. `above` is row i - 1 and may be `row` itself; NULL for row 0. */
void wh_edit_row(size_t i, const unsigned *above, unsigned *row, size_t m, wh_same_fn same, const void *user);

#endif
