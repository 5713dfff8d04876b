/* SPDX-License-Identifier: Apache-2.0 */
#include "fedsync/aggregate_priv.h"

#include <errno.h>
#include <math.h>

/* FedAdam as in Reddi et al. 2021 (arXiv:2003.00295), algorithm 2. */
#define ADAM_SECOND 0.99F
#define ADAM_FLOOR  1e-3F

uint32_t fed_optimiser_floats(enum fed_optimiser optimiser, uint32_t n)
{
    return optimiser == FED_ADAM ? 2 * n : optimiser == FED_AVGM ? n : 0;
}

int fed_optimiser_apply(enum fed_optimiser optimiser, float rate, float momentum, const float *base,
                        const double *step, uint32_t n, float *memory, float *out)
{
    float *first = memory, *second = memory + n;
    for (uint32_t i = 0; i < n; i++) {
        double move = step[i];
        float moved = (float)move;
        if (optimiser == FED_AVGM) {
            first[i] = momentum * first[i] + moved;
            move = (double)first[i];
        } else if (optimiser == FED_ADAM) {
            first[i] = momentum * first[i] + (1 - momentum) * moved;
            second[i] = ADAM_SECOND * second[i] + (1 - ADAM_SECOND) * moved * moved;
            move = (double)(first[i] / (sqrtf(second[i]) + ADAM_FLOOR));
        }
        out[i] = (float)((double)base[i] + (double)rate * move);
    }
    return fed_all_finite(out, n) ? 0 : -ERANGE;
}
