/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/aggregate_priv.h"
#include "fedsync/codec_priv.h"
#include "fedsync/hub_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DISK_RETRY_NS (5 * ATL_NS_PER_S)

static void publish_model(struct fed_hub *hub)
{
    struct fed_model model = {.values = hub->values, .value_bytes = hub->record.value_bytes};
    size_t capacity = model.value_bytes + FED_BODY_BYTES_MAX;
    uint8_t *body = malloc(capacity);
    if (body == NULL) {
        fed_logf(hub->ops.log, hub->ops.ctx, "cannot publish the model: out of memory");
        return;
    }
    atl_copy(model.section, sizeof(model.section), hub->cfg.section);
    memcpy(model.schema, learn_model_shape(hub->model)->schema, sizeof(model.schema));
    memcpy(model.hash, hub->record.model_hash, sizeof(model.hash));
    fed_hub_send(hub, FED_TYPE_MODEL, "model", hub->record.model_round, body,
                 fed_model_encode(&model, body, capacity), true);
    free(body);
}

/** @return true when the record is on disk and is now the hub's */
static bool adopt(struct fed_hub *hub, const struct fed_hub_record *next, atl_ns wall_ns)
{
    struct atl_error err;
    if (fed_hub_record_save(hub->cfg.state_dir, next, &err) < 0) {
        fed_logf(hub->ops.log, hub->ops.ctx, "%s: tried again in %u s", err.text,
                 (unsigned)(DISK_RETRY_NS / ATL_NS_PER_S));
        hub->not_before_ns = wall_ns + DISK_RETRY_NS;
        return false;
    }
    hub->record = *next;
    hub->record.values = hub->values;
    return true;
}

/* --- open --- */

static void publish_plan(struct fed_hub *hub)
{
    const struct fed_hub_config *cfg = &hub->cfg;
    struct fed_plan plan = {
        .unit = "flow",
        .steps = cfg->steps,
        .sample_rate = cfg->sample_rate,
        .clip = cfg->clip,
        .noise_multiplier = cfg->noise_multiplier,
        .learning_rate = cfg->learning_rate,
        .delta = cfg->delta,
        .quorum = cfg->quorum,
        .deadline_ns = hub->deadline_ns,
    };
    uint8_t body[FED_BODY_BYTES_MAX];
    atl_copy(plan.section, sizeof(plan.section), cfg->section);
    memcpy(plan.schema, learn_model_shape(hub->model)->schema, sizeof(plan.schema));
    memcpy(plan.base_hash, hub->record.model_hash, sizeof(plan.base_hash));
    fed_hub_send(hub, FED_TYPE_PLAN, "plan", hub->record.last_round, body,
                 fed_plan_encode(&plan, body, sizeof(body)), true);
}

static void open_round(struct fed_hub *hub, atl_ns wall_ns)
{
    struct fed_hub_record next = hub->record;
    next.last_round++;
    next.open_epoch = next.epoch;
    fed_spent_add(&next, hub->cfg.sample_rate, hub->cfg.noise_multiplier, hub->cfg.steps);
    if (!adopt(hub, &next, wall_ns))
        return;
    hub->deadline_ns = wall_ns + hub->cfg.deadline_ns;
    hub->awaited = hub->cfg.expected != 0 ? hub->cfg.expected : hub->online;
    hub->info.bytes = 0;
    hub->info.update_norm = 0;
    hub->info.epsilon = fed_hub_epsilon(hub);
    publish_plan(hub);
    fed_hub_tell(hub, FED_ROUND_OPEN);
}

/* --- close --- */

static void finish_round(struct fed_hub *hub, enum fed_round_state state, atl_ns wall_ns)
{
    /* The model first: an edge must not see the round over and its base still the old one. Sent
     * again after an abandoned round for an edge that missed it. */
    publish_model(hub);
    hub->ops.send(hub->ops.ctx, "plan", (const uint8_t *)"", 0, true);
    fed_hub_tell(hub, state);
    fed_logf(hub->ops.log, hub->ops.ctx, "round %" PRIu64 " %s with %u updates (quorum %u)",
             hub->record.last_round, fed_round_state_name(state), hub->votes, hub->cfg.quorum);
    fed_hub_clear_slots(hub);
    hub->not_before_ns = wall_ns + hub->cfg.pause_ns;
}

static void abandon(struct fed_hub *hub, atl_ns wall_ns)
{
    struct fed_hub_record next = hub->record;
    next.open_epoch = 0;
    if (adopt(hub, &next, wall_ns))
        finish_round(hub, FED_ROUND_ABANDONED, wall_ns);
}

