/* plan.h - what a Whisper model of given dimensions consists of, and how each tensor will be stored. */
#ifndef CONVERT_PLAN_H
#define CONVERT_PLAN_H

#include "source.h"

struct planned {
    char name[80];
    int n_dims;
    int64_t shape[WH_MAX_DIMS];
    struct tensor *from; /* in the source, with this shape */
    wh_type type;        /* in the output */
    int is_scale;        /* the scales of the int8 tensor before it, which is of `from` too */
};

/* Take an output projection out of the source that is not one of its own. Says on `log` when numbers are left out. */
int plan_output(struct source *source, FILE *log);

/* All tensors in the output's order, each found in the source and checked. `type` is that of the big matrices. *list is
 * the caller's, free() it. */
int plan_make(struct source *source, wh_type type, struct planned **list, size_t *n);

/* The type that keeps a source's matrices as they are: its own if GGUF has it, else f16. */
wh_type plan_natural_type(const struct source *source);

#endif
