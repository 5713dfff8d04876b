/* SPDX-License-Identifier: Apache-2.0 */
#include "app/link_watch_priv.h"
#include "app/link_watch_series_priv.h"
#include "learner/learner.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_S    60
#define PART_S      10
#define DAY_MINUTES 1440
#define MEMORY_ROWS 2880 /* two days of minutes; the season of the day is kept apart from it */
#define FLOOD       "T1498"
#define DIRECT      "T1498.001"

/* Shares of few flows are noise. */
#define SHARE_FLOWS 60

/* Of two equally strong changes the one that stands first is told first: the telling before the
 * sum. */
static const struct link_column watched[] = {
    {{"syn"}, "SYN per second", "syn", "packets/s", DIRECT, 2, LINK_UP},
    {{"icmp"}, "ICMP packets per second", "icmp", "packets/s", DIRECT, 2, LINK_UP},
    {{"udp"}, "UDP packets per second", "udp", "packets/s", DIRECT, 10, LINK_UP},
    {{"dns_errors"}, "DNS errors per second", "dns_errors", "messages/s", "", 1, LINK_UP},
    {{"gtpc_errors", "gtpu_errors"},
     "GTP errors per second",
     "gtp_errors",
     "messages/s",
     "",
     0.2,
     LINK_UP},
    {{"pfcp_errors"}, "PFCP errors per second", "pfcp_errors", "messages/s", "", 0.2, LINK_UP},
    {{"diameter_errors"},
     "Diameter errors per second",
     "diameter_errors",
     "messages/s",
     "",
     0.2,
     LINK_UP},
    {{"ngap_errors"}, "NGAP errors per second", "ngap_errors", "messages/s", "", 0.2, LINK_UP},
    {{"unanswered_share"}, "unanswered flows, %", "unanswered_share", "%", FLOOD, 0, LINK_UP},
    {{"flows_begun"}, "new flows per second", "flows_begun", "flows/s", FLOOD, 5, LINK_BOTH},
    {{"packets"}, "packets per second", "packets", "packets/s", FLOOD, 20, LINK_BOTH},
    {{"bytes"}, "bytes per second", "bytes", "bytes/s", FLOOD, 10000, LINK_BOTH},
};

#define SERIES ATL_ARRAY_LEN(watched)

_Static_assert(SERIES <= LINK_SERIES_MAX, "the state holds them all");

struct link_watch {
    struct link_watch_config cfg;
    struct link_rules rules;
    double risk; /* a row and series */
    link_watch_fn signal;
    void *ctx;
    uint32_t places[SERIES][2]; /* of the columns in the view */
    uint32_t flows_place;
    struct link_series series[SERIES];
    double part[SERIES]; /* of the minute at hand */
    uint64_t part_s;     /* its begin */
    uint64_t last_s;     /* begin of the latest row of a minute, 0: none */
};

void link_watch_config_default(struct link_watch_config *cfg)
{
    *cfg = (struct link_watch_config){
        .alarms_per_day = 0.1,
        .min_change = 2,
        .warmup_ns = 86400 * ATL_NS_PER_S,
        .accept_ns = 6 * 3600 * ATL_NS_PER_S,
        .entity = "link",
    };
}

/* --- life --- */

static uint32_t place_of(const char *column)
{
    const struct feat_schema *schema = feat_schema_link();
    for (uint32_t i = 0; i < schema->n_columns; i++)
        if (column != NULL && strcmp(schema->columns[i].name, column) == 0)
            return i;
    return UINT32_MAX;
}

static int series_init(struct link_watch *w, size_t i, struct atl_error *err)
{
    struct learn_forecast_config cfg;
    learn_forecast_config_default(&cfg);
    cfg.interval_s = MINUTE_S;
    cfg.memory_rows = MEMORY_ROWS;
    cfg.risk = w->risk;
    w->series[i].column = &watched[i];
    for (size_t k = 0; k < 2; k++)
        w->places[i][k] = place_of(watched[i].columns[k]);
    if (w->places[i][0] == UINT32_MAX)
        return atl_error_set(err, -EINVAL, "the link view has no column %s", watched[i].columns[0]);
    return learn_forecaster_create(&w->series[i].forecaster, &cfg, err);
}

