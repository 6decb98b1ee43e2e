/* gemm_amx.h - tiles of int8 and bfloat16 with AMX: the text of gemm_amx.c, which defines the instructions, and of
 * the tests that run it with instructions in plain C (test/support/amx_in_c.h).
 *
 * AMX multiplies A [up to 16 rows][64 bytes] by B [16][64 bytes], where a row of B holds four bytes (or two bfloat16)
 * of k for each of 16 columns: a panel's layout as it is, 128 bytes apart, two tiles side by side. A is a group of x
 * in rows of 64 bytes. Of two successive pieces of k each has its own two sums, so that an instruction need not wait
 * for the one before; they are added at the end. Registers are given back before a call ends, so that switching
 * threads stays cheap.
 *
 * amx_configure(p), amx_release(), amx_zero(t), amx_load(t, p, stride), amx_store(t, p, stride), amx_dot_i8(c, a, b),
 * amx_dot_bf16(c, a, b), t, a, b and c being literal numbers. */
#include <string.h>

/* Tiles 0 to 3: sums [rows][16]; 4, 5: of x [rows][64 bytes]; 6, 7: of w [16][64 bytes]. */
typedef struct amx_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} amx_config;

static inline void amx_begin(int rows)
{
    amx_config c = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        c.row_bytes[i] = 64;
        c.rows[i] = (uint8_t)(i < 6 ? rows : 16);
    }
    amx_configure(&c);
    amx_zero(0);
    amx_zero(1);
    amx_zero(2);
    amx_zero(3);
}

static inline void amx_end(void *sums) /* [4][WH_GROUP][16], four bytes each */
{
    char *to = sums;
    const int size = WH_GROUP * 64;
    amx_store(0, to, 64);
    amx_store(1, to + size, 64);
    amx_store(2, to + 2 * size, 64);
    amx_store(3, to + 3 * size, 64);
    amx_release();
}

/* A piece of k, 16 steps, into the sums c0 and c1. */
#define AMX_PIECE(dot, a, c0, c1, x, w)                                                                                \
    do {                                                                                                               \
        amx_load(a, (x), 64);                                                                                          \
        amx_load(6, (w), WH_PANEL * 4);                                                                                \
        amx_load(7, (w) + 64, WH_PANEL * 4);                                                                           \
        dot(c0, a, 6);                                                                                                 \
        dot(c1, a, 7);                                                                                                 \
    } while (0)

#define AMX_SUMS(dot)                                                                                                  \
    do {                                                                                                               \
        const size_t pieces = steps / 16, x_piece = (size_t)rows * 64, w_piece = 16 * WH_PANEL * 4;                    \
        size_t i = 0;                                                                                                  \
        amx_begin(rows);                                                                                               \
        for (; i + 2 <= pieces; i += 2) {                                                                              \
            for (int step = 0; lines && step < 32; step++)                                                             \
                fetch_ahead(&ahead, lines);                                                                            \
            AMX_PIECE(dot, 4, 0, 1, x + i * x_piece, w + i * w_piece);                                                 \
            AMX_PIECE(dot, 5, 2, 3, x + (i + 1) * x_piece, w + (i + 1) * w_piece);                                     \
        }                                                                                                              \
        if (i < pieces)                                                                                                \
            AMX_PIECE(dot, 4, 0, 1, x + i * x_piece, w + i * w_piece);                                                 \
        amx_end(sums);                                                                                                 \
    } while (0)

static void amx_i8(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum, const float *x_scale,
                   const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    int32_t sums[4][WH_GROUP][16] __attribute__((aligned(64)));
    (void)w_sum; /* for instructions that want unsigned bytes */
    AMX_SUMS(amx_dot_i8);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < WH_PANEL; j++)
            out[r * WH_PANEL + j] = (float)(sums[j / 16][r][j % 16] + sums[2 + j / 16][r][j % 16]) *
                                    (x_scale[r] * w_scale[j]);
}

static void amx_bf16(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                     float *out)
{
    float sums[4][WH_GROUP][16] __attribute__((aligned(64)));
    AMX_SUMS(amx_dot_bf16);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < WH_PANEL; j++)
            out[r * WH_PANEL + j] = sums[j / 16][r][j % 16] + sums[2 + j / 16][r][j % 16];
}
