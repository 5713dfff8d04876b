/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_detail_priv.h"

#include "dataplane/memory_priv.h"

enum {
    PAUSE_US = 1000000, /* longer gaps end a bulk and part subflows */
    IDLE_US = 5000000,  /* longer gaps are idle spells */
    BULK_PACKETS = 4,
    BOTH = 2, /* index of both directions as one */
    SPELLS_MAX = UINT16_MAX,
    PAUSES_MAX = (1 << 24) - 1,
};

/* --- the pool --- */

static size_t slot_bytes(unsigned parts)
{
    return ((parts & DP_DETAIL_FIRST) != 0 ? sizeof(struct dp_firsts) : 0) +
           ((parts & DP_DETAIL_SUMS) != 0 ? sizeof(struct dp_sums) : 0);
}

uint64_t dp_detail_bytes(uint32_t capacity, uint32_t slots, unsigned parts)
{
    if (slots == 0)
        return 0;
    return (uint64_t)slots * (slot_bytes(parts) + sizeof(uint32_t)) +
           (uint64_t)capacity * sizeof(uint32_t);
}

bool dp_detail_init(struct dp_detail_pool *pool, uint32_t capacity, uint32_t slots, unsigned parts)
{
    *pool = (struct dp_detail_pool){.max = slots, .capacity = capacity, .parts = parts};
    if (slots == 0)
        return true;
    pool->slots = dp_memory_map(slots * slot_bytes(parts));
    pool->of = dp_memory_map(capacity * sizeof(*pool->of));
    pool->free = dp_memory_map(slots * sizeof(*pool->free));
    if (pool->slots == NULL || pool->of == NULL || pool->free == NULL)
        return false;
    for (; pool->left < slots; pool->left++)
        pool->free[pool->left] = pool->left;
    return true;
}

void dp_detail_finish(struct dp_detail_pool *pool)
{
    dp_memory_unmap(pool->slots, pool->max * slot_bytes(pool->parts));
    dp_memory_unmap(pool->of, pool->capacity * sizeof(*pool->of));
    dp_memory_unmap(pool->free, pool->max * sizeof(*pool->free));
    *pool = (struct dp_detail_pool){0};
}

static void *slot(const struct dp_detail_pool *pool, uint32_t number)
{
    return pool->slots + pool->of[number] * slot_bytes(pool->parts);
}

static struct dp_firsts *firsts(const struct dp_detail_pool *pool, uint32_t number)
{
    return (pool->parts & DP_DETAIL_FIRST) != 0 ? slot(pool, number) : NULL;
}

static struct dp_sums *sums(const struct dp_detail_pool *pool, uint32_t number)
{
    if ((pool->parts & DP_DETAIL_SUMS) == 0)
        return NULL;
    size_t before = slot_bytes(pool->parts & DP_DETAIL_FIRST);
    return (void *)((char *)slot(pool, number) + before);
}

void dp_detail_open(struct dp_detail_pool *pool, uint32_t number, struct dp_entry *e)
{
    if (pool->left == 0)
        return;
    pool->of[number] = pool->free[--pool->left];
    memset(slot(pool, number), 0, slot_bytes(pool->parts));
    e->detail = true;
    e->noted = 0;
}

void dp_detail_close(struct dp_detail_pool *pool, uint32_t number, struct dp_entry *e)
{
    if (!e->detail)
        return;
    pool->free[pool->left++] = pool->of[number];
    e->detail = false;
    e->noted = 0;
}

/* A flow that found no slot before may find one now: its sums are whole from here on. */
void dp_detail_restart(struct dp_detail_pool *pool, uint32_t number, struct dp_entry *e)
{
    dp_detail_close(pool, number, e);
    if ((pool->parts & DP_DETAIL_SUMS) != 0)
        dp_detail_open(pool, number, e);
    e->noted = DP_NOT_NOTED;
}

/* --- one packet --- */

static void note_first(struct dp_firsts *f, struct dp_entry *e, const struct dp_packet *p,
                       uint32_t gap_us)
{
    if (e->noted >= DP_FIRST_PACKETS)
        return;
    f->packet[e->noted++] = (struct dp_first_packet){
        .gap_us = gap_us,
        .size = p->bytes < UINT16_MAX ? (uint16_t)p->bytes : UINT16_MAX,
        .flags = p->tcp_flags,
        .backward = p->from,
    };
}

