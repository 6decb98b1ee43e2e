/* remarks_in.c - what a person who corrected a transcript left in its json document, read back: notes, and the list of what
 * was corrected, which --vocabulary learns from. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "output/json_in.h"
#include "output/writers.h"

int wh_note_read_back(wh_json *j, char **note)
{
    wh_buf text = {0};
    if (!wh_json_is_text(j)) /* what others call a note may be anything */
        return wh_json_skip(j);
    int good = wh_json_string(j, &text);
    if (good && !(*note = strdup(text.data ? text.data : "")))
        good = 0;
    j->failed |= !good;
    wh_buf_free(&text);
    return good;
}

static int read_pooled(wh_json *j, void *to)
{
    wh_buf *pool = to;
    if (!wh_json_string(j, pool))
        return 0;
    wh_buf_append(pool, "", 1);
    j->failed |= pool->failed;
    return !pool->failed;
}

/* The correction being read. */
typedef struct read_correction {
    wh_buf from, by;
    int64_t count;
} read_correction;

static int correction_from(wh_json *j, void *to)
{
    return read_pooled(j, &((read_correction *)to)->from);
}

static int correction_to(wh_json *j, void *to)
{
    return read_pooled(j, &((read_correction *)to)->by);
}

static int correction_count(wh_json *j, void *to)
{
    return wh_json_integer(j, 0, INT32_MAX, &((read_correction *)to)->count);
}

static int read_one_correction(wh_json *j, void *to)
{
    static const wh_json_member members[] = {{"from", correction_from, 1},
                                             {"to", correction_to, 1},
                                             {"count", correction_count, 0}};
    read_correction c = {.count = 1};
    wh_buf *pool = to;
    int good = wh_json_object(j, members, WH_COUNT(members), &c);
    if (good) {
        wh_buf_append(pool, c.from.data, c.from.length);
        wh_buf_append(pool, c.by.data, c.by.length);
        wh_buf_printf(pool, "%" PRId64, c.count);
        wh_buf_append(pool, "", 1);
        j->failed |= pool->failed;
    }
    wh_buf_free(&c.from);
    wh_buf_free(&c.by);
    return good && !j->failed;
}

int wh_corrections_read_back(wh_json *j, wh_buf *all)
{
    return wh_json_list(j, read_one_correction, all);
}