static int check(const struct link_watch_config *cfg, struct atl_error *err)
{
    if (!(cfg->alarms_per_day >= 0.001 && cfg->alarms_per_day <= 100))
        return atl_error_set(err, -EINVAL, "%g false alarms a day: expected 0.001 … 100",
                             cfg->alarms_per_day);
    if (!(cfg->min_change >= 1.1 && cfg->min_change <= 1000))
        return atl_error_set(err, -EINVAL, "a change of %g times: expected 1.1 … 1000",
                             cfg->min_change);
    return 0;
}

int link_watch_create(struct link_watch **ret_watch, const struct link_watch_config *cfg,
                      link_watch_fn signal, void *ctx, struct atl_error *err)
{
    int r = check(cfg, err);
    if (r < 0)
        return r;
    struct link_watch *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return atl_error_set(err, -ENOMEM, "no memory to watch the link");
    uint64_t warmup = cfg->warmup_ns / ATL_NS_PER_S / MINUTE_S;
    w->cfg = *cfg;
    w->rules.min_change = cfg->min_change;
    w->rules.warmup_rows =
        (uint32_t)(warmup > LEARN_FORECAST_WARMUP ? warmup : LEARN_FORECAST_WARMUP);
    w->rules.accept_s = cfg->accept_ns / ATL_NS_PER_S;
    w->risk = fmin(fmax(cfg->alarms_per_day / (DAY_MINUTES * SERIES), 1e-8), 0.1);
    w->signal = signal;
    w->ctx = ctx;
    w->flows_place = place_of("flows_begun");
    for (size_t i = 0; i < SERIES && r == 0; i++)
        r = series_init(w, i, err);
    if (r < 0) {
        link_watch_destroy(w);
        return r;
    }
    *ret_watch = w;
    return 0;
}

void link_watch_destroy(struct link_watch *watch)
{
    if (watch == NULL)
        return;
    for (size_t i = 0; i < SERIES; i++)
        learn_forecaster_destroy(watch->series[i].forecaster);
    free(watch);
}

/* --- what is told --- */

/* 14200.3 → "14,200"; small numbers keep what matters of them */
static void say_number(double v, char out[32])
{
    char digits[32];
    size_t n = 0;
    if (v > 0 && v < 99.95) {
        snprintf(out, 32, "%.*f", v < 9.995 ? 2 : 1, v);
        return;
    }
    int length = snprintf(digits, sizeof(digits), "%.0f", fmin(v, 1e18));
    for (int i = 0; i < length; i++) {
        out[n++] = digits[i];
        if ((length - i) % 3 == 1 && i + 1 < length)
            out[n++] = ',';
    }
    out[n] = '\0';
}

/* In the unit of the label. */
static double told(const struct link_series *s, double minute)
{
    return s->column->floor == 0 ? minute : minute / MINUTE_S;
}

static void say_change(const struct link_series *s, char *out, size_t out_bytes)
{
    char observed[32], expected[32], low[32], high[32];
    say_number(told(s, s->observed), observed);
    say_number(told(s, link_series_value(s, s->expected)), expected);
    say_number(told(s, link_series_value(s, s->low)), low);
    say_number(told(s, link_series_value(s, s->high)), high);
    snprintf(out, out_bytes, "%s %s, expected %s (%s to %s)", s->column->label, observed, expected,
             low, high);
}

/* Strongest first; a stable order, so that the table decides between equals. */
static uint32_t changed(const struct link_watch *w, const struct link_series *found[SERIES])
{
    double excess[SERIES];
    uint32_t n = 0;
    for (size_t i = 0; i < SERIES; i++) {
        const struct link_series *s = &w->series[i];
        if (s->phase != LINK_ALARM || !s->beyond)
            continue;
        double e = link_series_excess(s, &w->rules);
        uint32_t at = n++;
        for (; at > 0 && excess[at - 1] < e; at--) {
            excess[at] = excess[at - 1];
            found[at] = found[at - 1];
        }
        excess[at] = e;
        found[at] = s;
    }
    return n;
}

