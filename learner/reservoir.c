/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/learner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MAX (1U << 24)

struct learn_reservoir {
    float *data;
    uint64_t *unit;
    uint64_t offered;
    uint32_t capacity, n_in;
    struct atl_rng rng;
};

int learn_reservoir_create(struct learn_reservoir **ret_reservoir, uint32_t capacity_rows,
                           uint32_t n_in, uint64_t seed)
{
    if (capacity_rows == 0 || capacity_rows > CAPACITY_MAX || n_in == 0 || n_in > LEARN_INPUTS_MAX)
        return -EINVAL;
    struct learn_reservoir *reservoir = calloc(1, sizeof(*reservoir));
    if (reservoir == NULL)
        return -ENOMEM;
    reservoir->capacity = capacity_rows;
    reservoir->n_in = n_in;
    reservoir->data = calloc((size_t)capacity_rows * n_in, sizeof(float));
    reservoir->unit = calloc(capacity_rows, sizeof(*reservoir->unit));
    if (reservoir->data == NULL || reservoir->unit == NULL) {
        learn_reservoir_destroy(reservoir);
        return -ENOMEM;
    }
    atl_rng_init_seed(&reservoir->rng, seed);
    *ret_reservoir = reservoir;
    return 0;
}

void learn_reservoir_destroy(struct learn_reservoir *reservoir)
{
    if (reservoir == NULL)
        return;
    free(reservoir->data);
    free(reservoir->unit);
    free(reservoir);
}

void learn_reservoir_offer(struct learn_reservoir *reservoir, const float *row)
{
    learn_reservoir_offer_unit(reservoir, row, 0);
}

void learn_reservoir_offer_unit(struct learn_reservoir *reservoir, const float *row, uint64_t unit)
{
    uint64_t place = reservoir->offered++;
    if (place >= reservoir->capacity)
        place = atl_rng_below(&reservoir->rng, reservoir->offered);
    if (place >= reservoir->capacity)
        return;
    memcpy(reservoir->data + place * reservoir->n_in, row, reservoir->n_in * sizeof(float));
    reservoir->unit[place] = unit;
}

uint32_t learn_reservoir_rows(const struct learn_reservoir *reservoir)
{
    return reservoir->offered < reservoir->capacity ? (uint32_t)reservoir->offered
                                                    : reservoir->capacity;
}

uint64_t learn_reservoir_offered(const struct learn_reservoir *reservoir)
{
    return reservoir->offered;
}

const float *learn_reservoir_data(const struct learn_reservoir *reservoir)
{
    return reservoir->data;
}

const uint64_t *learn_reservoir_units(const struct learn_reservoir *reservoir)
{
    return reservoir->unit;
}
