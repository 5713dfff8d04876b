/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <zlib.h>

#include "tests/dataplane/replay.h"

enum { PACKETS = 20000 };

static char path[256];
static struct replay a, b;

static struct dp_config file_config(const char *device)
{
    struct dp_config cfg;
    dp_config_default(&cfg);
    cfg.device = device;
    cfg.file = true;
    cfg.flows_max = 4096;
    return cfg;
}

static void a_file_is_read_to_its_end(void **state)
{
    (void)state;
    struct dp_config cfg = file_config(path);
    assert_int_equal(replay(&a, &cfg, false), 0);
    assert_int_equal(a.state, DP_ENDED);
    assert_string_equal(a.error, "");
    assert_true(replay_balanced(&a));
    assert_int_equal(a.counters.received_packets, PACKETS);
    assert_int_equal(a.counters.reasons[DP_REASON_NOT_IP], PACKETS / 100);
    assert_int_equal(a.counters.processed_packets, PACKETS - PACKETS / 100);
    assert_true(a.counters.flows_created >= 50 * 4 * 2);
    for (uint32_t i = 0; i < a.count; i++)
        assert_true(a.records[i].first_ns <= a.records[i].last_ns);
}

static void assert_same_records(void)
{
    replay_sort(&a);
    replay_sort(&b);
    assert_int_equal(a.count, b.count);
    for (uint32_t i = 0; i < a.count; i++)
        assert_true(same_flow(&a.records[i], &b.records[i]));
}

/* Also what the end of the file cuts off: the clock of one reaches all. */
static void any_number_of_workers_gives_the_same_records(void **state)
{
    (void)state;
    static const uint32_t counts[] = {2, 3, 4};
    struct dp_config cfg = file_config(path);
    cfg.flows_max = 65536;
    assert_int_equal(replay(&a, &cfg, false), 0);
    for (size_t i = 0; i < ATL_ARRAY_LEN(counts); i++)
        for (int threads = 0; threads < 2; threads++) {
            cfg.workers = counts[i];
            cfg.ring_records = threads ? 256 : 1 << 14;
            assert_int_equal(replay(&b, &cfg, threads), 0);
            assert_int_equal(b.state, DP_ENDED);
            assert_true(replay_balanced(&b));
            assert_int_equal(b.counters.received_packets, PACKETS);
            assert_same_records();
        }
}

/* A ring far too small for all records: both roads wait for it. */
static void threads_and_steps_give_the_same_records(void **state)
{
    (void)state;
    struct dp_config cfg = file_config(path);
    assert_int_equal(replay(&a, &cfg, false), 0);
    cfg.ring_records = 256;
    assert_int_equal(replay(&b, &cfg, true), 0);
    assert_int_equal(b.state, DP_ENDED);
    assert_true(replay_balanced(&b));
    assert_same_records();
}

static void a_slow_consumer_loses_nothing_when_stepping(void **state)
{
    (void)state;
    struct dp_config cfg = file_config(path);
    struct dp_engine *engine;
    cfg.ring_records = 256;
    assert_int_equal(dp_engine_create(&engine, &cfg, NULL), 0);
    memset(&b, 0, sizeof(b));
    for (uint32_t i = 0; dp_engine_step(engine) == DP_RUNNING; i++)
        if (i % 1000 == 999)
            replay_drain(&b, engine);
    replay_drain(&b, engine);
    dp_engine_counters(engine, &b.counters);
    assert_true(replay_balanced(&b));
    dp_engine_destroy(engine);
}

