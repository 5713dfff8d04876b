/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/distribute_priv.h"

#include <errno.h>
#include <stdlib.h>

enum {
    /* Packets on the way to one worker, over all its rings. */
    SLOTS = 8192,
    SLOTS_MIN = 256,
};

struct dp_distribute {
    uint32_t sources, workers;
    uint32_t slots; /* of each ring */
    _Atomic uint64_t told_ns;
    _Atomic uint32_t closed;
    struct atl_ring *rings[]; /* from source s to worker w: s × workers + w; NULL to itself */
};

static struct atl_ring *ring(const struct dp_distribute *d, uint32_t from, uint32_t to)
{
    return d->rings[(size_t)from * d->workers + to];
}

static uint32_t ring_slots(uint32_t sources)
{
    uint32_t slots = SLOTS;
    for (uint32_t n = 1; n < sources && slots > SLOTS_MIN; n *= 2)
        slots /= 2;
    return slots;
}

int dp_distribute_create(struct dp_distribute **ret_d, uint32_t sources, uint32_t workers)
{
    size_t rings = (size_t)sources * workers;
    struct dp_distribute *d = calloc(1, sizeof(*d) + rings * sizeof(d->rings[0]));
    if (d == NULL)
        return -ENOMEM;
    d->sources = sources;
    d->workers = workers;
    d->slots = ring_slots(sources);
    int r = 0;
    for (size_t i = 0; i < rings && r == 0; i++)
        if (i / workers != i % workers)
            r = atl_ring_create(&d->rings[i], d->slots, sizeof(struct dp_packet));
    if (r < 0) {
        dp_distribute_destroy(d);
        return -ENOMEM;
    }
    *ret_d = d;
    return 0;
}

void dp_distribute_destroy(struct dp_distribute *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < (size_t)d->sources * d->workers; i++)
        atl_ring_destroy(d->rings[i]);
    free(d);
}

uint64_t dp_distribute_bytes(uint32_t workers)
{
    if (workers < 2)
        return 0;
    uint64_t most = 0;
    for (uint32_t sources = 1; sources <= workers; sources++) {
        uint64_t slots = (uint64_t)sources * (workers - 1) * ring_slots(sources);
        most = slots > most ? slots : most;
    }
    return most * sizeof(struct dp_packet);
}

uint32_t dp_distribute_give(struct dp_distribute *d, uint32_t self, struct dp_packet *batch,
                            uint32_t n, uint32_t *ret_given, uint32_t *ret_lost)
{
    uint32_t kept = 0, given = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t owner = dp_distribute_owner(batch[i].hash, d->workers);
        if (owner == self) {
            if (kept != i)
                batch[kept] = batch[i];
            kept++;
            continue;
        }
        struct atl_ring *out = ring(d, self, owner);
        struct dp_packet *slot = atl_ring_reserve(out);
        if (ATL_UNLIKELY(slot == NULL))
            continue;
        *slot = batch[i];
        atl_ring_commit(out);
        given++;
    }
    *ret_given = given;
    *ret_lost = n - kept - given;
    return kept;
}

uint32_t dp_distribute_take(struct dp_distribute *d, uint32_t self, struct dp_packet *batch,
                            uint32_t max)
{
    uint32_t taken = 0;
    for (uint32_t from = 0; from < d->sources && taken < max; from++) {
        struct atl_ring *in = ring(d, from, self);
        const void *elems;
        uint32_t n;
        /* Twice at most: around the ring's end. */
        while (in != NULL && taken < max && (n = atl_ring_peek(in, &elems)) > 0) {
            n = n < max - taken ? n : max - taken;
            memcpy(&batch[taken], elems, n * sizeof(*batch));
            atl_ring_release(in, n);
            taken += n;
        }
    }
    return taken;
}

bool dp_distribute_has_room(const struct dp_distribute *d, uint32_t self, uint32_t n)
{
    if (self >= d->sources)
        return true;
    for (uint32_t to = 0; to < d->workers; to++)
        if (to != self && d->slots - atl_ring_used(ring(d, self, to)) < n)
            return false;
    return true;
}

void dp_distribute_tell(struct dp_distribute *d, uint32_t self, atl_ns clock_ns)
{
    if (self < d->sources)
        atomic_store_explicit(&d->told_ns, clock_ns, memory_order_release);
}

atl_ns dp_distribute_told(const struct dp_distribute *d)
{
    return atomic_load_explicit(&d->told_ns, memory_order_acquire);
}

void dp_distribute_close(struct dp_distribute *d, uint32_t self)
{
    if (self < d->sources)
        atomic_fetch_add_explicit(&d->closed, 1, memory_order_acq_rel);
}

bool dp_distribute_ended(const struct dp_distribute *d, uint32_t self)
{
    if (atomic_load_explicit(&d->closed, memory_order_acquire) < d->sources)
        return false;
    for (uint32_t from = 0; from < d->sources; from++)
        if (from != self && atl_ring_used(ring(d, from, self)) != 0)
            return false;
    return true;
}
