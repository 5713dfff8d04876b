/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <float.h>
#include <math.h>

#include "fedsync/aggregate_priv.h"

static void mean_of_three(void **state)
{
    (void)state;
    static const float base[2] = {1, -1};
    static const float deltas[3][2] = {{1, 2}, {2, 4}, {6, 0}};
    float out[2];
    double norm;
    struct fed_mean *mean;
    assert_int_equal(fed_mean_create(&mean, 2), 0);
    assert_int_equal(fed_mean_apply(mean, base, 1, out, &norm), -EAGAIN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fed_mean_add(mean, deltas[i], 0), 0);
    assert_int_equal(fed_mean_count(mean), 3);
    assert_int_equal(fed_mean_apply(mean, base, 1, out, &norm), 0);
    assert_true(out[0] == 4 && out[1] == 1);
    assert_true(fabs(norm - sqrt(13)) < 1e-15);
    assert_int_equal(fed_mean_apply(mean, base, 0.5F, out, NULL), 0);
    assert_true(out[0] == 2.5F && out[1] == 0);
    fed_mean_destroy(mean);
}

static void long_updates_are_cut_to_the_bound(void **state)
{
    (void)state;
    static const float zero[2], longer[2] = {30, 40}, shorter[2] = {0.3F, 0.4F};
    float out[2];
    double norm;
    struct fed_mean *mean;
    assert_int_equal(fed_mean_create(&mean, 2), 0);
    assert_int_equal(fed_mean_add(mean, longer, 5), 0);
    assert_int_equal(fed_mean_apply(mean, zero, 1, out, &norm), 0);
    assert_true(fabs(norm - 5) < 1e-12);
    assert_float_equal(out[0], 3, 1e-6);
    assert_float_equal(out[1], 4, 1e-6);
    fed_mean_destroy(mean);
    assert_int_equal(fed_mean_create(&mean, 2), 0);
    assert_int_equal(fed_mean_add(mean, shorter, 5), 0);
    assert_int_equal(fed_mean_apply(mean, zero, 1, out, NULL), 0);
    assert_true(out[0] == shorter[0] && out[1] == shorter[1]);
    fed_mean_destroy(mean);
}

static void only_finite_numbers(void **state)
{
    (void)state;
    const float wrong[3] = {NAN, INFINITY, -INFINITY};
    static const float top[1] = {FLT_MAX};
    struct fed_mean *mean;
    float out[1];
    assert_int_equal(fed_mean_create(&mean, 1), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fed_mean_add(mean, &wrong[i], 1), -EDOM);
    assert_int_equal(fed_mean_count(mean), 0);
    assert_true(isfinite(fed_norm(top, 1)));
    assert_int_equal(fed_mean_add(mean, top, 0), 0);
    assert_int_equal(fed_mean_apply(mean, top, 1, out, NULL), -ERANGE);
    fed_mean_destroy(mean);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_of_three),
        cmocka_unit_test(long_updates_are_cut_to_the_bound),
        cmocka_unit_test(only_finite_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
