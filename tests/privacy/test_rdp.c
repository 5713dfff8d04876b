/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "privacy/accountant_priv.h"
#include "tests/privacy/vectors.h"

static double rdp_epsilon(const struct priv_event *events, size_t n, double delta)
{
    struct atl_error err;
    double epsilon = -1;
    assert_int_equal(priv_epsilon(PRIV_RDP, events, n, delta, &epsilon, &err), 0);
    return epsilon;
}

/* 30-digit quadrature by mpmath; rows name q, sigma, alpha, value, relative tolerance */
static void one_step_agrees_with_quadrature(void **state)
{
    (void)state;
    FILE *f = fopen(PRIV_TEST_DIR "/rdp_orders.tsv", "r");
    assert_non_null(f);
    char line[512];
    assert_non_null(fgets(line, sizeof(line), f));
    int rows = 0;
    double q, sigma, alpha, expected, tol, worst = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        assert_int_equal(sscanf(line, "%lf %lf %lf %lf %lf", &q, &sigma, &alpha, &expected, &tol),
                         5);
        struct priv_event e = {q < 1 ? PRIV_POISSON_GAUSSIAN : PRIV_GAUSSIAN, q, sigma, 1, {0}};
        double off = fabs(priv_rdp_step(&e, alpha) / expected - 1);
        worst = fmax(worst, off);
        assert_true(off <= tol);
        rows++;
    }
    fclose(f);
    printf("# %d one-step values, worst relative difference %.1e\n", rows, worst);
    assert_int_equal(rows, 48);
}

/* The whole-order sum and the quadrature share no code */
static void sum_and_quadrature_agree(void **state)
{
    (void)state;
    static const double q[] = {1e-6, 0.001, 0.1, 0.5, 0.99}, sigma[] = {0.3, 1, 5, 200};
    for (size_t i = 0; i < ATL_ARRAY_LEN(q); i++)
        for (size_t j = 0; j < ATL_ARRAY_LEN(sigma); j++)
            for (int alpha = 2; alpha <= 512; alpha *= 4) {
                struct priv_event e = {PRIV_POISSON_GAUSSIAN, q[i], sigma[j], 1, {0}};
                double sum = priv_rdp_step(&e, alpha) * (alpha - 1);
                double integral = priv_log_moment(q[i], sigma[j], alpha);
                assert_true(fabs(sum - integral) <= 1e-9 * sum);
            }
}

/* A divergence never falls with its order and never passes the unsampled one */
static void curve_rises_and_stays_below_unsampled(void **state)
{
    (void)state;
    static const double sigma[] = {0.005, 0.02, 0.1, 0.7, 3, 1e4};
    for (size_t j = 0; j < ATL_ARRAY_LEN(sigma); j++) {
        struct priv_event e = {PRIV_POISSON_GAUSSIAN, 0.03, sigma[j], 1, {0}};
        double before = 0;
        for (double alpha = 1.05; alpha < 3e6; alpha *= 1.37) {
            double rdp = priv_rdp_step(&e, alpha);
            assert_true(rdp >= before * (1 - 1e-9));
            assert_true(rdp <= alpha / (2 * sigma[j] * sigma[j]) * (1 + 1e-12));
            before = rdp;
        }
    }
}

/* mpmath, 40 digits: log(a/(2a-1)·e^((a-1)/b) + (a-1)/(2a-1)·e^(-a/b))/(a-1) */
static void laplace_has_its_closed_form(void **state)
{
    (void)state;
    struct priv_event e = {PRIV_LAPLACE, 1, 2, 1, {0}};
    assert_true(fabs(priv_rdp_step(&e, 2) - 0.2003038961736159) < 1e-12);
    e.sigma = 1e-3;
    assert_true(fabs(priv_rdp_step(&e, 8) - 1000) < 0.1);
    e.sigma = 1e5; /* alpha/(2b²) to first order */
    assert_true(fabs(priv_rdp_step(&e, 2) * 1e10 - 1) < 1e-3);
}

/*
 * Rows of RDP, RDP_OPACUS and RDP_DENSE. One of them prints what its source's fractional series
 * gives (sum of absolute values, loose below order 2): ours must lie between the exact PLD value of
 * the row beside it (18.6977407) and the printed bound.
 */
