/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fedsync/aggregate_priv.h"
#include "fedsync/encoding_priv.h"
#include "fedsync/rotate_priv.h"

#define LONGEST 70000U

static float x[LONGEST], back[LONGEST];
static uint8_t wire[4 * LONGEST + 8], key[32];
static const enum fed_encoding all[] = {FED_FLOAT32, FED_INT8, FED_ROTATED4};

static double normal(struct atl_rng *rng)
{
    return sqrt(-2 * log(1 - atl_rng_unit(rng))) * cos(2 * M_PI * atl_rng_unit(rng));
}

/* 0 normal, 1 lognormal, 2 Student t with 3 degrees, 3 one spike */
static void fill(int shape, uint32_t n, uint64_t seed)
{
    struct atl_rng rng;
    atl_rng_init_seed(&rng, seed);
    for (uint32_t i = 0; i < n; i++) {
        double a = normal(&rng), chi = 0;
        for (int k = 0; k < 3; k++)
            chi += pow(normal(&rng), 2);
        const double kinds[] = {a, exp(a) * (i % 2 ? 1 : -1), a / sqrt(chi / 3), i == n / 3};
        x[i] = (float)(kinds[shape] * 1e-3);
    }
    fed_encoding_key(key, "coast", seed, 7, "edge-1");
}

/* ‖x - back‖² / ‖x‖² after a round trip; *ret_bytes on the wire */
static double nmse(enum fed_encoding encoding, uint32_t n, int64_t *ret_bytes)
{
    *ret_bytes = fed_encode(encoding, x, n, key, wire);
    assert_true(*ret_bytes > 0 && *ret_bytes <= fed_encoding_bytes(encoding, n));
    assert_int_equal(fed_decode(encoding, wire, (size_t)*ret_bytes, n, key, back), 0);
    double off = 0, all_of_it = 0;
    for (uint32_t i = 0; i < n; i++) {
        off += pow((double)x[i] - (double)back[i], 2);
        all_of_it += pow((double)x[i], 2);
    }
    return off / all_of_it;
}

static void floats_come_back_as_they_were(void **state)
{
    (void)state;
    int64_t bytes;
    for (uint32_t n = 1; n < 3000; n = 2 * n + 1) {
        fill(0, n, n);
        assert_true(nmse(FED_FLOAT32, n, &bytes) == 0);
    }
}

/* Published: 8e-5 for int8 blocks of normal values, 0.010 for 4 bits */
static void error_and_size_are_as_published(void **state)
{
    (void)state;
    static const char *const shapes[] = {"normal", "lognormal", "t3", "spike"};
    static const uint32_t sizes[] = {2645, 4096, 13000, 65537};
    for (int shape = 0; shape < 4; shape++)
        for (size_t i = 0; i < ATL_ARRAY_LEN(sizes); i++) {
            uint32_t n = sizes[i];
            int64_t bytes;
            fill(shape, n, 100 + i);
            double int8 = nmse(FED_INT8, n, &bytes);
            assert_true(int8 < (shape == 0 ? 8e-5 : 1e-3)); /* long tails: one block, one scale */
            assert_true((double)bytes <= 0.2540 * 4 * n);
            double four = nmse(FED_ROTATED4, n, &bytes);
            printf("# %s, %u values: int8 NMSE %.1e, rotated4 %.4f in %.2f %% of float32\n",
                   shapes[shape], n, int8, four, 100.0 * (double)bytes / (4.0 * n));
            assert_true(four < (shape == 3 ? 0.0125 : 0.0101));
            assert_true((double)bytes <= 0.126 * 4 * n);
        }
}

/* The mean over many keys comes ever closer: the error averages out over edges */
static void rotated_is_unbiased(void **state)
{
    (void)state;
    enum { N = 300, TIMES = 400 };
    static double sum[N];
    fill(2, N, 3);
    double size = fed_norm(x, N);
    for (uint64_t round = 0; round < TIMES; round++) {
        int64_t bytes;
        fed_encoding_key(key, "coast", 1, round, "edge-1");
        nmse(FED_ROTATED4, N, &bytes);
        for (int i = 0; i < N; i++)
            sum[i] += (double)back[i] / TIMES;
    }
    double off = 0;
    for (int i = 0; i < N; i++)
        off += pow(sum[i] - (double)x[i], 2);
    assert_true(off / size / size < 0.010 * 3 / TIMES);
}

