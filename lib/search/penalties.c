/* penalties.c - what had better not follow: tokens that were there already, n-grams that would come a second time,
 * and tokens that a regular expression names.
 *
 * Rows of rules.c, and a part of suppressed.c. repetition_penalty (Keskar et al. 2019, CTRL) and no_repeat_ngram_size
 * (Paulus et al. 2017) mean what they mean in CTranslate2, on which faster-whisper runs; suppress_regex what it means
 * in whisper.cpp, in POSIX syntax. */
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "platform/platform.h"
#include "search/internal.h"

/* ---- repetitions ---- */

static int seen_before(const whisp_token *sampled, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (sampled[k].id == sampled[i].id)
            return 1;
    return 0;
}

int wh_is_penalizing(const wh_values *v)
{
    return v->repetition_penalty < 1 || v->repetition_penalty > 1;
}

void wh_penalize_seen(const wh_search *s, const whisp_token *sampled, size_t n, wh_choice *c)
{
    int32_t *list = (int32_t *)c->penalized; /* the list that wh_search_rules() was given */
    c->penalty = (float)s->options->values.repetition_penalty;
    for (size_t i = 0; i < n; i++)
        if (!seen_before(sampled, i))
            list[c->n_penalized++] = sampled[i].id;
    c->also = list + c->n_penalized;
}

int wh_is_without_ngrams(const wh_values *v)
{
    return v->no_repeat_ngram_size > 0;
}

/* What followed the last size - 1 tokens wherever they stood before. */
void wh_forbid_ngrams(const wh_search *s, const whisp_token *sampled, size_t n, wh_choice *c)
{
    size_t size = (size_t)s->options->values.no_repeat_ngram_size;
    if (n < size)
        return;
    const whisp_token *last = sampled + n - (size - 1);
    for (size_t at = 0; at + size <= n; at++) {
        size_t same = 0;
        while (same < size - 1 && sampled[at + same].id == last[same].id)
            same++;
        if (same == size - 1)
            wh_forbid(c, sampled[at + size - 1].id);
    }
}

/* ---- regular expressions ---- */

#define LONGEST_REGEX 1000 /* bytes */
#define MOST_REPEATED 100  /* product of all {m,n}: the matcher's time and memory grow with its square */
#define DEEPEST_REGEX 100  /* parentheses: the parser's stack grows with them */

/* Keep away from the C library what would cost it memory without bound. */
static int check_regex(const char *regex)
{
    double repeated = 1;
    int open = 0, refers_back = 0, unknown = 0;
    for (const char *p = regex; *p; p++) {
        open += *p == '(';
        if (*p == '\\' &&
            p[1]) { /* what follows stands for itself, but for a digit: what the group matched, once more */
            refers_back |= *++p >= '1' && *p <= '9';
            if (!unknown && isalpha((unsigned char)*p) && !strchr("wWsSbB", *p))
                unknown = *p; /* for the matcher a plain letter, for who wrote it hardly */
            continue;
        }
        if (*p != '{')
            continue;
        double most = 1;
        for (; *p && *p != '}'; p++) {
            char *end;
            double number = (double)strtoul(p, &end, 10);
            most = WH_MAX(most, number);
            if (end > p)
                p = end - 1;
        }
        repeated *= most;
        if (!*p)
            break;
    }
    if (unknown)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "option suppress_regex: '\\%c' means nothing in POSIX syntax; for digits write [0-9]", unknown);
    if (refers_back)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "option suppress_regex: references to groups (\\1 to \\9) are not taken: they "
                       "may take for ever");
    if (strlen(regex) > LONGEST_REGEX || repeated > MOST_REPEATED || open > DEEPEST_REGEX)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "option suppress_regex: the expression is too large; it may have %d bytes, "
                       "%d parentheses, and repetitions {m,n} that multiply to %d",
                       LONGEST_REGEX, DEEPEST_REGEX, MOST_REPEATED);
    return WHISP_OK;
}

/* Does the whole text match? POSIX matches are the leftmost and longest, so the one match found tells. 1, 0 or an
 * error's code. */
static int matches(const regex_t *regex, const char *text, size_t n)
{
    regmatch_t match;
    if (strlen(text) != n)
        return 0;
    errno = 0; /* out of memory, glibc's says that there is no match */
    int found = regexec(regex, text, 1, &match, 0);
    if (found != 0)
        return found == REG_NOMATCH && errno != ENOMEM ? 0 : wh_fail_memory();
    return match.rm_so == 0 && (size_t)match.rm_eo == n;
}

static int suppress_matching(wh_search *s, const regex_t *regex, size_t *capacity)
{
    wh_buf text = {0};
    int rc = WHISP_OK;
    for (int32_t id = 0; id < s->specials->eot && !rc; id++) {
        char scratch[32];
        size_t n;
        const char *bytes = wh_tokenizer_bytes(s->model->tokenizer, id, scratch, &n);
        wh_buf_clear(&text);
        wh_buf_append(&text, bytes, n);
        int found = text.failed ? wh_fail_memory() : n ? matches(regex, text.data, n) : 0;
        rc = found < 0 ? found
             : found   ? wh_grow(&s->suppressed, capacity, s->n_suppressed + 1, sizeof *s->suppressed)
                       : 0;
        if (!rc && found)
            s->suppressed[s->n_suppressed++] = id;
    }
    wh_buf_free(&text);
    return rc;
}

int wh_regex_suppress(wh_search *s, size_t *capacity)
{
    const char *pattern = s->options->values.suppress_regex;
    int rc;
    if (!pattern || !*pattern)
        return WHISP_OK;
    if ((rc = check_regex(pattern)))
        return rc;
    /* UTF-8 whatever the process's locale: the same expression means the same everywhere. */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = (locale_t)0;
    if (!utf8) /* not there, or there was no memory, which errno does not tell: then it is there now, or nothing is */
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (utf8)
        before = uselocale(utf8);
    regex_t regex;
    int problem = regcomp(&regex, pattern, REG_EXTENDED);
    if (problem == REG_ESPACE) {
        rc = wh_fail_memory();
    } else if (problem) {
        char why[128];
        regerror(problem, &regex, why, sizeof why);
        rc = wh_fail(WHISP_ERR_ARGUMENT, "option suppress_regex: '%s' is no POSIX extended regular expression: %s",
                     pattern, why);
    } else {
        rc = suppress_matching(s, &regex, capacity);
        regfree(&regex);
    }
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return rc;
}
