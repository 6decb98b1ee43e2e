/* whisp_live.h - text while somebody still speaks. Beside whisp.h, whose conventions hold here.
 *
 *   1. Sessions, pushed and pulled   segments as they become final
 *   2. Streams                       words as they settle, within seconds
 *   3. Live audio                    raw samples from a descriptor
 *   4. Parts                         a long recording divided between machines
 */
#ifndef WHISP_LIVE_H
#define WHISP_LIVE_H

#include "whisp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Sessions, pushed and pulled ------------------------------------------------------------------------------ */

/* Streaming: push samples as they come, pull segments as they become final, say when the audio ends:
 *
 *     for (;;) {
 *         int rc = whisp_session_pull(session, &segment);
 *         if (rc == 1) print(segment);                     // a segment
 *         else if (rc == 0) push more, or finish           // needs more audio
 *         else break;                                      // WHISP_END, or an error
 *     }
 *
 * push: returns how many of the `n` samples were taken, which is fewer than n when the session holds more than a
 * minute that has not been pulled yet; negative on error. Samples that are not finite count as silence; a warning is
 * logged.
 * finish: no more samples will come. May be called once.
 * pull: 1 and a segment (which lives until the next call on this session), 0 when more audio is needed, WHISP_END
 * after the last one, negative on error. The model runs inside this call.
 *
 * The words depend on the samples and options only, not on how the samples were cut into pushes. */
WHISP_API int64_t whisp_session_push(whisp_session *session, const float *samples, size_t n);
WHISP_API int whisp_session_finish(whisp_session *session);
WHISP_API int whisp_session_pull(whisp_session *session, const whisp_segment **segment);

/* openai-whisper clamps the log-Mel spectrogram to 8 below the maximum of the whole recording. A session that is fed by
 * pushes uses the maximum so far, unless it is shown the recording before the first push: pass all samples through
 * measure in blocks of any size, then once with n = 0. whisp_session_transcribe() does this itself. */
WHISP_API int whisp_session_measure(whisp_session *session, const float *samples, size_t n);

/* Forget everything heard so far, ready for another recording; threads and buffers stay. Whole recordings do this
 * themselves. */
WHISP_API int whisp_session_reset(whisp_session *session);

/* ------------------------------------------------------------------------------------------------------------------
 * 2. Streams
 *
 * Samples go in as they are spoken, words come out as they settle: within about two steps (option stream_step) after
 * they were said, and the time that computing takes. Every step a pass hears the last seconds again, 25 at most; words
 * on which two passes after one another agree settle and do not change any more (LocalAgreement-2: Macháček, Dabre,
 * Bojar, "Turning Whisper into Real-Time Transcription System", 2023).
 *
 * What settles so soon has more errors than a transcription that knows how the sentence goes on. The final text has
 * not: the options' segment callback gets the segments that a session pushed the same samples gives, each as soon as
 * its window of 30 seconds is complete. It is called inside pull. Memory and the cost of a second do not grow.
 * docs/live.md has figures.
 *
 *     while ((n = read_microphone(samples)) > 0) {
 *         for (size_t done = 0; done < n;) {
 *             done += (size_t)whisp_stream_push(stream, samples + done, n - done);
 *             while (whisp_stream_pull(stream, &words, &n_words) == 1) print(words, n_words);
 *         }
 *     }
 *     whisp_stream_finish(stream);
 *     while (whisp_stream_pull(stream, &words, &n_words) == 1) print(words, n_words);
 */

/* A live transcription. Belongs to one thread at a time. */
typedef struct whisp_stream whisp_stream;

/* New stream; `options` are copied (NULL: defaults). The model must outlive it. WHISP_ERR_ARGUMENT for options that
 * need the whole recording: vad_filter, clip_timestamps, split_stereo. Where silero-vad is found (option vad_model),
 * no pass is made over silence. The segment callback gets the final text; the progress callback is not called.
 *
 * With option diarize words and segments have the speaker who is heard in them, as far as one can know so soon: 0 where
 * nobody is known yet. Who it really was is known at the end (whisp_stream_result). */
WHISP_API int whisp_stream_new(const whisp_model *model, const whisp_options *options, whisp_stream **stream);

/* Push samples. Returns how many were taken, fewer than n when a minute has not been pulled; negative on error. Samples
 * that are not finite count as silence. */
