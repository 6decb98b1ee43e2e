/* mel.h - samples to log-Mel frames, and frames to the encoder's windows.
 *
 * Stands between lib/audio and lib/backend: 16 kHz samples go in by pushes of any size; frames (100 a second) are kept
 * unclamped in a bounded store until nobody needs them, and clamped when a window is read. The computation is that of
 * openai-whisper's audio.py: reflect padding of 200 samples, periodic Hann window of 400, hop 160, power spectrum,
 * Slaney Mel filters, log10 of at least 1e-10, then max(x, loudest - 8), then (x + 4) / 4. */
#ifndef WH_MEL_H
#define WH_MEL_H

#include "util/util.h"

/* librosa's mel filters (sr 16000, n_fft 400, Slaney scale and norm), computed: filters[n_mels][201]. */
void wh_mel_filters(int n_mels, float *filters);

typedef struct wh_mel wh_mel;

/* A store for up to `capacity` frames (at least 3000 + 100). `filters` [n_mels][201] must outlive it. */
int wh_mel_new(int n_mels, const float *filters, size_t capacity, wh_mel **mel);
void wh_mel_free(wh_mel *mel);
void wh_mel_reset(wh_mel *mel); /* forgets frames, samples and loudest */

/* Let frames be computed elsewhere, up to `most` at a time, before the first push: frames(user, samples, n, out) gets
 * 400 + 160 (n - 1) samples and writes log10 powers [n][n_mels], at least -10. Where it does not return 0, frames are
 * computed here from then on. WHISP_ERR_MEMORY. */
int wh_mel_delegate(wh_mel *mel, int most, int (*frames)(void *user, const float *samples, int n, float *out),
                    void *user);

/* Where the samples pushed are kept anyway, as 16 bits each: frames are not stored but made a second time when a window is
 * read, unless their samples would come back from 16 bits as other numbers. again(user, at, samples, n) gives n samples
 * from `at` (0 or later) on, divided by 32768, and zeros behind the last; it is asked for what a window holds, and
 * half a frame before it. Before the first push. WHISP_ERR_MEMORY. */
int wh_mel_hear_again(wh_mel *mel, void (*again)(const void *user, int64_t at, float *samples, size_t n),
                      const void *user);

/* Feed samples; returns how many were taken: fewer than n once the store is full (see wh_mel_discard). Values that are
 * not finite count as 0 and are counted in wh_mel_bad_samples(). */
size_t wh_mel_push(wh_mel *mel, const float *samples, size_t n);
size_t wh_mel_bad_samples(const wh_mel *mel);

/* No more samples. As the reference does, the recording is followed by 30 s of zero samples: the last real frames see
 * zeros at their end. After this wh_mel_content() is final. */
void wh_mel_finish(wh_mel *mel);

/* Instead of pushing and finishing: the frames are those of given[n_mels][stride], clamped and scaled already; at most
 * `capacity` of them. */
void wh_mel_give(wh_mel *mel, const float *given, size_t stride, int64_t frames);

int64_t wh_mel_ready(const wh_mel *mel);   /* frames computed so far; frame t is ready once sample 160 t + 199 is in */
int64_t wh_mel_content(const wh_mel *mel); /* after finish: floor(samples / 160); before: frames ready */
int64_t wh_mel_samples(const wh_mel *mel); /* samples taken so far */

/* Frames before `frame` are not needed any more: makes room. */
void wh_mel_discard(wh_mel *mel, int64_t frame);

/* The samples up to the beginning of frame `frame`, at least 2, are left out: the next one pushed is sample 160
 * frame - 200. That frame and those behind it become what they are when all is pushed; those before it that are not
 * there yet never come. */
void wh_mel_jump(wh_mel *mel, int64_t frame);

/* The loudest log10 value of the frames before `frame`, or what was set from outside (wh_mel_set_loudest) for the whole
 * recording. Frames from `frame` on do not count even when they are there, so that windows do not depend on how far
 * ahead of them samples were pushed. The frames after the content that still touch samples
 * (three at most) count, as in the reference. */
float wh_mel_loudest(const wh_mel *mel, int64_t frame);
void wh_mel_set_loudest(wh_mel *mel, float loudest);

/* Read a window of 3000 frames from `seek` on: out[3000][n_mels], time-major, clamped with
 * wh_mel_loudest(mel, seek + 3000) and scaled.
 *   WH_PAD_MEL      only `frames` frames (at most 3000) are read, the rest of the window is Mel value 0.0: what
 *                   transcribe() feeds to the encoder
 *   WH_PAD_SAMPLES  frames past the content are those of zero samples: what decode() and detect_language() get
 * `seek` must not be before the last discard. */
enum wh_padding { WH_PAD_MEL, WH_PAD_SAMPLES };
void wh_mel_window(wh_mel *mel, int64_t seek, int64_t frames, enum wh_padding padding, float *out);

#endif
