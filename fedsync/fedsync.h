/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedsync: rounds of federated training over any transport that carries small messages.
 *
 *   hub:  plan (retained) ──► edges: verify, charge the ledger, train, send signed chunks ──► hub:
 * store, acknowledge, aggregate at quorum or deadline, check, commit (retained model) ──► edges:
 * verify, promote
 *
 * Both sides are explicit state machines: they take messages and the time, give messages and
 * requests through callbacks, never block and never read a clock. Messages are deterministic CBOR
 * (RFC 8949 §4.2) inside a signed envelope (Ed25519); docs/reference/wire.md describes them.
 */
#ifndef FED_FEDSYNC_H
#define FED_FEDSYNC_H

#include "base/base.h"
#include "learner/learner.h"
#include "privacy/privacy.h"

#define FED_NAME_BYTES  33
#define FED_PARAMS_MAX  (1U << 20)
#define FED_CHUNK_BYTES 65536U
#define FED_EDGES_MAX   1024U

#define FED_LEASE_MIN_NS (3 * ATL_NS_PER_S)
#define FED_LEASE_MAX_NS (3600 * ATL_NS_PER_S)

/* --- identity --- */

/** May a node, federation or section be called so? NULL is no name. @return 0, -EINVAL */
int fed_name_check(const char *what, const char *name, struct atl_error *err);

struct fed_identity {
    char name[FED_NAME_BYTES];
    uint8_t public_key[32], secret_key[64];
};

/** Load <dir>/<name>.key (0600), or make it, and <dir>/<name>.pub (hex, one line). */
int fed_identity_open(struct fed_identity *ret_identity, const char *dir, const char *name,
                      struct atl_error *err);

/** Names and public keys: every <name>.pub of a folder. */
struct fed_roster;
int fed_roster_load(struct fed_roster **ret_roster, const char *dir, struct atl_error *err);
void fed_roster_destroy(struct fed_roster *roster);
/** 32 bytes, or NULL for a stranger. */
const uint8_t *fed_roster_key(const struct fed_roster *roster, const char *name);
uint32_t fed_roster_count(const struct fed_roster *roster);

/* --- the plan --- */

/** How an update travels: docs/reference/wire.md. */
enum fed_encoding { FED_FLOAT32, FED_INT8, FED_ROTATED4 };

/** What one protected thing is: a row, that is one flow, or all rows of one host. */
#define FED_UNIT_FLOW "flow"
#define FED_UNIT_HOST "host"

struct fed_plan {
    char federation[FED_NAME_BYTES];
    char section[FED_NAME_BYTES]; /* which model: "flow" */
    uint64_t epoch, round;
    uint8_t schema[LEARN_SCHEMA_BYTES];
    uint8_t base_hash[32]; /* learn_model_hash of the model to start from */
    char unit[8];          /* privacy unit: FED_UNIT_FLOW or FED_UNIT_HOST */
    uint32_t steps;
    double sample_rate, clip, noise_multiplier;
    float learning_rate;
    double delta;
    uint32_t quorum;
    atl_ns deadline_ns; /* wall time */
    enum fed_encoding encoding;
    float proximal;   /* FedProx (Li et al. 2020): pull towards the base model; 0 = none */
    uint64_t cohort;  /* edges whose lot for this round is at most this take part */
    atl_ns spread_ns; /* each begins after a wait of its own, up to this */
};

int fed_plan_check(const struct fed_plan *plan, struct atl_error *err);

/** One message out. Topic is the tail below atalaya/v1/fl/<federation>/, e.g. "plan", "up/edge-1".
 */
typedef void (*fed_send_fn)(void *ctx, const char *topic, const uint8_t *payload, size_t bytes,
                            bool retain);
/** One line for the log. */
typedef void (*fed_log_fn)(void *ctx, const char *line);

/* --- edge side --- */

enum fed_edge_state {
    FED_EDGE_IDLE,     /* no plan, or waiting for the next one */
    FED_EDGE_TRAINING, /* charged; the trainer works */
    FED_EDGE_SENDING,  /* chunks out, acknowledgement awaited, resent with back-off */
    FED_EDGE_DONE,     /* this round's part is acknowledged */
    FED_EDGE_REFUSED, /* budget spent or ledger refused: detecting goes on, contributing does not */
};
const char *fed_edge_state_name(enum fed_edge_state state);

