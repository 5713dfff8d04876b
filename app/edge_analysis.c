/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"
#include "app/edge_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IDLE_NS   (2 * ATL_NS_PER_MS)
#define DRAIN_MAX 4096 /* records between two looks at the clock */

/* --- alerts on their way out --- */

static struct open_alert *find_open(struct edge *e, const char *id)
{
    for (uint32_t i = 0; i < e->n_open; i++) {
        if (strcmp(e->open[i].id, id) == 0)
            return &e->open[i];
    }
    return NULL;
}

static void keep_open(struct edge *e, const char *id, const char *json)
{
    pthread_mutex_lock(&e->open_lock);
    struct open_alert *slot = find_open(e, id);
    if (slot == NULL && e->n_open < e->alert_cfg.open_max) {
        slot = &e->open[e->n_open++];
        slot->json = NULL;
        atl_copy(slot->id, sizeof(slot->id), id);
    }
    if (slot != NULL) {
        free(slot->json);
        slot->json = strdup(json);
    }
    pthread_mutex_unlock(&e->open_lock);
}

static void forget_open(struct edge *e, const char *id)
{
    pthread_mutex_lock(&e->open_lock);
    struct open_alert *slot = find_open(e, id);
    if (slot != NULL) {
        free(slot->json);
        *slot = e->open[--e->n_open];
    }
    pthread_mutex_unlock(&e->open_lock);
}

static void publish_alert(struct edge *e, const char *id, const char *json)
{
    char topic[BUS_TOPIC_BYTES];
    if (e->node.bus == NULL)
        return;
    snprintf(topic, sizeof(topic), "%s/alert/%s", e->node.prefix, id);
    bus_client_publish(e->node.bus, topic, json, strlen(json), 1, true);
}

static void on_alert(void *ctx, enum alert_change change, const struct alert_incident *incident)
{
    struct edge *e = ctx;
    char line[1024], topic[BUS_TOPIC_BYTES];
    alert_format_line(change, incident, line, sizeof(line));
    log_line(change == ALERT_CLEAR ? LOG_INFO : LOG_WARNING, "alert %s: %s",
             alert_change_name(change), line);
    if (change == ALERT_RAISE)
        edge_evidence_wish(e, incident);
    char *json = alert_format_json(&e->alert_cfg, change, incident);
    if (json == NULL)
        return;
    if (change == ALERT_CLEAR) {
        forget_open(e, incident->id);
        publish_alert(e, incident->id, "");
    } else {
        keep_open(e, incident->id, json);
        publish_alert(e, incident->id, json);
    }
    if (e->node.bus != NULL) {
        snprintf(topic, sizeof(topic), "%s/event", e->node.prefix);
        bus_client_publish(e->node.bus, topic, json, strlen(json), 1, false);
    }
    free(json);
}

static void on_signal(void *ctx, const struct alert_signal *signal)
{
    struct edge *e = ctx;
    alert_book_raise(e->book, signal);
}

void edge_alerts_republish(struct edge *e)
{
    pthread_mutex_lock(&e->open_lock);
    for (uint32_t i = 0; i < e->n_open; i++)
        publish_alert(e, e->open[i].id, e->open[i].json != NULL ? e->open[i].json : "");
    pthread_mutex_unlock(&e->open_lock);
}

/* A crash leaves its alerts retained; nobody else will ever clear them. */
static void on_retained_alert(void *ctx, const struct bus_message *message)
{
    struct edge *e = ctx;
    const char *id = strrchr(message->topic, '/');
    if (!message->retained || message->bytes == 0 || id == NULL)
        return;
    pthread_mutex_lock(&e->open_lock);
    bool ours = find_open(e, id + 1) != NULL;
    pthread_mutex_unlock(&e->open_lock);
    if (!ours)
        bus_client_publish(e->node.bus, message->topic, "", 0, 1, true);
}

int edge_alerts_subscribe(struct edge *e)
{
    char filter[BUS_TOPIC_BYTES];
    if (e->node.bus == NULL)
        return 0;
    snprintf(filter, sizeof(filter), "%s/alert/+", e->node.prefix);
    return bus_client_subscribe(e->node.bus, filter, 1, on_retained_alert, e);
}

/* --- the thread --- */

static uint32_t drain(struct edge *e, uint32_t worker)
{
    struct atl_ring *ring = dp_engine_ring(e->engine, worker);
    const void *elems;
    uint32_t done = 0;
    while (done < DRAIN_MAX) {
        uint32_t n = atl_ring_peek(ring, &elems);
        if (n == 0)
            break;
        const struct dp_flow *flows = elems;
        for (uint32_t i = 0; i < n; i++) {
            const float *raw = detector_add(e->detector, &flows[i]);
            edge_export_flow(e, &flows[i], raw);
        }
        atl_ring_release(ring, n);
        done += n;
    }
    return done;
}

