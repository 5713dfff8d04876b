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

#include "privacy/keystream_priv.h"
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
    /* single integers up to 40; then blocks of 2, 4, 16 and 512 */
    static const double sigma[] = {0.3, 1, 2.5, 8, 17, 40, 40.5, 111.1, 333.3, 10485.76};
    for (size_t i = 0; i < ATL_ARRAY_LEN(sigma); i++) {
        int64_t *x = draw(100 + i, sigma[i], draws / (i < 7 ? 1 : 2));
        double p = chi2_against_pmf(sigma[i], x, draws / (i < 7 ? 1 : 2));
        printf("# sigma %g: chi-square p %.3f\n", sigma[i], p);
        free(x);
        assert_true(p > 1e-3 && p < 1 - 1e-4);
    }
}

/* Beyond 4 deviations as often as the exact distribution says, within 4.5 deviations of the count
 */
static void has_its_tails(void **state)
{
    (void)state;
    static const double sigma[] = {2.5, 40, 41, 333.3, 0x1p20};
    for (size_t i = 0; i < ATL_ARRAY_LEN(sigma); i++) {
        int64_t *x = draw(150 + i, sigma[i], draws), least = (int64_t)ceil(4 * sigma[i]);
        double below = 0, above = 0, tail = 0, sum = sigma[i] * sqrt(2 * M_PI);
        for (size_t k = 0; k < draws; k++) {
            below += x[k] <= -least;
            above += x[k] >= least;
        }
        free(x);
        if (sigma[i] > 1000) /* the sum is an integral, to 1e-7 */
            tail = 0.5 * erfc(((double)least - 0.5) / sigma[i] * M_SQRT1_2);
        for (int64_t k = least; sigma[i] <= 1000 && k < least + 4000; k++)
            tail += exp(-(double)(k * k) / (2 * sigma[i] * sigma[i])) / sum;
        double expected = tail * (double)draws, spread = 4.5 * sqrt(expected);
        assert_true(fabs(below - expected) < spread && fabs(above - expected) < spread);
    }
}

/* Noise for a mean over n edges, each with the share that k survivors need: σ/√k. The sum over
 * whoever survives has variance σ²·survivors/k, at least σ² from k on. */
static void survivors_add_up(void **state)
{
    (void)state;
    enum { NEEDED = 7, EDGES = 10, N = 40000 };
    const double sigma = 5000;
    int64_t *sum = calloc(N, sizeof(*sum));
    assert_non_null(sum);
    for (uint64_t edge = 0; edge < EDGES; edge++) {
        int64_t *x = draw(300 + edge, sigma / sqrt(NEEDED), N);
        double square = 0;
        for (size_t k = 0; k < N; k++) {
            sum[k] += x[k];
            square += (double)sum[k] * (double)sum[k];
        }
        free(x);
        double ratio = square / N / (sigma * sigma) * NEEDED / (double)(edge + 1);
        assert_true(fabs(ratio - 1) < 4.5 * sqrt(2.0 / N));
    }
    free(sum);
}

/* Both parts of a number's randomness: neighbours and the two halves of a call are independent */
static void numbers_do_not_know_each_other(void **state)
{
    (void)state;
    enum { N = 200000, LAGS = 40 };
    int64_t *x = draw(77, 300, N);
    for (int lag = 1; lag <= LAGS; lag++) {
        int apart = lag == LAGS ? N / 2 : lag == LAGS - 1 ? 16384 : lag;
        double plain = 0, square = 0, n = N - apart;
        for (int k = 0; k + apart < N; k++) {
            double a = (double)x[k] / 300, b = (double)x[k + apart] / 300;
            plain += a * b;
            square += (a * a - 1) * (b * b - 1) / 2;
        }
        assert_true(fabs(plain) < 5 * sqrt(n) && fabs(square) < 5 * sqrt(n));
    }
    free(x);
}

static void keystream_is_libsodiums(void **state)
{
    (void)state;
    enum { BYTES = 100003 };
    struct atl_rng rng;
    struct priv_keystream stream;
    uint8_t *a = malloc(BYTES), *b = malloc(BYTES), nonce[12] = {0};
    assert_non_null(a);
    assert_non_null(b);
    atl_rng_init_seed(&rng, 6);
    priv_keystream_init(&stream, &rng);
    assert_non_null(stream.cipher);
    for (int stretch = 0; stretch < 3; stretch++) {
        nonce[0] = (uint8_t)stretch;
        priv_keystream_fill(&stream, a, BYTES);
        crypto_stream_chacha20_ietf(b, BYTES, nonce, stream.key);
        assert_memory_equal(a, b, BYTES);
    }
    EVP_CIPHER_CTX *cipher = stream.cipher; /* and the way without OpenSSL */
    stream.cipher = NULL;
    stream.stretch = 2;
    priv_keystream_fill(&stream, b, BYTES);
    assert_memory_equal(a, b, BYTES);
    stream.cipher = cipher;
    priv_keystream_finish(&stream);
    free(a);
    free(b);
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

/* Residues of large noise are uniform: no block leaves its comb */
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
        cmocka_unit_test(has_its_tails),
        cmocka_unit_test(survivors_add_up),
        cmocka_unit_test(numbers_do_not_know_each_other),
        cmocka_unit_test(keystream_is_libsodiums),
        cmocka_unit_test(has_its_moments_at_any_scale),
        cmocka_unit_test(large_noise_has_no_comb),
        cmocka_unit_test(tiny_sigma_adds_nothing),
        cmocka_unit_test(values_land_on_the_grid_with_the_noise_asked),
        cmocka_unit_test(grid_sensitivity_covers_rounding),
        cmocka_unit_test(says_how_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
