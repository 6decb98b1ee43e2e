/* live.h - live transcription: a WebSocket takes samples and gives words as they settle (docs/server.md has the messages).
 * Each has a stream of whisp_live.h, so a backend and two threads of its own; their number is bounded. */
#ifndef SERVER_LIVE_H
#define SERVER_LIVE_H

struct live;

/* At most `most` at a time; pages of `origin` may open them (NULL: those of this server only; "*": any). NULL: no
 * memory. */
struct live *live_new(int most, const char *origin);
/* No new ones; those that are there hear nothing more, and say what is left. */
void live_close(struct live *live);
int live_busy(struct live *live);
/* End those that are left now, wait for them, release. Before http_free(). */
void live_free(struct live *live);

#endif
