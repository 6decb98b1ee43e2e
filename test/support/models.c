/* models.c - see models.h. */
#include "support/models.h"

#include "support/testing.h"

whisp_model *model, *multilingual;

int load_models(void **state)
{
    (void)state;
    if (whisp_model_load(invented_path("invented"), NULL, &model) ||
        whisp_model_load(invented_path("invented-multilingual"), NULL, &multilingual)) {
        fprintf(stderr, "%s\n", whisp_last_error());
        return -1;
    }
    return 0;
}

int free_models(void **state)
{
    (void)state;
    whisp_model_free(model);
    whisp_model_free(multilingual);
    return 0;
}
