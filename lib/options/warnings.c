/* warnings.c - options that have no effect without others, as their rows say. What depends on the model or the recording
 * is lib/transcribe/option_warnings.c's. */
#include <string.h>

#include "options/row.h"

static int is_true(const wh_values *v, const wh_other_option *other)
{
    return *(const int *)((const char *)v + other->at);
}

void wh_options_warn(const whisp_options *options)
{
    const wh_values *v = &options->values;
    for (size_t i = 0; i < wh_n_options; i++) {
        const wh_option *o = &wh_options[i];
        if (strcmp(options->texts[i], o->info.initial) == 0)
            continue;
        if (o->needs.name && !is_true(v, &o->needs))
            wh_log(options, WHISP_LOG_WARNING, "%s has no effect without %s", o->info.name, o->needs.name);
        if (o->not_with.name && is_true(v, &o->not_with))
            wh_log(options, WHISP_LOG_WARNING, "%s has no effect with %s", o->info.name, o->not_with.name);
    }
}
