/* rttm.c - the rttm document: who speaks when, a line a turn, as NIST's scorers and pyannote read it:
 *
 *     SPEAKER recording 1 12.340 3.210 <NA> <NA> SPEAKER_00 <NA> <NA>
 *
 * with the beginning and the length in seconds. */
#include <inttypes.h>

#include "output/writers.h"

static void put_line(const whisp_result *result, const char *recording, double start, double end, int speaker,
                     wh_buf *out)
{
    int64_t from = wh_milliseconds(start), length = wh_milliseconds(end) - from;
    if (speaker <= 0 || from < 0 || length <= 0)
        return;
    wh_buf_puts(out, "SPEAKER ");
    wh_put_name(out, recording, WH_NAME_WORD);
    wh_buf_printf(out, " 1 %" PRId64 ".%03d %" PRId64 ".%03d <NA> <NA> ", from / 1000, (int)(from % 1000),
                  length / 1000, (int)(length % 1000));
    wh_put_speaker(out, result, speaker, WH_NAME_WORD);
    wh_buf_puts(out, " <NA> <NA>\n");
}

/* Where there are no turns, another program's transcript having been read, the segments say who speaks. */
void wh_write_rttm(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    const char *recording = layout->recording && *layout->recording ? layout->recording : "recording";
    for (size_t i = 0; i < result->n_turns; i++) {
        const whisp_turn *turn = &result->turns[i];
        put_line(result, recording, turn->start, turn->end, turn->speaker, out);
    }
    for (size_t i = 0; i < result->n && !result->n_turns; i++) {
        const whisp_segment *segment = &result->segments[i].segment;
        put_line(result, recording, segment->start, segment->end, segment->speaker, out);
    }
}
