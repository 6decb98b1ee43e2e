/* make.c - the layout of a whole result, cue by cue, to who writes it. */
#include <stdlib.h>

#include "output/layout/layout.h"

/* U+202B and U+202C, embedding: also for players that take every line for left to right. */
static const char rtl_begins[] = {'\xE2', '\x80', '\xAB', 0}, rtl_ends[] = {'\xE2', '\x80', '\xAC', 0};

/* Units a .. b - 1 as a line behind what `line` holds already. */
static void put_line(wh_buf *out, wh_buf *line, const wh_units *units, size_t a, size_t b)
{
    size_t said = line->length;
    for (size_t i = a; i < b; i++) {
        const wh_unit *unit = &units->list[i];
        wh_buf_puts(line, i > a && unit->spaced ? " " : "");
        wh_buf_append(line, units->text.data + unit->text, unit->length);
    }
    out->failed |= line->failed;
    if (line->failed)
        return;
    int is_rtl = wh_script_is_rtl(line->data + said, line->length - said);
    wh_buf_puts(out, is_rtl ? rtl_begins : "");
    wh_buf_append(out, line->data, line->length);
    wh_buf_puts(out, is_rtl ? rtl_ends : "");
    wh_buf_clear(line);
}

static void give(const whisp_result *result, const wh_units *units, const wh_laid_cue *cue,
                 const wh_layout_style *style, int named, wh_subtitle_fn fn, void *user, wh_buf *out)
{
    wh_buf text = {0}, line = {0};
    wh_buf_puts(&line, "");
    int shared = wh_layout_is_shared(units->list, cue);
    wh_units_put_lead(&line, result, units, cue->first, style, named);
    wh_buf_puts(&line, shared && line.length == 0 ? WH_DASH : "");
    put_line(&text, &line, units, cue->first, cue->line_end);
    if (cue->line_end < cue->end) {
        wh_buf_puts(&text, "\n");
        if (shared)
            wh_units_put_lead(&line, result, units, cue->line_end, style, named);
        put_line(&text, &line, units, cue->line_end, cue->end);
    }
    out->failed |= text.failed;
    if (!text.failed)
        fn(user, cue->start, cue->stop, shared ? -1 : units->list[cue->first].speaker, text.data, text.length);
    wh_buf_free(&text);
    wh_buf_free(&line);
}

void wh_layout_make(const whisp_result *result, const char *style_name, int lines, int named, wh_subtitle_fn fn,
                    void *user, wh_buf *out)
{
    wh_layout_style style;
    wh_units units;
    wh_laid_cue *cues = NULL;
    size_t n = 0;
    if (!wh_layout_find(style_name, result->language, &style))
        return;
    style.lines = lines ? WH_MIN(lines, style.lines) : style.lines;
    wh_units_make(&units, result, &style, named);
    if (!units.failed && units.n > 0) {
        wh_breaks_judge(&units);
        units.failed = !wh_layout_search(&units, &style, &cues, &n);
    }
    if (n > 0)
        wh_layout_time(&units, &style, cues, n);
    out->failed |= units.failed;
    for (size_t i = 0; i < n && !out->failed; i++)
        give(result, &units, &cues[i], &style, named, fn, user, out);
    free(cues);
    wh_units_free(&units);
}
