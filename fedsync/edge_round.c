/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/aggregate_priv.h"
#include "fedsync/edge_priv.h"
#include "fedsync/encoding_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_NS (2 * ATL_NS_PER_S)
#define BACKOFF_MAX_NS   (60 * ATL_NS_PER_S)

/* --- send --- */

static void send_chunk(struct fed_edge *edge, uint32_t index)
{
    struct fed_chunk chunk = {
        .total = edge->update_bytes,
        .data = edge->update + (size_t)index * FED_CHUNK_BYTES,
        .bytes = fed_chunk_bytes(edge->update_bytes, index),
    };
    memcpy(chunk.base_hash, edge->plan.base_hash, sizeof(chunk.base_hash));
    memcpy(chunk.whole, edge->whole, sizeof(chunk.whole));
    size_t capacity = chunk.bytes + FED_BODY_BYTES_MAX, bytes;
    uint8_t *body = malloc(capacity), *payload;
    if (body == NULL)
        return; /* not acknowledged, so sent again later */
    struct fed_envelope env = {
        .type = FED_TYPE_UPDATE,
        .epoch = edge->plan.epoch,
        .round = edge->plan.round,
        .seq = index,
        .body = body,
        .body_bytes = fed_chunk_encode(&chunk, body, capacity),
    };
    if (fed_envelope_seal(&payload, &bytes, &env, edge->federation, edge->identity) == 0) {
        char topic[sizeof("up/") + FED_NAME_BYTES];
        snprintf(topic, sizeof(topic), "up/%s", edge->identity->name);
        edge->ops.send(edge->ops.ctx, topic, payload, bytes, false);
        free(payload);
    }
    free(body);
}

static void send_missing(struct fed_edge *edge, atl_ns wall_ns)
{
    atl_ns backoff_ns = edge->backoff_ns;
    /* The time of the next try is set first: an acknowledgement may come while we send. */
    edge->next_send_ns = wall_ns + backoff_ns + atl_rng_below(&edge->rng, backoff_ns / 2 + 1);
    edge->backoff_ns = 2 * backoff_ns < BACKOFF_MAX_NS ? 2 * backoff_ns : BACKOFF_MAX_NS;
    for (uint32_t i = 0; i < fed_chunk_count(edge->update_bytes); i++)
        if ((edge->acknowledged >> i & 1) == 0 && edge->state == FED_EDGE_SENDING)
            send_chunk(edge, i);
}

static void start_sending(struct fed_edge *edge, atl_ns wall_ns)
{
    edge->state = FED_EDGE_SENDING;
    edge->acknowledged = 0;
    edge->backoff_ns = BACKOFF_FIRST_NS;
    send_missing(edge, wall_ns);
}

int fed_edge_acknowledged(struct fed_edge *edge, const struct fed_ack *ack)
{
    switch (ack->verdict) {
    case FED_VERDICT_PARTIAL:
        edge->acknowledged |= ack->have;
        break;
    case FED_VERDICT_STORED:
        edge->state = FED_EDGE_DONE;
        break;
    case FED_VERDICT_REFUSED:
        edge->state = FED_EDGE_IDLE;
        fed_logf(edge->ops.log, edge->ops.ctx, "the hub refused our update in round %" PRIu64,
                 edge->plan.round);
        break;
    }
    return 0;
}

/* --- begin --- */

/** The update of exactly this plan, kept before a restart. */
static bool load_kept(struct fed_edge *edge)
{
    struct fed_update kept;
    uint8_t *buffer;
    if (fed_update_load(edge->state_dir, edge->identity->name, &kept, &buffer, NULL) < 0)
        return false;
    bool fits = strcmp(kept.federation, edge->federation) == 0 && kept.epoch == edge->plan.epoch &&
                kept.round == edge->plan.round && kept.encoding == edge->plan.encoding &&
                kept.bytes > 0 && kept.bytes <= FED_ENCODING_ROOM(edge->params) &&
                strcmp(kept.edge, edge->identity->name) == 0 &&
                memcmp(kept.base_hash, edge->plan.base_hash, FED_HASH_BYTES) == 0;
    if (fits) {
        memcpy(edge->update, kept.data, kept.bytes);
        edge->update_bytes = (uint32_t)kept.bytes;
        memcpy(edge->whole, kept.whole, sizeof(edge->whole));
    }
    free(buffer);
    return fits;
}

