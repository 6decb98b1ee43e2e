/* languages.c - --detect_language: the probabilities of all languages, a line each, the most probable first. */
#include "tool.h"

enum { MOST_LANGUAGES = 256 };

/* Was something of what was heard damaged, cut off, ...? The log has said so. */
static int is_incomplete(whisp_audio *audio)
{
    int incomplete = 0;
    for (size_t i = 0; !incomplete && whisp_audio_warning(audio, i, &incomplete); i++)
        ;
    return incomplete;
}

int languages_print(whisp_session *session, const char *path, const char *name, struct transcript *out, int *in_part)
{
    float probabilities[MOST_LANGUAGES];
    for (int i = 0; i < MOST_LANGUAGES; i++)
        probabilities[i] = -1.0f; /* stays where the model knows none */
    whisp_audio *audio = NULL;
    int best = whisp_audio_open(path, &audio);
    if (best == WHISP_OK)
        best = whisp_session_detect_language(session, audio, probabilities, MOST_LANGUAGES);
    *in_part = best >= 0 && is_incomplete(audio);
    whisp_audio_free(audio);
    if (best < 0)
        return best;

    size_t n;
    const whisp_language *const *languages = whisp_language_list(&n);
    while (best >= 0) {
        char line[128];
        if (name) {
            transcript_print(out, name);
            transcript_print(out, "\t");
        }
        snprintf(line, sizeof line, "%s\t%s\t%.6f\n", languages[best]->code, languages[best]->name,
                 (double)probabilities[best]);
        transcript_print(out, line);

        probabilities[best] = -1.0f; /* printed; the next best follows */
        best = -1;
        for (int i = 0; i < MOST_LANGUAGES && i < (int)n; i++)
            if (probabilities[i] >= 0.0f && (best < 0 || probabilities[i] > probabilities[best]))
                best = i;
    }
    return WHISP_OK;
}
