/* test_crafted_inputs.c - recordings whose heads claim hours, gigabytes, 2^31 channels or rates from 0 to 4e9, and what
 * the command reads besides: transcripts, vocabularies, models that are none. Each ends in an error or in sound with a
 * warning, within 100 ms and 64 MB plus four times the file (support/bounds.h), and the command writes nothing outside
 * the places that it was given, whatever recordings are called.
 *
 * Recordings are damaged in so many ways that each run takes some of them, by a new seed that is printed; WHISP_SEED=N
 * repeats a run, WHISP_CRAFTED=N takes more of each format. */
#include "support/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/bounds.h"

static char folder[64], home[4096], model[4096]; /* the current folder of all tests; where we came from */
static uint64_t seed;

static void write_bytes(const char *name, const void *data, size_t n)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_true(n == 0 || fwrite(data, 1, n, file) == n);
    assert_int_equal(fclose(file), 0);
}

/* ---- recordings ---- */

#define FRAMES 4000 /* half a second */

/* 8 kHz; NULL where libsndfile does not write the format. */
static char *record(int format, int channels, size_t *n)
{
    const char *path = temp_path("original");
    SF_INFO info = {.samplerate = 8000, .channels = channels, .format = format};
    SNDFILE *file = sf_format_check(&info) ? sf_open(path, SFM_WRITE, &info) : NULL;
    uint64_t random = 7;
    int is_written = 1;
    if (!file)
        return NULL;
    for (int i = 0; i < FRAMES; i++) {
        float frame[2];
        for (int c = 0; c < 2; c++)
            frame[c] = (float)((random_unit(&random) - 0.5) * sin(0.001 * i));
        is_written &= sf_writef_float(file, frame, 1) == 1;
    }
    sf_close(file);
    return is_written ? read_file(path, n) : NULL;
}

typedef struct hearing {
    const char *path;
    int rc;
    int64_t samples;
    char text[600];
} hearing;

/* As much of it as a second and a half of the processor could want. */
static void hear(void *user)
{
    hearing *h = user;
    static float samples[16000];
    whisp_audio *audio = NULL;
    h->samples = 0;
    h->rc = whisp_audio_open(h->path, &audio);
    while (!h->rc) {
        int64_t n = whisp_audio_read(audio, samples, WH_COUNT(samples));
        if (n < 0)
            h->rc = (int)n;
        if (n <= 0)
            break;
        h->samples += n;
    }
    snprintf(h->text, sizeof h->text, "%s", h->rc ? whisp_last_error() : "");
    whisp_audio_free(audio);
}

