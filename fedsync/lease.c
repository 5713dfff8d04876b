/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/hub_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A retained lease comes right after the subscription. */
#define LISTEN_NS (3 * ATL_NS_PER_S)

enum fed_hub_role fed_hub_role(const struct fed_hub *hub)
{
    return hub->watch.role;
}

void fed_lease_init(struct fed_hub *hub)
{
    struct fed_watch *w = &hub->watch;
    w->role = FED_HUB_LEADING;
    if (hub->cfg.peer == NULL)
        return;
    w->on = true;
    w->role = FED_HUB_LISTENING;
    w->second = hub->cfg.second;
    atl_copy(w->peer, sizeof(w->peer), hub->cfg.peer);
    hub->cfg.peer = w->peer;
    atl_rng_init_secure(&w->rng);
    fed_lease_news(hub);
}

/* --- the roles --- */

void fed_lease_news(struct fed_hub *hub)
{
    struct fed_watch *w = &hub->watch;
    atl_ns lease_ns = hub->cfg.lease_ns > w->seen_lease_ns ? hub->cfg.lease_ns : w->seen_lease_ns;
    w->silent_ns = 0;
    w->patience_ns = lease_ns + lease_ns / 3 + atl_rng_below(&w->rng, lease_ns / 6 + 1);
}

static void listen_again(struct fed_hub *hub)
{
    hub->watch.role = FED_HUB_LISTENING;
    fed_lease_news(hub);
}

void fed_lease_stand_by(struct fed_hub *hub)
{
    /* Not saved here: loaded again it meets the same higher epoch again. */
    hub->record.open_epoch = 0;
    fed_hub_clear_slots(hub);
    hub->watch.role = FED_HUB_STANDBY;
    hub->watch.ours = false;
    fed_lease_news(hub);
}

/** The least epoch above all that were seen, of our half of them. */
static uint64_t next_epoch(const struct fed_hub *hub)
{
    uint64_t odd = strcmp(hub->identity->name, hub->watch.peer) > 0;
    uint64_t epoch = hub->record.epoch + 1;
    return epoch % 2 == odd ? epoch : epoch + 1;
}

static void claim(struct fed_hub *hub)
{
    struct fed_watch *w = &hub->watch;
    w->role = FED_HUB_CLAIMING;
    w->epoch = next_epoch(hub);
    w->seq = w->heard = 0;
    w->ran_ns = w->held_from_ns = 0;
    w->lapsed = w->again = false;
    fed_lease_send(hub);
}

/** The lease came back under an epoch that is nobody else's. */
static int lead(struct fed_hub *hub)
{
    struct fed_watch *w = &hub->watch;
    struct fed_hub_record next = hub->record;
    struct atl_error err;
    next.epoch = next.model_epoch = w->epoch;
    if (fed_hub_record_save(hub->cfg.state_dir, &next, &err) < 0) {
        fed_refuse(&hub->refusals, -EIO, "lease", err.text);
        return 0; /* the next renewal tries again */
    }
    hub->record = next;
    w->role = FED_HUB_LEADING;
    if (next.open_epoch == 0 && next.last_round > next.model_round)
        fed_hub_tell(hub, FED_ROUND_ABANDONED); /* by the one that led before */
    hub->published = false;
    hub->deadline_ns = 0; /* of a round from before: to the edges it is over */
    fed_logf(hub->ops.log, hub->ops.ctx,
             "this hub leads with epoch %" PRIu64 ", from the model of round %" PRIu64, next.epoch,
             next.model_round);
    return 0;
}

void fed_hub_connected(struct fed_hub *hub, bool connected)
{
    struct fed_watch *w = &hub->watch;
    if (!w->on || connected == w->connected)
        return;
    w->connected = connected;
    if (w->role == FED_HUB_CLAIMING || (w->role == FED_HUB_LEADING && !fed_lease_holds(hub)))
        listen_again(hub); /* while we were away somebody may have claimed it */
    else if (w->role != FED_HUB_LEADING)
        fed_lease_news(hub);
}

/* --- the lease --- */

static bool in_time(const struct fed_hub *hub)
{
    return hub->watch.ran_ns - hub->watch.held_from_ns < hub->cfg.lease_ns;
}

bool fed_lease_holds(const struct fed_hub *hub)
{
    return hub->watch.role == FED_HUB_LEADING && (!hub->watch.on || in_time(hub));
}

