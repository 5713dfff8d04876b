/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floods: memory that stays as it is, conversations that go on, endings in small portions.
 *
 * Usage: test_dataplane_flow_flood [PACKETS [FLOWS]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dataplane/worker_priv.h"

#define S ATL_NS_PER_S

enum { CAPACITY = 1 << 16, TALKS = 1000, TALK_EVERY = 16, VLAN_TALK = 7 };

static uint32_t flood_packets = 1000000;
static uint32_t together = 200000;

/* --- every way to memory is counted; the linker sends the calls here (--wrap) --- */

static uint64_t allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t n)
{
    allocations++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t each)
{
    allocations++;
    return __real_calloc(n, each);
}

void *__wrap_realloc(void *p, size_t n)
{
    allocations++;
    return __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    allocations++;
    return __real_aligned_alloc(align, n);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    allocations++;
    return __real_mmap(at, n, prot, flags, fd, offset);
}

/* --- a worker that is fed descriptors --- */

static struct bench {
    struct dp_source source;
    struct dp_worker *worker;
    uint64_t records, by_reason[DP_END_RESOURCES + 1], packets;
    uint64_t talk_records, talk_packets, talk_evicted;
    atl_ns latest_ns; /* clock beyond the deadline, worst record */
    uint32_t most;    /* records of one poll */
} b;

static uint32_t no_frames(struct dp_source *s, struct dp_frame *frames, uint32_t n)
{
    (void)s;
    (void)frames;
    (void)n;
    return 0;
}

static void no_release(struct dp_source *s)
{
    (void)s;
}

static const struct dp_source_ops no_ops = {no_frames, no_release, .close = no_release};

static void set_up(uint32_t flows_max, uint32_t ring_records)
{
    struct dp_config cfg;
    struct atl_hash_key key;
    dp_config_default(&cfg);
    cfg.flows_max = flows_max;
    cfg.ring_records = ring_records;
    atl_hash_key_init(&key);
    memset(&b, 0, sizeof(b));
    b.source = (struct dp_source){.ops = &no_ops, .file = true, .paced = true};
    b.worker = aligned_alloc(ATL_CACHE_LINE_BYTES, sizeof(*b.worker));
    assert_non_null(b.worker);
    assert_int_equal(dp_worker_init(b.worker, &b.source, &cfg, &key), 0);
}

static void tear_down(void)
{
    dp_worker_finish(b.worker);
    free(b.worker);
}

static void drain(void)
{
    const void *elems;
    uint32_t n, sum = 0;
    while ((n = atl_ring_peek(b.worker->ring, &elems)) > 0) {
        const struct dp_flow *flow = elems;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t packets = flow[i].fwd.packets + flow[i].bwd.packets;
            b.packets += packets;
            b.by_reason[flow[i].end_reason]++;
            if (flow[i].vlan[0] == VLAN_TALK) {
                b.talk_records++;
                b.talk_packets += packets;
                b.talk_evicted += flow[i].end_reason == DP_END_RESOURCES;
            }
            atl_ns due = flow[i].last_ns + b.worker->timeouts[DP_TIMER_UDP];
            if (b.worker->clock_ns > due && b.worker->clock_ns - due > b.latest_ns)
                b.latest_ns = b.worker->clock_ns - due;
        }
        sum += n;
        atl_ring_release(b.worker->ring, n);
    }
    b.records += sum;
    if (sum > b.most)
        b.most = sum;
}

static void process(uint32_t n)
{
    dp_table_hash_packets(&b.worker->table, b.worker->batch, n);
    dp_worker_process(b.worker, n);
}

static void poll_at(atl_ns now_ns)
{
    b.source.clock_ns = now_ns;
    dp_worker_poll(b.worker);
    drain();
}

static void flush(void)
{
    bool done;
    do {
        done = dp_worker_flush(b.worker);
        drain();
    } while (!done);
}

static struct dp_packet packet_of(uint32_t src, uint16_t port, uint8_t proto, atl_ns at)
{
    struct dp_packet p = {
        .key = {.port = {port, 80}, .proto = proto},
        .ts_ns = at,
        .clock_ns = at,
        .bytes = 40,
        .header_bytes = 20,
        .tcp_flags = proto == DP_PROTO_TCP ? 1U << DP_SYN : 0,
        .ttl = 64,
    };
    for (int i = 0; i < 2; i++)
        memset(p.key.addr[i].bytes + 10, 0xff, 2);
    memcpy(p.key.addr[0].bytes + 12, &src, 4);
    return p;
}

/* Conversation number n: its turn-th packet. The first two are SYN and SYN+ACK. */
static struct dp_packet talk(uint32_t n, uint32_t turn, atl_ns at)
{
    struct dp_packet p = packet_of(n, 5000, DP_PROTO_TCP, at);
    p.key.vlan[0] = VLAN_TALK;
    p.from = turn & 1;
    p.payload_bytes = turn < 2 ? 0 : 100;
    p.bytes += p.payload_bytes;
    p.tcp_flags = turn == 0 ? 1U << DP_SYN : turn == 1 ? 1U << DP_SYN | 1U << DP_ACK : 1U << DP_ACK;
    return p;
}

static uint64_t resident_pages(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%llu %llu", &size, &resident) != 2)
        fail_msg("no /proc/self/statm");
    fclose(file);
    return resident;
}

/* One packet in TALK_EVERY belongs to a conversation, the others are the only ones of their flow.
 */
