/* SPDX-License-Identifier: Apache-2.0 */
/* What an edge's trainer does, with numbers that come again from the same seed. */
#ifndef SIMULATE_TRAIN_PRIV_H
#define SIMULATE_TRAIN_PRIV_H

#include "app/config_priv.h"
#include "learner/learner.h"

struct simulate_training {
    const struct learn_shape *shape;
    const struct config *cfg; /* federation.*: rates, clip */
    double noise_multiplier;  /* 0 = plain training */
    float proximal;
    uint32_t steps;
    uint64_t seed; /* of the rows' order, the samples and the noise: a simulation's noise only */
};

/**
 * @param start  parameters to begin from
 * @param out    those reached; may be `start`
 * @return 0, -EINVAL, -ENOMEM, -ERANGE (diverged)
 */
int simulate_train(const struct simulate_training *training, const float *start, const float *rows,
                   uint32_t n, float *out, struct atl_error *err);

/** One seed out of several numbers. */
uint64_t simulate_seed(uint64_t seed, uint64_t a, uint64_t b);

#endif