static uint64_t moments_apart(uint64_t from, uint64_t to)
{
    return (to - from) & DP_MOMENT_MASK;
}

static uint64_t plus(uint64_t sum, uint64_t more)
{
    return sum > UINT64_MAX - more ? UINT64_MAX : sum + more;
}

/* 2^32 µs squared fit in 64 bits; a longer spell is squared as if it were that long. */
static uint64_t square(uint64_t us)
{
    return us > UINT32_MAX ? (uint64_t)UINT32_MAX * UINT32_MAX : us * us;
}

static void add_payload(struct dp_sums *s, const struct dp_packet *p, bool first)
{
    const uint64_t most = (UINT64_C(1) << 56) - 1;
    unsigned from = p->from;
    uint16_t size = dp_size_pack(p->payload_bytes);
    uint8_t header = p->header_bytes < UINT8_MAX ? (uint8_t)p->header_bytes : UINT8_MAX;
    uint64_t sq = (uint64_t)p->payload_bytes * p->payload_bytes;
    s->dirs[from].payload_sq =
        sq > most - s->dirs[from].payload_sq ? most : s->dirs[from].payload_sq + sq;
    if (first || size < s->payload_min[from])
        s->payload_min[from] = size;
    if (size > s->payload_max[from])
        s->payload_max[from] = size;
    if (first || header < s->dirs[from].header_min)
        s->dirs[from].header_min = header;
}

/* @param sum  which bulks grow, should the run be one */
static void add_run(struct dp_sums *s, struct dp_run *run, unsigned sum, const struct dp_packet *p,
                    uint64_t at)
{
    struct dp_bulk_sums *b = &s->bulks[sum];
    uint64_t since = moments_apart(run->last, at);
    bool goes_on = run->packets != 0 && (sum == BOTH || run->from == p->from) &&
                   since / ATL_NS_PER_US <= PAUSE_US;
    if (!goes_on) {
        *run = (struct dp_run){.last = at & DP_MOMENT_MASK,
                               .from = p->from & 1U,
                               .packets = 1,
                               .bytes = p->payload_bytes};
        return;
    }
    run->last = at & DP_MOMENT_MASK;
    if (run->packets == BULK_PACKETS) {
        b->bytes += p->payload_bytes;
        b->ns += since;
        s->bulk_packets[sum]++;
        return;
    }
    run->packets++;
    run->ns += (uint32_t)since; /* three of one second and a microsecond at most */
    if (__builtin_add_overflow(run->bytes, p->payload_bytes, &run->bytes))
        run->bytes = UINT32_MAX;
    if (run->packets == BULK_PACKETS) {
        b->n++;
        b->bytes += run->bytes;
        b->ns += run->ns;
        s->bulk_packets[sum] += BULK_PACKETS;
    }
}

static void end_active(struct dp_sums *s, uint64_t us)
{
    if (us == 0 || s->actives == SPELLS_MAX)
        return;
    if (s->actives == 0 || us < s->active_min_us)
        s->active_min_us = us & ((UINT64_C(1) << 40) - 1);
    if (us > s->active_max_us)
        s->active_max_us = us & ((UINT64_C(1) << 40) - 1);
    s->actives++;
    s->active_us += us;
    s->active_sq_us2 = plus(s->active_sq_us2, square(us));
}

static void end_idle(struct dp_sums *s, uint32_t us)
{
    if (s->idles == SPELLS_MAX)
        return;
    if (s->idles == 0 || us < s->idle_min_us)
        s->idle_min_us = us;
    s->idles++;
    s->idle_us += us;
    s->idle_sq_us2 = plus(s->idle_sq_us2, square(us));
}

static void add_gap(struct dp_sums *s, uint64_t at, uint64_t gap_ns)
{
    uint32_t gap_us = dp_us(gap_ns);
    if (gap_us <= PAUSE_US)
        return;
    if (s->pauses < PAUSES_MAX)
        s->pauses++;
    if (gap_us <= IDLE_US)
        return;
    end_active(s, moments_apart(s->active_since, at - gap_ns) / ATL_NS_PER_US);
    end_idle(s, gap_us);
    s->active_since = at & DP_MOMENT_MASK;
}

