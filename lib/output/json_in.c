/* json_in.c - see json_in.h. */
#include "output/json_in.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/utf8.h"

#define LONGEST_NUMBER 1000 /* characters */
#define MOST_EXACT 9007199254740992.0

int wh_json_begin(wh_json *j, const char *text, size_t n)
{
    *j = (wh_json){.text = text, .n = n};
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        j->at = 3;
    j->c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return j->c ? WHISP_OK : wh_fail_memory();
}

void wh_json_free(wh_json *j)
{
    if (j->c)
        freelocale(j->c);
    j->c = (locale_t)0;
}

int wh_json_fail(wh_json *j, const char *format, ...)
{
    char what[120];
    va_list arguments;
    if (j->failed)
        return 0;
    j->failed = 1;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(j->why, sizeof j->why, "at byte %zu: %s", j->at, what);
    return 0;
}

static int fail_memory(wh_json *j)
{
    j->failed = 1;
    return 0;
}

/* The next character that is no space; -1 at the end, or after a failure. */
static int peek(wh_json *j)
{
    while (j->at < j->n && strchr(" \t\r\n", j->text[j->at]) && j->text[j->at])
        j->at++;
    return j->failed || j->at == j->n ? -1 : (unsigned char)j->text[j->at];
}

/* Is this word next? Then it is read. */
static int accept(wh_json *j, const char *word)
{
    size_t length = strlen(word);
    if (peek(j) < 0 || j->n - j->at < length || memcmp(j->text + j->at, word, length) != 0)
        return 0;
    j->at += length;
    return 1;
}

static int expect(wh_json *j, const char *word)
{
    return accept(j, word) || wh_json_fail(j, "\"%s\" is missing", word);
}

int wh_json_end(wh_json *j)
{
    return !j->failed && (peek(j) < 0 || wh_json_fail(j, "something follows the document"));
}

/* ---- values ---- */

int wh_json_is_null(wh_json *j)
{
    return accept(j, "null");
}

int wh_json_is_number(wh_json *j)
{
    int c = peek(j);
    return c == '-' || (c >= '0' && c <= '9');
}

int wh_json_is_text(wh_json *j)
{
    return peek(j) == '"';
}

int wh_json_is_list(wh_json *j)
{
    return peek(j) == '[';
}

int wh_json_flag(wh_json *j, int *is)
{
    *is = accept(j, "true");
    return *is || wh_json_skip(j);
}

static size_t digits(const char *p)
{
    return strspn(p, "0123456789");
}

/* Can a number go on with this character? */
static int is_of_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* How long is the number that text[] begins with, by JSON's grammar? 0: it is none. */
static size_t number_length(const char *text)
{
    const char *p = text + (*text == '-');
    size_t whole = digits(p);
    if (!whole || (whole > 1 && *p == '0'))
        return 0;
    p += whole;
    if (*p == '.') {
        if (!digits(p + 1))
            return 0;
        p += 1 + digits(p + 1);
    }
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '+' || p[1] == '-');
        if (!digits(p))
            return 0;
        p += digits(p);
    }
    return (size_t)(p - text);
}

int wh_json_number(wh_json *j, double *value)
{
    char number[LONGEST_NUMBER + 1];
    if (accept(j, "NaN")) {
        *value = NAN;
        return 1;
    }
    int is_below = accept(j, "-Infinity");
    if (is_below || accept(j, "Infinity")) {
        *value = is_below ? -INFINITY : INFINITY;
        return 1;
    }
    if (peek(j) < 0)
        return wh_json_fail(j, "a number is missing");
    size_t left = WH_MIN(j->n - j->at, (size_t)LONGEST_NUMBER), n = 0, length;
    for (const char *text = j->text + j->at; n < left && is_of_number(text[n]); n++)
        number[n] = text[n];
    number[n] = 0;
    if (!(length = number_length(number)))
        return wh_json_fail(j, "a number is expected");
    if (length == LONGEST_NUMBER)
        return wh_json_fail(j, "a number of more than %d characters", LONGEST_NUMBER - 1);
    number[length] = 0;
    *value = strtod_l(number, NULL, j->c);
    j->at += length;
    return 1;
}

int wh_json_integer(wh_json *j, int64_t lo, int64_t hi, int64_t *value)
{
    double x;
    size_t at = j->at;
    if (!wh_json_number(j, &x))
        return 0;
    if (x == floor(x) && fabs(x) <= MOST_EXACT && (int64_t)x >= lo && (int64_t)x <= hi) {
        *value = (int64_t)x;
        return 1;
    }
    j->at = at;
    return wh_json_fail(j, "a whole number from %lld to %lld is expected", (long long)lo, (long long)hi);
}

static void put_code(wh_buf *out, uint32_t code)
{
    char bytes[4];
    size_t n = 0;
    if (code < 0x80) {
        bytes[n++] = (char)code;
    } else if (code < 0x800) {
        bytes[n++] = (char)(0xC0 | code >> 6);
    } else if (code < 0x10000) {
        bytes[n++] = (char)(0xE0 | code >> 12);
        bytes[n++] = (char)(0x80 | (code >> 6 & 0x3F));
    } else {
        bytes[n++] = (char)(0xF0 | code >> 18);
        bytes[n++] = (char)(0x80 | (code >> 12 & 0x3F));
        bytes[n++] = (char)(0x80 | (code >> 6 & 0x3F));
    }
    if (code >= 0x80)
        bytes[n++] = (char)(0x80 | (code & 0x3F));
    wh_buf_append(out, bytes, n);
}

