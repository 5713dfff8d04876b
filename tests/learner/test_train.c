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

#include "learner/shuffle_priv.h"
#include "learner/train_priv.h"
#include "tests/learner/table.h"

enum { ROWS = 3000 };

static struct learn_model *make_model(void)
{
    struct learn_shape shape;
    struct learn_model *model;
    table_shape(&shape);
    assert_int_equal(learn_model_create(&model, &shape, 1), 0);
    return model;
}

static void lowers_the_loss_and_separates(void **state)
{
    (void)state;
    struct learn_model *start = make_model(), *model;
    struct learn_trainer *trainer;
    struct learn_train_config cfg;
    learn_train_config_default(&cfg);
    cfg.batch = 64;
    float *rows = table_normal(ROWS, 11);
    assert_int_equal(learn_trainer_create(&trainer, start, &cfg, NULL), 0);
    uint32_t pass = (ROWS + 63) / 64;
    float first = learn_trainer_run(trainer, rows, ROWS, pass);
    float last = learn_trainer_run(trainer, rows, ROWS, 40 * pass);
    assert_true(last < first / 10);
    assert_int_equal(learn_trainer_model(trainer, &model, NULL), 0);
    assert_false(learn_model_calibrated(model));
    double auc = table_separation(model);
    print_message("# loss %.4f -> %.4f, AUC %.4f\n", (double)first, (double)last, auc);
    assert_true(auc > 0.99);
    learn_model_destroy(model);
    learn_model_destroy(start);
    learn_trainer_destroy(trainer);
    free(rows);
}

static void same_seed_same_model(void **state)
{
    (void)state;
    struct learn_model *start = make_model();
    struct learn_trainer *a, *b, *c;
    struct learn_train_config cfg;
    learn_train_config_default(&cfg);
    cfg.batch = 300; /* more than a slice, and not a divisor of the rows */
    float *rows = table_normal(1000, 12);
    assert_int_equal(learn_trainer_create(&a, start, &cfg, NULL), 0);
    assert_int_equal(learn_trainer_create(&b, start, &cfg, NULL), 0);
    cfg.seed++;
    assert_int_equal(learn_trainer_create(&c, start, &cfg, NULL), 0);
    float loss = learn_trainer_run(a, rows, 1000, 10);
    assert_true(learn_trainer_run(b, rows, 1000, 10) == loss);
    learn_trainer_run(c, rows, 1000, 10);
    size_t bytes = start->layout.params * sizeof(float);
    assert_memory_equal(learn_trainer_params(a), learn_trainer_params(b), bytes);
    assert_memory_not_equal(learn_trainer_params(a), learn_trainer_params(c), bytes);
    assert_memory_not_equal(learn_trainer_params(a), learn_model_params(start), bytes);
    learn_trainer_destroy(a);
    learn_trainer_destroy(b);
    learn_trainer_destroy(c);
    learn_model_destroy(start);
    free(rows);
}

/* Against Adam written out in doubles for one parameter. */
static void adam_is_the_papers(void **state)
{
    (void)state;
    struct learn_adam adam;
    assert_int_equal(learn_adam_init(&adam, 1), 0);
    float param = 0.5F;
    double want = 0.5, m = 0, v = 0;
    for (int t = 1; t <= 200; t++) {
        float grad = sinf((float)t);
        learn_adam_step(&adam, &param, &grad, 0.25F, 0.01F);
        double g = 0.25 * (double)grad;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        want -= 0.01 * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.999, t))) + 1e-8);
        assert_float_equal(param, want, 1e-4);
    }
    assert_true(fabs(want - 0.5) > 1e-3);
    learn_adam_finish(&adam);
}

static void shuffle_is_a_bijection(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 5, 64, 1000, 4097};
    uint8_t seen[4097];
    for (size_t s = 0; s < ATL_ARRAY_LEN(sizes); s++) {
        struct learn_shuffle order;
        learn_shuffle_init(&order, sizes[s], 42 + s);
        memset(seen, 0, sizeof(seen));
        uint32_t in_place = 0;
        for (uint32_t i = 0; i < sizes[s]; i++) {
            uint32_t at = learn_shuffle_at(&order, i);
            assert_true(at < sizes[s] && seen[at] == 0);
            seen[at] = 1;
            in_place += at == i;
        }
        assert_true(sizes[s] < 64 || in_place < 10); /* 1 expected of a random order */
    }
}

static void survives_bad_rows_and_says_when_it_diverged(void **state)
{
    (void)state;
    struct learn_model *start = make_model(), *model = NULL;
    struct learn_trainer *trainer;
    struct learn_train_config cfg;
    struct atl_error err;
    learn_train_config_default(&cfg);
    float *rows = table_normal(100, 13);
    rows[5] = NAN;
    rows[7 * TABLE_COLUMNS] = INFINITY;
    assert_int_equal(learn_trainer_create(&trainer, start, &cfg, NULL), 0);
    assert_true(learn_trainer_run(trainer, rows, 0, 10) == 0);
    assert_true(isfinite(learn_trainer_run(trainer, rows, 100, 50)));
    assert_int_equal(learn_trainer_model(trainer, &model, &err), 0);
    learn_model_destroy(model);

    trainer->params[3] = NAN;
    model = NULL;
    assert_int_equal(learn_trainer_model(trainer, &model, &err), -ERANGE);
    assert_null(model);
    assert_non_null(strstr(err.text, "lower learning_rate"));
    learn_trainer_destroy(trainer);
    learn_model_destroy(start);
    free(rows);
}

