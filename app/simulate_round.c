/* SPDX-License-Identifier: Apache-2.0 */
#include "app/simulate_train_priv.h"
#include "app/simulate_world_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One in so many parts of the deadline is what an edge usually needs. */
#define USUAL_PARTS 10

static void broadcast(struct simulate_world *w, bool also_gone)
{
    for (int m = 0; m < 2; m++) {
        const struct simulate_message *kept = &w->retained[m];
        if (kept->payload == NULL)
            continue;
        for (uint32_t i = 0; i < w->n_edges; i++) {
            if (w->edges[i].gone && !also_gone)
                continue;
            simulate_world_enqueue(w, &w->edges[i], kept->topic, kept->payload, kept->bytes);
            simulate_world_deliver(w);
        }
    }
}

/* --- training --- */

static int train(struct simulate_edge *e, float *delta, struct atl_error *err)
{
    struct simulate_world *w = e->world;
    const struct simulate_training training = {
        .shape = &w->data->shape,
        .cfg = w->cfg,
        .noise_multiplier = w->noise_multiplier,
        .proximal = w->plan.proximal,
        .steps = w->plan.steps,
        .seed = simulate_seed(w->cfg->simulate.seed, 1000 + w->attempt, e->at),
    };
    int r = simulate_train(&training, w->start, simulate_site_rows(w->data, e->at),
                           w->data->sites[e->at].n, delta, err);
    for (uint32_t k = 0; k < w->params && r == 0; k++)
        delta[k] -= w->start[k];
    return r;
}

static void remember(struct simulate_world *w, const float *delta)
{
    if (w->cfg->simulate.attack != SIMULATE_ALIE)
        return;
    w->honest++;
    for (uint32_t k = 0; k < w->params; k++) {
        w->sum[k] += (double)delta[k];
        w->squares[k] += (double)delta[k] * (double)delta[k];
    }
}

static int answer(struct simulate_edge *e, struct atl_error *err)
{
    struct simulate_world *w = e->world;
    float *delta = w->scratch_params;
    int r = train(e, delta, err);
    e->job = false;
    if (r == -ERANGE) {
        fed_edge_fail(e->edge, "training diverged");
        return 0;
    }
    if (r == 0 && e->attacker) {
        fed_edge_fail(e->edge, "it attacks"); /* what it sends is not the edge's work */
        r = simulate_faults_attack(e, delta, err);
    } else if (r == 0) {
        remember(w, delta);
        w->totals.updates++;
        fed_edge_submit(e->edge, delta, w->params, w->data->sites[e->at].n, w->now_ns);
    }
    simulate_world_deliver(w);
    return r;
}

enum group { PUNCTUAL, ATTACKERS, SLOW };

static bool in_group(const struct simulate_edge *e, enum group group)
{
    if (!e->job || e->gone)
        return false;
    return group == (e->attacker ? ATTACKERS : e->straggler ? SLOW : PUNCTUAL);
}

static int answer_all(struct simulate_world *w, enum group group, struct atl_error *err)
{
    char what[64];
    int r = 0;
    for (uint32_t i = 0; i < w->n_edges && r == 0; i++) {
        struct simulate_edge *e = &w->edges[i];
        if (!in_group(e, group))
            continue;
        r = answer(e, err);
        double rounds = (double)w->cfg->federation.rounds;
        snprintf(what, sizeof(what), "round %u", (unsigned)w->attempt);
        if (w->progress != NULL)
            w->progress(w->ctx, what, ((double)(w->attempt - 1) + (double)i / w->n_edges) / rounds);
    }
    return r;
}

/* Too late, or gone: whatever they bring, the edge's own clock says no. */
static void end_jobs(struct simulate_world *w)
{
    memset(w->scratch_params, 0, w->params * sizeof(*w->scratch_params));
    for (uint32_t i = 0; i < w->n_edges; i++) {
        struct simulate_edge *e = &w->edges[i];
        if (e->job && e->gone)
            fed_edge_fail(e->edge, "gone");
        else if (e->job)
            fed_edge_submit(e->edge, w->scratch_params, w->params, w->data->sites[i].n, w->now_ns);
        e->job = false;
        fed_edge_step(e->edge, w->now_ns);
    }
    simulate_world_deliver(w);
}

