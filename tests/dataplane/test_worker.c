/* SPDX-License-Identifier: Apache-2.0 */
/* The worker from frame to record, driven by a list of frames and a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>

#include "dataplane/worker_priv.h"
#include "tests/dataplane/frames.h"
#include "tests/dataplane/same_flow.h"

enum { A = 0x0a000001, B = 0x0a000002, SCRIPT_MAX = 512, RECORDS_MAX = 4096 };

#define S ATL_NS_PER_S

/* --- a source that plays frames from memory --- */

struct script {
    struct dp_source source;
    struct bytes frames[SCRIPT_MAX];
    atl_ns ts[SCRIPT_MAX];
    uint32_t count, at, burst;
    /* Instead of the list, if set: make frame number at. */
    struct bytes (*make)(uint32_t number);
    struct bytes made[DP_BURST];
};

static uint32_t script_burst(struct dp_source *source, struct dp_frame *frames, uint32_t n)
{
    struct script *s = (struct script *)source;
    uint32_t k = 0;
    for (; k < n && k < s->burst && s->at < s->count; k++, s->at++) {
        if (s->make != NULL)
            s->made[k] = s->make(s->at);
        const struct bytes *f = s->make != NULL ? &s->made[k] : &s->frames[s->at];
        atl_ns ts = s->make != NULL ? 1000 * S + s->at : s->ts[s->at];
        frames[k] = (struct dp_frame){f->b, (uint32_t)f->n, (uint32_t)f->n, 1, ts};
    }
    return k;
}

static void script_release(struct dp_source *source)
{
    (void)source;
}

static const struct dp_source_ops script_ops = {
    .burst = script_burst,
    .release = script_release,
    .close = script_release,
};

/* --- the bench: worker, script, the records that came out --- */

static struct bench {
    struct script script;
    struct dp_worker *worker;
    struct dp_flow records[RECORDS_MAX];
    uint32_t count;
    uint64_t packets;
} bench;

static int set_up_with(uint32_t flows_max)
{
    struct dp_config cfg;
    struct atl_hash_key key;
    dp_config_default(&cfg);
    cfg.flows_max = flows_max;
    atl_hash_key_init(&key);
    memset(&bench, 0, sizeof(bench));
    bench.script.source = (struct dp_source){.ops = &script_ops, .file = true, .paced = true};
    bench.script.burst = DP_BURST;
    bench.worker = aligned_alloc(ATL_CACHE_LINE_BYTES, sizeof(*bench.worker));
    return bench.worker == NULL ? -1
                                : dp_worker_init(bench.worker, &bench.script.source, &cfg, &key);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(4096);
}

static int tear_down(void **state)
{
    (void)state;
    dp_worker_finish(bench.worker);
    free(bench.worker);
    return 0;
}

static void drain(void)
{
    const void *elems;
    uint32_t n;
    while ((n = atl_ring_peek(bench.worker->ring, &elems)) > 0) {
        const struct dp_flow *flow = elems;
        for (uint32_t i = 0; i < n; i++) {
            bench.packets += flow[i].fwd.packets + flow[i].bwd.packets;
            bench.records[bench.count++ % RECORDS_MAX] = flow[i];
        }
        atl_ring_release(bench.worker->ring, n);
    }
}

static void play(struct bytes frame, atl_ns ts)
{
    struct script *s = &bench.script;
    s->frames[0] = frame;
    s->ts[0] = ts;
    s->at = 0;
    s->count = 1;
    dp_worker_poll(bench.worker);
    drain();
}

/* Time goes by without a packet. */
static void pass(atl_ns now_ns)
{
    bench.script.source.clock_ns = now_ns;
    dp_worker_poll(bench.worker);
    drain();
}

static void flush(void)
{
    bool done;
    do {
        done = dp_worker_flush(bench.worker);
        drain();
    } while (!done);
}

static void check_accounts(void)
{
    const struct dp_worker_counters *c = &bench.worker->counters;
    uint64_t sum = atl_counter_get(&c->processed_packets);
    for (size_t i = 0; i < DP_REASON_COUNT; i++)
        sum += atl_counter_get(&c->reasons[i]);
    assert_int_equal(sum, atl_counter_get(&c->received_packets));
}

/* --- one flow --- */

