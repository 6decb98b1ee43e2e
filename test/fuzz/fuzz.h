/* fuzz.h - what the fuzz targets (test/fuzz/fuzz_NAME.c) share.
 *
 * A target is LLVMFuzzerTestOneInput(): by clang it is linked with libFuzzer, which calls it with bytes of its own
 * invention; else with driver.c, which calls it with files. LLVMFuzzerCustomMutator() is how libFuzzer asks a target
 * for a change that its format understands. docs/testing.md tells how to run them. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
/* libFuzzer's, or driver.c's: change `size` of `max_size` bytes anyhow; how many there are then. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* What an input chooses by its bytes' sum (fuzz_way) is done in every way: without libFuzzer there is only one try. */
extern int fuzz_every_way;

/* What must be so whatever the input is. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* With FUZZ_SAY in the environment: print what a call that gave `rc` said. For who wonders how far inputs come. */
void fuzz_say(int rc);

/* ---- inputs as streams of choices (fuzz.c) ---- */

/* Numbers taken from the front of an input; zeros behind its end. */
typedef struct fuzz_input {
    const uint8_t *data;
    size_t n;
} fuzz_input;

unsigned fuzz_u8(fuzz_input *input);
uint32_t fuzz_u32(fuzz_input *input);
/* 0 .. n - 1, from one or (n above 256) two bytes. */
unsigned fuzz_below(fuzz_input *input, unsigned n);
/* A string of at most `most` bytes, preceded by its length; free() it. A NUL ends it. */
char *fuzz_text(fuzz_input *input, size_t most);
/* All that is left, as a string; free() it. */
char *fuzz_rest(fuzz_input *input);

/* ---- mutations (fuzz.c) ---- */

/* Repeatable random numbers: 0 .. n - 1. */
size_t fuzz_random(uint64_t *state, size_t n);
/* A number that programs stumble over, or any, or a small change of `old`. */
uint64_t fuzz_number(uint64_t *state, uint64_t old);
/* It, at `at`, of n bytes (1, 2, 4, 8) little endian, or big. */
void fuzz_put(uint8_t *at, size_t n, uint64_t number, int is_big);
uint64_t fuzz_get(const uint8_t *at, size_t n, int is_big);
/* n bytes at `at` of an input of *size bytes become `with`[n_with]; 0 where they do not fit. */
int fuzz_splice(uint8_t *data, size_t *size, size_t max_size, size_t at, size_t n, const void *with, size_t n_with);

/* The way that belongs to an input: any number, always the same. */
unsigned fuzz_way(const uint8_t *data, size_t size);

/* A number of 1, 2, 4 or 8 bytes somewhere, mostly near the beginning, becomes another. */
size_t fuzz_mutate_number(uint8_t *data, size_t size, size_t max_size, uint64_t *seed);
/* One change of a GGUF file: a count, a value, a length, a tensor's type, dimension or place, a part twice. */
size_t fuzz_mutate_gguf(uint8_t *data, size_t size, size_t max_size, uint64_t *seed);
/* One change of JSON text: a number, a string, a bracket more or less, a member twice, a deep nest. */
size_t fuzz_mutate_json(uint8_t *data, size_t size, size_t max_size, uint64_t *seed);

/* ---- inputs that stand for several files (files.c) ---- */

/* An input is a row of "NAME LENGTH\n" and so many bytes. NAME of letters, digits, '.', '_', '-': a file. NAME!ENTRY: an
 * entry of the zip archive NAME, whose checksums are right. Runs of zeros are written as FUZZ_ZEROS and a 32-bit
 * number. */
#define FUZZ_MOST_FILES 64
#define FUZZ_ZEROS "\xf5ZRO"

typedef struct fuzz_file {
    char name[64];
    const uint8_t *data;
    size_t n;
} fuzz_file;

/* How many there are. What is no such row is one file named `alone`. */
size_t fuzz_unpack(const uint8_t *data, size_t size, const char *alone, fuzz_file *files);
/* Write them into `folder`; fuzz_files_remove() removes them. */
void fuzz_files_write(const char *folder, const fuzz_file *files, size_t n);
void fuzz_files_remove(const char *folder, const fuzz_file *files, size_t n);

