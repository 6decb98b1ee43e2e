/* tensors.c - see tensors.h. */
#include "speakers/tensors.h"

#include <math.h>

int wh_speakers_tensor(const whisp_speakers *s, const char *name, int64_t d0, int64_t d1, int64_t d2, int64_t d3,
                       const float **data)
{
    const char *path = wh_gguf_path(s->file);
    const wh_tensor *t = wh_gguf_tensor(s->file, name);
    if (!t)
        return wh_fail(WHISP_ERR_MODEL, "%s: tensor %s is missing; convert the model again with whisp-convert", path,
                       name);
    if (t->type != WH_F32 || t->shape[0] != d0 || t->shape[1] != d1 || t->shape[2] != d2 || t->shape[3] != d3)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: tensor %s has not the type or shape that the nets for speakers have; "
                       "convert the model again with whisp-convert",
                       path, name);
    *data = t->data;
    for (int64_t i = 0; i < d0 * d1 * d2 * d3; i++)
        if (!isfinite((*data)[i]))
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: damaged: tensor %s holds values that are not numbers; get the file again", path, name);
    return WHISP_OK;
}
