/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/train_priv.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "privacy/privacy.h"

#define NOISE_MULTIPLIER_MAX 1e6 /* × 2^20 grid steps stays below the 2^40 of priv_noise_fill */
#define EXPECTED_BATCH_MAX   65536.0

/*
 * One grid step is 2^-20 of the clip: rounding two sums of a million parameters to it moves their
 * difference by at most 0.1 % of the clip (one step in every coordinate).
 */
#define GRAINS_PER_CLIP 0x1p20

static void add_slice(struct learn_trainer *trainer, uint32_t n, const uint32_t *end,
                      uint32_t units, double limit)
{
    memset(trainer->grad, 0, trainer->layout.params * sizeof(float));
    learn_tape_run(&trainer->tape, trainer->params, n, trainer->cfg.error_clip);
    if (end != NULL)
        learn_tape_clip_units(&trainer->tape, end, units, limit);
    else
        learn_tape_clip(&trainer->tape, n, limit);
    learn_tape_gradient(&trainer->tape, n, trainer->grad);
}

static void keep_slice(struct learn_trainer *trainer, bool first)
{
    double *restrict sum = trainer->sum;
    const float *restrict grad = trainer->grad;
    for (uint32_t k = 0; k < trainer->layout.params; k++)
        sum[k] = (first ? 0 : sum[k]) + (double)grad[k];
}

/*
 * Which units of the sample make up the next slice: whole ones, and about as many rows as in every
 * other slice. At least one fits, for a unit has at most LEARN_UNIT_ROWS_MAX rows.
 */
static uint32_t slice_end(const struct learn_sample *sample, uint32_t unit, uint32_t target)
{
    uint32_t first = unit == 0 ? 0 : learn_sample_end(sample, unit - 1), end = unit + 1;
    while (end < sample->n_taken && learn_sample_end(sample, end) - first <= LEARN_SLICE &&
           learn_sample_end(sample, end - 1) - first < target)
        end++;
    return end;
}

void learn_private_sum(struct learn_trainer *trainer, const float *rows,
                       const struct learn_sample *sample, double limit)
{
    static_assert(LEARN_UNIT_ROWS_MAX <= LEARN_SLICE, "a unit fits into a slice");
    size_t n_in = trainer->layout.dim[0];
    uint32_t slices = (sample->n_rows + LEARN_SLICE - 1) / LEARN_SLICE, at = 0;
    uint32_t target = slices == 0 ? 0 : (sample->n_rows + slices - 1) / slices;
    if (sample->n_taken == 0)
        memset(trainer->grad, 0, trainer->layout.params * sizeof(float));
    for (uint32_t unit = 0, next; unit < sample->n_taken; unit = next) {
        uint32_t ends[LEARN_SLICE], begun = at;
        next = slice_end(sample, unit, target);
        for (uint32_t u = unit; u < next; u++) {
            ends[u - unit] = learn_sample_end(sample, u) - begun;
            for (; at < learn_sample_end(sample, u); at++)
                learn_trainer_put(trainer, at - begun, rows + sample->row[at] * n_in);
        }
        add_slice(trainer, at - begun, sample->end != NULL ? ends : NULL, next - unit, limit);
        if (unit > 0 || next < sample->n_taken)
            keep_slice(trainer, unit == 0);
        if (unit > 0 && next == sample->n_taken) {
            for (uint32_t k = 0; k < trainer->layout.params; k++)
                trainer->grad[k] = (float)trainer->sum[k];
        }
    }
}

/*
 * What float32 rounding can add to the sensitivity, as a share of the clip, for a batch of M rows.
 * A slice of m = 320 terms has a relative error of about √m·2^-24 (Higham & Mary 2019), so a norm
 * of at most 18·2^-24·m·clip; over M / m independent slices that is √M·2^-15.6·clip. The sum's last
 * step from double to float32 adds M·2^-24·clip. Two neighbouring data sets may differ by twice
 * that. Rows are clipped by that much shorter, so that the sum that is really computed keeps to
 * the promised clip. Rows in units may be LEARN_ROW_SHARE times longer.
 */
