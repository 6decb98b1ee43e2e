/* pickle.c - see pickle.h. The opcodes are those of Python's pickletools, protocols 2 to 5. */
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

#include "source.h"

#define MAX_VALUES 150000     /* a large-v3 has about 20,000, and 60,000 with its optimizer's state */
#define MAX_REFERENCES 600000 /* to them: on the stack and in containers */

struct pickle {
    struct cursor c;
    struct pickle_value **values; /* all, for freeing */
    size_t n_values, values_capacity;
    struct pickle_value **stack;
    size_t depth, stack_capacity;
    struct pickle_value **memo;
    size_t n_memo, memo_capacity;
    size_t n_references; /* that were ever made: a pickle of a few bytes could name one object without end */
    const char *reason;  /* NULL while all is well */
};

static void *stop(struct pickle *p, const char *reason)
{
    if (!p->reason)
        p->reason = reason;
    return NULL;
}

static struct pickle_value *make(struct pickle *p, enum pickle_kind kind)
{
    if (p->n_values >= MAX_VALUES)
        return stop(p, "too many objects");
    struct pickle_value *v = calloc(1, sizeof *v);
    if (!v || wh_grow(&p->values, &p->values_capacity, p->n_values + 1, sizeof *p->values)) {
        free(v);
        return stop(p, "out of memory");
    }
    p->values[p->n_values++] = v;
    v->kind = kind;
    return v;
}

static void push(struct pickle *p, struct pickle_value *v)
{
    if (!v || p->reason)
        return;
    if (++p->n_references > MAX_REFERENCES)
        stop(p, "too many objects");
    else if (wh_grow(&p->stack, &p->stack_capacity, p->depth + 1, sizeof *p->stack))
        stop(p, "out of memory");
    else
        p->stack[p->depth++] = v;
}

static struct pickle_value *pop(struct pickle *p)
{
    return p->depth ? p->stack[--p->depth] : stop(p, "the stack is empty");
}

/* Most containers hold one to four items. */
static int grow_items(struct pickle_value *v)
{
    size_t capacity = v->capacity ? 2 * v->capacity : 4;
    struct pickle_value **grown = v->n < v->capacity ? v->items : realloc(v->items, capacity * sizeof *grown);
    if (!grown)
        return 0;
    v->capacity = v->n < v->capacity ? v->capacity : capacity;
    v->items = grown;
    return 1;
}

static void append(struct pickle *p, struct pickle_value *to, struct pickle_value *item)
{
    if (!to || !item || p->reason)
        return;
    if (++p->n_references > MAX_REFERENCES)
        stop(p, "too many objects");
    else if (!grow_items(to))
        stop(p, "out of memory");
    else
        to->items[to->n++] = item;
}

static void push_int(struct pickle *p, enum pickle_kind kind, int64_t integer)
{
    struct pickle_value *v = make(p, kind);
    if (v)
        v->integer = integer;
    push(p, v);
}

static struct pickle_value *make_text(struct pickle *p, const unsigned char *text, size_t length)
{
    struct pickle_value *v = text ? make(p, PICKLE_STRING) : stop(p, "it ends too early");
    if (v) {
        v->text = (const char *)text;
        v->length = length;
    }
    return v;
}

static void push_text(struct pickle *p, uint64_t length)
{
    push(p, make_text(p, cursor_take(&p->c, length), (size_t)length));
}

/* Up to the next line feed, which is taken too. */
static struct pickle_value *take_line(struct pickle *p)
{
    const unsigned char *end = p->c.left ? memchr(p->c.at, '\n', p->c.left) : NULL;
    if (!end)
        return stop(p, "it ends too early");
    size_t length = (size_t)(end - p->c.at);
    return make_text(p, cursor_take(&p->c, length + 1), length);
}

/* Two's complement of n bytes. */
static void push_long(struct pickle *p, unsigned n)
{
    const unsigned char *b = cursor_take(&p->c, n);
    uint64_t value = 0;
    if (n > 8) { /* a random generator's state, say: nothing that is looked at */
        push(p, make(p, PICKLE_FLOAT));
        return;
    }
    if (!b) {
        stop(p, "it ends too early");
        return;
    }
    for (unsigned i = 0; i < n; i++)
        value |= (uint64_t)b[i] << (8 * i);
    if (n && n < 8 && b[n - 1] & 0x80)
        value |= ~(uint64_t)0 << (8 * n);
    push_int(p, PICKLE_INT, (int64_t)value);
}

/* The values above the topmost mark go into `to`; the mark goes away. */
static void take_marked(struct pickle *p, struct pickle_value *to)
{
    size_t mark = p->depth;
    while (mark > 0 && p->stack[mark - 1]->kind != PICKLE_MARK)
        mark--;
    if (mark == 0) {
        stop(p, "a mark is missing");
        return;
    }
    for (size_t i = mark; i < p->depth; i++)
        append(p, to, p->stack[i]);
    p->depth = mark - 1;
}

