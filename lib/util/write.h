/* write.h - bytes to a descriptor, all of them; and what a file needs to be there after a power cut. */
#ifndef WH_WRITE_H
#define WH_WRITE_H

#include <stddef.h>

/* Write all n bytes: 0 or an errno value. The signals that would end the program, SIGPIPE for a pipe without a reader
 * and SIGXFSZ for a file beyond the process's limit, are errors like others. */
int wh_write_quietly(int fd, const void *bytes, size_t n);

/* Bring what was written to fd to its disk, before the file is renamed: 0 or an errno value. Where there is no disk behind
 * it (a pipe, some file systems) that is no error. folder: the same for the names in the folder of a path, after the
 * renaming; what goes wrong there is nothing that anybody could do something about. */
int wh_write_through(int fd);
void wh_write_folder(const char *path);

#endif
