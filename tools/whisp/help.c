/* help.c - the text of --help, made from the program's table of options (args.c) and the library's. */
#include <string.h>
#include <unistd.h>

#include "tool.h"

enum { HELP_COLUMN = 28, WIDEST = 110, NARROWEST = 50 };

static const char about[] =
    "Write down what is said in recordings, with OpenAI's Whisper models. FILE is a recording: WAV, FLAC, OGG, "
    "Opus, MP3, AIFF, CAF, AU and others or, where ffmpeg is installed, what that reads (M4A, MP4, films, ...); "
    "- is standard input. Segments are printed to standard output as they become final. Unlike openai-whisper's "
    "command, files are only written when --output_format or --output_dir asks for them.";

static const char about_options[] =
    "Options have openai-whisper's names and values where it has them: --name VALUE or --name=VALUE, with True, False "
    "and None.";

static const char *const exit_codes[] = {
    "0    all recordings were transcribed",
    "1    out of memory, or an error inside",
    "2    the command line is wrong",
    "3    a recording cannot be read, or is not audio",
    "4    no model is there, or it is not one that works",
    "5    the transcript cannot be written",
    "6    the compute backend cannot run",
    "7    written, but heard in part: a recording is damaged or cut off, and a warning says what is missing",
    "130  interrupted (Ctrl-C); other signals: 128 and their number",
};

/* Print `text` from column `column` on, wrapped at `width`. The cursor stands at `column`, and a line end follows. */
static void print_wrapped(const char *text, int column, int width)
{
    int at = column;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (at > column && at + 1 + word > width) {
            printf("\n%*s", column, "");
            at = column;
        } else if (at > column) {
            putchar(' ');
            at++;
        }
        printf("%.*s", word, text);
        at += word;
        text += word;
        while (*text == ' ')
            text++;
    }
    putchar('\n');
}

static void print_option(char letter, const whisp_option_info *info, int width)
{
    int length = letter ? printf("  -%c, --%s", letter, info->name) : printf("      --%s", info->name);
    if (info->values)
        length += printf(" %s", info->values);
    if (length + 2 > HELP_COLUMN) {
        putchar('\n');
        length = 0;
    }
    printf("%*s", HELP_COLUMN - length, "");

    char text[1024];
    snprintf(text, sizeof text, info->values && info->initial ? "%s (default: %s)" : "%s", info->help, info->initial);
    print_wrapped(text, HELP_COLUMN, width);
}

static int is_own(const char *name)
{
    for (size_t i = 0; i < N_OWN; i++)
        if (strcmp(own_options[i].info.name, name) == 0)
            return 1;
    return 0;
}

int help_print(void)
{
    int width = terminal_width(STDOUT_FILENO, 100);
    if (width > WIDEST)
        width = WIDEST;
    if (width < NARROWEST)
        width = NARROWEST;
    size_t n;

    print_wrapped("usage: whisp [options] FILE...", 0, width);
    putchar('\n');
    print_wrapped(about, 0, width);
    putchar('\n');
    print_wrapped(about_options, 0, width);
    printf("\nModel, files, messages:\n");
    for (size_t i = 0; i < N_OWN; i++)
        print_option(own_options[i].letter, &own_options[i].info, width);
    printf("\nTranscription:\n");
    const whisp_option_info *const *list = whisp_option_list(&n);
    for (size_t i = 0; i < n; i++)
        if (!is_own(list[i]->name))
            print_option(0, list[i], width);
    printf("\nExamples:\n"
           "  whisp talk.mp3\n"
           "  whisp --model tiny.en --output_format srt --output_dir subtitles *.mp3\n"
           "  whisp --language de -f srt film.mp4\n");
    printf("\nExit codes (with several recordings, the first failure's):\n");
    for (size_t i = 0; i < sizeof exit_codes / sizeof exit_codes[0]; i++) {
        printf("  %.5s", exit_codes[i]);
        print_wrapped(exit_codes[i] + 5, 7, width);
    }

    struct transcript out = {NULL, 0};
    transcript_print(&out, ""); /* flushes, and sees whether all of this could be written */
    return transcript_check(&out) == CODE_DONE ? CODE_FINE : CODE_OUTPUT;
}
