/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/edge_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: atalaya edge -c FILE\n\n"
    "Watch this router: capture packets, learn what is normal here, raise alerts, take part in a\n"
    "federation. With neither broker nor hub it is a complete detector by itself: alerts are "
    "logged.\n"
    "SIGTERM ends it cleanly; SIGHUP validates FILE and, when it is good, starts again with it.\n"
    "atalaya status, stats, evidence and reload talk to it through a socket in its state_dir.\n\n"
    "  -c, --config FILE  configuration (see configs/edge.yaml; atalaya check --keys lists all "
    "keys)\n"
    "  -v, --verbose      also log details\n"
    "  -h, --help         this text\n\n"
    "Example: atalaya edge -c /etc/atalaya/edge.yaml\n";

#define LEARN_RETRY_NS (60 * ATL_NS_PER_S)

/* --- life --- */

static int load_models(struct edge *e, struct atl_error *err)
{
    snprintf(e->model_path, sizeof(e->model_path), "%s/model.safetensors", e->cfg->state_dir);
    int r = model_set_load(e->model_path, &e->start, err);
    if (r == -ENOENT) {
        r = model_set_factory(&e->start, err);
    } else if (r < 0) {
        log_line(LOG_WARNING, "model: %s; the factory model takes its place", err->text);
        r = model_set_factory(&e->start, err);
    }
    for (enum view v = 0; v < VIEW_COUNT && r == 0; v++) {
        atl_copy(e->model_names[v], sizeof(e->model_names[v]),
                 learn_model_origin(e->start.models[v]));
        e->learned[v] = strcmp(e->model_names[v], RECIPE_FACTORY) != 0;
    }
    return r;
}

static void on_connect(void *ctx)
{
    edge_alerts_republish(ctx);
}

static void add_info(struct edge *e)
{
    json_t *schemas = json_object();
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        uint8_t hash[FEAT_HASH_BYTES];
        char hex[17];
        feat_schema_hash(view_schema(v), hash);
        atl_hex(hex, hash, 8);
        json_object_set_new(schemas, view_name(v), json_string(hex));
    }
    json_object_set_new(e->node.info, "schemas", schemas);
    json_object_set_new(e->node.info, "capture", json_string(dp_engine_describe(e->engine)));
}

static void on_trainer(void *ctx);

static int start_edge(struct edge *e, struct atl_error *err)
{
    int r = load_models(e, err);
    if (r == 0)
        r = edge_control_open(e, err);
    if (r == 0)
        r = edge_capture_open(e, err);
    if (r == 0)
        r = edge_evidence_open(e, err);
    if (r < 0)
        return r;
    add_info(e);
    edge_adapt_open(e);
    r = node_bus_open(&e->node, on_connect, e, err);
    if (r == 0)
        r = edge_analysis_start(e, err);
    if (r == 0)
        r = trainer_create(&e->trainer, e->detector, &e->start, e->model_path,
                           e->cfg->learning.seed, err);
    if (r == 0)
        r = node_watch(&e->node, trainer_fd(e->trainer), on_trainer, e, err);
    if (r == 0)
        r = edge_federation_open(e, err);
    if (r == 0 && edge_alerts_subscribe(e) < 0)
        r = atl_error_set(err, -EIO, "cannot subscribe to the own alerts");
    return r < 0 ? r : dp_engine_start(e->engine, err);
}

static void finish_edge(struct edge *e)
{
    if (e->engine != NULL && e->analysis_runs)
        dp_engine_stop(e->engine);
    edge_analysis_stop(e);
    edge_link_close(e);
    trainer_destroy(e->trainer);
    edge_federation_close(e);
    control_close(e->control);
    edge_evidence_close(e);
    node_finish(&e->node);
    detector_destroy(e->detector);
    dp_engine_destroy(e->engine);
    model_set_finish(&e->start);
}

/* --- every turn --- */

static void on_trainer(void *ctx)
{
    struct edge *e = ctx;
    struct trainer_result result;
    while (trainer_take(e->trainer, &result)) {
        log_line(result.status < 0 ? LOG_WARNING : LOG_INFO, "%s", result.text);
        if (result.unsaved[0] != '\0')
            log_line(LOG_WARNING, "model: %s; it is in use, but a restart would lose it",
                     result.unsaved);
        if (result.job == TRAINER_PRIVATE)
            edge_federation_trained(e, &result);
        edge_adapt_done(e, &result);
        if (result.job == TRAINER_LEARN_FLOW || result.job == TRAINER_LEARN_HOST)
            e->learn_after_ns[result.job == TRAINER_LEARN_FLOW ? VIEW_FLOW : VIEW_HOST] =
                atl_clock_mono_ns() + LEARN_RETRY_NS;
        free(result.delta);
    }
}

static atl_ns longest_timeout(const struct config *cfg)
{
    atl_ns longest = cfg->flows.idle > cfg->flows.udp ? cfg->flows.idle : cfg->flows.udp;
    return longest > cfg->flows.active ? longest : cfg->flows.active;
}

static void learn_when_ready(struct edge *e)
{
    const uint64_t needed[VIEW_COUNT] = {e->cfg->learning.flow_rows, e->cfg->learning.host_rows};
    struct detector_stats stats;
    detector_stats(e->detector, &stats);
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        atl_ns settle_ns = recipe_settle_ns(v, longest_timeout(e->cfg), e->cfg->hosts.window);
        if (e->learned[v] || e->learning[v] || stats.offered[v] < needed[v] ||
            stats.watched_ns < settle_ns || atl_clock_mono_ns() < e->learn_after_ns[v])
            continue;
        e->learning[v] = trainer_learn(e->trainer, v) == 0;
    }
}

static void turn(struct edge *e)
{
    atl_ns now_ns = atl_clock_mono_ns();
    learn_when_ready(e);
    edge_adapt_step(e, now_ns);
    edge_capture_look(e);
    edge_account_check(e, now_ns);
    edge_link_store(e);
    control_step(e->control, now_ns);
    if (e->fed != NULL)
        fed_edge_step(e->fed, atl_clock_wall_ns());
    if (now_ns < e->metrics_due_ns)
        return;
    e->metrics_due_ns = now_ns + e->cfg->broker.metrics_every;
    edge_metrics_publish(e);
}

static enum node_wish run_edge(const struct config *cfg, const char *path, int *ret_code)
{
    struct atl_error err = {""};
    struct edge *e = calloc(1, sizeof(*e));
    enum node_wish wish = NODE_STOP;
    *ret_code = EXIT_FAILED;
    if (e == NULL)
        return NODE_STOP;
    e->cfg = cfg;
    e->evidence_fd = -1;
    int r = node_init(&e->node, cfg, path, &err);
    if (r == 0)
        r = start_edge(e, &err);
    if (r < 0) {
        fprintf(stderr, "atalaya edge: %s\n", err.text);
    } else {
        log_line(LOG_INFO, "edge %s/%s watches %s", cfg->site, cfg->node,
                 dp_engine_describe(e->engine));
        while ((wish = node_turn(&e->node)) == NODE_RUN)
            turn(e);
        *ret_code = EXIT_OK;
    }
    finish_edge(e);
    free(e);
    return wish;
}

int verb_edge(int argc, char **argv)
{
    return node_verb("edge", help, CONFIG_EDGE, argc, argv, run_edge);
}
