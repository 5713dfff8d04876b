/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A federation in one process: the state machines, ledgers and files of the daemons, with a queue
 * in place of the broker and a clock that is set, not read. One thread.
 */
#ifndef SIMULATE_WORLD_PRIV_H
#define SIMULATE_WORLD_PRIV_H

#include "app/simulate_data_priv.h"
#include "fedsync/fedsync.h"

#define SIMULATE_HUB "_hub" /* no edge can be named so */

/** As in configuration key simulate.attack. */
enum simulate_attack {
    SIMULATE_HONEST,
    SIMULATE_SIGN_FLIP, /* the update, turned round */
    SIMULATE_X10,       /* turned round and ten times as long */
    SIMULATE_ALIE,      /* "a little is enough" (Baruch et al. 2019): mean - 1.5 deviations */
    SIMULATE_NAN,       /* numbers that are none */
    SIMULATE_REPLAY,    /* messages of the round before, and other edges' of this one */
};

struct simulate_world;

struct simulate_edge {
    struct simulate_world *world;
    uint32_t at;
    struct fed_identity identity;
    struct priv_ledger *ledger;
    struct fed_edge *edge;
    bool attacker, straggler; /* for good */
    bool gone;                /* in this round */
    bool job, charged;        /* in this round */
};

struct simulate_message {
    struct simulate_edge *to; /* NULL = the hub */
    char topic[FED_NAME_BYTES + 8];
    uint8_t *payload;
    size_t bytes;
};

/** What the whole run adds up to. */
struct simulate_totals {
    uint64_t bytes_up, bytes_down;
    uint64_t updates, update_bytes;     /* of honest edges: how many, and how long in all */
    uint64_t refused, spoiled, commits; /* messages the hub refused; updates left out */
    uint64_t hostile_votes;             /* updates of attackers that counted */
};

struct simulate_world {
    const struct config *cfg;
    const struct simulate_data *data;
    const char *scratch; /* folder of keys, ledgers and kept messages */
    double noise_multiplier, plan_noise, budget;
    uint64_t attempt; /* the round, from 1 */

    struct fed_identity hub_identity;
    struct fed_roster *roster;
    struct fed_hub_config hub_cfg;
    char hub_dir[CONFIG_PATH_BYTES + 32];
    struct fed_hub *hub;
    struct learn_model *base;
    uint32_t params;
    float *model; /* (params) last committed */
    struct simulate_edge *edges;
    uint32_t n_edges;

    atl_ns now_ns;
    struct simulate_message *queue;
    uint32_t queued, queue_room;
    struct simulate_message retained[2]; /* model, plan */
    struct simulate_message overheard;   /* a message of an honest edge in this round */
    struct fed_plan plan;                /* of this round, as the edges understood it */
    float *start;                        /* (params) where this round begins */
    float *scratch_params;               /* (params) */
    double *sum, *squares;               /* (params) of the honest updates of this round */
    uint32_t honest;
    struct fed_round_info *info; /* of the round that was closed last */
    bool closed;
    struct simulate_totals totals, before; /* before: at the start of the round */
    void (*progress)(void *ctx, const char *what, double share);
    void *ctx;
    int failed;
    struct atl_error *err;
};

/** @param scratch, data, cfg  borrowed until finish. Finish it in any case. */
int simulate_world_init(struct simulate_world *world, const struct config *cfg,
                        const struct simulate_data *data, const char *scratch,
                        struct atl_error *err);
void simulate_world_finish(struct simulate_world *world);
/** One round, committed or abandoned: world->info tells. The hub is started for it and ends after
 * it, as if it were restarted between rounds. */
int simulate_world_round(struct simulate_world *world, struct atl_error *err);

/* --- shared by the files of the world --- */

void simulate_world_deliver(struct simulate_world *world);
void simulate_world_enqueue(struct simulate_world *world, struct simulate_edge *to,
                            const char *topic, const uint8_t *payload, size_t bytes);
/** A fed_send_fn of what an edge sends; ctx is the edge. */
void simulate_world_from_edge(void *edge, const char *topic, const uint8_t *payload, size_t bytes,
                              bool retain);
/** Begin the hub's next life; all edges that have rows are there. */
int simulate_world_open_hub(struct simulate_world *world, struct atl_error *err);
/** Who is slow and who attacks, by name or by lot. @return 0, -EINVAL */
int simulate_faults_assign(struct simulate_world *world, struct atl_error *err);
/** Who vanishes in this round. */
void simulate_faults_draw(struct simulate_world *world);
/** What this attacker sends in place of its update; its honest one is delta. */
int simulate_faults_attack(struct simulate_edge *edge, float *delta, struct atl_error *err);

#endif
