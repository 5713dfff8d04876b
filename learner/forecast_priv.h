/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEARN_FORECAST_PRIV_H
#define LEARN_FORECAST_PRIV_H

#include "learner/conformal_priv.h"
#include "learner/learner.h"
#include "learner/season_priv.h"

#define FORECAST_EXPERTS   7
#define FORECAST_MEAN_ROWS 48 /* of the longer of the two short-window means */
#define FORECAST_REST_ROWS 60
#define FORECAST_DIFFS     9

enum forecast_season { SEASON_NONE, SEASON_DAY, SEASON_WEEK, SEASONS };

/* What is ranked against its own past. */
enum forecast_rank {
    RANK_VALUE, /* the value itself, at both ends */
    RANK_STEP,  /* |value - expected| */
    RANK_SLOW,  /* |value - what a slow level expects| */
    RANK_SHORT, /* |mean of the last 8 slow residuals| */
    RANK_LONG,  /* |mean of the last FORECAST_MEAN_ROWS of them| */
    RANK_NEW_2, /* distance of the last 2 values to the nearest 2 ever seen */
    RANK_NEW_3,
    RANK_NEW_4,
    RANKS,
};

struct forecast_expert {
    double level, trend;
    double error; /* running mean of |innovation| */
    bool known;
};

/** What an expert said of the row at hand. */
struct forecast_view {
    double expected[FORECAST_EXPERTS];
    bool known[FORECAST_EXPERTS];
    uint32_t best;      /* speaks */
    uint32_t best_slow; /* the best of those that a jump does not carry away */
};

/** Plain numbers: copied and saved byte by byte. */
struct forecast_core {
    struct learn_season seasons[SEASONS]; /* the first is not used */
    struct forecast_expert experts[FORECAST_EXPERTS];
    double diffs[FORECAST_DIFFS]; /* ascending */
    double interval_s;
    double last_s;
    double miss; /* adaptive miscoverage (Gibbs & Candès 2021) */
    double slow[FORECAST_MEAN_ROWS];
    double rest[FORECAST_REST_ROWS]; /* evidence of the last rows */
    uint64_t rows, values;
    uint32_t n_diffs, missing;
    uint32_t n_slow; /* values since the last long gap */
    uint32_t n_past; /* values in `past` */
    uint32_t rank_n[RANKS], rank_at[RANKS];
};

struct learn_forecaster {
    struct learn_forecast_config cfg;
    struct forecast_core core;
    struct learn_rank ranks[RANKS];
    double *past; /* (2 × memory_rows): values in order; moved to the front when full */
};

/** Learn one value's strangeness and say it. @return evidence in nats, ≥ 0 */
double learn_forecast_evidence(struct learn_forecaster *forecaster,
                               const struct forecast_view *view, double value);
/** Only a new record within the last FORECAST_REST_ROWS values counts whole; the rest stays below
 * the boundary. */
double learn_forecast_rest(struct forecast_core *core, double evidence, double boundary);

#endif
