/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* --- broker --- */

static void keep(struct world_message *m, uint32_t to, const char *topic, const uint8_t *payload,
                 size_t bytes)
{
    m->to = to;
    assert_true(atl_copy(m->topic, sizeof(m->topic), topic));
    m->payload = malloc(bytes + 1);
    assert_non_null(m->payload);
    memcpy(m->payload, payload, bytes);
    m->bytes = bytes;
}

static void enqueue(struct world *world, uint32_t to, const char *topic, const uint8_t *payload,
                    size_t bytes)
{
    assert_true(world->queued < WORLD_QUEUE);
    keep(&world->queue[world->queued++], to, topic, payload, bytes);
}

static uint32_t topic_of(const char *topic)
{
    static const char *const names[] = {"plan", "model", "lease"};
    uint32_t i = 0;
    while (i < WORLD_TOPICS && strcmp(topic, names[i]) != 0)
        i++;
    return i;
}

/** Has this one a subscription to it? */
static bool subscribed(const struct world *world, uint32_t at, const char *topic)
{
    uint32_t retained = topic_of(topic);
    if (at >= WORLD_EDGES)
        return (world->paired || at == WORLD_HUB) &&
               (strncmp(topic, "up/", 3) == 0 || (world->paired && retained < WORLD_TOPICS));
    return retained == WORLD_PLAN || retained == WORLD_MODEL ||
           (strncmp(topic, "ack/", 4) == 0 &&
            strcmp(topic + 4, world->edges[at].identity.name) == 0);
}

/** One broker takes a message. */
static void broker_takes(struct world *world, uint32_t side, const char *topic,
                         const uint8_t *payload, size_t bytes)
{
    uint32_t kind = topic_of(topic);
    if (kind < WORLD_TOPICS) {
        struct world_message *slot = &world->retained[side * WORLD_TOPICS + kind];
        free(slot->payload);
        keep(slot, 0, topic, payload, bytes);
    }
    for (uint32_t i = 0; i < WORLD_PEOPLE; i++)
        if (world->side[i] == side && !world->away[i] && subscribed(world, i, topic))
            enqueue(world, i, topic, payload, bytes);
}

static void publish(struct world *world, uint32_t from, const char *topic, const uint8_t *payload,
                    size_t bytes)
{
    if (world->away[from])
        return;
    broker_takes(world, world->side[from], topic, payload, bytes);
    if (!world->parted)
        broker_takes(world, 1 - world->side[from], topic, payload, bytes);
}

static void bring_retained(struct world *world, uint32_t to)
{
    const struct world_message *m = &world->retained[world->side[to] * WORLD_TOPICS];
    for (uint32_t i = 0; i < WORLD_TOPICS; i++)
        if (m[i].bytes > 0 && subscribed(world, to, m[i].topic))
            enqueue(world, to, m[i].topic, m[i].payload, m[i].bytes);
}

static void from_hub(void *ctx, const char *topic, const uint8_t *payload, size_t bytes,
                     bool retain)
{
    struct world_hub *hub = ctx;
    assert_int_equal(retain, topic_of(topic) < WORLD_TOPICS);
    hub->sent++;
    hub->world->acks += !retain;
    if (retain || !hub->world->drop_acks)
        publish(hub->world, hub->at, topic, payload, bytes);
}

static void from_edge(void *ctx, const char *topic, const uint8_t *payload, size_t bytes,
                      bool retain)
{
    const struct world_edge *edge = ctx;
    assert_false(retain);
    if (edge->world->overhear != NULL)
        edge->world->overhear(edge->world->overhear_ctx, edge->at, payload, bytes);
    publish(edge->world, edge->at, topic, payload, bytes);
}

static struct fed_hub *hub_at(const struct world *world, uint32_t at)
{
    return at == WORLD_HUB ? world->hub : world->hubs[1].hub;
}

void world_inject(struct world *world, uint32_t to, const char *topic, const uint8_t *payload,
                  size_t bytes)
{
    if (to < WORLD_EDGES && world->edges[to].edge != NULL)
        fed_edge_receive(world->edges[to].edge, topic, payload, bytes, world->now_ns);
    else if (to >= WORLD_EDGES && hub_at(world, to) != NULL)
        fed_hub_receive(hub_at(world, to), topic, payload, bytes, world->now_ns);
}

