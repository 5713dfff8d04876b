/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The analysis: flow records → rows of features → scores → signals for the alert book, and a memory
 * of normal rows for the trainer. `edge` runs it in its analysis thread, `detect` over a file.
 *
 * Two views. `host` looks at windows of one address in one role; the factory model is trusted there
 * from the first minute and keeps its say beside a model learned here: what a site is used to does
 * not make a scan normal. `flow` looks at single conversations, which differ from site to site: it
 * stays silent until a model was learned here.
 */
#ifndef DETECTOR_PRIV_H
#define DETECTOR_PRIV_H

#include "alerts/alerts.h"
#include "base/base.h"
#include "features/features.h"
#include "learner/learner.h"

#define DETECTOR_LINKS 3 /* intervals of the link view */

enum view { VIEW_FLOW, VIEW_HOST, VIEW_COUNT };

const char *view_name(enum view view); /* "flow", "host": also the section of the model file */
const struct feat_schema *view_schema(enum view view);

struct detector_config {
    struct feat_host_config hosts;
    struct feat_context_config context;
    uint32_t min_flows; /* a host with fewer flows in its window raises nothing */
    uint32_t reservoir_rows;
    uint64_t seed; /* of the memories */
    atl_ns
        learn_delay_ns; /* that rows wait for a late verdict once a local model works, 0 = none */
    uint64_t learn_hourly; /* rows of one source an hour, 0 = no bound */
    bool fair_sample;      /* keep the uniform sample that private training draws from */
    double false_hourly;   /* false alerts an hour that are expected at most, 0 = no bound */
    const char *in_iface;  /* for the alert; valid as long as the detector */
};

/** One thing that was scored, for --scores. */
struct detector_scored {
    enum view view;
    atl_ns first_ns, last_ns;
    const struct dp_flow *flow;       /* VIEW_FLOW */
    const struct feat_host_row *host; /* VIEW_HOST */
    float score, p_value;
};

struct detector_ops {
    void (*signal)(void *ctx, const struct alert_signal *signal);
    void (*scored)(void *ctx, const struct detector_scored *scored); /* or NULL */
    /**
     * Rows of the link view of 1, 10 and 60 s, each kind in order of time; NULL: none are made. In
     * the analysis thread, from detector_link, detector_link_step and a step that flushes.
     */
    feat_link_fn link;
    void *ctx;
};

struct detector;

int detector_create(struct detector **ret_detector, const struct detector_config *cfg,
                    const struct detector_ops *ops);
void detector_destroy(struct detector *detector);

/** Between two files: what comes next is of another site, whose hosts have another past. */
int detector_change_site(struct detector *detector);
/** Analysis thread. @return the raw row of the flow view, until the next call */
const float *detector_add(struct detector *detector, const struct dp_flow *flow);
/** Analysis thread: a second of the link, as dp_engine_link hands it over (a dp_link_fn). */
void detector_link(void *detector, const struct dp_link *second);
/** Analysis thread: what dp_engine_link returned for a live port, so that silence shows, too. */
void detector_link_step(struct detector *detector, uint64_t due_s);
/** Analysis thread: what the dataplane counted before the flow table. */
void detector_report(struct detector *detector, const struct dp_report *report);
/** Analysis thread: score what waits, look at the hosts that are due; `flush` at the end of a file.
 */
void detector_step(struct detector *detector, atl_ns now_ns, bool flush);

/**
 * Any thread: hand over a calibrated model (ownership too). The analysis takes it up at its next
 * step; one not yet taken up is replaced.
 */
void detector_post_model(struct detector *detector, enum view view, struct learn_model *model);

/** Before the first step: the factory's host model, asked beside a learned one (ownership too). */
void detector_set_reference(struct detector *detector, struct learn_model *model);

/** Any thread: copy of the remembered rows, malloc'ed, (n, columns). @return 0, -ENOMEM, -ENODATA
 */
int detector_copy_rows(struct detector *detector, enum view view, float **ret_rows,
                       uint32_t *ret_n);

/** Copy of the newest rows that no model is trained on, as detector_copy_rows. */
int detector_copy_held_back(struct detector *detector, enum view view, float **ret_rows,
                            uint32_t *ret_n);

/** Rows for private training, a uniform sample of all (cfg.fair_sample), and for each row the host
 * that it belongs to (a flow: to its initiator), malloc'ed, by a number that means nothing outside
 * this process. */
int detector_copy_units(struct detector *detector, enum view view, float **ret_rows,
                        uint64_t **ret_unit, uint32_t *ret_n);

struct detector_stats {
    uint64_t offered[VIEW_COUNT]; /* normal rows seen */
    uint64_t scored[VIEW_COUNT];
    uint64_t anomalous[VIEW_COUNT]; /* rows beyond their boundary */
    uint64_t drifts[VIEW_COUNT];    /* of the scores since the start */
    double level[VIEW_COUNT];       /* usual median score, since the model or the last drift */
    uint64_t waiting[VIEW_COUNT];   /* rows that may still be dropped */
    uint64_t refused[VIEW_COUNT];   /* too many of one source */
    uint64_t forgotten[VIEW_COUNT]; /* dropped after a late verdict */
    uint64_t withheld;              /* signals: more than chance would bring, but not enough */
    atl_ns watched_ns;              /* dataplane time seen, over all files */
};
/** Any thread. */
void detector_stats(const struct detector *detector, struct detector_stats *ret_stats);

#endif
