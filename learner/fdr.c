/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benjamini & Hochberg, "Controlling the false discovery rate", J. R. Statist. Soc. B 57 (1995).
 * Only the smallest of the p-values need be known: those that are left out cannot be found by it
 * unless they are small, and leaving one out never lets another one in.
 */
#include <stdlib.h>

#include "learner/learner.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double learn_fdr_cut(double *p_values, uint32_t n, uint64_t tests, double rate)
{
    double cut = -1;
    if (tests < n)
        tests = n;
    qsort(p_values, n, sizeof(*p_values), by_value);
    for (uint32_t k = 0; k < n; k++) {
        if (p_values[k] <= rate * (k + 1) / (double)tests)
            cut = p_values[k];
    }
    return cut;
}
