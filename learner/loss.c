/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner/tape_priv.h"

/* One row after the other is what a caller sees; the products are of whole slices. */
static void slice_losses(struct learn_tape *tape, const float *params, const float *rows,
                         uint32_t n, float clip, float *each)
{
    const struct learn_layout *layout = &tape->layout;
    uint32_t last = layout->n_layers - 1, n_in = layout->dim[0];
    memcpy(tape->in[0], rows, (size_t)n * n_in * sizeof(float));
    for (uint32_t l = 0; l <= last; l++) {
        struct learn_dense layer = learn_layer(layout, params, l);
        if (l < last)
            learn_dense_relu(&layer, tape->in[l], n, tape->in[l + 1]);
        else
            learn_dense_multiply(&layer, tape->in[l], n, tape->delta[l]);
    }
    const float *b = learn_layer(layout, params, last).b;
    for (uint32_t i = 0; i < n; i++) {
        const float *x = tape->in[0] + (size_t)i * n_in, *y = tape->delta[last] + (size_t)i * n_in;
        float sum = 0.0F;
        for (uint32_t j = 0; j < n_in; j++) {
            float e = fabsf(y[j] + b[j] - x[j]);
            sum += e <= clip ? 0.5F * e * e : clip * (e - 0.5F * clip);
        }
        each[i] = sum / (float)n_in;
    }
}

int learn_params_loss(const struct learn_shape *shape, const float *params, const float *rows,
                      uint32_t n, float error_clip, float *each, double *ret_mean)
{
    struct learn_layout layout;
    struct learn_tape tape;
    float slice[LEARN_SLICE];
    double sum = 0;
    if (n == 0)
        return -EINVAL;
    learn_layout_init(&layout, shape);
    learn_dense_one_thread();
    int r = learn_tape_init(&tape, &layout);
    if (r < 0)
        return r;
    for (uint32_t at = 0; at < n; at += LEARN_SLICE) {
        uint32_t m = n - at < LEARN_SLICE ? n - at : LEARN_SLICE;
        slice_losses(&tape, params, rows + (size_t)at * shape->n_in, m, error_clip, slice);
        for (uint32_t i = 0; i < m; i++)
            sum += (double)slice[i];
        if (each != NULL)
            memcpy(each + at, slice, m * sizeof(float));
    }
    learn_tape_finish(&tape);
    if (ret_mean != NULL)
        *ret_mean = sum / n;
    return 0;
}
