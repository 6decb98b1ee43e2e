/* ffmpeg.c - a child process that decodes a recording which the library does not know to a Wave64 file (which can have
 * more than 4 GiB) of the audio stream that it takes for the main one. Between who has the recording, on the command
 * line or from a client, and the library, which never starts a process.
 *
 * No shell is involved, and a file's name cannot become an option or a protocol. The child dies with the thread that
 * started it, whatever ends that one. */
#include "ffmpeg.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LAST_LINE = 400,
    END_WAIT = 2000, /* microseconds */
    END_WAITS = 2500 /* five seconds of them */
};

struct child {
    pid_t pid;
    int sound, messages;  /* the read ends of its standard output and error; -1: at their end */
    char line[LAST_LINE]; /* the message that is being read */
    size_t n_line;
    char last[LAST_LINE]; /* the last one that was complete */
    int no_sound;         /* it said that there is no audio stream */
};

/* ---- the program ---- */

int ffmpeg_find(char *path, size_t capacity)
{
    const char *folders = getenv("PATH");
    for (size_t n; folders && *folders; folders += n + (folders[n] == ':')) {
        n = strcspn(folders, ":");
        int length = snprintf(path, capacity, "%.*s/ffmpeg", (int)n, folders);
        if (n > 0 && folders[0] == '/' && length > 0 && (size_t)length < capacity && access(path, X_OK) == 0)
            return 1;
    }
    return 0;
}

/* In the child: only what is safe after fork. */
static void become(const char *program, const char *const *arguments, int input, int sound, int messages, pid_t parent)
{
    static const char failed[] = "it cannot be executed\n";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it had ended before */
    int nothing = open("/dev/null", O_RDONLY);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(sound, STDOUT_FILENO) < 0 ||
        dup2(messages, STDERR_FILENO) < 0)
        _exit(1);
    /* Under its own number, where its path finds it; it stays open over the exec. */
    if (input >= 0 && fcntl(input, F_SETFD, 0) != 0)
        _exit(1);
    execv(program, (char *const *)(uintptr_t)arguments);
    _exit(write(STDERR_FILENO, failed, sizeof failed - 1) < 0 ? 126 : 127);
}

/* Containers that hold their sound themselves. Lists of other files (HLS, concat, DASH, ...) are not among them: a
 * recording from a stranger would be the stranger's choice of the files of this machine. (ffmpeg -demuxers) */
static const char one_file[] =
    "aac,aax,ac3,ac4,act,adx,aea,aiff,amr,amrnb,amrwb,ape,aptx,asf,au,avi,caf,dsf,dts,dtshd,dv,eac3,flac,flv,g722,"
    "g729,gsm,gxf,iff,ircam,loas,matroska,mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,mpegvideo,mxf,nistsphere,nsv,nut,ogg,"
    "oma,qcp,rm,rso,sbc,shn,sox,spdif,tak,truehd,tta,voc,vqf,w64,wav,wsd,wtv,wv,xwma";

static int start(struct child *child, const struct ffmpeg_work *work, const char *name)
{
    const char *const arguments[] = {"ffmpeg",
                                     "-nostdin",
                                     "-hide_banner",
                                     "-loglevel",
                                     "level+warning",
                                     "-protocol_whitelist",
                                     "file,pipe",
                                     "-format_whitelist",
                                     one_file,
                                     "-i",
                                     name,
                                     "-vn", /* the sound that it chooses by itself, as for openai-whisper */
                                     "-c:a",
                                     "pcm_s16le",
                                     "-f",
                                     "w64",
                                     "pipe:1",
                                     NULL};
    int sound[2], messages[2];
    pid_t parent = getpid();
    if (pipe2(sound, O_CLOEXEC) != 0)
        return -1;
    if (pipe2(messages, O_CLOEXEC) != 0) {
        close(sound[0]);
        close(sound[1]);
        return -1;
    }
    child->pid = fork();
    if (child->pid == 0)
        become(work->program, arguments, work->input ? -1 : work->input_fd, sound[1], messages[1], parent);
    close(sound[1]);
    close(messages[1]);
    child->sound = sound[0];
    child->messages = messages[0];
    return child->pid < 0 ? -1 : 0;
}

