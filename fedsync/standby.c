/* SPDX-License-Identifier: Apache-2.0 */
/* What a hub hears of the one that leads: enough to go on in its place. */
#include "fedsync/hub_priv.h"

#include "fedsync/codec_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Leaves room to grow, so that no message can use up the epochs, or the rounds. */
#define EPOCH_MAX (UINT64_MAX / 2)

static void save(struct fed_hub *hub)
{
    struct atl_error err;
    if (fed_hub_record_save(hub->cfg.state_dir, &hub->record, &err) < 0)
        fed_refuse(&hub->refusals, -EIO, "lease", err.text); /* what follows tries again */
}

/* --- lease --- */

static bool spent_fits(const struct fed_spent *spent, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!(spent[i].sample_rate > 0 && spent[i].sample_rate <= 1 &&
              spent[i].noise_multiplier >= 0.1 && spent[i].noise_multiplier <= 1000))
            return false;
    return true;
}

static int follow_lease(struct fed_hub *hub, const struct fed_envelope *env, bool ours)
{
    struct fed_watch *w = &hub->watch;
    struct fed_hub_record *record = &hub->record;
    struct fed_lease lease;
    int r = fed_lease_decode(&lease, env->body, env->body_bytes);
    if (r < 0)
        return r;
    if (lease.lease_ns < FED_LEASE_MIN_NS || !spent_fits(lease.spent, lease.n_spent))
        return -EINVAL;
    if (env->epoch == w->seen_epoch && env->seq <= w->seen_seq)
        return 0; /* retained, or repeated by the broker: no sign of life */
    bool news = env->epoch > record->epoch || env->round > record->last_round ||
                lease.commits > record->commits;
    w->seen_epoch = env->epoch;
    w->seen_seq = env->seq;
    w->seen_lease_ns = lease.lease_ns;
    w->seen_model_epoch = lease.model_epoch;
    w->seen_model_round = lease.model_round;
    w->model_missing = false;
    w->ours = ours;
    if (ours && !news)
        return 0; /* our disk knows more than our last message */
    record->epoch = env->epoch;
    record->last_round = env->round > record->last_round ? env->round : record->last_round;
    record->commits = lease.commits;
    record->n_spent = lease.n_spent;
    memcpy(record->spent, lease.spent, sizeof(record->spent));
    if (news) {
        hub->info.epsilon = fed_hub_epsilon(hub);
        save(hub);
    }
    return 0;
}

/* --- model --- */

static int check_model(const struct fed_hub *hub, const struct fed_model *model,
                       struct learn_model **ret_model)
{
    uint8_t hash[FED_HASH_BYTES];
    const struct learn_shape *shape = learn_model_shape(hub->model);
    uint32_t n = fed_hub_params(hub);
    if (strcmp(model->section, hub->cfg.section) != 0 ||
        memcmp(model->schema, shape->schema, sizeof(model->schema)) != 0 ||
        model->value_bytes != n * sizeof(float))
        return -EINVAL;
    float *params = malloc(n * sizeof(float));
    if (params == NULL)
        return -ENOMEM;
    fed_floats_from_wire(params, model->values, n);
    int r = learn_model_from_params(ret_model, shape, params, NULL);
    free(params);
    if (r < 0)
        return r == -EINVAL ? -EDOM : r;
    learn_model_hash(*ret_model, hash);
    if (memcmp(hash, model->hash, sizeof(hash)) == 0)
        return 0;
    learn_model_destroy(*ret_model);
    return -EBADMSG;
}

/** The model of the one that leads becomes ours. Its optimiser's memory and the canary's best did
 *  not come with it: they begin anew. */
static void take_over_model(struct fed_hub *hub, const struct fed_envelope *env,
                            const struct fed_model *model, struct learn_model *learned)
{
    struct fed_hub_record *record = &hub->record;
    memcpy(hub->values, model->values, model->value_bytes);
    memset(hub->memory, 0, record->memory_floats * sizeof(*hub->memory));
    learn_model_destroy(hub->model);
    hub->model = learned;
    memcpy(record->model_hash, model->hash, sizeof(record->model_hash));
    record->canary_best = -1;
    record->model_epoch = env->epoch;
    record->model_round = env->round;
    if (env->round > record->last_round)
        record->last_round = env->round;
    save(hub);
}

static int follow_model(struct fed_hub *hub, const struct fed_envelope *env)
{
    struct fed_hub_record *record = &hub->record;
    struct fed_model model;
    struct learn_model *learned;
    int r = fed_model_decode(&model, env->body, env->body_bytes);
    if (r < 0)
        return r;
    if (env->epoch < record->model_epoch ||
        (env->epoch == record->model_epoch && env->round <= record->model_round))
        return 0; /* renewed, or repeated */
    r = check_model(hub, &model, &learned);
    if (r == 0)
        take_over_model(hub, env, &model, learned);
    return r;
}

/* --- plan --- */

