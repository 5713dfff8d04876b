/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/decode_priv.h"
#include "dataplane/flow_update_priv.h"

enum {
    ENDS_MAX = 64,   /* records that one look at the wheel may finish */
    LOOKS_MAX = 512, /* entries that it may look at */
    FLUSH_SCAN = 8192,
    PREFETCH_FRAMES = 4, /* ahead of decoding */
};

static_assert(2 * (int)DP_BURST + 1 <= DP_LINKS_STEP, "each packet, read or taken, ends a second");
static_assert(2 * 2 * (int)DP_BURST + (int)ENDS_MAX <= DP_STEP_RECORDS,
              "a packet, read or taken, ends at most two records: one that is over or evicted, and "
              "one whose sums are full");

int dp_worker_init(struct dp_worker *w, struct dp_source *source, const struct dp_config *cfg,
                   const struct atl_hash_key *key)
{
    *w = (struct dp_worker){
        .ring_slots = cfg->ring_records,
        .timeouts =
            {
                [DP_TIMER_IDLE] = cfg->timeout_idle_ns,
                [DP_TIMER_UDP] = cfg->timeout_udp_ns,
                [DP_TIMER_HALF_OPEN] = cfg->timeout_half_open_ns,
                [DP_TIMER_CLOSED] = cfg->timeout_closed_ns,
            },
        .timeout_active_ns = cfg->timeout_active_ns,
    };
    dp_wheel_init(&w->wheel);
    atomic_store(&w->state, DP_RUNNING);
    int r = atl_ring_create(&w->ring, cfg->ring_records, sizeof(struct dp_flow));
    if (r == 0)
        r = dp_table_init(&w->table, cfg->flows_max / cfg->workers,
                          cfg->detail_flows / cfg->workers, cfg->detail_parts, key);
    if (r == 0)
        r = atl_ring_create(&w->reports, DP_REPORTS, sizeof(struct dp_report));
    w->decoder = calloc(1, sizeof(*w->decoder));
    w->targets = calloc(1, sizeof(*w->targets));
    if (r < 0 || w->decoder == NULL || w->targets == NULL) {
        dp_worker_finish(w);
        return -ENOMEM;
    }
    dp_decoder_init(w->decoder, cfg->key, key);
    if (cfg->link && dp_links_create(&w->links, cfg->file ? NULL : key) < 0) {
        dp_worker_finish(w);
        return -ENOMEM;
    }
    w->targets->key = *key;
    w->source = source;
    return 0;
}

void dp_worker_finish(struct dp_worker *w)
{
    dp_source_close(w->source);
    atl_ring_destroy(w->ring);
    atl_ring_destroy(w->reports);
    free(w->decoder);
    free(w->targets);
    dp_evidence_destroy(w->evidence);
    dp_links_destroy(w->links);
    dp_table_finish(&w->table);
    w->links = NULL;
    w->source = NULL;
    w->ring = NULL;
    w->reports = NULL;
    w->decoder = NULL;
    w->targets = NULL;
    w->evidence = NULL;
}

/* --- the second at hand --- */

/* Files: the latest packet time, which never goes back. */
static atl_ns link_time(const struct dp_worker *w, atl_ns ts_ns, atl_ns clock_ns)
{
    return w->source->file ? clock_ns : ts_ns;
}

static __attribute__((noinline)) void link_close(struct dp_worker *w)
{
    dp_links_close(w->links, &w->decoder->telecom, w->decoder->encaps, w->counters.reasons);
}

static __attribute__((noinline)) void link_turn(struct dp_worker *w, atl_ns time_ns)
{
    if (dp_links_is_late(w->links, time_ns))
        return;
    link_close(w);
    dp_links_open(w->links, time_ns, w->clock_ns, w->source->file);
}

