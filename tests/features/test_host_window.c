/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "hosts_fixture.h"

static struct feat_host_row rows[4096];

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

static const struct feat_host_row *look(const char *addr, enum feat_role role)
{
    uint32_t n = feat_hosts_take(hosts, T0 + 10 * ATL_NS_PER_S, false, rows, 4096);
    const struct feat_host_row *row = row_of(n, addr, role);
    assert_non_null(row);
    for (uint32_t c = 0; c < feat_schema_host()->n_columns; c++)
        assert_true(isfinite(row->raw[c]) && row->raw[c] >= 0);
    return row;
}

/* What the dataplane saw of a flood whose flows never came: the victim is known all the same. */
static void a_report_makes_a_victim(void **state)
{
    (void)state;
    struct dp_report r = {.kind = DP_REPORT_TARGET, .first_ns = T0, .last_ns = T0 + 1};
    r.target = (struct dp_target){
        .addr = make_addr("203.0.113.1"), .flows = 5000, .syns = 5000, .proto = IPPROTO_TCP};
    feat_hosts_take(hosts, T0, false, rows, 1);
    for (int i = 0; i < DP_DISTINCT_REGISTERS; i++)
        r.target.sources.rank[i] = 7;
    feat_hosts_report(hosts, &r);
    feat_hosts_report(hosts, &r); /* another worker, the same second */
    const struct feat_host_row *row = look("203.0.113.1", FEAT_TARGET);
    assert_int_equal(row->flows, 0);
    assert_int_equal(row->events, 10000);
    assert_float_equal(column(row, "arrivals_peak"), 10000, 0);
    assert_true(column(row, "arrival_syn_share") > 0.99F);
    assert_true(row->peers > 5000 && row->peers < 7000); /* 0.709 × 64 × 2^7 */
}

static void a_guesser_repeats_itself(void **state)
{
    (void)state;
    feat_hosts_take(hosts, T0, false, rows, 1);
    for (uint16_t i = 0; i < 100; i++) {
        struct dp_flow f = make_flow("10.0.0.7", 2000 + i, "203.0.113.9", 22, IPPROTO_TCP);
        feat_hosts_add(hosts, &f);
    }
    const struct feat_host_row *row = look("10.0.0.7", FEAT_SOURCE);
    assert_float_equal(column(row, "repeat_flows"), 100, 0.1);
    assert_float_equal(column(row, "repeat_alike"), 1, 0.01);
    assert_float_equal(column(row, "repeat_excess"), 55, 0.1);
    assert_float_equal(column(row, "new_peers"), 1, 0);
    assert_float_equal(column(row, "port_entropy"), 0, 0);
}

static void an_upload_is_seen_with_its_peer(void **state)
{
    (void)state;
    feat_hosts_take(hosts, T0, false, rows, 1);
    struct dp_flow f = make_flow("10.0.0.7", 2000, "203.0.113.9", 443, IPPROTO_TCP);
    f.fwd.bytes = 50000000;
    f.fwd.packets = 40000;
    feat_hosts_add(hosts, &f);
    const struct feat_host_row *row = look("10.0.0.7", FEAT_SOURCE);
    assert_float_equal(column(row, "upload_max"), 5e7, 1);
    assert_true(column(row, "upload_share") > 0.99F);
    assert_float_equal(column(row, "flow_packets_per_s"), 40002, 1);
}

static void a_tunnel_shows_in_its_domain(void **state)
{
    (void)state;
    feat_hosts_take(hosts, T0, false, rows, 1);
    struct dp_report r = {.kind = DP_REPORT_DOMAIN, .first_ns = T0, .last_ns = T0 + 1};
    r.domain = (struct dp_domain){.client = make_addr("10.0.0.7"),
                                  .domain = 99,
                                  .queries = 400,
                                  .named = 400,
                                  .name_bytes = 400 * 90,
                                  .entropy = 400 * 4 * 256};
    for (int i = 0; i < DP_DISTINCT_REGISTERS; i++)
        r.domain.names.rank[i] = 4;
    feat_hosts_report(hosts, &r);
    const struct feat_host_row *row = look("10.0.0.7", FEAT_SOURCE);
    assert_float_equal(column(row, "dns_queries"), 400, 0);
    assert_true(column(row, "dns_names") > 400);
    assert_float_equal(column(row, "dns_name_mean"), 90, 0.1);
    assert_float_equal(column(row, "dns_entropy"), 4, 0.01);
    assert_float_equal(column(row, "dns_odd_share"), 1, 0);
}

/* A call a minute: the score comes with the calls, and chance has none. */
static void a_beacon_is_scored(void **state)
{
    (void)state;
    const struct feat_host_row *row = NULL;
    for (uint32_t i = 0; i < 20; i++) {
        atl_ns now = T0 + i * 60 * ATL_NS_PER_S;
        struct dp_flow f =
            make_flow("10.0.0.7", (uint16_t)(2000 + i), "203.0.113.9", 443, IPPROTO_TCP);
        f.first_ns = now;
        f.last_ns = now + ATL_NS_PER_S;
        feat_hosts_take(hosts, now, false, rows, 4096);
        feat_hosts_add(hosts, &f);
        uint32_t n = feat_hosts_take(hosts, now + 6 * ATL_NS_PER_S, false, rows, 4096);
        row = row_of(n, "10.0.0.7", FEAT_SOURCE);
        assert_non_null(row);
        if (i < 7)
            assert_float_equal(column(row, "beacon_score"), 0, 0);
    }
    assert_true(column(row, "beacon_score") > 0.95F);
    assert_float_equal(column(row, "beacon_period"), 60, 0.01);
}

static void memory_is_known_and_bounded(void **state)
{
    (void)state;
    struct feat_host_config cfg;
    feat_host_config_default(&cfg);
    double each = (double)feat_hosts_memory_bytes(&cfg) / cfg.hosts_max;
    print_message("# %.0f bytes for each tracked host\n", each);
    assert_true(each < 4096);
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
        cmocka_unit_test_setup_teardown(a_report_makes_a_victim, make_hosts, drop_hosts),
        cmocka_unit_test_setup_teardown(a_guesser_repeats_itself, make_hosts, drop_hosts),
        cmocka_unit_test_setup_teardown(an_upload_is_seen_with_its_peer, make_hosts, drop_hosts),
        cmocka_unit_test_setup_teardown(a_tunnel_shows_in_its_domain, make_hosts, drop_hosts),
        cmocka_unit_test_setup_teardown(a_beacon_is_scored, make_hosts, drop_hosts),
        cmocka_unit_test_setup_teardown(memory_is_known_and_bounded, make_hosts, drop_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
