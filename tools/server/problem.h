/* problem.h - why something cannot be done, in words for who asked, and copies of options. */
#ifndef SERVER_PROBLEM_H
#define SERVER_PROBLEM_H

#include "service.h"

enum { PROBLEM_COMMAND = 200 };

/* The problem is what the library said last, with `path` replaced by words. The code. */
int problem_set(struct problem *problem, int code, const char *path);
int problem_say(struct problem *problem, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Where the text names this file, which is beside a recording: it is that file's problem, and told without its path. */
void problem_file(struct problem *problem, const char *path);

/* What the library says for who runs the server in words for who asked: a model that an option needs is not here (where it
 * was looked for is nothing for strangers); who is told of a cancelled task has not cancelled it. */
void problem_plain(struct problem *problem);

/* Of what the library says of a missing model, the command that fetches it, in words behind a sentence; "": it names none.
 * The library's texts are all that the public headers give of this. */
void problem_command(const char *text, char words[PROBLEM_COMMAND]);

/* A copy; NULL: no memory. */
whisp_options *options_copy(const whisp_options *options);

#endif
