/* SPDX-License-Identifier: Apache-2.0 */
#include "app/canary_priv.h"
#include "app/recipe_priv.h"
#include "app/replay_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define SEED 1 /* the same capture gives the same rows: what one life judged good stays so */

struct canary {
    struct learn_shape shape;
    struct learn_reservoir *rows;
    float error_clip;
};

static int on_flow(void *ctx, const struct dp_flow *flow)
{
    struct canary *c = ctx;
    float x[FEAT_COLUMNS_MAX] = {0}; /* as edges train for others: a record's own columns only */
    feat_flow_vector(flow, x);
    feat_scale_row(view_schema(VIEW_FLOW), x, x);
    recipe_keep_own(VIEW_FLOW, x, 1);
    learn_reservoir_offer(c->rows, x);
    return 0;
}

int canary_open(struct canary **ret_canary, const char *path, struct atl_error *err)
{
    struct canary *c = calloc(1, sizeof(*c));
    struct learn_train_config training;
    struct dp_counters counters;
    if (c == NULL)
        return atl_error_set(err, -ENOMEM, "canary: out of memory");
    recipe_shape(VIEW_FLOW, &c->shape);
    learn_train_config_default(&training);
    c->error_clip = training.error_clip;
    int r = learn_reservoir_create(&c->rows, CANARY_ROWS, c->shape.n_in, SEED);
    if (r < 0)
        r = atl_error_set(err, r, "canary: out of memory");
    const struct replay_ops ops = {.flow = on_flow, .ctx = c};
    if (r == 0)
        r = replay_file(DP_BACKEND_PCAP, DP_KEY_INNER, path, &ops, &counters, err);
    if (r == 0 && canary_rows(c) < RECIPE_ROWS_MIN)
        r = atl_error_set(err, -EINVAL,
                          "federation.canary: %.200s holds %u flows, at least %d expected", path,
                          canary_rows(c), RECIPE_ROWS_MIN);
    if (r < 0) {
        canary_close(c);
        return r;
    }
    *ret_canary = c;
    return 0;
}

void canary_close(struct canary *canary)
{
    if (canary == NULL)
        return;
    learn_reservoir_destroy(canary->rows);
    free(canary);
}

uint32_t canary_rows(const struct canary *canary)
{
    return learn_reservoir_rows(canary->rows);
}

double canary_judge(const struct canary *canary, const float *params, uint32_t n)
{
    double mean;
    if (n != learn_shape_params(&canary->shape) ||
        learn_params_loss(&canary->shape, params, learn_reservoir_data(canary->rows),
                          canary_rows(canary), canary->error_clip, NULL, &mean) < 0)
        return NAN;
    return mean;
}
