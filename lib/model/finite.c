/* finite.c - are all of a model's numbers numbers? Weights that are NaN or infinite (a training that went astray, a file
 * that was damaged) give answers that mean nothing; in 8-bit integers they do not even show in them. */
#include "model/model.h"

#include <string.h>

#define STRIP 4096       /* elements looked at together */
#define KEPT (16u << 20) /* bytes of the file that may stay in the process meanwhile */

/* Is a bit pattern among n of 16 bits (32 bits) whose exponent is all ones? No branches: compilers make vectors of it. */
static int any16(const void *data, size_t n, uint16_t exponent)
{
    uint16_t x[STRIP], found = 0;
    memcpy(x, data, n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        found |= (x[i] & exponent) == exponent;
    return found;
}

static int any32(const void *data, size_t n, uint32_t exponent)
{
    uint32_t x[STRIP], found = 0;
    memcpy(x, data, n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        found |= (x[i] & exponent) == exponent;
    return found != 0;
}

static int is_finite(const wh_tensor *tensor)
{
    const char *data = tensor->data;
    size_t width = tensor->type == WH_F32 ? 4 : 2, n = tensor->bytes / width;
    if (tensor->type == WH_I8) /* its scales are a tensor of their own */
        return 1;
    if (tensor->type == WH_Q8_0) { /* blocks: a scale, 32 integers */
        for (size_t at = 0; at < tensor->bytes; at += 34)
            if (any16(data + at, 1, 0x7c00))
                return 0;
        return 1;
    }
    for (size_t i = 0; i < n; i += STRIP) {
        size_t some = WH_MIN(n - i, (size_t)STRIP);
        const char *at = data + i * width;
        if (width == 4 ? any32(at, some, 0x7f800000) : any16(at, some, tensor->type == WH_F16 ? 0x7c00 : 0x7f80))
            return 0;
    }
    return 1;
}

static const char *find(const wh_gguf *file, wh_soundness_fn known, const void *user)
{
    const char *found = NULL;
    size_t read = 0;
    for (size_t i = 0; i < wh_gguf_tensor_count(file) && !found; i++) {
        const wh_tensor *tensor = wh_gguf_tensor_at(file, i);
        int sound = known ? known(user, tensor) : -1;
        if (sound < 0) {
            sound = is_finite(tensor);
            read += tensor->bytes;
        }
        if (!sound)
            found = tensor->name;
        if (read > KEPT) {
            wh_gguf_rest(file);
            read = 0;
        }
    }
    return found;
}

void wh_model_search(const whisp_model *model, wh_soundness_fn known, const void *user)
{
    wh_derived *derived = model->derived;
    if (!model->file || !derived || derived->searched)
        return;
    derived->unsound = find(model->file, known, user);
    derived->searched = 1;
}

const char *wh_model_unsound(const whisp_model *model)
{
    wh_derived *derived = model->derived;
    if (!model->file || !derived)
        return NULL;
    pthread_mutex_lock(&derived->mutex);
    wh_model_search(model, NULL, NULL);
    const char *found = derived->unsound;
    pthread_mutex_unlock(&derived->mutex);
    return found;
}