static int charge(struct fed_edge *edge, struct atl_error *err)
{
    const struct fed_plan *plan = &edge->plan;
    struct priv_charge due = {
        .event = {.mechanism = PRIV_POISSON_GAUSSIAN,
                  .q = plan->sample_rate,
                  .sigma = plan->noise_multiplier,
                  .steps = plan->steps},
        .epoch = plan->epoch,
        .round = plan->round,
    };
    atl_copy(due.federation, sizeof(due.federation), edge->federation);
    return priv_ledger_charge(edge->ledger, &due, err);
}

static void start_training(struct fed_edge *edge)
{
    edge->state = FED_EDGE_TRAINING;
    edge->trainer_runs = true;
    edge->job_epoch = edge->plan.epoch;
    edge->job_round = edge->plan.round;
    int r = edge->ops.train(edge->ops.ctx, &edge->plan, edge->held, edge->params);
    if (r == 0)
        return;
    edge->trainer_runs = false;
    edge->state = FED_EDGE_IDLE;
    fed_logf(edge->ops.log, edge->ops.ctx, "round %" PRIu64 ": training did not start: %s",
             edge->plan.round, strerror(-r));
}

static void begin_charged(struct fed_edge *edge, bool kept, atl_ns wall_ns)
{
    struct atl_error err = {""};
    int r = charge(edge, &err);
    if ((r == 0 || r == -EALREADY) && kept) {
        start_sending(edge, wall_ns);
    } else if (r == 0) {
        start_training(edge);
    } else if (r == -EALREADY) {
        /* Training again would release twice what was charged once. */
        fed_logf(edge->ops.log, edge->ops.ctx,
                 "round %" PRIu64 " was charged before a restart and its result is lost: skipped",
                 edge->plan.round);
    } else {
        edge->state = FED_EDGE_REFUSED;
        fed_logf(edge->ops.log, edge->ops.ctx, "round %" PRIu64 " refused, detection goes on: %s",
                 edge->plan.round, err.text[0] != '\0' ? err.text : strerror(-r));
    }
}

void fed_edge_begin(struct fed_edge *edge, atl_ns wall_ns)
{
    if (!edge->waiting)
        return;
    if (wall_ns >= edge->plan.deadline_ns) {
        edge->waiting = false;
        fed_logf(edge->ops.log, edge->ops.ctx, "round %" PRIu64 " passed without us: %s",
                 edge->plan.round,
                 !edge->holds || memcmp(edge->held_hash, edge->plan.base_hash, FED_HASH_BYTES) != 0
                     ? "its base model did not come"
                     : "not ready to train");
        return;
    }
    if (edge->ledger == NULL) {
        edge->waiting = false;
        edge->state = FED_EDGE_REFUSED;
        fed_logf(edge->ops.log, edge->ops.ctx,
                 "round %" PRIu64 " refused: without a privacy ledger nothing leaves this edge",
                 edge->plan.round);
        return;
    }
    if (!edge->holds || memcmp(edge->held_hash, edge->plan.base_hash, FED_HASH_BYTES) != 0 ||
        edge->trainer_runs)
        return;
    if (edge->not_before_ns > wall_ns + edge->plan.spread_ns)
        edge->not_before_ns = wall_ns; /* the wall clock was set back */
    if (wall_ns < edge->not_before_ns)
        return;
    bool kept = load_kept(edge);
    if (!kept && !edge->ops.ready(edge->ops.ctx, &edge->plan))
        return;
    edge->waiting = false;
    begin_charged(edge, kept, wall_ns);
}

/* --- the trainer's answer --- */

/** Is this the answer to the plan at hand? One to a plan that is over is dropped. */
static bool answers(struct fed_edge *edge)
{
    bool current = edge->trainer_runs && edge->state == FED_EDGE_TRAINING &&
                   edge->job_epoch == edge->plan.epoch && edge->job_round == edge->plan.round;
    edge->trainer_runs = false;
    return current;
}