static void add_vote(struct fed_hub *hub, uint32_t at, struct fed_mean *mean, float *scratch)
{
    struct fed_update update;
    struct atl_error err;
    uint8_t *buffer;
    const char *edge = fed_roster_name(hub->roster, at);
    int r = fed_update_load(hub->cfg.state_dir, edge, &update, &buffer, &err);
    if (r < 0) {
        fed_logf(hub->ops.log, hub->ops.ctx, "the update of %s is lost: %s", edge, err.text);
        return;
    }
    if (update.value_bytes == hub->record.value_bytes) {
        fed_floats_from_wire(scratch, update.values, fed_hub_params(hub));
        r = fed_mean_add(mean, scratch, hub->cfg.norm_max);
    }
    if (r < 0)
        fed_logf(hub->ops.log, hub->ops.ctx, "the update of %s is not finite: left out", edge);
    free(buffer);
}

/** The next parameters from the votes on disk, in the order of the roster.
 *  @return 0, -EAGAIN (fewer than the quorum are readable), -ERANGE, -ENOMEM */
static int aggregate(struct fed_hub *hub, float *out, double *ret_norm)
{
    struct fed_mean *mean;
    int r = fed_mean_create(&mean, fed_hub_params(hub));
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < fed_roster_count(hub->roster); i++)
        if (hub->slots[i].state == FED_SLOT_STORED)
            add_vote(hub, i, mean, out);
    if (fed_mean_count(mean) < hub->cfg.quorum)
        r = -EAGAIN;
    else
        r = fed_mean_apply(mean, learn_model_params(hub->model), hub->cfg.server_rate, out,
                           ret_norm);
    fed_mean_destroy(mean);
    return r;
}

/** Save the new model and make it the hub's. Takes `values` and `model`. */
static void commit(struct fed_hub *hub, uint8_t *values, struct learn_model *model, atl_ns wall_ns)
{
    struct fed_hub_record next = hub->record;
    next.open_epoch = 0;
    next.commits++;
    next.model_round = next.last_round;
    next.values = values;
    learn_model_hash(model, next.model_hash);
    uint8_t *old_values = hub->values;
    struct learn_model *old_model = hub->model;
    hub->values = values;
    hub->model = model;
    if (!adopt(hub, &next, wall_ns)) {
        hub->values = old_values;
        hub->model = old_model;
        old_values = values;
        old_model = model;
    } else {
        finish_round(hub, FED_ROUND_COMMITTED, wall_ns);
    }
    free(old_values);
    learn_model_destroy(old_model);
}

static void close_round(struct fed_hub *hub, atl_ns wall_ns)
{
    if (hub->votes < hub->cfg.quorum) {
        abandon(hub, wall_ns);
        return;
    }
    struct atl_error err = {"the updates do not add up to a finite model"};
    struct learn_model *model = NULL;
    uint32_t n = fed_hub_params(hub);
    float *params = malloc(n * sizeof(float));
    uint8_t *values = malloc(n * sizeof(float));
    int r = params == NULL || values == NULL ? -ENOMEM : 0;
    if (r == 0)
        r = aggregate(hub, params, &hub->info.update_norm);
    if (r == 0)
        r = learn_model_from_params(&model, learn_model_shape(hub->model), params, &err);
    if (r == 0) {
        fed_floats_to_wire(values, params, n);
        commit(hub, values, model, wall_ns);
    } else {
        fed_logf(hub->ops.log, hub->ops.ctx, "round %" PRIu64 ": %s", hub->record.last_round,
                 r == -ENOMEM ? "out of memory" : err.text);
        free(values);
        abandon(hub, wall_ns);
    }
    free(params);
}

void fed_hub_step(struct fed_hub *hub, atl_ns wall_ns)
{
    if (!hub->published) {
        publish_model(hub);
        hub->published = true;
    }
    /* A time farther away than we ever set it: the wall clock was set back. */
    atl_ns wait_max_ns = hub->cfg.pause_ns > DISK_RETRY_NS ? hub->cfg.pause_ns : DISK_RETRY_NS;
    if (hub->not_before_ns > wall_ns + wait_max_ns)
        hub->not_before_ns = wall_ns;
    if (hub->deadline_ns > wall_ns + hub->cfg.deadline_ns)
        hub->deadline_ns = wall_ns + hub->cfg.deadline_ns;
    if (wall_ns < hub->not_before_ns)
        return;
    bool open = hub->record.open_epoch != 0;
    if (open && (hub->votes >= hub->awaited || wall_ns >= hub->deadline_ns))
        close_round(hub, wall_ns);
    else if (!open && !fed_hub_finished(hub) && hub->online >= hub->cfg.quorum)
        open_round(hub, wall_ns);
}