/* Its exit status, or 128 and the signal that ended it. `now`: it is not waited for but ended. */
static int end(struct child *child, const struct ffmpeg_work *work, int now)
{
    int status = 0;
    if (child->sound >= 0)
        close(child->sound);
    if (child->messages >= 0)
        close(child->messages);
    if (child->pid <= 0)
        return 0;
    if (now)
        kill(child->pid, SIGKILL);
    /* What has closed its pipes has nothing left to do but to end. */
    pid_t ended;
    for (int waits = 0; (ended = waitpid(child->pid, &status, now ? 0 : WNOHANG)) == 0 || (ended < 0 && errno == EINTR);
         waits++) {
        if (!now && (waits == END_WAITS || work->stop(work->user))) {
            now = 1;
            kill(child->pid, SIGKILL);
        }
        if (!now)
            usleep(END_WAIT);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- what it says and gives ---- */

/* Take a descriptor's path, which says nothing to anybody, from before a line. */
static void drop_path(struct child *child)
{
    static const char path[] = "file:/proc/self/fd/";
    const char *behind = child->line + sizeof path - 1;
    if (strncmp(child->line, path, sizeof path - 1) != 0)
        return;
    behind += strspn(behind, "0123456789");
    behind += strspn(behind, ": ");
    child->n_line = strlen(behind);
    memmove(child->line, behind, child->n_line + 1);
}

/* Take "[error] " out of a line, and "[warning] " of those that tell of a loss. 0: the line is not worth keeping. */
static int weigh(struct child *child)
{
    static const char *const tags[] = {"[warning] ", "[error] ", "[fatal] ", "[panic] "};
    static const char *const losses[] = {"Packet corrupt", "duplicated MOOV"}; /* cut off; joined behind */
    int is_kept = 1;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        char *at = strstr(child->line, tags[i]);
        if (!at)
            continue;
        size_t length = strlen(tags[i]);
        memmove(at, at + length, strlen(at + length) + 1);
        child->n_line -= length;
        if (i == 0)
            is_kept = strstr(child->line, losses[0]) || strstr(child->line, losses[1]);
    }
    return is_kept;
}

/* Keep the last line, without the address in "[mov @ 0x55d0]"; a hint how to use ffmpeg is no reason. */
static void end_line(struct child *child)
{
    child->line[child->n_line] = '\0';
    int is_kept = weigh(child);
    drop_path(child);
    char *at = child->line[0] == '[' ? strstr(child->line, " @ 0x") : NULL, *rest = at ? strchr(at, ']') : NULL;
    if (rest) {
        memmove(at, rest, strlen(rest) + 1);
        child->n_line = strlen(child->line);
    }
    if (strstr(child->line, "matches no streams") || strstr(child->line, "does not contain any stream"))
        child->no_sound = 1;
    if (is_kept && child->n_line > 0 && strncmp(child->line, "To ignore this", 14) != 0)
        memcpy(child->last, child->line, child->n_line + 1);
    child->n_line = 0;
}

static void read_messages(struct child *child)
{
    char block[1024];
    ssize_t n = read(child->messages, block, sizeof block);
    for (ssize_t i = 0; i < n; i++) {
        if (block[i] == '\n' || block[i] == '\r')
            end_line(child);
        else if (child->n_line + 1 < LAST_LINE)
            child->line[child->n_line++] = (unsigned char)block[i] < 32 || block[i] == 127 ? '?' : block[i];
    }
    if (n > 0 || (n < 0 && errno == EINTR))
        return;
    end_line(child);
    close(child->messages);
    child->messages = -1;
}

/* The next bytes to where they are wanted. 0 or an errno. */
static int read_sound(struct child *child, const struct ffmpeg_work *work)
{
    char block[65536];
    ssize_t n = read(child->sound, block, sizeof block);
    if (n > 0)
        return work->write(work->user, block, (size_t)n);
    if (n < 0 && errno == EINTR)
        return 0;
    close(child->sound);
    child->sound = -1;
    return 0;
}

/* All it gives, until both pipes are at their end. */
static void copy(struct child *child, const struct ffmpeg_work *work, struct ffmpeg_report *report)
{
    while (report->outcome == FFMPEG_ENDED && (child->sound >= 0 || child->messages >= 0)) {
        struct pollfd fds[2] = {{.fd = child->sound, .events = POLLIN}, {.fd = child->messages, .events = POLLIN}};
        int ready = poll(fds, 2, 200);
        if (work->stop(work->user))
            report->outcome = FFMPEG_STOPPED;
        if (ready <= 0 || report->outcome != FFMPEG_ENDED)
            continue;
        if (fds[1].revents)
            read_messages(child);
        if (fds[0].revents && (report->problem = read_sound(child, work)) != 0)
            report->outcome = FFMPEG_NOT_WRITTEN;
    }
}

/* ---- together ---- */

/* What went wrong in ffmpeg, as far as it said so. */
static void describe(const struct child *child, struct ffmpeg_report *report)
{
    char how[64] = "ffmpeg";
    int status = report->status;
    if (status > 128)
        snprintf(how, sizeof how, "ffmpeg was ended by signal %d", status - 128);
    else if (status != 0)
        snprintf(how, sizeof how, "ffmpeg ended with status %d", status);
    snprintf(report->reason, sizeof report->reason, "%s: %s", how,
             *child->last ? child->last
             : status     ? "it does not say why"
                          : "no sound");
    report->has_no_sound = child->no_sound;
    report->is_clean = status == 0 && !*child->last;
}

void ffmpeg_decode(const struct ffmpeg_work *work, struct ffmpeg_report *report)
{
    struct child child = {.sound = -1, .messages = -1};
    size_t capacity = work->input ? strlen(work->input) + sizeof "file:" : 64;
    char *name = malloc(capacity);
    *report = (struct ffmpeg_report){.outcome = FFMPEG_NO_START, .problem = ENOMEM};
    if (!name)
        return;
    if (work->input)
        snprintf(name, capacity, "file:%s", work->input);
    else
        snprintf(name, capacity, "file:/proc/self/fd/%d", work->input_fd);
    if (start(&child, work, name) == 0) {
        *report = (struct ffmpeg_report){.outcome = FFMPEG_ENDED};
        copy(&child, work, report);
    } else {
        report->problem = errno;
    }
    report->status = end(&child, work, report->outcome != FFMPEG_ENDED);
    describe(&child, report);
    free(name);
}
