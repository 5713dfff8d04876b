/* SPDX-License-Identifier: Apache-2.0 */
/* sets: how tables of fixed memory are cut, so that a look-up is one set of a few entries. */
#ifndef FEAT_SETS_PRIV_H
#define FEAT_SETS_PRIV_H

#include <stdint.h>

#define FEAT_WAYS 8

/** A power of two of sets that hold at least so many entries. */
static inline uint32_t feat_sets_for(uint32_t entries_max)
{
    uint32_t sets = 1;
    while (sets * FEAT_WAYS < entries_max)
        sets *= 2;
    return sets;
}

#endif