/* Each packet ends a flow: without waiting the ring of 256 overflows while the file is read. */
static void a_file_waits_for_the_consumer(void **state)
{
    (void)state;
    char flood[256];
    replay_path(flood, "flood.pcap");
    FILE *file = fopen(flood, "wb");
    assert_non_null(file);
    pcap_begin(file, 1);
    for (uint32_t i = 0; i < PACKETS; i++) {
        struct bytes f = tcp_frame(0xc0000000 + i, 1024, 0x0a000001, 80, F_SYN, 0);
        pcap_add(file, &f, 1700000000000000ULL + i);
    }
    fclose(file);
    struct dp_config cfg = file_config(flood);
    cfg.flows_max = 1024;
    cfg.ring_records = 256;
    assert_int_equal(replay(&b, &cfg, true), 0);
    assert_true(replay_balanced(&b));
    assert_int_equal(b.counters.flows_exported, PACKETS);
    assert_true(b.counters.flows_by_end[DP_END_RESOURCES] >= PACKETS - 1024);
    unlink(flood);
}

/* 1 ms of sleep is 1 s of the replay: the clock must not pass a packet that is yet to come. */
static void pacing_ends_no_flow_early(void **state)
{
    (void)state;
    char slow[256];
    replay_path(slow, "slow.pcap");
    FILE *file = fopen(slow, "wb");
    assert_non_null(file);
    pcap_begin(file, 1);
    struct bytes f = udp_frame(0x0a000001, 5000, 0x0a000002, 6000, 10);
    for (uint32_t i = 0; i < 500; i++)
        pcap_add(file, &f, 1700000000000000ULL + i * 90000);
    fclose(file);
    struct dp_config cfg = file_config(slow);
    cfg.timeout_udp_ns = 100 * ATL_NS_PER_MS;
    cfg.pace = true;
    cfg.pace_speed = 1000;
    assert_int_equal(replay(&b, &cfg, true), 0);
    assert_true(replay_balanced(&b));
    assert_int_equal(b.count, 1);
    unlink(slow);
}

static void paced_replay_keeps_time_and_records(void **state)
{
    (void)state;
    struct dp_config cfg = file_config(path);
    assert_int_equal(replay(&a, &cfg, false), 0);
    cfg.pace = true;
    cfg.pace_speed = 50; /* 20 s in 0.4 s */
    atl_ns start = atl_clock_mono_ns();
    assert_int_equal(replay(&b, &cfg, true), 0);
    atl_ns took = atl_clock_mono_ns() - start;
    assert_true(took >= 390 * ATL_NS_PER_MS);
    assert_true(took < 3 * ATL_NS_PER_S);
    assert_true(replay_balanced(&b));
    assert_same_records();
}

static void pacing_stops_at_once_and_counts(void **state)
{
    (void)state;
    struct dp_config cfg = file_config(path);
    struct dp_engine *engine;
    struct dp_counters c;
    cfg.pace = true;
    cfg.pace_speed = 0.01;
    assert_int_equal(dp_engine_create(&engine, &cfg, NULL), 0);
    assert_int_equal(dp_engine_start(engine, NULL), 0);
    assert_int_equal(dp_engine_start(engine, NULL), -EINVAL);
    uint64_t beat = dp_engine_heartbeat(engine, 0);
    for (int i = 0; i < 200 && dp_engine_heartbeat(engine, 0) < beat + 3; i++)
        replay_nap();
    assert_true(dp_engine_heartbeat(engine, 0) >= beat + 3);
    assert_true(dp_engine_now_ns(engine) >= 1700000000 * ATL_NS_PER_S);
    atl_ns start = atl_clock_mono_ns();
    dp_engine_stop(engine);
    assert_true(atl_clock_mono_ns() - start < ATL_NS_PER_S);
    assert_int_equal(dp_engine_state(engine), DP_ENDED);
    dp_engine_counters(engine, &c);
    assert_true(c.received_packets < PACKETS);
    assert_int_equal(dp_counters_difference(&c), 0);
    assert_int_equal(c.flows_live, 0);
    dp_engine_destroy(engine);
}

