/* hear.c - the loop of live transcription: read a little, push it, pull what settled. See hear.h. */
#include <poll.h>
#include <time.h>

#include "common/hear.h"

#define CATCH_UP 0.5     /* seconds behind the clock */
#define MOST_AT_ONCE 5.0 /* seconds */

enum { BLOCK = 1024, RATE = 16000 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* All n samples; where the stream is full, words are pulled between. */
static int push(struct hearing *h, const float *samples, int64_t n)
{
    int rc = WHISP_OK;
    for (int64_t done = 0; done < n && rc == WHISP_OK;) {
        int64_t taken = whisp_stream_push(h->stream, samples + done, (size_t)(n - done));
        if (taken < 0)
            return (int)taken;
        done += taken;
        if (taken == 0)
            rc = h->settle(h->user);
    }
    h->heard += (double)n / RATE;
    return rc;
}

/* Sound that the clock has left behind waits: is it to be read before words are asked for? */
static int waits(const struct hearing *h, double started, double passed)
{
    struct pollfd more = {.fd = h->fd, .events = POLLIN};
    if (h->fd < 0 || now() - started - h->heard <= CATCH_UP)
        return 0;
    if (poll(&more, 1, 0) > 0 && (more.revents & POLLIN) && h->heard - passed < MOST_AT_ONCE)
        return 1;
    whisp_stream_catch_up(h->stream);
    return 0;
}

int hear(struct hearing *h)
{
    float samples[BLOCK];
    double started = now(), passed = 0.0;
    int64_t n;
    int rc = WHISP_OK;
    while (!h->stopped(h->user) && (n = whisp_audio_read(h->audio, samples, BLOCK)) != 0) {
        rc = n < 0 ? (int)n : push(h, samples, n);
        if (rc != WHISP_OK)
            return rc;
        if (waits(h, started, passed))
            continue;
        passed = h->heard;
        if ((rc = h->settle(h->user)) != WHISP_OK)
            return rc;
    }
    if (h->stopped(h->user))
        return WHISP_OK;
    rc = whisp_stream_finish(h->stream);
    return rc == WHISP_OK ? h->settle(h->user) : rc;
}
