/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two kinds of evidence, both as -ln of conformal p-values: the last 2, 3 and 4 values are unlike
 * any seen before, and the value or its short-window means lie far from what was expected. An
 * anomaly shows in both; their sum is what is scored.
 */
#include "learner/forecast_priv.h"

#include <math.h>
#include <string.h>

#define SHORT_ROWS 8
/* Of a constant series: this share of its level is no change. */
#define GRAIN_SHARE 1e-3
#define GRAIN_MIN   1e-12

/* Differences below this mean nothing. Only a series that is mostly one value needs it. */
static double grain(const struct learn_rank *values)
{
    double middle = learn_rank_quantile(values, 0.5);
    bool constant =
        learn_rank_quantile(values, 0.1) == middle && learn_rank_quantile(values, 0.9) == middle;
    return fmax(constant ? GRAIN_SHARE * fabs(middle) : 0.0, GRAIN_MIN);
}

static void remember(struct learn_forecaster *f, double value)
{
    struct forecast_core *core = &f->core;
    uint32_t memory = f->cfg.memory_rows;
    if (core->n_past == 2 * memory) {
        memmove(f->past, f->past + memory, memory * sizeof(double));
        core->n_past = memory;
    }
    f->past[core->n_past++] = value;
}

/*
 * Root mean square distance of the last m values to the nearest m in a row, not overlapping, that
 * end within the memory. n_past ≥ 2m and memory ≥ 2m, so past[j - m + 1] is always inside.
 */
static inline double nearest(const struct learn_forecaster *f, uint32_t m)
{
    const double *last = f->past + f->core.n_past - 1;
    uint32_t n = f->core.n_past - 1, memory = f->cfg.memory_rows;
    uint32_t from = n > memory ? n - memory + m : m - 1;
    double best = INFINITY;
    for (uint32_t j = from; j + m <= n; j++) {
        double sum = 0;
        for (uint32_t i = 0; i < m; i++) {
            double e = f->past[j - i] - last[-(int32_t)i];
            sum += e * e;
        }
        best = sum < best ? sum : best;
    }
    return sqrt(best / m);
}

static double rank_high(struct learn_forecaster *f, enum forecast_rank which, double value,
                        double grain_size)
{
    double e = learn_rank_evidence_high(&f->ranks[which], value, grain_size);
    learn_rank_push(&f->ranks[which], value);
    return e;
}

static double newness(struct learn_forecaster *f, double grain_size)
{
    uint32_t run = f->core.n_slow; /* values since the last gap: a pattern has no hole in it */
    if (run < 4 || f->core.n_past < 8)
        return 0.0;
    return (rank_high(f, RANK_NEW_2, nearest(f, 2), grain_size) +
            rank_high(f, RANK_NEW_3, nearest(f, 3), grain_size) +
            rank_high(f, RANK_NEW_4, nearest(f, 4), grain_size)) /
           3.0;
}

static double mean_of_last(const struct forecast_core *core, uint32_t rows)
{
    uint32_t n = core->n_slow < rows ? core->n_slow : rows;
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += core->slow[(core->n_slow - 1 - i) % FORECAST_MEAN_ROWS];
    return sum / n; /* n ≥ 1: the row at hand is in it */
}

/* Of the several ways to be far off, the mean of the two strongest. */
static double top_two(const double *evidence, size_t n)
{
    double first = 0, second = 0;
    for (size_t i = 0; i < n; i++) {
        if (evidence[i] > first) {
            second = first;
            first = evidence[i];
        } else if (evidence[i] > second) {
            second = evidence[i];
        }
    }
    return 0.5 * (first + second);
}

double learn_forecast_evidence(struct learn_forecaster *forecaster,
                               const struct forecast_view *view, double value)
{
    struct forecast_core *core = &forecaster->core;
    double slow = value - view->expected[view->best_slow];
    core->slow[core->n_slow % FORECAST_MEAN_ROWS] = slow;
    /* keeps its place in the ring, and "at least FORECAST_MEAN_ROWS", without end */
    if (++core->n_slow == 4 * FORECAST_MEAN_ROWS)
        core->n_slow -= 2 * FORECAST_MEAN_ROWS;
    remember(forecaster, value);

    const struct learn_rank *values = &forecaster->ranks[RANK_VALUE];
    double g = grain(values);
    double low = learn_rank_evidence_low(values, value, g);
    double far[] = {
        low,
        rank_high(forecaster, RANK_VALUE, value, g),
        rank_high(forecaster, RANK_STEP, fabs(value - view->expected[view->best]), g),
        rank_high(forecaster, RANK_SLOW, fabs(slow), g),
        rank_high(forecaster, RANK_SHORT, fabs(mean_of_last(core, SHORT_ROWS)), g),
        rank_high(forecaster, RANK_LONG, fabs(mean_of_last(core, FORECAST_MEAN_ROWS)), g),
    };
    return newness(forecaster, g) + top_two(far, ATL_ARRAY_LEN(far));
}

double learn_forecast_rest(struct forecast_core *core, double evidence, double boundary)
{
    double record = 0;
    for (uint32_t i = 0; i < FORECAST_REST_ROWS; i++)
        record = fmax(record, core->rest[i]);
    core->rest[core->values % FORECAST_REST_ROWS] = evidence;
    if (evidence > record)
        return evidence;
    return evidence * boundary / (evidence + boundary); /* keeps the order, below the boundary */
}
