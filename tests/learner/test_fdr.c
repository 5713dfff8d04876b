/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "learner/learner.h"

#define TESTS 200

/* The example of Benjamini & Hochberg 1995, section 4: 15 p-values, rate 0.05, four discoveries. */
static void finds_what_the_paper_finds(void **state)
{
    (void)state;
    double p[] = {0.0459, 0.0001, 1.0000, 0.0004, 0.6528, 0.0019, 0.7590, 0.0095,
                  0.0201, 0.3240, 0.0278, 0.0298, 0.4262, 0.0344, 0.5719};
    assert_true(learn_fdr_cut(p, ATL_ARRAY_LEN(p), ATL_ARRAY_LEN(p), 0.05) == 0.0095);
    double few[] = {0.0095, 0.0001, 0.0019, 0.0004}; /* the small ones are enough */
    assert_true(learn_fdr_cut(few, 4, 15, 0.05) == 0.0095);
    double none[] = {0.3, 0.2};
    assert_true(learn_fdr_cut(none, 2, 2, 0.05) < 0);
    assert_true(learn_fdr_cut(none, 0, 100, 0.05) < 0);
}

/* @return discoveries among TESTS p-values of which `real` are tiny; false ones in *ret_false */
static uint32_t discover(struct atl_rng *rng, uint32_t real, double rate, uint32_t *ret_false)
{
    double p[TESTS], sorted[TESTS];
    for (uint32_t i = 0; i < TESTS; i++)
        sorted[i] = p[i] = i < real ? 1e-9 : atl_rng_unit(rng);
    double cut = learn_fdr_cut(sorted, TESTS, TESTS, rate);
    uint32_t found = 0;
    *ret_false = 0;
    for (uint32_t i = 0; i < TESTS; i++) {
        found += p[i] <= cut;
        *ret_false += i >= real && p[i] <= cut;
    }
    return found;
}

static void without_anything_to_find_windows_stay_quiet(void **state)
{
    (void)state;
    struct atl_rng rng;
    uint32_t windows = 20000, noisy = 0, alerts = 0;
    atl_rng_init_seed(&rng, 5);
    for (uint32_t i = 0; i < windows; i++) {
        uint32_t wrong;
        discover(&rng, 0, 0.02, &wrong);
        noisy += wrong > 0;
        alerts += wrong;
    }
    double deviation = 0.001; /* of the share of noisy windows: √(0.02 · 0.98 / 20000) */
    assert_true(noisy <= (0.02 + 3 * deviation) * windows);
    assert_true(noisy >= (0.02 - 3 * deviation) * windows); /* and no more cautious than that */
    assert_true(alerts <= 0.0208 * windows + 3 * deviation * windows);
}

static void false_share_is_bounded_beside_real_ones(void **state)
{
    (void)state;
    struct atl_rng rng;
    double share = 0;
    uint32_t windows = 5000;
    atl_rng_init_seed(&rng, 6);
    for (uint32_t i = 0; i < windows; i++) {
        uint32_t wrong, found = discover(&rng, 20, 0.1, &wrong);
        assert_true(found - wrong == 20); /* none of the real ones is hidden */
        share += (double)wrong / found;
    }
    assert_true(share / windows <= 0.1);
    assert_true(share / windows > 0.08); /* 0.1 · 180/200 expected */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_the_paper_finds),
        cmocka_unit_test(without_anything_to_find_windows_stay_quiet),
        cmocka_unit_test(false_share_is_bounded_beside_real_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
