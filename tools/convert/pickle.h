/* pickle.h - a pickle as data: what it would build, without building anything that is not a plain container.
 *
 * Only the opcodes that torch.save writes for a state dict and what trainers keep beside it are known; any other is an
 * error. Nothing is imported or called: a call stays a record of its callable's name and its arguments. */
#ifndef CONVERT_PICKLE_H
#define CONVERT_PICKLE_H

#include <stddef.h>
#include <stdint.h>

enum pickle_kind {
    PICKLE_MARK,
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_STRING,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,      /* items: key, value, key, value, ...; an OrderedDict too */
    PICKLE_GLOBAL,    /* items: module, name */
    PICKLE_CALL,      /* items: callable, arguments, and, if any, the state that it is given then */
    PICKLE_PERSISTENT /* items: the id */
};

struct pickle_value {
    enum pickle_kind kind;
    int64_t integer;
    const char *text; /* in the pickle, not NUL-terminated */
    size_t length;
    struct pickle_value **items;
    size_t n, capacity;
};

struct pickle;

/* Parse; NULL with *reason set (static text) if it is not a pickle of that kind or memory is short. The bytes must
 * stay. The values live until pickle_free(). They may contain themselves: do not walk them without end. */
struct pickle *pickle_parse(const unsigned char *data, size_t size, const char **reason);
void pickle_free(struct pickle *pickle);
const struct pickle_value *pickle_root(const struct pickle *pickle);

/* Each accepts NULL and values of any kind. */
int pickle_is_text(const struct pickle_value *value, const char *text);
int pickle_is_global(const struct pickle_value *value, const char *module, const char *name);
int pickle_int(const struct pickle_value *value, int64_t *integer);
const struct pickle_value *pickle_item(const struct pickle_value *value, enum pickle_kind kind, size_t i);
const struct pickle_value *pickle_lookup(const struct pickle_value *dict, const char *key);

#endif