/* A plan that its lease did not announce: what it asks for counts all the same. */
static int follow_plan(struct fed_hub *hub, const struct fed_envelope *env)
{
    struct fed_plan plan;
    struct atl_error err;
    int r = fed_plan_decode(&plan, env->body, env->body_bytes);
    if (r < 0)
        return r;
    atl_copy(plan.federation, sizeof(plan.federation), hub->federation);
    plan.epoch = env->epoch;
    plan.round = env->round;
    r = fed_plan_check(&plan, &err);
    if (r < 0 || env->round <= hub->record.last_round)
        return r;
    hub->record.last_round = env->round;
    fed_spent_add(&hub->record, plan.sample_rate, plan.noise_multiplier, plan.steps);
    hub->info.epsilon = fed_hub_epsilon(hub);
    return 0;
}

/* --- any --- */

static const struct {
    const char *topic;
    enum fed_type type;
} topics[] = {{"lease", FED_TYPE_LEASE}, {"model", FED_TYPE_MODEL}, {"plan", FED_TYPE_PLAN}};

static int type_of(const char *topic, enum fed_type *ret_type)
{
    for (size_t i = 0; i < ATL_ARRAY_LEN(topics); i++)
        if (strcmp(topic, topics[i].topic) == 0) {
            *ret_type = topics[i].type;
            return 0;
        }
    return -ENOMSG;
}

static int follow(struct fed_hub *hub, const struct fed_envelope *env, bool ours)
{
    switch (env->type) {
    case FED_TYPE_LEASE:
        return follow_lease(hub, env, ours);
    case FED_TYPE_MODEL:
        return follow_model(hub, env);
    default:
        return follow_plan(hub, env);
    }
}

/** Somebody wrote this where ours is retained, or will be. */
static int overwritten(struct fed_hub *hub, const struct fed_envelope *env)
{
    hub->watch.again = hub->watch.role == FED_HUB_LEADING;
    /* Rounds that were committed apart do not come again under the same number. */
    if (env->round > hub->record.last_round && hub->record.open_epoch == 0)
        hub->record.last_round = env->round;
    return -ESTALE;
}

/** From the other hub. The higher epoch leads: the other one stops at once. */
static int from_peer(struct fed_hub *hub, const struct fed_envelope *env)
{
    struct fed_watch *w = &hub->watch;
    bool claims = w->role == FED_HUB_CLAIMING || w->role == FED_HUB_LEADING;
    if (env->epoch > EPOCH_MAX || env->round > EPOCH_MAX)
        return -EINVAL;
    if (env->epoch < hub->record.epoch)
        return overwritten(hub, env);
    if (claims && env->epoch == w->epoch)
        return -EPERM; /* of our half of the epochs: it takes somebody else for its peer */
    if (claims && env->epoch > w->epoch) {
        fed_logf(hub->ops.log, hub->ops.ctx,
                 "hub %s leads with epoch %" PRIu64 ", ours is %" PRIu64 ": we stop and follow it",
                 w->peer, env->epoch, w->epoch);
        fed_lease_stand_by(hub);
    }
    bool alive =
        env->type == FED_TYPE_LEASE && (env->epoch != w->seen_epoch || env->seq > w->seen_seq);
    int r = follow(hub, env, false);
    if (r == 0 && w->role == FED_HUB_LISTENING)
        fed_lease_stand_by(hub);
    else if (r == 0 && w->role == FED_HUB_STANDBY && alive)
        fed_lease_news(hub);
    return r;
}

static int from_self(struct fed_hub *hub, const struct fed_envelope *env)
{
    enum fed_hub_role role = hub->watch.role;
    if (role == FED_HUB_LISTENING && env->epoch >= hub->record.epoch && env->epoch <= EPOCH_MAX)
        return follow(hub, env, true); /* an earlier life of ours, maybe one our disk has lost */
    if (env->type == FED_TYPE_LEASE && (role == FED_HUB_CLAIMING || role == FED_HUB_LEADING))
        return fed_lease_heard(hub, env);
    return 0;
}

int fed_standby_take(struct fed_hub *hub, const char *topic, const uint8_t *payload, size_t bytes)
{
    struct fed_envelope env;
    enum fed_type type = FED_TYPE_LEASE;
    int r = type_of(topic, &type);
    if (r < 0 || bytes == 0) /* a cleared plan is unsigned: it means nothing */
        return r;
    r = fed_envelope_open(&env, payload, bytes,
                          hub->record.value_bytes + FED_LEASE_BYTES_MAX + FED_BODY_BYTES_MAX +
                              FED_ENVELOPE_BYTES_MAX,
                          hub->federation, hub->roster);
    if (r < 0)
        return r;
    if (env.type != type)
        return -ENOMSG;
    if (strcmp(env.sender, hub->identity->name) == 0)
        return from_self(hub, &env);
    return strcmp(env.sender, hub->watch.peer) == 0 ? from_peer(hub, &env) : -EPERM;
}
