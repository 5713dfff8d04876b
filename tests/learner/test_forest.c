/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner/score_priv.h"
#include "tests/learner/table.h"

enum { ROWS = 3000 };

static struct learn_forest *grow(const float *rows, uint64_t seed)
{
    const struct learn_forest_config cfg = {.trees = 25, .sample = 256, .seed = seed};
    struct learn_forest *forest;
    assert_int_equal(learn_forest_create(&forest, rows, ROWS, TABLE_COLUMNS, &cfg, NULL), 0);
    return forest;
}

/* The walk as the paper has it, one node at a time until a leaf. */
static double plain_statistic(const struct learn_forest *f, const float *x)
{
    double sum = 0;
    for (uint32_t t = 0; t < f->trees; t++) {
        uint32_t at = f->root[t];
        while (f->node[at].to >> LEARN_FOREST_SHIFT != at) {
            uint32_t column = f->node[at].to & LEARN_FOREST_COLUMN;
            at = (f->node[at].to >> LEARN_FOREST_SHIFT) + (x[column] > f->node[at].cut ? 1 : 0);
        }
        sum += (double)f->length[at];
    }
    double n = f->sample, usual = 2 * (log(n - 1) + 0.57721566490153286) - 2 * (n - 1) / n;
    return pow(2, -sum / f->trees / usual);
}

static void same_seed_same_forest(void **state)
{
    (void)state;
    float *rows = table_normal(ROWS, 1);
    struct learn_forest *a = grow(rows, 7), *b = grow(rows, 7), *c = grow(rows, 8);
    assert_int_equal(a->nodes, b->nodes);
    assert_memory_equal(a->node, b->node, a->nodes * sizeof(*a->node));
    assert_memory_equal(a->length, b->length, a->nodes * sizeof(*a->length));
    assert_true(c->nodes != a->nodes || memcmp(a->node, c->node, a->nodes * sizeof(*a->node)) != 0);
    assert_true(a->depth <= 8 && a->nodes <= 25 * 511);
    learn_forest_destroy(a);
    learn_forest_destroy(b);
    learn_forest_destroy(c);
    free(rows);
}

static void statistic_is_its_definition(void **state)
{
    (void)state;
    enum { N = 101 }; /* no multiple of the group that walks together */
    float *rows = table_normal(ROWS, 2), *x = table_anomalous(N, 3);
    struct learn_forest *f = grow(rows, 1);
    double s[N];
    x[5] = NAN;
    x[2 * TABLE_COLUMNS] = INFINITY;
    learn_forest_statistics(f, x, N, TABLE_COLUMNS, s);
    for (uint32_t i = 0; i < N; i++) {
        assert_float_equal(s[i], plain_statistic(f, x + i * TABLE_COLUMNS), 1e-6);
        assert_true(s[i] > 0 && s[i] <= 1);
    }
    learn_forest_destroy(f);
    free(rows);
    free(x);
}

static void far_rows_are_set_apart(void **state)
{
    (void)state;
    float *rows = table_normal(ROWS, 4);
    struct learn_forest *f = grow(rows, 1);
    double usual[256], far;
    learn_forest_statistics(f, rows, 256, TABLE_COLUMNS, usual);
    float row[TABLE_COLUMNS];
    for (uint32_t j = 0; j < TABLE_COLUMNS; j++)
        row[j] = j % 2 == 0 ? 9.0F : -9.0F;
    learn_forest_statistics(f, row, 1, TABLE_COLUMNS, &far);
    for (int i = 0; i < 256; i++)
        assert_true(far > usual[i]);
    learn_forest_destroy(f);
    free(rows);
}

static void rows_that_are_all_alike_make_leaves(void **state)
{
    (void)state;
    float *rows = calloc((size_t)ROWS * TABLE_COLUMNS, sizeof(*rows));
    struct learn_forest *f = grow(rows, 1);
    double s;
    assert_int_equal(f->nodes, f->trees);
    learn_forest_statistics(f, rows, 1, TABLE_COLUMNS, &s);
    assert_float_equal(s, 0.5, 1e-6); /* the usual path length is what it gets */
    learn_forest_destroy(f);
    free(rows);
}

