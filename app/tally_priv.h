/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unusual flows per source. One unusual flow means little: a model with risk r marks r of all
 * normal flows. A source is signalled when its count would almost never come from chance.
 */
#ifndef TALLY_PRIV_H
#define TALLY_PRIV_H

#include "features/features.h"

#define TALLY_ENTRIES 4096 /* sources counted at once */

struct tally_entry {
    struct dp_addr addr, last_dst; /* last_dst: of the latest unusual flow */
    uint32_t flows, unusual;
    float worst;                 /* highest score */
    atl_ns first_ns, last_ns;    /* of the unusual ones */
    struct dp_flow sample;       /* the worst flow … */
    float raw[FEAT_COLUMNS_MAX]; /* … and its row, which the caller fills in */
};

struct tally;

int tally_create(struct tally **ret_tally, double risk);
void tally_destroy(struct tally *tally);
/** Count one scored flow. @return the entry when the flow is unusual and its source's worst so far
 */
struct tally_entry *tally_add(struct tally *tally, const struct dp_flow *flow, bool unusual,
                              float score);
/** Upper bound of the probability that chance alone gives as many unusual flows (Chernoff). */
double tally_p_value(const struct tally *tally, const struct tally_entry *entry);
/** Entries in use, for a sweep: NULL at the end. *at starts at 0. */
struct tally_entry *tally_next(struct tally *tally, uint32_t *at);
/** Forget everything: a new window begins. */
void tally_clear(struct tally *tally);

#endif
