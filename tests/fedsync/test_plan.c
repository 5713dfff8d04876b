/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "fedsync/fedsync.h"

static void the_default_is_valid(void **state)
{
    (void)state;
    struct fed_hub_config cfg;
    struct atl_error err = {""};
    fed_hub_config_default(&cfg);
    assert_int_equal(fed_hub_config_check(&cfg, &err), 0);
}

static void a_wrong_field_is_named(void **state)
{
    (void)state;
    struct fed_hub_config good, cfgs[10];
    struct atl_error err;
    static const char *const words[] = {"quorum", "expected",   "federation",   "noise_multiplier",
                                        "clip",   "norm_max",   "deadline (s)", "state_dir",
                                        "delta",  "sample_rate"};
    fed_hub_config_default(&good);
    for (size_t i = 0; i < ATL_ARRAY_LEN(cfgs); i++)
        cfgs[i] = good;
    cfgs[0].quorum = 0;
    cfgs[1].quorum = 3, cfgs[1].expected = 2;
    cfgs[2].federation = "north/south";
    cfgs[3].noise_multiplier = NAN;
    cfgs[4].clip = INFINITY;
    cfgs[5].norm_max = -1;
    cfgs[6].deadline_ns = 0;
    cfgs[7].state_dir = "";
    cfgs[8].delta = 0.5;
    cfgs[9].sample_rate = 0;
    for (size_t i = 0; i < ATL_ARRAY_LEN(cfgs); i++) {
        assert_int_equal(fed_hub_config_check(&cfgs[i], &err), -EINVAL);
        assert_non_null(strstr(err.text, words[i]));
        assert_non_null(strstr(err.text, i == 1 ? "less than the quorum" : "expected"));
    }
}

static void plans_are_checked(void **state)
{
    (void)state;
    struct atl_error err;
    struct fed_plan plan = {.federation = "north",
                            .section = "flow",
                            .epoch = 1,
                            .round = 1,
                            .unit = "flow",
                            .steps = 1,
                            .sample_rate = 1,
                            .clip = 1,
                            .noise_multiplier = 1,
                            .learning_rate = 1e-3F,
                            .delta = 1e-5,
                            .quorum = 1,
                            .deadline_ns = 1};
    assert_int_equal(fed_plan_check(&plan, &err), 0);
    plan.round = 0;
    assert_int_equal(fed_plan_check(&plan, &err), -EINVAL);
    plan.round = 1;
    atl_copy(plan.unit, sizeof(plan.unit), "edge");
    assert_int_equal(fed_plan_check(&plan, &err), -EINVAL);
    assert_string_equal(err.text, "privacy unit 'edge': expected flow or host");
    atl_copy(plan.unit, sizeof(plan.unit), "host");
    assert_int_equal(fed_plan_check(&plan, &err), 0);
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(fed_edge_state_name(FED_EDGE_REFUSED), "refused");
    assert_string_equal(fed_edge_state_name((enum fed_edge_state)99), "unknown");
    assert_string_equal(fed_round_state_name(FED_ROUND_ABANDONED), "abandoned");
    assert_string_equal(fed_round_state_name((enum fed_round_state) - 1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_valid),
        cmocka_unit_test(a_wrong_field_is_named),
        cmocka_unit_test(plans_are_checked),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
