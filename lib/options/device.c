/* device.c - what computes, in the words of other programs, too: openai-whisper's device, CTranslate2's compute_type. */
#include <string.h>

#include "options/row.h"

/* Which arithmetic a compute_type means, in the terms of wh_values.compute_given; NULL: none. Static storage. */
static const char *compute_name(const char *value)
{
    /* CTranslate2 has a type for the weights and, behind a line, one for all else; here all else is float32. float16 is
     * how weights are stored and what a GPU computes in; a CPU multiplies float32. */
    static const struct {
        const char *name, *meaning;
    } names[] = {
        {"auto", "auto"},         {"default", "auto"},       {"f32", "f32"},
        {"float32", "f32"},       {"float16", "f16"},        {"bf16", "bf16"},
        {"bfloat16", "bf16"},     {"int8", "int8"},          {"int8_float32", "int8"},
        {"int8_float16", "int8"}, {"int8_bfloat16", "int8"},
    };
    for (size_t i = 0; i < WH_COUNT(names); i++)
        if (strcmp(names[i].name, value) == 0)
            return names[i].meaning;
    return NULL;
}

/* "cpu", "cuda", "cuda:1", "auto", "1": 1, and *number is -1 where it is out of range; 0: no such device. */
static int read_device(const char *value, enum wh_device *kind, int *number)
{
    int64_t n = 0;
    *kind = WH_DEVICE_OPEN;
    if (strncmp(value, "cuda", 4) == 0 && (!value[4] || (value[4] == ':' && wh_parse_int(value + 5, &n))))
        *kind = WH_DEVICE_CUDA;
    else if (strcmp(value, "cpu") == 0)
        *kind = WH_DEVICE_CPU;
    else if (strcmp(value, "auto") != 0 && !wh_parse_int(value, &n))
        return 0;
    *number = n < 0 || n > WH_MOST_DEVICES ? -1 : (int)n;
    return 1;
}

int wh_parse_device(const wh_option *o, const char *text, wh_values *v)
{
    if (!read_device(text, &v->device_kind, &v->device))
        return wh_option_refuse(o, text, "no such device");
    return v->device < 0 ? wh_option_refuse_range(o, text) : WHISP_OK;
}

int wh_parse_compute(const wh_option *o, const char *text, wh_values *v)
{
    const char *name = compute_name(text);
    if (!name)
        return wh_option_refuse(o, text, "no such arithmetic in this build");
    v->compute_given = name;
    return WHISP_OK;
}

void wh_settle_device(wh_values *v)
{
    int is_open = strcmp(v->backend_given, "auto") == 0;
    v->backend = !is_open || v->device_kind == WH_DEVICE_OPEN ? v->backend_given
                 : v->device_kind == WH_DEVICE_CUDA           ? "cuda"
                                                              : "cpu";
    int is_f16 = strcmp(v->compute_given, "f16") == 0;
    v->compute_type = !is_f16 ? v->compute_given : strcmp(v->backend, "cuda") == 0 ? "auto" : "f32";
}
