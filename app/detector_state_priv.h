/* SPDX-License-Identifier: Apache-2.0 */
/* The detector's insides, for its own files: what they share, and what each has for the others. */
#ifndef DETECTOR_STATE_PRIV_H
#define DETECTOR_STATE_PRIV_H

#include "app/detector_priv.h"
#include "app/drift_watch_priv.h"
#include "app/gate_priv.h"
#include "app/intake_priv.h"
#include "app/tally_priv.h"

#include <pthread.h>

#define DETECTOR_HOST_ROWS 64
#define DETECTOR_SUSPECTS  64

/* Unusual flows of one source are told when rarer than this by chance. */
#define DETECTOR_TALLY_P_MAX 1e-6

struct suspect {
    struct dp_addr addr;
    atl_ns until_ns;
};

struct view_state {
    struct learn_model *model; /* analysis thread's own */
    struct learn_model *_Atomic posted;
    struct learn_model *reference; /* second opinion, or NULL */
    struct learn_scratch *scratch;
    struct intake *intake; /* under rows_lock */
    struct drift_watch *drift;
    atl_counter offered, scored, anomalous, drifts;
    _Atomic double level;
    _Atomic uint64_t waiting, refused, forgotten;
};

struct detector {
    struct detector_config cfg;
    struct detector_ops ops;
    struct view_state views[VIEW_COUNT];
    struct atl_hash_key host_key;
    pthread_mutex_t rows_lock; /* intakes: analysis offers, trainer copies */

    struct feat_hosts *hosts;
    struct feat_links *links[DETECTOR_LINKS]; /* NULL without the op */
    struct feat_context *context;
    struct tally *tally;
    struct gate *gate;
    _Atomic uint64_t withheld;
    atl_ns tally_began_ns, tally_looked_ns;
    struct suspect suspects[DETECTOR_SUSPECTS];
    uint32_t next_suspect;
    atl_ns now_ns; /* 0 before the first step and after a flush */
    atl_counter watched_ns;

    uint32_t waiting; /* flows in the batch */
    struct dp_flow flows[LEARN_BATCH_MAX];
    float raw[LEARN_BATCH_MAX][FEAT_COLUMNS_MAX];
    float x[LEARN_BATCH_MAX * FEAT_COLUMNS_MAX]; /* close together, as the model takes them */
    float score[LEARN_BATCH_MAX], p_value[LEARN_BATCH_MAX];
    struct feat_host_row rows[DETECTOR_HOST_ROWS];
};

/* detector_models.c: the analysis' own side of what other threads hand over. */

void detector_take_up_models(struct detector *detector);

/* detector_learn.c: what may teach, and what must not. */

/** Hosts are known by a keyed hash of their address. */
uint64_t detector_source_of(const struct detector *detector, const struct dp_addr *addr);
/** Nothing of this host is learned for a while, and what waits is dropped. Not under rows_lock. */
void detector_suspect(struct detector *detector, const struct dp_addr *addr);
bool detector_is_suspect(const struct detector *detector, const struct dp_addr *addr);
/** Was this model learned at this site? The factory's knows hosts, but no site. NULL: no. */
bool detector_is_local(const struct learn_model *model);
/** Under rows_lock. */
void detector_remember(struct detector *detector, enum view view, const struct intake_row *row);
/** What waited long enough is learned, and the scores' level is looked at. */
void detector_adapt(struct detector *detector, bool flush);

/* detector_signal.c: a verdict in the words of an alert. */

struct opinion {
    const struct learn_model *model; /* whose it is; NULL before there is any */
    float score, p_value;
};

void detector_tell_scored(struct detector *detector, const struct detector_scored *scored);
void detector_signal_host(struct detector *detector, const struct feat_host_row *row,
                          const struct opinion *opinion, const float *x);
void detector_signal_tally(struct detector *detector, const struct tally_entry *entry,
                           double p_value);

/* detector_flow.c, detector_host.c: judging rows. */

void detector_score_flows(struct detector *detector);
void detector_look_at_tally(struct detector *detector, bool flush);
void detector_judge_host(struct detector *detector, const struct feat_host_row *row);

#endif
