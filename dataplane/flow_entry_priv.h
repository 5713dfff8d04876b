/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_entry: a live flow in 244 bytes.
 *
 * Three cache lines are hot: the flow, and one for each direction. A packet touches its bucket, the
 * flow's line and its direction's line. What changes rarely lies in an array of its own (dp_cold):
 * the upper halves of IPv6 addresses (so an IPv6 packet touches a fourth line), wheel links, rare
 * flags, and the DNS digest of those few flows that have one.
 *
 * Fields are as narrow as a record can fill them. Before one of them could run over the flow is cut
 * into a next record (dp_flow_is_full), so the sums are exact, not saturated: 2^24 − 1 packets,
 * 2^39 bytes, 2^31 header bytes a direction and record.
 */
#ifndef DP_FLOW_ENTRY_PRIV_H
#define DP_FLOW_ENTRY_PRIV_H

#include "dataplane/packet_priv.h"

/** Which timeout an entry waits for. TCP moves from HALF_OPEN to IDLE (established) to CLOSED. */
enum dp_timer { DP_TIMER_IDLE, DP_TIMER_UDP, DP_TIMER_HALF_OPEN, DP_TIMER_CLOSED, DP_TIMERS };

/*
 * A processor that reads a word of which it has just written a part waits until the write is done,
 * tens of cycles. So what each packet changes is either a field with a size of its own or is
 * written together with all its word.
 */

/** Packets in the upper 24 bits, bytes in the lower 40. */
typedef uint64_t dp_volume;

/** The low 48 bits of a time. */
struct dp_moment {
    uint16_t high;
    uint32_t low;
} __attribute__((packed, aligned(2)));

/** Of one direction; by endpoint of the key. */
struct dp_hot_dir {
    dp_volume volume;
    uint32_t overhead_bytes; /* bytes − payload bytes */
    uint32_t header_bytes;
    uint16_t psh;
    struct dp_moment last;
    uint16_t ack;
    struct dp_moment first;
    uint64_t size_sq : 56, ttl_min : 8; /* 2^24 packets of 64 KB fill 56 bits; then it saturates */
    uint64_t iat_sq_us2;
    uint32_t iat_min_us, iat_max_us;
    uint32_t payload_packets : 24, ttl_max : 8;
    uint16_t size_min, size_max; /* dp_size_pack */
};

static_assert(sizeof(struct dp_hot_dir) == ATL_CACHE_LINE_BYTES, "one line");

struct dp_entry {
    _Alignas(ATL_CACHE_LINE_BYTES) uint32_t addr_low[2]; /* last four bytes, as they lie */
    uint16_t port[2];
    uint16_t vlan[2];
    uint32_t tunnel_id;
    uint8_t proto;
    uint8_t tunnel;
    uint8_t noted; /* first packets in the detail pool, or DP_NOT_NOTED */
    uint8_t qfi;
    uint64_t iat_sq_us2; /* both directions as one sequence */
    uint32_t iat_min_us, iat_max_us;
    atl_ns born_ns;                    /* clock at the first packet of this record */
    uint16_t seen : 2,                 /* packets of this record: 0, 1, more */
        timer : 2,                     /* enum dp_timer */
        initiator : 1,                 /* endpoint of the key */
        fins : 2,                      /* bit n: endpoint n sent FIN */
        syn_seen : 1,                  /* the initiator is known from a handshake */
        mid_stream : 1, reordered : 1, /* as in struct dp_flow */
        used : 1, v6 : 1,              /* v6: the upper address bytes are in the cold part */
        probation : 1,                 /* first in line for eviction */
        answered : 1,                  /* the responder was heard; counted for the link */
        detail : 1;                    /* owns a slot of the detail pool */
    struct dp_moment touched;          /* clock at the last packet, counted from born_ns */
    atl_ns last_ns;                    /* wall time of the last packet */
    struct dp_hot_dir dirs[2];
};

static_assert(sizeof(struct dp_entry) == 3 * ATL_CACHE_LINE_BYTES, "three lines");

/** Flags that few packets carry; saturating. */
struct dp_rare_flags {
    uint8_t syn, rst, fin, urg, ece, cwr;
};

struct dp_cold_tcp {
    struct dp_rare_flags rare[2];
    uint16_t window[2];
    uint32_t tunnel_id; /* where each direction has its own */
};

struct dp_cold {
    uint8_t addr_high[2][12];
    uint32_t next, prev; /* of the wheel slot, or next free entry */
    union {
        struct dp_cold_tcp tcp;
        struct dp_dns dns; /* UDP */
        struct {
            uint8_t type, code;
        } icmp; /* all others */
    };
};

static_assert(sizeof(struct dp_cold) == 52, "with an entry and its share of a bucket ≤ 256 bytes");

/** 2^32 − 1 µs, where it ends, is 71 minutes; its square still fits in 64 bits. */
static inline uint32_t dp_us(uint64_t ns)
{
    uint64_t us = ns / ATL_NS_PER_US;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/** Exact below 61,440 bytes, rounded down to a multiple of 256 above, at most 1,109,760. */
static inline uint16_t dp_size_pack(uint32_t size)
{
    if (ATL_LIKELY(size < 0xf000))
        return (uint16_t)size;
    uint32_t steps = (size - 0xf000) / 256;
    return (uint16_t)(0xf000 + (steps < 0xfff ? steps : 0xfff));
}

static inline uint32_t dp_size_unpack(uint16_t packed)
{
    return packed < 0xf000 ? packed : 0xf000 + (packed - 0xf000U) * 256;
}

/*
 * Inlined before anything is judged: GCC 12 takes a function that does nothing but prefetch for one
 * without effects, and drops the calls.
 */
#define DP_PREFETCHER static inline __attribute__((always_inline)) void

#define DP_MOMENT_MASK ((UINT64_C(1) << 48) - 1)

static inline struct dp_moment dp_moment_of(uint64_t ns)
{
    return (struct dp_moment){.high = (uint16_t)(ns >> 32), .low = (uint32_t)ns};
}

static inline uint64_t dp_moment_ns(const struct dp_moment *m)
{
    return (uint64_t)m->high << 32 | m->low;
}

static inline dp_volume dp_volume_of(uint32_t packets, uint64_t bytes)
{
    return (uint64_t)packets << 40 | bytes;
}

static inline uint32_t dp_dir_packets(const struct dp_hot_dir *d)
{
    return (uint32_t)(d->volume >> 40);
}

static inline uint64_t dp_dir_bytes(const struct dp_hot_dir *d)
{
    return d->volume & ((UINT64_C(1) << 40) - 1);
}

static inline atl_ns dp_entry_touched_ns(const struct dp_entry *e)
{
    return e->born_ns + dp_moment_ns(&e->touched);
}

#endif
