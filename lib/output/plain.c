/* plain.c - the txt and tsv documents: a line a segment. */
#include <inttypes.h>

#include "output/writers.h"

void wh_write_txt(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    (void)layout;
    for (size_t i = 0; i < result->n; i++) {
        size_t length;
        const char *text = wh_stripped(result->segments[i].segment.text, &length);
        wh_put_speaker(out, result, result->segments[i].segment.speaker, WH_NAME_BRACKETS);
        wh_buf_append(out, text, length);
        wh_buf_puts(out, "\n");
    }
}

/* Begin, end (milliseconds) and text, then the speaker where speakers are known; tabs inside the text become spaces. */
void wh_write_tsv(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    (void)layout;
    int with_speakers = wh_has_speakers(result);
    wh_buf_puts(out, with_speakers ? "start\tend\ttext\tspeaker\n" : "start\tend\ttext\n");
    for (size_t i = 0; i < result->n; i++) {
        const whisp_segment *segment = &result->segments[i].segment;
        size_t length;
        const char *text = wh_stripped(segment->text, &length);
        wh_buf_printf(out, "%" PRId64 "\t%" PRId64 "\t", wh_milliseconds(segment->start),
                      wh_milliseconds(segment->end));
        wh_put_replaced(out, text, length, "\t", " ");
        wh_buf_puts(out, with_speakers ? "\t" : "");
        wh_put_speaker(out, result, segment->speaker, WH_NAME_COLUMN);
        wh_buf_puts(out, "\n");
    }
}
