/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "privacy/privacy.h"

/* Draws of the chi-square test; `test_privacy_noise 10000000` asks for more */
static size_t draws = 1000000;

static int64_t *draw(uint64_t seed, double sigma, size_t n)
{
    int64_t *out = malloc(n * sizeof(*out));
    assert_non_null(out);
    struct atl_rng rng;
    atl_rng_init_seed(&rng, seed);
    priv_noise_fill(&rng, sigma, out, n);
    return out;
}

/* Upper p-value of a chi-square by Wilson & Hilferty */
static double chi2_p(double chi2, double freedom)
{
    double v = 2 / (9 * freedom);
    return 0.5 * erfc((cbrt(chi2 / freedom) - (1 - v)) / sqrt(v) * M_SQRT1_2);
}

/* Against exp(-x²/2σ²) normalised by direct summation; rare cells join the outermost one */
static double chi2_against_pmf(double sigma, const int64_t *x, size_t n)
{
    int reach = (int)ceil(12 * sigma) + 1;
    double *mass = calloc((size_t)(2 * reach + 1), sizeof(double)), sum = 0;
    uint32_t *count = calloc((size_t)(2 * reach + 1), sizeof(uint32_t));
    assert_non_null(mass);
    assert_non_null(count);
    for (int i = -reach; i <= reach; i++)
        sum += mass[i + reach] = exp(-(double)i * i / (2 * sigma * sigma));
    for (size_t i = 0; i < n; i++) {
        assert_true(x[i] >= -reach && x[i] <= reach);
        count[x[i] + reach]++;
    }
    double chi2 = 0, expected = 0, seen = 0;
    int cells = 0;
    for (int i = 0; i <= 2 * reach; i++) {
        expected += mass[i] / sum * (double)n;
        seen += count[i];
        if (expected < 20 && i < 2 * reach)
            continue;
        if (expected < 20) /* last, thin cell */
            break;
        chi2 += (seen - expected) * (seen - expected) / expected;
        cells++;
        expected = seen = 0;
    }
    free(mass);
    free(count);
    return cells > 1 ? chi2_p(chi2, cells - 1) : 1;
}

static void follows_its_exact_distribution(void **state)
{
    (void)state;
    /* one table; two levels with k = 1, 2, 3, 5; three levels */
    static const double sigma[] = {0.3, 1, 2.5, 8, 8.001, 11.4, 17, 40.5, 333.3};
    for (size_t i = 0; i < ATL_ARRAY_LEN(sigma); i++) {
        int64_t *x = draw(100 + i, sigma[i], draws / (i < 5 ? 1 : 2));
        double p = chi2_against_pmf(sigma[i], x, draws / (i < 5 ? 1 : 2));
        printf("# sigma %g: chi-square p %.3f\n", sigma[i], p);
        free(x);
        assert_true(p > 1e-3 && p < 1 - 1e-4);
    }
}

/* Mean 0 within 4.5 deviations, variance σ² within 4.5 of its deviation √(2/n), kurtosis 3 */
static void has_its_moments_at_any_scale(void **state)
{
    (void)state;
    static const double sigma[] = {4, 100, 12345.678, 0x1p20, 0x1.8p33, 0x1p40};
    enum { N = 60000 };
    for (size_t i = 0; i < ATL_ARRAY_LEN(sigma); i++) {
        int64_t *x = draw(200 + i, sigma[i], N);
        double sum = 0, square = 0, fourth = 0;
        for (size_t k = 0; k < N; k++) {
            double z = (double)x[k] / sigma[i];
            sum += z;
            square += z * z;
            fourth += z * z * z * z;
        }
        free(x);
        assert_true(fabs(sum / N) < 4.5 / sqrt(N));
        assert_true(fabs(square / N - 1) < 4.5 * sqrt(2.0 / N));
        assert_true(fabs(fourth / N - 3) < 4.5 * sqrt(96.0 / N));
    }
}

/* Residues of large noise are uniform: no level leaves its comb */
static void large_noise_has_no_comb(void **state)
{
    (void)state;
    enum { N = 100000 };
    int64_t *x = draw(9, 1e6 + 0.5, N);
    for (int modulus = 2; modulus <= 25; modulus++) {
        uint32_t count[25] = {0};
        for (size_t i = 0; i < N; i++)
            count[((x[i] % modulus) + modulus) % modulus]++;
        double chi2 = 0, expected = (double)N / modulus;
        for (int i = 0; i < modulus; i++)
            chi2 += (count[i] - expected) * (count[i] - expected) / expected;
        assert_true(chi2_p(chi2, modulus - 1) > 1e-4);
    }
    free(x);
}

static void tiny_sigma_adds_nothing(void **state)
{
    (void)state;
    int64_t *x = draw(3, 1e-3, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(x[i], 0);
    free(x);
}

static void values_land_on_the_grid_with_the_noise_asked(void **state)
{
    (void)state;
    enum { N = 50000 };
    const double grain = 0x1p-12, sigma = 0.75;
    float *values = malloc(N * sizeof(*values));
    assert_non_null(values);
    for (int i = 0; i < N; i++)
        values[i] = (float)sin(i);
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 4);
    priv_noise_add(&rng, sigma, grain, values, N);
    double square = 0;
    for (int i = 0; i < N; i++) {
        assert_true(values[i] / grain == nearbyint(values[i] / grain));
        double noise = values[i] - sin(i);
        square += noise * noise;
    }
    free(values);
    assert_true(fabs(square / N / (sigma * sigma) - 1) < 4.5 * sqrt(2.0 / N));
}

static void grid_sensitivity_covers_rounding(void **state)
{
    (void)state;
    enum { N = 1000 };
    const double grain = 0.01;
    double before = 0, after = 0;
    for (int i = 0; i < N; i++) { /* the worst: every entry just above half a grain */
        double v = 0.0051;
        before += v * v;
        after += pow(nearbyint(v / grain) * grain, 2);
    }
    assert_true(sqrt(after) > sqrt(before));
    assert_true(sqrt(after) <= priv_grid_sensitivity(sqrt(before), grain, N));
    assert_true(priv_grid_sensitivity(1, 0, N) >= 1);
}

static void says_how_fast(void **state)
{
    (void)state;
    static const double sigma[] = {4, 1024, 0x1p20};
    enum { N = 125000 }; /* 2,500 parameters × 50 steps */
    for (size_t i = 0; i < ATL_ARRAY_LEN(sigma); i++) {
        clock_t start = clock();
        int64_t *x = draw(5, sigma[i], N);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        free(x);
        printf("# sigma %g: %.2f million draws a second\n", sigma[i], N / seconds / 1e6);
        assert_true(seconds < 1);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        draws = strtoull(argv[1], NULL, 10);
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_its_exact_distribution),
        cmocka_unit_test(has_its_moments_at_any_scale),
        cmocka_unit_test(large_noise_has_no_comb),
        cmocka_unit_test(tiny_sigma_adds_nothing),
        cmocka_unit_test(values_land_on_the_grid_with_the_noise_asked),
        cmocka_unit_test(grid_sensitivity_covers_rounding),
        cmocka_unit_test(says_how_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
