/* check.c - what options mean together: those that contradict each other, and the temperatures to try. */
#include <math.h>
#include <string.h>

#include "options/options.h"

int wh_options_check(const wh_values *v)
{
    if (!isnan(v->patience) && !v->beam_size)
        return wh_fail(WHISP_ERR_ARGUMENT, "option patience: it belongs to beam search; give beam_size too");
    if (v->patience > 0 && nearbyint(v->beam_size * v->patience) < 1)
        return wh_fail(WHISP_ERR_ARGUMENT, "option patience: %g times beam_size %d leaves no sequence to wait for",
                       v->patience, v->beam_size);
    if (v->sample_len && v->max_new_tokens && v->sample_len != v->max_new_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "options sample_len %d and max_new_tokens %d contradict each other; give one of "
                       "them",
                       v->sample_len, v->max_new_tokens);
    int is_cuda = strcmp(v->backend, "cuda") == 0;
    if ((v->device_kind == WH_DEVICE_CUDA && !is_cuda) || (v->device_kind == WH_DEVICE_CPU && is_cuda))
        return wh_fail(WHISP_ERR_ARGUMENT, "options device %s and backend %s contradict each other; give one of them",
                       is_cuda ? "cpu" : "cuda", v->backend);
    if (v->initial_prompt && v->initial_prompt_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT, "options initial_prompt and initial_prompt_tokens exclude each other");
    if (v->min_speakers && v->max_speakers && v->min_speakers > v->max_speakers)
        return wh_fail(WHISP_ERR_ARGUMENT, "options min_speakers %d and max_speakers %d contradict each other",
                       v->min_speakers, v->max_speakers);
    if (v->num_speakers &&
        (v->num_speakers < v->min_speakers || (v->max_speakers && v->num_speakers > v->max_speakers)))
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "options num_speakers %d and %s_speakers %d contradict each other; give num_speakers alone",
                       v->num_speakers, v->num_speakers < v->min_speakers ? "min" : "max",
                       v->num_speakers < v->min_speakers ? v->min_speakers : v->max_speakers);
    if (v->diarize && v->split_stereo)
        return wh_fail(WHISP_ERR_ARGUMENT, "options diarize and split_stereo exclude each other: one tells speakers "
                                           "apart by their voices, the other by their channels");
    if (v->vad_neg_threshold > v->vad_threshold)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "option vad_neg_threshold: speech cannot pause below %g when it begins at "
                       "vad_threshold %g; give one that is not above it",
                       v->vad_neg_threshold, v->vad_threshold);
    return WHISP_OK;
}

int wh_options_time_words(const wh_values *v)
{
    return v->word_timestamps || v->confidence || v->diarize;
}

int wh_options_temperatures(const wh_values *v, double *temperatures)
{
    /* The default list is kept as it is; a value given alone, or an increment given alone, is counted up from. */
    int one = v->temperature_given ? v->n_temperatures == 1 : v->increment_given;
    if (!one) {
        memcpy(temperatures, v->temperatures, (size_t)v->n_temperatures * sizeof *temperatures);
        return v->n_temperatures;
    }
    double start = v->temperatures[0];
    temperatures[0] = start;
    if (isnan(v->temperature_increment))
        return 1;
    double count = ceil((1.0 + 1e-6 - start) / v->temperature_increment);
    int n = count < 1 ? 1 : count > WH_MAX_TEMPERATURES ? WH_MAX_TEMPERATURES : (int)count;
    for (int i = 1; i < n; i++)
        temperatures[i] = start + i * v->temperature_increment;
    return n;
}
