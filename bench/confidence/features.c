/* features.c - what the confidence of each word is judged by, as a table for bench/confidence/fit.py.
 *
 * usage: confidence-features MODEL.gguf RECORDING [OPTION VALUE]...
 *
 * Writes a line a word to standard output: start, end, text, confidence, then the features; tabs between them. It looks
 * into the session's window, so it is linked with the library's objects and not installed. */
#include <stdio.h>
#include <stdlib.h>

#include "confidence/confidence.h"
#include "transcribe/session.h"

static void print_words(void *user, const whisp_segment *segment)
{
    const whisp_session *session = *(whisp_session **)user;
    for (size_t i = 0; i < segment->n_words; i++) {
        const whisp_word *word = segment->words[i];
        const float *x = wh_window_features(session->window, word);
        if (!x) { /* the words are those of another session, of a part of the recording */
            fprintf(stderr, "nothing is known of the word \"%s\": give the option cut off\n", word->text);
            exit(1);
        }
        printf("%.2f\t%.2f\t%s\t%.9g", word->start, word->end, word->text, word->confidence);
        for (int k = 0; k < WH_FEATURES; k++)
            printf("\t%.9g", (double)x[k]);
        printf("\n");
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    whisp_session *session = NULL;
    whisp_model *model = NULL;
    whisp_result *result = NULL;
    whisp_audio *audio = NULL;
    whisp_options *options = whisp_options_new();
    if (argc < 3 || !options) {
        fprintf(stderr, "usage: confidence-features MODEL.gguf RECORDING [OPTION VALUE]...\n");
        return 2;
    }
    int rc = whisp_options_set(options, "confidence", "True");
    for (int i = 3; i + 1 < argc && !rc; i += 2)
        rc = whisp_options_set(options, argv[i], argv[i + 1]);
    whisp_callbacks callbacks = {.size = sizeof callbacks, .user = &session, .segment = print_words};
    whisp_options_on(options, &callbacks);
    if (!rc)
        rc = whisp_model_load(argv[1], NULL, &model);
    if (!rc)
        rc = whisp_session_new(model, options, &session);
    printf("start\tend\ttext\tconfidence");
    for (int k = 0; k < WH_FEATURES; k++)
        printf("\t%s", wh_feature_names[k]);
    printf("\n");
    if (!rc)
        rc = whisp_audio_open(argv[2], &audio);
    if (!rc)
        rc = whisp_session_transcribe(session, audio, &result);
    whisp_session_info info = {.size = sizeof info};
    if (!rc && !whisp_session_describe(session, &info))
        fprintf(stderr, "encode %.2f prompt %.2f decode %.2f search %.2f words and confidence %.2f s\n",
                info.timings->encode, info.timings->prompt, info.timings->decode, info.timings->search,
                info.timings->words);
    if (rc)
        fprintf(stderr, "%s\n", whisp_last_error());
    whisp_result_free(result);
    whisp_audio_free(audio);
    whisp_session_free(session);
    whisp_model_free(model);
    whisp_options_free(options);
    return rc != 0;
}