/* Nobody drains: stop gives up after the ring has stood still, and says what was lost. */
static void stop_does_not_wait_for_a_dead_consumer(void **state)
{
    (void)state;
    struct dp_config cfg = file_config(path);
    struct dp_engine *engine;
    struct dp_counters c;
    cfg.ring_records = 256;
    assert_int_equal(dp_engine_create(&engine, &cfg, NULL), 0);
    assert_int_equal(dp_engine_start(engine, NULL), 0);
    do {
        replay_nap();
        dp_engine_counters(engine, &c);
    } while (c.received_packets < PACKETS || c.flows_exported < 128);
    atl_ns start = atl_clock_mono_ns();
    dp_engine_stop(engine);
    assert_true(atl_clock_mono_ns() - start < 5 * ATL_NS_PER_S);
    dp_engine_counters(engine, &c);
    assert_int_equal(c.flows_live, 0);
    assert_true(c.ring_full_records > 0);
    assert_int_equal(c.flows_created, c.flows_exported + c.ring_full_records);
    dp_engine_destroy(engine);
}

/* --- other wrappings of the same file --- */

static size_t read_whole(const char *name, uint8_t **ret_data)
{
    size_t n = 0;
    assert_int_equal(atl_file_read(name, 64 << 20, ret_data, &n, NULL), 0);
    return n;
}

static void gzip_in_two_members(void **state)
{
    (void)state;
    char packed[256];
    uint8_t *data;
    size_t n = read_whole(path, &data);
    replay_path(packed, "packed.pcap.gz");
    for (int part = 0; part < 2; part++) {
        gzFile gz = gzopen(packed, part == 0 ? "wb" : "ab");
        assert_non_null(gz);
        size_t from = part == 0 ? 0 : n / 2, to = part == 0 ? n / 2 : n;
        assert_int_equal(gzwrite(gz, data + from, (unsigned)(to - from)), to - from);
        gzclose(gz);
    }
    free(data);
    struct dp_config cfg = file_config(path);
    assert_int_equal(replay(&a, &cfg, false), 0);
    cfg.device = packed;
    assert_int_equal(replay(&b, &cfg, false), 0);
    assert_int_equal(b.state, DP_ENDED);
    assert_same_records();

    /* Cut inside: all before is kept, and one line says where. */
    assert_int_equal(truncate(packed, 100000), 0);
    assert_int_equal(replay(&b, &cfg, false), 0);
    assert_int_equal(b.state, DP_FAILED);
    assert_true(replay_balanced(&b));
    assert_true(b.counters.received_packets > 100);
    assert_non_null(strstr(b.error, packed));
    unlink(packed);
}

static void a_cut_file_keeps_what_came_before(void **state)
{
    (void)state;
    char cut[256];
    uint8_t *data;
    size_t n = read_whole(path, &data);
    replay_path(cut, "cut.pcap");
    assert_int_equal(atl_file_write(cut, data, n - 3, 0600, NULL), 0);
    free(data);
    struct dp_config cfg = file_config(cut);
    for (int threads = 0; threads < 2; threads++) {
        assert_int_equal(replay(&b, &cfg, threads), 0);
        assert_int_equal(b.state, DP_FAILED);
        assert_int_equal(b.counters.received_packets, PACKETS - 1);
        assert_true(replay_balanced(&b));
        assert_non_null(strstr(b.error, "after packet 19999"));
    }
    unlink(cut);
}

static void standard_input(void **state)
{
    (void)state;
    struct dp_config cfg = file_config(path);
    assert_int_equal(replay(&a, &cfg, false), 0);
    int saved = dup(STDIN_FILENO);
    assert_non_null(freopen(path, "rb", stdin));
    cfg.device = "-";
    assert_int_equal(replay(&b, &cfg, true), 0);
    dup2(saved, STDIN_FILENO);
    close(saved);
    assert_same_records();
}

