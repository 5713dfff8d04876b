/* SPDX-License-Identifier: Apache-2.0 */
/* One watched series: what is expected of it, and whether it has left that. */
#ifndef LINK_WATCH_SERIES_PRIV_H
#define LINK_WATCH_SERIES_PRIV_H

#include "base/base.h"
#include "learner/learner.h"

#define LINK_CANDIDATE_ROWS 5 /* rows from the first odd one on … */
#define LINK_CONFIRM_ROWS   3 /* … of which so many must be out of bounds */
#define LINK_DAYS           8 /* the running day and the seven before it */

enum link_direction { LINK_UP = 1, LINK_DOWN = 2, LINK_BOTH = 3 };

/** A row of the table of what is watched. Counts are learned as log(1 + v / floor). */
struct link_column {
    const char *columns[2]; /* of the link view, summed; the second may be NULL */
    const char *label;      /* "SYN per second" */
    const char *name, *unit;
    const char *technique; /* of a rise */
    double floor;          /* a second: below it nothing matters; 0: a share, in % */
    enum link_direction direction;
};

enum link_phase { LINK_QUIET, LINK_CANDIDATE, LINK_ALARM, LINK_SETTLE };

struct link_day {
    uint64_t day;       /* since 1970 */
    double most, least; /* a minute, of those learned */
};

struct link_series {
    const struct link_column *column;
    struct learn_forecaster *forecaster;
    uint64_t values; /* learned */
    struct link_day days[LINK_DAYS];

    enum link_phase phase;
    double expected, low, high; /* on the learned scale; frozen outside LINK_QUIET */
    double observed;            /* a minute, of the latest row that counts */
    double p_value;             /* at the start of the change */
    bool rises;                 /* the change, when there is one */
    bool beyond;                /* the latest row is out of bounds */
    uint32_t rows, hits, calm;  /* since the phase began; out of bounds; back in a row */
    uint64_t since_s;
    struct {
        uint64_t at_s;
        double value;
    } pending[LINK_CANDIDATE_ROWS]; /* not learned yet */
    uint32_t n_pending;
};

struct link_rules {
    double min_change;
    uint32_t warmup_rows;
    uint64_t accept_s;
};

/** A minute of the series; NAN = nothing to say. */
void link_series_minute(struct link_series *series, const struct link_rules *rules, uint64_t at_s,
                        double value);
/** What a minute holds so far: only an alarm at once can come of it. @return true when it does */
bool link_series_part(struct link_series *series, const struct link_rules *rules, uint64_t at_s,
                      double value);
/** Time has a hole: a change at hand is forgotten. */
void link_series_break(struct link_series *series);

/** How far out of bounds, in widths of the bound from what was expected; ≥ 1 in an alarm. */
double link_series_excess(const struct link_series *series, const struct link_rules *rules);
double link_series_value(const struct link_series *series, double learned); /* a minute */

#define LINK_SERIES_MAX 32
/* link_watch_state.c, as link_watch_save and link_watch_restore */
int link_state_save(const struct link_series *series, uint32_t n, double risk, uint8_t **ret_data,
                    size_t *ret_bytes);
int link_state_restore(struct link_series *series, uint32_t n, double risk, const uint8_t *data,
                       size_t bytes, struct atl_error *err);

#endif
