/* ending.c - see ending.h. A signal ends whisp-convert or whisp-get at once, whatever it is doing: there is nothing to bring into order
 * but the file that a model is written to, under a temporary name, and that is removed. */
#include "ending.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char temporary[4096]; /* the name of what is half-written; "" where there is none */

static const char *name_of_program = "whisp-convert";
static volatile sig_atomic_t bar_on_terminal;

static void on_signal(int number)
{
    static const char text[] = ": interrupted\n";
    static const char cut_off[] = ": the input was cut off while it was read\n";
    if (*temporary)
        unlink(temporary);
    if (bar_on_terminal)
        (void)!write(STDERR_FILENO, "\n", 1);
    (void)!write(STDERR_FILENO, name_of_program, strlen(name_of_program));
    if (number == SIGBUS) {
        (void)!write(STDERR_FILENO, cut_off, sizeof cut_off - 1);
        _exit(4); /* as for any model that cannot be read */
    }
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(128 + number);
}

int ending_complain(const char *text, const char *argument)
{
    fprintf(stderr, "%s: %s%s; try --help\n", name_of_program, text, argument);
    return EXIT_USAGE;
}

int ending_print(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    fprintf(stderr, "%s: standard output: cannot be written\n", name_of_program);
    return EXIT_OUTPUT;
}

void ending_bar(int visible)
{
    bar_on_terminal = visible;
}

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};

static void all_signals(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < WH_COUNT(numbers); i++)
        sigaddset(set, numbers[i]);
}

void ending_catch(const char *program)
{
    name_of_program = program;
    for (size_t i = 0; i < WH_COUNT(numbers); i++) {
        struct sigaction action, before;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        all_signals(&action.sa_mask);
        if (sigaction(numbers[i], NULL, &before) != 0 || before.sa_handler != SIG_IGN) /* else as nohup asked */
            sigaction(numbers[i], &action, NULL);
    }
    struct sigaction mapped = {.sa_handler = on_signal}; /* what is mapped may be cut off by another program */
    all_signals(&mapped.sa_mask);
    sigaction(SIGBUS, &mapped, NULL);
    signal(SIGPIPE, SIG_IGN); /* a pipe without a reader, and a file beyond the process's limit, */
    signal(SIGXFSZ, SIG_IGN); /* fail like a full disk */
}

int ending_open(const char *path, wh_gguf_writer **writer)
{
    struct stat st;
    sigset_t set, before;
    all_signals(&set);
    int waits = stat(path, &st) == 0 && !S_ISREG(st.st_mode); /* opening a pipe waits for its reader */
    if (!waits)
        sigprocmask(SIG_BLOCK, &set, &before);
    int rc = wh_gguf_writer_new(path, writer);
    const char *name = rc ? NULL : wh_gguf_writer_temporary(*writer);
    if (name && (size_t)snprintf(temporary, sizeof temporary, "%s", name) >= sizeof temporary)
        *temporary = '\0'; /* longer than the system takes: it was not made */
    if (!waits)
        sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int ending_close(wh_gguf_writer *writer, int rc)
{
    if (rc)
        wh_gguf_writer_abort(writer);
    else
        rc = wh_gguf_writer_finish(writer);
    *temporary = '\0'; /* by now nothing has that name: until here it is removed in vain, or rightly */
    return rc;
}
