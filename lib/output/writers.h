/* writers.h - the inside of a result and what the writers share. Private to lib/output. */
#ifndef WH_WRITERS_H
#define WH_WRITERS_H

#include "output/result.h"

typedef struct wh_result_segment {
    whisp_segment segment; /* its text and tokens belong to the result */
    char *name;            /* of its speaker, as it was given with it; NULL: none was, or the result has the names */
    int cleared;           /* emptied as openai-whisper does; it then has a list of words, an empty one */

    /* What a person who corrected it left (docs/review.md); only a document that is read back has any. */
    char *note;           /* NULL: none */
    unsigned char *marks; /* [n_words] of enum wh_word_mark; NULL: none */
    int corrected;        /* its text is another one than was heard */
} wh_result_segment;

enum wh_word_mark { WH_WORD_TYPED = 1, WH_WORD_HEARD = 2 };

struct whisp_result {
    char *text;
    char *language; /* code, or NULL */
    double duration;
    char *incomplete;            /* why it is not of the whole recording; NULL: it is */
    wh_result_segment *segments; /* [n] */
    size_t n, capacity;
    const char **speakers; /* [n_speakers] names, in one piece of memory */
    size_t n_speakers;
    whisp_turn *turns; /* [n_turns]; NULL: nobody asked who speaks when */
    size_t n_turns;
    char *note;         /* a person's on the whole of it; NULL: none */
    wh_buf corrections; /* three strings each, with their NULs: what stood there, what should, how often */
};

/* A speaker's name for a document. */
enum wh_name_style {
    WH_NAME_BRACKETS, /* "[Ann]: "; txt, srt and the line of a segment */
    WH_NAME_VOICE,    /* "<v Ann>"; WebVTT */
    WH_NAME_COLUMN,   /* "Ann", without tabs and line ends */
    WH_NAME_WORD      /* "Ann", without any space */
};
/* Append the name of the speaker, from 1 on, with what would end it or mean something else in such a place taken out;
 * nothing for 0. One who has no name is "SPEAKER_00" and so on. */
void wh_put_speaker(wh_buf *out, const whisp_result *result, int speaker, enum wh_name_style style);
void wh_put_name(wh_buf *out, const char *name, enum wh_name_style style);
/* The name as it is. `room` holds it where there is none. */
#define WH_NAME_ROOM 24
const char *wh_speaker_name(const whisp_result *result, int speaker, char room[WH_NAME_ROOM]);
/* Names gathered, each once (names.c): zero it first. */
#define WH_NAMES_MOST 256
typedef struct wh_names {
    wh_buf text; /* each with its NUL */
    size_t *at;  /* [n] where in it */
    size_t n, capacity;
    size_t last; /* what was found last: often the next one, too */
} wh_names;
/* The place of a name, from 1 on, added if it is new; 0: there are too many, or no memory, which text.failed says. */
int wh_names_find(wh_names *names, const char *name);
const char *wh_names_get(const wh_names *names, size_t i);
void wh_names_free(wh_names *names);
/* Is any segment somebody's? */
int wh_has_speakers(const whisp_result *result);

/* Each appends a whole document. `layout` is complete; it matters to subtitles made from words only. */
void wh_write_txt(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_tsv(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_vtt(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_srt(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_json(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_rttm(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_lrc(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_ass(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_csv(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_md(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
/* Where it cannot be (the recording's file cannot be read), out->failed is the error, of which wh_fail() was told. */
void wh_write_html(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);
void wh_write_doubtful(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out);

/* Subtitles made from words (lines.c): called for each with the times of its beginning and end, in milliseconds, and
 * the speaker, or 0, or below 0: two of them, a line each, which tells who. */
typedef void (*wh_subtitle_fn)(void *user, int64_t start, int64_t end, int speaker, const char *text, size_t length);
void wh_subtitles_from_words(const whisp_result *result, const whisp_writer_options *layout, wh_subtitle_fn fn,
                             void *user, wh_buf *out);

/* The part of text that Python's str.strip() leaves: its beginning, and its size in *length. */
const char *wh_stripped(const char *text, size_t *length);

/* Append length bytes of text with every occurrence of `from` replaced by `to`, from left to right. */
void wh_put_replaced(wh_buf *out, const char *text, size_t length, const char *from, const char *to);

/* Seconds as whole milliseconds, halves to even, as Python's round(1000 * seconds). */
int64_t wh_milliseconds(double seconds);

/* Append a string as json has it, with its quotation marks: printable ASCII, the rest escaped. */
void wh_put_json_string(wh_buf *out, const char *text);

/* Append a number as Python's repr() and json write it: the fewest digits that read back as the same number. The same
 * in every locale. */
void wh_put_double(wh_buf *out, double x);

#endif
