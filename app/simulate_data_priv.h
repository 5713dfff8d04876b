/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulated federation learns from and is measured on: rows in memory, edge by edge. */
#ifndef SIMULATE_DATA_PRIV_H
#define SIMULATE_DATA_PRIV_H

#include "app/config_priv.h"
#include "learner/learner.h"

#define SIMULATE_EDGES_MAX 1000
#define SIMULATE_ROWS_MAX  (8U << 20)
#define SIMULATE_NOWHERE   UINT32_MAX /* a test row of no edge */

struct simulate_site {
    char name[CONFIG_NAME_BYTES];
    uint32_t first, n; /* rows of `train` */
};

struct simulate_rows {
    float *x; /* (n, inputs) */
    uint32_t *site;
    bool *attack;
    uint32_t n, room;
};

struct simulate_data {
    struct learn_shape shape;
    struct simulate_rows train; /* normal rows, those of one edge together */
    struct simulate_rows test;
    float *canary; /* (n_canary, inputs) taken out of train */
    uint32_t n_canary;
    struct simulate_site *sites;
    uint32_t n_sites;
    bool test_has_sites; /* test rows say whose they are */
};

/**
 * Read everything the configuration names. Columns, vocabularies and scales of a CSV are those of
 * all normal training rows together: the schema that a federation agrees on before its first round.
 * Those of captures are fixed by the flow view.
 * @param scratch  folder for a joined file, where there are several
 * @return 0 or negative errno with a line in *err; finish it in any case
 */
int simulate_data_read(struct simulate_data *data, const struct config *cfg, const char *scratch,
                       struct atl_error *err);
void simulate_data_finish(struct simulate_data *data);

/** Rows of an edge. */
static inline const float *simulate_site_rows(const struct simulate_data *data, uint32_t site)
{
    return data->train.x + (size_t)data->sites[site].first * data->shape.n_in;
}

#endif