static void agrees_with_other_accountants(void **state)
{
    (void)state;
    static struct vector rows[80];
    size_t n = vectors_read(",RDP,RDP_OPACUS,RDP_DENSE,", rows, ATL_ARRAY_LEN(rows));
    int wrong = 0, refused = 0;
    for (size_t i = 0; i < n; i++) {
        const struct vector *v = &rows[i];
        if (isinf(v->epsilon)) {
            double epsilon = 7;
            assert_int_equal(priv_epsilon(PRIV_RDP, v->events, v->n, v->delta, &epsilon, NULL),
                             -EINVAL);
            assert_true(epsilon == 7);
            refused++;
            continue;
        }
        double epsilon = rdp_epsilon(v->events, v->n, v->delta);
        bool loose_series = v->events[0].sigma == 0.35 && v->events[0].q == 0.01;
        bool ok = loose_series ? epsilon > 18.6977407 && epsilon < v->epsilon
                               : fabs(epsilon - v->epsilon) <= v->tol;
        if (!ok)
            printf("# %.10f for %.10f (tol %g): %s\n", epsilon, v->epsilon, v->tol, v->source);
        wrong += !ok;
    }
    printf("# %zu rows, %d without noise refused\n", n, refused);
    assert_int_equal(wrong, 0);
    assert_int_equal(n, 38);
    assert_int_equal(refused, 1);
}

static void small_losses_reach_zero(void **state)
{
    (void)state;
    struct priv_event e = {PRIV_GAUSSIAN, 1, 1e6, 1, {0}};
    assert_true(rdp_epsilon(&e, 1, 1e-5) == 0);
    e.sigma = 1e4; /* far beyond the customary orders: between the exact value and 2 % above */
    double epsilon = rdp_epsilon(&e, 1, 1e-6);
    assert_true(epsilon > priv_gaussian_epsilon(1e4, 1e-6));
    assert_true(epsilon < 1.3 * priv_gaussian_epsilon(1e4, 1e-6));
    assert_true(rdp_epsilon(NULL, 0, 1e-6) == 0);
}

static void equal_events_count_together(void **state)
{
    (void)state;
    struct priv_event parts[] = {{PRIV_POISSON_GAUSSIAN, 0.01, 1, 300, {0}},
                                 {PRIV_GAUSSIAN, 1, 20, 10, {0}},
                                 {PRIV_POISSON_GAUSSIAN, 0.01, 1, 700, {0}},
                                 {PRIV_POISSON_GAUSSIAN, 1, 20, 2, {0}}};
    struct priv_event whole[] = {{PRIV_POISSON_GAUSSIAN, 0.01, 1, 1000, {0}},
                                 {PRIV_GAUSSIAN, 1, 20, 12, {0}}};
    struct priv_event merged[4];
    assert_int_equal(priv_events_merge(parts, 4, merged), 2);
    assert_true(fabs(rdp_epsilon(parts, 4, 1e-6) - rdp_epsilon(whole, 2, 1e-6)) < 1e-12);
}

/* RDP_BOUND rows are claims of others: ours must lie below */
static void stays_below_published_bounds(void **state)
{
    (void)state;
    static struct vector rows[4];
    size_t n = vectors_read(",RDP_BOUND,", rows, ATL_ARRAY_LEN(rows));
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        assert_true(rdp_epsilon(rows[i].events, rows[i].n, rows[i].delta) <= rows[i].epsilon);
}

/* Sums of shares: never below the Gaussian of the same strength, close to it on a fine grid; a
 * coarse grid, and shares lost with their parties, cost more */
static void sums_of_shares_cost_at_least_a_gaussian(void **state)
{
    (void)state;
    struct priv_event plain = {PRIV_GAUSSIAN, 1, 2, 10, {0}};
    double gaussian = rdp_epsilon(&plain, 1, 1e-5);
    for (int m = 0; m < 2; m++) {
        struct priv_event e = plain;
        e.mechanism = m == 0 ? PRIV_DISCRETE_GAUSSIAN_SUM : PRIV_SKELLAM_SUM;
        e.sum = (struct priv_sum){100, 4096, 1e-4};
        double fine = rdp_epsilon(&e, 1, 1e-5), pld;
        assert_true(fine >= gaussian * (1 - 1e-3) && fine <= gaussian * 1.01);
        assert_int_equal(priv_epsilon(PRIV_PLD, &e, 1, 1e-5, &pld, NULL), 0);
        assert_true(pld == fine);
        e.sum.grain = 1e-2;
        double coarse = rdp_epsilon(&e, 1, 1e-5);
        assert_true(coarse > fine);
        e.sum.parties = 50; /* the same noise of each, half of them silent */
        e.sigma /= sqrt(2);
        assert_true(rdp_epsilon(&e, 1, 1e-5) > coarse);
        e.sum.grain = 0;
        struct atl_error err;
        assert_int_equal(priv_epsilon(PRIV_RDP, &e, 1, 1e-5, &pld, &err), -EINVAL);
        assert_non_null(strstr(err.text, "grain"));
    }
}

