/* SPDX-License-Identifier: Apache-2.0 */
/* The edge's inside, shared by edge.c (life), edge_receive.c (messages in), edge_round.c (rounds).
 */
#ifndef FED_EDGE_PRIV_H
#define FED_EDGE_PRIV_H

#include "fedsync/chunk_priv.h"
#include "fedsync/envelope_priv.h"
#include "fedsync/fedsync.h"
#include "fedsync/message_priv.h"
#include "fedsync/refuse_priv.h"
#include "fedsync/state_priv.h"

/*
 *   IDLE ──plan──► IDLE and waiting: base model held? trainer free? rows ready?
 *                    ├─ charge ok ─────────────────► TRAINING ──submit──► SENDING ──ack──► DONE
 *                    ├─ charged before a restart ──► SENDING what was kept, or IDLE
 *                    └─ budget spent ──────────────► REFUSED
 *   A newer plan, the committed model of this round or the deadline end TRAINING, SENDING and DONE.
 */

struct fed_edge {
    char federation[FED_NAME_BYTES], section[FED_NAME_BYTES];
    char hubs[2][FED_NAME_BYTES]; /* whose signature counts; the second may be "" */
    char unit[8];
    struct learn_shape shape;
    uint32_t params;
    char *state_dir;
    const struct fed_identity *identity;
    const struct fed_roster *roster;
    struct priv_ledger *ledger;
    struct fed_edge_ops ops;
    struct fed_refusals refusals;
    struct atl_rng rng;

    bool holds;       /* a verified model is in `held` */
    bool promote_due; /* loaded at start, or put off by the owner */
    float *held;      /* (params) */
    uint8_t held_hash[FED_HASH_BYTES];
    uint64_t epoch, round; /* of the held model */
    atl_ns expires_ns;     /* 0 = never */
    bool expired;          /* the owner was told */

    enum fed_edge_state state;
    bool waiting; /* `plan` is good but nothing is charged yet */
    atl_ns not_before_ns;
    struct fed_plan plan;
    bool trainer_runs;
    uint64_t job_epoch, job_round; /* what the trainer works on */

    uint8_t *update; /* as the plan encodes it, room for any encoding */
    uint32_t update_bytes;
    uint8_t whole[FED_HASH_BYTES];
    uint64_t acknowledged; /* bit i: chunk i */
    atl_ns next_send_ns, backoff_ns;
};

/** Does this one lead the federation? Which of the two does at a time their epochs tell. */
bool fed_edge_trusts(const struct fed_edge *edge, const char *sender);
/** Check the model in an open envelope and hold it. @return 0, -EALREADY, -ESTALE, -EINVAL … */
int fed_edge_hold(struct fed_edge *edge, const struct fed_envelope *env, struct atl_error *err);
/** A verified acknowledgement for this edge. */
int fed_edge_acknowledged(struct fed_edge *edge, const struct fed_ack *ack);
/** Offer the held model to the owner. */
void fed_edge_promote(struct fed_edge *edge);
/** Try to begin the waiting plan. */
void fed_edge_begin(struct fed_edge *edge, atl_ns wall_ns);

#define FED_EDGE_MODEL_NAME "model.cbor"

#endif
