/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_table_priv.h"

#include <errno.h>

#include "dataplane/memory_priv.h"

/* How far a search for a victim goes beyond its two buckets. */
#define VICTIM_BUCKETS 64

/* Flows a bucket at full capacity: with two choices of ten ways a full pair is next to impossible.
 */
#define BUCKET_LOAD 6

/* A first bucket with more free ways than that takes a flow whatever the second one looks like. */
#define SPARE_WAYS 2

/* --- memory --- */

static uint32_t count_buckets(uint32_t capacity)
{
    return (capacity + BUCKET_LOAD - 1) / BUCKET_LOAD + 1;
}

uint64_t dp_table_bytes(uint32_t capacity, uint32_t details, unsigned parts)
{
    return (uint64_t)count_buckets(capacity) * sizeof(struct dp_bucket) +
           (uint64_t)capacity * (sizeof(struct dp_entry) + sizeof(struct dp_cold)) +
           dp_detail_bytes(capacity, details, parts);
}

int dp_table_init(struct dp_table *t, uint32_t capacity, uint32_t details, unsigned parts,
                  const struct atl_hash_key *key)
{
    *t = (struct dp_table){
        .bucket_count = count_buckets(capacity),
        .capacity = capacity,
        .match = dp_match_best()->burst,
    };
    dp_hash_init(&t->hash, key, NULL);
    t->buckets = dp_memory_map(t->bucket_count * sizeof(*t->buckets));
    t->entries = dp_memory_map(capacity * sizeof(*t->entries));
    t->cold = dp_memory_map(capacity * sizeof(*t->cold));
    if (t->buckets == NULL || t->entries == NULL || t->cold == NULL ||
        !dp_detail_init(&t->detail, capacity, details, parts)) {
        dp_table_finish(t);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < capacity; i++)
        t->cold[i].next = i + 1 < capacity ? i + 1 : DP_NO_ENTRY;
    return 0;
}

void dp_table_finish(struct dp_table *t)
{
    dp_memory_unmap(t->buckets, t->bucket_count * sizeof(*t->buckets));
    dp_memory_unmap(t->entries, t->capacity * sizeof(*t->entries));
    dp_memory_unmap(t->cold, t->capacity * sizeof(*t->cold));
    dp_detail_finish(&t->detail);
    *t = (struct dp_table){0};
}

/* --- keys --- */