static void flood(uint8_t proto)
{
    set_up(CAPACITY, 1 << 10);
    /* 10 Mpps: the flood is over before any conversation could time out. */
    const atl_ns step_ns = 100;
    atl_ns now = 1000 * S;
    uint32_t talks = 0;
    for (uint32_t n = 0; n < 2 * TALKS; n++) {
        b.worker->batch[0] = talk(n / 2, n % 2, now);
        b.worker->clock_ns = now;
        process(1);
    }
    talks = 2 * TALKS;
    poll_at(now);
    uint64_t resident = 0, allocated = allocations;
    for (uint32_t sent = 0; sent < flood_packets;) {
        /* By now every slot of the ring has been used once. */
        if (resident == 0 && b.records > 4096)
            resident = resident_pages();
        for (uint32_t i = 0; i < DP_BURST; i++, now += step_ns) {
            if (i % TALK_EVERY == 0) {
                b.worker->batch[i] = talk(talks % TALKS, 2 + talks / TALKS, now);
                talks++;
            } else {
                b.worker->batch[i] = packet_of(0x40000000 + sent, (uint16_t)(sent * 7), proto, now);
                sent++;
            }
        }
        b.worker->clock_ns = now;
        process(DP_BURST);
        drain();
    }
    assert_int_equal(allocations, allocated);
    uint64_t grown = resident_pages() - resident;
    print_message("# %u packets of distinct flows: %llu evicted, %llu pages more, 0 allocations\n",
                  flood_packets, (unsigned long long)b.by_reason[DP_END_RESOURCES],
                  (unsigned long long)grown);
    assert_true(grown < 64); /* of 4 KB: what reading statm takes, more under a sanitizer */
    assert_true(b.worker->table.live <= CAPACITY);
    flush();
    assert_int_equal(b.talk_records, TALKS);
    assert_int_equal(b.talk_evicted, 0);
    assert_int_equal(b.talk_packets, talks);
    assert_int_equal(atl_counter_get(&b.worker->counters.reasons[DP_REASON_TABLE_FULL]), 0);
    assert_int_equal(b.packets, atl_counter_get(&b.worker->counters.processed_packets));
    assert_true(b.by_reason[DP_END_RESOURCES] > flood_packets - CAPACITY - 1);
    tear_down();
}

static void a_syn_flood_evicts_itself(void **state)
{
    (void)state;
    flood(DP_PROTO_TCP);
}

static void a_udp_spray_evicts_itself(void **state)
{
    (void)state;
    flood(DP_PROTO_UDP);
}

/*
 * All flows are due at the same moment. The clock moves 50 µs a poll, far more than an idle poll
 * takes: then a million flows are out in 0.9 s, and no poll ends more than its portion.
 */
static void endings_come_in_portions_and_in_time(void **state)
{
    (void)state;
    set_up(together + together / 8, 1 << 10);
    const atl_ns start = 1000 * S;
    b.worker->clock_ns = start;
    poll_at(start);
    for (uint32_t n = 0; n < together; n += DP_BURST) {
        for (uint32_t i = 0; i < DP_BURST; i++)
            b.worker->batch[i] = packet_of(n + i, 1, DP_PROTO_UDP, start);
        process(DP_BURST);
    }
    atl_ns due = start + b.worker->timeouts[DP_TIMER_UDP], now = due - S;
    assert_int_equal(b.worker->table.live, together);
    uint64_t allocated = allocations;
    for (; now < due + 2 * S && b.worker->table.live != 0; now += 50 * ATL_NS_PER_US) {
        poll_at(now);
        assert_true(now >= due || b.records == 0);
    }
    print_message("# %u flows due together: the last %.3f s late, at most %u a poll\n", together,
                  (double)b.latest_ns / 1e9, b.most);
    assert_int_equal(b.records, together);
    assert_int_equal(b.by_reason[DP_END_IDLE], together);
    assert_true(b.most <= DP_STEP_RECORDS);
    assert_true(b.latest_ns <= S);
    assert_int_equal(allocations, allocated);
    tear_down();
}

/* The CRC that DPDK and others hash with: collisions made without any secret. */
static uint32_t crc32c(const void *data, size_t n)
{
    const uint8_t *at = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78 & (0U - (crc & 1)));
    }
    return crc;
}

static void colliding_keys_find_room(void **state)
{
    (void)state;
    enum { FLOWS = 4096, BITS = 8 };
    set_up(FLOWS, 1 << 14);
    uint32_t made = 0;
    for (uint32_t i = 0; made < FLOWS / 2; i++) {
        struct dp_packet p = packet_of(i, 1, DP_PROTO_UDP, 1000 * S);
        if (crc32c(&p.key, sizeof(p.key)) >> (32 - BITS) != 0)
            continue;
        b.worker->batch[made++ % DP_BURST] = p;
        if (made % DP_BURST == 0)
            process(DP_BURST);
    }
    assert_int_equal(b.worker->table.live, FLOWS / 2);
    tear_down();
}

int main(int argc, char **argv)
{
    if (argc > 1)
        flood_packets = (uint32_t)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        together = (uint32_t)strtoul(argv[2], NULL, 10) / DP_BURST * DP_BURST;
    if (atl_base_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syn_flood_evicts_itself),
        cmocka_unit_test(a_udp_spray_evicts_itself),
        cmocka_unit_test(endings_come_in_portions_and_in_time),
        cmocka_unit_test(colliding_keys_find_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
