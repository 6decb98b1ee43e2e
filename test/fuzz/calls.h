/* calls.h - what the targets of the public calls share: samples, and options by choice. */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include "fuzz.h"

#include "whisp.h"

/* n samples of noise and silence by turns, some of them no numbers if the input says so; the same for the same choice.
 * Static storage, [FUZZ_SAMPLES]. */
#define FUZZ_SAMPLES 80000
const float *fuzz_samples(fuzz_input *input, size_t *n);

/* Options that the input chooses: of the rows that keep a window short, some get other values. free with
 * whisp_options_free(). */
whisp_options *fuzz_choose_options(fuzz_input *input);

/* Called now and then: whether to stop, as the input chose. */
typedef struct fuzz_cancel {
    int after; /* so many questions; negative: never */
} fuzz_cancel;
void fuzz_set_cancel(whisp_options *options, fuzz_input *input, fuzz_cancel *cancel);

#endif
