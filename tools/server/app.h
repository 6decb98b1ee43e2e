/* app.h - what the parts of whisp-server share: one of each, made by main.c. */
#ifndef SERVER_APP_H
#define SERVER_APP_H

struct service;
struct http;
struct keys;
struct jobs;
struct live;
struct settings;
struct wyoming;

struct app {
    const struct settings *settings;
    struct service *service;
    struct http *http;
    struct keys *keys;
    struct jobs *jobs;
    struct live *live;
    struct wyoming *wyoming; /* NULL: not asked for */
};

#endif
