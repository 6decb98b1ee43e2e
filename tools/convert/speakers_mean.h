/* speakers_mean.h - the mean of CAM++'s unit embeddings over many voices, which is taken off before embeddings are compared.
 * Zeros as long as nothing is gained by it. */
#ifndef CONVERT_SPEAKERS_MEAN_H
#define CONVERT_SPEAKERS_MEAN_H

static const float speakers_mean[192] = {0};

#endif
