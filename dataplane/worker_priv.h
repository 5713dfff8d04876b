/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: one source run to completion by one thread, from frame to finished record.
 *
 * Nothing is allocated, locked or logged after init.
 */
#ifndef DP_WORKER_PRIV_H
#define DP_WORKER_PRIV_H

#include "dataplane/decode_priv.h"
#include "dataplane/distribute_priv.h"
#include "dataplane/evidence_priv.h"
#include "dataplane/link_priv.h"
#include "dataplane/publish_priv.h"
#include "dataplane/source_priv.h"
#include "dataplane/stage_priv.h"
#include "dataplane/target_priv.h"
#include "dataplane/wheel_priv.h"

#define DP_TIMEOUT_MIN_NS (100 * ATL_NS_PER_MS)
#define DP_TIMEOUT_MAX_NS (86400 * ATL_NS_PER_S)

#define DP_REPORT_NS ATL_NS_PER_S
#define DP_REPORTS   1024 /* all targets and domains of a second */

/** One poll or one flush step finishes at most this many records. */
#define DP_STEP_RECORDS 192

/**
 * Written by the worker's thread alone, published after each poll; nothing but atl_counter here.
 * received + taken = processed + Σ reasons + given
 */
struct dp_worker_counters {
    atl_counter received_packets, received_bytes, processed_packets;
    atl_counter given_packets, taken_packets;
    atl_counter reasons[DP_REASON_COUNT];
    atl_counter flows_created, flows_exported, ring_full_records, detail_missed;
    atl_counter flows_by_end[DP_END_RESOURCES + 1];
    atl_counter polls, polls_empty;
    atl_counter busy_cycles, all_cycles; /* of the thread's turns that found work; of all */
    atl_counter stage_cycles[DP_STAGE_COUNT], stage_packets[DP_STAGE_COUNT];
};

#define DP_WORKER_COUNTERS (sizeof(struct dp_worker_counters) / sizeof(atl_counter))
static_assert(DP_WORKER_COUNTERS <= DP_PUBLISH_WORDS, "all counters fit a page");

struct dp_worker {
    _Alignas(ATL_CACHE_LINE_BYTES) struct dp_source *source;
    struct atl_ring *ring;
    uint32_t ring_slots;
    uint32_t flush_at;
    struct dp_decoder *decoder;
    struct dp_table table;
    atl_ns timeouts[DP_TIMERS];
    atl_ns timeout_active_ns;
    /* Drives every timeout. Files: latest packet time. Live: monotonic, so that setting the wall
     * clock ends no flow. */
    atl_ns clock_ns;
    bool flushing;
    struct atl_ring *reports;
    struct dp_targets *targets;
    atl_ns report_ns;                 /* clock at the last report */
    struct dp_evidence *evidence;     /* NULL: off; the worker's */
    struct dp_distribute *distribute; /* borrowed; NULL: what is read here stays here */
    struct dp_links *links;           /* NULL: off; the worker's */
    uint32_t index;
    bool deaf; /* reads no more, takes what others still give */
    struct dp_stages stages;
    uint64_t turned; /* dp_cycles at the end of the last turn */
    struct dp_packet batch[DP_BURST];
    struct dp_lookup lookup;
    struct dp_wheel wheel;

    /* What other threads look at. */
    _Alignas(ATL_CACHE_LINE_BYTES) struct dp_worker_counters counters;
    struct dp_publish published; /* counters as of the last poll */
    atl_counter beat;
    _Atomic uint64_t now_ns; /* clock_ns as of the last poll */
    _Atomic int state;       /* enum dp_state */
};

/**
 * @param source  the worker's from success on
 * @return 0, -ENOMEM
 */
int dp_worker_init(struct dp_worker *w, struct dp_source *source, const struct dp_config *cfg,
                   const struct atl_hash_key *key);
void dp_worker_finish(struct dp_worker *w); /* zeroed and half-built are fine */

/** Read and process one burst, then end what has expired. @return packets and records handled */
ATL_HOT uint32_t dp_worker_poll(struct dp_worker *w);
/** The flow stage of a poll: add the first n packets of batch, whose
 * hashes are set. @return how many joined a flow */
ATL_HOT uint32_t dp_worker_process(struct dp_worker *w, uint32_t n);
/** End some more of the living flows. @return true when none is left */
bool dp_worker_flush(struct dp_worker *w);
/** True when the rings can take whatever one poll or flush step finishes or hands over. */
bool dp_worker_has_room(const struct dp_worker *w);
/** The last second is over, too. */
void dp_worker_link_end(struct dp_worker *w);
/** Show the counters as they stand to other threads. */
static inline void dp_worker_publish(struct dp_worker *w)
{
    dp_publish_put(&w->published, (const atl_counter *)&w->counters, DP_WORKER_COUNTERS);
}
/** Poll, or flush once the source has ended: one turn of the file road. */
void dp_worker_step(struct dp_worker *w);
/** Work until the source ends or *stop; then flush. */
void dp_worker_run(struct dp_worker *w, const _Atomic bool *stop);

#endif
