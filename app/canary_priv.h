/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that the hub's operator trusts, and how well a model rebuilds them. */
#ifndef CANARY_PRIV_H
#define CANARY_PRIV_H

#include "learner/learner.h"

#define CANARY_ROWS 4096 /* a fair sample of the capture's flows */

struct canary;

/** The flows of a capture of normal traffic, as the flow view sees them. @return 0, -EINVAL (too
 * few), negative errno; one line in *err */
int canary_open(struct canary **ret_canary, const char *path, struct atl_error *err);
void canary_close(struct canary *canary); /* NULL is fine */
uint32_t canary_rows(const struct canary *canary);
/** Mean training loss of parameters of the flow model; NAN when it cannot be told: that spoils. */
double canary_judge(const struct canary *canary, const float *params, uint32_t n);

#endif
