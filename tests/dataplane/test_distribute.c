/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "dataplane/decode_priv.h"
#include "dataplane/distribute_priv.h"
#include "dataplane/publish_priv.h"
#include "dataplane/source_priv.h"
#include "dataplane/toeplitz_priv.h"
#include "tests/dataplane/replay.h"

static struct replay a, b;

/* --- rings --- */

static struct dp_packet packet_to(uint32_t owner, uint32_t workers, uint32_t mark)
{
    struct dp_packet p = {.bytes = mark};
    while (dp_distribute_owner(p.hash, workers) != owner)
        p.hash += UINT64_C(0x123456789abcdef1);
    return p;
}

static void each_packet_reaches_its_owner_in_order(void **state)
{
    (void)state;
    struct dp_distribute *d;
    struct dp_packet batch[DP_BURST], got[DP_BURST];
    uint32_t given, lost, next[3] = {0};
    assert_int_equal(dp_distribute_create(&d, 1, 3), 0);
    for (uint32_t i = 0; i < DP_BURST; i++)
        batch[i] = packet_to(i % 3, 3, i);
    uint32_t kept = dp_distribute_give(d, 0, batch, DP_BURST, &given, &lost);
    assert_int_equal(kept, 11);
    assert_int_equal(given, 21);
    assert_int_equal(lost, 0);
    for (uint32_t i = 0; i < kept; i++)
        assert_int_equal(batch[i].bytes, 3 * i);
    for (uint32_t w = 1; w < 3; w++) {
        uint32_t n = dp_distribute_take(d, w, got, 5);
        n += dp_distribute_take(d, w, got + n, DP_BURST - n);
        assert_int_equal(n, w == 1 ? 11 : 10);
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(got[i].bytes, 3 * next[w]++ + w);
    }
    dp_distribute_destroy(d);
}

static void a_full_ring_is_counted_and_empties_again(void **state)
{
    (void)state;
    struct dp_distribute *d;
    struct dp_packet batch[DP_BURST];
    uint32_t given, lost, sum_given = 0, sum_lost = 0, taken = 0, n;
    assert_int_equal(dp_distribute_create(&d, 1, 2), 0);
    for (uint32_t burst = 0; burst < 1000; burst++) {
        for (uint32_t i = 0; i < DP_BURST; i++)
            batch[i] = packet_to(1, 2, burst);
        bool room = dp_distribute_has_room(d, 0, DP_BURST);
        assert_int_equal(dp_distribute_give(d, 0, batch, DP_BURST, &given, &lost), 0);
        assert_int_equal(room, lost == 0);
        sum_given += given;
        sum_lost += lost;
    }
    assert_int_equal(sum_given + sum_lost, 1000 * DP_BURST);
    assert_true(sum_lost > 0 && sum_given >= 4096);
    dp_distribute_close(d, 1); /* reads nothing: not waited for */
    assert_false(dp_distribute_ended(d, 1));
    dp_distribute_close(d, 0);
    assert_false(dp_distribute_ended(d, 1));
    while ((n = dp_distribute_take(d, 1, batch, DP_BURST)) > 0)
        taken += n;
    assert_int_equal(taken, sum_given);
    assert_true(dp_distribute_ended(d, 1));
    assert_true(dp_distribute_has_room(d, 0, DP_BURST));
    dp_distribute_destroy(d);
}

static void memory_has_a_bound(void **state)
{
    (void)state;
    assert_int_equal(dp_distribute_bytes(1), 0);
    assert_true(dp_distribute_bytes(2) < 2 << 20);
    assert_true(dp_distribute_bytes(DP_WORKERS_MAX) < 256 << 20);
}

/* --- owners --- */

static struct dp_packet decoded(const struct bytes *f)
{
    static struct dp_decoder decoder;
    struct dp_packet p;
    const struct dp_frame frame = {f->b, (uint32_t)f->n, (uint32_t)f->n, 1, 1};
    assert_int_equal(dp_decode_frame(&decoder, &frame, &p), DP_DECODED);
    return p;
}

/* A chi-squared test: 7 degrees of freedom, one chance in a million is 40. */
static void directions_share_an_owner_and_owners_share_alike(void **state)
{
    (void)state;
    enum { WORKERS = 8, FLOWS = 20000 };
    struct atl_hash_key key;
    uint32_t seen[WORKERS] = {0};
    double chi = 0;
    atl_hash_key_init(&key);
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct bytes there = tcp_frame(0x0a000000 + i, 1024 + i % 7, 0xc0a80001, 443, F_ACK, 0);
        struct bytes back = tcp_frame(0xc0a80001, 443, 0x0a000000 + i, 1024 + i % 7, F_ACK, 0);
        struct dp_packet p = decoded(&there), q = decoded(&back);
        uint32_t owner = dp_distribute_owner(atl_hash(&key, &p.key, sizeof(p.key)), WORKERS);
        assert_int_equal(owner,
                         dp_distribute_owner(atl_hash(&key, &q.key, sizeof(q.key)), WORKERS));
        seen[owner]++;
    }
    for (uint32_t w = 0; w < WORKERS; w++) {
        double off = (double)seen[w] - (double)FLOWS / WORKERS;
        chi += off * off / ((double)FLOWS / WORKERS);
    }
    assert_true(chi < 40);
}

