/* gone.h - a thread that sees clients go away while the daemon does not look at their sockets, and the seconds pass. */
#ifndef SERVER_GONE_H
#define SERVER_GONE_H

struct gone;

/* Begin. `gone` is called with a descriptor whose client went away, once for each gone_watch(); `tick` once a second. Both
 * in the thread. NULL: errno says why not. */
struct gone *gone_start(void (*gone)(void *user, int fd), void (*tick)(void *user), void *user);
/* Watch a socket until gone_forget(). 0 or an errno. */
int gone_watch(struct gone *gone, int fd);
void gone_forget(struct gone *gone, int fd);
void gone_stop(struct gone *gone);

#endif