/* Change one of the files by `change`, which is told its name, or all of them. */
typedef size_t (*fuzz_change)(const char *name, uint8_t *data, size_t size, size_t max_size, uint64_t *seed);
size_t fuzz_mutate_files(uint8_t *data, size_t size, size_t max_size, unsigned seed, const char *alone,
                         fuzz_change change);

/* The change that fits what a file of that name holds: JSON, a pickle, ... (changes.c) */
size_t fuzz_change_file(const char *name, uint8_t *data, size_t size, size_t max_size, uint64_t *seed);

/* A folder of this process, in memory where there is such a file system; removed at exit. */
const char *fuzz_folder(void);
/* FOLDER/NAME; static storage, a few calls deep. */
const char *fuzz_path(const char *name);

/* ---- whisp-convert (convert.c) ---- */

/* Write the files that an input stands for (fuzz_unpack; `alone` too), convert `input`, "." for all of them, as
 * tools/convert/main.c does, with vocab.json for the vocabulary if that is among them and the input is not the folder.
 * What was written can be opened; an error has a text; nothing is left. */
void fuzz_convert(const uint8_t *data, size_t size, const char *input, const char *alone);

/* A target of one reader. */
#define FUZZ_CONVERT(input, alone)                                                                                     \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                                       \
    {                                                                                                                  \
        fuzz_convert(data, size, input, alone);                                                                        \
        return 0;                                                                                                      \
    }                                                                                                                  \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)                     \
    {                                                                                                                  \
        return fuzz_mutate_files(data, size, max_size, seed, alone, fuzz_change_file);                                 \
    }

/* ---- recordings (hear.c) ---- */

/* Open and decode the bytes: as memory, as a reader that seeks or does not, with the resampler or (mostly) without, as
 * `way` (any number) says. Where a recording is jumped in, the samples must be those of the first reading. */
void fuzz_hear(const uint8_t *data, size_t size, unsigned way);
/* In the way that belongs to the input; or in many of them. */
void fuzz_hear_input(const uint8_t *data, size_t size);

/* One change of a recording, whatever container it is: sizes and numbers of chunks, pages and frames, pieces that are
 * there twice or not at all; checksums are put right mostly (mutate_audio.c). */
size_t fuzz_mutate_audio(uint8_t *data, size_t size, size_t max_size, uint64_t *seed);

/* A target of recordings. */
#define FUZZ_AUDIO                                                                                                     \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                                       \
    {                                                                                                                  \
        fuzz_hear_input(data, size);                                                                                   \
        return 0;                                                                                                      \
    }                                                                                                                  \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)                     \
    {                                                                                                                  \
        uint64_t random = seed;                                                                                        \
        return fuzz_mutate_audio(data, size, max_size, &random);                                                       \
    }

/* ---- a small model (model.c) ---- */

typedef struct whisp_model whisp_model;

/* The dimensions of an invented model, of 1,500 positions and the least vocabulary. */
typedef struct fuzz_dims {
    int state, audio_heads, text_heads, audio_layers, text_layers, mels, text_ctx, n_vocab, multilingual;
    int types[4]; /* of the matrices by turns; wh_type */
    uint32_t seed;
} fuzz_dims;

typedef struct fuzz_bytes {
    uint8_t *data; /* [n], aligned to 64 bytes; free() it */
    size_t n;
} fuzz_bytes;

/* What its file says of one tensor and of one number of the metadata, instead of what is so. */
typedef struct fuzz_changes {
    int tensor, field; /* of which tensor (-1: none) the type (0), the number of dimensions (1), a dimension (2 ..) or
                          the place (6) is `value` */
    uint64_t value;
    int key; /* which number (-1: none) is `number` */
    uint64_t number;
} fuzz_changes;

/* `changes` may be NULL. */
void fuzz_model_bytes(const fuzz_dims *dims, const fuzz_changes *changes, fuzz_bytes *bytes);

/* One for all calls: of 4 channels, a head and a layer; and one whose windows have 6 positions instead of 1,500, which
 * only lib/backend and lib/search can use. */
const whisp_model *fuzz_small_model(void);
const whisp_model *fuzz_short_model(void);

#endif