/** When this renewal was sent, if it is one of the latest. */
static atl_ns *sent_at(struct fed_watch *w, uint64_t seq)
{
    return &w->sent_ns[seq % FED_LEASES_KEPT];
}

void fed_lease_send(struct fed_hub *hub)
{
    struct fed_watch *w = &hub->watch;
    uint8_t body[FED_LEASE_BYTES_MAX];
    struct fed_lease lease = {
        .lease_ns = hub->cfg.lease_ns,
        .commits = hub->record.commits,
        .model_epoch = hub->record.model_epoch,
        .model_round = hub->record.model_round,
        .n_spent = hub->record.n_spent,
    };
    if (!w->on)
        return;
    memcpy(lease.spent, hub->record.spent, sizeof(lease.spent));
    *sent_at(w, ++w->seq) = w->ran_ns;
    const struct fed_envelope env = {
        .type = FED_TYPE_LEASE,
        .epoch = w->epoch,
        .round = hub->record.last_round,
        .seq = w->seq,
        .body = body,
        .body_bytes = fed_lease_encode(&lease, body, sizeof(body)),
    };
    fed_hub_sign_send(hub, &env, "lease", true);
}

int fed_lease_heard(struct fed_hub *hub, const struct fed_envelope *env)
{
    struct fed_watch *w = &hub->watch;
    /* What the broker retains comes at every subscription: no sign that it takes new ones. */
    if (env->epoch != w->epoch || env->seq <= w->heard || env->seq > w->seq ||
        w->seq - env->seq >= FED_LEASES_KEPT)
        return 0;
    w->heard = env->seq;
    w->held_from_ns = *sent_at(w, env->seq);
    if (!in_time(hub))
        return 0;
    w->lapsed = false;
    return w->role == FED_HUB_CLAIMING ? lead(hub) : 0;
}

/* --- time --- */

/** Do we have the model that the last lease goes with? To lead without it would undo rounds. */
static bool has_model(struct fed_hub *hub)
{
    struct fed_watch *w = &hub->watch;
    const struct fed_hub_record *record = &hub->record;
    if (record->model_epoch > w->seen_model_epoch ||
        (record->model_epoch == w->seen_model_epoch && record->model_round >= w->seen_model_round))
        return true;
    if (!w->model_missing)
        fed_logf(hub->ops.log, hub->ops.ctx,
                 "nobody leads, but the model of round %" PRIu64
                 " has not come: we cannot go on from it",
                 w->seen_model_round);
    w->model_missing = true;
    return false;
}

static void wait_or_claim(struct fed_hub *hub, atl_ns passed_ns)
{
    struct fed_watch *w = &hub->watch;
    atl_ns most_ns = hub->cfg.lease_ns / 3;
    if (!w->connected)
        return;
    w->silent_ns += passed_ns < most_ns ? passed_ns : most_ns;
    bool listens = w->role == FED_HUB_LISTENING;
    if (w->silent_ns < (listens ? LISTEN_NS : w->patience_ns))
        return;
    if (listens && w->second && !w->ours) {
        fed_logf(hub->ops.log, hub->ops.ctx, "nobody leads yet: waiting for hub %s", w->peer);
        fed_lease_stand_by(hub);
    } else if (has_model(hub)) {
        if (!listens)
            fed_logf(hub->ops.log, hub->ops.ctx, "hub %s is silent: taking over", w->peer);
        claim(hub);
    }
}

bool fed_lease_step(struct fed_hub *hub, atl_ns wall_ns)
{
    struct fed_watch *w = &hub->watch;
    if (!w->on)
        return true;
    atl_ns passed_ns = w->last_ns != 0 && wall_ns > w->last_ns ? wall_ns - w->last_ns : 0;
    w->last_ns = wall_ns;
    if (w->role == FED_HUB_LISTENING || w->role == FED_HUB_STANDBY) {
        wait_or_claim(hub, passed_ns);
        return false;
    }
    w->ran_ns += passed_ns;
    if (w->again)
        hub->published = false;
    if (w->ran_ns - *sent_at(w, w->seq) >= hub->cfg.lease_ns / 3 || w->again)
        fed_lease_send(hub);
    w->again = false;
    if (w->role == FED_HUB_LEADING && !fed_lease_holds(hub) && !w->lapsed) {
        w->lapsed = true;
        fed_logf(hub->ops.log, hub->ops.ctx,
                 "our lease does not come back from the broker: nothing is done until it does");
    }
    return fed_lease_holds(hub);
}
