/* SPDX-License-Identifier: Apache-2.0 */
#include "app/recipe_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PASSES    20
#define STEPS_MIN 400
#define STEPS_MAX 6000

static const struct recipe {
    uint32_t widths[3];
    double risk;
} recipes[VIEW_COUNT] = {
    [VIEW_FLOW] = {{24, 8, 24}, 1e-3}, /* many flows: single ones may pass, the tally decides */
    [VIEW_HOST] = {{24, 8, 24}, 5e-6}, /* few rows, and a busy host that passes is an alert */
};

void recipe_shape(enum view view, struct learn_shape *shape)
{
    const struct feat_schema *schema = view_schema(view);
    *shape = (struct learn_shape){.n_in = schema->n_columns, .n_widths = 3};
    memcpy(shape->widths, recipes[view].widths, sizeof(recipes[view].widths));
    feat_schema_hash(schema, shape->schema);
}

double recipe_risk(enum view view)
{
    return recipes[view].risk;
}

atl_ns recipe_settle_ns(enum view view, atl_ns longest_timeout_ns, atl_ns window_ns)
{
    return view == VIEW_FLOW ? 2 * longest_timeout_ns : RECIPE_WINDOWS_MIN * window_ns;
}

void recipe_keep_own(enum view view, float *rows, uint32_t n)
{
    const struct feat_schema *schema = view_schema(view);
    size_t other = (schema->n_columns - schema->n_own) * sizeof(float);
    for (uint32_t i = 0; i < n; i++)
        memset(rows + (size_t)i * schema->n_columns + schema->n_own, 0, other);
}

/* Fisher-Yates, so that the held-back fifth is a fair sample. */
static void shuffle(float *rows, uint32_t n, uint32_t columns, uint64_t seed)
{
    struct atl_rng rng;
    float held[FEAT_COLUMNS_MAX];
    size_t bytes = columns * sizeof(float);
    atl_rng_init_seed(&rng, seed);
    for (uint32_t i = n; i > 1; i--) {
        float *a = rows + (size_t)(i - 1) * columns;
        float *b = rows + (size_t)atl_rng_below(&rng, i) * columns;
        memcpy(held, a, bytes);
        memmove(a, b, bytes);
        memcpy(b, held, bytes);
    }
}

static uint32_t steps_for(uint32_t n, uint32_t batch)
{
    uint32_t steps = PASSES * (n / batch + 1);
    if (steps < STEPS_MIN)
        return STEPS_MIN;
    return steps < STEPS_MAX ? steps : STEPS_MAX;
}

static int train(const struct learn_model *start, const float *rows, uint32_t n, uint64_t seed,
                 struct learn_model **ret_model, struct atl_error *err)
{
    struct learn_train_config cfg;
    learn_train_config_default(&cfg);
    cfg.seed = seed;
    struct learn_trainer *trainer;
    int r = learn_trainer_create(&trainer, start, &cfg, err);
    if (r < 0)
        return r;
    learn_trainer_run(trainer, rows, n, steps_for(n, cfg.batch));
    r = learn_trainer_model(trainer, ret_model, err);
    learn_trainer_destroy(trainer);
    return r;
}

int recipe_train(enum view view, const struct learn_model *start, float *rows, uint32_t n,
                 uint64_t seed, const char *origin, struct learn_model **ret_model,
                 struct atl_error *err)
{
    if (n < RECIPE_ROWS_MIN)
        return atl_error_set(err, -EINVAL, "%s view: %u rows to learn from, at least %d expected",
                             view_name(view), n, RECIPE_ROWS_MIN);
    struct learn_shape shape;
    struct learn_model *fresh = NULL, *trained = NULL;
    recipe_shape(view, &shape);
    int r = start != NULL ? 0 : learn_model_create(&fresh, &shape, seed);
    if (r < 0)
        return atl_error_set(err, r, "%s view: no memory for the model", view_name(view));

    shuffle(rows, n, shape.n_in, seed);
    uint32_t held_back = n / 5 < 64 ? 64 : n / 5;
    const float *held = rows + (size_t)(n - held_back) * shape.n_in;
    r = train(start != NULL ? start : fresh, rows, n - held_back, seed, &trained, err);
    if (r == 0)
        r = learn_model_calibrate(ret_model, trained, held, held_back, recipe_risk(view), origin,
                                  err);
    learn_model_destroy(trained);
    learn_model_destroy(fresh);
    return r;
}
