/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/base.h"

static void seed_repeats_and_pieces_join(void **state)
{
    (void)state;
    struct atl_rng a, b;
    atl_rng_init_seed(&a, 7);
    atl_rng_init_seed(&b, 7);
    uint8_t whole[1500], pieces[1500];
    atl_rng_fill(&a, whole, sizeof(whole));
    for (size_t at = 0; at < sizeof(pieces); at += 100)
        atl_rng_fill(&b, pieces + at, 100);
    assert_memory_equal(whole, pieces, sizeof(whole));
    atl_rng_init_seed(&b, 8);
    atl_rng_fill(&b, pieces, sizeof(pieces));
    assert_memory_not_equal(whole, pieces, sizeof(whole));
}

static void secure_streams_differ(void **state)
{
    (void)state;
    struct atl_rng a, b;
    atl_rng_init_secure(&a);
    atl_rng_init_secure(&b);
    assert_true(atl_rng_u64(&a) != atl_rng_u64(&b));
}

static void secure_stream_forgets_its_key(void **state)
{
    (void)state;
    struct atl_rng rng;
    uint8_t key[32], out[4096], held[sizeof(struct atl_rng)];
    atl_rng_init_secure(&rng);
    memcpy(key, rng.key, sizeof(key));
    atl_rng_fill(&rng, out, sizeof(out));
    assert_memory_not_equal(key, rng.key, sizeof(key));
    memcpy(held, &rng, sizeof(held));
    for (size_t at = 0; at + 16 <= sizeof(held); at++)
        assert_memory_not_equal(held + at, out + sizeof(out) - 16, 16);
    for (size_t at = 16; at + 16 <= sizeof(out); at += 16)
        assert_memory_not_equal(out, out + at, 16);
}

static void below_is_uniform(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 1);
    enum { BINS = 7, DRAWS = 70000 };
    uint32_t count[BINS] = {0};
    for (int i = 0; i < DRAWS; i++)
        count[atl_rng_below(&rng, BINS)]++;
    double chi2 = 0;
    for (int i = 0; i < BINS; i++)
        chi2 += pow(count[i] - (double)DRAWS / BINS, 2) / ((double)DRAWS / BINS);
    assert_true(chi2 < 22.5); /* 6 degrees of freedom, p = 0.001 */
    assert_int_equal(atl_rng_below(&rng, 1), 0);
}

static void normal_has_its_moments(void **state)
{
    (void)state;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 2);
    double sum = 0, sq = 0;
    enum { DRAWS = 100000 };
    for (int i = 0; i < DRAWS; i++) {
        double x = atl_rng_normal(&rng);
        sum += x;
        sq += x * x;
    }
    assert_true(fabs(sum / DRAWS) < 0.015);
    assert_true(fabs(sq / DRAWS - 1) < 0.02);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_repeats_and_pieces_join),  cmocka_unit_test(secure_streams_differ),
        cmocka_unit_test(secure_stream_forgets_its_key), cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(normal_has_its_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
