/* log.h - what whisp-server tells who runs it, on standard error: a line a message, a line a request. No text of any
 * recording, and no recording's name unless log_setup() was told so. Any thread. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

/* Lines begin with the time (journals put it there themselves); recordings' names are told; and debugging. */
void log_setup(int with_time, int with_names, int debug);
/* Errors, warnings and what there is to know. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A request that is over. status 0: the client was gone before its answer. */
struct log_request {
    const char *client, *method, *path, *recording; /* recording may be NULL */
    int status;
    double seconds, audio_seconds;
    long long received;
};
void log_request(const struct log_request *request);

#endif
