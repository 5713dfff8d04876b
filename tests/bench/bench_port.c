/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole engine on a DPDK port for a time. Usage: bench_port VDEV SECONDS
 * Prints the packets that became part of a flow in the best second, in Mpps; and of all, for each
 * second of processor time, which says more on a machine shared with others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dataplane/dataplane.h"

static void drain(struct dp_engine *engine)
{
    const void *elems;
    uint32_t n;
    for (uint32_t i = 0; i < dp_engine_workers(engine); i++)
        while ((n = atl_ring_peek(dp_engine_ring(engine, i), &elems)) > 0)
            atl_ring_release(dp_engine_ring(engine, i), n);
}

/* One second of draining. @return packets that became part of a flow in it, in Mpps */
static double second(struct dp_engine *engine)
{
    struct dp_counters before, after;
    struct timespec nap = {.tv_nsec = 20000000};
    dp_engine_counters(engine, &before);
    atl_ns from_ns = atl_clock_mono_ns(), now_ns;
    do {
        nanosleep(&nap, NULL);
        drain(engine);
        now_ns = atl_clock_mono_ns();
    } while (now_ns - from_ns < ATL_NS_PER_S);
    dp_engine_counters(engine, &after);
    return (double)(after.processed_packets - before.processed_packets) /
           (double)(now_ns - from_ns) * 1e3;
}

/* What the worker itself has measured, on one burst of many. */
static void print_stages(const struct dp_engine *engine)
{
    static const char *const names[DP_STAGE_COUNT] = {"rx", "decode", "table", "expiry"};
    struct dp_worker_stats stats;
    dp_engine_worker_stats(engine, 0, &stats);
    printf("cycles a packet:");
    for (size_t i = 0; i < DP_STAGE_COUNT; i++)
        printf(" %s %.0f", names[i],
               (double)stats.stage_cycles[i] / (double)stats.stage_packets[i]);
    puts("");
}

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct dp_config cfg;
    struct atl_error err = {""};
    struct dp_engine *engine;
    if (argc != 3 || atl_base_init() < 0)
        return 2;
    dp_config_default(&cfg);
    cfg.backend = DP_BACKEND_DPDK;
    cfg.device = argv[1];
    static const char *const eal[] = {"--no-huge", "-m", "512", "--no-shconf", "--no-pci"};
    for (size_t i = 0; i < ATL_ARRAY_LEN(eal); i++)
        cfg.eal_args[i] = eal[i];
    if (dp_engine_create(&engine, &cfg, &err) < 0 || dp_engine_start(engine, &err) < 0) {
        fprintf(stderr, "bench_port: %s\n", err.text);
        return 1;
    }
    double best = 0, from = processor_seconds();
    for (unsigned long left = strtoul(argv[2], NULL, 10); left > 0; left--) {
        double now = second(engine);
        best = now > best ? now : best;
    }
    struct dp_counters c;
    dp_engine_counters(engine, &c);
    printf("%.2f Mpps, %.2f for each second of processor time\n", best,
           (double)c.processed_packets / (processor_seconds() - from) / 1e6);
    print_stages(engine);
    dp_engine_destroy(engine);
    return 0;
}
