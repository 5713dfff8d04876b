/* SPDX-License-Identifier: Apache-2.0 */
#include "app/detector_state_priv.h"
#include "app/stratum_priv.h"

#include <string.h>

/* Unusual flows of one source: at least so many. */
#define TALLY_UNUSUAL_MIN 8

/* The factory has never seen this site's conversations: its flow model may only be scored, not
 * trusted. */
static bool watches_flows(const struct detector *d)
{
    return detector_is_local(d->views[VIEW_FLOW].model);
}

static void judge_flow(struct detector *d, uint32_t i, bool watches)
{
    const struct dp_flow *f = &d->flows[i];
    bool unusual = watches && d->score[i] > 0.5F;
    if (watches) {
        struct tally_entry *worst = tally_add(d->tally, f, unusual, d->score[i]);
        if (worst != NULL)
            memcpy(worst->raw, d->raw[i], sizeof(worst->raw));
        struct detector_scored scored = {VIEW_FLOW, f->first_ns, f->last_ns,   f,
                                         NULL,      d->score[i], d->p_value[i]};
        detector_tell_scored(d, &scored);
        atl_counter_add(&d->views[VIEW_FLOW].scored, 1);
        atl_counter_add(&d->views[VIEW_FLOW].anomalous, unusual);
    }
    if (detector_is_suspect(d, &f->src) || detector_is_suspect(d, &f->dst))
        return;
    if (watches)
        drift_watch_add(d->views[VIEW_FLOW].drift, d->score[i]);
    const struct intake_row row = {
        .x = d->x + (size_t)i * feat_schema_flow()->n_columns,
        .source = detector_source_of(d, &f->src),
        .stratum = stratum_of_flow(f),
        .normal = !unusual,
    };
    detector_remember(d, VIEW_FLOW, &row);
}

void detector_score_flows(struct detector *d)
{
    if (d->waiting == 0)
        return;
    struct view_state *v = &d->views[VIEW_FLOW];
    bool watches = watches_flows(d);
    if (watches)
        learn_score(v->model, v->scratch, d->x, d->waiting, d->score, d->p_value);
    pthread_mutex_lock(&d->rows_lock);
    for (uint32_t i = 0; i < d->waiting; i++)
        judge_flow(d, i, watches);
    pthread_mutex_unlock(&d->rows_lock);
    d->waiting = 0;
}

void detector_look_at_tally(struct detector *d, bool flush)
{
    if (!flush && d->now_ns - d->tally_looked_ns < d->cfg.hosts.step_ns)
        return;
    d->tally_looked_ns = d->now_ns;
    uint32_t at = 0;
    for (struct tally_entry *e; (e = tally_next(d->tally, &at)) != NULL;) {
        double p = tally_p_value(d->tally, e);
        if (e->flows >= d->cfg.min_flows)
            gate_count(d->gate);
        if (e->unusual < TALLY_UNUSUAL_MIN || e->flows < d->cfg.min_flows ||
            p >= DETECTOR_TALLY_P_MAX)
            continue;
        detector_suspect(d, &e->addr);
        detector_signal_tally(d, e, p);
    }
    if (d->now_ns - d->tally_began_ns >= d->cfg.hosts.window_ns) {
        tally_clear(d->tally);
        d->tally_began_ns = d->now_ns;
    }
}

const float *detector_add(struct detector *d, const struct dp_flow *flow)
{
    const struct feat_schema *schema = feat_schema_flow();
    float *raw = d->raw[d->waiting], *x = d->x + (size_t)d->waiting * schema->n_columns;
    d->flows[d->waiting] = *flow;
    feat_context_row(d->context, flow, raw);
    feat_scale_row(schema, raw, x);
    feat_hosts_add(d->hosts, flow);
    if (++d->waiting == LEARN_BATCH_MAX)
        detector_score_flows(d);
    return raw; /* the batch is empty then, its rows are still there */
}
