/* attention.c - what callers set aside for attention in integers (attention.h). */
#include "cpu/attention_int.h"

size_t wh_attend_int_size(size_t n, size_t d_head)
{
    size_t keys = int_keys(n), size = keys * (int_room_steps(d_head) * 4 + int_room_channels(d_head) + 8) + 16 * d_head;
    return (size + 63) / 64 * 64;
}

size_t wh_attend_int_scratch(size_t d_head)
{
    return WH_ATTEND_ROWS * (3 + WH_INT_KEYS + d_head + WH_INT_KEYS / 4 + int_room_steps(d_head));
}
