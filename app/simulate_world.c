/* SPDX-License-Identifier: Apache-2.0 */
#include "app/simulate_measure_priv.h"
#include "app/simulate_world_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEDERATION "simulated"
#define START_NS   (UINT64_C(1700000000) * ATL_NS_PER_S)
#define NOISE_PLAIN \
    1000.0                /* in the plan of a federation without privacy: its ledgers barely move */
#define NOISE_MAX  1000.0 /* of a plan */
#define BUDGET_MAX 1e9

/* --- in place of the broker --- */

static bool keep(struct simulate_message *m, struct simulate_edge *to, const char *topic,
                 const uint8_t *payload, size_t bytes)
{
    uint8_t *copy = malloc(bytes + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, payload, bytes);
    *m = (struct simulate_message){.to = to, .payload = copy, .bytes = bytes};
    atl_copy(m->topic, sizeof(m->topic), topic);
    return true;
}

void simulate_world_enqueue(struct simulate_world *w, struct simulate_edge *to, const char *topic,
                            const uint8_t *payload, size_t bytes)
{
    if (w->queued == w->queue_room) {
        uint32_t room = w->queue_room < 64 ? 64 : 2 * w->queue_room;
        struct simulate_message *queue = realloc(w->queue, room * sizeof(*queue));
        if (queue == NULL) {
            w->failed = -ENOMEM;
            return;
        }
        w->queue = queue;
        w->queue_room = room;
    }
    if (keep(&w->queue[w->queued], to, topic, payload, bytes))
        w->queued++;
    else
        w->failed = -ENOMEM;
}

/* First in, first out: a chunk and its acknowledgement at a time, so the queue stays short. */
void simulate_world_deliver(struct simulate_world *w)
{
    for (uint32_t at = 0; at < w->queued; at++) {
        struct simulate_message m = w->queue[at];
        if (m.to == NULL)
            fed_hub_receive(w->hub, m.topic, m.payload, m.bytes, w->now_ns);
        else
            fed_edge_receive(m.to->edge, m.topic, m.payload, m.bytes, w->now_ns);
        if (m.to == NULL)
            w->totals.bytes_up += m.bytes;
        else
            w->totals.bytes_down += m.bytes;
        free(m.payload);
    }
    w->queued = 0;
}

static void from_hub(void *ctx, const char *topic, const uint8_t *payload, size_t bytes,
                     bool retain)
{
    struct simulate_world *w = ctx;
    if (retain) {
        struct simulate_message *slot = &w->retained[strcmp(topic, "plan") == 0];
        free(slot->payload);
        *slot = (struct simulate_message){0};
        if (!keep(slot, NULL, topic, payload, bytes))
            w->failed = -ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < w->n_edges; i++)
        if (strncmp(topic, "ack/", 4) == 0 && strcmp(topic + 4, w->edges[i].identity.name) == 0)
            simulate_world_enqueue(w, &w->edges[i], topic, payload, bytes);
}

void simulate_world_from_edge(void *ctx, const char *topic, const uint8_t *payload, size_t bytes,
                              bool retain)
{
    struct simulate_edge *e = ctx;
    (void)retain;
    if (!e->attacker) {
        e->world->totals.update_bytes += bytes;
        if (e->world->overheard.payload == NULL &&
            e->world->cfg->simulate.attack == SIMULATE_REPLAY)
            keep(&e->world->overheard, NULL, topic, payload, bytes);
    }
    simulate_world_enqueue(e->world, NULL, topic, payload, bytes);
}

static void no_log(void *ctx, const char *line)
{
    (void)ctx;
    (void)line;
}

/* --- edges --- */

static bool edge_ready(void *ctx, const struct fed_plan *plan)
{
    const struct simulate_edge *e = ctx;
    (void)plan;
    return e->world->data->sites[e->at].n > 0;
}

static int edge_train(void *ctx, const struct fed_plan *plan, const float *params, uint32_t n)
{
    struct simulate_edge *e = ctx;
    e->job = e->charged = true;
    e->world->plan = *plan; /* the same for all */
    memcpy(e->world->start, params, n * sizeof(*params));
    return 0;
}

