/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What counting the link costs: a capture file read with and without, in turns, and the rows that a
 * series makes from seconds. Usage: bench_link FILE [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>

#include "features/features.h"
#include "tests/bench/cycles.h"

enum { ROWS = 20000 };

static void on_second(void *ctx, const struct dp_link *second)
{
    *(uint64_t *)ctx += second->counts[DP_LINK_PACKETS];
}

static void on_row(void *ctx, const struct feat_link_row *row)
{
    *(double *)ctx += (double)row->raw[0];
}

static void drain(struct dp_engine *engine)
{
    const void *flows;
    uint32_t n;
    while ((n = atl_ring_peek(dp_engine_ring(engine, 0), &flows)) > 0)
        atl_ring_release(dp_engine_ring(engine, 0), n);
}

/* @return cycles a packet of the decode and the table stage; a negative number when it failed */
static double read_file(const char *path, bool link)
{
    struct dp_config cfg;
    struct dp_engine *engine;
    struct dp_counters c;
    struct atl_error err;
    enum dp_state state;
    uint64_t packets = 0;
    dp_config_default(&cfg);
    cfg.device = path;
    cfg.file = true;
    cfg.link = link;
    if (dp_engine_create(&engine, &cfg, &err) < 0) {
        fprintf(stderr, "bench_link: %s\n", err.text);
        return -1;
    }
    struct bench_time from = bench_now();
    do {
        state = dp_engine_step(engine);
        drain(engine);
        if (link)
            dp_engine_link(engine, on_second, &packets);
    } while (state == DP_RUNNING);
    struct bench_time to = bench_now();
    dp_engine_counters(engine, &c);
    dp_engine_destroy(engine);
    if (link && packets != c.received_packets)
        return -1;
    return (to.cycles - from.cycles) / (double)c.received_packets;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *values, int n)
{
    qsort(values, (size_t)n, sizeof(*values), by_size);
    return values[n / 2];
}

static int bench_file(const char *path, int rounds)
{
    double off[99], on[99], more[99];
    for (int i = 0; i < rounds; i++) {
        /* who goes first takes turns, too */
        for (int k = 0; k < 2; k++)
            *((i + k) % 2 == 0 ? &off[i] : &on[i]) = read_file(path, (i + k) % 2 != 0);
        if (off[i] < 0 || on[i] < 0)
            return 1;
        more[i] = on[i] - off[i];
    }
    double middle = median_of(more, rounds), without = median_of(off, rounds);
    double with = median_of(on, rounds);
    printf("file to flows, %d rounds: without %.1f (best %.1f), with %.1f (best %.1f) cycles a "
           "packet; in pairs %+.1f (median), %+.1f %%\n",
           rounds, without, off[0], with, on[0], middle, 100 * middle / without);
    return 0;
}

static int bench_rows(uint32_t interval_s)
{
    struct feat_links *links;
    struct dp_link second = {.second = 1000000};
    struct atl_rng rng;
    double sum = 0;
    atl_rng_init_seed(&rng, 1);
    atl_rng_fill(&rng, second.by_source, sizeof(second.by_source));
    if (feat_links_create(&links, interval_s, on_row, &sum) < 0)
        return 1;
    struct bench_time from = bench_now();
    for (uint32_t i = 0; i < ROWS; i++, second.second += interval_s)
        feat_links_add(links, &second);
    struct bench_time to = bench_now();
    feat_links_destroy(links);
    printf("seconds to rows of %u s: %.0f rows/s, %.1f µs a row\n", interval_s,
           (double)ROWS / (to.seconds - from.seconds), 1e6 * (to.seconds - from.seconds) / ROWS);
    return sum < 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 15;
    if (argc < 2 || rounds < 1 || rounds > 99) {
        fprintf(stderr, "usage: bench_link FILE [ROUNDS up to 99]\n");
        return 2;
    }
    if (atl_base_init() < 0)
        return 1;
    return bench_file(argv[1], rounds) | bench_rows(1);
}
