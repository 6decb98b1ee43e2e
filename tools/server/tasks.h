/* tasks.h - what a service is made of, for tasks.c (a task's way) and service.c; others know service.h. */
#ifndef SERVER_TASKS_H
#define SERVER_TASKS_H

#include <pthread.h>
#include <stdatomic.h>

#include "models.h"
#include "roster.h"

struct service {
    struct models *models;
    struct roster *roster;
    whisp_options *options;
    whisp_log_fn log;
    void *log_user;
    atomic_int is_ready;
    pthread_mutex_t detecting; /* a session at a time looks for a language */
};

/* What a queue has for a task, its `user`. */
void tasks_event(void *user, const whisp_event *event);
void tasks_cancel_all(struct roster *roster);

#endif