static inline uint32_t word32(const void *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static const uint8_t mapped_v4[12] = {[10] = 0xff, [11] = 0xff};

/* The bits in which the upper bytes are not those of mapped IPv4 addresses; 0: IPv4. */
static inline uint64_t not_v4(const struct dp_key *key)
{
    uint64_t high = dp_key_word(key->addr[0].bytes) | dp_key_word(key->addr[1].bytes);
    uint32_t mapped = word32(mapped_v4 + 8);
    return high | (word32(key->addr[0].bytes + 8) ^ mapped) |
           (word32(key->addr[1].bytes + 8) ^ mapped);
}

static inline bool is_v6(const struct dp_key *key)
{
    return not_v4(key) != 0;
}

static inline uint64_t tunnel_mask(void)
{
    const struct {
        uint32_t tunnel_id;
        uint8_t proto, tunnel, other[2];
    } mask = {UINT32_MAX, UINT8_MAX, UINT8_MAX, {0, 0}};
    return dp_key_word(&mask);
}

static inline bool high_equal(const struct dp_cold *cold, const struct dp_key *key)
{
    return memcmp(cold->addr_high[0], key->addr[0].bytes, 12) == 0 &&
           memcmp(cold->addr_high[1], key->addr[1].bytes, 12) == 0;
}

/* Ports and tags, and tunnel, lie in the entry as they lie in the key, so two words compare them.
 */
static_assert(offsetof(struct dp_entry, vlan) - offsetof(struct dp_entry, port) ==
                  offsetof(struct dp_key, vlan) - offsetof(struct dp_key, port),
              "port and vlan are one word");
static_assert(offsetof(struct dp_entry, tunnel) - offsetof(struct dp_entry, tunnel_id) ==
                  offsetof(struct dp_key, tunnel) - offsetof(struct dp_key, tunnel_id),
              "tunnel_id, proto and tunnel are in one word");

/* Every byte of the key, but those that IPv4 addresses have in common. */
static inline bool is_of(const struct dp_table *t, const struct dp_entry *e,
                         const struct dp_key *key)
{
    const unsigned char *mine = (const unsigned char *)e, *theirs = (const unsigned char *)key;
    uint64_t ports = dp_key_word(mine + offsetof(struct dp_entry, port));
    uint64_t tunnel = dp_key_word(mine + offsetof(struct dp_entry, tunnel_id));
    uint32_t low = (e->addr_low[0] ^ word32(key->addr[0].bytes + 12)) |
                   (e->addr_low[1] ^ word32(key->addr[1].bytes + 12));
    uint64_t differ =
        low | (ports ^ dp_key_word(theirs + offsetof(struct dp_key, port))) |
        ((tunnel ^ dp_key_word(theirs + offsetof(struct dp_key, tunnel_id))) & tunnel_mask());
    if (differ != 0 || !e->used)
        return false;
    uint64_t upper = not_v4(key);
    if (ATL_LIKELY(upper == 0))
        return !e->v6;
    return e->v6 && high_equal(dp_table_cold(t, e), key);
}

static void set_key(struct dp_table *t, struct dp_entry *e, const struct dp_key *key)
{
    struct dp_cold *cold = dp_table_cold(t, e);
    for (int i = 0; i < 2; i++) {
        e->addr_low[i] = word32(key->addr[i].bytes + 12);
        e->port[i] = key->port[i];
        e->vlan[i] = key->vlan[i];
        memcpy(cold->addr_high[i], key->addr[i].bytes, 12);
    }
    e->tunnel_id = key->tunnel_id;
    e->proto = key->proto;
    e->tunnel = key->tunnel;
    e->v6 = is_v6(key);
}

void dp_table_key(const struct dp_table *t, const struct dp_entry *e, struct dp_key *ret_key)
{
    const struct dp_cold *cold = dp_table_cold(t, e);
    *ret_key = (struct dp_key){
        .port = {e->port[0], e->port[1]},
        .vlan = {e->vlan[0], e->vlan[1]},
        .tunnel_id = e->tunnel_id,
        .proto = e->proto,
        .tunnel = e->tunnel,
    };
    for (int i = 0; i < 2; i++) {
        memcpy(ret_key->addr[i].bytes, cold->addr_high[i], 12);
        memcpy(ret_key->addr[i].bytes + 12, &e->addr_low[i], 4);
    }
}

/* --- buckets --- */

/* n × bucket_count / 2^32 lies in 0 … bucket_count − 1 and needs no division. */
static inline uint32_t scale(const struct dp_table *t, uint32_t n)
{
    return (uint32_t)((uint64_t)n * t->bucket_count >> 32);
}

/* The buckets come from the upper bits of each half, the tag from the lower ones of both. */
static inline uint32_t first_bucket(const struct dp_table *t, uint64_t hash)
{
    return scale(t, (uint32_t)hash);
}

static inline uint32_t second_bucket(const struct dp_table *t, uint64_t hash)
{
    return scale(t, (uint32_t)(hash >> 32));
}

static inline uint16_t tag_of(uint64_t hash)
{
    uint16_t tag = (uint16_t)(hash ^ (hash >> 32));
    return tag != 0 ? tag : 1;
}

static struct dp_entry *pick(const struct dp_table *t, const struct dp_bucket *b, unsigned ways,
                             const struct dp_key *key)
{
    for (; ways != 0; ways &= ways - 1) {
        struct dp_entry *e = &t->entries[b->ref[__builtin_ctz(ways)]];
        if (is_of(t, e, key))
            return e;
    }
    return NULL;
}

struct dp_entry *dp_table_find(const struct dp_table *t, const struct dp_key *key, uint64_t hash)
{
    const struct dp_bucket *b = &t->buckets[first_bucket(t, hash)];
    struct dp_entry *e = pick(t, b, dp_match_one(b, tag_of(hash)), key);
    if (e != NULL)
        return e;
    b = &t->buckets[second_bucket(t, hash)];
    return pick(t, b, dp_match_one(b, tag_of(hash)), key);
}

/*
 * The first bucket as long as it has room to spare: the fewer flows live in their second, the more
 * packets touch one bucket only.
 */
static struct dp_bucket *roomier(const struct dp_table *t, uint64_t hash, unsigned *ret_ways)
{
    struct dp_bucket *first = &t->buckets[first_bucket(t, hash)];
    struct dp_bucket *second = &t->buckets[second_bucket(t, hash)];
    unsigned ways = dp_match_one(first, 0);
    *ret_ways = ways;
    if (__builtin_popcount(ways) > SPARE_WAYS)
        return first;
    unsigned other_ways = dp_match_one(second, 0);
    if (__builtin_popcount(other_ways) <= __builtin_popcount(ways))
        return first;
    *ret_ways = other_ways;
    return second;
}

struct dp_entry *dp_table_insert(struct dp_table *t, const struct dp_key *key, uint64_t hash)
{
    unsigned ways;
    struct dp_bucket *b = roomier(t, hash, &ways);
    uint32_t number = t->free;
    if (ways == 0 || number == DP_NO_ENTRY)
        return NULL;

    struct dp_entry *e = &t->entries[number];
    struct dp_cold *cold = &t->cold[number];
    t->free = cold->next;
    t->live++;
    t->changes++;
    *e = (struct dp_entry){.used = true, .probation = true};
    *cold = (struct dp_cold){.next = DP_NO_ENTRY, .prev = DP_NO_ENTRY};
    set_key(t, e, key);
    unsigned way = (unsigned)__builtin_ctz(ways);
    b->tag[way] = tag_of(hash);
    b->ref[way] = number;
    b->probation |= 1U << way;
    if (t->free != DP_NO_ENTRY) {
        /* The next new flow will want it. */
        for (size_t line = 0; line < sizeof(*e); line += ATL_CACHE_LINE_BYTES)
            __builtin_prefetch((const char *)&t->entries[t->free] + line, 1);
        __builtin_prefetch(&t->cold[t->free], 1);
    }
    return e;
}

/* The way of this bucket that refers to the entry, as a bit; 0 = none. */
static unsigned way_of(const struct dp_bucket *b, uint32_t number)
{
    unsigned ways = 0;
    for (unsigned i = 0; i < DP_BUCKET_WAYS; i++)
        ways |= (unsigned)(b->tag[i] != 0 && b->ref[i] == number) << i;
    return ways;
}

static struct dp_bucket *home(const struct dp_table *t, const struct dp_entry *e, uint64_t hash,
                              unsigned *ret_way)
{
    uint32_t number = dp_table_number(t, e);
    struct dp_bucket *b = &t->buckets[first_bucket(t, hash)];
    *ret_way = way_of(b, number);
    if (*ret_way == 0) {
        b = &t->buckets[second_bucket(t, hash)];
        *ret_way = way_of(b, number);
    }
    return b;
}

void dp_table_settle(struct dp_table *t, struct dp_entry *e, uint64_t hash)
{
    unsigned way;
    struct dp_bucket *b = home(t, e, hash, &way);
    b->probation &= ~way;
    e->probation = false;
}

void dp_table_remove(struct dp_table *t, struct dp_entry *e, uint64_t hash)
{
    unsigned way;
    struct dp_bucket *b = home(t, e, hash, &way);
    b->tag[__builtin_ctz(way)] = 0;
    b->probation &= ~way;
    dp_detail_close(&t->detail, dp_table_number(t, e), e);
    e->used = false;
    dp_table_cold(t, e)->next = t->free;
    t->free = dp_table_number(t, e);
    t->live--;
    t->changes++;
}

/* --- victims --- */

/* One of the ways by lot: the hash is as good as a die, and no entry needs to be looked at. */
static struct dp_entry *by_lot(const struct dp_table *t, const struct dp_bucket *b, uint64_t hash)
{
    unsigned ways = b->probation;
    unsigned skip = (unsigned)((hash & 0xff) * (unsigned)__builtin_popcount(ways) >> 8);
    while (skip-- > 0)
        ways &= ways - 1;
    return &t->entries[b->ref[__builtin_ctz(ways)]];
}

static struct dp_entry *oldest(const struct dp_table *t, const struct dp_bucket *b,
                               struct dp_entry *oldest)
{
    for (unsigned ways = ~dp_match_one(b, 0) & DP_BUCKET_ALL; ways != 0; ways &= ways - 1) {
        struct dp_entry *e = &t->entries[b->ref[__builtin_ctz(ways)]];
        if (oldest == NULL || dp_entry_touched_ns(e) < dp_entry_touched_ns(oldest))
            oldest = e;
    }
    return oldest;
}

/*
 * A flow on probation of the own buckets; where the pool is empty, not the buckets, of any bucket
 * near; else whoever is silent longest.
 */
struct dp_entry *dp_table_victim(const struct dp_table *t, uint64_t hash)
{
    const struct dp_bucket *first = &t->buckets[first_bucket(t, hash)];
    const struct dp_bucket *second = &t->buckets[second_bucket(t, hash)];
    if (first->probation != 0)
        return by_lot(t, first, hash);
    if (second->probation != 0)
        return by_lot(t, second, hash);

    struct dp_entry *victim = oldest(t, second, oldest(t, first, NULL));
    bool room = dp_match_one(first, 0) != 0 || dp_match_one(second, 0) != 0;
    uint32_t at = first_bucket(t, hash);
    for (uint32_t i = 1; room && i < VICTIM_BUCKETS; i++) {
        at = at + 1 < t->bucket_count ? at + 1 : 0;
        const struct dp_bucket *b = &t->buckets[at];
        if (b->probation != 0)
            return by_lot(t, b, hash);
        if (victim == NULL)
            victim = oldest(t, b, NULL);
    }
    return victim;
}

/* --- stages --- */

void dp_table_hash_packets(const struct dp_table *t, struct dp_packet *packets, uint32_t n)
{
    t->hash.burst(&t->hash, &packets[0].key, &packets[0].hash, sizeof(packets[0]), n);
}

void dp_table_stage_buckets(const struct dp_table *t, const struct dp_packet *packets,
                            struct dp_lookup *l, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        l->bucket[i] = first_bucket(t, packets[i].hash);
        l->tag[i] = tag_of(packets[i].hash);
        __builtin_prefetch(&t->buckets[l->bucket[i]]);
    }
}

