/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_table: fixed memory from key to live flow.
 *
 * Each key has two buckets of one cache line (flow_match). A tag only picks candidates: the full
 * key is always compared. Entries come from a pool that is filled at creation, so nothing is
 * allocated later.
 *
 * A new flow is on probation until it is settled. Whoever needs room takes it from a flow on
 * probation as long as one is near, so that a flood of new flows evicts its own.
 */
#ifndef DP_FLOW_TABLE_PRIV_H
#define DP_FLOW_TABLE_PRIV_H

#include "dataplane/flow_detail_priv.h"
#include "dataplane/flow_entry_priv.h"
#include "dataplane/flow_hash_priv.h"
#include "dataplane/flow_match_priv.h"

#define DP_NO_ENTRY   UINT32_MAX
#define DP_LOOKUP_MAX 64

/** What the table knows of a burst of packets between its stages. */
struct dp_lookup {
    uint32_t bucket[DP_LOOKUP_MAX];
    uint16_t tag[DP_LOOKUP_MAX];
    uint16_t ways[DP_LOOKUP_MAX]; /* candidates in bucket */
    uint64_t changes;             /* of the table, when the candidates were picked */
};

struct dp_table {
    struct dp_bucket *buckets;
    struct dp_entry *entries;
    struct dp_cold *cold;
    struct dp_detail_pool detail;
    uint32_t bucket_count;
    uint32_t capacity;
    uint32_t free; /* first free entry or DP_NO_ENTRY */
    uint32_t live;
    uint64_t changes; /* inserts and removals so far */
    dp_match_kernel match;
    struct dp_hash hash;
};

/**
 * @param capacity  flows, 1 … 2^26
 * @param details   flows of which more is kept at the same time, 0 … capacity
 * @param parts     what: of enum dp_detail_part
 * @return 0, -ENOMEM
 */
int dp_table_init(struct dp_table *t, uint32_t capacity, uint32_t details, unsigned parts,
                  const struct atl_hash_key *key);
void dp_table_finish(struct dp_table *t); /* zeroed is fine */
uint64_t dp_table_bytes(uint32_t capacity, uint32_t details, unsigned parts);

static inline uint64_t dp_table_hash(const struct dp_table *t, const struct dp_key *key)
{
    return dp_hash_one(&t->hash, key);
}

static inline uint32_t dp_table_number(const struct dp_table *t, const struct dp_entry *e)
{
    return (uint32_t)(e - t->entries);
}

static inline struct dp_cold *dp_table_cold(const struct dp_table *t, const struct dp_entry *e)
{
    return &t->cold[dp_table_number(t, e)];
}

/** The key that the entry was inserted with. */
void dp_table_key(const struct dp_table *t, const struct dp_entry *e, struct dp_key *ret_key);

/* --- one key at a time --- */

/** @return the entry of this very key, or NULL */
ATL_HOT struct dp_entry *dp_table_find(const struct dp_table *t, const struct dp_key *key,
                                       uint64_t hash);
/** @return an entry on probation, empty but for its key, or NULL when there is no room */
ATL_HOT struct dp_entry *dp_table_insert(struct dp_table *t, const struct dp_key *key,
                                         uint64_t hash);
/** End an entry's probation. */
ATL_HOT void dp_table_settle(struct dp_table *t, struct dp_entry *e, uint64_t hash);
/** Whom to evict so that this hash can be inserted, or NULL when nobody is near. */
struct dp_entry *dp_table_victim(const struct dp_table *t, uint64_t hash);
/** @param hash  of its key, as when it was inserted */
ATL_HOT void dp_table_remove(struct dp_table *t, struct dp_entry *e, uint64_t hash);

/* --- a burst in stages: between them the memory that the next one needs is on its way --- */

/** Set the hash of each packet: the same on every worker of an engine. */
ATL_HOT void dp_table_hash_packets(const struct dp_table *t, struct dp_packet *packets, uint32_t n);
/** Ask for the buckets of n ≤ DP_LOOKUP_MAX packets, whose hashes are set. */
ATL_HOT void dp_table_stage_buckets(const struct dp_table *t, const struct dp_packet *packets,
                                    struct dp_lookup *l, uint32_t n);
/** Pick candidates by tag and ask for their entries. */
ATL_HOT void dp_table_stage_match(const struct dp_table *t, const struct dp_packet *packets,
                                  struct dp_lookup *l, uint32_t n);
/** dp_table_find for packet i of the burst; the table may have changed since it was staged. */
ATL_HOT struct dp_entry *dp_table_stage_find(const struct dp_table *t, const struct dp_packet *p,
                                             const struct dp_lookup *l, uint32_t i);

#endif
