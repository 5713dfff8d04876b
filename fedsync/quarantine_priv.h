/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edges that spoiled rounds: a text file of lines "<edge> <rounds spoiled>" in the hub's folder. An
 * operator forgives an edge by removing its line while the hub is stopped.
 */
#ifndef FED_QUARANTINE_PRIV_H
#define FED_QUARANTINE_PRIV_H

#include "fedsync/fedsync.h"

struct fed_quarantine {
    uint32_t n;
    struct {
        char edge[FED_NAME_BYTES];
        uint32_t strikes;
    } entries[FED_EDGES_MAX];
};

/** A missing file is an empty list. @return 0, -EBADMSG with the line, or what reading gave */
int fed_quarantine_load(struct fed_quarantine *ret_list, const char *dir, struct atl_error *err);
/** One more spoiled round; on disk when this returns 0. */
int fed_quarantine_strike(struct fed_quarantine *list, const char *dir, const char *edge,
                          struct atl_error *err);
/** Rounds that this edge spoiled. */
uint32_t fed_quarantine_strikes(const struct fed_quarantine *list, const char *edge);

#endif
