/* cursor.c - little-endian numbers from bytes that may end anywhere. */
#include "source.h"

const unsigned char *cursor_take(struct cursor *c, uint64_t n)
{
    if (n > c->left) {
        c->failed = 1;
        c->left = 0;
        return NULL;
    }
    const unsigned char *bytes = c->at;
    c->at += n;
    c->left -= (size_t)n;
    return bytes;
}

static uint64_t number(struct cursor *c, unsigned n)
{
    const unsigned char *b = cursor_take(c, n);
    uint64_t value = 0;
    for (unsigned i = 0; b && i < n; i++)
        value |= (uint64_t)b[i] << (8 * i);
    return value;
}

uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)number(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)number(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)number(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
    return number(c, 8);
}
