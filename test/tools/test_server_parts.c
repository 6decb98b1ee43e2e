/* test_server_parts.c - parts of whisp-server that decide by bytes: forms and data URLs cut anyhow and refused, keys that
 * are right, wrong, and read again, uploads and their bound, raw samples; linked with the server's objects. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/testing.h"

#include "../tools/server/data_url.h"
#include "../tools/server/keys.h"
#include "../tools/server/multipart.h"
#include "../tools/server/upload.h"
#include "whisp.h"

/* ---- forms ---- */

struct said {
    char text[4096];
    size_t n;
};

static int say(struct said *said, const char *bytes, size_t n)
{
    assert_true(said->n + n < sizeof said->text);
    memcpy(said->text + said->n, bytes, n);
    said->text[said->n += n] = '\0';
    return 0;
}

static int on_part(void *user, const struct multipart_head *head)
{
    char text[2200];
    snprintf(text, sizeof text, "<%s%s%s%s%s>", head->name, head->filename ? "|" : "",
             head->filename ? head->filename : "", head->encoding ? "~" : "", head->encoding ? head->encoding : "");
    return say(user, text, strlen(text));
}

static int on_bytes(void *user, const char *bytes, size_t n)
{
    assert_true(n > 0);
    return say(user, bytes, n);
}

/* What a form says, given in pieces: "<name|filename~encoding>value" for each part. 0, or -1. */
static int parse(const char *type, const char *body, size_t n, size_t piece, struct said *said)
{
    struct multipart *form = multipart_new(type, &(struct multipart_sink){said, on_part, on_bytes});
    int rc = 0;
    *said = (struct said){.n = 0};
    assert_non_null(form);
    for (size_t at = 0; at < n && !rc; at += piece)
        rc = multipart_feed(form, body + at, n - at < piece ? n - at : piece);
    if (!rc)
        rc = multipart_end(form);
    assert_true(rc == 0 || *multipart_problem(form));
    multipart_free(form);
    return rc;
}

static const char plain_type[] = "multipart/form-data; boundary=XX";

static void test_forms(void **state)
{
    static const struct {
        const char *type, *body, *said; /* NULL: none */
    } cases[] = {
        {plain_type,
         "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX\r\ncontent-disposition:form-data;"
         "name=\"b[]\"\r\n\r\n\r\n--XX--\r\n",
         "<a>1<b[]>"},
        /* .NET: names without quotes, a boundary in some */
        {"multipart/form-data; boundary=\"x-y z\"",
         "--x-y z\r\nContent-Type: audio/wav\r\nContent-Disposition: form-data; name=file; filename=a.wav; "
         "filename*=utf-8''b.wav\r\n\r\nsound\r\n--x-y z--",
         "<file|a.wav>sound"},
        {"Multipart/Form-Data;charset=utf-8; BOUNDARY=XX ; x=y",
         "before\r\n--XX \t\r\nContent-Disposition: form-data; filename=\"a;name=b\\\"\\c.wav\"; name=\"f\"\r\n"
         "Content-Transfer-Encoding: binary\r\nX: y\r\n\r\nx\r\n--XX--behind\r\n--XX\r\n",
         "<f|a;name=b\"\\c.wav~binary>x"},
        /* what is nearly a boundary */
        {plain_type,
         "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--X\r\n--XXX\r\n--XX-\r--XX\n--XX\r\r\n\r\n"
         "\r\n--XX--",
         "<a>\r\n--X\r\n--XXX\r\n--XX-\r--XX\n--XX\r\r\n\r\n"},
        {plain_type, "--XX--", ""},
        {plain_type, "", NULL},
        {plain_type, "--XY--\r\n", NULL},
        {plain_type, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX", NULL},
        {plain_type, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n", NULL},
        {plain_type, "--XX\r\nContent-Disposition: form-data; filename=a\r\n\r\n1\r\n--XX--", NULL},
        {plain_type, "--XX\r\n\r\n1\r\n--XX--", NULL},
    };
    static const char *const bad_types[] = {"",
                                            "multipart/form-data",
                                            "multipart/form-data; boundary=",
                                            "multipart/form-data; boundary=\"\"",
                                            "multipart/mixed; boundary=XX",
                                            "multipart/form-data; boundaries=XX",
                                            "application/json; boundary=XX"};
    struct said said;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].body);
        for (size_t piece = 1; piece <= n + 1; piece++) {
            int rc = parse(cases[i].type, cases[i].body, n, piece, &said);
            assert_int_equal(rc, cases[i].said ? 0 : -1);
            if (cases[i].said)
                assert_string_equal(said.text, cases[i].said);
        }
    }
    for (size_t i = 0; i < sizeof bad_types / sizeof *bad_types; i++)
        assert_null(multipart_new(bad_types[i], &(struct multipart_sink){NULL, on_part, on_bytes}));
}