/* The four hexadecimal digits at text[at]; -1: there are none. */
static int32_t hexadecimal(const wh_json *j, size_t at)
{
    int32_t code = 0;
    for (size_t i = at; i < at + 4; i++) {
        static const char all[] = "0123456789abcdefABCDEF";
        const char *digit = i < j->n && j->text[i] ? strchr(all, j->text[i]) : NULL;
        if (!digit)
            return -1;
        code = code * 16 + (int32_t)(digit - all < 16 ? digit - all : digit - all - 6);
    }
    return code;
}

/* What stands behind \u, at j->at. */
static int read_unicode(wh_json *j, wh_buf *out)
{
    int32_t code = hexadecimal(j, j->at), low = -1;
    if (code <= 0)
        return wh_json_fail(j, code ? "\\u without four hexadecimal digits" : "a text cannot hold a NUL character");
    j->at += 4;
    if (code >= 0xD800 && code < 0xDC00 && j->n - j->at >= 6 && memcmp(j->text + j->at, "\\u", 2) == 0)
        low = hexadecimal(j, j->at + 2);
    if (low >= 0xDC00 && low < 0xE000) {
        j->at += 6;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xD800 && code < 0xE000) {
        code = 0xFFFD;
    }
    put_code(out, (uint32_t)code);
    return 1;
}

/* What stands behind a backslash, at j->at. */
static int read_escape(wh_json *j, wh_buf *out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *found = j->at < j->n && j->text[j->at] ? strchr(letters, j->text[j->at]) : NULL;
    if (found) {
        wh_buf_append(out, &meanings[found - letters], 1);
        j->at++;
        return 1;
    }
    if (j->at == j->n || j->text[j->at] != 'u')
        return wh_json_fail(j, "an unknown escape in a text");
    j->at++;
    return read_unicode(j, out);
}

int wh_json_string(wh_json *j, wh_buf *out)
{
    if (peek(j) != '"')
        return wh_json_fail(j, "a text is expected");
    for (j->at++; j->at < j->n && j->text[j->at] != '"';) {
        int32_t code;
        if (j->text[j->at] == '\\') {
            j->at++;
            if (!read_escape(j, out))
                return 0;
            continue;
        }
        size_t size = wh_utf8_next(j->text + j->at, j->n - j->at, &code);
        if (code >= 0 && code < ' ')
            return wh_json_fail(j, "a control character in a text");
        if (code < 0)
            wh_buf_puts(out, WH_REPLACEMENT);
        else
            wh_buf_append(out, j->text + j->at, size);
        j->at += size;
    }
    if (out->failed)
        return fail_memory(j);
    return expect(j, "\"");
}

/* ---- lists and objects ---- */

static int enter(wh_json *j)
{
    return ++j->depth <= WH_JSON_DEPTH || wh_json_fail(j, "more than %d values within each other", WH_JSON_DEPTH);
}

int wh_json_list(wh_json *j, wh_json_read_fn read, void *to)
{
    if (peek(j) != '[')
        return wh_json_fail(j, "a list is expected");
    j->at++;
    if (!enter(j))
        return 0;
    for (int more = !accept(j, "]"); more;) {
        if (!read(j, to))
            return 0;
        more = accept(j, ",");
        if (!more && !expect(j, "]"))
            return 0;
    }
    j->depth--;
    return !j->failed;
}

/* A member's name, and the colon. */
static int read_name(wh_json *j, wh_buf *name)
{
    name->length = 0;
    wh_buf_puts(name, "");
    return wh_json_string(j, name) && expect(j, ":");
}

static int read_member(wh_json *j, const wh_json_member *members, size_t n, uint32_t *seen, wh_buf *name, void *to)
{
    size_t i = 0;
    if (!read_name(j, name))
        return 0;
    while (i < n && strcmp(members[i].name, name->data) != 0)
        i++;
    if (i == n)
        return wh_json_skip(j);
    if (*seen >> i & 1)
        return wh_json_fail(j, "\"%s\" is there twice", members[i].name);
    *seen |= UINT32_C(1) << i;
    return members[i].read(j, to);
}

int wh_json_object(wh_json *j, const wh_json_member *members, size_t n, void *to)
{
    uint32_t seen = 0;
    wh_buf name = {0};
    if (peek(j) != '{')
        return wh_json_fail(j, "an object is expected");
    j->at++;
    int good = enter(j);
    for (int more = good && !accept(j, "}"); more && good;) {
        good = read_member(j, members, n, &seen, &name, to);
        more = good && accept(j, ",");
        good = good && (more || expect(j, "}"));
    }
    wh_buf_free(&name);
    j->depth--;
    for (size_t i = 0; i < n && good; i++)
        if (members[i].is_needed && !(seen >> i & 1))
            good = wh_json_fail(j, "an object before has no \"%s\"", members[i].name);
    return good && !j->failed;
}

static int skip_element(wh_json *j, void *to)
{
    (void)to;
    return wh_json_skip(j);
}

int wh_json_skip(wh_json *j)
{
    double number;
    wh_buf text = {0};
    int good;
    switch (peek(j)) {
    case '{': return wh_json_object(j, NULL, 0, NULL);
    case '[': return wh_json_list(j, skip_element, NULL);
    case '"':
        good = wh_json_string(j, &text);
        wh_buf_free(&text);
        return good;
    default: return accept(j, "true") || accept(j, "false") || accept(j, "null") || wh_json_number(j, &number);
    }
}
