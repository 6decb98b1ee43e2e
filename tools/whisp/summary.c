/* summary.c - what is said when all recordings are done: which of several failed or were heard in part, and, after a
 * long run that wrote no file, how to get one. */
#include <stdlib.h>

#include "tool.h"

#define LONG_RUN 60.0 /* seconds */

int summary_begin(struct summary *summary, size_t n)
{
    *summary = (struct summary){.n = n, .list = calloc(n ? n : 1, sizeof *summary->list)};
    return summary->list ? CODE_DONE : note_memory();
}

void summary_add(struct summary *summary, const char *input, int code)
{
    if (code == CODE_FINE || code == CODE_DONE || summary->n_bad == summary->n)
        return;
    summary->list[summary->n_bad++] = (struct bad_input){input, code};
}

static void list(const struct summary *summary, const char *title, int in_part)
{
    size_t n = 0;
    for (size_t i = 0; i < summary->n_bad; i++)
        n += (summary->list[i].code == CODE_PART) == in_part;
    if (n > 0)
        note("%s: %zu of %zu recordings", title, n, summary->n);
    for (size_t i = 0; i < summary->n_bad; i++)
        if ((summary->list[i].code == CODE_PART) == in_part)
            note("    %s", summary->list[i].input);
}

void summary_print(const struct summary *summary)
{
    if (summary->n < 2)
        return;
    list(summary, "failed", 0);
    list(summary, "heard in part", 1);
}

void summary_free(struct summary *summary)
{
    free(summary->list);
}

const char *summary_hint(double seconds, int writes_files, int on_terminal)
{
    return seconds > LONG_RUN && !writes_files && on_terminal ? "no file was written; -f srt or -o FOLDER writes files"
                                                              : NULL;
}
