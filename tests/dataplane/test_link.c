/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds of the link: by packet time, whole, and the same however the work is shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/decode_priv.h"
#include "dataplane/link_priv.h"
#include "tests/dataplane/control.h"
#include "tests/dataplane/replay.h"

enum { A = 0x0a000001, B = 0x0a000002, SECONDS_MAX = 4096 };

static struct seconds {
    uint32_t n;
    uint64_t due;
    struct dp_link list[SECONDS_MAX];
} one, many;

static struct replay flows;

static void on_second(void *ctx, const struct dp_link *second)
{
    struct seconds *s = ctx;
    assert_true(s->n < SECONDS_MAX);
    s->list[s->n++] = *second;
}

static void read_file(struct seconds *s, const char *path, uint32_t workers, bool threads)
{
    struct dp_config cfg;
    struct dp_engine *engine;
    struct atl_error err;
    enum dp_state state;
    dp_config_default(&cfg);
    cfg.device = path;
    cfg.file = true;
    cfg.link = true;
    cfg.workers = workers;
    memset(s, 0, sizeof(*s));
    memset(&flows, 0, sizeof(flows));
    assert_int_equal(dp_engine_create(&engine, &cfg, &err), 0);
    if (threads)
        assert_int_equal(dp_engine_start(engine, &err), 0);
    do {
        state = threads ? dp_engine_state(engine) : dp_engine_step(engine);
        replay_drain(&flows, engine);
        s->due = dp_engine_link(engine, on_second, s);
        if (threads)
            replay_nap();
    } while (state == DP_RUNNING);
    assert_int_equal(state, DP_ENDED);
    replay_drain(&flows, engine);
    dp_engine_counters(engine, &flows.counters);
    dp_engine_destroy(engine);
}

static uint64_t total(const struct seconds *s, enum dp_link_count count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s->n; i++)
        sum += s->list[i].counts[count];
    return sum;
}

static uint64_t registers_set(const uint8_t registers[DP_LINK_REGISTERS])
{
    uint64_t n = 0;
    for (size_t i = 0; i < DP_LINK_REGISTERS; i++)
        n += registers[i] != 0;
    return n;
}

#define COUNT(second, id) ((second).counts[DP_LINK_##id])

/* --- a file --- */

static void write_story(const char *path)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    struct bytes arp = {0}, dns = build_dns(), bad = build_dns_nxdomain();
    put_ethernet(&arp, 0x0806);
    put_zeros(&arp, 46);
    struct bytes syn = tcp_frame(A, 1000, B, 80, F_SYN, 0);
    struct bytes syn_ack = tcp_frame(B, 80, A, 1000, F_SYN | F_ACK, 0);
    struct bytes data = tcp_frame(A, 1000, B, 80, F_ACK | F_PSH, 100);
    struct bytes rst = tcp_frame(B, 80, A, 1000, F_RST, 0);
    struct bytes late = udp_frame(A, 5000, B, 5001, 10);
    pcap_begin(file, 1);
    pcap_add(file, &syn, 100000000);
    pcap_add(file, &syn_ack, 100500000);
    pcap_add(file, &data, 100999999);
    pcap_add(file, &data, 101000000); /* goes on in the next second: packets, but no new flow */
    pcap_add(file, &rst, 101000001);
    pcap_add(file, &arp, 105000000);
    pcap_add(file, &late, 103000000); /* the clock steps back */
    pcap_add(file, &dns, 105100000);
    pcap_add(file, &bad, 105200000);
    fclose(file);
}

static void a_second_holds_what_passed_in_it(void **state)
{
    (void)state;
    char path[256];
    replay_path(path, "story.pcap");
    write_story(path);
    read_file(&one, path, 1, false);
    unlink(path);
    assert_int_equal(one.n, 3);
    assert_int_equal(one.list[0].second, 100);
    assert_int_equal(COUNT(one.list[0], PACKETS), 3);
    assert_int_equal(COUNT(one.list[0], BYTES), 54 + 54 + 154);
    assert_int_equal(COUNT(one.list[0], TCP), 3);
    assert_int_equal(COUNT(one.list[0], SYN), 1);
    assert_int_equal(COUNT(one.list[0], SYN_ACK), 1);
    assert_int_equal(COUNT(one.list[0], BEGUN), 1);
    assert_int_equal(COUNT(one.list[0], ANSWERED), 1);
    assert_int_equal(registers_set(one.list[0].sources), 1);
    assert_int_equal(one.list[1].second, 101);
    assert_int_equal(COUNT(one.list[1], PACKETS), 2);
    assert_int_equal(COUNT(one.list[1], RST), 1);
    assert_int_equal(COUNT(one.list[1], BEGUN), 0);
    assert_int_equal(COUNT(one.list[1], ANSWERED), 0);
    assert_int_equal(one.list[2].second, 105);
    assert_int_equal(COUNT(one.list[2], PACKETS), 4);
    assert_int_equal(COUNT(one.list[2], NO_IP), 1);
    assert_int_equal(COUNT(one.list[2], UDP), 3);
    assert_int_equal(COUNT(one.list[2], ENDED), 1); /* the reset one; the others are forced */
    assert_int_equal(COUNT(one.list[2], DNS_QUERIES) + COUNT(one.list[2], DNS_RESPONSES), 2);
    assert_int_equal(COUNT(one.list[2], DNS_FAILED), 1);
    assert_int_equal(one.due, 106);
}

