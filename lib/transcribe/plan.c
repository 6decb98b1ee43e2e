/* plan.c - how many recordings or parts are transcribed at a time (see plan.h). Called where a backend is made for a
 * session (session.c) or a queue, and where its slots are shared out (batch.c, files.c, queue.c). */
#include "transcribe/plan.h"

#include <limits.h>

#include "backend/backend.h"
#include "search/search.h"

int wh_plan_batch(const whisp_model *model, const wh_values *v)
{
    return WH_MIN(v->batch_size ? v->batch_size : wh_backend_batch(v->backend, model), WH_MOST_WORKERS);
}

/* Beams need their slots in every window; fallback is rare: two parts at a time may have these. The samples of `confidence`
 * give them back after a few steps: one part. */
static int slots_for(const wh_values *v, int workers)
{
    int spares = v->beam_size > 1 ? workers : WH_MIN(workers, v->confidence ? 1 : 2);
    return workers + spares * (wh_search_slots(v) - 1);
}

int wh_plan_workers(const whisp_model *model, const wh_values *v, int slots)
{
    int n = wh_plan_batch(model, v);
    while (n > 1 && slots_for(v, n) > slots)
        n--;
    return n;
}

int wh_plan_slots(const whisp_model *model, const wh_values *v)
{
    return v->cut_off ? wh_search_slots(v) : slots_for(v, wh_plan_workers(model, v, INT_MAX));
}

/* Beside one for each recording or part: what one view may borrow, or five samples for each of the long ones. */
int wh_plan_queue_slots(int places, int *least)
{
    *least = 2 + WH_MAX_CANDIDATES - 1;
    return 2 * places + WH_MAX(WH_MAX_CANDIDATES - 1, 4 * places);
}

int wh_plan_queue_places(int places, int slots)
{
    return WH_MAX(1, WH_MIN(places, (slots - (WH_MAX_CANDIDATES - 1)) / 2));
}
