/* suggest.c - the option that somebody probably meant: the nearest name by edits. */
#include <string.h>

#include "tool.h"

enum { LONGEST = 63 }; /* names longer than this are nobody's typing error */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b: the restricted Damerau-Levenshtein
 * distance, by rows. */
static int edits(const char *a, const char *b)
{
    int length_a = (int)strlen(a), length_b = (int)strlen(b);
    int rows[3][LONGEST + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];
    for (int j = 0; j <= length_b; j++)
        last[j] = j;
    for (int i = 1; i <= length_a; i++) {
        row[0] = i;
        for (int j = 1; j <= length_b; j++) {
            row[j] = smaller(last[j - 1] + (a[i - 1] != b[j - 1]), smaller(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
        int *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[length_b];
}

struct candidate {
    const char *name;
    int distance;
};

static void consider(struct candidate *best, const char *typed, const char *name)
{
    if (strlen(name) > LONGEST)
        return;
    /* The beginning of a name, as getopt and argparse would take it, is as good as one wrong letter. */
    int distance = strncmp(typed, name, strlen(typed)) == 0 ? 1 : edits(typed, name);
    if (distance < best->distance)
        *best = (struct candidate){name, distance};
}

/* The best of all options that are nearer than `best`. */
static const char *search(const char *name, struct candidate best)
{
    char typed[LONGEST + 1];
    size_t length = strlen(name), n;
    if (length > LONGEST)
        return NULL;
    for (size_t i = 0; i <= length; i++)
        typed[i] = name[i] == '-' ? '_' : name[i];

    for (size_t i = 0; i < N_OWN; i++)
        consider(&best, typed, own_options[i].info.name);
    const whisp_option_info *const *list = whisp_option_list(&n);
    for (size_t i = 0; i < n; i++)
        consider(&best, typed, list[i]->name);
    return best.name;
}

const char *suggest_option(const char *name)
{
    return strlen(name) < 2 ? NULL : search(name, (struct candidate){NULL, 2 + (int)strlen(name) / 4});
}

const char *suggest_beginning(const char *name)
{
    const char *near = strlen(name) < 3 ? NULL : search(name, (struct candidate){NULL, 2});
    return near && strncmp(near, name, 3) == 0 ? near : NULL;
}
