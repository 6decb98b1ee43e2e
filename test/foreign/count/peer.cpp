// peer.cpp - what ours.c does, by whisper.cpp's public functions; linked with a build of it (test/foreign/count/peer).
//
// usage: count-peer MODEL.bin
#include <cmath>
#include <cstdio>
#include <vector>

#include "mark.h"
#include "whisper.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    whisper_context_params params = whisper_context_default_params();
    whisper_context *context = whisper_init_from_file_with_params(argv[1], params);
    if (!context)
        return 1;
    std::vector<float> samples(480000);
    for (int i = 0; i < 480000; i++)
        samples[i] = 0.3f * sinf(0.05f * (float)i) + 0.2f * ((float)((unsigned)i * 2654435761u >> 8) * 0x1p-23f - 1);
    int tokens[34];
    for (int i = 0; i < 34; i++)
        tokens[i] = 300 + 7 * i;
    mark(PHASE_MEL);
    int rc = whisper_pcm_to_mel(context, samples.data(), (int)samples.size(), 1);
    mark(PHASE_WINDOW);
    rc = rc || whisper_encode(context, 0, 1);
    mark(PHASE_PROMPT);
    rc = rc || whisper_decode(context, tokens, 4, 0, 1);
    mark(PHASE_TOKENS);
    for (int i = 4; i < 34 && !rc; i++)
        rc = whisper_decode(context, tokens + i, 1, i, 1);
    mark(PHASE_OTHER);
    if (!rc)
        printf("the last logits begin with %g\n", whisper_get_logits(context)[0]);
    whisper_free(context);
    return rc;
}
