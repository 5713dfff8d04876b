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

#include "learner/train_priv.h"
#include "privacy/privacy.h"
#include "tests/learner/reference.h"
#include "tests/learner/table.h"

static struct learn_trainer *make_trainer(uint64_t seed)
{
    struct learn_shape shape;
    struct learn_model *model;
    struct learn_trainer *trainer;
    struct learn_train_config cfg;
    table_shape(&shape);
    learn_train_config_default(&cfg);
    cfg.learning_rate = 3e-3F;
    assert_int_equal(learn_model_create(&model, &shape, seed), 0);
    assert_int_equal(learn_trainer_create(&trainer, model, &cfg, NULL), 0);
    learn_model_destroy(model);
    return trainer;
}

/* One step's sum without noise: a sample of its own, rows as units. */
static void private_sum(struct learn_trainer *trainer, const float *rows, uint32_t n, double rate,
                        double limit, struct atl_rng *rng)
{
    struct learn_sample sample;
    assert_int_equal(learn_sample_init(&sample, NULL, n), 0);
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

/* More rows than a slice holds, clip in the midst of the norms. */
static void clipped_sum_is_brute_force(void **state)
{
    (void)state;
    enum { ROWS = 2 * LEARN_SLICE + 77 };
    struct learn_trainer *trainer = make_trainer(1);
    uint32_t params = trainer->layout.params, clipped = 0;
    float *rows = table_normal(ROWS, 2);
    double *one = calloc(params, sizeof(*one)), *sum = calloc(params, sizeof(*sum));
    const double limit = 0.7;
    for (uint32_t i = 0; i < ROWS; i++) {
        reference_loss(&trainer->layout, trainer->params, rows + (size_t)i * TABLE_COLUMNS,
                       (double)trainer->cfg.error_clip, one);
        double norm = reference_norm(one, params), factor = norm > limit ? limit / norm : 1;
        clipped += norm > limit;
        for (uint32_t k = 0; k < params; k++)
            sum[k] += factor * one[k];
    }
    assert_in_range(clipped, ROWS / 5, ROWS * 4 / 5);

    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    private_sum(trainer, rows, ROWS, 1.0, limit, &rng);
    double size = reference_norm(sum, params);
    for (uint32_t k = 0; k < params; k++)
        assert_true(fabs((double)trainer->grad[k] - sum[k]) < 1e-5 * size);
    free(one);
    free(sum);
    free(rows);
    learn_trainer_destroy(trainer);
}

/* One row more or less must not move the sum by more than the clip, whatever the row holds. */
static void no_row_exceeds_the_clip(void **state)
{
    (void)state;
    static const float values[] = {0, 1, 1e3F, -1e10F, 1e20F, 3e38F, INFINITY, -INFINITY, NAN};
    struct learn_trainer *trainer = make_trainer(1);
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    for (size_t v = 0; v < ATL_ARRAY_LEN(values); v++) {
        float *row = table_normal(1, v);
        row[3] = values[v];
        row[7] = -values[v];
        private_sum(trainer, row, 1, 1.0, 0.01, &rng);
        assert_true(norm_of(trainer) <= 0.01 * (1 + 1e-5)); /* a NaN fails too */
        free(row);
    }
    learn_trainer_destroy(trainer);
}

static void sampling_is_poisson(void **state)
{
    (void)state;
    enum { ROWS = 1000, TRIALS = 400 };
    /* Zero weights and output biases: row i has gradient (-x / I) in the last bias alone, so a
     * single non-zero entry of +-1 in a column of its own shows which rows took part. */
    struct learn_trainer *trainer = make_trainer(1);
    memset(trainer->params, 0, trainer->layout.params * sizeof(float));
    float *rows = calloc((size_t)ROWS * TABLE_COLUMNS, sizeof(float));
    for (uint32_t i = 0; i < ROWS; i++)
        rows[(size_t)i * TABLE_COLUMNS + i % TABLE_COLUMNS] = -1;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 4);
    uint32_t bias = trainer->layout.b[trainer->layout.n_layers - 1];
    double sum = 0, square = 0, by_column[TABLE_COLUMNS] = {0};
    for (uint32_t t = 0; t < TRIALS; t++) {
        private_sum(trainer, rows, ROWS, 0.05, 1.0, &rng);
        double taken = 0;
        for (uint32_t j = 0; j < TABLE_COLUMNS; j++) {
            double here = (double)trainer->grad[bias + j] * TABLE_COLUMNS;
            by_column[j] += here;
            taken += here;
        }
        sum += taken;
        square += taken * taken;
    }
    double mean = sum / TRIALS, variance = square / TRIALS - mean * mean;
    assert_true(fabs(mean - 50) < 4 * sqrt(47.5 / TRIALS));
    assert_true(fabs(variance - 47.5) < 5 * 47.5 * sqrt(2.0 / TRIALS));
    for (uint32_t j = 0; j < TABLE_COLUMNS; j++) /* 50 rows a column, 400 trials, q = 0.05 */
        assert_true(fabs(by_column[j] - 1000) < 4.5 * sqrt(950));
    free(rows);
    learn_trainer_destroy(trainer);
}

