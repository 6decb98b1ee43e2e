/* csv.c - the csv document (RFC 4180): start and end in milliseconds as tsv has them, who speaks, and the text, a line a
 * segment, for spreadsheets and scripts.
 *
 * Spreadsheets compute what begins with = + - or @, or with a tab or a carriage return before it: an apostrophe stands before
 * those, which tells them that it is text. */
#include <inttypes.h>
#include <string.h>

#include "output/writers.h"

/* In quotation marks, which are doubled within; no formula. */
static void put_quoted(wh_buf *out, const char *text, size_t length)
{
    wh_buf_puts(out, length && strchr("=+-@\t\r", text[0]) ? "\"'" : "\"");
    wh_put_replaced(out, text, length, "\"", "\"\"");
    wh_buf_puts(out, "\"");
}

void wh_write_csv(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    char room[WH_NAME_ROOM];
    (void)layout;
    wh_buf_puts(out, "start,end,speaker,text\r\n");
    for (size_t i = 0; i < result->n; i++) {
        const whisp_segment *segment = &result->segments[i].segment;
        const char *name = segment->speaker > 0 ? wh_speaker_name(result, segment->speaker, room) : "";
        size_t length;
        const char *text = wh_stripped(segment->text, &length);
        wh_buf_printf(out, "%" PRId64 ",%" PRId64 ",", wh_milliseconds(segment->start), wh_milliseconds(segment->end));
        if (*name)
            put_quoted(out, name, strlen(name));
        wh_buf_puts(out, ",");
        put_quoted(out, text, length);
        wh_buf_puts(out, "\r\n");
    }
}
