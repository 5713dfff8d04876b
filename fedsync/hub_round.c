/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/aggregate_priv.h"
#include "fedsync/codec_priv.h"
#include "fedsync/cohort_priv.h"
#include "fedsync/hub_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DISK_RETRY_NS (5 * ATL_NS_PER_S)

static void publish_model(struct fed_hub *hub, atl_ns wall_ns)
{
    atl_ns age_ns = hub->cfg.model_age_ns;
    hub->renew_ns = age_ns != 0 ? wall_ns + age_ns / 3 : 0;
    struct fed_model model = {.values = hub->values, .value_bytes = hub->record.value_bytes};
    model.expires_ns = age_ns != 0 ? wall_ns + age_ns : 0;
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
        .steps = cfg->steps,
        .sample_rate = cfg->sample_rate,
        .clip = cfg->clip,
        .noise_multiplier = cfg->noise_multiplier,
        .learning_rate = cfg->learning_rate,
        .delta = cfg->delta,
        .quorum = cfg->quorum,
        .deadline_ns = hub->deadline_ns,
        .encoding = cfg->encoding,
        .proximal = cfg->proximal,
        .cohort = hub->cohort,
        .spread_ns = cfg->spread_ns,
    };
    uint8_t body[FED_BODY_BYTES_MAX];
    atl_copy(plan.section, sizeof(plan.section), cfg->section);
    atl_copy(plan.unit, sizeof(plan.unit), cfg->unit);
    memcpy(plan.schema, learn_model_shape(hub->model)->schema, sizeof(plan.schema));
    memcpy(plan.base_hash, hub->record.model_hash, sizeof(plan.base_hash));
    fed_hub_send(hub, FED_TYPE_PLAN, "plan", hub->record.last_round, body,
                 fed_plan_encode(&plan, body, sizeof(body)), true);
}

static void clear_plan(struct fed_hub *hub)
{
    hub->ops.send(hub->ops.ctx, "plan", (const uint8_t *)"", 0, true);
}

/* Of those asked, so many answered before there is any experience. */
#define COMPLETION_FIRST  (1 / 1.3)
#define COMPLETION_LEAST  0.5
#define COMPLETION_WEIGHT 0.2

/** Draw the cohort from those that are online: as many more as usually fail. */
static void draw_cohort(struct fed_hub *hub)
{
    uint64_t lots[FED_EDGES_MAX];
    uint32_t n = 0, wanted = 0;
    for (uint32_t i = 0; i < fed_roster_count(hub->roster) && n < FED_EDGES_MAX; i++) {
        const char *edge = fed_roster_name(hub->roster, i);
        if (hub->slots[i].online && !fed_hub_in_quarantine(hub, edge))
            lots[n++] =
                fed_cohort_lot(hub->federation, hub->record.epoch, hub->record.last_round, edge);
    }
    if (hub->completion <= 0)
        hub->completion = COMPLETION_FIRST;
    if (hub->cfg.cohort != 0)
        wanted = (uint32_t)ceil(hub->cfg.cohort / hub->completion);
    hub->cohort = fed_cohort_limit(lots, n, wanted);
    hub->asked = wanted != 0 && wanted < n ? wanted : n;
    hub->awaited = hub->cfg.expected != 0 ? hub->cfg.expected : hub->asked;
    if (hub->cfg.cohort != 0 && hub->cfg.cohort < hub->awaited)
        hub->awaited = hub->cfg.cohort;
}

static void learn_completion(struct fed_hub *hub)
{
    if (hub->asked == 0)
        return;
    double share = fmin(1, (double)hub->votes / hub->asked);
    /* A round that was closed early says nothing about those still on their way. */
    if (hub->cfg.cohort != 0 && hub->votes >= hub->cfg.cohort)
        share = fmax(share, hub->completion);
    hub->completion += COMPLETION_WEIGHT * (share - hub->completion);
    hub->completion = fmin(1, fmax(COMPLETION_LEAST, hub->completion));
    hub->asked = 0;
}

static void open_round(struct fed_hub *hub, atl_ns wall_ns)
{
    struct fed_hub_record next = hub->record;
    next.last_round++;
    next.open_epoch = next.epoch;
    fed_spent_add(&next, hub->cfg.sample_rate, hub->cfg.noise_multiplier, hub->cfg.steps);
    if (!adopt(hub, &next, wall_ns))
        return;
    fed_lease_send(hub); /* before the plan: who takes over must not know of less */
    hub->deadline_ns = wall_ns + hub->cfg.deadline_ns;
    draw_cohort(hub);
    hub->info.bytes = 0;
    hub->info.update_norm = 0;
    hub->info.spoiled = 0;
    hub->info.canary_loss = NAN;
    hub->info.epsilon = fed_hub_epsilon(hub);
    publish_plan(hub);
    fed_hub_tell(hub, FED_ROUND_OPEN);
}

