/* sounds.c - how a spelling sounds, roughly: enough to see that "Rexys" may have been "recsys".
 *
 * Letters are brought to lower case without accents; in Latin script the common English spellings of one sound become
 * one code, as Metaphone does (Philips 1990, Hanging on the Metaphone), vowels kept. Other scripts stand for
 * themselves. Distances between sounds are those of a weighted edit distance (Wagner and Fischer 1974): vowels are
 * confused easily, and consonants that differ in voicing only. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "search/vocabulary.h"
#include "tokenizer/utf8.h"

/* Codes of sounds that no single letter writes. */
#define CH 'C'
#define SH 'S'
#define TH 'T'
#define DJ 'J'

/* The letters and digits of a text, in lower case and without accents, each run of them ended by a 0. */
static int fold(const char *text, size_t n, int32_t **letters, size_t *count, size_t *capacity)
{
    for (size_t i = 0; i < n;) {
        int32_t code, parts[16];
        i += wh_utf8_next(text + i, n - i, &code);
        if (code < 0)
            continue;
        int class = 0;
        utf8proc_ssize_t m = utf8proc_decompose_char(code, parts, (utf8proc_ssize_t)WH_COUNT(parts),
                                                     UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                                                         UTF8PROC_STRIPMARK | UTF8PROC_IGNORE,
                                                     &class);
        for (utf8proc_ssize_t k = 0; k < WH_MIN(m, (utf8proc_ssize_t)WH_COUNT(parts)); k++) {
            utf8proc_category_t category = utf8proc_category(parts[k]);
            int sounds = (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
                         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
            if (parts[k] == '\'' || (!sounds && (*count == 0 || (*letters)[*count - 1] == 0)))
                continue;
            int rc = wh_grow(letters, capacity, *count + 2, sizeof **letters);
            if (rc)
                return rc;
            (*letters)[(*count)++] = sounds ? parts[k] : 0;
        }
    }
    int rc = wh_grow(letters, capacity, *count + 2, sizeof **letters);
    if (!rc)
        (*letters)[(*count)++] = 0;
    return rc;
}

static int is_vowel(int32_t c)
{
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

/* Whether the letters (which end with a 0) begin with these. */
static int begins_with(const int32_t *letters, const char *what)
{
    for (; *what; what++, letters++)
        if (*letters != *what)
            return 0;
    return 1;
}

static const struct spelling {
    const char *letters;
    const char *sounds;
    int at_begin; /* of a word only */
} spellings[] = {
    {"kn", "n", 1},  {"wr", "r", 1},  {"ps", "s", 1},  {"gh", "g", 1},  {"x", "z", 1},  {"tch", "C", 0},
    {"sch", "S", 0}, {"ch", "C", 0},  {"sh", "S", 0},  {"ph", "f", 0},  {"th", "T", 0}, {"ck", "k", 0},
    {"cc", "k", 0},  {"qu", "kw", 0}, {"q", "k", 0},   {"gh", "", 0},   {"wh", "w", 0}, {"dg", "J", 0},
    {"x", "ks", 0},  {"ce", "se", 0}, {"ci", "si", 0}, {"cy", "si", 0}, {"c", "k", 0},  {"j", "J", 0},
};

/* The sounds at a word's letter i: how many letters they take. `to` gets them and a 0. */
static size_t sound_at(const int32_t *word, size_t i, int32_t *to)
{
    for (size_t k = 0; k < WH_COUNT(spellings); k++) {
        const struct spelling *s = &spellings[k];
        if ((s->at_begin && i) || !begins_with(word + i, s->letters))
            continue;
        for (const char *p = s->sounds; *p; p++)
            *to++ = *p;
        *to = 0;
        return strlen(s->letters);
    }
    int32_t c = word[i];
    int vowel_follows = is_vowel(word[i + 1]);
    if (c == 'h' && i && !vowel_follows)
        c = 0; /* mute */
    else if (c == 'h' && i && !is_vowel(word[i - 1]))
        c = 0; /* dh, bh */
    else if (c == 'y' && !(i == 0 && vowel_follows))
        c = 'i';
    to[0] = c;
    to[1] = 0;
    return 1;
}

int wh_sounds(const char *text, size_t n, int32_t **sounds, size_t *n_sounds, size_t *capacity)
{
    int32_t *letters = NULL, found[4];
    size_t count = 0, room = 0;
    int rc = fold(text, n, &letters, &count, &room);
    const int32_t *word = letters;
    int32_t before = 0;
    for (size_t i = 0; !rc && i < count;) {
        if (letters[i] == 0) {
            word = letters + ++i;
            before = 0;
            continue;
        }
        i += sound_at(word, (size_t)(letters + i - word), found);
        if (!found[0])
            before = 0;
        for (const int32_t *p = found; *p && !rc; p++) {
            int twice = *p == before && *p > '9';
            before = *p;
            if (twice)
                continue;
            if (!(rc = wh_grow(sounds, capacity, *n_sounds + 1, sizeof **sounds)))
                (*sounds)[(*n_sounds)++] = *p;
        }
    }
    free(letters);
    return rc;
}

/* Consonants that are easily taken for one another. */
static int alike(int32_t a, int32_t b)
{
    static const char *const pairs = "pb td kg sz fv SC CJ SJ sS zJ Tt Tf Ts Td mn vw gJ tC kC bv dJ";
    for (const char *p = pairs;; p += 3) {
        if ((p[0] == a && p[1] == b) || (p[0] == b && p[1] == a))
            return 1;
        if (!p[2])
            return 0;
    }
}

int wh_sound_change(int32_t a, int32_t b)
{
    if (a == b)
        return 0;
    if (is_vowel(a) && is_vowel(b))
        return 3;
    if (alike(a, b))
        return 4;
    return WH_SOUND_UNIT;
}

int wh_sound_extra(int32_t a)
{
    return is_vowel(a) ? 4 : a == 'h' || a == 'w' || a == 'y' ? 5 : a == 'r' || a == 't' || a == 'd' ? 7 : 9;
}