/* --- the round --- */

static void begin(struct simulate_world *w)
{
    w->attempt++;
    w->before = w->totals;
    w->closed = false;
    w->honest = 0;
    memset(w->sum, 0, w->params * sizeof(*w->sum));
    memset(w->squares, 0, w->params * sizeof(*w->squares));
    free(w->overheard.payload);
    w->overheard = (struct simulate_message){0};
    for (uint32_t i = 0; i < w->n_edges; i++)
        w->edges[i].job = w->edges[i].charged = false;
    simulate_faults_draw(w);
}

static int open_round(struct simulate_world *w, struct atl_error *err)
{
    int r = simulate_world_open_hub(w, err);
    if (r < 0)
        return r;
    w->now_ns += ATL_NS_PER_S + w->hub_cfg.pause_ns;
    fed_hub_step(w->hub, w->now_ns);
    if (w->retained[1].payload == NULL || w->retained[1].bytes == 0)
        return atl_error_set(err, -EINVAL,
                             "simulation: no round can start: the quorum is %u, and fewer edges "
                             "have rows",
                             w->hub_cfg.quorum);
    broadcast(w, true); /* those that vanish do so after they were charged */
    /* An edge that begins at a moment of its own within the spread has begun by its end. */
    w->now_ns += w->hub_cfg.spread_ns;
    for (uint32_t i = 0; i < w->n_edges; i++)
        fed_edge_step(w->edges[i].edge, w->now_ns);
    return 0;
}

/* A closed round stays the last one of this life of the hub. */
static void step_hub(struct simulate_world *w)
{
    if (!w->closed)
        fed_hub_step(w->hub, w->now_ns);
}

static int run(struct simulate_world *w, atl_ns opened_ns, struct atl_error *err)
{
    atl_ns deadline_ns = w->hub_cfg.deadline_ns, part_ns = deadline_ns / USUAL_PARTS;
    double slow_ns = w->cfg->simulate.slowness * (double)part_ns;
    w->now_ns = opened_ns + part_ns;
    int r = answer_all(w, PUNCTUAL, err);
    if (r == 0)
        r = answer_all(w, ATTACKERS, err);
    step_hub(w);
    if (r == 0 && slow_ns < (double)deadline_ns) {
        w->now_ns = opened_ns + (atl_ns)slow_ns;
        if (!w->closed)
            r = answer_all(w, SLOW, err);
        step_hub(w);
    }
    w->now_ns = opened_ns + deadline_ns + 1;
    step_hub(w);
    end_jobs(w);
    broadcast(w, true);
    return r;
}

static void count(struct simulate_world *w)
{
    w->totals.refused += fed_hub_refused(w->hub);
    w->totals.spoiled += w->info->spoiled;
    w->totals.commits += w->info->state == FED_ROUND_COMMITTED;
    for (uint32_t k = 0; k < w->info->participants; k++)
        for (uint32_t i = 0; i < w->n_edges; i++)
            w->totals.hostile_votes +=
                w->edges[i].attacker && strcmp(w->edges[i].identity.name, w->info->names[k]) == 0;
}

int simulate_world_round(struct simulate_world *w, struct atl_error *err)
{
    begin(w);
    int r = open_round(w, err);
    if (r == 0)
        r = run(w, w->now_ns - w->hub_cfg.spread_ns, err);
    if (r == 0 && (w->failed < 0 || !w->closed))
        r = atl_error_set(err, w->failed < 0 ? w->failed : -EIO,
                          w->failed < 0 ? "simulation: out of memory"
                                        : "simulation: the round did not end; is %s full?",
                          w->scratch);
    if (r == 0)
        count(w);
    fed_hub_destroy(w->hub);
    w->hub = NULL;
    return r;
}
