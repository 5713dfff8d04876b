/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPOT and DSPOT (Siffer et al., KDD 2017) with bounded memory: of the excesses the newest are
 * kept, each with the number of values learned before it, so that their rate is that of the time
 * they span. The tail is fitted by probability-weighted moments (Hosking & Wallis 1987) instead of
 * the paper's likelihood search: no iteration, no failure to converge.
 *
 * One departure: the paper learns from no alarm, but q of the normal values are alarms. Without
 * them the tail is cut at the threshold, the next threshold comes out lower, and so on down (seen:
 * ten times the rate on a uniform law). So alarms are learned, too, up to twice as many as q
 * allows, and as no more than half again as far out as the threshold.
 */
#include "learner/learner.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -1 is the uniform law; a density that rises to its end is none of ours. */
#define SHAPE_MIN (-1.0)
#define SHAPE_MAX 0.7
#define SHAPE_EPS 1e-6
#define P_MIN     1e-12
/* Alarms that may be learned: these many times q, and one to begin with. */
#define ALARM_BUDGET 2.0
#define ALARM_REACH  1.5
/* Refitting costs a sort: every excess while there are few, then one in a hundred. */
#define REFIT_SHARE 100U

struct learn_spot {
    struct learn_spot_config cfg;
    double *warmup; /* (warmup), until full */
    double *excess; /* (excesses) ring, newest kept */
    uint64_t *born; /* (excesses) value number of each */
    double *sorted; /* (excesses) scratch of the fit */
    double *drift;  /* (drift_rows) ring */
    uint32_t n_warmup, n_excess, excess_at, n_drift, drift_at, since_fit;
    uint64_t values; /* learned since the warm-up began */
    uint64_t alarms; /* learned */
    double base;     /* t: where the tail begins */
    double share;    /* of the values above it */
    double shape, scale, threshold;
};

void learn_spot_config_default(struct learn_spot_config *cfg)
{
    *cfg = (struct learn_spot_config){
        .risk = 1e-4, .level = 0.98, .warmup = 1000, .excesses = 500, .drift_rows = 0};
}

int learn_spot_config_check(const struct learn_spot_config *cfg, struct atl_error *err)
{
    if (!(cfg->risk >= 1e-8 && cfg->risk <= 0.05))
        return atl_error_set(err, -EINVAL, "risk %g: expected 1e-8 … 0.05", cfg->risk);
    if (!(cfg->level >= 0.8 && cfg->level <= 0.999 && cfg->risk < 1.0 - cfg->level))
        return atl_error_set(err, -EINVAL,
                             "level %g: expected 0.8 … 0.999, and below 1 - risk (%g)", cfg->level,
                             1.0 - cfg->risk);
    if (cfg->warmup < 100 || cfg->warmup > 100000)
        return atl_error_set(err, -EINVAL, "warm-up of %u values: expected 100 … 100000",
                             cfg->warmup);
    if (cfg->excesses < 50 || cfg->excesses > 10000)
        return atl_error_set(err, -EINVAL, "%u excesses: expected 50 … 10000", cfg->excesses);
    if (cfg->drift_rows > 10000)
        return atl_error_set(err, -EINVAL, "drift over %u rows: expected 0 … 10000",
                             cfg->drift_rows);
    return 0;
}

int learn_spot_create(struct learn_spot **ret_spot, const struct learn_spot_config *cfg,
                      struct atl_error *err)
{
    int r = learn_spot_config_check(cfg, err);
    if (r < 0)
        return r;
    struct learn_spot *spot = calloc(1, sizeof(*spot));
    if (spot == NULL)
        return atl_error_set(err, -ENOMEM, "no memory for a threshold");
    spot->cfg = *cfg;
    spot->warmup = calloc(cfg->warmup, sizeof(double));
    spot->excess = calloc(cfg->excesses, sizeof(double));
    spot->born = calloc(cfg->excesses, sizeof(uint64_t));
    spot->sorted = calloc(cfg->excesses, sizeof(double));
    spot->drift = calloc(cfg->drift_rows + 1U, sizeof(double));
    if (spot->warmup == NULL || spot->excess == NULL || spot->born == NULL ||
        spot->sorted == NULL || spot->drift == NULL) {
        learn_spot_destroy(spot);
        return atl_error_set(err, -ENOMEM, "no memory for a threshold");
    }
    *ret_spot = spot;
    return 0;
}