static int edge_promote(void *ctx, uint64_t round, const uint8_t hash[32], const float *params,
                        uint32_t n)
{
    struct simulate_edge *e = ctx;
    (void)round;
    (void)hash;
    memcpy(e->world->model, params, n * sizeof(*params));
    return 0;
}

static int open_ledger(struct simulate_edge *e, struct atl_error *err)
{
    const struct simulate_world *w = e->world;
    char dir[CONFIG_PATH_BYTES + 80];
    snprintf(dir, sizeof(dir), "%s/%s-ledger", w->scratch, e->identity.name);
    const struct priv_ledger_config cfg = {.dir = dir,
                                           .owner = e->identity.name,
                                           .unit = "flow",
                                           .budget_epsilon = w->budget,
                                           .delta = w->cfg->federation.delta,
                                           .accountant = PRIV_RDP};
    return priv_ledger_open(&e->ledger, &cfg, err);
}

static int open_edge(struct simulate_edge *e, struct atl_error *err)
{
    const struct simulate_world *w = e->world;
    char dir[CONFIG_PATH_BYTES + 80];
    snprintf(dir, sizeof(dir), "%s/%s", w->scratch, e->identity.name);
    const struct fed_edge_config cfg = {.federation = FEDERATION,
                                        .hub = SIMULATE_HUB,
                                        .shape = &w->data->shape,
                                        .section = "flow",
                                        .state_dir = dir};
    const struct fed_edge_ops ops = {.send = simulate_world_from_edge,
                                     .log = no_log,
                                     .ready = edge_ready,
                                     .train = edge_train,
                                     .promote = edge_promote,
                                     .ctx = e};
    int r = open_ledger(e, err);
    return r < 0 ? r
                 : fed_edge_create(&e->edge, &cfg, &e->identity, w->roster, e->ledger, &ops, err);
}

/* --- hub --- */

static void hub_round(void *ctx, const struct fed_round_info *info)
{
    struct simulate_world *w = ctx;
    *w->info = *info;
    w->closed = info->state != FED_ROUND_OPEN;
}

static double hub_judge(void *ctx, const float *params, uint32_t n)
{
    const struct simulate_world *w = ctx;
    (void)n;
    return simulate_canary(w->data, params);
}

int simulate_world_open_hub(struct simulate_world *w, struct atl_error *err)
{
    const struct fed_hub_ops ops = {.send = from_hub,
                                    .log = no_log,
                                    .round = hub_round,
                                    .judge = w->data->n_canary > 0 ? hub_judge : NULL,
                                    .ctx = w};
    int r = fed_hub_create(&w->hub, &w->hub_cfg, w->base, &w->hub_identity, w->roster, &ops, err);
    for (uint32_t i = 0; i < w->n_edges && r == 0; i++)
        if (w->data->sites[i].n > 0)
            fed_hub_presence(w->hub, w->edges[i].identity.name, true);
    return r;
}

/* --- life --- */

/* The hub's noise is one number for all: it is found for an edge that takes part in every round. */
static int choose_noise(struct simulate_world *w, struct atl_error *err)
{
    const struct config *cfg = w->cfg;
    const struct priv_event all = {.mechanism = PRIV_POISSON_GAUSSIAN,
                                   .q = cfg->federation.sample_rate,
                                   .sigma = 1,
                                   .steps = cfg->federation.rounds * cfg->federation.steps};
    w->budget = BUDGET_MAX;
    w->plan_noise = NOISE_PLAIN;
    if (!cfg->simulate.private)
        return 0;
    w->noise_multiplier = cfg->federation.noise_multiplier;
    int r = 0;
    if (cfg->simulate.epsilon > 0) {
        r = priv_calibrate(PRIV_RDP, &all, cfg->simulate.epsilon, cfg->federation.delta,
                           &w->noise_multiplier, err);
        w->budget = cfg->simulate.epsilon;
        if (r == 0 && w->noise_multiplier > NOISE_MAX)
            r = atl_error_set(err, -ERANGE,
                              "simulate.epsilon %g takes a noise multiplier of %g, at most %g is "
                              "expected: allow more, or plan fewer rounds or steps or a lower "
                              "sample_rate",
                              cfg->simulate.epsilon, w->noise_multiplier, NOISE_MAX);
    }
    w->plan_noise = w->noise_multiplier;
    return r;
}

