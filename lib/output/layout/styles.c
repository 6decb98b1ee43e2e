/* styles.c - the limits of the style guides that people ask for by name. docs/subtitles.md says where each figure
 * comes from, and which are our own because the guide has none. */
#include <string.h>

#include "output/layout/layout.h"

/* What a guide says of a language: cells in a line and cells a second. */
typedef struct language_limits {
    const char *language;
    int width, rate;
} language_limits;

typedef struct named_style {
    const char *name;
    wh_layout_style style;
    language_limits languages[5]; /* where they are others */
} named_style;

/* Full width counts twice: 16 characters of Chinese are 32 cells, 11 a second are 22. */
#define CJK                                                                                                            \
    {"ja", 32, 14}, {"zh", 32, 22}, {"yue", 32, 22},                                                                   \
    {                                                                                                                  \
        "ko", 32, 28                                                                                                   \
    }

static const named_style styles[] = {
    {"netflix",
     {.width = 42,
      .lines = 2,
      .rate = 17,
      .least = 834,
      .most = 7000,
      .gap = 84,
      .close = 500,
      .linger = 500,
      .lead = 250,
      .lag = 500,
      .long_pause = 1500,
      .longest_word = 3000},
     {CJK, {"en", 42, 20}}},
    {"bbc",
     {.width = 37,
      .lines = 2,
      .rate = 18,
      .least = 834,
      .most = 7000,
      .gap = 0,
      .close = 1000,
      .linger = 1000,
      .lead = 500,
      .lag = 1000,
      .long_pause = 1500,
      .longest_word = 3000},
     {CJK}},
    {"ebu",
     {.width = 37,
      .lines = 2,
      .rate = 18,
      .least = 1000,
      .most = 7000,
      .gap = 80,
      .close = 500,
      .linger = 500,
      .lead = 500,
      .lag = 1000,
      .long_pause = 1500,
      .longest_word = 3000},
     {CJK}},
};

int wh_layout_find(const char *name, const char *language, wh_layout_style *style)
{
    for (size_t i = 0; i < WH_COUNT(styles); i++) {
        if (strcmp(styles[i].name, name) != 0)
            continue;
        *style = styles[i].style;
        for (size_t k = 0; language && k < WH_COUNT(styles[i].languages) && styles[i].languages[k].language; k++) {
            if (strcmp(styles[i].languages[k].language, language) != 0)
                continue;
            style->width = styles[i].languages[k].width;
            style->rate = styles[i].languages[k].rate;
        }
        return 1;
    }
    return 0;
}
