/* fuzz_vad.c - voice activity models: a GGUF file, in which runs of zeros are written short (fuzz.h), is loaded and heard
 * with. */
#include <math.h>
#include <string.h>

#include "fuzz.h"

#include "whisp_vad.h"

static void listen(const whisp_vad *vad, unsigned way)
{
    static float samples[20000];
    float probabilities[64], last;
    whisp_vad_stream *stream;
    whisp_span span;
    for (size_t i = 0; i < 20000; i++)
        samples[i] = (float)(i * i % 251) / 251 - 0.5f;
    samples[7] = way & 1 ? NAN : 0;
    if (whisp_vad_stream_new(vad, NULL, &stream))
        abort();
    for (int i = 0; i < 3; i++) {
        FUZZ_CHECK(whisp_vad_push(stream, samples, (way >> 4 * i) % 20000, probabilities, 64) <= 40);
        while (whisp_vad_pull(stream, &span) == 1)
            FUZZ_CHECK(span.start <= span.end);
    }
    whisp_vad_finish(stream, &last);
    whisp_vad_stream_free(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_file files[FUZZ_MOST_FILES];
    whisp_vad *vad;
    size_t n = fuzz_unpack(data, size, "vad.gguf", files);
    fuzz_files_write(fuzz_folder(), files, n);
    if (whisp_vad_load(fuzz_path("vad.gguf"), &vad) == WHISP_OK) {
        listen(vad, fuzz_way(data, size));
        whisp_vad_free(vad);
    } else {
        FUZZ_CHECK(strlen(whisp_last_error()) > 10);
    }
    fuzz_files_remove(fuzz_folder(), files, n);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    return fuzz_mutate_files(data, size, max_size, seed, "vad.gguf", fuzz_change_file);
}