/* A packet taken from another worker may be the first of a second. */
static void link_reach(struct dp_worker *w, const struct dp_packet *p)
{
    atl_ns time_ns = link_time(w, p->ts_ns, p->clock_ns);
    if (dp_links_is_over(w->links, time_ns))
        link_turn(w, time_ns);
}

static __attribute__((noinline)) void link_begun(struct dp_worker *w, const struct dp_packet *p,
                                                 const struct dp_entry *e)
{
    link_reach(w, p);
    dp_links_begun(w->links, p, e != NULL ? e->initiator : p->from);
}

static __attribute__((noinline)) void link_answered(struct dp_worker *w, const struct dp_packet *p,
                                                    struct dp_entry *e)
{
    e->answered = true;
    link_reach(w, p);
    w->links->at.counts[DP_LINK_ANSWERED]++;
}

void dp_worker_link_end(struct dp_worker *w)
{
    if (w->links != NULL)
        link_close(w);
}

/* --- reports --- */

/* The first packet's hash is keyed and so no packet's own choice: a fair lot, without a division.
 */
static void sample(struct dp_worker *w, uint32_t n)
{
    uint32_t chosen = (uint32_t)((w->batch[0].hash & 0xffff) * n >> 16);
    dp_target_sample(w->targets, &w->batch[chosen], n);
}

static void report(struct dp_worker *w)
{
    dp_summary_report(&w->targets->table, w->reports);
    dp_summary_report(&w->decoder->domains.table, w->reports);
    w->report_ns = w->clock_ns;
}

/* --- the end of a flow --- */

static void export_flow(struct dp_worker *w, const struct dp_entry *e, enum dp_end_reason reason)
{
    atl_counter_add(&w->counters.flows_by_end[reason], 1);
    struct dp_flow *flow = atl_ring_reserve(w->ring);
    if (ATL_UNLIKELY(flow == NULL)) {
        atl_counter_add(&w->counters.ring_full_records, 1);
        return;
    }
    dp_flow_record(&w->table, e, reason, flow);
    if (ATL_UNLIKELY(dp_detail_is_missing(&w->table.detail, e)))
        atl_counter_add(&w->counters.detail_missed, 1);
    atl_ring_commit(w->ring);
    atl_counter_add(&w->counters.flows_exported, 1);
}

static void remove_flow(struct dp_worker *w, struct dp_entry *e, enum dp_end_reason reason)
{
    if (e->seen != 0)
        export_flow(w, e, reason);
    if (w->links != NULL && reason != DP_END_FORCED)
        w->links->at.counts[DP_LINK_ENDED]++;
    dp_wheel_disarm(&w->wheel, &w->table, e);
    struct dp_key key;
    dp_table_key(&w->table, e, &key);
    dp_table_remove(&w->table, e, dp_table_hash(&w->table, &key));
}

/*
 * The earlier of two deadlines gives the reason, however late one looks: so the records do not
 * depend on when the wheel comes by.
 */
static atl_ns deadline(const struct dp_worker *w, const struct dp_entry *e,
                       enum dp_end_reason *ret_reason)
{
    atl_ns quiet = dp_entry_touched_ns(e) + w->timeouts[e->timer];
    atl_ns active = e->seen != 0 ? e->born_ns + w->timeout_active_ns : UINT64_MAX;
    if (e->timer == DP_TIMER_CLOSED)
        *ret_reason = DP_END_CLOSED;
    else
        *ret_reason = active < quiet ? DP_END_ACTIVE : DP_END_IDLE;
    return active < quiet ? active : quiet;
}

static inline bool is_due(const struct dp_worker *w, const struct dp_entry *e, atl_ns now_ns)
{
    return dp_entry_touched_ns(e) + w->timeouts[e->timer] <= now_ns ||
           (e->seen != 0 && e->born_ns + w->timeout_active_ns <= now_ns);
}

