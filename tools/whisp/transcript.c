/* transcript.c - the transcript on standard output, line by line, with every failure to write noticed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

void transcript_print(struct transcript *out, const char *text)
{
    if (out->failed)
        return;
    if (out->bar)
        progress_hide(out->bar);
    errno = 0;
    if (fputs(text, stdout) == EOF || fflush(stdout) != 0 || ferror(stdout))
        out->failed = errno ? errno : EIO;
    if (out->bar)
        progress_show(out->bar);
}

void transcript_segment(struct transcript *out, const whisp_segment *segment)
{
    if (!*segment->text)
        return; /* emptied, as openai-whisper does with those that begin and end at once */
    int length = whisp_segment_line(segment, NULL, 0);
    if (length < 0)
        return;
    char *line = malloc((size_t)length + 2);
    if (!line) {
        out->failed = ENOMEM;
        return;
    }
    whisp_segment_line(segment, line, (size_t)length + 1);
    memcpy(line + length, "\n", 2);
    transcript_print(out, line);
    free(line);
}

void transcript_words(struct transcript *out, const whisp_segment *segment)
{
    for (size_t i = 0; i < segment->n_words; i++) {
        const whisp_word *word = segment->words[i];
        whisp_segment line = {.start = word->start, .end = word->end, .text = word->text + strspn(word->text, " ")};
        transcript_segment(out, &line);
    }
}

int transcript_check(const struct transcript *out)
{
    if (!out->failed)
        return CODE_DONE;
    if (out->failed != EPIPE)
        note_error("cannot write the transcript: %s", strerror(out->failed));
    return CODE_OUTPUT;
}
