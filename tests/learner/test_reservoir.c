/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "learner/learner.h"

static void fills_then_keeps_its_size(void **state)
{
    (void)state;
    struct learn_reservoir *reservoir;
    assert_int_equal(learn_reservoir_create(&reservoir, 10, 3, 1), 0);
    for (uint32_t i = 0; i < 100; i++) {
        float row[3] = {(float)i, (float)i + 0.25F, (float)i + 0.5F};
        assert_int_equal(learn_reservoir_rows(reservoir), i < 10 ? i : 10);
        learn_reservoir_offer(reservoir, row);
        assert_int_equal(learn_reservoir_offered(reservoir), i + 1);
    }
    const float *data = learn_reservoir_data(reservoir);
    for (uint32_t k = 0; k < 10; k++) { /* whole rows, each at most once */
        assert_true(data[k * 3 + 1] == data[k * 3] + 0.25F);
        assert_true(data[k * 3 + 2] == data[k * 3] + 0.5F);
        for (uint32_t other = 0; other < k; other++)
            assert_true(data[other * 3] != data[k * 3]);
    }
    learn_reservoir_destroy(reservoir);
    learn_reservoir_destroy(NULL);
}

static void every_row_is_equally_likely(void **state)
{
    (void)state;
    enum { OFFERED = 40, KEPT = 8, TRIALS = 4000 };
    uint32_t kept[OFFERED] = {0};
    for (uint64_t t = 0; t < TRIALS; t++) {
        struct learn_reservoir *reservoir;
        assert_int_equal(learn_reservoir_create(&reservoir, KEPT, 1, t), 0);
        for (uint32_t i = 0; i < OFFERED; i++)
            learn_reservoir_offer(reservoir, &(float){(float)i});
        for (uint32_t k = 0; k < KEPT; k++)
            kept[(uint32_t)learn_reservoir_data(reservoir)[k]]++;
        learn_reservoir_destroy(reservoir);
    }
    double want = (double)TRIALS * KEPT / OFFERED, chi2 = 0;
    for (int i = 0; i < OFFERED; i++)
        chi2 += (kept[i] - want) * (kept[i] - want) / (want * (1 - (double)KEPT / OFFERED));
    assert_true(chi2 < 73.4); /* 39 degrees of freedom: p about 0.0007 */
}

static void refuses_sizes_without_a_bound(void **state)
{
    (void)state;
    struct learn_reservoir *reservoir;
    assert_int_equal(learn_reservoir_create(&reservoir, 0, 3, 1), -EINVAL);
    assert_int_equal(learn_reservoir_create(&reservoir, 1U << 25, 3, 1), -EINVAL);
    assert_int_equal(learn_reservoir_create(&reservoir, 1, 0, 1), -EINVAL);
    assert_int_equal(learn_reservoir_create(&reservoir, 1, LEARN_INPUTS_MAX + 1, 1), -EINVAL);
}

/* Rows and their units stay together, also when one replaces another */
static void rows_keep_their_units(void **state)
{
    (void)state;
    struct learn_reservoir *reservoir;
    assert_int_equal(learn_reservoir_create(&reservoir, 50, 1, 3), 0);
    for (uint32_t i = 0; i < 5000; i++) {
        float row = (float)i;
        if (i % 2 == 0)
            learn_reservoir_offer(reservoir, &row);
        else
            learn_reservoir_offer_unit(reservoir, &row, 1000000007ULL * i);
    }
    for (uint32_t k = 0; k < 50; k++) {
        uint64_t i = (uint64_t)learn_reservoir_data(reservoir)[k];
        assert_true(learn_reservoir_units(reservoir)[k] == (i % 2 == 0 ? 0 : 1000000007ULL * i));
    }
    learn_reservoir_destroy(reservoir);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_then_keeps_its_size),
        cmocka_unit_test(every_row_is_equally_likely),
        cmocka_unit_test(refuses_sizes_without_a_bound),
        cmocka_unit_test(rows_keep_their_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
