/* edit.c - see edit.h. Used where words heard twice are laid beside each other: lib/confidence, live transcription. */
#include "util/edit.h"

#include "util/util.h"

void wh_edit_row(size_t i, const unsigned *above, unsigned *row, size_t m, wh_same_fn same, const void *user)
{
    unsigned diagonal = above ? above[0] : 0;
    row[0] = (unsigned)i;
    for (size_t j = 1; j <= m; j++) {
        unsigned left = row[j - 1] + 1;
        if (!above) {
            row[j] = left;
            continue;
        }
        unsigned up = above[j], replaced = diagonal + !same(user, i - 1, j - 1);
        row[j] = WH_MIN(replaced, WH_MIN(left, up + 1));
        diagonal = up;
    }
}
