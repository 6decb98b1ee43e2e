/* ceiling_amx.c - loops of AMX's products of tiles, four sums of which none waits for another. */
#include "checkkernels/ceilings.h"

#if defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AMX_BF16__)
#include "cpu/x86/amx.h"

static void int8(int chains, long count)
{
    (void)chains;
    amx_begin();
    for (; count > 0; count -= 4) {
        amx_dot_i8(0, 4, 6);
        amx_dot_i8(1, 4, 7);
        amx_dot_i8(2, 5, 6);
        amx_dot_i8(3, 5, 7);
    }
    amx_end();
}

static void bf16(int chains, long count)
{
    (void)chains;
    amx_begin();
    for (; count > 0; count -= 4) {
        amx_dot_bf16(0, 4, 6);
        amx_dot_bf16(1, 4, 7);
        amx_dot_bf16(2, 5, 6);
        amx_dot_bf16(3, 5, 7);
    }
    amx_end();
}

check_loop check_loop_amx(check_ceiling what, int *ops)
{
    *ops = what == CHECK_INT8 ? 2 * 16 * 16 * 64 : what == CHECK_BF16 ? 2 * 16 * 16 * 32 : 0;
    return what == CHECK_INT8 ? int8 : what == CHECK_BF16 ? bf16 : 0;
}
#else
check_loop check_loop_amx(check_ceiling what, int *ops)
{
    (void)what;
    *ops = 0;
    return 0;
}
#endif
