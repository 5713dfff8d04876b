/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <time.h>

#include "privacy/pld_priv.h"
#include "tests/privacy/vectors.h"

static double pld_epsilon(const struct priv_event *events, size_t n, double delta)
{
    struct atl_error err;
    double epsilon = -1;
    assert_int_equal(priv_epsilon(PRIV_PLD, events, n, delta, &epsilon, &err), 0);
    return epsilon;
}

static void transform_is_a_circular_convolution(void **state)
{
    (void)state;
    enum { N = 16 };
    struct pld_complex roots[N / 2], a[N], b[N];
    double left[N], right[N];
    for (int i = 0; i < N; i++) {
        left[i] = (i * 7 + 3) % 11;
        right[i] = (i * 5 + 1) % 13;
        a[i] = (struct pld_complex){left[i], 0};
        b[i] = (struct pld_complex){right[i], 0};
    }
    priv_pld_fft_roots(roots, N);
    priv_pld_fft_forward(a, N, roots);
    priv_pld_fft_forward(b, N, roots);
    for (int i = 0; i < N; i++)
        a[i] = (struct pld_complex){a[i].re * b[i].re - a[i].im * b[i].im,
                                    a[i].re * b[i].im + a[i].im * b[i].re};
    priv_pld_fft_inverse(a, N, roots);
    for (int i = 0; i < N; i++) {
        double direct = 0;
        for (int k = 0; k < N; k++)
            direct += left[k] * right[(i - k + N) % N];
        assert_true(fabs(a[i].re / N - direct) < 1e-10);
        assert_true(fabs(a[i].im) < 1e-9);
    }
}

/* Rows of PLD, PRV and EXACT: Google, Microsoft and the closed form */
static void agrees_with_other_accountants(void **state)
{
    (void)state;
    static struct vector rows[80];
    size_t n = vectors_read(",PLD,PRV,EXACT,", rows, ATL_ARRAY_LEN(rows));
    int wrong = 0;
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        const struct vector *v = &rows[i];
        double off = fabs(pld_epsilon(v->events, v->n, v->delta) - v->epsilon) / v->tol;
        worst = fmax(worst, off);
        if (off > 1)
            printf("# off by %.2f tolerances: %s %s\n", off, v->mechanism, v->source);
        wrong += off > 1;
    }
    printf("# %zu rows, the worst uses %.0f %% of its tolerance\n", n, 100 * worst);
    assert_int_equal(wrong, 0);
    assert_int_equal(n, 35);
}

