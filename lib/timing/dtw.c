/* dtw.c - a median filter and dynamic time warping over plain matrices. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "timing/timing.h"

#define MAX_WIDTH 63

/* The middle one of n values, which are sorted in place. They are few: insertion is the fastest way. */
static float median(float *values, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        float value = values[i];
        size_t k = i;
        for (; k > 0 && values[k - 1] > value; k--)
            values[k] = values[k - 1];
        values[k] = value;
    }
    return values[n / 2];
}

static float lesser(float a, float b)
{
    return a < b ? a : b;
}

static float greater(float a, float b)
{
    return a > b ? a : b;
}

static float middle(float a, float b, float c)
{
    return greater(lesser(a, b), lesser(greater(a, b), c));
}

/* The median of x[0 .. 7), without a branch, so that several are found at a time. The least and the greatest of two sorted
 * threes are on different sides of it; of the five that are left it is the middle of the last one and of the two that
 * are neither least nor greatest. */
static float median_of_7(const float *x)
{
    float a = lesser(lesser(x[0], x[1]), x[2]), b = middle(x[0], x[1], x[2]), c = greater(greater(x[0], x[1]), x[2]);
    float d = lesser(lesser(x[3], x[4]), x[5]), e = middle(x[3], x[4], x[5]), f = greater(greater(x[3], x[4]), x[5]);
    a = greater(a, d);
    c = lesser(c, f);
    return middle(x[6], greater(lesser(a, b), lesser(c, e)), lesser(greater(a, b), greater(c, e)));
}

void wh_median_filter(float *x, size_t rows, size_t n, size_t width, float *scratch)
{
    size_t half = width / 2;
    float around[MAX_WIDTH];
    if (n <= half || width > MAX_WIDTH)
        return;
    for (size_t r = 0; r < rows; r++, x += n) {
        memcpy(scratch + half, x, n * sizeof *x);
        for (size_t k = 1; k <= half; k++) {
            scratch[half - k] = x[k];
            scratch[half + n - 1 + k] = x[n - 1 - k];
        }
        for (size_t i = 0; i < n && width == 7; i++)
            x[i] = median_of_7(scratch + i);
        for (size_t i = 0; i < n && width == 3; i++)
            x[i] = middle(scratch[i], scratch[i + 1], scratch[i + 2]);
        for (size_t i = 0; i < n && width != 7 && width != 3; i++) {
            memcpy(around, scratch + i, width * sizeof *around);
            x[i] = median(around, width);
        }
    }
}

enum step { DIAGONAL, UP, LEFT };

/* Walk back from the last corner, then turn the path round. */
static size_t trace_back(const unsigned char *steps, size_t rows, size_t n, int *rows_of_path, int *columns_of_path)
{
    size_t i = rows, j = n, length = 0; /* counted from 1 */
    while (i > 0 && j > 0) {
        rows_of_path[length] = (int)i - 1;
        columns_of_path[length++] = (int)j - 1;
        enum step step = i == 1 ? LEFT : j == 1 ? UP : (enum step)steps[(j - 1) * rows + i - 1];
        i -= step != LEFT;
        j -= step != UP;
    }
    for (size_t a = 0, b = length; a + 1 < b; a++) {
        int row = rows_of_path[a], column = columns_of_path[a];
        b--;
        rows_of_path[a] = rows_of_path[b];
        columns_of_path[a] = columns_of_path[b];
        rows_of_path[b] = row;
        columns_of_path[b] = column;
    }
    return length;
}

int wh_dtw(const float *cost, size_t rows, size_t n, int *rows_of_path, int *columns_of_path, size_t *length)
{
    unsigned char *steps = wh_calloc(n, rows);                 /* [n][rows] */
    float *column = wh_calloc(2 * (rows + 1), sizeof *column); /* [2][rows + 1]: the last one and this one */
    if (!steps || !column) {
        free(steps);
        free(column);
        return wh_fail_memory();
    }
    float *last = column, *now = column + rows + 1;
    for (size_t i = 1; i <= rows; i++)
        last[i] = INFINITY;
    now[0] = INFINITY;
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 1; i <= rows; i++) {
            float diagonal = last[i - 1], up = now[i - 1], left = last[i];
            enum step step = diagonal < up && diagonal < left ? DIAGONAL : up < diagonal && up < left ? UP : LEFT;
            float before = step == DIAGONAL ? diagonal : step == UP ? up : left;
            now[i] = cost[(i - 1) * n + j] + before;
            steps[j * rows + i - 1] = (unsigned char)step;
        }
        float *other = last;
        last = now;
        now = other;
        now[0] = INFINITY; /* only the first column is entered from nowhere */
    }
    *length = trace_back(steps, rows, n, rows_of_path, columns_of_path);
    free(steps);
    free(column);
    return WHISP_OK;
}
