/* invented.c - a list of packages for a whisp-get that is tested: in the place of tools/get/parcels.c, whose wheels tests do
 * not fetch. $WHISP_PARCELS names a file of words, all of one model after the other: name, title, path, file, SHA-256, size,
 * and of each file in it folder, name, SHA-256 and key; "." ends them. test_get_packages.py writes it. */
#include <stdlib.h>
#include <string.h>

#include "get/get.h"

#define MOST_WORDS 64

static char words[MOST_WORDS][256];
static struct parcel list[4];
static size_t n_parcels;

static void read_list(void)
{
    const char *path = getenv("WHISP_PARCELS");
    FILE *file = path ? fopen(path, "r") : NULL;
    size_t n = 0, at = 0;
    while (file && n < MOST_WORDS && fscanf(file, "%255s", words[n]) == 1)
        n++;
    if (file)
        fclose(file);
    for (n_parcels = 0; n_parcels < WH_COUNT(list) && at + 6 <= n; n_parcels++, at++) {
        struct parcel *p = &list[n_parcels];
        *p = (struct parcel){.name = words[at],
                             .title = words[at + 1],
                             .path = words[at + 2],
                             .file = words[at + 3],
                             .sha256 = words[at + 4],
                             .size = atoll(words[at + 5]),
                             .made = atoll(words[at + 5])};
        at += 6;
        for (size_t k = 0; k < MOST_MEMBERS && at + 4 <= n && strcmp(words[at], ".") != 0; k++, at += 4)
            p->members[k] = (struct member){words[at], words[at + 1], words[at + 2], words[at + 3]};
    }
}

const struct parcel *parcel_at(size_t i)
{
    if (!n_parcels)
        read_list();
    return i < n_parcels ? &list[i] : NULL;
}
