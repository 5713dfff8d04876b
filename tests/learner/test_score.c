/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner/score_priv.h"
#include "tests/learner/table.h"

/* Every allocation of the linked rooms comes through here. */
static uint32_t allocations;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    allocations++;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    allocations++;
    return __real_calloc(n, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    allocations++;
    return __real_aligned_alloc(alignment, bytes);
}

enum { TRAIN = 3000, RISK_ROWS = 20000 };
static const double risk = 1e-3;

static struct learn_model *model; /* calibrated */
static struct learn_scratch *scratch;

static int set_up(void **state)
{
    (void)state;
    struct learn_shape shape;
    struct learn_model *start, *trained;
    struct learn_trainer *trainer;
    struct learn_train_config cfg;
    table_shape(&shape);
    learn_train_config_default(&cfg);
    cfg.batch = 64;
    float *rows = table_normal(TRAIN, 21), *fresh = table_normal(4000, 22);
    if (learn_model_create(&start, &shape, 1) < 0 ||
        learn_trainer_create(&trainer, start, &cfg, NULL) < 0)
        return -1;
    learn_trainer_run(trainer, rows, TRAIN, 600);
    if (learn_trainer_model(trainer, &trained, NULL) < 0 ||
        learn_model_calibrate(&model, trained, fresh, 4000, risk, "test", NULL) < 0 ||
        learn_scratch_create(&scratch, &shape) < 0)
        return -1;
    learn_trainer_destroy(trainer);
    learn_model_destroy(trained);
    learn_model_destroy(start);
    free(rows);
    free(fresh);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    learn_model_destroy(model);
    learn_scratch_destroy(scratch);
    return 0;
}

static double huber(double a)
{
    return a <= 3 ? a * a : 6 * a - 9;
}

static void statistic_is_its_definition(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 1);
    for (uint32_t n = 1; n < 40; n++) {
        float x[40], y[40], bias[40], scale[40];
        double r[40], sum = 0, top = 0;
        for (uint32_t j = 0; j < n; j++) {
            x[j] = (float)(4 * atl_rng_normal(&rng));
            y[j] = (float)atl_rng_normal(&rng);
            bias[j] = (float)atl_rng_normal(&rng);
            scale[j] = (float)atl_rng_unit(&rng);
            r[j] = huber(fabs((double)x[j] - (double)y[j] - (double)bias[j]) * (double)scale[j]);
            sum += r[j];
            assert_float_equal(learn_scaled_error(x[j], y[j] + bias[j], scale[j]), r[j], 1e-4);
        }
        double mean = sum / n;
        for (uint32_t t = 0; t < 3 && t < n; t++) { /* the largest, found by plain search */
            uint32_t best = 0;
            for (uint32_t j = 1; j < n; j++)
                best = r[j] > r[best] ? j : best;
            top += r[best];
            r[best] = -1;
        }
        double want = mean + 0.05 * top / (n < 3 ? n : 3);
        assert_true(fabs(learn_statistic(x, y, bias, scale, n) - want) < 1e-5 * (want + 1));
    }
}

static void boundary_is_one_half(void **state)
{
    (void)state;
    enum { ROWS = LEARN_BATCH_MAX };
    float *rows = table_normal(ROWS, 23), *bad = table_anomalous(ROWS, 24);
    float score[ROWS], p[ROWS];
    double statistic[ROWS];
    for (int kind = 0; kind < 2; kind++) {
        const float *x = kind == 0 ? rows : bad;
        learn_statistics(model, scratch, x, ROWS, statistic);
        learn_score(model, scratch, x, ROWS, score, p);
        for (int i = 0; i < ROWS; i++) {
            assert_true((statistic[i] > model->tail.boundary) == (score[i] > 0.5F));
            assert_true((p[i] < (float)risk * 0.999F) <= (score[i] > 0.5F));
            assert_true(score[i] >= 0 && score[i] < 1);
            assert_true(p[i] >= 1e-12F && p[i] <= 1);
            for (int k = 0; k < i; k++) /* same order, except within float rounding */
                assert_true(statistic[i] <= statistic[k] * (1 + 1e-6) || score[i] > score[k]);
        }
    }
    free(rows);
    free(bad);
}

static void pushing_one_column_only_raises_the_score(void **state)
{
    (void)state;
    float *rows = table_normal(1, 25);
    for (uint32_t j = 0; j < TABLE_COLUMNS; j++) {
        float before = 0;
        for (float push = 2; push < 1e6F; push *= 3) {
            float row[TABLE_COLUMNS], score;
            memcpy(row, rows, sizeof(row));
            row[j] += push;
            learn_score(model, scratch, row, 1, &score, NULL);
            assert_true(score > before || score > 0.999F);
            before = score;
        }
        assert_true(before > 0.99F);
    }
    free(rows);
}

static void false_alarms_keep_to_the_risk(void **state)
{
    (void)state;
    float *rows = table_normal(RISK_ROWS, 26), score[LEARN_BATCH_MAX], p[LEARN_BATCH_MAX];
    uint32_t alarms = 0, below_tenth = 0, below_half = 0;
    for (uint32_t at = 0; at < RISK_ROWS; at += LEARN_BATCH_MAX) {
        uint32_t n = RISK_ROWS - at < LEARN_BATCH_MAX ? RISK_ROWS - at : LEARN_BATCH_MAX;
        learn_score(model, scratch, rows + (size_t)at * TABLE_COLUMNS, n, score, p);
        for (uint32_t i = 0; i < n; i++) {
            alarms += score[i] > 0.5F;
            below_tenth += p[i] <= 0.1F;
            below_half += p[i] <= 0.5F;
        }
    }
    print_message("# %u alarms in %d normal rows at risk %g\n", alarms, RISK_ROWS, risk);
    assert_true(alarms <= 4 * risk * RISK_ROWS);
    assert_true(fabs((double)below_tenth / RISK_ROWS - 0.1) < 0.03);
    assert_true(fabs((double)below_half / RISK_ROWS - 0.5) < 0.05);
    free(rows);
}

