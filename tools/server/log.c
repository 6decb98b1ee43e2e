/* log.c - lines on standard error, each in one write, so that those of several threads do not mix. What comes from
 * outside cannot make lines of its own. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 2048 };

static int has_time, has_names, has_debug;

void log_setup(int with_time, int with_names, int debug)
{
    has_time = with_time;
    has_names = with_names;
    has_debug = debug;
}

static void say(const char *kind, const char *format, va_list arguments)
{
    char line[LINE];
    size_t n = 0;
    if (has_time) {
        struct timespec now;
        struct tm tm;
        clock_gettime(CLOCK_REALTIME, &now);
        n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
        n += (size_t)snprintf(line + n, sizeof line - n, ".%03ldZ ", now.tv_nsec / 1000000);
    }
    n += (size_t)snprintf(line + n, sizeof line - n, "%s", kind);
    int more = vsnprintf(line + n, sizeof line - n - 1, format, arguments);
    if (more > 0)
        n += (size_t)more < sizeof line - n - 1 ? (size_t)more : sizeof line - n - 2;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < 32 || line[i] == 127)
            line[i] = '?';
    line[n++] = '\n';
    (void)!write(STDERR_FILENO, line, n);
}

void log_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("whisp-server: ", format, arguments);
    va_end(arguments);
}

void log_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

void log_debug(const char *format, ...)
{
    va_list arguments;
    if (!has_debug)
        return;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

void log_request(const struct log_request *r)
{
    char status[16] = "gone", audio[48] = "", name[300] = "";
    if (r->status)
        snprintf(status, sizeof status, "%d", r->status);
    if (r->audio_seconds > 0)
        snprintf(audio, sizeof audio, ", %.1f s of audio", r->audio_seconds);
    if (has_names && r->recording)
        snprintf(name, sizeof name, ", \"%.250s\"", r->recording);
    log_note("%s %s %.200s %s in %.3f s, %lld bytes%s%s", r->client, r->method, r->path, status, r->seconds,
             r->received, audio, name);
}
