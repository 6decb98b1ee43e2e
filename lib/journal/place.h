/* place.h - the file of a journal by its name: whether one may write there, and what becomes of one that stands there and
 * is not gone on with. Under journal.c. */
#ifndef WH_JOURNAL_PLACE_H
#define WH_JOURNAL_PLACE_H

#include <stdint.h>

/* What every journal begins with. */
#define WH_JOURNAL_MAGIC "whisp journal 1\n"

/* A journal as it stands under a name. */
typedef struct wh_place {
    int fd;       /* -1: none; else it is locked until it is closed, and nobody else writes it */
    int64_t size; /* bytes */
    int error; /* an errno value: ENOENT: nothing is there; EWOULDBLOCK: another run writes it; EEXIST: it is no journal */
    int is_old; /* the error is about the other name of wh_place_make() */
} wh_place;

/* Open what stands under a name, for reading and appending, and lock it (where the file system knows locks). Symbolic
 * links are not followed, and what is no journal is not touched. One whose first line is not whole, as a run leaves it
 * that is killed while it makes the file, is removed. Any thread. */
wh_place wh_place_take(const char *path);
void wh_place_give_back(wh_place *place);

/* A new file of that name, empty and locked. One that stands there becomes `old`, whose own journal it replaces, unless
 * that is longer: the one with more answers in it is the one to keep. */
wh_place wh_place_make(const char *path, const char *old);

/* `error` in words. */
const char *wh_place_problem(int error);

#endif
