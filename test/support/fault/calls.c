/* calls.c - runs a program and lets one of its system calls fail, or do less than it was asked for: what a full disk, a
 * network file system, a signal do. Whatever library makes the call, it comes by here (ptrace). x86-64 only.
 *
 * usage: faultcalls CALL AT HOW COUNT PROGRAM ARGUMENT...
 *   CALL   read, write, open, close, sync, rename, seek, map (of a file), stat, unlink, truncate
 *   AT     which of these calls, from 1; 0: none; with a + behind it: all later ones, too
 *   HOW    a number of errno.h, or "short": half of the bytes
 *   COUNT  a file for how many of these calls there were
 * Exits as the program does, with 128 and the signal where one ended it, with 127 where it cannot trace. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__

typedef struct call {
    const char *name;
    long numbers[4]; /* 0: no more; read() is 0, and stands first */
} call;

static const call calls[] = {
    {"read", {SYS_read, SYS_pread64, SYS_readv}},
    {"write", {SYS_write, SYS_pwrite64, SYS_writev}},
    {"open", {SYS_openat, SYS_open}},
    {"close", {SYS_close}},
    {"sync", {SYS_fsync, SYS_fdatasync}},
    {"rename", {SYS_rename, SYS_renameat, SYS_renameat2}},
    {"seek", {SYS_lseek}},
    {"map", {SYS_mmap}},
    {"stat", {SYS_newfstatat, SYS_fstat}},
    {"unlink", {SYS_unlink, SYS_unlinkat}},
    {"truncate", {SYS_ftruncate}},
};

static const call *wanted;
static long at, seen;
static int and_later, error; /* 0: short */

#define MOST_THREADS 64
static struct {
    pid_t id;
    int is_inside; /* of a call: the next stop is its end */
    int fails;
} threads[MOST_THREADS];
static int n_threads;

static int is_wanted(const struct user_regs_struct *regs)
{
    long number = (long)regs->orig_rax;
    if (number == SYS_mmap && (int)regs->r8 < 0)
        return 0;
    for (int i = 0; i < 4 && (i == 0 || wanted->numbers[i]); i++)
        if (wanted->numbers[i] == number)
            return 1;
    return 0;
}

/* Half of what a call asks for; of several pieces the first. */
static void shorten(struct user_regs_struct *regs)
{
    if (regs->rdx > 1)
        regs->rdx = regs->orig_rax == SYS_readv || regs->orig_rax == SYS_writev ? 1 : regs->rdx / 2;
}

static void at_call(int thread)
{
    struct user_regs_struct regs;
    pid_t id = threads[thread].id;
    if (ptrace(PTRACE_GETREGS, id, NULL, &regs) != 0)
        return;
    threads[thread].is_inside ^= 1;
    if (threads[thread].is_inside && is_wanted(&regs)) {
        seen++;
        if (at == 0 || (and_later ? seen < at : seen != at))
            return;
        if (error)
            regs.orig_rax = (unsigned long long)-1;
        else
            shorten(&regs);
        threads[thread].fails = error != 0;
        ptrace(PTRACE_SETREGS, id, NULL, &regs);
    } else if (!threads[thread].is_inside && threads[thread].fails) {
        threads[thread].fails = 0;
        regs.rax = (unsigned long long)-(long long)error;
        ptrace(PTRACE_SETREGS, id, NULL, &regs);
    }
}

static int thread_of(pid_t id)
{
    for (int i = 0; i < n_threads; i++)
        if (threads[i].id == id)
            return i;
    if (n_threads == MOST_THREADS) {
        fprintf(stderr, "faultcalls: too many threads\n");
        exit(127);
    }
    threads[n_threads].id = id;
    return n_threads++;
}

/* Until the program ends; its status. */
static int trace(pid_t program)
{
    for (;;) {
        int status, deliver = 0;
        pid_t id = waitpid(-1, &status, __WALL);
        if (id < 0)
            return 127;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (id == program)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            threads[thread_of(id)].id = -1;
            continue;
        }
        int signal = WSTOPSIG(status), thread = thread_of(id);
        if (signal == (SIGTRAP | 0x80))
            at_call(thread);
        else if (signal != SIGTRAP && signal != SIGSTOP) /* those are the tracing's own */
            deliver = signal;
        ptrace(PTRACE_SYSCALL, id, NULL, (void *)(long)deliver);
    }
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 127;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!strcmp(calls[i].name, argv[1]))
            wanted = &calls[i];
    at = strtol(argv[2], NULL, 10);
    and_later = strchr(argv[2], '+') != NULL;
    error = atoi(argv[3]);
    pid_t program = fork();
    if (program == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(127);
        raise(SIGSTOP);
        execv(argv[5], argv + 5);
        _exit(127);
    }
    int status;
    if (!wanted || program < 0 || waitpid(program, &status, 0) != program || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, program, NULL,
               (void *)(long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)) != 0)
        return 127;
    thread_of(program);
    ptrace(PTRACE_SYSCALL, program, NULL, NULL);
    int rc = trace(program);
    FILE *count = fopen(argv[4], "w");
    if (count) {
        fprintf(count, "%ld\n", seen);
        fclose(count);
    }
    return rc;
}

#else
int main(void)
{
    return 127;
}
#endif
