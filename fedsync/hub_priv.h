/* SPDX-License-Identifier: Apache-2.0 */
/* The hub's inside, shared by hub.c (life), hub_receive.c (updates in), hub_round.c (rounds). */
#ifndef FED_HUB_PRIV_H
#define FED_HUB_PRIV_H

#include "fedsync/chunk_priv.h"
#include "fedsync/envelope_priv.h"
#include "fedsync/fedsync.h"
#include "fedsync/lease_priv.h"
#include "fedsync/message_priv.h"
#include "fedsync/quarantine_priv.h"
#include "fedsync/refuse_priv.h"
#include "fedsync/roster_priv.h"
#include "fedsync/state_priv.h"

/*
 *   CLOSED ──quorum present, pause over──► OPEN ──enough updates──────────────► commit ─► CLOSED
 *                                           └──deadline: quorum? commit : abandon ──────► CLOSED
 *
 * OPEN is record.open_epoch != 0. A restart loads an open round with deadline 0, so the first step
 * closes it with what was acknowledged: commit if that is a quorum, else abandon.
 */

enum fed_slot_state {
    FED_SLOT_EMPTY,
    FED_SLOT_PARTIAL, /* assembler holds some pieces, or all but not yet on disk */
    FED_SLOT_STORED,  /* on disk: one vote */
    FED_SLOT_REFUSED, /* no vote in this round */
};

/** One per member of the roster, at its position. */
struct fed_slot {
    bool online;
    enum fed_slot_state state;
    struct fed_assembler *assembler;
    uint8_t whole[FED_HASH_BYTES];
};

struct fed_hub {
    struct fed_hub_config cfg; /* strings point to the three below */
    char federation[FED_NAME_BYTES], section[FED_NAME_BYTES];
    char *state_dir;
    const struct fed_identity *identity;
    const struct fed_roster *roster;
    struct fed_hub_ops ops;
    struct fed_refusals refusals;

    struct fed_hub_record record; /* what is on disk; its values point to `values` */
    uint8_t *values;
    float *memory;             /* the record's */
    struct learn_model *model; /* the same, as a model */
    struct fed_quarantine quarantine;
    struct fed_watch watch;

    bool published;       /* the model, since start */
    atl_ns deadline_ns;   /* of the open round */
    atl_ns not_before_ns; /* next opening, or next try of what the disk refused */
    atl_ns renew_ns;      /* the model's expiry is due for an extension; 0 = never */
    uint32_t awaited;     /* votes that close the round early */
    uint64_t cohort;      /* lot up to which edges take part in the open round */
    uint32_t asked;       /* edges that were online and in the cohort when it opened */
    double completion;    /* share of those asked that answered, of late */
    uint32_t online, votes;
    struct fed_slot *slots;
    struct fed_round_info info;
};

uint32_t fed_hub_params(const struct fed_hub *hub);
/** Sign and send, whatever its sender and federation say; a message that cannot be made is logged.
 */
void fed_hub_sign_send(struct fed_hub *hub, const struct fed_envelope *env, const char *topic,
                       bool retain);
/** The same under our epoch; a message that cannot be made is logged. */
void fed_hub_send(struct fed_hub *hub, enum fed_type type, const char *topic, uint64_t round,
                  const uint8_t *body, size_t bytes, bool retain);
/**
 * The next parameters from the votes on disk.
 * @param memory  room for the optimiser's floats: what it carries on if this is committed
 * @return 0, -EAGAIN (fewer than the quorum are readable or unspoiled), -EDOM (the canary refuses),
 *  -ERANGE, -ENOMEM
 */
int fed_hub_aggregate(struct fed_hub *hub, float *memory, float *out);
/** This hub or its peer? Both are in the roster and neither is an edge. */
bool fed_hub_is_hub(const struct fed_hub *hub, const char *name);
/** Does nothing of this edge count any more? */
bool fed_hub_in_quarantine(const struct fed_hub *hub, const char *edge);
/** Forget all votes and their files. */
void fed_hub_clear_slots(struct fed_hub *hub);
/** Tell people about record.last_round. */
void fed_hub_tell(struct fed_hub *hub, enum fed_round_state state);
/** ε of everything in record.spent; INFINITY when there is no finite one. */
double fed_hub_epsilon(const struct fed_hub *hub);

#endif
