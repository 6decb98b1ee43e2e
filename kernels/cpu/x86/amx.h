/* amx.h - AMX's instructions, and the sizes of tiles that all of our code uses. Included by gemm_amx.c and
 * attention_amx.c; tests define the instructions in plain C first (test/support/amx_in_c.h).
 *
 * t, a, b and c are literal numbers of tiles. */
#ifndef WH_AMX_H
#define WH_AMX_H

#include <stdint.h>

#ifndef amx_configure
#include <immintrin.h>

/* What reads memory is written as assembly: GCC 12's intrinsics name 8 of the configuration's 64 bytes as what is
 * read, and nothing of a tile, so that the compiler may leave out or put off what was written there. */
#define amx_configure(p) __asm__ volatile("ldtilecfg %0" ::"m"(*(p)) : "memory")
#define amx_load(t, p, stride)                                                                                         \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"((const void *)(p)), "r"((long)(stride)) : "memory")
#define amx_release() _tile_release()
#define amx_zero(t) _tile_zero(t)
#define amx_store(t, p, stride) _tile_stored(t, p, stride)
#define amx_dot_i8(c, a, b) _tile_dpbssd(c, a, b) /* signed bytes */
#define amx_dot_us(c, a, b) _tile_dpbusd(c, a, b) /* unsigned bytes of a, signed ones of b */
#define amx_dot_su(c, a, b) _tile_dpbsud(c, a, b) /* signed bytes of a, unsigned ones of b */
#define amx_dot_bf16(c, a, b) _tile_dpbf16ps(c, a, b)
#endif

/* All eight tiles of a level's products and attention (conv_amx.h has its own sizes) have 16 rows of 64 bytes: what is not there is multiplied as zeros, which costs less than other sizes
 * would, some 200 cycles to configure and release. */
static const struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} amx_sizes __attribute__((aligned(64))) = {.palette = 1,
                                            .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
                                            .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

/* Configured, the tiles belong to whoever computes in this thread; given back, switching threads saves nothing of them. */
static inline void amx_begin(void)
{
    amx_configure(&amx_sizes);
}

static inline void amx_end(void)
{
    amx_release();
}

#endif
