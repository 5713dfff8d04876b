/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow stage alone, and the whole worker on 64-byte frames in memory, at a number of live
 * flows; beside DPDK's rte_hash_lookup_bulk over the same keys where DPDK is there.
 *
 * Usage: bench_flow [FLOWS]…
 */
#include <stdio.h>
#include <string.h>

#include "dataplane/decode_priv.h"
#include "dataplane/memory_priv.h"
#include "dataplane/worker_priv.h"
#include "tests/bench/cycles.h"
#include "tests/bench/peer.h"

enum { FRAME_BYTES = 64, PACKETS = 1 << 21, RTE_BULK = 32 };

static const atl_ns start_ns = 1700000000 * ATL_NS_PER_S;

struct bench {
    struct dp_source source; /* first: the worker's source is this */
    struct dp_worker *worker;
    uint8_t *frames;           /* PACKETS of FRAME_BYTES in a row, as a card's ring would be */
    struct dp_packet *packets; /* the same, decoded */
    uint32_t at;
    uint64_t looked_up;
    bool collide;
};

/* --- frames --- */

/*
 * The i-th of 2^20 addresses whose CRC-32C ends in twelve zero bits: what a sender can prepare
 * against a table that hashes with a CRC, whatever its secret seed, for a CRC is linear. Found by
 * running the register backwards.
 */
static uint32_t colliding(uint32_t i)
{
    uint32_t crc = i << 12;
    for (int bit = 0; bit < 32; bit++)
        crc = crc >> 31 != 0 ? (crc ^ 0x82f63b78) << 1 | 1 : crc << 1;
    return ~crc;
}