/* Heads, names and lines of a boundary that never end are refused or content, and bounded. */
static void test_long_forms(void **state)
{
    enum { N = 100000 };
    static const char head[] = "--XX\r\nContent-Disposition: form-data; name=";
    char *body = malloc(N);
    struct said said;
    (void)state;
    assert_non_null(body);
    for (size_t piece = 1; piece < N; piece = 7 * piece + 1) {
        memset(body, 'n', N);
        memcpy(body, head, sizeof head - 1);
        assert_int_equal(parse(plain_type, body, N, piece, &said), -1);
        memcpy(body + 2000, "\r\n\r\n--XX--", 10);
        assert_int_equal(parse(plain_type, body, N, piece, &said), -1);
        memset(body, ' ', N);
        memcpy(body, "--XX", 4);
        assert_int_equal(parse(plain_type, body, N, piece, &said), -1);
        assert_int_equal(said.n, 0);
    }
    free(body);
}

/* ---- data URLs ---- */

/* What a URL says, given in pieces; *n is its length, the return an errno. */
static int decode(const char *text, size_t piece, char *out, size_t room, size_t *n)
{
    struct upload *upload = upload_new();
    struct data_url *url = data_url_new(upload);
    int rc = 0;
    size_t length = strlen(text);
    for (size_t at = 0; at < length && !rc; at += piece)
        rc = data_url_write(url, text + at, length - at < piece ? length - at : piece);
    if (!rc)
        rc = data_url_end(url);
    ssize_t got = pread(upload_fd(upload), out, room, 0);
    *n = got > 0 ? (size_t)got : 0;
    assert_int_equal(*n, upload_size(upload));
    data_url_free(url);
    upload_free(upload);
    return rc;
}

static void test_data_urls(void **state)
{
    static const struct {
        const char *url, *bytes;
    } cases[] = {
        {"data:audio/wav;base64,UklGRg==", "RIFF"},
        {"data:;base64,UklGRg", "RIFF"},
        {"DATA:audio/x;name=a;BASE64,UklG\r\nRkE=", "RIFFA"},
        {"data:a/b;base64,-_-_", "\xFB\xFF\xBF"},
    };
    static const char *const bad[] = {
        "",
        "UklGRg==",
        "data:audio/wav,RIFF",
        "data:audio/wav;base64,",
        "data:audio/wav;base64,UklG*",
        "data:audio/wav;base64,UkE=UkE=",
        "data:audio/wav;base64,U",
        "xata:audio/wav;base64,UklGRg==",
    };
    (void)state;
    char out[64];
    size_t n;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece < 40; piece++) {
            assert_int_equal(decode(cases[i].url, piece, out, sizeof out, &n), 0);
            assert_int_equal(n, strlen(cases[i].bytes));
            assert_memory_equal(out, cases[i].bytes, n);
        }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t piece = 1; piece < 40; piece++)
            assert_int_equal(decode(bad[i], piece, out, sizeof out, &n), EINVAL);
}

/* All values that a byte has, through blocks of the decoder and over them. */
static void test_long_data_url(void **state)
{
    enum { N = 3 * 5000 };
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char url[64 + N / 3 * 4 + 1], out[N];
    size_t n;
    (void)state;
    char *to = url + sprintf(url, "data:audio/wav;base64,");
    for (int i = 0; i < N; i += 3) {
        unsigned v = (unsigned)(i * 7 & 255) << 16 | (unsigned)((i + 1) * 7 & 255) << 8 | (unsigned)((i + 2) * 7 & 255);
        for (int shift = 18; shift >= 0; shift -= 6)
            *to++ = letters[v >> shift & 63];
    }
    *to = '\0';
    assert_int_equal(decode(url, 8191, out, sizeof out, &n), 0);
    assert_int_equal(n, N);
    for (int i = 0; i < N; i++)
        assert_int_equal((unsigned char)out[i], i * 7 & 255);
}

