/* models.h - the invented models, for a group of tests: cmocka_run_group_tests(tests, load_models, free_models). */
#ifndef TEST_MODELS_H
#define TEST_MODELS_H

#include "whisp.h"

extern whisp_model *model, *multilingual; /* build/test/invented.gguf, invented-multilingual.gguf */

int load_models(void **state);
int free_models(void **state);

#endif
