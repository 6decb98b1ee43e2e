/* refuse.c - what to say where nothing here can decode a recording: the line that has ffmpeg do it. */
#include <string.h>

#include "audio/decoder.h"

/* A name as a shell takes it: in single quotes, with ' as '\''. ffmpeg takes what comes before a colon for a
 * protocol. */
static void quote(wh_buf *text, const char *name)
{
    wh_buf_puts(text, strchr(name, ':') ? "'file:" : "'");
    for (; *name; name++) {
        if (*name == '\'')
            wh_buf_puts(text, "'\\''");
        else
            wh_buf_append(text, name, 1);
    }
    wh_buf_puts(text, "'");
}

int wh_refuse(const wh_source *source, const char *name, const char *why)
{
    wh_buf command = {0};
    if (source->path) {
        wh_buf_puts(&command, "ffmpeg -nostdin -i ");
        quote(&command, source->path);
    } else {
        wh_buf_puts(&command, "... | ffmpeg -i -");
    }
    wh_buf_puts(&command, " -ac 1 -ar 16000 -f wav - | whisp ");
    wh_buf_puts(&command, source->is_live ? "--stream -" : "-");
    int rc = command.failed ? wh_fail_memory() : wh_fail(WHISP_ERR_AUDIO, "%s: %s: %s", name, why, command.data);
    wh_buf_free(&command);
    return rc;
}