WHISP_API int64_t whisp_stream_push(whisp_stream *stream, const float *samples, size_t n);
/* No more samples will come: what is left settles and becomes final. May be called once. */
WHISP_API int whisp_stream_finish(whisp_stream *stream);
/* 1: a pass was made and (*words)[*n] settled with it, perhaps none; they live until the next call (first_token and
 * n_tokens are 0). 0: more samples are needed; WHISP_END: all was heard; negative on error. The model runs inside. The
 * words depend on the samples and options only, not on how they were cut into pushes, unless whisp_stream_catch_up()
 * was called. */
WHISP_API int whisp_stream_pull(whisp_stream *stream, const whisp_word *const **words, size_t *n);

/* What is known of a stream. Set `size` first. */
typedef struct whisp_stream_info {
    size_t size;
    /* The text after the settled words as the last pass heard it; it may change. "" when there is none. Until the next
     * pull. */
    const char *tail;
    /* As whisp_session_info has them; a language that was detected is known after ten seconds. */
    const char *language;
    const char *incomplete;
    const char *backend;
    const char *const *speakers; /* [n_speakers] with diarize: names of words' speakers so far, 1 the first. Likewise */
    size_t n_speakers;
} whisp_stream_info;
WHISP_API int whisp_stream_describe(const whisp_stream *stream, whisp_stream_info *info);

/* With option diarize, after WHISP_END: the final text once more, as whisp_session_transcribe() labels it once it has heard
 * all of the recording, with names and turns. Its numbers are not those of words and segments before. The text is kept for
 * it: some 100 kB for an hour, and of voices 1 MB. Called before the end, it ends the stream and gives what is final until
 * then, as segments had it, flagged as incomplete. So it does after WHISP_ERR_OUTPUT of the last whisp_stream_pull(), but
 * then it is whole. *result is the caller's, released with whisp_result_free().
 * WHISP_ERR_STATE: it was given already, there is nothing yet, or it was not asked for (diarize). */
WHISP_API int whisp_stream_result(whisp_stream *stream, whisp_result **result);

/* The next pass hears all that was pushed, not only a step more: for callers who have fallen behind. */
WHISP_API void whisp_stream_catch_up(whisp_stream *stream);
WHISP_API void whisp_stream_free(whisp_stream *stream);

/* ---- 3. Live audio ----------------------------------------------------------------------------------------------- */

/* Open a descriptor as whisp_audio_open_fd() does when its bytes begin as those of a WAV, FLAC, Ogg, MP3 or another
 * known file do, heard here or not; any others are taken for 16-bit little-endian samples at `sample_rate` in
 * `channels` channels. Reading gives small blocks as they come. */
WHISP_API int whisp_audio_open_live(int fd, int sample_rate, int channels, whisp_audio **audio);

/* ---- 4. Parts ---------------------------------------------------------------------------------------------------- */

/* A part of a recording that is cut (option cut), as whisp_callbacks.part gets it: in order, from the thread that reads,
 * before it is transcribed. The callback returns 0; or 1, and the part is left out; or a negative number, which ends all
 * with WHISP_ERR_CANCELLED. Called for one recording at a time: not by whisp_session_transcribe_files().
 *
 * So a long recording is divided: one run leaves all out and keeps the samples from some cuts to others, with `at` and
 * `loudest` of each stretch's first part. A stretch is then transcribed elsewhere as a recording of its own, with the same
 * options and the language that the whole has, and a callback that adds the stretch's beginning to every `at`, sets the
 * first part's `loudest`, and clears `is_last` unless the stretch ends the recording. It is cut as the whole was, and has
 * the whole's segments, if it is so long that it is cut and its last two parts together are longer than a part may be (one
 * and a half of the usual): stretches of six parts and more are. Handed out by pointer: grows at its end. */
typedef struct whisp_part {
    const float *samples; /* [n], until the callback returns */
    size_t n;
    int64_t at;     /* the recording's sample at which it begins, a multiple of 160; may be set */
    double loudest; /* log-Mel value of what was before it, -INFINITY for the first; may be set */
    int is_last;    /* the recording ends with it; may be set */
} whisp_part;

#ifdef __cplusplus
}
#endif

#endif
