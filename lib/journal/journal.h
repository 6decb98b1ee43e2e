/* journal.h - what the model answered so far, in a file: so a transcription that was killed goes on where it stopped.
 *
 * A journal is a list of answers, each under its question: everything that the answer depends on, as a number of 128 bits
 * (wh_key). Who transcribes asks the journal first and the model only for what is not there; what the model answers is
 * added. So nothing but the work is saved: every step between two answers is taken again, and the words are those of a
 * run that nobody disturbed. Under lib/window, which knows what is asked; docs/resume.md tells it to users. */
#ifndef WH_JOURNAL_H
#define WH_JOURNAL_H

#include "options/options.h"
#include "util/key.h"

/* What is asked about: where it is in the recording, and how it sounds. */
typedef struct wh_heard {
    int64_t at;     /* its first frame */
    int32_t frames; /* of it that hold sound */
    int16_t kind;   /* what is asked: the asker's own numbers */
    int16_t channel;
    uint64_t sound;
} wh_heard;

typedef struct wh_journal wh_journal;

typedef struct wh_journal_config {
    const char *path;
    const char *identity; /* lines "name=value": all that must be the same for an answer to be believed */
    int resumes;          /* believe what is there, under path or path.old; else it is set aside */
} wh_journal_config;

/* Read what is there; what is to be said about it goes to the options' log. A file is made with the first answer; a
 * journal that stands in its place and is not gone on with becomes path.old, where it is found again. Where another run
 * writes the journal, in this process or another, that is told and none is kept. WHISP_ERR_MEMORY; whatever is wrong with
 * the file is no error. */
int wh_journal_open(const wh_journal_config *config, const whisp_options *options, wh_journal **journal);
/* The files stay: path and path.old are the caller's, who removes them when the work is done. */
void wh_journal_free(wh_journal *journal);

/* Any thread. find: 1 and the answer, 0 where the model must be asked, or a code. keep: what it answered, which
 * is in the file when this returns. A file that cannot be written is told, once. WHISP_ERR_MEMORY. */
int wh_journal_find(wh_journal *journal, const whisp_options *options, const wh_heard *heard, const wh_key *key,
                    wh_buf *answer);
int wh_journal_keep(wh_journal *journal, const whisp_options *options, const wh_heard *heard, const wh_key *key,
                    const wh_buf *answer);

#endif
