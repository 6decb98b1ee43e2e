/* score.c - a row of features to a chance: a logistic function over a linear part and a few units of tanh.
 *
 * The numbers in table.h are fitted by bench/confidence/fit.py, whose score() this repeats. */
#include <math.h>

#include "confidence/confidence.h"
#include "confidence/table.h"

#define FARTHEST 4.0 /* deviations from the mean; what lies beyond counts as that */
#define LEAST 0.001  /* nothing is certain, one way or the other */

double wh_confidence_score(const float *features)
{
    double z[WH_FEATURES], odds = bias;
    for (int k = 0; k < WH_FEATURES; k++) {
        double x = ((double)features[k] - mean[k]) / scale[k];
        z[k] = WH_MAX(-FARTHEST, WH_MIN(x, FARTHEST));
        odds += linear[k] * z[k];
    }
    for (int h = 0; h < HIDDEN; h++) {
        double sum = shift[h];
        for (int k = 0; k < WH_FEATURES; k++)
            sum += inner[h * WH_FEATURES + k] * z[k];
        odds += outer[h] * tanh(sum);
    }
    return WH_MAX(LEAST, WH_MIN(1 / (1 + exp(-odds)), 1 - LEAST));
}
