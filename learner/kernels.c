/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/kernels_priv.h"

#include <cblas.h>
#include <strings.h>

/* Cores of OpenBLAS's dynamic.c that an x86 processor of today can end up with. */
static const struct {
    const char *core;
    uint32_t bits;
} widths[] = {
    {"Prescott", 128},  {"Core2", 128},       {"Penryn", 128},     {"Nehalem", 128},
    {"Barcelona", 128}, {"Sandybridge", 256}, {"Haswell", 256},    {"Excavator", 256},
    {"Zen", 256},       {"SkylakeX", 512},    {"Cooperlake", 512}, {"SapphireRapids", 512},
};

/* The oldest wide core: it asks for nothing but LEARN_CPU_AVX512. */
static const char wide[] = "SkylakeX";

void learn_kernels_judge(const char *core, unsigned cpu, struct learn_kernels *ret_kernels)
{
    struct learn_kernels kernels = {.core = core};
    for (size_t i = 0; i < ATL_ARRAY_LEN(widths); i++) {
        if (strcasecmp(core, widths[i].core) == 0)
            kernels.bits = widths[i].bits;
    }
    bool can = (cpu & LEARN_CPU_AVX512) == LEARN_CPU_AVX512;
    kernels.better = can && kernels.bits > 0 && kernels.bits < 512 ? wide : NULL;
    *ret_kernels = kernels;
}

/* The compiler's own test asks the operating system, too, whether it saves the wide registers. */
static unsigned processor(void)
{
#if defined(__x86_64__)
    return (__builtin_cpu_supports("avx512f") ? LEARN_CPU_AVX512F : 0U) |
           (__builtin_cpu_supports("avx512dq") ? LEARN_CPU_AVX512DQ : 0U) |
           (__builtin_cpu_supports("avx512bw") ? LEARN_CPU_AVX512BW : 0U) |
           (__builtin_cpu_supports("avx512vl") ? LEARN_CPU_AVX512VL : 0U) |
           (__builtin_cpu_supports("avx512cd") ? LEARN_CPU_AVX512CD : 0U);
#else
    return 0;
#endif
}

void learn_kernels_find(struct learn_kernels *ret_kernels)
{
    learn_kernels_judge(openblas_get_corename(), processor(), ret_kernels);
}
