/* SPDX-License-Identifier: Apache-2.0 */
/* What a time of the day or of the week usually holds: one robust mean per slot. */
#ifndef LEARN_SEASON_PRIV_H
#define LEARN_SEASON_PRIV_H

#include "base/base.h"

#define SEASON_SLOTS_MAX 2016

/** Plain numbers: may be copied and saved byte by byte. */
struct learn_season {
    double mean[SEASON_SLOTS_MAX];
    double sum; /* of the slot that is being filled */
    uint32_t filled;
    uint32_t slot; /* the one being filled */
    uint16_t visits[SEASON_SLOTS_MAX];
    uint32_t slots, period_s;
};

/** @param slots  1 … SEASON_SLOTS_MAX, each period_s / slots seconds wide */
void learn_season_init(struct learn_season *season, uint32_t period_s, uint32_t slots);
/** @return true when the slot of this time was seen in two periods before; then *ret_mean */
bool learn_season_get(const struct learn_season *season, double wall_s, double *ret_mean);
/** A slot takes its rows' mean when time leaves it, by at most `limit` once it is known. */
void learn_season_put(struct learn_season *season, double wall_s, double value, double limit);
/** Every number in its range: what saved state must hold to be used. */
bool learn_season_ok(const struct learn_season *season);

#endif
