/* writers.h - the inside of a result and what the writers share. Private to lib/output. */
#ifndef WH_WRITERS_H
#define WH_WRITERS_H

#include "output/result.h"

typedef struct wh_result_segment {
    whisp_segment segment; /* its text and tokens belong to the result */
    int cleared;           /* emptied as openai-whisper does; it then has a list of words, an empty one */
} wh_result_segment;

struct whisp_result {
    char *text;
    char *language; /* code, or NULL */
    double duration;
    char *incomplete;            /* why it is not of the whole recording; NULL: it is */
    wh_result_segment *segments; /* [n] */
    size_t n, capacity;
};

/* Each appends a whole document. `layout` is complete; it matters to subtitles made from words only. */
void wh_write_txt(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_tsv(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_vtt(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_srt(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_json(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_doubtful(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);

/* Subtitles made from words (lines.c): called for each with the times of its beginning and end, in milliseconds, and
 * the speaker, or 0. */
typedef void (*wh_subtitle_fn)(void *user, int64_t start, int64_t end, int speaker, const char *text, size_t length);
void wh_subtitles_from_words(const whisp_result *result, const whisp_writer_options *layout, wh_subtitle_fn fn,
                             void *user, wh_buf *out);

/* The part of text that Python's str.strip() leaves: its beginning, and its size in *length. */
const char *wh_stripped(const char *text, size_t *length);

/* Append length bytes of text with every occurrence of `from` replaced by `to`, from left to right. */
void wh_put_replaced(wh_buf *out, const char *text, size_t length, const char *from, const char *to);

/* Seconds as whole milliseconds, halves to even, as Python's round(1000 * seconds). */
int64_t wh_milliseconds(double seconds);

/* Append a number as Python's repr() and json write it: the fewest digits that read back as the same number. The same
 * in every locale. */
void wh_put_double(wh_buf *out, double x);

#endif