static void bad_numbers_score_one_and_stay_alone(void **state)
{
    (void)state;
    enum { ROWS = 40 };
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38F, -3e38F};
    float *rows = table_normal(ROWS, 27), clean[ROWS], score[ROWS], p[ROWS];
    learn_score(model, scratch, rows, ROWS, clean, NULL);
    for (size_t b = 0; b < ATL_ARRAY_LEN(bad); b++)
        rows[(b * 7 + 3) * TABLE_COLUMNS + b] = bad[b];
    learn_score(model, scratch, rows, ROWS, score, p);
    for (uint32_t i = 0; i < ROWS; i++) {
        if (i % 7 == 3 && i / 7 < ATL_ARRAY_LEN(bad)) {
            assert_true(isfinite(bad[i / 7]) ? score[i] > 0.99999F : score[i] == 1);
            assert_true(p[i] == 1e-12F);
        } else {
            assert_float_equal(score[i], clean[i], 1e-6);
        }
    }
    free(rows);
}

static void batch_size_does_not_matter(void **state)
{
    (void)state;
    enum { ROWS = LEARN_BATCH_MAX };
    float *rows = table_normal(ROWS, 28), whole[ROWS], one;
    learn_score(model, scratch, rows, 0, whole, NULL);
    learn_score(model, scratch, rows, ROWS, whole, NULL);
    for (uint32_t i = 0; i < ROWS; i++) {
        learn_score(model, scratch, rows + (size_t)i * TABLE_COLUMNS, 1, &one, NULL);
        assert_float_equal(one, whole[i], 1e-5);
    }
    free(rows);
}

static void allocates_nothing(void **state)
{
    (void)state;
    float *rows = table_normal(LEARN_BATCH_MAX, 29);
    float score[LEARN_BATCH_MAX], p[LEARN_BATCH_MAX];
    struct learn_reason reasons[5];
    uint32_t before = allocations;
    assert_true(before > 0); /* the counter works: set_up went through it */
    for (int k = 0; k < 50; k++)
        learn_score(model, scratch, rows, LEARN_BATCH_MAX, score, p);
    learn_explain(model, scratch, rows, reasons, 5);
    assert_int_equal(allocations, before);
    free(rows);
}

static void unusable_model_alarms(void **state)
{
    (void)state;
    struct learn_shape wide = {.n_in = TABLE_COLUMNS, .n_widths = 1, .widths = {500}};
    struct learn_model *bare, *big;
    struct learn_reason reason;
    float *rows = table_normal(64, 30), score = 0, p = 1;
    assert_int_equal(learn_model_create(&bare, &wide, 1), 0);
    assert_int_equal(learn_model_calibrate(&big, bare, rows, 64, 1e-3, "", NULL), 0);
    learn_score(bare, scratch, rows, 1, &score, &p);
    assert_true(score == 1 && p == 1e-12F);
    score = 0;
    learn_score(big, scratch, rows, 1, &score, NULL);
    assert_true(score == 1);
    assert_int_equal(learn_explain(big, scratch, rows, &reason, 1), 0);
    learn_model_destroy(bare);
    learn_model_destroy(big);
    free(rows);
}

static void reason_names_the_planted_column(void **state)
{
    (void)state;
    struct learn_reason reasons[TABLE_COLUMNS + 5];
    uint32_t named = 0;
    for (uint32_t j = 0; j < TABLE_COLUMNS; j++) {
        float *row = table_normal(1, 31 + j);
        row[j] += 6;
        uint32_t n = learn_explain(model, scratch, row, reasons, TABLE_COLUMNS + 5);
        assert_in_range(n, 1, TABLE_COLUMNS);
        named += reasons[0].column == j;
        assert_true(reasons[0].observed == row[reasons[0].column]);
        assert_true(fabsf(reasons[0].expected - reasons[0].observed) > 0.5F);
        double sum = 0;
        for (uint32_t k = 0; k < n; k++) {
            assert_true(k == 0 || reasons[k].share <= reasons[k - 1].share);
            sum += (double)reasons[k].share;
        }
        assert_float_equal(sum, 1, 1e-5);
        assert_int_equal(learn_explain(model, scratch, row, reasons, 3), 3);
        free(row);
    }
    /* a column that carries a hidden cause may pull the others along with it */
    assert_in_range(named, TABLE_COLUMNS * 3 / 4, TABLE_COLUMNS);
    float *row = table_normal(1, 32);
    row[4] = NAN;
    assert_int_equal(learn_explain(model, scratch, row, reasons, 2), 2);
    assert_int_equal(reasons[0].column, 4);
    assert_true(reasons[0].share > 0.99F && isnan(reasons[0].observed));
    assert_true(isfinite(reasons[0].expected));
    free(row);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistic_is_its_definition),
        cmocka_unit_test(boundary_is_one_half),
        cmocka_unit_test(pushing_one_column_only_raises_the_score),
        cmocka_unit_test(false_alarms_keep_to_the_risk),
        cmocka_unit_test(bad_numbers_score_one_and_stay_alone),
        cmocka_unit_test(batch_size_does_not_matter),
        cmocka_unit_test(allocates_nothing),
        cmocka_unit_test(unusable_model_alarms),
        cmocka_unit_test(reason_names_the_planted_column),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