static void fill_features(const struct link_series *const *found, uint32_t n,
                          struct alert_signal *signal)
{
    signal->n_features = n < ALERT_FEATURES_MAX ? n : ALERT_FEATURES_MAX;
    for (uint32_t i = 0; i < signal->n_features; i++) {
        struct alert_feature *f = &signal->features[i];
        atl_copy(f->name, sizeof(f->name), found[i]->column->name);
        atl_copy(f->unit, sizeof(f->unit), found[i]->column->unit);
        f->observed = told(found[i], found[i]->observed);
        f->expected = told(found[i], link_series_value(found[i], found[i]->expected));
        f->low = told(found[i], link_series_value(found[i], found[i]->low));
        f->high = told(found[i], link_series_value(found[i], found[i]->high));
    }
}

static void tell(struct link_watch *w, const struct feat_link_row *row)
{
    const struct link_series *found[SERIES];
    uint32_t n = changed(w, found);
    if (n == 0)
        return;
    double excess = fmax(link_series_excess(found[0], &w->rules), 1);
    struct alert_signal s = {
        .time_ns = row->first_ns + row->interval_s * ATL_NS_PER_S,
        .first_ns = found[0]->since_s * ATL_NS_PER_S,
        .kind = "volume_change",
        .role = "link",
        .detector = "link",
        .model = "forecast",
        .score = 1 - 0.5 / excess,
        .p_value = fmax(found[0]->p_value, 1e-12),
    };
    atl_copy(s.entity, sizeof(s.entity), w->cfg.entity);
    atl_copy(s.in_iface, sizeof(s.in_iface), w->cfg.entity);
    if (found[0]->rises)
        atl_copy(s.technique, sizeof(s.technique), found[0]->column->technique);
    say_change(found[0], s.hint, sizeof(s.hint));
    fill_features(found, n, &s);
    w->signal(w->ctx, &s);
}

/* --- rows --- */

static double value_of(const struct link_watch *w, size_t i, const struct feat_link_row *row)
{
    double v = (double)row->raw[w->places[i][0]];
    if (w->places[i][1] != UINT32_MAX)
        v += (double)row->raw[w->places[i][1]];
    return v;
}

static double minute_of(const struct link_watch *w, size_t i, const struct feat_link_row *row)
{
    double v = value_of(w, i, row);
    if (watched[i].floor > 0)
        return v;
    return row->raw[w->flows_place] >= SHARE_FLOWS ? 100 * v : NAN;
}

static void take_part(struct link_watch *w, const struct feat_link_row *row)
{
    uint64_t at_s = row->first_ns / ATL_NS_PER_S, minute_s = at_s - at_s % MINUTE_S;
    bool sounded = false;
    if (minute_s != w->part_s)
        memset(w->part, 0, sizeof(w->part));
    w->part_s = minute_s;
    for (size_t i = 0; i < SERIES; i++) {
        w->part[i] += value_of(w, i, row);
        if (w->last_s != 0 && minute_s == w->last_s + MINUTE_S)
            sounded |= link_series_part(&w->series[i], &w->rules, minute_s, w->part[i]);
    }
    if (sounded)
        tell(w, row);
}

static void take_minute(struct link_watch *w, const struct feat_link_row *row)
{
    uint64_t at_s = row->first_ns / ATL_NS_PER_S;
    /* What comes after a hole may be part of a minute only. */
    bool goes_on = w->last_s != 0 && at_s == w->last_s + MINUTE_S;
    w->last_s = at_s;
    for (size_t i = 0; i < SERIES; i++) {
        struct link_series *s = &w->series[i];
        if (!goes_on)
            link_series_break(s);
        link_series_minute(s, &w->rules, at_s, goes_on ? minute_of(w, i, row) : NAN);
    }
    tell(w, row);
}

void link_watch_row(struct link_watch *w, const struct feat_link_row *row)
{
    if (row->interval_s == MINUTE_S)
        take_minute(w, row);
    else if (row->interval_s == PART_S)
        take_part(w, row);
}

/* --- state --- */

int link_watch_save(const struct link_watch *watch, uint8_t **ret_data, size_t *ret_bytes)
{
    return link_state_save(watch->series, SERIES, watch->risk, ret_data, ret_bytes);
}

int link_watch_restore(struct link_watch *watch, const uint8_t *data, size_t bytes,
                       struct atl_error *err)
{
    return link_state_restore(watch->series, SERIES, watch->risk, data, bytes, err);
}