void learn_spot_destroy(struct learn_spot *spot)
{
    if (spot == NULL)
        return;
    free(spot->warmup);
    free(spot->excess);
    free(spot->born);
    free(spot->sorted);
    free(spot->drift);
    free(spot);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Summed afresh: a running sum would drift and never recover from one huge value. */
static double moving_mean(const struct learn_spot *spot)
{
    double sum = 0;
    for (uint32_t i = 0; i < spot->n_drift; i++)
        sum += spot->drift[i];
    return spot->n_drift > 0 ? sum / spot->n_drift : 0.0;
}

static void push_drift(struct learn_spot *spot, double value)
{
    if (spot->cfg.drift_rows == 0)
        return;
    spot->drift[spot->drift_at] = value;
    spot->drift_at = (spot->drift_at + 1) % spot->cfg.drift_rows;
    if (spot->n_drift < spot->cfg.drift_rows)
        spot->n_drift++;
}

/* σ = 2·a0·a1 / (a0 - 2·a1), ξ = 2 - a0 / (a0 - 2·a1); a clamped ξ keeps the mean excess. */
static void fit(struct learn_spot *spot)
{
    uint32_t k = spot->n_excess;
    memcpy(spot->sorted, spot->excess, k * sizeof(double));
    qsort(spot->sorted, k, sizeof(double), by_value);
    double a0 = 0, a1 = 0;
    for (uint32_t i = 0; i < k; i++) {
        a0 += spot->sorted[i] / k;
        a1 += spot->sorted[i] * (1.0 - (i + 0.65) / k) / k;
    }
    double spread = a0 - 2.0 * a1;
    double shape = spread > 0 ? 2.0 - a0 / spread : 0.0;
    spot->shape = fmin(fmax(shape, SHAPE_MIN), SHAPE_MAX);
    spot->scale = fmax(a0 * (1.0 - spot->shape), 1e-9 * fmax(fabs(spot->base), 1e-3));
    spot->since_fit = 0;
}

static void place_threshold(struct learn_spot *spot)
{
    uint32_t oldest = spot->n_excess < spot->cfg.excesses ? 0 : spot->excess_at;
    bool whole = spot->n_excess < spot->cfg.excesses;
    uint64_t span = whole ? spot->values : spot->values - spot->born[oldest];
    spot->share = fmin(spot->n_excess / fmax((double)span, 1.0), 1.0);
    double t = log(fmax(spot->share / spot->cfg.risk, 1.0));
    double reach = fabs(spot->shape) < SHAPE_EPS ? t : expm1(spot->shape * t) / spot->shape;
    spot->threshold = spot->base + spot->scale * reach;
}

static void push_excess(struct learn_spot *spot, double excess)
{
    spot->excess[spot->excess_at] = excess;
    spot->born[spot->excess_at] = spot->values;
    spot->excess_at = (spot->excess_at + 1) % spot->cfg.excesses;
    if (spot->n_excess < spot->cfg.excesses)
        spot->n_excess++;
    spot->since_fit++;
}

static void finish_warmup(struct learn_spot *spot)
{
    uint32_t n = spot->cfg.warmup;
    qsort(spot->warmup, n, sizeof(double), by_value);
    uint32_t at = (uint32_t)(spot->cfg.level * n); /* < n, since level < 1 */
    spot->base = spot->warmup[at];
    for (uint32_t i = at + 1; i < n; i++)
        push_excess(spot, spot->warmup[i] - spot->base);
    spot->values = n;
    for (uint32_t i = 0; i < spot->n_excess; i++) /* their order is lost: spread them evenly */
        spot->born[i] = (uint64_t)i * n / spot->n_excess;
    fit(spot);
    place_threshold(spot);
}

static void learn(struct learn_spot *spot, double level)
{
    if (spot->n_warmup < spot->cfg.warmup) {
        spot->warmup[spot->n_warmup++] = level;
        if (spot->n_warmup == spot->cfg.warmup)
            finish_warmup(spot);
        return;
    }
    spot->values++;
    if (level > spot->base) {
        push_excess(spot, level - spot->base);
        if (spot->since_fit > spot->n_excess / REFIT_SHARE)
            fit(spot);
    }
    place_threshold(spot);
}

/* Below the tail only "more likely than the tail's share" is known. */
static double p_value(const struct learn_spot *spot, double level)
{
    if (level <= spot->base)
        return 1.0;
    double y = (level - spot->base) / spot->scale;
    double p = fabs(spot->shape) < SHAPE_EPS
                   ? exp(-y)
                   : exp(-log1p(fmax(spot->shape * y, -1.0)) / spot->shape);
    p *= spot->share;
    return p > P_MIN ? fmin(p, 1.0) : P_MIN; /* past the end of a bounded tail: NaN or 0 */
}

void learn_spot_step(struct learn_spot *spot, double value, struct learn_spot_verdict *ret_verdict)
{
    bool ready = spot->n_warmup == spot->cfg.warmup;
    double mean = moving_mean(spot), level = value - mean;
    *ret_verdict = (struct learn_spot_verdict){
        .ready = ready, .threshold = ready ? spot->threshold + mean : INFINITY, .p_value = 1.0};
    if (!isfinite(value) || !isfinite(level))
        return;
    if (ready) {
        ret_verdict->p_value = p_value(spot, level);
        ret_verdict->alarm = level > spot->threshold;
    }
    if (ret_verdict->alarm) {
        if ((double)spot->alarms > ALARM_BUDGET * spot->cfg.risk * (double)spot->values)
            return;
        spot->alarms++;
        level = fmin(level, spot->base + ALARM_REACH * (spot->threshold - spot->base));
        value = level + mean;
    }
    if (spot->n_drift == spot->cfg.drift_rows)
        learn(spot, level);
    push_drift(spot, value);
}
