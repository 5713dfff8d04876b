/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's environment exists once per process, so its tests have a program of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>

#include "tests/dataplane/replay.h"

enum { PACKETS = 20000 };

static char path[256];
static struct replay a, b;

static struct dp_config config(char device[300], const char *file)
{
    struct dp_config cfg;
    dp_config_default(&cfg);
    snprintf(device, 300, "net_pcap0,rx_pcap=%s", file);
    cfg.backend = DP_BACKEND_DPDK;
    cfg.device = device;
    cfg.file = true;
    cfg.flows_max = 4096;
    return cfg;
}

static void both_backends_give_the_same_records(void **state)
{
    (void)state;
    char device[300];
    struct dp_config cfg = config(device, path);
    assert_int_equal(replay(&a, &cfg, false), 0);
    assert_int_equal(a.state, DP_ENDED);
    assert_true(replay_balanced(&a));
    assert_int_equal(a.counters.received_packets, PACKETS);
    assert_int_equal(a.counters.nic_dropped_packets, 0);
    replay_sort(&a);

    struct dp_config plain = cfg;
    plain.backend = DP_BACKEND_PCAP;
    plain.device = path;
    assert_int_equal(replay(&b, &plain, false), 0);
    replay_sort(&b);
    assert_int_equal(a.count, b.count);
    for (uint32_t i = 0; i < a.count; i++)
        assert_true(same_flow(&a.records[i], &b.records[i]));
    assert_memory_equal(a.counters.reasons, b.counters.reasons, sizeof(a.counters.reasons));
}

static void workers_hand_over_what_one_of_them_reads(void **state)
{
    (void)state;
    char device[300];
    struct dp_config cfg = config(device, path);
    cfg.workers = 3;
    cfg.flows_max = 65536;
    for (int threads = 0; threads < 2; threads++) {
        assert_int_equal(replay(&b, &cfg, threads), 0);
        assert_int_equal(b.state, DP_ENDED);
        assert_true(replay_balanced(&b));
        replay_sort(&b);
        assert_int_equal(a.count, b.count);
        for (uint32_t i = 0; i < a.count; i++)
            assert_true(same_flow(&a.records[i], &b.records[i]));
    }
}

static void expect_line(const struct dp_config *cfg, int code, const char *part)
{
    struct dp_engine *engine = NULL;
    struct atl_error err = {""};
    assert_int_equal(dp_engine_create(&engine, cfg, &err), code);
    assert_null(engine);
    if (strstr(err.text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, err.text);
}

/* net_null takes a hash key and gives it back, as a card does. */
static void a_device_with_a_symmetric_hash_is_trusted(void **state)
{
    (void)state;
    struct dp_config cfg;
    struct dp_engine *engine;
    struct dp_counters c;
    struct atl_error err = {""};
    dp_config_default(&cfg);
    cfg.backend = DP_BACKEND_DPDK;
    cfg.device = "net_null0";
    cfg.workers = 2;
    for (int trial = 0; trial < 2; trial++) {
        cfg.distribution = trial == 0 ? DP_DISTRIBUTE_AUTO : DP_DISTRIBUTE_SOFTWARE;
        if (dp_engine_create(&engine, &cfg, &err) < 0)
            fail_msg("%s", err.text);
        const char *part = trial == 0 ? "the device spreads" : "handed over";
        if (strstr(dp_engine_describe(engine), part) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", part, dp_engine_describe(engine));
        assert_int_equal(dp_engine_start(engine, &err), 0);
        for (int i = 0; i < 20; i++) {
            replay_nap();
            dp_engine_counters(engine, &c);
            assert_int_equal(dp_counters_difference(&c), 0);
        }
        dp_engine_stop(engine);
        dp_engine_counters(engine, &c);
        assert_true(c.received_packets > 0);
        assert_int_equal(c.reasons[DP_REASON_NOT_IP], c.received_packets);
        assert_int_equal(c.handed_packets, 0);
        dp_engine_destroy(engine);
    }
    cfg.distribution = DP_DISTRIBUTE_DEVICE;
    cfg.device = "net_ring0";
    expect_line(&cfg, -EINVAL, "distribute: software");
}

static void paced_in_a_thread(void **state)
{
    (void)state;
    char device[300];
    cpu_set_t before, after;
    struct dp_config cfg = config(device, path);
    CPU_ZERO(&before);
    CPU_ZERO(&after);
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    cfg.pace = true;
    cfg.pace_speed = 100;
    atl_ns start = atl_clock_mono_ns();
    assert_int_equal(replay(&b, &cfg, true), 0);
    assert_true(atl_clock_mono_ns() - start >= 190 * ATL_NS_PER_MS);
    assert_int_equal(b.state, DP_ENDED);
    assert_true(replay_balanced(&b));
    replay_sort(&b);
    assert_int_equal(a.count, b.count);
    for (uint32_t i = 0; i < a.count; i++)
        assert_true(same_flow(&a.records[i], &b.records[i]));
    assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

static void each_mistake_gives_one_line(void **state)
{
    (void)state;
    char device[300];
    struct dp_config cfg = config(device, "/nowhere/a.pcap");
    expect_line(&cfg, -ENOENT, "/nowhere/a.pcap");
    cfg = config(device, "/tmp/a,b.pcap");
    expect_line(&cfg, -EINVAL, "comma");
    cfg.file = false;
    cfg.device = "0000:ff:1f.7";
    expect_line(&cfg, -ENOENT, "no such port");
    cfg.device = "net_no_such_driver0";
    expect_line(&cfg, -EIO, "net_no_such_driver0");
}

static void two_ports_at_once(void **state)
{
    (void)state;
    char first[300], second[300];
    struct dp_config cfg = config(first, path), other = cfg;
    struct dp_engine *one, *two;
    assert_int_equal(dp_engine_create(&one, &cfg, NULL), 0);
    expect_line(&cfg, -EINVAL, "already captures");
    snprintf(second, sizeof(second), "net_pcap1,rx_pcap=%s", path);
    other.device = second;
    assert_int_equal(dp_engine_create(&two, &other, NULL), 0);
    dp_engine_destroy(one);
    dp_engine_destroy(two);
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    if (!dp_has_dpdk()) {
        puts("1..0 # SKIP this build has no DPDK");
        return 0;
    }
    replay_path(path, "dpdk.pcap");
    replay_write(path, PACKETS);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_backends_give_the_same_records),
        cmocka_unit_test(workers_hand_over_what_one_of_them_reads),
        cmocka_unit_test(a_device_with_a_symmetric_hash_is_trusted),
        cmocka_unit_test(paced_in_a_thread),
        cmocka_unit_test(each_mistake_gives_one_line),
        cmocka_unit_test(two_ports_at_once),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
