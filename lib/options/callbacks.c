/* callbacks.c - what a caller is told: the list of options, and the callbacks that are set with them. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "options/row.h"

static const whisp_option_info *list[WH_MAX_OPTIONS];
static pthread_once_t list_made = PTHREAD_ONCE_INIT;

static void make_list(void)
{
    for (size_t i = 0; i < wh_n_options; i++)
        list[i] = &wh_options[i].info;
}

const whisp_option_info *const *whisp_option_list(size_t *n)
{
    pthread_once(&list_made, make_list);
    if (n)
        *n = wh_n_options;
    return list;
}

int whisp_options_on(whisp_options *options, const whisp_callbacks *callbacks)
{
    if (!options)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_options_on: options is NULL");
    whisp_callbacks all;
    int rc = wh_callbacks_read(callbacks, &all);
    if (rc)
        return rc;
    options->log = all.log;
    options->progress = all.progress;
    options->segment = all.segment;
    options->cancel = all.cancel;
    options->journal = all.journal;
    options->part = all.part;
    options->log_user = options->progress_user = options->segment_user = all.user;
    options->cancel_user = options->journal_user = options->part_user = all.user;
    return WHISP_OK;
}

int wh_callbacks_read(const whisp_callbacks *given, whisp_callbacks *all)
{
    memset(all, 0, sizeof *all);
    if (given && given->size < sizeof given->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "set whisp_callbacks.size to sizeof(whisp_callbacks) first");
    if (given)
        memcpy(all, given, WH_MIN(given->size, sizeof *all));
    return WHISP_OK;
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