static double rounding_share(double expected_rows, bool units)
{
    double share = 0x1.6p-15 * sqrt(expected_rows) + 0x1p-23 * expected_rows;
    return 0x1p-10 + (units ? LEARN_ROW_SHARE : 1) * share;
}

static int private_check(const struct learn_private *cfg, uint32_t n, struct atl_error *err)
{
    if (cfg->rng == NULL)
        return atl_error_set(err, -EINVAL, "private training: no random generator given");
    if (n == 0)
        return atl_error_set(err, -EINVAL, "private training: no rows");
    if (!(cfg->clip >= 1e-6 && cfg->clip <= 1e6))
        return atl_error_set(err, -EINVAL, "private training: clip is %g, expected 1e-6 to 1e6",
                             cfg->clip);
    if (!(cfg->noise_multiplier >= 1e-3 && cfg->noise_multiplier <= NOISE_MULTIPLIER_MAX))
        return atl_error_set(err, -EINVAL,
                             "private training: noise_multiplier is %g, expected 1e-3 to %g",
                             cfg->noise_multiplier, NOISE_MULTIPLIER_MAX);
    if (!(cfg->sample_rate >= 1e-9 && cfg->sample_rate <= 1.0))
        return atl_error_set(err, -EINVAL,
                             "private training: sample_rate is %g, expected 1e-9 to 1",
                             cfg->sample_rate);
    if (cfg->sample_rate * n > EXPECTED_BATCH_MAX)
        return atl_error_set(err, -EINVAL,
                             "private training: sample_rate %g of %u rows is a batch of %.0f, at "
                             "most %.0f expected",
                             cfg->sample_rate, n, cfg->sample_rate * n, EXPECTED_BATCH_MAX);
    return 0;
}

static int run_steps(struct learn_trainer *trainer, const float *rows, struct learn_sample *sample,
                     const struct priv_sampler *noise, double grain,
                     const struct learn_private *cfg, struct atl_error *err)
{
    double expected = cfg->sample_rate * sample->n_units;
    double limit =
        cfg->clip * (1 - rounding_share(cfg->sample_rate * sample->n, cfg->unit != NULL));
    for (uint32_t step = 0; step < cfg->steps; step++) {
        if (cfg->stop != NULL && atomic_load(cfg->stop))
            return atl_error_set(err, -ECANCELED, "private training: stopped");
        learn_sample_draw(sample, cfg->sample_rate, LEARN_UNIT_ROWS_MAX, cfg->rng);
        learn_private_sum(trainer, rows, sample, limit);
        priv_sampler_add(noise, cfg->rng, grain, trainer->grad, trainer->layout.params);
        learn_trainer_pull(trainer, expected); /* tells nothing but what was released already */
        learn_adam_step(&trainer->adam, trainer->params, trainer->grad, (float)(1 / expected),
                        trainer->cfg.learning_rate);
    }
    return 0;
}

int learn_trainer_run_private(struct learn_trainer *trainer, const float *rows, uint32_t n,
                              const struct learn_private *cfg, struct atl_error *err)
{
    struct learn_sample sample = {0};
    struct priv_sampler *noise = NULL;
    int r = private_check(cfg, n, err);
    if (r < 0)
        return r;
    uint32_t params = trainer->layout.params;
    double grain = cfg->clip / GRAINS_PER_CLIP;
    /* it counts half a grain in each entry of one vector; here two sums are rounded */
    double std = cfg->noise_multiplier * priv_grid_sensitivity(cfg->clip, 2 * grain, params);
    r = learn_sample_init(&sample, cfg->unit, n);
    if (r == 0)
        r = priv_sampler_create(&noise, std / grain);
    if (r < 0)
        atl_error_set(err, r, "private training: out of memory for a sample of %u rows", n);
    else
        r = run_steps(trainer, rows, &sample, noise, grain, cfg, err);
    priv_sampler_destroy(noise);
    learn_sample_finish(&sample);
    return r;
}
