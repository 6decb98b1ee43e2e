/* convert.c - whisp-convert's way from a checkpoint to a GGUF file, for the targets of its readers (see fuzz.h). */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#include "../tools/convert/heads.h"
#include "../tools/convert/output.h"
#include "../tools/convert/plan.h"
#include "../tools/convert/silero.h"
#include "../tools/convert/speakers.h"
#include "../tools/convert/vocab.h"

#define MOST_STATE 64 /* channels and layers of models that are written, for speed */
#define MOST_LAYERS 4

static int write_model(struct source *s, const char *heads, unsigned choice, FILE *log)
{
    static const wh_type types[] = {WH_F32, WH_F16, WH_BF16, WH_Q8_0, WH_I8};
    char name[256];
    int rc = heads_complete(s, heads, choice & 8 ? "large-v2" : NULL, log);
    if (rc || (rc = plan_output(s, log)))
        return rc;
    heads_name(s, NULL, name, sizeof name);
    wh_type type = choice % 7 < WH_COUNT(types) ? types[choice % 7] : plan_natural_type(s);
    const struct dims *d = &s->dims;
    if (choice % 7 == 6 || d->n_text_state > MOST_STATE || d->n_audio_layer > MOST_LAYERS ||
        d->n_text_layer > MOST_LAYERS)
        return WHISP_OK;
    return output_write(s, fuzz_path("out.gguf"), type, name);
}

static int convert(const char *input, const char *vocab, unsigned choice)
{
    static const char *const heads[] = {"None", "0.0", "0.0,0.1 1.0", "99.99"};
    static FILE *quiet;
    struct source s;
    if (!quiet)
        FUZZ_CHECK((quiet = fopen("/dev/null", "w")));
    int rc = source_open(fuzz_path(input), &s);
    if (rc)
        return rc;
    if (s.kind == SOURCE_VAD)
        rc = silero_write(&s, fuzz_path("out.gguf"), "silero-vad");
    else if (s.kind == SOURCE_SPEAKERS)
        rc = speakers_write(&s, fuzz_path("out.gguf"), "speakers");
    else if (!(rc = vocab_complete(&s, vocab ? fuzz_path(vocab) : NULL, fuzz_folder(), quiet)))
        rc = write_model(&s, choice & 48 ? NULL : heads[choice / 64 % WH_COUNT(heads)], choice, quiet);
    source_close(&s);
    return rc;
}

void fuzz_convert(const uint8_t *data, size_t size, const char *input, const char *alone)
{
    fuzz_file files[FUZZ_MOST_FILES];
    size_t n = fuzz_unpack(data, size, alone, files);
    int has_vocab = 0;
    wh_gguf *gguf;
    fuzz_files_write(fuzz_folder(), files, n);
    for (size_t i = 0; i < n; i++)
        has_vocab |= strcmp(files[i].name, "vocab.json") == 0;
    int rc = convert(input, has_vocab && strcmp(input, ".") ? "vocab.json" : NULL, fuzz_way(data, size));
    fuzz_say(rc);
    FUZZ_CHECK(rc <= 0 && (!rc || strlen(whisp_last_error()) > 10));
    const char *out = fuzz_path("out.gguf");
    FUZZ_CHECK(!rc || access(out, F_OK) != 0);
    if (access(out, F_OK) == 0) {
        FUZZ_CHECK(wh_gguf_open(out, &gguf) == WHISP_OK);
        wh_gguf_close(gguf);
        unlink(out);
    }
    fuzz_files_remove(fuzz_folder(), files, n);
}
