/* cpu.c - which instruction sets this CPU and operating system have, and the kernels' table for each level. */
#include "cpu/levels.h"

#include <stdlib.h>
#include <string.h>

static const char *const level_names[WH_CPU_LEVELS] = {"generic", "avx2", "avxvnni", "avx512", "avx512vnni", "amx"};

const char *wh_cpu_level_name(wh_cpu_level level)
{
    return (unsigned)level < WH_CPU_LEVELS ? level_names[level] : "unknown";
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Which register states the operating system saves when it switches threads (XCR0). */
static uint64_t saved_states(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Linux gives a process the tiles' registers only when it asks (arch_prctl(2)); all its threads have them then, and
 * asking again changes nothing. A kernel that does not know the call, or refuses because a thread's signal stack is
 * too small, leaves us without. From then on the process's signal stacks must have room for the tiles, so it asks only
 * when it would use them. */
static int may_have_tiles(void)
{
#ifdef __linux__
    const long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return 0;
#endif
}

static int has_tiles(uint64_t states, uint32_t features)
{
    const uint64_t tile_states = 0x60000;
    const uint32_t amx = 1u << 22 | 1u << 24 | 1u << 25; /* BF16, TILE, INT8 */
    return (states & tile_states) == tile_states && (features & amx) == amx && may_have_tiles();
}

int wh_cpu_has_bf16(void)
{
    unsigned a, b, c, d, highest;
    return __get_cpuid_count(7, 0, &highest, &b, &c, &d) && highest >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
           a >> 5 & 1;
}

/* A bit for each level up to `most` that the CPU and the operating system have. */
static unsigned hardware_levels(wh_cpu_level most)
{
    const uint64_t avx_state = 0x06, avx512_state = 0xe6;
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    const unsigned avx512vnni = 1u << 11, avxvnni = 1u << 4;
    unsigned levels = 1u << WH_CPU_GENERIC, a, b, c, d, highest;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA) || !(c & bit_F16C))
        return levels;
    uint64_t states = saved_states();
    if ((states & avx_state) != avx_state || !__get_cpuid_count(7, 0, &highest, &b, &c, &d) || !(b & bit_AVX2))
        return levels;
    levels |= 1u << WH_CPU_AVX2;
    if ((states & avx512_state) == avx512_state && (b & avx512) == avx512) {
        levels |= 1u << WH_CPU_AVX512;
        if (c & avx512vnni)
            levels |= 1u << WH_CPU_AVX512VNNI;
        if (c & avx512vnni && most >= WH_CPU_AMX && has_tiles(states, d))
            levels |= 1u << WH_CPU_AMX;
    }
    if (highest >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & avxvnni))
        levels |= 1u << WH_CPU_AVXVNNI;
    return levels;
}
#else
static unsigned hardware_levels(wh_cpu_level most)
{
    (void)most;
    return 1u << WH_CPU_GENERIC;
}

int wh_cpu_has_bf16(void)
{
    return 0;
}
#endif

static const wh_kernels *built_table(wh_cpu_level level)
{
    switch (level) {
    case WH_CPU_GENERIC: return wh_kernels_generic();
    case WH_CPU_AVX2:
    case WH_CPU_AVXVNNI: return wh_kernels_avx2();
    case WH_CPU_AVX512:
    case WH_CPU_AVX512VNNI:
    case WH_CPU_AMX: return wh_kernels_avx512();
    default: return NULL;
    }
}

wh_cpu_level wh_cpu_detect(void)
{
    wh_cpu_level level = WH_CPU_LEVELS - 1;
    const char *cap = getenv("WHISP_CPU");
    for (int i = 0; cap && i < WH_CPU_LEVELS; i++)
        if (!strcmp(cap, level_names[i]))
            level = (wh_cpu_level)i;
    unsigned there = hardware_levels(level);
    while (level > WH_CPU_GENERIC && (!(there >> level & 1) || !built_table(level)))
        level--;
    return level;
}

const wh_kernels *wh_kernels_get(wh_cpu_level level)
{
    return (unsigned)level < WH_CPU_LEVELS && hardware_levels(level) >> level & 1 ? built_table(level) : NULL;
}
