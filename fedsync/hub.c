/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/hub_priv.h"

#include "fedsync/aggregate_priv.h"
#include "fedsync/codec_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

uint32_t fed_hub_params(const struct fed_hub *hub)
{
    return (uint32_t)(hub->record.value_bytes / sizeof(float));
}

double fed_hub_epsilon(const struct fed_hub *hub)
{
    struct priv_event events[FED_SPENT_MAX];
    double epsilon;
    for (uint32_t i = 0; i < hub->record.n_spent; i++)
        events[i] = (struct priv_event){
            .mechanism = PRIV_POISSON_GAUSSIAN,
            .q = hub->record.spent[i].sample_rate,
            .sigma = hub->record.spent[i].noise_multiplier,
            .steps = hub->record.spent[i].steps,
        };
    if (hub->record.n_spent == 0)
        return 0;
    return priv_epsilon(PRIV_RDP, events, hub->record.n_spent, hub->cfg.delta, &epsilon, NULL) == 0
               ? epsilon
               : INFINITY;
}

void fed_hub_tell(struct fed_hub *hub, enum fed_round_state state)
{
    struct fed_round_info *info = &hub->info;
    info->state = state;
    info->epoch = hub->record.epoch;
    info->round = hub->record.last_round;
    info->quorum = hub->cfg.quorum;
    info->delta = hub->cfg.delta;
    info->participants = 0;
    memcpy(info->model_hash, hub->record.model_hash, sizeof(info->model_hash));
    for (uint32_t i = 0; i < fed_roster_count(hub->roster); i++)
        if (hub->slots[i].state == FED_SLOT_STORED)
            atl_copy(info->names[info->participants++], FED_NAME_BYTES,
                     fed_roster_name(hub->roster, i));
    if (hub->ops.round != NULL)
        hub->ops.round(hub->ops.ctx, info);
}

void fed_hub_sign_send(struct fed_hub *hub, const struct fed_envelope *env, const char *topic,
                       bool retain)
{
    uint8_t *payload;
    size_t bytes;
    if (fed_envelope_seal(&payload, &bytes, env, hub->cfg.federation, hub->identity) < 0) {
        fed_logf(hub->ops.log, hub->ops.ctx, "cannot send \"%s\": out of memory", topic);
        return;
    }
    hub->ops.send(hub->ops.ctx, topic, payload, bytes, retain);
    free(payload);
}

void fed_hub_send(struct fed_hub *hub, enum fed_type type, const char *topic, uint64_t round,
                  const uint8_t *body, size_t bytes, bool retain)
{
    const struct fed_envelope env = {.type = type,
                                     .epoch = hub->record.epoch,
                                     .round = round,
                                     .body = body,
                                     .body_bytes = bytes};
    fed_hub_sign_send(hub, &env, topic, retain);
}

void fed_hub_clear_slots(struct fed_hub *hub)
{
    for (uint32_t i = 0; i < fed_roster_count(hub->roster); i++) {
        struct fed_slot *slot = &hub->slots[i];
        if (slot->state == FED_SLOT_STORED)
            fed_update_remove(hub->cfg.state_dir, fed_roster_name(hub->roster, i));
        fed_assembler_destroy(slot->assembler);
        *slot = (struct fed_slot){.online = slot->online};
    }
    hub->votes = 0;
}

/* --- start --- */

static float *fresh_memory(struct fed_hub *hub, uint32_t n)
{
    hub->record.memory_floats = fed_optimiser_floats(hub->cfg.optimiser, n);
    return calloc((size_t)hub->record.memory_floats + 1, sizeof(float));
}

static int begin(struct fed_hub *hub, const struct learn_model *base, struct atl_error *err)
{
    uint32_t n = learn_shape_params(learn_model_shape(base));
    hub->values = malloc(n * sizeof(float));
    if (hub->values == NULL)
        return atl_error_set(err, -ENOMEM, "hub: out of memory");
    fed_floats_to_wire(hub->values, learn_model_params(base), n);
    hub->record.value_bytes = n * sizeof(float);
    hub->record.canary_best = -1;
    hub->memory = fresh_memory(hub, n);
    if (hub->memory == NULL)
        return atl_error_set(err, -ENOMEM, "hub: out of memory");
    learn_model_hash(base, hub->record.model_hash);
    return learn_model_from_params(&hub->model, learn_model_shape(base), learn_model_params(base),
                                   err);
}

