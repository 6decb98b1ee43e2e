/* ffmpeg.c - recordings that the library does not decode (M4A, MP4, WebM, AAC, films) are heard through ffmpeg, where
 * that is installed: a child process makes a Wave64 file (which can have more than 4 GiB) of their first audio stream, with
 * its rate and channels, which the library treats as any recording's. The file has no name any more, is read twice and
 * cut in parts like any other. Stands between the names
 * on the command line and the library, which never starts a process.
 *
 * No shell is involved, and a file's name cannot become an option or a protocol. The child dies with this program,
 * whatever ends that one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

enum { LAST_LINE = 400 };

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
static void become(const char *program, const char *const *arguments, int sound, int messages, pid_t parent)
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
    execv(program, (char *const *)(uintptr_t)arguments);
    _exit(write(STDERR_FILENO, failed, sizeof failed - 1) < 0 ? 126 : 127);
}

/* Containers that hold their sound themselves. Lists of other files (HLS, concat, DASH, ...) are not among them: a
 * recording from a stranger would be the stranger's choice of the files of this machine. (ffmpeg -demuxers) */
static const char one_file[] =
    "aac,aax,ac3,ac4,act,adx,aea,aiff,amr,amrnb,amrwb,ape,aptx,asf,au,avi,caf,dsf,dts,dtshd,dv,eac3,flac,flv,g722,"
    "g729,gsm,gxf,iff,ircam,loas,matroska,mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,mpegvideo,mxf,nistsphere,nsv,nut,ogg,"
    "oma,qcp,rm,rso,sbc,shn,sox,spdif,tak,truehd,tta,voc,vqf,w64,wav,wsd,wtv,wv,xwma";

static int start(struct child *child, const char *program, const char *name)
{
    const char *const arguments[] = {"ffmpeg",
                                     "-nostdin",
                                     "-hide_banner",
                                     "-loglevel",
                                     "error",
                                     "-protocol_whitelist",
                                     "file,pipe",
                                     "-format_whitelist",
                                     one_file,
                                     "-i",
                                     name,
                                     "-map",
                                     "0:a:0",
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
        become(program, arguments, sound[1], messages[1], parent);
    close(sound[1]);
    close(messages[1]);
    child->sound = sound[0];
    child->messages = messages[0];
    return child->pid < 0 ? -1 : 0;
}

/* Its exit status, or 128 and the signal that ended it. `now`: it is not waited for but ended. */
static int end(struct child *child, int now)
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
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        if (signals_stop())
            kill(child->pid, SIGKILL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : CODE_SIGNAL + WTERMSIG(status);
}

/* ---- what it says and gives ---- */

/* Keep the last line, without the address in "[mov @ 0x55d0]"; a hint how to use ffmpeg is no reason. */
static void end_line(struct child *child)
{
    child->line[child->n_line] = '\0';
    char *at = child->line[0] == '[' ? strstr(child->line, " @ 0x") : NULL, *rest = at ? strchr(at, ']') : NULL;
    if (rest) {
        memmove(at, rest, strlen(rest) + 1);
        child->n_line = strlen(child->line);
    }
    if (strstr(child->line, "matches no streams"))
        child->no_sound = 1;
    if (child->n_line > 0 && strncmp(child->line, "To ignore this", 14) != 0)
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

static int write_all(int fd, const char *data, size_t n)
{
    for (ssize_t done; n > 0; data += done, n -= (size_t)done) {
        done = write(fd, data, n);
        if (done < 0 && errno != EINTR)
            return -1;
        if (done < 0)
            done = 0;
    }
    return 0;
}

/* The next bytes into the file. -1: they cannot be written. */
static int read_sound(struct child *child, int file, int64_t *bytes)
{
    char block[65536];
    ssize_t n = read(child->sound, block, sizeof block);
    if (n > 0) {
        *bytes += n;
        return write_all(file, block, (size_t)n);
    }
    if (n < 0 && errno == EINTR)
        return 0;
    close(child->sound);
    child->sound = -1;
    return 0;
}

/* All it gives, until both pipes are at their end. -1: the file cannot be written; 1: a signal asks to end. */
static int copy(struct child *child, int file, int64_t *bytes)
{
    while (child->sound >= 0 || child->messages >= 0) {
        struct pollfd fds[2] = {{.fd = child->sound, .events = POLLIN}, {.fd = child->messages, .events = POLLIN}};
        if (signals_stop())
            return 1;
        if (poll(fds, 2, 200) <= 0)
            continue;
        if (fds[1].revents)
            read_messages(child);
        if (fds[0].revents && read_sound(child, file, bytes) != 0)
            return -1;
    }
    return signals_stop() ? 1 : 0;
}

/* ---- the file ---- */

/* A file without a name, whose space is given back when it is closed, however the program ends. */
static int open_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/whisp-XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = length < (int)sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd >= 0)
        unlink(path);
    return fd;
}

