/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/model_priv.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Parameters are hashed and filed as they lie in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "model files are little-endian");

static int model_alloc(struct learn_model **ret_model, const struct learn_shape *shape)
{
    struct learn_model *model = calloc(1, sizeof(*model));
    if (model == NULL)
        return -ENOMEM;
    model->shape = *shape;
    learn_layout_init(&model->layout, shape);
    model->params = learn_floats(model->layout.params);
    if (model->params == NULL) {
        learn_model_destroy(model);
        return -ENOMEM;
    }
    *ret_model = model;
    return 0;
}

static void hash_u32(crypto_generichash_state *state, uint32_t v)
{
    uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    crypto_generichash_update(state, b, sizeof(b));
}

static void set_hash(struct learn_model *model)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(model->hash));
    hash_u32(&state, model->shape.n_in);
    hash_u32(&state, model->shape.n_widths);
    for (uint32_t l = 0; l < model->shape.n_widths; l++)
        hash_u32(&state, model->shape.widths[l]);
    crypto_generichash_update(&state, model->shape.schema, sizeof(model->shape.schema));
    crypto_generichash_update(&state, (const uint8_t *)model->params,
                              model->layout.params * sizeof(float));
    crypto_generichash_final(&state, model->hash, sizeof(model->hash));
}

int learn_model_create(struct learn_model **ret_model, const struct learn_shape *shape,
                       uint64_t seed)
{
    int r = learn_shape_check(shape, NULL);
    if (r < 0)
        return r;
    struct learn_model *model;
    r = model_alloc(&model, shape);
    if (r < 0)
        return r;

    struct atl_rng rng;
    atl_rng_init_seed(&rng, seed);
    const struct learn_layout *layout = &model->layout;
    for (uint32_t l = 0; l < layout->n_layers; l++) {
        /* He et al. 2015; the linear last layer keeps the variance of its inputs */
        double gain = l + 1 < layout->n_layers ? 2.0 : 1.0;
        double std = sqrt(gain / layout->dim[l]);
        for (uint32_t k = layout->w[l]; k < layout->b[l]; k++)
            model->params[k] = (float)(std * atl_rng_normal(&rng));
    }
    set_hash(model);
    *ret_model = model;
    return 0;
}

int learn_model_from_params(struct learn_model **ret_model, const struct learn_shape *shape,
                            const float *params, struct atl_error *err)
{
    int r = learn_shape_check(shape, err);
    if (r < 0)
        return r;
    uint32_t n = learn_shape_params(shape);
    for (uint32_t k = 0; k < n; k++) {
        if (!isfinite(params[k]))
            return atl_error_set(err, -EINVAL, "model: parameter %u of %u is not a finite number",
                                 k + 1, n);
    }
    struct learn_model *model;
    r = model_alloc(&model, shape);
    if (r < 0)
        return atl_error_set(err, r, "model: out of memory for %u parameters", n);
    memcpy(model->params, params, n * sizeof(float));
    set_hash(model);
    *ret_model = model;
    return 0;
}

int learn_model_copy(struct learn_model **ret_model, const struct learn_model *model)
{
    struct learn_model *copy;
    int r = model_alloc(&copy, &model->shape);
    if (r < 0)
        return r;
    float *params = copy->params;
    memcpy(params, model->params, model->layout.params * sizeof(float));
    *copy = *model;
    copy->params = params;
    copy->forest = NULL;
    r = model->forest != NULL ? learn_forest_copy(&copy->forest, model->forest) : 0;
    if (r < 0) {
        learn_model_destroy(copy);
        return r;
    }
    *ret_model = copy;
    return 0;
}

void learn_model_destroy(struct learn_model *model)
{
    if (model == NULL)
        return;
    learn_forest_destroy(model->forest);
    free(model->params);
    free(model);
}

bool learn_origin_ok(const char *origin)
{
    size_t n = strlen(origin);
    for (size_t k = 0; k < n; k++) {
        if (origin[k] < ' ' || origin[k] > '~')
            return false;
    }
    return n < LEARN_ORIGIN_BYTES;
}

void learn_model_seal(struct learn_model *model)
{
    for (uint32_t j = 0; j < model->shape.n_in; j++)
        model->error_scale[j] = 1.0F / sqrtf(model->error_mean[j]);
    model->calibrated = true;
}

const struct learn_shape *learn_model_shape(const struct learn_model *model)
{
    return &model->shape;
}

const float *learn_model_params(const struct learn_model *model)
{
    return model->params;
}

void learn_model_hash(const struct learn_model *model, uint8_t out[32])
{
    memcpy(out, model->hash, sizeof(model->hash));
}

bool learn_model_calibrated(const struct learn_model *model)
{
    return model->calibrated;
}

const char *learn_model_origin(const struct learn_model *model)
{
    return model->origin;
}