/* --- close --- */

static void finish_round(struct fed_hub *hub, enum fed_round_state state, atl_ns wall_ns)
{
    /* The model first: an edge must not see the round over and its base still the old one. Sent
     * again after an abandoned round for an edge that missed it. */
    publish_model(hub, wall_ns);
    clear_plan(hub);
    fed_lease_send(hub);
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

/** What a commit puts in place of the old, all its own. */
struct successor {
    uint8_t *values;
    float *memory;
    struct learn_model *model;
};

static void successor_finish(struct successor *next)
{
    free(next->values);
    free(next->memory);
    learn_model_destroy(next->model);
}

/** Save the new model and make it the hub's; *next then holds the old one. */
static void commit(struct fed_hub *hub, struct successor *next, atl_ns wall_ns)
{
    struct fed_hub_record record = hub->record;
    record.open_epoch = 0;
    record.commits++;
    record.model_epoch = record.epoch;
    record.model_round = record.last_round;
    record.memory = next->memory;
    record.memory_floats = fed_optimiser_floats(hub->cfg.optimiser, fed_hub_params(hub));
    if (hub->ops.judge != NULL)
        record.canary_best = fmin(record.canary_best, hub->info.canary_loss);
    learn_model_hash(next->model, record.model_hash);
    struct successor old = {hub->values, hub->memory, hub->model};
    record.values = hub->values = next->values;
    hub->memory = next->memory;
    hub->model = next->model;
    if (adopt(hub, &record, wall_ns)) {
        *next = old;
        finish_round(hub, FED_ROUND_COMMITTED, wall_ns);
        return;
    }
    hub->values = old.values;
    hub->memory = old.memory;
    hub->model = old.model;
}

static const char *why_not(int code)
{
    switch (code) {
    case -ENOMEM:
        return "out of memory";
    case -EAGAIN:
        return "too few updates are left, the model stays";
    case -EDOM:
        return "the canary refuses the new model, the old one stays";
    default:
        return "the updates do not add up to a finite model";
    }
}

static int aggregate(struct fed_hub *hub, struct successor *next)
{
    uint32_t n = fed_hub_params(hub);
    float *params = malloc(n * sizeof(float));
    next->values = malloc(n * sizeof(float));
    next->memory = malloc((2 * (size_t)n + 1) * sizeof(float));
    int r = -ENOMEM;
    if (params != NULL && next->values != NULL && next->memory != NULL)
        r = fed_hub_aggregate(hub, next->memory, params);
    if (r == 0)
        r = learn_model_from_params(&next->model, learn_model_shape(hub->model), params, NULL);
    if (r == 0)
        fed_floats_to_wire(next->values, params, n);
    free(params);
    return r;
}

static void close_round(struct fed_hub *hub, atl_ns wall_ns)
{
    struct successor next = {0};
    learn_completion(hub);
    int r = hub->votes < hub->cfg.quorum ? -ECANCELED : aggregate(hub, &next);
    if (r == 0) {
        commit(hub, &next, wall_ns);
    } else {
        if (r != -ECANCELED)
            fed_logf(hub->ops.log, hub->ops.ctx, "round %" PRIu64 ": %s", hub->record.last_round,
                     why_not(r));
        abandon(hub, wall_ns);
    }
    successor_finish(&next);
}

/** What is retained may be the other hub's. */
static void restore_plan(struct fed_hub *hub, atl_ns wall_ns)
{
    if (!hub->watch.on)
        return;
    if (hub->record.open_epoch != 0 && wall_ns < hub->deadline_ns)
        publish_plan(hub);
    else
        clear_plan(hub);
}

void fed_hub_step(struct fed_hub *hub, atl_ns wall_ns)
{
    if (!fed_lease_step(hub, wall_ns))
        return;
    if (hub->renew_ns > wall_ns + hub->cfg.model_age_ns)
        hub->renew_ns = wall_ns; /* the wall clock was set back */
    if (!hub->published || (hub->renew_ns != 0 && wall_ns >= hub->renew_ns))
        publish_model(hub, wall_ns);
    if (!hub->published)
        restore_plan(hub, wall_ns);
    hub->published = true;
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
