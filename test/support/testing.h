/* testing.h - what the cmocka programs in test/ share: where data is, how to skip aloud, reading float dumps. */
#ifndef TESTING_H
#define TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

/* Path of a file under ../shared ($WHISP_SHARED overrides), e.g. shared_path("audio/jfk.flac"), or NULL with
 * "skipped: no ../shared" printed when the folder is not there. Static storage, a few calls deep. */
const char *shared_path(const char *relative);

/* Path of a model that `make models` made ("tiny.en", "base"): models/NAME.gguf or $WHISP_MODEL_DIR/NAME.gguf; NULL
 * with a line printed when it is not there. */
const char *model_path(const char *name);

/* Path of an invented model (random weights, tiny; test/python/invent.py), "invented" or "invented-multilingual", or of
 * speakers' voices, "invented-speakers" (34 MB; invent_speakers.py), in $WHISP_INVENTED or build/test; `make test-programs` makes them. */
const char *invented_path(const char *name);

/* Read a raw little-endian float32 file; fails the running test when it cannot. *n: number of floats. free() it. */
float *read_floats(const char *path, size_t *n);

/* Read a whole file, NUL-terminated; fails the running test when it cannot. free() it. */
char *read_file(const char *path, size_t *n);

/* A path in a fresh temporary folder of this process, removed at exit. Static storage, a few calls deep. */
const char *temp_path(const char *name);

/* Repeatable random numbers for tests: uniform in [0, 1). */
double random_unit(uint64_t *state);

/* Before a definition that results are compared with: plain loops, most of a sanitized test's time if they are watched. */
#define UNWATCHED __attribute__((no_sanitize_address, no_sanitize_undefined))

#endif
