/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner/train_priv.h"
#include "tests/learner/reference.h"
#include "tests/learner/table.h"

static struct learn_trainer *make_trainer(const struct learn_shape *shape)
{
    struct learn_model *model;
    struct learn_trainer *trainer;
    struct learn_train_config cfg;
    learn_train_config_default(&cfg);
    assert_int_equal(learn_model_create(&model, shape, 1), 0);
    assert_int_equal(learn_trainer_create(&trainer, model, &cfg, NULL), 0);
    learn_model_destroy(model);
    return trainer;
}

static struct learn_trainer *make_table_trainer(void)
{
    struct learn_shape shape;
    table_shape(&shape);
    return make_trainer(&shape);
}

static void unit_sum(struct learn_trainer *trainer, const float *rows, const uint64_t *unit,
                     uint32_t n, double rate, double limit, struct atl_rng *rng)
{
    struct learn_sample sample;
    assert_int_equal(learn_sample_init(&sample, unit, n), 0);
    learn_sample_draw(&sample, rate, LEARN_UNIT_ROWS_MAX, rng);
    learn_private_sum(trainer, rows, &sample, limit);
    learn_sample_finish(&sample);
}

static double norm_of(const struct learn_trainer *trainer)
{
    double sum = 0;
    for (uint32_t k = 0; k < trainer->layout.params; k++)
        sum += (double)trainer->grad[k] * (double)trainer->grad[k];
    return sqrt(sum);
}

/* Every gradient formed, in doubles. @return how many units were clipped */
static uint32_t brute_force(const struct learn_trainer *trainer, const float *rows,
                            const uint64_t *unit, uint32_t n, double limit, double *sum)
{
    uint32_t params = trainer->layout.params, clipped = 0;
    double *one = calloc(params, sizeof(*one)), *whole = calloc(params, sizeof(*whole));
    for (uint32_t u = 0; u < n; u++) { /* units are numbered from 0 here */
        uint32_t members = 0;
        for (uint32_t i = 0; i < n; i++)
            members += unit[i] == u;
        memset(whole, 0, params * sizeof(*whole));
        for (uint32_t i = 0; i < n; i++) {
            if (unit[i] != u)
                continue;
            reference_loss(&trainer->layout, trainer->params, rows + (size_t)i * TABLE_COLUMNS,
                           (double)trainer->cfg.error_clip, one);
            double most = members > 1 ? LEARN_ROW_SHARE * limit : INFINITY;
            double norm = reference_norm(one, params), factor = norm > most ? most / norm : 1;
            for (uint32_t k = 0; k < params; k++)
                whole[k] += factor * one[k];
        }
        double norm = reference_norm(whole, params), factor = norm > limit ? limit / norm : 1;
        clipped += norm > limit;
        for (uint32_t k = 0; k < params; k++)
            sum[k] += factor * whole[k];
    }
    free(one);
    free(whole);
    return clipped;
}

/* Units of 1, 2, 3, … rows, mixed, over several slices; the second limit also meets single rows */
static void clipped_sum_is_brute_force(void **state)
{
    (void)state;
    enum { ROWS = LEARN_SLICE + 208, UNITS = 32 }; /* 1 + 2 + … + 32 = 528 */
    static const double limits[] = {4, 0.06};
    struct learn_trainer *trainer = make_table_trainer();
    uint32_t params = trainer->layout.params;
    float *rows = table_normal(ROWS, 2);
    double *sum = calloc(params, sizeof(*sum));
    uint64_t unit[ROWS];
    for (uint64_t u = 0, at = 0; u < UNITS; u++) {
        for (uint64_t k = 0; k <= u; k++)
            unit[at++ * 5 % ROWS] = u; /* 5 and 528 have no common factor: every place once */
    }
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    for (size_t l = 0; l < ATL_ARRAY_LEN(limits); l++) {
        memset(sum, 0, params * sizeof(*sum));
        uint32_t clipped = brute_force(trainer, rows, unit, ROWS, limits[l], sum);
        print_message("# limit %g: %u of %d units clipped\n", limits[l], clipped, UNITS);
        assert_true(l == 0 ? clipped > UNITS / 5 && clipped < UNITS : clipped == UNITS);
        unit_sum(trainer, rows, unit, ROWS, 1.0, limits[l], &rng);
        double size = reference_norm(sum, params);
        for (uint32_t k = 0; k < params; k++)
            assert_true(fabs((double)trainer->grad[k] - sum[k]) < 2e-4 * size);
    }
    free(sum);
    free(rows);
    learn_trainer_destroy(trainer);
}

