/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/tape_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int learn_tape_init(struct learn_tape *tape, const struct learn_layout *layout)
{
    *tape = (struct learn_tape){.layout = *layout};
    size_t floats = 0;
    for (uint32_t l = 0; l < layout->n_layers; l++)
        floats += (size_t)LEARN_SLICE * (layout->dim[l] + layout->dim[l + 1]);
    tape->memory = learn_floats(floats);
    if (tape->memory == NULL)
        return -ENOMEM;

    float *at = tape->memory;
    for (uint32_t l = 0; l < layout->n_layers; l++) {
        tape->in[l] = at;
        at += (size_t)LEARN_SLICE * layout->dim[l];
        tape->delta[l] = at;
        at += (size_t)LEARN_SLICE * layout->dim[l + 1];
    }
    return 0;
}

void learn_tape_finish(struct learn_tape *tape)
{
    free(tape->memory);
    *tape = (struct learn_tape){0};
}

void learn_tape_drop(struct learn_tape *tape, uint32_t row)
{
    /* both factors: zero times an infinite input would still be NaN in the matrix product */
    for (uint32_t l = 0; l < tape->layout.n_layers; l++) {
        size_t in = tape->layout.dim[l], out = tape->layout.dim[l + 1];
        memset(tape->in[l] + row * in, 0, in * sizeof(float));
        memset(tape->delta[l] + row * out, 0, out * sizeof(float));
    }
}

/* In: y without its bias. Out: delta. @return the row's loss */
static float output_delta(const float *restrict x, const float *restrict b, float *restrict y,
                          uint32_t n, float clip)
{
    float sum = 0.0F, mean = 1.0F / (float)n;
#pragma omp simd reduction(+ : sum)
    for (uint32_t j = 0; j < n; j++) {
        float e = y[j] + b[j] - x[j];
        float inside = e > clip ? clip : e < -clip ? -clip : e;
        sum += inside * (e - 0.5F * inside);
        y[j] = inside * mean;
    }
    return sum * mean;
}

double learn_tape_run(struct learn_tape *tape, const float *params, uint32_t n, float error_clip)
{
    const struct learn_layout *layout = &tape->layout;
    uint32_t last = layout->n_layers - 1, n_in = layout->dim[0];
    for (uint32_t l = 0; l < last; l++) {
        struct learn_dense layer = learn_layer(layout, params, l);
        learn_dense_relu(&layer, tape->in[l], n, tape->in[l + 1]);
    }
    struct learn_dense layer = learn_layer(layout, params, last);
    learn_dense_multiply(&layer, tape->in[last], n, tape->delta[last]);

    double loss = 0;
    for (uint32_t i = 0; i < n; i++) {
        size_t at = (size_t)i * n_in;
        float l = output_delta(tape->in[0] + at, layer.b, tape->delta[last] + at, n_in, error_clip);
        if (isfinite(l))
            loss += (double)l;
        else
            learn_tape_drop(tape, i);
    }
    for (uint32_t l = last; l > 0; l--) {
        layer = learn_layer(layout, params, l);
        learn_dense_delta(&layer, tape->in[l], tape->delta[l], n, tape->delta[l - 1]);
    }
    return loss;
}

void learn_tape_gradient(const struct learn_tape *tape, uint32_t n, float *grad)
{
    const struct learn_layout *layout = &tape->layout;
    for (uint32_t l = 0; l < layout->n_layers; l++)
        learn_dense_gradient(layout->dim[l], layout->dim[l + 1], tape->in[l], tape->delta[l], n,
                             grad + layout->w[l], grad + layout->b[l]);
}
