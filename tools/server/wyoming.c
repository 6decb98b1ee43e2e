/* wyoming.c - the Wyoming protocol's port: one thread that accepts, one a client (satellite.c), of whom there are a bounded
 * number; who comes beyond it is let in when somebody leaves. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "satellite.h"
#include "wyoming.h"

struct client {
    struct client *next;
    struct wyoming *wyoming;
    int socket;
};

struct wyoming {
    struct satellite_terms terms;
    int listening, wake; /* wake: an eventfd for the thread that accepts */
    int most;
    pthread_t thread;
    atomic_int is_closing, is_over;
    pthread_mutex_t lock;
    pthread_cond_t left;
    struct client *clients; /* with the lock */
    int n;
};

static void leave(struct client *client)
{
    struct wyoming *w = client->wyoming;
    pthread_mutex_lock(&w->lock);
    struct client **at = &w->clients;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    close(client->socket);
    w->n--;
    pthread_cond_broadcast(&w->left);
    pthread_mutex_unlock(&w->lock);
    free(client);
}

static void *serve(void *user)
{
    struct client *client = user;
    satellite_serve(&client->wyoming->terms, client->socket);
    leave(client);
    return NULL;
}

/* A thread for a client. Where there is none, he is sent away. */
static void enter(struct wyoming *w, int socket)
{
    pthread_t thread;
    struct client *client = calloc(1, sizeof *client);
    if (!client) {
        close(socket);
        return;
    }
    *client = (struct client){.wyoming = w, .socket = socket};
    pthread_mutex_lock(&w->lock);
    client->next = w->clients;
    w->clients = client;
    w->n++;
    pthread_mutex_unlock(&w->lock);
    if (pthread_create(&thread, NULL, serve, client) == 0)
        pthread_detach(thread);
    else
        leave(client);
}

/* Wait until there is a place. Nonzero: nobody more is let in. */
static int wait_for_place(struct wyoming *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->n >= w->most && !w->is_closing)
        pthread_cond_wait(&w->left, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return w->is_closing;
}

static void *accept_clients(void *user)
{
    struct wyoming *w = user;
    while (!wait_for_place(w)) {
        struct pollfd either[2] = {{.fd = w->listening, .events = POLLIN}, {.fd = w->wake, .events = POLLIN}};
        if (poll(either, 2, -1) <= 0 || either[1].revents || !either[0].revents)
            continue;
        int socket = accept4(w->listening, NULL, NULL, SOCK_CLOEXEC);
        if (socket >= 0)
            enter(w, socket);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            poll(NULL, 0, 100); /* somebody will leave */
    }
    return NULL;
}

struct wyoming *wyoming_start(struct service *service, const struct wyoming_settings *settings, int socket)
{
    struct wyoming *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->terms = (struct satellite_terms){.service = service,
                                        .most_sound = settings->most_sound,
                                        .timeout = settings->timeout,
                                        .is_closing = &w->is_closing,
                                        .is_over = &w->is_over};
    w->most = settings->most_clients;
    w->listening = socket;
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->left, NULL);
    int error = w->wake < 0 ? errno : pthread_create(&w->thread, NULL, accept_clients, w);
    if (error == 0)
        return w;
    if (w->wake >= 0)
        close(w->wake);
    pthread_cond_destroy(&w->left);
    pthread_mutex_destroy(&w->lock);
    free(w);
    errno = error;
    return NULL;
}

void wyoming_close(struct wyoming *w)
{
    uint64_t one = 1;
    pthread_mutex_lock(&w->lock);
    w->is_closing = 1;
    pthread_cond_broadcast(&w->left);
    pthread_mutex_unlock(&w->lock);
    if (write(w->wake, &one, sizeof one) < 0)
        return; /* it was written to before */
}

void wyoming_free(struct wyoming *w)
{
    if (!w)
        return;
    wyoming_close(w);
    pthread_join(w->thread, NULL);
    pthread_mutex_lock(&w->lock);
    w->is_over = 1;
    for (struct client *client = w->clients; client; client = client->next)
        shutdown(client->socket, SHUT_RDWR);
    while (w->n > 0)
        pthread_cond_wait(&w->left, &w->lock);
    pthread_mutex_unlock(&w->lock);
    close(w->listening);
    close(w->wake);
    pthread_cond_destroy(&w->left);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
