/* fuzz_options.c - options by name: the input is lines NAME=VALUE. What is accepted can be read, set again, and means the
 * same then; what is refused leaves the options as they were. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

#include "options/options.h"
#include "util/util.h"

static void set(whisp_options *o, whisp_options *again, const char *name, const char *value)
{
    const char *old = whisp_options_get(o, name), *now;
    char *before = old ? strdup(old) : NULL;
    int rc = whisp_options_set(o, name, value);
    FUZZ_CHECK(rc == WHISP_OK || (rc == WHISP_ERR_ARGUMENT && strlen(whisp_last_error()) > 10));
    now = whisp_options_get(o, name);
    FUZZ_CHECK((now != NULL) == (before != NULL) && (now || rc));
    if (now)
        FUZZ_CHECK(strcmp(now, rc ? before : value) == 0);
    if (now)
        FUZZ_CHECK(whisp_options_set(again, name, now) == WHISP_OK);
    free(before);
}

/* What they mean together. */
static void look(const whisp_options *o)
{
    const wh_values *v = &o->values;
    double temperatures[WH_MAX_TEMPERATURES], *times = NULL;
    const char *problem;
    size_t n = 0;
    int rc = wh_options_check(v), count = wh_options_temperatures(v, temperatures);
    FUZZ_CHECK(rc == WHISP_OK || rc == WHISP_ERR_ARGUMENT);
    FUZZ_CHECK(count >= 1 && count <= WH_MAX_TEMPERATURES);
    for (int i = 0; i < count; i++)
        FUZZ_CHECK(temperatures[i] >= 0 && isfinite(temperatures[i]));
    FUZZ_CHECK(v->beam_size >= 0 && v->beam_size <= WH_MAX_CANDIDATES && v->best_of <= WH_MAX_CANDIDATES);
    if (v->clip_timestamps)
        FUZZ_CHECK(wh_parse_clips(v->clip_timestamps, &times, &n, &problem) == WHISP_OK);
    for (size_t i = 1; i < n; i++)
        FUZZ_CHECK(times[i] >= times[i - 1]);
    free(times);
    for (int i = 0; i < 3; i++)
        wh_options_has_language(v, i * 40);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    whisp_options *o = whisp_options_new(), *again = whisp_options_new();
    char *text = fuzz_rest(&in), *rest = text, *line;
    FUZZ_CHECK(o && again);
    while ((line = strsep(&rest, "\n"))) {
        char *equals = strchr(line, '=');
        if (equals)
            *equals = 0;
        set(o, again, line, equals ? equals + 1 : "True");
    }
    look(o);
    look(again);
    size_t n;
    const whisp_option_info *const *list = whisp_option_list(&n);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(strcmp(whisp_options_get(o, list[i]->name), whisp_options_get(again, list[i]->name)) == 0);
    FUZZ_CHECK(!!wh_options_check(&o->values) == !!wh_options_check(&again->values));
    whisp_options *copy = wh_options_copy(o);
    FUZZ_CHECK(copy);
    look(copy);
    whisp_options_free(o);
    whisp_options_free(again);
    look(copy); /* its strings are its own */
    whisp_options_free(copy);
    free(text);
    return 0;
}

/* Another line: an option that there is, with a value that its own text names, or a number. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    static const char *const values[] = {"None",       "True",    "False", "auto", "0",         "-1", "1e9",
                                         "nan",        "0.5,0.7", "0,1,2", "en",   "German,fr", "1 ", "",
                                         "2147483648", "1e-320",  "-0",    "0x10", "cuda:1"};
    uint64_t random = seed;
    size_t n;
    char line[256];
    const whisp_option_info *const *list = whisp_option_list(&n);
    if (fuzz_random(&random, 3) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    const whisp_option_info *option = list[fuzz_random(&random, n)];
    const char *value = values[fuzz_random(&random, WH_COUNT(values))];
    int length = snprintf(line, sizeof line, "%s=%s\n", option->name, value);
    if (fuzz_random(&random, 3) == 0) {
        size_t from = fuzz_random(&random, strlen(option->values)), to = strcspn(option->values + from, "|");
        length = snprintf(line, sizeof line, "%s=%.*s\n", option->name, (int)to, option->values + from);
    }
    if (fuzz_random(&random, 6) == 0) { /* longer than anybody thought: a number, or a list */
        static const char letters[] = "0123456789.,- ae";
        size_t kinds = fuzz_random(&random, 2) ? 11 : 16;
        length = snprintf(line, sizeof line, "%s=", option->name);
        for (size_t more = fuzz_random(&random, 150); more; more--)
            line[length++] = letters[fuzz_random(&random, kinds)];
        line[length++] = '\n';
    }
    length = length < (int)sizeof line ? length : (int)sizeof line - 1;
    size_t from = size ? fuzz_random(&random, size) : 0;
    uint8_t *end = memchr(data + from, '\n', size - from);
    fuzz_splice(data, &size, max_size, end ? (size_t)(end + 1 - data) : 0, 0, line, (size_t)length);
    return size;
}
