/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edge: worker threads → rings → analysis thread → alerts, a trainer thread, and the control
 * thread that owns everything else. Each member says which thread may touch it.
 */
#ifndef EDGE_PRIV_H
#define EDGE_PRIV_H

#include "app/detector_priv.h"
#include "app/node_priv.h"
#include "app/trainer_priv.h"

#include <pthread.h>

struct open_alert {
    char id[ALERT_ID_BYTES];
    char *json;
};

struct edge {
    /* control */
    const struct config *cfg;
    struct node node;
    struct model_set start; /* models before any learning here */
    struct trainer *trainer;
    struct fed_identity identity;
    struct fed_roster *roster;
    struct priv_ledger *ledger;
    struct fed_edge *fed; /* NULL without a federation */
    char model_path[CONFIG_PATH_BYTES + 32];
    char model_names[VIEW_COUNT][32];
    bool learned[VIEW_COUNT], learning[VIEW_COUNT];
    bool ended, mismatch; /* already said */
    atl_ns metrics_due_ns, metrics_last_ns;
    struct dp_counters counters_last;

    /* any */
    struct dp_engine *engine;
    struct detector *detector;
    _Atomic bool analysis_stop;
    atl_counter analysis_beat;
    _Atomic uint32_t alerts_open;
    _Atomic uint64_t alerts_suppressed;

    /* analysis, while its thread runs */
    pthread_t analysis;
    bool analysis_runs;
    struct alert_config alert_cfg;
    struct alert_book *book;

    /* under open_lock: what must stand on the broker */
    pthread_mutex_t open_lock;
    struct open_alert *open;
    uint32_t n_open;
};

/* edge_analysis.c */
int edge_analysis_start(struct edge *edge, struct atl_error *err);
/** Lets the analysis finish what lies in the rings. */
void edge_analysis_stop(struct edge *edge);
/** A new connection: publish every open alert again, and clear those of an earlier life. */
void edge_alerts_republish(struct edge *edge);
int edge_alerts_subscribe(struct edge *edge);

/* edge_federation.c */
int edge_federation_open(struct edge *edge, struct atl_error *err);
void edge_federation_close(struct edge *edge);
void edge_federation_trained(struct edge *edge, const struct trainer_result *result);
const char *edge_federation_state(const struct edge *edge);

/* edge_metrics.c */
void edge_metrics_publish(struct edge *edge);

#endif
