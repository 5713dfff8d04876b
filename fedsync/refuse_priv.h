/* SPDX-License-Identifier: Apache-2.0 */
/* Refused messages: every one is counted, and a flood of them stays a few lines in the log. */
#ifndef FED_REFUSE_PRIV_H
#define FED_REFUSE_PRIV_H

#include "fedsync/fedsync.h"

#define FED_REFUSAL_KINDS 16

struct fed_refusals {
    fed_log_fn log;
    void *ctx;
    uint64_t count[FED_REFUSAL_KINDS];
};

/** One line to the log; NULL log is silent. */
void fed_logf(fed_log_fn log, void *ctx, const char *fmt, ...) ATL_PRINTF(3, 4);

/**
 * Count one refusal by reason and log the 1st, 2nd, 4th, 8th … of each.
 * @param topic   hostile bytes are made harmless
 * @param detail  what exactly was wrong, or NULL
 */
void fed_refuse(struct fed_refusals *refusals, int code, const char *topic, const char *detail);
uint64_t fed_refused(const struct fed_refusals *refusals, int code);
uint64_t fed_refused_total(const struct fed_refusals *refusals);

#endif
