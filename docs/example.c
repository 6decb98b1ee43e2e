/* example.c - a program that uses libwhisp: print what is said in a recording, with times.
 *
 *     cc example.c -o example $(pkg-config --cflags --libs libwhisp)
 *     ./example models/tiny.en.gguf talk.mp3
 *     ./example base talk.mp3
 *
 * It is C99, and C++ as well. */
#include <stdio.h>
#include <string.h>
#include <whisp.h>

/* Called whenever a segment is final, while the rest of the recording is still being transcribed. */
static void print_segment(void *user, const whisp_segment *segment)
{
    (void)user;
    printf("%8.2f s to %8.2f s:%s\n", segment->start, segment->end, segment->text);
    fflush(stdout);
}

static int complain(void)
{
    fprintf(stderr, "example: %s\n", whisp_last_error());
    return 1;
}

static int transcribe(const whisp_model *model, const char *recording)
{
    whisp_options *options = whisp_options_new();
    whisp_callbacks callbacks;
    whisp_result_info info;
    whisp_result *result = NULL;
    int status = 0;

    /* Options of whisp_option_list() are set by their names, e.g. whisp_options_set(options, "language", "de"). */
    if (!options || whisp_options_set(options, "seed", "1") != WHISP_OK) {
        whisp_options_free(options);
        return complain();
    }
    memset(&callbacks, 0, sizeof callbacks); /* what is not set here is not called */
    callbacks.size = sizeof callbacks;
    callbacks.segment = print_segment;
    whisp_options_on(options, &callbacks);

    if (whisp_transcribe(model, recording, options, &result) != WHISP_OK) {
        status = complain();
    } else {
        info.size = sizeof info;
        whisp_result_describe(result, &info);
        printf("%lu segments in %.2f s, language %s\n", (unsigned long)info.n_segments, info.duration, info.language);
    }
    whisp_result_free(result);
    whisp_options_free(options);
    return status;
}

int main(int argc, char **argv)
{
    char path[4096];
    whisp_model *model = NULL;
    int status;

    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL RECORDING\n", argv[0]);
        return 2;
    }
    /* MODEL is a path, or a name that is looked up in $WHISP_MODEL_DIR, ./models and ~/.cache/whisp. */
    if (whisp_model_find(argv[1], NULL, path, sizeof path) != WHISP_OK ||
        whisp_model_load(path, NULL, &model) != WHISP_OK)
        return complain();

    status = transcribe(model, argv[2]);
    whisp_model_free(model);
    return status;
}
