/* voices_file.c - the file of voices that options speakers_out and speakers_in name: GGUF with the architecture "voices".
 *
 *     voices.names      strings, [n]
 *     voices            float32, [n][192], of unit length
 *     seconds           float32, [n]: of speech that each was made of
 *
 * What stands in it came from anywhere, and is checked like a model. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "speakers/voices.h"
#include "tokenizer/utf8.h"

#define MOST 1000      /* voices in a file */
#define LONGEST 2000   /* bytes of a name */
#define FORGETS 600.0f /* seconds: what is older than that counts less and less beside what is heard now */
#define LEAST 3.0      /* seconds that a new voice must speak to be kept */

/* ---- reading ---- */

static int refuse(const wh_gguf *file, const char *what)
{
    return wh_fail(WHISP_ERR_MODEL, "%s: %s; give what speakers_out has written", wh_gguf_path(file), what);
}

static int is_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length;) {
        int32_t code;
        i += wh_utf8_next(name + i, length - i, &code);
        if (code < ' ' || code == 0x7F)
            return 0;
    }
    return length > 0 && length <= LONGEST;
}

static int add_voice(const wh_gguf *file, const char *name, size_t length, const float *voice, float seconds,
                     wh_voices *voices)
{
    double sum = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        sum += (double)voice[i] * (double)voice[i];
    if (!is_name(name, length) || !(sum > 0.9 && sum < 1.1) || !(seconds >= 0 && seconds < 1e9f))
        return refuse(file, "damaged: not a voice with a name");
    if (wh_grow(&voices->list, &voices->capacity, voices->n + 1, sizeof *voices->list))
        return WHISP_ERR_MEMORY;
    wh_voice *v = &voices->list[voices->n];
    if (!(v->name = strndup(name, length)))
        return wh_fail_memory();
    memcpy(v->voice, voice, sizeof v->voice);
    v->seconds = (double)seconds;
    voices->n++;
    return WHISP_OK;
}

static int is_of_voices(const wh_gguf *file)
{
    const char *text = "";
    size_t length = 0;
    wh_gguf_string(file, "general.architecture", &text, &length);
    return length == strlen("voices") && memcmp(text, "voices", length) == 0;
}

static int read_voices(const wh_gguf *file, wh_voices *voices)
{
    const char *names[MOST];
    size_t lengths[MOST];
    if (!is_of_voices(file))
        return refuse(file, "not a file of voices");
    int64_t n = wh_gguf_array_length(file, "voices.names");
    const wh_tensor *table = wh_gguf_tensor(file, "voices"), *seconds = wh_gguf_tensor(file, "seconds");
    if (n < 1 || n > MOST || !table || table->type != WH_F32 || table->shape[0] != n ||
        table->shape[1] != WH_VOICE_SIZE || table->shape[2] * table->shape[3] != 1 || !seconds ||
        seconds->type != WH_F32 || seconds->shape[0] != n || seconds->bytes != (size_t)n * sizeof(float) ||
        !wh_gguf_array_strings(file, "voices.names", names, lengths))
        return refuse(file, "damaged: names and voices do not fit each other");
    int rc = WHISP_OK;
    for (int64_t i = 0; i < n && !rc; i++)
        rc = add_voice(file, names[i], lengths[i], (const float *)table->data + i * WH_VOICE_SIZE,
                       ((const float *)seconds->data)[i], voices);
    return rc;
}

int wh_voices_read(const char *path, wh_voices *voices)
{
    wh_gguf *file;
    int rc = wh_gguf_open(path, &file);
    if (rc == WHISP_ERR_MODEL) /* what it says is about models */
        rc = wh_fail(rc, "%s: not a file of voices, or a damaged one; give what speakers_out has written", path);
    if (rc)
        return rc;
    rc = read_voices(file, voices);
    wh_gguf_close(file);
    return rc;
}

/* ---- writing ---- */

/* The last error, which is about the file to be written. */
static int not_written(int rc)
{
    char problem[1024];
    if (rc != WHISP_ERR_IO)
        return rc;
    snprintf(problem, sizeof problem, "%s", whisp_last_error());
    return wh_fail(WHISP_ERR_OUTPUT, "option speakers_out: %s", problem);
}

/* May the file be written over, and one beside it be written, which then takes its place? The latter is tried. */
static int check_access(const char *path, int is_there)
{
    wh_gguf_writer *writer;
    if (is_there && access(path, W_OK) != 0)
        return wh_fail(WHISP_ERR_OUTPUT, "option speakers_out: %s: cannot be written: %s", path, strerror(errno));
    int rc = wh_gguf_writer_new(path, &writer);
    if (rc)
        return not_written(rc);
    wh_gguf_writer_abort(writer);
    return WHISP_OK;
}

/* A file of voices may be written over, and an empty one. */
static int check_contents(const char *path)
{
    wh_gguf *file;
    int rc = wh_gguf_open(path, &file), is_other = rc == WHISP_ERR_MODEL;
    if (!rc) {
        is_other = !is_of_voices(file);
        wh_gguf_close(file);
    }
    return is_other ? wh_fail(WHISP_ERR_ARGUMENT,
                              "option speakers_out: %s is there and holds no voices, but something else; name another "
                              "file",
                              path)
                    : rc;
}