static double cdf(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

/* δ(ε) of one Poisson-sampled step in closed form: the hockey stick between normal densities */
static double one_step_delta(const struct priv_event *e, double epsilon)
{
    double q = e->q, s = e->sigma;
    double x = s * s * log1p(expm1(epsilon) / q) + 0.5;
    double remove = (1 - q) * cdf(-x / s) + q * cdf((1 - x) / s) - exp(epsilon) * cdf(-x / s);
    if (epsilon >= -log1p(-q))
        return remove;
    double y = s * s * log1p(expm1(-epsilon) / q) + 0.5;
    double add = cdf(y / s) - exp(epsilon) * ((1 - q) * cdf(y / s) + q * cdf((y - 1) / s));
    return fmax(remove, add);
}

/* Never below the truth, and hardly above it */
static void one_step_is_tight_from_above(void **state)
{
    (void)state;
    static const double qs[] = {0.001, 0.05, 0.5, 0.95}, sigmas[] = {0.4, 1, 6},
                        deltas[] = {1e-3, 1e-9};
    for (size_t i = 0; i < ATL_ARRAY_LEN(qs); i++)
        for (size_t j = 0; j < ATL_ARRAY_LEN(sigmas); j++)
            for (size_t k = 0; k < ATL_ARRAY_LEN(deltas); k++) {
                struct priv_event e = {PRIV_POISSON_GAUSSIAN, qs[i], sigmas[j], 1, {0}};
                double epsilon = pld_epsilon(&e, 1, deltas[k]);
                assert_true(one_step_delta(&e, epsilon) <= deltas[k] * (1 + 1e-6) + 1e-15);
                if (epsilon > 0)
                    assert_true(one_step_delta(&e, epsilon - 1e-4 - 1e-3 * epsilon) >
                                deltas[k] * (1 - 1e-6) - 1e-15);
            }
}

/* A rate within 1e-12 of 1 goes through the grid, but the closed form is right to many digits */
static void grid_meets_the_closed_form(void **state)
{
    (void)state;
    static const double deltas[] = {1e-2, 1e-5, 1e-10, 1e-14};
    for (size_t k = 0; k < ATL_ARRAY_LEN(deltas); k++)
        for (uint64_t steps = 1; steps <= 10000; steps *= 100) {
            struct priv_event e = {PRIV_POISSON_GAUSSIAN, 1 - 1e-12, 7, steps, {0}};
            double exact = priv_gaussian_epsilon(7 / sqrt((double)steps), deltas[k]);
            double epsilon = pld_epsilon(&e, 1, deltas[k]);
            assert_true(epsilon >= exact * (1 - 1e-9) - 1e-9);
            assert_true(epsilon <= exact * 1.0005 + 1e-5);
        }
}

/* Laplace is ε-DP outright: T/b bounds any δ, and a tiny δ comes near it */
static void laplace_stays_below_pure_privacy(void **state)
{
    (void)state;
    struct priv_event e = {PRIV_LAPLACE, 1, 2, 1, {0}};
    double exact = 0.5 + 2 * log1p(-1e-3); /* 1 - e^((ε - 1/b)/2) = δ */
    assert_true(fabs(pld_epsilon(&e, 1, 1e-3) - exact) < 1e-4);
    /* five steps, near the top: all atoms together have 1/32, δ = (1 - e^(ε - 5/b))/32 */
    struct priv_event five = {PRIV_LAPLACE, 1, 47.1, 5, {0}};
    exact = 5 / 47.1 + log1p(-32 * 1e-5);
    assert_true(fabs(pld_epsilon(&five, 1, 1e-5) - exact) < 1e-5);
    /* at δ = 4.8e-4 Chernoff is far off: between those atoms alone and the Rényi bound */
    double rdp, middle = pld_epsilon(&five, 1, 4.8e-4);
    assert_int_equal(priv_epsilon(PRIV_RDP, &five, 1, 4.8e-4, &rdp, NULL), 0);
    assert_true(middle > 5 / 47.1 + log1p(-32 * 4.8e-4) && middle < rdp);
    e.steps = 4;
    double epsilon = pld_epsilon(&e, 1, 1e-12);
    assert_true(epsilon <= 2 + 1e-3 && epsilon > 1.99);
}

/* PLD is the tighter of two upper bounds; both rise with steps and fall with δ and sigma */
static void orders_hold_over_many_settings(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 5);
    for (int i = 0; i < 6; i++) {
        struct priv_event e = {PRIV_POISSON_GAUSSIAN,
                               exp(-8 * atl_rng_unit(&rng)),
                               exp(4 * atl_rng_unit(&rng) - 1),
                               1 + atl_rng_below(&rng, 500),
                               {0}};
        double delta = exp(-3 - 20 * atl_rng_unit(&rng)), rdp;
        double pld = pld_epsilon(&e, 1, delta);
        assert_int_equal(priv_epsilon(PRIV_RDP, &e, 1, delta, &rdp, NULL), 0);
        assert_true(pld <= rdp * 1.001 + 1e-4);
        assert_true(pld_epsilon(&e, 1, delta * 2) <= pld * 1.0001 + 1e-9);
        e.steps *= 2;
        assert_true(pld_epsilon(&e, 1, delta) >= pld * 0.9999 - 1e-9);
    }
}

static void extremes_end_and_stay_finite(void **state)
{
    (void)state;
    static const struct priv_event extreme[] = {
        {PRIV_POISSON_GAUSSIAN, 1e-9, 0.01, 1, {0}},
        {PRIV_POISSON_GAUSSIAN, 1e-9, 1e-6, 3, {0}},
        {PRIV_POISSON_GAUSSIAN, 1e-12, 1e9, 1ULL << 40, {0}},
        {PRIV_POISSON_GAUSSIAN, 0.5, 0.001, 1000, {0}},
        {PRIV_POISSON_GAUSSIAN, 1 - 1e-15, 1, 1ULL << 40, {0}},
        {PRIV_GAUSSIAN, 1, 1e-9, 1ULL << 40, {0}},
        {PRIV_LAPLACE, 1, 1e-9, 1, {0}},
        {PRIV_LAPLACE, 1, 1e9, 1ULL << 40, {0}},
        {PRIV_LAPLACE, 1, 0.001, 1ULL << 40, {0}},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(extreme); i++)
        for (int k = 0; k < 2; k++) {
            double epsilon = 0;
            int r = priv_epsilon(PRIV_PLD, &extreme[i], 1, k == 0 ? 0.1 : 1e-15, &epsilon, NULL);
            assert_int_equal(r, 0);
            assert_true(epsilon >= 0 && isfinite(epsilon));
        }
}

static void ten_thousand_steps_below_a_second(void **state)
{
    (void)state;
    struct priv_event e = {PRIV_POISSON_GAUSSIAN, 0.01, 1, 10000, {0}};
    clock_t start = clock();
    double epsilon = pld_epsilon(&e, 1, 1e-6);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("# 10,000 steps of q 0.01, sigma 1: epsilon %.6f in %.0f ms\n", epsilon, 1e3 * seconds);
    assert_true(seconds < 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transform_is_a_circular_convolution),
        cmocka_unit_test(agrees_with_other_accountants),
        cmocka_unit_test(one_step_is_tight_from_above),
        cmocka_unit_test(grid_meets_the_closed_form),
        cmocka_unit_test(laplace_stays_below_pure_privacy),
        cmocka_unit_test(orders_hold_over_many_settings),
        cmocka_unit_test(extremes_end_and_stay_finite),
        cmocka_unit_test(ten_thousand_steps_below_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
