/* problem.c - texts of problems, which go to clients: what the library says of a file without a name names the recording.
 * And copies of options, which the public header makes one value at a time. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int problem_say(struct problem *problem, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    problem->code = code;
    return code;
}

int problem_set(struct problem *problem, int code, const char *path)
{
    const char *text = whisp_last_error(), *at = path ? strstr(text, path) : NULL;
    if (!at)
        return problem_say(problem, code, "%s", text);
    return problem_say(problem, code, "%.*sthe recording%s", (int)(at - text), text, at + strlen(path));
}

void problem_file(struct problem *problem, const char *path)
{
    struct problem renamed;
    size_t n = strlen(path);
    const char *at = strstr(problem->text, path);
    while (at && at[n] >= '0' && at[n] <= '9') /* another descriptor, whose number begins so */
        at = strstr(at + n, path);
    if (!at)
        return;
    char *hint = strstr(problem->text, "; if it is one, ffmpeg"); /* a command for who has the file */
    if (hint)
        *hint = '\0';
    problem_say(&renamed, SERVICE_BESIDE, "%.*sthe file%s", (int)(at - problem->text), problem->text, at + n);
    *problem = renamed;
}

void problem_command(const char *text, char words[PROBLEM_COMMAND])
{
    const char *begin = strstr(text, "`whisp-get "), *end = begin ? strchr(begin + 1, '`') : NULL;
    *words = 0;
    if (end && strncmp(begin, "`whisp-get --", 13) != 0 && end - begin < PROBLEM_COMMAND - 40)
        snprintf(words, PROBLEM_COMMAND, "; on the server, %.*s fetches it", (int)(end - begin + 1), begin);
}

void problem_plain(struct problem *problem)
{
    static const char lacks[] = ": no such model in ";
    struct problem plain = {.code = WHISP_OK};
    const char *at = strncmp(problem->text, "option ", 7) == 0 ? strstr(problem->text, lacks) : NULL;
    char command[PROBLEM_COMMAND] = "";
    if (at)
        problem_command(at, command);
    if (problem->code == WHISP_ERR_CANCELLED)
        problem_say(&plain, problem->code, "cancelled, because the server is about to end");
    else if (problem->code == WHISP_ERR_MODEL && at)
        problem_say(&plain, SERVICE_LACKS, "%.*s: this server has no such model%s", (int)(at - problem->text),
                    problem->text, command);
    if (plain.code != WHISP_OK)
        *problem = plain;
}

/* What has its default is not set: whether it was given counts for some. */
whisp_options *options_copy(const whisp_options *options)
{
    size_t n;
    const whisp_option_info *const *list = whisp_option_list(&n);
    whisp_options *copy = whisp_options_new();
    for (size_t i = 0; copy && options && i < n; i++) {
        const char *value = whisp_options_get(options, list[i]->name);
        if (value && strcmp(value, list[i]->initial) != 0 &&
            whisp_options_set(copy, list[i]->name, value) != WHISP_OK) {
            whisp_options_free(copy);
            copy = NULL;
        }
    }
    return copy;
}
