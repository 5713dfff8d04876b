/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_detail: more about a flow than its record's sums, in a pool beside the table.
 *
 * A slot holds the parts that were asked for, one behind the other. Flows without a slot, and
 * engines without the pool, pay a branch.
 */
#ifndef DP_FLOW_DETAIL_PRIV_H
#define DP_FLOW_DETAIL_PRIV_H

#include "dataplane/flow_entry_priv.h"

/** In dp_entry.noted: this record is not the flow's first. */
#define DP_NOT_NOTED UINT8_MAX

/** Filled up to its entry's `noted`; backward says: sent by endpoint 1. */
struct dp_firsts {
    struct dp_first_packet packet[DP_FIRST_PACKETS];
};

/*
 * bytes: two directions of 2^39 bytes fit in 41 bits, a quarter of their 2^25 packets in 23.
 * ns: a record is shorter than 78 hours (dp_flow_is_full, the active timeout).
 */
struct dp_bulk_sums {
    uint64_t bytes : 41, n : 23;
    uint64_t ns : 48, window_last : 16; /* the window is a lodger, see dp_sums */
};

/** The packets with payload in a row that may become a bulk. */
struct dp_run {
    uint64_t last : 48, from : 1, packets : 15; /* moment of the last; at most 4 are counted */
    uint32_t ns;                                /* from the first to the last, until there are 4 */
    uint32_t bytes;                             /* until there are 4; saturating */
};

/** By endpoint of the key where there are two; of three the last is both directions as one. */
struct dp_sums {
    struct dp_bulk_sums bulks[3]; /* window_last: of each endpoint */
    struct dp_run runs[2];        /* within one direction; over both */
    struct {
        uint64_t payload_sq : 56, header_min : 8;
    } dirs[2];
    uint64_t active_since : 48, first_payload : 16; /* a moment; dp_size_pack */
    uint64_t active_us : 48, actives : 16;
    uint64_t idle_us : 48, idles : 16; /* 2^16 gaps of 2^32 µs fit */
    uint64_t active_sq_us2, idle_sq_us2;
    uint64_t active_min_us : 40, pauses : 24; /* 48 bits of nanoseconds are 39 of µs */
    uint64_t active_max_us : 40, first_flags : 8, first_from : 1;
    uint32_t bulk_packets[3];
    uint32_t idle_min_us;
    uint16_t payload_min[2], payload_max[2]; /* dp_size_pack */
};

static_assert(sizeof(struct dp_firsts) == 128 && sizeof(struct dp_sums) == 176,
              "with 256 bytes of the flow and 8 of links, either part is ≤ 448 bytes");

struct dp_detail_pool {
    char *slots;    /* NULL: off */
    uint32_t *of;   /* slot of each entry whose bit `detail` is set */
    uint32_t *free; /* stack of free slots */
    uint32_t left, max;
    uint32_t capacity; /* entries */
    unsigned parts;
};

/** @param slots  0: no pool.  @return false: no memory; dp_detail_finish is still due */
bool dp_detail_init(struct dp_detail_pool *pool, uint32_t capacity, uint32_t slots, unsigned parts);
void dp_detail_finish(struct dp_detail_pool *pool); /* zeroed is fine */
uint64_t dp_detail_bytes(uint32_t capacity, uint32_t slots, unsigned parts);

/* `number` is the entry's. */

/** Give a new flow's entry a slot if there is a pool and one is free. */
void dp_detail_open(struct dp_detail_pool *pool, uint32_t number, struct dp_entry *e);
void dp_detail_close(struct dp_detail_pool *pool, uint32_t number, struct dp_entry *e);
/** The flow goes on in a next record: sums begin anew, first packets were those of the first. */
void dp_detail_restart(struct dp_detail_pool *pool, uint32_t number, struct dp_entry *e);
/**
 * Add a packet that the entry's own sums have taken in. For entries with the bit `detail`.
 * @param gap_ns  since the packet before it; 0 for the first
 */
void dp_detail_note(const struct dp_detail_pool *pool, uint32_t number, struct dp_entry *e,
                    const struct dp_packet *p, uint64_t gap_ns);
/** True when the entry's record should have had a slot and there was none left. */
static inline bool dp_detail_is_missing(const struct dp_detail_pool *pool, const struct dp_entry *e)
{
    bool wanted = (pool->parts & DP_DETAIL_SUMS) != 0 || e->noted != DP_NOT_NOTED;
    return pool->max != 0 && !e->detail && wanted;
}
/** Fill first_count, first and detail of a record, also where there is nothing to fill in. */
void dp_detail_record(const struct dp_detail_pool *pool, uint32_t number, const struct dp_entry *e,
                      struct dp_flow *flow);

#endif
