/* ending.h - what becomes of whisp-convert when a signal ends it. */
#ifndef CONVERT_ENDING_H
#define CONVERT_ENDING_H

#include "gguf/gguf.h"

/* From now on SIGINT, SIGTERM and SIGHUP end the program at once, with 128 and their number as its status, and take away
 * what is half-written; unless whoever started it wants them ignored. */
void ending_catch(void);

/* wh_gguf_writer_new(), and wh_gguf_writer_finish() or, where `rc` is not WHISP_OK, _abort(): in between the file
 * goes if the program is ended. close gives `rc` or finish's. */
int ending_open(const char *path, wh_gguf_writer **writer);
int ending_close(wh_gguf_writer *writer, int rc);

#endif