static const struct {
    const char *name;
    int format, channels;
} formats[] = {
    {"wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2},          {"wav of floats", SF_FORMAT_WAVEX | SF_FORMAT_FLOAT, 1},
    {"wav, ADPCM", SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM, 1}, {"rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 1},
    {"w64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, 1},          {"aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 2},
    {"caf", SF_FORMAT_CAF | SF_FORMAT_PCM_16, 1},          {"au", SF_FORMAT_AU | SF_FORMAT_ULAW, 1},
    {"svx", SF_FORMAT_SVX | SF_FORMAT_PCM_S8, 1},          {"voc", SF_FORMAT_VOC | SF_FORMAT_PCM_U8, 1},
    {"flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1},        {"ogg vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 1},
    {"ogg opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 1},       {"mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 1},
};

static void claims_of_recordings(void **state)
{
    (void)state;
    static const uint64_t extremes[] = {0,          1,          2,
                                        0x7fff,     0xffff,     0x7fffffff,
                                        0x80000000, 0xffffffff, 0x7fffffffffffffff,
                                        UINT64_MAX, 4000000000};
    const char *given = getenv("WHISP_CRAFTED");
    int n_each = given ? atoi(given) : BOUNDS_SANITIZED ? 15 : 40;
    for (size_t f = 0; f < WH_COUNT(formats); f++) {
        size_t n, heard = 0;
        char *good = record(formats[f].format, formats[f].channels, &n), what[128];
        if (!good) {
            printf("  libsndfile does not write %s\n", formats[f].name);
            continue;
        }
        char *copy = malloc(n + 8);
        assert_non_null(copy);
        for (int i = 0; i < n_each; i++) {
            size_t at = (size_t)(random_unit(&seed) * (double)WH_MIN(n, (size_t)200));
            int width = 1 << (int)(random_unit(&seed) * 4), big = random_unit(&seed) < 0.5;
            uint64_t value = extremes[(size_t)(random_unit(&seed) * (double)WH_COUNT(extremes))];
            memcpy(copy, good, n);
            for (int k = 0; k < width && at + (size_t)k < n; k++)
                copy[at + (size_t)k] = (char)(value >> 8 * (big ? width - 1 - k : k) & 0xff);
            write_bytes("recording", copy, n);
            hearing h = {.path = "recording"};
            snprintf(what, sizeof what, "%s with %llx in %d bytes at %zu%s", formats[f].name, (unsigned long long)value,
                     width, at, big ? ", the highest first" : "");
            within_bounds(what, n, hear, &h);
            if (h.rc && (h.rc == WHISP_ERR_MEMORY || strlen(h.text) < 10 || !strstr(h.text, "recording")))
                fail_msg("%s: %d, '%s'", what, h.rc, h.text);
            heard += h.rc == 0;
        }
        printf("  %s: %zu of %d heard\n", formats[f].name, heard, n_each);
        free(good);
        free(copy);
    }
}

/* ---- the command ---- */

/* Run whisp; its status must be `status`, and what it says must hold `reason`. NULL ends the arguments. */
static void expect(int status, const char *reason, size_t input, const char *const *arguments)
{
    const char *all[32] = {program_path("whisp")};
    wh_buf said = {0};
    for (size_t i = 0; i + 2 < WH_COUNT(all) && arguments[i]; i++)
        all[i + 1] = arguments[i];
    int got = run_bounded(all, input, &said);
    if (got != status || !strstr(said.data ? said.data : "", reason))
        fail_msg("whisp %s %s %s: status %d, '%s', where %d and '%s' are expected", arguments[0], arguments[1],
                 arguments[2] ? arguments[2] : "", got, said.data ? said.data : "", status, reason);
    wh_buf_free(&said);
}

static void repeat(wh_buf *b, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        wh_buf_puts(b, text);
}

static void transcripts(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *begin, *repeated, *end;
        size_t times;
    } list[] = {
        {3, "", "[", "", 100000},
        {3, "", "{\"segments\":", "", 100000},
        {3, "{\"segments\":", "[", "", 100000},
        {3, "{\"other\":", "[", "", 100000},
        {3, "{\"segments\":[", "{},", "{}]}", 500000},
        {3, "{\"other\":[", "[],", "[]]}", 500000},
        {3, "{\"segments\":[{\"start\":", "9", "}]}", 100000},
        {3, "{\"segments\":[{\"start\":1e999,\"end\":1,\"text\":\"a\"}]}", "", "", 0},
        {3, "{\"segments\":[{\"start\":0,\"start\":0,\"end\":1,\"text\":\"a\"}]}", "", "", 0},
        {0, "{\"text\":\"\xff\xfe\",\"segments\":[]}", "", "", 0},
        {3, "{\"segments\":[{\"text\":\"", "\\ud800", "\"}]}", 50000},
        {3, "{\"segments\":[{\"id\":99999999999999999999,\"start\":0,\"end\":1,\"text\":\"\"}]}", "", "", 0},
        {3, "{\"segments\":7}", "", "", 0},
        {3, "null", "", "", 0},
        {3, "", "", "", 0},
        {3, "{\"segments\":[]} ", "x", "", 1},
        {3, "", " ", "", 1000000},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        wh_buf b = {0};
        wh_buf_puts(&b, list[i].begin);
        repeat(&b, list[i].repeated, list[i].times);
        wh_buf_puts(&b, list[i].end);
        write_bytes("said.json", b.data ? b.data : "", b.length);
        const char *const arguments[] = {"--from", "said.json", "-f", "srt", NULL};
        expect(list[i].status, list[i].status ? "said.json" : "", b.length, arguments);
        assert_int_equal(access("said.srt", F_OK), list[i].status ? -1 : 0);
        unlink("said.srt");
        wh_buf_free(&b);
    }
}

/* What is no model, in its place. */
static void models(void **state)
{
    (void)state;
    size_t n;
    char *sound = record(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1, &n);
    write_bytes("sound.wav", sound, n);
    write_bytes("short.gguf", "GGUF\3\0\0\0\xff\xff\xff\x7f\0\0\0\0\xff\xff\xff\x7f\0\0\0\0", 24);
    write_bytes("zip.gguf", "PK\3\4", 4);
    mkfifo("fifo.gguf", 0600);
    mkdir("folder", 0700);
    assert_int_equal(symlink("loop.gguf", "loop.gguf"), 0);
    static const char *const paths[] = {"short.gguf", "zip.gguf",  "./fifo.gguf", "folder",
                                        "loop.gguf",  "/dev/zero", "/dev/null",   "../../../../etc/passwd"};
    for (size_t i = 0; i < WH_COUNT(paths); i++) {
        const char *const arguments[] = {"--model", paths[i], "sound.wav", NULL};
        const char *name = strrchr(paths[i], '/');
        expect(4, name ? name + 1 : paths[i], n, arguments);
    }
    free(sound);
    unlink("fifo.gguf");
    unlink("loop.gguf");
    rmdir("folder");
}

/* ---- nothing outside ---- */

static wh_buf tree;

static int note_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)where;
    if (type == FTW_F || type == FTW_SL)
        wh_buf_printf(&tree, "%s\n", path);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All files under the current folder, sorted, a line each. */
