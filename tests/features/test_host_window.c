/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "flow_maker.h"

static struct feat_hosts *hosts;
static struct feat_host_row rows[4096];

static int make_hosts(void **state)
{
    (void)state;
    struct feat_host_config cfg;
    feat_host_config_default(&cfg);
    cfg.seed = 1;
    cfg.hosts_max = 1024;
    return feat_hosts_create(&hosts, &cfg);
}

static int drop_hosts(void **state)
{
    (void)state;
    feat_hosts_destroy(hosts);
    return 0;
}

static float column(const struct feat_host_row *row, const char *name)
{
    const struct feat_schema *s = feat_schema_host();
    for (uint32_t i = 0; i < s->n_columns; i++) {
        if (strcmp(s->columns[i].name, name) == 0)
            return row->raw[i];
    }
    fail_msg("no column %s", name);
    return 0;
}

static const struct feat_host_row *row_of(uint32_t n, const char *addr, enum feat_role role)
{
    struct dp_addr a = make_addr(addr);
    for (uint32_t i = 0; i < n; i++) {
        if (rows[i].role == role && memcmp(&rows[i].addr, &a, sizeof(a)) == 0)
            return &rows[i];
    }
    return NULL;
}

#define T0 (1000 * ATL_NS_PER_S)

/* 300 unanswered tries of one host and 20 good conversations of another. */
static void add_scan(void)
{
    feat_hosts_take(hosts, T0, false, rows, 1);
    for (int i = 0; i < 300; i++) {
        char dst[32];
        snprintf(dst, sizeof(dst), "198.51.%d.%d", i / 200, i % 200 + 1);
        struct dp_flow f = make_flow("10.0.0.66", 40000, dst, 23, IPPROTO_TCP);
        make_half_open(&f);
        feat_hosts_add(hosts, &f);
    }
    for (int i = 0; i < 20; i++) {
        struct dp_flow f = make_flow("10.0.0.5", 40000, "203.0.113.9", 443, IPPROTO_TCP);
        feat_hosts_add(hosts, &f);
    }
}

static void a_scanner_stands_out(void **state)
{
    (void)state;
    add_scan();
    uint32_t n = feat_hosts_take(hosts, T0 + 5 * ATL_NS_PER_S, false, rows, 4096);
    const struct feat_host_row *bad = row_of(n, "10.0.0.66", FEAT_SOURCE);
    const struct feat_host_row *good = row_of(n, "10.0.0.5", FEAT_SOURCE);
    assert_non_null(bad);
    assert_non_null(good);
    assert_false(bad->closed);
    assert_int_equal(bad->flows, 300);
    assert_true(fabs(column(bad, "peers") - 300) < 60); /* two standard errors */
    assert_true(fabs(column(bad, "ports") - 1) < 0.1);
    assert_float_equal(column(bad, "half_open"), 300, 0);
    assert_true(column(bad, "half_open_ratio") > 0.95F);
    assert_float_equal(column(bad, "packets_per_s"), 60, 0.01);
    assert_true(fabs(column(good, "peers") - 1) < 0.1);
    assert_float_equal(column(good, "failed_ratio"), 0, 0);
    const struct feat_host_row *server = row_of(n, "203.0.113.9", FEAT_TARGET);
    assert_non_null(server);
    assert_float_equal(column(server, "role_target"), 1, 0);
    assert_float_equal(column(server, "packets_out"), 40, 0);
}

static void looks_come_only_with_something_new(void **state)
{
    (void)state;
    add_scan();
    assert_int_equal(feat_hosts_take(hosts, T0 + 4 * ATL_NS_PER_S, false, rows, 4096), 0);
    assert_true(feat_hosts_take(hosts, T0 + 5 * ATL_NS_PER_S, false, rows, 4096) > 300);
    assert_int_equal(feat_hosts_take(hosts, T0 + 10 * ATL_NS_PER_S, false, rows, 4096), 0);
    uint32_t n = feat_hosts_take(hosts, T0 + 61 * ATL_NS_PER_S, false, rows, 4096);
    assert_true(n > 300);
    assert_true(rows[0].closed);
    assert_int_equal(feat_hosts_take(hosts, T0 + 200 * ATL_NS_PER_S, false, rows, 4096), 0);
    assert_int_equal(feat_hosts_used(hosts), 0);
}

static void small_batches_lose_nothing(void **state)
{
    (void)state;
    add_scan();
    uint32_t total = 0, n;
    while ((n = feat_hosts_take(hosts, T0 + 5 * ATL_NS_PER_S, true, rows, 7)) > 0)
        total += n;
    assert_int_equal(total, 300 + 1 + 1 + 1);
    assert_int_equal(feat_hosts_used(hosts), 0);
}

static void a_million_hosts_stay_within_the_cap(void **state)
{
    (void)state;
    feat_hosts_take(hosts, T0, false, rows, 1);
    struct dp_flow f = make_flow("10.0.0.1", 1, "203.0.113.1", 80, IPPROTO_TCP);
    make_half_open(&f);
    for (uint32_t i = 0; i < 1000000; i++) {
        uint32_t spoofed = htonl(0x0b000000 + i);
        memcpy(f.src.bytes + 12, &spoofed, 4);
        feat_hosts_add(hosts, &f);
    }
    assert_int_equal(feat_hosts_used(hosts), 1024);
    assert_true(feat_hosts_evicted(hosts) >= 1000000 - 1024);
    uint32_t n = feat_hosts_take(hosts, T0 + 5 * ATL_NS_PER_S, false, rows, 4096);
    const struct feat_host_row *victim = row_of(n, "203.0.113.1", FEAT_TARGET);
    assert_non_null(victim);
    assert_int_equal(victim->flows, 1000000);
}

static void a_clock_that_steps_back_is_harmless(void **state)
{
    (void)state;
    add_scan();
    assert_int_equal(feat_hosts_take(hosts, T0 - 100 * ATL_NS_PER_S, false, rows, 4096), 0);
    assert_true(feat_hosts_take(hosts, T0 + 5 * ATL_NS_PER_S, false, rows, 4096) > 300);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_scanner_stands_out, make_hosts, drop_hosts),
        cmocka_unit_test_setup_teardown(looks_come_only_with_something_new, make_hosts, drop_hosts),
        cmocka_unit_test_setup_teardown(small_batches_lose_nothing, make_hosts, drop_hosts),
        cmocka_unit_test_setup_teardown(a_million_hosts_stay_within_the_cap, make_hosts,
                                        drop_hosts),
        cmocka_unit_test_setup_teardown(a_clock_that_steps_back_is_harmless, make_hosts,
                                        drop_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
