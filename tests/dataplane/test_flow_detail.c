/* SPDX-License-Identifier: Apache-2.0 */
/* What a flow holds beyond its sums, and where its narrow fields end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/flow_update_priv.h"

#define S ATL_NS_PER_S

static struct dp_packet tcp_packet(uint8_t from, uint8_t flags, uint32_t payload, atl_ns at)
{
    struct dp_packet p = {
        .key = {.proto = DP_PROTO_TCP, .port = {50000, 80}},
        .ts_ns = at,
        .clock_ns = at,
        .bytes = 40 + payload,
        .payload_bytes = payload,
        .header_bytes = 20,
        .from = from,
        .tcp_flags = flags,
        .ttl = 64,
    };
    memset(p.key.addr, 0x20, sizeof(p.key.addr));
    return p;
}

static struct dp_table make_table(uint32_t details, unsigned parts)
{
    struct dp_table t;
    const struct atl_hash_key key = {1, 2};
    assert_int_equal(dp_table_init(&t, 1024, details, parts, &key), 0);
    return t;
}

static struct dp_entry *open_flow(struct dp_table *t, const struct dp_packet *p)
{
    struct dp_entry *e = dp_table_insert(t, &p->key, dp_table_hash(t, &p->key));
    dp_flow_begin(t, e, p);
    return e;
}

static void the_first_sixteen_packets_are_noted(void **state)
{
    (void)state;
    struct dp_table t = make_table(1, DP_DETAIL_FIRST);
    struct dp_packet p = tcp_packet(1, 2, 0, 100 * S);
    struct dp_entry *e = open_flow(&t, &p);
    for (unsigned i = 0; i < 20; i++) {
        p = tcp_packet(i % 2 == 0, i == 0 ? 2 : 16, i * 100, 100 * S + i * 7 * ATL_NS_PER_US);
        dp_flow_update(&t, e, &p);
    }
    struct dp_flow flow;
    dp_flow_record(&t, e, DP_END_IDLE, &flow);
    assert_int_equal(flow.first_count, 16);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(flow.first[i].size, 40 + i * 100);
        assert_int_equal(flow.first[i].gap_us, i == 0 ? 0 : 7);
        assert_int_equal(flow.first[i].flags, i == 0 ? 2 : 16);
        assert_int_equal(flow.first[i].backward, i % 2);
    }
    /* The next record of this flow has none, and its slot is free for another flow. */
    assert_int_equal(t.detail.left, 0);
    dp_flow_restart(&t, e);
    assert_int_equal(t.detail.left, 1);
    p = tcp_packet(0, 16, 1, 101 * S);
    dp_flow_update(&t, e, &p);
    dp_flow_record(&t, e, DP_END_IDLE, &flow);
    assert_int_equal(flow.first_count, 0);
    dp_table_finish(&t);
}

static void details_end_with_their_pool(void **state)
{
    (void)state;
    struct dp_table t = make_table(2, DP_DETAIL_FIRST);
    struct dp_entry *e[3];
    struct dp_flow flow;
    for (unsigned i = 0; i < 3; i++) {
        struct dp_packet p = tcp_packet(0, 2, 0, 100 * S);
        p.key.port[0] = (uint16_t)i;
        e[i] = open_flow(&t, &p);
        dp_flow_update(&t, e[i], &p);
        dp_flow_record(&t, e[i], DP_END_IDLE, &flow);
        assert_int_equal(flow.first_count, i < 2);
    }
    struct dp_packet p = tcp_packet(0, 2, 0, 100 * S);
    p.key.port[0] = 0;
    dp_table_remove(&t, e[0], dp_table_hash(&t, &p.key));
    assert_int_equal(t.detail.left, 1);
    p.key.port[0] = 2;
    dp_table_remove(&t, e[2], dp_table_hash(&t, &p.key));
    assert_int_equal(t.detail.left, 1);
    dp_table_finish(&t);
}

static struct dp_flow record_of(const struct dp_table *t, const struct dp_entry *e)
{
    struct dp_flow flow;
    dp_flow_record(t, e, DP_END_IDLE, &flow);
    return flow;
}

