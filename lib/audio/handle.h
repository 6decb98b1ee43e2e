/* handle.h - the inside of whisp_audio, shared by open.c, which makes, rewinds and describes it, and audio.c, which
 * reads from it. */
#ifndef WH_AUDIO_HANDLE_H
#define WH_AUDIO_HANDLE_H

#include "audio/audio.h"
#include "audio/decoder.h"
#include "audio/resample.h"

#define WH_AUDIO_BLOCK 4096         /* frames decoded at once, fewer when there are many channels */
#define WH_AUDIO_BLOCK_VALUES 32768 /* samples of all channels decoded at once */
#define WH_AUDIO_RESAMPLED 8448     /* room for a block at twice its rate */

struct whisp_audio {
    char *name;  /* for messages */
    int own_fd;  /* to be closed, or -1 */
    int channel; /* the only one to be heard, from 0 on; -1: all, mixed */

    const float *samples; /* [n_samples] of whisp_audio_open_samples(), of which at_sample were read; no decoder then */
    size_t n_samples, at_sample;
    int was_read; /* something was, since it was opened or rewound */
    int is_spent; /* a call has heard it: the next one, and whisp_audio_read(), begin anew */

    wh_source source;
    wh_decoder *decoder; /* NULL: samples, or it could not be opened again */
    wh_notes notes;
    int is_piece;               /* another handle's sound is read beside it, in pieces */
    int plain_notes;            /* it had so many notes when it was opened */
    int raw_rate, raw_channels; /* of bytes that are not a WAV file's, else 0; then blocks are small */

    float *decoded; /* [WH_AUDIO_BLOCK_VALUES], interleaved */
    wh_sound sound; /* of the block in decoded[] and mono[] */
    float *mono;    /* [WH_AUDIO_BLOCK] at the recording's rate */
    size_t mono_length, mono_used;
    int decoded_all;
    int64_t frames;     /* decoded so far */
    uint64_t bad;       /* samples that are no finite numbers and were not told yet */
    double bad_seconds; /* their length */

    int rate;                /* that is resampled now; differs from sound.rate where recordings were joined */
    wh_resampler *resampler; /* NULL at 16 kHz */
    int resampler_ended;     /* it was told that no more samples come at this rate */
    int drained;             /* and all have come out */
    float *resampled;        /* [WH_AUDIO_RESAMPLED] */
    float *ready;            /* mono or resampled: rounded, to be given out */
    size_t ready_length, ready_used;
};

/* For pieces.c. Another handle of the same bytes, at their beginning; *piece is NULL where the bytes can be read by one
 * only, or their samples cannot be the same when reading begins elsewhere. The first one outlives it. (open.c) */
int wh_audio_open_piece(const whisp_audio *audio, whisp_audio **piece);
/* Where reading must begin a second before sample `at`, a multiple of the rate; what is read next stays the same. 1 or 0.
 * Go there, and on to a sample in the second half of that second or behind it: 1; 0: it cannot, and the next read goes on
 * as before; or a code. (audio.c) */
int wh_audio_find_piece(whisp_audio *audio, int64_t at, wh_place *place);
int wh_audio_go_piece(whisp_audio *audio, const wh_place *place, int64_t at);
/* Is all that was read what one handle would have read, with nothing to be told about it? */
int wh_audio_is_plain(const whisp_audio *audio);

/* Resample from `rate` on from now on. (rate.c) */
int wh_audio_begin_rate(whisp_audio *audio, int rate);

#endif
