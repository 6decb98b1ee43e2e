/* specials.c - where a vocabulary's special tokens are: told by their names, or in the order of the published models.
 *
 * whisp-convert writes every token's name into the model file (tokenizer.ggml.tokens), so that a model whose tokens are
 * not where the published ones have them, or that has more of them, is read as it is. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tokenizer/tokenizer.h"

static const char *const named[WH_SPECIAL_ROLES] = {
    [WH_ROLE_EOT] = "endoftext",         [WH_ROLE_SOT] = "startoftranscript",      [WH_ROLE_TRANSLATE] = "translate",
    [WH_ROLE_TRANSCRIBE] = "transcribe", [WH_ROLE_SOT_LM] = "startoflm",           [WH_ROLE_SOT_PREV] = "startofprev",
    [WH_ROLE_NO_SPEECH] = "nospeech",    [WH_ROLE_NO_TIMESTAMPS] = "notimestamps",
};

/* The decimal number of n digits at text, or -1. */
static int digits(const char *text, size_t n)
{
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = 10 * value + (text[i] - '0');
    }
    return value;
}

/* "12.34" as the index of a time in steps of 0.02 s, or -1 for what is not one of 0.00 to 30.00. */
static int time_index(const char *text, size_t n)
{
    if (n != 4 && n != 5)
        return -1;
    int whole = digits(text, n - 3), part = digits(text + n - 2, 2);
    if (whole < 0 || part < 0 || part % 2 || text[n - 3] != '.' || (n == 5 && text[0] == '0'))
        return -1;
    int index = whole * 50 + part / 2;
    return index < WH_N_TIMESTAMPS ? index : -1;
}

wh_role wh_special_role(const char *name, size_t length, int *index)
{
    if (length < 5 || memcmp(name, "<|", 2) != 0 || memcmp(name + length - 2, "|>", 2) != 0)
        return WH_ROLE_NONE;
    name += 2;
    length -= 4;
    for (int role = WH_ROLE_EOT; role < WH_SPECIAL_ROLES; role++)
        if (strlen(named[role]) == length && memcmp(named[role], name, length) == 0)
            return (wh_role)role;
    if (length == 10 && memcmp(name, "nocaptions", length) == 0) /* its name in the first tokenizers */
        return WH_ROLE_NO_SPEECH;
    if ((*index = time_index(name, length)) >= 0)
        return WH_ROLE_TIME;
    if (length == 2 && memcmp(name, "iw", 2) == 0) /* Hebrew's old code, in the first tokenizers */
        name = "he";
    for (int i = 0; wh_language_code(i); i++)
        if (strlen(wh_language_code(i)) == length && memcmp(wh_language_code(i), name, length) == 0) {
            *index = i;
            return WH_ROLE_LANGUAGE;
        }
    return WH_ROLE_NONE;
}

/* Where in wh_specials a role's id is. */
static const size_t offsets[WH_SPECIAL_ROLES] = {
    [WH_ROLE_EOT] = offsetof(wh_specials, eot),
    [WH_ROLE_SOT] = offsetof(wh_specials, sot),
    [WH_ROLE_TRANSLATE] = offsetof(wh_specials, translate),
    [WH_ROLE_TRANSCRIBE] = offsetof(wh_specials, transcribe),
    [WH_ROLE_SOT_LM] = offsetof(wh_specials, sot_lm),
    [WH_ROLE_SOT_PREV] = offsetof(wh_specials, sot_prev),
    [WH_ROLE_NO_SPEECH] = offsetof(wh_specials, no_speech),
    [WH_ROLE_NO_TIMESTAMPS] = offsetof(wh_specials, no_timestamps),
};

static int32_t *field(wh_specials *s, wh_role role)
{
    return (int32_t *)(void *)((char *)s + offsets[role]);
}

int32_t wh_specials_get(const wh_specials *s, wh_role role)
{
    return *(const int32_t *)(const void *)((const char *)s + offsets[role]);
}

void wh_specials_clear(wh_specials *s, int n_vocab)
{
    memset(s, 0, sizeof *s);
    s->n_vocab = n_vocab;
    for (int role = WH_ROLE_EOT; role < WH_SPECIAL_ROLES; role++)
        *field(s, (wh_role)role) = -1;
    s->timestamp_begin = -1;
    for (int i = 0; i < WH_MAX_LANGUAGES; i++)
        s->languages[i] = -1;
}

int wh_specials_set(wh_specials *s, wh_role role, int index, int32_t id)
{
    int32_t *place = role == WH_ROLE_LANGUAGE ? &s->languages[index]
                     : role == WH_ROLE_TIME   ? &s->timestamp_begin
                                              : field(s, role);
    int32_t value = role == WH_ROLE_TIME ? id - index : id;
    if (*place >= 0 && *place != value)
        return 0;
    *place = value;
    if (role == WH_ROLE_LANGUAGE && s->n_languages <= index)
        s->n_languages = index + 1;
    return 1;
}

static const char *role_name(wh_role role, char scratch[32])
{
    snprintf(scratch, 32, "<|%s|>", named[role]);
    return scratch;
}

