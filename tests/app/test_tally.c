/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "app/tally_priv.h"

static struct dp_flow flow_from(uint32_t host)
{
    struct dp_flow f = {.first_ns = 10, .last_ns = 20};
    memcpy(f.src.bytes + 12, &host, sizeof(host));
    return f;
}

/* Exact binomial tail, summed in plain doubles: an independent oracle for the bound. */
static double binomial_tail(int n, int k, double r)
{
    double total = 0;
    for (int i = k; i <= n; i++)
        total += exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(r) +
                     (n - i) * log1p(-r));
    return total;
}

static void bound_is_above_the_truth(void **state)
{
    (void)state;
    static const struct {
        int n, k;
    } rows[] = {{100, 1}, {100, 5}, {1000, 8}, {20, 20}, {50, 10}};
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        struct tally *t;
        struct dp_flow f = flow_from(7);
        assert_int_equal(tally_create(&t, 1e-3), 0);
        for (int j = 0; j < rows[i].n; j++) {
            f.dst.bytes[0] = (uint8_t)j;
            tally_add(t, &f, j < rows[i].k, 0.9F);
        }
        uint32_t at = 0;
        struct tally_entry *e = tally_next(t, &at);
        assert_non_null(e);
        double p = tally_p_value(t, e), truth = binomial_tail(rows[i].n, rows[i].k, 1e-3);
        assert_true(p >= truth * 0.999999);
        assert_true(p <= truth * 20);
        tally_destroy(t);
    }
}

static void worst_flow_is_kept(void **state)
{
    (void)state;
    struct tally *t;
    struct dp_flow f = flow_from(7);
    assert_int_equal(tally_create(&t, 1e-3), 0);
    assert_null(tally_add(t, &f, false, 0.4F));
    f.dst_port = 1;
    assert_non_null(tally_add(t, &f, true, 0.6F));
    f.dst_port = 2;
    f.dst.bytes[0] = 1;
    assert_non_null(tally_add(t, &f, true, 0.9F));
    f.dst_port = 3;
    f.dst.bytes[0] = 2;
    assert_null(tally_add(t, &f, true, 0.7F));
    uint32_t at = 0;
    struct tally_entry *e = tally_next(t, &at);
    assert_int_equal(e->flows, 4);
    assert_int_equal(e->unusual, 3);
    assert_int_equal(e->sample.dst_port, 2);
    tally_clear(t);
    at = 0;
    assert_null(tally_next(t, &at));
    tally_destroy(t);
}

static void one_destination_counts_once(void **state)
{
    (void)state;
    struct tally *t;
    struct dp_flow f = flow_from(7);
    assert_int_equal(tally_create(&t, 1e-3), 0);
    for (int i = 0; i < 30; i++)
        tally_add(t, &f, true, 0.9F);
    uint32_t at = 0;
    struct tally_entry *e = tally_next(t, &at);
    assert_int_equal(e->flows, 30);
    assert_int_equal(e->unusual, 1);
    tally_destroy(t);
}

static void a_crowd_does_not_wash_out_the_culprit(void **state)
{
    (void)state;
    struct tally *t;
    struct dp_flow bad = flow_from(0xffffffff);
    assert_int_equal(tally_create(&t, 1e-3), 0);
    for (int i = 0; i < 30; i++) {
        bad.dst.bytes[0] = (uint8_t)i;
        tally_add(t, &bad, true, 0.9F);
    }
    for (uint32_t i = 0; i < 1000000; i++) {
        struct dp_flow f = flow_from(i);
        tally_add(t, &f, false, 0.1F);
    }
    uint32_t at = 0, found = 0;
    for (struct tally_entry *e; (e = tally_next(t, &at)) != NULL;)
        found += e->unusual == 30;
    assert_int_equal(found, 1);
    tally_destroy(t);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_is_above_the_truth),
        cmocka_unit_test(worst_flow_is_kept),
        cmocka_unit_test(one_destination_counts_once),
        cmocka_unit_test(a_crowd_does_not_wash_out_the_culprit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