struct fed_edge_ops {
    fed_send_fn send;
    fed_log_fn log;
    /** Enough rows to train on? Asked before anything is charged. */
    bool (*ready)(void *ctx, const struct fed_plan *plan);
    /** Start training on another thread from these parameters; end with fed_edge_submit or _fail,
     *  also when the round is over by then. Plan and parameters are valid during the call only:
     *  copy them. No second call comes before the answer to the first.
     *  @return 0, or negative errno: nothing was started (the charge stays) */
    int (*train)(void *ctx, const struct fed_plan *plan, const float *params, uint32_t n);
    /** A verified committed model (round ≥ 1). Called from receive, and after a restart from the
     *  first step with the model that was kept. Its hash says which one it is: two hubs that were
     *  apart may each have committed a round of this number.
     *  @return 0, or -EAGAIN: not now; every step asks again with the model then held */
    int (*promote)(void *ctx, uint64_t round, const uint8_t hash[32], const float *params,
                   uint32_t n);
    /** The model of this round is too old and no later one came: work with the edge's own. May be
     *  NULL. A later or renewed model is promoted as ever. */
    void (*expire)(void *ctx, uint64_t round);
    void *ctx;
};

struct fed_edge_config {
    const char *federation;
    const char *hub;                 /* name whose signature counts */
    const char *standby;             /* a second one; NULL = none */
    const struct learn_shape *shape; /* of the section this edge can train */
    const char *section;
    const char *unit;      /* plans for another privacy unit are refused; NULL = FED_UNIT_FLOW */
    const char *state_dir; /* last committed model and round, against replay */
};

struct fed_edge;
/** Borrows identity, roster and ledger (NULL = never contribute) until destroy. A ledger that does
 * not hold the charge of the update made last counts as NULL: it is new, or an old copy. */
int fed_edge_create(struct fed_edge **ret_edge, const struct fed_edge_config *cfg,
                    const struct fed_identity *identity, const struct fed_roster *roster,
                    struct priv_ledger *ledger, const struct fed_edge_ops *ops,
                    struct atl_error *err);
void fed_edge_destroy(struct fed_edge *edge);
/** A message below the federation's prefix ("plan", "model", "ack/<me>"). Hostile bytes are safe.
 */
void fed_edge_receive(struct fed_edge *edge, const char *topic, const uint8_t *payload,
                      size_t bytes, atl_ns wall_ns);
void fed_edge_step(struct fed_edge *edge, atl_ns wall_ns);
/** Trainer's answer, on the control thread: trained parameters minus base. */
void fed_edge_submit(struct fed_edge *edge, const float *delta, uint32_t n, uint32_t rows,
                     atl_ns wall_ns);
void fed_edge_fail(struct fed_edge *edge, const char *why);
enum fed_edge_state fed_edge_state(const struct fed_edge *edge);
uint64_t fed_edge_round(const struct fed_edge *edge); /* last committed round, 0 = none */
/** ε that the ledger counts; NAN without one that can be trusted: then nobody knows. */
double fed_edge_spent(const struct fed_edge *edge);
/** Messages refused since create. */
uint64_t fed_edge_refused(const struct fed_edge *edge);

/* --- hub side --- */

/** How the updates of a round become one step. Never weighted. */
enum fed_rule {
    FED_RULE_MEAN,
    FED_RULE_TRIMMED, /* mean without the ends of every coordinate (Yin et al. 2018) */
    FED_RULE_MEDIAN,  /* of every coordinate */
    FED_RULE_CENTRED, /* centred clipping (Karimireddy, He & Jaggi 2021) */
};
/** How the step moves the model. */
enum fed_optimiser {
    FED_AVG,  /* by server_rate times the step */
    FED_AVGM, /* with momentum */
    FED_ADAM, /* Reddi et al. 2021 */
};

struct fed_hub_config {
    const char *federation;
    const char *section;
    const char *unit; /* FED_UNIT_FLOW or FED_UNIT_HOST */
    const char *state_dir;
    uint32_t rounds;    /* stop after this many commits; 0 = no end */
    uint32_t quorum;    /* least updates for a commit */
    uint32_t expected;  /* aggregate early when this many have arrived; 0 = all that were online
                           when the round opened */
    atl_ns deadline_ns; /* length of a round */
    atl_ns pause_ns;    /* between rounds */
    uint32_t steps;
    double sample_rate, clip, noise_multiplier, delta;
    float learning_rate;
    float server_rate; /* step along the mean delta; 1 = FedAvg */
    double norm_max;   /* an update with a larger L2 norm is scaled down to it; 0 = off */
    enum fed_encoding encoding;
    float proximal; /* see struct fed_plan */
    enum fed_rule rule;
    double trim; /* FED_RULE_TRIMMED: share left out at each end, 0 … 0.5 */
    enum fed_optimiser optimiser;
    float momentum;          /* FED_AVGM, FED_ADAM: 0 … 0.999 */
    uint32_t cohort;         /* updates wanted in a round: more edges are asked, as many as usually
                                fail; 0 = all that are online */
    atl_ns spread_ns;        /* edges begin spread over this time, at most half the deadline */
    atl_ns model_age_ns;     /* edges drop a model when the hub is silent for so long; 0 = never */
    double canary_tolerance; /* a model may lose so much more than the best one, 0 … 10 */
    uint32_t quarantine_after; /* rounds an edge may spoil before nothing of it counts; 0 = never */
    /* Two hubs for one federation: one leads, the other follows it and takes over when it falls
     * silent. Their epochs never meet: one takes the even ones, the other the odd. */
    const char *peer; /* name of the other one; NULL = none */
    bool second;      /* where nobody has led yet the other one begins */
    atl_ns lease_ns;  /* silence after which one that leads may be replaced, FED_LEASE_MIN_NS … */
};
void fed_hub_config_default(struct fed_hub_config *cfg);
int fed_hub_config_check(const struct fed_hub_config *cfg, struct atl_error *err);