void world_away(struct world *world, uint32_t at, bool away)
{
    world->away[at] = away;
    if (at >= WORLD_EDGES && hub_at(world, at) != NULL)
        fed_hub_connected(hub_at(world, at), !away);
    if (!away)
        bring_retained(world, at);
}

void world_part(struct world *world, bool parted)
{
    world->parted = parted;
    if (parted)
        return;
    struct world_message before[2 * WORLD_TOPICS] = {0};
    for (uint32_t i = 0; i < 2 * WORLD_TOPICS; i++)
        if (world->retained[i].bytes > 0)
            keep(&before[i], 0, world->retained[i].topic, world->retained[i].payload,
                 world->retained[i].bytes);
    for (uint32_t i = 0; i < 2 * WORLD_TOPICS; i++)
        if (before[i].bytes > 0)
            broker_takes(world, i < WORLD_TOPICS, before[i].topic, before[i].payload,
                         before[i].bytes);
    for (uint32_t i = 0; i < 2 * WORLD_TOPICS; i++)
        free(before[i].payload);
}

static bool chance(struct world *world, uint32_t percent)
{
    return percent > 0 && atl_rng_below(&world->rng, 100) < percent;
}

void world_deliver(struct world *world)
{
    bool disorder = world->drop_percent + world->repeat_percent > 0;
    for (uint32_t turns = 0; world->queued > 0; turns++) {
        assert_true(turns < 100000);
        uint32_t at = disorder ? (uint32_t)atl_rng_below(&world->rng, world->queued) : 0;
        struct world_message m = world->queue[at];
        world->queued--;
        memmove(&world->queue[at], &world->queue[at + 1],
                (world->queued - at) * sizeof(world->queue[0]));
        if (!chance(world, world->drop_percent) && !world->away[m.to])
            world_inject(world, m.to, m.topic, m.payload, m.bytes);
        if (chance(world, world->repeat_percent))
            world_inject(world, m.to, m.topic, m.payload, m.bytes);
        free(m.payload);
    }
}

void world_lose(struct world *world)
{
    while (world->queued > 0)
        free(world->queue[--world->queued].payload);
}

/* --- people --- */

static void log_line(struct world *world, const char *line)
{
    size_t room = sizeof(world->log) - world->logged;
    int n = snprintf(world->log + world->logged, room, "%s\n", line);
    if (n > 0 && (size_t)n < room)
        world->logged += (size_t)n;
    if (getenv("FED_TEST_LOG") != NULL)
        fprintf(stderr, "# %s\n", line);
}

static void hub_log(void *ctx, const char *line)
{
    log_line(((struct world_hub *)ctx)->world, line);
}

static void edge_log(void *ctx, const char *line)
{
    log_line(((struct world_edge *)ctx)->world, line);
}

static void hub_round(void *ctx, const struct fed_round_info *info)
{
    struct world *world = ((struct world_hub *)ctx)->world;
    world->infos[world->n_infos++ % WORLD_INFOS] = *info;
}

static double hub_judge(void *ctx, const float *params, uint32_t n)
{
    struct world *world = ((struct world_hub *)ctx)->world;
    return world->judge(world, params, n);
}

const struct fed_round_info *world_info(const struct world *world, uint64_t round,
                                        enum fed_round_state state)
{
    for (uint32_t back = 1; back <= world->n_infos && back <= WORLD_INFOS; back++) {
        const struct fed_round_info *info = &world->infos[(world->n_infos - back) % WORLD_INFOS];
        if (info->round == round && info->state == state)
            return info;
    }
    return NULL;
}

static bool edge_ready(void *ctx, const struct fed_plan *plan)
{
    (void)plan;
    return !((struct world_edge *)ctx)->not_ready;
}

static int edge_train(void *ctx, const struct fed_plan *plan, const float *params, uint32_t n)
{
    struct world_edge *edge = ctx;
    (void)params;
    assert_false(edge->job);
    assert_int_equal(n, edge->world->params);
    edge->job = true;
    edge->job_round = plan->round;
    edge->job_plan = *plan;
    edge->trained++;
    return 0;
}

static int edge_promote(void *ctx, uint64_t round, const uint8_t hash[32], const float *params,
                        uint32_t n)
{
    struct world_edge *edge = ctx;
    (void)hash;
    if (edge->busy)
        return -EAGAIN;
    edge->promoted++;
    edge->promoted_round = round;
    memcpy(edge->model, params, n * sizeof(float));
    return 0;
}

