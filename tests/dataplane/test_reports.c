/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/domain_priv.h"
#include "dataplane/target_priv.h"

static struct dp_targets targets;
static struct dp_domains domains;
static struct atl_ring *ring;

static int begin(void **state)
{
    (void)state;
    memset(&targets, 0, sizeof(targets));
    memset(&domains, 0, sizeof(domains));
    targets.key = domains.key = (struct atl_hash_key){1, 2};
    return atl_ring_create(&ring, 1024, sizeof(struct dp_report));
}

static int end(void **state)
{
    (void)state;
    atl_ring_destroy(ring);
    return 0;
}

static struct dp_packet packet(uint32_t src, uint32_t dst)
{
    struct dp_packet p = {.ts_ns = 5, .bytes = 40, .tcp_flags = 1U << DP_SYN};
    p.key.addr[0] = dp_addr_mapped((const uint8_t *)&src);
    p.key.addr[1] = dp_addr_mapped((const uint8_t *)&dst);
    p.key.proto = DP_PROTO_TCP;
    p.key.port[1] = 80;
    return p;
}

static const struct dp_report *report_of(uint32_t dst)
{
    const void *elems;
    uint32_t n = atl_ring_peek(ring, &elems);
    const struct dp_report *reports = elems;
    struct dp_addr addr = dp_addr_mapped((const uint8_t *)&dst);
    for (uint32_t i = 0; i < n; i++)
        if (reports[i].kind == DP_REPORT_TARGET && dp_addr_equal(&reports[i].target.addr, &addr))
            return &reports[i];
    return NULL;
}

/* Ten victims of a flood among 100,000 addresses that get one packet each: far beyond the table. */
static void victims_survive_a_sweep(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        struct dp_packet victim = packet(i, 0x0a000001 + i % 10), other = packet(7, 0x14000000 + i);
        dp_target_begin(&targets, &victim);
        dp_target_begin(&targets, &other);
    }
    dp_summary_report(&targets.table, ring);
    assert_true(atl_ring_used(ring) <= DP_SUMMARY_SETS * DP_SUMMARY_WAYS);
    for (uint32_t v = 0; v < 10; v++) {
        const struct dp_report *r = report_of(0x0a000001 + v);
        assert_non_null(r);
        assert_true(r->target.flows <= 10000);
        assert_true(r->target.flows + r->target.missed >= 10000);
        assert_true(r->target.flows > 9000);
        assert_int_equal(r->target.syns, r->target.flows);
        assert_int_equal(r->target.dst_port, 80);
    }
    atl_ring_release(ring, atl_ring_used(ring));
    dp_summary_report(&targets.table, ring);
    assert_int_equal(atl_ring_used(ring), 0); /* told once */
}

static void a_sample_stands_for_its_burst(void **state)
{
    (void)state;
    struct dp_packet p = packet(1, 2);
    for (int i = 0; i < 100; i++)
        dp_target_sample(&targets, &p, 64);
    dp_summary_report(&targets.table, ring);
    const struct dp_report *r = report_of(2);
    assert_int_equal(r->target.packets, 6400);
    assert_int_equal(r->target.bytes, 6400 * 40);
    assert_int_equal(r->target.samples, 100);
    assert_int_equal(r->target.flows, 0);
    assert_int_equal(r->target.proto, 0);
}

static void a_full_ring_delays_and_loses_nothing(void **state)
{
    (void)state;
    struct atl_ring *small;
    uint64_t flows = 0;
    assert_int_equal(atl_ring_create(&small, 64, sizeof(struct dp_report)), 0);
    for (uint32_t i = 0; i < 200; i++) {
        struct dp_packet p = packet(1, i);
        dp_target_begin(&targets, &p);
    }
    for (int round = 0; round < 10; round++) {
        const void *elems;
        dp_summary_report(&targets.table, small);
        for (uint32_t n; (n = atl_ring_peek(small, &elems)) > 0; atl_ring_release(small, n))
            for (uint32_t i = 0; i < n; i++)
                flows += ((const struct dp_report *)elems)[i].target.flows;
    }
    assert_int_equal(flows, 200);
    atl_ring_destroy(small);
}

static struct dp_name name_of(const char *text)
{
    struct dp_name name = {.text_bytes = (uint32_t)strlen(text)};
    memcpy(name.text, text, name.text_bytes);
    for (uint32_t i = 0; i < name.text_bytes; i++)
        if (i == 0 || text[i - 1] == '.')
            name.label[name.labels++] = (uint8_t)i;
    return name;
}

static void base_domains(void **state)
{
    (void)state;
    static const struct {
        const char *name, *base;
    } rows[] = {
        {"example", "example"},
        {"example.org", "example.org"},
        {"a.b.example.org", "example.org"},
        {"www.example.co.uk", "example.co.uk"},
        {"x.y.example.com.br", "example.com.br"},
        {"com.br", "com.br"},
        {"a.example.br", "example.br"},
        {"a.com.example", "com.example"},
        {"4.3.2.1.in-addr.arpa", "2.1.in-addr.arpa"},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        struct dp_name name = name_of(rows[i].name);
        const char *base = rows[i].name + dp_domain_base(&name);
        assert_string_equal(base, rows[i].base);
    }
}

static void a_tunnel_is_many_names_of_one_domain(void **state)
{
    (void)state;
    struct dp_packet query = packet(1, 2);
    query.dns = (struct dp_dns_seen){
        .what = DP_DNS_QUERY | DP_DNS_NAMED | DP_DNS_NULL << DP_DNS_TYPE_SHIFT, .name_bytes = 20};
    for (int i = 0; i < 1000; i++) {
        char text[64];
        snprintf(text, sizeof(text), "x%d.tunnel.example", i);
        struct dp_name name = name_of(text), plain = name_of("www.plain.example");
        dp_domain_note(&domains, &query, &name);
        dp_domain_note(&domains, &query, &plain);
    }
    dp_summary_report(&domains.table, ring);
    const void *elems;
    assert_int_equal(atl_ring_peek(ring, &elems), 2);
    const struct dp_report *reports = elems;
    uint32_t filled[2] = {0};
    for (int d = 0; d < 2; d++) {
        assert_int_equal(reports[d].domain.queries, 1000);
        assert_int_equal(reports[d].domain.types[DP_DNS_NULL], 1000);
        assert_int_equal(reports[d].domain.name_bytes, 20000);
        for (int i = 0; i < DP_DISTINCT_REGISTERS; i++)
            filled[d] += reports[d].domain.names.rank[i] != 0;
    }
    assert_int_equal(filled[0] < filled[1] ? filled[0] : filled[1], 1);
    assert_true(filled[0] + filled[1] > DP_DISTINCT_REGISTERS - 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(victims_survive_a_sweep, begin, end),
        cmocka_unit_test_setup_teardown(a_sample_stands_for_its_burst, begin, end),
        cmocka_unit_test_setup_teardown(a_full_ring_delays_and_loses_nothing, begin, end),
        cmocka_unit_test(base_domains),
        cmocka_unit_test_setup_teardown(a_tunnel_is_many_names_of_one_domain, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
