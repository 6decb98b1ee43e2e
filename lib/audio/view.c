/* view.c - see view.h. */
#include "audio/view.h"

#include <string.h>

void wh_view_add(wh_view *view, const unsigned char *bytes, int64_t at, int64_t n)
{
    if (n <= 0 || view->n_parts == (int)WH_COUNT(view->parts))
        return;
    view->parts[view->n_parts].bytes = bytes;
    view->parts[view->n_parts].at = at;
    view->parts[view->n_parts++].n = n;
}

static sf_count_t view_length(void *user)
{
    const wh_view *view = user;
    int64_t n = 0;
    for (int i = 0; i < view->n_parts; i++)
        n += view->parts[i].n;
    return n;
}

static sf_count_t view_tell(void *user)
{
    return ((const wh_view *)user)->position;
}

static sf_count_t view_seek(sf_count_t offset, int whence, void *user)
{
    wh_view *view = user;
    int64_t from = whence == SEEK_CUR ? view->position : whence == SEEK_END ? view_length(view) : 0;
    if (offset > INT64_MAX - from || from + offset < 0)
        return -1;
    return view->position = from + offset;
}

/* Bytes of one part, or of several in a row. */
static sf_count_t view_read(void *bytes, sf_count_t n, void *user)
{
    wh_view *view = user;
    int64_t done = 0, begin = 0;
    for (int i = 0; i < view->n_parts && done < n; begin += view->parts[i++].n) {
        int64_t inside = view->position - begin, piece = WH_MIN(view->parts[i].n - inside, n - done), got = piece;
        unsigned char *to = (unsigned char *)bytes + done;
        if (inside < 0 || piece <= 0)
            continue;
        if (view->parts[i].bytes)
            memcpy(to, view->parts[i].bytes + inside, (size_t)piece);
        else
            got = (int64_t)wh_source_peek(view->source, view->parts[i].at + inside, to, (size_t)piece);
        done += got;
        view->position += got;
        if (got < piece)
            break;
    }
    view->ran_dry |= done < n;
    return done;
}

const SF_VIRTUAL_IO wh_view_io = {.get_filelen = view_length, .seek = view_seek, .read = view_read, .tell = view_tell};