static void edge_expire(void *ctx, uint64_t round)
{
    struct world_edge *edge = ctx;
    assert_int_equal(round, edge->promoted_round);
    edge->expired++;
}

float world_delta(uint32_t at, uint64_t round, uint32_t i)
{
    /* well mixed, so that nothing squeezes it */
    uint32_t x = (i * 7 + at * 131 + (uint32_t)round * 17) * 2654435761U;
    x = (x ^ x >> 15) * 2246822519U;
    return (float)((int32_t)((x ^ x >> 13) & 0xffffff) - 0x800000) / 1073741824.0F;
}

void world_answer(struct world *world, uint32_t at)
{
    struct world_edge *edge = &world->edges[at];
    if (!edge->job)
        return;
    edge->job = false;
    float *delta = malloc(world->params * sizeof(float));
    for (uint32_t i = 0; i < world->params; i++)
        delta[i] = edge->answer != NULL ? edge->answer[i] : world_delta(at, edge->job_round, i);
    fed_edge_submit(edge->edge, delta, world->params, 1000, world->now_ns);
    free(delta);
}

static void sub_path(char out[FIXTURE_PATH_BYTES], const struct world *world, const char *kind,
                     const char *name)
{
    char sub[64];
    snprintf(sub, sizeof(sub), "%s-%s", kind, name);
    fixture_path(out, world->dir, sub);
}

void world_edge_start(struct world *world, uint32_t at)
{
    struct world_edge *edge = &world->edges[at];
    char state[FIXTURE_PATH_BYTES], ledger[FIXTURE_PATH_BYTES];
    struct atl_error err = {""};
    sub_path(state, world, "state", edge->identity.name);
    sub_path(ledger, world, "ledger", edge->identity.name);
    const struct priv_ledger_config ledger_cfg = {.dir = ledger,
                                                  .owner = edge->identity.name,
                                                  .unit = "flow",
                                                  .budget_epsilon = edge->budget,
                                                  .delta = 1e-5,
                                                  .accountant = PRIV_RDP};
    const struct fed_edge_config cfg = {.federation = "north",
                                        .hub = "hub",
                                        .standby = world->paired ? "hub-2" : NULL,
                                        .shape = &world->shape,
                                        .section = "flow",
                                        .state_dir = state};
    const struct fed_edge_ops ops = {.send = from_edge,
                                     .log = edge_log,
                                     .ready = edge_ready,
                                     .train = edge_train,
                                     .promote = edge_promote,
                                     .expire = edge_expire,
                                     .ctx = edge};
    edge->job = false;
    if (!edge->no_ledger && priv_ledger_open(&edge->ledger, &ledger_cfg, &err) < 0)
        fail_msg("%s", err.text);
    if (fed_edge_create(&edge->edge, &cfg, &edge->identity, world->roster, edge->ledger, &ops,
                        &err) < 0)
        fail_msg("%s", err.text);
    bring_retained(world, at);
}

void world_edge_stop(struct world *world, uint32_t at)
{
    struct world_edge *edge = &world->edges[at];
    fed_edge_destroy(edge->edge);
    priv_ledger_close(edge->ledger);
    edge->edge = NULL;
    edge->ledger = NULL;
}

void world_presence(struct world *world, bool online)
{
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        fed_hub_presence(world->hub, world->edges[i].identity.name, online);
}

static void start_hub(struct world *world, struct world_hub *hub, const struct fed_hub_config *cfg)
{
    struct atl_error err = {""};
    const struct fed_hub_ops ops = {.send = from_hub,
                                    .log = hub_log,
                                    .round = hub_round,
                                    .judge = world->judge != NULL ? hub_judge : NULL,
                                    .ctx = hub};
    if (fed_hub_create(&hub->hub, cfg, world->base, &hub->identity, world->roster, &ops, &err) < 0)
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        fed_hub_presence(hub->hub, world->edges[i].identity.name, true);
}

void world_hub_start(struct world *world)
{
    char state[FIXTURE_PATH_BYTES];
    sub_path(state, world, "state", "hub");
    world->hub_cfg.state_dir = state;
    start_hub(world, &world->hubs[0], &world->hub_cfg);
    world->hub = world->hubs[0].hub;
}

void world_hub_stop(struct world *world)
{
    fed_hub_destroy(world->hub);
    world->hub = world->hubs[0].hub = NULL;
}

