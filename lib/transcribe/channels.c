/* channels.c - split_stereo: a speaker a channel.
 *
 * Each channel of a recording is transcribed alone, one after the other by the same session, and the two results' segments
 * are merged by the times at which they begin. It is read again for each channel, so memory does not grow with it;
 * what comes from a pipe is kept in a temporary file. Called by whole.c. */
#include <stdlib.h>

#include "audio/audio.h"
#include "output/result.h"
#include "transcribe/session.h"

#define CHANNELS 2

/* The callbacks of a session that speak about the recording as a whole; during the passes over single channels the
 * segments wait, and progress counts both. */
typedef struct shown {
    whisp_progress_fn progress;
    void *progress_user;
    whisp_segment_fn segment;
    int channel;
} shown;

static void on_progress(void *user, double done, double total)
{
    const shown *all = user;
    if (all->progress && total >= 0)
        all->progress(all->progress_user, (all->channel * total + done) / CHANNELS, total);
}

int wh_channels_check(const whisp_session *s)
{
    if (s->options->values.split_stereo && s->channel < 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "split_stereo transcribes recordings with two channels; samples that are "
                                           "pushed have one, and an alignment has one text: set split_stereo to False");
    return WHISP_OK;
}

/* Only a recording with two channels can be split, and each of them reads it again. */
static int prepare(whisp_session *s, whisp_audio *audio)
{
    whisp_audio_info info = {.size = sizeof info};
    if (wh_audio_channel(audio) >= 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: one channel was selected; split_stereo needs both",
                       wh_audio_name(audio));
    int rc = wh_audio_rewind(audio);
    if (!rc && !(rc = whisp_audio_describe(audio, &info)) && info.channels != CHANNELS)
        rc = wh_fail(WHISP_ERR_AUDIO, "%s: has %d channel%s; split_stereo needs two, with a speaker each",
                     wh_audio_name(audio), info.channels, info.channels == 1 ? "" : "s");
    return rc ? rc : wh_audio_keep(audio, "split_stereo", s->options);
}

/* The language of the first channel on which somebody speaks. */
static const char *language_of(whisp_result *const *parts)
{
    for (int c = 0; c < CHANNELS; c++)
        if (*whisp_result_text(parts[c]))
            return wh_result_about(parts[c]).language;
    return wh_result_about(parts[0]).language;
}

static const char *const names[CHANNELS] = {"SPEAKER_00", "SPEAKER_01"}; /* as diarize numbers them */

/* Each segment is a turn; a speaker's next one does not begin before its end. */
static int set_speakers(whisp_result *result)
{
    size_t n = wh_result_about(result).n_segments, n_turns = 0;
    double last[CHANNELS] = {0};
    whisp_turn *turns = wh_calloc(n, sizeof *turns);
    if (!turns)
        return wh_fail_memory();
    for (size_t i = 0; i < n; i++) {
        const whisp_segment *s = whisp_result_segment(result, i);
        double *before = &last[s->speaker - 1], start = *before > s->start ? *before : s->start;
        if (s->end <= start)
            continue;
        size_t at = n_turns++;
        for (; at > 0 && turns[at - 1].start > start; at--)
            turns[at] = turns[at - 1];
        turns[at] = (whisp_turn){start, s->end, s->speaker};
        *before = s->end;
    }
    int rc = wh_result_set_speakers(result, names, CHANNELS, turns, n_turns);
    free(turns);
    return rc;
}

/* All segments of the channels' results by the time at which they begin; the left channel first where both do. Shown to
 * `shown_to`, or nobody. */
static int merge(const whisp_options *shown_to, whisp_result *const *parts, whisp_result **result)
{
    size_t at[CHANNELS] = {0};
    wh_buf text = {0};
    int rc = wh_result_new(result);
    while (!rc) {
        const whisp_segment *next = NULL;
        int from = 0;
        for (int c = 0; c < CHANNELS; c++) {
            const whisp_segment *segment = whisp_result_segment(parts[c], at[c]);
            if (segment && (!next || segment->start < next->start)) {
                next = segment;
                from = c;
            }
        }
        if (!next)
            break;
        at[from]++;
        if (!*next->text) /* emptied: it says nothing */
            continue;
        whisp_segment labelled = *next;
        labelled.speaker = from + 1;
        labelled.speaker_name = names[from];
        wh_buf_puts(&text, labelled.text);
        rc = wh_result_add(*result, &labelled, 0);
        if (!rc && shown_to && shown_to->segment)
            shown_to->segment(shown_to->segment_user, wh_result_last(*result));
    }
    if (!rc && text.failed)
        rc = wh_fail_memory();
    if (!rc)
        rc = wh_result_finish(*result, text.data ? text.data : "", language_of(parts),
                              wh_result_about(parts[0]).duration);
    if (!rc)
        rc = set_speakers(*result);
    for (int c = 0; c < CHANNELS && !rc; c++)
        if (wh_result_about(parts[c]).incomplete)
            rc = wh_result_set_incomplete(*result, wh_result_about(parts[c]).incomplete);
    wh_buf_free(&text);
    if (rc) {
        whisp_result_free(*result);
        *result = NULL;
    }
    return rc;
}

/* The work stopped midway, for the reason of the last error: what was final until then. */
static void merge_stopped(whisp_audio *audio, whisp_result *const *parts, whisp_result **result)
{
    wh_buf why = {0};
    wh_buf_printf(&why, "%s: the work stopped: %s", wh_audio_name(audio), whisp_last_error());
    if ((parts[0] || parts[1]) && !why.failed && !merge(NULL, parts, result) &&
        wh_result_set_incomplete(*result, why.data)) {
        whisp_result_free(*result);
        *result = NULL;
    }
    wh_buf_free(&why);
}

int wh_channels_transcribe(whisp_session *s, whisp_audio *audio, wh_run_fn run, whisp_result **result)
{
    whisp_result *parts[CHANNELS] = {NULL};
    whisp_options *o = s->options;
    shown all = {o->progress, o->progress_user, o->segment, 0};
    int selected = wh_audio_channel(audio); /* none, or this fails */
    int rc = prepare(s, audio);
    o->segment = NULL;
    if (all.progress) {
        o->progress = on_progress;
        o->progress_user = &all;
    }
    for (int c = 0; c < CHANNELS && !rc; c++) {
        s->channel = all.channel = c;
        rc = run(s, audio, NULL, &parts[c]);
    }
    s->channel = -1;
    wh_audio_hear(audio, selected);
    o->segment = all.segment;
    o->progress = all.progress;
    o->progress_user = all.progress_user;
    if (!rc)
        rc = merge(o, parts, result);
    else
        merge_stopped(audio, parts, result);
    for (int c = 0; c < CHANNELS; c++)
        whisp_result_free(parts[c]);
    return rc;
}
