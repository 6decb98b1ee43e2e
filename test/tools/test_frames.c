/* test_frames.c - what whisp-server reads from sockets of its own: WebSocket frames and Wyoming's events, cut anyhow, and
 * what is refused; linked with the server's objects. */
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

#include "../tools/server/websocket.h"
#include "../tools/server/wyoming_reader.h"

/* ---- WebSocket frames ---- */

/* A frame as a client sends it. Returns its length. */
static size_t frame(uint8_t *to, unsigned first, const void *payload, size_t n)
{
    static const uint8_t mask[4] = {0x12, 0xF4, 0x00, 0x99};
    uint8_t head[WS_HEAD];
    size_t n_head = ws_write_head(head, WS_TEXT, n);
    memcpy(to, head, n_head);
    to[0] = (uint8_t)first;
    to[1] |= 0x80;
    memcpy(to + n_head, mask, 4);
    for (size_t i = 0; i < n; i++)
        to[n_head + 4 + i] = (uint8_t)(((const uint8_t *)payload)[i] ^ mask[i & 3]);
    return n_head + 4 + n;
}

/* What comes out of the bytes in pieces of `piece`: a letter a part and its payload, a line each. Binary pieces are one. */
static int read_frames(const uint8_t *bytes, size_t n, size_t piece, char *out, size_t room)
{
    struct ws_reader reader = {0};
    struct ws_part part;
    int rc = 0, in_binary = 0;
    *out = 0;
    for (size_t done = 0; done < n && rc == 0; done += piece) {
        uint8_t copy[70000];
        size_t take = n - done < piece ? n - done : piece;
        memcpy(copy, bytes + done, take);
        uint8_t *at = copy;
        while ((rc = ws_read(&reader, &at, copy + take, &part)) == 1) {
            size_t length = strlen(out);
            const char *name = part.kind == WS_TEXT     ? "\ntext "
                               : part.kind == WS_BINARY ? (in_binary ? "" : "\nbinary ")
                               : part.kind == WS_PING   ? "\nping "
                               : part.kind == WS_PONG   ? "\npong "
                                                        : "\nclose ";
            in_binary = part.kind == WS_BINARY;
            snprintf(out + length, room - length, "%s%.*s", name, (int)part.n, (const char *)part.data);
            if (part.kind == WS_CLOSE)
                snprintf(out + strlen(out), room - strlen(out), "(%d)", part.code);
        }
    }
    return rc;
}

static void assert_frames(const uint8_t *bytes, size_t n, int rc, const char *parts)
{
    char out[8192];
    for (size_t piece = 1; piece <= n; piece = piece < 8 ? piece + 1 : piece * 3) {
        assert_int_equal(read_frames(bytes, n, piece, out, sizeof out), rc);
        assert_string_equal(out, parts);
    }
    assert_int_equal(read_frames(bytes, n, n, out, sizeof out), rc);
    assert_string_equal(out, parts);
}

static void messages_come_out_however_they_are_cut(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t n = frame(bytes, 0x81, "{\"type\": \"end\"}", 15);
    n += frame(bytes + n, 0x02, "abc", 3); /* a binary message of three frames, with a ping amid it */
    n += frame(bytes + n, 0x89, "hey", 3);
    n += frame(bytes + n, 0x00, "", 0);
    n += frame(bytes + n, 0x80, "defg", 4);
    n += frame(bytes + n, 0x01, "\xc3", 1); /* half a letter, then the other half */
    n += frame(bytes + n, 0x80, "\xa4", 1);
    n += frame(bytes + n, 0x8A, "", 0);
    n += frame(bytes + n, 0x88, "\x03\xe8 bye", 6);
    assert_frames(
        bytes, n, 0,
        "\ntext {\"type\": \"end\"}\nbinary abc\nping hey\nbinary defg\ntext \xc3\xa4\npong \nclose  bye(1000)");
    n = frame(bytes, 0x88, "", 0);
    assert_frames(bytes, n, 0, "\nclose (1005)");
}

static void long_frames_have_long_lengths(void **state)
{
    (void)state;
    static uint8_t bytes[70020], sound[70000];
    static char out[8192];
    const size_t sizes[] = {125, 126, 4095, 65535, 65536, 70000};
    memset(sound, 'x', sizeof sound);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = frame(bytes, 0x82, sound, sizes[i]), heard = 0;
        struct ws_reader reader = {0};
        struct ws_part part;
        uint8_t *at = bytes;
        while (ws_read(&reader, &at, bytes + n, &part) == 1)
            for (size_t k = 0; k < part.n; k++)
                heard += part.data[k] == 'x';
        assert_int_equal(heard, sizes[i]);
        assert_int_equal(reader.frame, WS_MORE);
    }
    memset(sound, 'x', sizeof sound);
    size_t n = frame(bytes, 0x81, sound, WS_MOST_TEXT);
    assert_int_equal(read_frames(bytes, n, n, out, sizeof out), 0);
    assert_int_equal(strlen(out), strlen("\ntext ") + WS_MOST_TEXT);
}