static void config_is_checked(void **state)
{
    (void)state;
    struct learn_train_config good, cfg;
    struct atl_error err;
    learn_train_config_default(&good);
    assert_int_equal(learn_train_config_check(&good, &err), 0);
    cfg = good;
    cfg.batch = 4097;
    assert_int_equal(learn_train_config_check(&cfg, &err), -EINVAL);
    assert_string_equal(err.text, "training: batch is 4097, expected 1 to 4096");
    cfg = good;
    cfg.learning_rate = NAN;
    assert_int_equal(learn_train_config_check(&cfg, &err), -EINVAL);
    cfg = good;
    cfg.error_clip = 0;
    assert_int_equal(learn_train_config_check(&cfg, &err), -EINVAL);
}

static double distance(const float *a, const float *b, uint32_t n)
{
    double sum = 0;
    for (uint32_t k = 0; k < n; k++)
        sum += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    return sqrt(sum);
}

/* FedProx holds training near its start, with privacy or without; 0 changes no bit. */
static void proximal_holds_it_near_the_start(void **state)
{
    (void)state;
    const float pulls[] = {0, 0.1F, 10};
    float *rows = table_normal(ROWS, 5);
    struct learn_model *start = make_model();
    uint32_t params = learn_shape_params(learn_model_shape(start));
    double moved[2][3];
    for (int private = 0; private < 2; private ++) {
        for (int i = 0; i < 3; i++) {
            struct learn_trainer *trainer;
            struct learn_train_config cfg;
            struct atl_rng rng;
            atl_rng_init_seed(&rng, 3);
            learn_train_config_default(&cfg);
            cfg.proximal = pulls[i];
            const struct learn_private how = {
                .clip = 1, .noise_multiplier = 1, .sample_rate = 0.1, .steps = 100, .rng = &rng};
            assert_int_equal(learn_trainer_create(&trainer, start, &cfg, NULL), 0);
            if (private)
                assert_int_equal(learn_trainer_run_private(trainer, rows, ROWS, &how, NULL), 0);
            else
                learn_trainer_run(trainer, rows, ROWS, 100);
            moved[private][i] =
                distance(learn_trainer_params(trainer), learn_model_params(start), params);
            learn_trainer_destroy(trainer);
        }
        assert_true(moved[private][1] < 0.8 * moved[private][0]);
        assert_true(moved[private][2] < 0.5 * moved[private][1]);
    }
    struct learn_train_config bad;
    learn_train_config_default(&bad);
    bad.proximal = -1;
    assert_int_equal(learn_train_config_check(&bad, NULL), -EINVAL);
    learn_model_destroy(start);
    free(rows);
}

/* What a trainer reports of a batch of all rows, before its only step, is the loss of the start. */
static void loss_is_the_trainers(void **state)
{
    (void)state;
    enum { N = 700 };
    float *rows = table_normal(N, 6), each[N];
    struct learn_model *start = make_model();
    struct learn_trainer *trainer;
    struct learn_train_config cfg;
    double mean, sum = 0;
    learn_train_config_default(&cfg);
    cfg.batch = N;
    assert_int_equal(learn_trainer_create(&trainer, start, &cfg, NULL), 0);
    float told = learn_trainer_run(trainer, rows, N, 1);
    assert_int_equal(learn_params_loss(learn_model_shape(start), learn_model_params(start), rows, N,
                                       cfg.error_clip, each, &mean),
                     0);
    assert_true(fabs((double)told - mean) < 1e-5 * mean);
    for (uint32_t i = 0; i < N; i++)
        sum += (double)each[i];
    assert_true(fabs(sum / N - mean) < 1e-9);
    rows[3] = NAN;
    assert_int_equal(learn_params_loss(learn_model_shape(start), learn_model_params(start), rows, N,
                                       cfg.error_clip, each, &mean),
                     0);
    assert_true(isnan(each[0]) && isfinite(each[1]) && isnan(mean));
    assert_int_equal(learn_params_loss(learn_model_shape(start), learn_model_params(start), rows, 0,
                                       cfg.error_clip, each, &mean),
                     -EINVAL);
    learn_trainer_destroy(trainer);
    learn_model_destroy(start);
    free(rows);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowers_the_loss_and_separates),
        cmocka_unit_test(same_seed_same_model),
        cmocka_unit_test(adam_is_the_papers),
        cmocka_unit_test(shuffle_is_a_bijection),
        cmocka_unit_test(survives_bad_rows_and_says_when_it_diverged),
        cmocka_unit_test(config_is_checked),
        cmocka_unit_test(proximal_holds_it_near_the_start),
        cmocka_unit_test(loss_is_the_trainers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
