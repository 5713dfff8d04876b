/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remember: has this been seen before? Two Bloom filters (Bloom 1970), each of one cache line a key
 * (Putze et al. 2007); when the younger is full or half a day old it becomes the elder, and the
 * elder is forgotten. So memory lasts half a day to a day, less in a flood of new things, and about
 * one new thing in a hundred is taken for known.
 */
#ifndef FEAT_REMEMBER_PRIV_H
#define FEAT_REMEMBER_PRIV_H

#include "base/base.h"

struct remember {
    uint64_t *bits[2]; /* younger, elder */
    uint32_t lines;    /* power of two */
    uint32_t held;     /* by the younger */
    atl_ns began_ns;
};

/** Holds at least so many things. @return 0, -ENOMEM */
int feat_remember_init(struct remember *r, uint32_t things);
void feat_remember_finish(struct remember *r); /* zeroed is fine */
size_t feat_remember_bytes(uint32_t things);
/** Note it. @return whether it was known */
bool feat_remember_add(struct remember *r, uint64_t hash, atl_ns now_ns);

#endif
