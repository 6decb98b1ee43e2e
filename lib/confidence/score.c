/* score.c - a row of features to a chance. */
#include <math.h>

#include "confidence/confidence.h"

double wh_confidence_score(const float *features)
{
    return features[8];
}