/* A tuple of the n topmost values. */
static void push_tuple(struct pickle *p, size_t n)
{
    struct pickle_value *v = make(p, PICKLE_TUPLE);
    if (p->depth < n)
        stop(p, "the stack is empty");
    for (size_t i = 0; i < n && !p->reason; i++)
        append(p, v, p->stack[p->depth - n + i]);
    if (!p->reason)
        p->depth -= n;
    push(p, v);
}

static void push_pair(struct pickle *p, enum pickle_kind kind, struct pickle_value *a, struct pickle_value *b)
{
    struct pickle_value *v = make(p, kind);
    append(p, v, a);
    append(p, v, b);
    push(p, v);
}

static void call(struct pickle *p)
{
    struct pickle_value *arguments = pop(p), *callable = pop(p);
    if (pickle_is_global(callable, "collections", "OrderedDict"))
        push(p, make(p, PICKLE_DICT));
    else
        push_pair(p, PICKLE_CALL, callable, arguments);
}

static void set_items(struct pickle *p, int is_one)
{
    struct pickle_value *key = NULL, *value = NULL, *marked = NULL;
    if (is_one) {
        value = pop(p);
        key = pop(p);
    } else if ((marked = make(p, PICKLE_LIST))) {
        take_marked(p, marked);
    }
    struct pickle_value *dict = p->depth ? p->stack[p->depth - 1] : NULL;
    if (dict && dict->kind == PICKLE_CALL) /* a dictionary of a class of its own: not needed */
        return;
    if (!dict || dict->kind != PICKLE_DICT || (marked && marked->n % 2)) {
        stop(p, "items are set in something that is not a dictionary");
        return;
    }
    append(p, dict, key);
    append(p, dict, value);
    for (size_t i = 0; marked && i < marked->n; i++)
        append(p, dict, marked->items[i]);
}

static void append_items(struct pickle *p, int is_one)
{
    struct pickle_value *items = make(p, PICKLE_LIST);
    if (is_one)
        append(p, items, pop(p));
    else if (items)
        take_marked(p, items);
    struct pickle_value *list = p->depth ? p->stack[p->depth - 1] : NULL;
    if (list && list->kind == PICKLE_CALL)
        return;
    if (!list || list->kind != PICKLE_LIST)
        stop(p, "items are appended to something that is not a list");
    for (size_t i = 0; items && i < items->n; i++)
        append(p, list, items->items[i]);
}

/* The state that an object is given is kept with the call that made it; a dictionary's is not needed. */
static void build(struct pickle *p)
{
    struct pickle_value *state = pop(p), *object = p->depth ? p->stack[p->depth - 1] : NULL;
    if (!object)
        stop(p, "the stack is empty");
    else if (object->kind == PICKLE_CALL)
        append(p, object, state);
}

static void remember(struct pickle *p, uint64_t i)
{
    if (p->depth == 0 || i > MAX_VALUES) {
        stop(p, "the memo is damaged");
        return;
    }
    if (wh_grow(&p->memo, &p->memo_capacity, (size_t)i + 1, sizeof *p->memo)) {
        stop(p, "out of memory");
        return;
    }
    while (p->n_memo <= i)
        p->memo[p->n_memo++] = NULL;
    p->memo[i] = p->stack[p->depth - 1];
}

static void recall(struct pickle *p, uint64_t i)
{
    if (i >= p->n_memo || !p->memo[i])
        stop(p, "the memo is damaged");
    else
        push(p, p->memo[i]);
}

/* Opcodes that push one value. 1 if this was one. */
static int run_value(struct pickle *p, int opcode)
{
    struct pickle_value *a, *b;
    switch (opcode) {
    case '(': push(p, make(p, PICKLE_MARK)); return 1;
    case 'N': push(p, make(p, PICKLE_NONE)); return 1;
    case 0x88: push_int(p, PICKLE_BOOL, 1); return 1;
    case 0x89: push_int(p, PICKLE_BOOL, 0); return 1;
    case 'J': push_int(p, PICKLE_INT, (int32_t)cursor_u32(&p->c)); return 1;
    case 'K': push_int(p, PICKLE_INT, cursor_u8(&p->c)); return 1;
    case 'M': push_int(p, PICKLE_INT, cursor_u16(&p->c)); return 1;
    case 0x8a: push_long(p, cursor_u8(&p->c)); return 1;
    case 'G':
        cursor_u64(&p->c);
        push(p, make(p, PICKLE_FLOAT));
        return 1;
    case 'X':
    case 'B': /* bytes, */
    case 'T': push_text(p, cursor_u32(&p->c)); return 1;
    case 'C':
    case 'U': push_text(p, cursor_u8(&p->c)); return 1; /* and Python 2's strings */
    case 0x8e:
    case 0x96: push_text(p, cursor_u64(&p->c)); return 1;
    case 0x8b: push_long(p, cursor_u32(&p->c)); return 1;
    case 0x8c: push_text(p, cursor_u8(&p->c)); return 1;
    case 0x8d: push_text(p, cursor_u64(&p->c)); return 1;
    case '}': push(p, make(p, PICKLE_DICT)); return 1;
    case ']':
    case 0x8f: push(p, make(p, PICKLE_LIST)); return 1;
    case ')': push(p, make(p, PICKLE_TUPLE)); return 1;
    case 'c':
        a = take_line(p);
        b = take_line(p);
        push_pair(p, PICKLE_GLOBAL, a, b);
        return 1;
    }
    return 0;
}

