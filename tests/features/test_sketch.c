/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "features/beacon_priv.h"
#include "features/remember_priv.h"
#include "features/sketch_priv.h"

static const struct atl_hash_key key = {1, 2};

static uint64_t hash_of(uint64_t thing)
{
    return atl_hash(&key, &thing, sizeof(thing));
}

static void small_counts_are_exact(void **state)
{
    (void)state;
    struct sketch s = {0};
    for (uint64_t i = 0; i < 10000; i++)
        feat_sketch_add(&s, 7, hash_of(i % SKETCH_EXACT));
    assert_float_equal(feat_sketch_count(&s), SKETCH_EXACT, 0);
}

/* Five standard errors of 128 registers. */
static void large_counts_are_near(void **state)
{
    (void)state;
    for (uint64_t n = 200; n <= 2000000; n *= 10) {
        struct sketch s = {0};
        for (uint64_t i = 0; i < n; i++)
            feat_sketch_add(&s, (uint32_t)(i % SKETCH_AGES), hash_of(i));
        double error = feat_sketch_count(&s) / (double)n - 1;
        if (fabs(error) > 0.45)
            fail_msg("%.0f instead of %.0f", feat_sketch_count(&s), (double)n);
    }
}

/* 50 things in slice 10, n more in each of the next: they leave slice by slice. */
static void what_leaves_the_window_is_forgotten(void **state)
{
    (void)state;
    for (uint64_t n = 10; n <= 1000; n *= 100) {
        struct sketch s = {0};
        uint64_t next = 0;
        for (uint32_t slice = 10; slice < 10 + SKETCH_AGES; slice++) {
            feat_sketch_turn(&s, slice, 1);
            for (uint64_t i = 0; i < n; i++)
                feat_sketch_add(&s, slice, hash_of(next++));
        }
        double full = feat_sketch_count(&s);
        assert_true(fabs(full - (double)(SKETCH_AGES * n)) <= 0.3 * (double)(SKETCH_AGES * n));
        feat_sketch_turn(&s, 12 + SKETCH_AGES, 3);
        assert_true(feat_sketch_count(&s) < 0.6 * full);
        assert_true(feat_sketch_count(&s) > 0.2 * full);
        feat_sketch_turn(&s, 14 + SKETCH_AGES, 2);
        assert_float_equal(feat_sketch_count(&s), 0, 0);
        feat_sketch_add(&s, 14 + SKETCH_AGES, hash_of(1));
        assert_float_equal(feat_sketch_count(&s), 1, 0); /* exact again */
    }
}

static void a_filter_remembers_and_forgets(void **state)
{
    (void)state;
    struct remember r;
    assert_int_equal(feat_remember_init(&r, 4096), 0);
    atl_ns now = 1000 * ATL_NS_PER_S;
    uint32_t taken_for_known = 0;
    for (uint64_t i = 0; i < 2000; i++)
        taken_for_known += feat_remember_add(&r, hash_of(i), now);
    assert_true(taken_for_known < 60);
    for (uint64_t i = 0; i < 2000; i++)
        assert_true(feat_remember_add(&r, hash_of(i), now + 13 * 3600 * ATL_NS_PER_S));
    uint32_t known = 0; /* a flood of others, then two days of silence */
    for (uint64_t i = 10000; i < 200000; i++)
        feat_remember_add(&r, hash_of(i), now + 14 * 3600 * ATL_NS_PER_S);
    feat_remember_add(&r, hash_of(1000000), now + 48 * 3600 * ATL_NS_PER_S);
    feat_remember_add(&r, hash_of(1000001), now + 72 * 3600 * ATL_NS_PER_S);
    for (uint64_t i = 0; i < 1000; i++)
        known += feat_remember_add(&r, hash_of(i), now + 72 * 3600 * ATL_NS_PER_S);
    assert_true(known < 60);
    feat_remember_finish(&r);
}

/* Gaps in ticks of 10 ms: `mean` give or take `jitter`, uniform; exponential when jitter is 0. */
static float score(uint64_t seed, double mean, double jitter, float *period_s)
{
    struct atl_rng rng;
    atl_rng_init_seed(&rng, seed);
    uint32_t stamps[BEACON_STAMPS];
    double at = 4294967000.0; /* wraps round on the way */
    for (uint32_t i = 0; i < BEACON_STAMPS; i++) {
        stamps[i] = (uint32_t)(uint64_t)at;
        double u = atl_rng_unit(&rng);
        at += jitter > 0 ? mean + jitter * (2 * u - 1) : -mean * log(1 - u);
    }
    struct beacon b = feat_beacon_measure(stamps, BEACON_STAMPS);
    *period_s = b.period_s;
    return b.score;
}

static void regular_calls_score_high_and_random_ones_low(void **state)
{
    (void)state;
    float period, chance = 0, near = 0, loose = 0;
    assert_true(score(1, 6000, 1, &period) > 0.97F);
    assert_float_equal(period, 60, 0.1);
    for (uint64_t seed = 0; seed < 20; seed++) {
        near += score(seed, 6000, 600, &period) / 20; /* a tenth of jitter */
        loose += score(seed, 280, 80, &period) / 20;  /* every 2 to 3.6 s */
        chance += score(seed, 6000, 0, &period) / 20;
    }
    assert_true(near > 0.75F && loose > 0.6F && chance < 0.45F);
    const uint32_t few[BEACON_CALLS - 1] = {0, 1000, 2000, 3000, 4000, 5000, 6000};
    assert_float_equal(feat_beacon_measure(few, BEACON_CALLS - 1).score, 0, 0);
    const uint32_t same[BEACON_CALLS] = {5, 5, 5, 5, 5, 5, 5, 5};
    assert_float_equal(feat_beacon_measure(same, BEACON_CALLS).score, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_counts_are_exact),
        cmocka_unit_test(large_counts_are_near),
        cmocka_unit_test(what_leaves_the_window_is_forgotten),
        cmocka_unit_test(a_filter_remembers_and_forgets),
        cmocka_unit_test(regular_calls_score_high_and_random_ones_low),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
