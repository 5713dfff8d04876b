/* SPDX-License-Identifier: Apache-2.0 */
#include "app/detector_state_priv.h"
#include "app/recipe_priv.h"
#include "app/stratum_priv.h"

#include <errno.h>
#include <stdlib.h>

const char *view_name(enum view view)
{
    return view_schema(view)->name;
}

const struct feat_schema *view_schema(enum view view)
{
    return view == VIEW_FLOW ? feat_schema_flow() : feat_schema_host();
}

/* --- life --- */

static int create_links(struct detector *d)
{
    static const uint32_t intervals_s[DETECTOR_LINKS] = {1, 10, 60};
    int r = 0;
    if (d->ops.link == NULL)
        return 0;
    for (int i = 0; i < DETECTOR_LINKS && r == 0; i++)
        r = feat_links_create(&d->links[i], intervals_s[i], d->ops.link, d->ops.ctx);
    return r;
}

static int view_create(struct view_state *v, enum view view, const struct detector_config *cfg)
{
    struct learn_shape shape;
    recipe_shape(view, &shape);
    int r = learn_scratch_create(&v->scratch, &shape);
    if (r < 0)
        return r;
    const struct intake_config intake = {
        .n_in = shape.n_in,
        .rows = cfg->reservoir_rows,
        .delay_ns = cfg->learn_delay_ns,
        .hourly_rows = cfg->learn_hourly,
        .n_strata = STRATA,
        .seed = cfg->seed + (uint64_t)view,
        .fair_sample = cfg->fair_sample,
    };
    r = intake_create(&v->intake, &intake);
    return r < 0 ? r : drift_watch_create(&v->drift);
}

static int create_gate(struct detector *d)
{
    const struct gate_config gate = {
        .hourly = d->cfg.false_hourly,
        .look_ns = d->cfg.hosts.step_ns,
        .tests_max = (uint64_t)d->cfg.hosts.hosts_max + TALLY_ENTRIES,
    };
    return gate_create(&d->gate, &gate, d->ops.signal, d->ops.ctx);
}

int detector_create(struct detector **ret_detector, const struct detector_config *cfg,
                    const struct detector_ops *ops)
{
    struct detector *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return -ENOMEM;
    d->cfg = *cfg;
    d->ops = *ops;
    pthread_mutex_init(&d->rows_lock, NULL);
    atl_hash_key_init(&d->host_key);
    int r = feat_hosts_create(&d->hosts, &cfg->hosts);
    if (r == 0)
        r = feat_context_create(&d->context, &cfg->context);
    if (r == 0)
        r = tally_create(&d->tally, recipe_risk(VIEW_FLOW));
    if (r == 0)
        r = create_gate(d);
    if (r == 0)
        r = create_links(d);
    for (enum view v = 0; v < VIEW_COUNT && r == 0; v++)
        r = view_create(&d->views[v], v, cfg);
    if (r < 0) {
        detector_destroy(d);
        return r;
    }
    *ret_detector = d;
    return 0;
}

int detector_change_site(struct detector *d)
{
    struct feat_hosts *fresh;
    int r = feat_hosts_create(&fresh, &d->cfg.hosts);
    if (r < 0)
        return r;
    feat_hosts_destroy(d->hosts);
    d->hosts = fresh;
    return 0;
}

void detector_destroy(struct detector *d)
{
    if (d == NULL)
        return;
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        learn_model_destroy(d->views[v].model);
        learn_model_destroy(atomic_load(&d->views[v].posted));
        learn_model_destroy(d->views[v].reference);
        learn_scratch_destroy(d->views[v].scratch);
        intake_destroy(d->views[v].intake);
        drift_watch_destroy(d->views[v].drift);
    }
    feat_hosts_destroy(d->hosts);
    for (int i = 0; i < DETECTOR_LINKS; i++)
        feat_links_destroy(d->links[i]);
    feat_context_destroy(d->context);
    tally_destroy(d->tally);
    gate_destroy(d->gate);
    pthread_mutex_destroy(&d->rows_lock);
    free(d);
}

void detector_stats(const struct detector *d, struct detector_stats *ret_stats)
{
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        ret_stats->offered[v] = atl_counter_get(&d->views[v].offered);
        ret_stats->scored[v] = atl_counter_get(&d->views[v].scored);
        ret_stats->anomalous[v] = atl_counter_get(&d->views[v].anomalous);
        ret_stats->drifts[v] = atl_counter_get(&d->views[v].drifts);
        ret_stats->level[v] = atomic_load(&d->views[v].level);
        ret_stats->waiting[v] = atomic_load(&d->views[v].waiting);
        ret_stats->refused[v] = atomic_load(&d->views[v].refused);
        ret_stats->forgotten[v] = atomic_load(&d->views[v].forgotten);
    }
    ret_stats->withheld = atomic_load(&d->withheld);
    ret_stats->watched_ns = atl_counter_get(&d->watched_ns);
}

/* --- link view --- */

void detector_link(void *detector, const struct dp_link *second)
{
    struct detector *d = detector;
    for (int i = 0; i < DETECTOR_LINKS; i++)
        if (d->links[i] != NULL)
            feat_links_add(d->links[i], second);
}

void detector_link_step(struct detector *d, uint64_t due_s)
{
    for (int i = 0; i < DETECTOR_LINKS; i++)
        if (d->links[i] != NULL)
            feat_links_step(d->links[i], due_s);
}

static void flush_links(struct detector *d)
{
    for (int i = 0; i < DETECTOR_LINKS; i++)
        if (d->links[i] != NULL)
            feat_links_flush(d->links[i]);
}

static void set_clock(struct detector *d, atl_ns now_ns)
{
    if (now_ns <= d->now_ns)
        return;
    if (d->now_ns != 0)
        atl_counter_add(&d->watched_ns, now_ns - d->now_ns);
    d->now_ns = now_ns;
}

void detector_step(struct detector *d, atl_ns now_ns, bool flush)
{
    set_clock(d, now_ns);
    detector_take_up_models(d);
    detector_score_flows(d);
    detector_look_at_tally(d, flush);
    uint32_t n;
    do {
        n = feat_hosts_take(d->hosts, d->now_ns, flush, d->rows, DETECTOR_HOST_ROWS);
        for (uint32_t i = 0; i < n; i++)
            detector_judge_host(d, &d->rows[i]);
    } while (n == DETECTOR_HOST_ROWS);
    gate_step(d->gate, d->now_ns, flush);
    atomic_store(&d->withheld, gate_withheld(d->gate));
    detector_adapt(d, flush);
    if (flush) {
        flush_links(d);
        d->now_ns = d->tally_began_ns = d->tally_looked_ns = 0;
        tally_clear(d->tally);
    }
}