void world_pair_start(struct world *world, uint32_t at)
{
    char state[FIXTURE_PATH_BYTES];
    struct world_hub *hub = &world->hubs[at];
    struct fed_hub_config cfg = world->hub_cfg;
    assert_true(world->paired);
    sub_path(state, world, "state", hub->identity.name);
    cfg.state_dir = state;
    cfg.peer = world->hubs[1 - at].identity.name;
    cfg.second = at == 1;
    start_hub(world, hub, &cfg);
    world->hub = world->hubs[0].hub;
    world_away(world, hub->at, world->away[hub->at]);
}

void world_pair_stop(struct world *world, uint32_t at)
{
    fed_hub_destroy(world->hubs[at].hub);
    world->hubs[at].hub = NULL;
    world->hub = world->hubs[0].hub;
}

struct world *world_create(void)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    fixture_dir_make(world->dir);
    static const char *const hubs[] = {"hub", "hub-2"};
    for (uint32_t i = 0; i < 2; i++) {
        world->hubs[i].world = world;
        world->hubs[i].at = WORLD_HUB + i;
        fixture_person(&world->hubs[i].identity, world->dir, hubs[i], true);
    }
    world->hub_identity = world->hubs[0].identity;
    for (uint32_t i = 0; i < WORLD_EDGES; i++) {
        char name[16];
        snprintf(name, sizeof(name), "edge-%u", i + 1);
        fixture_person(&world->edges[i].identity, world->dir, name, true);
        world->edges[i].world = world;
        world->edges[i].at = i;
        world->edges[i].budget = 8;
    }
    world->roster = fixture_roster(world->dir);
    /* 301·40 + 41·300 = 24,340 parameters: an update is two chunks. */
    world->shape = (struct learn_shape){.n_in = 300, .n_widths = 1, .widths = {40}, .schema = {5}};
    world->params = learn_shape_params(&world->shape);
    assert_int_equal(world->params, 24340);
    assert_int_equal(learn_model_create(&world->base, &world->shape, 1), 0);
    for (uint32_t i = 0; i < WORLD_EDGES; i++)
        world->edges[i].model = calloc(world->params, sizeof(float));
    fed_hub_config_default(&world->hub_cfg);
    world->hub_cfg.federation = "north";
    world->hub_cfg.deadline_ns = 60 * ATL_NS_PER_S;
    world->hub_cfg.pause_ns = ATL_NS_PER_S;
    /* Every row in every step: the accountant's closed form, so that many rounds are quick. */
    world->hub_cfg.sample_rate = 1;
    world->hub_cfg.noise_multiplier = 100;
    world->hub_cfg.steps = 10;
    world->now_ns = WORLD_START_NS;
    atl_rng_init_seed(&world->rng, 1);
    return world;
}

void world_destroy(struct world *world)
{
    world_lose(world);
    world_pair_stop(world, 0);
    world_pair_stop(world, 1);
    for (uint32_t i = 0; i < WORLD_EDGES; i++) {
        world_edge_stop(world, i);
        free(world->edges[i].model);
    }
    for (size_t i = 0; i < ATL_ARRAY_LEN(world->retained); i++)
        free(world->retained[i].payload);
    learn_model_destroy(world->base);
    fed_roster_destroy(world->roster);
    fixture_dir_remove(world->dir);
    free(world);
}

/* --- time --- */

void world_run(struct world *world, uint32_t seconds)
{
    for (uint32_t s = 0; s < seconds; s++) {
        world->now_ns += ATL_NS_PER_S;
        for (uint32_t i = 0; i < ATL_ARRAY_LEN(world->hubs); i++)
            if (world->hubs[i].hub != NULL)
                fed_hub_step(world->hubs[i].hub, world->now_ns);
        world_deliver(world);
        for (uint32_t i = 0; i < WORLD_EDGES; i++) {
            if (world->edges[i].edge == NULL)
                continue;
            fed_edge_step(world->edges[i].edge, world->now_ns);
            if (!world->edges[i].slow)
                world_answer(world, i);
        }
        world_deliver(world);
    }
}

void world_run_until(struct world *world, uint64_t round, uint32_t seconds_max)
{
    for (uint32_t s = 0; s < seconds_max && fed_hub_round(world->hub) < round; s++)
        world_run(world, 1);
    assert_int_equal(fed_hub_round(world->hub), round);
    world_deliver(world);
}
