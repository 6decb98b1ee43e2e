/* recording.c - the library opens what it decodes itself; the rest goes through ffmpeg (tools/common), of which a few may
 * run at a time. Stands between upload.c and service.c. */
#include "recording.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ffmpeg.h"

static char program[4096]; /* where ffmpeg is; "": nowhere */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static int n_children, most_children;

int recording_setup(int most)
{
    most_children = most;
    if (!ffmpeg_find(program, sizeof program))
        *program = '\0';
    return *program != '\0';
}

/* ---- ffmpeg ---- */

/* Wait for one's turn. 0: nobody needs it any more. */
static int begin_child(int (*stop)(void *user), void *user)
{
    int may = 0;
    pthread_mutex_lock(&lock);
    while (!stop(user) && !(may = n_children < most_children)) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&ended, &lock, &until);
    }
    n_children += may;
    pthread_mutex_unlock(&lock);
    return may;
}

static void end_child(void)
{
    pthread_mutex_lock(&lock);
    n_children--;
    pthread_cond_signal(&ended);
    pthread_mutex_unlock(&lock);
}

/* What ffmpeg_decode() calls. */
struct decoding {
    struct upload *upload;
    int (*stop)(void *user);
    void *user;
};

static int keep(void *user, const void *bytes, size_t n)
{
    return upload_write(((struct decoding *)user)->upload, bytes, n);
}

static int is_stopped(void *user)
{
    struct decoding *decoding = user;
    return decoding->stop(decoding->user);
}

static int describe(struct recording *recording)
{
    whisp_audio_info info = {.size = sizeof info};
    int rc = whisp_audio_describe(recording->audio, &info);
    recording->duration = rc == WHISP_OK && info.duration > 0.0 ? info.duration : 0.0;
    return rc;
}

/* What ffmpeg says names a file that its user does not know. */
static void name_it(const char *said, const char *path, char *text, size_t capacity)
{
    const char *at = strstr(said, path);
    int before = at ? (int)(at - said) : (int)strlen(said);
    if (at && before >= 5 && strncmp(at - 5, "file:", 5) == 0)
        before -= 5;
    snprintf(text, capacity, "%.*s%s%s", before, said, at ? "the recording" : "", at ? at + strlen(path) : "");
    for (char *c = text; *c; c++) /* and it goes into JSON */
        if ((unsigned char)*c >= 128)
            *c = '?';
}

/* What ffmpeg left behind is a recording, or not. */
static int judge(struct recording *recording, const struct upload *upload, const struct ffmpeg_report *report,
                 struct problem *problem)
{
    char text[640], reason[sizeof report->reason];
    name_it(report->reason, upload_path(upload), reason, sizeof reason);
    if (whisp_audio_open(upload_path(recording->decoded), &recording->audio) != WHISP_OK ||
        describe(recording) != WHISP_OK || recording->duration <= 0.0)
        return problem_say(problem, SERVICE_FOREIGN, "the recording cannot be heard: %s",
                           report->has_no_sound ? "there is no sound in it" : reason);
    if (report->is_clean)
        return 0;
    long s = (long)recording->duration;
    if (report->status != 0)
        snprintf(text, sizeof text, "stopped at %ld:%02ld; %s", s / 60, s % 60, reason);
    else
        snprintf(text, sizeof text, "perhaps not all of it was heard; %s", reason);
    recording->incomplete = strdup(text);
    return recording->incomplete ? 0 : problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
}

static int decode(struct recording *recording, const struct upload *upload, int (*stop)(void *user), void *user,
                  struct problem *problem)
{
    struct ffmpeg_report report;
    recording->decoded = upload_new();
    if (!recording->decoded)
        return problem_say(problem, WHISP_ERR_IO, "a temporary file cannot be made: %s", strerror(errno));
    struct decoding decoding = {recording->decoded, stop, user};
    const struct ffmpeg_work work = {
        .program = program, .input_fd = upload_fd(upload), .write = keep, .stop = is_stopped, .user = &decoding};
    if (!begin_child(stop, user))
        return problem_say(problem, WHISP_ERR_CANCELLED, "cancelled");
    ffmpeg_decode(&work, &report);
    end_child();
    switch (report.outcome) {
    case FFMPEG_ENDED: return judge(recording, upload, &report, problem);
    case FFMPEG_STOPPED: return problem_say(problem, WHISP_ERR_CANCELLED, "cancelled");
    case FFMPEG_NO_START:
        return problem_say(problem, WHISP_ERR_IO, "ffmpeg cannot be started: %s", strerror(report.problem));
    case FFMPEG_NOT_WRITTEN: break;
    }
    return problem_say(problem, WHISP_ERR_IO, "the sound that ffmpeg decodes cannot be kept in a temporary file: %s",
                       strerror(report.problem));
}

/* Would ffmpeg know more? The library's message ends with its command where it might; what is before that stays. */
static int is_foreign(char *text, size_t capacity)
{
    static const char command[] = " -ac 1 -ar 16000 -f wav - | whisp -";
    const char *said = whisp_last_error();
    size_t n = strlen(said), length = sizeof command - 1;
    if (n <= length || strcmp(said + n - length, command) != 0)
        return 0;
    const char *colon = strchr(said, ':');
    snprintf(text, capacity, "%s", colon ? colon + 1 + strspn(colon + 1, " ") : said);
    char *let = strstr(text, "; ");
    if (let)
        *let = '\0';
    return 1;
}

/* ---- opening ---- */

int recording_open(struct recording *recording, const struct upload *upload, int (*stop)(void *user), void *user,
                   struct problem *problem)
{
    char why[256];
    *recording = (struct recording){0};
    int rc = whisp_audio_open(upload_path(upload), &recording->audio);
    if (rc == WHISP_OK)
        rc = describe(recording);
    if (rc == WHISP_OK)
        return 0;
    if (rc != WHISP_ERR_AUDIO || !is_foreign(why, sizeof why))
        return problem_set(problem, rc, upload_path(upload));
    if (!*program)
        return problem_say(problem, SERVICE_FOREIGN, "%s; this server would ask ffmpeg, which is not installed", why);
    return decode(recording, upload, stop, user, problem);
}

void recording_close(struct recording *recording)
{
    whisp_audio_free(recording->audio);
    upload_free(recording->decoded);
    free(recording->incomplete);
    *recording = (struct recording){0};
}

int recording_beside(struct upload *upload, int (*stop)(void *user), void *user, struct told *told,
                     struct problem *problem)
{
    struct recording recording;
    char text[TOLD_ROOM];
    int code = recording_open(&recording, upload, stop, user, problem);
    if (recording.incomplete) {
        snprintf(text, sizeof text, "a speaker's reference: %s", recording.incomplete);
        told_add(told, text);
    }
    struct upload *decoded = recording.decoded;
    recording.decoded = NULL;
    recording_close(&recording);
    if (!code && decoded) {
        int failed = upload_adopt(upload, decoded);
        return failed ? problem_say(problem, WHISP_ERR_IO, "a temporary file: %s", strerror(failed)) : 0;
    }
    upload_free(decoded);
    if (code == SERVICE_FOREIGN || code == WHISP_ERR_AUDIO) {
        struct problem beside;
        code = problem_say(&beside, SERVICE_BESIDE, "a speaker's reference: %.400s", problem->text);
        *problem = beside;
    }
    return code;
}