static int resume(struct fed_hub *hub, const struct learn_shape *shape, struct atl_error *err)
{
    uint8_t hash[FED_HASH_BYTES];
    uint32_t n = learn_shape_params(shape);
    if (hub->record.value_bytes != n * sizeof(float))
        return atl_error_set(
            err, -EINVAL,
            "%s holds a model of another shape: use a new state folder and another "
            "federation name for a new kind of model",
            hub->cfg.state_dir);
    float *params = malloc(n * sizeof(float));
    hub->values = malloc(n * sizeof(float));
    if (params == NULL || hub->values == NULL) {
        free(params);
        return atl_error_set(err, -ENOMEM, "hub: out of memory");
    }
    memcpy(hub->values, hub->record.values, n * sizeof(float));
    if (hub->record.memory_floats != fed_optimiser_floats(hub->cfg.optimiser, n)) {
        /* Another optimiser than before: it begins anew. */
        free(hub->memory);
        hub->memory = fresh_memory(hub, n);
    }
    fed_floats_from_wire(params, hub->values, n);
    int r = learn_model_from_params(&hub->model, shape, params, err);
    free(params);
    if (r < 0)
        return r;
    learn_model_hash(hub->model, hash);
    if (memcmp(hash, hub->record.model_hash, sizeof(hash)) != 0)
        return atl_error_set(err, -EINVAL,
                             "%s holds a model of another feature schema: use a new state folder "
                             "and another federation name",
                             hub->cfg.state_dir);
    return 0;
}

/* Updates that were acknowledged before the restart keep their vote; anything else is left over. */
static void recover_votes(struct fed_hub *hub)
{
    for (uint32_t i = 0; i < fed_roster_count(hub->roster); i++) {
        struct fed_update update;
        uint8_t *buffer = NULL;
        const char *edge = fed_roster_name(hub->roster, i);
        int r = fed_update_load(hub->cfg.state_dir, edge, &update, &buffer, NULL);
        if (r == -ENOENT)
            continue;
        if (r == 0 && hub->record.open_epoch != 0 && update.epoch == hub->record.open_epoch &&
            update.round == hub->record.last_round && strcmp(update.edge, edge) == 0 &&
            strcmp(update.federation, hub->federation) == 0 &&
            memcmp(update.base_hash, hub->record.model_hash, FED_HASH_BYTES) == 0) {
            hub->slots[i].state = FED_SLOT_STORED;
            memcpy(hub->slots[i].whole, update.whole, FED_HASH_BYTES);
            hub->votes++;
        } else {
            fed_update_remove(hub->cfg.state_dir, edge);
        }
        free(buffer);
    }
}

static int load(struct fed_hub *hub, const struct learn_model *base, struct atl_error *err)
{
    uint8_t *buffer = NULL;
    int r = fed_hub_record_load(hub->cfg.state_dir, &hub->record, &buffer, err);
    hub->memory = hub->record.memory;
    if (r == 0)
        r = resume(hub, learn_model_shape(base), err);
    else if (r == -ENOENT)
        r = begin(hub, base, err);
    free(buffer);
    if (r < 0)
        return r;
    hub->record.values = hub->values;
    hub->record.memory = hub->memory;
    if (hub->memory == NULL)
        return atl_error_set(err, -ENOMEM, "hub: out of memory");
    r = fed_quarantine_load(&hub->quarantine, hub->cfg.state_dir, err);
    if (r == 0)
        r = fed_params_check(fed_hub_params(hub), err);
    if (r < 0)
        return r;
    /* Before anything is sent under it: no epoch is ever used by two lives of the hub. With a peer
     * it is the lease that brings the next one. */
    if (!hub->watch.on) {
        hub->record.model_epoch = ++hub->record.epoch;
        r = fed_hub_record_save(hub->cfg.state_dir, &hub->record, err);
    }
    if (r == 0)
        recover_votes(hub);
    return r;
}

static int peer_check(const struct fed_hub_config *cfg, const struct fed_identity *identity,
                      const struct fed_roster *roster, struct atl_error *err)
{
    if (cfg->peer == NULL)
        return 0;
    if (strcmp(cfg->peer, identity->name) == 0)
        return atl_error_set(err, -EINVAL,
                             "the other hub is this one: expected another name than "
                             "%s",
                             cfg->peer);
    if (fed_roster_key(roster, cfg->peer) == NULL || fed_roster_key(roster, identity->name) == NULL)
        return atl_error_set(err, -ENOKEY,
                             "two hubs need the public keys of both in the roster: %s.pub and "
                             "%s.pub are expected in its folder",
                             identity->name, cfg->peer);
    return 0;
}

