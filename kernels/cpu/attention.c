/* attention.c - which level's attention in integers (attention.h), and what callers set aside for it. */
#include "cpu/attention_int.h"

const wh_attention_int *wh_attention_int_get(wh_cpu_level level)
{
    if (!wh_kernels_get(level))
        return NULL;
    switch (level) {
    case WH_CPU_GENERIC: return wh_attention_int_generic();
    case WH_CPU_AVXVNNI: return wh_attention_int_avxvnni();
    case WH_CPU_AVX512VNNI:
    case WH_CPU_AMX: return wh_attention_int_avx512vnni();
    default: return NULL;
    }
}

size_t wh_attend_int_size(size_t n, size_t d_head)
{
    size_t keys = int_keys(n), size = keys * (int_steps(d_head) * 4 + d_head + 8) + 16 * d_head;
    return (size + 63) / 64 * 64;
}

size_t wh_attend_int_scratch(size_t d_head)
{
    return WH_ATTEND_ROWS * (3 + WH_INT_KEYS + d_head + WH_INT_KEYS / 4 + int_steps(d_head));
}
