/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/train_priv.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "privacy/privacy.h"

#define NOISE_MULTIPLIER_MAX 1e6 /* × 2^20 grid steps stays below the 2^40 of priv_noise_fill */
#define EXPECTED_BATCH_MAX   65536.0

/*
 * One grid step is 2^-20 of the clip: rounding a million parameters to it adds at most 0.05 % to
 * the sensitivity (half a step in every coordinate), and priv_grid_sensitivity charges for that.
 */
#define GRAINS_PER_CLIP 0x1p20

static float sum_of_squares(const float *restrict v, uint32_t n)
{
    float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
    for (uint32_t k = 0; k < n; k++)
        sum += v[k] * v[k];
    return sum;
}

/*
 * The gradient of one row in layer l is the outer product δ·(a, 1)ᵀ, so its squared norm is
 * (‖a‖² + 1)·‖δ‖² (Goodfellow 2015, arXiv:1510.01799), and the layers add up.
 */
static double gradient_norm(const struct learn_tape *tape, uint32_t row)
{
    double square = 0;
    for (uint32_t l = 0; l < tape->layout.n_layers; l++) {
        uint32_t in = tape->layout.dim[l], out = tape->layout.dim[l + 1];
        double a = (double)sum_of_squares(tape->in[l] + (size_t)row * in, in);
        double d = (double)sum_of_squares(tape->delta[l] + (size_t)row * out, out);
        square += (a + 1.0) * d;
    }
    return sqrt(square);
}

static void scale_deltas(struct learn_tape *tape, uint32_t row, float factor)
{
    for (uint32_t l = 0; l < tape->layout.n_layers; l++) {
        uint32_t out = tape->layout.dim[l + 1];
        float *restrict delta = tape->delta[l] + (size_t)row * out;
        for (uint32_t k = 0; k < out; k++)
            delta[k] *= factor;
    }
}

void learn_tape_clip(struct learn_tape *tape, uint32_t n, double limit)
{
    for (uint32_t i = 0; i < n; i++) {
        double norm = gradient_norm(tape, i);
        if (!isfinite(norm))
            learn_tape_drop(tape, i); /* its gradient has no bound: it must not count at all */
        else if (norm > limit)
            scale_deltas(tape, i, (float)(limit / norm));
    }
}

static void add_slice(struct learn_trainer *trainer, uint32_t n, double limit)
{
    uint32_t params = trainer->layout.params;
    memset(trainer->grad, 0, params * sizeof(float));
    learn_tape_run(&trainer->tape, trainer->params, n, trainer->cfg.error_clip);
    learn_tape_clip(&trainer->tape, n, limit);
    learn_tape_gradient(&trainer->tape, n, trainer->grad);
    for (uint32_t k = 0; k < params; k++)
        trainer->sum[k] += (double)trainer->grad[k];
}

void learn_private_sum(struct learn_trainer *trainer, const float *rows, uint32_t n,
                       double sample_rate, double limit, struct atl_rng *rng)
{
    size_t n_in = trainer->layout.dim[0];
    uint32_t params = trainer->layout.params;
    memset(trainer->sum, 0, params * sizeof(double));
    /*
     * Independent coins of probability q are the same as geometric gaps between the heads, and
     * cost one random number per sampled row instead of one per row. At q = 1 the logarithm is
     * -inf and every gap 0.
     */
    double log_tail = log1p(-sample_rate);
    uint32_t held = 0;
    for (uint32_t at = 0; at < n; at++) {
        double gap = floor(log(1.0 - atl_rng_unit(rng)) / log_tail);
        if (gap >= (double)(n - at))
            break;
        at += (uint32_t)gap;
        learn_trainer_put(trainer, held++, rows + at * n_in);
        if (held == LEARN_SLICE) {
            add_slice(trainer, held, limit);
            held = 0;
        }
    }
    if (held > 0)
        add_slice(trainer, held, limit);
    for (uint32_t k = 0; k < params; k++)
        trainer->grad[k] = (float)trainer->sum[k];
}

/*
 * What float32 rounding can add to the sensitivity, as a share of the clip, for a batch of M rows.
 * A slice of m = 256 terms has a relative error of about √m·2^-24 (Higham & Mary 2019), so a norm
 * of at most 16·2^-24·m·clip; over M / m independent slices that is √M·2^-16·clip. The sum's last
 * step from double to float32 adds M·2^-24·clip. Two neighbouring data sets may differ by twice
 * that. Rows are clipped by that much shorter, so that the sum that is really computed keeps to
 * the promised clip.
 */
static double rounding_share(double expected_batch)
{
    return 0x1p-10 + 0x1p-15 * sqrt(expected_batch) + 0x1p-23 * expected_batch;
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

int learn_trainer_run_private(struct learn_trainer *trainer, const float *rows, uint32_t n,
                              const struct learn_private *cfg, struct atl_error *err)
{
    int r = private_check(cfg, n, err);
    if (r < 0)
        return r;
    double expected = cfg->sample_rate * n;
    double limit = cfg->clip * (1.0 - rounding_share(expected));
    double grain = cfg->clip / GRAINS_PER_CLIP;
    double std =
        cfg->noise_multiplier * priv_grid_sensitivity(cfg->clip, grain, trainer->layout.params);

    for (uint32_t step = 0; step < cfg->steps; step++) {
        if (cfg->stop != NULL && atomic_load(cfg->stop))
            return atl_error_set(err, -ECANCELED, "private training: stopped");
        learn_private_sum(trainer, rows, n, cfg->sample_rate, limit, cfg->rng);
        priv_noise_add(cfg->rng, std, grain, trainer->grad, trainer->layout.params);
        learn_adam_step(&trainer->adam, trainer->params, trainer->grad, (float)(1.0 / expected),
                        trainer->cfg.learning_rate);
    }
    return 0;
}
