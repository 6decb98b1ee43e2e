/* quota.h - who may be transcribed at a time, where recordings come and go: each has a place of its own, and one that
 * is cut has more for its parts while nobody else needs them. */
#ifndef WH_QUOTA_H
#define WH_QUOTA_H

#include <stdatomic.h>

#include "util/util.h"

typedef struct wh_quota wh_quota;

int wh_quota_new(int n, wh_quota **quota);
void wh_quota_free(wh_quota *quota);

/* A recording's place: wait for it, before any part of another one. 0: *stop is set. */
int wh_quota_take(wh_quota *quota, const atomic_int *stop);
void wh_quota_give(wh_quota *quota);

/* Between open and close a recording has parts; *parts is how many are being transcribed, 0 at first. open: an even share
 * of the places among those that have parts now, the most that this one should ever have. begin: wait until one more may
 * be, the first at its recording's place. 0: *stop is set. `quota` may be NULL for the other three: any number. */
int wh_quota_open(wh_quota *quota);
int wh_quota_begin(wh_quota *quota, int *parts, const atomic_int *stop);
void wh_quota_end(wh_quota *quota, int *parts);
void wh_quota_close(wh_quota *quota);

/* A stop flag was set. */
void wh_quota_nudge(wh_quota *quota);

#endif
