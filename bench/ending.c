/* ending.c - signals end whisp-bench at once; half a file goes first (see ending.h). */
#include "ending.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char half[4096], only_now[4096]; /* names, or "" */

static void on_signal(int number)
{
    if (*half)
        unlink(half);
    if (*only_now)
        unlink(only_now);
    _exit(128 + number);
}

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

/* While a name is written: half of one is the name of another file. (There is one thread by then.) */
static void hold_signals(sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, before);
}

void ending_catch(void)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction action, before;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        sigfillset(&action.sa_mask);
        if (sigaction(numbers[i], NULL, &before) != 0 || before.sa_handler != SIG_IGN) /* else as nohup asked */
            sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN); /* a pipe without a reader, and a file beyond the process's limit, */
    signal(SIGXFSZ, SIG_IGN); /* fail like a full disk */
}

/* A file of that name and more, and its name in `half`. */
static FILE *open_half(const char *path)
{
    if ((size_t)snprintf(half, sizeof half, "%s.%ld.tmp", path, (long)getpid()) >= sizeof half) {
        *half = '\0';
        errno = ENAMETOOLONG;
        return NULL;
    }
    FILE *file = fopen(half, "wbx"); /* nobody else's */
    if (!file)
        *half = '\0';
    return file;
}

FILE *ending_open(const char *path)
{
    struct stat st;
    sigset_t before;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return fopen(path, "wb"); /* which may wait for a reader */
    hold_signals(&before);
    FILE *file = open_half(path);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return file;
}

int ending_close(FILE *file, const char *path)
{
    int failed = fflush(file) != 0 || ferror(file) ? errno ? errno : EIO : 0;
    if (fclose(file) != 0 && !failed)
        failed = errno;
    if (*half && !failed && rename(half, path) != 0)
        failed = errno;
    if (*half && failed)
        unlink(half);
    *half = '\0';
    errno = failed;
    return failed ? -1 : 0;
}

void ending_forget(const char *path)
{
    sigset_t before;
    hold_signals(&before);
    *only_now = '\0';
    if (path && strlen(path) < sizeof only_now)
        strcpy(only_now, path);
    sigprocmask(SIG_SETMASK, &before, NULL);
}
