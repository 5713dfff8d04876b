/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/forecast_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* A step in time longer than this many intervals ends what "the last values" means. */
#define GAP_INTERVALS 3.5
#define MISSING_MAX   3

#define ERROR_GAIN    0.01
#define TREND_DAMP    0.98
#define TREND_EXPERT  2
#define COVERAGE_GAIN 0.005
/* A slow level moves by no more than this many of its usual (80 %) residuals a row (Huber). */
#define CLIP 3.0

static const struct {
    enum forecast_season season;
    double level_gain, trend_gain;
    bool slow;
} experts[FORECAST_EXPERTS] = {
    {SEASON_NONE, 0.005, 0, true}, {SEASON_NONE, 0.5, 0, false}, {SEASON_NONE, 0.3, 0.05, false},
    {SEASON_DAY, 0.005, 0, true},  {SEASON_DAY, 0.5, 0, false},  {SEASON_WEEK, 0.005, 0, true},
    {SEASON_WEEK, 0.5, 0, false},
};

void learn_forecast_config_default(struct learn_forecast_config *cfg)
{
    *cfg = (struct learn_forecast_config){
        .interval_s = 0, .coverage = 0.99, .risk = 0.005, .memory_rows = 6048};
}

int learn_forecast_config_check(const struct learn_forecast_config *cfg, struct atl_error *err)
{
    if (!(cfg->interval_s == 0 || (cfg->interval_s >= 1e-3 && cfg->interval_s <= 1e7)))
        return atl_error_set(err, -EINVAL, "interval %g s: expected 0 (inferred) or 0.001 … 1e7",
                             cfg->interval_s);
    if (!(cfg->coverage >= 0.5 && cfg->coverage <= 0.9999))
        return atl_error_set(err, -EINVAL, "coverage %g: expected 0.5 … 0.9999", cfg->coverage);
    if (!(cfg->risk >= 1e-8 && cfg->risk <= 0.1))
        return atl_error_set(err, -EINVAL, "risk %g: expected 1e-8 … 0.1", cfg->risk);
    if (cfg->memory_rows < 256 || cfg->memory_rows > 65536)
        return atl_error_set(err, -EINVAL, "memory of %u rows: expected 256 … 65536",
                             cfg->memory_rows);
    return 0;
}

int learn_forecaster_create(struct learn_forecaster **ret_forecaster,
                            const struct learn_forecast_config *cfg, struct atl_error *err)
{
    int r = learn_forecast_config_check(cfg, err);
    if (r < 0)
        return r;
    struct learn_forecaster *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return atl_error_set(err, -ENOMEM, "no memory for a forecaster");
    f->cfg = *cfg;
    f->past = calloc(2 * (size_t)cfg->memory_rows, sizeof(double));
    r = f->past != NULL ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < RANKS && r == 0; i++)
        r = learn_rank_init(&f->ranks[i], cfg->memory_rows);
    if (r < 0) {
        learn_forecaster_destroy(f);
        return atl_error_set(err, r, "no memory for a forecaster");
    }
    learn_season_init(&f->core.seasons[SEASON_NONE], 1, 1);
    learn_season_init(&f->core.seasons[SEASON_DAY], 86400, 1440);
    learn_season_init(&f->core.seasons[SEASON_WEEK], 7 * 86400, 2016);
    f->core.interval_s = cfg->interval_s;
    f->core.miss = 1.0 - cfg->coverage;
    *ret_forecaster = f;
    return 0;
}

void learn_forecaster_destroy(struct learn_forecaster *forecaster)
{
    if (forecaster == NULL)
        return;
    for (uint32_t i = 0; i < RANKS; i++)
        learn_rank_finish(&forecaster->ranks[i]);
    free(forecaster->past);
    free(forecaster);
}

double learn_forecaster_interval(const struct learn_forecaster *forecaster)
{
    return forecaster->core.interval_s;
}

/* The median of the first steps: one duplicate or one hole among them does no harm. */
static void infer_interval(struct forecast_core *core, double step_s)
{
    if (core->n_diffs == FORECAST_DIFFS || !(step_s > 0))
        return;
    uint32_t i = core->n_diffs++;
    for (; i > 0 && core->diffs[i - 1] > step_s; i--)
        core->diffs[i] = core->diffs[i - 1];
    core->diffs[i] = step_s;
    core->interval_s = core->diffs[core->n_diffs / 2];
}

/* @return true when the clock did not go on */
static bool take_stamp(struct learn_forecaster *f, double at_s)
{
    struct forecast_core *core = &f->core;
    double step = at_s - core->last_s;
    bool first = core->rows == 0;
    core->last_s = at_s;
    if (first)
        return false;
    if (f->cfg.interval_s == 0)
        infer_interval(core, step);
    if (core->interval_s > 0 && step > GAP_INTERVALS * core->interval_s)
        core->n_slow = 0;
    return !(step > 0);
}