/* Numbers of golden_units.py, which shares nothing with this code */
static void clipped_sum_is_numpys(void **state)
{
    (void)state;
    enum { COLUMNS = 6, ROWS = 9, ENTRIES = 16 };
    static const uint64_t unit[ROWS] = {7, 3, 7, 7, 1, 3, 7, 9, 9};
    static const struct {
        double limit, norm, entry[ENTRIES];
    } golden[] = {
        {0.05,
         0.095705450,
         {-0.003305196, -0.000083088, -0.002356014, -0.001553680, 0.000124004, 0.002944271,
          0.001616295, 0.000000000, 0.010089393, -0.002803931, 0.013657625, 0.000000000,
          0.002364110, 0.011986627, 0.000000000, 0.004342681}},
        {0.8,
         1.556632527,
         {-0.049887419, -0.005149352, -0.039466145, -0.025476831, 0.000905636, 0.053829834,
          0.028041102, 0.000000000, 0.206601848, -0.038680870, 0.255830742, 0.000000000,
          0.010776137, 0.183176683, 0.000000000, 0.030947316}},
    };
    const struct learn_shape shape = {.n_in = COLUMNS, .n_widths = 3, .widths = {5, 3, 5}};
    struct learn_trainer *trainer = make_trainer(&shape);
    float rows[ROWS * COLUMNS];
    for (uint32_t k = 0; k < trainer->layout.params; k++)
        trainer->params[k] = (float)(0.5 * sin(k + 1));
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < COLUMNS; j++)
            rows[i * COLUMNS + j] = (float)(2 * cos(1.7 * i + 0.9 * j));
    }
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    for (size_t g = 0; g < ATL_ARRAY_LEN(golden); g++) {
        unit_sum(trainer, rows, unit, ROWS, 1.0, golden[g].limit, &rng);
        assert_true(fabs(norm_of(trainer) - golden[g].norm) < 1e-4 * golden[g].norm);
        for (uint32_t k = 0; k < ENTRIES; k++)
            assert_true(fabs((double)trainer->grad[7 * k] - golden[g].entry[k]) <
                        1e-4 * golden[g].norm);
    }
    learn_trainer_destroy(trainer);
}

/* Whatever the rows hold, and also where they are alike: 32 times the same gradient */
static void no_unit_exceeds_the_clip(void **state)
{
    (void)state;
    enum { ROWS = 32 };
    static const float values[] = {0, 1, 1e3F, -1e10F, 1e20F, 3e38F, INFINITY, NAN};
    static const uint64_t unit[ROWS] = {0};
    struct learn_trainer *trainer = make_table_trainer();
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    for (size_t v = 0; v < ATL_ARRAY_LEN(values); v++) {
        for (int alike = 0; alike < 2; alike++) {
            float *rows = table_normal(ROWS, v);
            for (uint32_t i = 0; i < ROWS; i++) {
                if (alike == 1)
                    memcpy(rows + (size_t)i * TABLE_COLUMNS, rows, sizeof(float) * TABLE_COLUMNS);
                rows[i * TABLE_COLUMNS + i % 7] = i % 3 == 0 ? values[v] : -values[v];
            }
            unit_sum(trainer, rows, unit, ROWS, 1.0, 0.01, &rng);
            assert_true(norm_of(trainer) <= 0.01 * (1 + 1e-5)); /* a NaN fails too */
            free(rows);
        }
    }
    learn_trainer_destroy(trainer);
}

/* Row pairs x and -x through a network of zero weights have gradients that cancel exactly; one
 * more row must then not be let through at the strength of the others. */