static void sums_of_both_directions(void **state)
{
    (void)state;
    play(tcp_frame(A, 50000, B, 80, F_SYN, 0), 100 * S);
    play(tcp_frame(B, 80, A, 50000, F_SYN | F_ACK, 0), 100 * S + 10000000);
    play(tcp_frame(A, 50000, B, 80, F_ACK, 0), 100 * S + 20000000);
    play(tcp_frame(A, 50000, B, 80, F_ACK | F_PSH, 500), 100 * S + 25000000);
    play(tcp_frame(B, 80, A, 50000, F_ACK | F_PSH, 1000), 100 * S + 40000999);
    assert_int_equal(bench.count, 0);
    flush();
    assert_int_equal(bench.count, 1);

    const struct dp_flow *f = &bench.records[0];
    char text[DP_ADDR_TEXT_BYTES];
    dp_addr_format(&f->src, text);
    assert_string_equal(text, "10.0.0.1");
    assert_int_equal(f->src_port, 50000);
    assert_int_equal(f->dst_port, 80);
    assert_int_equal(f->end_reason, DP_END_FORCED);
    assert_false(f->mid_stream);
    assert_false(f->reordered);
    assert_int_equal(f->first_ns, 100 * S);
    assert_int_equal(f->last_ns, 100 * S + 40000999);
    assert_int_equal(f->iat_min_us, 5000);
    assert_int_equal(f->iat_max_us, 15000);
    assert_int_equal(f->iat_sq_us2, 100000000ULL + 100000000 + 25000000 + 225000000);

    assert_int_equal(f->fwd.packets, 3);
    assert_int_equal(f->fwd.bytes, 40 + 40 + 540);
    assert_int_equal(f->fwd.payload_bytes, 500);
    assert_int_equal(f->fwd.payload_packets, 1);
    assert_int_equal(f->fwd.size_sq, 1600 + 1600 + 291600);
    assert_int_equal(f->fwd.size_min, 40);
    assert_int_equal(f->fwd.size_max, 540);
    assert_int_equal(f->fwd.header_bytes, 60);
    assert_int_equal(f->fwd.iat_min_us, 5000);
    assert_int_equal(f->fwd.iat_max_us, 20000);
    assert_int_equal(f->fwd.iat_sq_us2, 400000000 + 25000000);
    assert_int_equal(f->fwd.flags[DP_SYN], 1);
    assert_int_equal(f->fwd.flags[DP_ACK], 2);
    assert_int_equal(f->fwd.flags[DP_PSH], 1);
    assert_int_equal(f->fwd.window_init, 0x2000);
    assert_int_equal(f->fwd.ttl_min, 64);
    assert_int_equal(f->bwd.packets, 2);
    assert_int_equal(f->bwd.bytes, 40 + 1040);
    assert_int_equal(f->bwd.iat_min_us, 30000);
    assert_int_equal(f->bwd.iat_max_us, 30000);
    check_accounts();
}

static void time_does_not_run_backwards(void **state)
{
    (void)state;
    play(udp_frame(A, 5000, B, 6000, 1), 100 * S);
    play(udp_frame(A, 5000, B, 6000, 1), 99 * S);
    play(udp_frame(A, 5000, B, 6000, 1), 101 * S);
    flush();
    const struct dp_flow *f = &bench.records[0];
    assert_int_equal(bench.count, 1);
    assert_true(f->reordered);
    assert_int_equal(f->first_ns, 100 * S);
    assert_int_equal(f->last_ns, 101 * S);
    assert_int_equal(f->iat_min_us, 0);
    assert_int_equal(f->iat_max_us, 1000000);
}

static void who_began(void **state)
{
    (void)state;
    static const struct {
        bool tcp;
        unsigned sport, dport, flags;
        bool sender;
    } cases[] = {
        {true, 80, 40000, F_SYN, true},
        {true, 80, 40000, F_SYN | F_ACK, false},
        {true, 40000, 80, F_SYN | F_ACK, false},
        {true, 80, 40000, F_ACK, false},
        {true, 40000, 80, F_ACK, true},
        {true, 5000, 40000, F_ACK, true},
        {false, 53, 40000, 0, false},
        {false, 40000, 53, 0, true},
        {false, 123, 123, 0, true},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(cases); i++) {
        bench.count = 0;
        if (cases[i].tcp)
            play(tcp_frame(A, cases[i].sport, B, cases[i].dport, cases[i].flags, 0), 100 * S);
        else
            play(udp_frame(A, cases[i].sport, B, cases[i].dport, 0), 100 * S);
        bench.worker->flush_at = 0;
        flush();
        assert_int_equal(bench.count, 1);
        assert_int_equal(bench.records[0].src_port,
                         cases[i].sender ? cases[i].sport : cases[i].dport);
        assert_int_equal(bench.records[0].fwd.packets, cases[i].sender ? 1 : 0);
    }
}