static void sums_are_of_one_record_each(void **state)
{
    (void)state;
    struct dp_table t = make_table(1, DP_DETAIL_FIRST | DP_DETAIL_SUMS);
    struct dp_packet p = tcp_packet(1, 2, 0, 100 * S);
    struct dp_entry *e = open_flow(&t, &p);
    dp_flow_update(&t, e, &p);
    for (unsigned i = 1; i <= 5; i++) { /* 100 … 500 bytes back, a second apart */
        p = tcp_packet(0, 16, i * 100, (100 + i) * S);
        p.window = (uint16_t)i;
        dp_flow_update(&t, e, &p);
    }
    p = tcp_packet(1, 24, 7, 111 * S + 1500); /* after 6 s and a bit */
    dp_flow_update(&t, e, &p);
    struct dp_flow flow = record_of(&t, e);
    const struct dp_detail *d = &flow.detail;
    assert_int_equal(flow.first_count, 7);
    assert_true(d->known);
    assert_false(d->first_backward);
    assert_int_equal(d->first_flags, 2);
    assert_int_equal(d->first_payload, 0);
    assert_int_equal(d->pauses, 1);
    assert_int_equal(d->fwd.payload_min, 0);
    assert_int_equal(d->fwd.payload_max, 7);
    assert_int_equal(d->bwd.payload_min, 100);
    assert_int_equal(d->bwd.payload_sq, 550000);
    assert_int_equal(d->bwd.header_min, 20);
    assert_int_equal(d->bwd.window_last, 5);
    assert_int_equal(d->bwd.bulks.n, 1);
    assert_int_equal(d->bwd.bulks.packets, 5);
    assert_int_equal(d->bwd.bulks.bytes, 1500);
    assert_int_equal(d->bwd.bulks.ns, 4 * S);
    assert_int_equal(d->fwd.bulks.n, 0);
    assert_int_equal(d->mixed.n, 1);
    assert_int_equal(d->idle.n, 1);
    assert_int_equal(d->idle.max_us, 6000001);
    assert_int_equal(d->active.n, 1);
    assert_int_equal(d->active.us, 5000000);

    dp_flow_restart(&t, e);
    p = tcp_packet(0, 16, 9, 112 * S);
    dp_flow_update(&t, e, &p);
    flow = record_of(&t, e);
    assert_int_equal(flow.first_count, 0);
    assert_true(d->known && d->first_backward);
    assert_int_equal(d->idle.n + d->active.n + d->pauses + d->bwd.bulks.n, 0);
    assert_int_equal(d->bwd.payload_max, 9);
    assert_int_equal(d->fwd.payload_max, 0);
    dp_table_finish(&t);
}

static void a_later_record_may_find_the_place_that_the_first_did_not(void **state)
{
    (void)state;
    struct dp_table t = make_table(1, DP_DETAIL_SUMS);
    struct dp_entry *e[2];
    struct dp_packet p[2];
    for (unsigned i = 0; i < 2; i++) {
        p[i] = tcp_packet(0, 2, 5, 100 * S);
        p[i].key.port[0] = (uint16_t)i;
        e[i] = open_flow(&t, &p[i]);
        dp_flow_update(&t, e[i], &p[i]);
    }
    assert_false(record_of(&t, e[1]).detail.known);
    assert_true(dp_detail_is_missing(&t.detail, e[1]));
    assert_false(dp_detail_is_missing(&t.detail, e[0]));
    dp_table_remove(&t, e[0], dp_table_hash(&t, &p[0].key));
    dp_flow_restart(&t, e[1]);
    dp_flow_update(&t, e[1], &p[1]);
    assert_true(record_of(&t, e[1]).detail.known);
    assert_int_equal(record_of(&t, e[1]).detail.fwd.payload_max, 5);
    assert_false(dp_detail_is_missing(&t.detail, e[1]));
    dp_table_finish(&t);
}

/* Times from nowhere, in any order, and sizes beyond any wire: sums may saturate, not run over. */
static void nothing_makes_a_sum_run_over(void **state)
{
    (void)state;
    struct dp_table t = make_table(1, DP_DETAIL_SUMS);
    struct dp_packet p = tcp_packet(0, 16, 1, 100 * S);
    struct dp_entry *e = open_flow(&t, &p);
    uint64_t lot = 1;
    for (unsigned i = 0; i < 70000; i++) {
        lot = lot * 6364136223846793005 + 1442695040888963407;
        p = tcp_packet(lot >> 40 & 1, 24, (uint32_t)(lot >> 33), 1700000000 * S);
        p.header_bytes = 60000;
        if (i % 7 != 0)
            p.ts_ns = e->last_ns + (lot >> 20) % (8 * S);
        if (dp_flow_is_full(e, &p))
            dp_flow_restart(&t, e);
        dp_flow_update(&t, e, &p);
        struct dp_flow flow = record_of(&t, e);
        const struct dp_detail *d = &flow.detail;
        assert_true(d->known);
        assert_true(d->active.min_us <= d->active.max_us && d->idle.min_us <= d->idle.max_us);
        assert_true(d->active.us + d->idle.us <= (flow.last_ns - flow.first_ns) / ATL_NS_PER_US);
        assert_true(d->mixed.ns <= flow.last_ns - flow.first_ns);
        assert_true(d->mixed.bytes <= flow.fwd.payload_bytes + flow.bwd.payload_bytes);
        assert_true(d->mixed.packets >= 4 * d->mixed.n);
        assert_true(d->fwd.bulks.packets <= flow.fwd.payload_packets);
    }
    dp_table_finish(&t);
}

