/* script.c - what subtitles must know of a writing: how wide characters are, which letters are capitals, where text
 * without spaces may be cut, what is read from right to left. By utf8proc's tables, which are Unicode's. */
#include <utf8proc.h>

#include "output/layout/layout.h"
#include "tokenizer/utf8.h"

/* Letters that begin no line of Japanese (small kana and marks of repetition and length, as JIS X 4051 has them), and n,
 * with which no word begins. Closing punctuation is found by its category. */
static const int32_t begin_none[] = {0x3005, 0x303B, 0x3041, 0x3043, 0x3045, 0x3047, 0x3049, 0x3063, 0x3083,
                                     0x3085, 0x3087, 0x308E, 0x3095, 0x3096, 0x309D, 0x309E, 0x30A1, 0x30A3,
                                     0x30A5, 0x30A7, 0x30A9, 0x30C3, 0x30E3, 0x30E5, 0x30E7, 0x30EE, 0x30F5,
                                     0x30F6, 0x30FB, 0x30FC, 0x30FD, 0x30FE, 0x3093, 0x30F3};

static int is_southeast(int32_t c)
{
    return (c >= 0x0E00 && c <= 0x0EFF) || (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF);
}

enum wh_script_class wh_script_class(int32_t c)
{
    if (c < 0)
        return WH_SCRIPT_OTHER;
    for (size_t i = 0; i < WH_COUNT(begin_none); i++)
        if (c == begin_none[i])
            return WH_SCRIPT_CLOSES;
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PI: return WH_SCRIPT_OPENS;
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO: return WH_SCRIPT_CLOSES;
    default: break;
    }
    if (c >= 0x3041 && c <= 0x309F)
        return WH_SCRIPT_HIRAGANA;
    if ((c >= 0x30A0 && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x31FF) || (c >= 0xFF66 && c <= 0xFF9F))
        return WH_SCRIPT_KATAKANA;
    if ((c >= 0x3400 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF))
        return WH_SCRIPT_HAN;
    return is_southeast(c) ? WH_SCRIPT_SOUTHEAST : WH_SCRIPT_OTHER;
}

int wh_script_cells(int32_t c)
{
    if (c < 0)
        return 1;
    utf8proc_category_t category = utf8proc_category(c);
    if (category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME || category == UTF8PROC_CATEGORY_CF)
        return 0;
    return utf8proc_charwidth(c) == 2 ? 2 : 1;
}

size_t wh_script_width(const char *text, size_t n)
{
    size_t width = 0;
    for (size_t i = 0; i < n;) {
        int32_t code;
        i += wh_utf8_next(text + i, n - i, &code);
        width += (size_t)wh_script_cells(code);
    }
    return width;
}

int wh_script_is_upper(int32_t c)
{
    if (c < 0)
        return 0;
    utf8proc_category_t category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LT;
}

int wh_script_is_digit(int32_t c)
{
    return c >= 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_ND;
}

int wh_script_is_letter(int32_t c)
{
    return c >= 0 && utf8proc_category(c) >= UTF8PROC_CATEGORY_LU && utf8proc_category(c) <= UTF8PROC_CATEGORY_LO;
}

int wh_script_is_rtl(const char *text, size_t n)
{
    long balance = 0, rtl = 0;
    for (size_t i = 0; i < n;) {
        int32_t code;
        i += wh_utf8_next(text + i, n - i, &code);
        int direction = code < 0 ? 0 : utf8proc_get_property(code)->bidi_class;
        int is_rtl = direction == UTF8PROC_BIDI_CLASS_R || direction == UTF8PROC_BIDI_CLASS_AL;
        rtl += is_rtl;
        balance += is_rtl ? 1 : direction == UTF8PROC_BIDI_CLASS_L ? -1 : 0;
    }
    return rtl > 0 && balance >= 0;
}

int wh_script_may_part(int32_t before, int32_t after)
{
    if (before < 0 || after < 0)
        return 1;
    utf8proc_category_t next = utf8proc_category(after);
    if (next == UTF8PROC_CATEGORY_MN || next == UTF8PROC_CATEGORY_MC || next == UTF8PROC_CATEGORY_ME ||
        utf8proc_category(before) == UTF8PROC_CATEGORY_CF || next == UTF8PROC_CATEGORY_CF)
        return 0;
    if ((before >= 0x0E40 && before <= 0x0E44) || (before >= 0x0EC0 && before <= 0x0EC4))
        return 0;                                   /* vowels of Thai and Lao that are written before their consonant */
    return !(after >= 0x1F3FB && after <= 0x1F3FF); /* skin of an emoji */
}

int32_t wh_script_first(const char *text, size_t n)
{
    int32_t code = -1;
    if (n > 0)
        wh_utf8_next(text, n, &code);
    return code;
}

int32_t wh_script_last(const char *text, size_t n)
{
    int32_t code = -1;
    size_t i = n;
    while (i > 0 && n - i < 4 && ((unsigned char)text[i - 1] & 0xC0) == 0x80)
        i--;
    if (i > 0)
        wh_utf8_next(text + i - 1, n - i + 1, &code);
    return code;
}
