/* SPDX-License-Identifier: Apache-2.0 */
/* What a model is made of, and where each layer lies in its parameters. */
#ifndef LEARN_MODEL_PRIV_H
#define LEARN_MODEL_PRIV_H

#include "learner/dense_priv.h"
#include "learner/forest_priv.h"
#include "learner/learner.h"
#include "learner/spot_priv.h"

#define LEARN_ORIGIN_BYTES 32

/** Layer l maps dim[l] → dim[l + 1]; its weights begin at params[w[l]], its biases at b[l]. */
struct learn_layout {
    uint32_t n_layers;
    uint32_t dim[LEARN_LAYERS_MAX + 1];
    uint32_t w[LEARN_LAYERS_MAX], b[LEARN_LAYERS_MAX];
    uint32_t params;
    uint32_t widest; /* largest dim */
};

/** The shape must have passed learn_shape_check. */
void learn_layout_init(struct learn_layout *layout, const struct learn_shape *shape);

struct learn_model {
    struct learn_shape shape;
    struct learn_layout layout;
    uint8_t hash[32];
    float *params; /* (layout.params), cache-line aligned */

    bool calibrated;
    char origin[LEARN_ORIGIN_BYTES];
    float error_mean[LEARN_INPUTS_MAX];  /* (I) mean squared error, floored, > 0 */
    float error_scale[LEARN_INPUTS_MAX]; /* (I) 1 / √error_mean */
    struct learn_tail tail;              /* of the reconstruction statistic */
    struct learn_forest *forest;         /* or NULL; then the rest is of no meaning */
    struct learn_tail forest_tail;       /* of the forest's statistic */
    struct learn_tail fused_tail;        /* of both together: draws the boundary */
};

/** The tail that a row's final statistic is judged by. */
static inline const struct learn_tail *learn_judge(const struct learn_model *model)
{
    return model->forest != NULL ? &model->fused_tail : &model->tail;
}

/** Borrowed view of layer l; valid as long as params. */
struct learn_dense learn_layer(const struct learn_layout *layout, const float *params, uint32_t l);

/** Printable ASCII of at most 31 bytes. */
bool learn_origin_ok(const char *origin);
/** error_scale from error_mean; the model counts as calibrated from here on. */
void learn_model_seal(struct learn_model *model);

/** n floats, zeroed, cache-line aligned; free() releases them. NULL when out of memory. */
float *learn_floats(size_t n);

#endif
