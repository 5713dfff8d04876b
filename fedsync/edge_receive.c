/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/codec_priv.h"
#include "fedsync/cohort_priv.h"
#include "fedsync/edge_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- model --- */

static int values_check(const struct fed_edge *edge, const struct fed_model *model, float *params,
                        struct atl_error *err)
{
    struct learn_model *whole;
    uint8_t hash[FED_HASH_BYTES];
    fed_floats_from_wire(params, model->values, edge->params);
    int r = learn_model_from_params(&whole, &edge->shape, params, err);
    if (r < 0)
        return r == -EINVAL ? -EDOM : r;
    learn_model_hash(whole, hash);
    learn_model_destroy(whole);
    if (memcmp(hash, model->hash, sizeof(hash)) != 0)
        return atl_error_set(err, -EBADMSG, "its parameters do not have the hash that it names");
    return 0;
}

/** May a model of this epoch, round and hash take the place of the one held? */
static int order_check(const struct fed_edge *edge, const struct fed_envelope *env,
                       const uint8_t hash[FED_HASH_BYTES], atl_ns expires_ns)
{
    if (!edge->holds)
        return 0;
    /* Epoch counts first: after two hubs led apart the rounds of the lower epoch never were. */
    if (env->epoch != edge->epoch)
        return env->epoch > edge->epoch ? 0 : -ESTALE;
    if (env->round != edge->round)
        return env->round > edge->round ? 0 : -ESTALE;
    if (memcmp(hash, edge->held_hash, FED_HASH_BYTES) != 0)
        return -ESTALE; /* a round is committed once */
    return expires_ns > edge->expires_ns ? 0 : -EALREADY;
}

int fed_edge_hold(struct fed_edge *edge, const struct fed_envelope *env, struct atl_error *err)
{
    struct fed_model model;
    atl_error_set(err, 0, "round %" PRIu64 " of epoch %" PRIu64, env->round, env->epoch);
    int r = fed_model_decode(&model, env->body, env->body_bytes);
    if (r < 0)
        return r;
    if (strcmp(model.section, edge->section) != 0)
        return atl_error_set(err, -EINVAL, "section \"%s\", expected \"%s\"", model.section,
                             edge->section);
    if (memcmp(model.schema, edge->shape.schema, sizeof(model.schema)) != 0 ||
        model.value_bytes != edge->params * sizeof(float))
        return atl_error_set(err, -EINVAL,
                             "a model of another feature schema or shape: hub and edges must run "
                             "the same version");
    r = order_check(edge, env, model.hash, model.expires_ns);
    if (r < 0)
        return r;
    float *params = malloc(edge->params * sizeof(float));
    if (params == NULL)
        return -ENOMEM;
    r = values_check(edge, &model, params, err);
    if (r < 0) {
        free(params);
        return r;
    }
    free(edge->held);
    edge->held = params;
    edge->holds = true;
    edge->epoch = env->epoch;
    edge->round = env->round;
    edge->expires_ns = model.expires_ns;
    memcpy(edge->held_hash, model.hash, sizeof(edge->held_hash));
    return 0;
}

/** The round that this edge works on is over when its model, or a later one, is there. */
static void end_round(struct fed_edge *edge)
{
    if (edge->plan.round > edge->round && edge->plan.epoch >= edge->epoch)
        return;
    edge->waiting = false;
    if (edge->state == FED_EDGE_TRAINING || edge->state == FED_EDGE_SENDING)
        fed_logf(edge->ops.log, edge->ops.ctx,
                 "round %" PRIu64 " is over, our update was not acknowledged", edge->plan.round);
    if (edge->state != FED_EDGE_REFUSED)
        edge->state = FED_EDGE_IDLE;
}

void fed_edge_promote(struct fed_edge *edge)
{
    int r =
        edge->ops.promote(edge->ops.ctx, edge->round, edge->held_hash, edge->held, edge->params);
    edge->promote_due = r == -EAGAIN;
}

static int take_model(struct fed_edge *edge, const struct fed_envelope *env, const uint8_t *payload,
                      size_t bytes, struct atl_error *err)
{
    uint8_t hash_before[FED_HASH_BYTES];
    uint64_t round_before = fed_edge_round(edge);
    memcpy(hash_before, edge->held_hash, sizeof(hash_before));
    int r = fed_edge_hold(edge, env, err);
    if (r == -EALREADY)
        return 0; /* a broker sends what it retains at every subscription */
    if (r < 0)
        return r;
    end_round(edge);
    struct atl_error disk;
    if (fed_state_save(edge->state_dir, FED_EDGE_MODEL_NAME, payload, bytes, &disk) < 0)
        fed_logf(edge->ops.log, edge->ops.ctx, "%s: after a restart this model must come again",
                 disk.text);
    bool renewed = edge->expired;
    edge->expired = false;
    /* A later round, or what another hub made of the same one. */
    bool other = edge->round > round_before ||
                 memcmp(hash_before, edge->held_hash, sizeof(hash_before)) != 0;
    if (edge->round > 0 && (other || renewed))
        fed_edge_promote(edge);
    return 0;
}

/* --- plan --- */

