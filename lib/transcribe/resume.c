/* resume.c - the journal of a whole recording: what must be the same for its answers to be believed, and when there is
 * one. What is in it is the window's business (lib/window/recall.c), how it is kept lib/journal's. Called by whole.c. */
#include <string.h>

#include "audio/audio.h"
#include "transcribe/session.h"

/* Without its last part, which says how many threads or how much room there is. */
static void put_computer(const whisp_session *s, wh_buf *text)
{
    const char *about = wh_backend_describe(s->backend), *comma = strrchr(about, ',');
    wh_buf_printf(text, "what computes=%.*s\n", comma ? (int)(comma - about) : (int)strlen(about), about);
}

static void put_identity(const whisp_session *s, const whisp_audio *audio, wh_buf *text)
{
    const wh_key *model = &s->model->fingerprint;
    whisp_audio_info info = {.size = sizeof info, .format = ""};
    wh_key terms = WH_KEY_EMPTY;
    whisp_audio_describe(audio, &info);
    wh_window_add_vocabulary(s->window, &terms);
    wh_buf_printf(text, "the version=%s\n", whisp_version());
    wh_buf_printf(text, "the model=%s (%016llx%016llx)\n", s->model->name ? s->model->name : "",
                  (unsigned long long)model->a, (unsigned long long)model->b);
    wh_buf_printf(text, "the recording=%s, %d Hz, %d channels, %.17g s\n", info.format, info.sample_rate, info.channels,
                  info.duration);
    wh_buf_printf(text, "the channel=%d\n", wh_audio_channel(audio));
    put_computer(s, text);
    wh_options_put(s->options, text);
    if (s->options->values.vocabulary)
        wh_buf_printf(text, "the list of terms=%016llx%016llx\n", (unsigned long long)terms.a,
                      (unsigned long long)terms.b);
}

int wh_session_open_journal(whisp_session *s, whisp_audio *audio)
{
    const whisp_options *o = s->options;
    char path[4096] = "";
    int wanted = o->journal ? o->journal(o->journal_user, wh_audio_name(audio), path, sizeof path) : WHISP_JOURNAL_NONE;
    if (wanted == WHISP_JOURNAL_NONE)
        return WHISP_OK;
    if (!wh_audio_rewinds(audio)) {
        if (wanted == WHISP_JOURNAL_RESUME)
            wh_log(o, WHISP_LOG_WARNING, "%s: comes by a pipe, of which no journal is kept: it cannot be resumed",
                   wh_audio_name(audio));
        return WHISP_OK;
    }
    wh_buf identity = {0};
    put_identity(s, audio, &identity);
    const wh_journal_config config = {.path = path,
                                      .identity = identity.data,
                                      .resumes = wanted == WHISP_JOURNAL_RESUME};
    int rc = identity.failed ? wh_fail_memory() : wh_journal_open(&config, o, &s->journal);
    wh_buf_free(&identity);
    return rc;
}

void wh_session_use_journal(whisp_session *s, int in_parts)
{
    if (s->journal && (in_parts || s->total * 100 > WH_WINDOW_FRAMES))
        wh_window_set_journal(s->window, s->journal, WH_MAX(s->channel, 0));
}

void wh_session_close_journal(whisp_session *s)
{
    wh_window_set_journal(s->window, NULL, 0);
    wh_journal_free(s->journal);
    s->journal = NULL;
}
