/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edge: worker threads → rings → analysis thread → alerts, a trainer thread, and the control
 * thread that owns everything else. Each member says which thread may touch it.
 */
#ifndef EDGE_PRIV_H
#define EDGE_PRIV_H

#include "app/control_socket_priv.h"
#include "app/detector_priv.h"
#include "app/exporter_priv.h"
#include "app/link_watch_priv.h"
#include "app/node_priv.h"
#include "app/trainer_priv.h"

#include <pthread.h>

struct link_state {
    uint8_t *data;
    size_t bytes;
};

struct open_alert {
    char id[ALERT_ID_BYTES];
    char *json;
};

#define EVIDENCE_WISHES_MAX 16

/** An alert whose packets are to be written. */
struct evidence_wish {
    char entity[DP_ADDR_TEXT_BYTES];
    char id[ALERT_ID_BYTES];
};

/** How the model of a view keeps up with the site. */
struct edge_adaptation {
    atl_ns since_ns; /* wall time: it has worked since then */
    atl_ns due_ns;   /* when the next one is learned in the shadow */
    uint64_t drifts; /* seen and seen to */
    bool drifted;    /* and no model was promoted since */
    uint64_t promotions, kept_out, roll_backs;
    char last[200]; /* the last decision, a line */
    /* after a promotion, until then: the share of odd rows before, and the counters at its time */
    atl_ns watch_until_ns;
    double share_before;
    uint64_t scored, odd;
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
    struct edge_adaptation adaptation[VIEW_COUNT];
    atl_ns learn_after_ns[VIEW_COUNT]; /* after a failure: not again at once */
    bool ended, mismatch;              /* already said */
    const char *degraded[8];           /* why, in the order it came about */
    uint32_t n_degraded;
    atl_ns accounts_due_ns, metrics_due_ns, metrics_last_ns;
    struct dp_counters counters_last;
    double packets_per_s, bits_per_s, flows_per_s; /* between the last two metrics */
    struct control *control;
    int evidence_fd; /* an eventfd: the analysis has left a wish in evidence_wishes; −1: off */

    /* any */
    struct dp_engine *engine;
    struct detector *detector;
    _Atomic bool analysis_stop;
    atl_counter analysis_beat;
    _Atomic uint32_t alerts_open;
    _Atomic uint64_t alerts_suppressed;
    _Atomic int64_t packets_missing; /* a mismatch of the accounts, to be raised */
    _Atomic uint64_t export_records, export_dropped_records, export_dropped_messages;

    /* analysis, while its thread runs */
    pthread_t analysis;
    bool analysis_runs;
    struct alert_config alert_cfg;
    struct alert_book *book;
    struct exporter *exporter; /* NULL = no export */
    atl_ns export_due_ns;
    bool export_failed; /* already said */

    struct link_watch *link_watch; /* NULL: off */
    atl_ns link_save_due_ns;
    bool link_save_failed; /* already said */

    /* from the analysis to the control thread, which writes it */
    struct link_state *_Atomic link_state;

    /* under link_lock: the latest row of the link view of a minute */
    pthread_mutex_t link_lock;
    struct feat_link_row link_row; /* interval_s 0: none yet */

    /* under open_lock: what must stand on the broker */
    pthread_mutex_t open_lock;
    struct open_alert *open;
    uint32_t n_open;
    struct evidence_wish evidence_wishes[EVIDENCE_WISHES_MAX];
    uint32_t n_evidence_wishes;
};

/* edge_analysis.c */
int edge_analysis_start(struct edge *edge, struct atl_error *err);
/** Lets the analysis finish what lies in the rings. */
void edge_analysis_stop(struct edge *edge);
/** A new connection: publish every open alert again, and clear those of an earlier life. */
void edge_alerts_republish(struct edge *edge);
int edge_alerts_subscribe(struct edge *edge);

/* edge_export.c, called by the analysis; an export that fails is said once and counted */
int edge_export_open(struct edge *edge, struct atl_error *err);
void edge_export_flow(struct edge *edge, const struct dp_flow *flow, const float *raw);
void edge_export_step(struct edge *edge);
void edge_export_close(struct edge *edge);

/* edge_link.c */
/** Make the watch, with what an earlier life learned. Before the analysis starts.
 * @param signal  takes the edge */
int edge_link_open(struct edge *edge, link_watch_fn signal, struct atl_error *err);
/** Write what the analysis has left to be kept. Control thread. */
void edge_link_store(struct edge *edge);
/** After the analysis has ended: keep what was learned. */
void edge_link_close(struct edge *edge);
/** Hand the seconds that are complete to the detector. Analysis thread. */
void edge_link_take(struct edge *edge);
/** The detector's `link` op: keep the row for the metrics, show it to the watch. */
void edge_link_row(void *edge, const struct feat_link_row *row);
/** The latest minute as an object, NULL before the first. Any thread. */
json_t *edge_link_json(struct edge *edge);

/* edge_federation.c */
int edge_federation_open(struct edge *edge, struct atl_error *err);
void edge_federation_close(struct edge *edge);
void edge_federation_trained(struct edge *edge, const struct trainer_result *result);
const char *edge_federation_state(const struct edge *edge);

/* edge_adapt.c, control thread */
void edge_adapt_open(struct edge *edge);
/** Every turn: learn anew when it is due, take back what is regretted. */
void edge_adapt_step(struct edge *edge, atl_ns now_ns);
/** The trainer has finished a job. */
void edge_adapt_done(struct edge *edge, const struct trainer_result *result);
json_t *edge_adapt_json(const struct edge *edge);
json_t *edge_adapt_roll_back(struct edge *edge, const json_t *request);

/* edge_capture.c */
/** Falls back to libpcap where the configuration says so. */
int edge_capture_open(struct edge *edge, struct atl_error *err);
/** Tell once that the capture has ended or failed. */
void edge_capture_look(struct edge *edge);
/** From now on the state is degraded. @param why  a constant */
void edge_degrade(struct edge *edge, const char *why);

/* edge_account.c */
/** Once a second: every packet is somewhere, or an alert will say so. Control thread. */
void edge_account_check(struct edge *edge, atl_ns mono_ns);
/** Raise what the check has found. Analysis thread. */
void edge_account_raise(struct edge *edge);

/* edge_control.c */
int edge_control_open(struct edge *edge, struct atl_error *err);

/* edge_evidence.c */
int edge_evidence_open(struct edge *edge, struct atl_error *err);
void edge_evidence_close(struct edge *edge);
/** Have the control thread write the packets behind an alert. Analysis thread. */
void edge_evidence_wish(struct edge *edge, const struct alert_incident *incident);
json_t *edge_evidence_answer(struct edge *edge, const json_t *request);

/* edge_metrics.c */
json_t *edge_metrics_json(struct edge *edge);
void edge_metrics_publish(struct edge *edge);

#endif
