/* SPDX-License-Identifier: Apache-2.0 */
/* What is new to a host: columns that judge it by its own past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hosts_fixture.h"

#define MINUTE (60 * ATL_NS_PER_S)
#define T0     (1000 * MINUTE)
#define HOST   "10.0.0.7"
#define PEER   "203.0.113.9"

static struct feat_host_row rows[64];

static struct dp_flow flow_at(atl_ns at, const char *src, const char *dst, uint16_t port)
{
    struct dp_flow f = make_flow(src, 40000, dst, port, IPPROTO_TCP);
    f.first_ns = at;
    f.last_ns = at + ATL_NS_PER_S / 2;
    return f;
}

/* As the program does it: time goes on, then the flow is counted. */
static void add(const struct dp_flow *f)
{
    while (feat_hosts_take(hosts, f->last_ns, false, rows, 64) == 64) {
    }
    feat_hosts_add(hosts, f);
}

static void add_at(atl_ns at, const char *src, const char *dst, uint16_t port)
{
    struct dp_flow f = flow_at(at, src, dst, port);
    add(&f);
}

static void watch(uint32_t minutes)
{
    for (uint32_t i = 0; i < minutes; i++)
        add_at(T0 + i * MINUTE, HOST, "192.0.2.1", 80);
}

static void upload(atl_ns at, const char *peer, uint64_t bytes)
{
    struct dp_flow f = flow_at(at, HOST, peer, 443);
    f.fwd.bytes = bytes;
    f.bwd.bytes = 0;
    add(&f);
}

static struct feat_host_row end(atl_ns now_ns)
{
    struct dp_addr host = make_addr(HOST);
    uint32_t n = feat_hosts_take(hosts, now_ns, true, rows, 64);
    for (uint32_t i = 0; i < n; i++) {
        if (rows[i].role == FEAT_SOURCE && memcmp(&rows[i].addr, &host, sizeof(host)) == 0)
            return rows[i];
    }
    fail_msg("no row of the host");
    return rows[0];
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

static float excess_after(uint32_t minutes, uint64_t usual, uint64_t bytes)
{
    atl_ns at = T0 + minutes * MINUTE;
    upload(T0, "198.51.100.1", usual);
    watch(minutes);
    upload(at, PEER, bytes);
    struct feat_host_row row = end(at + ATL_NS_PER_S);
    return column(&row, "upload_excess");
}

static void an_upload_beyond_the_past_stands_out(void **state)
{
    (void)state;
    assert_float_equal(excess_after(4, 1000, 40000000), 24e6, 10);
}

static void an_upload_of_a_stranger_tells_nothing(void **state)
{
    (void)state;
    assert_float_equal(excess_after(3, 1000, 40000000), 0, 0);
}

static void a_host_that_uploads_may_go_on(void **state)
{
    (void)state;
    assert_float_equal(excess_after(4, 20000000, 39000000), 0, 0);
}

static void a_host_that_uploads_may_not_send_three_times_that(void **state)
{
    (void)state;
    assert_float_equal(excess_after(4, 20000000, 60000000), 20e6, 3e4); /* the past fades */
}

static void what_comes_back_is_no_upload(void **state)
{
    (void)state;
    watch(5);
    struct dp_flow f = flow_at(T0 + 5 * MINUTE, HOST, PEER, 443);
    f.fwd.bytes = 40000000;
    f.bwd.bytes = 30000000;
    add(&f);
    struct feat_host_row row = end(T0 + 5 * MINUTE + ATL_NS_PER_S);
    assert_float_equal(column(&row, "upload_excess"), 0, 0);
}

/* Calls every 5 s, each up to `jitter` late. */
static struct feat_host_row call(atl_ns at, uint32_t calls, double jitter)
{
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 7);
    for (uint32_t i = 0; i < calls; i++) {
        atl_ns late = (atl_ns)(jitter * (double)atl_rng_below(&rng, 5 * ATL_NS_PER_S));
        add_at(at + i * 5 * ATL_NS_PER_S + late, HOST, PEER, 443);
    }
    return end(at + calls * 5 * ATL_NS_PER_S);
}

