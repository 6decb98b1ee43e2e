/* calls.c - see calls.h. */
#include "support/calls.h"

/* A recording of either kind; *rc is what became of opening it. */
static whisp_audio *open_either(const char *path, const float *samples, size_t n, int *rc)
{
    whisp_audio *audio = NULL;
    *rc = path ? whisp_audio_open(path, &audio) : whisp_audio_open_samples(samples, n, &audio);
    return audio;
}

static int transcribe(whisp_session *session, const char *path, const float *samples, size_t n, whisp_result **result)
{
    int rc;
    whisp_audio *audio = open_either(path, samples, n, &rc);
    if (rc && result)
        *result = NULL;
    if (!rc)
        rc = whisp_session_transcribe(session, audio, result);
    whisp_audio_free(audio);
    return rc;
}

int transcribe_file(whisp_session *session, const char *path, whisp_result **result)
{
    return transcribe(session, path, NULL, 0, result);
}

int transcribe_samples(whisp_session *session, const float *samples, size_t n, whisp_result **result)
{
    return transcribe(session, NULL, samples, n, result);
}

static int align(whisp_session *session, const char *path, const float *samples, size_t n, const char *text,
                 whisp_result **result)
{
    int rc;
    whisp_audio *audio = open_either(path, samples, n, &rc);
    if (rc && result)
        *result = NULL;
    if (!rc)
        rc = whisp_session_align(session, audio, text, result);
    whisp_audio_free(audio);
    return rc;
}

int align_file(whisp_session *session, const char *path, const char *text, whisp_result **result)
{
    return align(session, path, NULL, 0, text, result);
}

int align_samples(whisp_session *session, const float *samples, size_t n, const char *text, whisp_result **result)
{
    return align(session, NULL, samples, n, text, result);
}

int detect_in_samples(whisp_session *session, const float *samples, size_t n, float *probabilities, size_t room)
{
    int rc;
    whisp_audio *audio = open_either(NULL, samples, n, &rc);
    if (!rc)
        rc = whisp_session_detect_language(session, audio, probabilities, room);
    whisp_audio_free(audio);
    return rc;
}

static int speech_in(const whisp_vad *vad, const char *path, const float *samples, size_t n,
                     const whisp_options *options, whisp_speech **speech)
{
    int rc;
    whisp_audio *audio = open_either(path, samples, n, &rc);
    if (rc && speech)
        *speech = NULL;
    if (!rc)
        rc = whisp_vad_speech(vad, audio, options, speech);
    whisp_audio_free(audio);
    return rc;
}

int speech_in_file(const whisp_vad *vad, const char *path, const whisp_options *options, whisp_speech **speech)
{
    return speech_in(vad, path, NULL, 0, options, speech);
}

int speech_in_samples(const whisp_vad *vad, const float *samples, size_t n, const whisp_options *options,
                      whisp_speech **speech)
{
    return speech_in(vad, NULL, samples, n, options, speech);
}

whisp_result_info result_info(const whisp_result *result)
{
    whisp_result_info info = {.size = sizeof info};
    whisp_result_describe(result, &info);
    return info;
}

whisp_session_info session_info(const whisp_session *session)
{
    whisp_session_info info = {.size = sizeof info};
    whisp_session_describe(session, &info);
    return info;
}

whisp_stream_info stream_info(const whisp_stream *stream)
{
    whisp_stream_info info = {.size = sizeof info};
    whisp_stream_describe(stream, &info);
    return info;
}

whisp_speech_info speech_info(const whisp_speech *speech)
{
    whisp_speech_info info = {.size = sizeof info};
    whisp_speech_describe(speech, &info);
    return info;
}

void set_callbacks(whisp_options *options, whisp_log_fn log, whisp_progress_fn progress, whisp_segment_fn segment,
                   whisp_cancel_fn cancel, void *user)
{
    const whisp_callbacks callbacks = {
        .size = sizeof callbacks, .user = user, .log = log, .progress = progress, .segment = segment, .cancel = cancel};
    whisp_options_on(options, &callbacks);
}