static void give_up(struct fed_edge *edge, const char *why)
{
    edge->state = FED_EDGE_IDLE;
    fed_logf(edge->ops.log, edge->ops.ctx, "round %" PRIu64 " passes without us: %s",
             edge->plan.round, why);
}

static void keep(struct fed_edge *edge)
{
    struct atl_error err;
    struct fed_update update = {
        .epoch = edge->plan.epoch,
        .round = edge->plan.round,
        .encoding = edge->plan.encoding,
        .data = edge->update,
        .bytes = edge->update_bytes,
    };
    atl_copy(update.federation, sizeof(update.federation), edge->federation);
    atl_copy(update.edge, sizeof(update.edge), edge->identity->name);
    memcpy(update.base_hash, edge->plan.base_hash, sizeof(update.base_hash));
    memcpy(update.whole, edge->whole, sizeof(update.whole));
    if (fed_update_save(edge->state_dir, &update, &err) < 0)
        fed_logf(edge->ops.log, edge->ops.ctx, "%s: after a restart this round is skipped",
                 err.text);
}

static int encode(struct fed_edge *edge, const float *delta)
{
    uint8_t key[32];
    fed_encoding_key(key, edge->federation, edge->plan.epoch, edge->plan.round,
                     edge->identity->name);
    int64_t bytes = fed_encode(edge->plan.encoding, delta, edge->params, key, edge->update);
    if (bytes < 0)
        return (int)bytes;
    edge->update_bytes = (uint32_t)bytes;
    fed_hash(edge->whole, edge->update, (size_t)bytes);
    return 0;
}

void fed_edge_submit(struct fed_edge *edge, const float *delta, uint32_t n, uint32_t rows,
                     atl_ns wall_ns)
{
    if (!answers(edge))
        return;
    if (n != edge->params || !fed_all_finite(delta, n)) {
        give_up(edge, n != edge->params ? "the trainer's answer has another size"
                                        : "training diverged, the update is not finite");
        return;
    }
    if (wall_ns >= edge->plan.deadline_ns) {
        give_up(edge, "training took longer than the deadline");
        return;
    }
    if (encode(edge, delta) < 0) {
        give_up(edge, "out of memory");
        return;
    }
    keep(edge);
    fed_logf(edge->ops.log, edge->ops.ctx, "round %" PRIu64 ": trained on %u rows, sending",
             edge->plan.round, rows);
    start_sending(edge, wall_ns);
}

void fed_edge_fail(struct fed_edge *edge, const char *why)
{
    if (answers(edge))
        give_up(edge, why);
}

/* --- time --- */

static void expire(struct fed_edge *edge)
{
    edge->expired = true;
    if (edge->round == 0)
        return; /* where all begin: never put to work */
    fed_logf(edge->ops.log, edge->ops.ctx,
             "the model of round %" PRIu64 " has expired and the hub is silent: back to our own",
             edge->round);
    if (edge->ops.expire != NULL)
        edge->ops.expire(edge->ops.ctx, edge->round);
}

void fed_edge_step(struct fed_edge *edge, atl_ns wall_ns)
{
    if (edge->holds && edge->expires_ns != 0 && wall_ns >= edge->expires_ns && !edge->expired)
        expire(edge);
    if (edge->promote_due && !edge->expired)
        fed_edge_promote(edge);
    fed_edge_begin(edge, wall_ns);
    bool busy = edge->state == FED_EDGE_TRAINING || edge->state == FED_EDGE_SENDING;
    if (wall_ns >= edge->plan.deadline_ns && busy)
        give_up(edge, "the deadline came first");
    else if (wall_ns >= edge->plan.deadline_ns && edge->state == FED_EDGE_DONE)
        edge->state = FED_EDGE_IDLE;
    if (edge->state != FED_EDGE_SENDING)
        return;
    if (edge->next_send_ns > wall_ns + 2 * BACKOFF_MAX_NS)
        edge->next_send_ns = wall_ns; /* the wall clock was set back */
    if (wall_ns >= edge->next_send_ns)
        send_missing(edge, wall_ns);
}
