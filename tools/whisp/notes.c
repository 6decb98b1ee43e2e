/* notes.c - what the program says on standard error, a line at a time, never into the progress bar. */
#include <errno.h>
#include <string.h>

#include "tool.h"

static struct progress *notes_bar;
static int notes_quiet;

void notes_setup(struct progress *bar, int quiet)
{
    notes_bar = bar;
    notes_quiet = quiet;
}

static void write_line(const char *prefix, const char *format, va_list arguments)
{
    if (notes_bar)
        progress_hide(notes_bar);
    fputs(prefix, stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    if (notes_bar)
        progress_show(notes_bar);
}

void note(const char *format, ...)
{
    if (notes_quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_line("", format, arguments);
    va_end(arguments);
}

void note_warning(const char *format, ...)
{
    if (notes_quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_line("whisp: warning: ", format, arguments);
    va_end(arguments);
}

/* What the signal interrupted that ends the program has not failed. */
static int is_interrupted(const char *format, va_list arguments)
{
    char text[2048];
    vsnprintf(text, sizeof text, format, arguments);
    return signals_stop() && strstr(text, strerror(EINTR)) != NULL;
}

void note_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int interrupted = is_interrupted(format, arguments);
    va_end(arguments);
    va_start(arguments, format);
    if (!interrupted)
        write_line("whisp: ", format, arguments);
    va_end(arguments);
}

int note_memory(void)
{
    note_error("out of memory");
    return CODE_OTHER;
}
