/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "tests/privacy/vectors.h"

/* Rows of RDP_CALIB and PRV_CALIB (Opacus): sigma for a given ε, tolerance on sigma */
static void agrees_with_other_calibrations(void **state)
{
    (void)state;
    struct vector rows[8];
    size_t n = vectors_read(",RDP_CALIB,PRV_CALIB,", rows, ATL_ARRAY_LEN(rows));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        const struct vector *v = &rows[i];
        enum priv_accountant accountant = v->accountant[0] == 'R' ? PRIV_RDP : PRIV_PLD;
        struct priv_event e = v->events[0];
        double wanted = e.sigma, sigma = 0;
        e.sigma = NAN; /* ignored */
        assert_int_equal(priv_calibrate(accountant, &e, v->epsilon, v->delta, &sigma, NULL), 0);
        printf("# %s: sigma %.6g for %.6g\n", v->accountant, sigma, wanted);
        assert_true(fabs(sigma - wanted) <= v->tol);
    }
}

/* It keeps the promise, and one unit of the fourth digit less does not */
static void is_the_smallest_of_four_digits(void **state)
{
    (void)state;
    static const struct priv_event events[] = {
        {PRIV_GAUSSIAN, 1, 0, 1, {0}},
        {PRIV_GAUSSIAN, 1, 0, 1000000, {0}},
        {PRIV_POISSON_GAUSSIAN, 0.02, 0, 300, {0}},
        {PRIV_LAPLACE, 1, 0, 3, {0}},
    };
    static const double epsilons[] = {0.05, 3};
    for (size_t i = 0; i < ATL_ARRAY_LEN(events); i++)
        for (size_t k = 0; k < ATL_ARRAY_LEN(epsilons); k++) {
            struct priv_event e = events[i];
            double epsilon;
            assert_int_equal(
                priv_calibrate(PRIV_PLD, &events[i], epsilons[k], 1e-6, &e.sigma, NULL), 0);
            assert_int_equal(priv_epsilon(PRIV_PLD, &e, 1, 1e-6, &epsilon, NULL), 0);
            assert_true(epsilon <= epsilons[k]);
            double unit = pow(10, floor(log10(e.sigma)) - 3);
            assert_true(fabs(e.sigma / unit - round(e.sigma / unit)) < 1e-6);
            e.sigma -= unit;
            assert_int_equal(priv_epsilon(PRIV_PLD, &e, 1, 1e-6, &epsilon, NULL), 0);
            assert_true(epsilon > epsilons[k]);
        }
}

/* Balle & Wang: the smallest Gaussian sigma for (1, 1e-6), printed by Google's test as 4.530877117
 * under RDP with dense orders; the exact one is smaller */
static void follows_the_accountant(void **state)
{
    (void)state;
    struct priv_event e = {PRIV_GAUSSIAN, 1, 1, 1, {0}};
    double rdp, pld;
    assert_int_equal(priv_calibrate(PRIV_RDP, &e, 1, 1e-6, &rdp, NULL), 0);
    assert_true(rdp == 4.531);
    assert_int_equal(priv_calibrate(PRIV_PLD, &e, 1, 1e-6, &pld, NULL), 0);
    assert_true(pld < rdp && pld > 4);
}

static void says_when_there_is_none(void **state)
{
    (void)state;
    struct atl_error err;
    double sigma = 7;
    struct priv_event e = {PRIV_GAUSSIAN, 1, 1, 1ULL << 40, {0}};
    assert_int_equal(priv_calibrate(PRIV_PLD, &e, 1e-6, 1e-15, &sigma, &err), -ERANGE);
    assert_non_null(strstr(err.text, "no sigma"));
    assert_int_equal(priv_calibrate(PRIV_PLD, &e, -1, 1e-6, &sigma, &err), -EINVAL);
    assert_int_equal(priv_calibrate(PRIV_PLD, &e, NAN, 1e-6, &sigma, &err), -EINVAL);
    assert_int_equal(priv_calibrate(PRIV_PLD, &e, 1, 2, &sigma, &err), -EINVAL);
    assert_true(sigma == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_other_calibrations),
        cmocka_unit_test(is_the_smallest_of_four_digits),
        cmocka_unit_test(follows_the_accountant),
        cmocka_unit_test(says_when_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