/* ---- together ---- */

/* What went wrong in ffmpeg, as far as it said so. */
static void describe(const struct child *child, int status, char *text, size_t capacity)
{
    char how[64] = "ffmpeg";
    if (status > CODE_SIGNAL)
        snprintf(how, sizeof how, "ffmpeg was ended by signal %d", status - CODE_SIGNAL);
    else if (status != 0)
        snprintf(how, sizeof how, "ffmpeg ended with status %d", status);
    snprintf(text, capacity, "%s: %s", how, *child->last ? child->last : status ? "it does not say why" : "no sound");
}

/* How long is what was spooled? 0: there is no sound in it, perhaps not even a header. */
static double measure(const struct spooled *spooled)
{
    whisp_audio *audio;
    whisp_audio_info info = {.size = sizeof info};
    if (whisp_audio_open(spooled->path, &audio) != WHISP_OK)
        return 0.0;
    if (whisp_audio_describe(audio, &info) != WHISP_OK || info.duration < 0.0)
        info.duration = 0.0;
    whisp_audio_free(audio);
    return info.duration;
}

/* CODE_DONE, or the failure's code, which the user has been told. */
static int judge(const struct child *child, int status, const char *input, struct spooled *spooled)
{
    char reason[LAST_LINE + 128];
    describe(child, status, reason, sizeof reason);
    double seconds = measure(spooled);
    if (seconds <= 0.0) {
        if (child->no_sound)
            note_error("%s: there is no sound in it", input);
        else
            note_error("%s: cannot be heard: %s", input, reason);
        return CODE_INPUT;
    }
    if (status == 0 && !*child->last)
        return CODE_DONE;
    long s = (long)seconds;
    size_t capacity = strlen(input) + sizeof reason + 64;
    spooled->incomplete = malloc(capacity);
    if (!spooled->incomplete)
        return note_memory();
    if (status != 0)
        snprintf(spooled->incomplete, capacity, "%s: stopped at %ld:%02ld; %s", input, s / 60, s % 60, reason);
    else
        snprintf(spooled->incomplete, capacity, "%s: perhaps not all of it was heard; %s", input, reason);
    note_warning("%s", spooled->incomplete);
    return CODE_DONE;
}

int ffmpeg_hear(const char *program, const char *input, struct spooled *spooled)
{
    struct child child = {.sound = -1, .messages = -1};
    *spooled = (struct spooled){.fd = open_file()};
    size_t length = strlen(input) + sizeof "file:";
    char *name = malloc(length);
    int code = CODE_DONE, status = 0;
    if (!name) {
        code = note_memory();
    } else if (spooled->fd < 0) {
        note_error("%s: its sound needs a temporary file, and there can be none: %s", input, strerror(errno));
        code = CODE_INPUT;
    } else {
        snprintf(name, length, "file:%s", input);
        int started = start(&child, program, name) == 0;
        int copied = started ? copy(&child, spooled->fd, &spooled->bytes) : -1;
        int problem = errno;
        status = end(&child, copied != 0);
        if (!started) {
            note_error("%s: ffmpeg cannot be started: %s", input, strerror(problem));
            code = CODE_OTHER;
        } else if (copied < 0) {
            note_error("%s: ffmpeg's sound cannot be kept in a temporary file: %s; TMPDIR names a folder for it", input,
                       strerror(problem));
            code = CODE_INPUT;
        } else if (copied > 0) {
            code = CODE_SIGNAL;
        }
    }
    free(name);
    snprintf(spooled->path, sizeof spooled->path, "/proc/self/fd/%d", spooled->fd);
    if (code == CODE_DONE)
        code = judge(&child, status, input, spooled);
    if (code != CODE_DONE)
        spooled_close(spooled);
    return code;
}

void spooled_close(struct spooled *spooled)
{
    if (spooled->fd >= 0)
        close(spooled->fd);
    free(spooled->incomplete);
    *spooled = (struct spooled){.fd = -1};
}
