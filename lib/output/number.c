/* number.c - floating-point numbers as Python's repr() writes them.
 *
 * Neither the way to digits nor the way back sees a decimal point, so a program's locale does not matter. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output/writers.h"

#define MAX_DIGITS 17

/* A positive number as 0.DIGITS times ten to the power of `point`. */
typedef struct decimal {
    char digits[MAX_DIGITS + 1];
    int n, point;
} decimal;

static double value_of(const decimal *d)
{
    char text[64];
    snprintf(text, sizeof text, "%se%d", d->digits, d->point - d->n);
    return strtod(text, NULL);
}

/* The n digits nearest to x. */
static void round_to(double x, int n, decimal *d)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", n - 1, x);
    d->n = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            d->digits[d->n++] = *p;
    d->digits[d->n] = 0;
    d->point = (int)strtol(p + 1, NULL, 10) + 1;
}

/* Count the last digit up by one. */
static void next_up(decimal *d)
{
    int i = d->n - 1;
    while (i >= 0 && d->digits[i] == '9')
        d->digits[i--] = '0';
    if (i >= 0) {
        d->digits[i]++;
    } else {
        d->digits[0] = '1'; /* 99 becomes 10, a place further left */
        d->point++;
    }
}

/* The fewest digits that read back as x. Above a power of two its neighbour is twice as far away as below, so there the
 * second nearest digits may do where the nearest do not (2 ** -24 needs 16 digits, not 17). */
static void shortest(double x, decimal *d)
{
    for (int n = 1; n < MAX_DIGITS; n++) {
        round_to(x, n, d);
        if (value_of(d) == x)
            break;
        next_up(d);
        if (value_of(d) == x)
            break;
    }
    if (value_of(d) != x)
        round_to(x, MAX_DIGITS, d);
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->digits[--d->n] = 0;
}

static void put_zeros(wh_buf *out, int n)
{
    while (n-- > 0)
        wh_buf_puts(out, "0");
}

static void put_fixed(wh_buf *out, const decimal *d)
{
    int whole = WH_MAX(0, WH_MIN(d->point, d->n)); /* digits before the point */
    if (d->point <= 0)
        wh_buf_puts(out, "0");
    wh_buf_append(out, d->digits, (size_t)whole);
    put_zeros(out, d->point - d->n);
    wh_buf_puts(out, ".");
    put_zeros(out, -d->point);
    wh_buf_puts(out, whole < d->n ? d->digits + whole : "0");
}

void wh_put_double(wh_buf *out, double x)
{
    if (isnan(x)) {
        wh_buf_puts(out, "NaN");
        return;
    }
    wh_buf_puts(out, signbit(x) ? "-" : "");
    x = fabs(x);
    if (isinf(x)) {
        wh_buf_puts(out, "Infinity");
        return;
    }
    decimal d;
    shortest(x, &d);
    if (d.point > -4 && d.point <= 16) {
        put_fixed(out, &d);
        return;
    }
    wh_buf_append(out, d.digits, 1);
    if (d.n > 1)
        wh_buf_printf(out, ".%s", d.digits + 1);
    wh_buf_printf(out, "e%c%02d", d.point > 0 ? '+' : '-', abs(d.point - 1));
}
