/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole federation in memory: one hub or two, three edges with real ledgers and state folders, a
 * broker that is a queue (or two, with a bridge), and a clock that only the test moves.
 */
#ifndef FED_TEST_WORLD_H
#define FED_TEST_WORLD_H

#include "fixture.h"

#define WORLD_EDGES    3
#define WORLD_QUEUE    4096
#define WORLD_INFOS    512
#define WORLD_START_NS (1795219200ULL * ATL_NS_PER_S)

/* as addresses; edges are 0 … */
enum { WORLD_HUB = WORLD_EDGES, WORLD_STANDBY, WORLD_PEOPLE };
enum { WORLD_PLAN, WORLD_MODEL, WORLD_LEASE, WORLD_TOPICS }; /* retained */

struct world_message {
    uint32_t to;
    char topic[48];
    uint8_t *payload;
    size_t bytes;
};

struct world_edge {
    struct world *world;
    uint32_t at;
    struct fed_identity identity;
    struct fed_edge *edge;
    struct priv_ledger *ledger;
    double budget;
    bool no_ledger, not_ready, slow; /* slow: the trainer answers only when told */
    bool busy;                       /* takes no model now */
    uint32_t expired;                /* times that its model did */
    bool job;
    uint64_t job_round;
    struct fed_plan job_plan;
    uint32_t trained, promoted;
    uint64_t promoted_round;
    float *model;  /* last promoted */
    float *answer; /* what the trainer gives instead of world_delta, or NULL */
};

/** With world->paired: a hub and how it is reached. */
struct world_hub {
    struct world *world;
    uint32_t at;
    struct fed_identity identity;
    struct fed_hub *hub;
    uint64_t sent; /* messages */
};

struct world {
    char dir[FIXTURE_PATH_BYTES];
    struct fed_roster *roster;
    struct fed_identity hub_identity;
    struct fed_hub_config hub_cfg;
    struct fed_hub *hub; /* hubs[0].hub */
    bool paired;         /* two hubs: set it before any is started */
    struct world_hub hubs[2];
    uint32_t side[WORLD_PEOPLE]; /* whose broker: 0 or 1 */
    bool away[WORLD_PEOPLE];     /* no connection: what is sent is lost */
    bool parted;                 /* no bridge between the brokers */
    struct world_edge edges[WORLD_EDGES];
    struct learn_shape shape;
    struct learn_model *base;
    uint32_t params;
    atl_ns now_ns;

    struct world_message queue[WORLD_QUEUE];
    uint32_t queued;
    struct world_message retained[2 * WORLD_TOPICS]; /* of broker 0, then of broker 1 */
    struct atl_rng rng;
    uint32_t drop_percent, repeat_percent; /* and any order when either is set */
    bool drop_acks;
    double (*judge)(void *ctx, const float *params, uint32_t n); /* ctx: the world */
    uint32_t acks;                                               /* delivered or not */

    /* Every piece of an update that an edge sends, wherever it goes; NULL = nobody listens. */
    void (*overhear)(void *ctx, uint32_t edge, const uint8_t *payload, size_t bytes);
    void *overhear_ctx;

    struct fed_round_info infos[WORLD_INFOS]; /* a ring */
    uint32_t n_infos;
    char log[1 << 16]; /* the lines so far, as many as fit */
    size_t logged;
};

/** Identities, roster, ledgers, hub and edges; quorum 2, rounds of 60 s, 1 s between. */
struct world *world_create(void);
void world_destroy(struct world *world);

void world_hub_start(struct world *world);
void world_hub_stop(struct world *world);
/** With world->paired. */
void world_pair_start(struct world *world, uint32_t hub);
void world_pair_stop(struct world *world, uint32_t hub);
/** Connection lost, or there again: all subscriptions are made anew. */
void world_away(struct world *world, uint32_t at, bool away);
/** The bridge breaks, or comes back: then each broker tells the other what it retains. */
void world_part(struct world *world, bool parted);
void world_edge_start(struct world *world, uint32_t at);
void world_edge_stop(struct world *world, uint32_t at);
void world_presence(struct world *world, bool online);

/** What edge `at` learns in a round: the i-th number is exact in float32. */
float world_delta(uint32_t at, uint64_t round, uint32_t i);
/** The trainer of this edge answers now. */
void world_answer(struct world *world, uint32_t at);
/** Deliver all that is queued, and what that causes. */
void world_deliver(struct world *world);
/** Forget all that is queued. */
void world_lose(struct world *world);
/** Step everybody, train, deliver, `seconds` times, one second each. */
void world_run(struct world *world, uint32_t seconds);
/** Until the hub has committed this round. */
void world_run_until(struct world *world, uint64_t round, uint32_t seconds_max);
/** Put a message into somebody's hands, as if from the broker. */
void world_inject(struct world *world, uint32_t to, const char *topic, const uint8_t *payload,
                  size_t bytes);
/** The last report of a round in this state, NULL when there is none. */
const struct fed_round_info *world_info(const struct world *world, uint64_t round,
                                        enum fed_round_state state);

#endif