int wh_voices_may_write(const char *path)
{
    struct stat st;
    int is_there = stat(path, &st) == 0;
    if (is_there && S_ISDIR(st.st_mode))
        return wh_fail(WHISP_ERR_OUTPUT, "option speakers_out: %s is a folder; name the file to write", path);
    if (is_there && !S_ISREG(st.st_mode)) /* a device or a pipe, which is opened as it is */
        return WHISP_OK;
    int rc = check_access(path, is_there);
    return rc || !is_there || st.st_size == 0 ? rc : check_contents(path);
}

/* The file in the making. */
typedef struct cast {
    const char **names;
    size_t *lengths;
    float *voices; /* [n][192] */
    float *seconds;
    size_t n;
} cast;

static void add(cast *c, const char *name, const float *voice, double seconds)
{
    c->names[c->n] = name;
    c->lengths[c->n] = strlen(name);
    memcpy(c->voices + c->n * WH_VOICE_SIZE, voice, WH_VOICE_SIZE * sizeof *voice);
    c->seconds[c->n++] = (float)seconds;
}

/* What was heard now joins what is in the file, by the seconds of each. */
static void join(cast *c, size_t at, const float *voice, double seconds)
{
    float *known = c->voices + at * WH_VOICE_SIZE, old = fminf(c->seconds[at], FORGETS), length = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++) {
        known[i] = known[i] * old + voice[i] * (float)seconds;
        length += known[i] * known[i];
    }
    for (int i = 0; i < WH_VOICE_SIZE && length > 0; i++)
        known[i] /= sqrtf(length);
    c->seconds[at] += (float)seconds;
}

static void gather(cast *c, const wh_voices *known, const wh_diarization *who, char *const *names)
{
    for (size_t i = 0; i < known->n && c->n < MOST; i++) {
        size_t at = 0;
        while (at < c->n && strcmp(c->names[at], known->list[i].name) != 0)
            at++;
        if (at < c->n)
            join(c, at, known->list[i].voice, known->list[i].seconds);
        else
            add(c, known->list[i].name, known->list[i].voice, known->list[i].seconds);
    }
    for (int s = 0; s < who->n_speakers; s++) {
        const float *voice = who->centroids + (size_t)s * WH_VOICE_SIZE;
        size_t at = 0;
        while (at < c->n && strcmp(c->names[at], names[s]) != 0)
            at++;
        if (at < c->n)
            join(c, at, voice, who->seconds[s]);
        else if (who->seconds[s] >= LEAST && c->n < MOST)
            add(c, names[s], voice, who->seconds[s]);
    }
}

static int write_cast(const cast *c, wh_gguf_writer *writer)
{
    const int64_t shape[] = {(int64_t)c->n, WH_VOICE_SIZE};
    int rc;
    if ((rc = wh_gguf_put_string(writer, "general.architecture", "voices", strlen("voices"))) ||
        (rc = wh_gguf_put_string_array(writer, "voices.names", c->names, c->lengths, c->n)) ||
        (rc = wh_gguf_declare(writer, "voices", WH_F32, 2, shape)) ||
        (rc = wh_gguf_declare(writer, "seconds", WH_F32, 1, shape)) || (rc = wh_gguf_writer_begin(writer)) ||
        (rc = wh_gguf_write(writer, c->voices, c->n * WH_VOICE_SIZE * sizeof *c->voices)))
        return rc;
    return wh_gguf_write(writer, c->seconds, c->n * sizeof *c->seconds);
}

int wh_voices_write(const wh_voices *known, const wh_diarization *who, char *const *names, const char *path)
{
    size_t most = known->n + (size_t)who->n_speakers;
    cast c = {.names = wh_calloc(most, sizeof *c.names),
              .lengths = wh_calloc(most, sizeof *c.lengths),
              .voices = wh_calloc(most, WH_VOICE_SIZE * sizeof *c.voices),
              .seconds = wh_calloc(most, sizeof *c.seconds)};
    wh_gguf_writer *writer = NULL;
    int rc = WHISP_OK;
    if (!c.names || !c.lengths || !c.voices || !c.seconds)
        rc = wh_fail_memory();
    if (!rc)
        gather(&c, known, who, names);
    if (!rc && !c.n)
        rc = wh_fail(WHISP_ERR_ARGUMENT,
                     "option speakers_out: nobody speaks for %g seconds, so there is no voice to keep", LEAST);
    if (!rc && !(rc = wh_gguf_writer_new(path, &writer))) {
        rc = write_cast(&c, writer);
        if (rc)
            wh_gguf_writer_abort(writer);
        else
            rc = wh_gguf_writer_finish(writer);
    }
    free((void *)(uintptr_t)c.names);
    free(c.lengths);
    free(c.voices);
    free(c.seconds);
    return not_written(rc);
}
