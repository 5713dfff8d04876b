/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/edge_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FED_PREFIX       "atalaya/v1/fl/"
#define PRIVATE_ROWS_MIN 256 /* fewer rows drown in the noise */

static void send_message(void *ctx, const char *tail, const uint8_t *payload, size_t bytes,
                         bool retain)
{
    struct edge *e = ctx;
    char topic[BUS_TOPIC_BYTES];
    snprintf(topic, sizeof(topic), FED_PREFIX "%s/%s", e->cfg->federation.name, tail);
    int r = bus_client_publish(e->node.bus, topic, payload, bytes, 1, retain);
    if (r < 0)
        log_line(LOG_WARNING, "federation: cannot queue %s: %s", topic, strerror(-r));
}

static void on_log(void *ctx, const char *line)
{
    (void)ctx;
    log_line(LOG_INFO, "federation: %s", line);
}

static bool on_ready(void *ctx, const struct fed_plan *plan)
{
    const struct edge *e = ctx;
    struct detector_stats stats;
    (void)plan;
    detector_stats(e->detector, &stats);
    return e->learned[VIEW_FLOW] && stats.offered[VIEW_FLOW] >= PRIVATE_ROWS_MIN;
}

static int on_train(void *ctx, const struct fed_plan *plan, const float *params, uint32_t n)
{
    struct edge *e = ctx;
    return trainer_private(e->trainer, plan, params, n);
}

static int on_promote(void *ctx, uint64_t round, const uint8_t hash[32], const float *params,
                      uint32_t n)
{
    struct edge *e = ctx;
    struct detector_stats stats;
    char name[sizeof(e->model_names[VIEW_FLOW])], short_hash[9];
    atl_hex(short_hash, hash, 4);
    snprintf(name, sizeof(name), "round %" PRIu64 "/%s", round, short_hash);
    if (strcmp(name, e->model_names[VIEW_FLOW]) == 0)
        return 0; /* tuned and saved before a restart */
    /* it is tuned to local rows: of these there must be as many as for a model of our own */
    detector_stats(e->detector, &stats);
    if (!e->learned[VIEW_FLOW] || stats.offered[VIEW_FLOW] < e->cfg->learning.flow_rows)
        return -EAGAIN;
    return trainer_adopt(e->trainer, round, name, params, n) < 0 ? -EAGAIN : 0;
}

/* What this site alone has seen is in the reservoir: a fresh model of our own comes from there. */
static void on_expire(void *ctx, uint64_t round)
{
    struct edge *e = ctx;
    (void)round;
    if (trainer_learn(e->trainer, VIEW_FLOW) < 0)
        log_line(LOG_WARNING, "federation: the expired model stays until the trainer is free");
}

static void on_message(void *ctx, const struct bus_message *message)
{
    struct edge *e = ctx;
    size_t skip = strlen(FED_PREFIX) + strlen(e->cfg->federation.name) + 1;
    fed_edge_receive(e->fed, message->topic + skip, message->payload, message->bytes,
                     atl_clock_wall_ns());
}

static int subscribe(struct edge *e, const char *tail)
{
    char filter[BUS_TOPIC_BYTES];
    snprintf(filter, sizeof(filter), FED_PREFIX "%s/%s", e->cfg->federation.name, tail);
    return bus_client_subscribe(e->node.bus, filter, 1, on_message, e);
}

static int subscribe_all(struct edge *e)
{
    char ack[80];
    snprintf(ack, sizeof(ack), "ack/%s", e->cfg->node);
    const char *const tails[] = {"model", "plan", ack};
    for (size_t i = 0; i < ATL_ARRAY_LEN(tails); i++) {
        int r = subscribe(e, tails[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A ledger that cannot be trusted must not stop the detector: the edge then only does not
 * contribute. */
static void open_ledger(struct edge *e)
{
    char dir[CONFIG_PATH_BYTES + 16];
    struct atl_error err;
    snprintf(dir, sizeof(dir), "%s/ledger", e->cfg->state_dir);
    const struct priv_ledger_config cfg = {
        .dir = dir,
        .owner = e->cfg->node,
        .unit = config_unit(e->cfg),
        .budget_epsilon = e->cfg->federation.budget_epsilon,
        .delta = e->cfg->federation.delta,
        .accountant = PRIV_RDP,
    };
    if (priv_ledger_open(&e->ledger, &cfg, &err) < 0)
        log_line(LOG_ERROR, "privacy: %s; detecting goes on, contributing does not", err.text);
}

/* The usual reason is a new state folder: the hub would refuse every update, and only it knows. */
static void check_own_key(const struct edge *e, const char *key_dir)
{
    const uint8_t *listed = fed_roster_key(e->roster, e->identity.name);
    if (listed != NULL && memcmp(listed, e->identity.public_key, 32) != 0)
        log_line(LOG_WARNING,
                 "federation: %s/%s.pub is not the key of this node: replace it by %s/%s.pub, here "
                 "and on the hub, or our updates are refused",
                 e->cfg->federation.keys, e->identity.name, key_dir, e->identity.name);
}

int edge_federation_open(struct edge *e, struct atl_error *err)
{
    const struct config *cfg = e->cfg;
    char key_dir[CONFIG_PATH_BYTES + 16], fed_dir[CONFIG_PATH_BYTES + 16];
    struct learn_shape shape;
    if (cfg->federation.name[0] == '\0')
        return 0;
    snprintf(key_dir, sizeof(key_dir), "%s/keys", cfg->state_dir);
    snprintf(fed_dir, sizeof(fed_dir), "%s/federation", cfg->state_dir);
    recipe_shape(VIEW_FLOW, &shape);
    int r = fed_identity_open(&e->identity, key_dir, cfg->node, err);
    if (r == 0)
        r = fed_roster_load(&e->roster, cfg->federation.keys, err);
    if (r < 0)
        return r;
    check_own_key(e, key_dir);
    open_ledger(e);
    const struct fed_edge_config fed = {
        .federation = cfg->federation.name,
        .hub = cfg->federation.hub,
        .standby = cfg->federation.standby[0] != '\0' ? cfg->federation.standby : NULL,
        .shape = &shape,
        .section = "flow",
        .unit = config_unit(cfg),
        .state_dir = fed_dir,
    };
    const struct fed_edge_ops ops = {.send = send_message,
                                     .log = on_log,
                                     .ready = on_ready,
                                     .train = on_train,
                                     .promote = on_promote,
                                     .expire = on_expire,
                                     .ctx = e};
    r = fed_edge_create(&e->fed, &fed, &e->identity, e->roster, e->ledger, &ops, err);
    if (r < 0)
        return r;
    r = subscribe_all(e);
    return r < 0 ? atl_error_set(err, r, "cannot subscribe to the federation") : 0;
}

void edge_federation_close(struct edge *e)
{
    fed_edge_destroy(e->fed);
    priv_ledger_close(e->ledger);
    fed_roster_destroy(e->roster);
}

void edge_federation_trained(struct edge *e, const struct trainer_result *result)
{
    if (e->fed == NULL)
        return;
    if (result->status < 0)
        fed_edge_fail(e->fed, result->text);
    else
        fed_edge_submit(e->fed, result->delta, result->n, result->rows, atl_clock_wall_ns());
}

const char *edge_federation_state(const struct edge *e)
{
    return e->fed == NULL ? "off" : fed_edge_state_name(fed_edge_state(e->fed));
}
