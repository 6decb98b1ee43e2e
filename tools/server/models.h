/* models.h - models by name, loaded when they are needed, with a queue each. Under service.c, and for it alone. */
#ifndef SERVER_MODELS_H
#define SERVER_MODELS_H

#include "service.h"

struct models;
struct entry; /* a loaded model, in use */

/* Told of what a queue has for the `user` of models_submit(), by the thread of that queue. */
typedef void (*models_event_fn)(void *user, const whisp_event *event);

/* Nothing is loaded yet, but the first models must be there. 0 or the problem's code. */
int models_new(const struct service_settings *settings, models_event_fn on_event, struct models **models,
               struct problem *problem);
/* Load the first ones. */
int models_load_first(struct models *models, struct problem *problem);
/* Nothing may be in use. */
void models_free(struct models *models);

/* The name of the model that `name` (NULL or "": the default) stands for, to be freed. 0 or SERVICE_NO_MODEL, ... */
int models_resolve(struct models *models, const char *name, char **known, struct problem *problem);
void models_list(struct models *models, void (*each)(void *user, const char *name, int64_t created), void *user);
/* How many are loaded. */
int models_loaded(struct models *models);
/* Load anew whose file is another one now. */
void models_reload(struct models *models);
/* Release what nobody uses any more and nobody will ask for. */
void models_tidy(struct models *models);

/* One to use, loaded if need be, until it is given back. 0 or the problem's code. */
int models_take(struct models *models, const char *name, struct entry **entry, struct problem *problem);
void models_give(struct entry *entry);
const whisp_model *entry_model(const struct entry *entry);
int entry_submit(struct entry *entry, whisp_audio *audio, const whisp_options *options, void *user, uint64_t *id);
void entry_cancel(struct entry *entry, uint64_t id);

#endif
