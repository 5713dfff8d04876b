/* SPDX-License-Identifier: Apache-2.0 */
#include "app/simulate_train_priv.h"
#include "app/simulate_world_priv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIE_Z 1.5

enum { STREAM_SLOW = 1, STREAM_ATTACK, STREAM_GONE };

/* Mark a share of the edges, drawn without putting back. */
static void mark(const struct simulate_world *w, double share, uint64_t stream, uint64_t round,
                 void (*set)(struct simulate_edge *edge))
{
    struct atl_rng rng;
    uint32_t wanted = (uint32_t)lround(share * w->n_edges);
    atl_rng_init_seed(&rng, simulate_seed(w->cfg->simulate.seed, stream, round));
    for (uint32_t i = 0; i < w->n_edges && wanted > 0; i++) {
        if (atl_rng_below(&rng, w->n_edges - i) >= wanted)
            continue;
        set(&w->edges[i]);
        wanted--;
    }
}

static void set_slow(struct simulate_edge *edge)
{
    edge->straggler = true;
}

static void set_attacker(struct simulate_edge *edge)
{
    edge->attacker = true;
}

static void set_gone(struct simulate_edge *edge)
{
    edge->gone = !edge->attacker;
}

static int mark_named(struct simulate_world *w, const char *name, struct atl_error *err)
{
    for (uint32_t i = 0; i < w->n_edges; i++) {
        if (strcmp(w->edges[i].identity.name, name) == 0) {
            w->edges[i].attacker = true;
            return 0;
        }
    }
    return atl_error_set(err, -EINVAL, "simulate.attack_edges: there is no edge '%.40s'", name);
}

int simulate_faults_assign(struct simulate_world *w, struct atl_error *err)
{
    int r = 0;
    mark(w, w->cfg->simulate.stragglers, STREAM_SLOW, 0, set_slow);
    if (w->cfg->simulate.attack == SIMULATE_HONEST)
        return 0;
    for (uint32_t i = 0; i < w->cfg->simulate.n_attack_edges && r == 0; i++)
        r = mark_named(w, w->cfg->simulate.attack_edges[i], err);
    if (r == 0 && w->cfg->simulate.n_attack_edges == 0)
        mark(w, w->cfg->simulate.attackers, STREAM_ATTACK, 0, set_attacker);
    return r;
}

void simulate_faults_draw(struct simulate_world *w)
{
    for (uint32_t i = 0; i < w->n_edges; i++)
        w->edges[i].gone = false;
    mark(w, w->cfg->simulate.dropouts, STREAM_GONE, w->attempt, set_gone);
}

/* The attackers know each other, and what every honest edge sends. */
static void little_is_enough(const struct simulate_world *w, float *delta)
{
    for (uint32_t k = 0; k < w->params && w->honest > 0; k++) {
        double mean = w->sum[k] / w->honest;
        double variance = w->squares[k] / w->honest - mean * mean;
        delta[k] = (float)(mean - ALIE_Z * sqrt(fmax(0, variance)));
    }
}

/* Its own message of the round before (signed anew, byte for byte as it was but for the base model
 * it never sees again), and what it overheard in this round, under its own topic and again. */
static int replay(struct simulate_edge *edge, const float *delta)
{
    struct simulate_world *w = edge->world;
    struct fed_plan old = w->plan;
    int r = 0;
    if (old.epoch > 1 && old.round > 1) {
        old.epoch--;
        old.round--;
        r = fed_forge_update(&old, &edge->identity, delta, w->params, simulate_world_from_edge,
                             edge);
    }
    if (w->overheard.payload == NULL)
        return r;
    char mine[FED_NAME_BYTES + 8];
    snprintf(mine, sizeof(mine), "up/%s", edge->identity.name);
    simulate_world_enqueue(w, NULL, mine, w->overheard.payload, w->overheard.bytes);
    simulate_world_enqueue(w, NULL, w->overheard.topic, w->overheard.payload, w->overheard.bytes);
    return r;
}

int simulate_faults_attack(struct simulate_edge *edge, float *delta, struct atl_error *err)
{
    struct simulate_world *w = edge->world;
    static const float factor[] = {
        [SIMULATE_HONEST] = 1, [SIMULATE_SIGN_FLIP] = -1, [SIMULATE_X10] = -10};
    int r;
    switch (w->cfg->simulate.attack) {
    case SIMULATE_ALIE:
        little_is_enough(w, delta);
        break;
    case SIMULATE_NAN:
        delta[0] = NAN;
        break;
    case SIMULATE_REPLAY:
        r = replay(edge, delta);
        return r < 0 ? atl_error_set(err, r, "simulation: out of memory") : 0;
    default:
        for (uint32_t k = 0; k < w->params; k++)
            delta[k] *= factor[w->cfg->simulate.attack];
    }
    r = fed_forge_update(&w->plan, &edge->identity, delta, w->params, simulate_world_from_edge,
                         edge);
    return r < 0 ? atl_error_set(err, r, "simulation: out of memory") : 0;
}
