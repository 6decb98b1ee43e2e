/* callbacks.c - what a caller is told: the list of options, and the callbacks that are set with them. */
#include <pthread.h>
#include <stdio.h>

#include "options/row.h"

static whisp_option_info list[WH_MAX_OPTIONS];
static pthread_once_t list_made = PTHREAD_ONCE_INIT;

static void make_list(void)
{
    for (size_t i = 0; i < wh_n_options; i++)
        list[i] = wh_options[i].info;
}

const whisp_option_info *whisp_option_list(size_t *n)
{
    pthread_once(&list_made, make_list);
    if (n)
        *n = wh_n_options;
    return list;
}

void whisp_options_on_log(whisp_options *options, whisp_log_fn fn, void *user)
{
    options->log = fn;
    options->log_user = user;
}

void whisp_options_on_progress(whisp_options *options, whisp_progress_fn fn, void *user)
{
    options->progress = fn;
    options->progress_user = user;
}

void whisp_options_on_segment(whisp_options *options, whisp_segment_fn fn, void *user)
{
    options->segment = fn;
    options->segment_user = user;
}

void whisp_options_on_cancel(whisp_options *options, whisp_cancel_fn fn, void *user)
{
    options->cancel = fn;
    options->cancel_user = user;
}

int wh_check_cancel(const whisp_options *options)
{
    if (options->cancel && options->cancel(options->cancel_user))
        return wh_fail(WHISP_ERR_CANCELLED, "cancelled");
    return WHISP_OK;
}

void wh_log(const whisp_options *options, int level, const char *format, ...)
{
    if (!options->log)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    options->log(options->log_user, level, text);
}
