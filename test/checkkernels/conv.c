/* conv.c - convolutions (kernels/cpu/conv.h): tiles against the sum written out, integers and what stands between products
 * bit for bit at every level. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checkkernels/check.h"

#define PANEL WH_CONV_PANEL

/* A product of random shape: pieces anywhere in x, in any order, and rows that overlap or not. */
typedef struct tile_case {
    wh_conv_in in;
    wh_conv_out out;
    int rows;
    size_t k, extent; /* k: elements of a row; extent: of x */
    size_t pieces[4];
    float *y; /* [rows][ldy] */
} tile_case;

static float *floats(size_t n, float spread)
{
    float *x = check_alloc(n * sizeof *x, sizeof *x);
    check_fill(x, n, spread, 0);
    return x;
}

static void make_case(tile_case *c)
{
    c->rows = (int)check_size(1, WH_CONV_ROWS);
    c->in = (wh_conv_in){.ldx = check_size(0, 50), .pieces = c->pieces, .n_pieces = check_size(1, 4)};
    c->in.length = 4 * check_size(1, 60);
    c->k = c->in.n_pieces * c->in.length;
    c->extent = 0;
    for (size_t p = 0; p < c->in.n_pieces; p++) {
        c->pieces[p] = check_size(0, 300);
        c->extent = c->pieces[p] > c->extent ? c->pieces[p] : c->extent;
    }
    c->extent += (size_t)(c->rows - 1) * c->in.ldx + c->in.length;
    c->in.scale = floats((size_t)c->rows, 1);
    c->out = (wh_conv_out){.scale = floats(PANEL, 1),
                           .bias = floats(PANEL, 20),
                           .is_rectified = (int)(check_random() % 2),
                           .ldy = PANEL + check_size(0, 9)};
    size_t n = (size_t)(c->rows - 1) * c->out.ldy + PANEL;
    c->y = floats(n, 5);
    c->out.y = c->y;
    c->out.more = check_random() % 3 ? NULL : check_random() % 2 ? c->y : floats(n, 5);
}

/* Element i of row r, in x. */
static size_t element(const tile_case *c, int r, size_t i)
{
    return (size_t)r * c->in.ldx + c->pieces[i / c->in.length] + i % c->in.length;
}

/* What out says of a sum; *largest and `more` as they were before the call. */
static float expected(const tile_case *c, int r, int j, float scaled, const float *more)
{
    float y = scaled + c->out.bias[j];
    if (more)
        y += more[(size_t)r * c->out.ldy + (size_t)j];
    return c->out.is_rectified && !(y > 0) ? 0 : y;
}

static void check_floats(const check_level *level)
{
    tile_case c;
    float before[WH_CONV_ROWS * (PANEL + 9)], most = 0;
    make_case(&c);
    float *x = floats(c.extent, 1), *w = check_alloc(c.k * PANEL * sizeof *w, 64);
    check_fill(w, c.k * PANEL, 1, 0);
    c.in.x = x;
    if (c.out.more)
        memcpy(before, c.out.more, ((size_t)(c.rows - 1) * c.out.ldy + PANEL) * sizeof *before);
    float largest = level->conv->tile_f32(&c.in, c.rows, w, &c.out);
    for (int r = 0; r < c.rows; r++)
        for (int j = 0; j < PANEL; j++) {
            double sum = 0;
            for (size_t i = 0; i < c.k; i++)
                sum += (double)x[element(&c, r, i)] * w[i * PANEL + (size_t)j];
            float *got = &c.y[(size_t)r * c.out.ldy + (size_t)j];
            float want = expected(&c, r, j, (float)(sum * c.out.scale[j]), c.out.more ? before : NULL);
            check_close(&want, got, 1, 1e-4, "a tile of floats");
            most = *got > most ? *got : most;
        }
    check_that(most == largest, "the largest of floats");
}

static void check_integers(const check_level *level)
{
    tile_case c;
    float before[WH_CONV_ROWS * (PANEL + 9)], most = 0;
    make_case(&c);
    uint8_t *x = check_alloc(c.extent, 1);
    int8_t *w = check_alloc(c.k * PANEL, 64);
    int is_worst = check_random() % 4 == 0; /* the largest sums that there are */
    for (size_t i = 0; i < c.extent; i++)
        x[i] = is_worst ? 127 : (uint8_t)(check_random() % 128);
    for (size_t i = 0; i < c.k * PANEL; i++)
        w[i] = (int8_t)(is_worst ? -127 : (int)(check_random() % 255) - 127);
    c.in.x = x;
    if (c.out.more)
        memcpy(before, c.out.more, ((size_t)(c.rows - 1) * c.out.ldy + PANEL) * sizeof *before);
    wh_conv_begin(level->conv, c.in.length);
    float largest = level->conv->tile_int8(&c.in, c.rows, w, &c.out);
    wh_conv_end(level->conv);
    for (int r = 0; r < c.rows; r++)
        for (int j = 0; j < PANEL; j++) {
            int32_t sum = 0;
            for (size_t i = 0; i < c.k; i++)
                sum += x[element(&c, r, i)] * w[i / 4 * 4 * PANEL + (size_t)j * 4 + i % 4];
            float *got = &c.y[(size_t)r * c.out.ldy + (size_t)j];
            float want = expected(&c, r, j, (float)sum * (c.in.scale[r] * c.out.scale[j]), c.out.more ? before : NULL);
            check_that(want == *got, "a tile of integers");
            most = *got > most ? *got : most;
        }
    check_that(most == largest, "the largest of integers");
}

