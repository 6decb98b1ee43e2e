/* fuzz_speakers.c - the model of speakers' voices: a GGUF file of which an input is the beginning, all tensors' names and
 * shapes and the first ones' values, and the rest zeros; what loads embeds a sound and says who speaks in it. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#include "speakers/model.h"

#define BYTES (36 << 20) /* of the whole file: more than the nets take */

static void write_model(const uint8_t *data, size_t size)
{
    FILE *file = fopen(fuzz_path("speakers.gguf"), "wb");
    FUZZ_CHECK(file && fwrite(data, 1, size, file) == size && fflush(file) == 0);
    FUZZ_CHECK(ftruncate(fileno(file), BYTES) == 0 && fclose(file) == 0);
}

static void embed(const whisp_speakers *s, const float *samples)
{
    const size_t start = 5;
    float voice[WH_VOICE_SIZE], length = 0;
    wh_embedder *e;
    FUZZ_CHECK(wh_embedder_new(s, &e) == WHISP_OK);
    wh_embed(e, samples, &start, 1, WH_EMBED_LEAST, voice);
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        length += voice[i] * voice[i];
    FUZZ_CHECK(fabsf(length - 1) < 1e-3f || length == 0);
    wh_embedder_free(e);
}

static void segment(const whisp_speakers *s, const float *samples)
{
    static float out[WH_SEGMENT_FRAMES * WH_SEGMENT_CLASSES];
    const size_t start = 0;
    wh_segmentation *b;
    FUZZ_CHECK(wh_segmentation_new(s, &b) == WHISP_OK);
    wh_segmentation_run(b, samples, &start, 1, out);
    wh_segmentation_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float samples[WH_SEGMENT_SAMPLES];
    const unsigned way = fuzz_way(data, size);
    whisp_speakers *s;
    write_model(data, size);
    int rc = wh_speakers_load(fuzz_path("speakers.gguf"), way & 1 ? WH_SPEAKERS_INT8 : WH_SPEAKERS_F32, NULL, &s);
    fuzz_say(rc);
    if (rc == WHISP_OK) {
        for (size_t i = 0; i < WH_SEGMENT_SAMPLES; i++)
            samples[i] = (float)(i * i % 251) / 251 - 0.5f;
        embed(s, samples);
        if (way % 8 == 0 || fuzz_every_way)
            segment(s, samples);
        whisp_speakers_free(s);
    } else {
        FUZZ_CHECK(rc != WHISP_ERR_MODEL || strlen(whisp_last_error()) > 10);
    }
    remove(fuzz_path("speakers.gguf"));
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    uint64_t state = seed;
    return fuzz_random(&state, 4) ? fuzz_mutate_gguf(data, size, max_size, &state)
                                  : fuzz_mutate_number(data, size, max_size, &state);
}
