/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/model_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_MAX 4096

static uint64_t count_params(const struct learn_shape *shape)
{
    uint64_t sum = 0, in = shape->n_in;
    for (uint32_t l = 0; l < shape->n_widths; l++) {
        sum += (in + 1) * shape->widths[l];
        in = shape->widths[l];
    }
    return sum + (in + 1) * shape->n_in;
}

int learn_shape_check(const struct learn_shape *shape, struct atl_error *err)
{
    if (shape->n_in < 1 || shape->n_in > LEARN_INPUTS_MAX)
        return atl_error_set(err, -EINVAL, "model shape: %u inputs, expected 1 to %d", shape->n_in,
                             LEARN_INPUTS_MAX);
    if (shape->n_widths < 1 || shape->n_widths > LEARN_LAYERS_MAX - 1)
        return atl_error_set(err, -EINVAL, "model shape: %u hidden layers, expected 1 to %d",
                             shape->n_widths, LEARN_LAYERS_MAX - 1);
    for (uint32_t l = 0; l < shape->n_widths; l++) {
        if (shape->widths[l] < 1 || shape->widths[l] > WIDTH_MAX)
            return atl_error_set(err, -EINVAL,
                                 "model shape: hidden layer %u has %u units, expected 1 to %d",
                                 l + 1, shape->widths[l], WIDTH_MAX);
    }
    uint64_t params = count_params(shape);
    if (params > LEARN_PARAMS_MAX)
        return atl_error_set(err, -EINVAL,
                             "model shape: %llu parameters, at most %u expected; use narrower "
                             "layers",
                             (unsigned long long)params, LEARN_PARAMS_MAX);
    return 0;
}

static uint32_t at_least_4(uint32_t width)
{
    return width < 4 ? 4 : width;
}

void learn_shape_default(struct learn_shape *shape, uint32_t n_in,
                         const uint8_t schema[LEARN_SCHEMA_BYTES])
{
    *shape = (struct learn_shape){
        .n_in = n_in,
        .n_widths = 3,
        .widths = {at_least_4(n_in / 2), at_least_4(n_in / 8), at_least_4(n_in / 2)},
    };
    memcpy(shape->schema, schema, LEARN_SCHEMA_BYTES);
}

uint32_t learn_shape_params(const struct learn_shape *shape)
{
    return (uint32_t)count_params(shape);
}

void learn_layout_init(struct learn_layout *layout, const struct learn_shape *shape)
{
    *layout = (struct learn_layout){.n_layers = shape->n_widths + 1};
    layout->dim[0] = shape->n_in;
    for (uint32_t l = 0; l < shape->n_widths; l++)
        layout->dim[l + 1] = shape->widths[l];
    layout->dim[layout->n_layers] = shape->n_in;

    for (uint32_t l = 0; l < layout->n_layers; l++) {
        layout->w[l] = layout->params;
        layout->b[l] = layout->w[l] + layout->dim[l] * layout->dim[l + 1];
        layout->params = layout->b[l] + layout->dim[l + 1];
        if (layout->dim[l] > layout->widest)
            layout->widest = layout->dim[l];
    }
}

struct learn_dense learn_layer(const struct learn_layout *layout, const float *params, uint32_t l)
{
    return (struct learn_dense){
        .w = params + layout->w[l],
        .b = params + layout->b[l],
        .in = layout->dim[l],
        .out = layout->dim[l + 1],
    };
}

float *learn_floats(size_t n)
{
    size_t bytes = (n * sizeof(float) + ATL_CACHE_LINE_BYTES) & ~(size_t)(ATL_CACHE_LINE_BYTES - 1);
    float *floats = aligned_alloc(ATL_CACHE_LINE_BYTES, bytes);
    if (floats != NULL)
        memset(floats, 0, bytes);
    return floats;
}
