/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Isolation forest (Liu, Ting & Zhou 2008): random cuts set what is rare or far off apart from the
 * rest after few steps, where a dense crowd takes many. It knows nothing of the autoencoder's
 * reasons, so the two err in different places.
 */
#ifndef LEARN_FOREST_PRIV_H
#define LEARN_FOREST_PRIV_H

#include "learner/learner.h"

#define LEARN_FOREST_NODES_MAX (1U << 21)
#define LEARN_FOREST_COLUMN    511U /* the low nine bits of learn_forest_node.to */
#define LEARN_FOREST_SHIFT     9
#define LEARN_FOREST_DEPTH_MAX 16

_Static_assert(LEARN_INPUTS_MAX <= LEARN_FOREST_COLUMN + 1, "a column must fit a node");

/**
 * Where next: child + (x[column] > cut). A leaf leads to itself with cut = +inf, which nothing
 * exceeds, so that every walk takes the same number of steps and needs no branch.
 */
struct learn_forest_node {
    float cut;
    uint32_t to; /* child << LEARN_FOREST_SHIFT | column */
};

struct learn_forest {
    uint32_t trees, sample, nodes, depth; /* depth: steps of the longest walk */
    uint32_t root[LEARN_FOREST_TREES_MAX];
    struct learn_forest_node *node; /* (nodes), children behind their parents */
    float *length;                  /* (nodes) expected path length of a leaf; 0 inside */
};

/** @param rows (n, n_in) finite, n ≥ 2. @return 0, -EINVAL, -ENOMEM */
int learn_forest_create(struct learn_forest **ret_forest, const float *rows, uint32_t n,
                        uint32_t n_in, const struct learn_forest_config *cfg,
                        struct atl_error *err);
/** From the arrays of a file, all checked. @return 0, -EBADMSG, -ENOMEM */
int learn_forest_from_arrays(struct learn_forest **ret_forest, const struct learn_forest *facts,
                             const struct learn_forest_node *node, const float *length,
                             uint32_t n_in);
int learn_forest_copy(struct learn_forest **ret_forest, const struct learn_forest *forest);
void learn_forest_destroy(struct learn_forest *forest); /* NULL is fine */

/** statistic = 2^(-mean path / usual path) of n rows, 0 < statistic ≤ 1, high for what is easily
 * set apart. Any x is safe; it is for the caller to know what a NaN means. */
ATL_HOT void learn_forest_statistics(const struct learn_forest *forest, const float *x, uint32_t n,
                                     uint32_t n_in, double *statistic);

#endif
