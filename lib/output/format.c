/* format.c - a result as a document in memory: the choice of the writer.
 *
 * All documents are byte for byte those of openai-whisper 20250625 (whisper/utils.py) for the same segments. */
#include <stdlib.h>
#include <string.h>

#include "output/writers.h"

static const struct writer {
    const char *format;
    void (*write)(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
} writers[] = {
    {"txt", wh_write_txt}, {"srt", wh_write_srt},   {"vtt", wh_write_vtt},
    {"tsv", wh_write_tsv}, {"json", wh_write_json}, {"doubtful", wh_write_doubtful},
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
    if (layout->max_line_width < 0 || layout->max_line_count < 0 || layout->max_words_per_line < 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "max_line_width, max_line_count and max_words_per_line cannot be negative");
    return WHISP_OK;
}

int whisp_result_format(const whisp_result *result, const char *format, char **text, size_t *length)
{
    return whisp_result_format_with(result, format, NULL, text, length);
}

int whisp_result_format_with(const whisp_result *result, const char *format, const whisp_writer_options *options,
                             char **text, size_t *length)
{
    whisp_writer_options layout;
    if (!result || !format || !text)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_result_format() needs a result, a format and a place for the text");
    size_t i = 0;
    while (i < WH_COUNT(writers) && strcmp(format, writers[i].format) != 0)
        i++;
    if (i == WH_COUNT(writers))
        return wh_fail(WHISP_ERR_ARGUMENT, "unknown output format \"%s\": choose txt, srt, vtt, tsv, json or doubtful",
                       format);
    int rc = read_layout(options, &layout);
    if (rc)
        return rc;
    wh_buf out = {0};
    wh_buf_puts(&out, ""); /* an empty document is a string, too */
    writers[i].write(result, &layout, &out);
    if (out.failed) {
        wh_buf_free(&out);
        return wh_fail_memory();
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
