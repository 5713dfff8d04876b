/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_table_priv.h"

#include <errno.h>

#include "dataplane/memory_priv.h"

/* How far a search for a victim goes on when the pool is empty but both buckets are, too. */
#define VICTIM_BUCKETS 64

/* At most ¾ full: with two choices of eight ways a full pair of buckets is then very rare. */
static uint32_t bucket_count(uint32_t capacity)
{
    uint32_t count = 2;
    while ((uint64_t)count * DP_BUCKET_WAYS * 3 < (uint64_t)capacity * 4)
        count *= 2;
    return count;
}

uint64_t dp_table_bytes(uint32_t capacity)
{
    return (uint64_t)bucket_count(capacity) * sizeof(struct dp_bucket) +
           (uint64_t)capacity * sizeof(struct dp_entry);
}

int dp_table_init(struct dp_table *t, uint32_t capacity, const struct atl_hash_key *key)
{
    uint32_t buckets = bucket_count(capacity);
    *t = (struct dp_table){.bucket_mask = buckets - 1, .capacity = capacity, .key = *key};
    t->buckets = dp_memory_map(buckets * sizeof(*t->buckets));
    t->entries = dp_memory_map(capacity * sizeof(*t->entries));
    if (t->buckets == NULL || t->entries == NULL) {
        dp_table_finish(t);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < capacity; i++)
        t->entries[i].next = i + 1 < capacity ? i + 1 : DP_NO_ENTRY;
    return 0;
}

void dp_table_finish(struct dp_table *t)
{
    dp_memory_unmap(t->buckets, ((size_t)t->bucket_mask + 1) * sizeof(*t->buckets));
    dp_memory_unmap(t->entries, t->capacity * sizeof(*t->entries));
    *t = (struct dp_table){0};
}

/* Both choices and the tag come from different parts of the hash. */
static inline uint32_t first_bucket(const struct dp_table *t, uint64_t hash)
{
    return (uint32_t)hash & t->bucket_mask;
}

static inline uint32_t second_bucket(const struct dp_table *t, uint64_t hash)
{
    return (uint32_t)(hash >> 32) & t->bucket_mask;
}

static inline uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 20);
}

void dp_table_prefetch_buckets(const struct dp_table *t, uint64_t hash)
{
    __builtin_prefetch(&t->buckets[first_bucket(t, hash)]);
    __builtin_prefetch(&t->buckets[second_bucket(t, hash)]);
}

/* Bit i is set where way i holds the tag. */
static inline unsigned match(const struct dp_bucket *b, uint32_t tag)
{
    unsigned ways = 0;
    for (unsigned i = 0; i < DP_BUCKET_WAYS; i++)
        ways |= (unsigned)(b->tag[i] == tag && b->ref[i] != 0) << i;
    return ways;
}

static void prefetch_match(const struct dp_table *t, const struct dp_bucket *b, uint32_t tag)
{
    unsigned ways = match(b, tag);
    if (ways == 0)
        return;
    const char *entry = (const char *)&t->entries[b->ref[__builtin_ctz(ways)] - 1];
    for (size_t at = 0; at < sizeof(struct dp_entry); at += ATL_CACHE_LINE_BYTES)
        __builtin_prefetch(entry + at, 1);
}

void dp_table_prefetch_entry(const struct dp_table *t, uint64_t hash)
{
    prefetch_match(t, &t->buckets[first_bucket(t, hash)], tag_of(hash));
    prefetch_match(t, &t->buckets[second_bucket(t, hash)], tag_of(hash));
}

static struct dp_entry *find_in(const struct dp_table *t, uint32_t bucket, const struct dp_key *key,
                                uint32_t tag)
{
    const struct dp_bucket *b = &t->buckets[bucket];
    for (unsigned ways = match(b, tag); ways != 0; ways &= ways - 1) {
        struct dp_entry *e = &t->entries[b->ref[__builtin_ctz(ways)] - 1];
        if (dp_key_equal(&e->key, key))
            return e;
    }
    return NULL;
}

struct dp_entry *dp_table_find(const struct dp_table *t, const struct dp_key *key, uint64_t hash)
{
    struct dp_entry *e = find_in(t, first_bucket(t, hash), key, tag_of(hash));
    return e != NULL ? e : find_in(t, second_bucket(t, hash), key, tag_of(hash));
}

static unsigned free_ways(const struct dp_bucket *b)
{
    unsigned ways = 0;
    for (unsigned i = 0; i < DP_BUCKET_WAYS; i++)
        ways |= (unsigned)(b->ref[i] == 0) << i;
    return ways;
}

struct dp_entry *dp_table_insert(struct dp_table *t, const struct dp_key *key, uint64_t hash)
{
    uint32_t bucket = first_bucket(t, hash), other = second_bucket(t, hash);
    unsigned ways = free_ways(&t->buckets[bucket]);
    unsigned other_ways = free_ways(&t->buckets[other]);
    if (__builtin_popcount(other_ways) > __builtin_popcount(ways)) {
        bucket = other;
        ways = other_ways;
    }
    uint32_t number = t->free;
    if (ways == 0 || number == DP_NO_ENTRY)
        return NULL;

    struct dp_entry *e = &t->entries[number];
    t->free = e->next;
    t->live++;
    *e = (struct dp_entry){
        .key = *key,
        .hash = (uint32_t)hash,
        .bucket = bucket,
        .used = true,
        .next = DP_NO_ENTRY,
        .prev = DP_NO_ENTRY,
    };
    unsigned way = (unsigned)__builtin_ctz(ways);
    t->buckets[bucket].tag[way] = tag_of(hash);
    t->buckets[bucket].ref[way] = number + 1;
    return e;
}

/* Low goes first: already exported, then on probation, then everyone else. */
static unsigned worth(const struct dp_entry *e)
{
    uint64_t packets = e->dirs[0].packets + e->dirs[1].packets;
    if (packets == 0)
        return 0;
    return packets == 1 || e->timer == DP_TIMER_HALF_OPEN ? 1 : 2;
}

static struct dp_entry *poorer(struct dp_entry *a, struct dp_entry *b)
{
    if (a == NULL)
        return b;
    if (worth(a) != worth(b))
        return worth(a) < worth(b) ? a : b;
    return a->touched_ns <= b->touched_ns ? a : b;
}

static struct dp_entry *poorest_in(const struct dp_table *t, uint32_t bucket,
                                   struct dp_entry *victim)
{
    const struct dp_bucket *b = &t->buckets[bucket];
    for (unsigned i = 0; i < DP_BUCKET_WAYS; i++)
        if (b->ref[i] != 0)
            victim = poorer(victim, &t->entries[b->ref[i] - 1]);
    return victim;
}

struct dp_entry *dp_table_victim(const struct dp_table *t, uint64_t hash)
{
    struct dp_entry *victim = poorest_in(t, first_bucket(t, hash), NULL);
    victim = poorest_in(t, second_bucket(t, hash), victim);
    for (uint32_t i = 1; victim == NULL && i < VICTIM_BUCKETS; i++)
        victim = poorest_in(t, ((uint32_t)hash + i) & t->bucket_mask, NULL);
    return victim;
}

void dp_table_remove(struct dp_table *t, struct dp_entry *e)
{
    struct dp_bucket *b = &t->buckets[e->bucket];
    uint32_t number = dp_table_number(t, e);
    for (unsigned i = 0; i < DP_BUCKET_WAYS; i++)
        if (b->ref[i] == number + 1)
            b->ref[i] = 0;
    e->used = false;
    e->next = t->free;
    t->free = number;
    t->live--;
}
