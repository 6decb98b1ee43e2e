/* ending.h - how whisp-convert and whisp-get end: by wrong usage, with what they printed, by a signal. */
#ifndef CONVERT_ENDING_H
#define CONVERT_ENDING_H

#include "gguf/gguf.h"

enum { EXIT_USAGE = 2, EXIT_MODEL = 4, EXIT_OUTPUT = 5 }; /* as whisp's */

/* From now on SIGINT, SIGTERM and SIGHUP end `program` at once, with 128 and their number as its status, and take away
 * what is half-written; unless whoever started it wants them ignored. `program` is kept: it
 * begins what is said below. */
void ending_catch(const char *program);

/* Say on standard error what is wrong with the command line. EXIT_USAGE. */
int ending_complain(const char *text, const char *argument);

/* The exit status of what only prints: EXIT_OUTPUT, and a line, where standard output did not take it. */
int ending_print(void);

/* Whether the cursor stands behind a progress bar, which then keeps its line. */
void ending_bar(int visible);

/* wh_gguf_writer_new(), and wh_gguf_writer_finish() or, where `rc` is not WHISP_OK, _abort(): in between the file
 * goes if the program is ended. close gives `rc` or finish's. */
int ending_open(const char *path, wh_gguf_writer **writer);
int ending_close(wh_gguf_writer *writer, int rc);

#endif
