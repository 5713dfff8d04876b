/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "learner/learner.h"

#define DELTA 0.002

static double near_level(struct atl_rng *rng, double level, double spread)
{
    return level + spread * atl_rng_normal(rng);
}

/* The header promises DELTA a value; Bernstein's bound is far from tight, so much less is seen. */
static void stationary_values_are_no_drift(void **state)
{
    (void)state;
    uint32_t drifts = 0, values = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct atl_rng rng;
        struct learn_drift *drift;
        atl_rng_init_seed(&rng, seed);
        assert_int_equal(learn_drift_create(&drift, DELTA, NULL), 0);
        for (uint32_t i = 0; i < 5000; i++, values++) {
            double v = seed % 2 ? near_level(&rng, 0.2, 0.05) : atl_rng_unit(&rng);
            drifts += learn_drift_step(drift, v) != 0;
        }
        learn_drift_destroy(drift);
    }
    assert_true(drifts <= DELTA * values);
    assert_true(drifts <= 2); /* of 100,000: what was seen is 0 */
}

static void a_shift_is_found_and_told_by_its_sign(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct atl_rng rng;
        struct learn_drift *drift;
        uint32_t at = 0;
        int found = 0;
        atl_rng_init_seed(&rng, 7);
        assert_int_equal(learn_drift_create(&drift, DELTA, NULL), 0);
        for (uint32_t i = 0; i < 3000; i++)
            assert_int_equal(learn_drift_step(drift, near_level(&rng, 0.3, 0.05)), 0);
        for (; at < 500 && found == 0; at++)
            found = learn_drift_step(drift, near_level(&rng, 0.3 + sign * 0.1, 0.05));
        assert_int_equal(found, sign);
        assert_true(at < 200);
        for (uint32_t i = 0; i < 500; i++)
            learn_drift_step(drift, near_level(&rng, 0.3 + sign * 0.1, 0.05));
        assert_true(fabs(learn_drift_mean(drift) - (0.3 + sign * 0.1)) < 0.02);
        assert_true(learn_drift_values(drift) < 1000); /* what was before is forgotten */
        assert_true(learn_drift_count(drift) >= 1);
        learn_drift_destroy(drift);
    }
}

static void what_is_no_number_is_passed_over(void **state)
{
    (void)state;
    struct learn_drift *drift;
    assert_int_equal(learn_drift_create(&drift, 0, NULL), -EINVAL);
    assert_int_equal(learn_drift_create(&drift, NAN, NULL), -EINVAL);
    assert_int_equal(learn_drift_create(&drift, DELTA, NULL), 0);
    assert_int_equal(learn_drift_step(drift, NAN), 0);
    assert_int_equal(learn_drift_step(drift, INFINITY), 0);
    assert_int_equal(learn_drift_values(drift), 0);
    learn_drift_step(drift, 7); /* cut to 1 */
    assert_true(learn_drift_mean(drift) == 1);
    learn_drift_reset(drift);
    assert_int_equal(learn_drift_values(drift), 0);
    learn_drift_destroy(drift);
}

/* The running sums must be those of the values remembered, after many merges and many cuts. */
static void sums_do_not_wander(void **state)
{
    (void)state;
    struct atl_rng rng;
    struct learn_drift *drift;
    atl_rng_init_seed(&rng, 3);
    assert_int_equal(learn_drift_create(&drift, DELTA, NULL), 0);
    for (uint32_t i = 0; i < 200000; i++)
        learn_drift_step(drift, i / 5000 % 2 ? 0.8 : 0.2);
    for (uint32_t i = 0; i < 4000; i++)
        learn_drift_step(drift, 0.5);
    assert_true(fabs(learn_drift_mean(drift) - 0.5) < 0.01);
    learn_drift_destroy(drift);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stationary_values_are_no_drift),
        cmocka_unit_test(a_shift_is_found_and_told_by_its_sign),
        cmocka_unit_test(what_is_no_number_is_passed_over),
        cmocka_unit_test(sums_do_not_wander),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
