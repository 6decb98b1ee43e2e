/* row.h - a row of the table of options, and the functions that read values for it. Private to lib/options.
 *
 *   table.c      the rows
 *   options.c    whisp_options: made, set, read, copied
 *   parse.c lists.c device.c     who read values: single ones; lists and languages; what computes, in others' words
 *   named.c      named voices
 *   numbers.c    numbers and times in text
 *   check.c      options that contradict each other; the temperatures that they mean together
 *   warnings.c   options without effect
 *   callbacks.c  the list for help texts, callbacks, cancelling, the log */
#ifndef WH_OPTIONS_ROW_H
#define WH_OPTIONS_ROW_H

#include "options/options.h"

/* Another option, which is True or False: its name and where its value is in wh_values. */
typedef struct wh_other_option {
    const char *name; /* NULL: none */
    size_t at;
} wh_other_option;

typedef struct wh_option wh_option;

/* Read `text` into the members of *values that the option sets. Strings there may point to `text`, which lives as long
 * as they do. WHISP_OK, or the error has been said (wh_option_refuse()). */
typedef int (*wh_parse_fn)(const wh_option *option, const char *text, wh_values *values);

struct wh_option {
    whisp_option_info info;
    size_t at; /* the member of wh_values */
    wh_parse_fn parse;
    double lo, hi;  /* of numbers */
    int none;       /* what None means where the member is a whole number */
    int same_words; /* it changes the speed, not the words: what was heard with another value counts */
    wh_other_option needs, not_with;
};

extern const wh_option wh_options[]; /* [wh_n_options] */
extern const size_t wh_n_options;

/* An error's code and text: `why` the value is not acceptable, and which are. */
int wh_option_refuse(const wh_option *option, const char *value, const char *why);
int wh_option_refuse_range(const wh_option *option, const char *value);
/* Is the value None, where the option may be None? */
int wh_option_is_none(const wh_option *option, const char *value);

/* parse.c. Of the members: int, int, int64_t, double, const char * (NULL: None); then the number of the choice in
 * info.values as an int, and its name as a string. */
int wh_parse_flag(const wh_option *option, const char *text, wh_values *values);
int wh_parse_integer(const wh_option *option, const char *text, wh_values *values);
int wh_parse_seed(const wh_option *option, const char *text, wh_values *values);
int wh_parse_real(const wh_option *option, const char *text, wh_values *values);
int wh_parse_text(const wh_option *option, const char *text, wh_values *values);
int wh_parse_choice(const wh_option *option, const char *text, wh_values *values);
int wh_parse_name(const wh_option *option, const char *text, wh_values *values);
/* Those of one option each. */
int wh_parse_increment(const wh_option *option, const char *text, wh_values *values);
int wh_parse_cut(const wh_option *option, const char *text, wh_values *values);
int wh_parse_batch(const wh_option *option, const char *text, wh_values *values);
/* lists.c */
int wh_parse_temperatures(const wh_option *option, const char *text, wh_values *values);
int wh_parse_token_ids(const wh_option *option, const char *text, wh_values *values);
int wh_parse_clip_list(const wh_option *option, const char *text, wh_values *values);
int wh_parse_language(const wh_option *option, const char *text, wh_values *values);
int wh_parse_voices(const wh_option *option, const char *text, wh_values *values);
int wh_parse_languages(const wh_option *option, const char *text, wh_values *values);
/* device.c */
int wh_parse_device(const wh_option *option, const char *text, wh_values *values);
int wh_parse_compute(const wh_option *option, const char *text, wh_values *values);
/* What the options about backend, device and arithmetic mean together: backend and compute_type. */
void wh_settle_device(wh_values *values);

#endif
