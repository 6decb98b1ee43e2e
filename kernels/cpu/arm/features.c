/* features.c - which instructions this CPU and operating system have (arm.h). Linux says so in the auxiliary vector, macOS
 * by sysctl (written with care, never run). Elsewhere nothing is believed that the compiler was not told. */
#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON)
#if defined(__linux__)
#include <sys/auxv.h>

/* Bits of AT_HWCAP and AT_HWCAP2 (Linux, arch/arm64/include/uapi/asm/hwcap.h); old headers have not all names. */
#define DOTPROD (1ul << 20)
#define I8MM (1ul << 13)
#define BF16 (1ul << 14)

int wh_arm_has_dotprod(void)
{
    return (getauxval(AT_HWCAP) & DOTPROD) != 0;
}

int wh_arm_has_i8mm(void)
{
    return wh_arm_has_dotprod() && (getauxval(AT_HWCAP2) & I8MM) != 0;
}

int wh_arm_has_bf16(void)
{
    return (getauxval(AT_HWCAP2) & BF16) != 0;
}
#else
#if defined(__APPLE__)
#include <sys/sysctl.h>

static int says(const char *name)
{
    int value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) == 0 && value != 0;
}
#else
static int says(const char *name)
{
    (void)name;
    return 0;
}
#endif

int wh_arm_has_dotprod(void)
{
    return says("hw.optional.arm.FEAT_DotProd");
}

int wh_arm_has_i8mm(void)
{
    return wh_arm_has_dotprod() && says("hw.optional.arm.FEAT_I8MM");
}

int wh_arm_has_bf16(void)
{
    return says("hw.optional.arm.FEAT_BF16");
}
#endif
#endif