static void rotation_keeps_length_and_turns_back(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= LONGEST; n = n < 40 ? n + 1 : 3 * n - 1) {
        fill(3, n, n);
        memcpy(back, x, n * sizeof(float));
        double before = fed_norm(x, n);
        assert_int_equal(fed_rotate(back, n, key), 0);
        assert_true(fabs(fed_norm(back, n) - before) <= 1e-5 * before);
        if (n > 1000) { /* a spike is spread over all */
            float top = 0;
            for (uint32_t i = 0; i < n; i++)
                top = fmaxf(top, fabsf(back[i]));
            assert_true((double)top < 8 * before / sqrt(n));
        }
        assert_int_equal(fed_unrotate(back, n, key), 0);
        for (uint32_t i = 0; i < n; i++)
            assert_true(fabs((double)back[i] - (double)x[i]) <= 1e-5 * before);
    }
}

static void zeros_and_extremes_survive(void **state)
{
    (void)state;
    static const float tops[] = {0, 1e-45F, 1e-30F, 1e30F, 3e38F};
    for (size_t i = 0; i < ATL_ARRAY_LEN(tops); i++)
        for (size_t k = 0; k < ATL_ARRAY_LEN(all); k++) {
            for (int j = 0; j < 300; j++)
                x[j] = j % 7 == 0 ? tops[i] : 0;
            int64_t bytes = fed_encode(all[k], x, 300, key, wire);
            assert_true(bytes > 0);
            int r = fed_decode(all[k], wire, (size_t)bytes, 300, key, back);
            assert_true(r == 0 || (r == -EDOM && tops[i] > 1e38F));
            if (tops[i] == 0)
                assert_true(fed_norm(back, 300) == 0);
        }
}

static void refuses_what_was_not_encoded(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 9);
    fill(0, 1001, 1);
    for (size_t k = 0; k < ATL_ARRAY_LEN(all); k++) {
        int64_t whole = fed_encode(all[k], x, 1001, key, wire);
        assert_int_equal(fed_decode(all[k], wire, 0, 1001, key, back), -EBADMSG);
        assert_int_equal(fed_decode(all[k], wire, sizeof(wire), 1001, key, back), -EBADMSG);
        assert_int_equal(fed_decode(all[k], wire, (size_t)whole, 0, key, back), -EBADMSG);
        for (int i = 0; i < 2000; i++) { /* any bytes of any length end in an answer */
            static uint8_t noise[5000];
            size_t bytes = atl_rng_below(&rng, fed_encoding_bytes(all[k], 1001) + 2);
            for (size_t j = 0; j < bytes; j++)
                noise[j] = (uint8_t)atl_rng_below(&rng, 256);
            int r = fed_decode(all[k], noise, bytes, 1001, key, back);
            assert_true(r == 0 || r == -EBADMSG || r == -EDOM);
            if (r == 0)
                assert_true(fed_all_finite(back, 1001));
        }
    }
    uint8_t *tail = &wire[fed_encoding_bytes(FED_ROTATED4, 1001) - 1];
    memset(wire, 0, sizeof(wire));
    *tail = 0xf0; /* half a byte that stands for nothing */
    assert_int_equal(
        fed_decode(FED_ROTATED4, wire, fed_encoding_bytes(FED_ROTATED4, 1001), 1001, key, back),
        -EBADMSG);
    wire[4] = 0x80; /* -128 */
    *tail = 0;
    assert_int_equal(
        fed_decode(FED_INT8, wire, fed_encoding_bytes(FED_INT8, 1001), 1001, key, back), -EBADMSG);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_come_back_as_they_were),
        cmocka_unit_test(error_and_size_are_as_published),
        cmocka_unit_test(rotated_is_unbiased),
        cmocka_unit_test(rotation_keeps_length_and_turns_back),
        cmocka_unit_test(zeros_and_extremes_survive),
        cmocka_unit_test(refuses_what_was_not_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
