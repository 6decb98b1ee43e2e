/* layout.h - subtitles as a person would make them: which words stand together, where lines end, how long each is shown.
 *
 * The way: units.c makes units of a result's words (what may stand at a line's end), breaks.c says how well a break
 * behind each of them reads, search.c finds the cheapest way to cut them into cues and lines, timing.c says when each
 * cue comes and goes. styles.c has the limits, endings.c the words that a line should not end in, script.c what
 * depends on the writing. docs/subtitles.md tells the rules with their sources. Private to lib/output. */
#ifndef WH_LAYOUT_H
#define WH_LAYOUT_H

#include "output/writers.h"

/* ---- styles.c ---- */

/* The limits of a style in a language. Widths are in cells: a character of full width (CJK, Hangul) has two, others one,
 * and those that stand on another none. */
typedef struct wh_layout_style {
    int width;        /* cells in a line */
    int lines;        /* in a cue, 1 or 2 */
    int rate;         /* cells a second that can be read */
    int least, most;  /* ms that a cue is shown */
    int gap;          /* ms between two cues that follow each other closely */
    int close;        /* ms: what would be apart by less is closed up to `gap` */
    int linger;       /* ms that a cue stays behind its last word, where there is room */
    int lead, lag;    /* ms that it may come before and after its first word, where it could not be read otherwise */
    int long_pause;   /* ms of silence that a cue never spans */
    int longest_word; /* ms: one that seems to last longer is taken for one with a pause behind it */
} wh_layout_style;
/* 1, or 0: there is no style of this name. `language` is a code; NULL: not known. */
int wh_layout_find(const char *name, const char *language, wh_layout_style *style);
#define WH_LAYOUT_STYLES "netflix, bbc or ebu"

/* ---- endings.c ---- */

/* Is the text, n bytes of UTF-8, a word that a line should not end in? `language` as above. In a language that is
 * written without spaces: does the text end in one? */
int wh_layout_is_bad_end(const char *language, const char *text, size_t n);
/* Is it an abbreviation, whose full stop ends no sentence? */
int wh_layout_is_abbreviation(const char *language, const char *text, size_t n);

/* ---- script.c ---- */

enum wh_script_class {
    WH_SCRIPT_OTHER,
    WH_SCRIPT_HAN,
    WH_SCRIPT_HIRAGANA,
    WH_SCRIPT_KATAKANA,
    WH_SCRIPT_SOUTHEAST, /* Thai, Lao, Khmer, Burmese: words without spaces */
    WH_SCRIPT_CLOSES,    /* no line of CJK begins with it */
    WH_SCRIPT_OPENS      /* none ends with it */
};
enum wh_script_class wh_script_class(int32_t code);
int wh_script_cells(int32_t code);
size_t wh_script_width(const char *text, size_t n); /* cells of n bytes of UTF-8 */
int wh_script_is_upper(int32_t code);
int wh_script_is_digit(int32_t code);
int wh_script_is_letter(int32_t code);
/* Is the text read from right to left? 1 where at least as many of its letters are as not. */
int wh_script_is_rtl(const char *text, size_t n);
/* May a text be cut between two characters? Not before what stands on another, nor behind a joiner. */
int wh_script_may_part(int32_t before, int32_t after);
int32_t wh_script_first(const char *text, size_t n); /* -1: nothing, or not UTF-8 */
int32_t wh_script_last(const char *text, size_t n);

/* ---- units.c ---- */

/* What stands together: a word, or a character of those that are written without spaces, with its punctuation. */
typedef struct wh_unit {
    size_t text, length; /* in wh_units.text */
    int64_t start, end;  /* ms; none begins before the one before it ends */
    int speaker;
    int width;            /* cells, without the space */
    unsigned char spaced; /* a space stands before it */
    unsigned char torn;   /* it goes on with a piece of the word before it, which is longer than a line */
    unsigned char forced; /* a cue ends behind it: somebody else speaks, or there is silence */
    unsigned char shared; /* but who speaks next begins before it ends: both may stand in one cue, a line each */
    int lead;             /* cells of what tells a new speaker, if a cue begins with it */
    int cost;             /* of a break behind it (breaks.c); 0: of the best */
    const char *language; /* code, or NULL */
} wh_unit;

typedef struct wh_units {
    wh_unit *list; /* [n] */
    size_t n, capacity;
    wh_buf text;
    int failed; /* memory ran out */
} wh_units;
/* All words of the result, or of segments that have none their text, over whose time its characters are spread evenly.
 * `named`: a new speaker is told by his name, else by a dash. */
void wh_units_make(wh_units *units, const whisp_result *result, const wh_layout_style *style, int named);
void wh_units_free(wh_units *units);
/* What tells that unit i is said by somebody else than the one before it: "[Ann]: ", "- " or nothing. */
void wh_units_put_lead(wh_buf *out, const whisp_result *result, const wh_units *units, size_t i,
                       const wh_layout_style *style, int named);

/* ---- breaks.c ---- */

#define WH_DASH "- " /* before what somebody else says who has no name */

#define WH_BREAK_NEVER 4000 /* a line ends so only where a word is longer than a line */
#define WH_BREAK_BREATH 20  /* at a pause that is heard; cheaper than that is only punctuation */
#define WH_BREAK_PLAIN 100  /* between two words that nothing parts and nothing holds together */
void wh_breaks_judge(wh_units *units);

/* ---- search.c ---- */

/* A cue: units first .. end - 1; line_end is where the second line begins, or end. Where somebody else says the second line,
 * both have what tells who speaks. */
typedef struct wh_laid_cue {
    size_t first, line_end, end;
    int64_t start, stop; /* ms that it is shown */
    int cells;           /* that are to be read */
} wh_laid_cue;
/* Does somebody else say its second line? */
int wh_layout_is_shared(const wh_unit *units, const wh_laid_cue *cue);
/* *cues is malloc()ed. 0: out of memory. */
int wh_layout_search(const wh_units *units, const wh_layout_style *style, wh_laid_cue **cues, size_t *n);

/* ---- timing.c ---- */

void wh_layout_time(const wh_units *units, const wh_layout_style *style, wh_laid_cue *cues, size_t n);
/* ms that so many cells are to be shown at least. */
int64_t wh_layout_needs(const wh_layout_style *style, int cells);

/* ---- make.c ---- */

/* Lay the result out in the style of this name, which is known, each cue in `lines` lines at most (0: the style's), and
 * give each to `fn`, its lines parted by \n. */
void wh_layout_make(const whisp_result *result, const char *style, int lines, int named, wh_subtitle_fn fn, void *user,
                    wh_buf *out);

#endif
