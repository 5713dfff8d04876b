/* SPDX-License-Identifier: Apache-2.0 */
#include "learner/score_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MIN 64
#define RISK_MIN 1e-8
#define RISK_MAX 0.1

/*
 * A column that never changes is learnt to the last bit and has a mean error near zero; divided by
 * that, the smallest novelty in it would outweigh everything. No column counts as better known than
 * a hundredth of the average column, nor than 1e-3 of the scale of one that inputs are made for.
 */
#define FLOOR_SHARE 1e-2
#define FLOOR       1e-6

/* Of rows that are scaled at all; far inside float32. */
#define ERROR_MAX 1e18

static int arguments_check(const struct learn_model *model, const float *rows, uint32_t n,
                           double risk, const char *origin, struct atl_error *err)
{
    if (n < ROWS_MIN)
        return atl_error_set(err, -EINVAL, "calibration: %u rows, at least %d expected", n,
                             ROWS_MIN);
    if (!(risk >= RISK_MIN && risk <= RISK_MAX))
        return atl_error_set(err, -EINVAL, "calibration: risk is %g, expected %g to %g", risk,
                             RISK_MIN, RISK_MAX);
    if (!learn_origin_ok(origin))
        return atl_error_set(err, -EINVAL,
                             "calibration: origin must be printable ASCII of at most %d bytes",
                             LEARN_ORIGIN_BYTES - 1);
    uint32_t n_in = model->shape.n_in;
    for (size_t k = 0; k < (size_t)n * n_in; k++) {
        if (!isfinite(rows[k]))
            return atl_error_set(err, -EINVAL,
                                 "calibration: row %zu, column %zu is not a finite number",
                                 k / n_in + 1, k % n_in + 1);
    }
    return 0;
}

/* Copies every second row from `from` on, at most LEARN_BATCH_MAX of them. @return how many */
static uint32_t gather(const float *rows, uint32_t n, uint32_t n_in, uint32_t from, float *batch)
{
    uint32_t held = 0;
    for (uint64_t i = from; i < n && held < LEARN_BATCH_MAX; i += 2)
        memcpy(batch + (size_t)held++ * n_in, rows + i * n_in, n_in * sizeof(float));
    return held;
}

static int beyond_range(struct atl_error *err)
{
    return atl_error_set(err, -ERANGE,
                         "calibration: the error of a normal row is beyond float range; the model "
                         "diverged or the rows are not scaled");
}

static int error_means(struct learn_model *model, struct learn_scratch *scratch, float *batch,
                       const float *rows, uint32_t n, struct atl_error *err)
{
    uint32_t n_in = model->shape.n_in, held, used = 0;
    double sum[LEARN_INPUTS_MAX] = {0}, mean_all = 0;
    const float *bias = model->params + model->layout.b[model->layout.n_layers - 1];
    while ((held = gather(rows, n, n_in, 2 * used, batch)) > 0) {
        const float *y = learn_reconstruct(model, scratch, batch, held);
        for (size_t k = 0; k < (size_t)held * n_in; k++) {
            double e = (double)batch[k] - (double)(y[k] + bias[k % n_in]);
            sum[k % n_in] += e * e;
        }
        used += held;
    }
    for (uint32_t j = 0; j < n_in; j++)
        mean_all += sum[j] / used / n_in;
    if (!(mean_all < ERROR_MAX))
        return beyond_range(err);
    double floor = fmax(FLOOR, FLOOR_SHARE * mean_all);
    for (uint32_t j = 0; j < n_in; j++)
        model->error_mean[j] = (float)fmax(sum[j] / used, floor);
    return 0;
}

typedef void (*measure_fn)(const struct learn_model *model, struct learn_scratch *scratch,
                           const float *x, uint32_t n, double *statistic);

static void isolation(const struct learn_model *model, struct learn_scratch *scratch,
                      const float *x, uint32_t n, double *statistic)
{
    (void)scratch;
    learn_forest_statistics(model->forest, x, n, model->shape.n_in, statistic);
}

static int fit_tail(struct learn_model *model, struct learn_tail *tail, measure_fn measure,
                    struct learn_scratch *scratch, float *batch, const float *rows, uint32_t n,
                    double risk, struct atl_error *err)
{
    double *statistic = calloc(n / 2, sizeof(*statistic));
    if (statistic == NULL)
        return atl_error_set(err, -ENOMEM, "calibration: out of memory for %u rows", n);
    uint32_t held, used = 0;
    int r = 0;
    while ((held = gather(rows, n, model->shape.n_in, 2 * used + 1, batch)) > 0) {
        measure(model, scratch, batch, held, statistic + used);
        used += held;
    }
    for (uint32_t i = 0; i < used && r == 0; i++) {
        if (!(statistic[i] < ERROR_MAX))
            r = beyond_range(err);
    }
    if (r == 0)
        learn_tail_fit(tail, statistic, used, risk);
    free(statistic);
    return r;
}

/* The combined statistic needs the tails of its parts, so it comes last. */
static int fit_tails(struct learn_model *model, struct learn_scratch *scratch, float *batch,
                     const float *rows, uint32_t n, double risk, struct atl_error *err)
{
    const struct {
        struct learn_tail *tail;
        measure_fn measure;
    } parts[] = {{&model->tail, learn_statistics},
                 {&model->forest_tail, isolation},
                 {&model->fused_tail, learn_judge_statistics}};
    size_t count = model->forest != NULL ? ATL_ARRAY_LEN(parts) : 1;
    int r = 0;
    for (size_t k = 0; k < count && r == 0; k++)
        r = fit_tail(model, parts[k].tail, parts[k].measure, scratch, batch, rows, n, risk, err);
    return r;
}

/*
 * Even rows give the mean errors, odd rows the tail: a row that had helped to set its own scale
 * would look more normal than a fresh one. Taken in turn, both halves see every hour of the day.
 */
static int calibrate(struct learn_model *model, const float *rows, uint32_t n, double risk,
                     struct atl_error *err)
{
    struct learn_scratch *scratch;
    int r = learn_scratch_create(&scratch, &model->shape);
    if (r < 0)
        return atl_error_set(err, r, "calibration: out of memory");
    float *batch = learn_floats((size_t)LEARN_BATCH_MAX * model->shape.n_in);
    if (batch == NULL) {
        learn_scratch_destroy(scratch);
        return atl_error_set(err, -ENOMEM, "calibration: out of memory");
    }
    r = error_means(model, scratch, batch, rows, n, err);
    if (r == 0) {
        learn_model_seal(model);
        r = fit_tails(model, scratch, batch, rows, n, risk, err);
    }
    free(batch);
    learn_scratch_destroy(scratch);
    return r;
}

int learn_model_calibrate(struct learn_model **ret_model, const struct learn_model *model,
                          const float *rows, uint32_t n, double risk, const char *origin,
                          struct atl_error *err)
{
    if (origin == NULL)
        origin = "";
    int r = arguments_check(model, rows, n, risk, origin, err);
    if (r < 0)
        return r;
    struct learn_model *copy;
    r = learn_model_copy(&copy, model);
    if (r < 0)
        return atl_error_set(err, r, "calibration: out of memory");
    atl_copy(copy->origin, sizeof(copy->origin), origin);
    r = calibrate(copy, rows, n, risk, err);
    if (r < 0) {
        learn_model_destroy(copy);
        return r;
    }
    *ret_model = copy;
    return 0;
}
