/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "learner/conformal_priv.h"

/* A value drawn like those in memory gets p ≤ a with probability a: what conformal promises. */
static void p_values_are_uniform(void **state)
{
    (void)state;
    static const double levels[] = {0.5, 0.1, 0.05, 0.02};
    uint32_t n = 40000, high[4] = {0}, low[4] = {0};
    struct learn_rank rank;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 1);
    assert_int_equal(learn_rank_init(&rank, 999), 0);
    for (uint32_t i = 0; i < n + 999; i++) {
        double value = atl_rng_normal(&rng);
        for (int l = 0; l < 4 && i >= 999; l++) {
            high[l] += exp(-learn_rank_evidence_high(&rank, value, 1e-12)) <= levels[l] + 1e-12;
            low[l] += exp(-learn_rank_evidence_low(&rank, value, 1e-12)) <= levels[l] + 1e-12;
        }
        learn_rank_push(&rank, value);
    }
    for (int l = 0; l < 4; l++) {
        assert_true(fabs(high[l] / (levels[l] * n) - 1) < 0.1);
        assert_true(fabs(low[l] / (levels[l] * n) - 1) < 0.1);
    }
    learn_rank_finish(&rank);
}

/* Against a plain count over the last `cap` values, ties and wrap-around included. */
static void agrees_with_counting(void **state)
{
    (void)state;
    enum { CAP = 64, N = 500 };
    double all[N];
    struct learn_rank rank;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 2);
    assert_int_equal(learn_rank_init(&rank, CAP), 0);
    for (int i = 0; i < N; i++) {
        double value = (double)atl_rng_below(&rng, 20) - 10;
        int from = i > CAP ? i - CAP : 0, at_least = 0, at_most = 0;
        double max = -INFINITY, min = INFINITY;
        for (int j = from; j < i; j++) {
            at_least += all[j] >= value;
            at_most += all[j] <= value;
            max = fmax(max, all[j]);
            min = fmin(min, all[j]);
        }
        int n = i - from;
        if (n >= LEARN_RANK_ROWS_MIN && value <= max)
            assert_true(fabs(learn_rank_evidence_high(&rank, value, 1e-12) -
                             log((n + 1.0) / (at_least + 1.0))) < 1e-12);
        if (n >= LEARN_RANK_ROWS_MIN && value >= min)
            assert_true(fabs(learn_rank_evidence_low(&rank, value, 1e-12) -
                             log((n + 1.0) / (at_most + 1.0))) < 1e-12);
        all[i] = value;
        learn_rank_push(&rank, value);
        for (uint32_t j = 1; j < rank.n; j++)
            assert_true(rank.sorted[j - 1] <= rank.sorted[j]);
        assert_true(rank.n == (uint32_t)(n < CAP ? n + 1 : CAP));
    }
    learn_rank_finish(&rank);
}

/* Past the largest, evidence goes on rising without a step down, to its end. */
static void tail_rises(void **state)
{
    (void)state;
    struct learn_rank rank;
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 3);
    assert_int_equal(learn_rank_init(&rank, 1000), 0);
    for (int i = 0; i < 1000; i++)
        learn_rank_push(&rank, -log(1 - atl_rng_unit(&rng)));
    double largest = learn_rank_quantile(&rank, 1), last = 0;
    for (double x = largest * 1.001; x < 40; x += 0.1) {
        double e = learn_rank_evidence_high(&rank, x, 1e-12);
        assert_true(e >= last && e <= LEARN_EVIDENCE_MAX);
        last = e;
    }
    assert_true(last > 12);
    /* ln p of the law itself is -x */
    double at_ten = learn_rank_evidence_high(&rank, 10, 1e-12);
    assert_true(at_ten > 6 && at_ten < 14);
    learn_rank_finish(&rank);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_values_are_uniform),
        cmocka_unit_test(agrees_with_counting),
        cmocka_unit_test(tail_rises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
