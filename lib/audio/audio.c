/* audio.c - a recording becomes mono float samples at 16 kHz, block by block.
 *
 * The beginning of the data's way: bytes (source.c) -> a decoder (decoder.h) -> channels become one (mix.c) -> 16 kHz
 * (resample.c) -> rounded to 16 bits -> lib/mel. The reference hears what `ffmpeg -ac 1 -ar 16000 -f s16le` writes,
 * therefore the rounding. Handles are made in open.c. See docs/audio.md. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "audio/audible.h"
#include "audio/handle.h"
#include "audio/mix.h"

/* ---- decoding ---- */

/* Decode the next block into mono[]; sets decoded_all at the end. */
static int decode(whisp_audio *audio)
{
    wh_decoder *decoder = audio->decoder;
    wh_sound sound = audio->sound;
    int64_t got = decoder->read(decoder, audio->decoded, WH_AUDIO_BLOCK_VALUES, WH_AUDIO_BLOCK, &sound);
    if (got <= 0 && audio->source.error)
        return wh_fail(WHISP_ERR_IO, "%s: cannot be read: %s", audio->name, strerror(audio->source.error));
    if (got == 0 && audio->frames == 0 && decoder->frames > 0)
        return wh_fail(WHISP_ERR_AUDIO, "%s: damaged or cut off: nothing in it can be decoded", audio->name);
    if (got < 0)
        return (int)got;
    if (got > 0 && (sound.rate < WH_MIN_RATE || sound.rate > WH_MAX_RATE)) {
        wh_note(&audio->notes, 1, "goes on with a sample rate of %d Hz, which cannot be read; the rest was not heard",
                sound.rate);
        got = 0;
    }
    audio->mono_used = 0;
    audio->mono_length = (size_t)got;
    audio->frames += got;
    if (got == 0) {
        audio->decoded_all = 1;
        return WHISP_OK;
    }
    if (audio->channel < 0 && !audio->is_piece)
        wh_mix_tell(&sound, &audio->notes);
    audio->sound = sound;
    uint64_t bad = wh_mix(audio->decoded, got, &sound, audio->channel, audio->mono);
    audio->bad += bad;
    audio->bad_seconds += (double)bad / (audio->channel < 0 ? sound.channels : 1) / sound.rate;
    return WHISP_OK;
}

/* Pass mono[] through the resampler; *n is how many samples lie in resampled[] then: 0 when it needs more, or, after
 * the last one at this rate, when all have come out. */
static int resample(whisp_audio *audio, size_t *n)
{
    int other = audio->sound.rate != audio->rate; /* mono[] belongs to what was joined */
    size_t left = other ? 0 : audio->mono_length - audio->mono_used, used;
    if ((audio->decoded_all || other) && left == 0 && !audio->resampler_ended) {
        wh_resampler_end(audio->resampler);
        audio->resampler_ended = 1;
    }
    int rc = wh_resample(audio->resampler, audio->mono + audio->mono_used, left, &used, audio->resampled,
                         WH_AUDIO_RESAMPLED, n);
    if (rc == WHISP_OK)
        audio->mono_used += used;
    audio->drained = audio->resampler_ended && *n < WH_AUDIO_RESAMPLED;
    return rc;
}

/* As 16-bit samples are: x becomes floor(x * 32768 + 0.5) / 32768, clipped. */
static void round_to_16_bits(float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float level = floorf(samples[i] * 32768.0f + 0.5f);
        samples[i] = WH_MAX(-32768.0f, WH_MIN(level, 32767.0f)) / 32768.0f;
    }
}

/* The next samples at 16 kHz; *n = 0 where the resampler needs more. */
static int convert(whisp_audio *audio, size_t *n)
{
    if (audio->resampler) {
        audio->ready = audio->resampled;
        return resample(audio, n);
    }
    audio->ready = audio->mono;
    *n = audio->mono_length - audio->mono_used;
    audio->mono_used = audio->mono_length;
    return WHISP_OK;
}

/* The next block of ready samples; ready_length is 0 only at the end. */
static int refill(whisp_audio *audio)
{
    int rc = WHISP_OK;
    size_t n = 0;
    while (n == 0 && rc == WHISP_OK) {
        if (audio->mono_used == audio->mono_length && !audio->decoded_all)
            rc = decode(audio);
        int joined = audio->sound.rate != audio->rate && audio->mono_used < audio->mono_length;
        if (!rc && joined && (!audio->resampler || audio->drained))
            rc = wh_audio_begin_rate(audio, audio->sound.rate);
        if (!rc)
            rc = convert(audio, &n);
        if (audio->decoded_all && n == 0 && (!audio->resampler || audio->drained))
            break;
    }
    if (rc != WHISP_OK)
        return rc;
    round_to_16_bits(audio->ready, n);
    audio->ready_used = 0;
    audio->ready_length = n;
    return WHISP_OK;
}

