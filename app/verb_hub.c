/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/canary_priv.h"
#include "app/node_priv.h"
#include "app/recipe_priv.h"
#include "fedsync/fedsync.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: atalaya hub -c FILE\n\n"
    "Coordinate a federation: plan rounds, gather the edges' private updates, commit models. The "
    "hub\n"
    "never sees traffic. SIGTERM ends it cleanly; started again it goes on where it stopped.\n\n"
    "  -c, --config FILE  configuration (see configs/hub.yaml; atalaya check --keys lists all "
    "keys)\n"
    "  -v, --verbose      also log details\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya hub -c /etc/atalaya/hub.yaml\n";

#define FED_PREFIX "atalaya/v1/fl/"

struct hub {
    const struct config *cfg;
    struct node node;
    struct model_set models;
    struct fed_identity identity;
    struct fed_roster *roster;
    struct fed_hub *fed;
    struct canary *canary;       /* NULL without one */
    struct fed_round_info *last; /* for metrics; NULL before the first round */
    bool finished;               /* already said */
    bool hears_updates;
    atl_ns metrics_due_ns;
};

/* --- what the round protocol asks for --- */

static void publish_federation(struct hub *h, const char *tail, const void *payload, size_t bytes,
                               int qos, bool retain)
{
    char topic[BUS_TOPIC_BYTES];
    snprintf(topic, sizeof(topic), FED_PREFIX "%s/%s", h->cfg->federation.name, tail);
    int r = bus_client_publish(h->node.bus, topic, payload, bytes, qos, retain);
    if (r < 0)
        log_line(LOG_WARNING, "federation: cannot queue %s: %s", topic, strerror(-r));
}

static void on_send(void *ctx, const char *tail, const uint8_t *payload, size_t bytes, bool retain)
{
    /* A lease that waited for the broker would be an old one. */
    publish_federation(ctx, tail, payload, bytes, strcmp(tail, "lease") != 0, retain);
}

static void on_log(void *ctx, const char *line)
{
    (void)ctx;
    log_line(LOG_INFO, "federation: %s", line);
}

static json_t *round_json(const struct hub *h, const struct fed_round_info *info)
{
    char model[17];
    json_t *names = json_array();
    for (uint32_t i = 0; i < info->participants; i++)
        json_array_append_new(names, json_string(info->names[i]));
    atl_hex(model, info->model_hash, 8);
    return json_pack("{s:i, s:o, s:s, s:I, s:I, s:s, s:o, s:I, s:o, s:f, s:I, s:o, s:I, s:o, s:s}",
                     "schema", 1, "ts", node_now(), "federation", h->cfg->federation.name, "epoch",
                     (json_int_t)info->epoch, "round", (json_int_t)info->round, "state",
                     fed_round_state_name(info->state), "participants", names, "quorum",
                     (json_int_t)info->quorum, "epsilon", node_number(info->epsilon), "delta",
                     info->delta, "bytes", (json_int_t)info->bytes, "update_norm",
                     node_number(info->update_norm), "spoiled", (json_int_t)info->spoiled,
                     "canary_loss", node_number(info->canary_loss), "model", model);
}

static void on_round(void *ctx, const struct fed_round_info *info)
{
    struct hub *h = ctx;
    log_line(LOG_INFO, "round %" PRIu64 " %s: %u of %u wanted updates, epsilon %.3f at delta %g",
             info->round, fed_round_state_name(info->state), info->participants, info->quorum,
             info->epsilon, info->delta);
    if (h->last == NULL)
        h->last = malloc(sizeof(*h->last));
    if (h->last != NULL)
        *h->last = *info;
    json_t *doc = round_json(h, info);
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(doc);
    if (text != NULL)
        publish_federation(h, "round", text, strlen(text), 1, true);
    free(text);
}

static double on_judge(void *ctx, const float *params, uint32_t n)
{
    const struct hub *h = ctx;
    return canary_judge(h->canary, params, n);
}

/* --- what the bus brings --- */

static void on_message(void *ctx, const struct bus_message *message)
{
    struct hub *h = ctx;
    size_t skip = strlen(FED_PREFIX) + strlen(h->cfg->federation.name) + 1;
    fed_hub_receive(h->fed, message->topic + skip, message->payload, message->bytes,
                    atl_clock_wall_ns());
}

/* atalaya/v1/<site>/<node>/state */
static void on_state(void *ctx, const struct bus_message *message)
{
    struct hub *h = ctx;
    char topic[BUS_TOPIC_BYTES];
    atl_copy(topic, sizeof(topic), message->topic);
    char *end = strrchr(topic, '/');
    if (end == NULL)
        return;
    *end = '\0';
    char *node = strrchr(topic, '/');
    json_t *doc = json_loadb((const char *)message->payload, message->bytes, 0, NULL);
    const char *state = json_string_value(json_object_get(doc, "state"));
    if (node != NULL)
        fed_hub_presence(h->fed, node + 1,
                         state != NULL &&
                             (strcmp(state, "online") == 0 || strcmp(state, "degraded") == 0));
    json_decref(doc);
}

static int hear(struct hub *h, const char *tail)
{
    char filter[BUS_TOPIC_BYTES];
    snprintf(filter, sizeof(filter), FED_PREFIX "%s/%s", h->cfg->federation.name, tail);
    return bus_client_subscribe(h->node.bus, filter, 1, on_message, h);
}

/* Updates are most of the traffic, and nothing to a hub that has not led. */
static void hear_updates(struct hub *h)
{
    if (!h->hears_updates && fed_hub_role(h->fed) == FED_HUB_LEADING)
        h->hears_updates = hear(h, "up/+") == 0;
}