static void a_new_beacon_stands_out(void **state)
{
    (void)state;
    watch(6);
    struct feat_host_row row = call(T0 + 6 * MINUTE, 24, 0.1);
    assert_true(column(&row, "beacon_new") > 0.7F);
    assert_int_equal(row.events, 24); /* also those before the window */
}

static void a_beacon_since_ever_does_not(void **state)
{
    (void)state;
    watch(3);
    struct feat_host_row row = call(T0 + 3 * MINUTE, 24, 0.1);
    assert_true(column(&row, "beacon_score") > 0.7F);
    assert_float_equal(column(&row, "beacon_new"), 0, 0);
}

static void a_beacon_grows_old(void **state)
{
    (void)state;
    watch(6);
    struct feat_host_row row = call(T0 + 6 * MINUTE, 12 * 8, 0.1); /* eight minutes after six */
    assert_true(column(&row, "beacon_score") > 0.7F);
    assert_float_equal(column(&row, "beacon_new"), 0, 0);
}

static void regular_calls_to_who_is_known_are_not_new(void **state)
{
    (void)state;
    watch(3);
    add_at(T0 + 3 * MINUTE, HOST, PEER, 80);
    watch(6);
    struct feat_host_row row = call(T0 + 6 * MINUTE, 24, 0.1);
    assert_true(column(&row, "beacon_score") > 0.7F);
    assert_float_equal(column(&row, "beacon_new"), 0, 0);
}

static void calls_at_random_are_no_beacon(void **state)
{
    (void)state;
    watch(6);
    struct feat_host_row row = call(T0 + 6 * MINUTE, 24, 1);
    assert_float_equal(column(&row, "beacon_new"), 0, 0);
}

/* 30 conversations answered, `minutes` long, then a call of one's own to another server. */
static struct feat_host_row serve_then_call(uint32_t minutes, uint16_t port)
{
    for (uint32_t i = 0; i < 30; i++)
        add_at(T0 + i * minutes * 2 * ATL_NS_PER_S, "192.0.2.1", HOST, 502);
    add_at(T0 + minutes * MINUTE, HOST, PEER, port);
    return end(T0 + minutes * MINUTE + ATL_NS_PER_S);
}

static void a_server_that_calls_its_like_stands_out(void **state)
{
    (void)state;
    struct feat_host_row row = serve_then_call(6, 502);
    assert_float_equal(column(&row, "turned_after"), 30, 0);
    assert_int_equal(row.flows, 1);
    assert_int_equal(row.events, 30);
}

static void a_server_may_call_other_services(void **state)
{
    (void)state;
    struct feat_host_row row = serve_then_call(6, 443);
    assert_float_equal(column(&row, "turned_after"), 0, 0);
}

static void a_peer_in_both_roles_is_no_server(void **state)
{
    (void)state;
    struct feat_host_row row = serve_then_call(2, 502);
    assert_float_equal(column(&row, "turned_after"), 0, 0);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_hosts, drop_hosts)
    const struct CMUnitTest tests[] = {
        CASE(an_upload_beyond_the_past_stands_out),
        CASE(an_upload_of_a_stranger_tells_nothing),
        CASE(a_host_that_uploads_may_go_on),
        CASE(a_host_that_uploads_may_not_send_three_times_that),
        CASE(what_comes_back_is_no_upload),
        CASE(a_new_beacon_stands_out),
        CASE(a_beacon_since_ever_does_not),
        CASE(a_beacon_grows_old),
        CASE(regular_calls_to_who_is_known_are_not_new),
        CASE(calls_at_random_are_no_beacon),
        CASE(a_server_that_calls_its_like_stands_out),
        CASE(a_server_may_call_other_services),
        CASE(a_peer_in_both_roles_is_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