static void a_late_syn_corrects_the_guess(void **state)
{
    (void)state;
    play(tcp_frame(A, 40000, B, 5000, F_ACK, 10), 100 * S);
    play(tcp_frame(B, 5000, A, 40000, F_SYN, 0), 100 * S + 1);
    flush();
    assert_int_equal(bench.records[0].src_port, 5000);
    assert_true(bench.records[0].mid_stream);
}

/* --- the end of flows --- */

static void expect_end(enum dp_end_reason reason)
{
    assert_int_equal(bench.count, 1);
    assert_int_equal(bench.records[0].end_reason, reason);
    bench.count = 0;
}

static void each_kind_has_its_timeout(void **state)
{
    (void)state;
    const struct dp_worker *w = bench.worker;
    play(udp_frame(A, 5000, B, 6000, 1), 100 * S);
    pass(100 * S + w->timeouts[DP_TIMER_UDP] - 1);
    assert_int_equal(bench.count, 0);
    pass(100 * S + w->timeouts[DP_TIMER_UDP] + DP_WHEEL_TICK_NS);
    expect_end(DP_END_IDLE);

    play(tcp_frame(A, 5000, B, 6000, F_SYN, 0), 1000 * S);
    pass(1000 * S + w->timeouts[DP_TIMER_HALF_OPEN] - 1);
    assert_int_equal(bench.count, 0);
    pass(1000 * S + w->timeouts[DP_TIMER_HALF_OPEN] + DP_WHEEL_TICK_NS);
    expect_end(DP_END_IDLE);

    play(tcp_frame(A, 5000, B, 6000, F_SYN, 0), 2000 * S);
    play(tcp_frame(B, 6000, A, 5000, F_SYN | F_ACK, 0), 2000 * S);
    pass(2000 * S + w->timeouts[DP_TIMER_IDLE] - 1);
    assert_int_equal(bench.count, 0);
    pass(2000 * S + w->timeouts[DP_TIMER_IDLE] + DP_WHEEL_TICK_NS);
    expect_end(DP_END_IDLE);
    assert_int_equal(w->table.live, 0);
}

static void a_refused_connection_is_closed(void **state)
{
    (void)state;
    play(tcp_frame(A, 5000, B, 6000, F_SYN, 0), 100 * S);
    play(tcp_frame(B, 6000, A, 5000, F_RST | F_ACK, 0), 100 * S + 1000);
    pass(100 * S + bench.worker->timeouts[DP_TIMER_CLOSED] + 2 * DP_WHEEL_TICK_NS);
    assert_int_equal(bench.records[0].bwd.flags[DP_RST], 1);
    expect_end(DP_END_CLOSED);
}

static void open_and_close(atl_ns at)
{
    play(tcp_frame(A, 5000, B, 80, F_SYN, 0), at);
    play(tcp_frame(B, 80, A, 5000, F_SYN | F_ACK, 0), at + 1);
    play(tcp_frame(A, 5000, B, 80, F_FIN | F_ACK, 0), at + 2);
    play(tcp_frame(B, 80, A, 5000, F_FIN | F_ACK, 0), at + 3);
}

static void late_packets_belong_to_the_closed_flow(void **state)
{
    (void)state;
    open_and_close(100 * S);
    play(tcp_frame(A, 5000, B, 80, F_ACK, 0), 101 * S);
    pass(104 * S);
    assert_int_equal(bench.records[0].fwd.packets, 3);
    expect_end(DP_END_CLOSED);
}

static void a_new_syn_opens_a_new_flow(void **state)
{
    (void)state;
    open_and_close(100 * S);
    open_and_close(101 * S);
    expect_end(DP_END_CLOSED);
    flush();
    assert_int_equal(bench.records[0].fwd.packets, 2);
    assert_int_equal(bench.records[0].first_ns, 101 * S);
    assert_int_equal(bench.records[0].end_reason, DP_END_FORCED);
}

