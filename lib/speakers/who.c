/* who.c - see who.h. */
#include "speakers/who.h"

void wh_who_bounds(const wh_values *v, int *least, int *most)
{
    *least = v->num_speakers ? v->num_speakers : WH_MAX(v->min_speakers, 1);
    *most = v->num_speakers ? v->num_speakers : v->max_speakers;
}

static void configure(wh_who *who, const whisp_speakers *nets, const whisp_options *options, int threads)
{
    who->config = (wh_diarizer_config){.speakers = nets, .vad = who->vad, .threads = threads, .options = options};
    wh_who_bounds(&options->values, &who->config.least, &who->config.most);
}

int wh_who_check(const whisp_options *options)
{
    const char *path = options->values.speakers_out;
    return path ? wh_voices_may_write(path) : WHISP_OK;
}

int wh_who_init(wh_who *who, const whisp_speakers *nets, const char *vad_path, const whisp_options *options,
                int threads)
{
    int rc = vad_path ? whisp_vad_load(vad_path, &who->vad) : WHISP_OK;
    configure(who, nets, options, threads);
    return rc ? rc : wh_voices_load(&who->config, &who->known);
}

void wh_who_borrow(wh_who *who, const wh_who *from, const whisp_options *options, int threads)
{
    *who = (wh_who){.vad = from->vad, .known = from->known, .is_lent = 1};
    configure(who, from->config.speakers, options, threads);
}

void wh_who_free(wh_who *who)
{
    if (!who->is_lent) {
        wh_voices_free(&who->known);
        whisp_vad_free(who->vad);
    }
    *who = (wh_who){0};
}

static int diarize(const wh_who *who, wh_who_read_fn read, void *user, wh_diarization *found)
{
    wh_diarizer *diarizer = NULL;
    const float *samples;
    int64_t n = 0;
    int rc = wh_diarizer_new(&who->config, &diarizer);
    while (!rc && (n = read(user, &samples)) > 0)
        rc = wh_diarizer_push(diarizer, samples, (size_t)n);
    if (!rc && n < 0)
        rc = (int)n;
    if (!rc)
        rc = wh_diarizer_finish(diarizer, found);
    wh_diarizer_free(diarizer);
    return rc;
}

int wh_who_name(const wh_who *who, wh_found *found)
{
    int rc = wh_voices_name(&who->known, &found->who, &found->names);
    if (rc)
        return rc;
    if (found->who.n_speakers < who->config.least && found->who.n_speakers > 0)
        wh_log(who->config.options, WHISP_LOG_WARNING, "%d speakers were asked for; no more than %d can be told apart",
               who->config.least, found->who.n_speakers);
    wh_log(who->config.options, WHISP_LOG_INFO, "speakers: %d, in %zu turns", found->who.n_speakers, found->who.n);
    return WHISP_OK;
}

int wh_who_find(const wh_who *who, wh_who_read_fn read, void *user, wh_found *found)
{
    *found = (wh_found){0};
    int rc = diarize(who, read, user, &found->who);
    return rc ? rc : wh_who_name(who, found);
}

int wh_who_keep(const wh_who *who, const wh_found *found)
{
    const char *path = who->config.options->values.speakers_out;
    int rc = path ? wh_voices_write(&who->known, &found->who, found->names, path) : WHISP_OK;
    if (rc != WHISP_ERR_ARGUMENT)
        return rc;
    wh_log(who->config.options, WHISP_LOG_WARNING, "%s", whisp_last_error());
    return WHISP_OK;
}

void wh_found_free(wh_found *found)
{
    wh_voices_free_names(found->names, found->who.n_speakers);
    wh_diarization_free(&found->who);
    *found = (wh_found){0};
}
