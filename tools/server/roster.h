/* roster.h - the tasks that are not over: how many there may be, and counters. Under tasks.c and service.c. */
#ifndef SERVER_ROSTER_H
#define SERVER_ROSTER_H

#include "service.h"

/* A task's place on the list: its first member. */
struct seat {
    struct seat *next, *before;
    char client[SERVICE_CLIENT];
};

struct roster;

/* Of so many, and so many of one client (0: no bound). NULL: no memory. */
struct roster *roster_new(int most, int most_a_client);
void roster_free(struct roster *roster);
/* Nobody enters any more. */
void roster_close(struct roster *roster);
/* 0, or why nobody may enter now, which is counted as refused. */
int roster_check(struct roster *roster, struct problem *problem);
int roster_enter(struct roster *roster, struct seat *seat, struct problem *problem);
/* It is over, with a code, and `seconds` of sound. */
void roster_leave(struct roster *roster, struct seat *seat, int code, double seconds);
/* Call `each` for all, under the lock. */
void roster_each(struct roster *roster, void (*each)(void *user, struct seat *seat), void *user);
/* Wait until all are over. */
void roster_wait(struct roster *roster);
/* All counters but `models`. */
void roster_count(struct roster *roster, struct service_counts *counts);

#endif
