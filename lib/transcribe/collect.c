/* collect.c - segments to a result (see collect.h). */
#include "transcribe/collect.h"

#include <stdlib.h>

#include "output/result.h"

int wh_collect_begin(wh_collected *c)
{
    *c = (wh_collected){0};
    return wh_result_new(&c->result);
}

int wh_collect_add(wh_collected *c, const whisp_segment *segment, int cleared)
{
    int rc = wh_result_add(c->result, segment, cleared);
    if (!rc)
        rc = wh_grow(&c->ids, &c->capacity, c->n + segment->n_tokens, sizeof *c->ids);
    for (size_t i = 0; !rc && i < segment->n_tokens; i++)
        c->ids[c->n++] = segment->tokens[i].id;
    return rc;
}

int wh_collect_show(wh_collected *c, const whisp_options *o, const whisp_segment *segment, int cleared)
{
    int rc = wh_collect_add(c, segment, cleared);
    if (!rc && o->segment)
        o->segment(o->segment_user, wh_result_last(c->result));
    return rc;
}

int wh_collect_end(wh_collected *c, const whisp_model *model, int language, double total, whisp_result **result)
{
    wh_buf text = {0};
    int32_t timestamps = wh_tokenizer_specials(model->tokenizer)->timestamp_begin;
    int rc = wh_tokenizer_decode(model->tokenizer, c->ids, c->n, timestamps, &text);
    if (!rc && text.failed)
        rc = wh_fail_memory();
    if (!rc)
        rc = wh_result_finish(c->result, text.data ? text.data : "", wh_language_code(language), total);
    wh_buf_free(&text);
    if (!rc) {
        *result = c->result;
        c->result = NULL;
    }
    return rc;
}

void wh_collect_stop(wh_collected *c, const whisp_model *model, int language, const char *name, whisp_result **result)
{
    wh_buf why = {0};
    size_t n = wh_result_about(c->result).n_segments;
    if (n == 0)
        return;
    wh_buf_printf(&why, "%s: the work stopped: %s", name, whisp_last_error());
    double end = wh_result_last(c->result)->end;
    if (!why.failed && !wh_collect_end(c, model, language, end, result) &&
        wh_result_set_incomplete(*result, why.data)) {
        whisp_result_free(*result);
        *result = NULL;
    }
    wh_buf_free(&why);
}

void wh_collect_free(wh_collected *c)
{
    whisp_result_free(c->result);
    free(c->ids);
    *c = (wh_collected){0};
}
