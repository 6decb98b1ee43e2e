/* ass.c - the ass document: Advanced SubStation Alpha, for players and editors that place and colour subtitles. Who speaks
 * is in each line's field for it. Times are hundredths of a second there. */
#include <inttypes.h>

#include "output/cues.h"

static const char head[] =
    "[Script Info]\n"
    "ScriptType: v4.00+\n"
    "WrapStyle: 0\n"
    "ScaledBorderAndShadow: yes\n"
    "PlayResX: 1920\n"
    "PlayResY: 1080\n"
    "\n"
    "[V4+ Styles]\n"
    "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    "Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, "
    "MarginV, Encoding\n"
    "Style: Default,Arial,64,&H00FFFFFF,&H0000FFFF,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,3,1,2,60,60,54,1\n"
    "\n"
    "[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n";

static void put_time(wh_buf *out, int64_t ms)
{
    int64_t t = WH_MAX(ms, 0) / 10;
    wh_buf_printf(out, "%" PRId64 ":%02d:%02d.%02d", t / 360000, (int)(t / 6000 % 60), (int)(t / 100 % 60),
                  (int)(t % 100));
}

/* A brace begins a command and a backslash a code: a word joiner, which nobody sees, takes the latter's meaning away. */
static void put_text(wh_buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            wh_buf_puts(out, "\\N");
        else if (text[i] == '\r')
            wh_buf_puts(out, " ");
        else if (text[i] == '\\')
            wh_buf_puts(out, "\\\u2060");
        else if (text[i] == '{')
            wh_buf_puts(out, "\\{");
        else
            wh_buf_append(out, text + i, 1);
    }
}

/* A comma would end the field. */
static void put_name(wh_buf *out, const whisp_result *result, int speaker)
{
    wh_buf name = {0};
    wh_put_speaker(&name, result, speaker, WH_NAME_COLUMN);
    out->failed |= name.failed;
    if (name.data && !name.failed)
        wh_put_replaced(out, name.data, name.length, ",", ";");
    wh_buf_free(&name);
}

void wh_write_ass(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    wh_cues cues;
    wh_buf_puts(out, head);
    wh_cues_gather(&cues, result, layout, 0);
    out->failed |= cues.failed;
    for (size_t i = 0; i < cues.n && !out->failed; i++) {
        const wh_cue *c = &cues.list[i];
        wh_buf_puts(out, "Dialogue: 0,");
        put_time(out, c->start);
        wh_buf_puts(out, ",");
        put_time(out, WH_MAX(c->end, c->start + 10));
        wh_buf_puts(out, ",Default,");
        put_name(out, result, c->speaker);
        wh_buf_puts(out, ",0,0,0,,");
        if (c->length)
            put_text(out, cues.text.data + c->text, c->length);
        wh_buf_puts(out, "\n");
    }
    wh_cues_free(&cues);
}
