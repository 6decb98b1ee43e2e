/* lrc.c - the lrc document, as players of music show words: "[01:02.34]text", a line a cue, and an empty one where nobody
 * speaks for a while. */
#include <inttypes.h>
#include <string.h>

#include "output/cues.h"

#define EMPTY 1000 /* ms of silence from which on an empty line takes the last one away */

static void put_time(wh_buf *out, int64_t ms)
{
    int64_t t = WH_MAX(ms, 0) / 10;
    wh_buf_printf(out, "[%02" PRId64 ":%02d.%02d]", t / 6000, (int)(t / 100 % 60), (int)(t % 100));
}

/* Its line ends, which a word may have in it, are spaces here. */
static void put_text(wh_buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        wh_buf_append(out, text[i] == '\n' || text[i] == '\r' ? " " : text + i, 1);
}

void wh_write_lrc(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    wh_cues cues;
    wh_cues_gather(&cues, result, layout, WH_CUES_NAMES | WH_CUES_ONE_LINE);
    out->failed |= cues.failed;
    for (size_t i = 0; i < cues.n && !out->failed; i++) {
        const wh_cue *c = &cues.list[i];
        put_time(out, c->start);
        if (!cues.laid_out)
            wh_put_speaker(out, result, c->speaker, WH_NAME_BRACKETS);
        if (c->length)
            put_text(out, cues.text.data + c->text, c->length);
        wh_buf_puts(out, "\n");
        if (i + 1 == cues.n || c[1].start - c->end >= EMPTY) {
            put_time(out, c->end);
            wh_buf_puts(out, "\n");
        }
    }
    wh_cues_free(&cues);
}
