/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "dataplane/worker_priv.h"

enum {
    SPINS = 64, /* empty polls before the first sleep */
    SLEEP_MIN_US = 20,
    SLEEP_FILE_US = 1000,
    /* A card's ring of 4096 packets must outlast the sleep: this holds up to 16 Mpps. */
    SLEEP_LIVE_US = 250,
    ROOM_US = 200,
    WAIT_US = 10000, /* for a device that calls; timers are a little late by as much */
};

/* After a stop: how long a consumer may stand still, and how long all may take. */
#define STALL_NS (500 * ATL_NS_PER_MS)
#define STOP_NS  (4 * ATL_NS_PER_S)

static void sleep_us(uint32_t us)
{
    struct timespec t = {.tv_nsec = (long)us * 1000};
    nanosleep(&t, NULL);
}

static bool is_set(const _Atomic bool *flag)
{
    return atomic_load_explicit(flag, memory_order_relaxed);
}

static void finish(struct dp_worker *w)
{
    bool failed = w->source->state == DP_SOURCE_FAILED;
    dp_worker_link_end(w);
    atomic_store_explicit(&w->state, failed ? DP_FAILED : DP_ENDED, memory_order_release);
}

/* Read no more. @return true when the other workers will not give anything, either */
static bool hush(struct dp_worker *w)
{
    if (w->distribute == NULL)
        return true;
    if (!w->deaf)
        dp_distribute_close(w->distribute, w->index);
    w->deaf = true;
    return dp_distribute_ended(w->distribute, w->index);
}

static bool flush(struct dp_worker *w)
{
    bool ended = dp_worker_flush(w);
    dp_worker_publish(w);
    return ended;
}

static uint32_t turn(struct dp_worker *w)
{
    uint64_t begin = dp_cycles();
    uint32_t done = dp_worker_poll(w);
    uint64_t end = dp_cycles();
    if (done != 0)
        atl_counter_add(&w->counters.busy_cycles, end - begin);
    if (w->turned != 0)
        atl_counter_add(&w->counters.all_cycles, end - w->turned);
    w->turned = end;
    return done;
}

void dp_worker_step(struct dp_worker *w)
{
    atl_counter_add(&w->beat, 1);
    if (!dp_worker_has_room(w))
        return;
    if (w->flushing) {
        if (flush(w))
            finish(w);
        return;
    }
    uint32_t work = turn(w);
    w->flushing = w->source->state != DP_SOURCE_OPEN && hush(w);
    /* Nothing to do yet: do not let the caller spin. */
    if (work == 0 && !w->flushing && (w->source->paced || !w->source->file) && w->index == 0)
        sleep_us(SLEEP_FILE_US);
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/*
 * Polls that find nothing become rarer, so that a quiet edge leaves the core to others: spin, then
 * sleep longer and longer, and at last wait for the device to call, where it can. A worker that
 * others hand packets to is called by nobody and goes on looking.
 */
static uint32_t rest(struct dp_worker *w, uint32_t empty, uint32_t max_us)
{
    if (empty < SPINS) {
        pause_briefly();
        return empty + 1;
    }
    uint32_t us = SLEEP_MIN_US * (empty - SPINS + 1);
    if (us < max_us) {
        sleep_us(us);
        return empty + 1;
    }
    if (w->distribute == NULL && w->source->calls)
        w->source->ops->wait(w->source, WAIT_US);
    else
        sleep_us(max_us);
    return empty;
}

static void work(struct dp_worker *w, const _Atomic bool *stop)
{
    uint32_t empty = 0, max_us = w->source->file ? SLEEP_FILE_US : SLEEP_LIVE_US;
    while (!is_set(stop) && w->source->state == DP_SOURCE_OPEN) {
        if (w->source->file && !dp_worker_has_room(w)) {
            /* A file can wait where a wire cannot. */
            atl_counter_add(&w->beat, 1);
            sleep_us(ROOM_US);
            continue;
        }
        empty = turn(w) != 0 ? 0 : rest(w, empty, max_us);
    }
}

/* What others read for this worker is still to come, also when its own source has failed. */
static void take_the_rest(struct dp_worker *w, const _Atomic bool *stop)
{
    uint32_t empty = 0;
    atl_ns stop_ns = 0;
    while (!hush(w)) {
        if (w->source->file && !dp_worker_has_room(w) && !is_set(stop)) {
            atl_counter_add(&w->beat, 1);
            sleep_us(ROOM_US);
            continue;
        }
        empty = turn(w) != 0 ? 0 : rest(w, empty, SLEEP_LIVE_US);
        if (!is_set(stop))
            continue;
        if (stop_ns == 0)
            stop_ns = atl_clock_mono_ns();
        if (atl_clock_mono_ns() - stop_ns > STALL_NS)
            break;
    }
}

/* @return false when a stop was asked for and nobody empties the ring in time */
static bool wait_for_room(struct dp_worker *w, const _Atomic bool *stop, atl_ns *stop_ns)
{
    uint32_t used = atl_ring_used(w->ring);
    atl_ns moved_ns = atl_clock_mono_ns();
    while (!dp_worker_has_room(w)) {
        atl_counter_add(&w->beat, 1);
        sleep_us(ROOM_US);
        if (!is_set(stop))
            continue;
        atl_ns now_ns = atl_clock_mono_ns();
        uint32_t now_used = atl_ring_used(w->ring);
        if (*stop_ns == 0)
            *stop_ns = now_ns;
        if (now_used != used)
            moved_ns = now_ns;
        used = now_used;
        if (now_ns - moved_ns > STALL_NS || now_ns - *stop_ns > STOP_NS)
            return false;
    }
    return true;
}

void dp_worker_run(struct dp_worker *w, const _Atomic bool *stop)
{
    atl_ns stop_ns = 0;
    bool wait = true;
    work(w, stop);
    take_the_rest(w, stop);
    do {
        wait = wait && wait_for_room(w, stop, &stop_ns);
        atl_counter_add(&w->beat, 1);
    } while (!flush(w));
    finish(w);
}
