/* roster.c - the list of tasks that are not over, and what is counted of those that are. */
#include "roster.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "problem.h"

struct roster {
    pthread_mutex_t lock;
    pthread_cond_t empty;
    struct seat *seats;
    int most, most_a_client, is_closed;
    double busy_since;
    struct service_counts counts;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

struct roster *roster_new(int most, int most_a_client)
{
    struct roster *roster = calloc(1, sizeof *roster);
    if (!roster)
        return NULL;
    pthread_mutex_init(&roster->lock, NULL);
    pthread_cond_init(&roster->empty, NULL);
    roster->most = most;
    roster->most_a_client = most_a_client;
    return roster;
}

void roster_free(struct roster *roster)
{
    if (!roster)
        return;
    pthread_cond_destroy(&roster->empty);
    pthread_mutex_destroy(&roster->lock);
    free(roster);
}

void roster_close(struct roster *roster)
{
    pthread_mutex_lock(&roster->lock);
    roster->is_closed = 1;
    pthread_mutex_unlock(&roster->lock);
}

/* Under the lock. */
static int check(struct roster *roster, struct problem *problem)
{
    int code = 0;
    if (roster->is_closed)
        code = problem_say(problem, SERVICE_CLOSING, "The server is about to end");
    else if (roster->counts.tasks >= roster->most)
        code = problem_say(problem, SERVICE_FULL, "The queue is full (%d recordings); try again later", roster->most);
    roster->counts.refused += code != 0;
    return code;
}

int roster_check(struct roster *roster, struct problem *problem)
{
    pthread_mutex_lock(&roster->lock);
    int code = check(roster, problem);
    pthread_mutex_unlock(&roster->lock);
    return code;
}

/* Under the lock. Has this client as many as one may have? */
static int is_greedy(const struct roster *roster, const char *client)
{
    int n = 0;
    for (const struct seat *seat = roster->seats; seat; seat = seat->next)
        n += strcmp(seat->client, client) == 0;
    return *client && roster->most_a_client > 0 && n >= roster->most_a_client;
}

int roster_enter(struct roster *roster, struct seat *seat, struct problem *problem)
{
    pthread_mutex_lock(&roster->lock);
    int code = check(roster, problem);
    if (!code && is_greedy(roster, seat->client)) {
        code = problem_say(problem, SERVICE_GREEDY,
                           "You have %d recordings in the queue, which is the most; try again later",
                           roster->most_a_client);
        roster->counts.refused++;
    }
    if (!code) {
        if (roster->counts.tasks++ == 0)
            roster->busy_since = now();
        seat->before = NULL;
        seat->next = roster->seats;
        if (seat->next)
            seat->next->before = seat;
        roster->seats = seat;
    }
    pthread_mutex_unlock(&roster->lock);
    return code;
}

void roster_leave(struct roster *roster, struct seat *seat, int code, double seconds)
{
    pthread_mutex_lock(&roster->lock);
    struct service_counts *counts = &roster->counts;
    *(seat->before ? &seat->before->next : &roster->seats) = seat->next;
    if (seat->next)
        seat->next->before = seat->before;
    if (code == WHISP_OK) {
        counts->done++;
        counts->audio_seconds += seconds;
    } else {
        *(code == WHISP_ERR_CANCELLED ? &counts->cancelled : &counts->failed) += 1;
    }
    if (--counts->tasks == 0) {
        counts->busy_seconds += now() - roster->busy_since;
        pthread_cond_broadcast(&roster->empty);
    }
    pthread_mutex_unlock(&roster->lock);
}

void roster_each(struct roster *roster, void (*each)(void *user, struct seat *seat), void *user)
{
    pthread_mutex_lock(&roster->lock);
    for (struct seat *seat = roster->seats; seat; seat = seat->next)
        each(user, seat);
    pthread_mutex_unlock(&roster->lock);
}

void roster_wait(struct roster *roster)
{
    pthread_mutex_lock(&roster->lock);
    while (roster->counts.tasks > 0)
        pthread_cond_wait(&roster->empty, &roster->lock);
    pthread_mutex_unlock(&roster->lock);
}

void roster_count(struct roster *roster, struct service_counts *counts)
{
    pthread_mutex_lock(&roster->lock);
    *counts = roster->counts;
    if (counts->tasks > 0)
        counts->busy_seconds += now() - roster->busy_since;
    pthread_mutex_unlock(&roster->lock);
}
