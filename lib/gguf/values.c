/* values.c - stored numbers out of a GGUF file's bytes: the bottom of read.c and meta.c. */
#include "gguf/file.h"

uint16_t wh_load_u16(const void *p)
{
    const unsigned char *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

uint32_t wh_load_u32(const void *p)
{
    const unsigned char *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint64_t wh_load_u64(const void *p)
{
    const unsigned char *b = p;
    return (uint64_t)wh_load_u32(b) | (uint64_t)wh_load_u32(b + 4) << 32;
}

size_t wh_gguf_value_size(uint32_t type)
{
    static const unsigned char sizes[GGUF_TYPES] = {
        [GGUF_U8] = 1,  [GGUF_I8] = 1,  [GGUF_BOOL] = 1, [GGUF_U16] = 2, [GGUF_I16] = 2, [GGUF_U32] = 4,
        [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_U64] = 8,  [GGUF_I64] = 8, [GGUF_F64] = 8};
    return type < GGUF_TYPES ? sizes[type] : 0;
}