/* --- the card's hash --- */

/* Key and values: Microsoft, "Verifying the RSS Hash Calculation". */
static void the_hash_is_that_of_the_cards(void **state)
{
    (void)state;
    static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                    0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                    0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                    0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
    /* 66.9.149.187:2794 to 161.142.100.80:1766 */
    static const uint8_t tuple[12] = {66, 9, 149, 187, 161, 142, 100, 80, 0x0a, 0xea, 0x06, 0xe6};
    uint8_t symmetric[52];
    uint16_t reta[128];
    assert_int_equal(dp_toeplitz(key, tuple, 12), 0x51ccc178);
    assert_int_equal(dp_toeplitz(key, tuple, 8), 0x323e8fc2);

    dp_toeplitz_key(symmetric, sizeof(symmetric));
    for (uint16_t i = 0; i < ATL_ARRAY_LEN(reta); i++)
        reta[i] = i % 3;
    assert_true(dp_toeplitz_is_symmetric(symmetric, 40, NULL, 0));
    assert_true(dp_toeplitz_is_symmetric(symmetric, 52, reta, 128));
    assert_false(dp_toeplitz_is_symmetric(symmetric, 39, reta, 128));
    assert_false(dp_toeplitz_is_symmetric(key, 40, reta, 128));
    symmetric[17] ^= 1;
    assert_false(dp_toeplitz_is_symmetric(symmetric, 40, NULL, 0));
}

/* --- whole engines --- */

static struct bytes fragment(uint16_t id, unsigned offset, bool more, uint32_t host, unsigned port)
{
    struct bytes f = {0};
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 20 + 800, 17, host, 0xc0a80001);
    set16(&f, 14 + 4, id);
    set16(&f, 14 + 6, (more ? 0x2000 : 0) | offset / 8);
    if (offset == 0)
        put_udp(&f, port, 53, 1592);
    put_zeros(&f, offset == 0 ? 792 : 800);
    return f;
}

/* Fragments, packets out of order, flows that time out and flows that the end cuts off. */
static void write_hard_file(const char *path)
{
    FILE *file = fopen(path, "wb");
    struct atl_rng rng;
    assert_non_null(file);
    atl_rng_init_seed(&rng, 5);
    pcap_begin(file, 1);
    for (uint32_t i = 0; i < 6000; i++) {
        uint32_t host = 0x0a000000 + (uint32_t)atl_rng_below(&rng, 40);
        unsigned port = 2000 + (unsigned)atl_rng_below(&rng, 3);
        uint64_t us = 1700000000000000ULL + i * 5000ULL;
        uint64_t late = atl_rng_below(&rng, 10) == 0 ? atl_rng_below(&rng, 3000000) : 0;
        struct bytes f;
        if (i % 5 == 0) {
            f = fragment((uint16_t)i, 0, true, host, port);
            pcap_add(file, &f, us - late);
            f = fragment((uint16_t)i, 800, false, host, port);
        } else if (i % 5 == 1) {
            f = tcp_frame(host, port, 0xc0a80002, 80, i % 3 == 0 ? F_FIN | F_ACK : F_SYN, 0);
        } else {
            f = tcp_frame(0xc0a80002, 80, host, port, i % 7 == 0 ? F_RST : F_ACK, i % 100);
        }
        pcap_add(file, &f, us - late);
    }
    fclose(file);
}

static void fragments_and_late_packets_stay_together(void **state)
{
    (void)state;
    char path[256];
    struct dp_config cfg;
    dp_config_default(&cfg);
    replay_path(path, "hard.pcap");
    write_hard_file(path);
    cfg.device = path;
    cfg.file = true;
    cfg.timeout_udp_ns = ATL_NS_PER_S;
    assert_int_equal(replay(&a, &cfg, false), 0);
    assert_true(replay_balanced(&a));
    assert_true(a.counters.flows_by_end[DP_END_IDLE] > 100);
    assert_true(a.counters.flows_by_end[DP_END_FORCED] > 10);
    replay_sort(&a);
    for (uint32_t workers = 2; workers <= 7; workers++) {
        cfg.workers = workers;
        assert_int_equal(replay(&b, &cfg, workers % 2), 0);
        assert_true(replay_balanced(&b));
        assert_memory_equal(a.counters.flows_by_end, b.counters.flows_by_end,
                            sizeof(a.counters.flows_by_end));
        replay_sort(&b);
        assert_int_equal(a.count, b.count);
        for (uint32_t i = 0; i < a.count; i++)
            assert_true(same_flow(&a.records[i], &b.records[i]));
    }
    unlink(path);
}

