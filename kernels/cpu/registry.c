/* registry.c - see registry.h. */
#include "cpu/registry.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/generic/generic.h"

static const wh_level generic = {
    .name = "generic",
    .kernels = wh_kernels_generic,
    .gemm = wh_gemm_generic,
    .attention = wh_attention_int_generic,
    .conv = wh_conv_generic,
};

/* NULL past the last one. */
static const wh_level *level_at(int level)
{
    int n_x86, n_arm;
    const wh_level *x86 = wh_x86_levels(&n_x86), *arm = wh_arm_levels(&n_arm);
    if (level == 0)
        return &generic;
    if (level > 0 && level - 1 < n_x86)
        return &x86[level - 1];
    return level > 0 && level - 1 - n_x86 < n_arm ? &arm[level - 1 - n_x86] : NULL;
}

int wh_cpu_levels(void)
{
    int n_x86, n_arm;
    wh_x86_levels(&n_x86);
    wh_arm_levels(&n_arm);
    return 1 + n_x86 + n_arm;
}

const char *wh_cpu_level_name(int level)
{
    const wh_level *row = level_at(level);
    return row ? row->name : "unknown";
}

int wh_cpu_get(int level, wh_cpu *cpu)
{
    const wh_level *row = level_at(level);
    if (!row || !row->kernels() || !row->gemm() || !row->conv() || (row->is_here && !row->is_here()))
        return 0;
    *cpu = (wh_cpu){
        .name = row->name,
        .kernels = row->kernels(),
        .gemm = row->gemm(),
        .attention = row->attention ? row->attention() : NULL,
        .conv = row->conv(),
        .blas_core = row->blas_core,
        .integers_pay = row->integers_pay,
    };
    return 1;
}

wh_cpu wh_cpu_best(void)
{
    wh_cpu cpu;
    int level = wh_cpu_levels() - 1;
    const char *cap = getenv("WHISP_CPU");
    for (int i = 0; cap && i < wh_cpu_levels(); i++)
        if (!strcmp(cap, wh_cpu_level_name(i)))
            level = i;
    while (!wh_cpu_get(level, &cpu))
        level--;
    return cpu;
}
