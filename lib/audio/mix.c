/* mix.c - see mix.h.
 *
 * The gains are those with which `ffmpeg -ac 1` mixes, for that is what the reference hears: libswresample's matrix
 * with its default levels. ITU-R BS.775 has them: front left and right at -3 dB into one channel, the centre by 3 dB
 * louder, surrounds 3 dB below the front, no subwoofer, no heights; then all of them by one factor, so that nothing
 * clips. */
#include "audio/mix.h"

#include <math.h>
#include <string.h>

#define LARGEST 1024.0f /* louder than any recording; keeps the resampler's sums finite */

enum {
    FL = 1,
    FR = 2,
    FC = 4,
    LFE = 8,
    BL = 0x10,
    BR = 0x20,
    FLC = 0x40,
    FRC = 0x80,
    BC = 0x100,
    SL = 0x200,
    SR = 0x400,
    HEIGHTS = 0x3f800
};

/* Where channels belong of which only the number is known: ffmpeg's default layouts. */
static const uint32_t by_count[] = {0,
                                    FC,
                                    FL | FR,
                                    FL | FR | LFE,
                                    FL | FR | FC | BC,
                                    FL | FR | FC | BL | BR,
                                    FL | FR | FC | LFE | BL | BR,
                                    FL | FR | FC | LFE | BC | SL | SR,
                                    FL | FR | FC | LFE | BL | BR | SL | SR};

static uint32_t places(const wh_sound *sound)
{
    if (sound->speakers && __builtin_popcount(sound->speakers) == sound->channels)
        return sound->speakers;
    return sound->channels < (int)WH_COUNT(by_count) ? by_count[sound->channels] : 0;
}

static int is_pair(uint32_t speakers, uint32_t pair)
{
    return (speakers & pair) == 0 || (speakers & pair) == pair;
}

/* Layouts that libswresample accepts: something in front, and no left without a right. */
static int is_mixable(uint32_t speakers)
{
    return (speakers & (FL | FR | FC)) && is_pair(speakers, FL | FR) && is_pair(speakers, FLC | FRC) &&
           is_pair(speakers, BL | BR) && is_pair(speakers, SL | SR);
}

static double level(uint32_t speaker)
{
    if (speaker == FC)
        return 1.0;
    if (speaker & (FL | FR | FLC | FRC))
        return sqrt(0.5);
    return speaker & (BL | BR | BC | SL | SR) ? 0.5 : 0.0;
}

void wh_mix_gains(const wh_sound *sound, float *gains)
{
    uint32_t speakers = places(sound), left = speakers;
    int n = sound->channels;
    double sum = 0;
    if (n <= 2 ? !(speakers & LFE) && !(speakers & BC) : !is_mixable(speakers)) { /* each as loud as the others */
        for (int c = 0; c < n; c++)
            gains[c] = 1.0f / (float)n;
        return;
    }
    for (uint32_t bits = speakers; bits; bits &= bits - 1)
        sum += level(bits & -bits);
    for (int c = 0; c < n; c++, left &= left - 1) {
        double gain = level(left & -left) / fmax(sum, 1.0);
        if (sound->is_16_bit) /* libswresample's gains have 15 bits then */
            gain = nearbyint(gain * 32768) / 32768;
        gains[c] = (float)gain;
    }
}

void wh_mix_tell(const wh_sound *sound, wh_notes *notes)
{
    uint32_t speakers = places(sound);
    int n = sound->channels, is_known = sound->speakers && speakers == sound->speakers;
    if (n > 2 && !is_mixable(speakers))
        wh_note(notes, 0, "it is not known where its %d channels belong: each is as loud as the others in the mix", n);
    else if (n > 2 && !is_known && (speakers & LFE))
        wh_note(notes, 0, "its %d channels are taken for %s, as ffmpeg does: that for low frequencies is left out", n,
                n == 3   ? "2.1"
                : n == 6 ? "5.1"
                : n == 7 ? "6.1"
                         : "7.1");
    else if (n > 2 && (speakers & HEIGHTS))
        wh_note(notes, 0, "channels for speakers above the listener are left out of the mix, as ffmpeg does");
}

static inline float usable(float x, uint64_t *bad)
{
    if (isfinite(x))
        return WH_MAX(-LARGEST, WH_MIN(x, LARGEST));
    ++*bad;
    return 0.0f;
}

/* The mean of channels first .. end - 1. */
static uint64_t average(const float *frames, int64_t n, int channels, int first, int end, float *mono)
{
    uint64_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *frame = frames + i * channels;
        float sum = 0.0f;
        for (int c = first; c < end; c++)
            sum += usable(frame[c], &bad);
        mono[i] = sum / (float)(end - first);
    }
    return bad;
}

uint64_t wh_mix(const float *frames, int64_t n, const wh_sound *sound, int channel, float *mono)
{
    float gains[8];
    uint64_t bad = 0;
    int channels = sound->channels, first = channel < 0 ? 0 : WH_MIN(channel, channels - 1);
    if (channel >= 0 || channels > (int)WH_COUNT(gains) || channels == 1)
        return average(frames, n, channels, first, channel < 0 ? channels : first + 1, mono);
    wh_mix_gains(sound, gains);
    if (channels == 2 && gains[0] == 0.5f && gains[1] == 0.5f)
        return average(frames, n, 2, 0, 2, mono);
    for (int64_t i = 0; i < n; i++) {
        const float *frame = frames + i * channels;
        double sum = 0.0;
        for (int c = 0; c < channels; c++)
            sum += (double)gains[c] * (double)usable(frame[c], &bad);
        mono[i] = (float)sum;
    }
    return bad;
}
