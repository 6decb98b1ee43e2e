/* catalog.h - the names of models, and what they stand for. Any thread. */
#ifndef SERVER_CATALOG_H
#define SERVER_CATALOG_H

#include "service.h"

struct catalog;

/* The models that are given must be there. 0 or the problem's code. */
int catalog_new(const struct service_settings *settings, struct catalog **catalog, struct problem *problem);
void catalog_free(struct catalog *catalog);

/* How many are given, and their names. */
size_t catalog_given(const struct catalog *catalog);
const char *catalog_given_name(const struct catalog *catalog, size_t i);
int catalog_is_given(const struct catalog *catalog, const char *name);

/* As models_resolve() and models_list(). */
int catalog_resolve(struct catalog *catalog, const char *name, char **known, struct problem *problem);
void catalog_list(struct catalog *catalog, void (*each)(void *user, const char *name, int64_t created), void *user);
/* Where the model of this name is, to be freed; NULL: nowhere. */
char *catalog_path(struct catalog *catalog, const char *name);

#endif
