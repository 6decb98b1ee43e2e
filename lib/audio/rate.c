/* rate.c - a handle's resampler, begun anew where the recording begins and where its rate changes (handle.h). */
#include "audio/handle.h"

int wh_audio_begin_rate(whisp_audio *audio, int rate)
{
    int is_same = audio->resampler && audio->rate == rate && wh_resampler_restarts(audio->resampler);
    audio->resampler_ended = audio->drained = 0;
    if (is_same) {
        wh_resampler_restart(audio->resampler);
        return WHISP_OK;
    }
    wh_resampler_free(audio->resampler);
    audio->resampler = NULL;
    audio->rate = rate;
    return rate == WH_AUDIO_RATE ? WHISP_OK : wh_resampler_new(rate, &audio->resampler);
}
