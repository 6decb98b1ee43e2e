/* signals.c - Ctrl-C and its kin: end in order if that is quick, else at once, never with half a file.
 *
 * The first signal is noticed by the cancel callback, which the library asks for every token. Where it is not asked for
 * a second (waiting for sound from a pipe, encoding a window of a big model) or where a second signal comes, the
 * program ends from the handler, unless a file is just being written. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static volatile sig_atomic_t stop_signal; /* the first that came, or 0 */
static volatile sig_atomic_t writing_files;
static volatile sig_atomic_t bar_on_terminal; /* the cursor's line may hold a progress bar */

/* Only what is safe in a signal handler. */
static void on_signal(int number)
{
    if (!stop_signal && number != SIGALRM) {
        stop_signal = number;
    } else if (!writing_files) {
        if (bar_on_terminal)
            (void)!write(STDERR_FILENO, "\n", 1);
        _exit(CODE_SIGNAL + stop_signal);
    }
    alarm(1);
}

void signals_catch(void)
{
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
