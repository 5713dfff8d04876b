/* SPDX-License-Identifier: Apache-2.0 */
/* From the votes on disk to the next parameters, past the canary. */
#include "fedsync/aggregate_priv.h"
#include "fedsync/encoding_priv.h"
#include "fedsync/hub_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- votes --- */

static int load_vote(struct fed_hub *hub, uint32_t at, struct fed_votes *votes)
{
    struct fed_update update;
    struct atl_error err;
    uint8_t *buffer, key[32];
    const char *edge = fed_roster_name(hub->roster, at);
    float *room = fed_votes_room(votes);
    if (room == NULL)
        return -ENOMEM;
    int r = fed_update_load(hub->cfg.state_dir, edge, &update, &buffer, &err);
    if (r < 0) {
        fed_logf(hub->ops.log, hub->ops.ctx, "the update of %s is lost: %s", edge, err.text);
        return 0;
    }
    fed_encoding_key(key, hub->federation, update.epoch, update.round, edge);
    r = fed_decode(update.encoding, update.data, update.bytes, fed_hub_params(hub), key, room);
    free(buffer);
    if (r == 0)
        r = fed_votes_add(votes, hub->cfg.norm_max, at);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        fed_logf(hub->ops.log, hub->ops.ctx, "the update of %s is not finite: left out", edge);
    return 0;
}

/** In the order of the roster: the same votes always give the same model. */
static int load_votes(struct fed_hub *hub, struct fed_votes *votes)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < fed_roster_count(hub->roster); i++)
        if (hub->slots[i].state == FED_SLOT_STORED)
            r = load_vote(hub, i, votes);
    return r;
}

/* --- canary --- */

static bool spoils(const struct fed_hub *hub, double loss)
{
    double best = hub->record.canary_best;
    return !isfinite(loss) || (best >= 0 && loss > best * (1 + hub->cfg.canary_tolerance));
}

static double judge(const struct fed_hub *hub, const float *params)
{
    return hub->ops.judge(hub->ops.ctx, params, fed_hub_params(hub));
}

/** Leave out every vote that spoils the model by itself. @return how many */
static uint32_t drop_spoilers(struct fed_hub *hub, struct fed_votes *votes, float *scratch)
{
    struct atl_error err;
    const float *base = learn_model_params(hub->model);
    uint32_t dropped = 0, n = fed_hub_params(hub);
    for (uint32_t i = fed_votes_count(votes); i-- > 0;) {
        const float *delta = fed_votes_at(votes, i);
        for (uint32_t j = 0; j < n; j++)
            scratch[j] = base[j] + delta[j];
        if (!spoils(hub, judge(hub, scratch)))
            continue;
        uint32_t at = fed_votes_tag(votes, i);
        const char *edge = fed_roster_name(hub->roster, at);
        fed_logf(hub->ops.log, hub->ops.ctx, "the update of %s spoils the canary and is left out",
                 edge);
        if (fed_quarantine_strike(&hub->quarantine, hub->cfg.state_dir, edge, &err) < 0)
            fed_logf(hub->ops.log, hub->ops.ctx, "%s", err.text);
        hub->slots[at].state = FED_SLOT_REFUSED;
        hub->votes--;
        fed_update_remove(hub->cfg.state_dir, edge);
        fed_votes_drop(votes, i);
        dropped++;
    }
    return dropped;
}

/* --- step --- */

/** @param memory  a copy of the record's, updated */
static int step(const struct fed_hub *hub, const struct fed_votes *votes, float *memory, float *out,
                double *ret_norm)
{
    const struct fed_hub_config *cfg = &hub->cfg;
    uint32_t n = fed_hub_params(hub), carried = fed_optimiser_floats(cfg->optimiser, n);
    if (fed_votes_count(votes) < cfg->quorum)
        return -EAGAIN;
    double *move = malloc(n * sizeof(*move));
    if (move == NULL)
        return -ENOMEM;
    memcpy(memory, hub->record.memory, carried * sizeof(*memory));
    int r = fed_votes_combine(votes, cfg->rule, cfg->trim, move);
    if (r == 0) {
        *ret_norm = fed_norm_double(move, n);
        r = fed_optimiser_apply(cfg->optimiser, cfg->server_rate, cfg->momentum,
                                learn_model_params(hub->model), move, n, memory, out);
    }
    free(move);
    return r;
}

/** Once with all votes, once more without those that spoil it. */
static int judged_step(struct fed_hub *hub, struct fed_votes *votes, float *memory, float *out)
{
    int r = step(hub, votes, memory, out, &hub->info.update_norm);
    hub->info.spoiled = 0;
    hub->info.canary_loss = NAN;
    if (hub->ops.judge == NULL || r < 0)
        return r;
    double loss = judge(hub, out);
    if (spoils(hub, loss)) {
        hub->info.spoiled = drop_spoilers(hub, votes, out);
        r = hub->info.spoiled > 0 ? step(hub, votes, memory, out, &hub->info.update_norm) : -EDOM;
        loss = r == 0 ? judge(hub, out) : NAN;
        if (r == 0 && spoils(hub, loss))
            r = -EDOM;
    }
    hub->info.canary_loss = loss;
    return r;
}

int fed_hub_aggregate(struct fed_hub *hub, float *memory, float *out)
{
    struct fed_votes *votes;
    int r = fed_votes_create(&votes, fed_hub_params(hub));
    if (r < 0)
        return r;
    if (hub->ops.judge != NULL && hub->record.canary_best < 0)
        hub->record.canary_best = judge(hub, learn_model_params(hub->model));
    r = load_votes(hub, votes);
    if (r == 0)
        r = judged_step(hub, votes, memory, out);
    fed_votes_destroy(votes);
    return r;
}
