/* websocket.h - WebSockets (RFC 6455) without a connection: what the handshake answers, frames that come in, frames that
 * go out. live.c has the connection. The memory is a reader's, whatever comes: text is short here (commands), and binary
 * messages, which are sound, are handed on piece by piece as they come, of any length. */
#ifndef SERVER_WEBSOCKET_H
#define SERVER_WEBSOCKET_H

#include <stddef.h>
#include <stdint.h>

enum ws_kind { WS_MORE = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* Codes of a close (RFC 6455, 7.4.1). */
enum {
    WS_NORMAL = 1000,
    WS_GOING_AWAY = 1001,
    WS_PROTOCOL = 1002,
    WS_NOT_THIS = 1003, /* a kind of data that is not taken */
    WS_NO_CODE = 1005,  /* a close without one; never sent */
    WS_NOT_TEXT = 1007,
    WS_POLICY = 1008,
    WS_TOO_LONG = 1009,
    WS_INTERNAL = 1011,
    WS_TRY_AGAIN = 1013
};

enum { WS_MOST_TEXT = 4096, WS_MOST_CONTROL = 125, WS_KEY = 24, WS_ACCEPT = 28, WS_HEAD = 10 };

/* Is it a Sec-WebSocket-Key: 16 bytes in base64? */
int ws_is_key(const char *key);
/* What Sec-WebSocket-Accept says to such a key, with a NUL. */
void ws_accept(const char *key, char accept[WS_ACCEPT + 1]);

/* What has come: a text or a control frame as a whole, or bytes of a binary message, at least one. `data` lives until
 * the next call, or as long as the bytes that were given (WS_BINARY). */
struct ws_part {
    enum ws_kind kind;
    const uint8_t *data; /* [n] */
    size_t n;
    int code; /* WS_CLOSE: the reason's, or WS_NO_CODE; data is the reason's text */
};

/* The frames of one client. All zeros at the beginning. */
struct ws_reader {
    uint8_t head[14];
    size_t n_head;
    uint64_t left;        /* bytes of the frame's payload that have not come */
    unsigned turn;        /* which byte of the mask is next */
    enum ws_kind frame;   /* whose payload comes; WS_MORE: a head comes */
    enum ws_kind message; /* the message that is not over; WS_MORE: none */
    int is_final;         /* the frame is its message's last */
    int failed;           /* the code that ended it */
    size_t n_text, n_control;
    uint8_t text[WS_MOST_TEXT];
    uint8_t control[WS_MOST_CONTROL];
};

/* Take bytes from *at, which moves on; those of binary messages are unmasked where they lie. 1 and *part; 0: all were
 * taken; or, negative, the code by which the connection is to be closed: the client broke the protocol, and nothing is
 * read any more. */
int ws_read(struct ws_reader *reader, uint8_t **at, const uint8_t *end, struct ws_part *part);

/* The head of a whole message of n bytes from a server. Returns its length. */
size_t ws_write_head(uint8_t head[WS_HEAD], enum ws_kind kind, size_t n);

/* Whether n bytes are UTF-8. */
int ws_is_utf8(const uint8_t *text, size_t n);

#endif