/* Ask for the flow's line and the sender's: all that most packets change. */
DP_PREFETCHER prefetch_entry(const struct dp_table *t, const struct dp_bucket *b, unsigned ways,
                             const struct dp_packet *p)
{
    uint32_t number = b->ref[__builtin_ctz(ways)];
    const struct dp_entry *e = &t->entries[number];
    __builtin_prefetch(e, 1);
    __builtin_prefetch(&e->dirs[p->from], 1);
    if (is_v6(&p->key))
        __builtin_prefetch(&t->cold[number]);
}

void dp_table_stage_match(const struct dp_table *t, const struct dp_packet *packets,
                          struct dp_lookup *l, uint32_t n)
{
    uint32_t bucket[DP_LOOKUP_MAX], number[DP_LOOKUP_MAX], missing = 0;
    uint16_t tag[DP_LOOKUP_MAX], ways[DP_LOOKUP_MAX];
    l->changes = t->changes;
    t->match(t->buckets, l->bucket, l->tag, l->ways, n);
    for (uint32_t i = 0; i < n; i++) {
        if (l->ways[i] != 0) {
            prefetch_entry(t, &t->buckets[l->bucket[i]], l->ways[i], &packets[i]);
            continue;
        }
        number[missing] = i;
        tag[missing] = l->tag[i];
        bucket[missing] = second_bucket(t, packets[i].hash);
        __builtin_prefetch(&t->buckets[bucket[missing]]);
        missing++;
    }
    t->match(t->buckets, bucket, tag, ways, missing);
    for (uint32_t k = 0; k < missing; k++) {
        uint32_t i = number[k];
        l->bucket[i] = bucket[k];
        l->ways[i] = ways[k];
        if (ways[k] != 0)
            prefetch_entry(t, &t->buckets[bucket[k]], ways[k], &packets[i]);
    }
}

/* Kept apart, so that what nearly all packets need has the registers for itself. */
static __attribute__((noinline)) struct dp_entry *find_other(const struct dp_table *t,
                                                             const struct dp_packet *p,
                                                             const struct dp_bucket *b,
                                                             unsigned ways, bool changed)
{
    struct dp_entry *e = pick(t, b, ways, &p->key);
    if (e != NULL)
        return e;
    /* Nothing changed, and no tag was found in either bucket: then the flow is not there. */
    return ways == 0 && !changed ? NULL : dp_table_find(t, &p->key, p->hash);
}

struct dp_entry *dp_table_stage_find(const struct dp_table *t, const struct dp_packet *p,
                                     const struct dp_lookup *l, uint32_t i)
{
    const struct dp_bucket *b = &t->buckets[l->bucket[i]];
    unsigned ways = l->ways[i];
    if (ATL_LIKELY(ways != 0)) {
        /* A candidate that was removed meanwhile does not compare equal; one that was reused does
         * only if it is this very flow. */
        struct dp_entry *e = &t->entries[b->ref[__builtin_ctz(ways)]];
        if (ATL_LIKELY(is_of(t, e, &p->key)))
            return e;
    }
    return find_other(t, p, b, ways, l->changes != t->changes);
}
