/* SPDX-License-Identifier: Apache-2.0 */
/* A random order of 0 … n-1 that needs no memory: training cannot fail for want of it. */
#ifndef LEARN_SHUFFLE_PRIV_H
#define LEARN_SHUFFLE_PRIV_H

#include "base/base.h"

struct learn_shuffle {
    uint64_t key;
    uint32_t n;
    uint32_t half_bits;
};

/** @param n  ≥ 1 */
void learn_shuffle_init(struct learn_shuffle *shuffle, uint32_t n, uint64_t key);
/** The index at place i < n of this order; a bijection of 0 … n-1. */
ATL_HOT uint32_t learn_shuffle_at(const struct learn_shuffle *shuffle, uint32_t i);

#endif