/* --- shared between workers --- */

static void assert_same_seconds(bool ends)
{
    assert_int_equal(many.n, one.n);
    for (uint32_t i = 0; i < one.n; i++) {
        struct dp_link a = one.list[i], b = many.list[i];
        if (!ends) /* an end is noticed a little sooner or later */
            COUNT(a, ENDED) = COUNT(b, ENDED) = 0;
        assert_int_equal(a.second, b.second);
        assert_memory_equal(a.counts, b.counts, sizeof(a.counts));
        assert_memory_equal(&a, &b, sizeof(a));
    }
}

static void check_sharing(const char *path)
{
    read_file(&one, path, 1, false);
    assert_int_equal(total(&one, DP_LINK_PACKETS), flows.counters.received_packets);
    assert_int_equal(total(&one, DP_LINK_BYTES), flows.counters.received_bytes);
    read_file(&many, path, 1, true);
    assert_same_seconds(true);
    read_file(&many, path, 3, false);
    assert_same_seconds(false);
    read_file(&many, path, 4, true);
    assert_same_seconds(false);
}

static void workers_add_up_to_the_same(void **state)
{
    (void)state;
    char path[256];
    replay_path(path, "shared.pcap");
    replay_write(path, 5000);
    check_sharing(path);
    assert_int_equal(one.n, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(COUNT(one.list[i], PACKETS), 1000);
    unlink(path);
}

/* A packet each 700 ms: a burst spans 22 seconds, and its flows begin in all of them. */
static void a_burst_may_span_many_seconds(void **state)
{
    (void)state;
    char path[256];
    replay_path(path, "sparse.pcap");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    pcap_begin(file, 1);
    for (uint32_t i = 0; i < 3000; i++) {
        struct bytes f = tcp_frame(A + i, 1000, B, 80, F_SYN, 0);
        pcap_add(file, &f, UINT64_C(50000000) + i * UINT64_C(700000));
    }
    fclose(file);
    check_sharing(path);
    assert_int_equal(one.n, 2100);
    for (uint32_t i = 0; i < one.n; i++) {
        assert_int_equal(COUNT(one.list[i], BEGUN), COUNT(one.list[i], PACKETS));
        assert_true(COUNT(one.list[i], PACKETS) == 1 || COUNT(one.list[i], PACKETS) == 2);
    }
    unlink(path);
}

static void without_the_option_nothing_is_kept(void **state)
{
    (void)state;
    struct dp_config cfg;
    dp_config_default(&cfg);
    assert_false(cfg.link);
    uint64_t without = dp_config_memory_bytes(&cfg);
    cfg.link = true;
    assert_int_equal(dp_config_memory_bytes(&cfg) - without, dp_links_bytes());
}

/* --- a port: time comes from outside --- */

static struct port {
    struct dp_links *links;
    struct dp_telecom telecom;
    atl_counter encaps[DP_ENCAP_COUNT], reasons[DP_REASON_COUNT];
} port;

static int open_port(void **state)
{
    (void)state;
    memset(&port, 0, sizeof(port));
    return dp_links_create(&port.links, NULL);
}

static int close_port(void **state)
{
    (void)state;
    dp_links_destroy(port.links);
    return 0;
}

static void close_second(void)
{
    dp_links_close(port.links, &port.telecom, port.encaps, port.reasons);
}

/* What a worker does before each frame. */
static void see(atl_ns time_ns)
{
    const struct dp_packet packet = {.key.proto = DP_PROTO_TCP, .tcp_flags = 1U << DP_SYN};
    if (dp_links_is_over(port.links, time_ns) && !dp_links_is_late(port.links, time_ns)) {
        close_second();
        dp_links_open(port.links, time_ns, 7 * ATL_NS_PER_S, false);
    }
    dp_links_frame(port.links, 60, &packet);
}

static const struct dp_link *take(void)
{
    const void *at;
    return atl_ring_peek(port.links->ring, &at) > 0 ? at : NULL;
}

#define MS(n) ((atl_ns)(n)*ATL_NS_PER_MS)

static void a_late_packet_counts_where_we_are(void **state)
{
    (void)state;
    see(MS(50900));
    see(MS(51000)); /* 50 is over */
    see(MS(50950)); /* from another queue, a little older */
    see(MS(49500)); /* within two seconds */
    assert_int_equal(take()->second, 50);
    assert_int_equal(COUNT(*take(), PACKETS), 1);
    assert_int_equal(COUNT(*take(), SYN), 1);
    atl_ring_release(port.links->ring, 1);
    assert_null(take());
    see(MS(40000)); /* the clock was set back */
    assert_int_equal(take()->second, 51);
    assert_int_equal(COUNT(*take(), PACKETS), 3);
    atl_ring_release(port.links->ring, 1);
    see(MS(41000));
    assert_int_equal(take()->second, 40);
}

static void silence_ends_a_second_by_the_other_clock(void **state)
{
    (void)state;
    assert_true(port.links->due_ns == UINT64_MAX); /* nothing is due of nothing */
    see(MS(50900));
    assert_true(port.links->due_ns > 7 * ATL_NS_PER_S + MS(100));
    assert_true(port.links->due_ns < 7 * ATL_NS_PER_S + MS(200));
    close_second();
    close_second(); /* twice is once */
    assert_int_equal(atl_ring_used(port.links->ring), 1);
    assert_true(port.links->due_ns == UINT64_MAX);
}

static void what_finds_no_room_goes_on_into_the_next(void **state)
{
    (void)state;
    for (unsigned s = 0; s < DP_LINKS_SLOTS + 10; s++)
        see(MS(1000 * s));
    assert_int_equal(atl_ring_used(port.links->ring), DP_LINKS_SLOTS);
    while (take() != NULL)
        atl_ring_release(port.links->ring, 1);
    atl_counter_add(&port.reasons[DP_REASON_TABLE_FULL], 5);
    atl_counter_add(&port.reasons[DP_REASON_DEPTH], 3);
    atl_counter_add(&port.encaps[DP_ENCAP_GTPU], 4);
    port.telecom.messages[DP_TELECOM_GTPU] += 2;
    close_second();
    assert_int_equal(COUNT(*take(), PACKETS), 10);
    assert_int_equal(COUNT(*take(), SYN), 10);
    assert_int_equal(COUNT(*take(), DROPPED), 5);
    assert_int_equal(COUNT(*take(), MALFORMED), 3);
    assert_int_equal(take()->messages[DP_TELECOM_GTPU], 6);
    atl_ring_release(port.links->ring, 1);
    see(MS(999000));
    close_second(); /* differences, not sums since the start */
    assert_int_equal(COUNT(*take(), DROPPED), 0);
    assert_int_equal(take()->messages[DP_TELECOM_GTPU], 0);
    assert_int_equal(COUNT(*take(), PACKETS), 1);
}

static void times_at_the_edges_are_harmless(void **state)
{
    (void)state;
    see(0);
    see(UINT64_MAX);
    see(UINT64_MAX - 5);
    see(1);
    close_second();
    assert_int_equal(take()->second, 0);
    uint64_t packets = 0;
    for (; take() != NULL; atl_ring_release(port.links->ring, 1))
        packets += COUNT(*take(), PACKETS);
    assert_int_equal(packets, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_holds_what_passed_in_it),
        cmocka_unit_test(workers_add_up_to_the_same),
        cmocka_unit_test(a_burst_may_span_many_seconds),
        cmocka_unit_test(without_the_option_nothing_is_kept),
        cmocka_unit_test_setup_teardown(a_late_packet_counts_where_we_are, open_port, close_port),
        cmocka_unit_test_setup_teardown(silence_ends_a_second_by_the_other_clock, open_port,
                                        close_port),
        cmocka_unit_test_setup_teardown(what_finds_no_room_goes_on_into_the_next, open_port,
                                        close_port),
        cmocka_unit_test_setup_teardown(times_at_the_edges_are_harmless, open_port, close_port),
    };
    return cmocka_run_group_tests_name("dataplane link", tests, NULL, NULL);
}
