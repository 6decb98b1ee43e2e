/* session.h - the inside of whisp_session, shared by the files of lib/transcribe: what is asked for (model, options), what
 * computes it (backend), and one window (lib/window) that hears what is pushed.
 *
 *   session.c         making, resetting; a session for a part of a recording
 *   feed.c            push / measure / finish / pull
 *   asked.c           what the flow of a recording asks of the window
 *   option_warnings.c options that have no effect beside others
 *   speech_only.c     vad_filter: a whole recording without its silence
 *   channels.c        split_stereo: a recording's two channels, one after the other, and their segments merged
 *   speakers.c        diarize: who said it
 *   cut.c             where a long recording is cut
 *   cutter.c          a long recording, handed out part by part
 *   batch.c, part.c   parts of a recording, transcribed side by side
 *   jobs.c            recordings transcribed side by side, each with its own session; for
 *   files.c           many files, and
 *   queue.c           a queue
 *   whole.c           whole recordings, results
 *   recording.c       the samples of a whole recording, as often as they are wanted (recording.h)
 *   passes.c          the passes over it before the one that counts (passes.h)
 *   jump.c            a long one of which only some clips are asked for (jump.h)
 *   resume.c          the journal of a whole recording
 *   one_window.c      log-Mel spectrograms from outside
 *   detect.c          the language of a whole recording */
#ifndef WH_SESSION_H
#define WH_SESSION_H

#include "align/align_text.h"
#include "backend/backend.h"
#include "options/options.h"
#include "vad/vad.h"
#include "whisp_live.h"
#include "window/window.h"

typedef struct wh_speaking wh_speaking;

struct whisp_session {
    const whisp_model *model;
    whisp_model computed; /* the same, with the alignment heads that the options ask for: the backend's */
    const wh_specials *specials;
    whisp_options *options;
    wh_backend *backend;
    const struct wh_company *company; /* those who share the backend (company.h); NULL: nobody */
    wh_window *window;
    whisp_timings timings;

    const whisp_session *whole; /* of a part of a recording: the session that has it all; else NULL */
    size_t part_frames;         /* what it must hold of a part; 0: the usual */

    whisp_vad *vad;       /* with vad_filter, else NULL (speech_only.c) */
    wh_timeline timeline; /* where speech is in the recording */
    int64_t recording;    /* its samples, once speech was looked for; else -1 */

    wh_speaking *speaking; /* with diarize, else NULL (speakers.c) */

    wh_journal *journal; /* of the recording that is transcribed, or NULL (resume.c) */

    int channel; /* with split_stereo: the one being heard, from 0 on; else -1 (channels.c) */

    wh_mel *measuring;         /* the first pass of whisp_session_measure(), or NULL */
    int failed;                /* a call failed midway: only reset helps */
    double total;              /* seconds of the whole recording; negative if not known */
    int total_is_known;        /* ... before it was read, of which only the clips are */
    int bad_samples_told;      /* that some were not finite */
    char incomplete[512];      /* why the text is not of all that the recording holds; "" where it is */
    wh_align_text *align_text; /* the text to align, or NULL */
    whisp_segment segment;     /* what the last pull gave */
};

/* Pointers to n words in a row, in a list that is used again and again. */
int wh_hand_words(const whisp_word ***list, size_t *capacity, const whisp_word *words, size_t n);

/* Pull one segment: as whisp_session_pull(), and says whether it was cleared. */
int wh_session_next(whisp_session *session, int *cleared);

/* Warn of options that have no effect beside others; and, once its length is known, of clips beyond the recording. */
int wh_session_warn(const whisp_session *session);
void wh_session_warn_clips(const whisp_session *session);

/* The text will not be of all that the recording holds: remember why, for the result. why_incomplete: what was
 * remembered; NULL: it is. */
const char *wh_session_why_incomplete(const whisp_session *session);
void wh_session_remember_incomplete(whisp_session *session, const char *why);
/* A recording was read as far as it will be: pass on what is to be said about it. `audio` may be NULL. */
void wh_session_hear_warnings(whisp_session *session, whisp_audio *audio);

/* A recording of which only the clips are read (jump.c). BEFORE: frames before a clip that its windows' evidence
 * reaches back to. jump, measure_jump: the next sample pushed or measured is the first of frame `frame`, 160 frame - 200.
 * known: the seconds of the whole recording, which pushes and measure no longer tell. */
#define WH_JUMP_BEFORE 600
void wh_session_jump(whisp_session *session, int64_t frame);
int wh_session_measure_jump(whisp_session *session, int64_t frame);
void wh_session_known_total(whisp_session *session, double seconds);