/* Whatever is about to run over says so one packet before. */
static void a_full_record_says_so(void **state)
{
    (void)state;
    struct dp_table t = make_table(0, 0);
    struct dp_packet p = tcp_packet(0, 16, 1000, 100 * S);
    struct dp_entry *e = open_flow(&t, &p);
    dp_flow_update(&t, e, &p);
    assert_false(dp_flow_is_full(e, &p));

    e->dirs[0].volume = dp_volume_of((1U << 24) - 2, dp_dir_bytes(&e->dirs[0]));
    assert_false(dp_flow_is_full(e, &p));
    dp_flow_update(&t, e, &p);
    assert_int_equal(dp_dir_packets(&e->dirs[0]), (1U << 24) - 1);
    assert_true(dp_flow_is_full(e, &p));

    dp_flow_restart(&t, e);
    p.bytes = UINT32_MAX;
    uint64_t sum = 0;
    for (; !dp_flow_is_full(e, &p); sum += p.bytes)
        dp_flow_update(&t, e, &p);
    assert_true(sum >= UINT64_C(1) << 31);
    struct dp_flow flow;
    dp_flow_record(&t, e, DP_END_ACTIVE, &flow);
    assert_int_equal(flow.fwd.bytes, sum);

    /* Two days later on a clock that was set: a record of its own. */
    dp_flow_restart(&t, e);
    p = tcp_packet(0, 16, 10, 1000 * S);
    dp_flow_update(&t, e, &p);
    p.ts_ns += 10 * S;
    assert_false(dp_flow_is_full(e, &p));
    p.ts_ns += 172800 * S;
    assert_true(dp_flow_is_full(e, &p));
    dp_table_finish(&t);
}

static void moments_keep_every_nanosecond(void **state)
{
    (void)state;
    struct dp_table t = make_table(0, 0);
    const atl_ns start = 1700000000123456789;
    struct dp_packet p = tcp_packet(0, 2, 0, start);
    struct dp_entry *e = open_flow(&t, &p);
    dp_flow_update(&t, e, &p);
    p = tcp_packet(1, 18, 0, start + 86399999999999);
    dp_flow_update(&t, e, &p);
    p = tcp_packet(1, 16, 0, start + 100000000000001);
    dp_flow_update(&t, e, &p);
    struct dp_flow flow;
    dp_flow_record(&t, e, DP_END_IDLE, &flow);
    assert_int_equal(flow.first_ns, start);
    assert_int_equal(flow.fwd.last_ns, start);
    assert_int_equal(flow.bwd.first_ns, start + 86399999999999);
    assert_int_equal(flow.last_ns, start + 100000000000001);
    assert_int_equal(flow.bwd.last_ns, flow.last_ns);
    dp_table_finish(&t);
}

static void squares_saturate(void **state)
{
    (void)state;
    struct dp_table t = make_table(0, 0);
    struct dp_packet p = tcp_packet(0, 2, 0, 100 * S);
    struct dp_entry *e = open_flow(&t, &p);
    p.bytes = UINT32_MAX;
    dp_flow_update(&t, e, &p);
    struct dp_flow flow;
    dp_flow_record(&t, e, DP_END_IDLE, &flow);
    assert_int_equal(flow.fwd.size_sq, (UINT64_C(1) << 56) - 1);
    assert_int_equal(flow.fwd.flags[DP_SYN], 1);
    dp_table_finish(&t);
}

static void flags_saturate_each_at_its_width(void **state)
{
    (void)state;
    struct dp_table t = make_table(0, 0);
    /* SYN+ACK: sent by the responder. */
    struct dp_packet p = tcp_packet(0, 0xff, 0, 100 * S);
    struct dp_entry *e = open_flow(&t, &p);
    for (unsigned i = 0; i < 70000; i++)
        dp_flow_update(&t, e, &p);
    struct dp_flow flow;
    dp_flow_record(&t, e, DP_END_IDLE, &flow);
    assert_int_equal(flow.bwd.packets, 70000);
    const uint16_t expected[DP_TCP_FLAGS] = {
        [DP_FIN] = 255,   [DP_SYN] = 255, [DP_RST] = 255, [DP_PSH] = 65535,
        [DP_ACK] = 65535, [DP_URG] = 255, [DP_ECE] = 255, [DP_CWR] = 255};
    assert_memory_equal(flow.bwd.flags, expected, sizeof(expected));
    dp_table_finish(&t);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sixteen_packets_are_noted),
        cmocka_unit_test(details_end_with_their_pool),
        cmocka_unit_test(sums_are_of_one_record_each),
        cmocka_unit_test(a_later_record_may_find_the_place_that_the_first_did_not),
        cmocka_unit_test(nothing_makes_a_sum_run_over),
        cmocka_unit_test(a_full_record_says_so),
        cmocka_unit_test(moments_keep_every_nanosecond),
        cmocka_unit_test(squares_saturate),
        cmocka_unit_test(flags_saturate_each_at_its_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
