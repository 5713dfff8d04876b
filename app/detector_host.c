/* SPDX-License-Identifier: Apache-2.0 */
#include "app/detector_state_priv.h"
#include "app/stratum_priv.h"

/* A target whose window is the work of few sources is not the story: the source is. */
#define TARGET_PEERS_MIN 8

/* So many packets weigh as much as a flow where too little happened to alert on. */
#define PACKETS_AS_A_FLOW 100

/* A host is learned from windows of so much less than it is alerted on. */
#define LEARN_PART 4

void detector_report(struct detector *d, const struct dp_report *report)
{
    feat_hosts_report(d->hosts, report);
}

/* A flood and a theft may be a single conversation. */
static bool has_volume(const struct feat_host_row *row, uint32_t min_flows)
{
    return row->events >= min_flows || row->packets >= (uint64_t)min_flows * PACKETS_AS_A_FLOW;
}

/*
 * Windows of one or two flows are the most and the strangest, and never alerted on: a boundary
 * drawn around them would hold every attack. And one row a window: a dozen looks at the same burst
 * would pass for a dozen bursts.
 */
static bool worth_learning(const struct detector *d, const struct feat_host_row *row)
{
    return row->closed && has_volume(row, (d->cfg.min_flows + LEARN_PART - 1) / LEARN_PART);
}

static bool worth_an_alert(const struct detector *d, const struct feat_host_row *row)
{
    if (!has_volume(row, d->cfg.min_flows))
        return false;
    return row->role == FEAT_SOURCE || row->peers >= TARGET_PEERS_MIN;
}

/* The stronger of the learned model's opinion and the factory's. */
static struct opinion ask(const struct view_state *v, const float *x)
{
    const struct learn_model *const models[] = {v->model, v->reference};
    struct opinion strongest = {NULL, 0, 1};
    for (size_t i = 0; i < ATL_ARRAY_LEN(models); i++) {
        struct opinion o = {models[i], 0, 1};
        if (o.model == NULL)
            continue;
        learn_score(o.model, v->scratch, x, 1, &o.score, &o.p_value);
        if (strongest.model == NULL || o.score > strongest.score)
            strongest = o;
    }
    return strongest;
}

/* What is odd but too little to alert on must be learned, or it stays odd for ever. */
static void learn_host(struct detector *d, const struct feat_host_row *row, const float *x,
                       const struct opinion *o)
{
    struct view_state *v = &d->views[VIEW_HOST];
    if (!worth_learning(d, row) || detector_is_suspect(d, &row->addr))
        return;
    if (detector_is_local(v->model) && o->model == v->model)
        drift_watch_add(v->drift, o->score);
    const struct intake_row offer = {
        .x = x,
        .source = detector_source_of(d, &row->addr),
        .stratum = stratum_of_host(row),
        .normal = true,
    };
    pthread_mutex_lock(&d->rows_lock);
    detector_remember(d, VIEW_HOST, &offer);
    pthread_mutex_unlock(&d->rows_lock);
}

void detector_judge_host(struct detector *d, const struct feat_host_row *row)
{
    struct view_state *v = &d->views[VIEW_HOST];
    float x[FEAT_COLUMNS_MAX];
    feat_scale_row(feat_schema_host(), row->raw, x);
    struct opinion o = ask(v, x);
    if (o.model != NULL) {
        struct detector_scored scored = {VIEW_HOST, row->first_ns, row->last_ns, NULL,
                                         row,       o.score,       o.p_value};
        detector_tell_scored(d, &scored);
        atl_counter_add(&v->scored, 1);
        atl_counter_add(&v->anomalous, o.score > 0.5F);
    }
    bool tested = worth_an_alert(d, row), alert = tested && o.score > 0.5F;
    if (tested)
        gate_count(d->gate);
    if (alert) {
        detector_suspect(d, &row->addr);
        detector_signal_host(d, row, &o, x);
    }
    if (!alert)
        learn_host(d, row, x, &o);
}
