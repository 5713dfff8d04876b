/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/sample_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct member {
    uint64_t unit;
    uint32_t row;
};

static int by_unit(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->unit != y->unit)
        return x->unit < y->unit ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void group(struct learn_sample *sample, const struct member *members)
{
    for (uint32_t i = 0; i < sample->n; i++) {
        if (i == 0 || members[i].unit != members[i - 1].unit)
            sample->first[sample->n_units++] = i;
        sample->member[i] = members[i].row;
    }
    sample->first[sample->n_units] = sample->n;
}

int learn_sample_init(struct learn_sample *sample, const uint64_t *unit, uint32_t n)
{
    *sample = (struct learn_sample){.n = n, .n_units = unit == NULL ? n : 0};
    sample->row = calloc(n, sizeof(*sample->row));
    if (sample->row == NULL)
        return -ENOMEM;
    if (unit == NULL)
        return 0;
    struct member *members = calloc(n, sizeof(*members));
    sample->member = calloc(n, sizeof(*sample->member));
    sample->first = calloc((size_t)n + 1, sizeof(*sample->first));
    sample->end = calloc(n, sizeof(*sample->end));
    if (members == NULL || sample->member == NULL || sample->first == NULL || sample->end == NULL) {
        free(members);
        learn_sample_finish(sample);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < n; i++)
        members[i] = (struct member){unit[i], i};
    qsort(members, n, sizeof(*members), by_unit);
    group(sample, members);
    free(members);
    return 0;
}

void learn_sample_finish(struct learn_sample *sample)
{
    free(sample->member);
    free(sample->first);
    free(sample->row);
    free(sample->end);
    *sample = (struct learn_sample){0};
}

/* The first steps of a Fisher-Yates shuffle bring `most` members to the front, all equally likely
 */
static void take_unit(struct learn_sample *sample, uint32_t unit, uint32_t most,
                      struct atl_rng *rng)
{
    uint32_t *member = sample->member + sample->first[unit];
    uint32_t all = sample->first[unit + 1] - sample->first[unit];
    uint32_t take = all < most ? all : most;
    for (uint32_t i = 0; i < take; i++) {
        if (all > most) {
            uint32_t j = i + (uint32_t)atl_rng_below(rng, all - i), moved = member[i];
            member[i] = member[j];
            member[j] = moved;
        }
        sample->row[sample->n_rows++] = member[i];
    }
    sample->end[sample->n_taken++] = sample->n_rows;
}

#define DRAWN 64

/* Uniform in (0, 1]: the logarithm exists */
static void draw_units(struct atl_rng *rng, double unit[DRAWN])
{
    uint64_t random[DRAWN];
    atl_rng_fill(rng, random, sizeof(random));
    for (int i = 0; i < DRAWN; i++)
        unit[i] = (double)((random[i] >> 11) + 1) * 0x1p-53;
}

void learn_sample_draw(struct learn_sample *sample, double rate, uint32_t most, struct atl_rng *rng)
{
    /*
     * Independent coins of probability q are the same as geometric gaps between the heads, and
     * cost one random number per sampled unit instead of one per unit. At q = 1 the logarithm is
     * -inf and every gap 0.
     */
    double log_tail = log1p(-rate), unit[DRAWN];
    uint32_t used = DRAWN;
    sample->n_rows = sample->n_taken = 0;
    for (uint32_t at = 0; at < sample->n_units; at++) {
        if (used == DRAWN) {
            draw_units(rng, unit);
            used = 0;
        }
        double gap = floor(log(unit[used++]) / log_tail);
        if (gap >= (double)(sample->n_units - at))
            break;
        at += (uint32_t)gap;
        if (sample->member != NULL) {
            take_unit(sample, at, most, rng);
            continue;
        }
        sample->row[sample->n_rows++] = at;
        sample->n_taken++;
    }
}
