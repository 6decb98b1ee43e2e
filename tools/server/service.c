/* service.c - the parts of a service together: its models, the roster of its tasks, loans. */
#include "service.h"

#include <stdlib.h>

#include "problem.h"
#include "recording.h"
#include "tasks.h"

struct loan {
    struct entry *entry;
};

int service_new(const struct service_settings *settings, struct service **out, struct problem *problem)
{
    struct service *service = *out = calloc(1, sizeof *service);
    if (!service)
        return problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
    pthread_mutex_init(&service->detecting, NULL);
    int most = settings->most_tasks < WHISP_QUEUE_MOST ? settings->most_tasks : WHISP_QUEUE_MOST;
    service->roster = roster_new(most, settings->most_a_client);
    service->log = settings->log;
    service->log_user = settings->log_user;
    service->options = options_copy(settings->options);
    recording_setup(settings->most_children);
    int code = service->roster && service->options ? models_new(settings, tasks_event, &service->models, problem)
                                                   : problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
    if (code) {
        service_free(service);
        *out = NULL;
    }
    return code;
}

int service_load(struct service *service, struct problem *problem)
{
    int code = models_load_first(service->models, problem);
    if (!code)
        atomic_store(&service->is_ready, 1);
    return code;
}

int service_is_ready(struct service *service)
{
    return atomic_load(&service->is_ready);
}

void service_tidy(struct service *service)
{
    models_tidy(service->models);
}

void service_close(struct service *service)
{
    roster_close(service->roster);
}

int service_check(struct service *service, struct problem *problem)
{
    return roster_check(service->roster, problem);
}

int service_busy(struct service *service)
{
    struct service_counts counts;
    service_count(service, &counts);
    return counts.tasks;
}

void service_cancel_all(struct service *service)
{
    tasks_cancel_all(service->roster);
}

void service_free(struct service *service)
{
    if (!service)
        return;
    if (service->roster) {
        service_close(service);
        service_cancel_all(service);
        roster_wait(service->roster);
    }
    models_free(service->models);
    roster_free(service->roster);
    whisp_options_free(service->options);
    pthread_mutex_destroy(&service->detecting);
    free(service);
}

void service_reload(struct service *service)
{
    models_reload(service->models);
}

whisp_options *service_options(struct service *service)
{
    return options_copy(service->options);
}

int service_find(struct service *service, const char *name, char **known, struct problem *problem)
{
    char *found;
    int code = models_resolve(service->models, name, &found, problem);
    if (known)
        *known = found;
    else
        free(found);
    return code;
}

void service_list(struct service *service, void (*each)(void *user, const char *name, int64_t created), void *user)
{
    models_list(service->models, each, user);
}

void service_count(struct service *service, struct service_counts *counts)
{
    roster_count(service->roster, counts);
    counts->models = models_loaded(service->models);
}

/* ---- loans ---- */

int service_borrow(struct service *service, const char *name, const whisp_model **model, struct loan **loan,
                   struct problem *problem)
{
    struct loan *l = *loan = calloc(1, sizeof *l);
    *model = NULL;
    if (!l)
        return problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
    int code = models_take(service->models, name, &l->entry, problem);
    if (code) {
        free(l);
        *loan = NULL;
        return code;
    }
    *model = entry_model(l->entry);
    return 0;
}

void service_return(struct loan *loan)
{
    if (!loan)
        return;
    models_give(loan->entry);
    free(loan);
}
