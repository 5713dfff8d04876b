/* SPDX-License-Identifier: Apache-2.0 */
/* cycles: time stamps of the processor, and what several runs say together. */
#ifndef BENCH_CYCLES_H
#define BENCH_CYCLES_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum { BENCH_RUNS = 5 };

struct bench_time {
    double seconds, cycles;
};

struct bench_figure {
    double mpps, cycles;               /* best run */
    double median_mpps, median_cycles; /* middle run */
};

static inline struct bench_time bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double seconds = (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
#if defined(__x86_64__)
    return (struct bench_time){seconds, (double)__rdtsc()};
#else
    return (struct bench_time){seconds, 0};
#endif
}

static inline int bench_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** Run it BENCH_RUNS times after once unmeasured; each run handles packets of them. */
static inline struct bench_figure bench_measure(void (*run)(void *), void *arg, double packets)
{
    double seconds[BENCH_RUNS], cycles[BENCH_RUNS];
    run(arg);
    for (int i = 0; i < BENCH_RUNS; i++) {
        struct bench_time from = bench_now();
        run(arg);
        struct bench_time to = bench_now();
        seconds[i] = to.seconds - from.seconds;
        cycles[i] = to.cycles - from.cycles;
    }
    qsort(seconds, BENCH_RUNS, sizeof(seconds[0]), bench_order);
    qsort(cycles, BENCH_RUNS, sizeof(cycles[0]), bench_order);
    return (struct bench_figure){
        .mpps = packets / seconds[0] / 1e6,
        .cycles = cycles[0] / packets,
        .median_mpps = packets / seconds[BENCH_RUNS / 2] / 1e6,
        .median_cycles = cycles[BENCH_RUNS / 2] / packets,
    };
}

#endif