static char *list_files(void)
{
    char *lines[256], *save = NULL, *sorted;
    size_t n = 0;
    tree.length = 0;
    wh_buf_puts(&tree, "");
    assert_int_equal(nftw(".", note_file, 16, FTW_PHYS), 0);
    for (char *line = strtok_r(tree.data, "\n", &save); line && n < WH_COUNT(lines); line = strtok_r(NULL, "\n", &save))
        lines[n++] = line;
    qsort(lines, n, sizeof *lines, by_text);
    wh_buf out = {0};
    wh_buf_puts(&out, "");
    for (size_t i = 0; i < n; i++)
        wh_buf_printf(&out, "%s\n", lines[i]);
    sorted = out.data;
    return sorted;
}

/* Recordings by names of many kinds, their transcripts in a folder: each lies there, and nothing else is new. */
static void names_of_recordings(void **state)
{
    (void)state;
    static const struct {
        const char *path, *written;
    } list[] = {
        {"deep/../deep/a.wav", "./out/a.srt"},
        {"deep/b..wav", "./out/b..srt"},
        {"deep/..c.wav", "./out/..c.srt"},
        {"deep/...", "./out/....srt"},
        {"deep/d; touch owned", "./out/d; touch owned.srt"},
        {"deep/$(touch owned).wav", "./out/$(touch owned).srt"},
        {"deep/-f.wav", "./out/-f.srt"},
        {"deep/%s%n.wav", "./out/%s%n.srt"},
        {"deep/\x1b[31m\xff.wav", "./out/\x1b[31m\xff.srt"},
        {"deep/..\\..\\e.wav", "./out/..\\..\\e.srt"},
    };
    size_t n;
    char *sound = record(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1, &n);
    mkdir("deep", 0700);
    for (size_t i = 0; i < WH_COUNT(list); i += BOUNDS_SANITIZED ? 4 : 1) {
        write_bytes(list[i].path, sound, n);
        char *before = list_files();
        const char *const arguments[] = {
            program_path("whisp"), "--model", model, "--language", "en", "-o", "out", "-f", "srt", "-q",
            "--threads",           "1",       "--",  list[i].path, NULL};
        wh_buf said = {0};
        int status = run_unbounded(arguments, &said);
        if (status != 0)
            fail_msg("%s: status %d: %s", list[i].path, status, said.data ? said.data : "");
        wh_buf_free(&said);
        char *after = list_files();
        if (!strstr(after, list[i].written))
            fail_msg("%s: %s is not there", list[i].path, list[i].written);
        assert_int_equal(strlen(after), strlen(before) + strlen(list[i].written) + 1);
        assert_int_equal(unlink(list[i].written), 0);
        free(before);
        before = list_files();
        assert_int_equal(strlen(after), strlen(before) + strlen(list[i].written) + 1);
        free(before);
        free(after);
    }
    free(sound);
}

/* ---- set-up ---- */

static int remove_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    return where->level ? remove(path) : 0;
}

static int begin(void **state)
{
    (void)state;
    const char *path = invented_path("invented");
    if (!path || !realpath(path, model))
        return -1;
    snprintf(folder, sizeof folder, "/tmp/whisp-inputs-XXXXXX");
    program_path("whisp"); /* by /proc/self/exe, which does not depend on the folder */
    if (!getcwd(home, sizeof home) || !mkdtemp(folder) || chdir(folder))
        return -1;
    seed = test_seed();
    setenv("PATH", "/nonexistent", 1); /* ffmpeg would be asked */
    return setenv("HOME", "/nonexistent", 1) || unsetenv("WHISP_MODEL_DIR");
}

static int end(void **state)
{
    (void)state;
    wh_buf_free(&tree);
    nftw(".", remove_file, 16, FTW_PHYS | FTW_DEPTH);
    return chdir(home) || rmdir(folder);
}

int main(void)
{
    alarm(900); /* a hang ends the test */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_of_recordings),
        cmocka_unit_test(transcripts),
        cmocka_unit_test(models),
        cmocka_unit_test(names_of_recordings),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