int wh_specials_check(const wh_specials *s)
{
    char scratch[32];
    int32_t first = s->timestamp_begin, last = first + WH_N_TIMESTAMPS - 1;
    for (int role = WH_ROLE_EOT; role < WH_SPECIAL_ROLES; role++) {
        int32_t id = wh_specials_get(s, (wh_role)role);
        if (id < 0)
            return wh_fail(WHISP_ERR_MODEL, "it has no %s", role_name((wh_role)role, scratch));
        if (id < s->eot || id >= s->n_vocab || (first >= 0 && id >= first && id <= last))
            return wh_fail(WHISP_ERR_MODEL,
                           "%s is token %ld, which is not a place for it in a vocabulary of %d tokens "
                           "with %ld ordinary ones",
                           role_name((wh_role)role, scratch), (long)id, s->n_vocab, (long)s->eot);
        for (int other = WH_ROLE_EOT; other < role; other++)
            if (wh_specials_get(s, (wh_role)other) == id)
                return wh_fail(WHISP_ERR_MODEL, "%s is token %ld, which is another one, too",
                               role_name((wh_role)role, scratch), (long)id);
    }
    if (first <= s->eot || last >= s->n_vocab)
        return wh_fail(WHISP_ERR_MODEL, "it has no room for the times <|0.00|> to <|30.00|>");
    int n = 0;
    for (int i = 0; i < s->n_languages; i++) {
        int32_t id = s->languages[i];
        n += id >= 0;
        if (id >= 0 && (id <= s->eot || id >= s->n_vocab || (id >= first && id <= last)))
            return wh_fail(WHISP_ERR_MODEL, "<|%s|> is token %ld, which is not a place for a language",
                           wh_language_code(i) ? wh_language_code(i) : "?", (long)id);
    }
    return n || !s->multilingual ? WHISP_OK : wh_fail(WHISP_ERR_MODEL, "it has no languages, but is multilingual");
}

int wh_specials_published(size_t n_ordinary, size_t n_vocab, int multilingual, wh_specials *s)
{
    enum { NOT_LANGUAGES = WH_SPECIAL_ROLES - WH_ROLE_EOT + WH_N_TIMESTAMPS };
    if (n_vocab > WH_MAX_VOCABULARY || n_ordinary >= n_vocab || n_vocab - n_ordinary <= NOT_LANGUAGES ||
        n_vocab - n_ordinary > NOT_LANGUAGES + WH_MAX_LANGUAGES)
        return wh_fail(WHISP_ERR_MODEL,
                       "a vocabulary of %zu tokens with %zu ordinary ones is not a Whisper model's: %d to %d special "
                       "tokens are expected",
                       n_vocab, n_ordinary, NOT_LANGUAGES + 1, NOT_LANGUAGES + WH_MAX_LANGUAGES);
    int32_t id = (int32_t)n_ordinary;
    wh_specials_clear(s, (int)n_vocab);
    s->multilingual = multilingual != 0;
    s->n_languages = (int)(n_vocab - n_ordinary) - NOT_LANGUAGES;
    s->eot = id++;
    s->sot = id++;
    for (int i = 0; i < s->n_languages; i++)
        s->languages[i] = id++;
    for (int role = WH_ROLE_TRANSLATE; role < WH_SPECIAL_ROLES; role++)
        *field(s, (wh_role)role) = id++;
    s->timestamp_begin = id;
    return WHISP_OK;
}

int wh_specials_named(const char *const *names, const size_t *lengths, size_t n_ordinary, size_t n_vocab,
                      int multilingual, wh_specials *s)
{
    wh_specials_clear(s, (int)n_vocab);
    s->multilingual = multilingual != 0;
    int n_times = 0;
    for (size_t i = n_ordinary; i < n_vocab; i++) {
        int index = 0;
        wh_role role = wh_special_role(names[i], lengths[i], &index);
        if (role == WH_ROLE_NONE)
            continue;
        n_times += role == WH_ROLE_TIME;
        if (!wh_specials_set(s, role, index, (int32_t)i))
            return wh_fail(WHISP_ERR_MODEL, "token %zu is %.*s, which is somewhere else already", i,
                           (int)WH_MIN(lengths[i], 40), names[i]);
    }
    if (s->eot != (int32_t)n_ordinary || n_times != WH_N_TIMESTAMPS)
        return wh_fail(WHISP_ERR_MODEL,
                       "its special tokens are not <|endoftext|> behind %zu ordinary ones and %d "
                       "times",
                       n_ordinary, WH_N_TIMESTAMPS);
    return wh_specials_check(s);
}

int wh_special_name(const wh_specials *s, int32_t id, char *name, size_t capacity)
{
    for (int role = WH_ROLE_EOT; role < WH_SPECIAL_ROLES; role++)
        if (wh_specials_get(s, (wh_role)role) == id)
            return snprintf(name, capacity, "<|%s|>", named[role]);
    int time = id - s->timestamp_begin;
    if (time >= 0 && time < WH_N_TIMESTAMPS)
        return snprintf(name, capacity, "<|%d.%02d|>", time / 50, time % 50 * 2);
    for (int i = 0; i < s->n_languages; i++)
        if (s->languages[i] == id) /* perhaps one that a future model knows and this library does not */
            return wh_language_code(i) ? snprintf(name, capacity, "<|%s|>", wh_language_code(i))
                                       : snprintf(name, capacity, "<|language %d|>", i);
    return snprintf(name, capacity, "<|extra %ld|>", (long)id);
}

int wh_special_is_extra(const wh_specials *s, int32_t id)
{
    char name[32];
    wh_special_name(s, id, name, sizeof name);
    return strncmp(name, "<|extra ", 8) == 0;
}