static void look(const struct learn_forecaster *f, double wall_s, struct forecast_view *view)
{
    const struct forecast_core *core = &f->core;
    *view = (struct forecast_view){0};
    for (uint32_t i = 0; i < FORECAST_EXPERTS; i++) {
        const struct forecast_expert *e = &core->experts[i];
        double season = 0;
        view->known[i] = experts[i].season == SEASON_NONE ||
                         learn_season_get(&core->seasons[experts[i].season], wall_s, &season);
        view->expected[i] = season + e->level + e->trend;
        bool trusted = view->known[i] && e->known;
        if (trusted && e->error < core->experts[view->best].error)
            view->best = i;
        if (trusted && experts[i].slow && e->error < core->experts[view->best_slow].error)
            view->best_slow = i;
    }
}

static void teach(struct learn_forecaster *f, const struct forecast_view *view, double value)
{
    struct forecast_core *core = &f->core;
    double usual = learn_rank_quantile(&f->ranks[RANK_STEP], 0.5);
    double limit = CLIP * learn_rank_quantile(&f->ranks[RANK_SLOW], 0.8);
    for (uint32_t i = 0; i < FORECAST_EXPERTS; i++) {
        struct forecast_expert *e = &core->experts[i];
        if (!view->known[i])
            continue;
        double miss = value - view->expected[i];
        if (!e->known) { /* must earn its place */
            e->error = 2.0 * core->experts[view->best].error;
            e->known = true;
        }
        e->error += ERROR_GAIN * (fmin(fabs(miss), 10.0 * usual) - e->error);
        if (experts[i].slow || i == TREND_EXPERT)
            miss = fmin(fmax(miss, -limit), limit);
        e->level += e->trend + experts[i].level_gain * miss;
        e->trend = TREND_DAMP * (e->trend + experts[i].level_gain * experts[i].trend_gain * miss);
    }
}

static void start(struct forecast_core *core, double value)
{
    for (uint32_t i = 0; i < FORECAST_EXPERTS; i++) {
        if (experts[i].season != SEASON_NONE)
            continue;
        core->experts[i].level = value;
        core->experts[i].known = true;
    }
}

static void learn(struct learn_forecaster *f, const struct forecast_view *view, double wall_s,
                  double value)
{
    struct forecast_core *core = &f->core;
    double limit = CLIP * learn_rank_quantile(&f->ranks[RANK_SLOW], 0.8);
    if (core->values == 0)
        start(core, value);
    else
        teach(f, view, value);
    for (uint32_t i = SEASON_DAY; i < SEASONS; i++)
        learn_season_put(&core->seasons[i], wall_s, value, limit);
    core->values++;
}

static void interval(const struct learn_forecaster *f, double expected,
                     struct learn_forecast_row *row)
{
    double half = learn_rank_quantile(&f->ranks[RANK_STEP], 1.0 - f->core.miss);
    row->expected = expected;
    row->low = expected - half;
    row->high = expected + half;
}

/* The long-run share of misses comes to 1 - coverage whatever the series does. */
static void adapt_coverage(struct learn_forecaster *f, const struct learn_forecast_row *row,
                           double value)
{
    double aim = 1.0 - f->cfg.coverage;
    bool missed = value < row->low || value > row->high;
    double miss = f->core.miss + COVERAGE_GAIN * (aim - (missed ? 1.0 : 0.0));
    f->core.miss = fmin(fmax(miss, 0.0), 0.5);
}

static void judge(struct learn_forecaster *f, const struct forecast_view *view, double value,
                  struct learn_forecast_row *row)
{
    double evidence = learn_forecast_evidence(f, view, value);
    double boundary = -2.0 * log(f->cfg.risk);
    evidence = learn_forecast_rest(&f->core, evidence, boundary);
    if (f->core.values < LEARN_FORECAST_WARMUP)
        return;
    row->p_value = exp(-0.5 * evidence);
    row->score = -expm1(-M_LN2 * evidence / boundary);
}

void learn_forecaster_step(struct learn_forecaster *forecaster, double at_s, int32_t offset_s,
                           double value, struct learn_forecast_row *ret_row)
{
    struct forecast_core *core = &forecaster->core;
    struct forecast_view view;
    if (!isfinite(at_s))
        at_s = core->last_s;
    *ret_row = (struct learn_forecast_row){.p_value = 1.0};
    ret_row->clock_stepped = take_stamp(forecaster, at_s);
    ret_row->gap = !(fabs(value) <= LEARN_FORECAST_VALUE_MAX);
    core->rows++;
    look(forecaster, at_s + offset_s, &view);
    if (ret_row->gap) {
        interval(forecaster, view.expected[view.best], ret_row);
        if (++core->missing > MISSING_MAX)
            core->n_slow = 0;
        return;
    }
    core->missing = 0;
    interval(forecaster, core->values == 0 ? value : view.expected[view.best], ret_row);
    if (core->values > 0) {
        judge(forecaster, &view, value, ret_row);
        adapt_coverage(forecaster, ret_row, value);
    }
    learn(forecaster, &view, at_s + offset_s, value);
}
