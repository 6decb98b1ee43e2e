/* voices.c - see voices.h: known voices compared with those who speak. Their file is voices_file.c's, enrolment enrol.c's. */
#include "speakers/voices.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ROOM 24

void wh_voices_free(wh_voices *voices)
{
    for (size_t i = 0; i < voices->n; i++)
        free(voices->list[i].name);
    free(voices->list);
    *voices = (wh_voices){0};
}

float wh_voices_compare(const float *a, const float *b)
{
    double sum = 0, aa = 0, bb = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++) {
        sum += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? (float)(sum / sqrt(aa * bb)) : 0;
}

/* Pairs of a known voice and a speaker that are alike, the most alike first. */
typedef struct pair {
    float alike;
    int speaker;
    size_t known;
} pair;

static int by_likeness(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->alike != y->alike)
        return x->alike < y->alike ? 1 : -1;
    return x->speaker != y->speaker ? x->speaker - y->speaker : x->known < y->known ? -1 : x->known > y->known;
}

static int is_taken(char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return 1;
    return 0;
}

static int is_known(const wh_voices *known, const char *name)
{
    for (size_t i = 0; i < known->n; i++)
        if (strcmp(known->list[i].name, name) == 0)
            return 1;
    return 0;
}

/* Who is like nobody is called by his place, or, where a known one is called so, by the next free number. */
static int name_strangers(const wh_voices *known, char **names, int n)
{
    for (int i = 0; i < n; i++) {
        char name[NAME_ROOM];
        int number = i;
        if (names[i])
            continue;
        do
            snprintf(name, sizeof name, "SPEAKER_%02d", number++);
        while (is_known(known, name) || is_taken(names, n, name));
        if (!(names[i] = strdup(name)))
            return wh_fail_memory();
    }
    return WHISP_OK;
}

static int name_known(const wh_voices *known, const wh_diarization *who, char **names)
{
    size_t n_pairs = 0;
    pair *pairs = wh_calloc(known->n * (size_t)who->n_speakers + 1, sizeof *pairs);
    if (!pairs)
        return wh_fail_memory();
    for (size_t k = 0; k < known->n; k++)
        for (int s = 0; s < who->n_speakers; s++) {
            float alike = wh_voices_compare(known->list[k].voice, who->centroids + (size_t)s * WH_VOICE_SIZE);
            if (alike >= WH_VOICES_ALIKE)
                pairs[n_pairs++] = (pair){alike, s, k};
        }
    qsort(pairs, n_pairs, sizeof *pairs, by_likeness);
    int rc = WHISP_OK;
    for (size_t i = 0; i < n_pairs && !rc; i++) {
        char **name = &names[pairs[i].speaker];
        const char *is = known->list[pairs[i].known].name;
        if (!*name && !is_taken(names, who->n_speakers, is) && !(*name = strdup(is)))
            rc = wh_fail_memory();
    }
    free(pairs);
    return rc;
}

int wh_voices_name(const wh_voices *known, const wh_diarization *who, char ***names)
{
    *names = wh_calloc((size_t)who->n_speakers + 1, sizeof **names);
    int rc = *names ? name_known(known, who, *names) : wh_fail_memory();
    if (!rc)
        rc = name_strangers(known, *names, who->n_speakers);
    if (rc) {
        wh_voices_free_names(*names, who->n_speakers);
        *names = NULL;
    }
    return rc;
}

void wh_voices_free_names(char **names, int n)
{
    for (int i = 0; names && i < n; i++)
        free(names[i]);
    free(names);
}
