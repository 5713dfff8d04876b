/* SPDX-License-Identifier: Apache-2.0 */
/* cycles: the processor's time stamp, to measure short stretches of work on one core. */
#ifndef DP_CYCLES_PRIV_H
#define DP_CYCLES_PRIV_H

#include "base/base.h"

/** Ticks of a constant rate: the TSC, ARM's virtual counter, or nanoseconds where neither is. */
static inline uint64_t dp_cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return atl_clock_mono_ns();
#endif
}

#endif