static int subscribe(struct hub *h, struct atl_error *err)
{
    static const char *const tails[] = {"lease", "model", "plan"}; /* of the peer, too */
    size_t n = h->cfg->federation.standby[0] != '\0' ? ATL_ARRAY_LEN(tails) : 0;
    int r = 0;
    hear_updates(h); /* without a peer now: what the broker kept for us comes with the connection */
    for (size_t i = 0; i < n && r == 0; i++)
        r = hear(h, tails[i]);
    if (r == 0)
        r = bus_client_subscribe(h->node.bus, "atalaya/v1/+/+/state", 1, on_state, h);
    return r < 0 ? atl_error_set(err, r, "cannot subscribe to the federation") : 0;
}

/* --- life --- */

static void fill_peer(const struct config *cfg, struct fed_hub_config *fed)
{
    if (cfg->federation.standby[0] == '\0')
        return;
    fed->second = strcmp(cfg->node, cfg->federation.standby) == 0;
    fed->peer = fed->second ? cfg->federation.hub : cfg->federation.standby;
    fed->lease_ns = cfg->federation.lease;
}

static int start_hub(struct hub *h, struct atl_error *err)
{
    const struct config *cfg = h->cfg;
    char key_dir[CONFIG_PATH_BYTES + 16], fed_dir[CONFIG_PATH_BYTES + 16];
    struct fed_hub_config fed;
    snprintf(key_dir, sizeof(key_dir), "%s/keys", cfg->state_dir);
    snprintf(fed_dir, sizeof(fed_dir), "%s/federation", cfg->state_dir);
    config_hub(cfg, fed_dir, &fed);
    fill_peer(cfg, &fed);
    int r = model_set_factory(&h->models, err);
    if (r == 0)
        r = fed_identity_open(&h->identity, key_dir, cfg->node, err);
    if (r == 0)
        r = fed_roster_load(&h->roster, cfg->federation.keys, err);
    if (r == 0 && cfg->federation.canary[0] != '\0')
        r = canary_open(&h->canary, cfg->federation.canary, err);
    if (r == 0)
        r = node_bus_open(&h->node, NULL, NULL, err);
    if (r < 0)
        return r;
    const struct fed_hub_ops ops = {.send = on_send,
                                    .log = on_log,
                                    .round = on_round,
                                    .judge = h->canary != NULL ? on_judge : NULL,
                                    .ctx = h};
    r = fed_hub_create(&h->fed, &fed, h->models.models[VIEW_FLOW], &h->identity, h->roster, &ops,
                       err);
    return r < 0 ? r : subscribe(h, err);
}

static void finish_hub(struct hub *h)
{
    fed_hub_destroy(h->fed);
    canary_close(h->canary);
    node_finish(&h->node);
    fed_roster_destroy(h->roster);
    model_set_finish(&h->models);
    free(h->last);
}

static const char *federation_state(const struct hub *h)
{
    if (fed_hub_role(h->fed) != FED_HUB_LEADING)
        return "standby";
    if (h->finished)
        return "done";
    return h->last != NULL && h->last->state == FED_ROUND_OPEN ? "training" : "idle";
}

static void publish_metrics(struct hub *h)
{
    json_t *doc = json_pack("{s:i, s:o, s:{s:s, s:I, s:o, s:f, s:I}}", "schema", 1, "ts",
                            node_now(), "federation", "state", federation_state(h), "round",
                            (json_int_t)fed_hub_round(h->fed), "epsilon",
                            node_number(fed_hub_spent(h->fed)), "delta", h->cfg->federation.delta,
                            "quarantined", (json_int_t)fed_hub_quarantined(h->fed));
    node_publish(&h->node, "metrics", doc, 0, false);
}

static void turn(struct hub *h)
{
    atl_ns now_ns = atl_clock_mono_ns();
    fed_hub_connected(h->fed, h->node.connected);
    hear_updates(h);
    fed_hub_step(h->fed, atl_clock_wall_ns());
    if (fed_hub_finished(h->fed) && !h->finished) {
        h->finished = true;
        log_line(LOG_INFO, "all %" PRIu64 " rounds are committed", h->cfg->federation.rounds);
    }
    if (now_ns < h->metrics_due_ns)
        return;
    h->metrics_due_ns = now_ns + h->cfg->broker.metrics_every;
    publish_metrics(h);
}

static enum node_wish run_hub(const struct config *cfg, const char *path, int *ret_code)
{
    struct atl_error err = {""};
    struct hub *h = calloc(1, sizeof(*h));
    enum node_wish wish = NODE_STOP;
    *ret_code = EXIT_FAILED;
    if (h == NULL)
        return NODE_STOP;
    h->cfg = cfg;
    int r = node_init(&h->node, cfg, path, &err);
    if (r == 0)
        r = start_hub(h, &err);
    if (r < 0) {
        fprintf(stderr, "atalaya hub: %s\n", err.text);
    } else {
        log_line(LOG_INFO, "hub %s/%s coordinates federation %s, %u nodes in the roster", cfg->site,
                 cfg->node, cfg->federation.name, fed_roster_count(h->roster));
        while ((wish = node_turn(&h->node)) == NODE_RUN)
            turn(h);
        *ret_code = EXIT_OK;
    }
    finish_hub(h);
    free(h);
    return wish;
}

int verb_hub(int argc, char **argv)
{
    return node_verb("hub", help, CONFIG_HUB, argc, argv, run_hub);
}
