/* base64.h - what a character of base64 (RFC 4648, 4) stands for. For readers that take a stream apart themselves: of data
 * URLs, and of tiktoken's vocabularies. */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

/* 0 to 63; -1: none of them. */
static inline int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

#endif
