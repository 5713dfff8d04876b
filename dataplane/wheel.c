/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/wheel_priv.h"

/* prev of the first in a list: this bit and the slot. Entry numbers stay below 2^26. */
#define HEAD 0x80000000U

void dp_wheel_init(struct dp_wheel *w)
{
    *w = (struct dp_wheel){0};
    for (uint32_t i = 0; i < DP_WHEEL_SLOTS; i++)
        w->heads[i] = DP_NO_ENTRY;
}

void dp_wheel_arm(struct dp_wheel *w, struct dp_table *t, struct dp_entry *e, atl_ns deadline_ns)
{
    /* Rounded up: when the tick comes the deadline has passed. */
    uint64_t tick = deadline_ns / DP_WHEEL_TICK_NS + 1;
    if (tick < w->tick)
        tick = w->tick;
    if (tick > w->tick + DP_WHEEL_SLOTS - 1)
        tick = w->tick + DP_WHEEL_SLOTS - 1;

    uint32_t slot = (uint32_t)(tick % DP_WHEEL_SLOTS);
    uint32_t number = dp_table_number(t, e);
    e->next = w->heads[slot];
    e->prev = HEAD | slot;
    if (e->next != DP_NO_ENTRY)
        t->entries[e->next].prev = number;
    w->heads[slot] = number;
}

void dp_wheel_disarm(struct dp_wheel *w, struct dp_table *t, struct dp_entry *e)
{
    if (e->prev == DP_NO_ENTRY)
        return;
    if (e->prev & HEAD)
        w->heads[e->prev & ~HEAD] = e->next;
    else
        t->entries[e->prev].next = e->next;
    if (e->next != DP_NO_ENTRY)
        t->entries[e->next].prev = e->prev;
    e->next = DP_NO_ENTRY;
    e->prev = DP_NO_ENTRY;
}

struct dp_entry *dp_wheel_next(struct dp_wheel *w, struct dp_table *t, atl_ns now_ns)
{
    uint64_t now = now_ns / DP_WHEEL_TICK_NS;
    /* One turn visits every slot: a longer leap of the clock needs no more than that. */
    if (!w->started || (now > w->tick && now - w->tick >= DP_WHEEL_SLOTS)) {
        w->tick = now >= DP_WHEEL_SLOTS ? now - DP_WHEEL_SLOTS + 1 : 0;
        w->started = true;
    }
    for (; w->tick <= now; w->tick++) {
        uint32_t number = w->heads[w->tick % DP_WHEEL_SLOTS];
        if (number == DP_NO_ENTRY)
            continue;
        struct dp_entry *e = &t->entries[number];
        dp_wheel_disarm(w, t, e);
        return e;
    }
    return NULL;
}
