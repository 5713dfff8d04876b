/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/edge_priv.h"

#include "fedsync/codec_priv.h"
#include "fedsync/encoding_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int config_check(const struct fed_edge_config *cfg, struct atl_error *err)
{
    const struct {
        const char *what, *name;
    } names[] = {{"federation", cfg->federation},
                 {"hub", cfg->hub},
                 {"standby", cfg->standby != NULL ? cfg->standby : cfg->hub},
                 {"section", cfg->section}};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ATL_ARRAY_LEN(names); i++)
        r = fed_name_check(names[i].what, names[i].name, err);
    if (r < 0)
        return r;
    if (cfg->state_dir == NULL || cfg->state_dir[0] == '\0')
        return atl_error_set(err, -EINVAL, "state_dir: expected a folder");
    r = learn_shape_check(cfg->shape, err);
    if (r == 0)
        r = fed_params_check(learn_shape_params(cfg->shape), err);
    return r;
}

bool fed_edge_trusts(const struct fed_edge *edge, const char *sender)
{
    return strcmp(sender, edge->hubs[0]) == 0 || strcmp(sender, edge->hubs[1]) == 0;
}

/* The kept model is the signed message itself: what is loaded is verified as if just received. */
static int load(struct fed_edge *edge, struct atl_error *err)
{
    uint8_t *payload;
    size_t bytes;
    struct fed_envelope env;
    int r = fed_state_load(edge->state_dir, FED_EDGE_MODEL_NAME, FED_MESSAGE_BYTES_MAX, &payload,
                           &bytes, err);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    r = fed_envelope_open(&env, payload, bytes, FED_MESSAGE_BYTES_MAX, edge->federation,
                          edge->roster);
    if (r < 0 || env.type != FED_TYPE_MODEL || !fed_edge_trusts(edge, env.sender)) {
        r = atl_error_set(err, -EBADMSG,
                          "%s/" FED_EDGE_MODEL_NAME " was not signed by hub %s of federation %s as "
                          "the roster has it: if the hub's key was changed on purpose, remove it",
                          edge->state_dir, edge->hubs[0], edge->federation);
    } else {
        struct atl_error why;
        r = fed_edge_hold(edge, &env, &why);
        /* Of an older feature schema: of no use any more, and nothing to fall back to. */
        if (r == -EINVAL) {
            fed_logf(edge->ops.log, edge->ops.ctx, "the kept model is left aside: %s", why.text);
            r = 0;
        } else if (r < 0) {
            atl_error_set(err, r, "%s", why.text);
        }
        edge->promote_due = edge->holds && edge->round > 0;
    }
    free(payload);
    return r;
}

/* An update is kept only after its charge. Where the ledger does not hold that charge, ledger and
 * anchor were lost, thrown away or replaced by an older copy: what was spent is not known. */
static void distrust_other_ledger(struct fed_edge *edge)
{
    struct fed_update kept;
    uint8_t *buffer = NULL;
    if (edge->ledger == NULL)
        return;
    int r = fed_update_load(edge->state_dir, edge->identity->name, &kept, &buffer, NULL);
    bool trusted =
        r == -ENOENT || (r < 0 && priv_ledger_entries(edge->ledger) > 0) ||
        (r == 0 && priv_ledger_holds(edge->ledger, kept.federation, kept.epoch, kept.round));
    free(buffer);
    if (trusted)
        return;
    edge->ledger = NULL;
    fed_logf(
        edge->ops.log, edge->ops.ctx,
        "the privacy ledger does not know the charge that %s/update-%s.cbor was made under: "
        "it is new or an old copy; restore the latest one; until then nothing leaves this edge",
        edge->state_dir, edge->identity->name);
}

int fed_edge_create(struct fed_edge **ret_edge, const struct fed_edge_config *cfg,
                    const struct fed_identity *identity, const struct fed_roster *roster,
                    struct priv_ledger *ledger, const struct fed_edge_ops *ops,
                    struct atl_error *err)
{
    int r = config_check(cfg, err);
    if (r == 0)
        r = atl_dir_make(cfg->state_dir, err);
    if (r < 0)
        return r;
    atl_dir_sweep(cfg->state_dir);
    const char *const hubs[] = {cfg->hub, cfg->standby};
    for (size_t i = 0; i < ATL_ARRAY_LEN(hubs); i++)
        if (hubs[i] != NULL && fed_roster_key(roster, hubs[i]) == NULL)
            return atl_error_set(err, -ENOKEY,
                                 "no public key of hub %s in the roster: copy %s.pub from the hub "
                                 "into the roster folder",
                                 hubs[i], hubs[i]);
    struct fed_edge *edge = calloc(1, sizeof(*edge));
    if (edge == NULL)
        return atl_error_set(err, -ENOMEM, "federation: out of memory");
    atl_copy(edge->federation, sizeof(edge->federation), cfg->federation);
    for (size_t i = 0; i < ATL_ARRAY_LEN(hubs); i++)
        atl_copy(edge->hubs[i], sizeof(edge->hubs[i]), hubs[i] != NULL ? hubs[i] : "");
    atl_copy(edge->section, sizeof(edge->section), cfg->section);
    atl_copy(edge->unit, sizeof(edge->unit), cfg->unit != NULL ? cfg->unit : FED_UNIT_FLOW);
    edge->shape = *cfg->shape;
    edge->params = learn_shape_params(cfg->shape);
    edge->identity = identity;
    edge->roster = roster;
    edge->ledger = ledger;
    edge->ops = *ops;
    edge->refusals = (struct fed_refusals){.log = ops->log, .ctx = ops->ctx};
    atl_rng_init_secure(&edge->rng);
    edge->state_dir = strdup(cfg->state_dir);
    edge->held = malloc(edge->params * sizeof(float));
    edge->update = malloc(FED_ENCODING_ROOM(edge->params));
    if (edge->state_dir == NULL || edge->held == NULL || edge->update == NULL)
        r = atl_error_set(err, -ENOMEM, "federation: out of memory");
    else
        r = load(edge, err);
    if (r < 0) {
        fed_edge_destroy(edge);
        return r;
    }
    distrust_other_ledger(edge);
    *ret_edge = edge;
    return 0;
}

void fed_edge_destroy(struct fed_edge *edge)
{
    if (edge == NULL)
        return;
    free(edge->update);
    free(edge->held);
    free(edge->state_dir);
    free(edge);
}

enum fed_edge_state fed_edge_state(const struct fed_edge *edge)
{
    return edge->state;
}

uint64_t fed_edge_round(const struct fed_edge *edge)
{
    return edge->holds ? edge->round : 0;
}

double fed_edge_spent(const struct fed_edge *edge)
{
    return edge->ledger != NULL ? priv_ledger_epsilon(edge->ledger) : NAN;
}

uint64_t fed_edge_refused(const struct fed_edge *edge)
{
    return fed_refused_total(&edge->refusals);
}