/* Many slightly different rounds cost little and stay on the safe side, within 2 % */
static void similar_events_count_together(void **state)
{
    (void)state;
    enum { N = 1000 };
    static struct priv_event events[N], merged[N];
    double exact[2] = {0};
    for (int i = 0; i < N; i++) {
        events[i] = (struct priv_event){PRIV_POISSON_GAUSSIAN, 0.01 + 5e-6 * i, 1.1, 50, {0}};
        exact[0] += 50 * priv_rdp_step(&events[i], 2);
        exact[1] += 50 * priv_rdp_step(&events[i], 5.5);
    }
    size_t n = priv_events_merge(events, N, merged);
    assert_true(n < 100);
    static const double orders[2] = {2, 5.5};
    for (int k = 0; k < 2; k++) {
        double rounded = 0;
        for (size_t i = 0; i < n; i++)
            rounded += (double)merged[i].steps * priv_rdp_step(&merged[i], orders[k]);
        assert_true(rounded >= exact[k] && rounded <= exact[k] * 1.03);
    }
    double epsilon; /* a share just below 1 may round up to it */
    for (int i = 0; i < N; i++)
        events[i].q = 1 - 1e-6 * (i + 1);
    assert_int_equal(priv_epsilon(PRIV_PLD, events, N, 1e-5, &epsilon, NULL), 0);
    assert_true(epsilon >= 0.99 * priv_gaussian_epsilon(1.1 / sqrt(50.0 * N), 1e-5));
}

static void refuses_what_is_out_of_range(void **state)
{
    (void)state;
    static const struct {
        struct priv_event event;
        const char *word;
    } bad[] = {
        {{PRIV_POISSON_GAUSSIAN, 0, 1, 1, {0}}, "q:"},
        {{PRIV_POISSON_GAUSSIAN, 1.1, 1, 1, {0}}, "q:"},
        {{PRIV_POISSON_GAUSSIAN, NAN, 1, 1, {0}}, "q:"},
        {{PRIV_GAUSSIAN, 0.5, 1, 1, {0}}, "poisson_gaussian is the sampled one"},
        {{PRIV_LAPLACE, 0.5, 1, 1, {0}}, "q:"},
        {{PRIV_GAUSSIAN, 1, -1, 1, {0}}, "sigma:"},
        {{PRIV_GAUSSIAN, 1, NAN, 1, {0}}, "sigma:"},
        {{PRIV_GAUSSIAN, 1, INFINITY, 1, {0}}, "sigma:"},
        {{PRIV_GAUSSIAN, 1, 1, 0, {0}}, "steps:"},
        {{PRIV_GAUSSIAN, 1, 1, UINT64_MAX, {0}}, "steps:"},
        {{(enum priv_mechanism)9, 1, 1, 1, {0}}, "mechanism:"},
    };
    struct atl_error err;
    double epsilon = 7;
    for (size_t i = 0; i < ATL_ARRAY_LEN(bad); i++) {
        assert_int_equal(priv_epsilon(PRIV_RDP, &bad[i].event, 1, 1e-5, &epsilon, &err), -EINVAL);
        assert_non_null(strstr(err.text, bad[i].word));
    }
    struct priv_event good = {PRIV_GAUSSIAN, 1, 1, 1, {0}};
    static const double deltas[] = {0, 1, -1, NAN};
    for (size_t i = 0; i < ATL_ARRAY_LEN(deltas); i++) {
        assert_int_equal(priv_epsilon(PRIV_RDP, &good, 1, deltas[i], &epsilon, &err), -EINVAL);
        assert_non_null(strstr(err.text, "delta"));
    }
    assert_true(epsilon == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_step_agrees_with_quadrature),
        cmocka_unit_test(sum_and_quadrature_agree),
        cmocka_unit_test(curve_rises_and_stays_below_unsampled),
        cmocka_unit_test(laplace_has_its_closed_form),
        cmocka_unit_test(agrees_with_other_accountants),
        cmocka_unit_test(stays_below_published_bounds),
        cmocka_unit_test(sums_of_shares_cost_at_least_a_gaussian),
        cmocka_unit_test(small_losses_reach_zero),
        cmocka_unit_test(equal_events_count_together),
        cmocka_unit_test(similar_events_count_together),
        cmocka_unit_test(refuses_what_is_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
