/* wyoming_reader.c - events of the Wyoming protocol from bytes, however they are cut, as wyoming_reader.h says. Memory: a
 * line and its data, both bounded. */
#include <stdlib.h>
#include <string.h>

#include "wyoming_reader.h"

static int fail(struct wyoming_reader *reader, const char *error)
{
    reader->error = error;
    return -1;
}

/* Behind the text that has come. */
static int append(struct wyoming_reader *reader, const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return 0;
    if (reader->n_text + n > reader->room) {
        size_t room = reader->n_text + n > 4096 ? WYOMING_MOST_LINE : 4096;
        char *text = realloc(reader->text, room);
        if (!text)
            return fail(reader, "out of memory");
        reader->text = text;
        reader->room = room;
    }
    memcpy(reader->text + reader->n_text, bytes, n);
    reader->n_text += n;
    return 0;
}

/* A length that the line names: absent and null are 0. */
static int read_length(struct wyoming_reader *reader, const char *name, size_t most, size_t *length)
{
    const json_t *number = json_object_get(reader->head, name);
    *length = 0;
    if (!number || json_is_null(number))
        return 0;
    json_int_t value = json_integer_value(number);
    if (!json_is_integer(number) || value < 0)
        return fail(reader, "a length that is not a whole number");
    if ((uint64_t)value > most)
        return fail(reader, "an event that is too long");
    *length = (size_t)value;
    return 0;
}

/* The event is known: hand it out. */
static int end_event(struct wyoming_reader *reader, struct wyoming_part *part)
{
    *part = (struct wyoming_part){.kind = WYOMING_EVENT,
                                  .type = json_string_value(json_object_get(reader->head, "type")),
                                  .data = reader->data,
                                  .n = reader->n_payload};
    reader->n_text = reader->n_data = 0;
    return 1;
}

static json_t *parse(const struct wyoming_reader *reader)
{
    json_t *object = json_loadb(reader->text, reader->n_text, 0, NULL);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

/* The line is there. 1: and with it the event; 0: data come. */
static int end_line(struct wyoming_reader *reader, struct wyoming_part *part)
{
    reader->head = parse(reader);
    if (!reader->head || !json_is_string(json_object_get(reader->head, "type")))
        return fail(reader, "a line that is not a JSON object with a \"type\"");
    json_t *data = json_object_get(reader->head, "data");
    if (data && !json_is_object(data) && !json_is_null(data))
        return fail(reader, "\"data\" that is not an object");
    reader->data = json_is_object(data) ? json_incref(data) : json_object();
    if (!reader->data)
        return fail(reader, "out of memory");
    if (read_length(reader, "data_length", WYOMING_MOST_LINE, &reader->n_data) != 0 ||
        read_length(reader, "payload_length", WYOMING_MOST_PAYLOAD, &reader->n_payload) != 0)
        return -1;
    reader->n_text = 0;
    return reader->n_data == 0 ? end_event(reader, part) : 0;
}

/* The data behind the line are there. */
static int end_data(struct wyoming_reader *reader, struct wyoming_part *part)
{
    json_t *more = parse(reader);
    if (!more)
        return fail(reader, "data that are not a JSON object");
    int rc = json_object_update(reader->data, more);
    json_decref(more);
    return rc == 0 ? end_event(reader, part) : fail(reader, "out of memory");
}

/* Forget the event before. */
static void begin(struct wyoming_reader *reader)
{
    json_decref(reader->head);
    json_decref(reader->data);
    reader->head = reader->data = NULL;
}

/* Bytes of a line up to its end, or of data. 1, 0 or -1 as wyoming_read(). */
static int take_text(struct wyoming_reader *reader, const uint8_t **at, const uint8_t *end, struct wyoming_part *part)
{
    size_t n = (size_t)(end - *at);
    const uint8_t *line_end = NULL;
    if (reader->n_data > 0) {
        n = reader->n_data - reader->n_text < n ? reader->n_data - reader->n_text : n;
    } else {
        begin(reader);
        line_end = memchr(*at, '\n', n);
        n = line_end ? (size_t)(line_end - *at) : n;
    }
    if (n > WYOMING_MOST_LINE - reader->n_text)
        return fail(reader, "a line that is too long");
    if (append(reader, *at, n) != 0)
        return -1;
    *at += n + (line_end != NULL);
    if (line_end)
        return end_line(reader, part);
    return reader->n_data > 0 && reader->n_text == reader->n_data ? end_data(reader, part) : 0;
}

int wyoming_read(struct wyoming_reader *reader, const uint8_t **at, const uint8_t *end, struct wyoming_part *part)
{
    int rc = reader->error ? -1 : 0;
    while (rc == 0 && *at < end) {
        /* the payload follows once the event was handed out: then no text of it is left to come */
        if (reader->n_payload > 0 && reader->n_data == 0) {
            size_t n = (size_t)(end - *at);
            n = reader->n_payload < n ? reader->n_payload : n;
            *part = (struct wyoming_part){.kind = WYOMING_PAYLOAD, .n = n, .payload = *at};
            *at += n;
            reader->n_payload -= n;
            rc = 1;
        } else {
            rc = take_text(reader, at, end, part);
        }
    }
    return rc;
}

void wyoming_reader_free(struct wyoming_reader *reader)
{
    begin(reader);
    free(reader->text);
    *reader = (struct wyoming_reader){0};
}
