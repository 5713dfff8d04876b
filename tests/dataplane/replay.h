/* SPDX-License-Identifier: Apache-2.0 */
/* replay: an engine over a capture file, all its records, and the accounts checked. */
#ifndef TEST_DP_REPLAY_H
#define TEST_DP_REPLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/dataplane.h"
#include "tests/dataplane/frames.h"
#include "tests/dataplane/same_flow.h"

enum { REPLAY_MAX = 16384 };

struct replay {
    enum dp_state state;
    struct dp_counters counters;
    char error[512];
    uint64_t packets, bytes;
    uint32_t count;
    struct dp_flow records[REPLAY_MAX]; /* the first of them */
};

static inline void replay_drain_one(struct replay *r, struct atl_ring *ring)
{
    const void *elems;
    uint32_t n;
    while ((n = atl_ring_peek(ring, &elems)) > 0) {
        const struct dp_flow *flow = elems;
        for (uint32_t i = 0; i < n; i++) {
            r->packets += flow[i].fwd.packets + flow[i].bwd.packets;
            r->bytes += flow[i].fwd.bytes + flow[i].bwd.bytes;
            if (r->count < REPLAY_MAX)
                r->records[r->count++] = flow[i];
        }
        atl_ring_release(ring, n);
    }
}

static inline void replay_drain(struct replay *r, struct dp_engine *engine)
{
    for (uint32_t w = 0; w < dp_engine_workers(engine); w++)
        replay_drain_one(r, dp_engine_ring(engine, w));
}

static inline void replay_nap(void)
{
    struct timespec t = {.tv_nsec = 500000};
    nanosleep(&t, NULL);
}

/**
 * @param threads  start/stop instead of step
 * @return what dp_engine_create or dp_engine_start returned; *r is whole only on 0
 */
static inline int replay(struct replay *r, const struct dp_config *cfg, bool threads)
{
    struct dp_engine *engine;
    struct atl_error err = {""};
    memset(r, 0, sizeof(*r));
    int code = dp_engine_create(&engine, cfg, &err);
    if (code == 0 && threads)
        code = dp_engine_start(engine, &err);
    if (code < 0) {
        snprintf(r->error, sizeof(r->error), "%s", err.text);
        return code;
    }
    do {
        r->state = threads ? dp_engine_state(engine) : dp_engine_step(engine);
        replay_drain(r, engine);
        if (threads)
            replay_nap();
    } while (r->state == DP_RUNNING);
    replay_drain(r, engine);
    snprintf(r->error, sizeof(r->error), "%s", dp_engine_error(engine));
    dp_engine_counters(engine, &r->counters);
    dp_engine_destroy(engine);
    return 0;
}

static inline int replay_order(const void *a, const void *b)
{
    const struct dp_flow *x = a, *y = b;
    int order = memcmp(&x->src, &y->src, 2 * sizeof(x->src));
    if (order == 0)
        order = memcmp(&x->src_port, &y->src_port, 2 * sizeof(x->src_port));
    if (order == 0)
        order = (x->proto > y->proto) - (x->proto < y->proto);
    if (order == 0)
        order = (x->first_ns > y->first_ns) - (x->first_ns < y->first_ns);
    return order;
}

/** Make two replays comparable. */
static inline void replay_sort(struct replay *r)
{
    qsort(r->records, r->count, sizeof(r->records[0]), replay_order);
}

static inline bool replay_balanced(const struct replay *r)
{
    const struct dp_counters *c = &r->counters;
    return dp_counters_difference(c) == 0 && c->handed_packets == 0 && c->flows_live == 0 &&
           c->ring_full_records == 0 && c->flows_created == c->flows_exported &&
           r->packets == c->processed_packets;
}

/** Conversations of a little network, 1 ms apart, with some ARP; the same every time. */
static inline void replay_write(const char *path, uint32_t packets)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        abort();
    struct atl_rng rng;
    struct bytes arp = {0};
    put_ethernet(&arp, 0x0806);
    put_zeros(&arp, 46);
    atl_rng_init_seed(&rng, 11);
    pcap_begin(file, 1);
    for (uint32_t i = 0; i < packets; i++) {
        uint32_t host = 0x0a000000 + (uint32_t)atl_rng_below(&rng, 50), server = 0xc0a80001;
        unsigned port = 30000 + (unsigned)atl_rng_below(&rng, 4);
        unsigned payload = (unsigned)atl_rng_below(&rng, 600);
        bool back = atl_rng_below(&rng, 2) == 0;
        struct bytes f = i % 100 == 0 ? arp
                         : i % 3 == 0
                             ? udp_frame(back ? server : host, back ? 53 : port,
                                         back ? host : server, back ? port : 53, payload)
                             : tcp_frame(back ? server : host, back ? 443 : port,
                                         back ? host : server, back ? port : 443,
                                         atl_rng_below(&rng, 20) == 0 ? F_SYN : F_ACK, payload);
        pcap_add(file, &f, 1700000000000000ULL + i * 1000ULL);
    }
    fclose(file);
}

/** A path of this test's own in the folder for temporary files. */
static inline void replay_path(char out[256], const char *name)
{
    const char *folder = getenv("TMPDIR");
    snprintf(out, 256, "%s/atalaya-dp-%ld-%s", folder != NULL ? folder : "/tmp", (long)getpid(),
             name);
}

#endif
