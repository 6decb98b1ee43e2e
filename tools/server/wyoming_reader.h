/* wyoming_reader.h - events of the Wyoming protocol without a connection. An event is a line of JSON,
 *
 *     {"type": "audio-chunk", "data": {...}, "data_length": 60, "payload_length": 2048}
 *
 * then data_length bytes of JSON, whose members are laid over those of `data`, then payload_length bytes, which are
 * handed on piece by piece as they come. wyoming.c has the connection. */
#ifndef SERVER_WYOMING_READER_H
#define SERVER_WYOMING_READER_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

enum {
    WYOMING_MOST_LINE = 1 << 16,   /* bytes of a line, and of the data behind it */
    WYOMING_MOST_PAYLOAD = 1 << 26 /* 67 MB: half an hour at 16 kHz in one event */
};

enum wyoming_kind { WYOMING_EVENT = 1, WYOMING_PAYLOAD };

struct wyoming_part {
    enum wyoming_kind kind;
    /* WYOMING_EVENT; both live until the next call */
    const char *type;
    const json_t *data; /* an object, perhaps an empty one */
    /* WYOMING_EVENT: how long its payload is; WYOMING_PAYLOAD: bytes of it, at least one, in what was given */
    size_t n;
    const uint8_t *payload;
};

/* All zeros at the beginning; wyoming_reader_free() at the end. */
struct wyoming_reader {
    char *text;          /* [n_text] the line, or the data behind it */
    size_t n_text, room; /* bytes of it that have come; allocated */
    json_t *head, *data; /* the event's line; its data */
    size_t n_data;       /* bytes of data behind the line; 0: none */
    size_t n_payload;    /* bytes of the payload that have not come */
    const char *error;   /* what is wrong: nothing is read any more */
};

/* Take bytes from *at, which moves on. 1 and *part; 0: all were taken; -1: these are no events (reader->error says
 * why), or memory is short. */
int wyoming_read(struct wyoming_reader *reader, const uint8_t **at, const uint8_t *end, struct wyoming_part *part);
void wyoming_reader_free(struct wyoming_reader *reader);

#endif
