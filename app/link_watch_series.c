/* SPDX-License-Identifier: Apache-2.0 */
#include "app/link_watch_series_priv.h"

#include <math.h>

#define MINUTE_S 60
#define DAY_S    86400

/*
 * A minute of so many times the busiest one of a week needs no second opinion. Of n values that
 * come in any order one is the largest yet with 1 / n; that it is five times the largest before it
 * has, even with as heavy a tail as 1 / x², 1 / 25 of that: 4e-6 after a week.
 */
#define AT_ONCE        5
#define AT_ONCE_FLOORS 2

#define RECORD        1.5
#define CALM_ROWS     3
#define SETTLE_ROWS   64
#define SHARE_CHANGE  30.0 /* of 100: shares have no "times as much" */
#define SCORE_CHANGED 0.5

static bool is_share(const struct link_series *s)
{
    return s->column->floor == 0;
}

static double floor_of(const struct link_series *s)
{
    return s->column->floor * MINUTE_S;
}

static double learned_scale(const struct link_series *s, double value)
{
    return is_share(s) ? value : log1p(value / floor_of(s));
}

double link_series_value(const struct link_series *s, double learned)
{
    if (is_share(s))
        return fmin(fmax(learned, 0), 100);
    return learned > 0 ? floor_of(s) * expm1(learned) : 0;
}

static double least_change(const struct link_series *s, const struct link_rules *rules)
{
    return is_share(s) ? SHARE_CHANGE : log(rules->min_change);
}

/* Distance from what was expected to the bound, in the direction of the change; > 0. */
static double bound_width(const struct link_series *s, const struct link_rules *rules)
{
    double width = s->rises ? s->high - s->expected : s->expected - s->low;
    return fmax(width, least_change(s, rules));
}

static double distance(const struct link_series *s, double value)
{
    double d = learned_scale(s, value) - s->expected;
    return s->rises ? d : -d;
}

double link_series_excess(const struct link_series *s, const struct link_rules *rules)
{
    return distance(s, s->observed) / bound_width(s, rules);
}

/* --- learning --- */

struct extremes {
    double most, least;
};

/* Of the minutes learned within a week. */
static struct extremes extremes_of(const struct link_series *s, uint64_t at_s)
{
    struct extremes e = {0, INFINITY};
    for (uint32_t i = 0; i < LINK_DAYS; i++) {
        const struct link_day *d = &s->days[i];
        if (d->day + LINK_DAYS <= at_s / DAY_S)
            continue;
        e.most = fmax(e.most, d->most);
        e.least = fmin(e.least, d->least);
    }
    return e;
}

static void keep_extremes(struct link_series *s, uint64_t at_s, double value)
{
    uint64_t day = at_s / DAY_S;
    struct link_day *d = &s->days[day % LINK_DAYS];
    if (d->day != day)
        *d = (struct link_day){.day = day, .most = value, .least = value};
    d->most = fmax(d->most, value);
    d->least = fmin(d->least, value);
}

static void learn(struct link_series *s, uint64_t at_s, double value,
                  struct learn_forecast_row *ret_row)
{
    double x = isnan(value) ? NAN : learned_scale(s, value);
    learn_forecaster_step(s->forecaster, (double)at_s, 0, x, ret_row);
    if (isnan(value))
        return;
    s->values++;
    keep_extremes(s, at_s, value);
}

static void learn_pending(struct link_series *s)
{
    struct learn_forecast_row row;
    for (uint32_t i = 0; i < s->n_pending; i++)
        learn(s, s->pending[i].at_s, s->pending[i].value, &row);
    s->n_pending = 0;
}

/* --- phases --- */

static void enter(struct link_series *s, enum link_phase phase, uint64_t at_s)
{
    s->phase = phase;
    s->rows = s->hits = s->calm = 0;
    s->beyond = false;
    s->since_s = at_s;
}

static bool at_once(const struct link_series *s, const struct link_rules *rules, uint64_t at_s,
                    double value)
{
    if (is_share(s) || s->values < rules->warmup_rows)
        return false;
    return value >= AT_ONCE * (extremes_of(s, at_s).most + AT_ONCE_FLOORS * floor_of(s));
}

static void sound(struct link_series *s, uint64_t at_s, double value)
{
    s->n_pending = 0;
    enter(s, LINK_ALARM, at_s);
    s->observed = value;
    s->beyond = true;
}

