/* amx_in_c.h - AMX's instructions (kernels/cpu/x86/amx.h) in plain C, after Intel's Software Developer's Manual
 * (TILELOADD, TDPBSSD, TDPBUSD, TDPBSUD, TDPBF16PS): whatever is used beyond what was configured fails. So the kernels' logic is
 * tested on machines without AMX. Included before those, by checkkernels/amx.c and amx_attention.c (tiles and attention
 * alone) and test_amx.c (in a backend), which have check_that(is_true, what). */
#include <string.h>

#include "cpu/gemm_parts.h"

static _Thread_local struct {
    int configured;
    uint16_t row_bytes[8];
    uint8_t rows[8], data[8][16][64];
} tiles;

static inline void in_c_configure(const void *config)
{
    const uint8_t *c = config;
    check_that(c[0] == 1 && c[1] == 0, "palette or first row");
    for (int i = 2; i < 16; i++)
        check_that(c[i] == 0, "reserved bytes");
    for (int t = 0; t < 8; t++) {
        memcpy(&tiles.row_bytes[t], c + 16 + 2 * t, 2);
        tiles.rows[t] = c[48 + t];
        check_that(tiles.row_bytes[t] <= 64 && tiles.rows[t] <= 16, "a tile's size");
    }
    for (int i = 32; i < 48; i++)
        check_that(c[i] == 0, "tiles 8 to 15");
    for (int i = 56; i < 64; i++)
        check_that(c[i] == 0, "rows of tiles 8 to 15");
    tiles.configured = 1;
    memset(tiles.data, 0, sizeof tiles.data);
}

static inline void in_c_release(void)
{
    check_that(tiles.configured, "released twice");
    tiles.configured = 0;
}

static inline void in_c_zero(int t)
{
    check_that(tiles.configured && tiles.rows[t], "zero");
    memset(tiles.data[t], 0, sizeof tiles.data[t]);
}

static inline void in_c_load(int t, const void *p, long stride)
{
    check_that(tiles.configured && tiles.rows[t], "load");
    memset(tiles.data[t], 0, sizeof tiles.data[t]);
    for (int r = 0; r < tiles.rows[t]; r++)
        memcpy(tiles.data[t][r], (const char *)p + r * stride, tiles.row_bytes[t]);
}

static inline void in_c_store(int t, void *p, long stride)
{
    check_that(tiles.configured && tiles.rows[t], "store");
    for (int r = 0; r < tiles.rows[t]; r++)
        memcpy((char *)p + r * stride, tiles.data[t][r], tiles.row_bytes[t]);
}

static inline void in_c_check_shapes(int c, int a, int b)
{
    check_that(tiles.configured && c != a && a != b && b != c, "product");
    check_that(tiles.rows[c] == tiles.rows[a] && tiles.row_bytes[c] == tiles.row_bytes[b] &&
                   tiles.row_bytes[a] / 4 == tiles.rows[b],
               "shapes of a product");
}

/* Whose bytes are unsigned. */
typedef enum in_c_sign { IN_C_SIGNED, IN_C_A_UNSIGNED, IN_C_B_UNSIGNED } in_c_sign;

static inline int in_c_byte(const uint8_t *x, int is_unsigned)
{
    return is_unsigned ? *x : (int8_t)*x;
}

static inline void in_c_dot_bytes(int c, int a, int b, in_c_sign sign)
{
    in_c_check_shapes(c, a, b);
    for (int m = 0; m < tiles.rows[c]; m++)
        for (int n = 0; n < tiles.row_bytes[c] / 4; n++) {
            int32_t sum;
            memcpy(&sum, &tiles.data[c][m][4 * n], 4);
            for (int k = 0; k < tiles.rows[b]; k++)
                for (int i = 0; i < 4; i++)
                    sum += in_c_byte(&tiles.data[a][m][4 * k + i], sign == IN_C_A_UNSIGNED) *
                           in_c_byte(&tiles.data[b][k][4 * n + i], sign == IN_C_B_UNSIGNED);
            memcpy(&tiles.data[c][m][4 * n], &sum, 4);
        }
}

static inline void in_c_dot_bf16(int c, int a, int b)
{
    in_c_check_shapes(c, a, b);
    for (int m = 0; m < tiles.rows[c]; m++)
        for (int n = 0; n < tiles.row_bytes[c] / 4; n++) {
            float sum;
            memcpy(&sum, &tiles.data[c][m][4 * n], 4);
            for (int k = 0; k < tiles.rows[b]; k++)
                for (int i = 0; i < 2; i++) {
                    uint16_t x, y;
                    memcpy(&x, &tiles.data[a][m][4 * k + 2 * i], 2);
                    memcpy(&y, &tiles.data[b][k][4 * n + 2 * i], 2);
                    sum += wh_bf16_float(x) * wh_bf16_float(y);
                }
            memcpy(&tiles.data[c][m][4 * n], &sum, 4);
        }
}

#define amx_configure(p) in_c_configure(p)
#define amx_release() in_c_release()
#define amx_zero(t) in_c_zero(t)
#define amx_load(t, p, stride) in_c_load(t, p, stride)
#define amx_store(t, p, stride) in_c_store(t, p, stride)
#define amx_dot_i8(c, a, b) in_c_dot_bytes(c, a, b, IN_C_SIGNED)
#define amx_dot_us(c, a, b) in_c_dot_bytes(c, a, b, IN_C_A_UNSIGNED)
#define amx_dot_su(c, a, b) in_c_dot_bytes(c, a, b, IN_C_B_UNSIGNED)
#define amx_dot_bf16(c, a, b) in_c_dot_bf16(c, a, b)
