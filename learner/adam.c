/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/adam_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "learner/model_priv.h"

#define BETA1   0.9F
#define BETA2   0.999F
#define EPSILON 1e-8F

int learn_adam_init(struct learn_adam *adam, uint32_t n)
{
    *adam = (struct learn_adam){.n = n, .mean = learn_floats(n), .square = learn_floats(n)};
    if (adam->mean == NULL || adam->square == NULL) {
        learn_adam_finish(adam);
        return -ENOMEM;
    }
    return 0;
}

void learn_adam_finish(struct learn_adam *adam)
{
    free(adam->mean);
    free(adam->square);
    *adam = (struct learn_adam){0};
}

void learn_adam_step(struct learn_adam *adam, float *params, const float *grad, float scale,
                     float learning_rate)
{
    adam->step++;
    double t = (double)adam->step;
    float rate = (float)(learning_rate / (1.0 - pow((double)BETA1, t)));
    float root = (float)(1.0 / sqrt(1.0 - pow((double)BETA2, t)));

    float *restrict p = params, *restrict m = adam->mean, *restrict v = adam->square;
    const float *restrict gradient = grad;
#pragma omp simd
    for (uint32_t k = 0; k < adam->n; k++) {
        float g = scale * gradient[k];
        m[k] = BETA1 * m[k] + (1.0F - BETA1) * g;
        v[k] = BETA2 * v[k] + (1.0F - BETA2) * g * g;
        p[k] -= rate * m[k] / (root * sqrtf(v[k]) + EPSILON);
    }
}