enum fed_round_state { FED_ROUND_OPEN, FED_ROUND_COMMITTED, FED_ROUND_ABANDONED };
const char *fed_round_state_name(enum fed_round_state state);

/** What people see of a round (topic "round", JSON). */
struct fed_round_info {
    enum fed_round_state state;
    uint64_t epoch, round;
    uint32_t participants, quorum;
    char names[FED_EDGES_MAX][FED_NAME_BYTES];
    double epsilon, delta; /* after this round, for an edge that took part in all; RDP; INFINITY
                              when there is no finite one */
    uint64_t bytes;        /* received */
    double update_norm;
    uint32_t spoiled;   /* updates that the canary left out */
    double canary_loss; /* of the model; NAN without a canary */
    uint8_t model_hash[32];
};

struct fed_hub_ops {
    fed_send_fn send;
    fed_log_fn log;
    void (*round)(void *ctx, const struct fed_round_info *info);
    /**
     * The canary: mean loss of these parameters on rows that the operator trusts. NULL = none.
     * A model that loses too much more than the best one so far is not committed; the updates that
     * do so by themselves are left out, and their edges remembered.
     */
    double (*judge)(void *ctx, const float *params, uint32_t n);
    void *ctx;
};

struct fed_hub;
/** `base` is the model of round 0 unless state_dir holds a later one. Borrows identity and roster.
 */
int fed_hub_create(struct fed_hub **ret_hub, const struct fed_hub_config *cfg,
                   const struct learn_model *base, const struct fed_identity *identity,
                   const struct fed_roster *roster, const struct fed_hub_ops *ops,
                   struct atl_error *err);
void fed_hub_destroy(struct fed_hub *hub);
/** "up/<edge>"; with a peer also "lease", "model", "plan", our own too. Hostile bytes are safe. */
void fed_hub_receive(struct fed_hub *hub, const char *topic, const uint8_t *payload, size_t bytes,
                     atl_ns wall_ns);
void fed_hub_step(struct fed_hub *hub, atl_ns wall_ns);
/** Presence from retained state topics: rounds start only when at least `quorum` edges are online.
 */
void fed_hub_presence(struct fed_hub *hub, const char *edge, bool online);

enum fed_hub_role {
    FED_HUB_LISTENING, /* does anybody lead? Nothing is sent */
    FED_HUB_STANDBY,   /* follows; nothing is sent */
    FED_HUB_CLAIMING,  /* only the lease is sent, until it comes back from the broker */
    FED_HUB_LEADING,   /* always, without a peer */
};
enum fed_hub_role fed_hub_role(const struct fed_hub *hub);
/** With a peer: is there a transport? Before the first step, and whenever it changes. */
void fed_hub_connected(struct fed_hub *hub, bool connected);

bool fed_hub_finished(const struct fed_hub *hub);
uint64_t fed_hub_round(const struct fed_hub *hub); /* last committed */
/** ε of all rounds so far, also of those before a restart: see struct fed_round_info. */
double fed_hub_spent(const struct fed_hub *hub);
/** Edges whose updates no longer count (fed_hub_config.quarantine_after). */
uint32_t fed_hub_quarantined(const struct fed_hub *hub);
/** Messages refused since create. */
uint64_t fed_hub_refused(const struct fed_hub *hub);

/* --- what a member that means harm could send: for simulations and tests of the hub --- */

/**
 * Sign an update as this member and send it, without any of an edge's checks: values may be NaN,
 * epoch and round long past. Of the plan only federation, epoch, round, base_hash and encoding
 * count.
 * @return 0, -EINVAL, -ENOMEM
 */
int fed_forge_update(const struct fed_plan *plan, const struct fed_identity *identity,
                     const float *values, uint32_t n, fed_send_fn send, void *ctx);

#endif