/* Of the caller's samples, as they are. */
static int64_t read_samples(whisp_audio *audio, float *samples, size_t n)
{
    n = WH_MIN(n, audio->n_samples - audio->at_sample);
    if (n)
        memcpy(samples, audio->samples + audio->at_sample, n * sizeof *samples);
    audio->at_sample += n;
    return (int64_t)n;
}

int64_t whisp_audio_read(whisp_audio *audio, float *samples, size_t n)
{
    size_t done = 0;
    if (!audio || (!samples && n > 0))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_audio_read: no recording or no place for samples");
    int rc = audio->is_spent && wh_audio_rewinds(audio) ? wh_audio_rewind(audio) : WHISP_OK;
    if (rc)
        return rc;
    if (audio->samples)
        return read_samples(audio, samples, n);
    if (!audio->decoder)
        return wh_fail(WHISP_ERR_STATE, "%s: could not be opened again", audio->name);
    if (!audio->was_read)
        wh_source_let_go(&audio->source);
    audio->was_read = 1;
    while (done < n) {
        if (audio->ready_used == audio->ready_length) {
            rc = refill(audio);
            if (rc != WHISP_OK && done == 0)
                return rc;
            if (rc != WHISP_OK || audio->ready_length == 0)
                break;
        }
        size_t piece = WH_MIN(n - done, audio->ready_length - audio->ready_used);
        memcpy(samples + done, audio->ready + audio->ready_used, piece * sizeof(float));
        audio->ready_used += piece;
        done += piece;
    }
    return (int64_t)done;
}

/* ---- jumping ---- */

int wh_audio_seeks(const whisp_audio *audio)
{
    return audio->samples || audio->decoder->find;
}

int wh_audio_knows_end(const whisp_audio *audio)
{
    return audio->samples || audio->decoder->is_duration_sure;
}

/* Read and forget n samples; fewer where the recording ends. */
static int drop(whisp_audio *audio, int64_t n)
{
    float samples[1024];
    while (n > 0) {
        int64_t got = whisp_audio_read(audio, samples, (size_t)WH_MIN(n, (int64_t)WH_COUNT(samples)));
        if (got <= 0)
            return (int)got;
        n -= got;
    }
    return WHISP_OK;
}

/* The decoder goes to the place, the resampler begins anew, and the next read begins with sample `at`. */
static int begin_at(whisp_audio *audio, const wh_place *place, int64_t at)
{
    wh_decoder *decoder = audio->decoder;
    int rate = decoder->sound.rate;
    audio->sound = decoder->sound;
    audio->mono_length = audio->mono_used = audio->ready_length = audio->ready_used = 0;
    audio->decoded_all = 0;
    audio->frames = WH_MAX(audio->frames, place->frame);
    int rc = wh_audio_begin_rate(audio, rate);
    if (!rc)
        rc = drop(audio, at - place->frame / rate * WH_AUDIO_RATE);
    return rc ? rc : 1;
}

/* The decoder begins at whole seconds, where the resampler's filter stands on a frame as it does at 0, and early
 * enough for what the filter sees before sample `at` to be there. */
int wh_audio_seek(whisp_audio *audio, int64_t at)
{
    wh_decoder *decoder = audio->decoder;
    if (audio->samples) {
        audio->at_sample = (size_t)WH_MIN(WH_MAX(at, 0), (int64_t)audio->n_samples);
        return 1;
    }
    int64_t rate = decoder->sound.rate, unit = wh_audible_unit(decoder), lead = 2 * rate;
    wh_place place = {.frame = WH_MAX(at / WH_AUDIO_RATE * rate - lead, 0) / unit * unit};
    if (unit % rate || at / WH_AUDIO_RATE > INT64_MAX / 8 / rate || !wh_decoder_seek(decoder, place.frame))
        return 0;
    return begin_at(audio, &place, at);
}

/* ---- in pieces ---- */

/* Half a second is enough for the resampler's filter, which sees 16 samples to each side at the lower rate. Nothing is decided by that second: it is plain, or what
 * others read of it is not, and then this piece is not wanted. */
int wh_audio_find_piece(whisp_audio *audio, int64_t at, wh_place *place)
{
    wh_decoder *decoder = audio->decoder;
    int64_t rate = decoder->sound.rate;
    *place = (wh_place){.lead = rate};
    return decoder->find && at % WH_AUDIO_RATE == 0 && at >= WH_AUDIO_RATE && at <= INT64_MAX / 8 / rate &&
           decoder->find(decoder, (at / WH_AUDIO_RATE - 1) * rate, 1, place);
}

int wh_audio_go_piece(whisp_audio *audio, const wh_place *place, int64_t at)
{
    return audio->decoder->go(audio->decoder, place) ? begin_at(audio, place, at) : 0;
}

int wh_audio_is_plain(const whisp_audio *audio)
{
    const wh_notes *notes = &audio->notes;
    return !audio->decoder->is_odd && !audio->bad && notes->n == audio->plain_notes && !notes->missing.places &&
           !notes->left_out;
}
