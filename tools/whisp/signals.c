/* signals.c - Ctrl-C and its kin: end in order if that is quick, else at once, never with half a file.
 *
 * The first signal is noticed by the cancel callback, which the library asks for every token. Where it is not asked soon
 * (waiting for a pipe, reading a model from a slow disk) or where a second signal comes, the program ends from the
 * handler: after two thirds of a second, or where files are being written after nine tenths. What is half-written then
 * has no name yet (lib/output/file.c). */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tool.h"

static volatile sig_atomic_t stop_signal; /* the first that came, or 0 */
static volatile sig_atomic_t writing_files;
static volatile sig_atomic_t bar_on_terminal; /* the cursor's line may hold a progress bar */

#define IN_ORDER 650000   /* microseconds to end in */
#define WITH_FILES 250000 /* more, where files are being written */

/* setitimer() is a system call and no more here, as alarm() is, which counts whole seconds. */
static void wake_after(long microseconds)
{
    const struct itimerval once = {.it_value = {.tv_usec = microseconds}};
    setitimer(ITIMER_REAL, &once, NULL);
}

/* Only what is safe in a signal handler. */
static void on_signal(int number)
{
    static volatile sig_atomic_t waited; /* for files */
    if (!stop_signal) {
        if (number != SIGALRM) {
            stop_signal = number;
            wake_after(IN_ORDER);
        }
        return;
    }
    if (writing_files && !waited) {
        waited = 1;
        wake_after(WITH_FILES);
        return;
    }
    if (writing_files && number != SIGALRM)
        return; /* the time that files have is running */
    if (bar_on_terminal)
        (void)!write(STDERR_FILENO, "\n", 1);
    _exit(CODE_SIGNAL + stop_signal);
}

/* A page of the model's file is wanted that is not there any more: only the end is left. What is half-written has no
 * name, and what was heard stands in the journal. */
static void on_bus(int number)
{
    static const char text[] = "whisp: the model's file was cut off while it was in use (SIGBUS); replace models by "
                               "renaming, or give --mmap False\n";
    (void)number;
    if (bar_on_terminal)
        (void)!write(STDERR_FILENO, "\n", 1);
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(CODE_MODEL);
}

void signals_catch(void)
{
    struct sigaction bus;
    memset(&bus, 0, sizeof bus);
    bus.sa_handler = on_bus;
    sigaction(SIGBUS, &bus, NULL);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction action, before;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        sigfillset(&action.sa_mask);
        /* Who started the program under nohup or in the background wants the signal ignored. */
        int ignored = sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN;
        if (!ignored || numbers[i] == SIGALRM)
            sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN); /* writing to a closed pipe then fails like writing to a full disk */
    signal(SIGXFSZ, SIG_IGN); /* and so does writing beyond the process's limit */
}

int signals_stop(void)
{
    return stop_signal;
}

void signals_writing(int now)
{
    writing_files = now;
}

void signals_bar(int visible)
{
    bar_on_terminal = visible;
}