/* A pipe that nobody writes to must not keep the program from ending. */
static void a_silent_pipe_can_be_stopped(void **state)
{
    (void)state;
    int ends[2], saved = dup(STDIN_FILENO);
    uint8_t *data;
    size_t n = read_whole(path, &data);
    assert_int_equal(pipe(ends), 0);
    assert_true(n > 40000);
    assert_int_equal(write(ends[1], data, 40000), 40000);
    free(data);
    dup2(ends[0], STDIN_FILENO);
    struct dp_config cfg = file_config("-");
    struct dp_engine *engine;
    struct dp_counters c;
    assert_int_equal(dp_engine_create(&engine, &cfg, NULL), 0);
    assert_int_equal(dp_engine_start(engine, NULL), 0);
    for (int i = 0; i < 300; i++)
        replay_nap();
    uint64_t beat = dp_engine_heartbeat(engine, 0);
    for (int i = 0; i < 400; i++)
        replay_nap();
    assert_true(dp_engine_heartbeat(engine, 0) > beat);
    atl_ns start = atl_clock_mono_ns();
    dp_engine_stop(engine);
    assert_true(atl_clock_mono_ns() - start < ATL_NS_PER_S);
    dp_engine_counters(engine, &c);
    assert_true(c.received_packets > 50);
    assert_int_equal(dp_counters_difference(&c), 0);
    dp_engine_destroy(engine);
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

/* --- a live interface --- */

static void send_datagrams(unsigned n, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(sendto(fd, "0123456789", 10, 0, (struct sockaddr *)&to, sizeof(to)), 10);
    close(fd);
}

static uint64_t packets_to(uint16_t port, uint64_t *ret_bytes)
{
    uint64_t packets = 0;
    for (uint32_t i = 0; i < b.count; i++)
        if (b.records[i].dst_port == port && b.records[i].proto == 17) {
            packets += b.records[i].fwd.packets;
            *ret_bytes += b.records[i].fwd.bytes;
        }
    return packets;
}

static void loopback(void **state)
{
    (void)state;
    enum { DATAGRAMS = 200, PORT = 40961 };
    struct dp_config cfg = file_config("lo");
    struct dp_engine *engine;
    struct atl_error err;
    uint64_t bytes = 0;
    cfg.file = false;
    int r = dp_engine_create(&engine, &cfg, &err);
    if (r == -EPERM) {
        print_message("# skipped: %s\n", err.text);
        skip();
    }
    assert_int_equal(r, 0);
    memset(&b, 0, sizeof(b));
    assert_int_equal(dp_engine_start(engine, &err), 0);
    send_datagrams(DATAGRAMS, PORT);
    /* Refusals come back between the datagrams, so their number says nothing: wait for silence. */
    uint64_t last = 0;
    for (int i = 0, still = 0; i < 4000 && (last < DATAGRAMS || still < 100); i++) {
        replay_nap();
        dp_engine_counters(engine, &b.counters);
        still = b.counters.processed_packets == last ? still + 1 : 0;
        last = b.counters.processed_packets;
    }
    dp_engine_stop(engine);
    replay_drain(&b, engine);
    dp_engine_counters(engine, &b.counters);
    assert_true(replay_balanced(&b));
    uint64_t seen = packets_to(PORT, &bytes);
    /* other tests fill the same wire: what the kernel dropped meanwhile is counted, not forgotten
     */
    assert_true(seen <= DATAGRAMS);
    assert_true(seen + b.counters.nic_dropped_packets >= DATAGRAMS);
    assert_true(seen > 0);
    assert_int_equal(bytes, seen * 38);
    assert_true(atl_clock_wall_ns() - b.records[0].first_ns < 60 * ATL_NS_PER_S);
    dp_engine_destroy(engine);
}

/* --- what cannot be opened --- */

static void expect_line(const struct dp_config *cfg, int code, const char *part)
{
    struct dp_engine *engine = NULL;
    struct atl_error err = {""};
    assert_int_equal(dp_engine_create(&engine, cfg, &err), code);
    assert_null(engine);
    if (strstr(err.text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, err.text);
    assert_null(strchr(err.text, '\n'));
}

static void each_mistake_gives_one_line(void **state)
{
    (void)state;
    char text[256];
    replay_path(text, "text");
    struct dp_config cfg = file_config("/nowhere/a.pcap");
    expect_line(&cfg, -ENOENT, "/nowhere/a.pcap");
    assert_int_equal(atl_file_write(text, "no packets here, only text", 26, 0600, NULL), 0);
    cfg.device = text;
    expect_line(&cfg, -EINVAL, "not a capture file");
    assert_int_equal(atl_file_write(text, "", 0, 0600, NULL), 0);
    expect_line(&cfg, -EINVAL, "not a capture file");
    FILE *file = fopen(text, "wb");
    assert_non_null(file);
    pcap_begin(file, 60000);
    fclose(file);
    expect_line(&cfg, -EINVAL, "link type 60000");
    unlink(text);
    cfg.file = false;
    cfg.device = "loo";
    expect_line(&cfg, geteuid() == 0 ? -ENOENT : -EPERM, "loo");
}

static void undecoded_link_types_are_counted(void **state)
{
    (void)state;
    char wifi[256];
    struct bytes f = {0};
    put_zeros(&f, 60);
    replay_path(wifi, "wifi");
    FILE *file = fopen(wifi, "wb");
    assert_non_null(file);
    pcap_begin(file, 105);
    pcap_add(file, &f, 1);
    fclose(file);
    struct dp_config cfg = file_config(wifi);
    assert_int_equal(replay(&b, &cfg, false), 0);
    assert_int_equal(b.counters.reasons[DP_REASON_LINK_TYPE], 1);
    assert_true(replay_balanced(&b));
    unlink(wifi);
}

static void config_names_the_field(void **state)
{
    (void)state;
    struct dp_config good = file_config(path), cfg;
    struct atl_error err;
    assert_int_equal(dp_config_check(&good, &err), 0);
#define REFUSES(field, value)                                 \
    cfg = good;                                               \
    cfg.field = value;                                        \
    assert_int_equal(dp_config_check(&cfg, &err), -EINVAL);   \
    if (strncmp(err.text, #field, strcspn(#field, "_")) != 0) \
        fail_msg("\"%s\" does not begin with " #field, err.text);
    REFUSES(device, NULL)
    REFUSES(device, "")
    REFUSES(snap_bytes, 63)
    REFUSES(workers, 0)
    REFUSES(workers, DP_WORKERS_MAX + 1)
    REFUSES(flows_max, 1023)
    REFUSES(detail_flows, 4097)
    REFUSES(ring_records, 1000)
    REFUSES(timeout_idle_ns, 0)
    REFUSES(timeout_closed_ns, UINT64_MAX)
    cfg = good;
    cfg.pace = true;
    cfg.pace_speed = NAN;
    assert_int_equal(dp_config_check(&cfg, &err), -EINVAL);
    assert_true(dp_config_memory_bytes(&good) > 4096 * 244 + 16384 * sizeof(struct dp_flow));
    assert_true(dp_config_memory_bytes(&good) <
                4096 * 256 + 16384 * sizeof(struct dp_flow) + (5 << 18));
}

int main(void)
{
    if (atl_base_init() < 0)
        return 1;
    replay_path(path, "engine.pcap");
    replay_write(path, PACKETS);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_to_its_end),
        cmocka_unit_test(any_number_of_workers_gives_the_same_records),
        cmocka_unit_test(threads_and_steps_give_the_same_records),
        cmocka_unit_test(a_slow_consumer_loses_nothing_when_stepping),
        cmocka_unit_test(a_file_waits_for_the_consumer),
        cmocka_unit_test(pacing_ends_no_flow_early),
        cmocka_unit_test(paced_replay_keeps_time_and_records),
        cmocka_unit_test(pacing_stops_at_once_and_counts),
        cmocka_unit_test(stop_does_not_wait_for_a_dead_consumer),
        cmocka_unit_test(gzip_in_two_members),
        cmocka_unit_test(a_cut_file_keeps_what_came_before),
        cmocka_unit_test(standard_input),
        cmocka_unit_test(a_silent_pipe_can_be_stopped),
        cmocka_unit_test(loopback),
        cmocka_unit_test(each_mistake_gives_one_line),
        cmocka_unit_test(undecoded_link_types_are_counted),
        cmocka_unit_test(config_names_the_field),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