/* What the flow of a recording asks of its session, and tells it: the functions of the same names in window.h. (asked.c) */
int wh_session_language(const whisp_session *session);
int wh_session_spoken(const whisp_session *session);
void wh_session_set_language(whisp_session *session, int language);
void wh_session_set_guess(whisp_session *session, int language);
void wh_session_language_probabilities(const whisp_session *session, float *probabilities);
int wh_session_detect(whisp_session *session);
int wh_session_may_detect(const whisp_session *session);
int wh_session_detect_next(whisp_session *session);
void wh_session_settle_language(whisp_session *session);
int wh_session_is_sound(const whisp_session *session);
int64_t wh_session_samples(const whisp_session *session);
int64_t wh_session_seek(const whisp_session *session);
int wh_session_knows_where(const whisp_session *session);
int wh_session_is_past(const whisp_session *session, int knows_end);
int wh_session_has_clips(const whisp_session *session);
int wh_session_clip(const whisp_session *session, size_t i, int64_t *start, int64_t *end);
/* For wh_audio_ask(): does a clip reach between two times? Without vad_filter, with which clips count other seconds. */
int wh_session_wants(const void *session, double from, double to);

/* Forced alignment: give the session, which was reset, a text. result: what became of it. */
int wh_session_set_text(whisp_session *session, const char *text);
int wh_session_align_result(whisp_session *session, whisp_result **result);

/* The journal. open: if the callbacks name one, and the recording can be read again. use: once it is known how long the
 * recording is: what one window holds needs none. (resume.c) */
int wh_session_open_journal(whisp_session *session, whisp_audio *audio);
void wh_session_use_journal(whisp_session *session, int in_parts);
void wh_session_close_journal(whisp_session *session);

/* vad_filter. load: the model, if the options ask for it. load_model: in any case. model: where it is;
 * WHISP_ERR_ARGUMENT or another code where it is not found. find: where speech is in all that `read` gives. check: fails
 * when samples come before it was looked for. total: seconds of the recording of which `samples` came. timeline: NULL
 * where silence is not left out. times: from the time without silence to the recording's. */
int wh_speech_only_load(whisp_session *session);
int wh_speech_only_load_model(const whisp_session *session, whisp_vad **vad);
int wh_speech_only_model(const whisp_session *session, char *path, size_t capacity);
void wh_speech_only_free(whisp_session *session);
void wh_speech_only_reset(whisp_session *session);
int wh_speech_only_find(whisp_session *session, wh_vad_read_fn read, void *user);
int wh_speech_only_check(const whisp_session *session);
double wh_speech_only_total(const whisp_session *session, int64_t samples);
const wh_timeline *wh_speech_only_timeline(const whisp_session *session);
void wh_speech_only_times(const whisp_session *session, double *start, double *end);

/* split_stereo. transcribe: `run` transcribes a recording, here once for each channel. check: fails when samples come
 * that are not a recording's. */
typedef int (*wh_run_fn)(whisp_session *session, whisp_audio *audio, const char *text, whisp_result **result);
int wh_channels_transcribe(whisp_session *session, whisp_audio *audio, wh_run_fn run, whisp_result **result);
int wh_channels_check(const whisp_session *session);
/* diarize. load: the nets and voices that the options ask for. transcribe: `run` around the callbacks, or aligns if
 * `text` is not NULL. label: what `run` has made of a recording; on failure the result is as it was, and says so. */
struct wh_recording;
int wh_speaking_load(whisp_session *session);
void wh_speaking_free(whisp_session *session);
int wh_speaking_transcribe(whisp_session *session, whisp_audio *audio, const char *text, wh_run_fn run,
                           whisp_result **result);
int wh_speaking_label(whisp_session *session, struct wh_recording *in, int keeps_words, whisp_result **result);
/* For live transcriptions: with what the session tells speakers apart; and *result becomes a labelled one. */
struct wh_who;
struct wh_found;
const struct wh_who *wh_speaking_who(const whisp_session *session);
int wh_speaking_apply(const struct wh_found *found, int keeps_words, whisp_result **result);
/* Do the caller's segments have words? */
int wh_session_shows_words(const whisp_session *session);
/* May a recording be cut, if it is long? Then its backend has slots for several parts. */
int wh_session_may_cut(const whisp_session *session);
/* The backend for these options: *computed becomes the model as it sees it, with other alignment heads if they say so,
 * and must outlive it; to be released with free_heads. Of `config` the slots are set. */
int wh_session_backend(const whisp_model *model, const wh_values *values, wh_backend_config *config,
                       whisp_model *computed, wh_backend **backend);
void wh_session_free_heads(const whisp_model *model, whisp_model *computed);
/* A session whose backend is a view of what it shares with `company`; it owns the view from now on, also on failure. */
int wh_session_join(const whisp_model *model, const whisp_options *options, wh_backend *view,
                    const struct wh_company *company, whisp_session **session);
/* A session for parts of a recording: with `whole`'s model and options, cuts and vad_filter apart. It computes through
 * `backend`, which it owns from now on, also on failure, and holds `frames` frames. begin_part: reset it for the part
 * that begins at sample `at`, the recording's last one or not. push_all: n samples, which must fit. end_part, once all
 * were pushed: finish it; `before` is the recording's loudest log-Mel value before this part (-INFINITY at its beginning),
 * and *loudest becomes that up to its end, which its windows are clamped by. */
int wh_session_new_part(const whisp_session *whole, wh_backend *backend, size_t frames, whisp_session **session);
int wh_session_begin_part(whisp_session *session, int64_t at, int last);
int wh_session_push_all(whisp_session *session, const float *samples, size_t n);
int wh_session_end_part(whisp_session *session, float before, float *loudest);

#endif
