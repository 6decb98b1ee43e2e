/* plan.h - how many recordings or parts are transcribed at a time, and how many slots of a backend they need. */
#ifndef WH_PLAN_H
#define WH_PLAN_H

#include "options/options.h"
#include "model/model.h"

#define WH_MOST_WORKERS 64

/* What batch_size says, or auto: as many as memory allows on a CPU, and on a GPU as there may be. */
int wh_plan_batch(const whisp_model *model, const wh_values *values);

/* How many slots the backend of a session with these options needs, so that parts can share it; and how many workers
 * the slots that it got are enough for. */
int wh_plan_slots(const whisp_model *model, const wh_values *values);
int wh_plan_workers(const whisp_model *model, const wh_values *values, int slots);

/* The same of a queue, whose recordings have options of their own: long ones and their parts have `places` places, short
 * ones as many. least: fewer slots would not do. */
int wh_plan_queue_slots(int places, int *least);
int wh_plan_queue_places(int places, int slots);

#endif