static void rows_that_cancel_do_not_hide_one(void **state)
{
    (void)state;
    enum { ROWS = 31 };
    static const uint64_t unit[ROWS] = {0};
    struct learn_trainer *trainer = make_table_trainer();
    memset(trainer->params, 0, trainer->layout.params * sizeof(float));
    float rows[ROWS * TABLE_COLUMNS] = {0};
    for (int i = 0; i < ROWS; i++)
        rows[i * TABLE_COLUMNS] = i == ROWS - 1 ? 0.5F : i % 2 == 0 ? 2.0F : -2.0F;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    unit_sum(trainer, rows, unit, ROWS, 1.0, 0.02, &rng); /* the one: 0.5 / 20 */
    assert_true(norm_of(trainer) <= 0.02 * (1 + 1e-5));
    assert_true(norm_of(trainer) > 0.9 * 0.02);
    learn_trainer_destroy(trainer);
}

/* Rows of unit u: u + 1. All or none of them join, but never more than the most allowed. */
static void samples_are_whole_units(void **state)
{
    (void)state;
    enum { UNITS = 20, ROWS = UNITS * (UNITS + 1) / 2, MOST = 16, TRIALS = 20000 };
    uint64_t unit[ROWS];
    uint32_t joined[UNITS] = {0}, seen[ROWS] = {0};
    for (uint32_t u = 0, at = 0; u < UNITS; u++) {
        for (uint32_t k = 0; k <= u; k++)
            unit[at++] = 0x1234567890abcdefULL * u; /* any numbers will do */
    }
    struct learn_sample sample;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 4);
    assert_int_equal(learn_sample_init(&sample, unit, ROWS), 0);
    assert_int_equal(sample.n_units, UNITS);
    for (int t = 0; t < TRIALS; t++) {
        learn_sample_draw(&sample, 0.3, MOST, &rng);
        for (uint32_t g = 0, at = 0; g < sample.n_taken; g++) {
            uint32_t last = sample.row[at], u = 0;
            uint32_t size = learn_sample_end(&sample, g) - at;
            while (unit[last] != 0x1234567890abcdefULL * u)
                u++;
            assert_int_equal(size, u + 1 < MOST ? u + 1 : MOST);
            joined[u]++;
            for (; at < learn_sample_end(&sample, g); at++) {
                assert_true(unit[sample.row[at]] == unit[last]);
                seen[sample.row[at]]++;
            }
        }
    }
    for (uint32_t u = 0, at = 0; u < UNITS; u++) {
        assert_true(fabs(joined[u] - 0.3 * TRIALS) < 4.5 * sqrt(0.21 * TRIALS));
        double share = u + 1 <= MOST ? 1 : (double)MOST / (u + 1);
        for (uint32_t k = 0; k <= u; k++, at++)
            assert_true(fabs(seen[at] - share * joined[u]) <=
                        4.5 * sqrt(share * (1 - share) * joined[u]));
    }
    learn_sample_finish(&sample);
}

static void learns_by_unit(void **state)
{
    (void)state;
    enum { ROWS = 8000, UNITS = 2000 };
    struct learn_trainer *trainer = make_table_trainer();
    float *rows = table_normal(ROWS, 7);
    static uint64_t unit[ROWS];
    for (uint32_t i = 0; i < ROWS; i++)
        unit[i] = i % UNITS;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 8);
    struct learn_private cfg = {.clip = 0.2,
                                .noise_multiplier = 1,
                                .sample_rate = 0.06,
                                .steps = 600,
                                .unit = unit,
                                .rng = &rng};
    assert_int_equal(learn_trainer_run_private(trainer, rows, ROWS, &cfg, NULL), 0);
    struct learn_model *model;
    assert_int_equal(learn_trainer_model(trainer, &model, NULL), 0);
    double auc = table_separation(model);
    print_message("# AUC by unit %.4f\n", auc);
    assert_true(auc > 0.95);
    learn_model_destroy(model);
    free(rows);
    learn_trainer_destroy(trainer);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clipped_sum_is_brute_force),
        cmocka_unit_test(clipped_sum_is_numpys),
        cmocka_unit_test(no_unit_exceeds_the_clip),
        cmocka_unit_test(rows_that_cancel_do_not_hide_one),
        cmocka_unit_test(samples_are_whole_units),
        cmocka_unit_test(learns_by_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