/** Later than the one at hand? Epoch counts first. */
static int plan_order(const struct fed_edge *edge, const struct fed_plan *plan)
{
    if (edge->holds &&
        (plan->epoch < edge->epoch || (plan->epoch == edge->epoch && plan->round <= edge->round)))
        return -ESTALE;
    if (plan->epoch != edge->plan.epoch)
        return plan->epoch > edge->plan.epoch ? 0 : -ESTALE;
    if (plan->round == edge->plan.round)
        return -EALREADY;
    return plan->round > edge->plan.round ? 0 : -ESTALE;
}

static int take_plan(struct fed_edge *edge, const struct fed_envelope *env, atl_ns wall_ns,
                     struct atl_error *err)
{
    struct fed_plan plan;
    atl_error_set(err, 0, "round %" PRIu64 " of epoch %" PRIu64, env->round, env->epoch);
    int r = fed_plan_decode(&plan, env->body, env->body_bytes);
    if (r < 0)
        return r;
    atl_copy(plan.federation, sizeof(plan.federation), edge->federation);
    plan.epoch = env->epoch;
    plan.round = env->round;
    r = fed_plan_check(&plan, err);
    if (r < 0)
        return r;
    if (strcmp(plan.section, edge->section) != 0 ||
        memcmp(plan.schema, edge->shape.schema, sizeof(plan.schema)) != 0)
        return atl_error_set(err, -EINVAL,
                             "a plan for another section or feature schema: hub and edges must run "
                             "the same version");
    if (strcmp(plan.unit, edge->unit) != 0)
        return atl_error_set(err, -EINVAL,
                             "a plan for privacy unit '%s', ours is '%s': federation.unit must be "
                             "the same on hub and edges",
                             plan.unit, edge->unit);
    r = plan_order(edge, &plan);
    if (r == -EALREADY)
        return 0;
    if (r < 0)
        return r;
    if (plan.deadline_ns <= wall_ns)
        return -ETIME;
    edge->plan = plan;
    edge->state = FED_EDGE_IDLE;
    edge->waiting = fed_cohort_lot(edge->federation, plan.epoch, plan.round,
                                   edge->identity->name) <= plan.cohort;
    edge->not_before_ns = wall_ns;
    if (plan.spread_ns > 0)
        edge->not_before_ns += atl_rng_below(&edge->rng, plan.spread_ns);
    if (!edge->waiting)
        fed_logf(edge->ops.log, edge->ops.ctx, "round %" PRIu64 " is for others", plan.round);
    return 0;
}

/* --- acknowledgement --- */

static int take_ack(struct fed_edge *edge, const struct fed_envelope *env)
{
    struct fed_ack ack;
    int r = fed_ack_decode(&ack, env->body, env->body_bytes);
    if (r < 0)
        return r;
    if (strcmp(ack.edge, edge->identity->name) != 0)
        return -EPERM;
    if (edge->state != FED_EDGE_SENDING || env->round != edge->plan.round ||
        memcmp(ack.whole, edge->whole, sizeof(ack.whole)) != 0)
        return edge->state == FED_EDGE_DONE ? 0 : -ESTALE;
    return fed_edge_acknowledged(edge, &ack);
}

/* --- any --- */

static enum fed_type type_of(const struct fed_edge *edge, const char *topic)
{
    if (strcmp(topic, "plan") == 0)
        return FED_TYPE_PLAN;
    if (strcmp(topic, "model") == 0)
        return FED_TYPE_MODEL;
    if (strncmp(topic, "ack/", 4) == 0 && strcmp(topic + 4, edge->identity->name) == 0)
        return FED_TYPE_ACK;
    return FED_TYPE_UPDATE; /* never sent to an edge */
}

static int receive(struct fed_edge *edge, const char *topic, const uint8_t *payload, size_t bytes,
                   atl_ns wall_ns, struct atl_error *err)
{
    struct fed_envelope env;
    enum fed_type type = type_of(edge, topic);
    size_t max_bytes = FED_BODY_BYTES_MAX + FED_ENVELOPE_BYTES_MAX;
    if (type == FED_TYPE_UPDATE)
        return -ENOMSG;
    if (type == FED_TYPE_MODEL)
        max_bytes += edge->params * sizeof(float);
    int r = fed_envelope_open(&env, payload, bytes, max_bytes, edge->federation, edge->roster);
    if (r < 0)
        return r;
    if (env.type != type)
        return -ENOMSG;
    if (!fed_edge_trusts(edge, env.sender))
        return -EPERM;
    if (type == FED_TYPE_MODEL)
        return take_model(edge, &env, payload, bytes, err);
    return type == FED_TYPE_PLAN ? take_plan(edge, &env, wall_ns, err) : take_ack(edge, &env);
}

void fed_edge_receive(struct fed_edge *edge, const char *topic, const uint8_t *payload,
                      size_t bytes, atl_ns wall_ns)
{
    struct atl_error err = {""};
    if (bytes == 0)
        return; /* a retained message was cleared: unsigned, so it means nothing */
    int r = receive(edge, topic, payload, bytes, wall_ns, &err);
    if (r < 0)
        fed_refuse(&edge->refusals, r, topic, err.text[0] != '\0' ? err.text : NULL);
    else if (edge->waiting)
        fed_edge_begin(edge, wall_ns);
}
