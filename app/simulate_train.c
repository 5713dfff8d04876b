/* SPDX-License-Identifier: Apache-2.0 */
#include "app/simulate_train_priv.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define BATCH_LEAST 16.0
#define BATCH_MOST  4096.0

/* The finaliser of splitmix64 (Steele, Lea & Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t simulate_seed(uint64_t seed, uint64_t a, uint64_t b)
{
    return mix(mix(mix(seed + UINT64_C(0x9e3779b97f4a7c15)) + a) + b);
}

/* As many rows in a batch as private training would sample on average. */
static uint32_t batch_for(double sample_rate, uint32_t n)
{
    return (uint32_t)fmin(fmin(n, BATCH_MOST), fmax(BATCH_LEAST, rint(sample_rate * n)));
}

static int run(const struct simulate_training *t, struct learn_trainer *trainer, const float *rows,
               uint32_t n, struct atl_error *err)
{
    if (t->noise_multiplier <= 0) {
        learn_trainer_run(trainer, rows, n, t->steps);
        return 0;
    }
    struct atl_rng rng;
    atl_rng_init_seed(&rng, t->seed);
    const struct learn_private private = {.clip = t->cfg->federation.clip,
                                          .noise_multiplier = t->noise_multiplier,
                                          .sample_rate = t->cfg->federation.sample_rate,
                                          .steps = t->steps,
                                          .rng = &rng};
    return learn_trainer_run_private(trainer, rows, n, &private, err);
}

int simulate_train(const struct simulate_training *t, const float *start, const float *rows,
                   uint32_t n, float *out, struct atl_error *err)
{
    struct learn_train_config cfg;
    struct learn_model *model = NULL;
    struct learn_trainer *trainer = NULL;
    learn_train_config_default(&cfg);
    cfg.batch = batch_for(t->cfg->federation.sample_rate, n);
    cfg.learning_rate = (float)t->cfg->federation.learning_rate;
    cfg.proximal = t->proximal;
    cfg.seed = t->seed;
    int r = learn_model_from_params(&model, t->shape, start, err);
    if (r == 0)
        r = learn_trainer_create(&trainer, model, &cfg, err);
    if (r == 0)
        r = run(t, trainer, rows, n, err);
    if (r == 0)
        memcpy(out, learn_trainer_params(trainer), learn_shape_params(t->shape) * sizeof(*out));
    learn_trainer_destroy(trainer);
    learn_model_destroy(model);
    return r;
}
