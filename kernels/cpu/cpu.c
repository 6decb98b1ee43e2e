/* cpu.c - which instruction sets this CPU and operating system have, and the kernels' table for each level. */
#include "cpu/levels.h"

#include <stdlib.h>
#include <string.h>

static const char *const level_names[WH_CPU_LEVELS] = {"generic", "avx2", "avx512"};

const char *wh_cpu_level_name(wh_cpu_level level)
{
    return (unsigned)level < WH_CPU_LEVELS ? level_names[level] : "unknown";
}

#if defined(__x86_64__)
#include <cpuid.h>

/* Which register states the operating system saves when it switches threads (XCR0). */
static uint64_t saved_states(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static wh_cpu_level hardware_level(void)
{
    const uint64_t avx_state = 0x06, avx512_state = 0xe6;
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA) || !(c & bit_F16C))
        return WH_CPU_GENERIC;
    uint64_t states = saved_states();
    if ((states & avx_state) != avx_state || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2))
        return WH_CPU_GENERIC;
    return (states & avx512_state) == avx512_state && (b & avx512) == avx512 ? WH_CPU_AVX512 : WH_CPU_AVX2;
}
#else
static wh_cpu_level hardware_level(void)
{
    return WH_CPU_GENERIC;
}
#endif

static const wh_kernels *built_table(wh_cpu_level level)
{
    switch (level) {
    case WH_CPU_GENERIC: return wh_kernels_generic();
    case WH_CPU_AVX2: return wh_kernels_avx2();
    case WH_CPU_AVX512: return wh_kernels_avx512();
    default: return NULL;
    }
}

wh_cpu_level wh_cpu_detect(void)
{
    wh_cpu_level level = hardware_level();
    const char *cap = getenv("WHISP_CPU");
    for (int i = 0; cap && i < WH_CPU_LEVELS; i++)
        if (!strcmp(cap, level_names[i]) && level > (wh_cpu_level)i)
            level = (wh_cpu_level)i;
    while (level > WH_CPU_GENERIC && !built_table(level))
        level--;
    return level;
}

const wh_kernels *wh_kernels_get(wh_cpu_level level)
{
    return (unsigned)level < WH_CPU_LEVELS && level <= hardware_level() ? built_table(level) : NULL;
}
