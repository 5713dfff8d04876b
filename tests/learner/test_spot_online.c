/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "learner/learner.h"

/* Laws with known tails: bounded, light, exponential, heavy. */
static double uniform(struct atl_rng *rng)
{
    return atl_rng_unit(rng);
}

static double exponential(struct atl_rng *rng)
{
    return -log(1 - atl_rng_unit(rng));
}

static double pareto(struct atl_rng *rng) /* P(X > x) = x^-4, ξ = 1/4 */
{
    return pow(1 - atl_rng_unit(rng), -0.25);
}

static uint32_t alarms_of(const struct learn_spot_config *cfg, double (*draw)(struct atl_rng *),
                          double slope, uint32_t n, uint64_t seed)
{
    struct learn_spot *spot;
    struct learn_spot_verdict verdict;
    struct atl_rng rng;
    uint32_t alarms = 0, quiet = cfg->warmup + cfg->drift_rows;
    atl_rng_init_seed(&rng, seed);
    assert_int_equal(learn_spot_create(&spot, cfg, NULL), 0);
    for (uint32_t i = 0; i < n + quiet; i++) {
        learn_spot_step(spot, draw(&rng) + slope * i, &verdict);
        assert_int_equal(verdict.ready, i >= quiet);
        assert_true(!isnan(verdict.threshold) && verdict.p_value > 0 && verdict.p_value <= 1);
        alarms += verdict.alarm;
    }
    learn_spot_destroy(spot);
    return alarms;
}

/* 200,000 values at q = 1e-3: 200 expected. The fit of 500 excesses alone gives the shape an error
 * of 0.05, so a single stream may be off by half, five together by less. */
static void exceedance_rate_is_near_q(void **state)
{
    (void)state;
    double (*const laws[])(struct atl_rng *) = {uniform, exponential, atl_rng_normal, pareto};
    struct learn_spot_config cfg;
    learn_spot_config_default(&cfg);
    cfg.risk = 1e-3;
    for (uint32_t drift = 0; drift <= 50; drift += 50) {
        cfg.drift_rows = drift;
        for (size_t l = 0; l < ATL_ARRAY_LEN(laws); l++) {
            uint32_t sum = 0;
            for (uint64_t seed = 1; seed <= 5; seed++) {
                uint32_t alarms = alarms_of(&cfg, laws[l], 0, 200000, seed);
                assert_in_range(alarms, 60, 450);
                sum += alarms;
            }
            print_message("# law %zu drift %u: rate %.2e\n", l, drift, sum / 1e6);
            assert_in_range(sum, 600, 1600);
        }
    }
}

/* Falling by 20 deviations: what sticks out of today's level is seen by DSPOT alone. */
static void drift_is_followed(void **state)
{
    (void)state;
    struct learn_spot_config cfg;
    learn_spot_config_default(&cfg);
    for (uint32_t drift = 0; drift <= 50; drift += 50) {
        struct learn_spot *spot;
        struct learn_spot_verdict verdict;
        struct atl_rng rng;
        atl_rng_init_seed(&rng, 4);
        cfg.drift_rows = drift;
        assert_int_equal(learn_spot_create(&spot, &cfg, NULL), 0);
        for (uint32_t i = 0; i < 20000; i++)
            learn_spot_step(spot, atl_rng_normal(&rng) - 1e-3 * i, &verdict);
        learn_spot_step(spot, -20.0 + 10.0, &verdict);
        assert_int_equal(verdict.alarm, drift > 0);
        learn_spot_destroy(spot);
    }
    cfg.risk = 1e-3;
    assert_in_range(alarms_of(&cfg, atl_rng_normal, 1e-3, 50000, 1), 20, 90);
}

static void a_flood_of_alarms_teaches_little(void **state)
{
    (void)state;
    struct learn_spot_config cfg;
    struct learn_spot *spot;
    struct learn_spot_verdict verdict;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    learn_spot_config_default(&cfg);
    assert_int_equal(learn_spot_create(&spot, &cfg, NULL), 0);
    for (uint32_t i = 0; i < 5000; i++)
        learn_spot_step(spot, atl_rng_normal(&rng), &verdict);
    learn_spot_step(spot, 1000, &verdict);
    double before = verdict.threshold;
    for (uint32_t i = 0; i < 1000; i++) {
        learn_spot_step(spot, 1000, &verdict);
        assert_true(verdict.alarm && verdict.p_value < 1e-4);
    }
    print_message("# threshold %.2f, after the flood %.2f\n", before, verdict.threshold);
    assert_true(fabs(verdict.threshold / before - 1) < 0.2);
    before = verdict.threshold;
    learn_spot_step(spot, NAN, &verdict);
    assert_true(!verdict.alarm && verdict.p_value == 1 && verdict.threshold == before);
    learn_spot_step(spot, INFINITY, &verdict);
    assert_true(!verdict.alarm && verdict.threshold == before);
    learn_spot_destroy(spot);
}

static void constant_stream_has_a_threshold(void **state)
{
    (void)state;
    struct learn_spot_config cfg;
    struct learn_spot *spot;
    struct learn_spot_verdict verdict;
    learn_spot_config_default(&cfg);
    assert_int_equal(learn_spot_create(&spot, &cfg, NULL), 0);
    for (uint32_t i = 0; i < 3000; i++) {
        learn_spot_step(spot, 7, &verdict);
        assert_false(verdict.alarm);
    }
    assert_true(isfinite(verdict.threshold) && verdict.threshold >= 7);
    learn_spot_step(spot, 8, &verdict);
    assert_true(verdict.alarm);
    learn_spot_destroy(spot);
}

/* Once the true p of the exponential law is known, the streamed one must be near it. */
static void p_value_is_the_law(void **state)
{
    (void)state;
    struct learn_spot_config cfg;
    struct learn_spot *spot;
    struct learn_spot_verdict verdict;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 5);
    learn_spot_config_default(&cfg);
    cfg.risk = 1e-6;
    assert_int_equal(learn_spot_create(&spot, &cfg, NULL), 0);
    for (uint32_t i = 0; i < 100000; i++)
        learn_spot_step(spot, exponential(&rng), &verdict);
    for (double x = 5; x < 9; x += 1) {
        learn_spot_step(spot, x, &verdict);
        assert_true(verdict.p_value < 3 * exp(-x) && verdict.p_value > exp(-x) / 3);
    }
    learn_spot_destroy(spot);
}

static void configuration_is_checked(void **state)
{
    (void)state;
    struct learn_spot_config cfg;
    struct learn_spot *spot = NULL;
    struct atl_error err;
    learn_spot_config_default(&cfg);
    assert_int_equal(learn_spot_config_check(&cfg, &err), 0);
    cfg.risk = 0.03; /* more than lies above the level */
    assert_int_equal(learn_spot_create(&spot, &cfg, &err), -EINVAL);
    assert_non_null(strstr(err.text, "level"));
    learn_spot_config_default(&cfg);
    cfg.warmup = 10;
    assert_int_equal(learn_spot_create(&spot, &cfg, &err), -EINVAL);
    assert_null(spot);
    learn_spot_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exceedance_rate_is_near_q),
        cmocka_unit_test(drift_is_followed),
        cmocka_unit_test(a_flood_of_alarms_teaches_little),
        cmocka_unit_test(p_value_is_the_law),
        cmocka_unit_test(constant_stream_has_a_threshold),
        cmocka_unit_test(configuration_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
