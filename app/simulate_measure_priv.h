/* SPDX-License-Identifier: Apache-2.0 */
/* How well parameters tell attacks from normal rows. */
#ifndef SIMULATE_MEASURE_PRIV_H
#define SIMULATE_MEASURE_PRIV_H

#include "app/simulate_data_priv.h"

/**
 * Area under the ROC curve, of a row's training loss as its score.
 * @param ret_auc   over the whole test set
 * @param site_auc  (n_sites) or NULL: an edge's own normal rows against all attacks of the test
 * set: of the test set where its rows have edges, else those it trained on; NAN for an edge without
 * any
 * @return 0, -ENOMEM
 */
int simulate_measure(const struct simulate_data *data, const float *params, double *ret_auc,
                     double *site_auc);

/** Mean loss on the canary's rows; NAN when it cannot be told. */
double simulate_canary(const struct simulate_data *data, const float *params);

#endif