static void what_breaks_the_protocol_is_refused(void **state)
{
    (void)state;
    static uint8_t bytes[70020], sound[70000];
    static const struct {
        size_t n;
        uint8_t bytes[24];
        int code;
    } broken[] = {
        {2, {0x81, 0x01}, WS_PROTOCOL},                                            /* no mask, which is seen at once */
        {6, {0x81, 0x01, 0, 0, 0, 0}, WS_PROTOCOL},                                /* no mask */
        {6, {0xC1, 0x80, 0, 0, 0, 0}, WS_PROTOCOL},                                /* a bit that is reserved */
        {6, {0x83, 0x80, 0, 0, 0, 0}, WS_PROTOCOL},                                /* a kind that is reserved */
        {6, {0x8B, 0x80, 0, 0, 0, 0}, WS_PROTOCOL},                                /* likewise */
        {6, {0x80, 0x80, 0, 0, 0, 0}, WS_PROTOCOL},                                /* goes on with nothing */
        {12, {0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0}, WS_PROTOCOL},       /* a message within one */
        {6, {0x09, 0x80, 0, 0, 0, 0}, WS_PROTOCOL},                                /* a ping in pieces */
        {8, {0x89, 0xFE, 0, 126, 0, 0, 0, 0}, WS_PROTOCOL},                        /* a ping of 126 bytes */
        {8, {0x82, 0xFE, 0, 125, 0, 0, 0, 0}, WS_PROTOCOL},                        /* written longer than need be */
        {14, {0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0}, WS_PROTOCOL}, /* likewise */
        {14, {0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, WS_PROTOCOL},    /* longer than there is */
        {8, {0x81, 0xFE, 0x10, 0x01, 0, 0, 0, 0}, WS_TOO_LONG},                    /* text of 4,097 bytes */
        {7, {0x88, 0x81, 0, 0, 0, 0, 3}, WS_PROTOCOL},                             /* half a code */
        {8, {0x88, 0x82, 0, 0, 0, 0, 3, 0xED}, WS_PROTOCOL},                       /* 1005 */
        {8, {0x88, 0x82, 0, 0, 0, 0, 0, 1}, WS_PROTOCOL},                          /* 1 */
        {9, {0x88, 0x83, 0, 0, 0, 0, 3, 0xE8, 0xFF}, WS_NOT_TEXT},                 /* a reason that is no text */
        {8, {0x81, 0x82, 0, 0, 0, 0, 0xC0, 0x80}, WS_NOT_TEXT},                    /* too long a NUL */
        {9, {0x81, 0x83, 0, 0, 0, 0, 0xED, 0xA0, 0x80}, WS_NOT_TEXT},              /* half a pair */
        {10, {0x81, 0x84, 0, 0, 0, 0, 0xF4, 0x90, 0x80, 0x80}, WS_NOT_TEXT},       /* beyond the last letter */
        {7, {0x81, 0x81, 0, 0, 0, 0, 0xC3}, WS_NOT_TEXT},                          /* half a letter */
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_frames(broken[i].bytes, broken[i].n, -broken[i].code, "");
    size_t n = frame(bytes, 0x01, sound, WS_MOST_TEXT); /* too long in two frames */
    n += frame(bytes + n, 0x80, "x", 1);
    assert_frames(bytes, n, -WS_TOO_LONG, "");
    struct ws_reader reader = {.failed = WS_PROTOCOL};
    struct ws_part part;
    uint8_t *at = bytes;
    assert_int_equal(ws_read(&reader, &at, bytes + n, &part), -WS_PROTOCOL);
    assert_ptr_equal(at, bytes);
}

static void a_handshake_is_answered_as_the_standard_says(void **state)
{
    (void)state;
    char accept[WS_ACCEPT + 1];
    ws_accept("dGhlIHNhbXBsZSBub25jZQ==", accept); /* RFC 6455, 1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_true(ws_is_key("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_false(ws_is_key(""));
    assert_false(ws_is_key("dGhlIHNhbXBsZSBub25jZQ="));
    assert_false(ws_is_key("dGhlIHNhbXBsZSBub25jZQ==="));
    assert_false(ws_is_key("dGhlIHNhbXBsZSBub25jZ\xc3=="));
}

/* ---- Wyoming's events ---- */

/* Like read_frames(): "type {data} n|payload", a line each. -1 and the error's text. */
static int read_events(const char *bytes, size_t n, size_t piece, char *out, size_t room)
{
    struct wyoming_reader reader = {0};
    struct wyoming_part part;
    int rc = 0;
    *out = 0;
    for (size_t done = 0; done < n && rc == 0; done += piece) {
        size_t take = n - done < piece ? n - done : piece;
        const uint8_t *at = (const uint8_t *)bytes + done, *end = at + take;
        while ((rc = wyoming_read(&reader, &at, end, &part)) == 1) {
            size_t length = strlen(out);
            if (part.kind == WYOMING_PAYLOAD) {
                snprintf(out + length, room - length, "%.*s", (int)part.n, (const char *)part.payload);
                continue;
            }
            char *data = json_dumps(part.data, JSON_SORT_KEYS);
            snprintf(out + length, room - length, "\n%s %s %zu|", part.type, data, part.n);
            free(data);
        }
    }
    if (rc < 0)
        snprintf(out, room, "%s", reader.error);
    wyoming_reader_free(&reader);
    return rc;
}

static void assert_events(const char *bytes, size_t n, int rc, const char *parts)
{
    static char out[1 << 17];
    for (size_t piece = 1; piece <= n; piece = piece < 8 ? piece + 1 : piece * 3) {
        assert_int_equal(read_events(bytes, n, piece, out, sizeof out), rc);
        assert_string_equal(out, parts);
    }
}

static void events_come_out_however_they_are_cut(void **state)
{
    (void)state;
    static const char bytes[] =
        "{\"type\": \"describe\"}\n"
        "{\"type\": \"audio-start\", \"data\": {\"rate\": 8000, \"width\": 2}, \"data_length\": 15}\n"
        "{\"rate\": 16000}"
        "{\"type\": \"audio-chunk\", \"data\": null, \"data_length\": null, \"payload_length\": 7}\n"
        "ab\ncd\n\n"
        "{\"type\": \"audio-chunk\", \"data_length\": 2, \"payload_length\": 3}\n{}xyz"
        "{\"type\": \"audio-stop\", \"payload_length\": 0, \"version\": \"1.5\"}\n";
    assert_events(bytes, sizeof bytes - 1, 0,
                  "\ndescribe {} 0|\naudio-start {\"rate\": 16000, \"width\": 2} 0|\naudio-chunk {} 7|ab\ncd\n\n"
                  "\naudio-chunk {} 3|xyz\naudio-stop {} 0|");
}

static void what_are_no_events_is_refused(void **state)
{
    (void)state;
    static const char *const broken[][2] = {
        {"\n", "a line that is not a JSON object with a \"type\""},
        {"GET / HTTP/1.1\n", "a line that is not a JSON object with a \"type\""},
        {"[1]\n", "a line that is not a JSON object with a \"type\""},
        {"{}\n", "a line that is not a JSON object with a \"type\""},
        {"{\"type\": 1}\n", "a line that is not a JSON object with a \"type\""},
        {"{\"type\": \"a\", \"data\": 1}\n", "\"data\" that is not an object"},
        {"{\"type\": \"a\", \"data_length\": -1}\n", "a length that is not a whole number"},
        {"{\"type\": \"a\", \"payload_length\": 1.5}\n", "a length that is not a whole number"},
        {"{\"type\": \"a\", \"payload_length\": \"9\"}\n", "a length that is not a whole number"},
        {"{\"type\": \"a\", \"data_length\": 65537}\n", "an event that is too long"},
        {"{\"type\": \"a\", \"payload_length\": 67108865}\n", "an event that is too long"},
        {"{\"type\": \"a\", \"data_length\": 3}\n123", "data that are not a JSON object"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_events(broken[i][0], strlen(broken[i][0]), -1, broken[i][1]);
    char *line = malloc(WYOMING_MOST_LINE + 2);
    memset(line, ' ', WYOMING_MOST_LINE + 2);
    assert_events(line, WYOMING_MOST_LINE, 0, "");
    assert_events(line, WYOMING_MOST_LINE + 1, -1, "a line that is too long");
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_however_they_are_cut),
        cmocka_unit_test(long_frames_have_long_lengths),
        cmocka_unit_test(what_breaks_the_protocol_is_refused),
        cmocka_unit_test(a_handshake_is_answered_as_the_standard_says),
        cmocka_unit_test(events_come_out_however_they_are_cut),
        cmocka_unit_test(what_are_no_events_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
