/* format.c - a result as a document in memory: the choice of the writer.
 *
 * Those that openai-whisper has are byte for byte those of openai-whisper 20250625 (whisper/utils.py) for the same segments. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "output/layout/layout.h"

static const struct writer {
    whisp_format format;
    void (*write)(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
} writers[] = {
    {{"txt", "the text, a line a segment"}, wh_write_txt},
    {{"srt", "SubRip subtitles"}, wh_write_srt},
    {{"vtt", "WebVTT subtitles"}, wh_write_vtt},
    {{"tsv", "start, end in milliseconds and text, a line a segment"}, wh_write_tsv},
    {{"json", "all that is known, as openai-whisper writes it"}, wh_write_json},
    {{"rttm", "who speaks when, a line a turn"}, wh_write_rttm},
    {{"lrc", "lines with their times, as players of music show them"}, wh_write_lrc},
    {{"ass", "Advanced SubStation Alpha subtitles"}, wh_write_ass},
    {{"csv", "start, end in milliseconds, speaker and text, for spreadsheets"}, wh_write_csv},
    {{"md", "Markdown to be read: chapters of five minutes, a paragraph a turn"}, wh_write_md},
    {{"doubtful", "the least certain words, for who listens again"}, wh_write_doubtful},
    {{"html", "a page to check and correct the transcript in a browser"}, wh_write_html},
};

/* What the caller's layout says, which may be that of an older header; 0 for the rest. */
static int read_layout(const whisp_writer_options *given, whisp_writer_options *layout)
{
    memset(layout, 0, sizeof *layout);
    if (!given)
        return WHISP_OK;
    if (given->size < sizeof given->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "set whisp_writer_options.size to sizeof(whisp_writer_options) first");
    memcpy(layout, given, WH_MIN(given->size, sizeof *layout));
    if (!(layout->doubtful_share >= 0 && layout->doubtful_share <= 1))
        return wh_fail(WHISP_ERR_ARGUMENT, "doubtful_share must be within 0 to 1");
    if (layout->subtitles &&
        (layout->highlight_words || layout->max_line_width || layout->max_line_count || layout->max_words_per_line))
        return wh_fail(WHISP_ERR_ARGUMENT, "subtitles are laid out by their style: leave out highlight_words, "
                                           "max_line_width, max_line_count and max_words_per_line");
    if (!layout->subtitle_style)
        layout->subtitle_style = "netflix";
    if (!wh_layout_find(layout->subtitle_style, NULL, &(wh_layout_style){0}))
        return wh_fail(WHISP_ERR_ARGUMENT, "unknown subtitle_style \"%s\": choose " WH_LAYOUT_STYLES,
                       layout->subtitle_style);
    if (layout->max_line_width < 0 || layout->max_line_count < 0 || layout->max_words_per_line < 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "max_line_width, max_line_count and max_words_per_line cannot be negative");
    return WHISP_OK;
}

static const whisp_format *list[WH_COUNT(writers)];
static pthread_once_t list_made = PTHREAD_ONCE_INIT;

static void make_list(void)
{
    for (size_t i = 0; i < WH_COUNT(writers); i++)
        list[i] = &writers[i].format;
}

const whisp_format *const *whisp_format_list(size_t *n)
{
    pthread_once(&list_made, make_list);
    if (n)
        *n = WH_COUNT(writers);
    return list;
}

/* "txt, srt, ... or doubtful": what there is to choose from. */
static void put_names(wh_buf *out)
{
    for (size_t i = 0; i < WH_COUNT(writers); i++)
        wh_buf_printf(out, "%s%s", i == 0 ? "" : i + 1 < WH_COUNT(writers) ? ", " : " or ", writers[i].format.name);
}

static int unknown_format(const char *format)
{
    wh_buf names = {0};
    put_names(&names);
    int rc = names.failed ? wh_fail_memory()
                          : wh_fail(WHISP_ERR_ARGUMENT, "unknown output format \"%s\": choose %s", format, names.data);
    wh_buf_free(&names);
    return rc;
}

int whisp_result_format(const whisp_result *result, const char *format, const whisp_writer_options *options,
                        char **text, size_t *length)
{
    whisp_writer_options layout;
    if (!result || !format || !text)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_result_format() needs a result, a format and a place for the text");
    size_t i = 0;
    while (i < WH_COUNT(writers) && strcmp(format, writers[i].format.name) != 0)
        i++;
    if (i == WH_COUNT(writers))
        return unknown_format(format);
    int rc = read_layout(options, &layout);
    if (rc)
        return rc;
    wh_buf out = {0};
    wh_buf_puts(&out, ""); /* an empty document is a string, too */
    writers[i].write(result, &layout, &out);
    rc = out.failed < 0 ? out.failed : out.failed ? wh_fail_memory() : WHISP_OK;
    if (rc) {
        wh_buf_free(&out);
        return rc;
    }
    *text = out.data;
    if (length)
        *length = out.length;
    return WHISP_OK;
}

void whisp_string_free(char *text)
{
    free(text);
}
