/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "app/gate_priv.h"

#define LOOK_NS    (5 * ATL_NS_PER_S)
#define HOUR_LOOKS 720
#define TESTS_MAX  20000

static uint32_t passed;

static void on_pass(void *ctx, const struct alert_signal *signal)
{
    (void)ctx;
    (void)signal;
    passed++;
}

static struct gate *make(double hourly)
{
    struct gate *g;
    const struct gate_config cfg = {.hourly = hourly, .look_ns = LOOK_NS, .tests_max = TESTS_MAX};
    assert_int_equal(gate_create(&g, &cfg, on_pass, NULL), 0);
    passed = 0;
    return g;
}

static void look(struct gate *g, uint32_t number)
{
    gate_step(g, (number + 1) * LOOK_NS, false);
}

/* Uniform p-values, as a quiet network has them: the bound holds for 10 hosts and for 1,000. */
static void quiet_hours_have_few_alerts_however_many_hosts(void **state)
{
    (void)state;
    static const uint32_t hosts[] = {10, 1000};
    for (size_t k = 0; k < ATL_ARRAY_LEN(hosts); k++) {
        struct gate *g = make(20);
        struct atl_rng rng;
        struct alert_signal s = {0};
        uint32_t hours = 20;
        atl_rng_init_seed(&rng, 11);
        for (uint32_t i = 0; i < hours * HOUR_LOOKS; i++) {
            for (uint32_t h = 0; h < hosts[k]; h++) {
                double p = atl_rng_unit(&rng);
                gate_count(g);
                if (p < 0.05) /* beyond a boundary that is drawn far too low */
                    gate_offer(g, &s, p);
            }
            look(g, i);
        }
        double bound = 20.0 * hours;
        assert_true(passed <= bound + 3 * sqrt(bound));
        assert_true(passed > bound / 2); /* the bound is used, not only kept */
        assert_true(gate_withheld(g) > 1000);
        gate_destroy(g);
    }
}

static void what_is_certain_passes_at_once(void **state)
{
    (void)state;
    struct gate *g = make(1);
    struct alert_signal s = {0};
    assert_true(gate_certain(g) > 1e-8);
    for (uint32_t i = 0; i < TESTS_MAX; i++)
        gate_count(g);
    gate_offer(g, &s, 1e-12);
    assert_int_equal(passed, 1);
    gate_offer(g, &s, 1e-6); /* among 20,000 tests that is chance */
    assert_int_equal(passed, 1);
    look(g, 0);
    assert_int_equal(passed, 1);
    assert_int_equal(gate_withheld(g), 1);
    for (int i = 0; i < 1000; i++) /* a flood of certain ones is hidden by no bound */
        gate_offer(g, &s, 1e-12);
    assert_int_equal(passed, 1001);
    gate_destroy(g);
}

static void few_tests_need_little_evidence(void **state)
{
    (void)state;
    struct gate *g = make(1);
    struct alert_signal s = {0};
    look(g, 0);
    for (int i = 0; i < 5; i++)
        gate_count(g);
    gate_offer(g, &s, 1e-5); /* 1/720 for five tests */
    assert_int_equal(passed, 0);
    gate_step(g, LOOK_NS + LOOK_NS / 2, false); /* the look is not over */
    assert_int_equal(passed, 0);
    look(g, 1);
    assert_int_equal(passed, 1);
    gate_destroy(g);
}

static void zero_is_no_bound(void **state)
{
    (void)state;
    struct gate *g = make(0);
    struct alert_signal s = {0};
    gate_count(g);
    gate_offer(g, &s, 0.9);
    assert_int_equal(passed, 1);
    gate_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_hours_have_few_alerts_however_many_hosts),
        cmocka_unit_test(what_is_certain_passes_at_once),
        cmocka_unit_test(few_tests_need_little_evidence),
        cmocka_unit_test(zero_is_no_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
