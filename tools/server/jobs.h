/* jobs.h - transcriptions in the background: a client gets an address, asks there how far it is, and fetches the answer. */
#ifndef SERVER_JOBS_H
#define SERVER_JOBS_H

#include "request.h"

struct jobs;

/* A job that is over is kept for so many seconds. NULL: no memory. */
struct jobs *jobs_new(int keep_seconds);
/* Begin one, for an owner (exchange_owner()). `ask` gives its task away. 0 and its name in `id`; or the problem's code. */
enum { JOB_ID = 33 };
int jobs_start(struct jobs *jobs, struct service *service, struct ask *ask, int owner, char id[JOB_ID],
               struct problem *problem);
/* Forget those that are too old. */
void jobs_tidy(struct jobs *jobs);
/* Every task must be over. */
void jobs_free(struct jobs *jobs);

#define JOBS_PATH "/v1/audio/jobs/"

#endif