int fed_hub_create(struct fed_hub **ret_hub, const struct fed_hub_config *cfg,
                   const struct learn_model *base, const struct fed_identity *identity,
                   const struct fed_roster *roster, const struct fed_hub_ops *ops,
                   struct atl_error *err)
{
    int r = fed_hub_config_check(cfg, err);
    if (r == 0)
        r = peer_check(cfg, identity, roster, err);
    if (r == 0)
        r = atl_dir_make(cfg->state_dir, err);
    if (r < 0)
        return r;
    atl_dir_sweep(cfg->state_dir);
    struct fed_hub *hub = calloc(1, sizeof(*hub));
    if (hub == NULL)
        return atl_error_set(err, -ENOMEM, "hub: out of memory");
    hub->cfg = *cfg;
    hub->identity = identity;
    hub->roster = roster;
    hub->ops = *ops;
    hub->refusals = (struct fed_refusals){.log = ops->log, .ctx = ops->ctx};
    atl_copy(hub->federation, sizeof(hub->federation), cfg->federation);
    atl_copy(hub->section, sizeof(hub->section), cfg->section);
    hub->state_dir = strdup(cfg->state_dir);
    hub->slots = calloc((size_t)fed_roster_count(roster) + 1, sizeof(*hub->slots));
    hub->cfg.federation = hub->federation;
    hub->cfg.section = hub->section;
    hub->cfg.state_dir = hub->state_dir;
    fed_lease_init(hub);
    if (hub->state_dir == NULL || hub->slots == NULL)
        r = atl_error_set(err, -ENOMEM, "hub: out of memory");
    else
        r = load(hub, base, err);
    if (r < 0) {
        fed_hub_destroy(hub);
        return r;
    }
    uint32_t edges = fed_roster_count(roster) - (fed_roster_find(roster, identity->name) >= 0) -
                     (cfg->peer != NULL);
    if (edges < cfg->quorum)
        fed_logf(ops->log, ops->ctx,
                 "no round can start: the quorum is %u, the roster has %u edges (one .pub file for "
                 "each is expected)",
                 cfg->quorum, edges);
    hub->info.epsilon = fed_hub_epsilon(hub);
    hub->info.canary_loss = NAN;
    *ret_hub = hub;
    return 0;
}

void fed_hub_destroy(struct fed_hub *hub)
{
    if (hub == NULL)
        return;
    for (uint32_t i = 0; hub->slots != NULL && i < fed_roster_count(hub->roster); i++)
        fed_assembler_destroy(hub->slots[i].assembler);
    free(hub->slots);
    learn_model_destroy(hub->model);
    free(hub->values);
    free(hub->memory);
    free(hub->state_dir);
    free(hub);
}

bool fed_hub_is_hub(const struct fed_hub *hub, const char *name)
{
    return strcmp(name, hub->identity->name) == 0 || strcmp(name, hub->watch.peer) == 0;
}

void fed_hub_presence(struct fed_hub *hub, const char *edge, bool online)
{
    int at = fed_roster_find(hub->roster, edge);
    if (at < 0 || fed_hub_is_hub(hub, edge) || hub->slots[at].online == online)
        return;
    hub->slots[at].online = online;
    if (online)
        hub->online++;
    else
        hub->online--;
}

bool fed_hub_in_quarantine(const struct fed_hub *hub, const char *edge)
{
    uint32_t after = hub->cfg.quarantine_after;
    return after != 0 && fed_quarantine_strikes(&hub->quarantine, edge) >= after;
}

uint32_t fed_hub_quarantined(const struct fed_hub *hub)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < hub->quarantine.n; i++)
        n += fed_hub_in_quarantine(hub, hub->quarantine.entries[i].edge);
    return n;
}

bool fed_hub_finished(const struct fed_hub *hub)
{
    return hub->cfg.rounds != 0 && hub->record.commits >= hub->cfg.rounds;
}

uint64_t fed_hub_round(const struct fed_hub *hub)
{
    return hub->record.model_round;
}

double fed_hub_spent(const struct fed_hub *hub)
{
    return hub->info.epsilon;
}

uint64_t fed_hub_refused(const struct fed_hub *hub)
{
    return fed_refused_total(&hub->refusals);
}