static void write_frame(uint8_t *f, uint32_t client, bool back)
{
    static const uint8_t header[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 50};
    memset(f, 0, FRAME_BYTES);
    memcpy(f, header, sizeof(header));
    f[22] = 64;
    f[23] = DP_PROTO_UDP;
    uint8_t ends[2][4] = {
        {(uint8_t)(client >> 24), (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client},
        {10, 0, 0, 1}};
    memcpy(f + 26, ends[back], 4);
    memcpy(f + 30, ends[!back], 4);
    uint8_t ports[2][2] = {{0x9c, 0x40}, {0x13, 0x88}};
    memcpy(f + 34, ports[back], 2);
    memcpy(f + 36, ports[!back], 2);
    f[39] = 30;
}

static uint32_t client_of(const struct bench *b, uint32_t flow)
{
    return b->collide ? colliding(flow) : flow * 2654435761U;
}

static uint32_t bench_burst(struct dp_source *source, struct dp_frame *frames, uint32_t n)
{
    struct bench *b = (struct bench *)source;
    for (uint32_t i = 0; i < n; i++, b->at = (b->at + 1) % PACKETS)
        frames[i] = (struct dp_frame){b->frames + (size_t)b->at * FRAME_BYTES, FRAME_BYTES,
                                      FRAME_BYTES, 1, start_ns};
    return n;
}

static void bench_release(struct dp_source *source)
{
    (void)source;
}

static const struct dp_source_ops bench_ops = {
    .burst = bench_burst,
    .release = bench_release,
    .close = bench_release,
};

/* --- which flow comes next --- */

static uint32_t pick_zipf(const double *sums, uint32_t flows, double at)
{
    uint32_t low = 0, high = flows - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sums[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Zipf with exponent 1; the flows' order in memory has nothing to do with their rank. */
static void fill_frames(struct bench *b, uint32_t flows, bool zipf)
{
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 5);
    double *sums = zipf ? malloc(flows * sizeof(*sums)) : NULL, sum = 0;
    for (uint32_t i = 0; sums != NULL && i < flows; i++)
        sums[i] = sum += 1.0 / (i + 1.0);
    for (uint32_t i = 0; i < PACKETS; i++) {
        uint32_t flow = sums != NULL ? pick_zipf(sums, flows, atl_rng_unit(&rng) * sum)
                                     : (uint32_t)atl_rng_below(&rng, flows);
        write_frame(b->frames + (size_t)i * FRAME_BYTES, client_of(b, flow),
                    atl_rng_below(&rng, 2) == 1);
    }
    free(sums);
}

static void decode_frames(struct bench *b)
{
    for (uint32_t i = 0; i < PACKETS; i++) {
        struct dp_frame f = {b->frames + (size_t)i * FRAME_BYTES, FRAME_BYTES, FRAME_BYTES, 1,
                             start_ns};
        dp_decode_frame(b->worker->decoder, &f, &b->packets[i]);
        b->packets[i].clock_ns = start_ns;
    }
}

/* --- what is measured --- */

static void run_flow_stage(void *arg)
{
    struct bench *b = arg;
    for (uint32_t i = 0; i < PACKETS; i += DP_BURST) {
        memcpy(b->worker->batch, b->packets + i, DP_BURST * sizeof(b->packets[0]));
        dp_table_hash_packets(&b->worker->table, b->worker->batch, DP_BURST);
        dp_worker_process(b->worker, DP_BURST);
    }
}

static void run_worker(void *arg)
{
    struct bench *b = arg;
    for (uint32_t i = 0; i < PACKETS; i += DP_BURST)
        dp_worker_poll(b->worker);
}

static void run_rte_hash(void *arg)
{
    struct bench *b = arg;
    const void *keys[RTE_BULK];
    for (uint32_t i = 0; i < PACKETS; i += RTE_BULK) {
        for (uint32_t k = 0; k < RTE_BULK; k++)
            keys[k] = &b->packets[i + k].key;
        b->looked_up += bench_rte_lookup(keys, RTE_BULK);
    }
}

static void open_flows(struct bench *b, uint32_t flows)
{
    for (uint32_t i = 0; i < flows; i += DP_BURST) {
        for (uint32_t k = 0; k < DP_BURST; k++)
            write_frame(b->frames + (size_t)k * FRAME_BYTES, client_of(b, i + k), false);
        for (int turn = 0; turn < 2; turn++) {
            b->at = 0;
            dp_worker_poll(b->worker);
        }
    }
    b->at = 0;
}

static int set_up(struct bench *b, uint32_t flows)
{
    struct dp_config cfg;
    struct atl_hash_key key;
    dp_config_default(&cfg);
    cfg.flows_max = flows + flows / 16;
    atl_hash_key_init(&key);
    b->source = (struct dp_source){.ops = &bench_ops, .file = true};
    b->worker = aligned_alloc(ATL_CACHE_LINE_BYTES, sizeof(*b->worker));
    return b->worker == NULL ? -1 : dp_worker_init(b->worker, &b->source, &cfg, &key);
}

static void print(const char *what, uint32_t flows, const char *law, struct bench_figure f)
{
    printf("%-28s %8u %-8s %7.1f %7.0f %9.1f %9.0f\n", what, flows, law, f.mpps, f.cycles,
           f.median_mpps, f.median_cycles);
    fflush(stdout);
}

static void compare_rte_hash(struct bench *b, uint32_t flows, const char *law,
                             struct bench_figure ours)
{
    if (!bench_rte_create(flows, sizeof(struct dp_key))) {
        puts("rte_hash_lookup_bulk         skipped: no DPDK in this build, or no memory for it");
        return;
    }
    for (uint32_t i = 0; i < flows; i++) {
        uint8_t frame[FRAME_BYTES];
        struct dp_packet p;
        write_frame(frame, client_of(b, i), false);
        struct dp_frame f = {frame, FRAME_BYTES, FRAME_BYTES, 1, start_ns};
        dp_decode_frame(b->worker->decoder, &f, &p);
        bench_rte_add(&p.key);
    }
    b->looked_up = 0;
    struct bench_figure theirs = bench_measure(run_rte_hash, b, PACKETS);
    print("rte_hash_lookup_bulk", flows, law, theirs);
    if (b->looked_up != (uint64_t)PACKETS * (BENCH_RUNS + 1))
        puts("rte_hash missed keys: its figure is not comparable");
    printf("%-28s %8u %-8s %7.2f\n", "  flow stage / rte_hash", flows, law,
           ours.median_mpps / theirs.median_mpps);
    bench_rte_destroy();
}

static void tear_down(struct bench *b, uint32_t flows)
{
    if (b->worker->table.live != flows)
        printf("only %u of %u flows are live: the figures are too good\n", b->worker->table.live,
               flows);
    dp_worker_finish(b->worker);
    free(b->worker);
}

static int bench(struct bench *b, uint32_t flows)
{
    if (set_up(b, flows) < 0) {
        fprintf(stderr, "bench_flow: no memory for %u flows\n", flows);
        return 1;
    }
    open_flows(b, flows);
    for (int zipf = 0; zipf < 2; zipf++) {
        const char *law = zipf ? "zipf" : "uniform";
        fill_frames(b, flows, zipf);
        decode_frames(b);
        struct bench_figure stage = bench_measure(run_flow_stage, b, PACKETS);
        print("flow stage", flows, law, stage);
        print("decode + flow stage", flows, law, bench_measure(run_worker, b, PACKETS));
        compare_rte_hash(b, flows, law, stage);
    }
    tear_down(b, flows);
    return 0;
}

/* Keys that would share 1 bucket in 4,096 under a CRC, beside keys that would not. */
static int bench_colliding(struct bench *b)
{
    enum { FLOWS = 1 << 20 };
    struct bench_figure figure[2];
    for (int collide = 0; collide < 2; collide++) {
        b->collide = collide;
        if (set_up(b, FLOWS) < 0)
            return 1;
        open_flows(b, FLOWS);
        fill_frames(b, FLOWS, false);
        decode_frames(b);
        figure[collide] = bench_measure(run_flow_stage, b, PACKETS);
        print(collide ? "flow stage, colliding keys" : "flow stage, random keys", FLOWS, "uniform",
              figure[collide]);
        tear_down(b, FLOWS);
    }
    printf("%-28s %8u %-8s %7.2f\n", "  colliding / random", FLOWS, "uniform",
           figure[1].median_mpps / figure[0].median_mpps);
    b->collide = false;
    return 0;
}

int main(int argc, char **argv)
{
    static struct bench b;
    b.frames = dp_memory_map((size_t)PACKETS * FRAME_BYTES);
    b.packets = dp_memory_map((size_t)PACKETS * sizeof(*b.packets));
    if (atl_base_init() < 0 || b.frames == NULL || b.packets == NULL)
        return 1;
    bench_rte_start(argv[0]);
    printf("%-28s %8s %-8s %7s %7s %9s %9s   (best, median of %d; share of the machine unknown)\n",
           "64-byte packets", "flows", "law", "Mpps", "cycles", "med Mpps", "med cyc", BENCH_RUNS);
    const uint32_t usual[] = {1 << 16, 1 << 20, 1 << 21};
    int r = 0;
    for (size_t i = 0; argc < 2 && i < ATL_ARRAY_LEN(usual); i++)
        r |= bench(&b, usual[i]);
    r |= argc < 2 ? bench_colliding(&b) : 0;
    for (int i = 1; i < argc; i++)
        r |= bench(&b, (uint32_t)strtoul(argv[i], NULL, 10) / DP_BURST * DP_BURST);
    return r;
}
