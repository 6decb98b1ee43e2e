/* features.c - which instructions this CPU and operating system have (x86.h). */
#include "cpu/x86/x86.h"

#if defined(__x86_64__)
#include <cpuid.h>

#include "platform/platform.h"

/* What CPUID says of leaf 7 (subleaf 0: b, c, d; subleaf 1: a1), and which register states the operating system saves
 * when it switches threads (XCR0). All 0 where there is not even AVX, FMA and F16C. */
typedef struct features {
    unsigned b, c, d, a1;
    uint64_t states;
} features;

static features look(void)
{
    features f = {0};
    unsigned a, b, c, d, highest, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA) || !(c & bit_F16C) ||
        !__get_cpuid_count(7, 0, &highest, &f.b, &f.c, &f.d))
        return f;
    if (highest >= 1)
        __get_cpuid_count(7, 1, &f.a1, &b, &c, &d);
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    f.states = (uint64_t)high << 32 | low;
    return f;
}

int wh_x86_has_avx2(void)
{
    const uint64_t avx_state = 0x06;
    features f = look();
    return (f.states & avx_state) == avx_state && (f.b & bit_AVX2);
}

int wh_x86_has_avxvnni(void)
{
    return wh_x86_has_avx2() && look().a1 >> 4 & 1;
}

int wh_x86_has_avx512(void)
{
    const uint64_t avx512_state = 0xe6;
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    features f = look();
    return wh_x86_has_avx2() && (f.states & avx512_state) == avx512_state && (f.b & avx512) == avx512;
}

int wh_x86_has_avx512vnni(void)
{
    return wh_x86_has_avx512() && look().c >> 11 & 1;
}

int wh_x86_has_bf16(void)
{
    return look().a1 >> 5 & 1;
}

/* A process has the tiles' registers only when it asks, and its signal stacks must have room for them from then on: so it
 * asks only when it would use them. */
int wh_x86_has_amx(void)
{
    const uint64_t tile_states = 0x60000;
    const unsigned amx = 1u << 22 | 1u << 24 | 1u << 25; /* BF16, TILE, INT8 */
    features f = look();
    return wh_x86_has_avx512vnni() && (f.states & tile_states) == tile_states && (f.d & amx) == amx &&
           wh_platform_ask_for_tiles();
}
#else
int wh_x86_has_bf16(void)
{
    return 0;
}
#endif