/* @return true when the flow goes on in a next record */
static bool end_flow(struct dp_worker *w, struct dp_entry *e, enum dp_end_reason reason)
{
    if (reason != DP_END_ACTIVE) {
        remove_flow(w, e, reason);
        return false;
    }
    export_flow(w, e, reason);
    dp_flow_restart(&w->table, e);
    return true;
}

static uint32_t expire(struct dp_worker *w)
{
    uint32_t ends = 0;
    for (uint32_t looks = 0; looks < LOOKS_MAX && ends < ENDS_MAX; looks++) {
        struct dp_entry *e = dp_wheel_next(&w->wheel, &w->table, w->clock_ns);
        if (e == NULL)
            break;
        enum dp_end_reason reason;
        atl_ns when = deadline(w, e, &reason);
        if (when <= w->clock_ns) {
            ends++;
            if (!end_flow(w, e, reason))
                continue;
            when = deadline(w, e, &reason);
        }
        dp_wheel_arm(&w->wheel, &w->table, e, when);
    }
    return ends;
}

bool dp_worker_flush(struct dp_worker *w)
{
    uint32_t ends = 0;
    if (w->flush_at == 0)
        report(w);
    for (uint32_t scanned = 0; w->table.live != 0 && w->flush_at < w->table.capacity; scanned++) {
        if (scanned == FLUSH_SCAN || ends == ENDS_MAX)
            return false;
        struct dp_entry *e = &w->table.entries[w->flush_at++];
        if (!e->used)
            continue;
        enum dp_end_reason reason;
        if (deadline(w, e, &reason) > w->clock_ns)
            reason = DP_END_FORCED;
        remove_flow(w, e, reason);
        ends++;
    }
    return true;
}

/* --- one packet --- */

/* @return e, or NULL when the packet does not belong to it any more */
static struct dp_entry *still_open(struct dp_worker *w, struct dp_entry *e,
                                   const struct dp_packet *p)
{
    /* Twice at most: an empty record has no active timeout. */
    while (ATL_UNLIKELY(is_due(w, e, p->clock_ns))) {
        enum dp_end_reason reason;
        deadline(w, e, &reason);
        if (!end_flow(w, e, reason))
            return NULL;
    }
    if (dp_flow_reopens(e, p)) {
        remove_flow(w, e, DP_END_CLOSED);
        return NULL;
    }
    return e;
}

static struct dp_entry *open_flow(struct dp_worker *w, const struct dp_packet *p)
{
    dp_target_begin(w->targets, p);
    struct dp_entry *e = dp_table_insert(&w->table, &p->key, p->hash);
    if (ATL_UNLIKELY(e == NULL)) {
        struct dp_entry *victim = dp_table_victim(&w->table, p->hash);
        if (victim == NULL)
            return NULL;
        remove_flow(w, victim, DP_END_RESOURCES);
        e = dp_table_insert(&w->table, &p->key, p->hash);
        if (e == NULL)
            return NULL;
    }
    dp_flow_begin(&w->table, e, p);
    dp_wheel_arm(&w->wheel, &w->table, e, p->clock_ns + w->timeouts[e->timer]);
    return e;
}

/* A later deadline needs nothing: the wheel looks again when the old one comes up. */
static void timer_changed(struct dp_worker *w, struct dp_entry *e, uint8_t before)
{
    if (w->timeouts[e->timer] >= w->timeouts[before])
        return;
    enum dp_end_reason reason;
    dp_wheel_disarm(&w->wheel, &w->table, e);
    dp_wheel_arm(&w->wheel, &w->table, e, deadline(w, e, &reason));
}

