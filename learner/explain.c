/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/score_priv.h"

#include <math.h>
#include <string.h>

/* Usual errors on either side of what was expected that still count as usual. */
#define USUAL_ERRORS 3.0F

/* Large enough to take the whole share, small enough that a sum of them stays finite. */
#define SCALED_MAX 1e30

struct column {
    double scaled;
    float expected;
};

static double bounded_error(float observed, float expected, float scale)
{
    double scaled = (double)learn_scaled_error(observed, expected, scale);
    return scaled < SCALED_MAX ? scaled : SCALED_MAX; /* a NaN ends here too */
}

/* @return sum of the scaled errors */
static double measure(const struct learn_model *model, struct learn_scratch *scratch,
                      const float *row, struct column *columns)
{
    uint32_t n_in = model->layout.dim[0];
    const float *bias = model->params + model->layout.b[model->layout.n_layers - 1];
    /* what cannot be computed with is replaced by 0, so that the other columns keep a meaning */
    float clean[LEARN_INPUTS_MAX];
    for (uint32_t j = 0; j < n_in; j++)
        clean[j] = isfinite(row[j]) ? row[j] : 0.0F;

    const float *y = learn_reconstruct(model, scratch, clean, 1);
    double sum = 0;
    for (uint32_t j = 0; j < n_in; j++) {
        columns[j].expected = y[j] + bias[j];
        columns[j].scaled = bounded_error(row[j], columns[j].expected, model->error_scale[j]);
        sum += columns[j].scaled;
    }
    return sum;
}

static float usual_error(const struct learn_model *model, uint32_t column)
{
    float error = USUAL_ERRORS / model->error_scale[column];
    return isfinite(error) ? error : 0;
}

uint32_t learn_explain(const struct learn_model *model, struct learn_scratch *scratch,
                       const float *row, struct learn_reason *reasons, uint32_t k)
{
    if (!model->calibrated || !learn_scratch_fits(scratch, model))
        return 0;
    struct column columns[LEARN_INPUTS_MAX];
    double sum = measure(model, scratch, row, columns);
    uint32_t found = 0;
    for (; found < k && found < model->layout.dim[0]; found++) {
        uint32_t best = 0;
        for (uint32_t j = 1; j < model->layout.dim[0]; j++) {
            if (columns[j].scaled > columns[best].scaled)
                best = j;
        }
        if (!(columns[best].scaled > 0))
            break;
        reasons[found] = (struct learn_reason){
            .column = best,
            .observed = row[best],
            .expected = columns[best].expected,
            .low = columns[best].expected - usual_error(model, best),
            .high = columns[best].expected + usual_error(model, best),
            .share = (float)(columns[best].scaled / sum),
        };
        columns[best].scaled = 0;
    }
    return found;
}
