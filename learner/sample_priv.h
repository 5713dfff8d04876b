/* SPDX-License-Identifier: Apache-2.0 */
/* Poisson samples of privacy units: single rows, or all rows of one host. */
#ifndef LEARN_SAMPLE_PRIV_H
#define LEARN_SAMPLE_PRIV_H

#include "base/base.h"

struct learn_sample {
    uint32_t n, n_units;
    uint32_t *member; /* (n) rows, those of one unit side by side; NULL: each row is a unit */
    uint32_t *first;  /* (n_units + 1) where each unit's begin in member */
    /* the last sample */
    uint32_t *row; /* (n_rows) unit by unit */
    uint32_t *end; /* (n_taken) where each unit's end in row; NULL with member */
    uint32_t n_rows, n_taken;
};

/**
 * @param unit  (n) equal for rows of one unit, or NULL: each row is its own
 * @return 0, -ENOMEM
 */
int learn_sample_init(struct learn_sample *sample, const uint64_t *unit, uint32_t n);
void learn_sample_finish(struct learn_sample *sample); /* zeroed is fine */
/** Each unit joins with probability `rate`, independently, with all its rows, or `most` of them by
 * chance where it has more. */
void learn_sample_draw(struct learn_sample *sample, double rate, uint32_t most,
                       struct atl_rng *rng);

/** Where the rows of the sample's unit i end. */
static inline uint32_t learn_sample_end(const struct learn_sample *sample, uint32_t i)
{
    return sample->end != NULL ? sample->end[i] : i + 1;
}

#endif
