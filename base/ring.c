/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Head and tail live on lines of their own, each beside its owner's cached copy of the other's, so
 * that the line of the other side is touched only when the ring looks full or empty.
 */
struct atl_ring {
    struct {
        _Alignas(ATL_CACHE_LINE_BYTES) _Atomic uint32_t head;
        uint32_t tail_seen;
    } producer;
    struct {
        _Alignas(ATL_CACHE_LINE_BYTES) _Atomic uint32_t tail;
        uint32_t head_seen;
    } consumer;
    _Alignas(ATL_CACHE_LINE_BYTES) uint32_t slots;
    uint32_t elem_bytes;
    unsigned char *data;
};

#define SLOTS_MAX (1U << 24)

int atl_ring_create(struct atl_ring **ret_ring, uint32_t slots, uint32_t elem_bytes)
{
    if (slots < 2 || slots > SLOTS_MAX || (slots & (slots - 1)) != 0 || elem_bytes == 0)
        return -EINVAL;

    struct atl_ring *ring = aligned_alloc(ATL_CACHE_LINE_BYTES, sizeof(*ring));
    if (ring == NULL)
        return -ENOMEM;
    *ring = (struct atl_ring){.slots = slots, .elem_bytes = elem_bytes};
    ring->data = calloc(slots, elem_bytes);
    if (ring->data == NULL) {
        atl_ring_destroy(ring);
        return -ENOMEM;
    }
    *ret_ring = ring;
    return 0;
}

void atl_ring_destroy(struct atl_ring *ring)
{
    if (ring == NULL)
        return;
    free(ring->data);
    free(ring);
}

static void *slot(const struct atl_ring *ring, uint32_t at)
{
    return ring->data + (size_t)(at & (ring->slots - 1)) * ring->elem_bytes;
}

void *atl_ring_reserve(struct atl_ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->producer.head, memory_order_relaxed);
    if (head - ring->producer.tail_seen == ring->slots) {
        ring->producer.tail_seen = atomic_load_explicit(&ring->consumer.tail, memory_order_acquire);
        if (head - ring->producer.tail_seen == ring->slots)
            return NULL;
    }
    return slot(ring, head);
}

void atl_ring_commit(struct atl_ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->producer.head, memory_order_relaxed);
    atomic_store_explicit(&ring->producer.head, head + 1, memory_order_release);
}

uint32_t atl_ring_peek(struct atl_ring *ring, const void **ret_elems)
{
    uint32_t tail = atomic_load_explicit(&ring->consumer.tail, memory_order_relaxed);
    if (ring->consumer.head_seen == tail) {
        ring->consumer.head_seen = atomic_load_explicit(&ring->producer.head, memory_order_acquire);
        if (ring->consumer.head_seen == tail)
            return 0;
    }
    uint32_t ready = ring->consumer.head_seen - tail;
    uint32_t to_wrap = ring->slots - (tail & (ring->slots - 1));
    *ret_elems = slot(ring, tail);
    return ready < to_wrap ? ready : to_wrap;
}

void atl_ring_release(struct atl_ring *ring, uint32_t n)
{
    uint32_t tail = atomic_load_explicit(&ring->consumer.tail, memory_order_relaxed);
    atomic_store_explicit(&ring->consumer.tail, tail + n, memory_order_release);
}

uint32_t atl_ring_used(const struct atl_ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->consumer.tail, memory_order_acquire);
    return atomic_load_explicit(&ring->producer.head, memory_order_acquire) - tail;
}