/* A row without gradient (zero weights, zero row) leaves the noise alone in the sum. */
static void noise_has_the_promised_size(void **state)
{
    (void)state;
    struct learn_trainer *trainer = make_trainer(1);
    uint32_t params = trainer->layout.params;
    memset(trainer->params, 0, params * sizeof(float));
    float row[TABLE_COLUMNS] = {0};
    struct atl_rng rng;
    atl_rng_init_secure(&rng);
    struct learn_private cfg = {
        .clip = 0.5, .noise_multiplier = 1.5, .sample_rate = 0.5, .steps = 1, .rng = &rng};
    enum { STEPS = 20 };
    double square = 0, mean = 0, largest = 0, grain = 0.5 * 0x1p-20;
    for (int s = 0; s < STEPS; s++) {
        memset(trainer->params, 0, params * sizeof(float));
        assert_int_equal(learn_trainer_run_private(trainer, row, 1, &cfg, NULL), 0);
        for (uint32_t k = 0; k < params; k++) {
            double v = (double)trainer->grad[k];
            mean += v;
            square += v * v;
            largest = fmax(largest, fabs(v));
            assert_true(fabs(v / grain - rint(v / grain)) <
                        0.05); /* on the grid, but for float32 */
        }
    }
    double n = (double)params * STEPS;
    double std = 1.5 * priv_grid_sensitivity(0.5, 2 * grain, params);
    assert_true(std < 0.75 * 1.001);
    assert_true(fabs(square / n / (std * std) - 1) < 5 * sqrt(2.0 / n));
    assert_true(fabs(mean / n) < 5 * std / sqrt(n));
    assert_true(largest > 3 * std);
    learn_trainer_destroy(trainer);
}

static void private_run_repeats_by_seed(void **state)
{
    (void)state;
    struct learn_trainer *a = make_trainer(1), *b = make_trainer(1);
    float *rows = table_normal(500, 5);
    struct atl_rng rng_a, rng_b;
    atl_rng_init_seed(&rng_a, 6);
    atl_rng_init_seed(&rng_b, 6);
    struct learn_private cfg = {
        .clip = 0.1, .noise_multiplier = 1, .sample_rate = 0.1, .steps = 5, .rng = &rng_a};
    assert_int_equal(learn_trainer_run_private(a, rows, 500, &cfg, NULL), 0);
    cfg.rng = &rng_b;
    assert_int_equal(learn_trainer_run_private(b, rows, 500, &cfg, NULL), 0);
    assert_memory_equal(a->params, b->params, a->layout.params * sizeof(float));
    assert_int_equal(learn_trainer_run_private(b, rows, 500, &cfg, NULL), 0);
    assert_memory_not_equal(a->params, b->params, a->layout.params * sizeof(float));
    free(rows);
    learn_trainer_destroy(a);
    learn_trainer_destroy(b);
}

static void learns_through_the_noise(void **state)
{
    (void)state;
    enum { ROWS = 8000 };
    struct learn_trainer *trainer = make_trainer(1);
    float *rows = table_normal(ROWS, 7);
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 8);
    struct learn_private cfg = {
        .clip = 0.2, .noise_multiplier = 1, .sample_rate = 0.06, .steps = 600, .rng = &rng};
    assert_int_equal(learn_trainer_run_private(trainer, rows, ROWS, &cfg, NULL), 0);
    struct learn_model *model;
    assert_int_equal(learn_trainer_model(trainer, &model, NULL), 0);
    double auc = table_separation(model);
    print_message("# private AUC %.4f\n", auc);
    assert_true(auc > 0.95);
    learn_model_destroy(model);
    free(rows);
    learn_trainer_destroy(trainer);
}

static void refuses_what_it_cannot_account_for(void **state)
{
    (void)state;
    struct learn_trainer *trainer = make_trainer(1);
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 9);
    const struct learn_private good = {
        .clip = 1, .noise_multiplier = 1, .sample_rate = 0.5, .steps = 1, .rng = &rng};
    struct learn_private bad[] = {good, good, good, good, good, good, good};
    bad[0].clip = 0;
    bad[1].clip = NAN;
    bad[2].noise_multiplier = 0;
    bad[3].noise_multiplier = INFINITY;
    bad[4].sample_rate = 0;
    bad[5].sample_rate = 1.01;
    bad[6].rng = NULL;
    float row[TABLE_COLUMNS] = {0};
    struct atl_error err;
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++) {
        err.text[0] = '\0';
        assert_int_equal(learn_trainer_run_private(trainer, row, 1, &bad[i], &err), -EINVAL);
        assert_true(strncmp(err.text, "private training: ", 18) == 0);
    }
    assert_int_equal(learn_trainer_run_private(trainer, row, 0, &good, &err), -EINVAL);
    assert_int_equal(learn_trainer_run_private(trainer, row, 1, &good, &err), 0);
    learn_trainer_destroy(trainer);
}

static void stops_when_told(void **state)
{
    (void)state;
    struct learn_trainer *trainer = make_trainer(1);
    struct atl_rng rng;
    _Atomic bool stop = false;
    float row[TABLE_COLUMNS] = {0};
    atl_rng_init_seed(&rng, 10);
    struct learn_private cfg = {.clip = 1,
                                .noise_multiplier = 1,
                                .sample_rate = 0.5,
                                .steps = 1,
                                .rng = &rng,
                                .stop = &stop};
    assert_int_equal(learn_trainer_run_private(trainer, row, 1, &cfg, NULL), 0);
    stop = true;
    cfg.steps = UINT32_MAX; /* hours of work otherwise */
    assert_int_equal(learn_trainer_run_private(trainer, row, 1, &cfg, NULL), -ECANCELED);
    learn_trainer_destroy(trainer);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clipped_sum_is_brute_force),
        cmocka_unit_test(no_row_exceeds_the_clip),
        cmocka_unit_test(sampling_is_poisson),
        cmocka_unit_test(noise_has_the_promised_size),
        cmocka_unit_test(private_run_repeats_by_seed),
        cmocka_unit_test(learns_through_the_noise),
        cmocka_unit_test(refuses_what_it_cannot_account_for),
        cmocka_unit_test(stops_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
