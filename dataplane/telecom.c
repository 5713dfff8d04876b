/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/telecom_priv.h"

enum { TAG_CAUSE_BIT = 32, TAG_PROTOCOL_BIT = 33, READ_TRIES = 16 };

static uint64_t load(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void store(_Atomic uint64_t *at, uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

/* Never 0. */
static uint64_t tag_of(enum dp_telecom_protocol protocol, bool cause, uint32_t code)
{
    return (uint64_t)(protocol + 1) << TAG_PROTOCOL_BIT | (uint64_t)cause << TAG_CAUSE_BIT | code;
}

static bool is_at(const struct dp_telecom_peer *peer, const uint64_t addr[2])
{
    return load(&peer->stamp) != 0 && load(&peer->addr[0]) == addr[0] &&
           load(&peer->addr[1]) == addr[1];
}

/* A reader that sees the sequence change throws away what it read. */
static void hand_over(struct dp_telecom_peer *peer, const uint64_t addr[2])
{
    uint32_t sequence = atomic_load_explicit(&peer->sequence, memory_order_relaxed);
    atomic_store_explicit(&peer->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    store(&peer->addr[0], addr[0]);
    store(&peer->addr[1], addr[1]);
    store(&peer->other, 0);
    for (size_t i = 0; i < DP_TELECOM_CODES; i++) {
        store(&peer->codes[i].tag, 0);
        store(&peer->codes[i].count, 0);
    }
    atomic_store_explicit(&peer->sequence, sequence + 2, memory_order_release);
}

static struct dp_telecom_peer *find(struct dp_telecom *t, const struct dp_addr *addr)
{
    uint64_t words[2] = {dp_key_word(addr->bytes), dp_key_word(addr->bytes + 8)};
    uint64_t hash = atl_hash(&t->key, addr, sizeof(*addr));
    struct dp_telecom_peer *set = t->peers[hash % DP_TELECOM_SETS], *oldest = set;
    for (size_t i = 0; i < DP_TELECOM_WAYS; i++) {
        if (is_at(&set[i], words))
            return &set[i];
        if (load(&set[i].stamp) < load(&oldest->stamp))
            oldest = &set[i];
    }
    hand_over(oldest, words);
    return oldest;
}

/* A refusal, by the tables of TS 29.060 §7.7.1, TS 29.274 §8.4, TS 29.244 §8.2.1, RFC 6733 §7.1. */
static bool is_error(enum dp_telecom_protocol protocol, bool cause, uint32_t code)
{
    switch (protocol) {
    case DP_TELECOM_GTPV1C:
        return cause && code >= 192;
    case DP_TELECOM_GTPV2C:
    case DP_TELECOM_PFCP:
        return cause && code >= 64;
    case DP_TELECOM_DIAMETER:
        return cause && code >= 3000;
    case DP_TELECOM_GTPU:
        return code == 26; /* error indication */
    case DP_TELECOM_SCTP:
        return code == 6 || code == 9; /* ABORT, ERROR */
    case DP_TELECOM_NGAP:
        return code >> 8 == 2; /* unsuccessful outcome */
    default:
        return false;
    }
}

void dp_telecom_note(struct dp_telecom *t, const struct dp_packet *p,
                     enum dp_telecom_protocol protocol, bool cause, uint32_t code)
{
    t->messages[protocol] += !cause;
    t->errors[protocol] += is_error(protocol, cause, code);
    struct dp_telecom_peer *peer = find(t, &p->key.addr[0]);
    uint64_t tag = tag_of(protocol, cause, code);
    store(&peer->stamp, ++t->notes);
    for (size_t i = 0; i < DP_TELECOM_CODES; i++) {
        uint64_t at = load(&peer->codes[i].tag);
        if (at != tag && at != 0)
            continue;
        store(&peer->codes[i].count, load(&peer->codes[i].count) + 1);
        store(&peer->codes[i].tag, tag);
        return;
    }
    store(&peer->other, load(&peer->other) + 1);
}

static uint32_t read_rows(const struct dp_telecom_peer *peer,
                          struct dp_telecom_row rows[DP_TELECOM_CODES + 1])
{
    struct dp_telecom_row row = {.count = 0};
    uint64_t addr[2] = {load(&peer->addr[0]), load(&peer->addr[1])};
    uint32_t found = 0;
    memcpy(row.peer.bytes, addr, sizeof(addr));
    for (size_t i = 0; i < DP_TELECOM_CODES; i++) {
        uint64_t tag = load(&peer->codes[i].tag);
        if (tag == 0)
            continue;
        row.count = load(&peer->codes[i].count);
        row.code = (uint32_t)tag;
        row.cause = (tag >> TAG_CAUSE_BIT & 1) != 0;
        row.protocol = (uint8_t)((tag >> TAG_PROTOCOL_BIT) - 1);
        row.error = is_error((enum dp_telecom_protocol)row.protocol, row.cause, row.code);
        rows[found++] = row;
    }
    uint64_t other = load(&peer->other);
    if (other != 0)
        rows[found++] = (struct dp_telecom_row){.peer = row.peer, .count = other, .other = true};
    return found;
}

/* @return rows of the peer, 0 when the place is empty or keeps changing hands */
static uint32_t read_peer(const struct dp_telecom_peer *peer,
                          struct dp_telecom_row rows[DP_TELECOM_CODES + 1])
{
    for (int i = 0; i < READ_TRIES; i++) {
        uint32_t before = atomic_load_explicit(&peer->sequence, memory_order_acquire);
        if (load(&peer->stamp) == 0)
            return 0;
        uint32_t found = read_rows(peer, rows);
        atomic_thread_fence(memory_order_acquire);
        uint32_t after = atomic_load_explicit(&peer->sequence, memory_order_relaxed);
        if (before == after && (before & 1) == 0)
            return found;
    }
    return 0;
}

uint32_t dp_telecom_read(const struct dp_telecom *t, struct dp_telecom_row *rows, uint32_t n)
{
    struct dp_telecom_row found[DP_TELECOM_CODES + 1];
    uint32_t total = 0;
    for (size_t set = 0; set < DP_TELECOM_SETS; set++)
        for (size_t way = 0; way < DP_TELECOM_WAYS; way++) {
            uint32_t some = read_peer(&t->peers[set][way], found);
            for (uint32_t i = 0; i < some; i++, total++)
                if (total < n)
                    rows[total] = found[i];
        }
    return total;
}
