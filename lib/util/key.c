/* key.c - bytes as a number of 128 bits (see key.h): what a journal knows a question by, and a record's sum. A window's
 * sound is a megabyte, so it goes eight bytes at a time. */
#include <string.h>

#include "util/key.h"

#define ODD_A 0x9e3779b97f4a7c15u /* the golden ratio's digits */
#define ODD_B 0xc2b2ae3d27d4eb4fu

static uint64_t turn(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

/* Every bit of the word reaches every bit of the sum within a few steps. */
static void take(wh_key *key, uint64_t word)
{
    key->a = turn(key->a ^ word, 29) * ODD_A;
    key->b = (turn(key->b + word, 41) ^ key->a) * ODD_B;
}

void wh_key_add(wh_key *key, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    uint64_t word;
    size_t left = n;
    for (; left >= sizeof word; left -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        take(key, word);
    }
    word = 0;
    if (left)
        memcpy(&word, at, left);
    take(key, word);
    take(key, n); /* "a", then "bc" is not "ab", then "c" */
}