/* Thousands of looks while three threads work: not one that does not add up. */
static void the_accounts_are_exact_while_workers_run(void **state)
{
    (void)state;
    char path[256];
    struct dp_config cfg;
    struct dp_engine *engine;
    struct dp_counters c;
    uint32_t looks = 0, moving = 0;
    dp_config_default(&cfg);
    replay_path(path, "long.pcap");
    replay_write(path, 200000);
    cfg.device = path;
    cfg.file = true;
    cfg.workers = 3;
    cfg.pace = true; /* 200 s in 0.4 s: time to look, however busy the machine is */
    cfg.pace_speed = 500;
    assert_int_equal(dp_engine_create(&engine, &cfg, NULL), 0);
    assert_int_equal(dp_engine_start(engine, NULL), 0);
    memset(&b, 0, sizeof(b));
    uint64_t last = 0;
    while (dp_engine_state(engine) == DP_RUNNING) {
        for (int i = 0; i < 20; i++, looks++) {
            dp_engine_counters(engine, &c);
            assert_int_equal(dp_counters_difference(&c), 0);
            moving += c.received_packets != last;
            last = c.received_packets;
        }
        replay_drain(&b, engine);
    }
    replay_drain(&b, engine);
    dp_engine_counters(engine, &b.counters);
    assert_true(replay_balanced(&b));
    assert_int_equal(b.counters.received_packets, 200000);
    assert_true(moving > 10);
    uint64_t given = 0, taken = 0, received = 0;
    for (uint32_t w = 0; w < 3; w++) {
        struct dp_worker_stats s;
        dp_engine_worker_stats(engine, w, &s);
        assert_true(s.busy_cycles > 0 && s.busy_cycles <= s.all_cycles);
        assert_true(s.stage_packets[DP_STAGE_TABLE] > 0);
        given += s.given_packets;
        taken += s.taken_packets;
        received += s.received_packets;
    }
    assert_int_equal(received, 200000);
    assert_int_equal(given, taken);
    assert_true(given > 200000 / 2);
    dp_engine_destroy(engine);
    unlink(path);
}

/* --- pages --- */

struct writer {
    struct dp_publish *page;
    _Atomic bool stop;
};

static void *write_pages(void *arg)
{
    struct writer *w = arg;
    atl_counter words[DP_PUBLISH_WORDS];
    memset(words, 0, sizeof(words));
    while (!atomic_load(&w->stop)) {
        for (size_t i = 0; i < DP_PUBLISH_WORDS; i++)
            atl_counter_add(&words[i], i + 1);
        dp_publish_put(w->page, words, DP_PUBLISH_WORDS);
    }
    return NULL;
}

static void pages_are_never_torn(void **state)
{
    (void)state;
    static struct dp_publish page;
    struct writer w = {.page = &page};
    pthread_t thread;
    uint64_t last = 0, moved = 0;
    uint32_t whole = 0;
    memset(&page, 0, sizeof(page));
    assert_int_equal(pthread_create(&thread, NULL, write_pages, &w), 0);
    /* Longer where both threads share one processor and take turns. */
    atl_ns begin = atl_clock_mono_ns(), now = begin;
    while (now - begin < 200 * ATL_NS_PER_MS ||
           ((whole < 100 || moved <= 10) && now - begin < 10 * ATL_NS_PER_S)) {
        now = atl_clock_mono_ns();
        atl_counter got[DP_PUBLISH_WORDS];
        if (!dp_publish_get(&page, got, DP_PUBLISH_WORDS))
            continue; /* a writer that does nothing else may win every time */
        whole++;
        uint64_t turns = atl_counter_get(&got[0]);
        assert_true(turns >= last);
        moved += turns != last;
        last = turns;
        for (size_t i = 0; i < DP_PUBLISH_WORDS; i++)
            if (atl_counter_get(&got[i]) != turns * (i + 1))
                fail_msg("word %zu is of another turn", i);
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    assert_true(whole >= 100 && moved > 10);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_packet_reaches_its_owner_in_order),
        cmocka_unit_test(a_full_ring_is_counted_and_empties_again),
        cmocka_unit_test(memory_has_a_bound),
        cmocka_unit_test(directions_share_an_owner_and_owners_share_alike),
        cmocka_unit_test(the_hash_is_that_of_the_cards),
        cmocka_unit_test(fragments_and_late_packets_stay_together),
        cmocka_unit_test(the_accounts_are_exact_while_workers_run),
        cmocka_unit_test(pages_are_never_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
