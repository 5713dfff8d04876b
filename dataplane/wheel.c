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
    struct dp_cold *cold = &t->cold[number];
    cold->next = w->heads[slot];
    cold->prev = HEAD | slot;
    if (cold->next != DP_NO_ENTRY)
        t->cold[cold->next].prev = number;
    w->heads[slot] = number;
}

void dp_wheel_disarm(struct dp_wheel *w, struct dp_table *t, struct dp_entry *e)
{
    struct dp_cold *cold = dp_table_cold(t, e);
    if (cold->prev == DP_NO_ENTRY)
        return;
    if (cold->prev & HEAD)
        w->heads[cold->prev & ~HEAD] = cold->next;
    else
        t->cold[cold->prev].next = cold->next;
    if (cold->next != DP_NO_ENTRY)
        t->cold[cold->next].prev = cold->prev;
    cold->next = DP_NO_ENTRY;
    cold->prev = DP_NO_ENTRY;
}

/* The one after this: by the time it is asked for, it has arrived. */
DP_PREFETCHER prefetch(const struct dp_table *t, uint32_t number)
{
    if (number == DP_NO_ENTRY)
        return;
    for (size_t line = 0; line < sizeof(struct dp_entry); line += ATL_CACHE_LINE_BYTES)
        __builtin_prefetch((const char *)&t->entries[number] + line, 1);
    __builtin_prefetch(&t->cold[number], 1);
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
        prefetch(t, t->cold[number].next);
        dp_wheel_disarm(w, t, e);
        return e;
    }
    return NULL;
}