static void note_sums(struct dp_sums *s, const struct dp_entry *e, const struct dp_packet *p,
                      uint64_t gap_ns)
{
    uint64_t at = e->last_ns;
    if (e->seen == 1) {
        s->active_since = at & DP_MOMENT_MASK;
        s->first_flags = p->tcp_flags;
        s->first_from = p->from & 1U;
        s->first_payload = dp_size_pack(p->payload_bytes);
    } else {
        add_gap(s, at, gap_ns);
    }
    add_payload(s, p, dp_dir_packets(&e->dirs[p->from]) == 1);
    if (e->proto == DP_PROTO_TCP)
        s->bulks[p->from].window_last = p->window;
    if (p->payload_bytes != 0) {
        add_run(s, &s->runs[0], p->from, p, at);
        add_run(s, &s->runs[1], BOTH, p, at);
    }
}

void dp_detail_note(const struct dp_detail_pool *pool, uint32_t number, struct dp_entry *e,
                    const struct dp_packet *p, uint64_t gap_ns)
{
    struct dp_firsts *f = firsts(pool, number);
    struct dp_sums *s = sums(pool, number);
    if (f != NULL)
        note_first(f, e, p, dp_us(gap_ns));
    if (s != NULL)
        note_sums(s, e, p, gap_ns);
}

/* --- the record --- */

static struct dp_bulks record_bulks(const struct dp_sums *s, unsigned of)
{
    return (struct dp_bulks){.bytes = s->bulks[of].bytes,
                             .ns = s->bulks[of].ns,
                             .n = s->bulks[of].n,
                             .packets = s->bulk_packets[of]};
}

static struct dp_detail_dir record_dir(const struct dp_sums *s, unsigned from)
{
    return (struct dp_detail_dir){
        .payload_sq = s->dirs[from].payload_sq,
        .payload_min = dp_size_unpack(s->payload_min[from]),
        .payload_max = dp_size_unpack(s->payload_max[from]),
        .bulks = record_bulks(s, from),
        .window_last = s->bulks[from].window_last,
        .header_min = s->dirs[from].header_min,
    };
}

/* The longest gap of all is the longest idle spell, if there is one. */
static void record_sums(const struct dp_sums *s, const struct dp_entry *e, struct dp_detail *out)
{
    unsigned src = e->initiator, dst = src ^ 1;
    *out = (struct dp_detail){
        .known = true,
        .first_backward = s->first_from != src,
        .first_flags = s->first_flags,
        .first_payload = dp_size_unpack(s->first_payload),
        .pauses = s->pauses,
        .fwd = record_dir(s, src),
        .bwd = record_dir(s, dst),
        .mixed = record_bulks(s, BOTH),
        .idle = {.us = s->idle_us,
                 .sq_us2 = s->idle_sq_us2,
                 .min_us = s->idle_min_us,
                 .max_us = s->idles != 0 ? e->iat_max_us : 0,
                 .n = s->idles},
        .active = {.us = s->active_us,
                   .sq_us2 = s->active_sq_us2,
                   .min_us = s->active_min_us,
                   .max_us = s->active_max_us,
                   .n = s->actives},
    };
}

static void record_first(const struct dp_firsts *f, const struct dp_entry *e, struct dp_flow *flow)
{
    flow->first_count = e->noted == DP_NOT_NOTED ? 0 : e->noted;
    memcpy(flow->first, f->packet, flow->first_count * sizeof(flow->first[0]));
    for (uint32_t i = 0; i < flow->first_count; i++)
        flow->first[i].backward = flow->first[i].backward != e->initiator;
}

void dp_detail_record(const struct dp_detail_pool *pool, uint32_t number, const struct dp_entry *e,
                      struct dp_flow *flow)
{
    flow->first_count = 0;
    flow->detail.known = false;
    if (!e->detail)
        return;
    if ((pool->parts & DP_DETAIL_FIRST) != 0)
        record_first(firsts(pool, number), e, flow);
    if ((pool->parts & DP_DETAIL_SUMS) != 0)
        record_sums(sums(pool, number), e, &flow->detail);
}