static bool process(struct dp_worker *w, uint32_t i)
{
    const struct dp_packet *p = &w->batch[i];
    struct dp_entry *e = dp_table_stage_find(&w->table, p, &w->lookup, i);
    if (e != NULL)
        e = still_open(w, e, p);
    if (e == NULL) {
        e = open_flow(w, p);
        if (w->links != NULL)
            link_begun(w, p, e);
    }
    if (ATL_UNLIKELY(e == NULL)) {
        atl_counter_add(&w->counters.reasons[DP_REASON_TABLE_FULL], 1);
        return false;
    }
    if (ATL_UNLIKELY(dp_flow_is_full(e, p)))
        end_flow(w, e, DP_END_ACTIVE);
    if (e->seen == 0)
        atl_counter_add(&w->counters.flows_created, 1);
    uint8_t timer = e->timer;
    dp_flow_update(&w->table, e, p);
    if (ATL_UNLIKELY(e->timer != timer))
        timer_changed(w, e, timer);
    if (w->links != NULL && ATL_UNLIKELY(p->from != e->initiator && !e->answered))
        link_answered(w, p, e);
    if (ATL_UNLIKELY(e->probation) && !dp_flow_on_probation(e))
        dp_table_settle(&w->table, e, p->hash);
    return true;
}

/* --- one frame --- */

static bool decode(struct dp_worker *w, const struct dp_frame *frame, struct dp_packet *packet)
{
    enum dp_reason reason = dp_decode_frame(w->decoder, frame, packet);
    if (w->links != NULL)
        dp_links_frame(w->links, frame->wire, reason == DP_DECODED ? packet : NULL);
    if (reason != DP_DECODED) {
        atl_counter_add(&w->counters.reasons[reason], 1);
        return false;
    }
    if (w->evidence != NULL)
        dp_evidence_put(w->evidence, frame, &packet->key);
    packet->clock_ns = w->clock_ns;
    return true;
}

static void advance_clock(struct dp_worker *w)
{
    atl_ns now_ns = w->source->file ? w->source->clock_ns : atl_clock_mono_ns();
    if (now_ns > w->clock_ns)
        w->clock_ns = now_ns;
}

uint32_t dp_worker_process(struct dp_worker *w, uint32_t n)
{
    uint32_t processed = 0;
    if (ATL_LIKELY(n != 0))
        sample(w, n);
    dp_table_stage_buckets(&w->table, w->batch, &w->lookup, n);
    dp_table_stage_match(&w->table, w->batch, &w->lookup, n);
    for (uint32_t i = 0; i < n; i++)
        processed += process(w, i);
    atl_counter_add(&w->counters.processed_packets, processed);
    return processed;
}

/* --- between workers --- */

static uint32_t give(struct dp_worker *w, uint32_t n)
{
    uint32_t given, lost;
    n = dp_distribute_give(w->distribute, w->index, w->batch, n, &given, &lost);
    atl_counter_add(&w->counters.given_packets, given);
    atl_counter_add(&w->counters.reasons[DP_REASON_HANDOVER_FULL], lost);
    return n;
}

/* The hashes are good here, too: the tables of an engine share their seed. */
static uint32_t take(struct dp_worker *w)
{
    atl_ns told_ns = dp_distribute_told(w->distribute);
    uint32_t n = dp_distribute_take(w->distribute, w->index, w->batch, DP_BURST);
    for (uint32_t i = 0; i < n; i++)
        if (w->batch[i].clock_ns > w->clock_ns)
            w->clock_ns = w->batch[i].clock_ns;
    atl_counter_add(&w->counters.taken_packets, n);
    dp_worker_process(w, n);
    if (w->source->file && n < DP_BURST && told_ns > w->clock_ns)
        w->clock_ns = told_ns;
    return n;
}

/* Find or begin the flows of the batch, or give it away. @return packets that stayed */
static uint32_t settle(struct dp_worker *w, uint32_t n)
{
    dp_table_hash_packets(&w->table, w->batch, n);
    if (w->distribute != NULL)
        n = give(w, n);
    dp_worker_process(w, n);
    return n;
}

/* --- one burst --- */

