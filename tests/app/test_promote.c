/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "app/promote_priv.h"

#define COLUMNS 6
#define ROWS    1200

/* Two hidden numbers seen through six columns; `shift` moves the level of all. */
static float *make_rows(uint64_t seed, float shift)
{
    struct atl_rng rng;
    float *rows = malloc(ROWS * COLUMNS * sizeof(float));
    assert_non_null(rows);
    atl_rng_init_seed(&rng, seed);
    for (uint32_t i = 0; i < ROWS; i++) {
        float a = (float)atl_rng_normal(&rng), b = (float)atl_rng_normal(&rng);
        for (uint32_t k = 0; k < COLUMNS; k++)
            rows[i * COLUMNS + k] = shift + (k % 2 ? a : b) * (float)(k + 1) * 0.2F +
                                    0.05F * (float)atl_rng_normal(&rng);
    }
    return rows;
}

static struct learn_model *learn(uint64_t seed, float shift)
{
    struct learn_shape shape = {.n_in = COLUMNS, .n_widths = 1, .widths = {3}};
    struct learn_train_config cfg;
    struct learn_model *start, *trained, *model;
    struct learn_trainer *trainer;
    float *rows = make_rows(seed, shift), *held = make_rows(seed + 1, shift);
    learn_train_config_default(&cfg);
    assert_int_equal(learn_model_create(&start, &shape, seed), 0);
    assert_int_equal(learn_trainer_create(&trainer, start, &cfg, NULL), 0);
    learn_trainer_run(trainer, rows, ROWS, 800);
    assert_int_equal(learn_trainer_model(trainer, &trained, NULL), 0);
    assert_int_equal(learn_model_calibrate(&model, trained, held, ROWS, 1e-3, "x", NULL), 0);
    learn_trainer_destroy(trainer);
    learn_model_destroy(start);
    learn_model_destroy(trained);
    free(rows);
    free(held);
    return model;
}

static void only_what_is_no_worse_is_promoted(void **state)
{
    (void)state;
    struct learn_model *old = learn(1, 0), *fresh = learn(5, 2);
    float *before = make_rows(9, 0), *after = make_rows(10, 2);
    struct promote_verdict v;
    assert_int_equal(promote_judge(old, fresh, after, ROWS, &v), 0); /* the site has changed */
    assert_true(v.promote);
    assert_true(v.over_now > ROWS / 2 && v.over_new < ROWS / 50);
    assert_int_equal(promote_judge(old, fresh, before, ROWS, &v), 0); /* it has not */
    assert_false(v.promote);
    assert_true(v.over_new > v.over_now);
    assert_int_equal(promote_judge(old, old, before, ROWS, &v), 0);
    assert_true(v.promote);
    assert_int_equal(promote_judge(old, fresh, after, PROMOTE_ROWS_MIN - 1, &v), 0);
    assert_false(v.promote); /* too few to tell */
    learn_model_destroy(old);
    learn_model_destroy(fresh);
    free(before);
    free(after);
}

static void a_jump_is_regretted_and_chance_is_not(void **state)
{
    (void)state;
    assert_false(promote_regretted(1e-3, 0, 0));
    assert_false(promote_regretted(1e-3, 10000, 10));
    assert_false(promote_regretted(1e-3, 10000, 30));
    assert_false(promote_regretted(1e-3, 100, 30)); /* one talker */
    assert_true(promote_regretted(1e-3, 10000, 100));
    assert_true(promote_regretted(1e-3, 200, 100));
    assert_false(promote_regretted(0.02, 10000, 300)); /* it was so before */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_no_worse_is_promoted),
        cmocka_unit_test(a_jump_is_regretted_and_chance_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