/* ---- keys ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_keys(void **state)
{
    char problem[256], longest[300];
    const char *path = temp_path("keys");
    (void)state;
    struct keys *open = keys_new(NULL, NULL, problem, sizeof problem);
    assert_int_equal(keys_check(open, NULL), KEYS_OPEN);
    assert_int_equal(keys_check(open, "anything"), KEYS_OPEN);
    keys_free(open);

    write_file(path, "# who\nanna\n\nbert\r\n");
    struct keys *keys = keys_new("own", path, problem, sizeof problem);
    assert_non_null(keys);
    int own = keys_check(keys, "own"), anna = keys_check(keys, "anna"), bert = keys_check(keys, "bert");
    assert_true(own >= 0 && anna >= 0 && bert >= 0 && own != anna && anna != bert && own != bert);
    static const char *const wrong[] = {"", "ann", "annaa", "bert\r", "# who", "Anna"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(keys_check(keys, wrong[i]), KEYS_WRONG);
    assert_int_equal(keys_check(keys, NULL), KEYS_WRONG);
    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(keys_check(keys, longest), KEYS_WRONG);

    /* one goes, one comes, who stays keeps his number, and who comes back, too */
    write_file(path, "bert\ncarl\n");
    assert_int_equal(keys_reload(keys, problem, sizeof problem), 0);
    assert_int_equal(keys_check(keys, "anna"), KEYS_WRONG);
    assert_int_equal(keys_check(keys, "bert"), bert);
    assert_int_equal(keys_check(keys, "own"), own);
    int carl = keys_check(keys, "carl");
    assert_true(carl >= 0 && carl != anna && carl != bert && carl != own);
    write_file(path, "anna\n");
    assert_int_equal(keys_reload(keys, problem, sizeof problem), 0);
    assert_int_equal(keys_check(keys, "anna"), anna);

    /* a file that is no good changes nothing */
    write_file(path, "# nobody\n");
    assert_int_equal(keys_reload(keys, problem, sizeof problem), -1);
    assert_non_null(strstr(problem, path));
    assert_int_equal(keys_check(keys, "anna"), anna);
    unlink(path);
    assert_int_equal(keys_reload(keys, problem, sizeof problem), -1);
    assert_int_equal(keys_check(keys, "anna"), anna);
    keys_free(keys);
    assert_null(keys_new(NULL, path, problem, sizeof problem));
    assert_null(keys_new("", NULL, problem, sizeof problem));
}

/* ---- uploads ---- */

static void test_uploads(void **state)
{
    char bytes[1000] = {0};
    (void)state;
    assert_int_equal(uploads_bytes(), 0);
    uploads_limit(2500);
    struct upload *a = upload_new(), *b = upload_new();
    assert_int_equal(upload_write(a, bytes, 1000), 0);
    assert_int_equal(upload_write(b, bytes, 1000), 0);
    assert_int_equal(upload_write(b, bytes, 1000), ENOSPC);
    assert_int_equal(upload_size(b), 1000);
    assert_int_equal(uploads_bytes(), 2000);
    upload_free(a);
    assert_int_equal(upload_write(b, bytes, 1000), 0);
    upload_free(b);
    assert_int_equal(uploads_bytes(), 0);
    uploads_limit(0);
}

/* One takes the other's place: its path names the other's bytes, and the sum is right. */
static void test_adopted(void **state)
{
    char path[64], got[8] = "";
    (void)state;
    struct upload *a = upload_new(), *b = upload_new();
    assert_int_equal(upload_write(a, "first", 5), 0);
    assert_int_equal(upload_write(b, "other", 6), 0);
    snprintf(path, sizeof path, "%s", upload_path(a));
    assert_int_equal(upload_adopt(a, b), 0);
    assert_string_equal(upload_path(a), path);
    assert_int_equal(upload_size(a), 6);
    assert_int_equal(uploads_bytes(), 6);
    assert_int_equal(pread(upload_fd(a), got, sizeof got, 0), 6);
    assert_string_equal(got, "other");
    upload_free(a);
    assert_int_equal(uploads_bytes(), 0);
}

static void test_raw(void **state)
{
    short samples[1600];
    whisp_audio *audio;
    whisp_audio_info info = {.size = sizeof info};
    (void)state;
    for (int i = 0; i < 1600; i++)
        samples[i] = (short)(i % 2 ? 9000 : -9000);
    struct upload *upload = upload_new();
    assert_int_equal(upload_begin_raw(upload), 0);
    assert_int_equal(upload_write(upload, samples, sizeof samples), 0);
    assert_int_equal(upload_end_raw(upload, 8000, 2), 0);
    assert_int_equal(whisp_audio_open(upload_path(upload), &audio), WHISP_OK);
    assert_int_equal(whisp_audio_describe(audio, &info), WHISP_OK);
    assert_int_equal(info.sample_rate, 8000);
    assert_int_equal(info.channels, 2);
    assert_true(info.duration == 0.1);
    whisp_audio_free(audio);
    upload_free(upload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),         cmocka_unit_test(test_long_forms), cmocka_unit_test(test_data_urls),
        cmocka_unit_test(test_long_data_url), cmocka_unit_test(test_keys),       cmocka_unit_test(test_uploads),
        cmocka_unit_test(test_adopted),       cmocka_unit_test(test_raw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
