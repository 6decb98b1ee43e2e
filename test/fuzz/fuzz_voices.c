/* fuzz_voices.c - files of voices (options speakers_in and speakers_out): a GGUF file, in which runs of zeros are written
 * short (fuzz.h), is read; what it holds names speakers, is written again, and is the same then. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

#include "speakers/voices.h"

static void use(const wh_voices *voices)
{
    static float centroids[3 * WH_VOICE_SIZE];
    double seconds[3] = {5, 1, 100};
    const wh_diarization who = {.n_speakers = 3, .centroids = centroids, .seconds = seconds};
    wh_voices again = {0};
    char **names;
    for (int i = 0; i < 3; i++)
        centroids[i * WH_VOICE_SIZE + i] = 1;
    for (size_t i = 0; i < voices->n; i++) {
        float alike = wh_voices_compare(voices->list[i].voice, voices->list[i].voice);
        FUZZ_CHECK(*voices->list[i].name && fabsf(alike - 1) < 1e-3f && voices->list[i].seconds >= 0);
    }
    FUZZ_CHECK(wh_voices_name(voices, &who, &names) == WHISP_OK);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(names[i], names[k]) != 0);
    FUZZ_CHECK(wh_voices_write(voices, &who, names, fuzz_path("again.gguf")) == WHISP_OK);
    FUZZ_CHECK(wh_voices_read(fuzz_path("again.gguf"), &again) == WHISP_OK && again.n <= voices->n + 3);
    wh_voices_free_names(names, 3);
    wh_voices_free(&again);
    remove(fuzz_path("again.gguf"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_file files[FUZZ_MOST_FILES];
    wh_voices voices = {0};
    size_t n = fuzz_unpack(data, size, "voices.gguf", files);
    fuzz_files_write(fuzz_folder(), files, n);
    int rc = wh_voices_read(fuzz_path("voices.gguf"), &voices);
    fuzz_say(rc);
    if (rc == WHISP_OK)
        use(&voices);
    else
        FUZZ_CHECK(strlen(whisp_last_error()) > 10);
    wh_voices_free(&voices);
    fuzz_files_remove(fuzz_folder(), files, n);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    return fuzz_mutate_files(data, size, max_size, seed, "voices.gguf", fuzz_change_file);
}