static int make_people(struct simulate_world *w, struct atl_error *err)
{
    char keys[CONFIG_PATH_BYTES + 32];
    snprintf(keys, sizeof(keys), "%s/keys", w->scratch);
    int r = fed_identity_open(&w->hub_identity, keys, SIMULATE_HUB, err);
    for (uint32_t i = 0; i < w->n_edges && r == 0; i++) {
        w->edges[i].world = w;
        w->edges[i].at = i;
        r = fed_identity_open(&w->edges[i].identity, keys, w->data->sites[i].name, err);
    }
    if (r == 0)
        r = fed_roster_load(&w->roster, keys, err);
    for (uint32_t i = 0; i < w->n_edges && r == 0; i++)
        r = open_edge(&w->edges[i], err);
    return r;
}

static int make_room(struct simulate_world *w)
{
    w->start = calloc(w->params, sizeof(*w->start));
    w->model = calloc(w->params, sizeof(*w->model));
    w->scratch_params = calloc(w->params, sizeof(*w->scratch_params));
    w->sum = calloc(w->params, sizeof(*w->sum));
    w->squares = calloc(w->params, sizeof(*w->squares));
    w->info = calloc(1, sizeof(*w->info));
    w->edges = calloc(w->n_edges, sizeof(*w->edges));
    bool good = w->start != NULL && w->model != NULL && w->scratch_params != NULL &&
                w->sum != NULL && w->squares != NULL && w->info != NULL && w->edges != NULL;
    return good ? 0 : -ENOMEM;
}

int simulate_world_init(struct simulate_world *w, const struct config *cfg,
                        const struct simulate_data *data, const char *scratch,
                        struct atl_error *err)
{
    *w = (struct simulate_world){.cfg = cfg,
                                 .data = data,
                                 .scratch = scratch,
                                 .n_edges = data->n_sites,
                                 .params = learn_shape_params(&data->shape),
                                 .now_ns = START_NS};
    int r = choose_noise(w, err);
    if (r < 0)
        return r;
    r = make_room(w);
    if (r == 0)
        r = learn_model_create(&w->base, &data->shape, cfg->simulate.seed);
    if (r < 0)
        return atl_error_set(err, r, "simulation: out of memory");
    memcpy(w->model, learn_model_params(w->base), w->params * sizeof(*w->model));
    snprintf(w->hub_dir, sizeof(w->hub_dir), "%s/hub", scratch);
    config_hub(cfg, w->hub_dir, &w->hub_cfg);
    w->hub_cfg.federation = FEDERATION;
    w->hub_cfg.rounds = 0; /* the rounds are counted here: abandoned ones too */
    w->hub_cfg.noise_multiplier = w->plan_noise;
    r = make_people(w, err);
    return r < 0 ? r : simulate_faults_assign(w, err);
}

void simulate_world_finish(struct simulate_world *w)
{
    for (uint32_t i = 0; w->edges != NULL && i < w->n_edges; i++) {
        fed_edge_destroy(w->edges[i].edge);
        priv_ledger_close(w->edges[i].ledger);
    }
    while (w->queued > 0)
        free(w->queue[--w->queued].payload);
    fed_hub_destroy(w->hub);
    fed_roster_destroy(w->roster);
    learn_model_destroy(w->base);
    free(w->retained[0].payload);
    free(w->retained[1].payload);
    free(w->overheard.payload);
    free(w->queue);
    free(w->edges);
    free(w->info);
    free(w->squares);
    free(w->sum);
    free(w->scratch_params);
    free(w->model);
    free(w->start);
}
