/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "learner/learner.h"

/* Rows are {number, stratum, unit}: what lies in the memory says where it came from. */
static void offer(struct learn_strata *s, uint32_t number, uint32_t stratum, uint64_t unit)
{
    const float row[3] = {(float)number, (float)stratum, (float)unit};
    learn_strata_offer(s, row, stratum, unit, number * ATL_NS_PER_S);
}

static uint32_t count(const struct learn_strata *s, uint32_t column, float value)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < learn_strata_rows(s); i++)
        n += learn_strata_data(s)[i * 3 + column] == value;
    return n;
}

static void a_busy_hour_leaves_the_quiet_ones_theirs(void **state)
{
    (void)state;
    struct learn_strata *s;
    assert_int_equal(learn_strata_create(&s, 100, 3, 4, 1), 0);
    for (uint32_t i = 0; i < 20; i++)
        offer(s, i, 1, 0); /* a night */
    for (uint32_t i = 0; i < 10; i++)
        offer(s, i, 2, 0);
    for (uint32_t i = 0; i < 100000; i++)
        offer(s, i, 0, 0);
    assert_int_equal(learn_strata_rows(s), 100);
    assert_int_equal(learn_strata_held(s, 1, NULL), 20);
    assert_int_equal(learn_strata_held(s, 2, NULL), 10);
    assert_int_equal(learn_strata_held(s, 0, NULL), 70);
    assert_int_equal(learn_strata_held(s, 3, NULL), 0);
    for (uint32_t i = 0; i < 1000; i++)
        offer(s, i, i % 4, 0);
    for (uint32_t k = 0; k < 4; k++) {
        assert_in_range(learn_strata_held(s, k, NULL), 24, 26);
        assert_int_equal(count(s, 1, (float)k), learn_strata_held(s, k, NULL));
    }
    learn_strata_destroy(s);
}

static void seven_tenths_are_the_newest(void **state)
{
    (void)state;
    struct learn_strata *s;
    uint32_t old, rows = 1000, offered = 10000, above = 0;
    assert_int_equal(learn_strata_create(&s, rows, 3, 2, 1), 0);
    for (uint32_t i = 0; i < offered; i++)
        offer(s, i, 0, 0);
    assert_int_equal(learn_strata_held(s, 0, &old), rows);
    assert_int_equal(old, 300);
    for (uint32_t i = 0; i < rows; i++)
        above += learn_strata_data(s)[i * 3] >= (float)(offered - 700);
    assert_int_equal(above, 700);
    /* the old ones come from the whole time before, not from its end only */
    uint32_t early = 0;
    for (uint32_t i = 0; i < rows; i++)
        early += learn_strata_data(s)[i * 3] < (float)(offered - 3000);
    assert_true(early > 60);
    learn_strata_destroy(s);
}

static void forgets_one_unit_since_a_time(void **state)
{
    (void)state;
    struct learn_strata *s;
    assert_int_equal(learn_strata_create(&s, 500, 3, 3, 1), 0);
    for (uint32_t i = 0; i < 600; i++)
        offer(s, i, i % 3, i % 5);
    uint32_t rows = learn_strata_rows(s), of_two = learn_strata_of_unit(s, 2);
    uint32_t gone = learn_strata_forget(s, 2, 500 * ATL_NS_PER_S);
    assert_int_equal(gone, 20); /* 502, 507 … 597 */
    assert_int_equal(learn_strata_rows(s), rows - gone);
    assert_int_equal(learn_strata_of_unit(s, 2), of_two - gone);
    assert_int_equal(count(s, 2, 2), of_two - gone);
    assert_int_equal(learn_strata_forget(s, 2, 0), of_two - gone);
    assert_int_equal(learn_strata_of_unit(s, 2), 0);
    for (uint32_t i = 0; i < 5000; i++) /* the lists are still whole */
        offer(s, i, i % 3, 7);
    assert_int_equal(learn_strata_rows(s), 500);
    for (uint32_t k = 0; k < 3; k++) {
        assert_in_range(learn_strata_held(s, k, NULL), 166, 168);
        assert_int_equal(count(s, 1, (float)k), learn_strata_held(s, k, NULL));
    }
    for (uint64_t unit = 0; unit <= 7; unit++)
        learn_strata_forget(s, unit, 0);
    assert_int_equal(learn_strata_rows(s), 0);
    offer(s, 1, 0, 1);
    assert_int_equal(learn_strata_rows(s), 1);
    learn_strata_destroy(s);
}

static void refuses_sizes_out_of_range(void **state)
{
    (void)state;
    struct learn_strata *s;
    assert_int_equal(learn_strata_create(&s, 0, 3, 1, 1), -EINVAL);
    assert_int_equal(learn_strata_create(&s, 10, 0, 1, 1), -EINVAL);
    assert_int_equal(learn_strata_create(&s, 10, 3, 0, 1), -EINVAL);
    assert_int_equal(learn_strata_create(&s, 10, 3, LEARN_STRATA_MAX + 1, 1), -EINVAL);
    learn_strata_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_hour_leaves_the_quiet_ones_theirs),
        cmocka_unit_test(seven_tenths_are_the_newest),
        cmocka_unit_test(forgets_one_unit_since_a_time),
        cmocka_unit_test(refuses_sizes_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
