/* SPDX-License-Identifier: Apache-2.0 */
/* Which of two hubs leads: lease.c (the own side), standby.c (what the other one says). */
#ifndef FED_LEASE_PRIV_H
#define FED_LEASE_PRIV_H

#include "fedsync/fedsync.h"

/*
 *   LISTENING ──nobody there, or our own lease──► CLAIMING ──lease came back──► LEADING
 *       │                                            ▲                            │
 *       └──the peer's lease──► STANDBY ──silence─────┘                            │
 *                                 ▲──────────a higher epoch of the peer───────────┘
 *
 * An epoch is on disk before anything but a lease is sent under it. One that leads and does not
 * hear its own lease come back for as long as it holds does nothing until it does. A lease holds
 * from when it was sent: one that comes back late, after a pause of ours or of the broker, tells
 * nothing about now.
 *
 * Times are sums of steps of our own clock. Towards a takeover a step counts little, however far
 * the clock was moved; towards giving up it counts whole.
 */
#define FED_LEASES_KEPT 16

struct fed_watch {
    bool on; /* there is a peer */
    char peer[FED_NAME_BYTES];
    bool second;
    enum fed_hub_role role;
    bool connected;
    struct atl_rng rng;

    atl_ns last_ns;     /* wall time of the last step */
    atl_ns silent_ns;   /* LISTENING, STANDBY: since there was news, or the transport came */
    atl_ns patience_ns; /* STANDBY: takes over after this much of it */
    bool model_missing; /* said once */

    uint64_t epoch;                  /* CLAIMING, LEADING: of our lease */
    uint64_t seq, heard;             /* renewals: the last sent, the last that came back */
    atl_ns ran_ns;                   /* what all steps since the claim add up to */
    atl_ns sent_ns[FED_LEASES_KEPT]; /* on that clock: when the latest renewals were sent, by seq */
    atl_ns held_from_ns;             /* and when the last one that came back was */
    bool lapsed;                     /* said once */
    bool again;                      /* somebody wrote over what we retain */

    uint64_t seen_epoch, seen_seq; /* latest lease that was followed */
    atl_ns seen_lease_ns;          /* how long it holds */
    uint64_t seen_model_epoch, seen_model_round;
    bool ours; /* LISTENING: it is our own, of an earlier life */
};

struct fed_hub;
struct fed_envelope;

void fed_lease_init(struct fed_hub *hub);
/** @return true when this hub leads and may act */
bool fed_lease_step(struct fed_hub *hub, atl_ns wall_ns);
bool fed_lease_holds(const struct fed_hub *hub);
/** The lease at once: what it carries has changed. Only when it holds. */
void fed_lease_send(struct fed_hub *hub);
/** Our own lease, from the broker. */
int fed_lease_heard(struct fed_hub *hub, const struct fed_envelope *env);
/** Leave whatever role it is; an open round is over for us. */
void fed_lease_stand_by(struct fed_hub *hub);
/** The silence begins anew. */
void fed_lease_news(struct fed_hub *hub);

/** A "lease", "model" or "plan". @return 0 or why it is refused */
int fed_standby_take(struct fed_hub *hub, const char *topic, const uint8_t *payload, size_t bytes);

#endif
