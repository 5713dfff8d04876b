/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_table: fixed memory from key to live flow.
 *
 * Each key has two buckets of one cache line; a bucket holds eight tags (hash bits) and where their
 * entries are. A tag only picks candidates: the full key is always compared. Entries come from a
 * pool that is filled at creation, so nothing is allocated later.
 */
#ifndef DP_FLOW_TABLE_PRIV_H
#define DP_FLOW_TABLE_PRIV_H

#include "dataplane/packet_priv.h"

/** Which timeout an entry waits for. TCP moves from HALF_OPEN to IDLE (established) to CLOSED. */
enum dp_timer { DP_TIMER_IDLE, DP_TIMER_UDP, DP_TIMER_HALF_OPEN, DP_TIMER_CLOSED, DP_TIMERS };

/** Line 0: what a lookup touches. Line 1: the flow. Then the directions, by endpoint of the key. */
struct dp_entry {
    _Alignas(ATL_CACHE_LINE_BYTES) struct dp_key key;
    atl_ns touched_ns;   /* clock at the last packet */
    uint32_t next, prev; /* of the wheel slot, or next free entry */
    atl_ns born_ns;      /* clock at the first packet of this record */
    uint64_t iat_sq_us2;
    uint32_t iat_min_us, iat_max_us;
    uint32_t hash;   /* low half of the key's hash */
    uint32_t bucket; /* that holds it */
    bool used;
    uint8_t timer;     /* enum dp_timer */
    uint8_t initiator; /* endpoint of the key */
    uint8_t fins;      /* bit n: endpoint n sent FIN */
    bool syn_seen;     /* the initiator is known from a handshake */
    bool mid_stream, reordered;
    uint8_t icmp_type, icmp_code;
    struct dp_dir dirs[2];
};

static_assert(sizeof(struct dp_entry) == 320, "five cache lines");

#define DP_NO_ENTRY    UINT32_MAX
#define DP_BUCKET_WAYS 8

struct dp_bucket {
    _Alignas(ATL_CACHE_LINE_BYTES) uint32_t tag[DP_BUCKET_WAYS];
    uint32_t ref[DP_BUCKET_WAYS]; /* entry number + 1; 0 = empty */
};

struct dp_table {
    struct dp_bucket *buckets;
    struct dp_entry *entries;
    uint32_t bucket_mask; /* buckets − 1, a power of two − 1 */
    uint32_t capacity;
    uint32_t free; /* first free entry or DP_NO_ENTRY */
    uint32_t live;
    struct atl_hash_key key;
};

/** @param capacity  flows, 1 … 2^26.  @return 0, -ENOMEM */
int dp_table_init(struct dp_table *t, uint32_t capacity, const struct atl_hash_key *key);
void dp_table_finish(struct dp_table *t); /* zeroed is fine */
uint64_t dp_table_bytes(uint32_t capacity);

static inline uint64_t dp_table_hash(const struct dp_table *t, const struct dp_key *key)
{
    return atl_hash(&t->key, key, sizeof(*key));
}

static inline uint32_t dp_table_number(const struct dp_table *t, const struct dp_entry *e)
{
    return (uint32_t)(e - t->entries);
}

/** Two steps ahead of a find: first the buckets, later the entry they point to. */
ATL_HOT void dp_table_prefetch_buckets(const struct dp_table *t, uint64_t hash);
ATL_HOT void dp_table_prefetch_entry(const struct dp_table *t, uint64_t hash);
/** @return the entry of this very key, or NULL */
ATL_HOT struct dp_entry *dp_table_find(const struct dp_table *t, const struct dp_key *key,
                                       uint64_t hash);
/** @return a zeroed entry with key and hash set, or NULL when both buckets or the pool are full */
ATL_HOT struct dp_entry *dp_table_insert(struct dp_table *t, const struct dp_key *key,
                                         uint64_t hash);
/** Whom to evict so that this hash can be inserted, or NULL when nobody is near. */
struct dp_entry *dp_table_victim(const struct dp_table *t, uint64_t hash);
ATL_HOT void dp_table_remove(struct dp_table *t, struct dp_entry *e);

#endif
