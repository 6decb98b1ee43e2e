/* quota.c - who may be transcribed at a time (see quota.h). */
#include "transcribe/quota.h"

#include <pthread.h>
#include <stdlib.h>

struct wh_quota {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int n, free;
    int waiting; /* recordings */
    int cut;     /* recordings that have parts */
};

int wh_quota_new(int n, wh_quota **quota)
{
    wh_quota *p = *quota = wh_calloc(1, sizeof *p);
    if (!p)
        return wh_fail_memory();
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->n = p->free = n;
    return WHISP_OK;
}

void wh_quota_free(wh_quota *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->changed);
    free(p);
}

int wh_quota_take(wh_quota *p, const atomic_int *stop)
{
    pthread_mutex_lock(&p->mutex);
    p->waiting++;
    while (p->free == 0 && !atomic_load(stop))
        pthread_cond_wait(&p->changed, &p->mutex);
    p->waiting--;
    int taken = !atomic_load(stop);
    p->free -= taken;
    pthread_cond_broadcast(&p->changed); /* parts may have waited for this recording only */
    pthread_mutex_unlock(&p->mutex);
    return taken;
}

void wh_quota_give(wh_quota *p)
{
    pthread_mutex_lock(&p->mutex);
    p->free++;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

static int even_share(const wh_quota *p)
{
    return WH_MAX(1, p->n / WH_MAX(1, p->cut));
}

/* Its own place for the first; then what is free, up to an even share. */
static int may_begin(const wh_quota *p, int parts)
{
    return parts == 0 || (p->free > 0 && p->waiting == 0 && parts < even_share(p));
}

int wh_quota_begin(wh_quota *p, int *parts, const atomic_int *stop)
{
    if (!p)
        return 1;
    pthread_mutex_lock(&p->mutex);
    while (!may_begin(p, *parts) && !atomic_load(stop))
        pthread_cond_wait(&p->changed, &p->mutex);
    int begun = !atomic_load(stop);
    if (begun)
        p->free -= (*parts)++ > 0;
    pthread_mutex_unlock(&p->mutex);
    return begun;
}

void wh_quota_end(wh_quota *p, int *parts)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mutex);
    p->free += --*parts > 0;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

int wh_quota_open(wh_quota *p)
{
    pthread_mutex_lock(&p->mutex);
    p->cut++;
    int share = even_share(p);
    pthread_mutex_unlock(&p->mutex);
    return share;
}

void wh_quota_close(wh_quota *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mutex);
    p->cut--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

void wh_quota_nudge(wh_quota *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}