static void drain_reports(struct edge *e, uint32_t worker)
{
    struct atl_ring *ring = dp_engine_reports(e->engine, worker);
    const void *elems;
    uint32_t n = atl_ring_peek(ring, &elems);
    const struct dp_report *reports = elems;
    for (uint32_t i = 0; i < n; i++)
        detector_report(e->detector, &reports[i]);
    atl_ring_release(ring, n);
}

static uint32_t drain_all(struct edge *e)
{
    uint32_t done = 0;
    for (uint32_t w = 0; w < dp_engine_workers(e->engine); w++) {
        done += drain(e, w);
        drain_reports(e, w);
    }
    return done;
}

static void step(struct edge *e, bool flush)
{
    atl_ns now_ns = dp_engine_now_ns(e->engine);
    edge_link_take(e);
    detector_step(e->detector, now_ns, flush);
    edge_account_raise(e);
    alert_book_step(e->book, now_ns);
    edge_export_step(e);
    atomic_store(&e->alerts_open, alert_book_open(e->book));
    atomic_store(&e->alerts_suppressed, alert_book_suppressed(e->book));
    atl_counter_add(&e->analysis_beat, 1);
}

static void *analysis_main(void *arg)
{
    struct edge *e = arg;
    while (!atomic_load(&e->analysis_stop)) {
        uint32_t done = drain_all(e);
        step(e, false);
        if (done == 0)
            nanosleep(&(struct timespec){0, IDLE_NS}, NULL);
    }
    drain_all(e);
    step(e, true);
    return NULL;
}

static int make_parts(struct edge *e)
{
    const struct config *cfg = e->cfg;
    const struct detector_config detector = {
        .hosts = {.hosts_max = (uint32_t)cfg->hosts.max,
                  .window_ns = cfg->hosts.window,
                  .step_ns = cfg->hosts.step},
        .context = {.entries_max = (uint32_t)cfg->context.max},
        .min_flows = (uint32_t)cfg->alerts.min_flows,
        .reservoir_rows = (uint32_t)cfg->learning.reservoir,
        .seed = cfg->learning.seed,
        .learn_delay_ns = cfg->learning.delay,
        .learn_hourly = cfg->learning.per_source,
        .fair_sample = cfg->federation.name[0] != '\0',
        .false_hourly = cfg->alerts.false_rate,
        .in_iface = cfg->capture.device,
    };
    const struct detector_ops ops = {.signal = on_signal, .link = edge_link_row, .ctx = e};
    alert_config_default(&e->alert_cfg);
    e->alert_cfg.open_max = (uint32_t)cfg->alerts.open_max;
    e->alert_cfg.cooldown_ns = cfg->alerts.cooldown;
    e->alert_cfg.clear_after_ns = cfg->alerts.clear_after;
    e->alert_cfg.site = cfg->site;
    e->alert_cfg.node = cfg->node;
    e->open = calloc(e->alert_cfg.open_max, sizeof(*e->open));
    if (e->open == NULL)
        return -ENOMEM;
    int r = alert_book_create(&e->book, &e->alert_cfg, on_alert, e);
    return r < 0 ? r : detector_create(&e->detector, &detector, &ops);
}

int edge_analysis_start(struct edge *e, struct atl_error *err)
{
    pthread_mutex_init(&e->open_lock, NULL);
    pthread_mutex_init(&e->link_lock, NULL);
    int r = make_parts(e);
    if (r < 0)
        return atl_error_set(err, r, "cannot set up the analysis: %s", strerror(-r));
    r = factory_reference(e->detector, err);
    if (r < 0)
        return r;
    for (enum view v = 0; v < VIEW_COUNT; v++) {
        struct learn_model *model;
        r = learn_model_copy(&model, e->start.models[v]);
        if (r < 0)
            return atl_error_set(err, r, "out of memory");
        detector_post_model(e->detector, v, model);
    }
    r = edge_link_open(e, on_signal, err);
    if (r == 0)
        r = edge_export_open(e, err);
    if (r < 0)
        return r;
    r = -pthread_create(&e->analysis, NULL, analysis_main, e);
    if (r < 0)
        return atl_error_set(err, r, "cannot start the analysis: %s", strerror(-r));
    e->analysis_runs = true;
    return 0;
}

void edge_analysis_stop(struct edge *e)
{
    if (e->analysis_runs) {
        atomic_store(&e->analysis_stop, true);
        pthread_join(e->analysis, NULL);
    }
    edge_export_close(e);
    alert_book_destroy(e->book);
    for (uint32_t i = 0; i < e->n_open; i++)
        free(e->open[i].json);
    free(e->open);
    pthread_mutex_destroy(&e->open_lock);
    pthread_mutex_destroy(&e->link_lock);
}
