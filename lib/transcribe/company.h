/* company.h - those with whom a session shares its backend: what jobs.c gives to the sessions that it makes, and batch.c
 * uses where one of their recordings is cut. */
#ifndef WH_COMPANY_H
#define WH_COMPANY_H

#include "backend/multiplex.h"
#include "transcribe/quota.h"

typedef struct wh_company {
    wh_multiplex *multiplex;  /* the session's backend is a view of it */
    wh_quota *quota;          /* of the recordings and their parts */
    struct wh_shared *shared; /* what those with option diarize have in common */
} wh_company;

/* Nets and voices, loaded once for all who ask for the same. (speakers.c) */
typedef struct wh_shared wh_shared;
int wh_shared_new(wh_shared **shared);
void wh_shared_free(wh_shared *shared);

#endif