static void one_fin_does_not_close(void **state)
{
    (void)state;
    play(tcp_frame(A, 5000, B, 80, F_SYN, 0), 100 * S);
    play(tcp_frame(B, 80, A, 5000, F_SYN | F_ACK, 0), 100 * S + 1);
    play(tcp_frame(A, 5000, B, 80, F_FIN | F_ACK, 0), 100 * S + 2);
    pass(130 * S);
    assert_int_equal(bench.count, 0);
    play(tcp_frame(B, 80, A, 5000, F_ACK, 1000), 130 * S);
    flush();
    assert_int_equal(bench.count, 1);
}

/* A long flow gives several records, and each knows who began. */
static void active_timeout_keeps_the_initiator(void **state)
{
    (void)state;
    play(tcp_frame(A, 50000, B, 50001, F_SYN, 0), 1000 * S);
    play(tcp_frame(B, 50001, A, 50000, F_SYN | F_ACK, 0), 1000 * S + 1);
    for (atl_ns at = 1010 * S; at < 1115 * S; at += 10 * S)
        play(tcp_frame(B, 50001, A, 50000, F_ACK, 10), at);
    assert_int_equal(bench.count, 0);
    /* once by a packet, once by the wheel */
    play(tcp_frame(B, 50001, A, 50000, F_ACK, 10), 1121 * S);
    assert_int_equal(bench.records[0].bwd.packets, 12);
    expect_end(DP_END_ACTIVE);
    for (atl_ns at = 1130 * S; at < 1240 * S; at += 10 * S)
        play(tcp_frame(B, 50001, A, 50000, F_ACK, 10), at);
    pass(1242 * S);
    assert_int_equal(bench.records[0].fwd.packets, 0);
    assert_int_equal(bench.records[0].bwd.packets, 12);
    assert_int_equal(bench.records[0].src_port, 50000);
    assert_true(bench.records[0].mid_stream);
    expect_end(DP_END_ACTIVE);
    /* Nothing came after: no empty record. */
    pass(1500 * S);
    assert_int_equal(bench.count, 0);
    assert_int_equal(bench.worker->table.live, 0);
}

static void a_leap_of_the_clock_ends_flows_but_nothing_hangs(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        play(udp_frame(A, 1000 + i, B, 6000, 1), 100 * S);
    play(udp_frame(A, 5000, B, 53, 1), 4000000000ULL * S);
    for (int i = 0; i < 4; i++)
        pass(4000000000ULL * S);
    assert_int_equal(bench.count, 100);
    /* Later packets with sane times still make one flow together. */
    bench.count = 0;
    play(udp_frame(A, 7000, B, 6000, 1), 101 * S);
    play(udp_frame(A, 7000, B, 6000, 1), 102 * S);
    flush();
    assert_int_equal(bench.count, 2);
    check_accounts();
}

/* --- many flows --- */

static int by_tuple(const void *a, const void *b)
{
    const struct dp_flow *x = a, *y = b;
    int order = memcmp(&x->src, &y->src, 2 * sizeof(x->src));
    if (order == 0)
        order = (x->src_port > y->src_port) - (x->src_port < y->src_port);
    if (order == 0)
        order = (x->first_ns > y->first_ns) - (x->first_ns < y->first_ns);
    return order;
}

/* Packets of 40 flows, 1 s apart: UDP goes idle, TCP goes active and is closed and opened again. */
static void fill_script(struct script *s)
{
    struct atl_rng rng;
    atl_rng_init_seed(&rng, 7);
    atl_ns now = 1000 * S;
    for (uint32_t i = 0; i < SCRIPT_MAX; i++) {
        unsigned port = 2000 + (unsigned)atl_rng_below(&rng, 40);
        bool back = atl_rng_below(&rng, 2) == 1;
        static const unsigned flags[] = {F_SYN, F_ACK, F_ACK, F_ACK, F_FIN | F_ACK, F_RST};
        unsigned flag = flags[atl_rng_below(&rng, ATL_ARRAY_LEN(flags))];
        uint32_t src = back ? B : A, dst = back ? A : B;
        unsigned sport = back ? 443 : port, dport = back ? port : 443;
        s->frames[i] = port % 2 == 0 ? tcp_frame(src, sport, dst, dport, flag, 10)
                                     : udp_frame(src, sport, dst, dport, 10);
        now += atl_rng_below(&rng, 2 * S);
        s->ts[i] = atl_rng_below(&rng, 10) == 0 ? now - S : now;
    }
    s->count = SCRIPT_MAX;
}

