/* keys.h - who may ask: API keys, from the command line and from a file that can be read again. Any thread. */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include <stddef.h>

struct keys;

/* `key` or a `file` of keys, one a line, or both; NULL and NULL: nobody is asked for one. NULL, and `problem` says why: a
 * file that cannot be read or holds none. */
struct keys *keys_new(const char *key, const char *file, char *problem, size_t capacity);
/* Read the file again; where that fails, -1, `problem` says why, and the old keys stay. */
int keys_reload(struct keys *keys, char *problem, size_t capacity);
/* Whose key is that (NULL: there was none)? A number from 0 on that stays the same over a reload for the same key;
 * KEYS_OPEN: no key is asked for; KEYS_WRONG. */
enum { KEYS_OPEN = -1, KEYS_WRONG = -2 };
int keys_check(struct keys *keys, const char *key);
void keys_free(struct keys *keys);

#endif
