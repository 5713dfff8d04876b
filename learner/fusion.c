/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>

#include "learner/score_priv.h"

int learn_model_grow_forest(struct learn_model **ret_model, const struct learn_model *model,
                            const float *rows, uint32_t n, const struct learn_forest_config *cfg,
                            struct atl_error *err)
{
    uint32_t n_in = model->shape.n_in;
    for (size_t k = 0; k < (size_t)n * n_in; k++) {
        if (!isfinite(rows[k]))
            return atl_error_set(err, -EINVAL, "forest: row %zu, column %zu is not a finite number",
                                 k / n_in + 1, k % n_in + 1);
    }
    struct learn_forest *forest;
    int r = learn_forest_create(&forest, rows, n, n_in, cfg, err);
    if (r < 0)
        return r;
    struct learn_model *copy;
    r = learn_model_copy(&copy, model);
    if (r < 0) {
        learn_forest_destroy(forest);
        return atl_error_set(err, r, "forest: out of memory");
    }
    learn_forest_destroy(copy->forest);
    copy->forest = forest;
    copy->calibrated = false;
    *ret_model = copy;
    return 0;
}

uint32_t learn_model_trees(const struct learn_model *model)
{
    return model->forest != NULL ? model->forest->trees : 0;
}

double learn_model_boundary(const struct learn_model *model)
{
    return model->calibrated ? learn_judge(model)->boundary : NAN;
}

/*
 * The harmonic mean stays near valid under any dependence (Wilson 2019) and lets one detector speak
 * up while the other sees nothing: 2 / (1/a + 1/b) = ln((e^s + e^t) / 2) in surprises, which
 * neither overflows nor stops rising this way round.
 */
double learn_fuse(double surprise_a, double surprise_b)
{
    double high = fmax(surprise_a, surprise_b), low = fmin(surprise_a, surprise_b);
    return fmax(high + log1p(exp(low - high)) - log(2.0), 0.0);
}

void learn_judge_statistics(const struct learn_model *model, struct learn_scratch *scratch,
                            const float *x, uint32_t n, double *statistic)
{
    learn_statistics(model, scratch, x, n, statistic);
    if (model->forest == NULL)
        return;
    double isolation[LEARN_BATCH_MAX];
    learn_forest_statistics(model->forest, x, n, model->layout.dim[0], isolation);
    for (uint32_t i = 0; i < n; i++) {
        if (!isfinite(statistic[i]))
            continue; /* what cannot be computed with is no matter for a second opinion */
        statistic[i] = learn_fuse(learn_tail_surprise(&model->tail, statistic[i]),
                                  learn_tail_surprise(&model->forest_tail, isolation[i]));
    }
}
