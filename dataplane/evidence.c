/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/evidence_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/memory_priv.h"

/* What stands before the bytes of a packet, in words of 8 bytes. */
struct head {
    uint64_t ts_ns;
    uint32_t wire, link;
    uint64_t captured;
    struct dp_addr addr[2];
};

enum { HEAD_WORDS = sizeof(struct head) / 8 };

static_assert(sizeof(struct head) % 8 == 0, "copied word by word");

/*
 * A slot is its turn, a head and the bytes, all as atomic words, so that copying beside the writer
 * is defined. turn: 2 n + 1 while packet n is written, 2 n + 2 when it stands.
 */
struct dp_evidence {
    uint32_t packets, snap_bytes, slot_words;
    _Atomic uint64_t written;
    _Atomic uint64_t *slots;
};

static uint32_t words_of(uint32_t snap_bytes)
{
    return 1 + HEAD_WORDS + (snap_bytes + 7) / 8;
}

uint64_t dp_evidence_bytes(uint32_t packets, uint32_t snap_bytes)
{
    return (uint64_t)packets * words_of(snap_bytes) * sizeof(uint64_t);
}

int dp_evidence_create(struct dp_evidence **ret_evidence, uint32_t packets, uint32_t snap_bytes)
{
    struct dp_evidence *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return -ENOMEM;
    e->packets = packets;
    e->snap_bytes = snap_bytes;
    e->slot_words = words_of(snap_bytes);
    e->slots = dp_memory_map(dp_evidence_bytes(packets, snap_bytes));
    if (e->slots == NULL) {
        free(e);
        return -ENOMEM;
    }
    *ret_evidence = e;
    return 0;
}

void dp_evidence_destroy(struct dp_evidence *e)
{
    if (e == NULL)
        return;
    dp_memory_unmap((void *)e->slots, dp_evidence_bytes(e->packets, e->snap_bytes));
    free(e);
}

/* --- the worker's side --- */

static void store(_Atomic uint64_t *to, const void *from, size_t bytes)
{
    const uint8_t *p = from;
    for (size_t at = 0; at < bytes; at += 8) {
        uint64_t word = 0;
        memcpy(&word, p + at, bytes - at < 8 ? bytes - at : 8);
        atomic_store_explicit(to++, word, memory_order_release); /* after the odd turn */
    }
}

void dp_evidence_put(struct dp_evidence *e, const struct dp_frame *frame, const struct dp_key *key)
{
    uint64_t n = atomic_load_explicit(&e->written, memory_order_relaxed);
    _Atomic uint64_t *slot = &e->slots[n % e->packets * e->slot_words];
    uint32_t captured = frame->captured < e->snap_bytes ? frame->captured : e->snap_bytes;
    const struct head head = {
        .ts_ns = frame->ts_ns,
        .wire = frame->wire,
        .link = frame->link,
        .captured = captured,
        .addr = {key->addr[0], key->addr[1]},
    };
    atomic_store_explicit(slot, 2 * n + 1, memory_order_relaxed);
    store(slot + 1, &head, sizeof(head));
    store(slot + 1 + HEAD_WORDS, frame->data, captured);
    atomic_store_explicit(slot, 2 * n + 2, memory_order_release);
    atomic_store_explicit(&e->written, n + 1, memory_order_release);
}

/* --- the reader's side --- */

static void load(void *to, const _Atomic uint64_t *from, size_t bytes)
{
    uint8_t *p = to;
    for (size_t at = 0; at < bytes; at += 8) {
        uint64_t word = atomic_load_explicit(from++, memory_order_acquire); /* before the turn */
        memcpy(p + at, &word, bytes - at < 8 ? bytes - at : 8);
    }
}

static int make_room(struct dp_slice *s, uint32_t bytes)
{
    if (s->count == s->packets_max) {
        size_t max = s->packets_max != 0 ? 2 * s->packets_max : 256;
        void *packets = realloc(s->packets, max * sizeof(*s->packets));
        if (packets == NULL)
            return -ENOMEM;
        s->packets = packets;
        s->packets_max = max;
    }
    if (s->data_max - s->data_bytes < bytes) {
        size_t max = s->data_max != 0 ? 2 * s->data_max : 65536;
        void *data = realloc(s->data, max);
        if (data == NULL)
            return -ENOMEM;
        s->data = data;
        s->data_max = max;
    }
    return 0;
}

static bool concerns(const struct head *h, const struct dp_addr *address)
{
    return address == NULL || dp_addr_equal(&h->addr[0], address) ||
           dp_addr_equal(&h->addr[1], address);
}

int dp_evidence_collect(const struct dp_evidence *e, const struct dp_addr *address,
                        struct dp_slice *s)
{
    uint64_t end = atomic_load_explicit(&e->written, memory_order_acquire);
    uint64_t begin = end > e->packets ? end - e->packets : 0;
    for (uint64_t n = begin; n < end; n++) {
        const _Atomic uint64_t *slot = &e->slots[n % e->packets * e->slot_words];
        struct head head;
        if (atomic_load_explicit(slot, memory_order_acquire) != 2 * n + 2)
            continue;
        load(&head, slot + 1, sizeof(head));
        /* Torn or not, it stays within the slot. */
        uint32_t captured = head.captured < e->snap_bytes ? (uint32_t)head.captured : e->snap_bytes;
        int r = make_room(s, captured);
        if (r < 0)
            return r;
        load(s->data + s->data_bytes, slot + 1 + HEAD_WORDS, captured);
        if (atomic_load_explicit(slot, memory_order_relaxed) != 2 * n + 2)
            continue;
        s->remembered++;
        if (!concerns(&head, address))
            continue;
        s->packets[s->count++] = (struct dp_evidence_packet){
            .ts_ns = head.ts_ns,
            .wire = head.wire,
            .link = head.link,
            .captured = captured,
            .at = s->data_bytes,
        };
        s->data_bytes += captured;
    }
    return 0;
}

void dp_slice_finish(struct dp_slice *s)
{
    free(s->packets);
    free(s->data);
    *s = (struct dp_slice){0};
}
