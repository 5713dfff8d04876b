/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded false alerts: signals wait for the end of a short look, and only those pass that
 * Benjamini & Hochberg's procedure calls discoveries among all that was tested in it. However many
 * hosts are watched, a quiet network then raises at most `hourly` false alerts an hour. Signals too
 * rare to be held back by any number of tests pass at once.
 */
#ifndef GATE_PRIV_H
#define GATE_PRIV_H

#include "alerts/alerts.h"

struct gate_config {
    double hourly; /* expected false alerts an hour at most; 0 = everything passes at once */
    atl_ns look_ns;
    uint64_t tests_max; /* in one look */
};

struct gate;
/** @param pass  called for each signal that passes. @return 0, -ENOMEM */
int gate_create(struct gate **ret_gate, const struct gate_config *cfg,
                void (*pass)(void *ctx, const struct alert_signal *signal), void *ctx);
void gate_destroy(struct gate *gate); /* NULL is fine */
/** Something was tested, whatever came out. */
void gate_count(struct gate *gate);
/** A tested thing would be alerted on. @param p_value  of this test */
void gate_offer(struct gate *gate, const struct alert_signal *signal, double p_value);
/** End the look when it is over; `flush` ends it now. */
void gate_step(struct gate *gate, atl_ns now_ns, bool flush);
/** Signals held back for good. */
uint64_t gate_withheld(const struct gate *gate);
/** A p-value at or below this passes at once. */
double gate_certain(const struct gate *gate);

#endif