static uint32_t run_in_bursts(uint32_t burst, struct dp_flow *ret_records)
{
    assert_int_equal(set_up_with(4096), 0);
    fill_script(&bench.script);
    bench.script.burst = burst;
    while (bench.script.at < bench.script.count) {
        /* One burst per poll: stop the batch from being filled up. */
        uint32_t all = bench.script.count, end = bench.script.at + burst;
        bench.script.count = end < all ? end : all;
        dp_worker_poll(bench.worker);
        bench.script.count = all;
        drain();
    }
    flush();
    check_accounts();
    assert_int_equal(bench.packets, SCRIPT_MAX);
    uint32_t n = bench.count;
    qsort(bench.records, n, sizeof(bench.records[0]), by_tuple);
    memcpy(ret_records, bench.records, n * sizeof(bench.records[0]));
    tear_down(NULL);
    return n;
}

static void bursts_do_not_change_records(void **state)
{
    (void)state;
    static struct dp_flow one[RECORDS_MAX], many[RECORDS_MAX];
    uint32_t n = run_in_bursts(1, one);
    assert_true(n > 100);
    for (uint32_t burst = 2; burst <= DP_BURST; burst += 15) {
        assert_int_equal(run_in_bursts(burst, many), n);
        for (uint32_t i = 0; i < n; i++)
            assert_true(same_flow(&one[i], &many[i]));
    }
}

static struct bytes flood(uint32_t number)
{
    if (number % 64 == 0) /* one real conversation goes on all the time */
        return number % 128 == 0 ? tcp_frame(A, 5000, B, 80, number == 0 ? F_SYN : F_ACK, 10)
                                 : tcp_frame(B, 80, A, 5000, F_ACK, 100);
    return tcp_frame(0xc0000000 + number, 1024 + number % 60000, B, 80, F_SYN, 0);
}

static void a_flood_evicts_floods_in_constant_memory(void **state)
{
    (void)state;
    enum { PACKETS = 1000000 };
    assert_int_equal(set_up_with(1024), 0);
    bench.script.make = flood;
    bench.script.count = PACKETS;
    struct mallinfo2 before = mallinfo2();
    while (bench.script.at < PACKETS) {
        dp_worker_poll(bench.worker);
        drain();
    }
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(after.uordblks, before.uordblks);
    assert_int_equal(after.hblkhd, before.hblkhd);
    assert_true(bench.worker->table.live <= 1024);
    flush();
    assert_int_equal(bench.packets, PACKETS);
    check_accounts();

    const struct dp_worker_counters *c = &bench.worker->counters;
    assert_int_equal(atl_counter_get(&c->reasons[DP_REASON_TABLE_FULL]), 0);
    assert_true(atl_counter_get(&c->flows_by_end[DP_END_RESOURCES]) > PACKETS / 2);
    uint32_t conversations = 0;
    for (uint32_t i = 0; i < RECORDS_MAX; i++)
        if (bench.records[i].src_port == 5000 && bench.records[i].dst_port == 80 &&
            bench.records[i].fwd.packets + bench.records[i].bwd.packets == PACKETS / 64)
            conversations++;
    assert_int_equal(conversations, 1);
    tear_down(NULL);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(sums_of_both_directions),
        WITH_BENCH(time_does_not_run_backwards),
        WITH_BENCH(who_began),
        WITH_BENCH(a_late_syn_corrects_the_guess),
        WITH_BENCH(each_kind_has_its_timeout),
        WITH_BENCH(a_refused_connection_is_closed),
        WITH_BENCH(late_packets_belong_to_the_closed_flow),
        WITH_BENCH(a_new_syn_opens_a_new_flow),
        WITH_BENCH(one_fin_does_not_close),
        WITH_BENCH(active_timeout_keeps_the_initiator),
        WITH_BENCH(a_leap_of_the_clock_ends_flows_but_nothing_hangs),
        cmocka_unit_test(bursts_do_not_change_records),
        cmocka_unit_test(a_flood_evicts_floods_in_constant_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