/* A burst is cut where a second ends, so that its flows are counted where its packets are. */
static bool begins_second(struct dp_worker *w, const struct dp_frame *frame)
{
    if (w->source->file && frame->ts_ns > w->clock_ns)
        w->clock_ns = frame->ts_ns;
    return w->links != NULL && dp_links_is_over(w->links, link_time(w, frame->ts_ns, w->clock_ns));
}

/*
 * @param ret_handled  packets that were in the batch before a second ended
 * @return packets in the batch; *ret_seen counts the frames read for it
 */
static uint32_t fill_batch(struct dp_worker *w, uint32_t *ret_seen, uint32_t *ret_handled)
{
    struct dp_frame frames[DP_BURST];
    struct dp_source *source = w->source;
    uint32_t seen = 0, kept = 0, handled = 0;
    uint64_t bytes = 0;
    bool file = source->file;
    while (seen < DP_BURST) {
        uint32_t n = source->ops->burst(source, frames, DP_BURST - seen);
        dp_stage_mark(&w->stages, DP_STAGE_RX);
        if (n == 0)
            break;
        for (uint32_t i = 0; i < n && i < PREFETCH_FRAMES; i++)
            __builtin_prefetch(frames[i].data);
        for (uint32_t i = 0; i < n; i++) {
            if (i + PREFETCH_FRAMES < n)
                __builtin_prefetch(frames[i + PREFETCH_FRAMES].data);
            if (file && frames[i].ts_ns > w->clock_ns)
                w->clock_ns = frames[i].ts_ns;
            if (ATL_UNLIKELY(begins_second(w, &frames[i]))) {
                handled += settle(w, kept);
                kept = 0;
                link_turn(w, link_time(w, frames[i].ts_ns, w->clock_ns));
            }
            bytes += frames[i].wire;
            kept += decode(w, &frames[i], &w->batch[kept]);
        }
        dp_stage_mark(&w->stages, DP_STAGE_DECODE);
        source->ops->release(source);
        seen += n;
    }
    atl_counter_add(&w->counters.received_packets, seen);
    atl_counter_add(&w->counters.received_bytes, bytes);
    *ret_seen = seen;
    *ret_handled = handled;
    return kept;
}

uint32_t dp_worker_poll(struct dp_worker *w)
{
    uint32_t seen = 0, handled = 0, n = 0;
    dp_stage_begin(&w->stages);
    if (!w->source->file)
        advance_clock(w);
    if (!w->deaf)
        n = fill_batch(w, &seen, &handled);
    n = handled + settle(w, n);
    if (w->distribute != NULL)
        n += take(w);
    dp_stage_mark(&w->stages, DP_STAGE_TABLE);
    atl_counter_add(&w->counters.polls, 1);
    if (seen + n == 0)
        atl_counter_add(&w->counters.polls_empty, 1);
    if (w->source->paced)
        advance_clock(w);
    if (w->distribute != NULL)
        dp_distribute_tell(w->distribute, w->index, w->clock_ns);
    uint32_t ends = expire(w);
    if (ATL_UNLIKELY(w->clock_ns - w->report_ns >= DP_REPORT_NS))
        report(w);
    dp_stage_mark(&w->stages, DP_STAGE_EXPIRY);
    dp_stage_end(&w->stages, seen, n, w->counters.stage_cycles, w->counters.stage_packets);
    if (w->links != NULL && w->clock_ns >= w->links->due_ns)
        link_close(w);
    /* Who reads it knows that everything before that time was exported. */
    atomic_store_explicit(&w->now_ns, w->clock_ns, memory_order_release);
    atl_counter_add(&w->beat, 1);
    dp_worker_publish(w);
    return seen + n + ends;
}

bool dp_worker_has_room(const struct dp_worker *w)
{
    bool room = w->ring_slots - atl_ring_used(w->ring) >= DP_STEP_RECORDS &&
                (w->links == NULL || dp_links_has_room(w->links));
    if (w->distribute == NULL || w->deaf)
        return room;
    return room && dp_distribute_has_room(w->distribute, w->index, DP_BURST);
}
