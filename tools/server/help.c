/* help.c - --help, from the two tables of options. */
#include <stdio.h>
#include <string.h>

#include "settings.h"

enum { WIDTH = 100, INDENT = 8 };

/* Text in lines of at most WIDTH columns. */
static void wrap(const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column == 0 || column + 1 + n > WIDTH) {
            printf("%s%*s", column ? "\n" : "", INDENT, "");
            column = INDENT;
        } else {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)n, text);
        column += n;
        text += n + strspn(text + n, " ");
    }
    putchar('\n');
}

static void print_option(const whisp_option_info *info)
{
    printf("  --%s%s%s", info->name, info->values ? " " : "", info->values ? info->values : "");
    if (info->initial)
        printf("  (%s)", info->initial);
    putchar('\n');
    wrap(info->help);
}

int help_print(void)
{
    size_t n;
    const whisp_option_info *const *list = whisp_option_list(&n);
    puts("usage: whisp-server [--model NAME] [OPTION...]\n\n"
         "Transcribes recordings for programs that speak OpenAI's API for it: POST\n"
         "http://127.0.0.1:8080/v1/audio/transcriptions. SIGTERM ends it once what runs is done; SIGHUP\n"
         "makes it read keys and models anew. docs/server.md has the rest.\n\n"
         "The server:");
    for (const struct server_option *option = server_options; option->info.name; option++)
        print_option(&option->info);
    puts("\nTranscription: what holds where a request says nothing else:");
    for (size_t i = 0; i < n; i++)
        print_option(list[i]);
    puts("\nExit status: 0 ended by a signal; 1 out of memory, or an error inside; 2 the command line;\n"
         "4 no model, or not one that works; 5 this text cannot be written; 8 the address cannot be\n"
         "listened on.");
    return fflush(stdout) == 0 && !ferror(stdout) ? CODE_FINE : CODE_OUTPUT;
}
