/* options.c - whisp_options: values by name, from text, checked as the table's rows say (see row.h). */
#include <stdlib.h>
#include <string.h>

#include "options/row.h"

static int find_option(const char *name, size_t *i)
{
    for (*i = 0; *i < wh_n_options; (*i)++)
        if (strcmp(wh_options[*i].info.name, name) == 0)
            return 1;
    return 0;
}

int whisp_options_set(whisp_options *options, const char *name, const char *value)
{
    size_t i;
    if (!options || !name || !value)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_options_set: an argument is NULL");
    if (!find_option(name, &i))
        return wh_fail(WHISP_ERR_ARGUMENT, "there is no option '%s'", name);
    char *text = strdup(value);
    if (!text)
        return wh_fail_memory();
    wh_values values = options->values;
    int rc = wh_options[i].parse(&wh_options[i], text, &values);
    if (rc) {
        free(text);
        return rc;
    }
    if (values.backend_given && values.compute_given) /* from the moment on when all have their defaults */
        wh_settle_device(&values);
    options->values = values;
    free(options->texts[i]);
    options->texts[i] = text;
    return WHISP_OK;
}

const char *whisp_options_get(const whisp_options *options, const char *name)
{
    size_t i;
    return options && name && find_option(name, &i) ? options->texts[i] : NULL;
}

whisp_options *whisp_options_new(void)
{
    whisp_options *options = wh_calloc(1, sizeof *options);
    if (!options) {
        wh_fail_memory();
        return NULL;
    }
    for (size_t i = 0; i < wh_n_options; i++)
        if (whisp_options_set(options, wh_options[i].info.name, wh_options[i].info.initial)) {
            whisp_options_free(options);
            return NULL;
        }
    options->values.temperature_given = options->values.increment_given = 0;
    return options;
}

void whisp_options_free(whisp_options *options)
{
    if (!options)
        return;
    for (size_t i = 0; i < wh_n_options; i++)
        free(options->texts[i]);
    free(options);
}

whisp_options *wh_options_copy(const whisp_options *options)
{
    whisp_options *copy = whisp_options_new();
    if (!copy || !options)
        return copy;
    for (size_t i = 0; i < wh_n_options; i++)
        if (whisp_options_set(copy, wh_options[i].info.name, options->texts[i])) {
            whisp_options_free(copy);
            return NULL;
        }
    copy->values.temperature_given = options->values.temperature_given;
    copy->values.increment_given = options->values.increment_given;
    copy->log = options->log;
    copy->progress = options->progress;
    copy->segment = options->segment;
    copy->cancel = options->cancel;
    copy->journal = options->journal;
    copy->part = options->part;
    copy->log_user = options->log_user;
    copy->progress_user = options->progress_user;
    copy->segment_user = options->segment_user;
    copy->cancel_user = options->cancel_user;
    copy->journal_user = options->journal_user;
    copy->part_user = options->part_user;
    return copy;
}

/* A line end in a value becomes two characters, and so does what stands for it. */
static void put_value(wh_buf *text, const char *value)
{
    for (const char *p = value; *p; p++)
        wh_buf_append(text, *p == '\n' ? "\\n" : *p == '\\' ? "\\\\" : p, *p == '\n' || *p == '\\' ? 2 : 1);
}

void wh_options_put(const whisp_options *options, wh_buf *text)
{
    for (size_t i = 0; i < wh_n_options; i++) {
        if (wh_options[i].same_words)
            continue;
        wh_buf_printf(text, "option %s=", wh_options[i].info.name);
        put_value(text, options->texts[i]);
        wh_buf_puts(text, "\n");
    }
}
