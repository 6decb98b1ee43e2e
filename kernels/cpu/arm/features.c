/* features.c - which instructions this CPU and operating system have (arm.h), as the system says. */
#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON)
#include "platform/platform.h"

int wh_arm_has_dotprod(void)
{
    return wh_platform_has_arm(WH_ARM_DOTPROD);
}

int wh_arm_has_i8mm(void)
{
    return wh_arm_has_dotprod() && wh_platform_has_arm(WH_ARM_I8MM);
}

int wh_arm_has_bf16(void)
{
    return wh_platform_has_arm(WH_ARM_BF16);
}
#endif
