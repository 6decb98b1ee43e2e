/* cues.h - a result as cues, for the formats that show text at its time: srt, vtt, ass, lrc. Private to lib/output. */
#ifndef WH_CUES_H
#define WH_CUES_H

#include "output/writers.h"

typedef struct wh_cue {
    int64_t start, end;  /* ms; end > start */
    int speaker;         /* or 0 */
    size_t text, length; /* in wh_cues.text */
} wh_cue;

typedef struct wh_cues {
    wh_cue *list; /* [n] */
    size_t n, capacity;
    wh_buf text;
    int laid_out; /* by option subtitles: who speaks is in the text, where it changes */
    int failed;   /* memory ran out */
} wh_cues;

enum {
    WH_CUES_WORDS = 1,   /* openai-whisper's options of layout are heeded */
    WH_CUES_NAMES = 2,   /* laid out, speakers who have a name are told by it, not by a dash */
    WH_CUES_ONE_LINE = 4 /* laid out, no cue has two lines */
};
/* The cues of a result: its segments, or as the layout says. Free them in any case. */
void wh_cues_gather(wh_cues *cues, const whisp_result *result, const whisp_writer_options *layout, int how);
void wh_cues_free(wh_cues *cues);

#endif
