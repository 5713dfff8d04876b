/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/train_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner/shuffle_priv.h"

#define BATCH_MAX 4096

void learn_train_config_default(struct learn_train_config *cfg)
{
    *cfg = (struct learn_train_config){
        .batch = 256,
        .learning_rate = 3e-3F,
        .error_clip = 3.0F,
        .seed = 1,
    };
}

int learn_train_config_check(const struct learn_train_config *cfg, struct atl_error *err)
{
    if (cfg->batch < 1 || cfg->batch > BATCH_MAX)
        return atl_error_set(err, -EINVAL, "training: batch is %u, expected 1 to %d", cfg->batch,
                             BATCH_MAX);
    if (!(cfg->learning_rate > 0.0F && cfg->learning_rate <= 1.0F))
        return atl_error_set(err, -EINVAL,
                             "training: learning_rate is %g, expected above 0 and at most 1",
                             (double)cfg->learning_rate);
    if (!(cfg->error_clip > 0.0F && cfg->error_clip <= 1e6F))
        return atl_error_set(err, -EINVAL,
                             "training: error_clip is %g, expected above 0 and at most 1e6",
                             (double)cfg->error_clip);
    if (!(cfg->proximal >= 0.0F && cfg->proximal <= 1000.0F))
        return atl_error_set(err, -EINVAL, "training: proximal is %g, expected 0 to 1000",
                             (double)cfg->proximal);
    return 0;
}

static int trainer_init(struct learn_trainer *trainer, const struct learn_model *start)
{
    trainer->shape = start->shape;
    trainer->layout = start->layout;
    trainer->params = learn_floats(start->layout.params);
    trainer->grad = learn_floats(start->layout.params);
    trainer->sum = calloc(start->layout.params, sizeof(*trainer->sum));
    if (trainer->params == NULL || trainer->grad == NULL || trainer->sum == NULL)
        return -ENOMEM;
    memcpy(trainer->params, start->params, start->layout.params * sizeof(float));
    if (trainer->cfg.proximal > 0.0F) {
        trainer->start = learn_floats(start->layout.params);
        if (trainer->start == NULL)
            return -ENOMEM;
        memcpy(trainer->start, start->params, start->layout.params * sizeof(float));
    }
    int r = learn_adam_init(&trainer->adam, start->layout.params);
    if (r < 0)
        return r;
    return learn_tape_init(&trainer->tape, &start->layout);
}

int learn_trainer_create(struct learn_trainer **ret_trainer, const struct learn_model *start,
                         const struct learn_train_config *cfg, struct atl_error *err)
{
    int r = learn_train_config_check(cfg, err);
    if (r < 0)
        return r;
    struct learn_trainer *trainer = calloc(1, sizeof(*trainer));
    if (trainer == NULL)
        return atl_error_set(err, -ENOMEM, "training: out of memory");
    trainer->cfg = *cfg;
    atl_rng_init_seed(&trainer->rng, cfg->seed);
    r = trainer_init(trainer, start);
    if (r < 0) {
        learn_trainer_destroy(trainer);
        return atl_error_set(err, r, "training: out of memory for %u parameters",
                             start->layout.params);
    }
    learn_dense_one_thread();
    *ret_trainer = trainer;
    return 0;
}

void learn_trainer_destroy(struct learn_trainer *trainer)
{
    if (trainer == NULL)
        return;
    learn_tape_finish(&trainer->tape);
    learn_adam_finish(&trainer->adam);
    free(trainer->sum);
    free(trainer->grad);
    free(trainer->start);
    free(trainer->params);
    free(trainer);
}

void learn_trainer_put(struct learn_trainer *trainer, uint32_t at, const float *row)
{
    size_t n_in = trainer->layout.dim[0];
    memcpy(trainer->tape.in[0] + at * n_in, row, n_in * sizeof(float));
}

void learn_trainer_pull(struct learn_trainer *trainer, double rows)
{
    if (trainer->start == NULL)
        return;
    float pull = (float)(rows * (double)trainer->cfg.proximal);
    for (uint32_t k = 0; k < trainer->layout.params; k++)
        trainer->grad[k] += pull * (trainer->params[k] - trainer->start[k]);
}

/* @return sum of the losses of the rows at places first … first + batch - 1 */
static double plain_step(struct learn_trainer *trainer, const float *rows,
                         const struct learn_shuffle *order, uint32_t first, uint32_t batch)
{
    size_t n_in = trainer->layout.dim[0];
    double loss = 0;
    memset(trainer->grad, 0, trainer->layout.params * sizeof(float));
    uint32_t slices = (batch + LEARN_SLICE - 1) / LEARN_SLICE, even = (batch + slices - 1) / slices;
    for (uint32_t done = 0; done < batch;) {
        uint32_t slice = batch - done < even ? batch - done : even;
        for (uint32_t i = 0; i < slice; i++)
            learn_trainer_put(trainer, i, rows + learn_shuffle_at(order, first + done + i) * n_in);
        loss += learn_tape_run(&trainer->tape, trainer->params, slice, trainer->cfg.error_clip);
        learn_tape_gradient(&trainer->tape, slice, trainer->grad);
        done += slice;
    }
    learn_trainer_pull(trainer, batch);
    learn_adam_step(&trainer->adam, trainer->params, trainer->grad, 1.0F / (float)batch,
                    trainer->cfg.learning_rate);
    return loss;
}

float learn_trainer_run(struct learn_trainer *trainer, const float *rows, uint32_t n,
                        uint32_t steps)
{
    if (n == 0)
        return 0.0F;
    struct learn_shuffle order = {0};
    double loss = 0, last_pass = NAN;
    uint32_t at = 0;
    for (uint32_t step = 0; step < steps; step++) {
        if (at == 0)
            learn_shuffle_init(&order, n, atl_rng_u64(&trainer->rng));
        uint32_t batch = n - at < trainer->cfg.batch ? n - at : trainer->cfg.batch;
        loss += plain_step(trainer, rows, &order, at, batch);
        at += batch;
        if (at == n) {
            last_pass = loss / n;
            loss = 0;
            at = 0;
        }
    }
    if (isnan(last_pass)) /* not one whole pass */
        return at == 0 ? 0.0F : (float)(loss / at);
    return (float)last_pass;
}

const float *learn_trainer_params(const struct learn_trainer *trainer)
{
    return trainer->params;
}

int learn_trainer_model(const struct learn_trainer *trainer, struct learn_model **ret_model,
                        struct atl_error *err)
{
    for (uint32_t k = 0; k < trainer->layout.params; k++) {
        if (!isfinite(trainer->params[k]))
            return atl_error_set(err, -ERANGE,
                                 "training diverged: a parameter is no longer finite; lower "
                                 "learning_rate (%g)",
                                 (double)trainer->cfg.learning_rate);
    }
    return learn_model_from_params(ret_model, &trainer->shape, trainer->params, err);
}
