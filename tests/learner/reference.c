/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/learner/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_MAX 128 /* of the shapes used in tests */

static void forward(const struct learn_layout *layout, const float *params,
                    double value[LEARN_LAYERS_MAX + 1][WIDTH_MAX])
{
    for (uint32_t l = 0; l < layout->n_layers; l++) {
        for (uint32_t o = 0; o < layout->dim[l + 1]; o++) {
            double sum = (double)params[layout->b[l] + o];
            for (uint32_t i = 0; i < layout->dim[l]; i++)
                sum += (double)params[layout->w[l] + o * layout->dim[l] + i] * value[l][i];
            value[l + 1][o] = l + 1 < layout->n_layers && sum < 0 ? 0 : sum;
        }
    }
}

static void backward(const struct learn_layout *layout, const float *params,
                     double value[LEARN_LAYERS_MAX + 1][WIDTH_MAX], double *delta, double *grad)
{
    for (uint32_t l = layout->n_layers; l-- > 0;) {
        double below[WIDTH_MAX] = {0};
        for (uint32_t o = 0; o < layout->dim[l + 1]; o++) {
            grad[layout->b[l] + o] = delta[o];
            for (uint32_t i = 0; i < layout->dim[l]; i++) {
                uint32_t at = layout->w[l] + o * layout->dim[l] + i;
                grad[at] = delta[o] * value[l][i];
                if (value[l][i] > 0)
                    below[i] += delta[o] * (double)params[at];
            }
        }
        memcpy(delta, below, sizeof(below));
    }
}

double reference_loss(const struct learn_layout *layout, const float *params, const float *row,
                      double error_clip, double *grad)
{
    double value[LEARN_LAYERS_MAX + 1][WIDTH_MAX], delta[WIDTH_MAX] = {0}, loss = 0;
    uint32_t n = layout->dim[0];
    if (layout->widest > WIDTH_MAX)
        abort();
    for (uint32_t j = 0; j < n; j++)
        value[0][j] = (double)row[j];
    forward(layout, params, value);
    for (uint32_t j = 0; j < n; j++) {
        double e = value[layout->n_layers][j] - value[0][j];
        double size = fabs(e);
        loss += (size <= error_clip ? e * e / 2 : error_clip * (size - error_clip / 2)) / n;
        delta[j] = fmax(-error_clip, fmin(error_clip, e)) / n;
    }
    if (grad != NULL)
        backward(layout, params, value, delta, grad);
    return loss;
}

double reference_norm(const double *v, size_t n)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += v[k] * v[k];
    return sqrt(sum);
}
