/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may teach: the way of a view's rows from their verdict into the memory that models are
 * trained on. A row beyond the boundary never gets in; the others wait, so that a late verdict on
 * their source can still drop them, and one source may bring only so many an hour.
 *
 * Beside the memory a ring of the newest rows is kept that no model is trained on: what a new model
 * is judged by before it may work. Odd rows are in it, too, or the model that chose the rows would
 * never be found wrong.
 */
#ifndef INTAKE_PRIV_H
#define INTAKE_PRIV_H

#include "learner/learner.h"

struct intake_config {
    uint32_t n_in, rows;  /* of the memory */
    atl_ns delay_ns;      /* that rows wait, 0 = none do */
    uint64_t hourly_rows; /* of one source, 0 = no bound */
    uint32_t n_strata;
    uint64_t seed;
    bool fair_sample; /* also keep a uniform sample, which is what private training promises */
};

/** A row on its way. */
struct intake_row {
    const float *x;
    uint64_t source;
    uint32_t stratum;
    bool normal; /* not beyond the boundary */
};

struct intake;
/** @return 0, -EINVAL, -ENOMEM */
int intake_create(struct intake **ret_intake, const struct intake_config *cfg);
void intake_destroy(struct intake *intake); /* NULL is fine */
/** @param judged  false: no model of this site has judged the row; it need not wait, and none is
 *  held back. @return true when the row was taken in or waits */
bool intake_offer(struct intake *intake, const struct intake_row *row, atl_ns now_ns, bool judged);
/** Let in what has waited long enough; `flush` lets all in. */
void intake_step(struct intake *intake, atl_ns now_ns, bool flush);
/** A verdict on a source: nothing of its last `delay` teaches, nor what of it still waits. */
void intake_forget(struct intake *intake, uint64_t source, atl_ns now_ns);

uint32_t intake_waiting(const struct intake *intake);
uint64_t intake_taken(const struct intake *intake);   /* rows that went into the memory */
uint64_t intake_refused(const struct intake *intake); /* over the hourly bound */
uint64_t intake_forgotten(const struct intake *intake);
const struct learn_strata *intake_memory(const struct intake *intake);
/** NULL without fair_sample. */
const struct learn_reservoir *intake_sample(const struct intake *intake);
/** Rows kept back from training, newest last or not. @return (n, I), n in *ret_n */
const float *intake_held_back(const struct intake *intake, uint32_t *ret_n);

#endif