static void check_between(const check_level *level)
{
    size_t n = 16 * check_size(1, 64), frames = check_size(1, 200);
    float *x = floats(n, 3), *gain = floats(n, 2), *bias = floats(n, 2), *out = floats(n, 1), most = 0;
    uint8_t *q = check_alloc(n, 1);
    float largest = level->conv->rectify(x, gain, bias, n, out);
    for (size_t i = 0; i < n; i++) {
        float want = x[i] * gain[i] + bias[i];
        check_that(out[i] == (want > 0 ? want : 0), "rectify");
        most = out[i] > most ? out[i] : most;
    }
    check_that(most == largest, "rectify's largest");
    float inverse = most > 0 ? 127 / most : 0;
    level->conv->round(out, inverse, n, q);
    for (size_t i = 0; i < n; i++)
        check_that(q[i] == (int)nearbyintf(out[i] * inverse), "round");

    const float *const rows[] = {floats(frames + 2, 3), floats(frames + 2, 3), floats(frames + 2, 3)};
    float *w = floats(9 * (size_t)PANEL, 1), *b = floats(PANEL, 1), *y = floats(frames * PANEL, 1);
    largest = level->conv->first(rows, frames, w, b, y);
    most = 0;
    for (size_t i = 0; i < frames * PANEL; i++) {
        float want = b[i % PANEL];
        for (size_t t = 0; t < 9; t++)
            want += rows[t / 3][i / PANEL + t % 3] * w[t * PANEL + i % PANEL];
        check_that(y[i] == (want > 0 ? want : 0), "first");
        most = y[i] > most ? y[i] : most;
    }
    check_that(most == largest, "first's largest");
}

static void check(const check_level *level)
{
    check_floats(level);
    check_integers(level);
    check_between(level);
}

/* ---- times: CAM++'s products ---- */

typedef struct timed_conv {
    const wh_conv *conv;
    wh_conv_in in;
    wh_conv_out out;
    const void *w;
    int is_int8;
} timed_conv;

static void run_tile(void *context)
{
    const timed_conv *t = context;
    if (t->is_int8)
        t->conv->tile_int8(&t->in, t->conv->rows, t->w, &t->out);
    else
        t->conv->tile_f32(&t->in, t->conv->rows, t->w, &t->out);
}

static void bench(const check_level *level)
{
    static const struct {
        const char *what;
        size_t ldx, length, n_pieces;
    } shapes[] = {{"3 x 3 taps of 32", 32, 96, 3}, {"3 taps of 128", 128, 128, 3}, {"1 tap of 640", 640, 640, 1}};
    static const size_t pieces[] = {0, 5000, 10000};
    char what[64];
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int is_int8 = 0; is_int8 < 2; is_int8++) {
            size_t k = shapes[s].length * shapes[s].n_pieces, extent = WH_CONV_ROWS * shapes[s].ldx + k + 10000;
            float *x = floats(extent, 0), *w = check_alloc(k * PANEL * sizeof *w, 64);
            memset(w, 0, k * PANEL * sizeof *w);
            timed_conv t = {.conv = level->conv, .w = w, .is_int8 = is_int8};
            t.in = (wh_conv_in){.x = x,
                                .ldx = shapes[s].ldx,
                                .pieces = pieces,
                                .n_pieces = shapes[s].n_pieces,
                                .length = shapes[s].length,
                                .scale = floats(WH_CONV_ROWS, 1)};
            t.out = (wh_conv_out){.scale = floats(PANEL, 1),
                                  .bias = floats(PANEL, 1),
                                  .is_rectified = 1,
                                  .y = floats(WH_CONV_ROWS * (size_t)PANEL, 1),
                                  .ldy = PANEL};
            wh_conv_begin(level->conv, t.in.length);
            snprintf(what, sizeof what, "convolution, %s, %s", shapes[s].what, is_int8 ? "int8" : "f32");
            check_report(level, what, 2.0 * level->conv->rows * PANEL * (double)k, check_time(run_tile, &t),
                         is_int8 ? CHECK_INT8 : CHECK_F32);
            wh_conv_end(level->conv);
            check_free_all();
        }
}

const check_kernel check_conv = {"conv", check, bench};
