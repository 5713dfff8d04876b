/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "learner/spot_priv.h"

/* n values with P(X > x) = (1 + xi·x / sigma)^(-1 / xi), the generalised Pareto law itself. */
static double *pareto(uint32_t n, double sigma, double xi, uint64_t seed)
{
    struct atl_rng rng;
    atl_rng_init_seed(&rng, seed);
    double *v = malloc(n * sizeof(*v));
    assert_non_null(v);
    for (uint32_t i = 0; i < n; i++) {
        double u = 1.0 - atl_rng_unit(&rng);
        v[i] = xi == 0 ? -sigma * log(u) : sigma * (pow(u, -xi) - 1) / xi;
    }
    return v;
}

static double pareto_p(double x, double sigma, double xi)
{
    return xi == 0 ? exp(-x / sigma) : pow(1 + xi * x / sigma, -1 / xi);
}

/* Far beyond what was seen, the extrapolated probability stays within a small factor. */
static void boundary_keeps_its_risk(void **state)
{
    (void)state;
    static const struct {
        double xi, risk, within;
    } cases[] = {{0, 1e-4, 3}, {0.2, 1e-4, 4}, {0.4, 1e-4, 4}, {0, 1e-2, 1.5}, {0.2, 0.05, 1.3}};
    for (size_t c = 0; c < ATL_ARRAY_LEN(cases); c++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct learn_tail tail;
            double *v = pareto(5000, 2.0, cases[c].xi, seed);
            learn_tail_fit(&tail, v, 5000, cases[c].risk);
            double truth = pareto_p(tail.boundary, 2.0, cases[c].xi);
            assert_true(truth < cases[c].risk * cases[c].within);
            assert_true(truth > cases[c].risk * 1e-3); /* and is no boundary at infinity */
            assert_true(learn_tail_ok(&tail));
            free(v);
        }
    }
}

static void p_value_is_the_law(void **state)
{
    (void)state;
    struct learn_tail tail;
    double *v = pareto(20000, 1.0, 0.1, 9);
    learn_tail_fit(&tail, v, 20000, 1e-5);
    for (double x = 0.05; x < 6; x *= 1.3) {
        double want = pareto_p(x, 1.0, 0.1), p = learn_tail_p(&tail, x);
        assert_true(fabs(p - want) < 0.15 * want + 0.002);
    }
    free(v);
}

static void p_value_falls_and_stays_in_range(void **state)
{
    (void)state;
    struct learn_tail tail;
    double *v = pareto(1000, 1.0, 0.3, 3);
    learn_tail_fit(&tail, v, 1000, 1e-3);
    double before = 1;
    for (double x = 1e-3; x < 1e300; x *= 1.07) {
        double p = learn_tail_p(&tail, x);
        assert_true(p <= before && p >= LEARN_P_MIN && p <= 1);
        before = p;
    }
    assert_true(learn_tail_p(&tail, 0) == 1);
    assert_true(learn_tail_p(&tail, -1) == 1);
    assert_true(learn_tail_p(&tail, INFINITY) == LEARN_P_MIN);
    assert_true(learn_tail_p(&tail, NAN) == LEARN_P_MIN);
    /* quantile and p-value are inverse to one another */
    for (double p = 0.9; p > 1e-9; p *= 0.6)
        assert_true(fabs(learn_tail_p(&tail, learn_tail_quantile(&tail, p)) / p - 1) < 1e-6);
    assert_true(fabs(learn_tail_p(&tail, tail.boundary) / 1e-3 - 1) < 1e-6);
    free(v);
}

static void few_rows_fall_back_to_the_scaled_maximum(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct learn_tail tail;
        double *v = pareto(LEARN_TAIL_ROWS_MIN, 1.0, 0, seed);
        learn_tail_fit(&tail, v, LEARN_TAIL_ROWS_MIN, 1e-4);
        assert_true(tail.boundary > v[LEARN_TAIL_ROWS_MIN - 1]); /* sorted: the largest */
        assert_true(tail.boundary < 10 * v[LEARN_TAIL_ROWS_MIN - 1]);
        assert_true(learn_tail_ok(&tail));
        free(v);
    }
}

static void odd_samples_give_a_usable_tail(void **state)
{
    (void)state;
    struct learn_tail tail;
    double same[500], outlier[500], wild[500], zero[500] = {0};
    for (int i = 0; i < 500; i++) {
        same[i] = 2.5;
        outlier[i] = i == 250 ? 1e12 : 1 + i * 1e-3;
        wild[i] = exp(i * 0.1);
    }
    learn_tail_fit(&tail, same, 500, 1e-4);
    assert_true(learn_tail_ok(&tail) && tail.boundary > 2.5 && tail.boundary < 5);
    learn_tail_fit(&tail, zero, 500, 1e-4);
    assert_true(learn_tail_ok(&tail));
    learn_tail_fit(&tail, zero, 500, 0.1);
    assert_true(learn_tail_ok(&tail));
    learn_tail_fit(&tail, outlier, 500, 1e-4);
    assert_true(learn_tail_ok(&tail));
    learn_tail_fit(&tail, wild, 500, 1e-8);
    assert_true(learn_tail_ok(&tail));
    assert_true(tail.boundary > wild[499]);
}

static void score_is_a_strict_map(void **state)
{
    (void)state;
    struct learn_tail tail = {.boundary = 3.7};
    assert_true(learn_tail_score(&tail, 3.7) == 0.5F);
    assert_true(learn_tail_score(&tail, 0) == 0.0F);
    assert_true(learn_tail_score(&tail, NAN) == 1.0F);
    assert_true(learn_tail_score(&tail, INFINITY) == 1.0F);
    float before = -1;
    for (double s = 1e-12; s < 1e3; s *= 1.001) {
        float score = learn_tail_score(&tail, s);
        assert_true(score > before && score < 1);
        assert_true((s > 3.7) == (score > 0.5F));
        before = score;
    }
    for (double s = 1e3; s < 1e300; s *= 10) { /* beyond float precision: level, never 1 */
        float score = learn_tail_score(&tail, s);
        assert_true(score >= before && score < 1);
        before = score;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boundary_keeps_its_risk),
        cmocka_unit_test(p_value_is_the_law),
        cmocka_unit_test(p_value_falls_and_stays_in_range),
        cmocka_unit_test(few_rows_fall_back_to_the_scaled_maximum),
        cmocka_unit_test(odd_samples_give_a_usable_tail),
        cmocka_unit_test(score_is_a_strict_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