/* Opcodes that work on what is there. 1 if this was one. */
static int run_action(struct pickle *p, int opcode)
{
    struct pickle_value *a, *b;
    switch (opcode) {
    case 0x80: cursor_u8(&p->c); return 1;  /* protocol */
    case 0x95: cursor_u64(&p->c); return 1; /* frame */
    case 'q': remember(p, cursor_u8(&p->c)); return 1;
    case 'r': remember(p, cursor_u32(&p->c)); return 1;
    case 0x94: remember(p, p->n_memo); return 1;
    case 'h': recall(p, cursor_u8(&p->c)); return 1;
    case 'j': recall(p, cursor_u32(&p->c)); return 1;
    case '0': pop(p); return 1;
    case 0x85: push_tuple(p, 1); return 1;
    case 0x86: push_tuple(p, 2); return 1;
    case 0x87: push_tuple(p, 3); return 1;
    case 't':
        if ((a = make(p, PICKLE_TUPLE)))
            take_marked(p, a);
        push(p, a);
        return 1;
    case 's': set_items(p, 1); return 1;
    case 'u': set_items(p, 0); return 1;
    case 'a': append_items(p, 1); return 1;
    case 'e': append_items(p, 0); return 1;
    case 'R': call(p); return 1;
    case 0x93:
        b = pop(p);
        a = pop(p);
        push_pair(p, PICKLE_GLOBAL, a, b);
        return 1;
    case 'Q': push_pair(p, PICKLE_PERSISTENT, pop(p), NULL); return 1;
    case 0x81: call(p); return 1; /* an object of a class */
    case 'b': build(p); return 1;
    case '2': push(p, p->depth ? p->stack[p->depth - 1] : stop(p, "the stack is empty")); return 1;
    case '1':
        if ((a = make(p, PICKLE_TUPLE)))
            take_marked(p, a);
        return 1;
    case 0x90: /* a set's items */ append_items(p, 0); return 1;
    case 0x91: /* a frozen set */
        if ((a = make(p, PICKLE_LIST)))
            take_marked(p, a);
        push(p, a);
        return 1;
    }
    return 0;
}

struct pickle *pickle_parse(const unsigned char *data, size_t size, const char **reason)
{
    struct pickle *p = calloc(1, sizeof *p);
    if (!p) {
        *reason = "out of memory";
        return NULL;
    }
    p->c = (struct cursor){data, size, 0};
    while (!p->reason) {
        int opcode = cursor_u8(&p->c);
        if (p->c.failed)
            stop(p, "it ends too early");
        else if (opcode == '.')
            break;
        else if (!run_value(p, opcode) && !run_action(p, opcode))
            stop(p, "it has an opcode that a state dict does not need");
    }
    if (!p->reason && (p->depth != 1 || p->c.failed))
        stop(p, "it does not leave one object");
    if (p->reason) {
        *reason = p->reason;
        pickle_free(p);
        return NULL;
    }
    return p;
}

void pickle_free(struct pickle *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_values; i++) {
        free(p->values[i]->items);
        free(p->values[i]);
    }
    free(p->values);
    free(p->stack);
    free(p->memo);
    free(p);
}

const struct pickle_value *pickle_root(const struct pickle *p)
{
    return p->stack[0];
}

int pickle_is_text(const struct pickle_value *v, const char *text)
{
    return v && v->kind == PICKLE_STRING && v->length == strlen(text) && memcmp(v->text, text, v->length) == 0;
}

int pickle_is_global(const struct pickle_value *v, const char *module, const char *name)
{
    return pickle_is_text(pickle_item(v, PICKLE_GLOBAL, 0), module) &&
           pickle_is_text(pickle_item(v, PICKLE_GLOBAL, 1), name);
}

int pickle_int(const struct pickle_value *v, int64_t *integer)
{
    if (!v || v->kind != PICKLE_INT)
        return 0;
    *integer = v->integer;
    return 1;
}

const struct pickle_value *pickle_item(const struct pickle_value *v, enum pickle_kind kind, size_t i)
{
    return v && v->kind == kind && i < v->n ? v->items[i] : NULL;
}

const struct pickle_value *pickle_lookup(const struct pickle_value *dict, const char *key)
{
    for (size_t i = 0; dict && dict->kind == PICKLE_DICT && i + 1 < dict->n; i += 2)
        if (pickle_is_text(dict->items[i], key))
            return dict->items[i + 1];
    return NULL;
}
