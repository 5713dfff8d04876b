/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sketch: how many distinct things there were in a sliding window, in 640 bytes.
 *
 * A window is the running slice of time and the four before it; the caller numbers them and turns
 * the sketch at each new one. Exact up to 128 things; then HyperLogLog (Flajolet et al. 2007) with
 * a set of 128 registers for each slice, whose union is counted: standard error 9 %.
 */
#ifndef FEAT_SKETCH_PRIV_H
#define FEAT_SKETCH_PRIV_H

#include "dataplane/dataplane.h"

#define SKETCH_AGES      5
#define SKETCH_EXACT     128
#define SKETCH_REGISTERS 128

struct sketch {
    uint16_t n;  /* things held; not exact: things added since the last turn, saturating */
    bool hashed; /* the registers are in use */
    union {
        struct {
            uint32_t hash[SKETCH_EXACT];
            uint8_t slice[SKETCH_EXACT]; /* last seen, low bits */
        } exact;
        uint8_t rank[SKETCH_AGES][SKETCH_REGISTERS];
    };
};

/** Slice number `slice` begins, `steps` after the one before: forget what left the window. */
void feat_sketch_turn(struct sketch *sketch, uint32_t slice, uint32_t steps);
/** @param hash  keyed, uniform */
void feat_sketch_add(struct sketch *sketch, uint32_t slice, uint64_t hash);
double feat_sketch_count(const struct sketch *sketch);

/** The same for what the dataplane counted: registers of a window's slices, union counted. */
void feat_sketch_merge(struct dp_distinct *into, const struct dp_distinct *from);
double feat_sketch_distinct(const struct dp_distinct *const *slices, uint32_t n);

#endif
