/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEARN_KERNELS_PRIV_H
#define LEARN_KERNELS_PRIV_H

#include "learner/learner.h"

/** What of AVX-512 OpenBLAS's wide kernels are built of, as bits of a set. */
enum {
    LEARN_CPU_AVX512F = 1 << 0,
    LEARN_CPU_AVX512DQ = 1 << 1,
    LEARN_CPU_AVX512BW = 1 << 2,
    LEARN_CPU_AVX512VL = 1 << 3,
    LEARN_CPU_AVX512CD = 1 << 4,
    LEARN_CPU_AVX512 = (1 << 5) - 1, /* all of them */
};

/** learn_kernels_find for any library and processor. @param core  borrowed */
void learn_kernels_judge(const char *core, unsigned cpu, struct learn_kernels *ret_kernels);

#endif