static void sound_at_once(struct link_series *s, uint64_t at_s, double value)
{
    s->rises = true;
    s->p_value = 1.0 / (AT_ONCE * AT_ONCE * (double)(s->values + 1));
    sound(s, at_s, value);
}

/*
 * Far beyond any minute of a week, too, begins a change: where a series is so rough that the
 * forecaster finds nothing odd in a silence, the silence itself may still be unheard of.
 */
static bool is_record(const struct link_series *s, uint64_t at_s, double value)
{
    struct extremes e = extremes_of(s, at_s);
    if (is_share(s) || isnan(value))
        return false;
    return value > RECORD * e.most || value * RECORD < e.least;
}

static void in_quiet(struct link_series *s, const struct link_rules *rules, uint64_t at_s,
                     double value)
{
    struct learn_forecast_row row;
    bool record = is_record(s, at_s, value);
    learn(s, at_s, value, &row);
    s->expected = row.expected;
    s->low = row.low;
    s->high = row.high;
    if (row.gap || row.clock_stepped || s->values < rules->warmup_rows)
        return;
    if (row.score < SCORE_CHANGED && !record)
        return;
    s->rises = learned_scale(s, value) > row.expected;
    bool watched = s->column->direction & (s->rises ? LINK_UP : LINK_DOWN);
    if (!watched || distance(s, value) < bound_width(s, rules))
        return;
    enter(s, LINK_CANDIDATE, at_s);
    s->rows = s->hits = 1;
    s->p_value = record ? fmin(row.p_value, 1.0 / (double)s->values) : row.p_value;
}

static void in_candidate(struct link_series *s, const struct link_rules *rules, uint64_t at_s,
                         double value)
{
    s->pending[s->n_pending].at_s = at_s; /* fewer than LINK_CANDIDATE_ROWS, see below */
    s->pending[s->n_pending++].value = value;
    s->rows++;
    s->hits += distance(s, value) >= bound_width(s, rules); /* a gap is not */
    if (s->hits >= LINK_CONFIRM_ROWS) {
        sound(s, at_s, value);
    } else if (s->hits + LINK_CANDIDATE_ROWS - s->rows < LINK_CONFIRM_ROWS) {
        learn_pending(s);
        enter(s, LINK_QUIET, at_s);
    }
}

/* Back for good means half-way back for some rows: a flood that comes in gusts is one flood. */
static void in_alarm(struct link_series *s, const struct link_rules *rules, uint64_t at_s,
                     double value)
{
    struct learn_forecast_row row;
    learn(s, at_s, NAN, &row);
    double away = isnan(value) ? 0 : distance(s, value) / bound_width(s, rules);
    s->beyond = away >= 1;
    if (s->beyond)
        s->observed = value;
    s->calm = away < 0.5 ? s->calm + 1 : 0;
    if (s->calm >= CALM_ROWS)
        enter(s, LINK_QUIET, at_s);
    else if (at_s - s->since_s >= rules->accept_s)
        enter(s, LINK_SETTLE, at_s);
}

static void in_settle(struct link_series *s, uint64_t at_s, double value)
{
    struct learn_forecast_row row;
    learn(s, at_s, value, &row);
    if (++s->rows >= SETTLE_ROWS)
        enter(s, LINK_QUIET, at_s);
}

void link_series_minute(struct link_series *s, const struct link_rules *rules, uint64_t at_s,
                        double value)
{
    if (s->phase <= LINK_CANDIDATE && at_once(s, rules, at_s, value)) {
        sound_at_once(s, at_s, value);
        return;
    }
    switch (s->phase) {
    case LINK_QUIET:
        in_quiet(s, rules, at_s, value);
        break;
    case LINK_CANDIDATE:
        in_candidate(s, rules, at_s, value);
        break;
    case LINK_ALARM:
        in_alarm(s, rules, at_s, value);
        break;
    case LINK_SETTLE:
        in_settle(s, at_s, value);
        break;
    }
}

bool link_series_part(struct link_series *s, const struct link_rules *rules, uint64_t at_s,
                      double value)
{
    if (s->phase > LINK_CANDIDATE || !at_once(s, rules, at_s, value))
        return false;
    sound_at_once(s, at_s, value);
    return true;
}

void link_series_break(struct link_series *s)
{
    if (s->phase == LINK_CANDIDATE)
        learn_pending(s);
    if (s->phase == LINK_CANDIDATE || s->phase == LINK_ALARM)
        enter(s, LINK_QUIET, 0);
}
