/* inputs.c - the recordings on the command line: looked at before the model is loaded, and opened, some together, when
 * their turn comes. Those that only ffmpeg decodes are spooled then (ffmpeg.c). Between main.c and the library. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ffmpeg.h"
#include "tool.h"

/* Spooled recordings that are transcribed together, so that short ones share the batch: at most so many, and bytes. */
#define MOST_SPOOLED 64
#define MOST_BYTES (INT64_C(256) << 20) /* 25 minutes of 44.1 kHz stereo */

int exit_code(int error, int io)
{
    switch (error) {
    case WHISP_ERR_ARGUMENT: return CODE_USAGE;
    case WHISP_ERR_IO: return io;
    case WHISP_ERR_AUDIO: return CODE_INPUT;
    case WHISP_ERR_MODEL: return CODE_MODEL;
    case WHISP_ERR_BACKEND: return CODE_BACKEND;
    case WHISP_ERR_OUTPUT: return CODE_OUTPUT;
    default: return CODE_OTHER;
    }
}

/* Would ffmpeg know more? The library's message ends with its command where it might. A rate that cannot be read stays
 * what it is in what it gives to us. */
static int ffmpeg_helps(struct inputs *inputs, int error)
{
    static const char command[] = " -ac 1 -ar 16000 -f wav - | whisp -";
    const char *text = whisp_last_error();
    size_t n = strlen(text), length = sizeof command - 1;
    return error == WHISP_ERR_AUDIO && n > length && strcmp(text + n - length, command) == 0 &&
           !strstr(text, " Hz can be read: ") &&
           (*inputs->ffmpeg || ffmpeg_find(inputs->ffmpeg, sizeof inputs->ffmpeg));
}

/* WHISP_OK, also where ffmpeg is to be asked, or the library's error. */
static int try_open(struct inputs *inputs, const char *name, int *needs_ffmpeg)
{
    whisp_audio *audio;
    whisp_audio_info info = {.size = sizeof info};
    int error = whisp_audio_open(name, &audio);
    if (error != WHISP_OK) {
        *needs_ffmpeg = ffmpeg_helps(inputs, error);
        return *needs_ffmpeg ? WHISP_OK : error;
    }
    if (whisp_audio_describe(audio, &info) == WHISP_OK && info.duration > 0.0)
        inputs->seconds += info.duration;
    whisp_audio_free(audio);
    return WHISP_OK;
}

/* Recordings that cannot be opened are told of before a model is loaded, and left out. Pipes are left for later: there
 * may be nothing in them yet. */
int inputs_check(struct inputs *inputs, const char *const *names, size_t n,
                 void (*failed)(void *user, const char *name, int code), void *user)
{
    *inputs = (struct inputs){0};
    inputs->list = calloc(n + 1, sizeof *inputs->list);
    inputs->paths = calloc(n + 1, sizeof *inputs->paths);
    if (!inputs->list || !inputs->paths)
        return note_memory();
    for (size_t i = 0; i < n; i++) {
        struct stat status;
        int needs_ffmpeg = 0, error = WHISP_OK;
        if (strcmp(names[i], "-") == 0) {
            if (isatty(STDIN_FILENO)) {
                note_error("-: standard input is a terminal; pipe a recording into it, or name a file");
                return CODE_USAGE;
            }
        } else if (stat(names[i], &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
            error = try_open(inputs, names[i], &needs_ffmpeg);
        }
        if (error != WHISP_OK) {
            note_error("%s", whisp_last_error());
            failed(user, names[i], exit_code(error, CODE_INPUT));
            continue;
        }
        inputs->list[inputs->n] = (struct input){names[i], needs_ffmpeg, -1, {.fd = -1}};
        inputs->paths[inputs->n++] = needs_ffmpeg ? NULL : names[i];
    }
    return CODE_DONE;
}

/* In messages, as the library has it. */
static const char *called(const struct input *input)
{
    return strcmp(input->name, "-") == 0 ? "standard input" : input->name;
}

/* Its turn has come: is it for ffmpeg? It stays open until it was heard, so that who writes into it has a reader. */
static void look_at_pipe(struct inputs *inputs, struct input *input)
{
    if (!*inputs->ffmpeg && !ffmpeg_find(inputs->ffmpeg, sizeof inputs->ffmpeg))
        return;
    input->pipe = pipe_open(input->name);
    input->needs_ffmpeg = input->pipe >= 0 && pipe_needs_ffmpeg(input->pipe);
}

int inputs_open(struct inputs *inputs, size_t first, size_t most, size_t *end)
{
    int64_t bytes = 0;
    size_t n_spooled = 0;
    for (*end = first; *end < inputs->n && *end - first < most; ++*end) {
        struct input *input = &inputs->list[*end];
        if (pipe_is(input->name)) { /* alone: who writes into it may write into another one first */
            if (*end > first)
                break;
            look_at_pipe(inputs, input);
            most = 1;
        }
        if (!input->needs_ffmpeg)
            continue;
        if (n_spooled == MOST_SPOOLED || (n_spooled > 0 && bytes >= MOST_BYTES))
            break;
        int code = ffmpeg_hear(inputs->ffmpeg, called(input), input->pipe, &input->spooled);
        if (code != CODE_DONE)
            return code;
        inputs->paths[*end] = input->spooled.path;
        bytes += input->spooled.bytes;
        n_spooled++;
    }
    return CODE_DONE;
}

void inputs_close(struct inputs *inputs, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        if (inputs->list[i].pipe >= 0)
            close(inputs->list[i].pipe);
        inputs->list[i].pipe = -1;
        if (inputs->list[i].needs_ffmpeg) {
            spooled_close(&inputs->list[i].spooled);
            inputs->paths[i] = NULL;
        }
    }
}

const char *inputs_named(struct inputs *inputs, const char *text)
{
    const char *best = NULL;
    size_t length = 0;
    const struct input *found = NULL;
    for (size_t i = 0; i < inputs->n; i++) {
        const struct spooled *s = &inputs->list[i].spooled;
        const char *at = s->fd >= 0 ? strstr(text, s->path) : NULL;
        if (at && strlen(s->path) > length)
            best = at, length = strlen(s->path), found = &inputs->list[i];
    }
    if (!best)
        return text;
    size_t capacity = strlen(text) + strlen(called(found)) + 1;
    char *named = realloc(inputs->named, capacity);
    if (!named)
        return text;
    inputs->named = named;
    snprintf(named, capacity, "%.*s%s%s", (int)(best - text), text, called(found), best + length);
    return named;
}

void inputs_free(struct inputs *inputs)
{
    if (inputs->list)
        inputs_close(inputs, 0, inputs->n);
    free(inputs->list);
    free(inputs->paths);
    free(inputs->named);
}
