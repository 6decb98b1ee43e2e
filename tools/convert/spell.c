/* spell.c - bytes in GPT-2's printable notation, as vocabularies have their tokens. */
#include <stdlib.h>
#include <string.h>

#include "vocab.h"

char *vocab_spell(const unsigned char *bytes, size_t n)
{
    wh_buf text = {0};
    for (size_t i = 0; i < n; i++) {
        unsigned b = bytes[i], code = b;
        if (b <= 32) /* the characters that are not printable follow U+0100 in order: 0-32, 127-160, 173 */
            code = 256 + b;
        else if (b >= 127 && b <= 160)
            code = 256 + 33 + (b - 127);
        else if (b == 173)
            code = 256 + 67;
        const char utf8[2] = {(char)(0xc0 | code >> 6), (char)(0x80 | (code & 63))};
        if (code < 128)
            wh_buf_append(&text, &bytes[i], 1);
        else
            wh_buf_append(&text, utf8, 2);
    }
    char *spelled = text.failed ? NULL : strdup(text.data ? text.data : "");
    wh_buf_free(&text);
    return spelled;
}
