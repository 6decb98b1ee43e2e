/* websocket.c - WebSocket frames and the handshake's answer, as websocket.h says. Every number of a head is checked before
 * anything is done by it. */
#include <string.h>

#include <nettle/base64.h>
#include <nettle/sha1.h>

#include "websocket.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, 1.3 */

int ws_is_key(const char *key)
{
    size_t n = strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    return n == WS_KEY - 2 && strcmp(key + n, "==") == 0;
}

void ws_accept(const char *key, char accept[WS_ACCEPT + 1])
{
    struct sha1_ctx sha1;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&sha1);
    sha1_update(&sha1, strlen(key), (const uint8_t *)key);
    sha1_update(&sha1, sizeof GUID - 1, (const uint8_t *)GUID);
    sha1_digest(&sha1, sizeof digest, digest);
    base64_encode_raw(accept, sizeof digest, digest);
    accept[WS_ACCEPT] = 0;
}

int ws_is_utf8(const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t first = text[i++];
        int more = first < 0x80 ? 0 : first >= 0xC2 && first < 0xE0 ? 1 : first >= 0xE0 && first < 0xF0 ? 2 : 3;
        if (first >= 0xF5 || (first >= 0x80 && first < 0xC2) || n - i < (size_t)more)
            return 0;
        /* the second byte says whether it is written too long, a surrogate, or beyond U+10FFFF */
        uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        for (; more > 0; more--, i++, low = 0x80, high = 0xBF)
            if (text[i] < low || text[i] > high)
                return 0;
    }
    return 1;
}

size_t ws_write_head(uint8_t head[WS_HEAD], enum ws_kind kind, size_t n)
{
    int bytes = n < 126 ? 0 : n <= 0xFFFF ? 2 : 8;
    head[0] = (uint8_t)(0x80 | kind);
    head[1] = bytes == 0 ? (uint8_t)n : bytes == 2 ? 126 : 127;
    for (int i = 0; i < bytes; i++)
        head[2 + i] = (uint8_t)((uint64_t)n >> 8 * (bytes - 1 - i));
    return 2 + (size_t)bytes;
}

/* ---- heads ---- */

/* How long the head is, as far as its first two bytes say. One that has no mask is at its end at once: it is refused. */
static size_t head_length(const struct ws_reader *reader)
{
    unsigned length = reader->head[1] & 0x7F;
    if (reader->n_head < 2 || !(reader->head[1] & 0x80))
        return 2;
    return 2 + (length == 126 ? 2u : length == 127 ? 8u : 0u) + 4;
}

/* The payload's length; (uint64_t)-1: written longer than need be, or no length at all. */
static uint64_t payload_length(const uint8_t *head)
{
    unsigned first = head[1] & 0x7F;
    if (first < 126)
        return first;
    uint64_t n = 0;
    for (size_t i = 0; i < (first == 126 ? 2 : 8); i++)
        n = n << 8 | head[2 + i];
    int is_least = first == 126 ? n >= 126 : n > 0xFFFF;
    return is_least && n >> 63 == 0 ? n : (uint64_t)-1;
}

/* A head is there. 0, or the code by which to close. */
static int begin_frame(struct ws_reader *reader)
{
    unsigned opcode = reader->head[0] & 0x0F;
    int is_control = opcode >= 8;
    int is_known = opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
    uint64_t n = payload_length(reader->head);
    reader->is_final = reader->head[0] >> 7;
    if ((reader->head[0] & 0x70) || !is_known || !(reader->head[1] & 0x80) || n == (uint64_t)-1)
        return WS_PROTOCOL;
    if (is_control && (!reader->is_final || n > WS_MOST_CONTROL))
        return WS_PROTOCOL;
    if (!is_control && (opcode == 0) == (reader->message == WS_MORE))
        return WS_PROTOCOL; /* goes on with nothing, or begins amid a message */
    if (!is_control && opcode != 0) {
        reader->message = (enum ws_kind)opcode;
        reader->n_text = 0;
    }
    reader->frame = is_control ? (enum ws_kind)opcode : reader->message;
    reader->n_control = 0;
    if (reader->frame == WS_TEXT && n > WS_MOST_TEXT - reader->n_text)
        return WS_TOO_LONG;
    reader->left = n;
    reader->turn = 0;
    return 0;
}

/* ---- payloads ---- */

/* May a client send this code (7.4)? */
static int is_close_code(int code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != WS_NO_CODE && code != 1006) ||
           (code >= 3000 && code < 5000);
}

static int end_close(struct ws_reader *reader, struct ws_part *part)
{
    *part = (struct ws_part){.kind = WS_CLOSE, .data = reader->control, .code = WS_NO_CODE};
    if (reader->n_control == 0)
        return 1;
    if (reader->n_control == 1)
        return -WS_PROTOCOL;
    part->code = reader->control[0] << 8 | reader->control[1];
    part->data = reader->control + 2;
    part->n = reader->n_control - 2;
    if (!is_close_code(part->code))
        return -WS_PROTOCOL;
    return ws_is_utf8(part->data, part->n) ? 1 : -WS_NOT_TEXT;
}

/* A frame has all its bytes. 1: *part is something to hand out; 0: nothing yet; or a negative code. */
static int end_frame(struct ws_reader *reader, struct ws_part *part)
{
    enum ws_kind frame = reader->frame;
    reader->frame = WS_MORE;
    reader->n_head = 0;
    if (frame == WS_CLOSE)
        return end_close(reader, part);
    if (frame == WS_PING || frame == WS_PONG) {
        *part = (struct ws_part){.kind = frame, .data = reader->control, .n = reader->n_control};
        return 1;
    }
    if (!reader->is_final)
        return 0;
    reader->message = WS_MORE;
    if (frame == WS_BINARY)
        return 0;
    *part = (struct ws_part){.kind = WS_TEXT, .data = reader->text, .n = reader->n_text};
    return ws_is_utf8(part->data, part->n) ? 1 : -WS_NOT_TEXT;
}

/* The next n bytes of a payload. 1: they are sound; else they were put where they belong. */
static int take_payload(struct ws_reader *reader, uint8_t *bytes, size_t n, struct ws_part *part)
{
    const uint8_t *mask = reader->head + head_length(reader) - 4;
    for (size_t i = 0; i < n; i++)
        bytes[i] ^= mask[reader->turn++ & 3];
    reader->left -= n;
    if (reader->frame == WS_BINARY) {
        *part = (struct ws_part){.kind = WS_BINARY, .data = bytes, .n = n};
        return n > 0;
    }
    uint8_t *to = reader->frame == WS_TEXT ? reader->text : reader->control;
    size_t *have = reader->frame == WS_TEXT ? &reader->n_text : &reader->n_control;
    memcpy(to + *have, bytes, n);
    *have += n;
    return 0;
}

int ws_read(struct ws_reader *reader, uint8_t **at, const uint8_t *end, struct ws_part *part)
{
    int rc = reader->failed ? -reader->failed : 0;
    while (rc == 0) {
        if (reader->frame != WS_MORE && reader->left == 0) {
            rc = end_frame(reader, part);
        } else if (*at == end) {
            return 0;
        } else if (reader->frame == WS_MORE) {
            reader->head[reader->n_head++] = *(*at)++;
            if (reader->n_head == head_length(reader))
                rc = -begin_frame(reader);
        } else {
            size_t n = (size_t)(end - *at);
            n = reader->left < n ? (size_t)reader->left : n;
            uint8_t *bytes = *at;
            *at += n;
            rc = take_payload(reader, bytes, n, part);
        }
    }
    if (rc < 0)
        reader->failed = -rc;
    return rc;
}