static void hostile_arrays_are_refused(void **state)
{
    (void)state;
    float *rows = table_normal(ROWS, 5);
    struct learn_forest *f = grow(rows, 1), *out = NULL;
    struct learn_forest_node *node = f->node, keep = node[0];
    assert_int_equal(learn_forest_from_arrays(&out, f, node, f->length, TABLE_COLUMNS), 0);
    assert_int_equal(out->depth, f->depth);
    learn_forest_destroy(out);
    const struct learn_forest_node bad[] = {
        {0.5F, f->nodes << LEARN_FOREST_SHIFT},           /* leads out */
        {0.5F, (f->nodes - 1) << LEARN_FOREST_SHIFT},     /* its second child does */
        {0.5F, 1U << LEARN_FOREST_SHIFT | TABLE_COLUMNS}, /* no such column */
        {NAN, 1U << LEARN_FOREST_SHIFT},
        {0.5F, 0}, /* a leaf that something exceeds */
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++) {
        node[0] = bad[i];
        assert_int_equal(learn_forest_from_arrays(&out, f, node, f->length, TABLE_COLUMNS),
                         -EBADMSG);
    }
    node[0] = keep;
    node[1].to = 0; /* back to the root: a walk would never end */
    node[1].cut = 0;
    assert_int_equal(learn_forest_from_arrays(&out, f, node, f->length, TABLE_COLUMNS), -EBADMSG);
    learn_forest_destroy(f);
    free(rows);
}

/* A cluster beside the crowd in one column: the reconstruction takes it for granted, the forest and
 * so the two together do not. And normal rows keep to the risk. */
static void fusion_keeps_the_risk_and_hears_both(void **state)
{
    (void)state;
    struct learn_shape shape;
    struct learn_model *start, *grown, *model;
    struct learn_scratch *scratch;
    struct learn_forest_config cfg;
    float *rows = table_normal(ROWS, 6), *held = table_normal(4000, 7);
    float *fresh = table_normal(20000, 8), *bad = table_anomalous(256, 9), score[256], p[256];
    table_shape(&shape);
    learn_forest_config_default(&cfg);
    assert_int_equal(learn_model_create(&start, &shape, 1), 0);
    assert_int_equal(learn_model_grow_forest(&grown, start, rows, ROWS, &cfg, NULL), 0);
    assert_false(learn_model_calibrated(grown));
    assert_int_equal(learn_model_trees(grown), 32);
    assert_int_equal(learn_model_calibrate(&model, grown, held, 4000, 1e-2, "t", NULL), 0);
    assert_int_equal(learn_scratch_create(&scratch, &shape), 0);
    uint32_t alarms = 0;
    for (uint32_t at = 0; at + 256 <= 20000; at += 256) {
        learn_score(model, scratch, fresh + (size_t)at * TABLE_COLUMNS, 256, score, p);
        for (int i = 0; i < 256; i++) {
            alarms += score[i] > 0.5F;
            assert_true((p[i] < 1e-2F * 0.999F) <= (score[i] > 0.5F));
        }
    }
    assert_in_range(alarms, 50, 400); /* 200 expected */
    double statistic[256];
    learn_judge_statistics(model, scratch, bad, 256, statistic);
    learn_score(model, scratch, bad, 256, score, NULL);
    for (int i = 0; i < 256; i++) {
        assert_true(statistic[i] >= 0);
        for (int k = 0; k < i; k++)
            assert_true(statistic[i] <= statistic[k] * (1 + 1e-6) || score[i] > score[k]);
    }
    bad[3] = NAN;
    learn_score(model, scratch, bad, 1, score, p);
    assert_true(score[0] == 1 && p[0] == 1e-12F);
    learn_scratch_destroy(scratch);
    learn_model_destroy(model);
    learn_model_destroy(grown);
    learn_model_destroy(start);
    free(rows);
    free(held);
    free(fresh);
    free(bad);
}

static void fuse_is_the_harmonic_mean(void **state)
{
    (void)state;
    for (double a = 0; a < 30; a += 1.7) {
        for (double b = 0; b < 30; b += 2.3)
            assert_true(fabs(learn_fuse(a, b) + log(2 / (exp(a) + exp(b)))) < 1e-12 * (a + b + 1));
    }
    assert_true(learn_fuse(1e6, 0) > 999999 && learn_fuse(0, 0) == 0);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_forest),
        cmocka_unit_test(statistic_is_its_definition),
        cmocka_unit_test(far_rows_are_set_apart),
        cmocka_unit_test(rows_that_are_all_alike_make_leaves),
        cmocka_unit_test(hostile_arrays_are_refused),
        cmocka_unit_test(fusion_keeps_the_risk_and_hears_both),
        cmocka_unit_test(fuse_is_the_harmonic_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
